"""People at the doors: what the benchmarks let a house, or a stock bot, answer. One asyncio process, httpx.

A person's dialogue is a greeting, a matter, and one tap that files it; then the person is somebody else: a new session.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import re
import ssl
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

PATIENCE = 30.0
"""Seconds after which a turn without an answer is lost."""
GREETING = "السلام عليكم"
MATTERS = (
    "معاملة الترخيص الصناعي لها شهرين وما احد رد علي",
    "قدمت على تجديد الترخيص من ثلاث اسابيع والموقع يقول تحت الاجراء ولا جديد",
    "الموقع يعلق كل ما ارفع المستندات وضاع علي يوم كامل",
    "اريد تقديم شكوى على تأخر الرد على طلب الرخصة",
    "دفعت الرسوم ولم تصلني الفاتورة حتى الان",
    "I paid the fee twice and nobody answers my emails about the refund",
    "الخدمة الالكترونية ما تفتح معي من امس ابي احد يحل الموضوع",
    "Your website keeps crashing every time I upload the documents for my licence",
    "صار لي شهر انتظر شهادة المنشأ وكل يوم يقولون بكرة",
    "المراجعة في الفرع تاخذ ثلاث ساعات ولا احد ينظم الدور",
)
FILED = re.compile(r"(?<!\d)[68]\d{3} ?\d{4} ?\d{2}(?!\d)")
_MARKS = re.compile("[\u2066-\u2069\u200e\u200f]")
_TLS = ssl.create_default_context()  # made once: it is the dear part of a client, and never used on loopback


class Lost(Exception):
    """A turn got no answer, or another one than it should."""


@dataclass(frozen=True)
class Answered:
    """One turn, in seconds from the moment the message left; `sent` and `heard` are on the machine's monotonic clock."""

    id: str
    ack: float
    reply: float
    text: str
    sent: float
    heard: float


class Person(Protocol):
    """Somebody in a dialogue with one of the two bots."""

    tap: str

    async def open(self) -> None:
        """Be somebody new."""

    async def say(self, text: str) -> Answered:
        """The answer to a message; raises Lost."""

    async def close(self) -> None: ...


def client(url: str) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx.AsyncClient(base_url=url, timeout=PATIENCE, trust_env=False, verify=_TLS, limits=limits)


class Citizen:
    """At the web chat: messages go in by POST, answers come on the event stream."""

    tap = "1"

    def __init__(self, url: str, listening: bool = True) -> None:
        self._http, self._listening = client(url), listening
        self._headers: dict[str, str] = {}
        self._ears: asyncio.Task[None] | None = None
        self._waiting: tuple[str, asyncio.Future[tuple[float, str]]] | None = None

    async def open(self) -> None:
        await self._deaf()
        answer = await self._http.post("/chat/sessions", json={"lang": "ar"})
        while answer.status_code == 429:  # one address may open a hundred a second: the benchmark waits like anybody
            await asyncio.sleep(int(answer.headers["Retry-After"]))
            answer = await self._http.post("/chat/sessions", json={"lang": "ar"})
        answer.raise_for_status()
        self._headers = {"Authorization": f"Bearer {answer.json()['token']}"}
        if self._listening:
            opened = asyncio.Event()
            self._ears = asyncio.create_task(self._listen(opened))
            await asyncio.wait_for(opened.wait(), PATIENCE)

    async def post(self, text: str, id: str) -> float:
        """Seconds until the message is acknowledged; Lost where it is not."""
        began = time.monotonic()
        answer = await self._http.post("/chat/messages", json={"id": id, "text": text}, headers=self._headers)
        if answer.status_code != 202:
            raise Lost(f"POST /chat/messages answered {answer.status_code}")
        return time.monotonic() - began

    async def say(self, text: str) -> Answered:
        id = uuid.uuid4().hex
        heard: asyncio.Future[tuple[float, str]] = asyncio.get_running_loop().create_future()
        self._waiting = (id, heard)
        began = time.monotonic()
        ack = await self.post(text, id)
        try:
            at, answer = await asyncio.wait_for(heard, PATIENCE)
        except TimeoutError:
            raise Lost("no answer on the event stream") from None
        return Answered(id, ack, at - began, answer, began, at)

    async def _listen(self, opened: asyncio.Event) -> None:
        mine = False
        async with self._http.stream("GET", "/chat/events", headers=self._headers, timeout=None) as stream:
            opened.set()
            async for line in stream.aiter_lines():
                if not line.startswith("data:") or '"kind": "typing"' in line:
                    continue
                event = json.loads(line[5:])
                if event["kind"] == "own":
                    mine = self._waiting is not None and event["message"] == self._waiting[0]
                elif mine and self._waiting and not self._waiting[1].done():
                    self._waiting[1].set_result((time.monotonic(), event["text"]))

    async def _deaf(self) -> None:
        if self._ears:
            self._ears.cancel()
            await asyncio.gather(self._ears, return_exceptions=True)
            self._ears = None

    async def close(self) -> None:
        await self._deaf()
        await self._http.aclose()


class Sender:
    """At a stock bot's REST channel: the answers come with the POST."""

    tap = "/affirm"

    def __init__(self, url: str) -> None:
        self._http, self._name = client(url), ""

    async def open(self) -> None:
        self._name = uuid.uuid4().hex

    async def say(self, text: str) -> Answered:
        began = time.monotonic()
        body = {"sender": self._name, "message": text}
        try:
            answer = await self._http.post("/webhooks/rest/webhook", json=body)
        except httpx.HTTPError as error:
            raise Lost(type(error).__name__) from error
        said = answer.json() if answer.status_code == 200 else []
        if not said:
            raise Lost(f"nothing was said ({answer.status_code})")
        heard = time.monotonic()
        words = "\n".join(one.get("text", "") for one in said)
        return Answered(self._name, heard - began, heard - began, words, began, heard)

    async def close(self) -> None:
        await self._http.aclose()


MakePerson = Callable[[], Person]


@dataclass
class Load:
    """What came of one load: the turns that were answered and the sentences about those that were not."""

    turns: list[Answered] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    tickets: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.turns) / self.seconds if self.seconds else 0.0

    def reply(self, percent: float) -> float:
        """Milliseconds from message to answer."""
        return percentile([turn.reply for turn in self.turns], percent)

    def ack(self, percent: float) -> float:
        return percentile([turn.ack for turn in self.turns], percent)


def percentile(seconds: Sequence[float], percent: float) -> float:
    """In milliseconds, the value that so many percent do not exceed; NaN of nothing."""
    ordered = sorted(seconds)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] * 1000 if ordered else math.nan


class Dialogue:
    """One person's steps, again and again: greeting, matter, tap, somebody new."""

    def __init__(self, person: Person, matters: Sequence[str], load: Load, first: int = 0) -> None:
        self.person, self.load, self._matters = person, load, itertools.cycle(matters[first:] + matters[:first])  # type: ignore[operator]
        self._step, self.busy = 3, False

    async def open(self) -> None:
        await self.person.open()
        self._step = 0

    async def step(self) -> None:
        """One message and its answer, noted in the load."""
        self.busy = True
        try:
            if self._step == 3:
                await self.open()
            text = (GREETING, next(self._matters) if self._step == 1 else "", self.person.tap)[self._step]
            self._step += 1
            answered = await self.person.say(text)
            if self._step == 3:
                if not FILED.search(_MARKS.sub("", answered.text)):
                    raise Lost("the tap was answered without a reference")
                self.load.tickets += 1
            self.load.turns.append(answered)
        except (Lost, httpx.HTTPError) as lost:
            self.load.lost.append(str(lost) or type(lost).__name__)
            self._step = 3
        finally:
            self.busy = False


async def understood(make: MakePerson) -> list[str]:
    """The matters that this bot files after one tap; asking warms it up, too."""
    person, found = make(), []
    for matter in MATTERS:
        load = Load()
        dialogue = Dialogue(person, [matter], load)
        for _ in range(3):
            if not load.lost:
                await dialogue.step()
        if load.tickets:
            found.append(matter)
    await person.close()
    return found


async def idle(make: MakePerson, matters: Sequence[str], turns: int, pause: float = 0.03) -> Load:
    """One person, one turn after the other, with nothing else to do."""
    load, person = Load(), make()
    dialogue = Dialogue(person, matters, load)
    for _ in range(turns):
        await dialogue.step()
        await asyncio.sleep(pause)
    await person.close()
    return load


async def paced(make: MakePerson, matters: Sequence[str], chats: int, rate: float, seconds: float) -> Load:
    """So many open chats, so many messages a second over all of them, whether they are answered or not."""
    load = Load()
    dialogues = [Dialogue(make(), matters, load, n % len(matters)) for n in range(chats)]
    await _in_groups([dialogue.open() for dialogue in dialogues])
    began, tasks = time.monotonic(), []
    for n in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + n / rate - time.monotonic()))
        dialogue = dialogues[n % chats]
        if dialogue.busy:
            load.lost.append("the chat's turn before was not answered yet")
        else:
            tasks.append(asyncio.create_task(dialogue.step()))
    await asyncio.gather(*tasks)
    load.seconds = time.monotonic() - began
    await _in_groups([dialogue.person.close() for dialogue in dialogues])
    return load


async def saturated(make: MakePerson, matters: Sequence[str], clients: int, seconds: float) -> Load:
    """So many people who write again as soon as they are answered. The rate counts what was answered in the time."""
    load = Load()
    dialogues = [Dialogue(make(), matters, load, n % len(matters)) for n in range(clients)]
    await _in_groups([dialogue.open() for dialogue in dialogues])
    began = time.monotonic()

    async def write(dialogue: Dialogue) -> None:
        while time.monotonic() - began < seconds:
            await dialogue.step()

    await asyncio.gather(*(write(dialogue) for dialogue in dialogues))
    load.seconds = time.monotonic() - began
    await _in_groups([dialogue.person.close() for dialogue in dialogues])
    return load


async def acknowledged(url: str, matters: Sequence[str], rate: float, seconds: float) -> Load:
    """Messages at a steady rate over many sessions (the limit of each is not met), only their acknowledgement is timed.

    They are answered meanwhile: after the last one this waits until the house has nothing left to do.
    """
    load, steps = Load(), (GREETING, *matters[:1], Citizen.tap)
    people = [Citizen(url, listening=False) for _ in range(math.ceil(rate * seconds / len(steps)))]
    await _in_groups([person.open() for person in people])
    began, tasks = time.monotonic(), []

    async def post(person: Citizen, text: str) -> None:
        try:
            id = uuid.uuid4().hex
            sent = time.monotonic()
            ack = await person.post(text, id)
            load.turns.append(Answered(id, ack, math.nan, "", sent, math.nan))
        except (Lost, httpx.HTTPError) as lost:
            load.lost.append(str(lost) or type(lost).__name__)

    for n in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + n / rate - time.monotonic()))
        tasks.append(asyncio.create_task(post(people[n % len(people)], steps[n // len(people)])))
    await asyncio.gather(*tasks)
    load.seconds = time.monotonic() - began
    await _in_groups([person.close() for person in people])
    async with client(url) as http:
        for _ in range(200):
            state: dict[str, Any] = (await http.get("/health/ready")).json()
            if not state["storage"].get("waiting"):
                break
            await asyncio.sleep(0.1)
    return load


async def hooked(url: str, secret: str, matters: Sequence[str], busy: int, rate: float, seconds: float) -> Load:
    """Telegram's updates at a steady rate while `busy` people's messages are being worked on: their acknowledgement.

    Each is of somebody new: a conversation, the welcome and the message are stored before it is acknowledged.
    """
    load, headers = Load(), {"X-Telegram-Bot-Api-Secret-Token": secret}
    people = [Citizen(url, listening=False) for _ in range(busy)]
    await _in_groups([person.open() for person in people])
    async with client(url) as http:
        wrote = [asyncio.create_task(p.post(matters[n % len(matters)], uuid.uuid4().hex)) for n, p in enumerate(people)]

        async def call(n: int) -> None:
            person = {"id": 7_000_000 + n, "is_bot": False, "first_name": "x", "language_code": "ar"}
            chat = {"id": person["id"], "type": "private", "first_name": "x"}
            message = {"message_id": n, "date": int(time.time()), "chat": chat, "from": person, "text": GREETING}
            sent = time.monotonic()
            answer = await http.post("/webhooks/telegram", json={"update_id": n, "message": message}, headers=headers)
            if answer.status_code != 200:
                load.lost.append(f"update {n}: {answer.status_code}")
            load.turns.append(Answered(str(n), time.monotonic() - sent, math.nan, "", sent, math.nan))

        began, calls = time.monotonic(), []
        for n in range(1, int(rate * seconds) + 1):
            await asyncio.sleep(max(0.0, began + n / rate - time.monotonic()))
            calls.append(asyncio.create_task(call(n)))
        await asyncio.gather(*calls)
        load.seconds = time.monotonic() - began
        await asyncio.gather(*wrote, return_exceptions=True)
    await _in_groups([person.close() for person in people])
    return load


class Listeners:
    """People who have the page open and say nothing."""

    def __init__(self, url: str, many: int) -> None:
        self._people = [Citizen(url) for _ in range(many)]

    async def open(self) -> None:
        await _in_groups([person.open() for person in self._people])

    async def close(self) -> None:
        await _in_groups([person.close() for person in self._people])


async def _in_groups(work: Sequence[Any], size: int = 25) -> None:
    """All of it, not all at once: opening is no part of a benchmark, and limited per address."""
    for start in range(0, len(work), size):
        began = time.monotonic()
        await asyncio.gather(*work[start : start + size])
        if len(work) > 800:
            await asyncio.sleep(max(0.0, size / 300 - (time.monotonic() - began)))
