"""Who hears of an entry, and what: pure, entry → notices. Names and parameters, never text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bot.handlers.ports import Say
from bot.tickets.lifecycle import ANSWERED, VERBS
from bot.tickets.ticket import Entry, Ticket


@dataclass(frozen=True)
class StaffNotice:
    """Something the desk shows to a unit, or to one member of staff."""

    about: str
    unit: str
    staff: str | None = None
    params: dict[str, Any] = field(default_factory=dict)


def to_person(entry: Entry, ticket: Ticket, body_phone: str | None = None) -> Say | None:
    """What the person is told of this entry; None where the table says nothing. Once: the key is the entry's."""
    row = VERBS.get(entry.verb)
    if row is None or "beneficiary" not in row.tells:
        return None
    name, said = f"notice_{entry.verb}", entry.said
    params: dict[str, Any] = {"ref": ticket.ref, "unit": ticket.unit, "state": ticket.state}
    own = ("reason",) if entry.by.kind == "beneficiary" else ()  # what they said themselves is not said back
    params |= {k: said[k] for k in ("text", "reason", "body") if said.get(k) and k not in own}
    if entry.verb == "remind" and ticket.question:
        params["question"] = ticket.question.said["text"]
    if entry.promise:
        params["due"] = entry.promise.due
    if entry.verb == "redirect" and body_phone:
        name, params["phone"] = "notice_redirect_phone", body_phone
    if entry.verb == "close" and entry.by.kind == "system":
        name, params["reason"] = f"notice_close_{said.get('reason', 'outcome_stands')}", ""
    if entry.verb in ("redirect", "study") and said.get("text"):
        name += "_text"
    if entry.verb in ("join", "reply"):
        params["who"] = entry.by.name
    if entry.verb == "leave" and said.get("reason") == "unanswered":
        name = "notice_leave_unanswered"
    buttons = _rating(ticket.ref) if entry.after in ANSWERED and entry.before != entry.after else []
    if entry.verb == "join":
        buttons = [{"title": "button_leave_live", "payload": '/press{"do":"leave_live"}'}]
    asks = entry.verb in ("ask", "remind")
    return Say(name, f"{ticket.ref}:{entry.seq}", params, buttons, notice=True, asks=asks, ref=ticket.ref)


def _rating(ref: str) -> list[dict[str, Any]]:
    """Five buttons, 1 to 5 in this order: the number that is typed is the rating."""
    return [
        {"title": f"button_rate_{n}", "payload": f'/press{{"do":"rate_as","ref":"{ref}","value":{n}}}'}
        for n in range(1, 6)
    ]


def question_after(entry: Entry, ticket: Ticket) -> dict[str, Any] | None:
    """What a message that follows this notice is taken to answer."""
    if entry.verb in ("ask", "remind"):
        return {"name": "staff_question", "ref": ticket.ref}
    if entry.after in ANSWERED and entry.before != entry.after:
        return {"name": "rating", "ref": ticket.ref}
    if entry.verb == "reply":
        return {"name": "reply", "ref": ticket.ref}
    if entry.verb in ("close", "break", "extend", "transfer"):
        return {"name": "status", "ref": ticket.ref}
    return None


def to_staff(entry: Entry, ticket: Ticket) -> Iterable[StaffNotice]:
    """Who at the desk is told of this entry."""
    row = VERBS.get(entry.verb)
    if entry.verb == "file":
        yield StaffNotice("urgent" if "urgent" in ticket.flags else "filed", ticket.unit)
    elif entry.verb == "rate" and entry.said["rating"] <= 2:
        yield StaffNotice("low_rating", ticket.unit, ticket.staff, {"rating": entry.said["rating"]})
    elif entry.verb == "leave" and entry.by.kind != "staff":
        yield StaffNotice("leave", ticket.unit, ticket.staff)
    elif entry.verb == "threat":
        yield StaffNotice("threat", ticket.unit)  # whoever works on it: its supervisors hear of a threat
    elif row and row.tells & {"unit", "supervisor"}:
        about = "escalate" if "supervisor" in row.tells else entry.verb
        yield StaffNotice(about, ticket.unit, ticket.staff)
