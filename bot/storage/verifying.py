"""`python -m bot audit verify`: is everything that was sealed still there, and as it was?

Reads one state of the database, a page at a time, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, Text, cast, exists, func, literal, select

from bot.storage.crypto import Secrets
from bot.storage.database import unavailable
from bot.storage.sealing import AUDIT, BEGAN, ENTRIES, START, TABLES, Sealed
from bot.storage.signing import digest, link, mac
from bot.storage.tables import audit, entries, seals, tickets

PAGE = 1000
_BY_NAME = {each.what: each for each in TABLES}


class Broken(Exception):
    """The first link that does not hold; the message names it."""


@dataclass
class Verdict:
    """What was looked at. `broken` is a sentence about the first link that does not hold, '' where all do."""

    sealed: dict[str, int] = field(default_factory=lambda: {each.what: 0 for each in TABLES})
    unsealed: int = 0
    head: str = f"0:{START}"
    """The end of the chain, to be written down somewhere else: who cuts the end off, cuts this off, too."""
    broken: str = ""


def verify(engine: Engine, secrets: Secrets, seen: str = "") -> Verdict:
    """Everything, from the first link on. `seen` is a head that was written down before: it must still be there."""
    verdict = Verdict()
    isolated = (
        engine if engine.dialect.name == "sqlite" else engine.execution_options(isolation_level="REPEATABLE READ")
    )
    with unavailable(), isolated.begin() as connection:
        try:
            _chain(connection, secrets, verdict, seen)
            _beside(connection, secrets, verdict)
            _counted(connection)
        except Broken as broken:
            verdict.broken = str(broken)
    return verdict


def _chain(connection: Connection, secrets: Secrets, verdict: Verdict, seen: str) -> None:
    """Every link follows from the one before, and every row is as its link says."""
    before, last = START, 0
    marked, _, value = seen.partition(":")
    for page in _pages(connection):
        rows = _rows(connection, page)
        for seal in page:
            n = last + 1
            if seal.n != n:
                raise Broken(f"link {n} is not there: the one after {n - 1} is {seal.n}, {_which(seal)}")
            if seal.chain != link(secrets, before, n, seal.what, seal.key, seal.digest, seal.at):
                raise Broken(
                    f"link {n} does not follow from link {n - 1}: {_which(seal)} (or SECRET_KEY is another one)"
                )
            if seal.what != BEGAN:
                _row(secrets, seal, rows.get((seal.what, seal.key)))
                verdict.sealed[seal.what] += 1
            if marked == str(n) and not seal.chain.startswith(value):
                raise Broken(f"link {n} is not the one that was written down: {_which(seal)}")
            before, last = seal.chain, n
    if marked and marked.isdecimal() and int(marked) > last:
        raise Broken(f"the chain ends with link {last}, and link {marked} was there before: its end was cut off")
    verdict.head = f"{last}:{before[:16]}"


def _pages(connection: Connection) -> Iterator[list[Row[Any]]]:
    last = -(2**62)
    while page := list(connection.execute(select(seals).where(seals.c.n > last).order_by(seals.c.n).limit(PAGE))):
        yield page
        last = page[-1].n


def _rows(connection: Connection, page: list[Row[Any]]) -> dict[tuple[str, str], Any]:
    """The rows that a page of links is about."""
    found: dict[tuple[str, str], Any] = {}
    for of in TABLES:
        keys = [seal.key for seal in page if seal.what == of.what]
        if keys:
            query = select(of.table).where(of.near(keys))
            found |= {(of.what, of.key(row)): row for row in connection.execute(query).mappings()}
    return found


def _row(secrets: Secrets, seal: Row[Any], row: Any) -> None:
    of = _BY_NAME.get(seal.what)
    if of is None:
        raise Broken(f"link {seal.n} is of no kind that there is: {_which(seal)}")
    if row is None:
        raise Broken(f"{_which(seal)} was deleted")
    if seal.digest != digest(secrets, of.table, row):
        moved = row["mac"] is not None and row["mac"] == mac(secrets, of.table, row)
        raise Broken(f"{_which(seal)} {'is another row than the one sealed: moved' if moved else 'was altered'}")


def _beside(connection: Connection, secrets: Secrets, verdict: Verdict) -> None:
    """Rows without a link: written a moment ago by this house, and waiting; or put in by somebody else."""
    for of in TABLES:
        key = cast(audit.c.id, Text) if of is AUDIT else entries.c.ref.concat("/").concat(cast(entries.c.seq, Text))
        linked = exists(select(seals.c.n).where(seals.c.what == literal(of.what), seals.c.key == key))
        alone = select(of.table).where(~linked).execution_options(yield_per=PAGE)
        for row in connection.execute(alone).mappings():
            if row["sealed"] or row["mac"] != mac(secrets, of.table, row):
                why = "it has a mark as if it were sealed" if row["sealed"] else "this house did not write it"
                raise Broken(f"{_named(of, of.key(row))} was inserted: it has no link, and {why}")
            verdict.unsealed += 1


def _counted(connection: Connection) -> None:
    """A ticket counts its entries: one that went before it was sealed is missed, too."""
    there = select(entries.c.ref, func.count().label("n")).group_by(entries.c.ref).subquery()
    wrong = (
        select(tickets.c.ref, tickets.c.version, func.coalesce(there.c.n, 0).label("n"))
        .outerjoin(there, there.c.ref == tickets.c.ref)
        .where(tickets.c.version != func.coalesce(there.c.n, 0))
        .order_by(tickets.c.ref)
        .limit(1)
    )
    found = connection.execute(wrong).first()
    if found:
        raise Broken(f"ticket {found.ref} counts {found.version} entries, and {found.n} are there")


def _which(seal: Row[Any]) -> str:
    of, at = _BY_NAME.get(seal.what), seal.at.astimezone(UTC)
    named = _named(of, seal.key) if of else f"{seal.what} {seal.key}".strip()
    return f"{named} (link {seal.n}, sealed {_moment(at)})"


def _named(of: Sealed, key: str) -> str:
    if of is ENTRIES:
        ref, _, seq = key.rpartition("/")
        return f"entry {seq} of ticket {ref}"
    return f"audit row {key}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
