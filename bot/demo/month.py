"""The month as it passes: what happens next, the house's clock between, and the post that reaches nobody."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any

from actions.said import Answer
from bot import wiring
from bot.dispatch import READ
from bot.handlers.draft import Draft
from bot.handlers.ports import Conversation, Say
from bot.handlers.undelivered import Lost
from bot.storage.demo import Past
from bot.storage.post import Outcome, ToSend
from bot.storage.store import STOPPED
from bot.tickets.people import Actor, Staff
from bot.tickets.ticket import Ticket
from channels.contract import Address
from channels.lengths import segments

Story = Iterator[datetime]
"""What becomes of one matter: does the next thing whenever it is asked, and gives the moment of the one after."""


class Clock:
    """The time as the month has it."""

    def __init__(self, at: datetime) -> None:
        self.now = at

    def __call__(self) -> datetime:
        return self.now

    def reach(self, at: datetime) -> None:
        """It is `at` now, if it was earlier."""
        self.now = max(self.now, at)


class Month:
    """People and staff at the doors of a house whose clock this is. Everything is legal: the house refuses the rest."""

    def __init__(self, rooms: wiring.Rooms, clock: Clock, chance: Random, until: datetime) -> None:
        self.rooms, self.house, self.clock, self.chance, self.until = rooms, rooms.house, clock, chance, until
        self.unreachable: set[str] = set()  # conversations where no notice arrives
        self._past, self._post = Past(rooms.store), rooms.dispatcher()
        self._limits = {lane.scheme: lane.limits for lane in self._post.lanes}
        self._ahead: list[tuple[datetime, int, Story]] = []
        self._number, self._posted = 0, False
        rooms.posted.add(self._heard)

    def _heard(self, _: frozenset[str]) -> None:
        self._posted = True

    # --- time --------------------------------------------------------------------------------------------------------

    def plan(self, at: datetime, story: Story) -> None:
        """The story goes on at this moment."""
        self._number += 1
        heapq.heappush(self._ahead, (at, self._number, story))

    def pass_(self) -> None:
        """Everything until the end of the month has happened, and nothing is left that would be sent."""
        while self._ahead and self._ahead[0][0] <= self.until:
            at, _, story = heapq.heappop(self._ahead)
            self._tick(at)
            self.clock.reach(at)
            following = next(story, None)
            if following is not None:
                self.plan(max(following, self.clock.now), story)
            self._carry()
        self._tick(self.until)
        self.clock.reach(self.until)
        for conversation in self._past.held():
            self.asks_to_read(conversation)
        self._carry()
        self._arrived()
        self._past.notices_seen(self.until - timedelta(hours=20), self.until)

    def working(self, hours: float) -> datetime:
        """So many working hours from now."""
        return self.house.calendar.add(self.clock.now, timedelta(hours=hours))

    def later(self, **by: float) -> datetime:
        return self.clock.now + timedelta(**by)

    def _tick(self, before: datetime) -> None:
        """What the clock of the tickets owes until then is done when it is due, as the worker would have done it."""
        seen: tuple[datetime | None, int] = (None, 0)
        while (due := self._past.next_due()) is not None and due < before:
            seen = (due, seen[1] + 1 if due == seen[0] else 0)
            if seen[1] > 3:
                raise RuntimeError(f"the clock stands still at {due}")
            self.clock.reach(due + timedelta(seconds=1))
            with self.rooms.store.begin() as tx:
                refs = tx.due(self.clock.now)
            for ref in refs:
                self.house.tick(ref)
            self._carry()

    # --- people ------------------------------------------------------------------------------------------------------

    def arrives(self, address: Address, language: str) -> str:
        """The conversation of somebody who comes to one of our doors, and is about to write."""
        return self.rooms.reception.welcome(address, language)

    def writes(
        self, conversation: str, text: str, answer: Answer, *, payload: str | None = None, reading: Any = None,
        vector: bytes | None = None, act: tuple[str, str, Mapping[str, Any]] | None = None,
    ) -> str:  # fmt: skip
        """A message, what it does (`act`: ticket, verb, what is said) and what it is answered; the turn."""
        at = self.clock()
        with self.rooms.store.begin() as tx:
            talk = tx.conversation(conversation)
            assert talk is not None
            if payload:
                text, payload = self._pressed(talk, payload)
            came = tx.receive(conversation, f"demo-{self.chance.getrandbits(64):016x}", text, payload, at)
            assert came is not None
            turn = f"t{came.id}"
            tx.unhold(conversation)
            tx.start_turn([came.id], turn, at)
            talk.last_in_at = at
            kept = answer.draft.data() if isinstance(answer.draft, Draft) else None
            question = answer.question if isinstance(answer.question, Mapping) else None
            talk.state = {**talk.state, "draft": kept, "question": question}
            said_at = at + timedelta(seconds=2)
            if act is None:
                self._says(tx, talk, turn, answer, said_at)
            tx.save_conversation(talk)
            tx.finish([came.id], "done", reading=reading, vector=vector)
        self.clock.reach(said_at)
        if act is not None:
            self._acts(conversation, turn, answer, act)
        return turn

    def _pressed(self, talk: Conversation, payload: str) -> tuple[str, str | None]:
        """A button of the last sentence: its title, or its number where the scheme shows no buttons."""
        n, title = next((n, str(b["title"])) for n, b in enumerate(talk.buttons, 1) if b["payload"] == payload)
        limits = self._limits.get(talk.address.scheme)
        return (str(n), None) if limits and len(talk.buttons) > limits.buttons else (title, payload)

    def _acts(self, conversation: str, turn: str, answer: Answer, act: tuple[str, str, Mapping[str, Any]]) -> None:
        ref, verb, said = act
        contact = self.house.contact(conversation)
        self.house.act(ref, verb, Actor("beneficiary", contact), said, contact=contact, turn=turn)
        with self.rooms.store.begin() as tx:
            talk = tx.conversation(conversation)
            self._says(tx, talk, turn, answer, self.clock())

    @staticmethod
    def _says(tx: Any, talk: Any, turn: str, answer: Answer, at: datetime) -> None:
        for n, reply in enumerate(answer.replies):
            tx.say(talk, turn, Say(reply["response"], f"{turn}:{n}", reply["params"], reply["buttons"]), at)

    def files(self, conversation: str, turn: str, draft: Draft) -> str:
        """The reference of the ticket that the turn filed."""
        self.house.file(conversation, turn, draft)
        with self.rooms.store.begin() as tx:
            ticket = tx.ticket_of_turn(turn)
        assert ticket is not None
        return ticket.ref

    def asks_to_read(self, conversation: str) -> bool:
        """Who was told that there is something to read writes 1; False where nothing waits."""
        if conversation not in self._past.held():
            return False
        at = self.clock()
        with self.rooms.store.begin() as tx:
            talk = tx.conversation(conversation)
            assert talk is not None
            came = tx.receive(conversation, f"demo-{self.chance.getrandbits(64):016x}", "1", None, at)
            assert came is not None
            tx.unhold(conversation)
            talk.last_in_at = at
            tx.save_conversation(talk)
            tx.finish([came.id], "done", reason="asked to read")
        self._carry()
        return True

    # --- staff -------------------------------------------------------------------------------------------------------

    def ticket(self, ref: str) -> Ticket:
        with self.rooms.store.begin() as tx:
            found = tx.ticket(ref)
        assert found is not None
        return found

    def does(self, ref: str, verb: str, by: Staff, **said: Any) -> bool:
        """A member of staff does a verb; False where the table does not have it now."""
        if verb not in self.ticket(ref).allowed(by.actor()):
            return False
        self.house.act(ref, verb, by.actor(), said, staff=by)
        self._carry()
        return True

    # --- the post ----------------------------------------------------------------------------------------------------

    def _carry(self) -> None:
        """What waits for a provider is noted as handed over; nothing leaves this machine."""
        while self._posted:
            self._posted = False
            for scheme in self._limits:
                while rows := self._past_post(scheme):
                    outcomes = [self._outcome(row) for row in rows]
                    for row in self.rooms.post.settle(outcomes, self.clock()):
                        self._lost(row)

    def _past_post(self, scheme: str) -> list[ToSend]:
        return self.rooms.post.take(scheme, 100, self.clock())

    def _outcome(self, row: ToSend) -> Outcome:
        form = self._post.forms(row, self._limits[row.address.scheme], self.clock())
        if form.state == "moot":
            return Outcome(row, "failed", "what it announces was read", STOPPED)
        if form.state == "held":
            self._post.say_held(row)
            self.plan(self.later(minutes=self.chance.randint(20, 500)), self._reads(row.conversation))
            return Outcome(row, "held", "waits until the person writes")
        if form.state == "none":
            return Outcome(row, "failed", "the reply window is closed and there is no template", "temporary")
        if row.notice and row.conversation in self.unreachable and row.name != READ:
            return Outcome(row, "failed", "refused 63024", "permanent")
        id = f"demo-{self.chance.getrandbits(96):024x}"
        parts = segments(row.text) if row.address.scheme == "sms" else 0
        return Outcome(row, "sent", provider_id=id, form=form.name, text=form.text, segments=parts)

    def _reads(self, conversation: str) -> Story:
        self.asks_to_read(conversation)
        yield from ()

    def _lost(self, row: ToSend) -> None:
        self._post.undelivered(Lost(row.conversation, row.key, row.name, row.params, row.ref, row.notice))
        self.rooms.post.done(row.id)

    def _arrived(self) -> None:
        """Most of what was sent arrived, and much of it was read, where a provider tells such things."""
        news = []
        for row in self._past.sent():
            delivered = row["sent_at"] + timedelta(seconds=self.chance.randint(1, 40))
            opened = delivered + timedelta(minutes=self.chance.expovariate(1 / 45))
            if row["next_in"] is not None:  # who answers has read it
                delivered, opened = min(delivered, row["next_in"]), min(opened, row["next_in"])
            if row["scheme"] == "telegram" or delivered > self.until or self.chance.random() < 0.02:
                continue
            read = row["scheme"] == "whatsapp" and opened < self.until and self.chance.random() < 0.85
            state = "read" if read else "delivered"
            news.append(
                {"row": row["id"], "state": state, "delivered_at": delivered, "read_at": opened if read else None}
            )
        self._past.arrived(news)
