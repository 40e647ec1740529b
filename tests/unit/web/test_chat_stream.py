"""The event stream over a real socket: order, resuming, waking, limits (promise D3)."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from chat_house import House, made

from bot.web.chat import router as doors
from bot.web.chat.bells import Bells
from bot.web.chat.router import Streams


class Served:
    """A house behind a real server, and one chat in it."""

    def __init__(self, house: House, base: str) -> None:
        self.house, self.base = house, base
        self.http = httpx.Client(base_url=base, timeout=5)
        token = self.http.post("/chat/sessions", json={"lang": "en"}).json()["token"]
        self.held = {"Authorization": f"Bearer {token}"}
        self.http.post("/chat/messages", headers=self.held, json={"id": "first", "text": "one"})
        self.session = house.stored[-1][0]

    def read(self, count: int, after: str | None = None, during: Any = None, query: Any = None) -> list[dict[str, Any]]:
        """The first `count` events; `during` is called once the stream is open."""
        headers = dict(self.held)
        if after is not None:
            headers["Last-Event-ID"] = after
        found: list[dict[str, Any]] = []
        with self.http.stream("GET", "/chat/events", headers=headers, params=query) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
            for line in answer.iter_lines():
                if line.startswith(":") and during is not None:
                    threading.Thread(target=during).start()
                    during = None
                if line.startswith("data:"):
                    found.append(json.loads(line[5:]))
                    if len(found) == count:
                        break
        return found


@contextmanager
def running(app: Any) -> Iterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(5)


@pytest.fixture
def served() -> Iterator[Served]:
    house = House()
    with running(made(house)) as base:
        yield Served(house, base)


def test_everything_from_the_beginning_in_order(served: Served) -> None:
    for number in range(5):
        served.house.add(served.session, "message", f"reply\n{number}")
    found = served.read(6)
    assert [each["kind"] for each in found] == ["own"] + ["message"] * 5
    assert found[0]["message"] == "first"
    assert [each["text"] for each in found[1:]] == [f"reply\n{number}" for number in range(5)]
    assert set(found[1]) == {"id", "kind", "text", "buttons", "at"}


def test_it_resumes_after_the_last_id_at_every_point(served: Served) -> None:
    for number in range(6):
        served.house.add(served.session, "message", str(number))
    whole = served.read(7)
    for cut in range(6):
        last = whole[cut]["id"]
        assert served.read(6 - cut, after=last) == whole[cut + 1 :]
        assert served.read(6 - cut, query={"after": last}) == whole[cut + 1 :]
    assert served.read(7, after="no such id") == whole


def test_more_than_a_page(served: Served) -> None:
    for number in range(450):
        served.house.add(served.session, "message", str(number))
    assert [each["text"] for each in served.read(451)[1:]] == [str(number) for number in range(450)]


def test_a_new_event_arrives_at_once(served: Served) -> None:
    begun = time.monotonic()
    found = served.read(2, during=lambda: (time.sleep(0.2), served.house.add(served.session, "message", "now")))
    assert found[1]["text"] == "now"
    assert time.monotonic() - begun < 2


def test_typing_is_told_and_is_no_place_to_resume_from(served: Served) -> None:
    def change() -> None:
        for on in (True, False):
            time.sleep(0.2)
            (served.house.writing.add if on else served.house.writing.discard)(served.session)
            served.house.bells.ring(served.session)

    found = served.read(3, during=change)
    assert [(each["kind"], each.get("on")) for each in found[1:]] == [("typing", True), ("typing", False)]
    assert found[1]["id"] == found[0]["id"]


def test_separators_inside_a_text_break_nothing(served: Served) -> None:
    text = "a\r\nb\rc\u2028d\u2029e\x85f\n\ndata: g"
    served.house.add(served.session, "message", text)
    assert served.read(2)[1]["text"] == text


def test_somebody_elses_events_never_come(served: Served) -> None:
    served.house.add("another", "message", "not yours")
    served.house.add(served.session, "message", "yours")
    assert [each["text"] for each in served.read(2)] == ["one", "yours"]


def test_a_heartbeat_comes(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "HEARTBEAT", 0.1)
    comments = 0
    with served.http.stream("GET", "/chat/events", headers=served.held) as answer:
        for line in answer.iter_lines():
            comments += line.startswith(":")
            if comments == 4:
                break


def test_above_the_limit_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "STREAMS", 1)
    house = House()
    with running(made(house)) as base:
        served = Served(house, base)
        with served.http.stream("GET", "/chat/events", headers=served.held) as first:
            assert first.status_code == 200
            second = httpx.get(base + "/chat/events", headers=served.held)
            assert second.status_code == 503
            assert second.json()["error"]["code"] == "busy"
            assert second.headers["retry-after"] == "15"
        for _ in range(50):
            with httpx.stream("GET", base + "/chat/events", headers=served.held) as again:
                if again.status_code == 200:
                    break
            time.sleep(0.1)
        else:
            pytest.fail("a stream that was left still counts")


def test_a_body_that_never_ends_is_given_up() -> None:
    house = House()
    with running(made(house, seconds=0.5)) as base:
        served = Served(house, base)
        host, port = base.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as wire:
            head = f"POST /chat/messages HTTP/1.1\r\nHost: x\r\nAuthorization: {served.held['Authorization']}\r\n"
            wire.sendall(head.encode() + b"Content-Length: 1000\r\n\r\n{")
            answer = wire.recv(4096)
        assert b" 408 " in answer.split(b"\r\n")[0]
        assert served.http.get("/help").status_code == 200


def test_a_chats_oldest_stream_gives_way() -> None:
    streams = Streams(limit=10, each=2)
    held = [streams.enter("a") for _ in range(3)]
    assert [each is not None and each.replaced for each in held] == [True, False, False]
    for each in held:
        assert each is not None
        streams.leave("a", each)
        streams.leave("a", each)
    assert streams.count == 0


async def test_a_ring_between_listening_and_waiting_is_heard() -> None:
    bells = Bells()
    with bells.listen("a") as bell, bells.listen("b") as other:
        await asyncio.to_thread(bells.ring, "a")
        assert await bell.rung(1)
        assert not await bell.rung(0.01)
        assert not await other.rung(0.01)
    bells.ring("a")
    assert not bells._bells
