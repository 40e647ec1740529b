"""The sealer: a moment after they were committed, rows of the history and of the audit become links of one chain.

Not inside their transactions: the chain has one end, and every change of a ticket would wait for it. ADR 17.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    exists,
    insert,
    literal_column,
    or_,
    select,
    text,
    update,
)

from bot.storage.signing import digest, link, mac
from bot.storage.store import SqlStore
from bot.storage.tables import audit, entries, seals

log = logging.getLogger(__name__)

BATCH = 300
"""Rows of a table in one transaction: on SQLite everybody else who writes waits for it, a few hundredths of a second."""
BEGAN = "began"
"""The link after which no row without a keyed hash is sealed: what was there before the chain was, is before it."""
START = ""

_unsealed: ColumnElement[bool] = literal_column("NOT sealed", Boolean())
"""Written as in the partial indexes, so that both databases use them."""
_last = select(seals.c.n, seals.c.chain).order_by(seals.c.n.desc()).limit(1)
_began = exists(select(seals.c.n).where(seals.c.what == BEGAN)).select()
_advisory = text("SELECT pg_advisory_xact_lock(7298002)")  # any number that nobody else locks


@dataclass(frozen=True)
class Sealed:
    """A table under the chain: what its links are called, and how its rows are named there."""

    what: str
    table: Table
    order: Sequence[Any]
    key: Callable[[Mapping[Any, Any]], str]

    def near(self, keys: Sequence[str]) -> ColumnElement[bool]:
        """A condition that holds for the rows of these keys, and for few others: one that SQLite finds by the index."""
        if self.table is audit:
            return audit.c.id.in_([int(key) for key in keys if _is_number(key)])
        pairs = [(ref, int(seq)) for ref, _, seq in (key.rpartition("/") for key in keys) if _is_number(seq)]
        return entries.c.ref.in_({ref for ref, _ in pairs}) & entries.c.seq.in_({seq for _, seq in pairs})

    def looked_at(self, connection: Connection, rows: Sequence[Mapping[Any, Any]]) -> None:
        """The sealer need not look at these rows again."""
        named = list(self.table.primary_key.columns)
        this = and_(*(column == bindparam(f"the_{column.name}") for column in named))
        which = [{f"the_{column.name}": row[column.name] for column in named} for row in rows]
        if which:
            connection.execute(update(self.table).where(this).values(sealed=True), which)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 18


ENTRIES = Sealed("entry", entries, (entries.c.at, entries.c.ref, entries.c.seq), lambda r: f"{r['ref']}/{r['seq']}")
AUDIT = Sealed("audit", audit, (audit.c.id,), lambda row: str(row["id"]))
TABLES = (ENTRIES, AUDIT)


class Sealer:
    """Adds to the chain what was written since. One process at a time does it; two at once wait for each other."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    def waiting(self) -> bool:
        """True where there is something to do: a look that writes nothing."""
        with self._store.read() as connection:
            found = [exists(select(each.table).where(_unsealed)) for each in TABLES]
            return bool(connection.scalar(select(or_(*found)))) or not connection.scalar(_began)

    def seal(self, at: datetime, limit: int = BATCH) -> int:
        """Up to `limit` rows of each table are in the chain; how many it has looked at.

        A row without a keyed hash of ours is not sealed (once the chain has begun): `audit verify` names it.
        """
        looked_at = 0
        with self._store.writers.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(_advisory)
            began = bool(connection.scalar(_began))
            chain = _Chain(self._store, connection, at)
            for each in TABLES:
                looked_at += self._batch(connection, chain, each, began, limit)
            if not began and looked_at < limit:
                chain.add(BEGAN, "", "")
            chain.write()
        return looked_at

    def _batch(self, connection: Connection, chain: _Chain, of: Sealed, began: bool, limit: int) -> int:
        secrets, table = self._store.secrets, of.table
        rows = connection.execute(select(table).where(_unsealed).order_by(*of.order).limit(limit)).mappings().all()
        for row in rows:
            inherited = row["mac"] is None and not began
            if inherited or row["mac"] == mac(secrets, table, row):
                chain.add(of.what, of.key(row), digest(secrets, table, row))
            else:
                log.error("a row of %s was not written by this house: %s", table.name, of.key(row))
        of.looked_at(connection, rows)
        return len(rows)


class _Chain:
    """The end of the chain, and what is about to follow it."""

    def __init__(self, store: SqlStore, connection: Connection, at: datetime) -> None:
        self._secrets, self._connection, self._at = store.secrets, connection, at
        last = connection.execute(_last).first()
        self._n: int = last.n if last else 0
        self._end: str = last.chain if last else START
        self._new: list[dict[str, Any]] = []

    def add(self, what: str, key: str, row_digest: str) -> None:
        self._n += 1
        self._end = link(self._secrets, self._end, self._n, what, key, row_digest, self._at)
        made = {"n": self._n, "what": what, "key": key, "digest": row_digest, "chain": self._end, "at": self._at}
        self._new.append(made)

    def write(self) -> None:
        if self._new:
            self._connection.execute(insert(seals), self._new)
