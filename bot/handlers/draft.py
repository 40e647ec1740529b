"""A matter that was said and is not filed yet. Kept by the house with the conversation; slots mirror it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

MATTER_KINDS = {
    "inquiry": "inquiry",
    "complaint": "complaint",
    "suggestion": "suggestion",
    "report": "report",
    "praise": "observation",
}
"""The intents that bring a matter, and the kind of ticket each becomes (docs: labels.md)."""
ONLY_FILES = "📎"
"""What stands in the words of a ticket where files came without any."""


@dataclass(frozen=True)
class Draft:
    """`stage` is the question that is open: details, kind, category, edit, same (add to an open ticket?), confirm."""

    kind: str | None = None
    category: str | None = None
    service: str | None = None
    text: str = ""
    stage: str = "details"
    confidential: bool = False
    urgent: bool = False
    flags: tuple[str, ...] = ()  # needs_person, my_data, language: of matters that fit no kind
    same: str | None = None  # reference of an open ticket on the same matter
    asked_same: bool = False
    by_hand: bool = False  # the person chose the kind: reading more text does not change it
    second: dict[str, Any] | None = None  # another matter found in the same words: offered after filing
    reading: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, data: dict[str, Any] | None) -> Draft | None:
        """The draft that `data` describes, or None; unknown keys are an older house's and dropped."""
        if not data:
            return None
        known = {k: v for k, v in data.items() if k in cls.__dataclass_fields__}
        return cls(**{**known, "flags": tuple(known.get("flags", ()))})

    def data(self) -> dict[str, Any]:
        return {**asdict(self), "flags": list(self.flags)}

    def adding(self, text: str) -> Draft:
        """The same matter with another line of its person's words."""
        return replace(self, text=f"{self.text}\n{text}".strip())
