"""How names and parameters become a text."""

from __future__ import annotations

import logging
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wording_samples import DUE, register, sample_params

from bot.wording import values
from bot.wording.render import LANGUAGES, Catalogues, NoWords, load

CATALOGUES = load()
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def say(name: str, language: str = "ar", **params: Any) -> str:
    return CATALOGUES.render(name, params, language, register, strict=True)


def balanced(text: str) -> bool:
    """Every line closes what it opens, one level deep, and no other mark turns the direction."""
    for line in text.split("\n"):
        depth = 0
        for character in line:
            depth += {"\u2068": 1, "\u2069": -1}.get(character, 0)
            if depth not in (0, 1):
                return False
        if depth:
            return False
    return not set(text) & (set(BIDI) - set("\u2068\u2069"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_references_and_receipts_are_grouped_and_isolated(language: str) -> None:
    text = CATALOGUES.render("utter_filed", sample_params(), language, register, strict=True)
    assert "\u20686821 0936 59\u2069" in text
    assert "\u2068315-204-377-518\u2069" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_examples_in_our_own_sentences_are_isolated_too(language: str) -> None:
    assert "\u2068315-204-377-518\u2069" in say("utter_receipt_wrong", language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_balances(language: str) -> None:
    for name in CATALOGUES.names():
        if not name.startswith(("date_", "time_")):
            assert balanced(CATALOGUES.render(name, sample_params(), language, register, strict=True)), name


@pytest.mark.parametrize(
    ("language", "due", "opening"),
    [
        (
            "ar",
            "قبل نهاية دوام يوم الاثنين 30 نوفمبر 2026 (20 جمادى الآخرة 1448هـ)",
            "الأحد 29 نوفمبر 2026، الساعة 7:30 صباحًا",
        ),
        (
            "en",
            "before offices close on Monday 30 November 2026 (20 Jumada al-Akhirah 1448 AH)",
            "Sunday 29 November 2026, 7:30 am",
        ),
        ("zh", "2026年11月30日星期一（伊历1448年6月20日）下班前", "2026年11月29日星期日上午7:30"),
    ],
)
def test_dates_in_words(language: str, due: str, opening: str) -> None:
    text = CATALOGUES.render("utter_filed_closed", sample_params(), language, register, strict=True)
    assert f"\u2068{due}\u2069" in text
    assert f"\u2068{opening}\u2069" in text


@pytest.mark.parametrize(
    ("at", "written"),
    [("00:05", "12:05 صباحًا"), ("07:30", "7:30 صباحًا"), ("12:00", "12:00 ظهرًا"), ("13:15", "1:15 مساءً")],
)
def test_the_clock(at: str, written: str) -> None:
    params = sample_params() | {"opening": f"2026-11-29T{at}:00+03:00"}
    assert written in CATALOGUES.render("utter_filed_closed", params, "ar", register, strict=True)


@pytest.mark.parametrize("value", [DUE, datetime(2026, 11, 30, 14, 30, tzinfo=UTC), date(2026, 11, 30)])
def test_a_date_may_be_text_or_a_date(value: object) -> None:
    assert "30 نوفمبر 2026" in say("utter_my_data_open", ref="6821093659", due=value)


def test_a_date_beyond_the_hijri_tables_is_gregorian_alone() -> None:
    text = say("utter_my_data_open", "en", ref="6821093659", due="2099-01-01T10:00:00+03:00")
    assert "Thursday 1 January 2099\u2069" in text


@pytest.mark.parametrize(("language", "word"), [("ar", "في أقرب وقت"), ("en", "as soon as possible"), ("zh", "近期")])
@pytest.mark.parametrize("due", [None, "soon"])
def test_without_a_date_what_was_done_is_still_told(language: str, word: str, due: str | None) -> None:
    text = CATALOGUES.render("utter_my_data_open", {"ref": "6821093659", "due": due}, language)
    assert word in text and "6821 0936 59" in text


@pytest.mark.parametrize(
    ("days", "written"),
    [(0, "انتهت مدة"), (1, "أكثر من يوم على"), (2, "أكثر من يومين"), (3, "أكثر من 3 أيام"), (11, "أكثر من 11 يومًا"),
     (30, "أكثر من 30 يومًا"), (100, "أكثر من 100 يوم على"), (103, "أكثر من 103 أيام")],
)  # fmt: skip
def test_arabic_plurals(days: int, written: str) -> None:
    assert written in say("utter_cannot_reopen", ref="6821093659", days=days)


@pytest.mark.parametrize(
    ("n", "ar", "en", "zh"),
    [(0, "ليست لديك تذاكر", "0 tickets", "0 个"), (1, "تذكرة واحدة:", "one ticket:", "1 个"),
     (2, "تذكرتان:", "2 tickets:", "2 个"), (3, "3 تذاكر:", "3 tickets:", "3 个"),
     (11, "11 تذكرة:", "11 tickets:", "11 个"), (100, "100 تذكرة:", "100 tickets:", "100 个")],
)  # fmt: skip
def test_a_list_is_counted(n: int, ar: str, en: str, zh: str) -> None:
    tickets = [{"ref": "6821093659", "kind": "some_kind", "state": "open"}] * n
    for language, written in (("ar", ar), ("en", en), ("zh", zh)):
        text = say("utter_status_list", language, tickets=tickets)
        assert written in text
        assert text.count("6821 0936 59") == n


def test_a_line_of_a_list() -> None:
    tickets = [{"ref": "6821093659", "kind": "some_kind", "state": "waiting", "due": DUE}]
    text = say("utter_which", "en", tickets=tickets).replace("\u2068", "").replace("\u2069", "")
    assert text.endswith("\n• 6821 0936 59 – Complaint – Waiting for your answer – reply by Monday 30 November")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("what", sorted(values.NAMED - {"state", "language"}))
def test_an_id_is_never_shown(what: str, language: str) -> None:
    def unkind(what: str, id: str, language: str) -> str:
        raise KeyError(id)

    for names in (lambda *_: None, lambda what, id, language: id, unkind):
        params = sample_params() | {what: "secret_id_7"}
        for name in sorted(CATALOGUES.names()):
            if what in CATALOGUES.params(name):
                assert "secret_id_7" not in CATALOGUES.render(name, params, language, names, strict=True)


def test_a_body_that_staff_wrote_in_words_is_shown() -> None:
    assert "أمانة منطقة الرياض" in say("notice_redirect", ref="6821093659", body="أمانة منطقة الرياض")


def test_no_category_is_no_apology() -> None:
    text = say("utter_draft", "en", text="x", kind=None, category=None)
    assert "Kind: Message" in text and "Topic: General" in text


def test_an_attack_with_direction_marks_stays_in_its_place() -> None:
    attack = f"\u2069\u202e{BIDI}evil\u2069\n\u2067{{ref}} <b>\u0000"
    text = say("utter_draft", text=attack, kind="some_kind", category="some_category")
    assert balanced(text)
    assert "«\u2068evil {ref} <b>\u2069»" in text


def test_a_name_of_the_register_cannot_attack_either() -> None:
    text = CATALOGUES.render("utter_filed", sample_params(), "ar", lambda *_: "\u2069\u202eمركز\nآخر", strict=True)
    assert balanced(text) and "\u2068مركز آخر\u2069" in text


def test_a_quote_is_one_line_and_cut() -> None:
    text = say("menu_kept", "en", text="one\r\n\r\n two\t three\u2028four" + " word" * 200)
    quoted = text[text.index("\u2068") + 1 : text.index("\u2069")]
    assert quoted.startswith("one two three four word")
    assert quoted.endswith("word…") and len(quoted) <= 300


def test_what_staff_wrote_is_whole_and_keeps_its_lines() -> None:
    steps = "\n".join(f"{i}. خطوة" for i in range(100))
    text = say("notice_reply", ref="6821093659", unit="some_unit", text=steps + "\r\n\r\n\r\n\r\nشكرًا")
    assert text.count("خطوة") == 100 and "\u2068شكرًا\u2069" in text
    assert "\n\n\n" not in text and balanced(text)


def test_a_cut_does_not_part_a_letter_from_its_marks() -> None:
    assert values.quote("ab" + "e\u0301" * 10, 7) == "\u2068abe\u0301e\u0301…\u2069"
    assert values.quote("👩\u200d🚒" * 10, 5) == "\u2068👩\u200d🚒…\u2069"


@given(st.text(), st.sampled_from(LANGUAGES))
def test_any_text_is_said(text: str, language: str) -> None:
    for name in ("utter_draft_service", "notice_resolve", "utter_status_waiting", "notice_close"):
        rendered = CATALOGUES.render(name, sample_params(text), language, register, strict=True)
        assert balanced(rendered)
        rendered.encode("utf-8")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)


@given(st.sampled_from(sorted(CATALOGUES.names())), st.dictionaries(st.sampled_from(sorted(sample_params())), anything))
def test_nothing_raises_at_work(name: str, wrong: dict[str, Any]) -> None:
    text = CATALOGUES.render(name, sample_params() | wrong, "ar", register)
    assert text
    text.encode("utf-8")


def test_an_unknown_name_is_an_apology_and_the_log_holds_no_words(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        text = CATALOGUES.render("utter_nonsense", {"text": "رقم هويتي سري"}, "ar")
        missing = CATALOGUES.render("utter_draft", {"text": "رقم هويتي سري"}, "en")
    assert text == say("apology", "ar") and missing == say("apology", "en")
    assert "utter_nonsense" in caplog.text and "utter_draft" in caplog.text and "هويتي" not in caplog.text
    with pytest.raises(NoWords):
        say("utter_nonsense")
    with pytest.raises(NoWords):
        say("utter_filed", ref="6821093659")


@pytest.mark.parametrize(("asked", "heard"), [(None, "ar"), ("", "ar"), ("zh-CN", "zh"), ("EN", "en"), ("ur", "ar")])
def test_a_language_we_do_not_speak_is_answered_in_arabic(asked: str | None, heard: str) -> None:
    assert CATALOGUES.render("utter_help", {}, asked) == say("utter_help", heard)


def test_variants() -> None:
    assert CATALOGUES.variants("utter_unsure") == 3
    assert CATALOGUES.variants("utter_filed") == 1
    assert CATALOGUES.variants("utter_nonsense") == 0
    assert CATALOGUES.render("utter_unsure.9", {}, "ar", strict=True) == say("utter_unsure")


def test_buttons() -> None:
    offered = [
        {"title": "button_file", "payload": "/press{1}"},
        {"title": "button_add_to", "params": {"ref": "6821093659"}, "payload": "/press{2}"},
        {"title": "button_kind_report", "payload": "/press{3}"},
        {"title": "button_category_some_category", "payload": "/press{4}"},
        {"title": "button_category_added_yesterday", "payload": "/press{5}"},
        {"title": "button_nonsense", "payload": "/press{6}"},
    ]
    shown = CATALOGUES.buttons(offered, "ar", lambda what, id, language: register(what, "some_category", language)
                               if id == "some_category" else None)  # fmt: skip
    assert [button["payload"] for button in shown] == [button["payload"] for button in offered]
    assert [button["title"].strip("\u2068\u2069") for button in shown] == [
        "تسجيل الرسالة", "إضافة إلى \u20686821 0936 59", "بلاغ", "تأخر الإنجاز", "موضوع عام", "متابعة",
    ]  # fmt: skip
    with pytest.raises(NoWords):
        CATALOGUES.buttons(offered, "ar", register, strict=True)


def test_pages_say_without_a_register() -> None:
    assert CATALOGUES.say("chat_left", "en", count="{count}") == "Characters left: \u2068{count}\u2069"


HEAD = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Plural-Forms: {}\\n"\n'
DESK = '\nmsgid "hello"\nmsgstr "{name} ({ref})"\n\nmsgid "late"\nmsgid_plural "late"\n'


@pytest.fixture
def with_desk(tmp_path: Path) -> Catalogues:
    """Our catalogues with a small desk."""
    ours = Path(__file__).parents[3] / "bot" / "wording"
    for language in LANGUAGES:
        (tmp_path / language).mkdir()
        (tmp_path / language / "messages.po").write_bytes((ours / language / "messages.po").read_bytes())
    arabic = "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5);"
    forms = ("لا متأخر", "متأخرة", "متأخرتان", "{n} متأخرات", "{n} متأخرة", "{n} متأخرة")
    (tmp_path / "ar" / "desk.po").write_text(
        HEAD.format(arabic) + DESK + "".join(f'msgstr[{i}] "{form}"\n' for i, form in enumerate(forms)),
        encoding="utf-8",
    )
    (tmp_path / "en" / "desk.po").write_text(
        HEAD.format("nplurals=2; plural=(n != 1);") + DESK + 'msgstr[0] "one late"\nmsgstr[1] "{n} late"\n',
        encoding="utf-8",
    )
    return load(tmp_path)


def test_the_desk(with_desk: Catalogues) -> None:
    assert (
        with_desk.desk("hello", "ar", name="Sara\u202e", ref="6821093659")
        == "\u2068Sara\u2069 (\u20686821 0936 59\u2069)"
    )
    assert [with_desk.desk("late", "ar", n=n) for n in (0, 1, 2, 3, 11)] == [
        "لا متأخر", "متأخرة", "متأخرتان", "3 متأخرات", "11 متأخرة",
    ]  # fmt: skip
    assert with_desk.desk("late", "zh", n=5) == "5 late"
    assert with_desk.desk("nonsense", "ar") == "nonsense"
    assert with_desk.desk("hello", "en", ref="6821093659") == "… (\u20686821 0936 59\u2069)"
    assert with_desk.desk_names() == {"hello", "late"}


def test_fast_enough() -> None:
    params = sample_params()
    started = time.perf_counter()
    for _ in range(500):
        CATALOGUES.render("utter_draft_service", params, "ar", register)
        CATALOGUES.render("utter_filed_closed", params, "ar", register)
    assert (time.perf_counter() - started) / 1000 < 0.001, "meant to be a tenth of this on a quiet machine"
