"""Reading a gettext catalogue: names to messages, cut into pieces once so that saying one is a join.

A message may hold `{name}` and nothing else of str.format: no formats, no attributes, no doubled braces.
Plural messages choose their form by the catalogue's own Plural-Forms.
"""

from __future__ import annotations

import gettext
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import PoFileError, read_po

COUNTS = ("n", "days", "tickets")
"""What a plural form may leave out, since its words say it; the first one that is there counts."""

_FIELD = re.compile(r"\{([^{}]*)\}")
_SIMPLE = re.compile(r"[a-z][a-z0-9_]*")
_MSGID = re.compile(r'^msgid "([^"]+)"', re.MULTILINE)


@dataclass(frozen=True)
class Form:
    """One text, cut up: literal, parameter, literal, parameter, …, literal."""

    pieces: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Form:
        """The text, cut at its placeholders; ValueError says what is wrong with one."""
        pieces = _FIELD.split(text)
        if any("{" in literal or "}" in literal for literal in pieces[::2]):
            raise ValueError("a brace that is no placeholder")
        for param in pieces[1::2]:
            if not _SIMPLE.fullmatch(param):
                raise ValueError(f"placeholder {{{param}}} is not a simple name")
        return cls(tuple(pieces))

    @property
    def params(self) -> frozenset[str]:
        return frozenset(self.pieces[1::2])

    def filled(self, written: Callable[[str], str]) -> str:
        """The text with every parameter as `written` writes it."""
        pieces = list(self.pieces)
        pieces[1::2] = [written(param) for param in pieces[1::2]]
        return "".join(pieces)


@dataclass(frozen=True)
class Message:
    """What one name says in one language: one form, or the plural forms of the language."""

    forms: tuple[Form, ...]
    which: Callable[[int], int] | None = None

    @property
    def params(self) -> frozenset[str]:
        return frozenset().union(*(form.params for form in self.forms))

    @property
    def counts_by(self) -> str | None:
        """The parameter that a plural message is counted by."""
        return next((name for name in COUNTS if self.which and name in self.params), None)

    def form(self, count: int) -> Form:
        return self.forms[self.which(count)] if self.which else self.forms[0]


def read(path: Path, language: str) -> tuple[dict[str, Message], list[str]]:
    """The messages of one file, and everything that is wrong with it."""
    shown = f"{path.parent.name}/{path.name}"
    try:
        text = path.read_text(encoding="utf-8")
        with path.open("rb") as file:
            catalog = read_po(file, locale=language, abort_invalid=True)
    except (OSError, UnicodeError, ValueError, PoFileError) as error:
        return {}, [f"{shown}: cannot be read: {error}"]
    problems = [f"{shown}: {name}: is there twice" for name in _twice(_MSGID.findall(text))]
    which = gettext.c2py(catalog.plural_expr)
    messages: dict[str, Message] = {}
    for entry in catalog:
        if not entry.id:
            continue
        name = entry.id if isinstance(entry.id, str) else entry.id[0]
        texts = (entry.string,) if isinstance(entry.string, str) else tuple(entry.string or ())
        wrong = _wrong(catalog, entry.fuzzy, isinstance(entry.id, str), texts)
        try:
            forms = tuple(Form.of(text) for text in texts)
        except ValueError as error:
            wrong = wrong or str(error)
        if wrong:
            problems.append(f"{shown}: {name}: {wrong}")
            continue
        messages[name] = Message(forms, None if isinstance(entry.id, str) else which)
        if len(forms) > 1 and messages[name].counts_by is None:
            problems.append(f"{shown}: {name}: is plural, but holds none of {', '.join(COUNTS)}")
        problems += [f"{shown}: {name}: form {i} lacks {{{param}}}" for i, param in _lacking(messages[name])]
    return messages, problems


def differences(catalogues: Mapping[str, Mapping[str, Message]], domain: str) -> list[str]:
    """Names that one language lacks, and names whose parameters are not the same in all."""
    problems = []
    for name in sorted(set().union(*catalogues.values())):
        there = {language: messages[name] for language, messages in catalogues.items() if name in messages}
        problems += [f"{lang}/{domain}.po: {name}: is missing" for lang in catalogues if lang not in there]
        wanted = frozenset().union(*(message.params for message in there.values()))
        for language, message in there.items():
            lacking = sorted(wanted - message.params)
            if lacking:
                problems.append(f"{language}/{domain}.po: {name}: lacks {', '.join(f'{{{p}}}' for p in lacking)}")
    return problems


def _twice(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _wrong(catalog: Catalog, fuzzy: bool, single: bool, texts: tuple[str, ...]) -> str:
    if fuzzy:
        return "is marked fuzzy"
    if not texts or not all(texts):
        return "has no text"
    if not single and len(texts) != catalog.num_plurals:
        return f"has {len(texts)} forms, the language {catalog.num_plurals}"
    return ""


def _lacking(message: Message) -> list[tuple[int, str]]:
    wanted = message.params - set(COUNTS)
    return [(i, param) for i, form in enumerate(message.forms) for param in sorted(wanted - form.params)]
