"""The language that script and telling words give away; what they leave open, the model decides.

read("وين وصلت معاملتي")      ->  Reading("ar", 0.99)
read("میری درخواست کہاں ہے")  ->  Reading("other", 0.99)
read("٣ 👍")                   ->  Reading(None, 0.0): the conversation's language is kept
"""

import re
import unicodedata
from typing import NamedTuple

from nlu.arabic.arabizi import is_latin, readings
from nlu.arabic.fold import fold, rows, tokens

READ = 2_000
# From here on the script decides and no model is asked.
DECIDED = 0.9
# A Chinese sentence has about this many characters where an Arabic one has a word.
HAN_PER_WORD = 1.6


class Reading(NamedTuple):
    language: str | None
    confidence: float


_TABLE: dict[str, set[str]] = {}
for _kind, _signs, *_ in rows("languages.tsv"):
    _TABLE.setdefault(_kind, set()).update(_signs.split())
_FOREIGN_LETTERS = re.compile(
    "[" + "".join(sign for kind, signs in _TABLE.items() if kind.endswith("-letters") for sign in sorted(signs)) + "]"
)
_FOREIGN_WORDS = {fold(word) for word in _TABLE["foreign-arabic"]}
_PERSIAN_KEYS = re.compile("[یکپچژگ]")
_LATIN = {kind: {fold(word) for word in words} for kind, words in _TABLE.items() if kind.isalpha() and len(kind) == 2}
_ARABIZI_DIGIT = re.compile(r"[a-z]+[2356789][a-z]|[a-z]{2,}[237]$|[2356789][a-z]{2,}")


def _script(letter: str) -> str:
    if "\u0600" <= letter <= "\u06ff":
        return "arabic"
    if letter.isascii() and letter.isalpha() or "\u00c0" <= letter <= "\u024f":
        return "latin"
    if "\u3400" <= letter <= "\u9fff" or "\U00020000" <= letter <= "\U0003ffff":
        return "han"
    return "none" if not unicodedata.category(letter).startswith("L") else "elsewhere"


def _weights(text: str) -> tuple[dict[str, float], list[str]]:
    """How many words each script has, and the Latin words."""
    weights = dict.fromkeys(("arabic", "latin", "han", "elsewhere"), 0.0)
    latin: list[str] = []
    for token in tokens(text):
        first = next((char for char in token.text if char.isalpha()), None)
        if first is None:
            continue
        script = _script(first)
        if script == "latin":
            latin.append(token.text)
        if script != "none":
            weights[script] += 1 / HAN_PER_WORD if script == "han" else 1
    return weights, latin


def _in_arabic_letters(text: str) -> Reading:
    letters = len(_FOREIGN_LETTERS.findall(text))
    words = [token.text for token in tokens(text)]
    foreign = sum(word in _FOREIGN_WORDS for word in words)
    persian = bool(_PERSIAN_KEYS.search(text))
    # Urdu's heh is on some telephones' Arabic keyboards: a letter counts when it comes again or with a word.
    if letters >= max(3, len(words) / 2) or ((letters or persian) and foreign):
        return Reading("other", 0.99 if letters + foreign > 2 else 0.92)
    return Reading("ar", 0.8 if letters or persian or foreign > 1 else 0.99)


def _in_latin_letters(words: list[str]) -> Reading:
    scores = {language: sum(word in signs for word in words) / len(words) for language, signs in _LATIN.items()}
    digits = sum(bool(_ARABIZI_DIGIT.match(word)) and is_latin(word) for word in words) / len(words)
    scores["ar"] += 2 * digits
    best = max(scores, key=lambda language: (scores[language], language == "en"))
    rest = max(value for language, value in scores.items() if language != best)
    if not scores[best]:
        return Reading("en", 0.4)
    sure = min(0.97, 0.45 + (scores[best] - rest) * min(len(words), 6) / 4)
    return Reading(best if best in ("en", "ar") else "other", sure)


def read(text: str) -> Reading:
    """The language of a text and how sure that is; None where a text has none of its own."""
    weights, latin = _weights(text[:READ])
    total = sum(weights.values())
    if not total:
        return Reading(None, 0.0)
    if text.lstrip().startswith("/") and len(text.split()) == 1:  # a command
        return Reading(None, 0.0)
    script = max(weights, key=lambda name: weights[name])
    share = weights[script] / total
    if script == "latin" and share < 0.6 and weights["arabic"] + weights["han"] >= 2:
        # A foreign word or two for each of our own: names, applications, technical terms.
        script = "arabic" if weights["arabic"] >= weights["han"] else "han"
        share = 0.6
    if script == "elsewhere":
        return Reading("other", 0.99)
    if script == "han":
        kana = any("\u3040" <= char <= "\u30ff" for char in text[:READ])
        return Reading("other", 0.99) if kana else Reading("zh", 0.99 if share > 0.5 else 0.8)
    found = _in_arabic_letters(text[:READ]) if script == "arabic" else _in_latin_letters(latin)
    return found if share > 0.75 else Reading(found.language, min(found.confidence, 0.8))


def in_arabic_letters(text: str) -> str:
    """Arabizi as far as possible in the spelling the encoder learned from; any other text as it was written."""
    if not any("a" <= char <= "z" for char in text.lower()) or any("\u0600" <= char <= "\u06ff" for char in text):
        return text
    if read(text).language != "ar":
        return text
    said, at = [], 0
    for token in tokens(text):
        # The leaner reading: Arabic does not write its short vowels either.
        said += [text[at : token.start], (readings(token.text) or [text[token.start : token.end]])[-1]]
        at = token.end
    return "".join(said) + text[at:]
