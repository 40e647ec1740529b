"""References and receipt codes: every single wrong digit is found, and none can be read as an id or a telephone."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from bot.tickets.reference import is_receipt, is_reference, new_receipt, new_reference, shown, shown_receipt

_references = st.builds(new_reference)

TAKEN = {
    "Saudi id or residence": r"[12]\d{9}",
    "Saudi company": r"7\d{9}",
    "Jordanian id": r"[29]\d{9}",
    "Saudi mobile": r"0?5\d{8}|(00)?9665\d{8}",
    "Saudi landline": r"01\d{8}",
    "toll-free and unified": r"800\d{7}|9200\d{5}",
    "Jordanian mobile": r"0?7\d{8}|(00)?9627\d{8}",
    "day": r"(19|20)\d{8}",
}


@given(_references)
def test_every_single_wrong_digit_is_found(reference: str) -> None:
    assert is_reference(reference)
    for i, digit in enumerate(reference):
        for other in set("0123456789") - {digit}:
            assert not is_reference(reference[:i] + other + reference[i + 1 :])


@given(_references)
def test_every_swap_of_neighbours_is_found(reference: str) -> None:
    for i in range(9):
        swapped = reference[:i] + reference[i + 1] + reference[i] + reference[i + 2 :]
        assert swapped == reference or not is_reference(swapped)


def test_none_looks_like_an_id_or_a_telephone() -> None:
    seen = {new_reference() for _ in range(20_000)}
    assert len(seen) > 19_990  # random: whoever stores one draws again where it is taken
    for reference in seen:
        assert re.fullmatch(r"6\d{9}|8[1-9]\d{8}", reference)
        assert not any(re.fullmatch(pattern, reference) for pattern in TAKEN.values())
    assert {r[0] for r in seen} == {"6", "8"}


def test_what_is_no_reference() -> None:
    for text in ("", "682109365", "68210936590", "7821093659", "8021093654", "٦٨٢١٠٩٣٦٥٩", "682109365a", " 6821093659"):
        assert not is_reference(text), text


def test_how_they_are_shown() -> None:
    assert shown("6821093659") == "6821 0936 59"
    assert shown_receipt("315204377518") == "315-204-377-518"


def test_a_receipt_is_never_a_reference() -> None:
    for _ in range(5_000):
        code = new_receipt()
        assert is_receipt(code) and not is_reference(code)
    assert not any(is_receipt(text) for text in ("", "615204377518", "31520437751", "٣١٥٢٠٤٣٧٧٥١٨"))
