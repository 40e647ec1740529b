"""Incidents: one cause of many tickets, and what everybody of one was told. Written in a transaction; read for the desk."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Select, and_, exists, insert, not_, or_, select, update

from bot.handlers.ports import Incident, Update
from bot.storage.database import unavailable
from bot.storage.sight import visible
from bot.storage.tables import idempotency, inbox, incident_updates, incidents, tickets
from bot.tickets.lifecycle import LIVE
from bot.tickets.people import Actor, Role, Staff

CANDIDATES = 300
"""So many of the newest tickets on one matter are compared."""


class IncidentRows:
    """The part of a transaction that writes incidents."""

    connection: Connection

    def add_incident(self, id: str, title: str, by: str, at: datetime) -> None:
        self.connection.execute(insert(incidents), {"id": id, "title": title, "opened_by": by, "opened_at": at})

    def incident(self, id: str) -> Incident | None:
        return _incident(self.connection, select(incidents).where(incidents.c.id == id).with_for_update())

    def has_incident(self, id: str) -> bool:
        return self.connection.scalar(select(incidents.c.id).where(incidents.c.id == id)) is not None

    def add_update(self, id: str, told: Update) -> None:
        row = {
            "incident": id, "n": told.n, "verb": told.verb, "text": told.text, "refs": list(told.refs),
            "by_id": told.by.id, "by_name": told.by.name, "by_role": told.by.role and told.by.role.value,
            "at": told.at,
        }  # fmt: skip
        self.connection.execute(insert(incident_updates), row)
        if told.verb == "resolve":
            self.connection.execute(update(incidents).where(incidents.c.id == id).values(closed_at=told.at))

    def of_incident(self, id: str) -> list[str]:
        joined = select(tickets.c.ref).where(tickets.c.incident == id, tickets.c.state.in_(LIVE))
        return list(self.connection.scalars(joined.order_by(tickets.c.opened_at, tickets.c.ref)))


@dataclass(frozen=True)
class Near:
    """A ticket that may have the same cause, and what it means (a byte a number; None where nobody read it)."""

    ref: str
    text: str
    state: str
    unit: str
    opened_at: datetime
    incident: str | None
    flags: tuple[str, ...]
    vector: bytes | None


@dataclass(frozen=True)
class Joined:
    """A ticket of an incident, as its page shows it."""

    ref: str
    text: str
    state: str
    unit: str
    opened_at: datetime
    flags: tuple[str, ...]
    version: int


@dataclass(frozen=True)
class Told:
    """An update, and which of the tickets that the reader may see are still without it."""

    update: Update
    reached: int
    owed: tuple[str, ...]


class Incidents:
    """What the desk reads. Of each incident `staff` sees what concerns the tickets that they may see, and no more."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def incident(self, id: str, staff: Staff) -> tuple[Incident, list[Joined], list[Told]] | None:
        """The incident, its tickets and what was told; None where there is none that concerns this reader."""
        with unavailable(), self._engine.connect() as db:
            found = _incident(db, select(incidents).where(incidents.c.id == id))
            joined = [_joined(row) for row in db.execute(_of(id, staff)).mappings()] if found else []
            if found is None or not (joined or found.opened_by == staff.id):
                return None
            return found, joined, [self._told(db, found.id, each, staff) for each in found.updates]

    def _told(self, db: Connection, id: str, each: Update, staff: Staff) -> Told:
        """Owed to those that are live still and did not get it; a ticket that has ended since is owed nothing."""
        start = f"act {each.by.id} "
        keys = {start + each.key(id, ref): ref for ref in each.refs}
        reached: set[str] = set()
        owed: list[str] = []
        for part in itertools.batched(keys, 500):
            done = select(idempotency.c.key).where(idempotency.c.key.in_(part))
            reached |= {keys[key] for key in db.scalars(done)}
        for part in itertools.batched(each.refs, 500):
            seen = select(tickets.c.ref, tickets.c.state, tickets.c.incident)
            here = {row.ref: row for row in db.execute(seen.where(tickets.c.ref.in_(part), visible(staff)))}
            live = [ref for ref in part if ref in here and here[ref].incident == id and here[ref].state in LIVE]
            owed += [ref for ref in live if ref not in reached]
            reached -= set(part) - here.keys()  # nothing is counted that this reader may not see
        return Told(each, len(reached), tuple(owed))

    def running(self, staff: Staff) -> list[Incident]:
        """Incidents that are not over and concern this reader, the newest first."""
        theirs = or_(
            incidents.c.opened_by == staff.id,
            exists().where(tickets.c.incident == incidents.c.id, visible(staff), not_(tickets.c.need_to_know)),
        )
        query = select(incidents).where(incidents.c.closed_at.is_(None), theirs).order_by(incidents.c.opened_at.desc())
        with unavailable(), self._engine.connect() as db:
            return [Incident(**row) for row in db.execute(query.limit(50)).mappings()]

    def near(self, ref: str, staff: Staff, since: datetime) -> tuple[Near, list[Near]] | None:
        """The ticket, and live ones on the same service or category since then that the reader may see.

        None where there is no such ticket for this reader, or it is read on need to know: it joins no incident.
        """
        with unavailable(), self._engine.connect() as db:
            open_ = and_(visible(staff), not_(tickets.c.need_to_know))
            this = db.execute(select(tickets).where(tickets.c.ref == ref, open_)).mappings().one_or_none()
            if this is None:
                return None
            same = [tickets.c[name] == this[name] for name in ("service", "category") if this[name]]
            query = select(tickets).where(
                open_, tickets.c.ref != ref, tickets.c.state.in_(LIVE), tickets.c.opened_at >= since, or_(*same)
            ).order_by(tickets.c.opened_at.desc(), tickets.c.ref).limit(CANDIDATES)  # fmt: skip
            found = [this, *(db.execute(query).mappings() if same else ())]
            vectors = vectors_of(db, found)
        here, *others = [_near(row, vectors) for row in found]
        return here, others


def _of(id: str, staff: Staff) -> Select[Any]:
    mine = select(tickets).where(tickets.c.incident == id, visible(staff))
    return mine.order_by(tickets.c.opened_at, tickets.c.ref)


def _incident(db: Connection, query: Select[Any]) -> Incident | None:
    row = db.execute(query).mappings().one_or_none()
    if row is None:
        return None
    told = select(incident_updates).where(incident_updates.c.incident == row["id"]).order_by(incident_updates.c.n)
    return Incident(**row, updates=[_update(each) for each in db.execute(told).mappings()])


def _update(row: RowMapping) -> Update:
    by = Actor("staff", row["by_id"], row["by_name"], Role(row["by_role"]) if row["by_role"] else None)
    return Update(row["n"], row["verb"], row["text"], tuple(row["refs"]), by, row["at"])


def vectors_of(db: Connection, found: Sequence[RowMapping]) -> dict[str, bytes]:
    """What the messages that filed these tickets mean, by reference: of those whose message was read."""
    turns = {row["ref"]: (row["conversation"], str((row["reading"] or {}).get("turn") or "")) for row in found}
    known: dict[tuple[str | None, str], bytes] = {}
    for part in itertools.batched(sorted({turn for _, turn in turns.values()} - {""}), 500):
        query = select(inbox.c.conversation, inbox.c.turn, inbox.c.vector).where(inbox.c.turn.in_(part))
        known |= {(row.conversation, row.turn): row.vector for row in db.execute(query) if row.vector}
    return {ref: known[turn] for ref, turn in turns.items() if turn in known}


def _near(row: RowMapping, vectors: Mapping[str, bytes]) -> Near:
    vector = vectors.get(row["ref"])
    return Near(
        row["ref"],
        row["text"],
        row["state"],
        row["unit"],
        row["opened_at"],
        row["incident"],
        tuple(row["flags"]),
        vector,
    )


def _joined(row: RowMapping) -> Joined:
    return Joined(
        row["ref"], row["text"], row["state"], row["unit"], row["opened_at"], tuple(row["flags"]), row["version"]
    )
