"""How the post goes, as the desk and programs read it: what waits, what did not arrive, what was set aside.

SELECTs only. Whose ticket somebody may see is decided as everywhere: `sight.visible`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, and_, func, not_, or_, select

from bot.storage.database import unavailable
from bot.storage.sight import visible
from bot.storage.tables import conversations, one_of, outbox, set_aside, tickets
from bot.tickets.people import Staff
from channels.contract import Failure

STOPPED = "stopped"
FAILURES = ("temporary", "permanent", "technical", STOPPED)
ANNOUNCEMENT = "template_read"
"""What asks a person to write. Nothing is lost with it once there is nothing to read."""
LOOKED_AT = 500
"""The newest lines that did not arrive, among which tickets are looked for."""

_unsent = one_of(outbox.c.state, "created", "sending")
_held = one_of(outbox.c.state, "held")
_stopped = or_(outbox.c.failure == STOPPED, outbox.c.error == STOPPED)
_lost = and_(one_of(outbox.c.state, "failed"), not_(and_(outbox.c.name == ANNOUNCEMENT, outbox.c.failure == STOPPED)))


@dataclass(frozen=True)
class Delivery:
    """What was told, and how far it got. `state` is one of GOV.UK Notify's, or held, or stopped."""

    name: str
    channel: str
    state: str
    created_at: datetime
    sent_at: datetime | None
    attempts: int
    error: str
    code: str
    """The provider's, where it gave one."""
    form: str
    segments: int
    uncertain: int
    delivered_at: datetime | None
    read_at: datetime | None


@dataclass(frozen=True)
class Waiting:
    """What one scheme has not sent yet, and what it holds until people write."""

    unsent: int
    oldest: datetime | None
    held: int


@dataclass(frozen=True)
class Aside:
    """A call that could not be dealt with. Its body stays where it is."""

    id: int
    provider: str
    reason: str
    at: datetime
    times: int


@dataclass(frozen=True)
class Lost:
    """A ticket of which something did not arrive: the last line, of those that nobody stopped where there is one."""

    ref: str
    channel: str
    failure: str
    at: datetime
    needs_person: bool


class Channels:
    """Reads of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def engine(self) -> Engine:
        return self._engine

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        """A connection to read with; raises ports.Unavailable where the database cannot be read now."""
        with unavailable(), self._engine.connect() as db:
            yield db

    def waiting(self) -> dict[str, Waiting]:
        """What waits, by scheme; schemes of which nothing waits are not there."""
        waits = select(conversations.c.scheme, func.count(), func.min(outbox.c.created_at))
        waits = waits.join(conversations, conversations.c.id == outbox.c.conversation).group_by(conversations.c.scheme)
        with self._read() as db:
            unsent = {scheme: (n, oldest) for scheme, n, oldest in db.execute(waits.where(_unsent))}
            held = {scheme: n for scheme, n, _ in db.execute(waits.where(_held))}
        return {s: Waiting(*unsent.get(s, (0, None)), held.get(s, 0)) for s in unsent.keys() | held.keys()}

    def lost(self, since: datetime) -> dict[str, Counter[str]]:
        """How many lines did not arrive since then: by scheme, by failure."""
        query = (
            select(conversations.c.scheme, outbox.c.failure, outbox.c.error, func.count())
            .join(conversations, conversations.c.id == outbox.c.conversation)
            .where(_lost, outbox.c.created_at >= since)
            .group_by(conversations.c.scheme, outbox.c.failure, outbox.c.error)
        )
        found: dict[str, Counter[str]] = {}
        with self._read() as db:
            for scheme, failure, error, n in db.execute(query):
                found.setdefault(scheme, Counter())[_failure(failure, error)] += n
        return found

    def lost_tickets(self, staff: Staff, since: datetime, limit: int = 50) -> list[Lost]:
        """The tickets among them that `staff` may see: those that need a person first, what somebody asked for last."""
        query = (
            select(outbox.c.ref, conversations.c.scheme, outbox.c.failure, outbox.c.error, outbox.c.created_at)
            .add_columns(tickets.c.needs_person)
            .join(conversations, conversations.c.id == outbox.c.conversation)
            .join(tickets, tickets.c.ref == outbox.c.ref)
            .where(_lost, outbox.c.created_at >= since, visible(staff))
            .order_by(tickets.c.needs_person.desc(), _stopped, outbox.c.id.desc())
            .limit(LOOKED_AT)
        )
        found: dict[str, Lost] = {}
        with self._read() as db:
            for row in db.execute(query):
                lost = Lost(row.ref, row.scheme, _failure(row.failure, row.error), row.created_at, row.needs_person)
                found.setdefault(row.ref, lost)
        return list(found.values())[:limit]

    def aside(self, limit: int = 100) -> list[Aside]:
        """What was set aside and nobody has dealt with, newest first."""
        columns = (set_aside.c.id, set_aside.c.provider, set_aside.c.reason, set_aside.c.at, set_aside.c.times)
        query = select(*columns).where(set_aside.c.seen_at.is_(None)).order_by(set_aside.c.id.desc()).limit(limit)
        with self._read() as db:
            return [Aside(*row) for row in db.execute(query)]


def delivery(told: Row[Any], channel: str) -> Delivery:
    """A row of the outbox as a delivery."""
    state = told.state
    if state == "failed":
        failure = _failure(told.failure, told.error)
        state = failure if failure == STOPPED else f"{failure}_failure"
    kind, _, code = told.error.partition(" ")
    return Delivery(
        name=told.name, channel=channel, state=state, created_at=told.created_at, sent_at=told.sent_at,
        attempts=told.attempts, error=told.error, code=code if kind in {*Failure} else "", form=told.form,
        segments=told.segments, uncertain=told.uncertain, delivered_at=told.delivered_at, read_at=told.read_at,
    )  # fmt: skip


def _failure(failure: str, error: str) -> str:
    """One of FAILURES; a line that failed before failures had kinds says in its error whether it was stopped."""
    return failure or (STOPPED if error == STOPPED else "technical")
