"""What clerks put right about a reading: messages that the model can learn from, masked, for a person to review."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from bot.storage.tables import entries, tickets
from bot.wording.values import masked

INTENT_OF = {"observation": "praise"}
"""The kinds that are called otherwise where a message is read; an observation reads as praise or as what it is about."""


def corrections(engine: Engine) -> Iterator[dict[str, Any]]:
    """One line for each ticket whose kind, category or service a member of staff has changed, the newest last.

    Confidential and need-to-know tickets are left out. `said` is what the model read, `by` and `at` who put it right and
    when; `ok` is null until somebody has reviewed the line.
    """
    asked = (
        select(entries.c.ref, entries.c.by_id, entries.c.at, tickets.c.text, tickets.c.language, tickets.c.reading,
               tickets.c.kind, tickets.c.category, tickets.c.service, tickets.c.flags)
        .join(tickets, tickets.c.ref == entries.c.ref)
        .where(entries.c.verb == "classify", entries.c.by_kind == "staff", tickets.c.need_to_know.is_(False))
        .order_by(entries.c.at, entries.c.ref)
    )  # fmt: skip
    with engine.connect() as db:
        rows = {row.ref: row for row in db.execute(asked)}  # the last correction of a ticket
    for row in rows.values():
        reading: Mapping[str, Any] = row.reading or {}
        if reading and "confidential" not in row.flags:
            yield {
                "text": masked(row.text),
                "intent": INTENT_OF.get(row.kind, row.kind),
                "category": row.category if row.kind != "observation" else None,
                "service": row.service,
                "lang": row.language,
                "variety": "",
                "ok": None,
                "said": {key: reading.get(key) for key in ("intent", "category", "services")},
                "by": row.by_id,
                "at": row.at.isoformat(),
            }


def write(engine: Engine, path: Path) -> int:
    """The file holds all corrections, a line each; how many. Reviews in a file that is there already are kept."""
    reviewed = {(line["text"], line["at"]): line["ok"] for line in _read(path)}
    found = list(corrections(engine))
    for line in found:
        line["ok"] = reviewed.get((line["text"], line["at"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")  # somebody's reviews are in the file: it is replaced whole or not at all
    partial.touch(0o600)
    partial.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in found), encoding="utf-8")
    partial.replace(path)
    return len(found)


def _read(path: Path) -> Sequence[dict[str, Any]]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
