"""Corrections are taken where a person has reviewed them and the frozen sets do not fall; undone, everything is as before."""

import json

import pytest

from nlu import corrections


def line(text, ok=True, **more):
    return {
        "text": text,
        "intent": "complaint",
        "category": "fees_payment",
        "lang": "ar",
        "variety": "",
        "service": None,
        "ok": ok,
        **more,
    }


def test_only_reviewed_lines_are_taken():
    lines = [json.dumps(line("دفعت مرتين")), json.dumps(line("خطأ", ok=False)), json.dumps(line("لاحقا", ok=None)), ""]
    assert corrections.reviewed(lines) == [
        {
            "text": "دفعت مرتين",
            "intent": "complaint",
            "category": "fees_payment",
            "lang": "ar",
            "variety": "",
            "service": "none",
            "source": "corrections",
        }
    ]
    with pytest.raises(SystemExit, match="none reviewed"):
        corrections.reviewed([json.dumps(line("لاحقا", ok=None))])


def test_the_later_of_two_spellings_holds_and_no_frozen_message_is_learned():
    old, new, frozen = line("دفعت مرّتين", category="other"), line("دفعت مرتين"), line("متى الدوام")
    assert corrections.together([old], [new, frozen], ["متى  الدوام"]) == [new]


def test_a_fall_is_told_in_words():
    before = {"intent": {"accuracy": 0.9}, "category": {"accuracy": 0.8}, "language": {"accuracy": 0.99}}
    after = {"intent": {"accuracy": 0.897}, "category": {"accuracy": 0.7}, "language": {"accuracy": 0.99}}
    assert corrections.falls(before, after) == ["category accuracy: 0.800 before, 0.700 after"]


def test_undo_brings_the_lines_before_back(tmp_path, monkeypatch):
    monkeypatch.setattr(corrections, "TAKEN", tmp_path / "corrections.jsonl")
    monkeypatch.setattr(corrections, "BEFORE", tmp_path / "before.jsonl")
    with pytest.raises(SystemExit, match="Nothing to undo"):
        corrections.undo()
    corrections.BEFORE.write_text("", encoding="utf-8")
    corrections.TAKEN.write_text("new\n", encoding="utf-8")
    corrections.undo()
    assert not corrections.TAKEN.exists() and not corrections.BEFORE.exists()
