"""What clerks write: kept while it is written, and done after a moment in which it can be taken back.

Nothing happens to a ticket while its reply waits. Then the verb is done as every verb is, with the rights that the clerk
has by then and the version that the form showed; what cannot be done any more is a draft again, and the clerk is told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import Any, Protocol

from bot.faults import fault
from bot.handlers.house import House, UnknownTicket
from bot.handlers.ports import Clock, Stale, Unavailable
from bot.tickets.people import Actor, Staff
from bot.tickets.ticket import Entry, Incomplete, NotAllowed, Ticket

log = logging.getLogger(__name__)

BOXES = ("reply", "ask", "note", "resolve")
"""Verbs whose words are kept while they are typed."""
RECALLED = ("reply", "ask", "resolve")
"""Verbs that wait a moment before they are done at the desk: a person is told of them, and cannot be untold."""
KEPT = timedelta(days=30)
SEEN_LOOKING = timedelta(seconds=60)
"""How long ago a page must have said that somebody looks at it."""
AGAIN_AFTER = timedelta(seconds=5)
"""What somebody began to carry out so long ago, and did not end, is carried out again: the key lets it happen once."""


class Waiting(Exception):
    """Other words of this clerk wait in the same box: they go out, or are taken back, first."""


@dataclass(frozen=True)
class Draft:
    """What one clerk typed into one box of one ticket. `state` is draft, waiting or going."""

    id: int
    ref: str
    staff: str
    verb: str
    said: Mapping[str, str]
    state: str
    seen: int | None
    key: str
    send_at: datetime | None
    refused: str
    saved_at: datetime


class Drafts(Protocol):
    """What is needed of storage."""

    def of(self, ref: str, staff: str) -> Sequence[Draft]: ...
    def keep(self, ref: str, staff: str, verb: str, said: Mapping[str, str], at: datetime) -> bool:
        """The draft says this from now on; False where this box waits to be sent. Nothing typed: there is none."""

    def wait(
        self, ref: str, staff: str, verb: str, said: Mapping[str, str], seen: int | None, key: str, at: datetime,
        until: datetime,
    ) -> bool:  # fmt: skip
        """It waits until then; False where this box waits already."""

    def take_back(self, ref: str, staff: str, now: datetime) -> Draft | None:
        """What waits is a draft again; None where it is on its way, or nothing waits."""

    def due(self, now: datetime, begun_before: datetime) -> Sequence[Draft]: ...
    def begin(self, draft: Draft, now: datetime) -> bool:
        """It is on its way: nobody takes it back any more. False where somebody did, or was faster."""

    def end(self, draft: Draft) -> None:
        """It is done, and forgotten."""

    def refuse(self, draft: Draft, why: str, unit: str | None, now: datetime) -> bool:
        """It is a draft again, its clerk is told where a `unit` is given; False where it was ended meanwhile."""

    def drop(self, ref: str, staff: str, verb: str) -> None: ...
    def forget(self, before: datetime, looked_before: datetime) -> int: ...
    def look(self, ref: str, staff: str, at: datetime) -> None: ...
    def lookers(self, ref: str, staff: str, since: datetime) -> Sequence[str]: ...


@dataclass(frozen=True)
class Preview:
    """How words will reach their person, as far as is known before they are sent.

    `form` is text, template, held (behind 'reply 1 to read'), notice (an SMS that tells the state only), elsewhere
    (another of the person's addresses), nothing (nobody is told), unset (no provider), lost (it cannot reach them).
    """

    scheme: str
    mask: str  # the end of a telephone number; empty where none is known, or it is not to be shown
    form: str
    left: timedelta | None  # of the reply window: None where there is none
    messages: int = 1
    segments: int = 0  # SMS parts
    cost: float = 0.0
    refused: str = ""  # why an SMS will not be paid for: cap or country
    stopped: bool = False


class Replies:
    """The clerks' drafts and what waits to go out. `undo` is for how many seconds; 0 sends at once."""

    def __init__(
        self, drafts: Drafts, house: House, colleague: Callable[[str], Staff | None], clock: Clock, undo: float
    ) -> None:
        self._drafts, self._house, self._colleague, self._clock = drafts, house, colleague, clock
        self.undo = undo

    # At the desk

    def of(self, ref: str, staff: Staff) -> dict[str, Draft]:
        """What this clerk has typed or sent off on this ticket, by box."""
        return {draft.verb: draft for draft in self._drafts.of(ref, staff.id)}

    def keep(self, ref: str, verb: str, staff: Staff, said: Mapping[str, str]) -> bool:
        """What was typed is there when the clerk comes back; False where the box waits to be sent."""
        return self._drafts.keep(ref, staff.id, verb, said, self._clock())

    def drop(self, ref: str, verb: str, staff: Staff) -> None:
        """Nothing is kept for this box any more."""
        self._drafts.drop(ref, staff.id, verb)

    def waits(self, verb: str) -> bool:
        """True for a verb that can be taken back for a moment."""
        return self.undo > 0 and verb in RECALLED

    def hold(self, ticket: Ticket, verb: str, staff: Staff, said: Mapping[str, str], seen: int | None) -> None:
        """The verb will be done in a moment. Raises what doing it now would raise, and changes nothing.

        Sent a second time while it waits, it is sent once; raises Waiting where the box waits with other words.
        """
        if seen is not None and seen != ticket.version:
            raise Stale(ticket.ref, ticket.version)
        rehearsed(ticket, verb, staff.actor(), said, self._clock())
        at = self._clock()
        until = at + timedelta(seconds=self.undo)
        if self._drafts.wait(ticket.ref, staff.id, verb, said, seen, token_urlsafe(12), at, until):
            return
        before = self.of(ticket.ref, staff).get(verb)
        if before is None or dict(before.said) != dict(said):
            raise Waiting

    def take_back(self, ref: str, staff: Staff) -> Draft | None:
        """The words are back in their box; None where it is too late, or nothing waits."""
        return self._drafts.take_back(ref, staff.id, self._clock())

    def hurry(self, ref: str, verb: str, staff: Staff, seen: int | None) -> int | None:
        """What this clerk has waiting in other boxes of the ticket is done now: going on with it means that it stands.

        The version that a form which showed `seen` may take for its own.
        """
        for draft in self._drafts.of(ref, staff.id):
            if draft.state == "waiting" and draft.verb != verb:
                ticket = self._carry_out(draft)
                if ticket is not None and seen == draft.seen:
                    seen = ticket.version
        return seen

    def look(self, ref: str, staff: Staff) -> Sequence[str]:
        """This clerk has the ticket before them now; the names of the others."""
        self._drafts.look(ref, staff.id, self._clock())
        return self.lookers(ref, staff)

    def lookers(self, ref: str, staff: Staff) -> Sequence[str]:
        """Who else had this ticket before them within the last minute."""
        return self._drafts.lookers(ref, staff.id, self._clock() - SEEN_LOOKING)

    # The worker's part

    def send_due(self) -> int:
        """Everything whose moment is over is done, each once, whatever died meanwhile; how many there were."""
        now = self._clock()
        found = self._drafts.due(now, now - AGAIN_AFTER)
        for draft in found:
            try:
                self._carry_out(draft)
            except Unavailable:
                raise
            except Exception:
                log.exception("a reply could not be carried out: draft %s", draft.id)
                self._drafts.refuse(draft, "error_value", None, now)
        return len(found)

    def forget(self) -> int:
        """Drafts that nobody touched for a month, and who looked an hour ago, are removed."""
        now = self._clock()
        return self._drafts.forget(now - KEPT, now - timedelta(hours=1))

    def _carry_out(self, draft: Draft) -> Ticket | None:
        """The verb is done and the draft gone; or it is a draft again and the clerk knows why (None)."""
        now = self._clock()
        if not self._drafts.begin(draft, now):
            return None
        fault("reply-begun")
        staff, unit = self._colleague(draft.staff), None
        try:
            if staff is None or not staff.active:
                raise UnknownTicket(draft.ref)
            unit = staff.unit or ""
            ticket = self._house.act(
                draft.ref, draft.verb, staff.actor(), draft.said, staff=staff, seen=draft.seen, key=f"draft {draft.key}"
            )
        except Stale:
            why = "error_stale"
        except (NotAllowed, UnknownTicket):
            why = "error_not_allowed"
        except (Incomplete, ValueError):
            why = "error_value"
        else:
            fault("reply-done")
            self._drafts.end(draft)
            return ticket
        if self._drafts.refuse(draft, why, unit, now):
            log.info("a reply was not sent: draft %s, %s", draft.id, why)
        return None


def rehearsed(ticket: Ticket, verb: str, by: Actor, said: Mapping[str, Any], at: datetime) -> tuple[Ticket, Entry]:
    """The ticket as the verb would leave it, and the entry; raises as `Ticket.apply` does. `ticket` stays as it is."""
    trial = copy(ticket)
    trial.history, trial.flags = list(ticket.history), set(ticket.flags)
    trial.readers, trial.hidden_from = set(ticket.readers), set(ticket.hidden_from)
    return trial, trial.apply(verb, by, at, **said)


__all__ = ["BOXES", "RECALLED", "Draft", "Drafts", "Preview", "Replies", "Waiting", "rehearsed"]
