"""Numbers as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.arabic.digits import to_latin
from nlu.arabic.references import lone_number, references, transaction_numbers

DIGITS = ["0123456789", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹"]
REFERENCE = st.builds(
    lambda first, rest: first + rest,
    st.sampled_from(["60", "68", "61", "81", "89"]),
    st.text("0123456789", min_size=8, max_size=8),
)


def _grouped(digits: str, separator: str) -> str:
    return separator.join((digits[:4], digits[4:8], digits[8:]))


@given(
    REFERENCE,
    st.sampled_from(DIGITS),
    st.sampled_from(["", " ", "-", " - ", "\u00a0", "–", "\u200f", "."]),
    st.sampled_from(["", "رقم التذكرة ", "ref: ", "参考号", "شكوتي رقم\u2068"]),
    st.sampled_from(["", " لو سمحت", "؟", "\u2069 thanks", "。"]),
)
def test_a_reference_is_found_in_any_digits_and_grouping(digits, script, separator, before, behind):
    written = _grouped(digits, separator).translate(str.maketrans(DIGITS[0], script))
    text = before + written + behind
    (found,) = references(text)
    assert found.digits == digits
    assert to_latin(text[found.start : found.end]).replace(separator, "") == digits


@pytest.mark.parametrize(
    "text",
    [
        "0551234567",
        "1012345678",
        "8012345678",
        "68210936591",
        "682109365",
        "+966551234567",
        "هويتي 2123456789",
        "9821093659",
    ],
)
def test_telephones_and_ids_are_no_references(text):
    assert references(text) == []


def test_two_references_in_one_message():
    assert [found.digits for found in references("6821 0936 59 و ٨١٢٣٤٥٦٧٨٩")] == ["6821093659", "8123456789"]


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("معاملتي رقم 44021", "44021"),
        ("وين وصلت المعاملة ٩٩١٧ من العيد", "9917"),
        ("رقم الطلب: ۱۲۳۴۵۶", "123456"),
        ("44021 رقم معاملتي", "44021"),
        ("application no. 88123 please", "88123"),
        ("my request number is 55120", "55120"),
        ("mo3amalti ra8m 7741 wain sarat", "7741"),
        ("申请号 20187 到哪了", "20187"),
        ("我的申请编号是 90812", "90812"),
    ],
)
def test_transaction_numbers(text, digits):
    assert [found.digits for found in transaction_numbers(text)] == [digits]
    (found,) = transaction_numbers(text)
    assert to_latin(text[found.start : found.end]) == digits


@pytest.mark.parametrize(
    "text",
    [
        "دفعت 500 ريال للمعاملة",
        "لي 120 يوم انتظر المعاملة",
        "معاملتي من سنة 2023",
        "عندي 44021 مشكلة",
        "تذكرتي 6821 0936 59",
    ],
)
def test_other_numbers_are_no_transaction_numbers(text):
    assert transaction_numbers(text) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1), ("١", 1), ("۱", 1), (" 2.", 2), ("رقم 3", 3), ("اختار 2", 2), ("(1)", 1), ("1️⃣", 1), ("#4", 4),
        ("الأول", 1), ("option 2", 2), ("选2", 2), ("第一", 1), ("٣ 👍", 3), ("12", 12), ("\u202b٢\u202c", 2), ("①", 1),
    ],
)  # fmt: skip
def test_lone_numbers(text, number):
    assert lone_number(text) == number


@pytest.mark.parametrize("text", ["", "1 2", "1.5", "عندي 3 شكاوى", "٣ نجوم", "hello", "؟", "1234567", "1/2", "½"])
def test_what_is_no_lone_number(text):
    assert lone_number(text) is None


@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_any_text_is_read(text):
    for found in [*references(text), *transaction_numbers(text)]:
        assert 0 <= found.start < found.end <= len(text)
    lone_number(text)
