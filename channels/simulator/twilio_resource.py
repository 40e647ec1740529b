"""A message as Twilio's API shows it, alone and in pages. Fields: twilio.com/docs/messaging/api/message-resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from channels.lengths import segments
from channels.simulator.message import Message
from channels.simulator.twilio_errors import MESSAGES
from channels.simulator.twilio_order import channel, split
from channels.simulator.world import World

PAGE, LARGEST_PAGE = 50, 1_000


def resource(world: World, message: Message) -> dict[str, Any]:
    """The message as it is now."""
    account = f"/2010-04-01/Accounts/{world.account_sid}"
    person = channel(message.scheme, message.person)
    to = person if message.outgoing else channel(message.scheme, world.own_number(message.scheme))
    code = int(message.code) if message.code else None
    return {
        "body": message.text,
        "num_segments": _segments(message),
        "direction": "outbound-api" if message.outgoing else "inbound",
        "from": message.sender if message.outgoing else person,
        "to": to,
        "date_updated": format_datetime(message.sent_at or message.at),
        "date_created": format_datetime(message.at),
        "date_sent": format_datetime(message.sent_at) if message.sent_at else None,
        "price": None,
        "price_unit": "USD",
        "error_code": code,
        "error_message": MESSAGES.get(code) if code else None,
        "uri": f"{account}/Messages/{message.id}.json",
        "account_sid": world.account_sid,
        "num_media": str(len(message.files)),
        "status": message.state if message.outgoing else "received",
        "messaging_service_sid": message.service or None,
        "sid": message.id,
        "api_version": "2010-04-01",
        "subresource_uris": {"media": f"{account}/Messages/{message.id}/Media.json"},
    }


def page(world: World, query: Mapping[str, str]) -> dict[str, Any]:
    """The messages that a query asks for, newest first, with the keys by which the SDK turns pages.

    Raises ValueError for a date or a number that is none.
    """
    size = min(max(1, int(query.get("PageSize") or PAGE)), LARGEST_PAGE)
    number = max(0, int(query.get("Page") or 0))
    found = [message for message in reversed(_among(world, query)) if _is_asked_for(world, message, query)]
    shown = found[number * size : (number + 1) * size]
    path = f"/2010-04-01/Accounts/{world.account_sid}/Messages.json"
    asked = {name: value for name, value in query.items() if name not in ("Page", "PageSize", "PageToken")}

    def uri(n: int, **more: str) -> str:
        return f"{path}?{urlencode(asked | {'PageSize': str(size), 'Page': str(n)} | more)}"

    has_more = len(found) > (number + 1) * size
    return {
        "messages": [resource(world, message) for message in shown],
        "page": number,
        "page_size": size,
        "start": number * size,
        "end": number * size + max(0, len(shown) - 1),
        "uri": uri(number),
        "first_page_uri": uri(0),
        "previous_page_uri": uri(number - 1, PageToken=f"PB{shown[0].id}") if number and shown else None,
        "next_page_uri": uri(number + 1, PageToken=f"PA{shown[-1].id}") if has_more else None,
    }


def _segments(message: Message) -> str:
    if message.scheme != "sms":
        return "1"
    # nobody knows the sender yet, so nobody counts
    return "0" if message.state == "accepted" else str(segments(message.text))


def _among(world: World, query: Mapping[str, str]) -> Sequence[Message]:
    """Few messages that hold all that are asked for: those of a person who is named."""
    for name in ("To", "From"):
        scheme, person = split(query.get(name, ""))
        if world.is_known(scheme, person):
            return world.conversation(scheme, person)
    return [message for message in world.messages if message.scheme != "telegram"]


def _is_asked_for(world: World, message: Message, query: Mapping[str, str]) -> bool:
    if message.own:
        return False
    theirs, ours = channel(message.scheme, message.person), channel(message.scheme, world.own_number(message.scheme))
    sender, to = (message.sender, theirs) if message.outgoing else (theirs, ours)
    if query.get("To", to) != to or query.get("From", sender) != sender:
        return False
    dates = {sign: query[f"DateSent{sign}"] for sign in ("", "<", ">") if query.get(f"DateSent{sign}")}
    return all(_is_dated(message.sent_at, sign, value) for sign, value in dates.items())


def _is_dated(at: datetime | None, sign: str, value: str) -> bool:
    """A message that was not sent yet has no date, and is in no span of dates."""
    is_day = len(value) == len("2026-11-26")
    bound = datetime.combine(date.fromisoformat(value), time(), UTC) if is_day else datetime.fromisoformat(value)
    if at is None:
        return False
    if sign == ">":
        return at >= bound
    if sign == "<":
        return at.date() <= bound.date() if is_day else at <= bound
    return at.date() == bound.date()
