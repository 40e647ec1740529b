"""What clerks put right becomes lines to review: masked, nobody's secrets, and a review is never lost."""

from __future__ import annotations

import json
from pathlib import Path

from bot.corrections import corrections, write
from tests.unit.desk.house import Desk

READ = {
    "intent": {"name": "inquiry", "confidence": 0.6},
    "category": {"name": "other", "confidence": 0.4},
    "turn": "t1",
}


def corrected(desk: Desk, text: str, **more: object) -> str:
    ticket = desk.file(text, kind="inquiry", category="other", reading=READ, **more)
    clerk = desk.browser("agent2")
    clerk.get(f"/desk/tickets/{ticket.ref}")
    answer = clerk.act(
        ticket.ref,
        "classify",
        kind="complaint",
        category="fees_payment",
        service="industrial_licence_renew",
        reason="x",
    )
    assert answer.status_code == 303, answer.text
    return ticket.ref


def test_a_correction_is_a_line_with_what_was_read_and_who_put_it_right(the_desk: Desk) -> None:
    corrected(the_desk, "دفعت مرتين وجوالي 0501234567 a@b.test")
    [line] = corrections(the_desk.store.engine)
    assert (line["intent"], line["category"], line["service"]) == (
        "complaint",
        "fees_payment",
        "industrial_licence_renew",
    )
    assert line["said"]["intent"]["name"] == "inquiry" and line["by"] == "s-agent2" and line["ok"] is None
    assert line["text"] == "دفعت مرتين وجوالي ••• •••"


def test_what_was_filed_as_read_is_no_correction(the_desk: Desk) -> None:
    the_desk.file(reading=READ)
    assert list(corrections(the_desk.store.engine)) == []


def test_confidential_tickets_teach_nobody(the_desk: Desk) -> None:
    corrected(the_desk, "سر", flags={"confidential"})
    assert list(corrections(the_desk.store.engine)) == []


def test_a_review_is_kept_when_the_file_is_written_again(the_desk: Desk, tmp_path: Path) -> None:
    corrected(the_desk, "دفعت مرتين")
    path = tmp_path / "data" / "corrections.jsonl"
    assert write(the_desk.store.engine, path) == 1 and oct(path.stat().st_mode)[-3:] == "600"
    line = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(line | {"ok": True}) + "\n", encoding="utf-8")
    corrected(the_desk, "دفعت ثلاث مرات")
    assert write(the_desk.store.engine, path) == 2
    assert sorted(str(json.loads(each)["ok"]) for each in path.read_text(encoding="utf-8").splitlines()) == [
        "None",
        "True",
    ]
