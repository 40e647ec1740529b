"""Numbers in people's words, masked: ids, telephones, transactions, accounts, cards, and e-mail addresses.

References of ours stay: they are how clerks and people talk of a ticket, and nobody's id begins like one. So do dates.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from bot.tickets.reference import is_reference
from bot.web.desk.words import Words, one_line
from nlu.arabic.digits import to_latin
from nlu.arabic.references import number_runs, references, transaction_numbers

MASK = "•••"
FEWEST = 6
"""Digits of a number that may be somebody's; a shorter one is masked where the words call it a transaction's."""

_DATE = re.compile(
    r"(?<!\d)(?:\d{1,2}[/.-]\d{1,2}[/.-](?:1[34]|19|20)\d{2}|(?:1[34]|19|20)\d{2}[/.-]\d{1,2}[/.-]\d{1,2})(?!\d)",
    re.ASCII,
)
_EMAIL = re.compile(r"[^\s@<>()\[\],;:«»\"']+@[^\s@<>()\[\],;«»\"'،؛]+\.[^\s@<>()\[\],;«»\"'،؛]+")
_SHOWN_AS = ((10,), (4, 4, 2))
"""The groups in which people write a reference: in one piece, or as we show it."""


def masked(text: str) -> str:
    """The text with every number that may be somebody's as three dots; where they were, how long they were, is gone."""
    out, at = [], 0
    for start, end in _joined(sorted(_spans(text))):
        out += [text[at:start], MASK]
        at = end
    return "".join([*out, text[at:]]) if at else text


def _spans(text: str) -> Iterator[tuple[int, int]]:
    yield from (match.span() for match in _EMAIL.finditer(text))
    latin = to_latin(text)
    if not any(c.isascii() and c.isdigit() for c in latin):
        return
    kept = [match.span() for match in _DATE.finditer(latin)] + list(_ours(text))
    open_ = _without(latin, kept)
    for run in number_runs(open_):
        if sum(len(group.digits) for group in run) >= FEWEST:
            yield run[0].start, run[-1].end
    for number in transaction_numbers(text):
        if open_[number.start : number.end] == number.digits:
            yield number.start, number.end


def _ours(text: str) -> Iterator[tuple[int, int]]:
    """Where references of this house stand; not ten digits out of a longer number that happen to look like one."""
    runs = number_runs(text)
    for found in references(text):
        run = next(run for run in runs if run[0].start <= found.start and found.end <= run[-1].end)
        groups = tuple(len(g.digits) for g in run if found.start <= g.start and g.end <= found.end)
        if is_reference(found.digits) and groups in _SHOWN_AS and not text[: found.start].endswith("+"):
            yield found.start, found.end


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """The text, as long as before, where these parts hold no digits."""
    for start, end in spans:
        text = text[:start] + "x" * (end - start) + text[end:]
    return text


def _joined(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The spans in order, those that overlap as one."""
    last: tuple[int, int] | None = None
    for start, end in spans:
        if last and start < last[1]:
            last = (last[0], max(last[1], end))
            continue
        if last:
            yield last
        last = (start, end)
    if last:
        yield last


def first_words(text: str, flags: Container[str], t: Words) -> str:
    """How somebody's words begin, wherever a page names a ticket by them: numbers masked, insults folded away."""
    return t("abuse_hidden") if "abuse" in flags else one_line(masked(text[:1000]))


class Hiding:
    """Masks what it is called with, and remembers whether it had to: is there anything to unmask on this page?"""

    def __init__(self, unmasked: bool = False) -> None:
        self.unmasked, self.hidden = unmasked, False

    def __call__(self, text: str) -> str:
        shown = masked(text)
        self.hidden = self.hidden or shown != text
        return text if self.unmasked else shown
