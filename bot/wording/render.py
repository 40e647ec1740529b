"""What is said to people: a name, parameters and a language become a text.

Nothing here raises while the house is working: a name without words is answered with an apology, and the
log holds the name, never a parameter. With `strict=True`, as tests call it, it raises.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.wording import values
from bot.wording.catalogue import Message, differences, read
from bot.wording.values import Names

LANGUAGES = ("ar", "en", "zh")
DESK_LANGUAGES = ("ar", "en")

PARAMS = values.NAMED | values.QUOTED | values.STAFF_WORDS | values.CARD | {
    "ref", "receipt", "due", "due_day", "opening", "date", "number", "phone", "who", "n", "days", "tickets", "rating", "version",
    "limit", "count", "hours", "holiday", "branches", "about",
}  # fmt: skip
"""What a message for the public may hold; `limit` and `count` are the chat page's."""
SAMPLES = {"sample_ref": "6821093659", "sample_receipt": "315204377518"}
"""Shown as examples; every message may hold them and nobody passes them."""
NEEDED = frozenset(
    {
        "apology",
        "generic_button",
        "generic_card",
        "generic_hours",
        "generic_due",
        "generic_date",
        "generic_number",
        "line_ticket",
        "line_ticket_due",
    }
) | frozenset(
    {f"generic_{what}" for what in values.NAMED}
    | {"date_due", "date_both", "date_hijri", "date_opening", "time_morning", "time_noon", "time_evening"}
)
"""What the renderer itself says; the catalogues must have it."""
_OWN = {"day", "month", "year", "date", "hijri", "time", "clock"}  # of date_ and time_, filled here
_REGISTERED = re.compile(r"button_(kind|category|service|unit|body)_(.+)")

_log = logging.getLogger(__name__)


class CataloguesInvalid(ValueError):
    """The catalogues cannot be used; `problems` names every file and message that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class NoWords(Exception):
    """Strict only: a name that no catalogue has, or a parameter that was not given."""


def no_names(what: str, id: str, language: str) -> None:
    """A register that knows nothing: everything gets its generic word."""


def load(folder: Path | None = None) -> Catalogues:
    """All catalogues under `folder` (ours by default); raises CataloguesInvalid with all problems at once."""
    folder = folder or Path(__file__).parent
    messages, problems = _domain(folder, "messages", LANGUAGES)
    problems += [
        f"{language}/messages.po: {name}: unknown placeholder {{{param}}}"
        for language, catalogue in messages.items()
        for name, message in catalogue.items()
        for param in sorted(message.params - _allowed(name))
    ]
    problems += [
        f"{language}/messages.po: {name}: is missing, and the renderer needs it"
        for language, catalogue in messages.items()
        for name in sorted(NEEDED - catalogue.keys())
        if catalogue
    ]
    desk: dict[str, dict[str, Message]] = {language: {} for language in DESK_LANGUAGES}
    if any((folder / language / "desk.po").exists() for language in DESK_LANGUAGES):
        desk, more = _domain(folder, "desk", DESK_LANGUAGES)
        problems += more
    if problems:
        raise CataloguesInvalid(problems)
    return Catalogues(messages, desk)


def _domain(folder: Path, domain: str, languages: Iterable[str]) -> tuple[dict[str, dict[str, Message]], list[str]]:
    found = {language: read(folder / language / f"{domain}.po", language) for language in languages}
    messages = {language: there for language, (there, _) in found.items()}
    problems = [problem for _, wrong in found.values() for problem in wrong]
    return messages, problems or differences(messages, domain)


def _allowed(name: str) -> frozenset[str]:
    allowed = PARAMS | SAMPLES.keys()
    if name.startswith(("date_", "time_")):
        return allowed | _OWN
    return allowed


class Catalogues:
    """Everything the house can say, in every language that it speaks."""

    def __init__(
        self, messages: Mapping[str, Mapping[str, Message]], desk: Mapping[str, Mapping[str, Message]]
    ) -> None:
        self._messages = messages
        self._desk = desk

    def render(
        self,
        name: str,
        params: Mapping[str, Any],
        language: str | None,
        names: Names = no_names,
        *,
        strict: bool = False,
    ) -> str:
        """The text of `name` with its parameters written as their names say; an apology where there is none."""
        spoken = _spoken(language, LANGUAGES)
        try:
            message = self._message(name, spoken)
            return _Writer(self, name, params, spoken, names, strict).text(message)
        except Exception as error:
            if strict:
                raise
            _log.error("no words for %.80s (%s)", name, type(error).__name__)
            return self._messages[spoken]["apology"].forms[0].pieces[0]

    def say(self, name: str, language: str | None, /, **params: Any) -> str:
        """`render` for pages: what needs no register."""
        return self.render(name, params, language)

    def buttons(
        self,
        buttons: Iterable[Mapping[str, Any]],
        language: str | None,
        names: Names = no_names,
        *,
        strict: bool = False,
    ) -> list[dict[str, str]]:
        """`{"title": name, "params"?, "payload"}` as `{"title": text, "payload"}`, in the same order."""
        return [
            {
                "title": self._title(str(button["title"]), button.get("params") or {}, language, names, strict),
                "payload": button["payload"],
            }
            for button in buttons
        ]

    def desk(self, name: str, language: str | None, /, **params: Any) -> str:
        """The desk's own words; the name itself where the desk has none. Names of units and the like come as words."""
        spoken = _spoken(language, DESK_LANGUAGES)
        message = self._desk[spoken].get(name)
        if message is None:
            _log.error("no words at the desk for %.80s", name)
            return name
        return _Writer(self, name, params, spoken, no_names, False, desk=True).text(message)

    def variants(self, name: str) -> int:
        """How many sentences say `name`: itself, name.2, name.3 …; 0 where there is none."""
        there = self._messages[LANGUAGES[0]]
        if name not in there:
            return 0
        count = 1
        while f"{name}.{count + 1}" in there:
            count += 1
        return count

    def names(self) -> frozenset[str]:
        """Every name that can be said to the public."""
        return frozenset(self._messages[LANGUAGES[0]])

    def desk_names(self) -> frozenset[str]:
        """Every name that the desk can show."""
        return frozenset(self._desk[DESK_LANGUAGES[0]])

    def params(self, name: str) -> frozenset[str]:
        """What `name` wants to be given."""
        return self._message(name, LANGUAGES[0]).params - SAMPLES.keys() - values.CARD - {"about"}

    def word(self, name: str, language: str) -> Message | None:
        """A message by name, None where there is none."""
        return self._messages[language].get(name)

    def _message(self, name: str, language: str) -> Message:
        there = self._messages[language]
        message = there.get(name) or there.get(name.rpartition(".")[0])
        if message is None:
            raise NoWords(f"no words for {name}")
        return message

    def _title(self, name: str, params: Mapping[str, Any], language: str | None, names: Names, strict: bool) -> str:
        """A button's words: the register's own for what is in it, since a manager may have changed them."""
        spoken = _spoken(language, LANGUAGES)
        registered = _REGISTERED.fullmatch(name)
        if registered:
            found = values.named(registered[1], registered[2], spoken, names)
            if found:
                return found
        if name not in self._messages[spoken]:
            if strict and not registered:
                raise NoWords(f"no words for {name}")
            name = f"generic_{registered[1]}" if registered else "generic_button"
        return self.render(name, params, spoken, names, strict=strict)


class _Writer:
    """Writes the parameters of one message."""

    def __init__(
        self,
        catalogues: Catalogues,
        name: str,
        params: Mapping[str, Any],
        language: str,
        names: Names,
        strict: bool,
        *,
        desk: bool = False,
    ) -> None:
        self._catalogues, self._name, self._params = catalogues, name, params
        self._language, self._names, self._strict, self._desk = language, names, strict, desk

    def text(self, message: Message) -> str:
        by = message.counts_by
        return message.form(self._count(by) if by else 0).filled(self._written)

    def _count(self, by: str) -> int:
        given = self._params.get(by)
        if given is None and by == "n" and "tickets" in self._params:
            given = len(self._params["tickets"])
        if isinstance(given, list | tuple):
            return len(given)
        if given is None:
            if self._desk:
                return 0
            raise NoWords(f"{self._name} was not given {by}")
        return abs(int(given))

    def _written(self, param: str) -> str:
        if param in SAMPLES:
            return self._value(param.removeprefix("sample_"), SAMPLES[param])
        if param == "n" and param not in self._params:
            return str(self._count("n"))
        if param == "number" and self._name.startswith("utter_danger_") and not self._params.get(param):
            return self._word("generic_number")  # in danger no sentence may fail for want of a number
        if param in values.CARD or param == "about":
            return self._from_register(param)
        if param not in self._params:
            if self._desk:
                _log.error("%.80s at the desk was not given a parameter", self._name)
                return "…"
            raise NoWords(f"{self._name} was not given {param}")
        return self._value(param, self._params[param])

    def _value(self, param: str, value: Any) -> str:
        if param == "ref":
            return values.reference(value)
        if param == "receipt":
            return values.receipt(value)
        if param.startswith("due") or param in ("opening", "date"):
            return self._when(param, value)
        if self._desk:
            return str(value) if isinstance(value, int | float) else values.told("" if value is None else value)
        if param in values.NAMED:
            return self._named(param, value)
        if param in values.STAFF_WORDS or (param == "text" and self._name.startswith("notice_")):
            return values.told("" if value is None else value)
        if param in values.QUOTED:
            return values.quote("" if value is None else value)
        if param == "tickets":
            return "\n".join(self._line(ticket) for ticket in value)
        if param in ("n", "days"):
            return str(int(value))
        if param == "hours":
            return values.week(value, self._language)
        if param == "holiday":
            return values.quote(value.get(self._language) or value.get("en") or "", values.SHORT)
        if param == "branches":
            named = (values.named("branch", one, self._language, self._names) for one in value)
            return "\n".join(f"• {one}" for one in named if one)
        if value is None:
            raise NoWords(f"{self._name} was given no {param}")
        return values.quote(value, values.SHORT)

    def _from_register(self, param: str) -> str:
        """What the register says of the message's service or body; a word that it says nothing where it does."""
        of = str(self._params.get("body" if param == "about" else "service") or "")
        said = values.looked_up(param, of, self._language, self._names)
        if said is None:
            return self._word("generic_hours" if param == "card_hours" else "generic_card")
        if param == "card_reviewed":
            return values.isolated(values.day(values.moment(said).date(), self._language))
        return values.told(said)

    def _named(self, what: str, value: Any) -> str:
        """The register's name, ours for states and languages, or the generic word; never an id."""
        if what in ("state", "language"):
            own = self._catalogues.word(f"{what}_{value}", self._language)
            if own:
                return values.quote(own.forms[0].pieces[0])
        found = None if value is None else values.named(what, value, self._language, self._names)
        return found or self._word(f"generic_{what}")

    def _line(self, ticket: Mapping[str, Any]) -> str:
        params = {**ticket, "due_day": ticket.get("due")}
        name = "line_ticket_due" if ticket.get("due") else "line_ticket"
        line = self._catalogues.word(name, self._language)
        if line is None:
            raise NoWords(f"no words for {name}")
        return _Writer(self._catalogues, name, params, self._language, self._names, self._strict).text(line)

    def _when(self, param: str, value: Any) -> str:
        """A date in words; the generic word where there is none, so that what was done is still told."""
        try:
            at = values.moment(value)
        except (TypeError, ValueError):
            if self._desk:
                return values.told("" if value is None else value)
            if self._strict and value is not None:
                raise
            return self._word("generic_due" if param == "due" else "generic_date")
        if param == "due_day":
            return values.isolated(values.day_short(at.date(), self._language))
        if param == "opening":
            return values.isolated(self._opening(at))
        both = self._both(at)
        return values.isolated(self._word("date_due", date=both) if param != "date" else both)

    def _both(self, at: datetime) -> str:
        date = values.day(at.date(), self._language)
        hijri = values.hijri(at.date(), self._language)
        if hijri is None:
            return date
        return self._word("date_both", date=date, hijri=self._word("date_hijri", **hijri))

    def _opening(self, at: datetime) -> str:
        name, clock = values.clock(at)
        return self._word(
            "date_opening", date=values.day(at.date(), self._language), time=self._word(name, clock=clock)
        )

    def _word(self, name: str, **written: str) -> str:
        message = self._catalogues.word(name, self._language)
        if message is None:
            raise NoWords(f"no words for {name}")
        return message.forms[0].filled(written.__getitem__)


def _spoken(language: str | None, languages: tuple[str, ...]) -> str:
    """The language itself, or the first two letters of it (zh-CN), or for the desk English; Arabic where none is known."""
    short = (language or "")[:2].lower()
    if short in languages:
        return short
    return "en" if short in LANGUAGES else "ar"
