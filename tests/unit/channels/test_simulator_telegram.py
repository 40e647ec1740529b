"""The local provider as Telegram: python-telegram-bot sends to it and reads what it posts."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.error import BadRequest, Forbidden, InvalidToken, TelegramError

from channels.contract import Address, Incoming, Request
from channels.telegram.provider import Telegram
from tests.unit.channels.test_simulator import BOT_TOKEN, HTTP, LI_T, SARA_T, SECRET, Call, Stage, stages

KEYS = InlineKeyboardMarkup(
    [[InlineKeyboardButton("نعم", callback_data="4711:0"), InlineKeyboardButton("لا", callback_data="4711:1")]]
)
ADAPTER = Telegram(BOT_TOKEN, SECRET, "")
"""For what asks nothing of the network."""
CALLED = ("getMe", "sendMessage", "getFile", "answerCallbackQuery", "setWebhook")


def file(name: str, kind: str, content: bytes = b"content") -> dict[str, str]:
    return {"name": name, "type": kind, "content": base64.b64encode(content).decode()}


@pytest.fixture(scope="module")
def make_stage() -> Iterator[Callable[..., Stage]]:
    with stages() as make:
        yield make


@pytest.fixture
def stage(make_stage: Callable[..., Stage]) -> Stage:
    return make_stage()


@pytest.fixture
async def bot(stage: Stage) -> AsyncIterator[Bot]:
    bot = Bot(BOT_TOKEN, base_url=f"{stage.url}/bot", base_file_url=f"{stage.url}/file/bot")
    yield bot
    await bot.shutdown()


def update(call: Call) -> Update:
    """A call as the SDK reads it."""
    assert call.headers["content-type"] == "application/json"
    read = Update.de_json(json.loads(call.body))
    assert read is not None
    return read


def parsed(call: Call) -> Any:
    """What the house's own adapter makes of a call, whose secret it has checked."""
    request = Request(call.url, call.headers, call.body)
    ADAPTER.verify(request)
    [told] = ADAPTER.parse(request)
    return told


# out


async def test_a_message_arrives_with_its_buttons(stage: Stage, bot: Bot) -> None:
    sent = await bot.send_message(int(SARA_T), "هل تسجل شكوى؟", reply_markup=KEYS)
    assert (sent.text, sent.chat.id, sent.from_user and sent.from_user.is_bot) == ("هل تسجل شكوى؟", int(SARA_T), True)
    assert sent.reply_markup == KEYS
    [shown] = stage.get("messages", scheme="telegram", person=SARA_T)["messages"]
    assert (shown["id"], shown["state"], shown["direction"]) == (str(sent.message_id), "sent", "out")
    assert shown["buttons"] == [[{"title": "نعم", "token": "4711:0"}, {"title": "لا", "token": "4711:1"}]]


async def test_the_bot_is_itself(bot: Bot) -> None:
    me = await bot.get_me()
    assert (me.id, me.is_bot) == (1000001, True)


@pytest.mark.parametrize(
    ("chat", "text", "said"),
    [
        (599_999_999, "x", "chat not found"),
        ("", "x", "chat_id is empty"),
        (int(SARA_T), "  ", "message text is empty"),
        (int(SARA_T), "", "message text is empty"),
        (int(SARA_T), "س" * 4_097, "message is too long"),
        (int(SARA_T), "😀" * 2_049, "message is too long"),
    ],
)
async def test_what_telegram_does_not_take(stage: Stage, bot: Bot, chat: int, text: str, said: str) -> None:
    with pytest.raises(BadRequest, match=f"(?i){said}"):
        await bot.send_message(chat, text)
    assert stage.world.messages == []


async def test_4096_characters_are_taken(bot: Bot) -> None:
    assert (await bot.send_message(SARA_T, "س" * 4_096)).text == "س" * 4_096


async def test_a_token_of_more_than_64_bytes_is_refused(stage: Stage, bot: Bot) -> None:
    with pytest.raises(BadRequest, match="(?i)BUTTON_DATA_INVALID"):
        await bot.send_message(
            SARA_T, "x", reply_markup=InlineKeyboardMarkup([[InlineKeyboardButton("x", callback_data="é" * 33)]])
        )
    refused = HTTP.post(
        f"{stage.url}/bot{BOT_TOKEN}/sendMessage", json={"chat_id": SARA_T, "text": "x", "reply_markup": "{"}
    )
    assert refused.status_code == 400 and not refused.json()["ok"]


async def test_who_has_blocked_the_bot_gets_nothing_until_they_write(stage: Stage, bot: Bot) -> None:
    stage.fault("blocked", scheme="telegram", person=SARA_T)
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await bot.send_message(SARA_T, "x")
    stage.write("telegram", SARA_T, "back again")
    await bot.send_message(SARA_T, "x")


async def test_whoever_has_written_can_be_written_to(stage: Stage, bot: Bot) -> None:
    stage.write("telegram", "512345678", "/start")
    [call] = stage.house.updates
    assert update(call).message.entities[0].type == "bot_command"
    assert (await bot.send_message(512345678, "x")).chat.id == 512345678


@pytest.mark.parametrize("token", ["1000001:another", "x"])
async def test_only_the_bot_is_served(stage: Stage, token: str) -> None:
    for method in CALLED:
        assert HTTP.post(f"{stage.url}/bot{token}/{method}").status_code == 401
    assert HTTP.get(f"{stage.url}/file/bot{token}/photos/x.jpg").status_code == 404
    stranger = Bot("1000001:another", base_url=f"{stage.url}/bot")
    with pytest.raises(InvalidToken):
        await stranger.get_me()
    await stranger.shutdown()


def test_parameters_come_in_the_address_as_a_form_or_as_json(stage: Stage) -> None:
    url, said = f"{stage.url}/bot{BOT_TOKEN}/sendmessage", {"chat_id": SARA_T, "text": "مرحبا"}
    answers = [
        HTTP.get(url, params=said), HTTP.post(url, data=said), HTTP.post(url, json=said),
        HTTP.post(url, data=said, files={"f": b""}),
    ]  # fmt: skip
    assert [answer.json()["result"]["text"] for answer in answers] == ["مرحبا"] * 4
    assert HTTP.post(url, content=b"{", headers={"Content-Type": "application/json"}).status_code == 400
    assert HTTP.post(f"{stage.url}/bot{BOT_TOKEN}/sendPigeon").status_code == 404


# in


def test_a_message_has_every_field_of_a_real_one(stage: Stage) -> None:
    written = stage.write("telegram", SARA_T, "الإنارة مطفأة 😔")
    [call] = stage.house.updates
    said = json.loads(call.body)
    assert call.body.isascii() and b"\n" not in call.body
    assert call.headers["x-telegram-bot-api-secret-token"] == SECRET
    assert said["message"]["from"] == {
        "id": 500000001, "is_bot": False, "first_name": "سارة", "username": "sara_example", "language_code": "ar"
    }  # fmt: skip
    assert said["message"]["chat"] == {
        "id": 500000001, "first_name": "سارة", "username": "sara_example", "type": "private"
    }  # fmt: skip
    assert written["ids"] == [str(said["update_id"])]
    told = parsed(call)
    assert isinstance(told, Incoming)
    assert (told.address, told.text) == (Address("telegram", SARA_T, "1000001"), "الإنارة مطفأة 😔")
    assert (told.message_id, told.language) == (f"u{written['ids'][0]}", "ar")


def test_updates_are_numbered_in_their_order(stage: Stage) -> None:
    for text in "abc":
        stage.write("telegram", LI_T, text)
    numbers = [update(call).update_id for call in stage.house.updates]
    assert numbers == sorted(set(numbers)) and len(numbers) == 3


async def test_files_are_an_album_and_can_be_fetched(stage: Stage, bot: Bot) -> None:
    files = [file("hole.jpg", "image/jpeg", b"\xff\xd8\xff"), file("قرار.pdf", "application/pdf", b"%PDF-1.7")]
    stage.write("telegram", SARA_T, "الحفرة", files=files)
    photo, document = (update(call).message for call in stage.house.updates)
    assert photo and document
    assert photo.caption == "الحفرة" and document.caption is None
    assert photo.media_group_id == document.media_group_id is not None
    assert document.document and document.document.file_name == "قرار.pdf"
    for file_id, content in ((photo.photo[-1].file_id, b"\xff\xd8\xff"), (document.document.file_id, b"%PDF-1.7")):
        located = await bot.get_file(file_id)
        assert bytes(await located.download_as_bytearray()) == content
    adapter = Telegram(BOT_TOKEN, SECRET, stage.url)
    [ref] = parsed(stage.house.updates[1]).files
    assert b"".join([piece async for piece in adapter.fetch(ref, 1_000)]) == b"%PDF-1.7"
    await adapter.close()


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("image/png", "photo"), ("audio/ogg", "voice"), ("audio/mpeg", "audio"), ("video/mp4", "video"),
        ("image/svg+xml", "document"),
    ],
)  # fmt: skip
def test_a_file_is_what_telegram_takes_it_for(stage: Stage, kind: str, field: str) -> None:
    stage.write("telegram", SARA_T, files=[file("x", kind)])
    [call] = stage.house.updates
    message = update(call).message
    assert message and getattr(message, field) and message.media_group_id is None
    assert len(parsed(call).files) == 1


async def test_a_file_that_is_not_there_or_too_large(stage: Stage, bot: Bot) -> None:
    with pytest.raises(BadRequest, match="(?i)invalid file_id"):
        await bot.get_file("nothing")
    play = stage.served.state.play
    await play.write("telegram", SARA_T, files=[play.file("telegram", "film.mp4", "video/mp4", bytes(20_000_001))])
    await play.post.close()
    with pytest.raises(BadRequest, match="(?i)file is too big"):
        await bot.get_file(stage.world.messages[0].files[0].id)
    assert HTTP.get(f"{stage.url}/file/bot{BOT_TOKEN}/photos/nothing.jpg").status_code == 404


def test_a_place_with_and_without_a_name(stage: Stage) -> None:
    stage.write("telegram", SARA_T, "هنا", place={"latitude": 24.7, "longitude": 46.6})
    stage.write("telegram", SARA_T, place={"latitude": 24.7, "longitude": 46.6, "name": "مركز"})
    words, bare, named = stage.house.updates
    assert parsed(words).text == "هنا"
    assert parsed(bare).place.latitude == 24.7
    assert parsed(named).place.name.startswith("مركز")


async def test_a_pressed_button_comes_with_its_message_and_is_answered(stage: Stage, bot: Bot) -> None:
    sent = await bot.send_message(SARA_T, "هل تسجل شكوى؟", reply_markup=KEYS)
    stage.post("press", scheme="telegram", person=SARA_T, token="4711:1", message=str(sent.message_id))
    [call] = stage.house.updates
    query = update(call).callback_query
    assert query and query.message and (query.data, query.message.message_id) == ("4711:1", sent.message_id)
    assert query.message.reply_markup == KEYS
    assert parsed(call).button == "4711:1"
    shown = stage.get("messages")["messages"][-1]
    assert (shown["pressed"], shown["text"], shown["state"]) == ("4711:1", "لا", "received")
    assert stage.world.queries == {query.id: False}
    assert await bot.answer_callback_query(query.id)
    assert stage.world.queries == {query.id: True}
    with pytest.raises(BadRequest, match="(?i)query is too old"):
        await bot.answer_callback_query("1")


async def test_a_button_can_be_pressed_by_its_token_alone(stage: Stage, bot: Bot) -> None:
    await bot.send_message(SARA_T, "old", reply_markup=KEYS)
    newer = await bot.send_message(SARA_T, "new", reply_markup=KEYS)
    stage.write("telegram", SARA_T, button="4711:0")
    stage.write("telegram", SARA_T, button="long gone")
    pressed, gone = (update(call).callback_query for call in stage.house.updates)
    assert pressed and pressed.message and pressed.message.message_id == newer.message_id
    assert gone and gone.message is None and gone.inline_message_id and gone.data == "long gone"


def test_a_method_in_the_answer_of_the_webhook_is_done(stage: Stage) -> None:
    stage.house.answers.append(JSONResponse({"method": "sendMessage", "chat_id": SARA_T, "text": "في الجواب"}))
    stage.write("telegram", SARA_T, "x")
    assert stage.arrived("telegram", SARA_T) == ["في الجواب"]
    for answer in (b"[", b"[1]", b'{"method": 1}', b'{"method": "sendMessage"}', b"ok"):
        stage.house.answers.append(Response(answer))
        assert stage.write("telegram", SARA_T, "x")["statuses"] == [200]


def test_a_forged_update_has_another_secret_and_leaves_no_trace(stage: Stage) -> None:
    stage.house.answers.append(Response(status_code=403))
    assert stage.write("telegram", SARA_T, "x", forged=True)["statuses"] == [403]
    [call] = stage.house.updates
    assert call.headers["x-telegram-bot-api-secret-token"] != SECRET
    assert stage.world.messages == []


def test_the_same_update_again_is_the_same_to_the_last_byte(stage: Stage) -> None:
    stage.write("telegram", SARA_T, "مرة", message_id="731000001")
    stage.write("telegram", SARA_T, "whatever", message_id="731000001")
    first, second = stage.house.updates
    assert first.body == second.body and update(first).update_id == 731000001
    assert len(stage.world.messages) == 1


async def test_a_webhook_that_was_set_gets_the_updates_with_its_secret(stage: Stage, bot: Bot) -> None:
    await bot.set_webhook(f"{stage.house.url}/elsewhere", secret_token="another_one")
    stage.write("telegram", SARA_T, "x")
    [call] = stage.house.heard("/elsewhere")
    assert call.headers["x-telegram-bot-api-secret-token"] == "another_one"
    await bot.set_webhook("")
    stage.write("telegram", SARA_T, "y")
    assert len(stage.house.updates) == 1
    with pytest.raises(TelegramError, match="(?i)bad webhook"):
        await bot.set_webhook("ftp://127.0.0.1")


def test_what_is_not_taken_comes_again_and_the_rest_of_its_chat_waits(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(patience=0.01)
    unavailable = [Response(status_code=503), Response(status_code=503), Response(status_code=503)]
    stage.house.answers.extend(unavailable)
    for text in ("first", "second"):
        assert stage.write("telegram", SARA_T, text, retry=True)["statuses"] == []
    stage.eventually(lambda: len(stage.house.updates) == 5)
    texts = [update(call).message.text for call in stage.house.updates]
    assert texts == ["first"] * 4 + ["second"]
    stage.eventually(lambda: [m.state for m in stage.world.messages] == ["received", "received"])
    assert [status for _, status in stage.world.messages[0].told] == [503, 503, 503, 200]


def test_another_chat_does_not_wait(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(patience=0.1)
    stage.house.answers.append(Response(status_code=503, headers={"Retry-After": "30"}))
    stage.write("telegram", SARA_T, "stuck", retry=True)
    stage.eventually(lambda: stage.world.messages[0].told)
    stage.write("telegram", SARA_T, "behind", retry=True)
    stage.write("telegram", LI_T, "free", retry=True)
    stage.eventually(lambda: stage.world.messages[2].state == "received")
    assert (stage.world.messages[0].state, stage.world.messages[1].state) == ("refused", "sending")
