"""The register: the files of data/ are one, and a bad one tells all of its problems at once."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from ticket_making import NAME

from bot.tickets import calendar, taxonomy
from bot.tickets.problems import RegisterInvalid
from bot.tickets.taxonomy import Register, mentioned
from bot.tickets.ticket import FLAGS, KINDS, Route

DATA = Path(__file__).parents[3] / "data"
LANGUAGES = ("ar", "en", "zh")


@cache
def _loaded() -> dict[str, Any]:
    """The files as the wiring hands them over."""

    def load(path: Path) -> Any:
        return yaml.safe_load(path.read_text(encoding="utf-8"))

    parts = ("taxonomy", "units", "branches", "routing", "bodies", "emergency", "promises")
    data = {part: load(DATA / f"{part}.yml") for part in parts}
    for folder in ("services", "calendars"):
        data[folder] = [load(path) for path in sorted((DATA / folder).glob("*.yml"))]
    return data


@cache
def register() -> Register:
    return Register.parse(_loaded())


def test_the_files_of_data_are_a_register() -> None:
    house = register()
    assert tuple(house.kinds) == KINDS and set(house.flags) == set(FLAGS)
    assert set(house.calendars) >= {"sa", "jo"} and len(house.categories) == 14
    for sort, ids in (("kind", house.kinds), ("category", house.categories), ("subcategory", house.subcategories),
                      ("service", house.services), ("unit", house.units), ("branch", house.branches),
                      ("body", house.bodies), ("flag", house.flags)):  # fmt: skip
        assert ids
        for id in ids:
            for language in LANGUAGES:
                assert house.name(sort, id, language) not in ("", id), (sort, id, language)
    assert house.unit(house.contact_centre) and house.unit(house.internal_audit)


def test_look_ups() -> None:
    house = register()
    assert house.name("kind", "report", "ar") == "بلاغ"
    assert house.name("service", "gone_long_ago", "ar") == "gone_long_ago" and house.name("category", None, "ar") == ""
    assert house.name("flag", "my_data", "zh") == house.name("flag", "my_data", "en"), "the desk speaks two languages"
    assert house.service("nothing") is None and house.service(None) is None
    assert house.service_class("nothing") == "C"
    some = next(iter(house.services.values()))
    assert house.service(some.id) is some and house.service_class(some.id) == some.service_class
    assert house.route_of_unit(house.internal_audit) == Route(house.internal_audit, frozenset(), needs_to_know=True)
    assert not house.route_of_unit(house.contact_centre).needs_to_know
    assert house.calendar_of("branch_amman", "SA").id == "jo" and house.calendar_of("finance", "SA").id == "sa"
    assert house.calendar_of("no_such_unit", "JO").id == "jo"


@pytest.mark.parametrize(
    ("country", "danger", "number"),
    [("SA", "fire", "998"), ("SA", "injury", "997"), ("SA", "other", "911"), ("SA", "flood", "911"), ("JO", "gas", "911"),
     ("JO", "other", "911")],
)  # fmt: skip
def test_one_number_for_a_danger(country: str, danger: str, number: str) -> None:
    found = register().emergency(country, danger)
    assert found and found.number == number
    assert register().emergency("FR", danger) is None


@pytest.mark.parametrize(
    ("text", "keywords", "found"),
    [
        ("عندي شكوى على فرع جده", ("فرع جده",), "فرع جده"),
        ("وبفرع  جده موظف", ("فرع جده",), "فرع جده"),
        ("فرع جدهان", ("فرع جده",), None),
        ("تفرع جده", ("فرع جده",), None),
        ("معاملتي في الجوازات", ("الجوازات",), "الجوازات"),
        ("ذهبت للجوازات", ("الجوازات",), "الجوازات"),
        ("والجوازات قالوا", ("الجوازات",), "الجوازات"),
        ("the jeddah branch, please", ("jeddah branch",), "jeddah branch"),
        ("jeddah branches", ("jeddah branch",), None),
        ("我在利雅得分部等了很久", ("利雅得分部",), "利雅得分部"),
        ("نقل خدمات العمال", ("نقل", "نقل خدمات"), "نقل خدمات"),
        ("c++ (beta)", ("c++",), "c++"),
        ("اي شي", (), None),
    ],
)
def test_what_a_text_names(text: str, keywords: tuple[str, ...], found: str | None) -> None:
    assert mentioned(text, keywords) == found


def test_whose_business_it_is() -> None:
    found = register().body_for("ابغى تجديد الاقامه من ابشر", "SA")
    assert found and found.id == "sa_interior"
    assert register().body_for("ابغى تجديد الاقامه", "JO") is None
    assert register().body_for("سوال عن ترخيص مصنع", "SA") is None


def test_every_shape_that_storage_may_hand_over() -> None:
    data = copy.deepcopy(_loaded())
    data["units"], data["branches"], data["bodies"] = (data[p][p] for p in ("units", "branches", "bodies"))
    data["calendars"] = {row["id"]: row for row in data["calendars"]}
    data["services"] = {row["id"]: row for row in data["services"]}
    data["emergency"] = data["emergency"]["countries"]
    assert Register.parse(data) == register()


def test_holidays_come_beside_the_calendars() -> None:
    day = date(2026, 9, 23)
    holidays = {"sa": {day: calendar.Holiday(NAME)}}
    house = Register.parse(_loaded(), holidays=holidays)
    assert house.calendars["sa"].next_holiday(day) == (day, calendar.Holiday(NAME))
    assert house.calendars["jo"].next_holiday(day) is None


BREAKS: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda d: d["taxonomy"]["kinds"].pop(), "taxonomy.yml: kinds.observation: missing"),
    (lambda d: d["taxonomy"]["categories"][0]["name"].pop("zh"), "processing_delay.name.zh: no text"),
    (lambda d: d["taxonomy"]["flags"].append({"id": "vip", "name": NAME}), "flags.vip: unknown to the code"),
    (lambda d: d["taxonomy"]["categories"][1]["subcategories"][0].pop("id"), "digital_service.0: no id"),
    (lambda d: d["taxonomy"]["categories"][2]["subcategories"].append({"id": "delay_no_update", "name": NAME}),
     "delay_no_update: there twice"),
    (lambda d: d["units"]["units"].append({"id": "contact_centre_2", "role": "contact_centre", "name": NAME}),
     "not exactly one unit in the role contact_centre"),
    (lambda d: d["units"]["units"].append({"role": "department", "name": NAME}), ".id: no id"),
    (lambda d: d["units"]["units"][2].update(role="king", calendar="mars"), "industrial_licensing.role: 'king'"),
    (lambda d: None, "industrial_licensing.calendar: 'mars' is not known; one of default, jo, sa"),
    (lambda d: d["services"][0].update({"class": "Z", "unit": "nowhere"}), "class: 'Z' is not known; one of A, B, C, D"),
    (lambda d: d["services"][1].update(documents={"ar": "ورقة"}, reviewed_on="soon"), "documents.ar: no list"),
    (lambda d: None, "reviewed_on: 'soon' is no date"),
    (lambda d: d["services"].append(d["services"][2]), "there twice"),
    (lambda d: d["branches"]["branches"][0].update(unit="branch_mars", keywords=[]), "riyadh.unit: 'branch_mars'"),
    (lambda d: d["bodies"]["bodies"][0].update(phone=1900, countries=[]), "sa_commerce.phone: 1900 is a number"),
    (lambda d: d["emergency"]["countries"]["JO"][0].update({"for": ["fire", "flood"]}), "JO[0].for: 'flood'"),
    (lambda d: None, "emergency.yml: JO: no number for other dangers"),
    (lambda d: d["promises"]["terms"]["complaint"].pop("A"), "promises.yml: terms.complaint.A: None"),
    (lambda d: d["promises"]["category"].update(mars=1), "category.mars: 'mars' is not known"),
    (lambda d: d["calendars"][0].update(zone="Mars/Olympus"), "'Mars/Olympus' is no time zone"),
    (lambda d: d["routing"]["rules"].append({"when": {"weather": "hot"}, "unit": "nowhere"}), ".when.weather: is nothing"),
    (lambda d: d["routing"]["rules"].append({"when": {"category": ["other", "mars"]}, "unit": "finance"}),
     ".when.category: 'mars'"),
    (lambda d: d["routing"]["never_to_the_one_complained_of"][0].update(unit="service_unit", hidden_from="all"),
     "never_to_the_one_complained_of[0].unit: 'service_unit'"),
    (lambda d: None, "hidden_from: 'all' is not known"),
]  # fmt: skip


def test_every_problem_at_once() -> None:
    data = copy.deepcopy(_loaded())
    for break_, _ in BREAKS:
        break_(data)
    with pytest.raises(RegisterInvalid) as caught:
        Register.parse(data)
    for _, problem in BREAKS:
        assert any(problem in line for line in caught.value.problems), problem
    assert all(line.count(": ") >= 2 and "; " in line for line in caught.value.problems), "file, key, what, fix"


def test_a_register_with_nothing_in_it_names_each_part() -> None:
    with pytest.raises(RegisterInvalid) as caught:
        Register.parse({})
    for part in taxonomy.PARTS:
        assert any(line.startswith(f"{part}.yml: {part}: missing") for line in caught.value.problems)
    with pytest.raises(RegisterInvalid, match="is no entry"):
        Register.parse({**_loaded(), "units": ["contact_centre"]})
