"""The audit: who read what, unmasked numbers, signed in, changed settings. Rows are added and never changed.

What is done to a ticket is in its history and not here. Lists at the desk show a line of each ticket, numbers masked:
opening one is what is written down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any

from sqlalchemy import Connection, insert, select

from bot.storage.signing import signed
from bot.storage.store import SqlStore
from bot.storage.tables import audit
from bot.tickets.people import Actor

ONCE_IN = timedelta(minutes=10)
"""One row for each reader and ticket (or file) in so long: a page that is loaded again is not a new reading."""


class Trail:
    """Adds to the audit. Each method is one transaction, and raises Unavailable where nothing could be written."""

    _store: SqlStore

    def audit(self, by: Actor, what: str, at: datetime, ref: str | None = None, **details: Any) -> None:
        """It is written down. `details` are ids and counts: never words of a message, never an address."""
        with self._store.writers.begin() as connection:
            self._add(connection, by, what, at, [(ref, details)])

    def audit_reading(self, by: Actor, what: str, at: datetime, refs: Iterable[str], **details: Any) -> None:
        """That `by` has read these tickets, or of one this file, is written down: once in ten minutes, see ONCE_IN."""
        fresh = self._not_yet(by, what, at, list(dict.fromkeys(refs)), details)
        if fresh:
            with self._store.writers.begin() as connection:
                self._add(connection, by, what, at, [(ref, details) for ref in fresh])

    def _not_yet(self, by: Actor, what: str, at: datetime, refs: list[str], details: Mapping[str, Any]) -> list[str]:
        same = select(audit.c.ref, audit.c.details).where(
            audit.c.ref.in_(refs), audit.c.by_id == by.id, audit.c.at > at - ONCE_IN,
            audit.c.what == what, audit.c.by_kind == by.kind,
        )  # fmt: skip
        with self._store.read() as connection:
            known = {row.ref for row in connection.execute(same) if row.details == details}
        return [ref for ref in refs if ref not in known]

    def _add(
        self, connection: Connection, by: Actor, what: str, at: datetime, of: list[tuple[str | None, Mapping[str, Any]]]
    ) -> None:
        who = {"by_kind": by.kind, "by_id": by.id, "by_name": by.name, "at": at, "what": what}
        rows = [{**who, "ref": ref, "details": dict(details), "nonce": token_hex(12)} for ref, details in of]
        connection.execute(insert(audit), [signed(self._store.secrets, audit, row) for row in rows])
