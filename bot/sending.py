"""How a text becomes the messages of a scheme: choices as numbered lines where there are no buttons, parts that fit,
templates where a reply window is closed; and what an SMS may cost."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Protocol

import phonenumbers
import yaml

from bot.dispatch import READ, WINDOW_CLOSED, Form
from channels.contract import Address, Limits, Template
from channels.lengths import split, units

_ISOLATES = re.compile("[\u2066-\u2069]")
_NUMBER = re.compile(r"\+\d{8,15}")
"""What a telephone number looks like. A WhatsApp user name never does, and never gets to the parser."""


class Sizes:
    """The texts of one sentence as each scheme carries them."""

    def __init__(self, schemes: Mapping[str, Limits]) -> None:
        self._schemes = schemes

    def __call__(self, address: Address, text: str, buttons: Sequence[Mapping[str, Any]]) -> list[str]:
        """The text in parts; joined they are the text and, on a scheme with too few buttons, the choices by number."""
        limits = self._schemes.get(address.scheme)
        if limits is None:
            return [text]
        if len(buttons) > limits.buttons:
            choices = "\n".join(f"{n}. {button['title']}" for n, button in enumerate(buttons, 1))
            text = f"{text}\n\n{choices}"
        if address.scheme == "sms":  # old telephones show the marks as boxes, and each is paid for
            text = _ISOLATES.sub("", text)
        return split(text, limits.characters) if units(text) > limits.characters else [text]


def country(identifier: str) -> str | None:
    """The country of a telephone number (SA, JO, …); None where it is none, or of no country."""
    if not is_number(identifier):
        return None
    try:
        number = phonenumbers.parse(identifier)
    except phonenumbers.NumberParseException:
        return None
    by_prefix = phonenumbers.region_code_for_country_code(number.country_code or 0)
    found = phonenumbers.region_code_for_number(number) or by_prefix
    return None if found in ("ZZ", "001") else found


def is_number(identifier: str) -> bool:
    """True for a telephone number as providers write one."""
    return _NUMBER.fullmatch(identifier) is not None


class OneWay:
    """True for an address that gets our SMS and cannot answer them: there a notice never says 'reply'."""

    def __init__(self, countries: Sequence[str]) -> None:
        self._countries = frozenset(countries)

    def __call__(self, address: Address) -> bool:
        return address.scheme == "sms" and country(address.identifier) in self._countries


STATUS = "template_status"
"""The sentence of the template that tells a ticket's state: reference and state, nothing that anybody wrote."""
PRIVATE = ("text", "reason", "question", "answer", "body")
"""Parameters that hold somebody's words, or whose business it is: such a line is read behind `reply 1` only."""


def time_left(limits: Limits, last_in_at: datetime | None, now: datetime) -> timedelta | None:
    """How long free text may still go to who last wrote then: None where any time, nothing once the window is closed."""
    if limits.window is None:
        return None
    return max(last_in_at + limits.window - now, timedelta(0)) if last_in_at else timedelta(0)


class TemplatesInvalid(ValueError):
    """The file of templates cannot be used; `problems` are sentences for the operator."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read_templates(path: Path) -> dict[tuple[str, str], str]:
    """(`read` or `status`, language) → the content id at Twilio, of those that are approved. Raises TemplatesInvalid."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise TemplatesInvalid([f"{path}: cannot be read ({type(error).__name__}). Restore it from data/."]) from error
    approved, problems = {}, []
    for name in ("read", "status"):
        for language, one in (found.get(name) or {}).items():
            content = str((one or {}).get("content") or "")
            if (one or {}).get("approved") and not re.fullmatch(r"HX[0-9a-fA-F]{32}", content):
                problems.append(f"{path}: {name}.{language}.content: {content!r} is no content id (HX and 32 digits).")
            elif content and one.get("approved"):
                approved[name, str(language)] = content
    if problems:
        raise TemplatesInvalid(problems)
    return approved


class Line(Protocol):
    """What the form of a line hangs on: of a row of the outbox, or of one that a clerk is still writing."""

    @property
    def name(self) -> str: ...
    @property
    def ref(self) -> str | None: ...
    @property
    def params(self) -> Mapping[str, Any]: ...
    @property
    def language(self) -> str: ...
    @property
    def last_in_at(self) -> datetime | None: ...
    @property
    def error(self) -> str: ...


class ToPay(Protocol):
    """What paying for an SMS hangs on."""

    @property
    def address(self) -> Address: ...
    @property
    def last_in_at(self) -> datetime | None: ...


class Windows:
    """Which form a line has: outside of a reply window only what the provider has approved is said.

    A state goes as a template; words that somebody wrote are held behind `reply 1 to read it`.
    """

    def __init__(
        self, templates: Mapping[tuple[str, str], str], words: Callable[[str, Mapping[str, Any], str], str]
    ) -> None:
        """`words(name, params, language)` is what a template says."""
        self._templates, self._words = templates, words

    def __call__(self, row: Line, limits: Limits, now: datetime) -> Form:
        if limits.window is None:
            return Form("text")
        refused = any(code in row.error for code in WINDOW_CLOSED)
        closed = refused or not time_left(limits, row.last_in_at, now)
        if row.name == READ:
            return self._template("read", row, {"1": _grouped(row.ref)}, None) if closed else Form("moot")
        if not closed:
            return Form("text")
        state = row.params.get("state")
        if state and row.ref and not any(row.params.get(each) for each in PRIVATE):
            said = self._words(STATUS, {"ref": row.ref, "state": state}, row.language)
            variables = {"1": _grouped(row.ref), "2": self._words(f"state_{state}", {}, row.language)}
            form = self._template("status", row, variables, said)
            if form.state != "none":
                return form
        return Form("held") if ("read", row.language) in self._templates and row.ref else Form("none")

    def _template(self, name: str, row: Line, variables: Mapping[str, str], text: str | None) -> Form:
        content = self._templates.get((name, row.language))
        return Form("template", Template(content, variables), name, text) if content else Form("none")


def _grouped(ref: str | None) -> str:
    digits = ref or ""
    return f"{digits[:4]} {digits[4:8]} {digits[8:]}".strip()


class SmsBudget:
    """What SMS may cost: countries to which one goes unasked, and so much money a day."""

    def __init__(
        self,
        parts: Callable[[datetime], int],
        price: float,
        cap: float,
        countries: Sequence[str],
        zone: Callable[[], tzinfo],
    ) -> None:
        """`parts(since)` were handed over; `price` of one and `cap` of one day, in the account's currency."""
        self._parts, self._price, self.cap, self._countries, self._zone = parts, price, cap, frozenset(countries), zone

    def refuses(self, row: ToPay, parts: int, now: datetime) -> str:
        """Why this SMS is not paid for; empty where it is."""
        where = country(row.address.identifier)
        if where not in self._countries and row.last_in_at is None:  # whoever wrote to us by SMS is answered there
            return f"SMS_COUNTRIES does not allow {where or 'this number'}"
        if self.spent(now) + parts * self._price > self.cap:
            return "SMS_DAILY_CAP is reached"
        return ""

    def spent(self, now: datetime) -> float:
        """Money, since midnight at the ministry."""
        midnight = now.astimezone(self._zone()).replace(hour=0, minute=0, second=0, microsecond=0)
        return self._parts(midnight) * self._price

    def alarm(self, now: datetime) -> bool:
        """True from four fifths of the day's money on: before it stops."""
        return self.cap > 0 and self.spent(now) >= 0.8 * self.cap
