"""Arabic in Latin letters: what a word of Arabizi may stand for.

    readings("mo3amalti")  ->  ["مومعاملتي"-like full reading, the reading without short vowels]
    sound("mo3amalti") == sound("معاملتي")

One word has many spellings, so nothing here is sure: readings are features for a model, never a rewriting of the message.
"""

import re

from nlu.arabic.fold import rows

_LETTERS = {latin: arabic for latin, arabic, *_ in rows("arabizi.tsv")}
_PIECE = re.compile("|".join(sorted(map(re.escape, _LETTERS), key=len, reverse=True)) + "|.", re.DOTALL)
_SHORT = {"a": "ا", "e": "ي", "i": "ي", "o": "و", "u": "و"}
_LATIN_WORD = re.compile(r"[a-z][a-z0-9']*|[0-9]+[a-z][a-z0-9']*")
# Letters that writers of Arabizi do not tell apart, and those that both scripts leave out.
_SOUNDS = str.maketrans("صطضظذثق", "ستددتتق") | {ord(letter): None for letter in "اويهع"}


def is_latin(word: str) -> bool:
    """A folded word that could be Arabizi: Latin letters, perhaps with digits that stand for letters."""
    return bool(_LATIN_WORD.fullmatch(word))


def readings(word: str) -> list[str]:
    """The word in Arabic letters, first with every vowel written, then with only the long and the outer ones."""
    if not is_latin(word) or len(word) > 30:
        return []
    full, lean = [], []
    pieces = _PIECE.findall(word)
    for at, piece in enumerate(pieces):
        if piece in _SHORT:
            letter = _SHORT[piece]
            outer = at == 0 or at == len(pieces) - 1
            full.append(letter)
            if outer:
                lean.append("ا" if at == 0 else "ه" if piece in "ae" else letter)
        else:
            letter = _LETTERS.get(piece, piece)
            full.append(letter)
            lean.append(letter)
    both = ["".join(full), "".join(lean)]
    return both[:1] if both[0] == both[1] else both


def sound(word: str) -> str:
    """What is left of a word when vowels and confusable letters are gone: the same for both scripts."""
    return (readings(word) or [word])[-1].translate(_SOUNDS)
