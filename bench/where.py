"""Where a turn's time goes: the spans of both processes and of the client, put together by turn."""

from __future__ import annotations

import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.load import Answered

PARTS = (
    ("acknowledge", "POST to 202: the door, the thread, one commit"),
    ("  of which commit", "conversation and inbox row stored"),
    ("wait for the worker", "from the commit until it is claimed and taken up"),
    ("claim", "find and lease the conversation"),
    ("take", "lines, tickets, dialogue: one transaction"),
    ("assistant", "the turn's answer, as the house waits for it"),
    ("  of which reading", "Rasa's NLU (and single sentences of a long text)"),
    ("  of which actions", "calls to the house, as the assistant waits for them"),
    ("    of which the house", "the handlers, and a ticket's commit"),
    ("  of which rules", "tracker, RulePolicy, forms: the rest inside Rasa"),
    ("  of which wire", "HTTP between the two processes"),
    ("store", "replies, events, state: one transaction"),
    ("stream", "from the commit until the browser has it"),
    ("whole turn", "POST to the answer on the event stream"),
)

Span = tuple[float, float]


def spans(*files: Path) -> dict[str, dict[str, list[Span]]]:
    """name → key → spans."""
    found: dict[str, dict[str, list[Span]]] = defaultdict(lambda: defaultdict(list))
    for file in files:
        for line in file.read_text().splitlines():
            name, key, began, ended = json.loads(line)
            found[name][key].append((began, ended))
    return found


def turns(database: Path) -> dict[str, str]:
    """The turn that answered each message, by the id under which it was posted."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return dict(connection.execute("SELECT message_id, turn FROM inbox WHERE turn IS NOT NULL").fetchall())


def parts(
    answered: Iterable[Answered], found: dict[str, dict[str, list[Span]]], turn_of: dict[str, str]
) -> list[dict[str, float]]:
    """The milliseconds of each part, a dict for each turn that was seen by everybody."""
    taken = {key.split(" ")[0]: (key.split(" ")[1], span[-1]) for key, span in found["take"].items()}
    return [
        _parts(one, found, turn_of[one.id], *taken[turn_of[one.id]])
        for one in answered
        if turn_of.get(one.id) in taken and one.id in found["receive"]
    ]


def _parts(
    one: Answered, found: dict[str, dict[str, list[Span]]], turn: str, talk: str, taken: Span
) -> dict[str, float]:
    def took(name: str) -> float:
        return sum(ended - began for began, ended in found[name].get(turn, ()))

    committed = found["receive"][one.id][-1]
    claims = [span for span in found["claim"].get(talk, ()) if span[1] <= taken[0]]
    claimed = claims[-1] if claims else (committed[1], committed[1])
    storing, stored = found["store"][turn][-1]
    stored = min(stored, one.heard)  # a browser may hear of a commit before the thread that made it goes on
    inside, reading = took("channel"), took("read") + took("parts")
    seconds = {
        "acknowledge": one.ack,
        "  of which commit": committed[1] - committed[0],
        "wait for the worker": max(0.0, claimed[0] - committed[1]) + (taken[0] - claimed[1]),
        "claim": claimed[1] - max(claimed[0], min(committed[1], claimed[1])),
        "take": taken[1] - taken[0],
        "assistant": took("assistant"),
        "  of which reading": reading,
        "  of which actions": took("call"),
        "    of which the house": took("action"),
        "  of which rules": inside - reading - took("call"),
        "  of which wire": took("assistant") - inside,
        "store": stored - storing,
        "stream": one.heard - stored,
        "whole turn": one.reply,
    }
    return {name: value * 1000 for name, value in seconds.items()}


def means(each: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each part without the slowest twentieth of the turns: parts of means add up, those of medians do not."""
    kept = sorted(each, key=lambda turn: turn["whole turn"])[: max(1, math.floor(len(each) * 0.95))]
    return {name: sum(turn[name] for turn in kept) / len(kept) for name, _ in PARTS} if kept else {}
