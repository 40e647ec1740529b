"""What a person asks of the desk itself: a person, the data held, another language, silence; and small talk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from actions import matter
from actions.said import Act, Answer, Said, button
from actions.short import short
from actions.words import words
from bot.handlers.draft import Draft
from nlu.arabic.fold import fold
from nlu.arabic.references import lone_number

LANGUAGES = {
    "ar": ("عربي", "العربيه", "العربية", "بالعربي", "arabic", "阿拉伯语", "阿拉伯文", "3arabi"),
    "en": ("english", "انجليزي", "الانجليزيه", "الإنجليزية", "بالانجليزي", "انقليزي", "英语", "英文"),
    "zh": ("chinese", "mandarin", "中文", "汉语", "普通话", "صيني", "الصينيه", "الصينية", "بالصيني"),
}
PERSON = frozenset(fold(w) for w in ("موظف", "موظفة", "انسان", "person", "human", "agent", "人工", "人工客服"))
START = frozenset(fold(w) for w in ("start", "ابدأ", "ابدا", "استئناف", "استانف", "开始"))


def handoff(said: Said) -> Answer:
    """A person is wanted: the draft, or these words, become a ticket that a person must take."""
    open_with = next((t for t in said.open if t.get("special") == "needs_person"), None)
    if said.draft and said.draft.text and not clearly_a_person(said):
        kept = {"name": "person", "yes": {"do": "person"}, "no": {"do": "no_thanks"}}
        choices = [button("button_person", "person"), button("button_no_thanks", "no_thanks")]
        return Answer(question=kept).say("utter_offer_person", choices)
    if said.draft and said.draft.text:
        return Answer(draft=replace(said.draft, kind=said.draft.kind or "inquiry", flags=("needs_person",)), file=True)
    if open_with:
        waiting = Answer(act=_adding(said, open_with))
        return waiting.say("utter_person_waiting", ref=open_with["ref"], due=open_with["due"], unit=open_with["unit"])
    return Answer(draft=_special(said, "needs_person"), file=True)


TALK = frozenset(
    fold(w)
    for w in "اكلم احد موظف موظفه اتصل يتصل تتصل اتصلوا كلموني يكلمني مسؤول مسؤل ادمي بشري person human agent someone call 人工 客服".split()
)


def clearly_a_person(said: Said) -> bool:
    """A button, or words that name one: not a guess of the model."""
    return (
        said.pressed is not None or bool(set(words(said.text)) & TALK) or "人工" in said.text or said.confidence >= 0.95
    )


def _adding(said: Said, ticket: Mapping[str, Any]) -> Act | None:
    """New words beside a wish that is tracked already go to its ticket."""
    return (
        Act("add", ticket["ref"], {"text": said.text}) if said.pressed is None and len(words(said.text)) >= 3 else None
    )


def wants_person(said: Said) -> bool:
    """The one word that our own sentences tell people to write."""
    return fold(said.text).strip(" .!؟?") in PERSON


def my_data(said: Said) -> Answer:
    """A tracked request for the data held; one at a time."""
    going = next((t for t in said.open if t.get("special") == "my_data"), None)
    if going:
        return Answer(act=_adding(said, going)).say("utter_my_data_open", ref=going["ref"], due=going["due"])
    return Answer(draft=_special(said, "my_data"), file=True)


def unknown_language(said: Said) -> Answer:
    """A language we do not speak: filed for a person, and said in English and Arabic."""
    going = next((t for t in said.open if t.get("special") == "language"), None)
    if going:
        return Answer(act=Act("add", going["ref"], {"text": said.text})).say("utter_language_added", ref=going["ref"])
    return Answer(draft=_special(said, "language"), file=True)


def _special(said: Said, flag: str) -> Draft:
    return Draft(
        kind="inquiry",
        category="privacy_security"
        if flag == "my_data"
        else "other"
        if flag == "language"
        else said.category or "other",
        text=said.text,
        flags=(flag,),
        urgent="danger" in said.flags,
        reading=dict(said.reading),
        stage="confirm",
    )


def language(said: Said) -> Answer:
    """The language that is named from now on; else the three to choose from, each in its own words."""
    folded = fold(said.text)
    for code, names in LANGUAGES.items():
        if any(fold(n) in folded for n in names):
            return spoken(said, code)
    choices = [button(f"button_language_{code}", "language", value=code) for code in LANGUAGES]
    return Answer().say("utter_choose_language", choices)


def spoken(said: Said, code: str) -> Answer:
    answer = Answer(language=code).say("utter_language_changed")
    if said.draft and said.draft.text:
        name, buttons, params = matter.remind(said.draft)
        answer.say(name, buttons, **params)
    return answer


def stop(said: Said) -> Answer:
    return Answer(question=None, act=Act("stop")).say("utter_stopped")


def resume() -> Answer:
    return Answer(act=Act("start")).say("utter_started")


def starts_again(said: Said) -> bool:
    return fold(said.text).strip(" .!") in START


def menu() -> list[dict[str, object]]:
    """The main things one can do, as buttons."""
    kinds = [button(f"button_{k}", "begin", value=k) for k in ("complaint", "inquiry", "suggestion", "report")]
    return [*kinds, button("button_status", "where"), button("button_person", "person")]


def small_talk(said: Said) -> Answer:
    """Greetings, thanks, help: short, and with what one can do where it helps."""
    names = {"greet": "utter_greet", "goodbye": "utter_goodbye", "thanks": "utter_thanks", "help": "utter_help"}
    name = "utter_salam" if fold(said.text).startswith(("السلام", "سلام")) else names[said.intent]
    if said.draft:
        reminder, buttons, params = matter.remind(said.draft)
        if said.intent == "help":
            return Answer().say("utter_help").say(reminder, buttons, **params)
        return Answer().say(reminder, buttons, **params) if said.intent == "greet" else Answer().say(name)
    return Answer().say(name, menu() if said.intent in ("greet", "help") else None)


def courtesy(said: Said) -> Answer | None:
    """Short words that the table knows, where no draft or question gives them another meaning."""
    move = short(said.text)
    if move == "bot":
        return Answer().say("utter_bot")
    if move == "grievance":
        return _beside_draft(said, "utter_sympathy")
    if move in ("thanks", "yes", "send") and not said.draft:
        return Answer().say("utter_thanks")
    if move == "thanks":
        return Answer().say("utter_thanks")
    if move == "salam":
        return _beside_draft(said, "utter_salam") if said.draft else Answer().say("utter_salam", menu())
    if move in ("no", "keep", "drop") and not said.draft:
        return Answer(question=None).say("utter_let_go" if said.question else "utter_thanks")
    return None


def rubbish(said: Said) -> Answer | None:
    """A fitting answer to what holds no words: empty, an emoji, a number, a link, an insult; None otherwise."""
    text = said.text.strip()
    if "insult" in said.flags and len(words(text)) <= 6:
        return _beside_draft(said, "utter_insult")
    if not text or not any(c.isprintable() and not c.isspace() for c in text):
        return _beside_draft(said, "utter_empty")
    bare = words(text)
    if not bare:
        return _beside_draft(said, "utter_emoji")
    number = lone_number(text)
    waiting = next((t for t in said.open if t.get("special") == "needs_person"), None)
    if waiting and sum(c.isdigit() for c in text) >= 8 and len(bare) <= 3:  # where to call
        return Answer(act=Act("add", waiting["ref"], {"text": text}))
    if number is not None or (len(bare) == 1 and bare[0].isdigit()):
        return _beside_draft(said, "utter_lone_number", number=str(number if number is not None else bare[0])[:30])
    if all(w.startswith(("http", "www.")) or "://" in w for w in text.split()):
        return _beside_draft(said, "utter_link")
    return None


def _beside_draft(said: Said, name: str, **params: Any) -> Answer:
    """The answer; where a draft is open, its reminder instead of a sentence that leads away from it."""
    if said.draft and name not in ("utter_insult", "utter_sympathy"):
        reminder, buttons, draft_params = matter.remind(said.draft)
        return Answer().say(reminder, buttons, **draft_params)
    return Answer().say(name, **params)


def chatter(said: Said) -> Answer:
    """Out of scope: say what this place is for; longer words are kept in case they were a matter after all."""
    if _prays(said.text):
        return _beside_draft(said, "utter_prayer")
    if len(words(said.text)) >= 4:
        kept = {"name": "anyway", "text": said.text, "kind": None, "category": said.category}
        choices = [button("button_file_anyway", "anyway"), button("button_person", "person")]
        return Answer(question=kept).say("utter_out_of_scope", choices)
    return _beside_draft(said, "utter_out_of_scope")


PRAYERS = (
    "اللهم",
    "الحمد لله",
    "سبحان الله",
    "لا اله الا الله",
    "صلى الله",
    "صل على",
    "استغفر الله",
    "جمعه مباركه",
    "جزاكم الله",
    "ربي",
)


def _prays(text: str) -> bool:
    folded = fold(text)
    return any(fold(p) in folded for p in PRAYERS) and len(words(text)) <= 25


def unsure(said: Said) -> Answer:
    """Not understood: too short to keep, one is asked to say more; longer words are kept as a draft without a kind."""
    if len(words(said.text)) >= 3:
        return matter.begin(said)
    return _beside_draft(said, "utter_unsure")
