"""What is known is answered: a service from the register, our hours and branches, whose business it is when not ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from actions import matter, tickets
from actions.said import Answer, Buttons, Desk, Said, button
from actions.words import words
from bot.handlers.draft import Draft
from nlu.arabic.fold import fold

TABLE = Path(__file__).parent / "asked.tsv"
CARD = ("fee", "duration", "documents", "conditions", "steps", "hours")
"""Parts of a service's card; each has a sentence utter_card_<part>."""
RAMADAN = re.compile("رمضان|ramadh?an|斋月")
DESK = ("holiday", "branches", "contact", "office")
BY_CATEGORY = {
    "fees_payment": "fee",
    "processing_delay": "duration",
    "requirements_procedure": "how",
    "facilities": "hours",
}
"""What is told first where no word says which part is meant."""
NAMED = 0.8
"""From this confidence on a service is the one that is meant."""
PERHAPS = 0.55
"""From this confidence on a service is worth asking about."""
NEAR = 0.05
"""Two services closer than this to each other: one asks which."""


@cache
def _asked() -> dict[str, re.Pattern[str]]:
    """For each part a pattern over folded text; Arabic's joined و and ف do not hide a word."""
    found: dict[str, re.Pattern[str]] = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            part, phrases = line.split("\t", 1)
            found[part] = re.compile("|".join(_pattern(fold(phrase)) for phrase in phrases.split("|")))
    return found


def _pattern(phrase: str) -> str:
    if re.search(r"[\u3400-\u9fff]", phrase):
        return re.escape(phrase)
    stem = phrase.removesuffix("*")
    words_ = r"\s+".join(re.escape(word) for word in stem.split())
    return rf"(?<!\w)[وف]?{words_}" + ("" if phrase.endswith("*") else r"(?!\w)")


def parts_asked(text: str, among: tuple[str, ...] = CARD) -> list[str]:
    """The parts that a question names, in the order of `among`."""
    folded = fold(text)
    return [part for part in among if _asked()[part].search(folded)]


def answer(said: Said, desk: Desk) -> Answer | None:
    """The answer to an inquiry; None where nothing is known: its words become a draft, as any matter's do."""
    if said.draft or not _inquires(said):
        return None
    found = _of_a_service(said)
    if found or said.services:
        return found
    body = desk.body(fold(said.text))
    return _told(said, *_of_body("utter_not_ours", body)) if body else _of_the_desk(said, desk)


def _inquires(said: Said) -> bool:
    asks = said.intent == "inquiry" and said.confidence >= matter.ASK_BACK and matter.kind_of(said) == "inquiry"
    return asks and "confidential" not in said.flags and not tickets.transaction_numbers(said)


def _of_a_service(said: Said) -> Answer | None:
    likely = [s for s in said.services if s["confidence"] >= PERHAPS]
    if not likely:
        return _asked_on(said)
    near = [s for s in likely if likely[0]["confidence"] - s["confidence"] < NEAR]
    if likely[0]["confidence"] >= NAMED and len(near) == 1:
        return card(likely[0]["id"], said.text, said.category, said.reading)
    asked = near if likely[0]["confidence"] >= NAMED else likely
    kept = {"name": "which_service", "text": said.text, "category": said.category, "reading": dict(said.reading)}
    choices = [button(f"button_service_{s['id']}", "card", service=s["id"]) for s in asked]
    choices.append(button("button_none_of_these", "file_question"))
    return Answer(question=kept).say("utter_which_service", choices)


def _asked_on(said: Said) -> Answer | None:
    """«طيب والرسوم؟» after a card: the same service."""
    kept = said.question or {}
    few = len(words(said.text)) <= 6
    if kept.get("name") == "helped" and kept.get("service") and few and parts_asked(said.text):
        return card(str(kept["service"]), said.text, said.category, said.reading)
    return None


def card(service: str, asked: str, category: str | None, reading: Mapping[str, Any], part: str | None = None) -> Answer:
    """What was asked for of a service's card, and whether it helped; the rest is a button away."""
    parts = parts_asked(asked)
    part = part or (parts[0] if len(parts) == 1 else "whole" if parts else BY_CATEGORY.get(category or "", "about"))
    kept = {**_helped(asked, category, reading), "service": service}
    more = [] if part == "whole" else [button("button_card_more", "card", service=service, value="whole")]
    return Answer(question=kept).say(f"utter_card_{part}", _choices(*more), service=service)


def _helped(text: str, category: str | None, reading: Mapping[str, Any]) -> dict[str, Any]:
    """The question under an answer: a yes is thanked for, a no files what was asked."""
    kept = {"name": "helped", "text": text, "category": category, "reading": dict(reading)}
    return {**kept, "yes": {"do": "helped"}, "no": {"do": "file_question"}}


def _choices(*more: dict[str, Any]) -> Buttons:
    return [button("button_helped", "helped"), *more, button("button_card_file", "file_question")]


def _told(said: Said, name: str, params: Mapping[str, Any]) -> Answer:
    """A sentence as the answer, and under it whether it helped."""
    return Answer(question=_helped(said.text, said.category, said.reading)).say(name, _choices(), **params)


def _of_the_desk(said: Said, desk: Desk) -> Answer | None:
    """Our own hours, holidays and places; a long message that names them in passing is a matter."""
    asked = parts_asked(said.text, DESK) if len(words(said.text)) <= 16 else []
    if not asked:
        return None
    office, part = desk.office(), asked[0]
    hours = {"hours": office["hours"]}
    if part == "office" and office["ramadan"] and RAMADAN.search(fold(said.text)):
        return _told(said, "utter_office_ramadan", {"hours": office["ramadan"]})
    if part == "holiday":
        name = "utter_holiday_estimated" if office["estimated"] else "utter_holiday"
        holiday = {"holiday": office["holiday"], "date": office["holiday_on"]}
        return _told(said, name, holiday) if office["holiday"] else None
    if part == "branches":
        return _told(said, "utter_branches", {**hours, "branches": office["branches"]})
    if part == "contact":
        return _told(said, "utter_contact", hours)
    if office["open"]:
        return _told(said, "utter_office_open", hours)
    return _told(said, "utter_office_closed", {**hours, "opening": office["opening"]})


def _of_body(name: str, body: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The sentence on another body, with or without its number, and its parameters."""
    if body["phone"]:
        return name, {"body": body["id"], "phone": body["phone"]}
    return f"{name}_no_phone", {"body": body["id"]}


def hint(said: Said, desk: Desk, then: Answer) -> Answer:
    """Before a draft is shown, whose business it seems to be; the draft is ours to file all the same."""
    shows = bool(then.replies) and str(then.replies[0]["response"]).startswith("utter_draft")
    body = desk.body(fold(said.text)) if shows and not said.services else None
    if body is not None:
        name, params = _of_body("utter_maybe_not_ours", body)
        then.replies.insert(0, {"response": name, "params": params, "buttons": []})
    return then


def press(said: Said, do: str) -> Answer | None:
    """What a button under an answer does; None where `do` is not one of them."""
    kept = said.question or {}
    pressed = said.pressed or {}
    if do == "card":
        part = "whole" if pressed.get("value") == "whole" else None
        reading = kept.get("reading") or {}
        return card(str(pressed.get("service", "")), str(kept.get("text") or ""), kept.get("category"), reading, part)
    if do == "helped":
        return Answer(question=None).say("utter_helped")
    if do != "file_question":
        return None
    if said.draft:
        return matter.ask_next(said, said.draft)
    draft = Draft(
        kind="inquiry",
        category=kept.get("category"),
        service=kept.get("service"),
        text=str(kept.get("text") or ""),
        reading=dict(kept.get("reading") or {}),
    )
    return matter.ask_next(said, draft, Answer(question=None))
