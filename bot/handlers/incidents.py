"""One cause, many tickets: they are joined, and one text reaches everybody once, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Sequence
from secrets import token_hex

from bot.handlers.house import House, UnknownTicket
from bot.handlers.ports import Incident, Transaction, Update
from bot.tickets.lifecycle import LIVE
from bot.tickets.people import Staff, may_see, may_work
from bot.tickets.ticket import NotAllowed

TELLS = ("reply", "resolve")


class Overtaken(Exception):
    """A colleague has told something of the incident meanwhile, or it is over: nothing was sent of this text."""


class Incidents:
    """What clerks do with an incident. What goes out is once-only by its key: `ports.Update.key`."""

    def __init__(self, house: House) -> None:
        self._house = house

    def join(self, refs: Sequence[str], staff: Staff, *, title: str = "", incident: str = "", key: str = "") -> str:
        """The tickets belong to one incident, a new one of this title or `incident`; its id.

        All of them or none. UnknownTicket where one is not for this member of staff, NotAllowed where one is read on
        need to know or the incident is over. The same key again: the incident of the first time.
        """
        house, at = self._house, self._house.clock()
        with house.store.begin() as tx:
            remembered = f"incident {staff.id} {key}"
            known = tx.remembered(remembered) if key else None
            if known:
                return str(known)
            id = incident or token_hex(8)
            if not incident:
                tx.add_incident(id, title, staff.id, at)
            self._running(tx, id)
            for ref in sorted(set(refs)):
                ticket = tx.ticket(ref)
                if ticket is None or not may_see(staff, ticket):
                    raise UnknownTicket(ref)
                if ticket.incident != id:
                    house.apply(tx, ticket, "link", staff.actor(), {"incident": id}, at)
            if key:
                tx.remember(remembered, id, at)
        return id

    def leave(self, ref: str, id: str, staff: Staff) -> None:
        """The ticket has a cause of its own: what is told of the incident reaches it no more."""
        house = self._house
        with house.store.begin() as tx:
            if tx.incident(id) is None:
                raise UnknownTicket(ref)
            ticket = tx.ticket(ref)
            if ticket is None or not may_see(staff, ticket):
                raise UnknownTicket(ref)
            if ticket.incident == id:
                house.apply(tx, ticket, "link", staff.actor(), {"incident": id, "off": True}, house.clock())

    def tell(self, id: str, n: int, verb: str, text: str, staff: Staff) -> int:
        """Everybody whose live ticket is joined is told, once each; how many of them now.

        `n` is the number that the form was made for: who was second with it is Overtaken, who sends the same again
        goes on where it stopped.
        """
        house = self._house
        if verb not in TELLS or not may_work(staff):
            raise NotAllowed(verb, "not to a whole incident", list(TELLS))
        with house.store.begin() as tx:
            found = tx.incident(id)
            if found is None:
                raise UnknownTicket(id)
            update = next((u for u in found.updates if u.n == n), None)
            if update is None:
                if n != len(found.updates) + 1 or found.closed_at:
                    raise Overtaken(id)
                update = Update(n, verb, text, tx.of_incident(id), staff.actor(), house.clock())
                tx.add_update(id, update)
            elif (update.by.id, update.verb, update.text) != (staff.id, verb, text):
                raise Overtaken(id)
        return self.go_on(id, update, staff)

    def go_on(self, id: str, update: Update, staff: Staff) -> int:
        """The update reaches those that are owed it still and whose ticket this member of staff may see; how many."""
        reached = 0
        for ref in update.refs:
            try:
                reached += self._tell_one(id, update, ref, staff)
            except (UnknownTicket, NotAllowed):  # it ended, or went where this colleague may not see it
                continue
        return reached

    def _tell_one(self, id: str, update: Update, ref: str, staff: Staff) -> bool:
        """True where the person of this ticket was told now; False where they were before, or are owed nothing."""
        house = self._house
        with house.store.begin() as tx:
            ticket = tx.ticket(ref)
            if ticket is None or ticket.incident != id or ticket.state not in LIVE:
                return False
        before = ticket.version
        said, key = {"text": update.text}, update.key(id, ref)
        return house.act(ref, update.verb, update.by, said, staff=staff, key=key).version > before

    @staticmethod
    def _running(tx: Transaction, id: str) -> Incident:
        found = tx.incident(id)
        if found is None:
            raise UnknownTicket(id)
        if found.closed_at:
            raise NotAllowed("link", "the incident is over", [])
        return found
