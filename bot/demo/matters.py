"""What people write and staff answer, from `data/demo.yml`, with its details filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml

LANGUAGES = {"english": "en", "chinese": "zh"}
VECTOR = 384
"""Bytes of a message's vector."""
_THEME = ("kind", "category", "subcategory", "service", "confidential")


@dataclass(frozen=True)
class Matter:
    """One person's matter, and what would be said about it."""

    theme: str
    kind: str
    category: str
    subcategory: str | None
    service: str | None
    variety: str
    text: str
    replies: Sequence[str]
    questions: Sequence[Sequence[str]]  # what staff ask, what the person answers
    notes: Sequence[str]
    declines: Sequence[str]
    implements: Sequence[str]
    colleagues: str | None  # the unit that such a matter is sometimes transferred to
    body: str | None
    flags: tuple[str, ...]
    confidential: bool
    urgent: bool
    insult: bool

    vector: bytes  # stands for the meaning: the same for every telling of this matter, like no other's

    @property
    def language(self) -> str:
        return LANGUAGES.get(self.variety, "ar")


class Texts:
    """The file, read once; `draw` gives each of its matters in turn before any comes again."""

    def __init__(self, path: Path, chance: Random) -> None:
        data = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self._chance, self._words, self._common, self._after = chance, data["words"], data["common"], data["after"]
        self._matters = [_matter(theme, row) for theme in data["themes"] for row in theme["matters"]]
        self._left: list[Matter] = []

    def draw(self) -> Matter:
        """The next matter, its details filled in."""
        if not self._left:
            self._left = self._chance.sample(self._matters, len(self._matters))
        return self._filled(self._left.pop())

    def all(self) -> list[Matter]:
        """Every matter as the file has it."""
        return self._matters

    def common(self, matter: Matter, what: str) -> str:
        """What staff write that fits any matter, in its language."""
        return str(self._chance.choice(self._common[matter.language][what]))

    def after(self, matter: Matter, what: str) -> str:
        """What its person says afterwards, in the same variety."""
        return str(self._chance.choice(self._after[matter.variety][what]))

    def _filled(self, matter: Matter) -> Matter:
        words = self._words[matter.language]
        details = {name: self._chance.choice(words[name]) for name in words}
        details |= {"days": self._chance.randint(12, 45), "number": self._chance.randint(31_000, 89_000)}
        details |= {"n": self._chance.randint(3, 6)}
        return Matter(**{**vars(matter), "text": matter.text.format(**details)})


def _matter(theme: Mapping[str, Any], row: Mapping[str, Any]) -> Matter:
    """A row of the file with what its theme says of it."""
    both = {**{name: theme.get(name) for name in _THEME}, **row}
    if both["category"] != theme["category"]:  # what is more closely said of one category fits no other
        both["subcategory"] = row.get("subcategory")
    fits, asks = row.get("fits"), row.get("asks")
    ours = row["variety"] not in LANGUAGES
    replies = theme["replies"] if fits is None else [theme["replies"][n] for n in fits]
    questions = theme["questions"] if asks is None else [theme["questions"][n] for n in asks]
    return Matter(
        theme=theme["id"],
        kind=both["kind"],
        category=both["category"],
        subcategory=both.get("subcategory"),
        service=both.get("service"),
        variety=row["variety"],
        text=row["text"],
        replies=[row["reply"]] if "reply" in row else replies,
        questions=questions if ours else (),
        notes=theme["notes"],
        declines=theme.get("declines", ()) if ours else (),
        implements=theme.get("implements", ()) if ours else (),
        colleagues=theme.get("colleagues"),
        body=row.get("body"),
        flags=tuple(flag for flag in ("needs_person", "my_data") if row.get(flag)),
        confidential=bool(both.get("confidential")),
        urgent=bool(row.get("urgent")),
        insult=bool(row.get("insult")),
        vector=Random(row["text"]).randbytes(VECTOR),
    )
