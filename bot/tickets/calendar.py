"""The working calendar: when an office is open, and the arithmetic of working time.

Everything is counted on the clock of the calendar's zone and answered in UTC. Time is an argument.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from hijridate import Gregorian

from bot.tickets.problems import Problems

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")  # in the order of date.weekday()
NOTHING = timedelta()
_DAY = timedelta(days=1)
_RAMADAN = 9
_HORIZON = 3660  # days searched for an open one, before the calendar is called closed for good
_RANGE = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))", re.ASCII)

Interval = tuple[datetime, datetime]
"""From an opening to a closing, in UTC."""
Hours = tuple[tuple[int, int], ...]
"""The intervals of one day in minutes after midnight, in order; 1440 is 24:00. Empty: closed."""


@dataclass(frozen=True)
class Holiday:
    """A public holiday. `estimated` until the moon was sighted and a manager confirmed it."""

    name: Mapping[str, str]
    estimated: bool = False


@dataclass(frozen=True)
class Override:
    """One day that differs from its week: other hours, or none."""

    hours: Hours
    name: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WorkingCalendar:
    """Office hours through the year. An override beats a holiday, a holiday beats Ramadan's hours, those the week's."""

    id: str
    version: int
    zone: ZoneInfo
    country: str
    hours: Mapping[int, Hours]  # by date.weekday(); a day that is not named is closed
    ramadan_hours: Mapping[int, Hours]  # empty: Ramadan is like the rest of the year
    holidays: Mapping[date, Holiday] = field(default_factory=dict)
    overrides: Mapping[date, Override] = field(default_factory=dict)
    _working: dict[date, bool] = field(init=False, compare=False, repr=False, default_factory=dict)  # days looked at

    @property
    def label(self) -> str:
        """What a promise records: the id and the version."""
        return f"{self.id} {self.version}"

    # The days.

    def hours_on(self, day: date) -> Hours:
        """The hours of that day on the wall clock, in minutes after midnight."""
        if day in self.overrides:
            return self.overrides[day].hours
        if day in self.holidays:
            return ()
        return self._season(day).get(day.weekday(), ())

    def week_of(self, day: date) -> list[dict[str, Any]]:
        """The usual week of that season: runs of weekdays (0 is Monday) with equal hours, from Sunday on.

        A run is `{"first", "last", "hours": ["07:30", "14:30"]}`, a split shift two runs.
        """
        return _runs(self._season(day))

    def week_of_ramadan(self) -> list[dict[str, Any]]:
        """The same for the weeks of Ramadan; empty where they are like all others."""
        return _runs(self.ramadan_hours)

    def _season(self, day: date) -> Mapping[int, Hours]:
        """The hours of that time of year, by weekday."""
        return self.ramadan_hours if self.ramadan_hours and is_ramadan(day) else self.hours

    def intervals(self, day: date) -> list[Interval]:
        """The open intervals of that day: in order, apart, and as long as they really last where the clock changes."""
        opened: list[Interval] = []
        for start, end in self.hours_on(day):
            first, last = self._instant(day, start), self._instant(day, end)
            if opened:
                first = max(first, opened[-1][1])
            if first < last:
                opened.append((first, last))
        return opened

    def is_working_day(self, day: date) -> bool:
        known = self._working.get(day)
        if known is None:
            known = self._working[day] = bool(self.intervals(day))
        return known

    def close_of(self, day: date) -> datetime:
        """The close of office on a working day; ValueError on a closed one."""
        opened = self.intervals(day)
        if not opened:
            raise ValueError(f"{day} is a closed day in calendar {self.id}")
        return opened[-1][1]

    def working_day_on_or_after(self, day: date) -> date:
        return self._seek(day, _DAY)

    def working_day_on_or_before(self, day: date) -> date:
        return self._seek(day, -_DAY)

    def next_holiday(self, day: date) -> tuple[date, Holiday] | None:
        """The first holiday, or closed day with a name, on or after `day`; None where none is known."""
        closed = {d: h for d, h in self.holidays.items() if d not in self.overrides}
        closed |= {d: Holiday(o.name) for d, o in self.overrides.items() if o.name and not o.hours}
        coming = [d for d in closed if d >= day]
        return (min(coming), closed[min(coming)]) if coming else None

    # The instants.

    def day_of(self, at: datetime) -> date:
        """The date on the wall clock of the office."""
        return _utc(at).astimezone(self.zone).date()

    def is_open(self, at: datetime) -> bool:
        """True from an opening on, until just before the closing."""
        return any(start <= _utc(at) < end for start, end in self.intervals(self.day_of(at)))

    def next_opening(self, at: datetime) -> datetime:
        """`at` itself where the office is open, else the next moment at which it opens."""
        at = _utc(at)
        start, _ = next(self._from(at))
        return max(start, at)

    def received_on(self, at: datetime) -> date:
        """The day of receipt: what comes on a closed day counts as received on the working day before."""
        return self.working_day_on_or_before(self.day_of(at))

    def add_working_days(self, at: datetime, days: int) -> datetime:
        """The close of office of the n-th working day after the day of receipt."""
        if days < 1:
            raise ValueError(f"{days} working days: at least one")
        day = self.received_on(at)
        for _ in range(days):
            day = self.working_day_on_or_after(day + _DAY)
        return self.close_of(day)

    def working_days(self, after: date, until: date) -> int:
        """How many working days there are after one day, up to and with another."""
        return sum(self.is_working_day(after + i * _DAY) for i in range(1, (until - after).days + 1))

    # Working time.

    def between(self, a: datetime, b: datetime) -> timedelta:
        """The working time from `a` to `b`; negative where `b` is earlier."""
        a, b = _utc(a), _utc(b)
        if b < a:
            return -self.between(b, a)
        total, day = NOTHING, self.day_of(a)
        while day <= self.day_of(b):
            for start, end in self.intervals(day):
                total += max(min(end, b) - max(start, a), NOTHING)
            day += _DAY
        return total

    def add(self, at: datetime, working: timedelta) -> datetime:
        """The first moment when so much working time has passed since `at`; `at` itself for none."""
        if working < NOTHING:
            raise ValueError("working time to add is never negative")
        at = _utc(at)
        if not working:
            return at
        for start, end in self._from(at):
            start = max(start, at)
            if working <= end - start:
                return start + working
            working -= end - start
        raise AssertionError("an endless calendar ended")

    def subtract(self, at: datetime, working: timedelta) -> datetime:
        """The last moment from which so much working time leads up to `at`; `at` itself for none."""
        if working < NOTHING:
            raise ValueError("working time to subtract is never negative")
        at, day = _utc(at), self.day_of(at)
        if not working:
            return at
        while True:
            for start, end in reversed(self.intervals(day)):
                end = min(end, at)
                if end <= start:
                    continue
                if working <= end - start:
                    return end - working
                working -= end - start
            day = self.working_day_on_or_before(day - _DAY)

    def _from(self, at: datetime) -> Iterator[Interval]:
        """The open intervals that end after `at`, without end."""
        day = self.working_day_on_or_after(self.day_of(at))
        while True:
            yield from ((start, end) for start, end in self.intervals(day) if end > at)
            day = self.working_day_on_or_after(day + _DAY)

    def _seek(self, day: date, step: timedelta) -> date:
        for _ in range(_HORIZON):
            if self.is_working_day(day):
                return day
            day += step
        raise ValueError(f"calendar {self.id} has no working day near {day}")

    def _instant(self, day: date, minutes: int) -> datetime:
        if minutes == 24 * 60:
            day, minutes = day + _DAY, 0
        return datetime.combine(day, time(minutes // 60, minutes % 60), self.zone).astimezone(UTC)


@lru_cache(maxsize=4096)
def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _runs(week: Mapping[int, Hours]) -> list[dict[str, Any]]:
    weekdays = groupby((6, 0, 1, 2, 3, 4, 5), week.get)
    return [
        {"first": run[0], "last": run[-1], "hours": [_clock(start), _clock(end)]}
        for hours, run in [(hours or (), list(run)) for hours, run in weekdays]
        for start, end in hours
    ]


def is_ramadan(day: date) -> bool:
    """True in Ramadan by the Umm al-Qura calendar, as far as it is published (1924 to 2077)."""
    try:
        return Gregorian(day.year, day.month, day.day).to_hijri().month == _RAMADAN
    except OverflowError:
        return False


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at.astimezone(UTC)


# Reading a calendar from data.


def parse(
    data: Mapping[str, Any], holidays: Mapping[date, Holiday] | None = None, problems: Problems | None = None
) -> WorkingCalendar:
    """The calendar that `data` describes; its own `holidays` beat those passed in.

    Raises RegisterInvalid with all problems at once, or adds them to `problems` where a whole register is being read.
    """
    found = problems or Problems()
    file = f"calendars/{data.get('id', '?')}.yml"
    if not data.get("id"):
        found.add(file, "id", "no id", "write id: sa")
    calendar = WorkingCalendar(
        id=str(data.get("id", "?")),
        version=found.whole(file, "version", data.get("version", 1)),
        zone=_zone(file, data.get("zone"), found),
        country=str(data.get("country", "")),
        hours=_week(file, "hours", data.get("hours") or {}, data.get("weekend") or (), found),
        ramadan_hours=_week(file, "ramadan_hours", data.get("ramadan_hours") or {}, data.get("weekend") or (), found),
        holidays={**(holidays or {}), **_holidays(file, data.get("holidays") or (), found)},
        overrides=_overrides(file, data.get("overrides") or (), found),
    )
    if not any(calendar.hours.values()):
        found.add(file, "hours", "no working day", 'write hours: {sun: ["07:30-14:30"]}')
    if problems is None:
        found.stop()
    return calendar


def _zone(file: str, name: object, found: Problems) -> ZoneInfo:
    try:
        return ZoneInfo(str(name))
    except (KeyError, ValueError, OSError):
        found.add(file, "zone", f"{name!r} is no time zone", "write zone: Asia/Riyadh")
        return ZoneInfo("UTC")


def _week(file: str, key: str, days: object, weekend: Any, found: Problems) -> dict[int, Hours]:
    if not isinstance(days, Mapping):
        found.add(file, key, "not a list of weekdays", f'write {key}: {{sun: ["07:30-14:30"]}}')
        return {}
    week: dict[int, Hours] = {}
    for name, ranges in days.items():
        if name not in WEEKDAYS:
            found.add(file, f"{key}.{name}", "no weekday", f"one of {', '.join(WEEKDAYS)}")
        elif name in weekend and ranges:
            found.add(file, f"{key}.{name}", "has hours and is in weekend", "take it out of one of the two")
        else:
            week[WEEKDAYS.index(name)] = _ranges(file, f"{key}.{name}", ranges, found)
    for name in weekend:
        if name not in WEEKDAYS:
            found.add(file, "weekend", f"{name!r} is no weekday", f"one of {', '.join(WEEKDAYS)}")
    return week


def _ranges(file: str, key: str, ranges: object, found: Problems) -> Hours:
    read: list[tuple[int, int]] = []
    for text in ranges if isinstance(ranges, list | tuple) else [] if ranges is None else [ranges]:
        match = _RANGE.fullmatch(str(text))
        if not match:
            found.add(file, key, f"{text!r} is no range of hours", 'write "07:30-14:30"')
            continue
        a, b, c, d = (int(g) for g in match.groups() if g is not None)
        read.append((a * 60 + b, c * 60 + d))
    for (start, end), following in zip(read, [*read[1:], (24 * 60, 24 * 60)], strict=False):
        if end <= start:
            found.add(file, key, "a range ends before it begins", "write two days where a shift crosses midnight")
        if following[0] < end:
            found.add(file, key, "ranges overlap or are out of order", "write them in order")
    return tuple(read)


def _day(file: str, key: str, value: object, found: Problems) -> date | None:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        found.add(file, key, f"{value!r} is no date", "write 2026-11-01")
        return None


def _rows(file: str, key: str, rows: object, found: Problems) -> Iterator[tuple[str, date, Mapping[str, Any]]]:
    for i, row in enumerate(rows if isinstance(rows, list | tuple) else [rows]):
        where = f"{key}[{i}]"
        if not isinstance(row, Mapping):
            found.add(file, where, "not a day", "write {date: 2026-11-01, …}")
            continue
        day = _day(file, f"{where}.date", row.get("date"), found)
        if day is not None:
            yield where, day, row


def _holidays(file: str, rows: object, found: Problems) -> dict[date, Holiday]:
    return {
        day: Holiday(found.names(file, f"{where}.name", row.get("name")), bool(row.get("estimated", False)))
        for where, day, row in _rows(file, "holidays", rows, found)
    }


def _overrides(file: str, rows: object, found: Problems) -> dict[date, Override]:
    return {
        day: Override(_ranges(file, f"{where}.hours", row.get("hours", []), found), dict(row.get("name") or {}))
        for where, day, row in _rows(file, "overrides", rows, found)
    }
