"""Numbers that may be somebody's are masked in people's words, references of ours and dates are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.tickets.reference import is_reference, new_reference, shown
from bot.web.desk.masking import Hiding, masked
from nlu.arabic.digits import to_latin

OURS = "6821093659"


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        ("هويتي 1082345678", "هويتي •••"),
        ("هويتي ١٠٨٢٣٤٥٦٧٨ وإقامة زوجتي 2345678901", "هويتي ••• وإقامة زوجتي •••"),
        ("جوالي 055 123 4567 أو +966-55-123-4567", "جوالي ••• أو +•••"),
        ("07 9123 4567", "•••"),
        ("۰۵۵۱۲۳۴۵۶۷", "•••"),
        ("معاملتي رقم 44021", "معاملتي رقم •••"),
        ("SA03 8000 0000 6080 1016 7519", "SA•••"),
        ("JO94CBJO0010000000000131000302", "JO94CBJO•••"),
        ("البطاقة 4111-1111-1111-1111", "البطاقة •••"),
        ("جواز A1234567", "جواز A•••"),
        ("راسلوني على sara.q@example.com، شكرًا", "راسلوني على •••، شكرًا"),
        ("055\u200f123\u20694567", "•••"),
    ],
)
def test_numbers_of_people_are_masked(words: str, seen: str) -> None:
    assert masked(words) == seen


@pytest.mark.parametrize(
    "words",
    [
        "الموعد 2026-11-25 الساعة 08:00 - 14:30",
        "من 25/11/2026 إلى ٢٦/١١/٢٠٢٦",
        "دفعت 150 ريال ثلاث مرات في 2026",
        "اتصلت على 19996",
        f"تذكرتي {OURS}",
        f"رقمها {shown(OURS)} أو ٦٨٢١-٠٩٣٦-٥٩",
        "",
        "بلا أرقام",
    ],
)
def test_what_is_nobodys_number_stays(words: str) -> None:
    assert masked(words) == words


def test_beside_a_reference_or_a_date_a_number_is_masked_all_the_same() -> None:
    assert masked(f"{OURS} 1082345678") == f"{OURS} •••"
    assert masked(f"هويتي\n1082345678\nوالتذكرة {OURS}") == f"هويتي\n•••\nوالتذكرة {OURS}"
    assert masked("25/11/2026 0551234567") == "25/11/2026 •••"
    wrong = OURS[:-1] + str((int(OURS[-1]) + 1) % 10)
    assert not is_reference(wrong) and masked(wrong) == "•••", "ten digits that we never handed out"
    assert masked(f"+{OURS}") == "+•••", "a telephone abroad that looks like a reference"


_number = st.integers(10**9, 3 * 10**9 - 1).map(str) | st.from_regex(r"05\d{8}", fullmatch=True)
_between = st.sampled_from(["", " ", "-", "\u200f", "."])


@given(
    st.text(max_size=30),
    _number,
    st.text(max_size=30),
    _between,
    st.sampled_from(["0123456789", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹"]),
)
def test_no_id_and_no_telephone_is_left_in_any_text(
    before: str, number: str, after: str, sign: str, digits: str
) -> None:
    typed = sign.join("".join(digits[int(d)] for d in part) for part in (number[:4], number[4:8], number[8:]))
    seen = to_latin(masked(f"{before} هوية {typed} يا {after}"))
    assert number not in seen and number[:8] not in seen and number[4:] not in seen


@given(st.text(max_size=40))
def test_a_reference_of_ours_can_always_be_read(words: str) -> None:
    ref = new_reference()
    assert ref in masked(f"{words}\nالتذكرة {ref}\n{words}")


def test_hiding_remembers_whether_there_was_something_to_hide() -> None:
    plain, hiding, open_ = Hiding(), Hiding(), Hiding(unmasked=True)
    assert plain("بلا أرقام") == "بلا أرقام" and not plain.hidden
    assert hiding("هويتي 1082345678") == "هويتي •••" and hiding.hidden
    assert open_("هويتي 1082345678") == "هويتي 1082345678" and open_.hidden
