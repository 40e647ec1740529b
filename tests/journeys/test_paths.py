"""Two paths through the house, row by row: a newcomer's map. Run with -s to read it.

.venv/bin/python -m pytest tests/journeys/test_paths.py -s
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, select

from bot.storage import tables
from tests.running import Citizen, Sawt, eventually, plain

pytestmark = pytest.mark.journey
SHOWN = ("seq", "state", "turn", "name", "verb", "before", "after", "ref", "kind", "category", "unit", "about", "key")


class Rows:
    """What is in the database, and what has come since one last looked."""

    def __init__(self, sawt: Sawt) -> None:
        self._engine = create_engine(sawt.database())
        self._known: dict[tuple[str, Any], Any] = {}
        self.skip()

    def skip(self) -> None:
        """What is there by now is known."""
        self._look()

    def new(self) -> list[tuple[str, str, dict[str, Any]]]:
        """New and changed rows, printed: + the table and its telling columns; ~ for a changed one."""
        found = self._look()
        for sign, name, row in found:
            print(f"    {sign} {name:16}", *(f"{c}={row[c]}" for c in SHOWN if row.get(c) not in (None, "")))
        return found

    def _look(self) -> list[tuple[str, str, dict[str, Any]]]:
        found = []
        with self._engine.connect() as connection:
            for table in tables.metadata.sorted_tables:
                for row in connection.execute(select(table)).mappings():
                    place = (table.name, tuple(row[c.name] for c in table.primary_key))
                    if self._known.get(place) != dict(row):
                        sign = "~" if place in self._known else "+"
                        self._known[place] = dict(row)
                        found.append((sign, table.name, dict(row)))
        return found


@pytest.fixture
def rows(sawt: Sawt, citizen: Citizen) -> Iterator[Rows]:
    yield Rows(sawt)


def test_in(sawt: Sawt, citizen: Citizen, rows: Rows) -> None:
    """Browser → inbox → assistant → action → ticket, promise, history, reply in one transaction → stream."""
    print("\n  the person writes; the message is stored, read, and shown back:")
    citizen.say("معاملة الترخيص الصناعي لها شهرين وما احد رد علي")
    wrote = {(sign, table) for sign, table, _ in rows.new()}
    assert {("+", "conversations"), ("+", "inbox"), ("+", "outbox"), ("+", "dialogue_events")} <= wrote
    assert ("+", "tickets") not in wrote
    print("\n  one tap; the ticket and the sentence that tells of it are one transaction:")
    citizen.say("1")
    new = rows.new()
    assert sorted(t for s, t, _ in new if s == "+" and t in ("tickets", "entries", "desk_notices")) == [
        "desk_notices",
        "entries",
        "tickets",
    ]
    told = [row for sign, table, row in new if (sign, table) == ("+", "outbox")]
    assert [row["name"].startswith("utter_filed") for row in told] == [True]


def test_back(sawt: Sawt, citizen: Citizen, rows: Rows) -> None:
    """Desk verb → entry → notice in the person's language, in one transaction → stream."""
    ref, _ = citizen.file("معاملة الترخيص الصناعي لها شهرين وما احد رد علي")
    rows.skip()
    print("\n  a clerk resolves; entry, ticket and notice are one transaction:")
    assert sawt.verb(ref, "resolve", text="صدر الترخيص").status_code == 200
    eventually(lambda: "صدر الترخيص" in plain(citizen.answers[-1]["text"]), 10, "the notice")
    new = rows.new()
    assert ("~", "tickets") in {(s, t) for s, t, _ in new}
    assert [r["verb"] for s, t, r in new if (s, t) == ("+", "entries")] == ["resolve"]
    assert [r["name"] for s, t, r in new if (s, t) == ("+", "outbox")] == ["notice_resolve"]
