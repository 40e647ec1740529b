"""What became of a message, in words: how far it got, by which way, why not, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from bot.storage.channels import STOPPED, Delivery
from bot.web.desk.words import Words
from channels.contract import Failure

_ON_THE_WAY = ("created", "sending")
_ARRIVED = ("sent", "delivered", "read")
_SAID = {
    "the reply window is closed and there is no template": "why_window",
    "nobody wrote to read it": "why_unread",
    "what it announces was read": "why_read",
    "SMS_DAILY_CAP is reached": "why_cap",
}
"""What the post writes for those who run the house, and the sentence that says it to a clerk."""
_WAITS = "waits until the person writes"


@dataclass(frozen=True)
class Shown:
    """A line under a message; `tone` says how it is to be shown: failed, waits or quiet."""

    parts: Sequence[str]
    tone: str
    doubt: str = ""  # it may have arrived twice, or all the same
    code: str = ""


def shown(told: Delivery, t: Words, zone: ZoneInfo, price: float) -> Shown:
    """How far a message got. `price` of one SMS part; 0 where nobody said what it costs."""
    reason, failed = why(told.error), told.state.endswith("_failure")
    retried = told.state in _ON_THE_WAY and bool(reason)
    name = "moot" if reason == "why_read" else "retrying" if retried else told.state
    arrived = told.read_at if told.state == "read" else told.delivered_at if told.state == "delivered" else None
    parts = [
        t(f"delivery_{name}") + (f" ({t.time(arrived, zone, told.created_at)})" if arrived else ""),
        t(f"via_{told.channel}"),
        t("delivery_template") if told.form != "text" else "",
        t(reason) if reason and reason != "why_read" else "",
        _cost(told, t, price),
    ]
    doubt = "delivery_twice" if told.state in _ARRIVED else "delivery_maybe"
    return Shown(
        parts=[part for part in parts if part],
        tone="failed" if failed else "waits" if told.state in (*_ON_THE_WAY, "held") else "quiet",
        doubt=t(doubt) if told.uncertain else "",
        code=t("delivery_code", code=told.code) if told.code and (failed or retried) else "",
    )


def why(error: str) -> str:
    """The name of the sentence that says why; '' where there is nothing to say, or the state says it."""
    kind = error.partition(" ")[0]
    if not error or error == _WAITS or kind == STOPPED:
        return ""
    if kind in {*Failure}:
        return f"why_{kind}"
    return "why_country" if kind == "SMS_COUNTRIES" else _SAID.get(error, "why_unexpected")


def _cost(told: Delivery, t: Words, price: float) -> str:
    if not told.segments:
        return ""
    if not price:
        return t("sms_parts", n=told.segments)
    return t("sms_cost", n=told.segments, cost=money(told.segments * price))


def money(sum: float) -> str:
    """In the currency of the provider's account, which nobody but the provider knows."""
    return f"{sum:,.2f}"
