"""H2, H3: the house stops in order, and says of itself what is so."""

from __future__ import annotations

import re
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from bot import settings as settings_
from bot import wiring
from bot.web.app import public_app
from channels.contract import Address
from tests.integration.doors import MATTER, Chat, House, http
from tests.integration.peer import Peer, Turn, answer
from tests.running import eventually, free_port

# H2


def test_sigterm_in_the_middle_of_turns(house_of: Callable[..., House], peer_of: Callable[[House], Peer]) -> None:
    """H2: with a slow turn and a hanging one at work, streams open and requests half sent the house ends by itself within
    15 s; both turns were finished, everything that got a 202 is there, the next start answers the rest once, in order."""
    house = house_of()
    peer = peer_of(house)

    def slowly(turn: Turn) -> tuple[int, bytes]:
        peer.closed.wait({"بطيئة": 3, "معلقة": 60}.get(turn["text"], 0))
        return answer("utter_greet")

    peer.behaviour = slowly
    house.wait()
    slow, hanging, crowd, taken = house.chat(), house.chat(), [house.chat() for _ in range(4)], []
    slow.post("بطيئة", id="slow")
    hanging.post("معلقة", id="hanging")
    eventually(lambda: len(peer.turns) == 2, 5, "both turns are at work")
    with ThreadPoolExecutor(8) as pool, httpx.Client(base_url=house.url, trust_env=False, verify=False) as client:
        for chat in crowd:
            pool.submit(_read_to_the_end, house, chat)
        half = client.build_request(
            "POST", "/chat/messages", headers={**crowd[0].headers, "Content-Length": "500"}, content=_dribble()
        )
        pool.submit(_quietly, lambda: client.send(half))
        time.sleep(0.5)
        assert house.house
        house.house.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        for n in range(20):
            try:
                if slow.post(f"بعد {n}", id=f"after-{n}").status_code == 202:
                    taken.append(n)
            except httpx.HTTPError:
                break
        code = house.house.wait(20)
        assert time.monotonic() - begun < 15 and code == 0
    assert len(peer.turns) == 2, "nothing new was begun"
    states = dict(house.rows("SELECT message_id, state FROM inbox WHERE message_id IN ('slow', 'hanging')"))
    assert states == {"slow": "done", "hanging": "menu"}
    peer.behaviour = lambda turn: answer("utter_greet")
    house.start_house()
    house.wait()
    slow.answers(1 + len(taken))
    assert len(hanging.answers(1)) == 1
    stored = [row[0] for row in house.rows("SELECT message_id FROM inbox WHERE message_id LIKE 'after-%' ORDER BY seq")]
    assert stored == [f"after-{n}" for n in taken]
    assert [t["text"] for t in peer.turns[2:]] == [f"بعد {n}" for n in taken]


def _dribble() -> Iterator[bytes]:
    for _ in range(500):
        yield b" "
        time.sleep(0.2)


def _read_to_the_end(house: House, chat: Chat) -> None:
    def read() -> None:
        with httpx.stream(
            "GET", f"{house.url}/chat/events", headers=chat.headers, timeout=30, trust_env=False, verify=False
        ) as stream:
            for _ in stream.iter_lines():
                pass

    _quietly(read)


def _quietly(what: Callable[[], Any]) -> None:
    with suppress(httpx.HTTPError):
        what()


# H3


def state(house: House) -> tuple[int, dict[str, bool], float]:
    """Readiness: its status, each dependency, and how long the answer took."""
    begun = time.monotonic()
    said = http(house.url).get("/health/ready")
    body = said.json()
    parts = {
        name: body[name] if isinstance(body[name], bool) else body[name]["ok"]
        for name in ("ready", "storage", "assistant")
    }
    return said.status_code, parts, time.monotonic() - begun


@contextmanager
def locked(house: House) -> Iterator[None]:
    """Another process holds the database for itself."""
    with closing(sqlite3.connect(house.data / "sawt.db", timeout=10, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


def the_queues_are_counted_as_they_are(house: House) -> None:
    """How many wait and for how long, as readiness and as Prometheus reads it; to this machine only."""
    for n in range(3):
        assert house.chat().post(f"انتظر {n}").status_code == 202
    time.sleep(1.2)
    lines = dict(
        line.rsplit(" ", 1) for line in http(house.url).get("/metrics").text.splitlines() if not line.startswith("#")
    )
    assert lines["sawt_inbox_waiting"] == "3" and 1 <= float(lines["sawt_inbox_oldest_seconds"]) < 15
    assert {"sawt_outbox_unsent", "sawt_outbox_oldest_seconds", "sawt_inbox_failed", "sawt_outbox_dead"} <= set(lines)
    said = http(house.url).get("/health/ready").json()["storage"]
    assert said["waiting"] == 3 and 1 <= said["oldest_waiting_s"] < 20
    for header in ("X-Forwarded-For", "Forwarded"):
        assert http(house.url).get("/metrics", headers={header: "127.0.0.1"}).status_code == 404


def test_readiness_tells_each_dependency(house_of: Callable[..., House]) -> None:
    """H3: absent, loading, hanging or dead assistant; storage that cannot be written to: named within five seconds, while
    the process is alive all the time; ready again as soon as it is so. What the door says fits: 503 and a sentence."""
    house = house_of()
    the_queues_are_counted_as_they_are(house)
    assert state(house)[:2] == (503, {"ready": False, "storage": True, "assistant": False})
    peer = Peer(house.rasa_port, lambda turn: answer("utter_greet"))
    assert state(house)[:2] == (200, {"ready": True, "storage": True, "assistant": True})
    peer.healthy = False
    assert state(house)[:2] == (503, {"ready": False, "storage": True, "assistant": False})
    peer.healthy, peer.health_takes = True, 30
    status, parts, took = state(house)
    assert (status, parts) == (503, {"ready": False, "storage": True, "assistant": False}) and took < 5
    peer.health_takes = 0
    chat = house.chat()
    with locked(house), ThreadPoolExecutor(8) as pool:
        posted = pool.submit(chat.post, MATTER, id="while-locked")
        looks = [pool.submit(state, house) for _ in range(6)]
        time.sleep(1)
        assert http(house.url).get("/health/live").status_code == 200
        for look in looks:
            status, parts, took = look.result()
            assert (status, parts) == (503, {"ready": False, "storage": False, "assistant": True}) and took < 5
        refused = posted.result()
        assert refused.status_code == 503 and int(refused.headers["retry-after"]) > 0
        assert re.search("[\u0621-\u064a]", refused.json()["error"]["text"])
    eventually(lambda: state(house)[0] == 200, 8, "ready again")
    eventually(
        lambda: http(house.url).get("/health/ready").json()["storage"]["waiting"] == 0, 10, "who waited is answered"
    )
    assert chat.post(MATTER, id="while-locked").json()["state"] == "stored"
    assert chat.answers(1)
    peer.close()
    assert state(house)[:2] == (503, {"ready": False, "storage": True, "assistant": False})


@pytest.fixture
def gone(tmp_path: Path) -> Iterator[tuple[FastAPI, wiring.Rooms]]:
    """The public application of a house whose database file has gone away under it, with one conversation in it."""
    ports = {"port": free_port(), "rasa_port": free_port(), "actions_port": free_port()}
    made = settings_.load(data_dir=tmp_path, secret_key="k" * 40, assistant_secret="s" * 40, database_url="", **ports)
    rooms = wiring.build(made)
    app = public_app(rooms, rooms.assistant(), rooms.dispatcher().news)
    rooms.reception.welcome(Address("web", "known"), "ar")
    rooms.engine.dispose()
    for file in tmp_path.glob("sawt.db*"):
        file.unlink()
    (tmp_path / "sawt.db").mkdir()
    yield app, rooms
    rooms.engine.dispose()


def _asks(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=("127.0.0.1", 1)), base_url="http://127.0.0.1")


async def test_a_database_that_is_gone_is_said(gone: tuple[FastAPI, wiring.Rooms]) -> None:
    """H3: no probe breaks where storage cannot even be read; pages that need none are still there."""
    async with _asks(gone[0]) as client:
        ready = await client.get("/health/ready")
        assert ready.status_code == 503 and ready.json()["storage"] == {"ok": False}
        assert (await client.get("/metrics")).status_code == 503
        for path in ("/health/live", "/", "/privacy", "/desk/login"):
            assert (await client.get(path)).status_code == 200
        answered = await client.get("/api/v1/tickets", headers={"Authorization": "Bearer x"})
        assert answered.status_code == 503 and answered.json()["error"]["code"] == "unavailable"
        assert (await client.get("/desk", headers={"Cookie": "sawt_desk=x"})).status_code == 503


async def test_the_chat_says_that_its_storage_is_gone(gone: tuple[FastAPI, wiring.Rooms]) -> None:
    """H3, D6: storage down is 503 with a sentence and a time to come again, also where it cannot even be read."""
    async with _asks(gone[0]) as client:
        token = (await client.post("/chat/sessions")).json()["token"]
        said = await client.post(
            "/chat/messages", json={"id": "1", "text": "x"}, headers={"Authorization": f"Bearer {token}"}
        )
        assert (said.status_code, said.json()["error"]["code"]) == (503, "storage")
