"""Flags beside the intent: danger, insult, the wish for confidence. Phrases in tables, no model.

    flags("الحقونا في حريق بالعماره")        ->  ["danger"]
    flags("كم رسوم شهادة السلامة من الحريق") ->  []
    danger_kind("ريحة غاز قوية بالدرج")      ->  "gas"

A table's row is `kind <tab> phrases`, phrases divided by `|`. In a phrase `word*` takes any ending, `..` stands for up to
three words, and every word may carry one of the short words that Arabic writes in front (و ف ب ل ك ال عال …).
Rows of kind `-` name harmless company ('fire safety certificate'): a phrase that touches it is not counted.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from nlu.arabic.fold import rows, tokens

GAP = 3
# The order of weight: a message that shows several kinds is told as the first of these.
DANGER_KINDS = ("self_harm", "fire", "gas", "injury", "other")
_CLITICS = re.compile(r"(?:وال|فال|بال|كال|عال|هال|لل|ال|و|ف|ب|ل|ك|ه|ع)(?=\w{2})")


class _Match(NamedTuple):
    kind: str
    first: int
    last: int


class Phrases:
    """The phrases of one table, found in a text in one pass."""

    def __init__(self, table: str) -> None:
        self._exact: dict[str, int] = {}
        self._stems: dict[str, int] = {}
        self._by_first: dict[int, list[tuple[str, tuple[tuple[int, int], ...]]]] = {}
        for kind, phrases in rows(table):
            for phrase in phrases.split("|"):
                self._add(kind, phrase)
        self._stem_lengths = sorted({len(stem) for stem in self._stems})
        self._elements = lru_cache(maxsize=20_000)(self._elements_of)

    def _add(self, kind: str, phrase: str) -> None:
        steps: list[tuple[int, int]] = []  # (element, how many words may come before it)
        gap = 0
        for word in phrase.split():
            if word == "..":
                gap = GAP
                continue
            for at, piece in enumerate(tokens(word.rstrip("*"))):
                known = self._stems if word.endswith("*") else self._exact
                element = known.setdefault(piece.text, len(self._stems) + len(self._exact))
                steps.append((element, gap if at == 0 else 0))
                gap = 0
        if steps:
            self._by_first.setdefault(steps[0][0], []).append((kind, tuple(steps)))

    def _elements_of(self, word: str) -> frozenset[int]:
        """The words of the table that this word can stand for."""
        forms = {word}
        for _ in range(2):  # و + بال
            forms |= {form[match.end() :] for form in forms if (match := _CLITICS.match(form))}
        found = {self._exact[form] for form in forms if form in self._exact}
        for form in forms:
            found.update(
                self._stems[form[:length]]
                for length in self._stem_lengths
                if length <= len(form) and form[:length] in self._stems
            )
        return frozenset(found)

    def _end(self, steps: tuple[tuple[int, int], ...], words: list[frozenset[int]], at: int) -> int | None:
        """The place of a phrase's last word when its first stands at `at`."""
        for element, gap in steps[1:]:
            reach = range(at + 1, min(at + 2 + gap, len(words)))
            following = next((place for place in reach if element in words[place]), None)
            if following is None:
                return None
            at = following
        return at

    def kinds(self, text: str) -> set[str]:
        """The kinds of the phrases that the text holds and nothing harmless excuses."""
        words = [self._elements(token.text) for token in tokens(text)]
        found: list[_Match] = []
        for at, elements in enumerate(words):
            for element in elements:
                for kind, steps in self._by_first.get(element, ()):
                    last = self._end(steps, words, at)
                    if last is not None:
                        found.append(_Match(kind, at, last))
        harmless = [match for match in found if match.kind == "-"]
        return {
            match.kind
            for match in found
            if match.kind != "-" and not any(h.first <= match.last and match.first <= h.last for h in harmless)
        }


_DANGER = Phrases("danger.tsv")
_INSULT = Phrases("insult.tsv")
_CONFIDENTIAL = Phrases("confidential.tsv")
# A flag is looked for where the assistant reads.
READ = 2_000


def danger_kind(text: str) -> str | None:
    """What kind of danger the text tells of: self_harm, fire, gas, injury, other; None when none."""
    kinds = _DANGER.kinds(text[:READ])
    return next((kind for kind in DANGER_KINDS if kind in kinds), None)


def flags(text: str) -> list[str]:
    """Any of danger, insult, confidential."""
    read = text[:READ]
    found = []
    if _DANGER.kinds(read):
        found.append("danger")
    if _INSULT.kinds(read):
        found.append("insult")
    if _CONFIDENTIAL.kinds(read):
        found.append("confidential")
    return found
