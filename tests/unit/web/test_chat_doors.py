"""The doors of the web chat, over HTTP: what is accepted, what is refused and in which words (promises D, E)."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
import time_machine
from chat_house import OWN, PARTNER, House, made
from fastapi.testclient import TestClient
from PIL import Image

from bot.web.chat.tokens import Session, Tokens


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def client(house: House) -> TestClient:
    return TestClient(made(house), raise_server_exceptions=False)


def opened(client: TestClient, lang: str = "en") -> dict[str, str]:
    answer = client.post("/chat/sessions", json={"lang": lang})
    assert answer.status_code == 201
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def refused(answer, status: int, code: str, lang: str = "en") -> None:  # type: ignore[no-untyped-def]
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["text"].startswith(f"{lang}:chat_error_")


# sessions


def test_a_session_is_random_signed_and_needs_no_storage(client: TestClient, house: House) -> None:
    house.down = True
    ids = {Tokens("k" * 40).open(opened(client)["Authorization"][7:]).id for _ in range(20)}  # type: ignore[union-attr]
    assert len(ids) == 20
    assert all(len(each) >= 22 for each in ids), "128 bits at least"


def test_an_empty_body_opens_a_session_in_the_browsers_language(client: TestClient) -> None:
    answer = client.post("/chat/sessions", headers={"Accept-Language": "fr, zh-CN;q=0.8, en;q=0.5"})
    assert Tokens("k" * 40).open(answer.json()["token"]).lang == "zh"  # type: ignore[union-attr]
    assert Tokens("k" * 40).open(client.post("/chat/sessions").json()["token"]).lang == "ar"  # type: ignore[union-attr]


def test_an_old_token_gets_a_new_one_for_the_same_conversation(client: TestClient, house: House) -> None:
    held = opened(client)
    answer = client.post("/chat/sessions", headers=held)
    tokens = Tokens("k" * 40)
    assert tokens.open(answer.json()["token"]) == tokens.open(held["Authorization"][7:])
    assert house.languages == {}, "renewing is not choosing a language"


def test_a_language_with_an_old_token_is_a_choice(client: TestClient, house: House) -> None:
    held = opened(client, "ar")
    answer = client.post("/chat/sessions", headers=held, json={"lang": "zh"})
    session = Tokens("k" * 40).open(answer.json()["token"])
    assert session is not None and house.languages == {session.id: "zh"}
    refused(client.post("/chat/sessions", headers=held, json={"lang": "fr"}), 422, "language", "zh")
    house.down = True
    refused(client.post("/chat/sessions", headers=held, json={"lang": "en"}), 503, "storage", "ar")


@pytest.mark.parametrize("door", ["/chat/messages", "/chat/sessions"])
def test_a_token_that_is_not_ours_opens_nothing(client: TestClient, house: House, door: str) -> None:
    good = opened(client)["Authorization"]
    others = Tokens("another secret").sign(Session("victim", "ar"))
    for bad in (
        good + "x",
        good[:-4] + "AAAA",
        "Bearer ",
        "Bearer x",
        f"Bearer {others}",
        good.replace("Bearer", "Basic"),
    ):
        answer = client.post(door, headers={"Authorization": bad}, json={"id": "1", "text": "x"})
        refused(answer, 401, "session", "ar")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert client.get("/chat/events", headers={"Authorization": "Bearer x"}).status_code == 401
    assert house.stored == []


def test_the_token_is_taken_from_the_header_only(client: TestClient) -> None:
    token = opened(client)["Authorization"][7:]
    assert (
        client.post(f"/chat/messages?token={token}", json={"id": "1", "text": "x", "token": token}).status_code == 401
    )
    assert client.get(f"/chat/events?token={token}").status_code == 401
    client.cookies.set("token", token)
    assert client.get("/chat/events").status_code == 401


def test_a_token_ends_after_ninety_days(client: TestClient) -> None:
    with time_machine.travel("2026-01-01", tick=False):
        held = opened(client)
    with time_machine.travel("2026-03-31", tick=False):
        assert client.post("/chat/messages", headers=held, json={"id": "1", "text": "x"}).status_code == 202
    with time_machine.travel("2026-04-02", tick=False):
        refused(client.post("/chat/messages", headers=held, json={"id": "2", "text": "x"}), 401, "session", "ar")


# messages


def test_a_message_is_accepted_once(client: TestClient, house: House) -> None:
    held = opened(client)
    for state in ("stored", "duplicate"):
        answer = client.post("/chat/messages", headers=held, json={"id": "m-1", "text": "المكيف معطل"})
        assert (answer.status_code, answer.json()) == (202, {"id": "m-1", "state": state})
    (row,) = house.stored
    assert row[1:] == ("m-1", "المكيف معطل", None, "en")


def test_storage_is_asked_in_a_thread(client: TestClient, house: House) -> None:
    import threading

    client.post("/chat/messages", headers=opened(client), json={"id": "1", "text": "x"})
    assert threading.get_ident() not in house.threads


def test_a_payload_is_accepted_without_text(client: TestClient, house: House) -> None:
    client.post("/chat/messages", headers=opened(client), json={"id": "1", "payload": '/press{"do":"file"}'})
    assert house.stored[0][2:4] == ("", '/press{"do":"file"}')


def test_two_chats_do_not_share_message_ids(client: TestClient, house: House) -> None:
    for _ in range(2):
        client.post("/chat/messages", headers=opened(client), json={"id": "1", "text": "x"})
    assert len(house.stored) == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"id": "1", "text": "\xff\xfe"}', 400),
        (b'{"id": "1", "text": "\xc0\xaf"}', 400),
        (b'{"id": "1", "id": "2", "text": "x"}', 400),
        (b'{"id": "1", "text": "x", "more": {"a": 1, "a": 2}}', 400),
        (b'{"id": "1", "text": NaN}', 400),
        (b"[" * 30_000, 400),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400),
        (b'{"id": "1", "text": "x", "n": ' + b"9" * 20_000 + b"}", 400),
        (b"null", 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b"{}", 422),
        (b'{"id": "1"}', 422),
        (b'{"text": "x"}', 422),
        (b'{"id": 1, "text": "x"}', 422),
        (b'{"id": "", "text": "x"}', 422),
        (b'{"id": "a b", "text": "x"}', 422),
        (b'{"id": "' + b"x" * 129 + b'", "text": "x"}', 422),
        (b'{"id": "1", "text": 1}', 422),
        (b'{"id": "1", "text": null, "payload": null}', 422),
        (b'{"id": "1", "text": ["x"]}', 422),
        (b'{"id": "1", "text": "x", "payload": "y"}', 422),
        (b'{"id": "1", "payload": {"do": "file"}}', 422),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_malformed_is_refused_in_words(client: TestClient, house: House, body: bytes, status: int) -> None:
    refused(client.post("/chat/messages", headers=opened(client), content=body), status, "malformed")
    assert house.stored == []


@pytest.mark.parametrize("text", ["", " ", "\n\t ", "\0\0", "\u3000"])
def test_an_empty_message_is_refused(client: TestClient, house: House, text: str) -> None:
    refused(client.post("/chat/messages", headers=opened(client), json={"id": "1", "text": text}), 422, "empty")
    assert house.stored == []


def test_any_characters_are_kept_but_two(client: TestClient, house: House) -> None:
    hostile = "\u202eabc\u2066 \u200b\ufeff\U0001f600 \u0651\u0651 \ufdd0"
    held = opened(client)
    for id, body in enumerate(
        (json.dumps({"id": "1", "text": hostile}), json.dumps({"id": "2", "text": hostile}, ensure_ascii=False))
    ):
        assert client.post("/chat/messages", headers=held, content=body.encode()).status_code == 202
        assert house.stored[id][2] == hostile
    content = b'\xef\xbb\xbf{"id": "3", "text": "a\\u0000b\\ud800c"}'
    assert client.post("/chat/messages", headers=held, content=content).status_code == 202
    assert house.stored[2][2] == "ab\ufffdc"


def test_ten_thousand_characters_and_no_more(client: TestClient, house: House) -> None:
    held = opened(client)
    assert client.post("/chat/messages", headers=held, json={"id": "1", "text": "ص" * 10_000}).status_code == 202
    answer = client.post("/chat/messages", headers=held, json={"id": "2", "text": "ص" * 10_001})
    refused(answer, 422, "too_long")
    assert "10000" in answer.json()["error"]["text"]
    assert len(house.stored) == 1


def test_sixty_four_kilobytes_and_no_more(client: TestClient, house: House) -> None:
    held = opened(client)
    for size in (65_537, 1_000_000):
        refused(client.post("/chat/messages", headers=held, content=b" " * size), 413, "too_large")
    chunks = (b" " * 10_000 for _ in range(100))
    refused(client.post("/chat/messages", headers=held, content=chunks), 413, "too_large")
    refused(client.post("/chat/sessions", headers=held, content=b" " * 65_537), 413, "too_large")
    assert client.post("/chat/sessions", content=b" " * 65_537).status_code == 413
    assert house.stored == []


def test_the_sentence_is_in_the_conversations_language(client: TestClient, house: House) -> None:
    held = opened(client, "ar")
    session = Tokens("k" * 40).open(held["Authorization"][7:])
    assert session is not None
    refused(client.post("/chat/messages", headers=held, json={}), 422, "malformed", "ar")
    house.languages[session.id] = "zh"
    refused(client.post("/chat/messages", headers=held, json={}), 422, "malformed", "zh")


def test_twenty_at_once_then_one_a_second(client: TestClient, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    held, other = opened(client), opened(client)
    answers = [client.post("/chat/messages", headers=held, json={"id": str(i), "text": "x"}) for i in range(21)]
    assert [each.status_code for each in answers[:20]] == [202] * 20
    refused(answers[20], 429, "too_fast")
    assert answers[20].headers["retry-after"] == "1"
    assert len(house.stored) == 20
    assert client.post("/chat/messages", headers=other, json={"id": "1", "text": "x"}).status_code == 202


def test_storage_down_is_said_and_the_same_message_goes_later(client: TestClient, house: House) -> None:
    held = opened(client)
    house.down = True
    answer = client.post("/chat/messages", headers=held, json={"id": "1", "text": "x"})
    refused(answer, 503, "storage")
    assert int(answer.headers["retry-after"]) > 0
    house.down = False
    assert client.post("/chat/messages", headers=held, json={"id": "1", "text": "x"}).json()["state"] == "stored"


def test_a_bug_is_an_apology_and_no_more(client: TestClient, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "receive", lambda *_: 1 / 0)
    client = TestClient(made(house), raise_server_exceptions=False)
    answer = client.post("/chat/messages", headers=opened(client), json={"id": "1", "text": "secret text"})
    refused(answer, 500, "failed")
    assert "division" not in answer.text


def png(size: tuple[int, int] = (4, 4)) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", size, "green").save(made, "PNG")
    return made.getvalue()


def attach(client: TestClient, held: dict[str, str], content: bytes, name: str = "a.png", **more: str) -> Any:
    return client.post("/chat/files", headers=held, files={"file": (name, content, "image/png")}, data=more)


def test_a_file_is_kept_before_it_is_acknowledged(client: TestClient, house: House) -> None:
    held = opened(client)
    assert attach(client, held, png(), id="f-1", text="الفاتورة").status_code == 202
    again = attach(client, held, png(), id="f-1")
    assert (again.status_code, again.json()["state"]) == (202, "duplicate"), "the same id is the same message"
    session = Tokens("k" * 40).open(held["Authorization"][7:])
    assert session and [(text, [file["type"] for file in files]) for text, files in house.files[session.id]] == [
        ("الفاتورة", ["image/png"])
    ]


@pytest.mark.parametrize(
    ("content", "name", "status", "code"),
    [
        (b"<html><script>alert(1)</script></html>", "a.png", 422, "file_type"),
        (b"", "a.png", 422, "file_empty"),
        (png()[:40], "a.png", 422, "file_unreadable"),
        (b"x" * 1_200_000, "a.txt", 413, "too_large"),
    ],
)
def test_what_is_not_kept_is_refused_in_words(
    client: TestClient, house: House, content: bytes, name: str, status: int, code: str
) -> None:
    answer = attach(client, opened(client), content, name)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert "chat_error_file" in answer.json()["error"]["text"] and house.files == {}


def test_a_file_needs_a_chat_and_our_own_page(client: TestClient, house: House) -> None:
    held = opened(client)
    assert attach(client, {}, png()).status_code == 401
    assert attach(client, held | {"Origin": "https://evil.example"}, png()).status_code == 403
    assert client.post("/chat/files", headers=held, json={"file": "x"}).status_code == 422
    assert attach(client, held, png(), id="a b").status_code == 422
    assert house.files == {}


# origins (D2)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://desk.test.evil.example", "https://desk.test", ""]
)
@pytest.mark.parametrize("door", ["/chat/sessions", "/chat/messages", "/chat/files"])
def test_a_foreign_page_is_refused_before_anything_is_stored(
    client: TestClient, house: House, origin: str, door: str
) -> None:
    held = opened(client)
    answer = client.post(door, headers={**held, "Origin": origin}, json={"id": "1", "text": "x"})
    refused(answer, 403, "origin")
    assert "access-control-allow-origin" not in answer.headers
    assert house.stored == []


def test_the_stream_is_not_for_foreign_pages(client: TestClient) -> None:
    held = opened(client)
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        refused(client.get("/chat/events", headers={**held, **headers}), 403, "origin")


def test_our_page_and_programs_may(client: TestClient) -> None:
    held = opened(client)
    for number, headers in enumerate(({"Origin": OWN}, {"Sec-Fetch-Site": "same-origin"}, {})):
        answer = client.post("/chat/messages", headers={**held, **headers}, json={"id": str(number), "text": "x"})
        assert answer.status_code == 202


def test_an_allowed_page_may_read_the_answers(house: House) -> None:
    client = TestClient(made(house, allowed=(OWN, PARTNER)))
    asked = {"Origin": PARTNER, "Access-Control-Request-Method": "POST", "Sec-Fetch-Site": "cross-site"}
    preflight = client.options("/chat/messages", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == PARTNER
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in preflight.headers
    answer = client.post("/chat/sessions", headers=asked, json={})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (201, PARTNER)
    assert "Origin" in answer.headers["vary"]
    evil = client.options("/chat/messages", headers={**asked, "Origin": "https://evil.example"})
    assert evil.status_code == 403 and "access-control-allow-origin" not in evil.headers
    expired = client.post("/chat/messages", headers={**asked, "Authorization": "Bearer x"}, json={})
    assert (expired.status_code, expired.headers["access-control-allow-origin"]) == (401, PARTNER), (
        "refusals can be read"
    )


# pages


@pytest.mark.parametrize("path", ["/", "/privacy", "/help"])
@pytest.mark.parametrize(("lang", "dir"), [("ar", "rtl"), ("en", "ltr"), ("zh", "ltr")])
def test_pages_in_three_languages(client: TestClient, path: str, lang: str, dir: str) -> None:
    answer = client.get(path if lang == "ar" else f"{path}?lang={lang}")
    assert answer.status_code == 200
    assert f'<html lang="{lang}" dir="{dir}">' in answer.text
    assert answer.text.count("<h1") == 1
    for part in ("<header", "<main", "<footer", 'class="skip"', "/privacy", "/help"):
        assert part in answer.text
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=", answer.text), "nothing inline"
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", answer.text), "nothing from elsewhere"


def test_an_unknown_language_is_arabic(client: TestClient) -> None:
    assert 'lang="ar" dir="rtl"' in client.get("/?lang=<script>").text


def test_files_are_compressed_and_revalidated(client: TestClient) -> None:
    total = 0
    for path in ("/", "/widget.js", "/chat/chat.css", "/site.css", "/icon.svg"):
        answer = client.get(path)
        assert answer.headers["content-encoding"] == "gzip"
        total += int(answer.headers["content-length"])
        again = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        plain = client.get(path, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers and plain.text == answer.text
    assert total < 60_000
    script = re.search(r"/widget\.js\?v=\w+", client.get("/").text)
    assert script is not None
    assert "immutable" in client.get(script[0]).headers["cache-control"]
    assert "immutable" not in client.get("/widget.js?v=old").headers["cache-control"]


def test_the_widget_may_be_embedded_and_knows_its_words(client: TestClient) -> None:
    answer = client.get("/widget.js")
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert '"greeting": "zh:chat_greeting"' in answer.text
    assert "/*SAWT*/" not in answer.text
