"""Who may see a ticket, in SQL: the same rule as `people.may_see`; a test compares the two."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, not_, or_

from bot.storage.tables import holds, tickets
from bot.tickets.people import Staff


def visible(staff: Staff) -> ColumnElement[bool]:
    """`people.may_see` as a condition on the rows of `tickets`."""
    if not staff.active:
        return false()
    may = or_(
        tickets.c.staff == staff.id,
        holds(tickets.c.readers, staff.id),
        tickets.c.unit == staff.unit if staff.unit is not None else false(),
        not_(tickets.c.need_to_know) if staff.sees_all else false(),
    )
    return may if staff.unit is None else and_(not_(holds(tickets.c.hidden_from, staff.unit)), may)
