"""Telegram against the channel contract: its secret, its payloads, and the Bot API played by a small server.

The SDK is the real one in every test; what is played is Telegram's side of the connection.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import socket
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.contract import (
    UNREAD,
    Address,
    Button,
    CannotFetch,
    Delivery,
    Failure,
    Ignored,
    Incoming,
    Malformed,
    MediaRef,
    Outgoing,
    Place,
    Provider,
    Rejected,
    Request,
    SendFailed,
    Template,
)
from channels.telegram import media, wire
from channels.telegram.provider import Telegram

PAYLOADS = Path(__file__).parents[1] / "payloads/telegram"
BOT = "110000001"
TOKEN, SECRET = f"{BOT}:AAExampleOfAToken_not-a-real-one-000", "the-secret_of-the-webhook"
PERSON = "500000001"
HOOK = "https://sawt.example.gov/webhooks/telegram"
NOW = datetime(2026, 11, 26, 9, 10, tzinfo=UTC)
TEXT = "تم تسجيل شكواك برقم ⁨6821 0936 59⁩، وسنرد قبل نهاية دوام الإثنين."

HOUSE = Telegram(token=TOKEN, secret_token=SECRET, api_base="")
"""For what asks nothing of the network."""


def payload(name: str) -> bytes:
    """The body of a recorded call."""
    return (PAYLOADS / f"{name}.json").read_bytes()


def call(body: bytes = b"", secret: str | None = None) -> Request:
    headers = {"content-type": "application/json"}
    return Request(HOOK, headers if secret is None else headers | {"x-telegram-bot-api-secret-token": secret}, body)


def read(body: bytes) -> Incoming | Delivery | Ignored:
    (update,) = HOUSE.parse(call(body))
    return update


def incoming(name: str) -> Incoming:
    update = read(payload(name))
    assert isinstance(update, Incoming)
    return update


# who calls (promise B2)


def test_telegram_is_let_in() -> None:
    HOUSE.verify(call(secret=SECRET))


@pytest.mark.parametrize(
    "secret",
    [None, "", SECRET[:-1], SECRET + "x", SECRET.upper(), f" {SECRET}", "x" * 10_000, "سر", "\udcff", "\x00"],
)
def test_whoever_does_not_know_the_secret_is_rejected(secret: str | None) -> None:
    with pytest.raises(Rejected) as rejected:
        HOUSE.verify(call(payload("text_ar"), secret))
    assert SECRET not in str(rejected.value)


def test_the_secret_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[object, object]] = []

    def compare(given: bytes, ours: bytes) -> bool:
        compared.append((given, ours))
        return given == ours

    monkeypatch.setattr(hmac, "compare_digest", compare)
    HOUSE.verify(call(secret=SECRET))
    for secret in (None, "wrong"):
        with pytest.raises(Rejected):
            HOUSE.verify(call(secret=secret))
    assert compared == [(given, SECRET.encode()) for given in (SECRET.encode(), b"", b"wrong")]


# what comes in

HERE = Address("telegram", PERSON, BOT)
NAMES = sorted(path.stem for path in PAYLOADS.glob("*.json"))
FILES: Mapping[str, MediaRef] = {
    "photo": MediaRef("AgACAgQAAxkBAAMy", "photo", size=171_202),
    "voice": MediaRef("AwACAgQAAxkBAAMv", "voice", "audio/ogg", size=28_114),
    "audio": MediaRef("CQACAgQAAxkBAAMw", "voice", "audio/mpeg", "تسجيل.mp3", 1_008_213),
    "video": MediaRef("BAACAgQAAxkBAAMx", "video", "video/mp4", "VID_0001.mp4", 25_165_824),
    "video_note": MediaRef("DQACAgQAAxkBAAMy", "video", size=402_113),
    "animation": MediaRef("CgACAgQAAxkBAAMz", "video", "video/mp4", "pump.gif.mp4", 90_112),
    "document": MediaRef("BQACAgQAAxkBAAM0", "document", "application/pdf", "فاتورة الكهرباء.pdf", 204_811),
}
TEXTS: Mapping[str, str] = {
    "text_ar": "السلام عليكم، الإنارة مطفأة في شارع الملك فهد منذ أسبوع 😔",
    "start": "/start desk",
    "photo": "الحفرة أمام المدرسة",
    "video": "الماء في الشارع",
    "document": "الفاتورة مرفقة",
}
PLACES: Mapping[str, Place] = {
    "location": Place(24.713552, 46.675297),
    "venue": Place(31.95391, 35.91058, "مركز خدمة المواطنين, شارع الاستقلال، عمّان"),
}
INSTEAD: Mapping[str, str] = {
    "sticker": "sticker",
    "contact": "contact",
    "poll": "poll",
    "dice": "other",
    "pinned": "other",
    "edited": "edited",
    "reaction": "reaction",
    "group": "group",
    "group_joined": "group",
}
PRESSED: Mapping[str, tuple[str, str]] = {
    "callback_query": ("4711:0", "2147483650000000017"),
    "callback_query_old": ("4711:1", "2147483650000000018"),
    "callback_query_inline": ("4711:1", "2147483650000000019"),
}
IGNORED = {"channel_post", "my_chat_member", "inline_query", "live_location_moved", "reaction_taken_back"}


def test_every_payload_is_accounted_for() -> None:
    assert set(NAMES) == {*FILES, *TEXTS, *PLACES, *INSTEAD, *PRESSED, *IGNORED}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in IGNORED])
def test_every_message_says_who_when_and_which(name: str) -> None:
    came, told = incoming(name), json.loads(payload(name))
    assert came.message_id == f"u{told['update_id']}"
    assert came.language == "ar"
    if name.startswith("group"):
        assert came.address in (Address("telegram", "-1001200000001", BOT), Address("telegram", "-412000001", BOT))
    else:
        assert came.address == HERE
    if name in PRESSED:  # the date is that of our own message there
        assert came.sent_at is None
    else:
        assert came.sent_at is not None and timedelta(0) < came.sent_at - NOW < timedelta(minutes=20)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in IGNORED])
def test_every_message_is_read_for_what_it_is(name: str) -> None:
    came = incoming(name)
    assert came.text == TEXTS.get(name, "")
    assert came.files == ((FILES[name],) if name in FILES else ())
    assert came.place == PLACES.get(name)
    assert came.unread == INSTEAD.get(name, "")
    assert (came.button, came.opt) == (PRESSED[name][0] if name in PRESSED else "", "")


@pytest.mark.parametrize("name", sorted(PRESSED))
def test_a_pressed_button_is_answered_by_the_webhook_itself(name: str) -> None:
    assert incoming(name).answer == {"method": "answerCallbackQuery", "callback_query_id": PRESSED[name][1]}


@pytest.mark.parametrize("name", sorted(IGNORED))
def test_what_needs_no_answer_is_ignored_with_a_reason(name: str) -> None:
    update = read(payload(name))
    assert isinstance(update, Ignored) and update.reason
    assert PERSON not in update.reason


@pytest.mark.parametrize("kind", ["business_message", "chat_boost", "purchased_paid_media", "hologram"])
def test_a_kind_that_nobody_reads_is_ignored_whatever_it_holds(kind: str) -> None:
    assert isinstance(read(json.dumps({"update_id": 1, kind: [5]}).encode()), Ignored)


def test_the_same_update_is_the_same_message() -> None:
    assert incoming("text_ar") == incoming("text_ar")


def only_what_is_agreed(body: bytes) -> None:
    """Values of the contract with the types of the contract, or Malformed."""
    try:
        updates = HOUSE.parse(call(body))
    except Malformed:
        return
    for update in updates:
        assert isinstance(update, Incoming | Ignored)
        if isinstance(update, Incoming):
            assert update.address.scheme == "telegram" and int(update.address.identifier) < 2**63
            assert all(isinstance(said, str) for said in (update.text, update.button, update.message_id))
            assert update.unread in ("", *UNREAD) and update.language in ("", "ar", "en", "zh")
            assert update.sent_at is None or update.sent_at.tzinfo is not None
            for file in update.files:
                assert all(isinstance(said, str) for said in (file.id, file.type, file.name))
                assert file.size is None or isinstance(file.size, int)
            json.dumps(update.answer)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.integers(min_value=10**30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_read_or_malformed(body: bytes) -> None:
    only_what_is_agreed(body)


@given(ANY)
@settings(max_examples=150, deadline=None)
def test_any_json_is_read_or_malformed(said: Any) -> None:
    only_what_is_agreed(json.dumps(said).encode())


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, one in inner for place in places(one, (*path, name)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], by)
    return copy


@given(st.sampled_from(NAMES), st.data())
@settings(max_examples=400, deadline=None)
def test_any_value_anywhere_in_an_update_is_read_or_malformed(name: str, data: st.DataObject) -> None:
    update = json.loads(payload(name))
    path = data.draw(st.sampled_from(places(update)))
    only_what_is_agreed(json.dumps(replaced(update, path, data.draw(ANY))).encode())


# the Bot API, played

type Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    form: dict[str, str]


@dataclass
class Played:
    """Telegram's side of the connection: each request is given the next of the answers, and kept."""

    answers: list[Answer]
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        start, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, path, _ = start.split(" ")
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        self.asked.append(Asked(method, path, form))
        await self.answers.pop(0)(writer)
        writer.close()


@asynccontextmanager
async def playing(*answers: Answer) -> AsyncIterator[tuple[Played, Telegram]]:
    """Who plays the Bot API, and a provider that asks there."""
    played = Played(list(answers))
    server = await asyncio.start_server(played.serve, "127.0.0.1", 0)
    played.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/simulator"
    provider = Telegram(token=TOKEN, secret_token=SECRET, api_base=played.url)
    try:
        yield played, provider
    finally:
        await provider.close()
        server.close()


def raw(status: int, body: bytes, **headers: str) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        lines = {"Content-Length": str(len(body)), "Connection": "close"}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        shown = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
        writer.write(f"HTTP/1.1 {status} X\r\n{shown}\r\n".encode() + body)
        await writer.drain()

    return answer


def done(result: Any) -> Answer:
    return raw(200, json.dumps({"ok": True, "result": result}).encode(), Content_Type="application/json")


def refused(status: int, description: str, **parameters: Any) -> Answer:
    said = {"ok": False, "error_code": status, "description": description}
    said |= {"parameters": parameters} if parameters else {}
    return raw(status, json.dumps(said).encode(), Content_Type="application/json")


async def cut(writer: asyncio.StreamWriter) -> None:
    """The request was read, and no answer comes."""


async def silence(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(1)


async def trickle(writer: asyncio.StreamWriter) -> None:
    """A byte now and then, without an end."""
    writer.write(b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\n")
    for _ in range(20):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


SENT = done(
    {
        "message_id": 77, "date": 1_795_684_262, "text": TEXT,
        "chat": {"id": int(PERSON), "type": "private", "first_name": "سارة"},
        "from": {"id": int(BOT), "is_bot": True, "first_name": "صوت"},
    }
)  # fmt: skip


def message(text: str = TEXT, *buttons: Button, to: str = PERSON, scheme: str = "telegram") -> Outgoing:
    return Outgoing(4711, Address(scheme, to, BOT), text, buttons)


async def failure(*answers: Answer, of: Outgoing | None = None) -> SendFailed:
    """How a message fails that is answered so; nothing is asked a second time."""
    async with playing(*answers) as (played, provider):
        with pytest.raises(SendFailed) as failed:
            await provider.send(of or message())
    assert len(played.asked) == len(answers) and not played.answers
    return failed.value


# what is there before anything is asked


def test_construction_touches_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def touched(*_: object) -> None:
        raise AssertionError("the network was touched")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, touched)
    monkeypatch.setattr(socket, "getaddrinfo", touched)
    provider: Provider = Telegram(token=TOKEN, secret_token=SECRET, api_base="")
    limits = provider.schemes["telegram"]
    assert (provider.name, provider.can_look_up, list(provider.schemes)) == ("telegram", False, ["telegram"])
    assert (limits.characters, limits.buttons, limits.window, limits.files) == (4_096, 12, None, 20_000_000)
    assert (limits.per_second, limits.apart, limits.can_receive) == (30, timedelta(seconds=1), True)


@pytest.mark.parametrize(
    ("token", "secret", "base"),
    [
        ("", SECRET, ""), (TOKEN, "", ""), ("110/../x", SECRET, ""), (TOKEN, "سر", ""), (TOKEN, "x" * 257, ""),
        (TOKEN, SECRET, "api.telegram.org"), (TOKEN, SECRET, "ftp://x"), (TOKEN, SECRET, "http://"),
        (TOKEN, SECRET, "http://x:no"), (TOKEN, SECRET, "https://x/?a=b"), (TOKEN, SECRET, "https://a:b@x/"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_said_at_once(token: str, secret: str, base: str) -> None:
    with pytest.raises(ValueError, match="Telegram") as wrong:
        Telegram(token=token, secret_token=secret, api_base=base)
    assert TOKEN not in str(wrong.value) and SECRET not in str(wrong.value)


# sending


async def test_a_message_is_sent_as_it_stands() -> None:
    async with playing(SENT) as (played, provider):
        receipt = await provider.send(message("<b>*نص*</b> https://example.gov"))
    (asked,) = played.asked  # getMe is not among them
    assert receipt.provider_id == "77"
    assert (asked.method, asked.path) == ("POST", f"/simulator/bot{TOKEN}/sendMessage")
    assert json.loads(asked.form.pop("link_preview_options")) == {"is_disabled": True}
    assert asked.form == {"chat_id": PERSON, "text": "<b>*نص*</b> https://example.gov"}


async def test_buttons_go_with_their_tokens() -> None:
    buttons = (Button("نعم", "4711:0"), Button("لا", "4711:1"), Button("أريد أن أتحدث مع موظف", "4711:2"))
    async with playing(SENT) as (played, provider):
        await provider.send(message(TEXT, *buttons))
    rows = json.loads(played.asked[0].form["reply_markup"])["inline_keyboard"]
    assert [[(button["text"], button["callback_data"]) for button in row] for row in rows] == [
        [("نعم", "4711:0"), ("لا", "4711:1")],
        [("أريد أن أتحدث مع موظف", "4711:2")],
    ]


async def test_a_template_is_its_text() -> None:
    async with playing(SENT) as (played, provider):
        await provider.send(Outgoing(1, HERE, "النص", template=Template("HX1")))
    assert played.asked[0].form["text"] == "النص"


async def test_a_slash_at_the_end_of_the_base_is_none() -> None:
    async with playing(SENT) as (played, _):
        provider = Telegram(token=TOKEN, secret_token=SECRET, api_base=f"{played.url}/")
        await provider.send(message())
        await provider.close()
    assert played.asked[0].path == f"/simulator/bot{TOKEN}/sendMessage"


@pytest.mark.parametrize(
    ("status", "description", "kind"),
    [
        (403, "Forbidden: bot was blocked by the user", Failure.STOPPED),
        (403, "Forbidden: user is deactivated", Failure.REFUSED),
        (403, "Forbidden: bot can't initiate conversation with a user", Failure.REFUSED),
        (400, "Bad Request: chat not found", Failure.REFUSED),
        (400, "Bad Request: message is too long", Failure.UNSUPPORTED),
        (400, f"Bad Request: can't parse {TEXT}", Failure.UNSUPPORTED),
        (401, "Unauthorized", Failure.MISCONFIGURED),
        (404, "Not Found", Failure.MISCONFIGURED),
        (409, "Conflict", Failure.UNEXPECTED),
        (302, "", Failure.UNEXPECTED),
    ],
)
async def test_a_refusal_is_told_as_its_kind(status: int, description: str, kind: Failure) -> None:
    failed = await failure(refused(status, description))
    assert (failed.kind, failed.code, failed.maybe_sent) == (kind, str(status), False)


async def test_too_fast_says_for_how_long() -> None:
    failed = await failure(refused(429, "Too Many Requests: retry after 17", retry_after=17))
    assert (failed.kind, failed.code, failed.retry_after, failed.maybe_sent) == (Failure.THROTTLED, "429", 17.0, False)


async def test_a_429_of_somebody_on_the_way_is_too_fast_as_well() -> None:
    failed = await failure(raw(429, b"<html>slow down</html>"))
    assert (failed.kind, failed.retry_after, failed.maybe_sent) == (Failure.THROTTLED, None, False)


async def test_a_group_that_moved_is_not_followed() -> None:
    moved = refused(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1001)
    assert (await failure(moved, of=message(to="-5"))).kind is Failure.REFUSED


@pytest.mark.parametrize("answer", [refused(500, "Internal Server Error: restart"), raw(502, b"<html>")])
async def test_trouble_on_their_side_leaves_it_open_whether_it_was_sent(answer: Answer) -> None:
    failed = await failure(answer)
    assert (failed.kind, failed.maybe_sent) == (Failure.UNREACHABLE, True)


@pytest.mark.parametrize("answer", [cut, silence, trickle])
async def test_no_answer_leaves_it_open_whether_it_was_sent(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "SECONDS", 0.2)
    started = time.monotonic()
    failed = await failure(answer)
    assert (failed.kind, failed.maybe_sent) == (Failure.UNREACHABLE, True)
    assert time.monotonic() - started < 0.9


async def test_nobody_there_means_nothing_was_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        provider = Telegram(token=TOKEN, secret_token=SECRET, api_base=f"http://127.0.0.1:{port}")
        with pytest.raises(SendFailed) as failed:
            await provider.send(message())
        await provider.close()
    assert (failed.value.kind, failed.value.maybe_sent) == (Failure.UNREACHABLE, False)


@pytest.mark.parametrize(
    "answer", [raw(200, b"<html>log in</html>"), raw(200, b"[]"), raw(200, b'{"ok": true}'), done({}), done(True)]
)
async def test_a_success_that_cannot_be_read_may_be_one(answer: Answer) -> None:
    failed = await failure(answer)
    assert (failed.kind, failed.maybe_sent) == (Failure.UNEXPECTED, True)


async def test_a_message_of_which_only_the_number_is_told_is_sent() -> None:
    async with playing(done({"message_id": 78})) as (_, provider):
        assert (await provider.send(message())).provider_id == "78"


async def test_half_a_character_is_no_text() -> None:
    failed = await failure(of=message("\ud83d"))
    assert (failed.kind, failed.maybe_sent) == (Failure.UNSUPPORTED, False)


@pytest.mark.parametrize("to", ["@ministry", "", "5 ", "٥", "1" * 20, "5\n"])
async def test_a_name_is_no_chat(to: str) -> None:
    assert (await failure(of=message(to=to))).kind is Failure.REFUSED


async def test_an_address_of_another_scheme_is_not_written_to() -> None:
    assert (await failure(of=message(scheme="sms"))).kind is Failure.MISCONFIGURED


async def test_a_message_that_may_be_there_cannot_be_looked_for() -> None:
    assert not HOUSE.can_look_up
    assert await HOUSE.find(message(), NOW, set()) is None


# the webhook


async def test_the_webhook_is_set_with_our_secret() -> None:
    async with playing(done(True)) as (played, provider):
        await provider.set_webhook(HOOK)
    (asked,) = played.asked
    assert asked.path == f"/simulator/bot{TOKEN}/setWebhook"
    assert json.loads(asked.form.pop("allowed_updates")) == [
        "message", "edited_message", "callback_query", "message_reaction",
    ]  # fmt: skip
    assert asked.form == {
        "url": HOOK, "secret_token": SECRET, "max_connections": "40", "drop_pending_updates": "false",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(400, "Bad Request: bad webhook: HTTPS url must be provided for webhook"), Failure.MISCONFIGURED),
        (refused(401, "Unauthorized"), Failure.MISCONFIGURED),
        (refused(500, ""), Failure.UNREACHABLE),
        (cut, Failure.UNREACHABLE),
    ],
)
async def test_a_webhook_that_is_not_set_is_told(answer: Answer, kind: Failure) -> None:
    async with playing(answer) as (_, provider):
        with pytest.raises(SendFailed) as failed:
            await provider.set_webhook(HOOK)
    assert failed.value.kind is kind


# files

BYTES = bytes(range(256)) * 64
FILE = MediaRef("AgACAgQAAxkBAAMy", "photo", size=len(BYTES))


def located(path: str | None = "photos/file_1.jpg", size: int | None = len(BYTES)) -> Answer:
    found = {"file_id": FILE.id, "file_unique_id": "AQADy", "file_size": size, "file_path": path}
    return done({name: value for name, value in found.items() if value is not None})


async def brought(provider: Telegram, file: MediaRef = FILE, most: int = 100_000) -> bytes:
    return b"".join([piece async for piece in provider.fetch(file, most)])


async def test_a_file_is_brought() -> None:
    async with playing(located(), raw(200, BYTES)) as (played, provider):
        assert await brought(provider) == BYTES
    assert [(asked.method, asked.path) for asked in played.asked] == [
        ("POST", f"/simulator/bot{TOKEN}/getFile"),
        ("GET", f"/simulator/file/bot{TOKEN}/photos/file_1.jpg"),
    ]
    assert played.asked[0].form == {"file_id": FILE.id}


async def half(writer: asyncio.StreamWriter) -> None:
    """Less than was announced."""
    writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
    await writer.drain()


NOT_BROUGHT: list[tuple[str, tuple[Answer, ...], bool]] = [
    ("too large for Telegram", (refused(400, "Bad Request: file is too big"),), True),
    ("no file of this bot's", (refused(400, "Bad Request: invalid file_id"),), True),
    ("away for now", (refused(400, "Bad Request: wrong file_id or the file is temporarily unavailable"),), False),
    ("the token is wrong", (refused(401, "Unauthorized"),), False),
    ("too fast", (refused(429, "Too Many Requests: retry after 5", retry_after=5),), False),
    ("trouble on their side", (refused(500, "Internal Server Error"),), False),
    ("no answer", (cut,), False),
    ("an answer that cannot be read", (raw(200, b"<html>"),), False),
    ("a size over the limit is told", (located(size=100_001),), True),
    ("no path", (located(path=None),), True),
    ("a file of this machine", (located(path=str(PAYLOADS / "README.md")),), True),
    ("not there", (located(), raw(404, b"")), True),
    ("gone", (located(), raw(410, b"")), True),
    ("trouble while it is brought", (located(), raw(503, b"")), False),
    ("sent elsewhere", (located(), raw(302, b"", Location="/elsewhere.jpg")), False),
    ("a length over the limit is announced", (located(size=None), raw(200, b"x" * 100_001)), True),
    ("more than was announced", (located(size=None), raw(200, b"x" * 100_001, Content_Length="")), True),
    ("packed", (located(), raw(200, b"x", Content_Encoding="gzip")), True),
    ("cut off", (located(), cut), False),
    ("cut off in the middle", (located(), half), False),
]


@pytest.mark.parametrize(("answers", "gone"), [row[1:] for row in NOT_BROUGHT], ids=[row[0] for row in NOT_BROUGHT])
async def test_a_file_that_is_not_brought_tells_whether_it_is_gone(answers: tuple[Answer, ...], gone: bool) -> None:
    async with playing(*answers) as (played, provider):
        with pytest.raises(CannotFetch) as failed:
            await brought(provider)
    assert failed.value.gone is gone
    assert len(played.asked) == len(answers)


async def test_a_file_that_is_said_to_be_too_large_is_not_asked_for() -> None:
    async with playing() as (played, provider):
        with pytest.raises(CannotFetch) as failed:
            await brought(provider, MediaRef("x", "video", size=25_165_824), 20_000_000)
    assert failed.value.gone and not played.asked


@pytest.mark.parametrize(("length", "most"), [("", 100_000), ("100001", 0)])
async def test_no_more_is_given_than_may_be_and_nothing_where_that_is_known(length: str, most: int) -> None:
    async with playing(located(size=None), raw(200, b"x" * 100_001, Content_Length=length)) as (_, provider):
        given = 0
        with pytest.raises(CannotFetch):
            async for piece in provider.fetch(FILE, 100_000):
                given += len(piece)
    assert given <= most


@pytest.mark.parametrize("answers", [(silence,), (located(), silence), (located(), trickle)])
async def test_a_file_takes_no_longer_than_it_may(answers: tuple[Answer, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "SECONDS", 0.2)
    started = time.monotonic()
    async with playing(*answers) as (_, provider):
        with pytest.raises(CannotFetch) as failed:
            await brought(provider)
    assert not failed.value.gone
    assert time.monotonic() - started < 0.9


async def test_who_stops_reading_leaves_nothing_open() -> None:
    async with playing(located(), raw(200, BYTES)) as (_, provider):
        pieces = provider.fetch(FILE, 100_000)
        assert await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("identifier", ["\ud83d", ""])
async def test_a_file_id_that_is_none_is_gone(identifier: str) -> None:
    answers = (refused(400, "Bad Request: file_id not specified"),) if not identifier else ()
    async with playing(*answers) as (_, provider):
        with pytest.raises(CannotFetch) as failed:
            await brought(provider, MediaRef(identifier, "photo"))
    assert failed.value.gone


# what nobody may read


async def test_neither_errors_nor_logs_hold_an_address_a_text_or_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    quoting = f"Bad Request: {PERSON} {TEXT} {TOKEN} {SECRET}"
    calls = (
        SENT,
        refused(400, quoting),
        refused(500, quoting),
        raw(502, quoting.encode()),
        raw(200, quoting.encode()),
        cut,
    )
    lost = (
        refused(400, quoting), raw(200, quoting.encode()),
        located(), raw(302, b"", Location=f"https://evil.example/{TOKEN}"), located(), cut,
    )  # fmt: skip
    seen: list[str] = []
    async with playing(*calls, *lost, refused(400, quoting)) as (played, provider):
        tries: list[Awaitable[Any]] = [provider.send(message()) for _ in calls]
        tries += [provider.send(message(TEXT + "\ud83d")), provider.send(message(to=f"@{PERSON}"))]
        tries += [brought(provider) for _ in range(4)]
        tries += [brought(provider, MediaRef("\ud83d" + TOKEN, "photo")), provider.set_webhook(HOOK)]
        for one in tries:
            try:
                await one
            except (SendFailed, CannotFetch) as error:
                seen += ["".join(traceback.format_exception(error)), repr(error), error.detail]
    with pytest.raises(SendFailed) as nobody:
        await Telegram(token=TOKEN, secret_token=SECRET, api_base=played.url).send(message())
    seen.append("".join(traceback.format_exception(nobody.value)))
    with pytest.raises(Rejected) as rejected:
        HOUSE.verify(call(payload("text_ar"), "wrong"))
    seen.append("".join(traceback.format_exception(rejected.value)))
    assert not played.answers and len(seen) == 3 * 13 + 2
    everything = caplog.text + "\n".join(seen)
    for secret in (PERSON, TEXT, TEXT[:14], TOKEN, TOKEN.partition(":")[2], SECRET):
        assert secret not in everything
