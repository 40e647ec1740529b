"""What is wrong with a register, all of it at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


class RegisterInvalid(ValueError):
    """The register cannot be used; `problems` names every mistake: file, key, what is wrong, how to put it right."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


@dataclass
class Problems:
    """Collects mistakes while a register is read, so that a clerk corrects them in one go."""

    found: list[str] = field(default_factory=list)

    def add(self, file: str, key: str, wrong: str, fix: str) -> None:
        self.found.append(f"{file}: {key}: {wrong}; {fix}")

    def stop(self) -> None:
        """Raises RegisterInvalid where anything was found."""
        if self.found:
            raise RegisterInvalid(self.found)

    def names(
        self, file: str, key: str, value: object, languages: Iterable[str] = ("ar", "en", "zh")
    ) -> dict[str, str]:
        """The text in every language, or a problem for each that lacks it."""
        given = value if isinstance(value, Mapping) else {}
        for language in languages:
            if not isinstance(given.get(language), str) or not given[language].strip():
                self.add(file, f"{key}.{language}", "no text", f'write {key}: {{{language}: "…"}}')
        return {str(k): str(v) for k, v in given.items() if isinstance(v, str)}

    def whole(self, file: str, key: str, value: object, least: int = 1) -> int:
        """A whole number of at least `least`; 0 and a problem otherwise."""
        if isinstance(value, int) and not isinstance(value, bool) and value >= least:
            return value
        self.add(file, key, f"{value!r} is no whole number from {least}", f"write {key}: {max(least, 2)}")
        return 0

    def one_of(self, file: str, key: str, value: object, known: Iterable[Any], fix: str = "") -> str:
        """An id that is known; the value as text, with a problem where it is not."""
        ids = sorted(str(k) for k in known)
        if str(value) not in ids:
            self.add(file, key, f"{value!r} is not known", fix or f"one of {', '.join(ids)}")
        return str(value)
