"""Promises and clocks: example tables a clerk can check, and the laws."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ticket_making import (
    AGENT,
    MANAGER,
    NAME,
    PERSON,
    POLICY,
    POLICY_DATA,
    PROGRAM,
    SA,
    SA_DATA,
    SUPERVISOR,
    clock,
    do,
    filed,
    riyadh,
    tick,
)  # fmt: skip

from bot.tickets import calendar, promise
from bot.tickets.people import SYSTEM
from bot.tickets.problems import RegisterInvalid
from bot.tickets.promise import State
from bot.tickets.ticket import KINDS, Incomplete, Promise, Wrong

THURSDAY = riyadh("2026-11-19 15:00")
MONDAY = riyadh("2026-11-23 14:30")
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("kind", "category", "service_class", "due"),
    [
        ("complaint", None, "C", "2026-11-23 14:30"),
        ("complaint", "other", None, "2026-11-23 14:30"),  # unknown service: class C
        ("complaint", "other", "A", "2026-11-22 14:30"),
        ("inquiry", "accessibility", "D", "2026-11-22 14:30"),  # the shorter of category and class
        ("report", "accessibility", "A", "2026-11-22 14:30"),
        ("observation", None, "B", "2026-11-23 14:30"),
        ("suggestion", None, "A", "2026-12-03 14:30"),
    ],
)
def test_what_is_promised(kind: str, category: str | None, service_class: str | None, due: str) -> None:
    made = promise.promised(POLICY, SA, kind, category, service_class, THURSDAY)
    assert made == Promise(riyadh(due), "1", "sa 1", "filed")


def test_a_request_for_ones_data_has_thirty_days_and_not_one_more() -> None:
    made = promise.promised(POLICY, SA, "inquiry", None, None, THURSDAY, my_data=True)
    assert made.due == riyadh("2026-12-17 14:30")  # the thirtieth is a Saturday: Thursday before
    made = promise.promised(POLICY, SA, "inquiry", None, None, riyadh("2026-11-22 09:00"), my_data=True)
    assert made.due == riyadh("2026-12-22 14:30")


def test_the_clock_of_a_ticket_that_is_answered_in_time() -> None:
    ticket = filed(THURSDAY)
    now = riyadh("2026-11-22 08:30")
    assert clock(ticket, now) == promise.Clock(
        State.RUNNING, due=MONDAY, target=MONDAY, remaining=timedelta(hours=13), on_time=None, late_by=timedelta(),
        broken=False, warn_at=riyadh("2026-11-23 10:30"),
    )  # fmt: skip
    do(ticket, "reply", AGENT, MONDAY, text="أُنجزت")
    read = clock(ticket, MONDAY + timedelta(days=9))
    assert (read.state, read.on_time, read.late_by, read.remaining) == (State.KEPT, True, timedelta(), timedelta())
    assert promise.next_event_at(ticket, SA, POLICY, MONDAY) is None


@pytest.mark.parametrize(
    "verb", ["ask", "note", "assign", "transfer", "extend", "escalate", "classify", "flag", "study"]
)
def test_work_that_is_no_reply_of_substance_keeps_no_promise(verb: str) -> None:
    ticket = filed(THURSDAY, "suggestion")
    do(ticket, verb, MANAGER, THURSDAY, text="…", staff="s9", unit="finance", reason="…", until="2027-01-04", flag="urgent",
       category="other")  # fmt: skip
    assert not ticket.answered and clock(ticket, THURSDAY).state in (State.RUNNING, State.PAUSED)


@pytest.mark.parametrize("verb", ["reply", "resolve", "redirect", "accept", "decline"])
@pytest.mark.parametrize("by", [MANAGER, PROGRAM])
def test_a_reply_of_substance_or_a_decision_keeps_it(verb: str, by: Any) -> None:
    ticket = filed(THURSDAY, "suggestion")
    do(ticket, verb, by, THURSDAY, text="…", body="sa_commerce", reason="…")
    assert ticket.answered and clock(ticket, THURSDAY).on_time is True


def test_warned_then_broken_then_a_second_date_each_once() -> None:
    ticket = filed(THURSDAY)
    told: list[tuple[str, datetime]] = []
    now: datetime | None = THURSDAY
    for _ in range(4):
        now = promise.next_event_at(ticket, SA, POLICY, now or THURSDAY)
        assert now is not None
        told += [(verb, now) for verb in tick(ticket, now)]
        assert tick(ticket, now) == []
    assert told == [
        ("warn", riyadh("2026-11-23 10:30")),
        ("break", MONDAY + SECOND),
        ("warn", riyadh("2026-11-25 10:30")),
        ("break", riyadh("2026-11-25 14:30") + SECOND),
    ]
    assert ticket.promise == Promise(riyadh("2026-11-29 14:30"), "1", "sa 1", "broken")
    read = clock(ticket, riyadh("2026-11-26 08:30"))
    assert (read.state, read.due, read.target) == (State.LATE, ticket.promise.due, MONDAY)
    assert (read.broken, read.on_time, read.late_by) == (True, None, timedelta(hours=15))
    do(ticket, "resolve", AGENT, riyadh("2026-11-26 08:30"), text="…")
    read = clock(ticket, riyadh("2027-01-01 00:00"))
    assert (read.state, read.on_time, read.late_by) == (State.KEPT, False, timedelta(hours=15))


def test_nobody_is_warned_at_night() -> None:
    ticket = filed(THURSDAY)
    do(ticket, "ask", AGENT, riyadh("2026-11-22 13:30"), text="رقم المعاملة؟")
    do(ticket, "add", PERSON, riyadh("2026-11-23 13:30"), text="44021")  # seven hours waited: due Tuesday 14:30
    assert ticket.promise.due == riyadh("2026-11-24 14:30")
    do(ticket, "extend", SUPERVISOR, riyadh("2026-11-23 13:30"), until="2026-11-25", reason="…")
    late_worker = riyadh("2026-11-24 23:00")
    assert tick(ticket, late_worker) == []
    assert promise.next_event_at(ticket, SA, POLICY, late_worker) == riyadh("2026-11-25 10:30")


def test_a_worker_that_slept_past_the_warning_warns_in_the_morning() -> None:
    ticket = filed(riyadh("2026-11-22 09:00"))  # Tuesday
    do(ticket, "ask", AGENT, riyadh("2026-11-23 09:00"), text="…")
    do(ticket, "add", PERSON, riyadh("2026-11-23 10:00"), text="…")  # due Wednesday 08:30
    assert ticket.promise.due == riyadh("2026-11-25 08:30")
    assert clock(ticket, riyadh("2026-11-24 11:00")).warn_at == riyadh("2026-11-24 11:30")
    night = riyadh("2026-11-24 22:00")
    assert tick(ticket, night) == [] and promise.next_event_at(ticket, SA, POLICY, night) == riyadh("2026-11-25 07:30")
    assert tick(ticket, riyadh("2026-11-25 07:30")) == ["warn"]


def test_a_question_pauses_and_its_answer_moves_the_date_by_the_working_time_it_waited() -> None:
    ticket = filed(THURSDAY)
    asked, answered = riyadh("2026-11-22 10:00"), riyadh("2026-11-24 12:00")
    do(ticket, "ask", AGENT, asked, text="…")
    for now in (asked, riyadh("2026-11-23 20:00"), answered):
        read = clock(ticket, now)
        assert (read.state, read.remaining, read.warn_at) == (State.PAUSED, timedelta(hours=11, minutes=30), None)
    assert clock(ticket, riyadh("2026-11-23 10:00")).due == riyadh("2026-11-24 14:30")
    do(ticket, "add", PERSON, answered, text="…")
    assert ticket.state == "open"
    assert ticket.promise == Promise(riyadh("2026-11-26 09:30"), "1", "sa 1", "answered")  # 16 hours waited
    read = clock(ticket, answered)
    assert (read.due, read.target, read.state) == (ticket.promise.due, ticket.promise.due, State.RUNNING)
    do(ticket, "reply", AGENT, riyadh("2026-11-26 09:00"), text="…")
    assert clock(ticket, answered).on_time


def test_a_question_that_nobody_could_receive_pauses_nothing() -> None:
    walked_in = filed(THURSDAY, contact=None)
    do(walked_in, "ask", AGENT, riyadh("2026-11-22 10:00"), text="…")
    assert clock(walked_in, riyadh("2026-11-22 10:00")).state == State.RUNNING
    assert tick(walked_in, MONDAY + SECOND) == ["break"]
    returned = filed(THURSDAY)
    do(returned, "ask", AGENT, riyadh("2026-11-22 10:00"), text="…")
    assert clock(returned, riyadh("2026-11-22 11:00")).state == State.PAUSED
    do(returned, "undelivered", SYSTEM, riyadh("2026-11-22 12:00"), reason="blocked")
    assert (returned.state, returned.flags) == ("open", {"needs_person"})
    assert clock(returned, riyadh("2026-11-22 12:00")).due == MONDAY
    assert tick(returned, MONDAY + SECOND) == ["break"]


def test_a_question_does_not_save_a_promise_that_was_late_already() -> None:
    ticket = filed(THURSDAY)
    do(ticket, "ask", AGENT, MONDAY + SECOND, text="…")
    assert clock(ticket, MONDAY + SECOND).state == State.LATE
    assert tick(ticket, MONDAY + SECOND) == ["break"]
    assert clock(ticket, riyadh("2026-11-24 09:00")).state == State.PAUSED  # the second date waits for the answer
    do(ticket, "add", PERSON, riyadh("2026-11-24 14:30"), text="…")
    assert ticket.promise.due == riyadh("2026-11-26 14:30")
    do(ticket, "reply", AGENT, riyadh("2026-11-25 09:00"), text="…")
    assert clock(ticket, riyadh("2026-11-25 09:00")).on_time is False


def test_a_question_after_the_reply_moves_nothing() -> None:
    ticket = filed(THURSDAY)
    do(ticket, "reply", AGENT, riyadh("2026-11-22 09:00"), text="…")
    do(ticket, "ask", AGENT, riyadh("2026-11-22 10:00"), text="…")
    do(ticket, "add", PERSON, riyadh("2026-11-24 10:00"), text="…")
    assert ticket.promise.why == "filed" and clock(ticket, riyadh("2026-11-24 10:00")).due == MONDAY


def test_what_leaves_waiting_without_an_answer() -> None:
    ticket = filed(THURSDAY, "suggestion")
    do(ticket, "ask", AGENT, riyadh("2026-11-22 07:30"), text="…")
    do(ticket, "study", AGENT, riyadh("2026-11-22 14:30"), text="…")  # a day waited
    assert ticket.promise == Promise(riyadh("2026-12-06 14:30"), "1", "sa 1", "answered")
    again = filed(THURSDAY)
    do(again, "ask", AGENT, riyadh("2026-11-22 07:30"), text="…")
    do(again, "resolve", AGENT, riyadh("2026-11-29 10:00"), text="…")
    assert clock(again, riyadh("2026-12-01 10:00")).on_time is True
    gone = filed(THURSDAY)
    do(gone, "ask", AGENT, riyadh("2026-11-22 07:30"), text="…")
    do(gone, "withdraw", PERSON, riyadh("2026-11-29 10:00"))
    read = clock(gone, riyadh("2026-12-01 10:00"))
    assert (read.state, read.on_time, read.remaining) == (State.ENDED, None, timedelta())


@pytest.mark.parametrize(
    ("until", "due"),
    [
        ("2026-11-26", "2026-11-26 14:30"),
        (date(2026, 11, 27), "2026-11-29 14:30"),  # Friday: the next working day
        (riyadh("2026-11-26 09:00"), "2026-11-26 14:30"),
    ],
)
def test_an_extension_is_to_close_of_office_and_counts_if_made_in_time(until: object, due: str) -> None:
    ticket = filed(THURSDAY)
    do(ticket, "extend", SUPERVISOR, riyadh("2026-11-22 09:00"), until=until, reason="مختبر")
    assert ticket.promise == Promise(riyadh(due), "1", "sa 1", "extended")
    assert isinstance(ticket.history[-1].said["until"], str)
    read = clock(ticket, riyadh(due))
    assert (read.target, read.state) == (riyadh(due), State.RUNNING)


def test_an_extension_after_the_break_does_not_make_it_on_time() -> None:
    ticket = filed(THURSDAY)
    do(ticket, "extend", SUPERVISOR, MONDAY + SECOND, until="2026-11-30", reason="…")  # late, and the worker slept
    read = clock(ticket, riyadh("2026-11-24 09:00"))
    assert (read.target, read.due, read.state) == (MONDAY, riyadh("2026-11-30 14:30"), State.LATE)
    do(ticket, "resolve", AGENT, riyadh("2026-11-24 09:00"), text="…")
    assert clock(ticket, riyadh("2026-11-24 09:00")).on_time is False


@pytest.mark.parametrize(
    ("until", "error"),
    [(None, Incomplete), ("", Incomplete), ("tomorrow", Wrong), ("2026-11-19", Wrong), ("2026-11-23", Wrong)],
)
def test_an_extension_needs_a_later_date(until: object, error: type[Exception]) -> None:
    ticket = filed(THURSDAY)
    with pytest.raises(error):
        do(ticket, "extend", SUPERVISOR, riyadh("2026-11-22 09:00"), until=until, reason="…")
    assert ticket.version == 1


def test_an_extension_while_the_question_is_out_is_paused_from_then_on() -> None:
    ticket = filed(THURSDAY)
    do(ticket, "ask", AGENT, riyadh("2026-11-22 07:30"), text="…")
    do(ticket, "extend", SUPERVISOR, riyadh("2026-11-24 07:30"), until="2026-11-30", reason="…")
    do(ticket, "add", PERSON, riyadh("2026-11-25 07:30"), text="…")
    assert ticket.promise.due == riyadh("2026-12-01 14:30")


def test_reopening_is_a_new_promise_and_a_new_clock() -> None:
    ticket = filed(THURSDAY)
    tick(ticket, MONDAY + SECOND)
    do(ticket, "resolve", AGENT, riyadh("2026-11-24 09:00"), text="…")
    do(ticket, "reopen", PERSON, riyadh("2026-11-25 09:00"), reason="لم تُحل")
    assert ticket.promise == Promise(riyadh("2026-11-29 14:30"), "1", "sa 1", "reopened")
    read = clock(ticket, riyadh("2026-11-25 09:00"))
    assert (read.state, read.broken, read.target, ticket.answered) == (State.RUNNING, False, ticket.promise.due, False)


def test_a_confirmed_holiday_moves_the_date_and_never_nearer() -> None:
    eid = calendar.parse(SA_DATA | {"version": 2}, holidays={date(2026, 11, 22): calendar.Holiday(NAME)})
    ticket = filed(THURSDAY)
    moved = promise.after_holiday(ticket, SA, eid, POLICY)
    assert moved == Promise(riyadh("2026-11-24 14:30"), "1", "sa 2", "holiday")
    by_then = filed(THURSDAY)
    by_then.history[0] = replace(by_then.history[0], promise=moved)
    assert promise.after_holiday(by_then, eid, SA, POLICY) is None, "it would be nearer"
    do(ticket, "reply", AGENT, THURSDAY, text="…")
    assert promise.after_holiday(ticket, SA, eid, POLICY) is None
    extended = filed(THURSDAY)
    do(extended, "extend", SUPERVISOR, THURSDAY, until="2026-11-25", reason="…")
    assert promise.after_holiday(extended, SA, eid, POLICY) is None
    on_the_day = calendar.parse(SA_DATA | {"version": 2}, holidays={date(2026, 11, 25): calendar.Holiday(NAME)})
    moved = promise.after_holiday(extended, SA, on_the_day, POLICY)
    assert moved and moved.due == riyadh("2026-11-26 14:30")
    part = filed(THURSDAY)
    do(part, "ask", AGENT, riyadh("2026-11-22 08:30"), text="…")
    do(part, "add", PERSON, riyadh("2026-11-22 09:30"), text="…")  # Tuesday 08:30, from Sunday 09:30
    busy = calendar.parse(SA_DATA | {"version": 2}, holidays={date(2026, 11, 23): calendar.Holiday(NAME)})
    moved = promise.after_holiday(part, SA, busy, POLICY)
    assert moved and moved.due == riyadh("2026-11-25 08:30")


def test_a_postponed_date_is_what_on_time_is_measured_against() -> None:
    ticket = filed(THURSDAY)
    new = calendar.parse(SA_DATA | {"version": 2}, holidays={date(2026, 11, 22): calendar.Holiday(NAME)})
    ticket.apply("postpone", SYSTEM, THURSDAY, promise=promise.after_holiday(ticket, SA, new, POLICY), reason="Eid")
    assert promise.after_holiday(ticket, SA, new, POLICY) is None, "once"
    read = promise.reading(ticket, new, POLICY, THURSDAY)
    assert read.due == read.target == riyadh("2026-11-24 14:30")


def test_a_verb_that_the_table_does_not_have_promises_nothing() -> None:
    ticket = filed(THURSDAY)
    do(ticket, "close", AGENT, THURSDAY, reason="…")
    assert promise.promise_for("extend", ticket, {}, THURSDAY, SA, POLICY) is None
    assert promise.promise_for("dance", ticket, {}, THURSDAY, SA, POLICY) is None


def test_a_holiday_confirmed_while_a_question_waits_keeps_the_time_it_has_waited() -> None:
    ticket = filed(THURSDAY)
    do(ticket, "ask", AGENT, riyadh("2026-11-22 07:30"), text="…")
    now, new = (
        riyadh("2026-11-22 12:30"),
        calendar.parse(SA_DATA | {"version": 2}, holidays={date(2026, 11, 23): calendar.Holiday(NAME)}),
    )
    moved = promise.after_holiday(ticket, SA, new, POLICY)
    assert moved and moved.due == riyadh("2026-11-24 14:30")
    ticket.apply("postpone", SYSTEM, now, promise=moved, reason="Eid")
    assert promise.reading(ticket, new, POLICY, now).due == riyadh("2026-11-25 12:30")


def test_waiting_reminds_after_two_and_five_days_and_closes_after_ten() -> None:
    ticket = filed(THURSDAY)
    do(ticket, "ask", AGENT, riyadh("2026-11-22 10:00"), text="…")
    done, now = [], riyadh("2026-11-22 10:00")
    while (at := promise.next_event_at(ticket, SA, POLICY, now)) is not None and ticket.state == "waiting":
        now = at
        done += [(verb, now, ticket.history[-1].said.get("reason")) for verb in tick(ticket, now)]
    assert done == [
        ("remind", riyadh("2026-11-24 14:30"), "2"),
        ("remind", riyadh("2026-11-29 14:30"), "5"),
        ("close", riyadh("2026-12-06 14:30"), "no_answer"),
    ]
    assert clock(ticket, now).state == State.ENDED


def test_a_worker_that_slept_reminds_once_and_a_new_question_starts_anew() -> None:
    ticket = filed(THURSDAY)
    do(ticket, "ask", AGENT, riyadh("2026-11-22 10:00"), text="…")
    late = riyadh("2026-11-30 10:00")
    assert promise.due_verbs(ticket, SA, POLICY, late) == [("remind", "5")]
    assert tick(ticket, late) == ["remind"] and tick(ticket, late) == []
    do(ticket, "add", PERSON, late, text="…")
    do(ticket, "ask", AGENT, late, text="…")
    assert promise.next_event_at(ticket, SA, POLICY, late) == riyadh("2026-12-02 14:30")
    assert tick(ticket, riyadh("2027-02-01 10:00")) == ["close"]


@pytest.mark.parametrize(("verbs", "state"), [(("resolve",), "resolved"), (("decline",), "declined"),
                                              (("accept", "implement"), "implemented")])  # fmt: skip
def test_an_outcome_closes_after_five_working_days(verbs: tuple[str, ...], state: str) -> None:
    ticket = filed(THURSDAY, "suggestion")
    for verb in verbs:
        do(ticket, verb, MANAGER, riyadh("2026-11-22 10:00"), text="…", reason="…")
    assert ticket.state == state
    closes = riyadh("2026-11-29 14:30")
    assert promise.next_event_at(ticket, SA, POLICY, riyadh("2026-11-22 10:00")) == closes
    assert tick(ticket, closes - SECOND) == [] and tick(ticket, closes) == ["close"]
    assert ticket.history[-1].said == {"reason": "outcome_stands"}
    assert promise.next_event_at(ticket, SA, POLICY, closes) is None


def test_a_ticket_closed_unanswered_and_late_is_not_on_time() -> None:
    ticket = filed(THURSDAY)
    do(ticket, "close", AGENT, riyadh("2026-11-24 09:30"), reason="مكررة")
    read = clock(ticket, riyadh("2027-01-01 00:00"))
    assert (read.state, read.on_time, read.late_by) == (State.ENDED, False, timedelta(hours=2))


def test_editing_the_policy_moves_no_date_that_was_told() -> None:
    ticket = filed(THURSDAY)
    stricter = promise.Policy.parse(POLICY_DATA | {"version": 2, "category": {"other": 1}, "my_data_days": 3})
    assert promise.reading(ticket, SA, stricter, THURSDAY).due == MONDAY


def test_all_problems_of_the_terms_at_once() -> None:
    with pytest.raises(RegisterInvalid) as caught:
        promise.Policy.parse({
            "terms": {"complaint": {"A": 0, "B": 2, "C": "two", "D": 2}, "wish": {}}, "category": {"accessibility": -1},
            "unknown_service_class": "E", "my_data_days": True, "waiting": {"remind_after": [5, 2], "close_after": 1},
        })  # fmt: skip
    text = str(caught.value)
    for word in ("terms.complaint.A: 0", "terms.complaint.C: 'two'", "terms.wish", "terms.inquiry.A: None", "accessibility: -1",
                 "'E' is not known", "my_data_days: True", "remind_after: not in order"):  # fmt: skip
        assert word in text, word
    with pytest.raises(RegisterInvalid, match="before the last reminder"):
        promise.Policy.parse(POLICY_DATA | {"waiting": {"remind_after": [2, 5], "close_after": 5}})


# The laws.

_start = datetime(2026, 1, 1, tzinfo=THURSDAY.tzinfo)
_instants = st.timedeltas(timedelta(), timedelta(days=360)).map(lambda t: _start + t)
_gaps = st.timedeltas(timedelta(), timedelta(days=4))


@given(_instants, st.sampled_from(KINDS), st.sampled_from("ABCD"), _gaps, _gaps, _gaps)
def test_a_pause_never_makes_a_deadline_earlier(
    at: datetime, kind: str, service_class: str, before: timedelta, waited: timedelta, then: timedelta
) -> None:
    ticket = filed(at, kind, service_class=service_class)
    first = ticket.promise.due
    asked, answered = at + before, at + before + waited
    do(ticket, "ask", AGENT, asked, text="…")
    during = clock(ticket, asked + waited / 2).due
    assert first <= during <= clock(ticket, answered).due
    left = clock(ticket, asked).remaining
    do(ticket, "add", PERSON, answered, text="…")
    assert clock(ticket, answered).due >= during
    if asked < first:
        assert ticket.promise.why == "answered" and clock(ticket, answered).remaining == left
        assert SA.between(first, ticket.promise.due) == SA.between(asked, answered)
    later = clock(ticket, answered + then)
    assert later.due == ticket.promise.due and later.remaining <= left


@given(_instants, st.sampled_from(KINDS), st.lists(st.tuples(_gaps, st.sampled_from(["ask", "add", "extend", "wait"]))))
def test_the_worker_does_each_thing_once_and_never_stands_still(
    at: datetime, kind: str, steps: list[tuple[timedelta, str]]
) -> None:
    ticket, now = filed(at, kind), at
    for gap, verb in steps[:6]:
        now += gap
        tick(ticket, now)
        assert promise.due_verbs(ticket, SA, POLICY, now) == []
        upcoming = promise.next_event_at(ticket, SA, POLICY, now)
        if upcoming is None:
            assert ticket.state == "closed"
            return
        assert upcoming > now
        assert ticket.state == "closed" or clock(ticket, now).due > now
        if verb in ticket.allowed(SUPERVISOR):
            until = SA.day_of(max(now, ticket.promise.due)) + timedelta(days=3)
            do(ticket, verb, SUPERVISOR, now, text="…", until=until, reason="…")
