"""A recorded day: messages that nobody trained on, each from another person, through the whole house, and what became of them.

    python -m bench.day [--count 200] [--out docs/day.md] [FILE.jsonl]     data/evaluation/day.jsonl by default

Each person writes, and where a draft is shown back taps 'file it', as most people do. The outcome is read from the database:
answered from the register, filed, asked back, handed to a person, another move of the dialogue; and whether it was the right
one by the label of the message: the kind and the category that were filed, the move that was made.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.running import REFERENCE, Citizen, running

KIND_OF = {
    "inquiry": "inquiry",
    "complaint": "complaint",
    "suggestion": "suggestion",
    "report": "report",
    "praise": "observation",
}
ANSWERED = (
    "utter_card",
    "utter_office",
    "utter_holiday",
    "utter_branches",
    "utter_contact",
    "utter_not_ours",
    "utter_which_service",
)
BACK = (
    "utter_ask_matter",
    "utter_choose_kind",
    "utter_unsure",
    "utter_out_of_scope",
    "utter_prayer",
    "utter_emoji",
    "utter_insult",
)
PERSON = ("utter_filed_person", "utter_offer_person", "utter_my_data", "utter_language_unknown")
MOVES = {
    "check_status": ("utter_status", "utter_no_tickets", "utter_reference", "utter_transaction", "utter_unknown", "utter_no_ticket"),
    "update_ticket": ("utter_no_ticket", "utter_no_tickets", "utter_ask_reference", "utter_unknown", "utter_which"),
    "withdraw_ticket": ("utter_no_ticket", "utter_no_tickets", "utter_ask_reference", "utter_unknown", "utter_which"),
    "reopen_ticket": ("utter_no_ticket", "utter_no_tickets", "utter_ask_reference", "utter_unknown", "utter_which"),
    "rate_service": ("utter_no_ticket", "utter_no_tickets", "utter_rat", "utter_ask_rat", "utter_which", "utter_ask_reference"),
    "human_handoff": ("utter_filed_person", "utter_offer_person", "utter_person"),
    "my_data": ("utter_my_data",),
    "stop_notices": ("utter_stopped",),
    "change_language": ("utter_language", "utter_choose_language"),
    "out_of_scope": ("utter_out_of_scope", "utter_prayer", "utter_language_unknown", "utter_unsure", "utter_emoji"),
    "greet": ("utter_greet", "utter_salam"), "goodbye": ("utter_goodbye",), "thanks": ("utter_thanks",),
    "help": ("utter_help", "utter_bot"), "affirm": ("utter_help", "utter_thanks"), "deny": ("utter_help", "utter_let_go", "utter_thanks"),
    "cancel": ("utter_nothing_to_cancel", "utter_let_go", "utter_thanks"),
}  # fmt: skip


def one(url: str, database: str, message: dict[str, Any]) -> dict[str, Any]:
    """What became of one message."""
    person = Citizen(url, message["lang"] if message["lang"] in ("ar", "en", "zh") else "ar")
    try:
        person.say(message["text"], within=20)
        names = _names(database)
        if names and names[-1].startswith("utter_draft"):
            person.say("1", within=20)
            names = _names(database)
        told = "\n".join(answer["text"] for answer in person.answers)
    finally:
        person.close()
    ref = REFERENCE.search(told)
    ticket = _ticket(database, ref[1].replace(" ", "")) if ref else None
    outcome = _outcome(names, ticket)
    return {
        **message,
        "outcome": outcome,
        "names": names,
        "ticket": ticket,
        "right": _right(message, names, ticket, outcome),
    }


def _rows(database: str, query: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(database)) as db:
        return db.execute(query, values).fetchall()


def _names(database: str) -> list[str]:
    """The sentences that were said to the newest conversation."""
    query = "SELECT name FROM outbox WHERE conversation = (SELECT conversation FROM outbox ORDER BY id DESC LIMIT 1) ORDER BY id"
    return [name for (name,) in _rows(database, query)]


def _ticket(database: str, ref: str) -> tuple[str, str | None, str | None] | None:
    found = _rows(database, "SELECT kind, category, service FROM tickets WHERE ref = ?", ref)
    return found[0] if found else None


def _outcome(names: list[str], ticket: Any) -> str:
    said = [name for name in names if not name.startswith("utter_welcome")]
    if any(name.startswith(PERSON) for name in said):
        return "handed to a person"
    if ticket:
        return "filed"
    if any(name.startswith(ANSWERED) for name in said):
        return "answered from the register"
    return "asked back" if said and said[-1].startswith(BACK) else "another move"


def _right(message: dict[str, Any], names: list[str], ticket: Any, outcome: str) -> bool:
    kind = KIND_OF.get(message["intent"])
    if message["lang"] == "other":
        return any(name.startswith("utter_language_unknown") for name in names)
    if kind is None:
        return any(name.startswith(MOVES[message["intent"]]) for name in names)
    if outcome == "answered from the register":
        return kind == "inquiry"
    if outcome == "asked back":
        return any(name.startswith(("utter_ask_matter", "utter_choose_kind")) for name in names)
    return bool(ticket) and ticket[0] == kind and message["category"] in (None, ticket[1])


def page(results: list[dict[str, Any]]) -> str:
    """The day as a page: figures, then every message."""
    outcomes = Counter(result["outcome"] for result in results)
    wrong = [result for result in results if not result["right"]]
    lines = [
        f"# A recorded day: {len(results)} messages",
        "",
        "Written by hand for this purpose by somebody who saw neither the training data nor the code; nobody trained on them. Made by",
        "`python -m bench.day`: each message from another person, through web chat, house and assistant; who is shown a draft files it.",
        "",
        *(f"- {outcome}: {count}" for outcome, count in outcomes.most_common()),
        f"- not what the label says (the kind, the category or the move): {len(wrong)}",
        "",
        "| message | label | outcome | what was said or filed | |",
        "|---|---|---|---|---|",
    ]
    for result in results:
        text = " ".join(result["text"].split()).replace("|", "/")
        label = result["intent"] + (f" / {result['category']}" if result["category"] else "")
        told = (
            " / ".join(part for part in result["ticket"] if part)
            if result["ticket"]
            else result["names"][-1]
            if result["names"]
            else ""
        )
        lines.append(f"| {text[:160]} | {label} | {result['outcome']} | {told} | {'' if result['right'] else '✗'} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    arguments.add_argument("file", nargs="?", type=Path, default=Path("data/evaluation/day.jsonl"))
    arguments.add_argument("--count", type=int, default=200)
    arguments.add_argument("--out", type=Path, default=Path("docs/day.md"))
    given = arguments.parse_args()
    messages = [json.loads(line) for line in given.file.read_text(encoding="utf-8").splitlines() if line.strip()]
    step = max(1, len(messages) // given.count)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), GATHER_SECONDS="0") as sawt:
        database = sawt.database().removeprefix("sqlite:///")
        results = [one(sawt.url, database, message) for message in messages[::step][: given.count]]
    given.out.write_text(page(results), encoding="utf-8")
    print("\n".join(page(results).split("\n")[5:12]))


if __name__ == "__main__":
    main()
