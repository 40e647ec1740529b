"""What the store promises, on both databases."""

from __future__ import annotations

import inspect
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select, text, update
from sqlalchemy.exc import IntegrityError

from bot.handlers.ports import Conversation, Say, Stale, Store, Transaction, Unavailable
from bot.storage.crypto import Secrets, WrongKey
from bot.storage.database import open_engine
from bot.storage.store import SqlStore, SqlTransaction
from bot.storage.tables import contacts, conversations, inbox, outbox, storable, tickets
from bot.tickets.people import SYSTEM
from channels.contract import Address
from tests.contract.house import AGENT, NOW, PERSON, House, new_ticket
from tests.invariants import check


def at_once(n: int, work: Any) -> list[Any]:
    """The results of n threads that start together."""
    barrier = threading.Barrier(n)

    def one(i: int) -> Any:
        barrier.wait()
        return work(i)

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(one, range(n)))


# Conversations


def test_a_conversation_comes_back_as_it_was_saved(house: House) -> None:
    talk = house.talk()
    talk.language, talk.language_chosen, talk.menu = "zh", True, True
    talk.notice_version, talk.notice_at, talk.stopped_at, talk.last_in_at = "3", NOW, NOW, NOW
    talk.state = {"draft": {"text": "س"}, "question": None}
    talk.buttons = [{"title": "نعم", "payload": "/press{}"}]
    talk.dialogue, talk.dialogue_at, talk.dialogue_events = "d-1", NOW, 7
    with house.begin() as tx:
        tx.save_conversation(talk)
    with house.begin() as tx:
        assert tx.conversation("t-1") == talk
        assert tx.conversation_at(talk.address) == talk
        assert tx.conversations_of("c-1") == [talk]
        assert tx.conversation("nobody") is None
        assert tx.conversation_at(Address("web", "nobody")) is None
    assert house.conversation("t-1") == talk


def test_addresses_differ_by_scheme_and_account(house: House) -> None:
    house.talk("t-1", "whatsapp", identifier="+966500000001")
    house.talk("t-2", "sms", identifier="+966500000001")
    with house.begin() as tx:
        assert tx.conversation_at(Address("sms", "+966500000001", "+96611")).id == "t-2"
        assert tx.conversation_at(Address("sms", "+966500000001", "+96612")) is None
        assert len(tx.conversations_of("c-1")) == 2


def test_one_conversation_and_one_message_of_a_new_address_that_writes_twenty_times_at_once(house: House) -> None:
    address = Address("whatsapp", "+966501234567", "+96611")

    def arrive(i: int) -> bool:
        with house.begin() as tx:
            talk = tx.conversation_at(address)
            if talk is None:
                talk = Conversation(f"t-{i}", f"c-{i}", address, NOW)
                tx.add_conversation(talk)
            return tx.receive(talk.id, "SM1", "السلام عليكم", None, NOW) is not None

    assert sum(at_once(20, arrive)) == 1
    assert house.counts() | {"conversations": 1, "contacts": 1, "inbox": 1} == house.counts()


def test_an_address_is_not_in_the_database_in_the_clear(house: House, tmp_path: Path) -> None:
    house.talk("t-1", "whatsapp", identifier="+966509876543")
    with house.read() as connection:
        row = connection.execute(select(conversations)).mappings().one()
    assert b"9876543" not in row["address_enc"] and "9876543" not in str(dict(row))
    assert house.secrets.decrypt(row["address_enc"]) == "+966509876543"
    for file in tmp_path.glob("house.sqlite3*"):
        assert b"9876543" not in file.read_bytes(), file


def test_sessions_of_an_older_generation_are_void(house: House) -> None:
    house.talk()
    assert house.session_generation("t-1") == 0
    with house.begin() as tx:
        assert tx.end_sessions("t-1") == 1
    assert house.session_generation("t-1") == 1
    assert house.session_generation("nobody") is None


# What comes in


def test_the_same_message_fifty_times_from_twenty_threads_is_stored_once(house: House) -> None:
    house.talk()

    def deliver(_: int) -> int:
        return sum(house.write("t-1", "مرحبا", "SM1") is not None for _ in range(50))

    assert sum(at_once(20, deliver)) == 1
    assert house.counts()["inbox"] == 1
    assert house.woken == [frozenset({"t-1"})]


def test_messages_of_one_conversation_are_numbered_without_gaps(house: House) -> None:
    house.talk()
    house.talk("t-2", contact="c-2")

    def deliver(i: int) -> list[int]:
        return [house.write(f"t-{1 + i % 2}", f"{i}/{j}").seq for j in range(10)]

    seqs = at_once(12, deliver)
    assert sorted(seq for one in seqs[0::2] for seq in one) == list(range(1, 61))
    assert all(one == sorted(one) for one in seqs), "each sender's own order is kept"
    with house.begin() as tx:
        assert [m.seq for m in tx.waiting("t-2")] == list(range(1, 61))
    assert check(house.engine) == []


def test_a_turn_has_its_rows_until_they_reach_an_end(house: House, clock: Any) -> None:
    talk = house.talk()
    first, second, third = (house.write("t-1", words) for words in ("واحد", "اثنان", "ثلاثة"))
    assert (first.text, first.payload, first.attempts, first.received_at) == ("واحد", None, 0, NOW)
    with house.begin() as tx:
        assert tx.waiting("t-1") == [first, second, third]
        assert tx.unfinished_turn("t-1") is None
        tx.start_turn([first.id, second.id], "turn-1", NOW)
    with house.begin() as tx:
        assert [m.attempts for m in tx.waiting("t-1")] == [1, 1, 0]
        assert tx.unfinished_turn("t-1") == ("turn-1", [first.id, second.id])
        assert not tx.has_spoken("t-1", "turn-1")
        tx.say(talk, "turn-1", Say("utter_hello", "turn-1:1"), NOW)
        assert tx.has_spoken("t-1", "turn-1") and not tx.has_spoken("t-1", "turn-2")
        tx.finish([first.id, second.id], "done", {"intent": {"name": "greet"}}, vector=b"\x01\xff")
    with house.begin() as tx:
        assert [m.id for m in tx.waiting("t-1")] == [third.id]
        tx.finish([third.id], "menu", reason="assistant down")
        tx.finish([], "done")
    with house.begin() as tx:
        tx.start_turn([third.id], "turn-late", NOW)
        tx.finish([third.id], "done")
        assert tx.waiting("t-1") == []
        with pytest.raises(ValueError, match="no end"):
            tx.finish([third.id], "waiting")
    with house.read() as connection:
        rows = connection.execute(text("SELECT state, turn, reason, vector FROM inbox ORDER BY id")).all()
    assert rows == [
        ("done", "turn-1", "", None), ("done", "turn-1", "", b"\x01\xff"), ("menu", None, "assistant down", None),
    ]  # fmt: skip
    assert check(house.engine) == []


def test_a_turn_that_reached_nobody_was_not_begun(house: House) -> None:
    house.talk()
    came, over = house.write("t-1", "مرحبا"), house.write("t-1", "أهلا")
    with house.begin() as tx:
        tx.start_turn([came.id, over.id], "turn-1", NOW)
        tx.finish([over.id], "failed", reason="test")
        tx.wait_again([came.id, over.id])
        assert tx.waiting("t-1") == [came] and tx.unfinished_turn("t-1") is None


# What is told


def test_a_key_is_said_once_in_a_conversation(house: House) -> None:
    talk, other = house.talk(), house.talk("t-2", contact="c-2")

    def tell(_: int) -> bool:
        with house.begin() as tx:
            return tx.say(tx.conversation("t-1"), "turn-1", Say("utter_hello", "k"), NOW)

    assert sum(at_once(20, tell)) == 1
    with house.begin() as tx:
        assert tx.say(other, "turn-2", Say("utter_hello", "k"), NOW)
        assert not tx.say(talk, "turn-3", Say("utter_other", "k"), NOW)
    assert check(house.engine) == []


def test_what_is_said_is_rendered_in_the_persons_language_and_its_buttons_are_remembered(house: House) -> None:
    talk = house.talk()
    buttons = [{"title": "yes", "payload": '/press{"do":"file"}'}]
    with house.begin() as tx:
        tx.say(talk, "turn-1", Say("utter_confirm", "a", {"kind": "شكوى"}, buttons), NOW)
        talk.language = "en"
        tx.save_conversation(talk)
        tx.say(talk, None, Say("utter_notice", "b", notice=True, ref="6821093659"), NOW)
        assert tx.conversation("t-1").buttons == [{"title": "ar yes", "payload": '/press{"do":"file"}'}]
    said = house.outgoing("t-1")
    assert [(s.seq, s.text, s.language, s.notice, s.ref) for s in said] == [
        (1, "ar utter_confirm kind=شكوى", "ar", False, None),
        (2, "en utter_notice", "en", True, "6821093659"),
    ]
    assert said[0].buttons == talk.buttons == house.conversation("t-1").buttons
    assert [s.seq for s in house.outgoing("t-1", 1)] == [2] and house.outgoing("t-1", 2) == []


def test_the_web_is_told_by_being_stored_and_others_are_sent_to(house: House) -> None:
    for scheme, state in (("web", "sent"), ("whatsapp", "created")):
        talk = house.talk(f"t-{scheme}", scheme, f"c-{scheme}")
        with house.begin() as tx:
            tx.say(talk, None, Say("utter_notice", "n", notice=True), NOW)
        with house.read() as connection:
            row = connection.execute(select(outbox).where(outbox.c.conversation == talk.id)).mappings().one()
        assert (row["state"], row["sent_at"]) == (state, NOW if state == "sent" else None)


def test_a_button_is_known_by_the_payload_under_which_it_was_offered(house: House) -> None:
    talk = house.talk()
    for n in range(3):
        with house.begin() as tx:
            buttons = [{"title": f"yes {n}", "payload": f"/press{n}"}, {"title": "no", "payload": "/no"}]
            tx.say(talk, None, Say("utter_confirm", str(n), {}, buttons if n < 2 else ()), NOW)
    with house.begin() as tx:
        assert tx.offered("t-1", "/press0", 3) == "ar yes 0"
        assert tx.offered("t-1", "/press0", 2) is None and tx.offered("t-1", "/press9", 60) is None


def test_who_asked_for_no_notices_gets_answers_only(house: House) -> None:
    talk = house.talk()
    talk.stopped_at = NOW
    with house.begin() as tx:
        tx.say(talk, None, Say("utter_notice", "n", notice=True), NOW)
        tx.say(talk, "turn-1", Say("utter_answer", "a"), NOW)
    assert [(s.seq, s.name) for s in house.outgoing("t-1")] == [(2, "utter_answer")]
    assert check(house.engine) == []


def test_a_stream_never_sees_a_number_before_the_one_below_it(house: House) -> None:
    house.talk()
    done, seen = threading.Event(), []

    def watch() -> None:
        while not (last := done.is_set()) or not seen or house.outgoing("t-1", seen[-1]):
            seen.extend(s.seq for s in house.outgoing("t-1", seen[-1] if seen else 0))
            if last and len(seen) >= 60:
                return

    watcher = threading.Thread(target=watch)
    watcher.start()

    def tell(i: int) -> None:
        for j in range(10):
            with house.begin() as tx:
                tx.say(tx.conversation("t-1"), None, Say("utter_n", f"{i}:{j}"), NOW)

    at_once(6, tell)
    done.set()
    watcher.join(10)
    assert seen == list(range(1, 61))


def test_a_transcript_reads_as_it_happened(house: House, clock: Any) -> None:
    talk = house.talk()
    house.write("t-1", "مرحبا")
    with house.begin() as tx:
        tx.say(talk, "turn-1", Say("utter_hello", "1"), clock())
    clock.forward(seconds=5)
    house.write("t-1", "", payload='/press{"do":"file"}')
    lines = house.transcript("t-1")
    assert [(line.out, line.text, line.payload) for line in lines] == [
        (False, "مرحبا", None), (True, "ar utter_hello", None), (False, "", '/press{"do":"file"}'),
    ]  # fmt: skip
    assert house.transcript("t-1", last=1) == lines[-1:]


def test_staff_are_told_in_the_same_transaction(house: House) -> None:
    with house.begin() as tx:
        tx.staff_tell("6821093659", "filed", "roads", None, NOW, {"kind": "complaint"})
    with house.read() as connection:
        assert connection.execute(text("SELECT ref, about, unit, staff, seen_at FROM desk_notices")).all() == [
            ("6821093659", "filed", "roads", None, None)
        ]


# The assistant's memory


def test_the_dialogue_is_kept_in_order(house: House) -> None:
    events = [{"event": "user", "text": "مرحبا", "parse_data": {"x": [1, 2.5, None, True]}}, {"event": "bot"}]
    with house.begin() as tx:
        tx.add_events("d-1", 0, events)
        tx.add_events("d-1", 2, [{"event": "slot"}])
        tx.add_events("d-1", 3, [])
        assert tx.events("d-1") == [*events, {"event": "slot"}]
        assert tx.events("d-2") == []
    assert house.events("d-1") == [*events, {"event": "slot"}]
    with pytest.raises(IntegrityError), house.begin() as tx:
        tx.add_events("d-1", 2, [{"event": "other"}])


# Tickets


def test_a_ticket_comes_back_with_its_whole_history(house: House) -> None:
    talk = house.talk()
    ticket = house.file(talk=talk, turn="turn-1")
    ticket.apply("assign", AGENT, NOW + timedelta(hours=1), staff="s-1")
    ticket.apply("resolve", AGENT, NOW + timedelta(hours=2), text="أُصلحت الإنارة")
    with house.begin() as tx:
        tx.save_ticket(ticket, 1)
        tx.say(talk, None, Say("utter_resolved", f"{ticket.ref}:3", notice=True, ref=ticket.ref), NOW)
    with house.begin() as tx:
        assert tx.ticket(ticket.ref) == ticket
        assert tx.ticket_of_turn("turn-1") == ticket and tx.ticket_of_turn("turn-2") is None
        assert tx.ticket("6000000000") is None
    with house.read() as connection:
        row = connection.execute(select(tickets)).mappings().one()
    assert (row["urgent"], row["confidential"], row["need_to_know"]) == (True, False, False)
    assert (row["promised_for"], row["answered_at"]) == (NOW + timedelta(days=2), NOW + timedelta(hours=2))
    assert (row["closed_at"], row["due_at"], row["version"]) == (NOW + timedelta(hours=2), None, 3)
    assert row["text_folded"] == "الانارة معطلة" or row["text_folded"] == "الإنارة معطلة".replace("إ", "ا")
    assert check(house.engine) == []


def test_what_was_added_is_found_and_reopening_takes_the_answer_back(house: House) -> None:
    ticket = house.file()
    ticket.apply("resolve", AGENT, NOW + timedelta(hours=1), text="تم")
    ticket.apply("reopen", PERSON, NOW + timedelta(hours=2), reason="لم تُصلح", promise=ticket.promise)
    ticket.apply("add", PERSON, NOW + timedelta(hours=3), text="قرب المدرسة")
    with house.begin() as tx:
        tx.save_ticket(ticket, 1)
    with house.read() as connection:
        row = connection.execute(select(tickets)).mappings().one()
    assert "قرب المدرسة" in row["text_folded"]
    assert (row["answered_at"], row["closed_at"], row["due_at"]) == (None, None, ticket.promise.due)


def test_a_reference_that_is_taken_is_refused_and_the_transaction_goes_on(house: House) -> None:
    house.file("6821093659")
    with house.begin() as tx:
        assert not tx.add_ticket(new_ticket("6821093659", words="أخرى"), "turn-2")
        assert tx.add_ticket(new_ticket("6821093660", words="أخرى"), "turn-2")
    assert house.counts()["tickets"] == 2 and house.counts()["entries"] == 2


def test_a_turn_files_at_most_one_ticket(house: House) -> None:
    house.file("6821093659", turn="turn-1")
    with pytest.raises(IntegrityError), house.begin() as tx:
        tx.add_ticket(new_ticket("6821093660"), "turn-1")
    assert house.counts()["tickets"] == 1


def test_tickets_of_a_contact_are_newest_first_and_nobody_elses(house: House) -> None:
    talk = house.talk()
    house.file("6821093659", talk)
    later = new_ticket("6821093660", talk)
    later.opened_at += timedelta(hours=1)
    with house.begin() as tx:
        tx.add_ticket(later, None)
    house.file("6821093661", house.talk("t-2", contact="c-2"))
    with house.begin() as tx:
        assert [(t.ref, t.version) for t in tx.tickets_of("c-1")] == [("6821093660", 1), ("6821093659", 1)]
        assert tx.tickets_of("nobody") == []


def test_who_saw_an_older_version_is_told_so(house: House) -> None:
    house.file()
    with house.begin() as tx:
        mine, theirs = tx.ticket("6821093659"), tx.ticket("6821093659")
    mine.apply("note", AGENT, NOW, text="أنا")
    theirs.apply("note", AGENT, NOW, text="هم")
    with house.begin() as tx:
        tx.save_ticket(mine, 1)
    with pytest.raises(Stale) as stale, house.begin() as tx:
        tx.save_ticket(theirs, 1)
    assert (stale.value.ref, stale.value.current) == ("6821093659", 2)
    with house.begin() as tx:
        assert [e.said.get("text") for e in tx.ticket("6821093659").history][1:] == ["أنا"]


def test_no_update_of_ten_who_change_one_ticket_at_once_is_lost(house: House) -> None:
    talk = house.talk()
    house.file(talk=talk)

    def note(i: int) -> None:
        for _ in range(3):
            with house.begin() as tx:
                ticket = tx.ticket("6821093659")
                version = ticket.version
                ticket.apply("ask" if version % 2 else "reply", AGENT, NOW, text=str(i))
                tx.save_ticket(ticket, version)
                tx.say(tx.conversation("t-1"), None, Say("utter_told", f"{ticket.ref}:{ticket.version}"), NOW)

    at_once(10, note)
    with house.begin() as tx:
        assert tx.ticket("6821093659").version == 31
    assert check(house.engine) == []


def test_tickets_whose_clock_has_something_to_do(house: House) -> None:
    house.file("6821093659")
    house.file("6821093660")
    with house.begin() as tx:
        tx.set_due("6821093659", NOW + timedelta(hours=1))
        assert tx.due(NOW + timedelta(days=9)) == ["6821093659", "6821093660"]
        assert tx.due(NOW + timedelta(days=9), limit=1) == ["6821093659"]
        assert tx.due(NOW + timedelta(hours=1)) == []
        ticket = tx.ticket("6821093660")
        ticket.apply("close", SYSTEM, NOW, reason="silence")
        tx.save_ticket(ticket, 1)
        assert tx.due(NOW + timedelta(days=9)) == ["6821093659"]


# Once only, and not too often


def test_guesses_are_counted_since_a_moment(house: House) -> None:
    with house.begin() as tx:
        for minute in (0, 10, 20):
            tx.guessed("c-1", NOW + timedelta(minutes=minute))
        assert tx.guesses("c-1", NOW) == 3
        assert tx.guesses("c-1", NOW + timedelta(minutes=1)) == 2
        assert tx.guesses("c-2", NOW) == 0


def test_one_of_ten_equal_requests_acts_and_the_others_get_its_answer(house: House) -> None:
    def ask(i: int) -> Any:
        with house.begin() as tx:
            if (answer := tx.remembered("p-1/k")) is None:
                tx.guessed("acted", NOW)
                answer = {"ref": f"number {i}"}
                tx.remember("p-1/k", answer, NOW)
            return answer

    answers = at_once(10, ask)
    assert all(answer == answers[0] for answer in answers)
    assert house.counts()["guesses"] == 1


# All or nothing


def a_turn_that_files(house: House) -> None:
    """Inbox, ticket, history, reply, notice, dialogue and the conversation, in one transaction."""
    with house.begin() as tx:
        talk = tx.conversation("t-1")
        came = tx.receive("t-1", "SM1", "الإنارة معطلة", None, NOW)
        tx.start_turn([came.id], "turn-1", NOW)
        ticket = new_ticket(talk=talk)
        assert tx.add_ticket(ticket, "turn-1")
        tx.say(talk, "turn-1", Say("utter_filed", f"{ticket.ref}:1", {"ref": ticket.ref}, ref=ticket.ref), NOW)
        tx.staff_tell(ticket.ref, "filed", "roads", None, NOW, {})
        tx.add_events("d-1", 0, [{"event": "user"}, {"event": "bot"}])
        talk.dialogue, talk.dialogue_events = "d-1", 2
        tx.save_conversation(talk)
        tx.finish([came.id], "done", {"intent": "complaint"})


def test_whatever_statement_fails_nothing_of_it_is_there(house: House) -> None:
    talk = house.talk()
    before, woken = house.counts(), len(house.woken)
    countdown = [0]

    def fail(*_: Any) -> None:
        countdown[0] -= 1
        if countdown[0] == 0:
            raise RuntimeError("this statement fails")

    event.listen(house.engine, "before_cursor_execute", fail)
    try:
        for n in range(1, 100):
            countdown[0] = n
            try:
                a_turn_that_files(house)
            except RuntimeError:
                countdown[0] = 0
                assert house.counts() == before, f"statement {n} failed, and something stayed"
                assert house.conversation("t-1") == talk and len(house.woken) == woken
            else:
                break
    finally:
        event.remove(house.engine, "before_cursor_execute", fail)
    assert n > 10, "the turn has more statements than that"
    assert house.counts()["tickets"] == 1 and check(house.engine) == []


def test_a_failing_listener_does_not_undo_what_is_committed(house: House) -> None:
    def broken(_: frozenset[str]) -> None:
        raise RuntimeError("nobody listens")

    house.talk()
    house._on_commit = broken
    house.write("t-1", "مرحبا")
    assert house.counts()["inbox"] == 1


DIES = """
import os, sys
from tests.contract.house import House, NOW
from tests.contract.test_storage import a_turn_that_files
from bot.storage.crypto import Secrets
from bot.storage.database import open_engine
house = House(open_engine(sys.argv[1]), Secrets("a secret key that only the tests know"), lambda: NOW)
house.due = lambda ticket: None
real = house.begin
from contextlib import contextmanager
@contextmanager
def begin():
    with real() as tx:
        yield tx
        tx.settle()
        print("ready", flush=True)
        sys.stdin.read()
house.begin = begin
a_turn_that_files(house)
"""


def test_a_process_that_is_killed_before_its_commit_leaves_nothing(house: House) -> None:
    house.talk()
    before = house.counts()
    url = house.engine.url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-c", DIES, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    assert house.counts() == before, "nobody sees what is not committed"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()
    assert house.counts() == before
    a_turn_that_files(house)
    assert check(house.engine) == []


# Whatever is written


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(-1e9, 1e9).map(lambda x: round(x, 6))
    | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


def stored(value: Any) -> Any:
    """The value as a database gives it back."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [stored(v) for v in value]
    return {storable(k): stored(v) for k, v in value.items()} if isinstance(value, dict) else value


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(words=ANY_TEXT, more=ANY_TEXT, value=ANY_JSON)
def test_any_text_comes_back(house: House, words: str, more: str, value: Any) -> None:
    with house.begin() as tx:
        talk = tx.conversation("t-any")
        if talk is None:
            talk = Conversation("t-any", "c-any", Address("web", "any"), NOW)
            tx.add_conversation(talk)
        came = tx.receive("t-any", os.urandom(8).hex() + more, words, more, NOW)
        assert came == next(m for m in reversed(tx.waiting("t-any")) if m.id == came.id)
        assert (came.text, came.payload) == (storable(words), storable(more))
        talk.state = {"any": value}
        tx.save_conversation(talk)
        tx.add_events("d-any", len(tx.events("d-any")), [{"any": value}])
    assert stored(house.conversation("t-any").state) == stored({"any": value})
    with house.begin() as tx:
        assert tx.events("d-any")[-1] == stored({"any": value})
        tx.say(talk, None, Say(words, os.urandom(8).hex() + words, {"p": value}), NOW)


def test_nul_and_lone_surrogates_never_reach_the_database(house: House) -> None:
    house.talk(identifier="a\0b\ud800")
    came = house.write("t-1", "قبل\0بعد \ud83d \U0001f600", payload="\0")
    assert came.text == "قبلبعد \ufffd \U0001f600" and came.payload == ""
    assert house.conversation("t-1").address.identifier == "a\0b\ud800"
    assert storable("a\0\udfff") == "a\ufffd" and storable("سلام") == "سلام"


def test_times_come_back_aware_in_utc_and_in_order(house: House) -> None:
    riyadh = timezone(timedelta(hours=3))
    moments = [NOW.astimezone(riyadh), NOW + timedelta(microseconds=1), datetime(2026, 11, 25, 9, tzinfo=UTC)]
    with house.begin() as tx:
        for i, moment in enumerate(moments):
            tx.add_conversation(Conversation(f"t-{i}", f"c-{i}", Address("web", str(i)), moment))
    with house.read() as connection:
        found = connection.execute(select(contacts.c.created_at).order_by(contacts.c.created_at)).scalars().all()
        equal = connection.scalar(select(contacts.c.id).where(contacts.c.created_at == NOW))
    assert found == sorted(moments) and {moment.tzinfo for moment in found} == {UTC}
    assert equal == "c-0"
    with pytest.raises(Exception, match="no time zone"), house.begin() as tx:
        tx.guessed("c-1", datetime(2026, 11, 25))


# When the database cannot


def test_a_full_disk_refuses_and_is_forgotten_once_there_is_room(house: House) -> None:
    if house.engine.dialect.name != "sqlite":
        pytest.skip("PRAGMA max_page_count is SQLite's way to be full")
    house.talk()
    with house.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=120")
    with pytest.raises(Unavailable, match="full") as full:
        for _ in range(1000):
            house.write("t-1", "كلام كثير " * 400)
    assert full.value.__cause__ is not None
    stored_before = house.counts()["inbox"]
    with pytest.raises(Unavailable):
        house.write("t-1", "كلام كثير " * 4000)
    with house.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=100000")
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    assert house.write("t-1", "كلام كثير " * 4000) is not None
    assert house.counts()["inbox"] == stored_before + 1 and check(house.engine) == []


def test_a_locked_file_refuses_in_time_and_recovers(house: House) -> None:
    if house.engine.dialect.name != "sqlite":
        pytest.skip("files are locked by SQLite only")
    house.talk()
    engine = open_engine(house.engine.url.render_as_string(), patience=0.2)
    hasty = House(engine, house.secrets, house.clock)
    other = sqlite3.connect(house.engine.url.database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unavailable, match="locked"):
        hasty.write("t-1", "مرحبا")
    assert hasty.conversation("t-1") is not None, "reading goes on"
    other.execute("ROLLBACK")
    other.close()
    assert hasty.write("t-1", "مرحبا").seq == 1
    engine.dispose()


def test_threads_queue_for_the_one_writer_and_give_up_in_time(house: House) -> None:
    if house.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL has many writers")
    house.talk()
    house.writers._patience = 0.2
    with house.begin(), ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(house.write, "t-1", "مرحبا") for _ in range(3)]
        assert all(isinstance(w.exception(), Unavailable) for w in waiting)
    assert house.write("t-1", "مرحبا").seq == 1


def test_a_server_that_goes_away_refuses_and_recovers(house: House) -> None:
    if house.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no server")
    house.talk()
    with pytest.raises(Unavailable), house.begin() as tx:
        tx.receive("t-1", "SM1", "مرحبا", None, NOW)
        pid = tx.connection.scalar(text("SELECT pg_backend_pid()"))
        with house.engine.connect() as connection:
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        tx.receive("t-1", "SM2", "مرحبا", None, NOW)
    assert house.counts()["inbox"] == 0
    assert house.write("t-1", "مرحبا", "SM1").seq == 1


def test_no_server_at_all_is_unavailable() -> None:
    engine = open_engine("postgresql://postgres@127.0.0.1:1/none", patience=1)
    house = House(engine, Secrets("a secret key that only the tests know"), lambda: NOW)
    with pytest.raises(Unavailable, match="down"):
        house.write("t-1", "مرحبا")


def test_a_mistake_in_a_statement_is_not_called_unavailable(house: House) -> None:
    with pytest.raises(Exception, match="nowhere") as mistake, house.begin() as tx:
        tx.connection.execute(text("SELECT * FROM nowhere"))
    assert not isinstance(mistake.value, Unavailable)


def test_a_database_is_a_file_or_a_server() -> None:
    for url in ("sqlite://", "sqlite:///:memory:", "mysql://x"):
        with pytest.raises(ValueError):
            open_engine(url)


def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/no/such/folder/house.sqlite3")
    with pytest.raises(Unavailable, match="cannot be opened"):
        House(engine, Secrets("a secret key that only the tests know"), lambda: NOW).write("t-1", "مرحبا")


def test_a_transaction_within_a_transaction_is_a_mistake_and_says_so(house: House) -> None:
    with pytest.raises(RuntimeError, match="is open in this thread"), house.begin(), house.begin():
        pass
    house.talk()


def test_the_store_has_what_the_ports_ask_for() -> None:
    for port, ours in ((Transaction, SqlTransaction), (Store, SqlStore)):
        for name, asked in inspect.getmembers(port, inspect.isfunction):
            if not name.startswith("_"):
                given = inspect.signature(getattr(ours, name)).parameters
                wanted = inspect.signature(asked).parameters
                assert list(given)[: len(wanted)] == list(wanted), name
                assert [p.default for p in given.values()][: len(wanted)] == [p.default for p in wanted.values()], name


# Secrets


def test_secrets_need_their_key() -> None:
    ours, others = Secrets("one secret key, long enough"), Secrets("another secret key, long enough")
    sealed = ours.encrypt("+966501234567")
    assert ours.decrypt(sealed) == "+966501234567" and sealed != ours.encrypt("+966501234567")
    for broken in (sealed[:-1] + bytes([sealed[-1] ^ 1]), b"\x02" + sealed[1:], b""):
        with pytest.raises(WrongKey):
            ours.decrypt(broken)
    with pytest.raises(WrongKey):
        others.decrypt(sealed)
    assert ours.digest("x") == ours.digest("x") != others.digest("x")
    assert ours.digest("x", "receipt") != ours.digest("x", "token")
    with pytest.raises(ValueError, match="SECRET_KEY"):
        Secrets("short")


# The checker itself


BREAKS = {
    "counted": update(conversations).values(seq_out=9),
    "no entry that files": text("DELETE FROM entries"),
    "backwards|table says|possible": text("UPDATE entries SET verb = 'implement' WHERE seq = 2"),
    "its last entry says": update(tickets).values(state="closed"),
    "did not say so": text("UPDATE outbox SET key = 'other' WHERE seq = 1"),
    "there is no such ticket": text("UPDATE outbox SET ref = '6000000000'"),
    "is at version": update(tickets).values(version=7),
    "said nothing and filed nothing": text("UPDATE inbox SET turn = 'another'"),
    "finished at": text("UPDATE inbox SET state = 'waiting'"),
    "without a reason": text("UPDATE inbox SET state = 'failed', reason = ''"),
    "told 0 times": text("UPDATE outbox SET key = 'other' WHERE seq = 2"),
    "promised_for is": update(tickets).values(promised_for=NOW),
    "events have gaps": text("DELETE FROM dialogue_events WHERE n = 0"),
    "counts 5 events": text("UPDATE conversations SET dialogue_events = 5"),
}


@pytest.mark.parametrize("sentence", BREAKS)
def test_the_checker_finds(house: House, sentence: str) -> None:
    house.talk()
    a_turn_that_files(house)
    with house.begin() as tx:
        ticket = tx.ticket("6821093659")
        ticket.apply("reply", AGENT, NOW, text="نعمل عليها")
        tx.save_ticket(ticket, 1)
        tx.say(tx.conversation("t-1"), None, Say("utter_reply", f"{ticket.ref}:2", notice=True, ref=ticket.ref), NOW)
    assert check(house.engine) == []
    with house.engine.begin() as connection:
        connection.execute(BREAKS[sentence])
    assert any(part in problem for problem in check(house.engine) for part in sentence.split("|"))


def test_errors_do_not_carry_what_people_wrote(house: House) -> None:
    house.talk()
    house.write("t-1", "سر", "secret-id")
    values = {"conversation": "t-1", "seq": 1, "message_id": "secret-id", "text": "another secret", "received_at": NOW}
    for broken in (values, values | {"seq": None}):
        with pytest.raises(IntegrityError) as error, house.begin() as tx:
            tx.connection.execute(inbox.insert(), broken)
        assert "secret" not in "".join(traceback.format_exception(error.value))
