"""The channels: what goes out, what does not, what SMS costs; and the red line on every page while something is wrong."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from bot.storage.channels import FAILURES, Aside, Lost, Waiting
from bot.storage.post import Trouble
from bot.tickets.people import Role
from bot.tickets.reference import shown
from bot.web.desk.deliveries import money, why
from bot.web.desk.words import Words

log = structlog.get_logger("sawt.desk")

LOOKED_AT_EVERY = 10.0
"""Seconds for which a look at the channels holds: no page costs more than one."""
LOST_DAYS = 7
MAY_PUT_AWAY = (Role.SUPERVISOR, Role.MANAGER, Role.ADMIN)
"""Who says that what was set aside is dealt with."""


@dataclass(frozen=True)
class Sms:
    """What SMS costs, in the currency of the provider's account. `cap` is a day's; 0 sends none."""

    price: float
    cap: float
    spent: Callable[[datetime], float]
    alarm: Callable[[datetime], bool]


@dataclass(frozen=True)
class Alarm:
    """What is wrong with the channels; nothing where both are empty."""

    schemes: Sequence[str] = ()
    sms: bool = False


@dataclass(frozen=True)
class Carriers:
    """What carries messages: the schemes that are set up, which of them are in trouble, and SMS where it is paid for."""

    schemes: Sequence[str] = ()
    trouble: Callable[[datetime], Sequence[Trouble]] = lambda now: ()
    sms: Sms | None = None

    @property
    def price(self) -> float:
        return self.sms.price if self.sms else 0.0

    def spending(self, now: datetime) -> bool:
        """True where the day's money for SMS is nearly spent."""
        return self.sms is not None and self.sms.cap > 0 and self.sms.alarm(now)

    def alarm(self, now: datetime) -> Alarm:
        return Alarm(sorted({each.scheme for each in self.trouble(now)}), self.spending(now))


class Watch:
    """The alarm as every page asks for it: looked at every ten seconds at most, by one page at a time.

    Never raises: where storage is away, what was seen last is still said.
    """

    def __init__(
        self, look: Callable[[], Alarm], every: float = LOOKED_AT_EVERY, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look, self._every, self._clock = look, every, clock
        self._seen, self._next, self._turn = Alarm(), 0.0, Lock()

    def __call__(self) -> Alarm:
        if self._turn.acquire(blocking=False):
            try:
                if self._clock() >= self._next:
                    self._next = self._clock() + self._every
                    self._seen = self._look()
            except Exception as error:
                log.warning("the channels could not be looked at", error=type(error).__name__)
            finally:
                self._turn.release()
        return self._seen


@dataclass(frozen=True)
class State:
    """All that the page of the channels shows, as it was read."""

    trouble: Sequence[Trouble]
    spent: float
    alarm: bool
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    aside: Sequence[Aside] = ()
    lost: Mapping[str, Counter[str]] = field(default_factory=dict)
    tickets: Sequence[Lost] = ()


def banner(alarm: Alarm, t: Words) -> str:
    """One sentence; '' where nothing is wrong."""
    names = t.listed([t(f"channel_{scheme}") for scheme in alarm.schemes])
    if names:
        return t("alarm_both" if alarm.sms else "alarm_channels", channels=names)
    return t("alarm_sms") if alarm.sms else ""


def page(state: State, carriers: Carriers, t: Words, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    """The page, as plain values."""
    stuck = {each.scheme: each for each in state.trouble}
    schemes = dict.fromkeys([*carriers.schemes, *stuck, *state.waiting])
    kinds = [failure for failure in FAILURES if any(of[failure] for of in state.lost.values())]
    return {
        "schemes": [
            _scheme(each, each in carriers.schemes, stuck.get(each), state.waiting.get(each), t, now) for each in schemes
        ],
        "sms": _sms(carriers.sms, state, t) if carriers.sms else None,
        "aside": [
            {
                "id": each.id, "provider": each.provider.title(), "reason": each.reason,
                "when": t.moment(each.at, zone), "times": t("aside_times", n=each.times),
            }
            for each in state.aside
        ],
        "failures": [t(f"failure_{each}") for each in kinds],
        "lost": [
            {"name": t(f"channel_{scheme}"), "counts": [of[each] for each in kinds]}
            for scheme, of in sorted(state.lost.items())
        ],
        "tickets": [
            {
                "ref": each.ref, "shown": shown(each.ref), "channel": t(f"channel_{each.channel}"),
                "failure": t(f"failure_{each.failure}"), "when": t.moment(each.at, zone), "needs_person": each.needs_person,
            }
            for each in state.tickets
        ],
    }  # fmt: skip


def _scheme(
    scheme: str, set_up: bool, stuck: Trouble | None, waiting: Waiting | None, t: Words, now: datetime
) -> dict[str, Any]:
    unsent, held = (waiting.unsent, waiting.held) if waiting else (0, 0)
    if not set_up:
        state, tone = t("channel_not_set_up"), "late"
    elif stuck:
        state, tone = t("channel_stuck", age=t.age(stuck.since, now)), "late"
    else:
        state, tone = t("channel_goes"), "calm"
    waits = t("channel_waits", n=unsent, age=t.age(waiting.oldest, now)) if waiting and waiting.oldest else ""
    return {
        "name": t(f"channel_{scheme}"),
        "state": state,
        "tone": tone,
        "why": t(why(stuck.error) or "why_unexpected") if stuck else "",
        "waits": waits or t("channel_nothing_waits"),
        "held": t("channel_held", n=held) if held else "",
    }


def _sms(sms: Sms, state: State, t: Words) -> dict[str, str]:
    if sms.cap <= 0:
        return {"words": t("sms_off"), "alarm": ""}
    spent, percent = money(state.spent), round(100 * state.spent / sms.cap)
    words = t("sms_spent", spent=spent, cap=money(sms.cap), percent=percent)
    return {"words": words, "alarm": t("sms_alarm") if state.alarm else ""}
