"""What people sent beside words: which of it is still to be fetched, and what is shown of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update

from bot.handlers.ports import Say
from bot.storage.store import SqlStore
from bot.storage.tables import attachments, conversations, one_of

LEASE = timedelta(seconds=120)
"""How long one process has to bring a file."""


@dataclass(frozen=True)
class Waiting:
    """A file that lies at a provider, or that no scanner has looked at yet."""

    id: int
    conversation: str
    scheme: str
    state: str  # waiting, quarantined
    kind: str
    source: str
    declared: str
    name: str
    attempts: int
    sha256: str | None


@dataclass(frozen=True)
class Attachment:
    """A file or place as the desk shows it."""

    id: int
    ref: str | None
    kind: str
    name: str
    state: str
    reason: str
    type: str
    size: int | None
    sha256: str | None
    place: Any
    at: datetime
    message: int | None


class Files:
    """The attachments over the tables of a store. Each method is one transaction."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    def take(self, limit: int, now: datetime) -> list[Waiting]:
        """Files to bring, or to have scanned, now: nobody else gets them for two minutes."""
        ready = or_(attachments.c.next_at.is_(None), attachments.c.next_at <= now)
        query = (
            select(attachments, conversations.c.scheme)
            .join(conversations, conversations.c.id == attachments.c.conversation)
            .where(one_of(attachments.c.state, "waiting", "quarantined"), ready)
            .order_by(attachments.c.id)
            .limit(limit)
        )
        with self._store.read() as connection:
            if connection.execute(query.limit(1)).first() is None:
                return []
        with self._store.writers.begin() as connection:
            locked = query.with_for_update(of=attachments, skip_locked=True)
            found = connection.execute(locked).mappings().all()
            mine = update(attachments).where(attachments.c.id.in_([row["id"] for row in found]))
            connection.execute(mine.values(next_at=now + LEASE, attempts=attachments.c.attempts + 1))
        names = Waiting.__dataclass_fields__
        return [Waiting(**{name: row[name] for name in names}) for row in found]

    def kept(self, id: int, state: str, sha256: str, size: int, type: str, name: str) -> None:
        """The file is here; `state` is kept or quarantined. Where the provider has it is forgotten."""
        values = {"state": state, "sha256": sha256, "size": size, "type": type, "name": name, "source": ""}
        self._end(id, next_at=None, **values)

    def clean(self, id: int) -> None:
        """The scanner found nothing in it."""
        self._end(id, state="kept", next_at=None)

    def later(self, id: int, next_at: datetime) -> None:
        """It could not be brought now."""
        self._end(id, next_at=next_at)

    def refused(self, file: Waiting, reason: str, at: datetime) -> None:
        """It is not kept, and its sender is told why: both or neither."""
        with self._store.begin() as tx:
            change = update(attachments).where(attachments.c.id == file.id)
            values = {"state": "refused", "reason": reason, "source": "", "sha256": None, "next_at": None}
            tx.connection.execute(change.values(**values))
            talk = tx.conversation(file.conversation)
            if talk is not None:
                tx.say(talk, None, Say(f"utter_file_refused_{reason}", f"file:{file.id}", asks=False, notice=True), at)

    def of_ticket(self, ref: str) -> list[Attachment]:
        """What belongs to a ticket, in the order in which it came."""
        query = select(attachments).where(attachments.c.ref == ref).order_by(attachments.c.id)
        with self._store.read() as connection:
            return [attachment(row) for row in connection.execute(query).mappings()]

    def one(self, id: int) -> Attachment | None:
        with self._store.read() as connection:
            row = connection.execute(select(attachments).where(attachments.c.id == id)).mappings().first()
        return attachment(row) if row else None

    def _end(self, id: int, **values: Any) -> None:
        with self._store.writers.begin() as connection:
            connection.execute(update(attachments).where(attachments.c.id == id).values(**values))


def attachment(row: Any) -> Attachment:
    """A row of the table as it is shown."""
    return Attachment(
        id=row["id"], ref=row["ref"], kind=row["kind"], name=row["name"], state=row["state"], reason=row["reason"],
        type=row["type"], size=row["size"], sha256=row["sha256"], place=row["place"], at=row["created_at"],
        message=row["message"],
    )  # fmt: skip
