"""Hands the outbox to the providers: in each person's order, as fast as a provider allows, until it is over.

One row: claim it (one transaction), send it (none is open), store what came of it (one transaction for many rows). A
row that may be with the provider already is looked up there first. Four hours of trying are the most.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from bot.faults import fault
from bot.handlers.ports import Clock, Unavailable
from bot.handlers.undelivered import Lost, Undelivered
from bot.storage.post import Outcome, Post, ToSend, kind_of_failure
from bot.storage.store import STOPPED
from channels.contract import Button, Delivery, Failure, Limits, Outgoing, Provider, Receipt, SendFailed, Template
from channels.lengths import segments

log = structlog.get_logger("sawt.dispatch")

AT_ONCE, AHEAD = 24, 5.0
"""So many messages are being handed over at the same time, of one scheme; at a slow pace as many as it takes in 5 s."""
PATIENCE = 20.0
"""Seconds that a message may wait for its turn: with a look-up and a sending it must end within its lease."""
GIVE_UP = timedelta(hours=4)
FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0
"""Seconds to the second try, and at most between two."""
HELD_AT_MOST = timedelta(hours=24)
"""How long words wait for their person to ask for them before another way is taken."""
LOOKED_UP_AT_MOST = 5
"""Tries in which a look-up may fail: then a double, which is marked, is better than words that never arrive."""
REST_AFTER, REST = 5, 5.0
"""So many unanswered sends in a row: the provider is left alone for so many seconds."""
WINDOW_CLOSED = frozenset({"63016"})
"""Codes that say that a person has to write first: the line is looked at again, as one whose window is closed."""
READ = "template_read"
"""The line that asks a person to write, so that what is held may be said."""


@dataclass(frozen=True)
class Form:
    """How a line may go now: as it is, as a template, held until the person writes (behind `template`), or not at all."""

    state: str  # text, template, held, moot (there is nothing to say any more), none
    template: Template | None = None
    name: str = "text"
    text: str | None = None  # what the template will say, where that is not the line's own text


class Forms(Protocol):
    """Which form a line has at this moment."""

    def __call__(self, row: ToSend, limits: Limits, now: datetime) -> Form: ...


class Budget(Protocol):
    """Whether an SMS may be paid for."""

    def refuses(self, row: ToSend, parts: int, now: datetime) -> str:
        """Why not; empty where it may be."""


@dataclass
class Lane:
    """One scheme on its way: its provider, its pace, and whether the provider is being left alone."""

    scheme: str
    provider: Provider
    limits: Limits
    busy: int = 0
    unanswered: int = 0
    rests_until: float = 0.0
    next_free: float = 0.0
    last_to: dict[str, float] = field(default_factory=dict)  # conversation → when it was last sent to

    @property
    def places(self) -> int:
        """Messages that may be in hand at once."""
        return max(1, min(AT_ONCE, int(self.limits.per_second * AHEAD)))

    def rest(self, seconds: float) -> None:
        self.rests_until = max(self.rests_until, time.monotonic() + seconds)

    async def turn(self, conversation: str) -> float:
        """Returns when the pace of the scheme, and of this person, allows one more, and the provider is not resting: 0.

        Where that lasts too long, returns at once: the seconds after which to come again.
        """
        end = time.monotonic() + PATIENCE
        while True:
            now = time.monotonic()
            slot = max(self.next_free, self.rests_until, now)
            begins = max(slot, self.last_to.get(conversation, 0.0) + self.limits.apart.total_seconds())
            if begins > end:
                return begins - now
            self.next_free = slot + 1 / self.limits.per_second
            await asyncio.sleep(begins - now)
            if time.monotonic() >= self.rests_until:  # else everybody who waited would go at once afterwards
                return 0.0

    def sent(self, conversation: str) -> None:
        """The provider has dealt with a message to this person: from now on the next one is counted."""
        if self.limits.apart:
            if len(self.last_to) > 10_000:
                self.last_to.clear()
            self.last_to[conversation] = time.monotonic()


class Dispatcher:
    """The house's post office: one in the embedded default, any number beside each other on PostgreSQL."""

    def __init__(
        self, post: Post, providers: Sequence[Provider], forms: Forms, budget: Budget, undelivered: Undelivered,
        say_held: Callable[[ToSend], None], clock: Clock,
    ) -> None:  # fmt: skip
        """`say_held` stores the line that asks a person to write, once for each closed window."""
        self.post, self.forms, self.budget, self.undelivered = post, forms, budget, undelivered
        self.say_held, self.clock = say_held, clock
        self.lanes = [Lane(scheme, p, limits) for p in providers for scheme, limits in p.schemes.items()]
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        self._stopping = False

    def wake(self) -> None:
        """Something was stored: look now. Called from the event loop."""
        self._wake.set()

    def stop(self) -> None:
        """Begin nothing new; `run` returns when what was begun is finished, after twelve seconds at most."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Work until `stop`. Never raises for a single message's sake."""
        if not self.lanes:
            return
        writing, sweeping = asyncio.create_task(self._write()), asyncio.create_task(self._sweep())
        try:
            while not self._stopping:
                for lane in self.lanes:
                    try:
                        await self._fill(lane)
                    except Unavailable as error:
                        log.warning("storage unavailable", error=str(error))
                    except Exception:
                        log.exception("the post's round failed", scheme=lane.scheme)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), 0.5)
                self._wake.clear()
        finally:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=11)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._outcomes.join(), 2)
            for task in (writing, sweeping):
                task.cancel()

    async def _fill(self, lane: Lane) -> None:
        """Begin as many as the lane has free places for."""
        free = lane.places - lane.busy
        if free <= 0 or time.monotonic() < lane.rests_until:
            return
        now = self.clock()
        for row in await asyncio.to_thread(self.post.take, lane.scheme, free, now):
            lane.busy += 1
            task = asyncio.create_task(self._send(lane, row))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    # --- one line ----------------------------------------------------------------------------------------------------

    async def _send(self, lane: Lane, row: ToSend) -> None:
        fault("row-claimed")
        try:
            outcome = await self._outcome(lane, row)
        except Exception as error:
            log.exception("a line could not be sent", row=row.id)
            outcome = self._later(row, SendFailed(Failure.UNEXPECTED, detail=type(error).__name__))
        self._outcomes.put_nowait(outcome)

    async def _outcome(self, lane: Lane, row: ToSend) -> Outcome:
        if row.notice and row.stopped:
            return Outcome(row, "failed", STOPPED, STOPPED)
        form = self.forms(row, lane.limits, self.clock())
        if form.state == "moot":
            return Outcome(row, "failed", "what it announces was read", STOPPED)
        if form.state == "none":
            return Outcome(row, "failed", "the reply window is closed and there is no template", "temporary")
        if form.state == "held":
            await asyncio.to_thread(self.say_held, row)
            return Outcome(row, "held", "waits until the person writes")
        parts = segments(row.text) if lane.scheme == "sms" else 0
        refused = await asyncio.to_thread(self.budget.refuses, row, parts, self.clock()) if parts else ""
        if refused:
            log.error("an SMS was not paid for", why=refused, row=row.id)
            return Outcome(row, "failed", refused, "technical")
        return await self._handed_over(lane, row, form, parts)

    async def _handed_over(self, lane: Lane, row: ToSend, form: Form, parts: int) -> Outcome:
        buttons = tuple(Button(str(b["title"]), f"{row.id}:{n}") for n, b in enumerate(row.buttons))
        shown = buttons if len(buttons) <= lane.limits.buttons else ()  # else they are lines of the text
        message = Outgoing(row.id, row.address, row.text, shown, form.template)
        try:
            receipt = await self._found(lane, row, message) if row.uncertain and lane.provider.can_look_up else None
            if receipt is None:
                if later := await lane.turn(row.conversation):
                    return Outcome(row, "created", row.error, next_at=self.clock() + timedelta(seconds=later))
                try:
                    receipt = await lane.provider.send(message)
                finally:
                    lane.sent(row.conversation)
                fault("provider-accepted")
            if lane.unanswered >= REST_AFTER:
                await asyncio.to_thread(self.post.hurry, lane.scheme, self.clock())
            lane.unanswered = 0
            return Outcome(row, "sent", provider_id=receipt.provider_id, form=form.name, text=form.text, segments=parts)
        except SendFailed as failed:
            return self._failed(lane, row, failed)

    async def _found(self, lane: Lane, row: ToSend, message: Outgoing) -> Receipt | None:
        """The receipt of a line that may be there already."""
        since = row.tried_at or row.created_at
        known = await asyncio.to_thread(self.post.known, row.conversation, since - timedelta(days=1), row.id)
        try:
            return await lane.provider.find(message, since, known)
        except SendFailed as failed:
            if row.fence <= LOOKED_UP_AT_MOST:
                raise
            log.warning("sent again without knowing", row=row.id, kind=failed.kind, code=failed.code)
            return None

    def _failed(self, lane: Lane, row: ToSend, failed: SendFailed) -> Outcome:
        lane.unanswered = lane.unanswered + 1 if failed.kind is Failure.UNREACHABLE else 0
        if lane.unanswered >= REST_AFTER:
            lane.rest(REST)
        if failed.kind is Failure.THROTTLED:
            lane.rest(min(failed.retry_after or 0.0, 5.0))
        if failed.kind is Failure.UNSUPPORTED and failed.code in WINDOW_CLOSED:
            return Outcome(row, "created", f"{failed.kind} {failed.code}", next_at=self.clock(), closed=True)
        if failed.kind.may_retry:
            return self._later(row, failed)
        log.warning("a line was refused", row=row.id, to=row.address.masked(), kind=failed.kind, code=failed.code)
        return Outcome(row, "failed", f"{failed.kind} {failed.code}".strip(), kind_of_failure(failed.kind))

    def _later(self, row: ToSend, failed: SendFailed) -> Outcome:
        """Again after a while, with a little chance in it; the end after four hours."""
        now = self.clock()
        error = f"{failed.kind} {failed.code}".strip()
        if now - (row.tried_at or now) >= GIVE_UP:
            return Outcome(row, "failed", error, "technical", uncertain=failed.maybe_sent)
        tried = row.fence - 1
        wait = min(FIRST_WAIT * 3.0**tried if tried < 8 else LONGEST_WAIT, LONGEST_WAIT) * random.uniform(0.8, 1.2)
        wait = max(wait, failed.retry_after or 0.0)
        again = now + timedelta(seconds=wait)
        return Outcome(row, "created", error, next_at=again, uncertain=failed.maybe_sent)

    # --- what came of it ---------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        """Store outcomes, as many together as there are; try again until storage takes them."""
        while True:
            batch = [await self._outcomes.get()]
            while not self._outcomes.empty() and len(batch) < 100:
                batch.append(self._outcomes.get_nowait())
            await self._store(batch)
            for outcome in batch:
                self._lane(outcome.row).busy -= 1
                self._outcomes.task_done()
            self._wake.set()

    async def _store(self, batch: Sequence[Outcome]) -> None:
        while True:
            try:
                lost = await asyncio.to_thread(self.post.settle, batch, self.clock())
                break
            except Unavailable as error:
                log.warning("storage unavailable", error=str(error))
                await asyncio.sleep(0.5)
            except Exception:
                log.exception("outcomes could not be stored", rows=[o.row.id for o in batch])
                return
        fault("outcomes-stored")
        for row in lost:
            await self.lost(row, next((o.error for o in batch if o.row.id == row.id), ""))

    async def lost(self, row: ToSend, error: str) -> None:
        """A line is over and did not arrive: the next way is taken."""
        stopped = error.startswith(STOPPED)
        if stopped and row.stopped:
            await asyncio.to_thread(self.post.done, row.id)
            return
        if row.name == READ:  # what waits behind it would wait for ever
            for held in await asyncio.to_thread(self.post.overdue, self.clock(), row.conversation):
                await self.lost(held, error)
            await asyncio.to_thread(self.post.done, row.id)
            return
        line = Lost(row.conversation, row.key, row.name, row.params, row.ref, row.notice)
        try:
            way = await asyncio.to_thread(self.undelivered, line, stopped)
            await asyncio.to_thread(self.post.done, row.id)
            log.info("a line was lost", row=row.id, to=row.address.masked(), next=way or "nothing")
        except Exception:
            log.exception("nothing was done for a line that was lost", row=row.id)

    async def news(self, told: Delivery) -> None:
        """A provider tells what became of a message. Raises Unavailable where it could not be kept."""
        row = await asyncio.to_thread(self.post.news, told, self.clock(), WINDOW_CLOSED)
        if row is not None:
            await self.lost(row, f"{told.failure or ''} {told.code}")

    async def _sweep(self) -> None:
        """Words that nobody asked to read take another way; so does what was lost when a process ended."""
        while True:
            try:
                await asyncio.to_thread(self.post.overdue, self.clock() - HELD_AT_MOST)
                for row in await asyncio.to_thread(self.post.owed):
                    await self.lost(row, row.error)
            except Unavailable:
                log.warning("the post's sweep waits for storage")
            except Exception:
                log.exception("the post's sweep failed")
            await asyncio.sleep(10)

    def _lane(self, row: ToSend) -> Lane:
        return next(lane for lane in self.lanes if lane.scheme == row.address.scheme)
