"""The outbox as the post: what is to be handed to providers, in order, and what became of it.

A row is claimed for a while, under a number that counts the claims (`fence`): who comes late with an older number changes
nothing. What was claimed and never came to an end may be with the provider (`uncertain`): it is looked up before it is
sent again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, delete, func, or_, select, text, update

from bot.storage.database import insert_once
from bot.storage.store import STOPPED, Buttons, SqlStore
from bot.storage.tables import conversations, late_news, one_of, outbox
from channels.contract import Address, Delivery

LEASE = timedelta(seconds=45)
"""How long a row is its sender's: longer than handing it over may take."""
WINDOW = timedelta(hours=24)
"""A reply window that a provider says is closed was opened so long ago."""
LATE = timedelta(hours=24)
"""How long news of an unknown message are kept."""
RANK = {"created": 0, "held": 0, "sending": 1, "sent": 2, "failed": 3, "delivered": 4, "read": 5}
"""What providers tell moves a message forward only."""

_earlier = outbox.alias("earlier")
_unsent = one_of(outbox.c.state, "created", "sending")
_in_hand = one_of(outbox.c.state, "sending")
_spent = select(outbox.c.id).where(outbox.c.spent_id == bindparam("an_id"))
_advisory = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_lines = (
    select(outbox, conversations.c.scheme, conversations.c.account, conversations.c.address_enc)
    .add_columns(conversations.c.last_in_at, conversations.c.contact, conversations.c.stopped_at)
    .join(conversations, conversations.c.id == outbox.c.conversation)
)


@dataclass(frozen=True)
class ToSend:
    """A row of the outbox that a provider is to carry."""

    id: int
    fence: int
    conversation: str
    contact: str
    address: Address
    key: str
    name: str
    ref: str | None
    params: dict[str, Any]
    text: str
    buttons: Buttons
    language: str
    notice: bool
    uncertain: bool  # an earlier try may have reached the provider
    tried_at: datetime | None  # when it was first handed over
    created_at: datetime
    last_in_at: datetime | None
    stopped: bool  # the person wants no notices
    error: str  # of the try before


@dataclass(frozen=True)
class Outcome:
    """What became of one claim: `state` is sent, created (again at `next_at`), held, or failed."""

    row: ToSend
    state: str
    error: str = ""
    failure: str = ""
    provider_id: str | None = None
    next_at: datetime | None = None
    uncertain: bool = False  # handed over, and no answer came
    form: str = "text"
    text: str | None = None  # what was said instead, as a template
    segments: int = 0
    closed: bool = False  # the provider says that the reply window is closed


@dataclass(frozen=True)
class Trouble:
    """A scheme whose messages do not go out."""

    scheme: str
    waiting: int
    since: datetime
    error: str


class Post:
    """The outbox over the tables of a store. Each method is one transaction."""

    def __init__(self, store: SqlStore, lease: timedelta = LEASE) -> None:
        self._store, self._lease = store, lease
        self._once_news = insert_once(store.engine, late_news, "provider_id", "state")

    def take(self, scheme: str, limit: int, now: datetime) -> list[ToSend]:
        """Rows to hand over now, at most one of a conversation, the lowest of its numbers: answers before notices."""
        first = ~(
            select(_earlier.c.id)
            .where(
                _earlier.c.conversation == outbox.c.conversation,
                _earlier.c.seq < outbox.c.seq,
                one_of(_earlier.c.state, "created", "sending"),
            )
            .exists()
        )
        query = _lines.where(
            _unsent,
            conversations.c.scheme == scheme,
            or_(outbox.c.next_at.is_(None), outbox.c.next_at <= now),
            or_(outbox.c.lease_until.is_(None), outbox.c.lease_until <= now),
            first,
        ).order_by(outbox.c.notice, outbox.c.created_at, outbox.c.id)
        with self._store.read() as connection:  # most looks find nothing: no write transaction for these
            if connection.execute(query.limit(1)).first() is None:
                return []
        with self._store.writers.begin() as connection:
            locked = query.limit(limit).with_for_update(of=outbox, skip_locked=True)
            found = connection.execute(locked).mappings().all()
            if found:
                claimed = update(outbox).where(outbox.c.id.in_([row["id"] for row in found]))
                again = {"state": "sending", "attempts": outbox.c.attempts + 1, "lease_until": now + self._lease}
                tried = case((outbox.c.tried_at.is_(None), now), else_=outbox.c.tried_at)
                doubted = case((_in_hand, outbox.c.uncertain + 1), else_=outbox.c.uncertain)
                connection.execute(claimed.values(**again, tried_at=tried, uncertain=doubted))
        return [self._to_send(row) for row in found]

    def _to_send(self, row: Any) -> ToSend:
        return ToSend(
            id=row["id"],
            fence=row["attempts"] + 1,
            conversation=row["conversation"],
            contact=row["contact"],
            address=Address(row["scheme"], self._store.secrets.decrypt(row["address_enc"]), row["account"]),
            key=row["key"],
            name=row["name"],
            ref=row["ref"],
            params=row["params"],
            text=row["text"],
            buttons=row["buttons"],
            language=row["language"],
            notice=row["notice"],
            uncertain=row["state"] == "sending" or row["uncertain"] > 0,
            tried_at=row["tried_at"],
            created_at=row["created_at"],
            last_in_at=row["last_in_at"],
            stopped=row["stopped_at"] is not None,
            error=row["error"],
        )

    def settle(self, outcomes: Iterable[Outcome], now: datetime) -> list[ToSend]:
        """What became of these, together; the rows that are over and did not arrive."""
        lost = []
        with self._store.writers.begin() as connection:
            for outcome in outcomes:
                if outcome.provider_id:
                    _one_at_a_time(connection, outcome.provider_id)
                if self._settled(connection, outcome, now) and outcome.state == "failed":
                    lost.append(outcome.row)
        return lost

    @staticmethod
    def _settled(connection: Connection, outcome: Outcome, now: datetime) -> bool:
        row = outcome.row
        values: dict[str, Any] = {
            "state": outcome.state, "lease_until": None, "next_at": outcome.next_at, "error": outcome.error,
            "failure": outcome.failure, "form": outcome.form, "segments": outcome.segments,
            "uncertain": outbox.c.uncertain + int(outcome.uncertain),
        }  # fmt: skip
        if outcome.state == "failed":
            values["owed"] = True
        if outcome.state == "sent":
            values |= {"provider_id": outcome.provider_id, "sent_at": now}
        if outcome.text is not None:
            values["text"] = outcome.text
        if outcome.closed:
            _window_closed(connection, {"conversation": row.conversation, "tried_at": now}, now)
        mine = update(outbox).where(outbox.c.id == row.id, outbox.c.attempts == row.fence, _unsent)
        if not connection.execute(mine.values(**values)).rowcount:
            return False
        if outcome.provider_id:
            _catch_up(connection, row.id, outcome.provider_id, now)
        return True

    def hurry(self, scheme: str, now: datetime) -> None:
        """The provider is back: what waited for it is tried now, however long it was to wait."""
        of_it = outbox.c.conversation.in_(select(conversations.c.id).where(conversations.c.scheme == scheme))
        waits = _unsent & of_it & outbox.c.error.startswith("unreachable") & (outbox.c.next_at > now)
        with self._store.writers.begin() as connection:
            connection.execute(update(outbox).where(waits).values(next_at=now))

    def known(self, conversation: str, since: datetime, but: int = 0) -> list[str]:
        """Ids at the provider of what this conversation was sent since then; but not of the row `but`.

        A callback may have brought that one's id since it was claimed: it is what is being looked for.
        """
        query = select(outbox.c.provider_id).where(
            outbox.c.conversation == conversation, outbox.c.provider_id.is_not(None), outbox.c.created_at >= since,
            outbox.c.id != but,
        )  # fmt: skip
        with self._store.read() as connection:
            return [str(id) for id in connection.scalars(query)]

    def news(self, told: Delivery, now: datetime, again: Collection[str] = ()) -> ToSend | None:
        """What a provider tells of a message: forward only. The row where this is how it turns out lost.

        News of a message that nobody knows is kept for a day: its own id may be about to be stored. A free text that
        failed with a code of `again` waits once more, its error telling why.
        """
        with self._store.writers.begin() as connection:
            _one_at_a_time(connection, told.provider_id)
            if connection.execute(_spent, {"an_id": told.provider_id}).first():
                return None  # an echo of a try that was made again
            row = _row_of(connection, told)
            if row is None:
                values = {"provider_id": told.provider_id, "state": told.state, "code": told.code, "at": now}
                connection.execute(self._once_news, {**values, "failure": str(told.failure or "")})
                connection.execute(delete(late_news).where(late_news.c.at < now - LATE))
                return None
            if told.code in again and row["form"] == "text" and row["state"] in ("sending", "sent"):
                waits = {"state": "created", "error": f"{told.failure} {told.code}", "provider_id": None}
                waits["spent_id"] = told.provider_id
                _window_closed(connection, row, now)
                connection.execute(update(outbox).where(outbox.c.id == row["id"]).values(**waits, lease_until=None))
                return None
            lost = _forward(connection, row, told.state, str(told.failure or ""), told.code, now, told.provider_id)
        if not lost:
            return None
        with self._store.read() as connection:
            return self._to_send(connection.execute(_lines.where(outbox.c.id == row["id"])).mappings().one())

    def overdue(self, before: datetime, conversation: str | None = None, limit: int = 50) -> list[ToSend]:
        """What has waited since before then for its person to write, of all or of one; it is failed from now on."""
        held = _lines.where(one_of(outbox.c.state, "held"), outbox.c.created_at < before).limit(limit)
        if conversation is not None:
            held = held.where(outbox.c.conversation == conversation)
        with self._store.read() as connection:
            if connection.execute(held.limit(1)).first() is None:
                return []
        with self._store.writers.begin() as connection:
            found = connection.execute(held.with_for_update(of=outbox, skip_locked=True)).mappings().all()
            over = update(outbox).where(outbox.c.id.in_([row["id"] for row in found]))
            why = {"failure": "temporary", "error": "nobody wrote to read it"}
            connection.execute(over.values(state="failed", owed=True, **why))
        return [self._to_send(row) for row in found]

    def owed(self, limit: int = 50) -> list[ToSend]:
        """Lines that failed and after which nothing was done yet: a process ended in between."""
        with self._store.read() as connection:
            found = connection.execute(_lines.where(outbox.c.owed).order_by(outbox.c.id).limit(limit)).mappings().all()
        return [self._to_send(row) for row in found]

    def done(self, id: int) -> None:
        """What follows from this line's failure is done."""
        with self._store.writers.begin() as connection:
            connection.execute(update(outbox).where(outbox.c.id == id).values(owed=False))

    def segments_since(self, since: datetime) -> int:
        """SMS parts that were handed over since then: what is paid for."""
        query = (
            select(func.coalesce(func.sum(outbox.c.segments), 0))
            .join(conversations, conversations.c.id == outbox.c.conversation)
            .where(outbox.c.sent_at >= since, conversations.c.scheme == "sms")
        )
        with self._store.read() as connection:
            return int(connection.scalar(query) or 0)

    def trouble(self, now: datetime) -> list[Trouble]:
        """Schemes whose messages were tried and wait, the oldest for half a minute or more."""
        query = (
            select(conversations.c.scheme, func.count(), func.min(outbox.c.created_at), func.max(outbox.c.error))
            .join(conversations, conversations.c.id == outbox.c.conversation)
            .where(_unsent, outbox.c.error != "")
            .group_by(conversations.c.scheme)
        )
        with self._store.read() as connection:
            found = [Trouble(*row) for row in connection.execute(query)]
        return [each for each in found if now - each.since >= timedelta(seconds=30)]


def _one_at_a_time(connection: Connection, provider_id: str) -> None:
    """Storing a message's id and hearing of it wait for each other: else each may miss the other. SQLite has one writer."""
    if connection.dialect.name == "postgresql":
        connection.execute(_advisory, {"name": f"message {provider_id}"})


def _row_of(connection: Connection, told: Delivery) -> Any:
    """The row that a provider tells of: by its id there, or by ours, where the answer with the id was lost."""
    wanted = (outbox.c.id, outbox.c.state, outbox.c.form, outbox.c.conversation, outbox.c.tried_at)
    columns = select(*wanted).with_for_update()
    row = connection.execute(columns.where(outbox.c.provider_id == told.provider_id)).mappings().first()
    if row is None and told.row is not None:
        ours = and_(outbox.c.id == told.row, outbox.c.provider_id.is_(None), outbox.c.tried_at.is_not(None))
        row = connection.execute(columns.where(ours)).mappings().first()
    return row


def _window_closed(connection: Connection, row: Any, now: datetime) -> None:
    """The provider knows better: for what follows the person wrote a day ago, unless they have written since."""
    closed = update(conversations).where(conversations.c.id == row["conversation"])
    stale = conversations.c.last_in_at <= row["tried_at"]
    connection.execute(closed.where(stale).values(last_in_at=now - WINDOW))


def _forward(
    connection: Connection, row: Any, state: str, failure: str, code: str, now: datetime, provider_id: str
) -> bool:
    """Move a row forward, never back; True where it is failed by this."""
    if RANK[state] <= RANK[row["state"]]:
        return False
    values: dict[str, Any] = {"state": state, "lease_until": None, "next_at": None, "provider_id": provider_id}
    values["sent_at"] = case((outbox.c.sent_at.is_(None), now), else_=outbox.c.sent_at)
    if state in ("delivered", "read"):
        values["delivered_at"] = case((outbox.c.delivered_at.is_(None), now), else_=outbox.c.delivered_at)
        values |= {"error": "", "failure": ""}
    if state == "read":
        values["read_at"] = now
    if state == "failed":
        values |= {"failure": kind_of_failure(failure), "error": f"{failure} {code}".strip(), "owed": True}
    connection.execute(update(outbox).where(outbox.c.id == row["id"]).values(**values))
    return state == "failed"


def _catch_up(connection: Connection, id: int, provider_id: str, now: datetime) -> None:
    """What the provider had told of a message before its id was known here."""
    early = select(late_news).where(late_news.c.provider_id == provider_id).order_by(late_news.c.id)
    for told in connection.execute(early).mappings().all():
        row = connection.execute(select(outbox.c.id, outbox.c.state).where(outbox.c.id == id)).mappings().one()
        _forward(connection, row, told["state"], told["failure"], told["code"], now, provider_id)
    connection.execute(delete(late_news).where(late_news.c.provider_id == provider_id))


def kind_of_failure(failure: str) -> str:
    """GOV.UK Notify's three: permanent (never), temporary (not now), technical (ours); stopped: the person wants none."""
    if failure == "refused":
        return "permanent"
    if failure == STOPPED:
        return STOPPED
    return "temporary" if failure in ("unreachable", "throttled", "unsupported") else "technical"
