"""The chat with the house's real catalogues: every sentence it needs is there, in three languages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from chat_house import OWN, House
from fastapi import FastAPI
from fastapi.testclient import TestClient

import bot.web
from bot.handlers.house import PRIVACY
from bot.web.chat.router import router as chat
from bot.web.chat.words import WIDGET_WORDS
from bot.web.public.pages import router as public
from bot.wording.render import load

CATALOGUES = load()
LANGUAGES = ("ar", "en", "zh")


def strict(name: str, lang: str, **params: object) -> str:
    return CATALOGUES.render(name, params, lang, strict=True)


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI()
    settings = SimpleNamespace(public_url=OWN, allowed_origins=(), secret_key="k" * 40)
    app.include_router(chat(House(), settings, strict))
    app.include_router(public(strict))
    return TestClient(app)


def test_the_pages_and_the_widget_find_all_their_words(client: TestClient) -> None:
    given = json.loads(re.search(r"var GIVEN = (\{.*\});", client.get("/widget.js").text)[1])  # type: ignore[index]
    assert set(given["words"]) == set(LANGUAGES)
    for words in given["words"].values():
        assert set(words) == set(WIDGET_WORDS) and all(words.values())
        assert "{count}" in words["left"]
    for lang in LANGUAGES:
        assert f"\u2068{PRIVACY}\u2069" in client.get(f"/?lang={lang}").text, "the privacy sentence names its version"
        assert f"<bdi>{PRIVACY}</bdi>" in client.get(f"/privacy?lang={lang}").text


def test_every_word_the_widget_says_is_given_to_it() -> None:
    script = (Path(bot.web.__file__).parent / "chat/static/widget.js").read_text("utf-8")
    said = set(re.findall(r'say\("([a-z_0-9]+)"\)', script)) | set(re.findall(r'"(starter_\d)"', script))
    assert said <= set(WIDGET_WORDS)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_refusal_has_its_sentence(lang: str) -> None:
    source = (Path(bot.web.__file__).parent / "chat/router.py").read_text("utf-8")
    names = set(re.findall(r'"(chat_error_\w+)"', source))
    assert len(names) >= 11
    for name in names:
        assert strict(name, lang, limit=10_000)
