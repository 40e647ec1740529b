"""What became of a message of ours, read from Twilio's status callback."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from channels.contract import Delivery, Ignored, Malformed
from channels.twilio import codes
from channels.twilio.form import Form

STATES = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "failed": "failed",
    "undelivered": "failed",
    "canceled": "failed",
}
RECEIVED = ("received", "receiving")
ROW = "m"
"""The parameter of our callback address that carries the number of the outbox row."""
_NUMBER = re.compile("[0-9]{1,18}")


def of(form: Form) -> str:
    """The state that a status callback tells; "" for a message that came in."""
    state = form.get("MessageStatus", "").lower()
    if state in RECEIVED:
        return ""
    older = form.get("SmsStatus", "").lower()  # the only one in callbacks of the old kind
    return state or (older if older in STATES else "")


def read(form: Form, state: str, url: str) -> Delivery | Ignored:
    """The delivery; Ignored for a state that carries no news: Twilio has the message, which its answer had said.

    Raises Malformed where no message is named.
    """
    message_id = form.first("MessageSid", "SmsSid")
    if not message_id:
        raise Malformed("a status without a message")
    if state not in STATES:
        return Ignored("a status that carries no news")
    code = form.get("ErrorCode", "").strip()
    if STATES[state] != "failed":
        return Delivery(message_id, STATES[state], row=_row(url))
    return Delivery(message_id, "failed", code, codes.of_callback(code), _row(url))


def _row(url: str) -> int | None:
    """The outbox row in our own callback address; None where it has none."""
    try:
        given = parse_qs(urlsplit(url).query).get(ROW, [""])[0]
    except ValueError:
        return None
    return int(given) if _NUMBER.fullmatch(given) else None
