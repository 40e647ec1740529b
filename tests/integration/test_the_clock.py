"""Promises through time: the house on a real database, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot import settings as settings_
from bot import wiring
from bot.handlers.draft import Draft
from bot.tickets.people import Actor
from channels.contract import Address
from tests import invariants

STAFF = Actor("program", "t", "test")
THURSDAY = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)  # noon in Riyadh


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def time() -> Time:
    return Time(THURSDAY)


@pytest.fixture
def rooms(tmp_path: Path, time: Time) -> Iterator[wiring.Rooms]:
    rooms = wiring.build(settings_.load(data_dir=tmp_path, _env_file=None), time)
    yield rooms
    assert invariants.check(rooms.engine) == []
    rooms.engine.dispose()


def filed(rooms: wiring.Rooms, text: str = "المعاملة متأخرة من شهرين", **more: object) -> tuple[str, str]:
    """A conversation and the reference of the ticket that was filed in it."""
    talk = rooms.reception.welcome(Address("web", f"session-{text[:5]}"), "ar")
    rooms.house.file(talk, f"turn-{text[:8]}", Draft(kind="complaint", category="processing_delay", text=text, **more))
    with rooms.store.begin() as tx:
        conversation = tx.conversation(talk)
        return talk, tx.tickets_of(conversation.contact)[0].ref


def names(rooms: wiring.Rooms, talk: str) -> list[str]:
    return [said.name for said in rooms.store.outgoing(talk)]


def tick(rooms: wiring.Rooms, time: Time, at: datetime) -> None:
    """What the worker's clock does at this moment, twice: the second time nothing is left to do."""
    time.at = at
    for _ in range(2):
        with rooms.store.begin() as tx:
            due = tx.due(at)
        for ref in due:
            rooms.house.tick(ref)


def test_a_complaint_of_thursday_is_promised_for_the_end_of_monday(rooms: wiring.Rooms) -> None:
    talk, ref = filed(rooms)
    with rooms.store.begin() as tx:
        due = tx.ticket(ref).promise.due
    assert due.astimezone(rooms.house.calendar.zone).isoformat() == "2026-11-30T14:30:00+03:00"
    assert names(rooms, talk) == ["utter_filed"]


def test_a_turn_files_once(rooms: wiring.Rooms) -> None:
    talk, _ = filed(rooms)
    again, _ = filed(rooms)
    assert talk == again and names(rooms, talk) == ["utter_filed"]


def test_at_two_at_night_on_a_holiday_the_next_opening_is_told(rooms: wiring.Rooms, time: Time) -> None:
    time.at = datetime(2027, 3, 8, 23, 0, tzinfo=UTC)  # 2 a.m. of the first day of Eid in Riyadh
    talk, ref = filed(rooms)
    assert names(rooms, talk) == ["utter_filed_closed"]
    assert "15" in rooms.store.outgoing(talk)[0].text  # Sunday the 14th is a day off, too
    with rooms.store.begin() as tx:
        assert tx.ticket(ref).promise.due.astimezone(rooms.house.calendar.zone).date().isoformat() == "2027-03-16"


def test_the_unit_is_warned_and_the_person_told_first_when_a_promise_breaks(rooms: wiring.Rooms, time: Time) -> None:
    talk, ref = filed(rooms)
    tick(rooms, time, datetime(2026, 11, 30, 8, 0, tzinfo=UTC))
    assert names(rooms, talk) == ["utter_filed"]
    with rooms.store.begin() as tx:
        assert [e.verb for e in tx.ticket(ref).history] == ["file", "warn"]
    tick(rooms, time, datetime(2026, 11, 30, 11, 31, tzinfo=UTC))
    assert names(rooms, talk) == ["utter_filed", "notice_break"]
    with rooms.store.begin() as tx:
        assert tx.ticket(ref).promise.due > time.at


def test_a_reply_keeps_the_promise(rooms: wiring.Rooms, time: Time) -> None:
    talk, ref = filed(rooms)
    rooms.house.act(ref, "reply", STAFF, {"text": "نعمل عليها"})
    tick(rooms, time, datetime(2026, 12, 2, 9, 0, tzinfo=UTC))
    assert names(rooms, talk) == ["utter_filed", "notice_reply"]


def test_a_question_waits_is_reminded_and_closes(rooms: wiring.Rooms, time: Time) -> None:
    talk, ref = filed(rooms)
    rooms.house.act(ref, "ask", STAFF, {"text": "كم رقم السجل؟"})
    for day in range(1, 25):
        tick(rooms, time, THURSDAY + timedelta(days=day))
    assert names(rooms, talk) == [
        "utter_filed",
        "notice_ask",
        "notice_remind",
        "notice_remind",
        "notice_close_no_answer",
    ]


def test_what_is_resolved_closes_by_itself_and_may_be_reopened_for_thirty_days(rooms: wiring.Rooms, time: Time) -> None:
    talk, ref = filed(rooms)
    rooms.house.act(ref, "resolve", STAFF, {"text": "تم"})
    for day in range(1, 10):
        tick(rooms, time, THURSDAY + timedelta(days=day))
    assert names(rooms, talk) == ["utter_filed", "notice_resolve", "notice_close_outcome_stands"]
    with rooms.store.begin() as tx:
        ticket = tx.ticket(ref)
    assert "reopen" in rooms.house.overview(ticket)["allowed"]
    time.at += timedelta(days=45)
    assert "reopen" not in rooms.house.overview(ticket)["allowed"]


def test_confidential_words_are_seen_by_internal_audit_alone(rooms: wiring.Rooms) -> None:
    _, ref = filed(rooms, confidential=True)
    with rooms.store.begin() as tx:
        ticket = tx.ticket(ref)
    assert ticket.need_to_know and ticket.unit == rooms.register().internal_audit


def test_no_extension_beyond_a_year(rooms: wiring.Rooms) -> None:
    """A mistyped year is refused at once, and nothing is counted day by day."""
    from bot.tickets.people import Role
    from bot.tickets.ticket import Wrong

    _, ref = filed(rooms)
    senior = Actor("staff", "s", "s", Role.SUPERVISOR)
    for until in ("9990-12-31", "2206-12-15", "9999-12-31"):
        with pytest.raises(Wrong):
            rooms.house.act(ref, "extend", senior, {"until": until, "reason": "زيارة"})


def test_a_second_matter_about_people_keeps_the_whole_from_the_unit_concerned(rooms: wiring.Rooms) -> None:
    """The words are one text: they are filed where the stricter of their two matters belongs."""
    second = {"text": "وموظف التراخيص صرخ علي", "kind": "complaint", "category": "staff_conduct"}
    text = "معاملة الترخيص الصناعي متأخرة. وموظف التراخيص صرخ علي"
    _, ref = filed(rooms, text, service="industrial_licence_new", second=second)
    with rooms.store.begin() as tx:
        ticket = tx.ticket(ref)
    assert ticket.unit != "industrial_licensing" and "industrial_licensing" in ticket.hidden_from


def test_a_notice_does_not_take_the_numbers_of_an_open_draft(rooms: wiring.Rooms) -> None:
    """With a draft open the desk's question has a button of its own, and the draft's question stays."""
    talk, ref = filed(rooms)
    with rooms.store.begin() as tx:
        conversation = tx.conversation(talk)
        conversation.state = {"draft": Draft(kind="inquiry", text="سؤال آخر", stage="confirm").data(), "question": None}
        tx.save_conversation(conversation)
    rooms.house.act(ref, "ask", STAFF, {"text": "كم رقم السجل؟"})
    assert rooms.store.conversation(talk).state["question"] is None
    assert '"do":"answer"' in rooms.store.outgoing(talk)[-1].buttons[0]["payload"]


def test_only_the_person_or_a_senior_makes_a_confidential_ticket_open(rooms: wiring.Rooms) -> None:
    from bot.tickets.people import Role
    from bot.tickets.ticket import NotAllowed

    _, ref = filed(rooms, confidential=True)
    agent = Actor("staff", "s", "s", Role.AGENT)
    with pytest.raises(NotAllowed):
        rooms.house.act(ref, "flag", agent, {"flag": "confidential", "off": True})
