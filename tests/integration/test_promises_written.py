"""G7: what the house writes down about itself holds no message text, number, address, token or password, at DEBUG."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import uuid
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.doors import PASSWORD, Chat, Clerk, House, http
from tests.integration.peer import Peer, Turn, answer
from tests.running import ROOT, TOKEN, eventually

WORDS, PHONE, ID, MAIL = "CANARYWORDS كناري", "+966501234567", "1098765432", "canary.person@example.test"
CANARY = f"{WORDS} {PHONE} ٠٥٠١٢٣٤٥٦٧ {ID} {MAIL}"
TRACES = ("CANARY", "canary", "كناري", "501234567", "٥٠١٢٣", ID, "HUNTER2", TOKEN, PASSWORD)


def everywhere(house: House, clerk: Clerk | None) -> list[str]:
    """The canary in every place of every door, welcome or not; the tokens that were used."""
    chat, client, secrets = house.chat(), http(house.url), []
    secrets += [chat.token]

    def tries(method: str, path: str, **more: Any) -> None:
        with suppress(httpx.HTTPError):
            client.request(method, path, **more)

    chat.post(CANARY)
    chat.post(payload=f'/press{{"do":"{CANARY}"}}')
    chat.post(CANARY, id=f"CANARY-{uuid.uuid4().hex}")
    for body in (
        CANARY.encode(),
        b"\xff" + CANARY.encode(),
        json.dumps([CANARY]).encode(),
        json.dumps({CANARY: 1}).encode(),
        CANARY.encode() * 2_000,
    ):
        tries("POST", "/chat/messages", content=body, headers=chat.headers)
    tries(
        "POST", "/chat/messages", json={"id": "1", "text": CANARY}, headers={"Authorization": "Bearer CANARYTOKEN.x.y"}
    )
    tries("POST", "/chat/sessions", json={"lang": CANARY})
    tries("GET", "/chat/events", params={"after": CANARY, "token": "CANARY"})
    tries(
        "GET",
        f"/CANARY/{ID}",
        params={"q": CANARY},
        headers={"User-Agent": "CANARY", "X-Forwarded-For": "CANARY", "Referer": "http://CANARY"},
    )
    tries("POST", "/desk/login", data={"email": MAIL, "password": "HUNTER2", "csrf": "CANARY"})
    for path in ("/tickets", f"/tickets/CANARY{ID}", "/tickets/6000000000"):
        with suppress(httpx.HTTPError):
            house.api("GET", path, params={"q": CANARY, "state": CANARY, "cursor": "CANARY"})
    found = house.api("GET", "/tickets")
    refs = [t["ref"] for t in found.json()["tickets"]][:1] if found.status_code == 200 else []
    for ref in [*refs, "6000000000"]:
        for verb, said in (
            ("note", {"text": CANARY}),
            ("reply", {"text": CANARY}),
            ("assign", {"staff": MAIL}),
            ("CANARY", {"text": CANARY}),
            ("note", {"CANARY": CANARY}),
        ):
            with suppress(httpx.HTTPError):
                house.api(
                    "POST",
                    f"/tickets/{ref}/{verb}",
                    json=said,
                    headers={"Idempotency-Key": f"CANARY{uuid.uuid4().hex}"},
                )
        if clerk:
            for path in (f"/desk/tickets/{ref}/note", f"/desk/tickets/{ref}/CANARY", "/desk/notices/seen"):
                with suppress(httpx.HTTPError, AssertionError):
                    clerk.post(path, text=CANARY, reason=CANARY, until="CANARY")
    if clerk:
        secrets += [value for name, value in clerk.http.cookies.items() if name == "sawt_desk"]
        with suppress(httpx.HTTPError):
            clerk.get("/desk", q=CANARY, gone="CANARY", next="CANARY")
        login = clerk.http.get("/desk/login").text
        word = re.search(r'name="csrf" value="(\w+)"', login)
        data = {"email": MAIL, "password": "HUNTER2", "csrf": word[1] if word else "", "next": "/desk"}
        tries(
            "POST",
            "/desk/login",
            data=data,
            headers={"Origin": house.url, "Cookie": "; ".join(f"{k}={v}" for k, v in clerk.http.cookies.items())},
        )
    return secrets


def traces(log: str, more: list[str]) -> list[str]:
    """The lines in which something of a person or a secret stands."""
    wanted = re.compile("|".join(map(re.escape, (*TRACES, *more))) + "|[\u0620-\u064a]")
    return [line for line in log.splitlines() if wanted.search(line)]


def own_lines(log: str) -> list[dict[str, Any]]:
    """Every line is a JSON object, but the one that a development start prints for its operator."""
    return [json.loads(line) for line in log.splitlines() if not line.startswith("staff: ")]


EVERY_WAY = """
import asyncio, logging, sys, threading, structlog
from bot.log import configure
configure("DEBUG")
canary = sys.stdin.read()
ours, plain, theirs = structlog.get_logger("sawt.x"), logging.getLogger("bot.x"), logging.getLogger("some.library")
for field in ("text", "body", "payload", "password", "token", "secret", "code", "receipt", "params", "said", "address"):
    ours.info("a field", **{field: canary})
theirs.debug("a library's chatter " + canary)
for log in (plain, theirs):
    log.warning("a place holder: %s", canary)
    log.error("a first line\\n" + canary)
try:
    try:
        int(canary)
    except ValueError as error:
        raise RuntimeError(canary) from error
except RuntimeError as error:
    ours.exception("ours broke")
    ours.error("ours broke, given", exc_info=error)
    plain.exception("plain broke")
    theirs.exception("theirs broke")
def breaks():
    raise RuntimeError(canary)
thread = threading.Thread(target=breaks)
thread.start()
thread.join()
async def lost():
    asyncio.get_running_loop().create_future().set_exception(ValueError(canary))
    await asyncio.sleep(0)
asyncio.run(lost())
"""


def test_no_way_of_writing_down_quotes(tmp_path: Path) -> None:
    """G7: fields that hold words, placeholders, exceptions and their causes, of ours and of libraries, at DEBUG: every line
    is JSON with what happened and where, and quotes nothing."""
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-c", EVERY_WAY], input=CANARY, env=given, cwd=tmp_path, capture_output=True, text=True
    )
    lines = own_lines(done.stderr)
    assert done.returncode == 0 and traces(done.stderr, []) == [] and done.stdout == ""
    said = Counter(line["event"] for line in lines)
    assert said["a field"] == 11 and said["a place holder: %s"] == said["a first line"] == 2 and len(lines) >= 20
    broken = [line for line in lines if line["event"].endswith("broke") or line["event"].endswith("given")]
    assert len(broken) == 5 and all(line["exception"] == "RuntimeError" and line["at"] for line in broken)
    assert all({"event", "level", "timestamp"} <= set(line) for line in lines)


def test_no_log_holds_a_canary(house: House, clerk: Clerk) -> None:
    """G7: through chat, desk and API at DEBUG, accepted and refused; nor anything that other tests of this run have sent."""
    secrets = everywhere(house, clerk)
    chat = Chat(house.url)
    ref = chat.file(f"{CANARY} للتسجيل")
    secrets += [chat.token, *re.findall(r"\d{3}-\d{3}-\d{3}-\d{3}", " ".join(chat.answers(2)))]
    assert len(secrets) == 4 and house.ticket(ref)["text"].startswith(CANARY)
    log = house.log()
    assert any(line["event"] == "a turn got no answer" for line in own_lines(log)), "something is written down"
    assert traces(log, secrets) == []


def test_no_log_holds_a_canary_when_everything_breaks(tmp_path_factory: pytest.TempPathFactory) -> None:
    """G7: errors quote what they could not do: turns that cannot be stored, answers that are none, tables that are gone,
    a database that is locked. Types and places are written down, never words."""
    house = House(tmp_path_factory.mktemp("breaks"), {"LOG_LEVEL": "DEBUG"})
    house.start_house()
    shapes = iter(range(1_000_000))

    def breaks(turn: Turn) -> tuple[int, bytes] | None:
        said = {
            "events": [{"x": CANARY}],
            "replies": [{"name": CANARY, "params": {CANARY: CANARY}, "buttons": [CANARY]}],
            "slots": CANARY,
        }
        kind = next(shapes) % 4
        if kind == 3:
            return None
        return (
            (200, json.dumps(said).encode())
            if kind == 0
            else (200, CANARY.encode())
            if kind == 1
            else answer(CANARY, read=CANARY)
        )

    peer = Peer(house.rasa_port, breaks)
    try:
        house.wait()
        clerk = Clerk(house.url, "agent@example.test")
        secrets = everywhere(house, clerk)
        eventually(lambda: house.log().count("a turn got no answer") > 2, 15, "turns have failed")
        with closing(sqlite3.connect(house.data / "sawt.db", isolation_level=None)) as other:
            other.execute("PRAGMA foreign_keys = OFF")
            for table in ("entries", "outbox", "desk_notices", "idempotency"):
                other.execute(f"DROP TABLE {table}")
        secrets += everywhere(house, clerk)
        with suppress(httpx.HTTPError):
            assert house.api("GET", "/tickets/6000000000").status_code in (404, 500)
        lines = own_lines(house.log())
        broken = {line["exception"] for line in lines if "exception" in line}
        assert "OperationalError" in broken, broken
        assert any("bot/web/" in str(line.get("at")) for line in lines), "doors broke, not only turns"
        assert traces(house.log(), secrets) == []
    finally:
        house.stop()
        peer.close()
