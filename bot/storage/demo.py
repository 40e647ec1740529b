"""What making up a month needs beyond the house's own doors: whether it may be made, and how it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, bindparam, func, or_, select, update

from bot.storage.store import SqlStore
from bot.storage.tables import conversations, desk_notices, inbox, leases, meta, outbox, tickets

FACT = "demo"
"""The fact that says that the tickets here are made up: `begun`, then the moment at which the month ends."""
CLOCK = "clock"
"""The lease of the house that runs."""


@dataclass(frozen=True)
class Standing:
    """What a database is: whose tickets it holds, and whether a house works on it."""

    made: str | None
    tickets: int
    running: bool


def standing(engine: Engine, now: datetime) -> Standing:
    """What the database is before anything is changed."""
    awake = select(func.count()).select_from(leases).where(leases.c.name == CLOCK, leases.c.until > now)
    with engine.connect() as db:
        return Standing(
            made=db.scalar(select(meta.c.value).where(meta.c.key == FACT)),
            tickets=db.scalar(select(func.count()).select_from(tickets)) or 0,
            running=bool(db.scalar(awake)),
        )


class Past:
    """The ends of a month over the tables of a store."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    def next_due(self) -> datetime | None:
        """When the clock of any ticket next has something to do."""
        with self._store.read() as db:
            due: datetime | None = db.scalar(select(func.min(tickets.c.due_at)))
        return due

    def held(self) -> list[str]:
        """Conversations in which something waits until the person writes."""
        query = select(outbox.c.conversation).where(outbox.c.state == "held").distinct()
        with self._store.read() as db:
            return list(db.scalars(query.order_by(outbox.c.conversation)))

    def sent(self) -> list[Mapping[Any, Any]]:
        """What was handed to a provider: id, scheme, sent_at, and when its person next wrote (`next_in`), in order."""
        after = (inbox.c.conversation == outbox.c.conversation) & (inbox.c.received_at > outbox.c.sent_at)
        next_in = select(func.min(inbox.c.received_at)).where(after).correlate(outbox).scalar_subquery()
        query = (
            select(outbox.c.id, outbox.c.sent_at, conversations.c.scheme, next_in.label("next_in"))
            .join(conversations, conversations.c.id == outbox.c.conversation)
            .where(outbox.c.state == "sent", outbox.c.provider_id.is_not(None))
            .order_by(outbox.c.id)
        )
        with self._store.read() as db:
            return list(db.execute(query).mappings())

    def arrived(self, news: Sequence[Mapping[str, Any]]) -> None:
        """Each row (`row`, `state`, `delivered_at`, `read_at`) got so far, all in one transaction."""
        if not news:
            return
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in ("state", "delivered_at", "read_at")}
        far = update(outbox).where(outbox.c.id == bindparam("row")).values(**values)
        with self._store.writers.begin() as db:
            db.execute(far, [{"row": n["row"], **{f"new_{k}": n[k] for k in values}} for n in news])

    def notices_seen(self, before: datetime, at: datetime) -> None:
        """What the desk was told before then was seen; so was what ended meanwhile."""
        over = select(tickets.c.ref).where(tickets.c.closed_at.is_not(None))
        unseen = desk_notices.c.seen_at.is_(None) & or_(desk_notices.c.at < before, desk_notices.c.ref.in_(over))
        with self._store.writers.begin() as db:
            db.execute(update(desk_notices).where(unseen).values(seen_at=at))
