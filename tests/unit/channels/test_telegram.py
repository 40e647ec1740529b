"""The small rooms of the Telegram adapter, each alone: what is read of an update, sentences, failures, buttons."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from telegram import InlineKeyboardMarkup
from telegram.error import NetworkError, TimedOut

from channels.contract import Button, Failure, Ignored, Incoming, Malformed
from channels.telegram import body, codes, failures
from channels.telegram.inbound import Inbound
from channels.telegram.keyboard import SHORT, keyboard
from channels.telegram.wire import Declined

PRIVATE = {"id": 5, "type": "private"}
PERSON = {"id": 5, "is_bot": False, "first_name": "سارة"}


def update(kind: str = "message", /, **held: Any) -> bytes:
    base: dict[str, Any] = {"message_id": 7, "date": 1_795_684_262, "chat": PRIVATE, "from": PERSON}
    return json.dumps({"update_id": 1, kind: base | held}).encode()


def read(told: bytes) -> Incoming | Ignored:
    found = body.read(told)
    return found if isinstance(found, Ignored) else Inbound("9").read(found)


def came(**held: Any) -> Incoming:
    found = read(update(**held))
    assert isinstance(found, Incoming)
    return found


# what is read of an update

BEYOND_THE_SDK: Mapping[str, Any] = {
    "sticker": {"type": "of tomorrow"},
    "poll": [],
    "reply_to_message": {"message_id": "no number"},
    "entities": [{"type": "of tomorrow"}],
    "quote": 5,
    "giveaway": {"hologram": {}},
    "hologram": {"deep": [[[{"er": None}]]]},
    "self": 1,
    "api_kwargs": {"chat": "another"},
}


@pytest.mark.parametrize("name", BEYOND_THE_SDK)
def test_what_is_not_read_cannot_make_a_message_unreadable(name: str) -> None:
    assert came(text="شكوى", **{name: BEYOND_THE_SDK[name]}).text == "شكوى"


@pytest.mark.parametrize(
    ("held", "unread"),
    [
        ({"sticker": {"type": "of tomorrow"}}, "sticker"),
        ({"contact": {}}, "contact"),
        ({"poll": {"kind": "of tomorrow"}}, "poll"),
        ({"hologram": {}}, "other"),
        ({"dice": {"emoji": "🎲", "value": 4}}, "other"),
        ({"successful_payment": {}}, "other"),
        ({}, "other"),
    ],
)
def test_what_a_message_is_instead_is_read_off_its_name(held: dict[str, Any], unread: str) -> None:
    assert came(**held).unread == unread


def test_a_file_of_tomorrow_brings_more_than_the_sdk_knows() -> None:
    video = {"file_id": "v", "file_unique_id": "u", "width": 1, "height": 1, "duration": 1, "cover": 5, "qualities": 1}
    assert [file.id for file in came(video=video).files] == ["v"]


@pytest.mark.parametrize(
    ("sizes", "chosen"),
    [
        ([("s", 90, 1_000), ("x", 1280, 200_000), ("m", 320, 9_000)], "x"),
        ([("m", 320, 9_000), ("x", 1280, 20_000_001)], "m"),
        ([("m", 320, 20_000_000), ("s", 90, 9_000)], "m"),
        ([("s", 90, 30_000_000), ("x", 1280, 40_000_000)], "x"),
        ([("s", 90, None), ("x", 1280, None)], "x"),
    ],
)
def test_of_a_photo_the_largest_that_can_be_fetched_is_taken(
    sizes: list[tuple[str, int, int | None]], chosen: str
) -> None:
    photo = [
        {"file_id": name, "file_unique_id": name, "width": side, "height": side, "file_size": size}
        for name, side, size in sizes
    ]
    assert [file.id for file in came(photo=photo).files] == [chosen]


@pytest.mark.parametrize(
    ("code", "language"),
    [("ar", "ar"), ("ar-EG", "ar"), ("AR_sa", "ar"), ("en-GB", "en"), ("zh-hans", "zh"), ("zh", "zh"),
     ("arn", ""), ("fr", ""), ("", ""), (None, "")],
)  # fmt: skip
def test_the_language_is_a_hint_where_it_is_one_of_ours(code: str | None, language: str) -> None:
    assert came(text="x", **{"from": PERSON | {"language_code": code}}).language == language


def test_another_bot_is_not_answered() -> None:
    assert isinstance(read(update(text="x", **{"from": PERSON | {"is_bot": True}})), Ignored)


@pytest.mark.parametrize("kind", ["channel", "of tomorrow", 5])
def test_a_chat_of_another_kind_is_ignored(kind: object) -> None:
    assert isinstance(read(update(text="x", chat={"id": 5, "type": kind})), Ignored)


@pytest.mark.parametrize("kind", ["edited_message", "message_reaction"])
@pytest.mark.parametrize("chat", ["group", "supergroup", "channel"])
def test_edits_and_reactions_of_others_are_ignored(kind: str, chat: str) -> None:
    held = {"chat": {"id": -5, "type": chat}, "old_reaction": [], "new_reaction": [{"type": "emoji", "emoji": "👍"}]}
    assert isinstance(read(update(kind, text="x", **held)), Ignored)


@pytest.mark.parametrize("chat", ["group", "supergroup"])
def test_a_button_in_a_group_presses_nothing(chat: str) -> None:
    held = {"id": "1", "chat_instance": "1", "data": "4711:0"}
    told = update("callback_query", **held, message={"message_id": 1, "date": 0, "chat": {"id": -5, "type": chat}})
    found = read(told)
    assert isinstance(found, Incoming)
    assert (found.unread, found.button, found.address.identifier) == ("group", "", "-5")


def test_a_button_without_data_is_something_else() -> None:
    found = read(update("callback_query", id="1", chat_instance="1", game_short_name="x"))
    assert isinstance(found, Incoming)
    assert (found.unread, found.button) == ("other", "")
    assert found.answer == {"method": "answerCallbackQuery", "callback_query_id": "1"}


@pytest.mark.parametrize(
    "told",
    [
        b"", b"\xff\xfe", b"\xef\xbb\xbf{}", b"null", b"5", b"[]", b'"x"', b"{}", b"{" * 100_000, b"[" * 100_000,
        b'{"update_id": NaN}', b'{"update_id": 1e999}', b'{"update_id": "1"}', b'{"update_id": 1.0}',
        b'{"update_id": true}', b'{"update_id": null}', b'{"update_id": 9223372036854775808}',
        b'{"update_id": ' + b"9" * 5_000 + b"}", update(text="x").replace(b'"date"', b'"text": "y", "date"'),
        update(text="x", **{"from": PERSON}).replace(b'"is_bot"', b'"id": 6, "is_bot"'), b'{"update_id": 1, "message": null}',
        b'{"update_id": 1, "message": []}', b'{"update_id": 1, "message": {}}',
        update(chat=None), update(chat={}), update(chat={"type": "private"}), update(chat={"id": 5}),
        update(chat={"id": "5", "type": "private"}), update(chat={"id": 5.0, "type": "private"}),
        update(chat={"id": True, "type": "private"}), update(chat={"id": 10**30, "type": "private"}),
        update(date="x"), update(date=10**20), update(date=-(10**20)), update(date=[]),
        update(text=5), update(text={}), update(caption=["x"]),
        update(**{"from": 5}), update(**{"from": {}}), update(**{"from": PERSON | {"language_code": 5}}),
        update(photo={"file_id": "x"}), update(photo=[5]), update(photo=[{"file_id": "x"}]),
        update(photo=[{"file_id": "x", "file_unique_id": "x", "width": "wide", "height": 1}]),
        update(photo=[{"file_id": "x", "file_unique_id": "x", "width": 1, "height": 1, "file_size": "large"}]),
        update(document={"file_id": "x", "file_unique_id": "x", "file_size": 10**30}),
        update(document={"file_id": "x", "file_unique_id": "x", "file_name": 5}), update(document="x"),
        update(location={"latitude": 91, "longitude": 0}), update(location={"latitude": "1", "longitude": 0}),
        update(location={"latitude": True, "longitude": 0}), update(location={"latitude": 10**400, "longitude": 0}),
        update(location={}), update(venue={"location": {"latitude": 1, "longitude": 1}, "title": "x", "address": 5}),
        update("callback_query", id=5, chat_instance="1", data="x"), update("callback_query", id="", chat_instance="1"),
        update("callback_query", id="1", chat_instance="1", data=5),
        update("callback_query", id="1", chat_instance="1", **{"from": None}),
        update("message_reaction", new_reaction=5, old_reaction=[]),
        update(text="x").replace(b'"update_id": 1', b'"update_id": 2, "update_id": 1'),
    ],
)  # fmt: skip
def test_what_no_update_can_be_read_in_is_malformed(told: bytes) -> None:
    with pytest.raises(Malformed):
        read(told)


# sentences and failures

FORBIDDEN, BAD = "Forbidden: ", "Bad Request: "
SAID = [
    (403, FORBIDDEN + "bot was blocked by the user", Failure.STOPPED),
    (403, FORBIDDEN + "user is deactivated", Failure.REFUSED),
    (403, FORBIDDEN + "bot can't initiate conversation with a user", Failure.REFUSED),
    (403, FORBIDDEN + "bot can't send messages to bots", Failure.REFUSED),
    (403, FORBIDDEN + "bot was kicked from the supergroup chat", Failure.REFUSED),
    (403, FORBIDDEN + "bot is not a member of the group chat", Failure.REFUSED),
    (403, FORBIDDEN + "the group chat was deleted", Failure.REFUSED),
    (403, "", Failure.UNEXPECTED),
    (400, BAD + "chat not found", Failure.REFUSED),
    (400, BAD + "private chat not found", Failure.REFUSED),
    (400, BAD + "PEER_ID_INVALID", Failure.REFUSED),
    (400, BAD + "group chat was upgraded to a supergroup chat", Failure.REFUSED),
    (400, BAD + "not enough rights to send text messages to the chat", Failure.REFUSED),
    (400, BAD + "message is too long", Failure.UNSUPPORTED),
    (400, BAD + "message text is empty", Failure.UNSUPPORTED),
    (400, BAD + "BUTTON_DATA_INVALID", Failure.UNSUPPORTED),
    (400, BAD + "a sentence of tomorrow", Failure.UNSUPPORTED),
    (400, BAD + "bad webhook: HTTPS url must be provided for webhook", Failure.MISCONFIGURED),
    (400, "Logged out", Failure.MISCONFIGURED),
    (401, "Unauthorized", Failure.MISCONFIGURED),
    (404, "Not Found", Failure.MISCONFIGURED),
    (408, "", Failure.UNREACHABLE),
    (409, "Conflict: terminated by setWebhook request", Failure.UNEXPECTED),
    (413, "Request Entity Too Large", Failure.UNSUPPORTED),
    (429, "Too Many Requests: retry after 5", Failure.THROTTLED),
    (302, "", Failure.UNEXPECTED),
    (500, "Internal Server Error: restart", Failure.UNREACHABLE),
    (502, "", Failure.UNREACHABLE),
    (503, BAD + "chat not found", Failure.UNREACHABLE),
]


@pytest.mark.parametrize(("status", "description", "kind"), SAID)
def test_an_answer_is_told_as_its_kind(status: int, description: str, kind: Failure) -> None:
    payload = json.dumps({"ok": False, "error_code": status, "description": description}).encode()
    failed = failures.of_call(Declined(status, payload))
    assert (failed.kind, failed.code) == (kind, str(status))
    assert failed.maybe_sent == (status == 408 or status >= 500)
    assert failed.detail in {"", *codes.FAILURES}


@pytest.mark.parametrize("sentence", sorted(codes.FAILURES))
def test_every_sentence_of_the_table_is_found_and_in_small_letters(sentence: str) -> None:
    assert sentence == sentence.lower()
    assert codes.of_answer(403, f"Forbidden: {sentence.upper()}") == codes.FAILURES[sentence]


@pytest.mark.parametrize(
    ("status", "description", "gone"),
    [
        (400, BAD + "file is too big", True),
        (400, BAD + "invalid file_id", True),
        (400, BAD + "wrong file_id or the file is temporarily unavailable", False),
        (400, "Logged out", False),
        (401, "Unauthorized", False),
        (404, "Not Found", False),
        (429, "Too Many Requests: retry after 5", False),
        (500, "Internal Server Error", False),
    ],
)
def test_a_file_is_gone_only_where_it_stays_away(status: int, description: str, gone: bool) -> None:
    failed = failures.of_file(Declined(status, json.dumps({"description": description}).encode()))
    assert (failed.gone, failed.detail) == (gone, f"getFile: HTTP {status}")


@pytest.mark.parametrize(
    "payload",
    [b"", b"<html>", b"[]", b"null", b'{"parameters": []}', b'{"description": 5, "parameters": {"retry_after": "5"}}',
     b'{"parameters": {"retry_after": true}}', b'{"parameters": {"retry_after": NaN}}',
     b'{"parameters": {"retry_after": 1' + b"0" * 400 + b"}}", b"[" * 100_000],
)  # fmt: skip
def test_an_answer_that_says_nothing_has_its_status_all_the_same(payload: bytes) -> None:
    failed = failures.of_call(Declined(429, payload))
    assert (failed.kind, failed.code, failed.retry_after) == (Failure.THROTTLED, "429", None)


@pytest.mark.parametrize(("given", "seconds"), [(7, 7.0), (0.5, 0.5), (0, 0.0), (-3, 0.0)])
def test_the_seconds_to_wait_are_read(given: float, seconds: float) -> None:
    assert Declined(429, json.dumps({"parameters": {"retry_after": given}}).encode()).retry_after == seconds


def wrapped(cause: BaseException, by: Exception) -> Exception:
    """As the SDK raises it."""
    by.__cause__ = cause
    return by


@pytest.mark.parametrize(
    ("error", "kind", "maybe"),
    [
        (wrapped(httpx.ConnectError("x"), NetworkError("x")), Failure.UNREACHABLE, False),
        (wrapped(httpx.ConnectTimeout("x"), TimedOut()), Failure.UNREACHABLE, False),
        (wrapped(httpx.PoolTimeout("x"), TimedOut("x")), Failure.UNREACHABLE, False),
        (wrapped(httpx.ProxyError("x"), NetworkError("x")), Failure.UNREACHABLE, False),
        (wrapped(httpx.ReadTimeout("x"), TimedOut()), Failure.UNREACHABLE, True),
        (wrapped(httpx.WriteTimeout("x"), TimedOut()), Failure.UNREACHABLE, True),
        (wrapped(httpx.ReadError("x"), NetworkError("x")), Failure.UNREACHABLE, True),
        (wrapped(httpx.RemoteProtocolError("x"), NetworkError("x")), Failure.UNREACHABLE, True),
        (wrapped(asyncio.CancelledError(), TimeoutError()), Failure.UNREACHABLE, True),  # as asyncio.timeout raises it
        (wrapped(RuntimeError("x"), NetworkError("x")), Failure.UNEXPECTED, True),
        (KeyError("result"), Failure.UNEXPECTED, True),
    ],
)
def test_what_broke_tells_whether_it_may_have_arrived(error: Exception, kind: Failure, maybe: bool) -> None:
    failed = failures.of_call(error)
    assert (failed.kind, failed.maybe_sent, failed.retry_after) == (kind, maybe, None)


# buttons


def rows(*titles: str) -> list[list[str]]:
    found = keyboard([Button(title, f"1:{n}") for n, title in enumerate(titles)])
    return [[button.text for button in row] for row in found.inline_keyboard] if found else []


def test_two_short_buttons_share_a_row_and_a_long_one_has_its_own() -> None:
    long = "ن" * (SHORT + 1)
    assert rows() == []
    assert rows("نعم") == [["نعم"]]
    assert rows("نعم", "لا") == [["نعم", "لا"]]
    assert rows("1", "2", "3") == [["1", "2"], ["3"]]
    assert rows("1", long, "2", "3") == [["1"], [long], ["2", "3"]]
    assert rows(long, long) == [[long], [long]]


def test_a_title_is_measured_as_telegram_counts_it() -> None:
    faces = "😀" * (SHORT // 2 + 1)
    assert rows(faces, "لا") == [[faces], ["لا"]]


def test_a_button_gives_back_its_token() -> None:
    found = keyboard([Button("نعم", "4711:0")])
    assert isinstance(found, InlineKeyboardMarkup)
    assert found.to_dict() == {"inline_keyboard": [[{"text": "نعم", "callback_data": "4711:0"}]]}
