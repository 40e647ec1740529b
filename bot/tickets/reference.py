"""The reference of a ticket and its receipt code.

A reference is ten digits, the first one 6 or 8, the second of an 8 not 0, the last one a Damm check
digit, so that no Saudi or Jordanian id, residence or company number or telephone begins like one.
A receipt code is twelve digits, the first one 1 to 5, shown in threes: nobody mistakes one for the other.
"""

from __future__ import annotations

import re
from secrets import randbelow

from stdnum import damm

_SHAPE = re.compile(r"(?:6\d|8[1-9])\d{8}", re.ASCII)
_RECEIPT = re.compile(r"[1-5]\d{11}", re.ASCII)


def new_reference() -> str:
    """Ten digits, drawn at random; whoever stores it draws again if it is taken."""
    while True:
        body = f"{6 + 2 * randbelow(2)}{randbelow(10**8):08d}"
        reference = body + damm.calc_check_digit(body)
        if is_reference(reference):
            return reference


def is_reference(digits: str) -> bool:
    """True for ten Latin digits that this house could have handed out."""
    return bool(_SHAPE.fullmatch(digits)) and bool(damm.is_valid(digits))


def shown(reference: str) -> str:
    """`6821093659` as people read it: `6821 0936 59`."""
    return f"{reference[:4]} {reference[4:8]} {reference[8:]}"


def new_receipt() -> str:
    """Twelve digits that prove ownership of one ticket; only their keyed hash is kept."""
    return f"{1 + randbelow(5)}{randbelow(10**11):011d}"


def shown_receipt(code: str) -> str:
    """`315204377518` as `315-204-377-518`."""
    return "-".join(code[i : i + 3] for i in range(0, 12, 3))


def is_receipt(digits: str) -> bool:
    """True for twelve Latin digits that this house could have handed out as a receipt code."""
    return bool(_RECEIPT.fullmatch(digits))
