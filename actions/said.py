"""What Rasa asks the house, typed; and what the house answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from bot.handlers.draft import Draft

Buttons = list[dict[str, Any]]


@dataclass(frozen=True)
class Said:
    """One message of one person, as read by the assistant, with what the house knew when the turn began."""

    conversation: str
    turn: str
    text: str
    intent: str
    confidence: float
    category: str | None
    category_confidence: float
    language: str | None
    services: Sequence[Mapping[str, Any]]
    flags: Sequence[str]
    entities: Sequence[Mapping[str, Any]]
    pressed: Mapping[str, Any] | None  # the entities of a button of ours
    draft: Draft | None
    question: Mapping[str, Any] | None
    spoken: str | None  # the conversation's language
    open: Sequence[Mapping[str, Any]]  # the person's live tickets, newest first
    ended: Sequence[Mapping[str, Any]]
    parts: Sequence[Mapping[str, Any]]
    at: datetime
    reading: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[str] = ()  # the kinds of what came with it: photo, voice, video, document, place

    def sure(self, *intents: str, at_least: float = 0.5) -> bool:
        """True where the message was read as one of `intents` with enough confidence."""
        return self.intent in intents and self.confidence >= at_least

    def pressing(self, pressed: Mapping[str, Any]) -> Said:
        """The same message as if this button had been pressed: a typed yes or no."""
        return replace(self, pressed=pressed)

    def values(self, entity: str) -> list[str]:
        """The values of every entity of this name, in order."""
        return [str(e["value"]) for e in self.entities if e.get("entity") == entity]


@dataclass(frozen=True)
class Act:
    """What the house does in this turn beside answering: a verb of the table on one of the person's tickets, or
    `prove` (a receipt code for a reference), `guess` (count a stranger's reference), `stop`, `start`, `link_code`, `link`, `prefer`. What it tells of it goes out in the same transaction."""

    verb: str
    ref: str = ""
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Desk:
    """What the house knows beside the person: looked up when it is needed, never changed here."""

    categories: Sequence[str]
    emergency: Callable[[str], str | None]  # the number to call for a kind of danger
    body: Callable[[str], Mapping[str, Any] | None]  # whose business a folded text is, where it is not ours: id, phone
    office: Callable[[], Mapping[str, Any]]  # open, hours, ramadan, opening, holiday, holiday_on, estimated, branches


KEEP: Any = object()
"""In an Answer: the draft or question stays as it is."""


@dataclass
class Answer:
    """Names to say, in order, and the state after the turn."""

    replies: list[dict[str, Any]] = field(default_factory=list)
    draft: Draft | None = KEEP
    question: Mapping[str, Any] | None = KEEP
    language: str | None = None  # set: the conversation's language from now on
    file: bool = False  # the draft is confirmed: the form is complete
    act: Act | None = None

    def say(self, name: str, buttons: Buttons | None = None, **params: Any) -> Answer:
        """Add one reply; returns itself, so that a short answer is one line."""
        self.replies.append({"response": name, "params": params, "buttons": buttons or []})
        return self


def button(title: str, do: str, **details: Any) -> dict[str, Any]:
    """A button of ours: pressing it comes back as the intent `press` with these entities."""
    params = {k: details[k] for k in ("ref", "kind", "category", "service") if k in details}
    return {"title": title, "params": params, "payload": payload(do, **details)}


def payload(do: str, **details: Any) -> str:
    """The message that a button stands for; only the house sends it (a typed '/' is defused)."""
    return "/press" + json.dumps({"do": do, **details}, ensure_ascii=False, separators=(",", ":"))
