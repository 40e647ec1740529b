"""How the parameters of a message are written. A parameter's name decides; its value is never trusted.

Whatever is inserted stands between U+2068 and U+2069, so that it cannot turn the sentence around it:
a Latin reference keeps its order inside Arabic, and nothing a person wrote reaches beyond its place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache

from babel.dates import format_date, get_day_names
from hijridate import Gregorian

Names = Callable[[str, str, str], str | None]
"""(what, id, language) -> the register's name of it; what is kind, category, service, unit, state, body, flag, language."""

QUOTE, TOLD, SHORT = 300, 3500, 120
"""Characters: a person's words said back, the staff's words, a number or a name."""

NAMED = frozenset({"kind", "category", "service", "unit", "state", "body", "flag", "language"})
CARD = frozenset(
    f"card_{part}" for part in ("about", "documents", "conditions", "steps", "fee", "duration", "hours", "reviewed")
)
"""What the register's card of the message's service says; `about` is the same of its body."""
QUOTED = frozenset({"text", "comment"})
STAFF_WORDS = frozenset({"answer", "question", "reason"})

_OPEN, _CLOSE = "\u2068", "\u2069"
_SPACE = re.compile(r"\s+")
_BLANK = re.compile(r"[^\S\n]+")
# Controls, bidi marks, embeddings, overrides and isolates, interlinear marks, halves of a surrogate pair.
_HARMFUL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_NUMBER = re.compile(r"\+?\d(?:[\s\-.]?\d){5,}")
_ADDRESS = re.compile(r"\S+@\S+|https?://\S+")
_ID = re.compile(r"[a-z0-9_.:-]+")
_DAY = {"ar": "EEEE d MMMM y", "en": "EEEE d MMMM y", "zh": "y年M月d日EEEE"}
_DAY_SHORT = {"ar": "EEEE d MMMM", "en": "EEEE d MMMM", "zh": "M月d日EEEE"}


def isolated(text: str) -> str:
    """The text where it cannot turn its surroundings: every line is isolated alone, since a line end ends an isolate."""
    return "\n".join(f"{_OPEN}{line}{_CLOSE}" if line else "" for line in text.split("\n"))


def quote(text: object, limit: int = QUOTE) -> str:
    """Somebody's words on one line, harmless, at most `limit` characters with a … where they were cut."""
    clean = _HARMFUL.sub("", _SPACE.sub(" ", str(text)[: 20 * limit])).strip()
    return isolated(_cut(clean, limit))


def told(text: object) -> str:
    """The staff's words: harmless, whole, their lines kept."""
    lines = _BLANK.sub(" ", "\n".join(str(text)[: 4 * TOLD].splitlines()))
    clean = "\n".join(line.strip() for line in _HARMFUL.sub("", lines).split("\n"))
    return isolated(_cut(re.sub(r"\n{3,}", "\n\n", clean).strip(), TOLD))


def masked(text: str) -> str:
    """The text without what may be a telephone, an id, an address or a link: for more readers than its ticket has."""
    return _NUMBER.sub("•••", _ADDRESS.sub("•••", text))


def reference(ref: object) -> str:
    """`6821093659` as `6821 0936 59`; anything else as it came."""
    digits = str(ref)
    if len(digits) == 10 and digits.isascii() and digits.isdigit():
        return f"{_OPEN}{digits[:4]} {digits[4:8]} {digits[8:]}{_CLOSE}"
    return quote(digits, SHORT)


def receipt(code: object) -> str:
    """`315204377518` as `315-204-377-518`; anything else as it came."""
    digits = str(code)
    if len(digits) == 12 and digits.isascii() and digits.isdigit():
        return f"{_OPEN}{digits[:3]}-{digits[3:6]}-{digits[6:9]}-{digits[9:]}{_CLOSE}"
    return quote(digits, SHORT)


def looked_up(what: str, identifier: str, language: str, names: Names) -> str | None:
    """What the register says; None where it says nothing, or nothing but the id."""
    try:
        said = names(what, identifier, language)
    except Exception:
        return None
    return said if said and said != identifier else None


def named(what: str, value: object, language: str, names: Names) -> str | None:
    """The register's name; the value where it is words and no id; None where there is neither."""
    identifier = str(value)
    name = looked_up(what, identifier, language, names)
    if name is not None:
        return quote(name, SHORT)
    if not identifier.strip() or _ID.fullmatch(identifier):
        return None
    return quote(identifier, SHORT)


def week(runs: object, language: str) -> str:
    """`[{"first": 6, "last": 3, "hours": ["07:30", "14:30"]}]` as «الأحد - الخميس، 07:30 - 14:30», a line a run."""
    days = get_day_names("wide", "stand-alone", language)
    lines = []
    for run in runs if isinstance(runs, list | tuple) else []:
        first, last, (start, end) = days[int(run["first"])], days[int(run["last"])], run["hours"]
        named_days = first if first == last else f"{first} – {last}"
        lines.append(
            f"{named_days}{'، ' if language == 'ar' else ', ' if language == 'en' else ' '}{_OPEN}{start} – {end}{_CLOSE}"
        )
    return "\n".join(lines)


def moment(value: object) -> datetime:
    """The date and time that an ISO text, a date or a datetime says."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    return datetime.fromisoformat(str(value))


@lru_cache(maxsize=512)
def day(on: date, language: str) -> str:
    """Monday 30 November 2026."""
    return format_date(on, _DAY[language], locale=language)


@lru_cache(maxsize=512)
def day_short(on: date, language: str) -> str:
    """Monday 30 November."""
    return format_date(on, _DAY_SHORT[language], locale=language)


@lru_cache(maxsize=512)
def hijri(on: date, language: str) -> dict[str, str] | None:
    """Day, month and year of the Umm al-Qura calendar; None for dates that it does not cover.

    The month is a name, in Chinese a number, as Chinese readers write it.
    """
    try:
        there = Gregorian(on.year, on.month, on.day).to_hijri()
    except (OverflowError, ValueError):
        return None
    month = str(there.month) if language == "zh" else there.month_name("ar" if language == "ar" else "en")
    return {"day": str(there.day), "month": month, "year": str(there.year)}


def clock(at: datetime) -> tuple[str, str]:
    """`time_morning`, `time_noon` or `time_evening`, and the reading of a twelve-hour clock."""
    name = "time_morning" if at.hour < 12 else "time_noon" if at.hour == 12 else "time_evening"
    return name, f"{at.hour % 12 or 12}:{at.minute:02d}"


def _cut(text: str, limit: int) -> str:
    """At most `limit` characters; not within a letter and its marks, within a word only where it is very long."""
    if len(text) <= limit:
        return text
    end = limit - 1
    while end > limit - 20 and (text[end - 1] == "\u200d" or _clings(text[end])):
        end -= 1
    space = max(text.rfind(" ", 0, end + 1), text.rfind("\n", 0, end + 1))
    return text[: space if space > max(0, end - 30) else end].rstrip() + "…"


def _clings(character: str) -> bool:
    return (
        character == "\u200d" or unicodedata.combining(character) > 0 or unicodedata.category(character) in ("Mn", "Sk")
    )
