"""Short messages that mean one thing: yes, no, send it, thanks. A table is surer of them than a model."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from nlu.arabic.fold import fold

TABLE = Path(__file__).parent / "short.tsv"
SIGNS = {"👍": "yes", "✅": "yes", "👌": "yes", "☑": "yes", "👎": "no", "❌": "no", "🚫": "no", "❤": "thanks", "🙏": "thanks",
         "🌹": "thanks", "💐": "thanks", "🌷": "thanks", "😊": "thanks", "😡": "grievance", "🤬": "grievance", "😠": "grievance",
         "👿": "grievance", "💔": "grievance", "😢": "grievance", "😭": "grievance"}  # fmt: skip
_STRIPPED = "،؛؟?!.,:…\"'()«»-_~*،。！？，、"


@cache
def _phrases() -> dict[tuple[str, ...], str]:
    found: dict[tuple[str, ...], str] = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#") and "\t" in line:
            move, phrases = line.split("\t", 1)
            for phrase in phrases.split("|"):
                found.setdefault(_words(phrase, keep="*"), move)
    return found


def _words(text: str, keep: str = "") -> tuple[str, ...]:
    stripped = "".join(c for c in _STRIPPED if c not in keep)
    words = (w.strip(stripped) for w in fold(text.replace("'", " ")).split())
    return tuple(w for w in words if any(c.isalnum() or c in keep for c in w))


def short(text: str) -> str | None:
    """The move that the whole of a short message is; None where it is none, or more than that.

    >>> short("اه سجلوها!"), short("👍"), short("نعم لكن الاسم غلط")
    ('send', 'yes', None)
    """
    words = _words(text[:200])
    if not words:
        return next((SIGNS[c] for c in text[:50] if c in SIGNS), None)
    return None if len(words) > 6 else _phrases().get(words) or _with_stems(words)


def _with_stems(words: tuple[str, ...]) -> str | None:
    """The move of a phrase in which a word is a stem: «يعطيكم العافيه», «لا تسجلوها»."""
    for phrase, move in _phrases().items():
        if len(phrase) == len(words) and all(_fits(w, p) for w, p in zip(words, phrase, strict=True)):
            return move
    return None


def _fits(word: str, wanted: str) -> bool:
    return word == wanted or (wanted.endswith("*") and word.startswith(wanted[:-1]))
