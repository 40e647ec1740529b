"""The desk's words: sentences by name, names of things, dates, and a ticket's time as a clerk would say it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.lists import format_list

from bot.storage.queries import Line
from bot.tickets.calendar import WorkingCalendar
from bot.tickets.lifecycle import LIVE, WAITING
from bot.tickets.promise import Clock, State
from bot.tickets.taxonomy import Register, in_language

LANGUAGES = ("ar", "en")
LANGUAGE_COOKIE = "sawt_desk_language"
"""The language that was chosen last in this browser."""
_LOCALES = {"ar": "ar_SA", "en": "en_GB"}
_MOMENTS = {"ar": "EEEE d MMMM y، HH:mm", "en": "EEE d MMM y, HH:mm"}
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Catalogues(Protocol):
    def desk(self, name: str, language: str | None, /, **params: Any) -> str:
        """The desk's sentence of this name, its parameters inserted and isolated."""


@dataclass(frozen=True)
class Choice:
    """One row of a menu. `group` is the id of the row above it: a subcategory's category, say."""

    id: str
    name: str
    group: str = ""


@dataclass(frozen=True)
class Time:
    """A ticket's time in words; `tone` says how it is to be shown: late, soon, calm or quiet."""

    words: str
    tone: str


@dataclass(frozen=True)
class Words:
    """The desk in one language."""

    catalogues: Catalogues
    register: Callable[[], Register]
    language: str
    country: str = ""

    def __call__(self, name: str, **params: Any) -> str:
        return self.catalogues.desk(name, self.language, **params)

    @property
    def dir(self) -> str:
        return "rtl" if self.language == "ar" else "ltr"

    def name(self, what: str, id: str | None) -> str:
        """The name of a kind, category, subcategory, service, unit or body; '' for none."""
        return self.register().name(what, id, self.language)

    def choices(self, what: str) -> Sequence[Choice]:
        """The menu of kinds, categories, subcategories, services, units or bodies, in the register's order."""
        known = self.register()
        rows: Mapping[str, Mapping[str, Any]] = {
            "kind": known.kinds, "category": known.categories, "subcategory": known.subcategories,
            "service": known.services, "unit": known.units, "body": known.bodies,
        }  # fmt: skip
        return [
            Choice(id, in_language(row.name, self.language) + self._number(what, row), getattr(row, "category", ""))
            for id, row in rows[what].items()
            if (what != "unit" or row.role != "branch")  # no ticket is sent to a branch
            and (what != "body" or not self.country or self.country in row.countries)
        ]

    def _number(self, what: str, row: Any) -> str:
        """Of another body, the telephone that the person will be told; that we have none, where we have none."""
        if what != "body":
            return ""
        return f" · \u2066{row.phone}\u2069" if row.phone else f" · {self('body_no_number')}"

    def moment(self, at: datetime, zone: ZoneInfo) -> str:
        """A moment on the office's clock, with the day of the week and Latin digits."""
        return format_datetime(at.astimezone(zone), _MOMENTS[self.language], locale=_LOCALES[self.language])

    def time(self, at: datetime, zone: ZoneInfo, beside: datetime) -> str:
        """The time of day, where it is the same day as `beside`; else the whole moment."""
        there = at.astimezone(zone)
        return f"{there:%H:%M}" if there.date() == beside.astimezone(zone).date() else self.moment(at, zone)

    def age(self, since: datetime, now: datetime) -> str:
        """For how long: moments, minutes, hours or days."""
        passed = now - since
        if passed >= 2 * _DAY:
            return self("for_days", n=passed // _DAY)
        if passed >= 2 * _HOUR:
            return self("for_hours", n=passed // _HOUR)
        minutes = max(0, passed // _MINUTE)
        return self("for_minutes", n=minutes) if minutes else self("for_moments")

    def size(self, bytes: int) -> str:
        """The size of a file: below a megabyte in whole kilobytes."""
        if bytes < 1_000_000:
            return self("size_kilobytes", size=max(1, round(bytes / 1000)))
        return self("size_megabytes", size=f"{bytes / 1_000_000:.1f}".removesuffix(".0"))

    def listed(self, names: Sequence[str]) -> str:
        """A, B and C."""
        return format_list(names, locale=_LOCALES[self.language])

    def clock(self, clock: Clock, calendar: WorkingCalendar, now: datetime, warn_before: timedelta) -> Time:
        """The reading of a ticket's clock."""
        match clock.state:
            case State.LATE:
                return self._late(clock.target, now, calendar)
            case State.RUNNING:
                return self._left(clock.due, now, calendar, warn_before)
            case State.PAUSED:
                return Time(self("clock_paused"), "quiet")
            case State.KEPT:
                return Time(self("clock_kept" if clock.on_time else "clock_kept_late"), "quiet")
        return Time(self("clock_ended"), "quiet")

    def line_clock(self, line: Line, calendar: WorkingCalendar, now: datetime, warn_before: timedelta) -> Time:
        """The same for a row of the list, from what the row holds."""
        if line.late_since:
            return self._late(line.late_since, now, calendar)
        if line.state not in LIVE:
            return Time("", "quiet")
        if line.state == WAITING:
            return Time(self("clock_paused"), "quiet")
        if line.answered_at:
            return Time(self("clock_answered"), "quiet")
        return self._left(line.promised_for, now, calendar, warn_before)

    def _late(self, since: datetime, now: datetime, calendar: WorkingCalendar) -> Time:
        days = calendar.working_days(calendar.day_of(since), calendar.day_of(now))
        if days:
            return Time(self("clock_late_days", n=days), "late")
        hours = calendar.between(since, now) // _HOUR
        return Time(self("clock_late_hours", n=hours) if hours else self("clock_late_now"), "late")

    def _left(self, due: datetime, now: datetime, calendar: WorkingCalendar, warn_before: timedelta) -> Time:
        left = calendar.between(now, due)
        tone = "soon" if left <= warn_before else "calm"
        if days := calendar.working_days(calendar.day_of(now), calendar.day_of(due)):
            return Time(self("clock_left_days", n=days), tone)
        hours = left // _HOUR
        return Time(self("clock_left_hours", n=hours) if hours else self("clock_left_minutes"), tone)

    def sure(self, confidence: float) -> str:
        """How sure the reading was, in a word and per cent."""
        name = "sure" if confidence >= 0.85 else "fairly_sure" if confidence >= 0.6 else "not_sure"
        return self(name, percent=round(100 * confidence))


def one_line(text: str, longest: int = 140) -> str:
    """The beginning of a text for a title: one line, without direction controls, cut between words."""
    line = " ".join(_DIRECTION.sub("", text[: 4 * longest]).split())
    if len(line) <= longest:
        return line
    return line[:longest].rsplit(" ", 1)[0] + "…"


def visible(text: str) -> str:
    """A person's words with the characters that turn a line around shown instead of obeyed."""
    return _DIRECTION.sub(
        lambda m: f"⟦{unicodedata.name(m[0]).title()}⟧" if m[0] not in "\u200e\u200f\u061c" else "", text
    )


def of(catalogues: Catalogues, register: Callable[[], Register], country: str = "") -> Callable[[str], Words]:
    """The desk in any of its languages, another one is Arabic; other bodies are those of `country`."""
    known: Mapping[str, Words] = {language: Words(catalogues, register, language, country) for language in LANGUAGES}
    return lambda language: known.get(language, known["ar"])
