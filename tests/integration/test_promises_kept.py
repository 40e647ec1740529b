"""A1, A2, A4, A5, A7, H1: what was accepted is kept, whatever the assistant does; told only what is so."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select

from bot import settings as settings_
from bot import wiring
from bot.handlers.draft import Draft
from bot.process import seed_people
from bot.storage.tables import metadata
from bot.tickets.people import Actor, Role, Staff
from channels.contract import Address
from tests import invariants
from tests.integration.conftest import checked
from tests.integration.doors import MATTER, Chat, House
from tests.integration.peer import Behaviour, Peer, Turn, answer, broken
from tests.running import RECEIPT, REFERENCE, eventually, free_port, plain

FILED = {"ref": "6821093659", "receipt": "315204377518", "unit": "finance", "due": "2026-12-01T10:00:00+03:00"}
LIE = (
    200,
    json.dumps(
        {"events": [], "replies": [{"name": "utter_filed", "params": FILED, "buttons": []}], "slots": {}}
    ).encode(),
)


def hangs(turn: Turn) -> tuple[int, bytes]:
    time.sleep(9)
    return answer("utter_greet")


WRONGS: dict[str, Behaviour] = {
    "500": broken,
    "404": lambda turn: (404, b"Not Found"),
    "403": lambda turn: (403, b'{"error": "The secret is missing or wrong."}'),
    "409 again and again": lambda turn: (409, b'{"have": 99}'),
    "failed": lambda turn: answer(failed=True),
    "no replies": lambda turn: answer(),
    "hangs up": lambda turn: None,
    "half a body": lambda turn: (200, b'{"events": [], "replies": [{"na'),
    "no JSON": lambda turn: (200, b"<html>Bad Gateway</html>"),
    "a list": lambda turn: (200, b"[]"),
    "null": lambda turn: (200, b"null"),
    "fields missing": lambda turn: (200, b"{}"),
    "fields of the wrong kind": lambda turn: (200, b'{"events": 1, "replies": "x", "slots": []}'),
    "a reply without a name": lambda turn: (200, b'{"events": [], "replies": [{}], "slots": {}}'),
    "cannot be stored": lambda turn: (200, json.dumps(POISON).encode()),
    "latin bytes": lambda turn: (200, b'{"events": [], "replies": "\xff"}'),
    "hangs": hangs,
}


POISON = {
    "events": [{"event": 1}],
    "replies": [{"name": "utter_greet", "params": {"a": [1]}, "buttons": [{}]}],
    "slots": {},
}


def wrong_as_asked(turn: Turn) -> tuple[int, bytes] | None:
    """Whatever the beginning of the text says; a tap always breaks, so that the menu files."""
    wrong = "500" if turn["text"].startswith("/press") else turn["text"].split(":")[0]
    return WRONGS[wrong](turn) if wrong in WRONGS else answer("utter_greet")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house that the tests of this module share; each puts its own peer at the assistant's address."""
    house = House(tmp_path_factory.mktemp("home"), {"TURNS": "3"})
    house.start_house()
    house.wait_house()
    yield house
    house.stop()
    checked(house)


@pytest.fixture(scope="module")
def suffering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Peer]]:
    """A house with a worker for many turns at once, whose assistant goes wrong as the text says."""
    house = House(tmp_path_factory.mktemp("suffering"), {"TURNS": "32"})
    house.start_house()
    peer = Peer(house.rasa_port, wrong_as_asked)
    try:
        house.wait()
        yield house, peer
        checked(house)
    finally:
        house.stop()
        peer.close()


@pytest.fixture(scope="module")
def people(suffering: tuple[House, Peer]) -> dict[str, list[Chat]]:
    """Five people for each way in which an assistant can fail, each with one complaint, sent now."""
    found = {wrong: [suffering[0].chat() for _ in range(5)] for wrong in WRONGS}
    for wrong in sorted(WRONGS, key=lambda each: each == "hangs"):
        for n, person in enumerate(found[wrong]):
            assert person.post(f"{wrong}: {MATTER} {n}", id=f"{wrong.replace(' ', '-')}-{n}").status_code == 202
    return found


@pytest.mark.parametrize("wrong", WRONGS)
def test_nothing_false_is_told_and_no_word_is_lost(
    suffering: tuple[House, Peer], people: dict[str, list[Chat]], wrong: str
) -> None:
    """A1, A5: the assistant fails in one of many ways: within 10 s (or its own eight seconds) an honest answer; a receipt
    only for a ticket that is there, and a tap or a person's look later the words are on it."""
    house = suffering[0]
    for n, person in enumerate(people[wrong]):
        said = person.answers(1, seconds=20)
        stored = house.rows(
            "SELECT i.state, (julianday(min(o.created_at)) - julianday(i.received_at)) * 86400 FROM inbox i"
            " JOIN outbox o ON o.conversation = i.conversation WHERE i.message_id = ?", f"{wrong.replace(' ', '-')}-{n}",
        )  # fmt: skip
        assert stored[0][0] in ("menu", "failed") and stored[0][1] < 12, stored
        told = REFERENCE.search("\n".join(said))
        if told is None:
            assert MATTER in said[0], "the words are shown back: they are kept"
            person.post(payload='/press{"do":"begin","value":"complaint"}')
            told = REFERENCE.search(person.answers(2)[1]) if wrong != "hangs" or n == 0 else None
            if wrong == "hangs" and n:
                continue
        assert told
        ticket = house.ticket(told[1])
        assert ticket["text"] == f"{wrong}: {MATTER} {n}"


def test_a_turn_that_breaks_the_house_itself_goes_to_a_person(suffering: tuple[House, Peer]) -> None:
    """A5: an answer that can never be stored is tried three times, then the words are filed for a person; the next message
    of that conversation goes on."""
    house, peer = suffering

    def is_asked_again() -> bool:  # others hung before: then the assistant is given a rest
        someone = house.chat()
        someone.post(f"مرحبا {someone.token}")
        someone.answers(1)
        return any(turn["text"] == f"مرحبا {someone.token}" for turn in peer.turns)

    eventually(is_asked_again, 20, "the assistant is asked again")
    person = house.chat()
    person.post("cannot be stored: سم")
    told = REFERENCE.search(person.answers(1)[0])
    assert told and "needs_person" in house.ticket(told[1])["flags"]
    person.post("مرحبا")
    person.answers(2)
    assert Counter(t["text"] for t in peer.turns)["cannot be stored: سم"] == 3


# A2


def test_one_message_is_one_message_for_ever(home: House, peer_of: Callable[[House], Peer]) -> None:
    """A2: the same id once, eighteen times at once, after the answer and after kill -9: one row, one turn, one answer;
    the same for a tap that files, and for a verb with its Idempotency-Key."""
    house = home
    peer = peer_of(house)
    house.wait()
    person = house.chat()
    codes: Counter[tuple[int, str]] = Counter()

    def at_once(times: int, send: Callable[[], Any]) -> None:
        def post() -> None:
            got = send()
            codes[got.status_code, got.json().get("state", "")] += 1

        threads = [threading.Thread(target=post) for _ in range(times)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    at_once(17, lambda: person.post(MATTER, id="the-words"))
    assert codes == {(202, "stored"): 1, (202, "duplicate"): 16}
    person.answers(1)
    file = '/press{"do":"begin","value":"complaint"}'
    assert person.post(payload=file, id="the-tap").json()["state"] == "stored"
    ref = REFERENCE.search(person.answers(2)[1])[1]  # type: ignore[index]
    house.kill_house()
    house.start_house()
    house.wait()
    assert person.post(MATTER, id="the-words").json()["state"] == "duplicate"
    assert person.post(payload=file, id="the-tap").json()["state"] == "duplicate"
    codes.clear()
    path, key = f"/tickets/{ref.replace(' ', '')}/reply", {"Idempotency-Key": "one"}
    at_once(12, lambda: house.api("POST", path, json={"text": "رد واحد"}, headers=key))
    assert codes == {(200, ""): 12}
    person.answers(3)
    time.sleep(0.5)
    assert [e["kind"] for e in person.events()] == ["own", "message", "own", "message", "message"]
    assert len(peer.turns) == 2 and house.ticket(ref)["version"] == 2
    assert [t["ref"] for t in house.api("GET", "/tickets").json()["tickets"]] == [ref.replace(" ", "")]


# A4


class Clock:
    """The time, moved by a test."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rooms(tmp_path: Path, clock: Clock) -> Iterator[wiring.Rooms]:
    """The house built as the process builds it, in this process; whole at the end."""
    ports = {"port": free_port(), "rasa_port": free_port(), "actions_port": free_port()}
    given = {
        "secret_key": "k" * 40,
        "assistant_secret": "s" * 40,
        "seed_password": "x",
        "gather_seconds": 0,
        "database_url": "",
    }
    made = wiring.build(settings_.load(data_dir=tmp_path, **ports, **given), clock)
    seed_people(made)
    yield made
    problems = invariants.check(made.engine)
    made.engine.dispose()
    assert problems == []


def counts(rooms: wiring.Rooms) -> dict[str, int]:
    with rooms.engine.connect() as connection:
        return {t.name: connection.scalar(select(func.count()).select_from(t)) or 0 for t in metadata.sorted_tables}


def each_statement_fails(rooms: wiring.Rooms, act: Callable[[], Any]) -> int:
    """`act` with its first, second, … statement refused by the database, and nothing of it there; then it succeeds."""
    before, left = counts(rooms), [0]

    def refuse(*_: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise RuntimeError("this statement fails")

    event.listen(rooms.engine, "before_cursor_execute", refuse)
    try:
        for n in range(1, 200):
            left[0] = n
            try:
                act()
            except RuntimeError:
                left[0] = 0
                assert counts(rooms) == before, f"statement {n} failed, and something stayed"
            else:
                return n - 1
    finally:
        event.remove(rooms.engine, "before_cursor_execute", refuse)
    raise AssertionError("it never succeeds")


def test_ticket_history_reply_and_notice_are_there_together_or_not_at_all(rooms: wiring.Rooms) -> None:
    """A4: filing, and each kind of verb at the desk: whichever statement fails, no part of the group is there."""
    talk = rooms.reception.welcome(Address("web", "a-session"), "ar")
    rooms.reception.receive(talk, "m-1", MATTER, None)
    worker_turn = Draft(kind="complaint", category="staff_conduct", text=MATTER, urgent=True)
    with rooms.store.begin() as tx:
        tx.start_turn([row.id for row in tx.waiting(talk)], "t1", rooms.clock())
    before = counts(rooms)
    assert each_statement_fails(rooms, lambda: rooms.house.file(talk, "t1", worker_turn)) >= 6
    changed = {name: n - before[name] for name, n in counts(rooms).items() if n != before[name]}
    assert (
        changed.keys() == {"tickets", "entries", "outbox", "desk_notices"}
        and changed["tickets"] == changed["entries"] == 1
    )
    with rooms.store.begin() as tx:
        tx.finish([row.id for row in tx.waiting(talk)], "done")
        [ticket] = tx.tickets_of(rooms.house.contact(talk))
    manager = Staff("s-manager", "manager@example.test", "عبدالله", Role.MANAGER, None, True)
    ours = Staff("s-audit", "audit@example.test", "نورة السالم", Role.AGENT, ticket.unit, True)
    for who, verb, said in (
        (ours, "reply", {"text": "وصلنا طلبك"}),
        (ours, "transfer", {"unit": "finance", "reason": "رسوم"}),
        (manager, "extend", {"until": "2027-02-01", "reason": "زيارة"}),
    ):
        with rooms.store.begin() as tx:
            verbs = tx.ticket(ticket.ref).allowed(who.actor())  # type: ignore[union-attr]
        assert verb in verbs, (verb, verbs)
        before = counts(rooms)

        def act(verb: str = verb, said: dict[str, str] = said, who: Staff = who) -> Any:
            return rooms.house.act(ticket.ref, verb, who.actor(), said, key=f"k-{verb}")

        assert each_statement_fails(rooms, act) >= 5
        changed = {name: n - before[name] for name, n in counts(rooms).items() if n != before[name]}
        assert changed["entries"] == changed["outbox"] == changed["idempotency"] == 1, (verb, changed)
        act()
        assert counts(rooms) == {name: n + changed.get(name, 0) for name, n in before.items()}, (
            "the key is remembered with it"
        )


# A5


async def worked(rooms: wiring.Rooms, behaviour: Behaviour, *texts: str) -> tuple[wiring.Worker, str]:
    """The worker after it has answered each of these texts of one new person, and their conversation."""
    peer, assistant = Peer(rooms.settings.rasa_port, behaviour), rooms.assistant()
    worker = rooms.worker(assistant)
    running = asyncio.create_task(worker.run())
    try:
        talk = rooms.reception.welcome(Address("web", f"session-{texts[0]}"), "ar")
        for n, text in enumerate(texts):
            rooms.reception.receive(talk, f"m-{n}", text, None)
        for _ in range(200):
            await asyncio.sleep(0.05)
            if len(rooms.store.outgoing(talk)) >= len(texts):
                break
    finally:
        worker.stop()
        await running
        assistant.close()
        peer.close()
    return worker, talk


async def test_a_receipt_is_never_the_assistants_to_give(rooms: wiring.Rooms) -> None:
    """A1: success is told by the code that committed the ticket: an assistant that says utter_filed is not believed."""
    _, talk = await worked(rooms, lambda turn: LIE, MATTER)
    said = plain("\n".join(each.text for each in rooms.store.outgoing(talk)))
    assert said and not REFERENCE.search(said) and not RECEIPT.search(said)


async def test_a_sentence_that_nobody_knows_is_a_turn_that_failed(rooms: wiring.Rooms) -> None:
    """A5: of assistant and house one is older: 'your message is kept' is only told where it lies where a person finds it."""
    _, talk = await worked(rooms, lambda turn: answer("utter_nothing_of_this_name"), MATTER)
    assert MATTER in rooms.store.outgoing(talk)[0].text


def test_a_subcategory_that_is_none_is_refused(rooms: wiring.Rooms) -> None:
    """F6: what classifies a ticket is a row of the register, not whatever somebody sends."""
    talk = rooms.reception.welcome(Address("web", "classified"), "ar")
    rooms.house.file(talk, "a-turn", Draft(kind="complaint", category="other", text=MATTER))
    with rooms.store.begin() as tx:
        [ticket] = tx.tickets_of(rooms.house.contact(talk))
    with pytest.raises(ValueError):
        rooms.house.act(
            ticket.ref, "classify", Actor("program", "p", "p"), {"subcategory": "'; DROP TABLE tickets; --"}
        )


async def test_words_that_nobody_decided_on_reach_a_person_after_a_minute(rooms: wiring.Rooms, clock: Clock) -> None:
    """A5: the menu's question stays open: a minute later the words are a ticket that a person shall look at, the unit has a
    notice, and the person is told its number; once, however often the clock looks."""
    worker, talk = await worked(rooms, broken, MATTER, "وما زلت انتظر")
    clock.at += timedelta(seconds=50)
    worker.tick(clock())
    assert counts(rooms)["tickets"] == 0
    clock.at += timedelta(seconds=15)
    for _ in range(3):
        worker.tick(clock())
    with rooms.store.begin() as tx:
        [ticket] = tx.tickets_of(rooms.house.contact(talk))
    assert ticket.text == f"{MATTER}\nوما زلت انتظر" and "needs_person" in ticket.flags
    said = rooms.store.outgoing(talk)
    assert len(said) == 3 and said[-1].ref == ticket.ref and REFERENCE.search(plain(said[-1].text))
    assert counts(rooms)["desk_notices"] >= 1


# A7


def test_order_is_kept_and_nobody_waits_for_another(home: House, peer_of: Callable[[House], Peer]) -> None:
    """A7: 20 people send 10 messages each within moments, one of them into a turn that stalls: each one's turns come in
    order, one at a time; the others go on all the while."""
    house = home
    peer = peer_of(house)
    running: Counter[str] = Counter()
    overlaps: list[str] = []
    meanwhile: list[int] = []

    def slowly(turn: Turn) -> tuple[int, bytes]:
        who = turn["text"].split()[0]
        running[who] += 1
        if running[who] > 1:
            overlaps.append(who)
        if turn["text"] == "p0 0":
            time.sleep(3)
            meanwhile.append(len(peer.turns) - 1)
        running[who] -= 1
        return answer("utter_greet")

    peer.behaviour = slowly
    house.wait()
    people = [house.chat() for _ in range(20)]

    def write(n: int) -> None:
        for line in range(10):
            assert people[n].post(f"p{n} {line}", id=f"a7-{n}-{line}").status_code == 202

    threads = [threading.Thread(target=write, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for person in people:
        person.answers(10)
    assert meanwhile[0] > 40, "many of the others' turns at least came while one stalled"
    told = people[0].events(until=20)
    assert overlaps == [] and [e["kind"] for e in told].count("message") == 10
    for n in range(20):
        mine = [t["text"] for t in peer.turns if t["text"].startswith(f"p{n} ")]
        assert mine == [f"p{n} {line}" for line in range(10)]
    finished = house.rows("SELECT conversation, seq FROM inbox WHERE message_id LIKE 'a7-%' ORDER BY finished_at, id")
    for conversation in {c for c, _ in finished}:
        assert [seq for c, seq in finished if c == conversation] == list(range(1, 11))


# H1


def test_what_came_while_the_assistant_was_away_is_answered_once_in_order(home: House) -> None:
    """H1: nobody listens for four seconds at five messages a second: all are taken at once; when the assistant is back each
    is answered once, in order, by it and not by the menu. The house itself is back within two seconds of work."""
    house = home
    peer = Peer(house.rasa_port, lambda turn: answer("utter_greet"))
    house.wait()
    people = [house.chat() for _ in range(5)]
    people[0].post("قبل")
    people[0].answers(1)
    peer.close()
    took = []
    for n in range(20):
        begun = time.monotonic()
        assert people[n % 5].post(f"{n % 5} {n // 5}").status_code == 202
        took.append(time.monotonic() - begun)
        if n == 9:
            house.kill_house()
            house.start_house()
            begun = time.monotonic()
            house.wait_house()
            assert time.monotonic() - begun < 6, "two seconds, and some for a busy machine"
        time.sleep(max(0.0, 0.2 - took[-1]))
    assert sorted(took)[len(took) // 2] < 0.3 and house.get("/health/ready").status_code == 503
    peer = Peer(house.rasa_port, lambda turn: answer("utter_greet"))
    try:
        for n, person in enumerate(people):
            person.answers(4 + (n == 0))
        eventually(lambda: house.one("SELECT count(*) FROM inbox WHERE finished_at IS NULL") == 0, 5, "all are done")
    finally:
        peer.close()
    for n in range(5):
        assert [t["text"] for t in peer.turns if t["text"].startswith(f"{n} ")] == [f"{n} {line}" for line in range(4)]
    assert all(len(person.events()) == 2 * (4 + (n == 0)) for n, person in enumerate(people))
