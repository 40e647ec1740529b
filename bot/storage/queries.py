"""What the desk and the program API read. SELECTs only; the store is the one door for writes.

Who may see what is decided in SQL (`sight.visible`) by the same rule as `people.may_see`; a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    and_,
    case,
    func,
    not_,
    or_,
    select,
    true,
)

from bot.storage import rows
from bot.storage.channels import Channels, Delivery, delivery
from bot.storage.files import Attachment, attachment
from bot.storage.incidents import vectors_of
from bot.storage.lists import ORDER, VIEWS, Counts, Place, View, Wanted, in_view, late, live, runs
from bot.storage.sight import visible
from bot.storage.tables import attachments, desk_notices, entries, idempotency, inbox, outbox, tickets
from bot.storage.tables import conversations as talks
from bot.storage.tables import staff as people
from bot.storage.trail_rows import TrailRows
from bot.tickets.lifecycle import WAITING
from bot.tickets.people import Role, Staff
from bot.tickets.reference import is_reference, shown_receipt
from bot.tickets.ticket import Ticket

LONGEST_SEARCH = 200
WORDS_SEARCHED = 8
MESSAGES = 500
RUN_UP = timedelta(days=1)
"""How long before the filing a message can still be part of what was filed."""
SEVERAL = "*"
DRAFT_ENDS = ("utter_draft_cancelled", "utter_care_kept")
ASKED_APART = "utter_another_for_ticket"
"""Whether words are an answer or a matter of their own: until they are added they are not this ticket's."""
RECEIPT = re.compile(r"(?<!\d)[1-5١-٥۱-۵](?:[ \-\u2010-\u2013]?\d){11}(?!\d)")
"""What may be a receipt code that a person typed."""
_ESCAPE = "\\"


@dataclass(frozen=True)
class Line:
    """A ticket as a list shows it. It answers `people.Guarded`, too."""

    ref: str
    kind: str
    category: str | None
    subcategory: str | None
    service: str | None
    state: str
    unit: str
    staff: str | None
    staff_name: str
    text: str
    language: str
    source: str
    flags: tuple[str, ...]
    readers: tuple[str, ...]
    hidden_from: tuple[str, ...]
    need_to_know: bool
    opened_at: datetime
    promised_for: datetime
    answered_at: datetime | None
    late_since: datetime | None
    """The date that was not kept, or the minute after it in which the person was told so; only while nobody answered."""
    version: int
    incident: str | None = None


@dataclass(frozen=True)
class Question:
    """An inquiry that the register did not answer, and what it means (a byte a number; None where nobody read it)."""

    ref: str
    text: str
    category: str | None
    service: str | None
    language: str
    opened_at: datetime
    vector: bytes | None


@dataclass(frozen=True)
class Page:
    lines: list[Line]
    next: str | None


@dataclass(frozen=True)
class Message:
    """One message of the conversation, as it was written or told."""

    at: datetime
    to_person: bool
    text: str
    channel: str
    by: str = ""  # the name of the sentence, where the house spoke
    buttons: tuple[str, ...] = ()
    delivery: Delivery | None = None  # of a message to the person
    files: tuple[Attachment, ...] = ()  # that came with it and belong to the ticket


@dataclass(frozen=True)
class Whole:
    """Everything that one ticket's page shows."""

    ticket: Ticket
    channel: str
    """Where the person is told: the conversation's scheme, or '' where there is none."""
    stopped: bool
    live: str | None
    """Who of the staff is in the conversation for this ticket; None where the assistant is."""
    late_since: datetime | None
    answered_at: datetime | None
    staff_name: str
    messages: list[Message] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    files: list[Attachment] = field(default_factory=list)
    limited_until: datetime | None = None


@dataclass(frozen=True)
class Notice:
    id: int
    ref: str
    about: str
    at: datetime
    params: dict[str, Any]


class Queries(Channels):
    """Tickets, people and notices, with how the post goes. `fold` is the one spelling that all spellings of a text share."""

    def __init__(self, engine: Engine, fold: Callable[[str], str]) -> None:
        super().__init__(engine)
        self._fold = fold
        self.trail = TrailRows(engine)

    def reference(self, text: str) -> str:
        """The digits of what somebody gave as a reference: any digits, spaces and hyphens."""
        return "".join(c for c in self._fold(text[:60]) if c in "0123456789")

    # Lists

    def tickets(
        self,
        staff: Staff | None,
        now: datetime,
        *,
        view: View = "all",
        states: Iterable[str] = (),
        kind: str = "",
        category: str = "",
        unit: str = "",
        channel: str = "",
        q: str = "",
        cursor: str = "",
        limit: int = 50,
        confidential: bool = False,
        wanted: Wanted | None = None,
        soon: datetime | None = None,
    ) -> Page:
        """A page of what `staff` may see: broken promises first, then the next to break, then the newest.

        `staff` None is a program: everything, and what is need-to-know only with `confidential`. `soon` is the date up to
        which promises are at risk, for that view.
        """
        wanted = wanted or Wanted(kind, category, unit=unit, source=channel)
        conditions = [self._may(staff, confidential), *wanted.conditions(states), *self._search(q)]
        if staff is not None:
            conditions.append(in_view(view, staff, now, soon or now))
        if cursor:
            conditions.append(Place.read(cursor).beyond())
        with self._read() as db:
            found = db.execute(_in_order(conditions, limit + 1)).all()
        last = found[limit - 1] if len(found) > limit else None
        return Page([_line(row, now) for row in found[:limit]], Place.of(last).written() if last else None)

    def lines(self, refs: Iterable[str], staff: Staff, now: datetime) -> dict[str, Line]:
        """Those of these tickets that `staff` may see."""
        with self._read() as db:
            found = db.execute(_lines().where(tickets.c.ref.in_(list(refs)), visible(staff))).all()
        return {row.ref: _line(row, now) for row in found}

    def questions(self, staff: Staff, since: datetime, limit: int = 2_000) -> list[Question]:
        """What was asked since then and had to be filed, newest first, of what `staff` may see."""
        asked = select(
            tickets.c.ref, tickets.c.text, tickets.c.category, tickets.c.service, tickets.c.language, tickets.c.opened_at, tickets.c.reading,
            tickets.c.conversation, tickets.c.flags,
        ).where(
            visible(staff), tickets.c.kind == "inquiry", tickets.c.opened_at >= since, not_(tickets.c.need_to_know)
        ).order_by(tickets.c.opened_at.desc(), tickets.c.ref).limit(limit)  # fmt: skip
        with self._read() as db:
            rows_ = db.execute(asked).mappings()
            found = [row for row in rows_ if not {"my_data", "needs_person", "language"} & {*row["flags"]}]
            vectors = vectors_of(db, found)
        shown = ("ref", "text", "category", "service", "language", "opened_at")
        return [Question(**{name: row[name] for name in shown}, vector=vectors.get(row["ref"])) for row in found]

    def counts(self, staff: Staff, now: datetime, soon: datetime | None = None) -> Counts:
        """How many live tickets each view holds."""
        numbers = [
            func.coalesce(func.sum(case((in_view(view, staff, now, soon or now), 1), else_=0)), 0).label(view)
            for view in VIEWS
        ]
        with self._read() as db:
            row = db.execute(select(*numbers).where(live(), visible(staff))).one()
        return Counts(**{view: int(row._mapping[view]) for view in VIEWS})

    def next(self, staff: Staff, now: datetime, after: str = "") -> str | None:
        """The next ticket to work on: of one's own, else one that nobody has, of the unit before all others.

        `after` is the ticket that one comes from: the one behind it in one's own list, or the first again.
        """
        own = and_(live(), tickets.c.staff == staff.id, tickets.c.state != WAITING)
        free = and_(runs(), tickets.c.staff.is_(None))
        choices = [own, and_(free, tickets.c.unit == staff.unit), free]
        with self._read() as db:
            here = db.execute(select(*ORDER).where(tickets.c.ref == after, own, visible(staff))).first()
            if here:
                choices.insert(0, and_(own, Place.of(here).beyond()))
            for choice in choices:
                query = select(tickets.c.ref).where(choice, visible(staff), tickets.c.ref != after)
                found: str | None = db.execute(query.order_by(*ORDER).limit(1)).scalar_one_or_none()
                if found:
                    return found
        return None

    def held(self, staff: Staff, now: datetime, by: str, limit: int) -> list[Line]:
        """Live tickets that a colleague works on, in their order, of those that `staff` may see."""
        with self._read() as db:
            return [
                _line(row, now) for row in db.execute(_in_order([live(), tickets.c.staff == by, visible(staff)], limit))
            ]

    def loads(self, staff: Staff | None = None) -> dict[str, int]:
        """How many live tickets everybody has who has some; only those that `staff` may see, where one is given."""
        query = select(tickets.c.staff, func.count()).where(live(), tickets.c.staff.is_not(None))
        if staff is not None:
            query = query.where(visible(staff))
        with self._read() as db:
            return {id: int(n) for id, n in db.execute(query.group_by(tickets.c.staff))}

    def _may(self, staff: Staff | None, confidential: bool) -> ColumnElement[bool]:
        if staff is not None:
            return visible(staff)
        return true() if confidential else not_(tickets.c.need_to_know)

    def _search(self, q: str) -> list[ColumnElement[bool]]:
        """Every word of `q` stands in the text, or its digits in the reference."""
        folded = self._fold(q[:LONGEST_SEARCH]).strip()
        if not folded:
            return []
        words = and_(*(_contains(tickets.c.text_folded, word) for word in folded.split()[:WORDS_SEARCHED]))
        digits = self.reference(q)
        if is_reference(digits):
            return [or_(words, tickets.c.ref == digits)]
        if digits and not any(c.isalpha() for c in folded):
            return [or_(words, _contains(tickets.c.ref, digits))]
        return [words]

    # One ticket

    def version(self, ref: str, staff: Staff | None, confidential: bool = False) -> int | None:
        """The number of entries now; None where it is unknown or not to be seen."""
        query = select(tickets.c.version).where(tickets.c.ref == ref, self._may(staff, confidential))
        with self._read() as db:
            return db.execute(query).scalar_one_or_none()

    def ticket(self, ref: str, staff: Staff | None, now: datetime, confidential: bool = False) -> Whole | None:
        """The whole ticket; None where it is unknown or not to be seen: nobody can tell which."""
        query = _lines().where(tickets.c.ref == ref, self._may(staff, confidential))
        with self._read() as db:
            row = db.execute(query).one_or_none()
            if row is None:
                return None
            history = db.execute(select(entries).where(entries.c.ref == ref).order_by(entries.c.seq)).all()
            talk = db.execute(
                select(talks.c.scheme, talks.c.stopped_at, talks.c.limited_until).where(talks.c.id == row.conversation)
            ).one_or_none()
            live = db.execute(select(talks.c.live_staff).where(talks.c.live_ref == ref)).scalars().first()
            told = db.execute(
                select(outbox, talks.c.scheme)
                .join(talks, talks.c.id == outbox.c.conversation)
                .where(outbox.c.ref == ref)
                .order_by(outbox.c.id)
            ).all()
            sent = db.execute(select(attachments).where(attachments.c.ref == ref).order_by(attachments.c.id)).mappings()
            files = [attachment(each) for each in sent]
            messages = self._messages(db, row, talk.scheme if talk else "", _by_message(files))
            messages += self._elsewhere(db, row, told, history, _by_message(files))
        line = _line(row, now)
        return Whole(
            ticket=rows.ticket(dict(row._mapping), [dict(each._mapping) for each in history]),
            channel=talk.scheme if talk else "",
            stopped=bool(talk and talk.stopped_at),
            live=live,
            limited_until=talk.limited_until if talk and talk.limited_until and talk.limited_until > now else None,
            late_since=line.late_since,
            answered_at=line.answered_at,
            staff_name=line.staff_name,
            messages=sorted(messages, key=lambda m: (m.at, m.to_person)),
            deliveries=[delivery(t, t.scheme) for t in told],
            files=files,
        )

    def others(self, ticket: Ticket, staff: Staff, limit: int = 10) -> list[tuple[str, str, str, datetime]]:
        """Reference, state, kind and date of the person's other tickets that `staff` may see, newest first.

        What was reported in confidence is never put beside anything else of the same person.
        """
        if ticket.contact is None or "confidential" in ticket.flags:
            return []
        query = (
            select(tickets.c.ref, tickets.c.state, tickets.c.kind, tickets.c.opened_at)
            .where(tickets.c.contact == ticket.contact, tickets.c.ref != ticket.ref, not_(tickets.c.confidential))
            .where(visible(staff))
            .order_by(tickets.c.opened_at.desc(), tickets.c.ref)
            .limit(limit)
        )
        with self._read() as db:
            return [(row.ref, row.state, row.kind, row.opened_at) for row in db.execute(query)]

    def file(self, id: int, staff: Staff) -> Attachment | None:
        """A file that is kept and belongs to a ticket which `staff` may see; None for every other."""
        query = (
            select(attachments)
            .join(tickets, tickets.c.ref == attachments.c.ref)
            .where(attachments.c.id == id, attachments.c.state == "kept", attachments.c.sha256.is_not(None))
            .where(visible(staff))
        )
        with self._read() as db:
            row = db.execute(query).mappings().one_or_none()
        return attachment(row) if row else None

    def _messages(
        self, db: Connection, row: Row[Any], channel: str, files: Mapping[int, tuple[Attachment, ...]]
    ) -> list[Message]:
        """What was written and told about this ticket in its conversation.

        Only what concerns it: one conversation may hold a second matter that this reader must never see, a complaint
        about the reader's own unit, say, filed or still a draft. So: all that led to the filing since the ticket
        before it, and afterwards what was told of this ticket with the messages that were answered so. `files` are
        the ticket's own: a message of nothing else is shown with them.
        """
        if row.conversation is None:
            return []
        since = row.opened_at - RUN_UP
        told = db.execute(
            select(outbox)
            .where(outbox.c.conversation == row.conversation, outbox.c.created_at >= since)
            .order_by(outbox.c.id).limit(MESSAGES)
        ).all()  # fmt: skip
        wrote = db.execute(
            select(inbox)
            .where(inbox.c.conversation == row.conversation, inbox.c.received_at >= since)
            .order_by(inbox.c.id).limit(MESSAGES)
        ).all()  # fmt: skip
        others = select(tickets.c.opened_at).where(
            tickets.c.conversation == row.conversation, tickets.c.ref != row.ref, tickets.c.opened_at <= row.opened_at
        )
        earlier = db.execute(others).scalars()
        # a draft that was put away before is another story, told perhaps of this very unit
        dropped = [t.created_at for t in told if t.name in DRAFT_ENDS and t.created_at < row.opened_at]
        begins = max([since, *earlier, *dropped])
        subject = self._subjects(db, row, told)

        def concerns(about: str | None, at: datetime) -> bool:
            return about == row.ref or (not about and begins < at <= row.opened_at)

        out = [
            _out(t, channel)
            for t in told
            if concerns(_about(t) or (subject.get(t.turn) if t.turn else None), t.created_at)
        ]
        came = [
            _in(w, channel, files)
            for w in wrote
            if (not w.text and w.id in files)
            or (w.text and concerns(subject.get(w.turn) if w.turn else None, w.received_at))
        ]
        return out + came

    def _elsewhere(
        self,
        db: Connection,
        row: Row[Any],
        told: Iterable[Row[Any]],
        history: Iterable[Row[Any]],
        files: Mapping[int, tuple[Attachment, ...]],
    ) -> list[Message]:
        """What was told of this ticket at other addresses of the person, and what they wrote there in answer to it."""
        out = [_out(t, t.scheme) for t in told if t.conversation != row.conversation and _about(t) == row.ref]
        turns = {str(e.said["turn"]) for e in history if e.by_kind == "beneficiary" and e.said.get("turn")}
        wrote = db.execute(
            select(inbox, talks.c.scheme)
            .join(talks, talks.c.id == inbox.c.conversation)
            .where(inbox.c.turn.in_(turns), inbox.c.conversation != (row.conversation or ""))
            .order_by(inbox.c.id)
        ).all()
        theirs = and_(outbox.c.conversation.in_({w.conversation for w in wrote}), outbox.c.turn.in_(turns))
        answers = db.execute(select(outbox).where(theirs)).all()
        other = {t.turn for t in answers if _about(t) not in (None, row.ref)}  # the turn was about another matter, too
        return out + [_in(w, w.scheme, files) for w in wrote if w.turn not in other and (w.text or w.id in files)]

    def _subjects(self, db: Connection, row: Row[Any], told: Iterable[Row[Any]]) -> dict[str, str]:
        """Which ticket each turn of the conversation was about; SEVERAL where it was more than one."""
        here = tickets.c.conversation == row.conversation
        pairs = [(t.turn, t.ref) for t in db.execute(select(tickets.c.turn, tickets.c.ref).where(here))]
        done = select(entries.c.ref, entries.c.said).join(tickets, tickets.c.ref == entries.c.ref)
        pairs += [(e.said.get("turn"), e.ref) for e in db.execute(done.where(here, entries.c.by_kind == "beneficiary"))]
        pairs += [(t.turn, _about(t)) for t in told]
        subject: dict[str, str] = {}
        for turn, ref in pairs:
            if turn and ref:
                subject[turn] = ref if subject.get(turn, ref) == ref else SEVERAL
        return subject

    # People and notices

    def staff_list(self, unit: str | None = None) -> list[Staff]:
        """Who works on tickets, of one unit or of all, by name."""
        query = select(people).where(people.c.active, people.c.role.in_([Role.AGENT, Role.SUPERVISOR, Role.MANAGER]))
        if unit is not None:
            query = query.where(or_(people.c.unit == unit, people.c.unit.is_(None)))
        with self._read() as db:
            return [_staff(row) for row in db.execute(query.order_by(people.c.name, people.c.id))]

    def names(self) -> dict[str, str]:
        """Everybody's name by their id, those who no longer work here included."""
        with self._read() as db:
            return {row.id: row.name for row in db.execute(select(people.c.id, people.c.name))}

    def remembered_keys(self, start: str) -> list[str]:
        """The idempotency keys that begin so, and go on after a space."""
        query = select(idempotency.c.key).where(_starts(idempotency.c.key, start + " "))
        with self._read() as db:
            return list(db.execute(query).scalars())

    def notices(self, staff: Staff, limit: int = 10) -> list[Notice]:
        """What the desk was told and nobody has seen: for `staff`, or for the whole of their unit; newest first."""
        for_me = desk_notices.c.staff == staff.id
        if staff.unit is not None:
            for_me = or_(for_me, and_(desk_notices.c.staff.is_(None), desk_notices.c.unit == staff.unit))
        query = (
            select(desk_notices)
            .join(tickets, tickets.c.ref == desk_notices.c.ref)
            .where(desk_notices.c.seen_at.is_(None), for_me, visible(staff))
            .order_by(desk_notices.c.id.desc())
            .limit(limit)
        )
        with self._read() as db:
            return [Notice(n.id, n.ref, n.about, n.at, n.params or {}) for n in db.execute(query)]


def _lines() -> Select[Any]:
    return select(tickets, people.c.name.label("staff_name")).select_from(
        tickets.outerjoin(people, people.c.id == tickets.c.staff)
    )


def _in_order(conditions: Iterable[ColumnElement[bool]], limit: int) -> Select[Any]:
    """The first lines in the order of lists. Which they are is found out over few columns: texts are read for these alone."""
    first = select(tickets.c.ref).where(*conditions).order_by(*ORDER).limit(limit).subquery()
    return _lines().where(tickets.c.ref.in_(select(first.c.ref))).order_by(*ORDER)


def _contains(column: ColumnElement[str], part: str) -> ColumnElement[bool]:
    return column.like(f"%{_plain(part)}%", escape=_ESCAPE)


def _starts(column: ColumnElement[str], part: str) -> ColumnElement[bool]:
    return column.like(f"{_plain(part)}%", escape=_ESCAPE)


def _plain(part: str) -> str:
    """The text with every sign that LIKE gives a meaning to standing for itself."""
    for sign in (_ESCAPE, "%", "_"):
        part = part.replace(sign, _ESCAPE + sign)
    return part


def _about(told: Row[Any]) -> str | None:
    """The ticket that a sentence tells of, SEVERAL, or None."""
    params = told.params or {}
    if told.name == ASKED_APART:
        return SEVERAL
    if told.ref:
        return str(told.ref)
    if params.get("tickets"):
        return SEVERAL
    return str(params["ref"]) if params.get("ref") else None


def _out(told: Row[Any], channel: str) -> Message:
    text = _without_receipt(told)
    return Message(told.created_at, True, text, channel, told.name, _titles(told), delivery(told, channel))


def _in(wrote: Row[Any], channel: str, files: Mapping[int, tuple[Attachment, ...]]) -> Message:
    text = RECEIPT.sub("•••", wrote.text)
    return Message(wrote.received_at, False, text, channel, files=files.get(wrote.id, ()))


def _by_message(files: Iterable[Attachment]) -> dict[int, tuple[Attachment, ...]]:
    """Files by the row of the inbox that they came with."""
    found: dict[int, tuple[Attachment, ...]] = {}
    for each in files:
        if each.message is not None:
            found[each.message] = (*found.get(each.message, ()), each)
    return found


def _titles(told: Row[Any]) -> tuple[str, ...]:
    """What the person could press; nothing where the choices are lines of the text already."""
    titles = tuple(str(button["title"]) for button in told.buttons or ())
    return () if titles and told.text.endswith(f"{len(titles)}. {titles[-1]}") else titles


def _without_receipt(told: Row[Any]) -> str:
    """The sentence, less the code that proves whose the ticket is: that is between the house and the person."""
    code = str((told.params or {}).get("receipt") or "")
    text = str(told.text)
    for shown in (shown_receipt(code), code) if code else ():
        text = text.replace(shown, "•••")
    return text


def _line(row: Row[Any], now: datetime) -> Line:
    return Line(
        ref=row.ref, kind=row.kind, category=row.category, subcategory=row.subcategory, service=row.service,
        state=row.state, unit=row.unit, staff=row.staff, staff_name=row.staff_name or "", text=row.text,
        language=row.language, source=row.source, flags=tuple(sorted(row.flags or ())),
        readers=tuple(row.readers or ()), hidden_from=tuple(row.hidden_from or ()), need_to_know=row.need_to_know,
        opened_at=row.opened_at, promised_for=row.promised_for, answered_at=row.answered_at,
        late_since=row.queue_at if late(row, now) else None, version=row.version,
        incident=row.incident,
    )  # fmt: skip


def _staff(row: Row[Any]) -> Staff:
    return Staff(row.id, row.email, row.name, Role(row.role), row.unit, row.sees_all, row.active, row.language)
