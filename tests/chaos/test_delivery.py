"""Delivery under faults, counted at the provider: none lost, none out of order, doubles only where nobody could know.

The local provider is a process of its own (this file, run alone) that notes every request. `CHAOS=whole` plays the whole.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import psycopg
import pytest
from sqlalchemy import select, update

from channels.contract import Address, Incoming
from channels.lengths import segments
from tests.running import ASSISTANT, REFERENCE, ROOT, Sawt, Telephone, eventually, free_port, kill, plain

pytestmark = pytest.mark.journey
WHOLE = os.environ.get("CHAOS") == "whole"
POSTGRESQL = os.environ.get("SAWT_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432")
WHATSAPP, SMS, BOT = "+15005550006", "+15005550009", "1000001"
OURS = {"whatsapp": WHATSAPP, "sms": SMS, "telegram": BOT}
ACCOUNTS = {
    "TWILIO_ACCOUNT_SID": "AC" + "0123456789abcdef" * 2,
    "TWILIO_AUTH_TOKEN": "a-token-of-the-local-provider",
    "TWILIO_WHATSAPP_FROM": WHATSAPP,
    "TWILIO_WHATSAPP_RATE": "2000",
    "TWILIO_SMS_FROM": SMS,
    "TWILIO_SMS_RATE": "10",
    "TELEGRAM_BOT_TOKEN": f"{BOT}:a-bot-of-the-local-provider",
    "TELEGRAM_SECRET_TOKEN": "a-secret-of-the-local-provider",
}
STATUS, READ = f"HX{1:032x}", f"HX{2:032x}"
"""Content ids of the two templates."""
ARRIVED = {"sent", "delivered", "read"}
MATTER = "معاملة الترخيص الصناعي لها شهرين وما احد رد علي"


# the provider


class Provider:
    """The local provider as a process of its own; it tells every request that it got to send or to list.

    Whoever is written to is there, and has just written.
    """

    def __init__(self, house: str, pace: float = 0.05) -> None:
        """`pace`: seconds from one piece of news of a message to the next."""
        self.house, self.pace, self.port = house, pace, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Provider:
        command = [sys.executable, __file__, str(self.port), self.house, str(self.pace)]
        self.process = subprocess.Popen(command, env={**os.environ, **ACCOUNTS, "PYTHONPATH": str(ROOT)}, cwd=ROOT)
        eventually(self._is_there, 60, "the provider is there")
        return self

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
        kill(self.process)
        self.http.close()

    def send(self, sign: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(sign)

    def play(self, what: str, **said: Any) -> None:
        answer = self.http.post(f"/play/{what}", json=said)
        assert answer.status_code == 200, answer.text

    def accepted(self) -> int:
        return int(self.http.get("/accepted").json())

    def requests(self, scheme: str, person: str = "") -> list[dict[str, Any]]:
        """Every request to send to it, or to list what it was sent, in order: what, person, at, answered, status."""
        asked = self.http.get("/requests").json()
        return [each for each in asked if each["scheme"] == scheme and person in ("", each["person"])]

    def heard(self, scheme: str) -> dict[str, list[dict[str, Any]]]:
        """What was accepted, by person, in order."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for each in self.http.get("/play/messages", params={"scheme": scheme}).json()["messages"]:
            if each["direction"] == "out" and not each["own"]:
                found[each["person"]].append(each)
        return found

    def _is_there(self) -> bool:
        try:
            return self.http.get("/accepted").status_code == 200
        except httpx.HTTPError:
            return False


# the house's side


def built(sawt: Sawt) -> Any:
    """The house's rooms in this process. On SQLite nobody may be at home meanwhile: claims are forgotten."""
    from bot import wiring
    from bot.settings import Settings, load

    given = sawt.environment
    return wiring.build(load(**{name: given[name.upper()] for name in Settings.model_fields if name.upper() in given}))


def arrived(rooms: Any, scheme: str, identifier: str) -> str:
    """The conversation of somebody who has just written; what is said to them is the welcome."""
    address = Address(scheme, identifier, OURS[scheme])
    rooms.arrive(Incoming(address, "m1", "/start"))
    with rooms.store.begin() as tx:
        return str(tx.conversation_at(address).id)


def queue(rooms: Any, talk: str, *numbers: int) -> None:
    """These notices are in the outbox, together."""
    from bot.handlers.ports import Say

    with rooms.store.begin() as tx:
        whom = tx.conversation(talk)
        for n in numbers:
            said = {"ref": "6821093659", "unit": "contact_centre", "text": f"خبر رقم {n} إلى {talk}"}
            assert tx.say(whom, None, Say("notice_reply", f"queued:{n}", said, notice=True), rooms.clock())


def lines(rooms: Any, scheme: str) -> dict[str, list[Any]]:
    """The outbox of a scheme, by person, in its order."""
    from bot.storage.tables import conversations, outbox

    query = (
        select(outbox, conversations.c.address_enc)
        .join(conversations, conversations.c.id == outbox.c.conversation)
        .where(conversations.c.scheme == scheme)
        .order_by(outbox.c.conversation, outbox.c.seq)
    )
    found: dict[str, list[Any]] = defaultdict(list)
    with rooms.store.read() as connection:
        for row in connection.execute(query).mappings():
            found[rooms.secrets.decrypt(row["address_enc"])].append(row)
    return found


def unsent(rooms: Any) -> int:
    from bot.storage.tables import outbox

    with rooms.store.read() as connection:
        states = Counter(connection.scalars(select(outbox.c.state)))
    return sum(states.values()) - sum(states[each] for each in (*ARRIVED, "failed"))


def no_more_waiting(rooms: Any) -> None:
    """What waits for its next try is to be tried now: of the hours that a backoff may take a test has none."""
    from bot.storage.tables import outbox

    time.sleep(0.5)
    with rooms.engine.begin() as connection:
        connection.execute(update(outbox).where(outbox.c.next_at.is_not(None)).values(next_at=None))


@dataclass
class Count:
    """What became of the outbox of one scheme."""

    rows: int = 0
    accepted: int = 0
    doubles: int = 0
    uncertain: int = 0
    asked: int = 0
    states: Counter[str] = field(default_factory=Counter)


def counted(
    rooms: Any, provider: Provider, scheme: str, people: Collection[str] | None = None, after: int = 0
) -> Count:
    """Each line was accepted, in its person's order, and has arrived; one that was accepted twice is marked.

    Of everybody, or of these `people` the lines `after` so many.
    """
    from tests import invariants

    heard, count = provider.heard(scheme), Count()
    asked = Counter(each["person"] for each in provider.requests(scheme) if each["what"] == "list")
    for person, rows in lines(rooms, scheme).items():
        if people is not None and person not in people:
            continue
        rows, texts = rows[after:], [each["text"] for each in heard.pop(person, [])]
        assert [text for text, _ in itertools.groupby(texts)] == [row["text"] for row in rows], f"the order of {person}"
        twice = {text for text, times in Counter(texts).items() if times > 1}
        unmarked = [row["id"] for row in rows if row["text"] in twice and not (row["uncertain"] or asked[person])]
        assert unmarked == [], f"came twice to {person}, and nobody says so"
        count.rows, count.accepted = count.rows + len(rows), count.accepted + len(texts)
        count.uncertain += sum(row["uncertain"] for row in rows)
        count.states.update(row["state"] for row in rows)
    count.doubles, count.asked = count.accepted - count.rows, asked.total()
    assert set(count.states) <= ARRIVED, count.states
    assert people or not heard, "somebody was told what is in no outbox"
    assert people or invariants.check(rooms.engine) == []
    return count


@contextmanager
def standing(
    data: Path, providers: int = 1, pace: float = 0.05, **settings: str
) -> Iterator[tuple[Sawt, list[Provider]]]:
    """A house that is not started yet, and its providers, which are: one for both, or Twilio and Telegram."""
    with ExitStack() as stack:
        sawt = Sawt(data, {**ACCOUNTS, **settings})
        stack.callback(sawt.stop)
        made = [Provider(sawt.url, pace).start() for _ in range(providers)]
        for each in made:
            stack.callback(each.stop)
        sawt.settings |= {"TWILIO_API_BASE": made[0].url, "TELEGRAM_API_BASE": made[-1].url}
        yield sawt, made


# 1, 2: a storm


@dataclass
class Storm:
    """What was left of it."""

    rooms: Any
    provider: Provider
    kills: int
    seconds: float


@contextmanager
def raging(data: Path) -> Iterator[Storm]:
    """Notices wait for many people; every fifth send goes wrong, and the house is killed again and again.

    400 on WhatsApp and 120 on Telegram, three deaths; the whole: 10,000, 1,200 and twenty.
    """
    people, each, chats, short, kills = (500, 20, 300, 4, 20) if WHOLE else (40, 10, 40, 3, 3)
    draw = random.Random(11)
    with standing(data, pace=0.9) as (sawt, [provider]):  # news come when it is tried again
        rooms = built(sawt)
        for n in range(people):
            queue(rooms, arrived(rooms, "whatsapp", f"+96650{n:07}"), *range(each))
        for n in range(chats):
            queue(rooms, arrived(rooms, "telegram", f"{7_000_000 + n}"), *range(short))
        provider.play("fault", rates={"500": 0.10, "429": 0.05, "cut": 0.05}, seed=5, retry_after=0.1)
        everything, begun = unsent(rooms), time.monotonic()
        for moment in sorted(draw.sample(range(everything // 50, everything * 9 // 10), kills)):
            sawt.start_house()
            eventually(lambda moment=moment: provider.accepted() >= moment, 120, f"{moment} are accepted")
            time.sleep(draw.uniform(0, 0.2))
            sawt.kill_house()
        sawt.start_house()
        eventually(lambda: unsent(rooms) == 0 or (not WHOLE and no_more_waiting(rooms)), 250, "everything is sent")
        seconds = time.monotonic() - begun
        time.sleep(2)  # the last callbacks
        yield Storm(rooms, provider, kills, seconds)
        rooms.engine.dispose()


@pytest.fixture(scope="module", autouse=True)
def brewing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[Storm] | None]:
    """The storm, where one of these tests is about it: behind the others, but the whole one alone, for its figures."""
    if not any("storm" in item.name for item in request.session.items):
        yield None
        return
    data = tmp_path_factory.mktemp("storm")
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(1))
        coming = pool.submit(stack.enter_context, raging(data))
        if WHOLE:
            coming.result()
        yield coming


@pytest.fixture(scope="module")
def storm(brewing: Future[Storm]) -> Storm:
    return brewing.result()


# 3 to 6: one house, and people of every kind


@dataclass
class Desk:
    """A house with both providers."""

    sawt: Sawt
    rooms: Any
    twilio: Provider
    telegram: Provider
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def at(self, scheme: str) -> Provider:
        return self.telegram if scheme == "telegram" else self.twilio

    def person(self, scheme: str, identifier: str = "") -> Person:
        """Somebody who has just written for the first time."""
        n = next(self.numbers)
        names = {"whatsapp": f"+96655{n:07}", "sms": f"+96656{n:07}", "telegram": f"{9_000_000 + n}"}
        return Person(self, scheme, identifier or names[scheme])


class Person:
    """Somebody with a telephone."""

    def __init__(self, desk: Desk, scheme: str, identifier: str) -> None:
        self.desk, self.scheme, self.identifier = desk, scheme, identifier
        self.provider = desk.at(scheme)
        self.phone = Telephone(self.provider.url, scheme, identifier)
        self.talk = arrived(desk.rooms, scheme, identifier)

    def file(self, kind: str = "complaint") -> str:
        """A ticket of theirs, its receipt with them."""
        from bot.handlers.draft import Draft

        house = self.desk.rooms.house
        house.file(self.talk, f"t-{self.talk}", Draft(kind=kind, category="other", text=MATTER))
        with self.desk.rooms.store.begin() as tx:
            ref = str(tx.tickets_of(house.contact(self.talk))[0].ref)
        eventually(lambda: any(REFERENCE.search(each) for each in self.heard), 10, "the receipt")
        return ref

    @property
    def heard(self) -> list[str]:
        """What the provider accepted for them, in order."""
        return [plain(each["text"]) for each in self.phone.answers]

    @property
    def rows(self) -> list[Any]:
        return lines(self.desk.rooms, self.scheme)[self.identifier]

    def row(self, word: str) -> Any:
        return next(row for row in self.rows if word in row["text"] or word in str(row["params"]))

    def silent_since(self, hours: int, provider_too: bool = True) -> None:
        """Their last words are so old, for the house; the provider agrees."""
        from bot.storage.tables import conversations

        last = datetime.now(UTC) - timedelta(hours=hours)
        with self.desk.rooms.engine.begin() as connection:
            mine = update(conversations).where(conversations.c.id == self.talk)
            connection.execute(mine.values(last_in_at=last))
        if provider_too:
            self.closed()

    def closed(self) -> None:
        """The provider thinks that their window is closed."""
        self.provider.play("fault", kind="closed", scheme=self.scheme, person=self.identifier)

    @property
    def has_stopped(self) -> bool:
        return self.desk.rooms.store.conversation(self.talk).stopped_at is not None


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One house for these tests; whole at the end."""
    from tests import invariants

    data = tmp_path_factory.mktemp("desk")
    approved = {"content": "", "approved": True}
    names = {"read": READ, "status": STATUS}
    each = {n: {lang: {**approved, "content": sid} for lang in ("ar", "en", "zh")} for n, sid in names.items()}
    (data / "templates.yml").write_text(json.dumps(each))
    with standing(data, providers=2, TEMPLATES=str(data / "templates.yml")) as (sawt, [twilio, telegram]):
        rooms = built(sawt)
        sawt.start_house()
        sawt.wait_house()
        yield Desk(sawt, rooms, twilio, telegram)
        assert invariants.check(rooms.engine) == []
        rooms.engine.dispose()


AWAY = [("stopped", 20.0), ("gone", 20.0)] if WHOLE else [("gone", 4.0)]


@pytest.mark.parametrize(("how", "seconds"), AWAY)
def test_a_provider_that_is_away(desk: Desk, how: str, seconds: float) -> None:
    """Nothing is lost, in order; the desk is told within a minute; the other provider's people are told meanwhile."""
    rooms, twilio = desk.rooms, desk.twilio
    people, chats = ([desk.person(scheme) for _ in range(12)] for scheme in ("whatsapp", "telegram"))
    eventually(lambda: all(person.heard for person in (*people, *chats)), 15, "everybody is welcome")
    if how == "stopped":
        twilio.send(signal.SIGSTOP)
    else:
        kill(twilio.process)
    begun = time.monotonic()
    for person in (*people, *chats):
        queue(rooms, person.talk, 1, 2)
    eventually(lambda: all(len(person.heard) == 3 for person in chats), 6, "Telegram goes on")
    time.sleep(max(0.0, begun + seconds - 1 - time.monotonic()))
    later = rooms.clock() + timedelta(seconds=60 - seconds)
    assert [(each.scheme, each.error) for each in rooms.post.trouble(later)] == [("whatsapp", "unreachable")]
    time.sleep(max(0.0, begun + seconds - time.monotonic()))
    if how == "stopped":
        twilio.send(signal.SIGCONT)
    else:
        twilio.start()  # it remembers nothing
    eventually(lambda: unsent(rooms) == 0, 60, "everything goes out")
    time.sleep(0.5)
    names = [person.identifier for person in people]
    count = counted(rooms, twilio, "whatsapp", names, after=1 if how == "gone" else 0)
    assert count.rows == (2 if how == "gone" else 3) * len(people)
    assert count.doubles == 0 or how == "stopped"
    assert counted(rooms, desk.telegram, "telegram", [person.identifier for person in chats]).doubles == 0
    assert rooms.post.trouble(later) == []


def test_who_is_told_to_wait_waits(desk: Desk) -> None:
    """429 with three seconds: nothing goes to that scheme earlier but what was on its way, then everything does."""
    people = {scheme: [desk.person(scheme) for _ in range(10)] for scheme in OURS}
    eventually(lambda: all(p.heard for each in people.values() for p in each), 15, "everybody is welcome")
    for scheme in OURS:
        desk.at(scheme).play("fault", kind="status", status=429, retry_after=3, scheme=scheme)
    for each in people.values():
        for person in each:
            queue(desk.rooms, person.talk, 1, 2)
    eventually(lambda: unsent(desk.rooms) == 0, 25, "everything is sent")
    for scheme, whom in people.items():
        asked = desk.at(scheme).requests(scheme)
        [refused] = [each for each in asked if each["status"] == 429]
        early = [round(e["at"] - refused["answered"], 2) for e in asked if 0.25 < e["at"] - refused["answered"] < 2.9]
        assert early == [], f"{scheme}: sent so many seconds after 'not for three seconds'"
        for person in whom:
            assert person.heard == [plain(row["text"]) for row in person.rows] and len(person.rows) == 3
            assert {row["state"] for row in person.rows} <= ARRIVED


def test_who_blocks_us_is_left_alone(desk: Desk) -> None:
    """One try, and a stop; then an SMS to a WhatsApp number, and the desk for everybody else. Nobody waits for it."""
    number, name, chat = desk.person("whatsapp"), desk.person("whatsapp", "SA.9Z8Y7X6W5V4U"), desk.person("telegram")
    others = [desk.person(scheme) for scheme in ("whatsapp", "telegram") for _ in range(5)]
    refs = {person: person.file() for person in (number, name, chat)}
    before = {p: len(p.provider.requests(p.scheme, p.identifier)) for p in refs}
    for person, ref in refs.items():
        person.provider.play("fault", kind="blocked", scheme=person.scheme, person=person.identifier)
        assert desk.sawt.verb(ref, "reply", text="K1: كلام خاص").status_code == 200
    for person in others:
        queue(desk.rooms, person.talk, 1)
    eventually(lambda: all(len(p.heard) == 2 for p in others), 6, "nobody else is held up")
    eventually(lambda: all(p.has_stopped for p in refs), 6, "they are stopped")
    for person in (name, chat):
        eventually(lambda p=person: "needs_person" in desk.sawt.ticket(refs[p])["flags"], 6, "the desk is asked")
    sms = Telephone(desk.twilio.url, "sms", number.identifier)
    eventually(lambda: sms.answers, 6, "an SMS instead")
    assert segments(sms.last()) <= 2 and "K1" not in sms.last() and REFERENCE.search(sms.last())
    assert "needs_person" not in desk.sawt.ticket(refs[number])["flags"]
    for person, ref in refs.items():
        assert (person.row("K1")["state"], person.row("K1")["failure"]) == ("failed", "stopped")
        assert desk.sawt.verb(ref, "reply", text="K2: ولا هذا").status_code == 200
    time.sleep(1.5)
    for person in refs:
        asked = person.provider.requests(person.scheme, person.identifier)[before[person] :]
        assert [each["status"] for each in asked] == [403 if person is chat else 400], "one try and no more"


def test_a_window_that_closed(desk: Desk) -> None:
    """The house knows: a state as a template, words held behind one more of them until the person writes."""
    person = desk.person("whatsapp")
    ref = person.file("suggestion")
    person.silent_since(25)
    assert desk.sawt.verb(ref, "study").status_code == 200
    for n in (1, 2):
        assert desk.sawt.verb(ref, "reply", text=f"W{n}: كلام خاص").status_code == 200
    eventually(lambda: [a["content_sid"] for a in person.phone.answers[2:]] == [STATUS, READ], 6, "two templates")
    of_status, of_read = (each["variables"] for each in person.phone.answers[2:])
    assert of_status["1"] == of_read["1"] == plain(of_read["1"]) and of_read["1"].replace(" ", "") == ref
    assert set(of_status) == {"1", "2"} and of_status["2"] in person.row("notice_study"[7:])["text"] + of_status["2"]
    eventually(lambda: [person.row(f"W{n}")["state"] for n in (1, 2)] == ["held", "held"], 6, "both wait")
    assert not any("W1" in each or "W2" in each for each in person.heard)
    assert person.phone.write("١") == [200]
    eventually(lambda: len(person.heard) == 6, 6, "the words")
    assert "W1" in person.heard[4] and "W2" in person.heard[5]
    time.sleep(0.5)
    assert len(person.heard) == 6 and {row["state"] for row in person.rows} <= ARRIVED
    with desk.rooms.store.begin() as tx:
        assert tx.waiting(person.talk) == [], "what only asked to read needs no answer"


def test_a_window_that_only_the_provider_knows_to_be_closed(desk: Desk) -> None:
    """It takes a text and tells later that it did not carry it (63016): the text goes as if we had known."""
    person = desk.person("whatsapp")
    ref = person.file("suggestion")
    person.closed()
    assert desk.sawt.verb(ref, "study").status_code == 200
    eventually(lambda: any(a["content_sid"] == STATUS for a in person.phone.answers), 6, "the state as a template")
    assert desk.sawt.verb(ref, "reply", text="X1: كلام خاص").status_code == 200
    eventually(lambda: any(a["content_sid"] == READ for a in person.phone.answers), 6, "a template asks to write")
    eventually(lambda: person.row("X1")["state"] == "held", 6, "the words wait")
    failed = [a for a in person.phone.answers if a["code"] == "63016"]
    assert len(failed) == 1, "from the first the house knows that the window is closed"
    assert person.phone.write("1") == [200]
    eventually(lambda: person.row("X1")["state"] in ARRIVED, 6, "the words")
    assert "X1" in person.heard[-1]
    eventually(lambda: person.phone.answers[-1]["state"] == "delivered", 6, "they arrive")
    time.sleep(0.5)
    assert Counter(a["content_sid"] for a in person.phone.answers if a["content_sid"]) == {STATUS: 1, READ: 1}


def test_nobody_writes_for_a_day(desk: Desk) -> None:
    """What is held goes as an SMS of two parts, or to the desk where there is no number."""
    from bot.storage.tables import outbox

    number, name = desk.person("whatsapp"), desk.person("whatsapp", "SA.1Q2W3E4R5T6Y")
    refs = {person: person.file() for person in (number, name)}
    for person, ref in refs.items():
        person.silent_since(25)
        assert desk.sawt.verb(ref, "reply", text="D1: كلام خاص").status_code == 200
    eventually(lambda: all(p.row("D1")["state"] == "held" for p in refs), 6, "the words wait")
    eventually(lambda: all(p.phone.answers[-1]["content_sid"] == READ for p in refs), 6, "a template asks to write")
    desk.sawt.kill_house()
    with desk.rooms.engine.begin() as connection:
        a_day_ago = datetime.now(UTC) - timedelta(hours=25)
        connection.execute(update(outbox).where(outbox.c.state == "held").values(created_at=a_day_ago))
    desk.sawt.start_house()
    desk.sawt.wait_house()
    sms = Telephone(desk.twilio.url, "sms", number.identifier)
    eventually(lambda: sms.answers, 15, "an SMS instead")
    assert segments(sms.last()) <= 2 and "D1" not in sms.last() and REFERENCE.search(sms.last())
    eventually(lambda: "needs_person" in desk.sawt.ticket(refs[name])["flags"], 6, "the desk is asked")
    assert "needs_person" not in desk.sawt.ticket(refs[number])["flags"]
    assert not any("D1" in each for p in refs for each in p.heard)


# 7: two houses


@pytest.fixture
def postgresql() -> Iterator[str]:
    """A database of this test's own."""
    name = f"sawt_test_{secrets.token_hex(6)}"
    try:
        server = psycopg.connect(f"{POSTGRESQL}/postgres", autocommit=True, connect_timeout=2)
    except psycopg.OperationalError:
        pytest.skip(f"no PostgreSQL answers at {POSTGRESQL}: set SAWT_TEST_POSTGRESQL to run this")
    with server:
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"{POSTGRESQL}/{name}"
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_two_houses_share_the_post(tmp_path: Path, postgresql: str) -> None:
    """180 notices on PostgreSQL: each is accepted once, in its person's order, and both houses have worked."""
    for each in ("one", "other"):
        (tmp_path / each).mkdir()
    with standing(tmp_path / "one", DATABASE_URL=postgresql, TWILIO_WHATSAPP_RATE="20") as (one, [provider]):
        other = Sawt(tmp_path / "other", dict(one.settings))
        rooms = built(one)
        try:
            for n in range(60):  # more people than one house has places for
                queue(rooms, arrived(rooms, "whatsapp", f"+96650{n:07}"), *range(3))
            one.start_house()
            other.start_house()
            eventually(lambda: unsent(rooms) == 0, 60, "everything is sent")
            time.sleep(0.5)
            count = counted(rooms, provider, "whatsapp")
            assert (count.rows, count.doubles, count.asked) == (240, 0, 0)
            sent_by = Counter(
                m["callback"].partition("/webhooks")[0] for h in provider.heard("whatsapp").values() for m in h
            )
            assert set(sent_by) == {one.url, other.url}, sent_by
        finally:
            other.stop()
            rooms.engine.dispose()


# 8: a power cut at each point of one message's way

POINTS = ("inbox-committed", "row-claimed", "provider-accepted", "outcomes-stored")


def test_killed_on_the_way(tmp_path: Path) -> None:
    """A WhatsApp message that files: whenever the house dies there is one ticket, and one answer that tells of it."""
    from bot.storage.tables import tickets
    from tests import invariants

    if not ASSISTANT.exists() or not list((ROOT / "models").glob("*.tar.gz")):
        pytest.skip("the assistant is not set up or not trained: make train")
    with standing(tmp_path) as (sawt, [provider]):
        sawt.start_assistant()
        rooms = built(sawt)

        def started(point: str) -> Path:
            """The house will die at this point as soon as the file is taken away."""
            marker = tmp_path / f"not-{point}"
            marker.touch()
            sawt.start_house(FAULT=f"{point}@{marker}")
            sawt.wait()
            return marker

        marker = started(POINTS[0])
        for n, (point, following) in enumerate(itertools.pairwise((*POINTS, "never"))):
            person = Telephone(provider.url, "whatsapp", f"+96650{n:07}")
            person.say(MATTER, more=2)
            eventually(lambda person=person: "1." in person.last(), 10, "the choices")
            time.sleep(0.5)  # the callbacks of what was said
            marker.unlink()
            said = person.play("write", text="1", message_id=f"SM{n:032x}")
            eventually(lambda: sawt.house and sawt.house.poll() is not None, 15, f"the house dies at {point}")
            assert said["statuses"] == ([0] if point == "inbox-committed" else [200])
            marker = started(following)
            assert person.write("1", message_id=f"SM{n:032x}") == [200], "Twilio comes again"
            eventually(lambda person=person: REFERENCE.search(person.last()), 20, f"the receipt after {point}")
            eventually(lambda: unsent(rooms) == 0, 10, "nothing waits")
            time.sleep(0.5)
            assert len([each for each in person.answers if REFERENCE.search(plain(each["text"]))]) == 1, point
            with rooms.store.read() as connection:
                assert len(list(connection.scalars(select(tickets.c.ref)))) == n + 1, point
            asked = [e for e in provider.requests("whatsapp", person.person) if e["what"] == "list"]
            # what was claimed may be there: only who died with a row in hand has to ask
            assert bool(asked) == (point in ("row-claimed", "provider-accepted")), point
        assert counted(rooms, provider, "whatsapp").doubles == 0
        assert invariants.check(rooms.engine) == []
        rooms.engine.dispose()


# what the storm left: last, since it rages behind the others


def told(capsys: pytest.CaptureFixture[str], storm: Storm, scheme: str, count: Count) -> None:
    sends = Counter(e["status"] for e in storm.provider.requests(scheme) if e["what"] == "send")
    numbers = {
        "lines": count.rows, "accepted": count.accepted, "doubles": count.doubles, "uncertain": count.uncertain,
        "list requests": count.asked, "sends by status": dict(sends), "states": dict(count.states), "kills": storm.kills,
        "seconds": round(storm.seconds, 1), "accepted a second": round(count.accepted / storm.seconds, 1),
    }  # fmt: skip
    with capsys.disabled():
        print(f"\n{scheme}: " + ", ".join(f"{name} {value}" for name, value in numbers.items()))


def test_a_storm_on_whatsapp(storm: Storm, capsys: pytest.CaptureFixture[str]) -> None:
    """None lost, none out of order; what may have been taken is looked up, and not sent again."""
    count = counted(storm.rooms, storm.provider, "whatsapp")
    told(capsys, storm, "whatsapp", count)
    assert count.uncertain and count.asked
    assert count.doubles <= 24 * storm.kills, "at most what was on its way when the house died"


def test_a_storm_on_telegram(storm: Storm, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody can be asked there: doubles are marked, and there are no more of them than unanswered sends."""
    count = counted(storm.rooms, storm.provider, "telegram")
    told(capsys, storm, "telegram", count)
    heard = storm.provider.heard("telegram")
    cut = sum(not message["answered"] for messages in heard.values() for message in messages)
    assert count.asked == 0 and 0 < count.doubles <= cut + 24 * storm.kills
    sends = [e for e in storm.provider.requests("telegram") if e["what"] == "send"]
    moments: dict[str, list[float]] = defaultdict(list)
    for each in sends:
        moments[each["person"]].append(each["at"])
    apart = [b - a for mine in moments.values() for a, b in itertools.pairwise(mine)]
    assert min(apart) >= 0.9, "two messages of one chat within a second"


# the provider's process


class Watched:
    """The local provider, and a note of every request to send and to list."""

    def __init__(self, app: Any, world: Any) -> None:
        self.app, self.world = app, world
        self.requests: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        path = scope.get("path", "")
        if path == "/accepted":
            outcomes = self.world.outcomes
            await answer(send, outcomes["200"] + outcomes["201"] + outcomes["cut"])
        elif path == "/requests":
            await answer(send, self.requests)
        elif path.endswith("/Messages.json") or path.lower().endswith("/sendmessage"):
            await self._noted(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _noted(self, scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        note: dict[str, Any] = {"at": time.time(), "what": "list" if scope["method"] == "GET" else "send", "status": 0}
        body = bytearray(scope["query_string"] if scope["method"] == "GET" else b"")
        self.requests.append(note)
        self._who(note, body)

        async def received() -> Any:
            message = await receive()
            if message["type"] == "http.request" and note["what"] == "send":
                body.extend(message.get("body", b""))
                self._who(note, body)
            return message

        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                note.update(status=message["status"], answered=time.time())
            await send(message)

        await self.app(scope, received, sent)

    @staticmethod
    def _who(note: dict[str, Any], body: bytes | bytearray) -> None:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        to, chat = form.get("To", ""), form.get("chat_id", "")
        scheme, colon, identifier = to.partition(":")
        note["scheme"] = "telegram" if chat else scheme if colon else "sms"
        note["person"] = chat or (identifier if colon else to)


async def answer(send: Callable[[Any], Any], said: Any) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(said).encode()})


def provide(port: int, house: str, pace: float) -> None:
    """Be the provider until somebody ends this process."""
    import asyncio

    import uvicorn

    from channels.simulator import __main__ as simulator
    from channels.simulator.people import Person as Somebody
    from channels.simulator.server import app

    class People(dict[tuple[str, str], Somebody]):
        """Everybody is there."""

        def __contains__(self, who: object) -> bool:
            return True

        def setdefault(self, who: tuple[str, str], default: Somebody | None = None) -> Somebody:
            if self.get(who) is None:
                self[who] = Somebody(*who, wrote_at=datetime.now(UTC))
            return self[who]

    world = simulator._world(house)
    world.pace, world.people = pace, People()
    served = Watched(app(world), world)
    config = uvicorn.Config(served, log_level="critical", access_log=False, lifespan="off")
    asyncio.run(simulator._serve(uvicorn.Server(config), simulator.listen("127.0.0.1", port)))


if __name__ == "__main__":
    provide(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
