"""The numbered menu: the conversation without the assistant. It understands numbers, and loses no word.

It takes over when the assistant gives no answer. What it handled is never driven again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bot.handlers.draft import Draft
from bot.handlers.ports import Conversation
from nlu.arabic.flags import danger_kind, flags
from nlu.arabic.references import lone_number

CHOICES = ("complaint", "inquiry", "suggestion", "report", "status", "person")
TITLES = tuple(f"button_{c}" for c in CHOICES)
Reply = tuple[str, dict[str, Any], list[dict[str, Any]]]


@dataclass
class Outcome:
    """What the menu makes of a message: what to say, the draft after it, whether it is to be filed now."""

    replies: list[Reply]
    draft: Draft | None
    file: bool = False
    status: bool = False


def buttons() -> list[dict[str, Any]]:
    """The choices; the assistant understands the same buttons once it is back."""
    acts = {"status": '{"do":"where"}', "person": '{"do":"person"}'}
    return [
        {"title": t, "payload": "/press" + acts.get(c, f'{{"do":"begin","value":"{c}"}}')}
        for t, c in zip(TITLES, CHOICES, strict=True)
    ]


def answer(talk: Conversation, text: str, pressed: dict[str, Any] | None, emergency: dict[str, str | None]) -> Outcome:
    """The menu's answer to one message. `emergency` holds the number for each kind of danger."""
    draft = Draft.of(talk.state.get("draft"))
    choice = _choice(talk, text, pressed)
    if choice == "status":
        return Outcome([], draft, status=True)
    if choice == "person":
        kept = draft if draft and draft.text else Draft(kind="inquiry", category="other", text=text)
        return Outcome([], replace(kept, kind=kept.kind or "inquiry", flags=("needs_person",)), file=True)
    if choice == "file" and draft and draft.text:
        return Outcome([], replace(draft, kind=draft.kind or "inquiry"), file=True)
    if choice == "cancel" and draft:
        return Outcome([("utter_draft_cancelled", {}, [])], None)
    if choice in CHOICES:
        kind = replace(draft or Draft(), kind=choice, by_hand=True)
        if kind.text:
            return Outcome([], kind, file=True)
        return Outcome([("menu_ask_text", {}, [])], replace(kind, stage="details"))
    return _words(draft, text, pressed, emergency)


def _words(draft: Draft | None, text: str, pressed: Any, emergency: dict[str, str | None]) -> Outcome:
    """Words are kept in the draft; where the menu had asked for them they are filed."""
    found = flags(text)
    replies: list[Reply] = []
    if "danger" in found:
        kind = danger_kind(text) or "other"
        replies.append((f"utter_danger_{kind}", {"number": emergency.get(kind)}, []))
    if pressed is not None or not any(c.isalnum() for c in text):
        return Outcome([*replies, ("menu_main", {}, buttons())], draft)
    asked = bool(draft and draft.by_hand and not draft.text)
    kept = (draft or Draft()).adding(text)
    kept = replace(
        kept, urgent=kept.urgent or "danger" in found, confidential=kept.confidential or "confidential" in found
    )
    if asked:
        return Outcome(replies, kept, file=True)
    return Outcome([*replies, ("menu_wait", {"text": kept.text}, buttons())], replace(kept, stage="kind"))


def _choice(talk: Conversation, text: str, pressed: dict[str, Any] | None) -> str | None:
    """What was chosen: a button of the menu, one of the assistant's that the menu knows, or a number."""
    if pressed is not None:
        do = pressed.get("do")
        known = {"begin": pressed.get("value"), "where": "status", "person": "person"}
        return str(known.get(do, do)) if do else None
    number = lone_number(text)
    if number is not None and talk.state.get("menu_asked") and 1 <= number <= len(CHOICES):
        return CHOICES[number - 1]
    return None


def undecided_since(talk: Conversation) -> datetime | None:
    """Since when the menu waits for an answer with somebody's words in its hand."""
    asked = talk.state.get("menu_asked")
    return datetime.fromisoformat(asked) if asked and talk.state.get("draft") else None
