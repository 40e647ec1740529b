"""Numbers people write: references of ours, transaction numbers of other systems, the number of a choice.

    references("رقم التذكرة ٦٨٢١-٠٩٣٦-٥٩ لو سمحت")  ->  [Number("6821093659", 12, 24)]
    transaction_numbers("معاملتي رقم 44021")         ->  [Number("44021", 12, 17)]
    lone_number("اختار ٢")                           ->  2

Only candidates: whether a reference's check digit holds, the house decides.
"""

import re
from typing import NamedTuple

from nlu.arabic.digits import to_latin
from nlu.arabic.fold import fold, rows, tokens


class Number(NamedTuple):
    digits: str
    start: int
    end: int


# What people, telephones and our own isolates put between the groups of a number.
_BETWEEN = r"[ \u00a0\u202f._\-\u2010-\u2015\u2212\u0640/\u200b-\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff]{0,4}"
_RUN = re.compile(rf"\d(?:{_BETWEEN}\d)*", re.ASCII)
_GROUP = re.compile(r"\d+", re.ASCII)
_REFERENCE = re.compile(r"(?:6\d|8[1-9])\d{8}", re.ASCII)


def number_runs(text: str) -> list[list[Number]]:
    """Runs of digit groups that only separators divide, each as its groups."""
    latin = to_latin(text)
    return [
        [Number(group[0], run.start() + group.start(), run.start() + group.end()) for group in _GROUP.finditer(run[0])]
        for run in _RUN.finditer(latin)
    ]


def references(text: str) -> list[Number]:
    """Ten digits that could be a ticket's reference, in any digits, in one piece or in groups."""
    found: list[Number] = []
    for groups in number_runs(text):
        at = 0
        while at < len(groups):
            digits, last = "", at
            while last < len(groups) and len(digits) < 10:
                digits += groups[last].digits
                last += 1
            if _REFERENCE.fullmatch(digits):
                found.append(Number(digits, groups[at].start, groups[last - 1].end))
                at = last
            else:
                at += 1
    return found


_TABLE = list(rows("numbers.tsv"))


def _words(kind: str) -> frozenset[str]:
    return frozenset(fold(word) for name, words, *_ in _TABLE if name == kind for word in words.split())


_TRANSACTION = _words("transaction")
_COUNTED = _words("counted")
_DATED = _words("dated")
_CHOICE = _words("choice")
_VALUES = {fold(word): int(row[2]) for row in _TABLE if row[0] == "value" for word in row[1].split()}
_CLITIC = re.compile(r"^(?:[وفبلك]|ال|لل|[وفبك]ال|هال)(?=\w{3})")
# How many words may stand between «معاملتي» and its number, before and after it.
_REACH_BEFORE, _REACH_AFTER = 5, 3


def _named(word: str, names: frozenset[str]) -> bool:
    return word in names or _CLITIC.sub("", word) in names


def transaction_numbers(text: str) -> list[Number]:
    """Numbers of three to fifteen digits that the words around call a transaction's or an application's.

    One that could be a reference of ours is among them when it is written in one piece: only the house can tell.
    """
    said = tokens(text)
    groups_of_references = [number for number in references(text) if number.end - number.start > len(number.digits)]
    # Chinese words are several tokens: 申请号 is looked for in what stands before the number, joined.
    found: list[Number] = []
    for at, token in enumerate(said):
        if not (token.text.isascii() and token.text.isdigit() and 3 <= len(token.text) <= 15):
            continue
        if any(number.start <= token.start < number.end for number in groups_of_references):
            continue
        before = [word.text for word in said[max(0, at - _REACH_BEFORE) : at]]
        after = [word.text for word in said[at + 1 : at + 1 + _REACH_AFTER]]
        if after and _named(after[0], _COUNTED) or before and _named(before[-1], _DATED):
            continue
        joined = "".join(before)
        if any(_named(word, _TRANSACTION) for word in before + after) or any(
            name in joined for name in _TRANSACTION if not name.isascii() and name[0] > "\u3400"
        ):
            found.append(Number(token.text, token.start, token.end))
    return found


def lone_number(text: str) -> int | None:
    """The number of a message that says nothing but a number: '1', '١', ' 2.', '(1)', 'رقم 3', 'اختار 2', '1️⃣'."""
    if len(text) > 60:
        return None
    said = [token.text for token in tokens(text) if token.text not in _CHOICE and token.text[0].isalnum()]
    if len(said) != 1:
        return None
    word = said[0]
    if word in _VALUES:
        return _VALUES[word]
    return int(word) if word.isascii() and word.isdigit() and len(word) <= 6 else None
