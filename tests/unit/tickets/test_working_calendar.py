"""Working time: examples that a clerk can check, the laws, and an oracle that counts day by day."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays
import pytest
from hijridate import Hijri
from hypothesis import given
from hypothesis import strategies as st
from ticket_making import AMMAN, JO, JO_DATA, NAME, RIYADH, SA, SA_DATA, WEEK, riyadh

from bot.tickets import calendar
from bot.tickets.calendar import Holiday, WorkingCalendar
from bot.tickets.problems import RegisterInvalid

HOUR = timedelta(hours=1)


def amman(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=AMMAN).astimezone(UTC)


@pytest.mark.parametrize(
    ("received", "days", "due"),
    [
        ("2026-11-19 15:00", 2, "2026-11-23 14:30"),  # Thursday: Sunday is day one, Monday day two
        ("2026-11-19 07:00", 2, "2026-11-23 14:30"),  # Thursday before office hours is Thursday
        ("2026-11-20 10:00", 2, "2026-11-23 14:30"),  # Friday counts as Thursday
        ("2026-11-21 23:59", 2, "2026-11-23 14:30"),  # Saturday, too
        ("2026-11-22 00:00", 2, "2026-11-24 14:30"),  # Sunday
        ("2026-11-19 23:59", 1, "2026-11-22 14:30"),
        ("2026-12-31 12:00", 1, "2027-01-03 14:30"),  # a year ends
        ("2026-02-17 12:00", 1, "2026-02-18 15:00"),  # Ramadan 1447 begins on 18 February
        ("2026-11-19 15:00", 10, "2026-12-03 14:30"),
    ],
)
def test_days_to_close_of_office(received: str, days: int, due: str) -> None:
    assert SA.add_working_days(riyadh(received), days) == riyadh(due)


def test_a_holiday_is_skipped_and_an_override_beats_it() -> None:
    eid = {"date": date(2026, 11, 22), "name": NAME, "estimated": True}
    closed = calendar.parse(SA_DATA | {"holidays": [eid], "version": 2})
    assert closed.add_working_days(riyadh("2026-11-19 15:00"), 2) == riyadh("2026-11-24 14:30")
    assert closed.next_holiday(date(2026, 11, 1)) == (date(2026, 11, 22), Holiday(NAME, estimated=True))
    assert closed.next_holiday(date(2026, 11, 23)) is None
    assert closed.label == "sa 2"
    half = {"date": "2026-11-22", "hours": ["09:00-12:00"], "name": NAME}
    opened = calendar.parse(SA_DATA | {"holidays": [eid], "overrides": [half]})
    assert opened.close_of(date(2026, 11, 22)) == riyadh("2026-11-22 12:00")
    assert opened.next_holiday(date(2026, 11, 1)) is None
    shut = calendar.parse(SA_DATA | {"overrides": [{"date": "2026-11-24", "hours": [], "name": NAME}]})
    assert not shut.is_open(riyadh("2026-11-24 10:00"))
    assert shut.next_holiday(date(2026, 11, 1)) == (date(2026, 11, 24), Holiday(NAME))


def test_what_comes_on_a_holiday_counts_as_received_before_it() -> None:
    closed = calendar.parse(SA_DATA, holidays={date(2026, 11, 22): Holiday(NAME), date(2026, 11, 23): Holiday(NAME)})
    assert closed.received_on(riyadh("2026-11-23 09:00")) == date(2026, 11, 19)


def test_open_is_from_the_opening_until_just_before_the_closing() -> None:
    assert [SA.is_open(riyadh(f"2026-11-22 {t}")) for t in ("07:29", "07:30", "14:29", "14:30")] == [0, 1, 1, 0]
    assert SA.next_opening(riyadh("2026-11-22 10:00")) == riyadh("2026-11-22 10:00")
    assert SA.next_opening(riyadh("2026-11-19 14:30")) == riyadh("2026-11-22 07:30")
    assert SA.next_opening(riyadh("2026-11-22 03:00")) == riyadh("2026-11-22 07:30")


def test_a_split_shift_has_a_break_in_the_middle() -> None:
    split = calendar.parse(SA_DATA | {"hours": {"sun": ["08:00-12:00", "16:00-20:00"]}, "ramadan_hours": {}})
    assert not split.is_open(riyadh("2026-11-22 13:00"))
    assert split.next_opening(riyadh("2026-11-22 13:00")) == riyadh("2026-11-22 16:00")
    assert split.add(riyadh("2026-11-22 11:00"), 3 * HOUR) == riyadh("2026-11-22 18:00")
    assert split.add(riyadh("2026-11-22 11:00"), HOUR) == riyadh("2026-11-22 12:00")
    assert split.subtract(riyadh("2026-11-22 18:00"), 3 * HOUR) == riyadh("2026-11-22 11:00")
    assert split.close_of(date(2026, 11, 22)) == riyadh("2026-11-22 20:00")


def test_round_the_clock_lasts_as_long_as_the_day_really_does() -> None:
    """Amman changed its clocks until 2022: at midnight, so a day had 23 or 25 hours."""
    always = calendar.parse(JO_DATA | {"weekend": [], "hours": {d: ["00:00-24:00"] for d in calendar.WEEKDAYS},
                                       "ramadan_hours": {}})  # fmt: skip
    lasted = {d: sum((b - a for a, b in always.intervals(d)), timedelta()) for d in
              (date(2021, 3, 25), date(2021, 3, 26), date(2021, 10, 28), date(2021, 10, 29), date(2026, 3, 27))}  # fmt: skip
    assert [t / HOUR for t in lasted.values()] == [24, 23, 24, 25, 24]
    a, b = datetime(2021, 1, 1, tzinfo=UTC), datetime(2023, 1, 1, tzinfo=UTC)
    assert always.between(a, b) == b - a
    assert always.add(a, b - a) == b
    assert always.subtract(b, b - a) == a


def test_amman_closes_at_half_past_three_before_and_after_the_clock_changes() -> None:
    assert JO.close_of(date(2022, 2, 24)) == datetime(2022, 2, 24, 13, 30, tzinfo=UTC)
    assert JO.close_of(date(2022, 2, 27)) == datetime(2022, 2, 27, 12, 30, tzinfo=UTC)
    assert JO.between(amman("2022-02-24 12:30"), amman("2022-02-27 12:30")) == 7 * HOUR


def test_the_gap_of_a_clock_change_is_no_working_time() -> None:
    night = calendar.parse(JO_DATA | {"weekend": [], "hours": {"fri": ["00:15-00:45", "01:00-02:00"]},
                                      "ramadan_hours": {}})  # fmt: skip
    opened = night.intervals(date(2021, 3, 26))  # 00:00 became 01:00
    assert all(a < b for a, b in opened) and all(x[1] <= y[0] for x, y in zip(opened, opened[1:], strict=False))


def test_ramadan_is_known_as_far_as_the_tables_go() -> None:
    assert calendar.is_ramadan(date(2026, 2, 18)) and not calendar.is_ramadan(date(2026, 2, 17))
    assert not calendar.is_ramadan(date(2090, 1, 1))
    assert SA.add_working_days(datetime(2090, 1, 1, tzinfo=UTC), 3)


def test_times_without_a_zone_and_days_before_the_first_are_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        SA.is_open(datetime(2026, 11, 22, 10))
    with pytest.raises(ValueError, match="at least one"):
        SA.add_working_days(riyadh("2026-11-22 10:00"), 0)
    for amount in (SA.add, SA.subtract):
        with pytest.raises(ValueError, match="never negative"):
            amount(riyadh("2026-11-22 10:00"), -HOUR)
    with pytest.raises(ValueError, match="closed day"):
        SA.close_of(date(2026, 11, 20))


def test_a_calendar_that_closes_for_good_says_so() -> None:
    closed = calendar.parse(SA_DATA | {"overrides": [
        {"date": (date(2026, 1, 1) + timedelta(days=i)).isoformat(), "hours": [], "name": NAME} for i in range(4000)
    ]})  # fmt: skip
    with pytest.raises(ValueError, match="no working day"):
        closed.next_opening(riyadh("2026-01-05 10:00"))


def test_all_problems_at_once_with_the_fix() -> None:
    bad = {
        "id": "xx", "zone": "Asia/Riyad", "weekend": ["fri", "friday"], "version": 0,
        "hours": {"sun": ["7:30-14:30"], "mon": ["14:30-07:30"], "tue": ["08:00-12:00", "11:00-13:00"],
                  "fri": ["08:00-09:00"], "someday": []},
        "holidays": [{"date": "2026-13-01", "name": NAME}, {"date": "2026-12-01", "name": {"ar": "عيد"}}],
        "overrides": [{"date": "2026-11-01", "hours": ["25:00-26:00"]}, "tomorrow"],
    }  # fmt: skip
    with pytest.raises(RegisterInvalid) as caught:
        calendar.parse(bad)
    text = "\n".join(caught.value.problems)
    for word in (
        "version: 0", "'Asia/Riyad' is no time zone", "'friday' is no weekday", "'7:30-14:30' is no range",
        "ends before it begins", "overlap", "has hours and is in weekend", "someday: no weekday", "'2026-13-01' is no date",
        "holidays[1].name.zh", "'25:00-26:00'", "overrides[1]: not a day", 'write "07:30-14:30"',
    ):  # fmt: skip
        assert word in text, word
    assert all(problem.startswith("calendars/xx.yml: ") for problem in caught.value.problems)
    with pytest.raises(RegisterInvalid, match="no working day"):
        calendar.parse(SA_DATA | {"hours": {}})


# The laws.

_minutes = st.integers(0, 96).map(lambda quarter: quarter * 15)
_hours = (
    st.lists(_minutes, min_size=2, max_size=6, unique=True)
    .map(sorted)
    .map(
        lambda m: [f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in zip(m[::2], m[1::2], strict=False)]
    )
)
_weeks = st.dictionaries(st.sampled_from(calendar.WEEKDAYS), _hours, min_size=1, max_size=7)
_days = st.dates(date(2020, 1, 1), date(2028, 12, 31))
_instants = st.datetimes(datetime(2020, 6, 1), datetime(2023, 6, 1)).map(lambda d: d.replace(tzinfo=UTC))
_spans = st.timedeltas(timedelta(), timedelta(days=9))


@st.composite
def _calendars(draw: st.DrawFn) -> WorkingCalendar:
    return calendar.parse({
        "id": "any", "zone": draw(st.sampled_from(["Asia/Amman", "Asia/Riyadh", "Europe/London"])),
        "hours": draw(_weeks), "ramadan_hours": draw(st.one_of(st.just({}), _weeks)),
        "holidays": [{"date": d, "name": NAME} for d in draw(st.sets(_days, max_size=8))],
        "overrides": [{"date": d, "hours": draw(_hours), "name": NAME} for d in draw(st.sets(_days, max_size=3))],
    })  # fmt: skip


@given(_calendars(), _instants, _instants, _instants)
def test_between_adds_up_whatever_the_order(cal: WorkingCalendar, a: datetime, b: datetime, c: datetime) -> None:
    assert cal.between(a, c) == cal.between(a, b) + cal.between(b, c)
    assert cal.between(a, b) == -cal.between(b, a)
    assert abs(cal.between(a, b)) <= abs(b - a)


@given(_calendars(), _instants, _instants, _spans, _spans)
def test_add_is_monotonic(cal: WorkingCalendar, a: datetime, b: datetime, x: timedelta, y: timedelta) -> None:
    assert cal.add(a, min(x, y)) <= cal.add(a, max(x, y))
    assert cal.add(min(a, b), x) <= cal.add(max(a, b), x)


@given(_calendars(), _instants, _spans, _spans)
def test_add_and_between_agree(cal: WorkingCalendar, a: datetime, x: timedelta, y: timedelta) -> None:
    assert cal.between(a, cal.add(a, x)) == x
    assert cal.add(cal.add(a, x), y) == cal.add(a, x + y)
    assert cal.between(cal.subtract(a, x), a) == x
    assert cal.subtract(cal.subtract(a, x), y) == cal.subtract(a, x + y)


@given(_calendars(), _instants, st.integers(1, 12))
def test_a_promised_day_is_a_close_of_office_later_than_receipt(cal: WorkingCalendar, a: datetime, n: int) -> None:
    due = cal.add_working_days(a, n)
    day = cal.day_of(due - timedelta(microseconds=1))
    assert due == cal.close_of(day) and day > cal.received_on(a)
    assert cal.working_days(cal.received_on(a), day) == n
    assert cal.add_working_days(a, n) <= cal.add_working_days(a, n + 1)


@given(_calendars(), _instants)
def test_the_next_opening_is_open_and_nothing_is_missed(cal: WorkingCalendar, a: datetime) -> None:
    opening = cal.next_opening(a)
    assert opening >= a and cal.is_open(opening)
    assert cal.between(a, opening) == timedelta()


# The oracle: other code, other direction (from the instant to the wall clock), day by day.


@cache
def _ramadans() -> set[date]:
    days: set[date] = set()
    for year in range(1435, 1460):
        first, after = Hijri(year, 9, 1).to_gregorian(), Hijri(year, 10, 1).to_gregorian()
        start = date(*first.datetuple())
        days |= {start + timedelta(days=i) for i in range((date(*after.datetuple()) - start).days)}
    return days


@cache
def _closed_days(country: str) -> dict[date, str]:
    return dict(holidays.country_holidays(country, years=range(2014, 2034)))


class Oracle:
    def __init__(self, zone: ZoneInfo, country: str, usual: tuple[str, str], ramadan: tuple[str, str]) -> None:
        self.zone, self.closed, self.usual, self.ramadan = zone, set(_closed_days(country)), usual, ramadan

    def hours(self, day: date) -> tuple[str, str] | None:
        if day.strftime("%a") in ("Fri", "Sat") or day in self.closed:
            return None
        return self.ramadan if day in _ramadans() else self.usual

    def due(self, at: datetime, days: int) -> datetime:
        day = at.astimezone(self.zone).date()
        while not self.hours(day):
            day = date.fromordinal(day.toordinal() - 1)
        while days:
            day = date.fromordinal(day.toordinal() + 1)
            days -= bool(self.hours(day))
        hours = self.hours(day)
        assert hours
        return datetime.fromisoformat(f"{day} {hours[1]}").replace(tzinfo=self.zone).astimezone(UTC)

    def open(self, at: datetime) -> bool:
        wall = at.astimezone(self.zone)
        hours = self.hours(wall.date())
        return bool(hours) and hours[0] <= wall.strftime("%H:%M") < hours[1]

    def between(self, a: datetime, b: datetime, step: timedelta) -> timedelta:
        total = timedelta()
        while a < b:
            total += step if self.open(a) else timedelta()
            a += step
        return total


ORACLES = {
    "sa": (SA_DATA, Oracle(RIYADH, "SA", ("07:30", "14:30"), ("10:00", "15:00"))),
    "jo": (JO_DATA, Oracle(AMMAN, "JO", ("08:30", "15:30"), ("10:00", "15:00"))),
}


@cache
def _with_holidays(which: str) -> WorkingCalendar:
    days = {day: Holiday(NAME) for day in _closed_days(which.upper())}
    return calendar.parse(ORACLES[which][0], holidays=days)


@pytest.mark.parametrize("which", ["sa", "jo"])
def test_two_thousand_instants_agree_with_the_oracle(which: str) -> None:
    cal, oracle, draw = _with_holidays(which), ORACLES[which][1], random.Random(f"days {which}")
    hard = [  # year ends, both Eids, Ramadan's first and last days, Amman's clock changes
        datetime(y, m, d, tzinfo=UTC)
        for y, m, d in [(2021, 12, 30), (2022, 2, 24), (2022, 4, 1), (2022, 4, 28), (2022, 7, 7), (2022, 10, 27),
                        (2025, 12, 31), (2026, 2, 16), (2026, 3, 17), (2026, 5, 25), (2026, 9, 22), (2027, 3, 8)]
    ]  # fmt: skip
    for i in range(1000):
        start = draw.choice(hard) if i % 3 else datetime(2015, 1, 1, tzinfo=UTC) + timedelta(days=draw.randrange(6200))
        at = start + timedelta(seconds=draw.randrange(4 * 86400))
        days = draw.choice((1, 1, 2, 2, 2, 5, 10))
        assert cal.add_working_days(at, days) == oracle.due(at, days), (at, days)
        assert cal.is_open(at) == oracle.open(at), at


@pytest.mark.parametrize("which", ["sa", "jo"])
def test_working_time_agrees_with_the_oracle(which: str) -> None:
    cal, oracle, draw, step = _with_holidays(which), ORACLES[which][1], random.Random(f"time {which}"), HOUR / 2
    for i in range(150):
        first = datetime(2022, 2, 20, tzinfo=UTC) if i % 2 else datetime(2015, 1, 1, tzinfo=UTC)
        a = first + draw.randrange(48 * (30 if i % 2 else 6000)) * step
        b = a + draw.randrange(48 * 9) * step
        expected = oracle.between(a, b, step)
        assert cal.between(a, b) == expected, (a, b)
        assert oracle.between(a, cal.add(a, expected), step) == expected


def test_the_week_of_the_data_is_the_week_of_the_tests() -> None:
    assert set(SA_DATA["hours"]) == set(WEEK)
