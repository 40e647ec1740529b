"""D1, D2, D3, D6: the chat and its limits at the real house's doors, over real sockets."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from bot.web.chat.tokens import Session, Tokens
from bot.web.connection import HEAD_BYTES, HEAD_SECONDS
from tests.integration.doors import MATTER, Chat, Clerk, House, http
from tests.integration.peer import Peer, answer

BODY_SECONDS = 15.0


# D1


def test_a_chat_belongs_to_who_holds_its_token(house: House) -> None:
    """D1: nobody's words reach another chat, whatever id, payload or place in the stream is named; all of one's own do."""
    mine, other = house.chat(), house.chat()
    for n in range(3):
        assert mine.post(f"سر رقم {n}", id=f"secret-{n}").status_code == 202
    mine.answers(3)
    places = [event["id"] for event in mine.events(until=6)]
    assert other.events() == []
    assert other.post("غيري", id="secret-0").status_code == 202, "a message id is each chat's own"
    other.answers(1)
    for place in ("", "0.0", "-1.0", "9" * 60, "' OR 1=1 --", places[0], places[-1]):
        assert "سر رقم" not in json.dumps(other.events(after=place), ensure_ascii=False)
    assert [e["message"] for e in mine.events() if e["kind"] == "own"] == ["secret-0", "secret-1", "secret-2"]


def test_a_token_is_made_here_for_one_random_chat(house: House) -> None:
    """D1: signed, at least 128 bits of chance, no conversation's id in it; renewed for the same chat and no other."""
    tokens = Tokens("a-secret-key-for-tests-of-forty-characters")
    chats = [house.chat() for _ in range(20)]
    ids = [opened.id for c in chats if (opened := tokens.open(c.token))]
    assert len(set(ids)) == 20 and all(len(id) * 6 >= 128 for id in ids)
    chat = chats[0]
    assert chat.post("مرحبا", id="of-the-first").status_code == 202
    [[conversation]] = house.rows("SELECT conversation FROM inbox WHERE message_id = 'of-the-first'")
    assert conversation not in chat.token and ids[0] not in json.dumps(
        house.rows("SELECT * FROM conversations"), default=str
    )
    renewed = http(house.url).post("/chat/sessions", headers=chat.headers).json()["token"]
    opened = tokens.open(renewed)
    assert opened and opened.id == ids[0]
    forged = Tokens("another-key-of-forty-characters-at-least").sign(Session(ids[0], "ar"))
    head, _, tail = chat.token.rpartition(".")
    for bad in (
        forged,
        chat.token[:-1],
        f"{head}.{tail[::-1]}",
        conversation,
        ids[0],
        "null",
        "a" * 5_000,
        f"{chat.token}.{chat.token}",
    ):
        headers = {"Authorization": f"Bearer {bad}"}
        for method, path in (("POST", "/chat/messages"), ("POST", "/chat/sessions"), ("GET", "/chat/events")):
            body = {"id": "x", "text": "x"} if method == "POST" else None
            refused = http(house.url).request(method, path, headers=headers, json=body)
            assert refused.status_code == 401 and refused.json()["error"]["text"]
    assert http(house.url).get(f"/chat/events?token={chat.token}").status_code == 401


# D2


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "http://127.0.0.1:1", "file://", ""]
)
def test_other_pages_change_nothing_at_any_door(house: House, clerk: Clerk, origin: str) -> None:
    """D2: every POST door of chat and desk, with a good token or cookie, refuses a foreign Origin before it stores."""
    chat = house.chat()
    ref = house.one("SELECT ref FROM tickets LIMIT 1") if house.rows("SELECT ref FROM tickets") else chat.file()
    csrf = clerk.csrf
    before, cookies = house.counts(), dict(clerk.http.cookies)
    client = http(house.url)
    headers = {**chat.headers, "Origin": origin}
    for path in ("/chat/sessions", "/chat/messages"):
        refused = client.post(path, headers=headers, json={"id": "x", "text": "x"})
        assert refused.status_code == 403 and "access-control-allow-origin" not in refused.headers
    for path in (f"/desk/tickets/{ref}/note", f"/desk/tickets/{ref}/close", "/desk/notices/seen", "/desk/logout"):
        cookie = "; ".join(f"{k}={v}" for k, v in cookies.items())
        form = {"csrf": csrf, "text": "x", "reason": "x", "until": "99999"}
        assert client.post(path, headers={"Origin": origin, "Cookie": cookie}, data=form).status_code == 403
    for more in ({"Origin": origin}, {"Sec-Fetch-Site": "cross-site"}):
        assert client.get("/chat/events", headers={**chat.headers, **more}).status_code == 403
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    for path in ("/chat/sessions", "/chat/messages", "/chat/events", f"/api/v1/tickets/{ref}/note", "/desk/logout"):
        preflight = client.options(path, headers=asked)
        assert preflight.status_code in (403, 405) and "access-control-allow-origin" not in preflight.headers
    assert house.counts() == before and clerk.get("/desk").status_code == 200


# D3


@contextmanager
def wire(house: House, request: bytes, timeout: float = 10) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", house.port), timeout=timeout) as connection:
        connection.sendall(request)
        yield connection


def stream_of(house: House, chat: Chat, after: str, size: int, seconds: float = 0.3) -> bytes:
    """The first so many bytes of the stream's body, then the line is cut, wherever that is."""
    head = f"GET /chat/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {chat.token}\r\n"
    head += f"Last-Event-ID: {after}\r\n" if after else ""
    got = b""
    with wire(house, f"{head}\r\n".encode(), seconds) as connection:
        try:
            while b"\r\n\r\n" not in got or len(got.split(b"\r\n\r\n", 1)[1]) < size:
                part = connection.recv(257)
                if not part:
                    break
                got += part
        except TimeoutError:
            pass
    body = got.split(b"\r\n\r\n", 1)[1] if b"\r\n\r\n" in got else b""
    return unchunked(body)[:size]


def unchunked(body: bytes) -> bytes:
    """The content of chunks, as far as it came."""
    found = b""
    while b"\r\n" in body:
        size, _, body = body.partition(b"\r\n")
        count = int(size or b"0", 16)
        found += body[:count]
        body = body[count + 2 :]
    return found


def whole_events(body: bytes) -> list[dict[str, Any]]:
    """The events that are there to their end; of the last one, cut off, nothing is believed."""
    blocks = body.decode(errors="ignore").split("\n\n")[:-1]
    data = ["".join(line[5:] for line in block.split("\n") if line.startswith("data:")) for block in blocks]
    return [event for each in data if each and (event := json.loads(each))["kind"] != "typing"]


def test_the_line_is_cut_at_every_event_and_the_transcript_is_whole(
    house_of: Callable[..., House], peer_of: Callable[[House], Peer]
) -> None:
    """D3: a chat of 20 turns is read with a cut after every few bytes and through kill -9: nothing missing, nothing twice."""
    house = house_of()
    peer_of(house).behaviour = lambda turn: answer("utter_greet")
    house.wait()
    chat = house.chat()
    for n in range(19):
        assert chat.post(f"السطر {n}: {'كلام ' * n}", id=f"line-{n}").status_code == 202
    chat.told(19)
    whole = chat.events(until=38)
    assert [e["message"] for e in whole if e["kind"] == "own"] == [f"line-{n}" for n in range(19)]
    heard: list[dict[str, Any]] = []
    cuts = 0
    while len(heard) < 38:
        cuts += 1
        assert cuts < 150, f"only {len(heard)} events came"
        size = 300 + 71 * (cuts % 9)  # some cuts give one event, some give none, some give several and a half
        heard += whole_events(stream_of(house, chat, heard[-1]["id"] if heard else "", size, 1))
        if cuts == 7:
            house.kill_house()
            house.start_house()
            house.wait_house()
    assert heard == whole and cuts > 15
    assert chat.post("بعد الانقطاع", id="line-19").status_code == 202
    assert [e["kind"] for e in chat.events(after=heard[-1]["id"], until=2)] == ["own", "message"]


def test_a_message_whose_answer_was_lost_is_sent_again(house: House) -> None:
    """D3: the line breaks before the 202 is read; the page sends the same id again: it is one message."""
    chat = house.chat()
    body = json.dumps({"id": "lost-202", "text": "هل وصلت؟"}).encode()
    head = f"POST /chat/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {chat.token}\r\nContent-Length: {len(body)}\r\n\r\n"
    for cut in (0, 10, len(body) - 1, len(body), len(body), len(body)):
        with wire(house, head.encode() + body[:cut]):
            pass
    time.sleep(0.2)
    again = chat.post("هل وصلت؟", id="lost-202")
    assert (again.status_code, again.json()["state"]) == (202, "duplicate")
    assert house.one("SELECT count(*) FROM inbox WHERE message_id = 'lost-202'") == 1


# D6


class Hanging(threading.Thread):
    """A request that never finishes, kept open until the house hangs up; what it said, and after how long."""

    def __init__(self, house: House, sent: bytes, trickle: bytes = b"") -> None:
        super().__init__(daemon=True)
        self.house, self.sent, self.trickle = house, sent, trickle
        self.said, self.lasted = b"", 0.0
        self.start()

    def run(self) -> None:
        begun = time.monotonic()
        with wire(self.house, self.sent, 0.5) as connection:
            while time.monotonic() - begun < 60:
                try:
                    if self.trickle:
                        connection.sendall(self.trickle)
                    part = connection.recv(65_536)
                except TimeoutError:
                    continue
                except OSError:
                    break
                if not part:
                    break
                self.said += part
        self.lasted = time.monotonic() - begun


@pytest.fixture(scope="module", autouse=True)
def hanging(shared: House) -> dict[str, Hanging]:
    """Requests that never finish, at every door and stage, from the module's first test on: a test at its end looks."""
    bearer = f"Authorization: Bearer {shared.chat().token}\r\n"
    found = {
        "nothing": Hanging(shared, b""),
        "a line": Hanging(shared, b"GET / HTT"),
        "half a head": Hanging(shared, b"POST /chat/messages HTTP/1.1\r\nHost: x\r\nX-More: "),
        "a head by the byte": Hanging(shared, b"GET / HTTP/1.1\r\nX-Slow: ", b"x"),
        "empty lines": Hanging(shared, b"", b"\r\n"),
    }
    doors = {
        "/chat/messages": bearer,
        "/chat/sessions": "",
        "/desk/login": "",
        "/api/v1/tickets/1/note": "",
        "/desk/tickets/1/note": "",
    }
    for path, more in doors.items():
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{more}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n"
        found[f"half a body at {path}"] = Hanging(shared, head.encode() + b'{"id')
        found[f"a body by the byte at {path}"] = Hanging(shared, head.encode() + b'{"id', b" ")
    chunked = f"POST /chat/messages HTTP/1.1\r\nHost: x\r\n{bearer}Transfer-Encoding: chunked\r\n\r\n5\r\nab"
    found["a chunk that never comes"] = Hanging(shared, chunked.encode())
    return found


def test_a_head_has_an_end(house: House) -> None:
    """D6: a head of any length would be held in memory: above 32 kB the connection is closed; a large body is no head."""
    with wire(house, b"GET / HTTP/1.1\r\nHost: x\r\n") as connection, pytest.raises(OSError):
        for n in range(10_000):
            connection.sendall(b"X-%d: %s\r\n" % (n, b"y" * 1000))
    for n in range(HEAD_BYTES // 4_000):
        assert http(house.url).get("/health/live", headers={"X-Long": "y" * 4_000}).status_code == 200, n
    body = json.dumps({"id": "large", "text": "ص" * 10_000}, ensure_ascii=False).encode()
    with wire(house, b"") as connection:  # two requests on one line, the first body in small pieces
        chat = house.chat()
        head = f"POST /chat/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {chat.token}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode())
        for start in range(0, len(body), 2_000):
            connection.sendall(body[start : start + 2_000])
        answered = b""
        while b'"stored"' not in answered:
            answered += connection.recv(4_096)
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in connection.recv(4_096)


MALFORMED = {
    "10,000 deep": b"[" * 10_000 + b"]" * 10_000,
    "objects 10,000 deep": b'{"text":' * 7_000 + b"1" + b"}" * 7_000,
    "deep in a field": b'{"id":"1","text":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "a list": b'[{"id": "1", "text": "x"}]',
    "null": b"null",
    "a number": b"1e999",
    "a long number": b'{"id": "1", "text": "x", "n": ' + b"9" * 30_000 + b"}",
    "a string": b'"text"',
    "nothing": b"",
    "form fields": b"id=1&text=x",
    "xml": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
    "a megabyte": b'{"id": "1", "text": "' + b"x" * 1_000_000 + b'"}',
    "zipped": bytes.fromhex("1f8b08000000000000ff"),
    "names twice": b'{"id": "1", "text": "x", "text": "y"}',
    "id of the wrong kind": b'{"id": {"a": 1}, "text": "x"}',
}


@pytest.mark.parametrize(
    "door",
    ["/chat/messages", "/chat/sessions", "/api/v1/tickets/{ref}/note", "/desk/login", "/desk/tickets/{ref}/note"],
)
def test_what_is_no_request_is_refused_at_every_door(house: House, clerk: Clerk, door: str) -> None:
    """D6: no body can break a door: a refusal with a reason, nothing stored, and the door stays open.

    A session needs nothing of its body, and passes over names that it does not know.
    """
    chat = house.chat()
    ref = chat.file()
    before = house.counts()
    headers = chat.headers if door.startswith("/chat") else house.api_headers if door.startswith("/api") else {}
    for name, body in MALFORMED.items():
        for type in (
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/plain",
        ):
            if type != "application/json" and (len(body) > 100_000 or not door.startswith("/desk")):
                continue
            answered = clerk.http.post(door.format(ref=ref), content=body, headers={**headers, "Content-Type": type})
            passed = (
                {200, 201}
                if door == "/chat/sessions" and body[:1] in b"{" and name not in ("a megabyte", "names twice")
                else set()
            )
            assert answered.status_code in {400, 401, 403, 413, 422} | passed, (
                name,
                type,
                answered.status_code,
                answered.text[:200],
            )
            assert "Traceback" not in answered.text and len(answered.text) > 10
    assert house.counts() == before
    assert clerk.get("/desk").status_code == 200


def test_a_hundred_messages_a_second_of_one_and_of_all(house: House) -> None:
    """D6: one chat gets 20 at once, then 429 with a sentence and when to come again; what was taken is stored once, and
    the refused message goes through when it is sent again. Others feel nothing."""
    flood, calm = house.chat(), house.chat()
    codes: Counter[int] = Counter()
    taken: list[str] = []

    def post(n: int) -> None:
        answered = flood.post(f"رسالة {n}", id=f"flood-{n}")
        codes[answered.status_code] += 1
        if answered.status_code == 202:
            taken.append(f"flood-{n}")
        else:
            assert answered.status_code == 429 and int(answered.headers["retry-after"]) >= 1
            assert any("\u0621" <= c <= "\u064a" for c in answered.json()["error"]["text"])

    begun = time.monotonic()
    threads = [threading.Thread(target=post, args=(n,)) for n in range(100)]
    for thread in threads:
        thread.start()
    assert calm.post("انا هادئ").status_code == 202
    for thread in threads:
        thread.join()
    took = time.monotonic() - begun
    assert sum(codes.values()) == 100 and 20 <= codes[202] <= 21 + took
    stored = [row[0] for row in house.rows("SELECT message_id FROM inbox WHERE message_id LIKE 'flood-%'")]
    assert sorted(stored) == sorted(taken)
    assert calm.answers(1)
    refused = next(f"flood-{n}" for n in range(100) if f"flood-{n}" not in taken)
    time.sleep(1.1)
    assert flood.post("مرة اخرى", id=refused).status_code == 202


def test_a_request_that_never_ends_is_given_up_and_holds_nobody_up(house: House, hanging: dict[str, Hanging]) -> None:
    """D6: head or body, announced or in chunks, silent or by the byte: closed after about 15 s, a body with a reason.

    Two hundred more of them at once cost others nothing.
    """
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(wire(house, b"GET / HTTP/1.1\r\nX: "))
        for _ in range(10):
            asked = time.monotonic()
            assert http(house.url).get("/health/live").status_code == 200
            assert house.chat().post(MATTER).status_code == 202
            assert time.monotonic() - asked < 1.5
    for name, request in hanging.items():
        request.join(max(BODY_SECONDS, HEAD_SECONDS) + 10)
        assert not request.is_alive() and request.lasted < max(BODY_SECONDS, HEAD_SECONDS) + 6, (name, request.lasted)
        first = request.said.split(b"\r\n")[0]
        if "/chat/messages" in name or "/chat/sessions" in name or "/login" in name or "chunk" in name:
            assert b" 408 " in first and len(request.said) > 200, (name, request.said)
        elif "body" in name:
            assert re.search(rb" 4\d\d ", first), (name, request.said)
        else:
            assert request.said == b"", name
