"""The worker's side: who works on which conversation, which jobs run once, and how it goes. What is sent: post.py.

Leases instead of locks: a worker that died loses its lease, and what it had begun is claimed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, or_, select, update

from bot.handlers.ports import Conversation, Incoming
from bot.storage import rows
from bot.storage.database import insert_once
from bot.storage.store import STOPPED, SqlStore, SqlTransaction, is_open
from bot.storage.tables import conversations, inbox, leases, one_of, outbox, set_aside

LEASE = timedelta(seconds=30)
"""How long a worker has a conversation; longer than a turn may take."""

_first_open = (
    select(inbox.c.conversation, func.min(inbox.c.id).label("first"))
    .where(is_open)
    .group_by(inbox.c.conversation)
    .subquery()
)
_claimable = (
    select(conversations)
    .join(_first_open, _first_open.c.conversation == conversations.c.id)
    .where(or_(conversations.c.lease_until.is_(None), conversations.c.lease_until <= bindparam("now")))
    .order_by(_first_open.c.first)
    .limit(1)
    .with_for_update(of=conversations, skip_locked=True)
)
_unsent = one_of(outbox.c.state, "created", "sending")


@dataclass(frozen=True)
class Health:
    """How the queues stand. Ages in seconds; 0 where nothing waits."""

    waiting: int
    oldest_waiting: float
    unsent: int
    oldest_unsent: float
    failed_in: int
    dead: int  # given up; not counting notices to who asked for none


class Queue:
    """Claims and leases over the tables of a store. Each method is one transaction."""

    def __init__(self, store: SqlStore, lease: timedelta = LEASE) -> None:
        self._store, self._lease = store, lease
        self._once_lease = insert_once(store.engine, leases, "name")
        self._once_aside = insert_once(store.engine, set_aside, "digest")

    def look(self, limit: int, now: datetime) -> tuple[int, datetime | None]:
        """How many conversations can be claimed now (`limit` at most), and when the next one can be."""
        query = (
            select(conversations.c.lease_until)
            .join(_first_open, _first_open.c.conversation == conversations.c.id)
            .order_by(conversations.c.lease_until.nulls_first())
            .limit(limit + 1)
        )
        with self._store.read() as connection:
            leased = list(connection.scalars(query))
        ready = sum(until is None or until <= now for until in leased)
        later = leased[ready] if ready < len(leased) else None
        return min(ready, limit), later

    def claim(self, transaction: SqlTransaction, worker: str, now: datetime) -> Conversation | None:
        """The conversation whose message waits longest, locked; nobody else gets it while the lease lasts."""
        return transaction.claim(_claimable, worker, now, now + self._lease)

    def renew(self, conversation: str, worker: str, now: datetime) -> bool:
        """The lease lasts longer; False where it went to somebody else meanwhile."""
        mine = (conversations.c.id == conversation) & (conversations.c.worker == worker)
        with self._store.writers.begin() as connection:
            longer = update(conversations).where(mine).values(lease_until=now + self._lease)
            return connection.execute(longer).rowcount == 1

    def release(self, conversation: str, worker: str) -> None:
        """This worker is done with the conversation."""
        with self._store.begin() as transaction:
            transaction.release(conversation, worker)

    def forget_claims(self) -> None:
        """Nobody works on anything: where there is one house, at its start."""
        with self._store.writers.begin() as connection:
            held = conversations.c.lease_until.is_not(None)
            connection.execute(update(conversations).where(held).values(worker=None, lease_until=None))
            connection.execute(update(leases).values(until=self._store.clock()))
            being_sent = one_of(outbox.c.state, "sending")
            connection.execute(update(outbox).where(being_sent).values(lease_until=None))

    def stuck(self, before: datetime, limit: int = 100) -> list[Incoming]:
        """Messages that came before then and have no end yet, oldest first."""
        query = (
            select(inbox)
            .where(is_open, inbox.c.received_at < before)
            .order_by(inbox.c.received_at, inbox.c.id)
            .limit(limit)
        )
        with self._store.read() as connection:
            return [rows.incoming(row) for row in connection.execute(query).mappings()]

    # What could not be dealt with

    def set_aside(self, provider: str, body: bytes, reason: str, at: datetime) -> None:
        """A call is kept for somebody to look at; the same again is counted, not kept twice."""
        secrets = self._store.secrets
        digest = secrets.digest(f"{provider} {body.hex()}")
        again = update(set_aside).where(set_aside.c.digest == digest).values(times=set_aside.c.times + 1, seen_at=None)
        with self._store.writers.begin() as connection:
            if connection.execute(again).rowcount:
                return
            kept = secrets.encrypt(body.decode("utf-8", "backslashreplace"))
            row = {"provider": provider, "digest": digest, "body_enc": kept, "reason": reason, "at": at, "times": 1}
            if not connection.execute(self._once_aside, row).rowcount:  # somebody was faster
                connection.execute(again)

    # Jobs and health

    def lease(self, name: str, holder: str, until: datetime) -> bool:
        """True where `holder` may do this job until then: it was free, expired, or theirs already."""
        ours = or_(leases.c.until <= self._store.clock(), leases.c.holder == holder)
        with self._store.writers.begin() as connection:
            taken = update(leases).where(leases.c.name == name, ours).values(holder=holder, until=until)
            if connection.execute(taken).rowcount:
                return True
            first = {"name": name, "holder": holder, "until": until}
            return connection.execute(self._once_lease, first).rowcount == 1

    def health(self, now: datetime) -> Health:
        """How many wait and for how long, and how many were given up."""
        came = select(func.count(), func.min(inbox.c.received_at)).where(is_open)
        goes = select(func.count(), func.min(outbox.c.created_at)).where(_unsent)
        failed = select(func.count()).select_from(inbox).where(one_of(inbox.c.state, "failed"))
        dead = (
            select(func.count())
            .select_from(outbox)
            .where(one_of(outbox.c.state, "failed"), outbox.c.failure != STOPPED)
        )
        with self._store.read() as connection:
            waiting, since = connection.execute(came).one()
            unsent, decided = connection.execute(goes).one()
            return Health(
                waiting=waiting,
                oldest_waiting=_age(since, now),
                unsent=unsent,
                oldest_unsent=_age(decided, now),
                failed_in=connection.scalar(failed) or 0,
                dead=connection.scalar(dead) or 0,
            )


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
