"""What clerks are writing and what waits to be sent, and who has a ticket before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, or_, select, update

from bot.handlers.replies import Draft
from bot.storage.database import insert_once
from bot.storage.store import SqlStore
from bot.storage.tables import desk_drafts, looking, one_of
from bot.storage.tables import staff as people

_waiting = one_of(desk_drafts.c.state, "waiting")
_going = one_of(desk_drafts.c.state, "going")
_at_rest = one_of(desk_drafts.c.state, "draft")
_REST: dict[str, Any] = {"state": "draft", "send_at": None, "key": None, "seen": None}


class DraftTable:
    """`Drafts` of the handlers over the tables of a store. Each method is one transaction."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self._once = insert_once(store.engine, desk_drafts, "staff", "ref", "verb")
        self._once_looking = insert_once(store.engine, looking, "ref", "staff")

    def of(self, ref: str, staff: str) -> Sequence[Draft]:
        """What this clerk has in the boxes of this ticket."""
        query = select(desk_drafts).where(desk_drafts.c.ref == ref, desk_drafts.c.staff == staff)
        with self._store.read() as connection:
            return [_draft(row) for row in connection.execute(query.order_by(desk_drafts.c.id)).mappings()]

    def keep(self, ref: str, staff: str, verb: str, said: Mapping[str, str], at: datetime) -> bool:
        """The draft says this from now on; False where this box waits to be sent. Nothing typed: there is none."""
        mine = _of(ref, staff, verb)
        with self._store.writers.begin() as connection:
            if not any(value.strip() for value in said.values()):
                connection.execute(delete(desk_drafts).where(mine, _at_rest))
                return True
            new = {"said": dict(said), "saved_at": at, "refused": ""}
            if connection.execute(update(desk_drafts).where(mine, _at_rest).values(new)).rowcount:
                return True
            row = {"ref": ref, "staff": staff, "verb": verb, "state": "draft", **new}
            return connection.execute(self._once, row).rowcount == 1

    def wait(
        self, ref: str, staff: str, verb: str, said: Mapping[str, str], seen: int | None, key: str, at: datetime,
        until: datetime,
    ) -> bool:  # fmt: skip
        """It waits until then; False where this box waits already."""
        mine = _of(ref, staff, verb)
        new = {"said": dict(said), "saved_at": at, "state": "waiting", "seen": seen, "key": key, "send_at": until}
        new["refused"] = ""
        with self._store.writers.begin() as connection:
            if connection.execute(update(desk_drafts).where(mine, _at_rest).values(new)).rowcount:
                return True
            row = {"ref": ref, "staff": staff, "verb": verb, **new}
            return connection.execute(self._once, row).rowcount == 1

    def take_back(self, ref: str, staff: str, now: datetime) -> Draft | None:
        """What waits is a draft again; None where it is on its way, or nothing waits."""
        mine = (desk_drafts.c.ref == ref) & (desk_drafts.c.staff == staff) & _waiting
        back = update(desk_drafts).where(mine).values(**_REST, saved_at=now).returning(desk_drafts)
        with self._store.writers.begin() as connection:
            row = connection.execute(back).mappings().first()
        return _draft(row) if row else None

    def due(self, now: datetime, begun_before: datetime) -> Sequence[Draft]:
        """What goes out now, and what was begun before then and never ended."""
        ready = or_(and_(_waiting, desk_drafts.c.send_at <= now), and_(_going, desk_drafts.c.send_at <= begun_before))
        query = select(desk_drafts).where(ready).order_by(desk_drafts.c.send_at, desk_drafts.c.id).limit(100)
        with self._store.read() as connection:
            return [_draft(row) for row in connection.execute(query).mappings()]

    def begin(self, draft: Draft, now: datetime) -> bool:
        """It is on its way: nobody takes it back any more. False where somebody did, or was faster.

        `send_at` says since when, so that what died on its way is begun again.
        """
        same = (desk_drafts.c.id == draft.id) & (desk_drafts.c.key == draft.key)
        free = and_(same, desk_drafts.c.state == draft.state, desk_drafts.c.send_at == draft.send_at)
        with self._store.writers.begin() as connection:
            going = update(desk_drafts).where(free).values(state="going", send_at=now)
            return connection.execute(going).rowcount == 1

    def end(self, draft: Draft) -> None:
        """It is done, and forgotten."""
        with self._store.writers.begin() as connection:
            connection.execute(delete(desk_drafts).where(desk_drafts.c.id == draft.id, desk_drafts.c.key == draft.key))

    def refuse(self, draft: Draft, why: str, unit: str | None, now: datetime) -> bool:
        """It is a draft again, its clerk is told where a `unit` is given; False where it was ended meanwhile."""
        mine = (desk_drafts.c.id == draft.id) & (desk_drafts.c.key == draft.key)
        with self._store.begin() as tx:
            back = update(desk_drafts).where(mine).values(**_REST, refused=why, saved_at=now)
            if not tx.connection.execute(back).rowcount:
                return False
            if unit is not None:
                tx.staff_tell(draft.ref, "not_sent", unit, draft.staff, now, {})
            return True

    def drop(self, ref: str, staff: str, verb: str) -> None:
        """Nothing is kept for this box; what waits to be sent stays."""
        mine = _of(ref, staff, verb)
        with self._store.read() as connection:  # most boxes hold nothing: no write transaction for these
            if connection.execute(select(desk_drafts.c.id).where(mine, _at_rest)).first() is None:
                return
        with self._store.writers.begin() as connection:
            connection.execute(delete(desk_drafts).where(mine, _at_rest))

    def forget(self, before: datetime, looked_before: datetime) -> int:
        """Drafts saved before then are removed, and who looked before then; how many drafts."""
        with self._store.writers.begin() as connection:
            connection.execute(delete(looking).where(looking.c.at < looked_before))
            old = delete(desk_drafts).where(desk_drafts.c.saved_at < before, _at_rest)
            return connection.execute(old).rowcount

    def look(self, ref: str, staff: str, at: datetime) -> None:
        """This clerk has the ticket before them now."""
        mine = (looking.c.ref == ref) & (looking.c.staff == staff)
        with self._store.writers.begin() as connection:
            if not connection.execute(update(looking).where(mine).values(at=at)).rowcount:
                connection.execute(self._once_looking, {"ref": ref, "staff": staff, "at": at})

    def lookers(self, ref: str, staff: str, since: datetime) -> Sequence[str]:
        """The names of the others who had it before them since then."""
        query = (
            select(people.c.name)
            .join(looking, looking.c.staff == people.c.id)
            .where(looking.c.ref == ref, looking.c.staff != staff, looking.c.at >= since, people.c.active)
            .order_by(people.c.name)
        )
        with self._store.read() as connection:
            return list(connection.scalars(query))


def _of(ref: str, staff: str, verb: str) -> Any:
    return (desk_drafts.c.ref == ref) & (desk_drafts.c.staff == staff) & (desk_drafts.c.verb == verb)


def _draft(row: Any) -> Draft:
    return Draft(
        id=row["id"], ref=row["ref"], staff=row["staff"], verb=row["verb"], said=row["said"], state=row["state"],
        seen=row["seen"], key=row["key"] or "", send_at=row["send_at"], refused=row["refused"], saved_at=row["saved_at"],
    )  # fmt: skip
