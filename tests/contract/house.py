"""A store with fake words, and the things that tests put into it."""

from __future__ import annotations

import secrets as random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, func, select

from bot.handlers.ports import Conversation, Say
from bot.storage.crypto import Secrets
from bot.storage.store import SqlStore
from bot.storage.tables import metadata
from bot.tickets.people import Actor, Role
from bot.tickets.ticket import Promise, Ticket
from channels.contract import Address

NOW = datetime(2026, 11, 25, 9, 30, 0, 123456, tzinfo=UTC)
AGENT = Actor("staff", "s-1", "سارة", Role.AGENT)
PERSON = Actor("beneficiary", "c-1")


def render(
    name: str, params: Mapping[str, Any], buttons: Sequence[Mapping[str, Any]], language: str
) -> tuple[str, list[dict[str, Any]]]:
    """Words that show what they were made of."""
    words = " ".join([language, name, *(f"{k}={v}" for k, v in sorted(params.items()))])
    return words, [{"title": f"{language} {b['title']}", "payload": b["payload"]} for b in buttons]


def fold(words: str) -> str:
    return words.replace("أ", "ا").replace("إ", "ا").casefold()


class House(SqlStore):
    """A store that remembers whom it woke, with short ways to fill it."""

    def __init__(self, engine: Engine, secrets: Secrets, clock: Callable[[], datetime]) -> None:
        self.woken: list[frozenset[str]] = []
        super().__init__(engine, secrets, render, fold, clock, self.woken.append)

    def talk(self, id: str = "t-1", scheme: str = "web", contact: str = "c-1", identifier: str = "") -> Conversation:
        """A stored conversation."""
        address = Address(scheme, identifier or f"+96650{id}", "+96611")
        conversation = Conversation(id, contact, address, NOW)
        with self.begin() as tx:
            tx.add_conversation(conversation)
        return conversation

    def write(self, talk: str, words: str, message_id: str = "", payload: str | None = None) -> Any:
        """A message comes in."""
        with self.begin() as tx:
            return tx.receive(talk, message_id or random.token_hex(8), words, payload, self.clock())

    def file(self, ref: str = "6821093659", talk: Conversation | None = None, turn: str | None = None) -> Ticket:
        """A filed ticket and its receipt, as the handlers make them."""
        ticket = new_ticket(ref, talk)
        with self.begin() as tx:
            assert tx.add_ticket(ticket, turn)
            if talk is not None:
                assert tx.say(talk, turn, Say("utter_filed", f"{ref}:1", {"ref": ref}, ref=ref), NOW)
        return ticket

    def counts(self) -> dict[str, int]:
        """Rows of every table."""
        with self.read() as connection:
            return {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in metadata.sorted_tables
            }


def new_ticket(ref: str = "6821093659", talk: Conversation | None = None, words: str = "الإنارة معطلة") -> Ticket:
    return Ticket.file(
        by=PERSON,
        at=NOW,
        promise=Promise(NOW + timedelta(days=2), "terms-1", "sa-1", "filed"),
        ref=ref,
        kind="complaint",
        text=words,
        unit="roads",
        language="ar",
        source="web",
        contact=talk and talk.contact,
        conversation=talk and talk.id,
        category="streets",
        flags={"urgent"},
        hidden_from={"branch-7"},
        reading={"intent": {"name": "complaint", "confidence": 0.93}},
    )
