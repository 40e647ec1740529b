"""The one door through which the desk and programs change a ticket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from bot.tickets.people import Actor, Staff
from bot.tickets.ticket import Ticket


class Act(Protocol):
    """`House.act`: the verb, its record and all that is told of it in one transaction. Blocks: call it in a thread."""

    def __call__(
        self,
        ref: str,
        verb: str,
        by: Actor,
        said: Mapping[str, Any],
        *,
        staff: Staff | None = None,
        seen: int | None = None,
        key: str | None = None,
    ) -> Ticket:
        """The ticket afterwards. `staff` None: whoever calls has decided what may be seen.

        Raises UnknownTicket, NotAllowed, Incomplete, Wrong, Stale, Unavailable, or ValueError with a sentence.
        """
