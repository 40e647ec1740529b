"""One web chat as its event stream tells it: what was written and what was answered, in one order. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, select

from bot.storage.database import unavailable
from bot.storage.tables import attachments, conversations, inbox, outbox

_found = select(conversations.c.id, conversations.c.language).where(conversations.c.address_hash == bindparam("hash"))
_came = (
    select(inbox.c.id, inbox.c.seq, inbox.c.text, inbox.c.received_at, inbox.c.message_id, inbox.c.files)
    .where(inbox.c.conversation == bindparam("id"), inbox.c.seq > bindparam("after"))
    .order_by(inbox.c.seq)
    .limit(bindparam("most"))
)
_went = (
    select(outbox.c.seq, outbox.c.text, outbox.c.buttons, outbox.c.created_at)
    .where(outbox.c.conversation == bindparam("id"), outbox.c.seq > bindparam("after"), outbox.c.state != "failed")
    .order_by(outbox.c.seq)
    .limit(bindparam("most"))
)


class ChatLog:
    """Pages of a conversation's events. An event's id is `in.out`: the last numbers of both ways once it was read.

    So a stream that comes back misses nothing and gets nothing twice, in whatever order the two ways were committed.
    """

    def __init__(self, engine: Engine, hash_of: Callable[[str], str]) -> None:
        self._engine, self._hash = engine, hash_of
        self._ids: dict[str, str] = {}

    def conversation(self, session: str) -> str | None:
        """The conversation of this session; None before its first message."""
        known = self._ids.get(session)
        if known:
            return known
        with unavailable(), self._engine.connect() as connection:
            row = connection.execute(_found, {"hash": self._hash(session)}).first()
        if row is None:
            return None
        if len(self._ids) > 50_000:
            self._ids.clear()
        self._ids[session] = row.id
        return str(row.id)

    def language(self, session: str) -> str | None:
        """The language in which the conversation is answered."""
        with unavailable(), self._engine.connect() as connection:
            row = connection.execute(_found, {"hash": self._hash(session)}).first()
        return row.language if row else None

    def page(self, session: str, after: str, limit: int) -> list[dict[str, Any]]:
        """The first `limit` events after `after`; from the beginning where it is no id of an event."""
        id = self.conversation(session)
        if id is None:
            return []
        came, went = _cursor(after)
        with unavailable(), self._engine.connect() as connection:
            ins = connection.execute(_came, {"id": id, "after": came, "most": limit}).all()
            outs = connection.execute(_went, {"id": id, "after": went, "most": limit}).all()
            names = self._names(connection, [row.id for row in ins if row.files])
        events: list[dict[str, Any]] = []
        lines = [(r.received_at, 0, r) for r in ins] + [(r.created_at, 1, r) for r in outs]
        for at, out, row in sorted(lines, key=lambda line: (line[0], line[1], line[2].seq))[:limit]:
            came, went = (came, row.seq) if out else (row.seq, went)
            events.append(_event(f"{came}.{went}", at, row, bool(out), () if out else names.get(row.id, ())))
        return events

    @staticmethod
    def _names(connection: Connection, messages: Sequence[int]) -> dict[int, list[str]]:
        """What the files are called that came with these messages."""
        found: dict[int, list[str]] = {}
        if messages:
            query = select(attachments.c.message, attachments.c.name).where(attachments.c.message.in_(messages))
            for row in connection.execute(query.order_by(attachments.c.id)):
                found.setdefault(row.message, []).append(row.name)
        return found


def _event(id: str, at: datetime, row: Any, out: bool, files: Sequence[str]) -> dict[str, Any]:
    if out:
        return {"id": id, "kind": "message", "text": row.text, "buttons": row.buttons, "at": at.isoformat()}
    text = "\n".join([*(f"📎 {name}".strip() for name in files), row.text]).strip()
    return {"id": id, "kind": "own", "text": text, "buttons": [], "at": at.isoformat(), "message": row.message_id}


def _cursor(after: str) -> tuple[int, int]:
    came, _, went = after.partition(".")
    if came.isascii() and came.isdigit() and went.isascii() and went.isdigit() and len(after) < 40:
        return int(came), int(went)
    return 0, 0
