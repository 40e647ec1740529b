"""A smaller vocabulary: what the ministry's people write, and every single character besides.

Text in other words than these is still read: the tokenizer takes it apart into the pieces that are left.
"""

from __future__ import annotations

import copy
import json
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Iterable, Iterator

from tokenizers import Tokenizer

from nlu.arabic.arabizi import is_latin, readings
from nlu.arabic.fold import fold, tokens

SPACE = "▁"
# Scripts kept whole: names of their letters begin so.
SCRIPTS = ("ARABIC ", "CJK UNIFIED")


def texts(root: Path) -> Iterator[str]:
    """What people write, as it lies in data/: as written, folded, and Arabizi in Arabic letters. Never data/evaluation."""
    for path in sorted(root.glob("nlu/*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip():
                text = json.loads(line)["text"]
                yield text
                yield fold(text)
                yield " ".join(word for token in tokens(text) if is_latin(token.text) for word in readings(token.text))
    for pattern in ("services/*.yml", "lookups/*", "*.yml"):
        for path in sorted(root.glob(pattern)):
            yield from path.read_text(encoding="utf-8").splitlines()


def kept(tokenizer: dict, said: Iterable[str], size: int) -> list[int]:
    """Ids of the pieces to keep, in their order: `size` of them, unless what must be kept is more.

    Special pieces, single characters, Arabic script, Han, digits and signs; then what occurs in `said`, the most frequent
    first; the room that is left goes to the most frequent pieces in plain Latin letters, which English, French, Tagalog
    and Turkish share.
    """
    vocabulary = [piece for piece, _ in tokenizer["model"]["vocab"]]
    special = {entry["id"] for entry in tokenizer["added_tokens"]}
    seen = _occurring(tokenizer, said)
    chosen = {at for at, piece in enumerate(vocabulary) if at in special or _always(piece.replace(SPACE, ""))}
    # A Unigram vocabulary is in the order of its scores: the most frequent pieces come first.
    plain = [at for at, piece in enumerate(vocabulary) if _is_plain(piece.replace(SPACE, ""))]
    for at in [*sorted(seen, key=lambda at: (-seen[at], at)), *plain]:
        if len(chosen) >= size:
            break
        chosen.add(at)
    return sorted(chosen)


def _occurring(tokenizer: dict, said: Iterable[str]) -> Counter[int]:
    engine = Tokenizer.from_str(json.dumps(tokenizer))
    found: Counter[int] = Counter()
    for encoding in engine.encode_batch(list(said)):
        found.update(encoding.ids)
    return found


def _always(letters: str) -> bool:
    if len(letters) <= 1 or not any(char.isalpha() for char in letters):
        return True
    names = [unicodedata.name(char, "") for char in letters if char.isalpha()]
    return all(name.startswith(SCRIPTS) for name in names)


def _is_plain(letters: str) -> bool:
    return letters.isascii() and letters.isalpha()


def trimmed(tokenizer: dict, ids: list[int]) -> dict:
    """The same tokenizer with these pieces only; a piece's new id is its place in `ids`."""
    place = {old: new for new, old in enumerate(ids)}
    smaller = copy.deepcopy(tokenizer)
    smaller["model"]["vocab"] = [tokenizer["model"]["vocab"][old] for old in ids]
    smaller["model"]["unk_id"] = place[tokenizer["model"]["unk_id"]]
    for entry in smaller["added_tokens"]:
        entry["id"] = place[entry["id"]]
    for entry in smaller["post_processor"]["special_tokens"].values():
        entry["ids"] = [place[old] for old in entry["ids"]]
    return smaller
