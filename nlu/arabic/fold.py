"""Folding: many spellings of one word become one, while the message itself stays as it was written.

    fold("إِشْتِرااااك ٢٠٢٤")  ->  "اشتراك 2024"

`fold` is idempotent. Tokens carry the folded text beside offsets into the *original*, and for any text
`fold(text[token.start:token.end]) == token.text`, because that is how a token's text is made.
The rules for letters are in `tables/letters.tsv`; what the table does not name follows Unicode.
"""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TABLES = Path(__file__).parent / "tables"

# Bounds the memory a hostile text of rare characters can take.
MAX_REMEMBERED = 20_000


class Token(NamedTuple):
    text: str
    start: int
    end: int


def rows(table: str) -> Iterator[list[str]]:
    """The rows of one table of ours, comments left out."""
    for line in (TABLES / table).read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            yield [cell.strip() for cell in line.split("\t")]


def _letters() -> dict[str, str]:
    table = {}
    for letters, becomes, *_ in rows("letters.tsv"):
        for letter in letters.split():
            table[letter] = "" if becomes == "-" else becomes
    return table


_LETTERS = _letters()


def _fold_once(char: str) -> str:
    if char in _LETTERS:
        return _LETTERS[char]
    if char.isspace():
        return " "
    category = unicodedata.category(char)
    # Marks, zero-width and direction controls, other controls: never part of what a word is.
    if category[0] == "M" or category in ("Cf", "Cc"):
        return ""
    if category == "Nd":
        return str(unicodedata.digit(char))
    opened = unicodedata.normalize("NFKD", char)
    if "\u2044" in opened:  # ½ is not 12
        return char
    return opened.lower()


def _fold_char(char: str) -> str:
    """What one character becomes, wherever it stands: applied until nothing changes, so that fold is idempotent."""
    folded = _fold_once(char)
    while (again := "".join(map(_fold_once, folded))) != folded:
        folded = again
    if len(folded) > 1 and any(map(str.isalnum, folded)):  # ﷺ is one word, ⑴ is 1
        folded = "".join(filter(str.isalnum, folded))
    return folded


class _CharMap(dict[int, str]):
    """A translation table for str.translate that fills itself."""

    def __missing__(self, code: int) -> str:
        folded = _fold_char(chr(code))
        if len(self) < MAX_REMEMBERED:
            self[code] = folded
        return folded


_CHARS = _CharMap()
# ل and l are written twice in earnest (الله, hello); every other letter three times running is only loud.
_LOUD = re.compile(r"(?<!\w)(ه)ه{2,}(?!\w)|([^\W\d_])\2{2,}|([^\w\s])\3+")


def _quieter(match: re.Match[str]) -> str:
    if match[1]:  # laughter
        return "هه"
    letter = match[2] or match[3]
    return letter * 2 if letter in "لl" else letter


def fold(text: str) -> str:
    """The one spelling that all spellings of a text share."""
    return _LOUD.sub(_quieter, text.translate(_CHARS))


def _kind(char: str) -> str:
    """What a character is to the tokenizer, as one letter."""
    folded = _CHARS[ord(char)]
    if not folded:
        return "x"  # dropped, wherever it stands
    first = folded[0]
    if "0" <= first <= "9":
        return "d"
    if "\u0600" <= first <= "\u06ff" and first.isalpha():
        return "a"  # Arabic script
    if "\u3400" <= first <= "\u9fff" or "\U00020000" <= first <= "\U0003ffff":
        return "h"  # Han
    if first.isalnum():
        return "l"  # any other letter
    # Question, exclamation and pictures say something about the sender; other signs only separate.
    return "s" if first in "?!" or unicodedata.category(first) in ("So", "Sk") else " "


class _KindMap(dict[int, str]):
    def __missing__(self, code: int) -> str:
        kind = _kind(chr(code))
        if len(self) < MAX_REMEMBERED:
            self[code] = kind
        return kind


_KINDS = _KindMap()
# A word goes on over dropped characters, from Latin letter to digit and back (3ayez), never from Arabic letter to digit
# (رقم44021); every Han character is a word, as Chinese has no spaces.
_WORD = re.compile(r"a(?:x*a)*|d(?:x*[dl])*|l(?:x*[dl])*|h|(s)")


def _goes_on(text: str, before: Token, start: int, end: int) -> bool:
    """The sign at `start` only repeats the one before it. Of one letter: looked at without reading the run again."""
    if len(before.text) == 1:
        return not fold(text[before.end : start])
    return fold(text[before.start : end]) == before.text


def tokens(text: str) -> list[Token]:
    """The words and telling signs of a text: folded, with offsets into the text as it was written."""
    found: list[Token] = []
    for match in _WORD.finditer(text.translate(_KINDS)):
        start, end = match.span()
        word = fold(text[start:end])
        if match[1] and found and found[-1].text == word and _goes_on(text, found[-1], start, end):
            start = found.pop().start  # !!! says no more than !
        if word:
            found.append(Token(word, start, end))
    return found
