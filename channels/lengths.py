"""How long a text is where it is counted: UTF-16 units, SMS segments; and how it is cut without cutting a word.

Pure. GSM 03.38 and UCS-2 segments as Twilio counts them: 160 or 70 alone, 153 or 67 in parts.
"""

from __future__ import annotations

import re

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE = frozenset("^{}\\[~]|€\f")
_SPACE = re.compile(r"\s+")


def units(text: str) -> int:
    """The length in UTF-16 units: what WhatsApp, Telegram and UCS-2 count."""
    return len(text) + sum(1 for c in text if ord(c) > 0xFFFF)


def segments(text: str) -> int:
    """How many SMS parts a text is sent, and paid, as; 1 for an empty one."""
    if all(c in _GSM or c in _GSM_TWICE for c in text):
        length, alone, each = len(text) + sum(1 for c in text if c in _GSM_TWICE), 160, 153
    else:
        length, alone, each = units(text), 70, 67
    return 1 if length <= alone else -(-length // each)


def split(text: str, most: int) -> list[str]:
    """The text in parts of at most `most` units, cut at the last space that fits; joined they are the text.

    Only a word longer than a part is cut, and then between characters as a reader sees them.
    """
    parts: list[str] = []
    rest = text
    while units(rest) > most:
        at = _cut(rest, most)
        parts.append(rest[:at])
        rest = rest[at:]
    return [*parts, rest]


def _cut(text: str, most: int) -> int:
    """Where the first part ends: after white space, else between two characters."""
    fits = _fitting(text, most)
    best = 0
    for space in _SPACE.finditer(text, 0, fits):
        best = space.end()
    return best or _between_characters(text, fits)


def _fitting(text: str, most: int) -> int:
    """How many characters have at most so many units; at least one."""
    counted = 0
    for index, c in enumerate(text):
        counted += 2 if ord(c) > 0xFFFF else 1
        if counted > most:
            return max(index, 1)
    return len(text)


def _between_characters(text: str, at: int) -> int:
    """The last place up to `at` that cuts no cluster (marks, joiners, modifiers, flags); `at` where there is none."""
    from unicodedata import combining

    def inside(i: int) -> bool:
        c, before = text[i], text[i - 1]
        return bool(
            combining(c) or c in "\u200d\ufe0e\ufe0f" or before == "\u200d" or 0x1F3FB <= ord(c) <= 0x1F3FF
            or 0x1F1E6 <= ord(c) <= 0x1F1FF
        )  # fmt: skip

    place = at
    while place > 0 and place < len(text) and inside(place):
        place -= 1
    return place or at
