"""What proves that a row is as this house wrote it: keyed hashes of rows and of the chain over them. ADR 17.

Whoever can write to the database, and has not SECRET_KEY, can make none of these.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table

from bot.storage.crypto import Secrets
from bot.storage.database import dumps
from bot.storage.tables import storable

_LATER = {"id", "mac", "sealed"}
"""Columns that a row has not got, or that may change, when it is signed."""


def signed(secrets: Secrets, table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """The row that is about to be written, with its keyed hash."""
    return {**row, "mac": mac(secrets, table, row)}


def mac(secrets: Secrets, table: Table, row: Mapping[Any, Any]) -> str:
    """The keyed hash that this row has from whoever wrote it."""
    return secrets.digest(_canonical(table, row, _LATER), f"row of {table.name}")


def digest(secrets: Secrets, table: Table, row: Mapping[Any, Any]) -> str:
    """The keyed hash of the whole row as it is in the database, under which it is sealed."""
    return secrets.digest(_canonical(table, row, {"sealed"}), f"seal of {table.name}")


def link(secrets: Secrets, before: str, n: int, what: str, key: str, digest: str, at: datetime) -> str:
    """The chain's next value: it follows from the one before, and from everything that this link says."""
    return secrets.digest(json.dumps([before, n, what, key, digest, at.astimezone(UTC).isoformat()]), "chain")


def _canonical(table: Table, row: Mapping[Any, Any], without: set[str]) -> str:
    """The row as text: the same before it is written and when it is read, from either database.

    What is null is left out, so that a nullable column may be added later and old rows keep their hashes.
    """
    named = [c.name for c in table.columns if c.name not in without]
    values = {name: _plain(row[name]) for name in named if row.get(name) is not None}
    written = _text(values)
    if "\\u0000" in written or storable(written) != written:  # it will be stored without what no database takes
        written = _text(json.loads(dumps(values)))
    return written


def _text(values: Any) -> str:
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
