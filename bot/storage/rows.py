"""Rows and the objects of the house: one function each way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from bot.handlers.ports import Conversation, Incoming
from bot.storage.crypto import Secrets
from bot.storage.place import place
from bot.tickets.lifecycle import LIVE
from bot.tickets.people import Actor, Role
from bot.tickets.ticket import Entry, Promise, Ticket
from channels.contract import Address

Row = Mapping[Any, Any]

_KEPT: tuple[str, ...] = (
    "language",
    "language_chosen",
    "notice_version",
    "notice_at",
    "stopped_at",
    "state",
    "buttons",
)
_KEPT += ("dialogue", "dialogue_at", "dialogue_events", "menu", "last_in_at")
_KEPT += ("live_ref", "live_staff", "live_at")
_KEPT += ("dialogue", "dialogue_at", "dialogue_events", "menu", "last_in_at", "limited_until")


def conversation_row(conversation: Conversation, secrets: Secrets) -> dict[str, Any]:
    """A conversation as it is first stored."""
    address = conversation.address
    return {
        "id": conversation.id,
        "contact": conversation.contact,
        "scheme": address.scheme,
        "account": address.account,
        "address_enc": secrets.encrypt(address.identifier),
        "address_hash": secrets.address_hash(address),
        "created_at": conversation.created_at,
        "session_generation": 0,
        "seq_in": 0,
        "seq_out": 0,
        **conversation_changes(conversation),
    }


def conversation_changes(conversation: Conversation) -> dict[str, Any]:
    """What a conversation may change in its row; its address, contact and numbers are not among it."""
    return {name: getattr(conversation, name) for name in _KEPT}


def conversation(row: Row, secrets: Secrets) -> Conversation:
    address = Address(row["scheme"], secrets.decrypt(row["address_enc"]), row["account"])
    return Conversation(
        id=row["id"],
        contact=row["contact"],
        address=address,
        created_at=row["created_at"],
        **{name: row[name] for name in _KEPT},
    )


def incoming(row: Row) -> Incoming:
    return Incoming(
        id=row["id"],
        conversation=row["conversation"],
        seq=row["seq"],
        text=row["text"],
        payload=row["payload"],
        received_at=row["received_at"],
        attempts=row["attempts"],
        message_id=row["message_id"],
        files=row["files"],
    )


_PLAIN: tuple[str, ...] = (
    "kind",
    "text",
    "opened_at",
    "unit",
    "language",
    "source",
    "contact",
    "conversation",
    "category",
)
_PLAIN += ("subcategory", "service", "service_class", "state", "staff", "unit_needs_to_know", "beneficiary_type")
_PLAIN += ("on_behalf", "stage", "governorate", "receipt_hash", "reading", "incident")
_SETS = ("flags", "readers", "hidden_from")


def ticket_row(ticket: Ticket, fold: Callable[[str], str], due: Callable[[Ticket], datetime | None]) -> dict[str, Any]:
    """Where a ticket stands, as lists and search want it: all of it follows from the ticket."""
    added = [str(e.said["text"]) for e in ticket.history if e.verb == "add" and "text" in e.said]
    answered_at = _answered_at(ticket)
    return {
        "ref": ticket.ref,
        **{name: getattr(ticket, name) for name in _PLAIN},
        **{name: sorted(getattr(ticket, name)) for name in _SETS},
        "text_folded": fold("\n".join([ticket.text, *added])),
        "confidential": "confidential" in ticket.flags,
        "urgent": "urgent" in ticket.flags,
        "needs_person": "needs_person" in ticket.flags,
        "need_to_know": ticket.need_to_know,
        "promised_for": ticket.promise.due,
        "due_at": due(ticket),
        "answered_at": answered_at,
        **place(ticket, answered_at),
        "closed_at": _closed_at(ticket),
        "version": ticket.version,
    }


def _answered_at(ticket: Ticket) -> datetime | None:
    """The first reply of substance by a person since the ticket was filed or last reopened."""
    first = None
    for entry in ticket.history:
        if entry.verb == "reopen":
            first = None
        elif first is None and entry.substance:
            first = entry.at
    return first


def _closed_at(ticket: Ticket) -> datetime | None:
    if ticket.state in LIVE:
        return None
    return next((e.at for e in reversed(ticket.history) if e.before in LIVE and e.after not in LIVE), None)


def entry_row(ref: str, entry: Entry) -> dict[str, Any]:
    return {
        "ref": ref,
        "seq": entry.seq,
        "verb": entry.verb,
        "at": entry.at,
        "by_kind": entry.by.kind,
        "by_id": entry.by.id,
        "by_name": entry.by.name,
        "by_role": entry.by.role and entry.by.role.value,
        "before": entry.before,
        "after": entry.after,
        "said": dict(entry.said),
        "promise": entry.promise and _promise_json(entry.promise),
    }


def entry(row: Row) -> Entry:
    by = Actor(row["by_kind"], row["by_id"], row["by_name"], Role(row["by_role"]) if row["by_role"] else None)
    promise = row["promise"]
    if promise is not None:
        promise = Promise(**{**promise, "due": datetime.fromisoformat(promise["due"])})
    return Entry(row["seq"], row["verb"], row["at"], by, row["before"], row["after"], row["said"], promise)


def ticket(row: Row, entries: Iterable[Row]) -> Ticket:
    """The ticket with the history given, which must be all of it, in order."""
    fields: dict[str, Any] = {name: row[name] for name in _PLAIN}
    fields |= {name: set(row[name]) for name in _SETS}
    return Ticket(ref=row["ref"], **fields, history=[entry(e) for e in entries])


def _promise_json(promise: Promise) -> dict[str, Any]:
    return {**asdict(promise), "due": promise.due.astimezone(UTC).isoformat()}
