"""The register's rows: seeded from data/ once, changed at the desk, every change with who and when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from bot.handlers.ports import Stale
from bot.storage.database import insert_once
from bot.storage.store import SqlStore
from bot.storage.tables import register, register_history


@dataclass(frozen=True)
class RegisterRow:
    """One row of the register; `version` counts its changes."""

    kind: str
    key: str
    data: Any
    position: int = 0
    active: bool = True
    version: int = 1


@dataclass(frozen=True)
class RegisterChange:
    """One change of one row."""

    at: datetime
    by: str
    old: Any
    new: Any


class RegisterTable:
    """The register over the tables of a store. Each method is one transaction."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self._once = insert_once(store.engine, register, "kind", "key")

    def register_rows(self, kind: str | None = None) -> list[RegisterRow]:
        """All rows, or those of one kind, in the order of the menus."""
        query = select(register).order_by(register.c.kind, register.c.position, register.c.key)
        if kind is not None:
            query = query.where(register.c.kind == kind)
        with self._store.read() as connection:
            return [
                RegisterRow(r["kind"], r["key"], r["data"], r["position"], r["active"], r["version"])
                for r in connection.execute(query).mappings()
            ]

    def seed(self, rows: Iterable[RegisterRow]) -> int:
        """Kinds of which the database has no row yet are filled; the others stay as they are. How many rows came."""
        with self._store.writers.begin() as connection:
            known = set(connection.scalars(select(register.c.kind).distinct()))
            new = [vars(row) for row in rows if row.kind not in known]
            if new:
                connection.execute(self._once, new)
        return len(new)

    def save_register(
        self,
        kind: str,
        key: str,
        data: Any,
        *,
        by: str,
        at: datetime,
        version: int,
        active: bool = True,
        position: int | None = None,
    ) -> int:
        """The row is as given, and the change on record; the new version.

        `version` is the one that was seen, 0 for a new row; raises Stale where it is another by now.
        """
        with self._store.writers.begin() as connection:
            mine = (register.c.kind == kind) & (register.c.key == key)
            row = connection.execute(select(register).where(mine).with_for_update()).mappings().first()
            current = row["version"] if row else 0
            if current != version:
                raise Stale(f"{kind}/{key}", current)
            new = {"data": data, "active": active, "version": version + 1}
            new["position"] = position if position is not None else row["position"] if row else 0
            if row:
                connection.execute(update(register).where(mine), new)
            elif not connection.execute(self._once, {"kind": kind, "key": key, **new}).rowcount:
                raise Stale(f"{kind}/{key}", 1)
            old = {name: row[name] for name in ("data", "active", "position")} if row else None
            change = {"kind": kind, "key": key, "at": at, "by": by, "old": old}
            change["new"] = {name: new[name] for name in ("data", "active", "position")}
            connection.execute(insert(register_history), change)
        return version + 1

    def register_changes(self, kind: str, key: str) -> list[RegisterChange]:
        """Who changed this row, and how, oldest first."""
        query = (
            select(register_history)
            .where(register_history.c.kind == kind, register_history.c.key == key)
            .order_by(register_history.c.id)
        )
        with self._store.read() as connection:
            return [RegisterChange(r["at"], r["by"], r["old"], r["new"]) for r in connection.execute(query).mappings()]
