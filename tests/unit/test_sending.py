"""How a text becomes the messages of a scheme, which form it has, and what it may cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sending import OneWay, Sizes, SmsBudget, TemplatesInvalid, Windows, country, read_templates
from bot.storage.post import ToSend
from channels.contract import Address, Limits
from channels.lengths import segments, split, units

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
WHATSAPP = Limits(1600, 0, window=timedelta(hours=24))
ROW = ToSend(
    id=1, fence=1, conversation="t", contact="c", address=Address("whatsapp", "+966501234567"), key="k", name="notice_reply",
    ref="6821093659", params={"ref": "6821093659", "state": "open"}, text="x", buttons=[], language="ar", notice=True,
    uncertain=False, tried_at=None, created_at=NOW, last_in_at=NOW, stopped=False, error="",
)  # fmt: skip


@given(st.text(), st.integers(2, 40))
def test_the_parts_are_the_text_and_fit(text: str, most: int) -> None:
    parts = split(text, most)
    assert "".join(parts) == text
    assert all(units(part) <= most for part in parts)


@given(st.lists(st.text("ابتث", min_size=1, max_size=9), min_size=1), st.integers(10, 60))
def test_no_word_is_cut(words: list[str], most: int) -> None:
    parts = split(" ".join(words), most)
    assert [w for part in parts for w in part.split()] == words


@pytest.mark.parametrize(
    ("text", "parts"),
    [("", 1), ("a" * 160, 1), ("a" * 161, 2), ("م" * 70, 1), ("م" * 71, 2), ("م" * 134, 2), ("م" * 135, 3), ("😀" * 35, 1),
     ("😀" * 36, 2), ("€" * 80, 1), ("€" * 81, 2)],
)  # fmt: skip
def test_segments_are_those_that_are_paid(text: str, parts: int) -> None:
    assert segments(text) == parts


def test_a_cluster_is_never_cut() -> None:
    family, marked = "👨‍👩‍👧", "مُ"
    assert split(family * 3, units(family) + 3) == [family] * 3
    assert split(marked * 4, 3) == [marked] * 4


def test_choices_are_lines_where_there_are_no_buttons() -> None:
    sizes = Sizes({"whatsapp": WHATSAPP, "telegram": Limits(4096, 12), "sms": Limits(1600, 0)})
    choices = [{"title": "نعم"}, {"title": "لا"}]
    assert sizes(Address("whatsapp", "x"), "نسجّلها؟", choices) == ["نسجّلها؟\n\n1. نعم\n2. لا"]
    assert sizes(Address("telegram", "x"), "نسجّلها؟", choices) == ["نسجّلها؟"]
    assert sizes(Address("web", "x"), "م" * 9_000, choices) == ["م" * 9_000]
    assert sizes(Address("sms", "x"), "رقمك \u2068123\u2069", []) == ["رقمك 123"], "no marks that old telephones show"
    long = sizes(Address("whatsapp", "x"), "كلمة " * 900, choices)
    assert len(long) == 3 and long[-1].endswith("2. لا") and all(units(part) <= 1600 for part in long)


def test_only_telephone_numbers_have_a_country() -> None:
    assert [country(each) for each in ("+966501234567", "+962791234567", "+15005550006", "+999123456789")] == [
        "SA", "JO", "US", None,
    ]  # fmt: skip
    assert country("SA.1A2B3C4D5E6F") is None, "a user name is never parsed"
    assert country("+96650<script>") is None
    one_way = OneWay(["SA", "JO"])
    assert one_way(Address("sms", "+966501234567")) and not one_way(Address("whatsapp", "+966501234567"))
    assert not one_way(Address("sms", "+15005550006"))


def words(name: str, params: object, language: str) -> str:
    return f"{language}:{name}"


ALL = {(name, lang): f"HX{name}{lang}" for name in ("read", "status") for lang in ("ar", "en", "zh")}


def test_inside_the_window_it_is_said_as_it_is() -> None:
    windows = Windows(ALL, words)
    inside = replace(ROW, last_in_at=NOW - timedelta(hours=23, minutes=59, seconds=59))
    assert windows(inside, WHATSAPP, NOW).state == "text"
    assert windows(replace(ROW, last_in_at=None), Limits(4096, 12), NOW).state == "text", "no window, no form"


def test_outside_a_state_is_a_template_and_words_are_held() -> None:
    windows = Windows(ALL, words)
    outside = replace(ROW, last_in_at=NOW - timedelta(hours=24))
    form = windows(outside, WHATSAPP, NOW)
    assert form.state == "template" and form.template and form.template.content == "HXstatusar"
    assert form.template.variables == {"1": "6821 0936 59", "2": "ar:state_open"}
    for private in ("text", "reason", "question", "answer"):
        assert windows(replace(outside, params={**ROW.params, private: "x"}), WHATSAPP, NOW).state == "held"
    assert windows(replace(ROW, error="unsupported 63016"), WHATSAPP, NOW).state == "template", (
        "the provider knows better"
    )


def test_the_line_that_asks_to_write_is_moot_once_the_person_wrote() -> None:
    windows, asks = Windows(ALL, words), replace(ROW, name="template_read")
    assert windows(replace(asks, last_in_at=NOW - timedelta(days=2)), WHATSAPP, NOW).name == "read"
    assert windows(asks, WHATSAPP, NOW).state == "moot"


def test_without_an_approved_template_there_is_no_form() -> None:
    outside = replace(ROW, last_in_at=NOW - timedelta(days=2))
    assert Windows({}, words)(outside, WHATSAPP, NOW).state == "none"
    assert Windows({("read", "ar"): "HX1"}, words)(outside, WHATSAPP, NOW).state == "held", (
        "no status template: read it"
    )
    assert Windows({("read", "en"): "HX1"}, words)(outside, WHATSAPP, NOW).state == "none", (
        "approved in another language"
    )


def test_an_sms_is_paid_for_where_it_may_go_and_as_long_as_there_is_money() -> None:
    def budget(parts: int) -> SmsBudget:
        midnight = datetime(2026, 11, 25, 21, tzinfo=UTC)  # of Riyadh
        return SmsBudget(
            lambda since: parts if since == midnight else 0, 0.5, 10, ["SA"], lambda: ZoneInfo("Asia/Riyadh")
        )

    riyadh = replace(ROW, address=Address("sms", "+966501234567"))
    assert budget(18).refuses(riyadh, 2, NOW) == ""
    assert budget(19).refuses(riyadh, 2, NOW) == "SMS_DAILY_CAP is reached"
    amman = replace(ROW, address=Address("sms", "+962791234567"))
    assert "JO" in budget(0).refuses(replace(amman, last_in_at=None), 1, NOW)
    assert budget(0).refuses(amman, 1, NOW) == "", "whoever wrote by SMS is answered"
    assert not budget(15).alarm(NOW) and budget(16).alarm(NOW)


def test_the_file_of_templates(tmp_path: Path) -> None:
    path = tmp_path / "templates.yml"
    path.write_text(
        f"read: {{ar: {{content: HX{'a' * 32}, approved: true}}, en: {{content: HX{'b' * 32}, approved: false}}}}"
    )
    assert read_templates(path) == {("read", "ar"): "HX" + "a" * 32}
    path.write_text("read: {ar: {content: nonsense, approved: true}}\nstatus: {zh: {content: '', approved: true}}")
    with pytest.raises(TemplatesInvalid) as invalid:
        read_templates(path)
    assert len(invalid.value.problems) == 2 and "read.ar.content" in invalid.value.problems[0]
    with pytest.raises(TemplatesInvalid):
        read_templates(tmp_path / "none.yml")
    assert read_templates(Path(__file__).parents[2] / "data/templates.yml") == {}
