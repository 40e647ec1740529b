"""What SQL shows is what `may_see` says, on random data; and lists are in the order that clerks need."""

from __future__ import annotations

import os
import random
import re
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.handlers.ports import Say
from bot.storage import channels, colleagues, queries, sight
from bot.storage.database import open_engine
from bot.storage.migrations import migrate
from bot.tickets.people import Actor, Role, Staff, may_see
from bot.tickets.taxonomy import Register
from tests.unit.desk.house import NOW, STAFF, Clock, Desk, make

UNITS = ["contact_centre", "industrial_licensing", "internal_audit", "finance"]

SERVER = os.environ.get("SAWT_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432")


@pytest.fixture(params=["sqlite", "postgresql"])
def the_desk(request: pytest.FixtureRequest, desk_of: Any, register: Register) -> Iterator[Desk]:
    """The same desk on both databases; on PostgreSQL where one answers."""
    if request.param == "sqlite":
        yield desk_of()
        return
    try:
        server = psycopg.connect(f"{SERVER}/postgres", autocommit=True, connect_timeout=2)
    except psycopg.OperationalError:
        pytest.skip(f"no PostgreSQL answers at {SERVER}: set SAWT_TEST_POSTGRESQL to run these")
    name = f"sawt_desk_{secrets.token_hex(6)}"
    with server:
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            engine = open_engine(f"{SERVER}/{name}")
            migrate(engine)
            desk = make(engine, register, Clock())
            for person in STAFF.values():
                desk.doors.create_staff(person, "", NOW)
            yield desk
            engine.dispose()
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _random_tickets(the_desk: Any, chance: random.Random, n: int) -> list[Any]:
    made = []
    for _ in range(n):
        unit = chance.choice(UNITS)
        others = [u for u in UNITS if u != unit]
        the_desk.clock.pass_(minutes=chance.randrange(200))
        made.append(
            the_desk.file(
                unit=unit,
                flags={"confidential"} if chance.random() < 0.3 else set(),
                hidden_from=set(chance.sample(others, chance.randrange(3))) if chance.random() < 0.4 else set(),
                readers={chance.choice(["s-agent", "s-agent2", "s-audit", "s-x"])} if chance.random() < 0.4 else set(),
                staff=chance.choice([None, None, "s-agent", "s-agent2", "s-y"]),
                unit_needs_to_know=unit == "internal_audit",
            )
        )
    return made


def test_lists_counts_and_pages_show_exactly_what_may_be_seen(the_desk: Any) -> None:
    chance = random.Random(7)
    tickets = _random_tickets(the_desk, chance, 80)
    people = [*STAFF.values(), Staff("s-y", "y@example.test", "ي", Role.AGENT, "finance", chance.random() < 0.5)]
    people += [
        Staff("s-z", "z@example.test", "ز", Role.AGENT, None, False),
        Staff("s-agent", "", "", Role.AGENT, None, True, active=False),
    ]
    people += [
        Staff("s-x", "", "", role, unit, sees)
        for role in Role
        for unit in (UNITS[chance.randrange(4)], None)
        for sees in (True, False)
    ]
    for staff in people:
        wanted = {t.ref for t in tickets if may_see(staff, t)}
        seen, cursor = [], ""
        while True:
            page = the_desk.queries.tickets(staff, the_desk.clock(), limit=33, cursor=cursor)
            seen += [line.ref for line in page.lines]
            if not page.next:
                break
            cursor = page.next
        assert len(seen) == len(set(seen)) and set(seen) == wanted, staff
        assert the_desk.queries.counts(staff, the_desk.clock()).all == len(wanted)
        for ticket in tickets[:8]:
            assert (the_desk.queries.ticket(ticket.ref, staff, NOW) is not None) == (ticket.ref in wanted)
            assert (the_desk.queries.version(ticket.ref, staff) is not None) == (ticket.ref in wanted)


def test_files_and_what_did_not_arrive_are_shown_to_who_may_see_their_ticket(the_desk: Any) -> None:
    tickets = _random_tickets(the_desk, random.Random(11), 40)
    talk = the_desk.talk("w", "whatsapp")
    files = {the_desk.attach(t, talk, sha256="a" * 64): t for t in tickets}
    for ticket in tickets:
        the_desk.tell(ticket, talk, state="failed", failure="temporary", error="nobody wrote to read it")
    the_desk.tell(tickets[0], talk, state="held")
    the_desk.tell(tickets[0], talk)
    for staff in [*STAFF.values(), Staff("s-agent", "", "", Role.AGENT, None, True, active=False)]:
        wanted = {t.ref for t in tickets if may_see(staff, t)}
        assert {t.ref for id, t in files.items() if the_desk.queries.file(id, staff)} == wanted, staff
        lost = the_desk.queries.lost_tickets(staff, NOW - timedelta(days=1), limit=100)
        assert {each.ref for each in lost} == wanted and len(lost) == len(wanted), staff
    waiting = the_desk.queries.waiting()["whatsapp"]
    assert (waiting.unsent, waiting.oldest, waiting.held) == (1, the_desk.clock(), 1)
    assert the_desk.queries.lost(NOW - timedelta(days=1)) == {"whatsapp": {"temporary": len(tickets)}}
    the_desk.queue.set_aside("twilio", b"x", "KeyError", NOW)
    [aside] = the_desk.queries.aside()
    assert (aside.provider, aside.reason, aside.times, aside.at) == ("twilio", "KeyError", 1, NOW)
    assert the_desk.doors.aside_seen(aside.id, NOW) and not the_desk.doors.aside_seen(0, NOW)
    assert the_desk.queries.aside() == []


def test_a_program_sees_confidential_tickets_only_with_the_scope(the_desk: Any) -> None:
    tickets = _random_tickets(the_desk, random.Random(3), 60)
    page = the_desk.queries.tickets(None, the_desk.clock(), limit=200)
    assert {line.ref for line in page.lines} == {t.ref for t in tickets if not t.need_to_know}
    page = the_desk.queries.tickets(None, the_desk.clock(), limit=200, confidential=True)
    assert {line.ref for line in page.lines} == {t.ref for t in tickets}


def test_late_first_then_the_next_to_break_then_those_without_a_running_promise(the_desk: Any) -> None:
    late = the_desk.file("الأقدم")
    the_desk.clock.pass_(days=6)
    answered = the_desk.file("أجبنا")
    soon = the_desk.file("قريب", kind="complaint")
    later = the_desk.file("بعيد", kind="suggestion", category="digital_service")
    asked = the_desk.file("سألنا")
    ended = the_desk.file("انتهى")
    agent = STAFF["agent2"]
    for ticket, verb in ((answered, "reply"), (asked, "ask"), (ended, "resolve")):
        the_desk.house.act(ticket.ref, verb, agent.actor(), {"text": "نص"}, staff=agent)
    page = the_desk.queries.tickets(agent, the_desk.clock())
    assert [line.ref for line in page.lines][:3] == [late.ref, soon.ref, later.ref]
    assert {line.ref for line in page.lines[3:5]} == {answered.ref, asked.ref} and page.lines[5].ref == ended.ref
    assert page.lines[0].late_since == late.promise.due and page.lines[1].late_since is None
    assert the_desk.queries.counts(agent, the_desk.clock()).late == 1


def test_a_broken_promise_stays_late_though_a_second_date_was_told(the_desk: Any) -> None:
    ticket, fresh = the_desk.file(), None
    the_desk.clock.at = ticket.promise.due + timedelta(minutes=5)
    fresh = the_desk.file()
    assert "break" in the_desk.house.tick(ticket.ref)
    assert the_desk.stored(ticket.ref).promise.due > the_desk.clock()
    line = the_desk.queries.tickets(STAFF["agent2"], the_desk.clock()).lines[0]
    assert line.ref == ticket.ref != fresh.ref and line.late_since == the_desk.clock(), "late since we said so"


def test_search_finds_references_in_any_digits_and_words_in_any_spelling(the_desk: Any) -> None:
    ticket = the_desk.file("الإنارة مُعطّلة في الشارع ١٠٠٪")
    the_desk.file("شيء آخر")
    arabic = ticket.ref.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    shown = f"{ticket.ref[:4]} {ticket.ref[4:8]} {ticket.ref[8:]}"
    for q in (ticket.ref, shown, arabic, ticket.ref[:6], "الانارة", "معطله", "شارع الإناره", "100"):
        assert [line.ref for line in the_desk.queries.tickets(STAFF["agent2"], NOW, q=q).lines] == [ticket.ref], q
    for q in ("لا وجود له", "%", "_", "\\", "الإنارة%معطلة"):
        expected = [ticket.ref] if q == "%" else []  # ٪ folds to %
        assert [line.ref for line in the_desk.queries.tickets(STAFF["agent2"], NOW, q=q).lines] == expected, q


def test_a_conversation_shows_only_what_concerns_the_ticket(the_desk: Any) -> None:
    """A second matter in the same chat, a complaint about this reader's own unit, must never show beside the first."""
    talk = the_desk.talk()
    the_desk.write(talk, "معاملتي متأخرة", "turn-a")
    the_desk.clock.pass_(minutes=1)
    first = the_desk.file("معاملتي متأخرة", talk)
    the_desk.clock.pass_(minutes=5)
    the_desk.write(talk, "والموظف خالد عاملني بسوء", "turn-b")  # still a draft: no ticket yet
    whole = the_desk.queries.ticket(first.ref, STAFF["agent2"], the_desk.clock())
    assert [m.text for m in whole.messages if not m.to_person] == ["معاملتي متأخرة"]
    assert [m.by for m in whole.messages if m.to_person] == ["utter_filed"]
    the_desk.clock.pass_(minutes=1)
    second = the_desk.file(
        "والموظف خالد عاملني بسوء",
        talk,
        category="staff_conduct",
        unit="contact_centre",
        hidden_from={"industrial_licensing"},
    )
    the_desk.clock.pass_(minutes=1)
    agent = STAFF["agent"]
    the_desk.house.act(second.ref, "reply", agent.actor(), {"text": "نأسف لذلك"}, staff=agent)
    the_desk.house.act(first.ref, "reply", agent.actor(), {"text": "صدرت رخصتك"}, staff=agent)
    told = the_desk.queries.ticket(first.ref, STAFF["agent2"], the_desk.clock())
    words = " ".join(m.text for m in told.messages)
    assert "صدرت رخصتك" in words and "بسوء" not in words and "نأسف" not in words
    the_desk.clock.pass_(minutes=1)
    the_desk.write(talk, "شكرًا وصلتني الرخصة", "turn-c")
    the_desk.house.act(first.ref, "add", Actor("beneficiary", talk.contact), {"text": "شكرًا"}, turn="turn-c")
    with the_desk.store.begin() as tx:
        added = Say("utter_added_to_ticket", "turn-c:1", {"ref": first.ref, "unit": first.unit})
        tx.say(tx.conversation(talk.id), "turn-c", added, the_desk.clock())
    told = the_desk.queries.ticket(first.ref, STAFF["agent2"], the_desk.clock())
    assert [m.text for m in told.messages if not m.to_person][-1] == "شكرًا وصلتني الرخصة", "added, as it was written"
    other = " ".join(m.text for m in the_desk.queries.ticket(second.ref, agent, the_desk.clock()).messages)
    assert "بسوء" in other and "نأسف" in other and "متأخرة" not in other and "صدرت" not in other


def test_queries_only_read_and_never_build_sql_from_text() -> None:
    source = "".join(Path(str(m.__file__)).read_text(encoding="utf-8") for m in (queries, channels, colleagues, sight))
    for word in ("insert(", "update(", "delete(", ".begin(", "text(", "exec_driver_sql", "import insert"):
        assert not re.search(rf"(?<![\w.]){re.escape(word)}" if word[0] != "." else re.escape(word), source), word
