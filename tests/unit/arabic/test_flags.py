"""Flags: danger is found in every dialect, and ordinary messages raise no alarm."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.arabic.flags import DANGER_KINDS, danger_kind, flags

HERE = Path(__file__).parent
MESSAGES = [
    line.split("\t")
    for line in (HERE / "danger.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
EVALUATION = HERE.parents[2] / "data" / "evaluation"
FALSE_ALARMS_AT_MOST = 0.005


@pytest.mark.parametrize(("kind", "register", "text"), [row for row in MESSAGES if row[0] != "-"])
def test_danger_is_found(kind, register, text):
    assert "danger" in flags(text)
    assert danger_kind(text) == kind


@pytest.mark.parametrize(("kind", "register", "text"), [row for row in MESSAGES if row[0] == "-"])
def test_harmless_company_raises_no_alarm(kind, register, text):
    assert danger_kind(text) is None


def test_ordinary_messages_raise_hardly_any_alarm():
    """Messages on anything but safety: what is flagged there is either wrong or told in passing."""
    lines = [json.loads(line) for path in EVALUATION.glob("*.jsonl") for line in path.open(encoding="utf-8")]
    ordinary = [line["text"] for line in lines if line["category"] != "safety_environment"]
    assert len(ordinary) > 2_000
    alarms = [text for text in ordinary if "danger" in flags(text)]
    assert len(alarms) / len(ordinary) <= FALSE_ALARMS_AT_MOST, alarms


@pytest.mark.parametrize(
    "text",
    [
        "يا كلاب",
        "انتم حرامية كلكم",
        "بوت غبي",
        "تفوووو عليكم",
        "you are idiots",
        "fuck your ministry",
        "你们是废物",
        "ya 7ameer",
    ],
)
def test_insults(text):
    assert flags(text) == ["insult"]


@pytest.mark.parametrize(
    "text",
    [
        "كلاب ضالة في الحي",
        "كم نصاب الزكاة",
        "سيارة الزبالة ما مرت",
        "الموظف قال لي يا حمار",
        "stray dogs near the school",
    ],
)
def test_what_is_no_insult(text):
    assert "insult" not in flags(text)


@pytest.mark.parametrize(
    "text",
    [
        "ابي ابلغ بدون ذكر اسمي", "الموضوع بسرية تامة", "ما بدي حدا يعرف اسمي", "مش عايز حد يعرف",
        "please keep my name out of it", "I want to stay anonymous", "请替我保密", "bdoon esmi law sama7t",
    ],
)  # fmt: skip
def test_confidence_is_wished(text):
    assert "confidential" in flags(text)


@pytest.mark.parametrize(
    "text", ["نسيت الرقم السري", "رفعت شكوى سريه على مديري وعرف", "confidentiality agreement template"]
)
def test_confidence_is_only_mentioned(text):
    assert "confidential" not in flags(text)


@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_any_text_is_read(text):
    assert set(flags(text)) <= {"danger", "insult", "confidential"}
    assert danger_kind(text) in (*DANGER_KINDS, None)


@pytest.mark.parametrize(
    "text",
    ["a" * 50_000, "حريق " * 10_000, "ريحه " * 10_000, "بال" * 16_000, "وال حريق السلامه من " * 2_500, "ـ" * 50_000],
)
def test_long_texts_take_no_longer(text):
    started = time.perf_counter()
    flags(text)
    assert time.perf_counter() - started < 0.05
