"""The promise and the clock.

A promise is a date that a person was told: the first reply of substance by a person, by close of office. It is
written into the history and never computed again. The clock is the reading of a ticket's time: from history, never
stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.tickets.calendar import NOTHING, WorkingCalendar
from bot.tickets.lifecycle import ANSWERED, LIVE, WAITING, possible
from bot.tickets.problems import Problems
from bot.tickets.ticket import KINDS, REOPEN_DAYS, Entry, Incomplete, Promise, Ticket, Wrong

CLASSES = ("A", "B", "C", "D")
FILED, EXTENDED, HOLIDAY, ANSWER, REOPENED, BROKEN = "filed", "extended", "holiday", "answered", "reopened", "broken"
NO_ANSWER, OUTCOME_STANDS = "no_answer", "outcome_stands"
LONGEST_EXTENSION = timedelta(days=366)
"""No date further away is a promise; and a mistyped year must not be counted day by day."""
_JUST_AFTER = timedelta(seconds=1)
_FILE = "promises.yml"


@dataclass(frozen=True)
class Policy:
    """The terms. Editing them never moves a date that a person was told."""

    version: str
    terms: Mapping[str, Mapping[str, int]]  # kind, class of the service: working days
    category: Mapping[str, int]
    unknown_service_class: str = "C"
    my_data_days: int = 30
    warn_before: timedelta = timedelta(hours=4)  # of working time
    close_after_resolved: int = 5  # working days, as below
    reopen_within_days: int = REOPEN_DAYS
    remind_after: tuple[int, ...] = (2, 5)
    close_after_waiting: int = 10

    def term(self, kind: str, category: str | None, service_class: str | None) -> int:
        """Working days for a first reply of substance: the shorter of the class's and the category's."""
        of_class = self.terms[kind].get(service_class or "", self.terms[kind][self.unknown_service_class])
        return min(of_class, self.category.get(category or "", of_class))

    @classmethod
    def parse(cls, data: Mapping[str, Any], problems: Problems | None = None) -> Policy:
        """The terms of `data`. RegisterInvalid with every problem, or they are added to `problems`."""
        found = problems or Problems()
        terms = data.get("terms") if isinstance(data.get("terms"), Mapping) else {}
        assert isinstance(terms, Mapping)
        for kind in set(terms) - set(KINDS):
            found.add(_FILE, f"terms.{kind}", "no kind of ticket", f"one of {', '.join(KINDS)}")
        waiting = data.get("waiting") or {}
        reminders = waiting.get("remind_after", [2, 5])
        policy = cls(
            version=str(data.get("version", 1)),
            terms={
                kind: {c: found.whole(_FILE, f"terms.{kind}.{c}", (terms.get(kind) or {}).get(c)) for c in CLASSES}
                for kind in KINDS
            },
            category={
                str(k): found.whole(_FILE, f"category.{k}", days) for k, days in (data.get("category") or {}).items()
            },
            unknown_service_class=found.one_of(
                _FILE, "unknown_service_class", data.get("unknown_service_class", "C"), CLASSES
            ),
            my_data_days=found.whole(_FILE, "my_data_days", data.get("my_data_days", 30)),
            warn_before=timedelta(
                hours=found.whole(_FILE, "warn_before_working_hours", data.get("warn_before_working_hours", 4))
            ),
            close_after_resolved=found.whole(
                _FILE, "close_after_resolved_working_days", data.get("close_after_resolved_working_days", 5)
            ),
            reopen_within_days=found.whole(_FILE, "reopen_within_days", data.get("reopen_within_days", REOPEN_DAYS)),
            remind_after=tuple(
                found.whole(_FILE, f"waiting.remind_after[{i}]", days) for i, days in enumerate(reminders)
            ),
            close_after_waiting=found.whole(_FILE, "waiting.close_after", waiting.get("close_after", 10)),
        )
        if list(policy.remind_after) != sorted(set(policy.remind_after)):
            found.add(_FILE, "waiting.remind_after", "not in order", "write [2, 5]")
        elif policy.remind_after and policy.remind_after[-1] >= policy.close_after_waiting:
            found.add(_FILE, "waiting.close_after", "closes before the last reminder", "write a later day")
        if problems is None:
            found.stop()
        return policy


# Making a promise.


def promised(
    policy: Policy,
    calendar: WorkingCalendar,
    kind: str,
    category: str | None,
    service_class: str | None,
    at: datetime,
    *,
    my_data: bool = False,
    why: str = FILED,
) -> Promise:
    """What is promised for something received at `at`.

    Working days to close of office; a request for one's own data has calendar days, to the last close of office in them.
    """
    if my_data:
        last = calendar.working_day_on_or_before(calendar.day_of(at) + timedelta(days=policy.my_data_days))
        return _promise(calendar.close_of(last), policy, calendar, why)
    return _promise(calendar.add_working_days(at, policy.term(kind, category, service_class)), policy, calendar, why)


def after_answer(ticket: Ticket, at: datetime, calendar: WorkingCalendar, policy: Policy) -> Promise | None:
    """The question that paused the clock is answered, or dropped: the date moves by the working time that it waited.

    None where no clock was paused: nothing is owed any more, nothing was sent, or it was late before it was asked.
    """
    round_ = _round(ticket, calendar)
    if not round_.paused or round_.answered_at:
        return None
    return _promise(_moved(round_.due, round_.paused, at, calendar), policy, calendar, ANSWER)


def after_reopen(ticket: Ticket, at: datetime, calendar: WorkingCalendar, policy: Policy) -> Promise:
    """A reopened ticket is owed what a new one is."""
    return _anew(ticket, at, calendar, policy, REOPENED)


def after_break(ticket: Ticket, at: datetime, calendar: WorkingCalendar, policy: Policy) -> Promise:
    """The second date, told with the apology: the ticket's own term again, in working days also for personal data."""
    term = policy.term(ticket.kind, ticket.category, ticket.service_class)
    return _promise(calendar.add_working_days(at, term), policy, calendar, BROKEN)


def extended(ticket: Ticket, until: object, at: datetime, calendar: WorkingCalendar, policy: Policy) -> Promise:
    """The date that a senior gives, to close of office; a closed day means the next working day.

    Raises Incomplete without a date, Wrong where it is past, not later than what was promised, or beyond a year.
    """
    if until is None or until == "":
        raise Incomplete("extend", ["until"])
    try:
        day = until if isinstance(until, date) else date.fromisoformat(str(until))
    except ValueError:
        raise Wrong("extend", "until", "is a date like 2026-11-30") from None
    if isinstance(day, datetime):
        day = calendar.day_of(day)
    if day > calendar.day_of(at) + LONGEST_EXTENSION:
        raise Wrong("extend", "until", f"is at most {LONGEST_EXTENSION.days} days from now")
    due = calendar.close_of(calendar.working_day_on_or_after(day))
    if due <= at:
        raise Wrong("extend", "until", "is later than now")
    if due <= ticket.promise.due:
        raise Wrong("extend", "until", "is later than the date already promised")
    return _promise(due, policy, calendar, EXTENDED)


def after_holiday(ticket: Ticket, old: WorkingCalendar, new: WorkingCalendar, policy: Policy) -> Promise | None:
    """A holiday was confirmed: the same number of working days, or the same working time, counted on the new calendar.

    None where the date does not move, or would move nearer: a person who was told a date keeps it. None, too, where the
    promise was made on the new calendar: every change of a calendar has a version of its own, so each moves a date once.
    """
    if ticket.state not in LIVE or ticket.answered:
        return None
    entry = next(e for e in reversed(ticket.history) if e.promise)
    assert entry.promise
    if entry.promise.calendar == new.label:
        return None
    due, last = entry.promise.due, old.day_of(entry.promise.due)
    if entry.promise.why == EXTENDED or ("my_data" in ticket.flags and entry.promise.why in (FILED, REOPENED)):
        moved = new.close_of(new.working_day_on_or_after(last))
    elif due == old.close_of(old.working_day_on_or_before(last)):
        moved = new.add_working_days(entry.at, max(1, old.working_days(old.received_on(entry.at), last)))
    else:
        moved = new.add(entry.at, old.between(entry.at, due))
    return _promise(moved, policy, new, HOLIDAY) if moved > due else None


def promise_for(
    verb: str, ticket: Ticket, said: Mapping[str, Any], at: datetime, calendar: WorkingCalendar, policy: Policy
) -> Promise | None:
    """The promise that this verb, done to this ticket as it is before, makes; None where it makes none.

    Asked before `Ticket.apply`, which records it, and which refuses what the table does not have. Raises as `extended`
    does. (`postpone` is given what `after_holiday` makes.)
    """
    if verb not in [row.name for row in possible(ticket.state, ticket.kind)]:
        return None
    match verb:
        case "extend":
            return extended(ticket, said.get("until"), at, calendar, policy)
        case "reopen":
            return after_reopen(ticket, at, calendar, policy)
        case "break":
            return after_break(ticket, at, calendar, policy)
        case "add" | "study":
            return after_answer(ticket, at, calendar, policy)
    return None


def _anew(ticket: Ticket, at: datetime, calendar: WorkingCalendar, policy: Policy, why: str) -> Promise:
    my_data = "my_data" in ticket.flags
    return promised(policy, calendar, ticket.kind, ticket.category, ticket.service_class, at, my_data=my_data, why=why)


def _promise(due: datetime, policy: Policy, calendar: WorkingCalendar, why: str) -> Promise:
    return Promise(due, policy.version, calendar.label, why)


# Reading the clock.


class State(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"  # a question is out
    KEPT = "kept"  # a person has replied in substance; `on_time` tells whether by the date
    LATE = "late"  # the date has passed without one; a second date does not change that
    ENDED = "ended"  # closed or withdrawn before one was given


@dataclass(frozen=True)
class Clock:
    """A ticket's time, as read at one moment."""

    state: State
    due: datetime  # the promise in force, moved by the working time that a question has waited so far
    target: datetime  # what on time is measured against: the first date, or an extension made before it broke
    remaining: timedelta  # working time until `due`, never negative; nothing once nothing is owed
    on_time: bool | None  # None while it is open, and where it ended in time without a reply
    late_by: timedelta  # working time past `target`
    broken: bool  # the break was told
    warn_at: datetime | None  # when the unit is to be warned of the promise in force; None where no clock runs


def reading(ticket: Ticket, calendar: WorkingCalendar, policy: Policy, now: datetime) -> Clock:
    """The clock at `now`, from history alone."""
    round_ = _round(ticket, calendar)
    due, target = round_.due, round_.target
    if round_.paused and not round_.answered_at:
        due = _moved(due, round_.paused, now, calendar)
        target = target if round_.broken else due
    live = ticket.state in LIVE
    stopped = round_.answered_at or (now if live else ticket.settled_at)
    late = round_.broken or stopped > target
    if round_.answered_at:
        state = State.KEPT
    elif not live:
        state = State.ENDED
    elif round_.paused:
        state = State.PAUSED
    else:
        state = State.LATE if late else State.RUNNING
    owed = live and not round_.answered_at
    return Clock(
        state=state,
        due=due,
        target=target,
        remaining=max(calendar.between(now, due), NOTHING) if owed else NOTHING,
        on_time=not late if round_.answered_at or (late and not owed) else None,
        late_by=max(calendar.between(target, stopped), NOTHING) if late else NOTHING,
        broken=round_.broken,
        warn_at=calendar.subtract(due, policy.warn_before) if state in (State.RUNNING, State.LATE) else None,
    )


def due_verbs(ticket: Ticket, calendar: WorkingCalendar, policy: Policy, now: datetime) -> list[tuple[str, str]]:
    """What the clock does now, with the reason, in the order in which to do it. Done once, it is not due again."""
    return [(verb, reason) for at, verb, reason in _events(ticket, calendar, policy, now) if at <= now]


def next_event_at(ticket: Ticket, calendar: WorkingCalendar, policy: Policy, now: datetime) -> datetime | None:
    """When the clock next has something to do; not after `now` where it is due already, None where only people go on."""
    return min((at for at, _, _ in _events(ticket, calendar, policy, now)), default=None)


@dataclass(frozen=True)
class _Round:
    """What history says of the time since the ticket was filed, or last reopened."""

    due: datetime
    target: datetime
    since: Entry  # that wrote the promise in force
    paused: datetime | None = None  # since when, if a question is out that was really sent
    broken: bool = False
    answered_at: datetime | None = None


def _round(ticket: Ticket, calendar: WorkingCalendar) -> _Round:
    first = ticket.history[0]
    assert first.promise
    round_ = _Round(first.promise.due, first.promise.due, first)
    for entry in ticket.history[1:]:
        round_ = _next(round_, entry, ticket, calendar)
    return round_


def _next(r: _Round, entry: Entry, ticket: Ticket, calendar: WorkingCalendar) -> _Round:
    """The round after one more entry."""
    if entry.verb == "reopen":
        due = entry.promise.due if entry.promise else r.due
        return _Round(due, due, entry if entry.promise else r.since)
    if entry.asked and entry.at < r.due:
        r = replace(r, paused=entry.at)
    if entry.before == WAITING and entry.after != WAITING and r.paused:
        if entry.verb != "undelivered" and not r.answered_at:  # a question that never arrived paused nothing
            due = _moved(r.due, r.paused, entry.at, calendar)
            r = replace(r, due=due, target=r.target if r.broken else due)
        r = replace(r, paused=None)
    if entry.promise:
        r = _renewed(r, entry, entry.promise, waiting=entry.after == WAITING and _asked(ticket, entry))
    if entry.verb == "break":
        r = replace(r, broken=True)
    if entry.substance and not r.answered_at:
        r = replace(r, answered_at=entry.at)
    return r


def _renewed(r: _Round, entry: Entry, promise: Promise, *, waiting: bool) -> _Round:
    """The round under a new promise.

    After a break nothing moves what on time is measured against. A date given while a question is out was given
    knowing of it, so it is paused from then on; a holiday only corrects the date before.
    """
    paused = r.paused if promise.why == HOLIDAY or not waiting else entry.at
    in_time = not r.broken and promise.why != BROKEN and (r.paused is not None or entry.at <= r.target)
    return replace(
        r,
        due=promise.due,
        target=promise.due if in_time else r.target,
        since=entry,
        paused=paused,
    )


def _asked(ticket: Ticket, entry: Entry) -> bool:
    """True where the last question before this entry was sent to somebody."""
    return next(e.asked for e in reversed(ticket.history[: entry.seq]) if e.verb == "ask")


def _moved(due: datetime, asked_at: datetime, until: datetime, calendar: WorkingCalendar) -> datetime:
    return calendar.add(due, max(calendar.between(asked_at, until), NOTHING))


def _events(
    ticket: Ticket, calendar: WorkingCalendar, policy: Policy, now: datetime
) -> list[tuple[datetime, str, str]]:
    """What the clock still has to do, and when: the past included, what was done left out."""
    events: list[tuple[datetime, str, str]] = []
    clock, round_ = reading(ticket, calendar, policy, now), _round(ticket, calendar)
    if clock.warn_at is not None:
        breaks_at = clock.due + _JUST_AFTER
        if now < breaks_at and not _done("warn", ticket, round_.since):
            in_office_hours = calendar.next_opening(max(clock.warn_at, now))
            events.append((in_office_hours, "warn", "about_to_break"))
        if not _done("break", ticket, round_.since):
            events.append((breaks_at, "break", "late"))
    if ticket.question is not None and ticket.question.asked:
        events += _while_waiting(ticket, ticket.question, calendar, policy, now)
    elif ticket.state in ANSWERED:
        closes_at = calendar.add_working_days(ticket.settled_at, policy.close_after_resolved)
        events.append((closes_at, "close", OUTCOME_STANDS))
    return events


def _while_waiting(
    ticket: Ticket, question: Entry, calendar: WorkingCalendar, policy: Policy, now: datetime
) -> list[tuple[datetime, str, str]]:
    """The close, and before it the reminder whose day has come, or else the next one: never two at once."""
    close = (calendar.add_working_days(question.at, policy.close_after_waiting), "close", NO_ANSWER)
    if close[0] <= now:
        return [close]
    reminded = max((e.at for e in ticket.history[question.seq :] if e.verb == "remind"), default=question.at)
    days = [(calendar.add_working_days(question.at, n), "remind", str(n)) for n in policy.remind_after]
    open_ = [event for event in days if event[0] > reminded]
    passed = [event for event in open_ if event[0] <= now]
    return [*(passed[-1:] or open_[:1]), close]


def _done(verb: str, ticket: Ticket, since: Entry) -> bool:
    return any(e.verb == verb for e in ticket.history[since.seq :])
