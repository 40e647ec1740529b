"""The register: kinds, categories, services, units, branches, other bodies, emergency numbers, terms and calendars.

Data that a clerk may change. It is read from plain dicts, all of its mistakes are told at once, and it is never changed
after that: a new version is a new Register.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

from bot.tickets import calendar as calendars_
from bot.tickets.calendar import Holiday, WorkingCalendar
from bot.tickets.problems import Problems, RegisterInvalid
from bot.tickets.promise import CLASSES, Policy
from bot.tickets.ticket import FLAGS, KINDS, Route

Names = Mapping[str, str]
"""One text in every language: ar, en, zh."""
Row = Mapping[str, Any]

CONTACT_CENTRE, INTERNAL_AUDIT, DEPARTMENT, BRANCH = "contact_centre", "internal_audit", "department", "branch"
UNIT_ROLES = (CONTACT_CENTRE, INTERNAL_AUDIT, DEPARTMENT, BRANCH)
DANGERS = ("fire", "gas", "injury", "self_harm", "other")
ANY, SERVICE_UNIT = "any", "service_unit"
NAMED_UNIT, SERVICE_AND_NAMED_UNIT = "named_unit", "service_unit_and_named_unit"
LANGUAGES = ("ar", "en", "zh")
PLACEHOLDERS = ("ref", "unit", "due", "service", "clerk")
"""What a canned answer may have filled in: of the ticket, and who writes."""
PARTS = (
    "taxonomy", "units", "branches", "services", "routing", "bodies", "emergency", "promises", "calendars",
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    id: str
    name: Names
    hint: Names


@dataclass(frozen=True)
class Subcategory:
    id: str
    category: str
    name: Names


@dataclass(frozen=True)
class Category:
    id: str
    name: Names
    hint: Names
    subcategories: tuple[Subcategory, ...] = ()


@dataclass(frozen=True)
class Unit:
    """Who answers. `calendar` is an id, or `default`: that of the country the desk is set up for."""

    id: str
    name: Names
    role: str
    calendar: str = "default"
    keywords: tuple[str, ...] = ()  # folded phrases that name it: who is complained of in them must not see it

    @property
    def needs_to_know(self) -> bool:
        """True where only its own people read what it works on."""
        return self.role == INTERNAL_AUDIT


@dataclass(frozen=True)
class Branch:
    """A place that people visit; `keywords` are folded phrases that name it."""

    id: str
    country: str
    city: Names
    name: Names
    unit: str
    keywords: tuple[str, ...]


@dataclass(frozen=True)
class Service:
    """What the ministry offers, and what a person asks about it."""

    id: str
    service_class: str  # A is of the highest impact
    unit: str
    name: Names
    summary: Names
    synonyms: Mapping[str, tuple[str, ...]]
    documents: Mapping[str, tuple[str, ...]]
    conditions: Mapping[str, tuple[str, ...]]
    steps: Mapping[str, tuple[str, ...]]
    fee: Names
    duration: Names
    hours: Names  # empty: office hours
    channels: tuple[str, ...]
    url: str | None
    owner: str
    reviewed_on: date | None
    fee_amount: float | None = None
    fee_currency: str = ""
    working_days: int | None = None


@dataclass(frozen=True)
class Body:
    """Whose business it is when it is not ours."""

    id: str
    countries: tuple[str, ...]
    name: Names
    phone: str | None
    about: Names
    keywords: tuple[str, ...]


@dataclass(frozen=True)
class Emergency:
    """A number that is told before anything else; `dangers` empty: known, but not offered."""

    number: str
    dangers: tuple[str, ...]
    name: Names


@dataclass(frozen=True)
class Canned:
    """An answer that is written already; `kinds` empty: for every kind. PLACEHOLDERS in it are filled in for a ticket."""

    id: str
    kinds: tuple[str, ...]
    name: Names
    text: Names


@dataclass(frozen=True)
class Rule:
    """A row of routing.yml: where every word of `when` fits, the unit; and who must not see the ticket."""

    unit: str
    when: Mapping[str, frozenset[str]]
    names_branch: bool = False
    hidden_from: str = ""
    also_hidden_from: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Register:
    """All of it, in the order of the files: the order of the menus."""

    kinds: Mapping[str, Kind]
    categories: Mapping[str, Category]
    subcategories: Mapping[str, Subcategory]
    flags: Mapping[str, Names]
    units: Mapping[str, Unit]
    branches: Mapping[str, Branch]
    services: Mapping[str, Service]
    guarded: tuple[Rule, ...]  # never to the one complained of: read before `rules`
    rules: tuple[Rule, ...]
    bodies: Mapping[str, Body]
    emergencies: Mapping[str, tuple[Emergency, ...]]  # by country
    policy: Policy
    calendars: Mapping[str, WorkingCalendar]
    canned: Mapping[str, Canned] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: Mapping[str, Any], holidays: Mapping[str, Mapping[date, Holiday]] | None = None) -> Register:
        """The register of `data`: by file name, what each file holds (or the bare list in it).

        `holidays` by calendar id are added to those that the calendars list themselves.
        Raises RegisterInvalid with every problem at once.
        """
        found = Problems()
        for part in PARTS:
            if not data.get(part):
                found.add(f"{part}.yml", part, "missing", "load it, see data/README.md")
        register = _Reader(data, holidays or {}, found).register()
        found.stop()
        return register

    # Look-ups.

    def name(self, sort: str, id: str | None, language: str) -> str:
        """The name of a kind, category, subcategory, service, unit, branch, body or flag.

        The id itself where the register no longer knows it: an old ticket is still shown.
        """
        if not id:
            return ""
        known: Mapping[str, Mapping[str, Any]] = {
            "kind": self.kinds, "category": self.categories, "subcategory": self.subcategories,
            "service": self.services, "unit": self.units, "branch": self.branches, "body": self.bodies,
        }  # fmt: skip
        names = self.flags.get(id) if sort == "flag" else getattr(known[sort].get(id), "name", None)
        return in_language(names, language) or id

    def service(self, id: str | None) -> Service | None:
        return self.services.get(id) if id else None

    def unit(self, id: str) -> Unit | None:
        return self.units.get(id)

    def card(self, part: str, service: str, language: str) -> str:
        """One part of a service's card as text: lists a line an entry; empty where the register has nothing.

        `part` is about, documents, conditions, steps, fee, duration, hours, or reviewed: an ISO date.
        """
        known = self.services.get(service)
        if known is None:
            return ""
        if part == "reviewed":
            return known.reviewed_on.isoformat() if known.reviewed_on else ""
        if part in ("documents", "conditions", "steps"):
            lists: Mapping[str, tuple[str, ...]] = getattr(known, part)
            entries = next((lists[x] for x in (language, "en", "ar") if lists.get(x)), ())
            marks = (f"{n}." for n in range(1, len(entries) + 1)) if part == "steps" else ("•" for _ in entries)
            return "\n".join(f"{mark} {entry}" for mark, entry in zip(marks, entries, strict=True))
        texts: Mapping[str, Names] = {
            "about": known.summary, "fee": known.fee, "duration": known.duration, "hours": known.hours,
        }  # fmt: skip
        return in_language(texts.get(part), language)

    def service_class(self, service: str | None) -> str:
        """The class that a promise goes by; an unknown service has the policy's."""
        known = self.service(service)
        return known.service_class if known else self.policy.unknown_service_class

    def route_of_unit(self, unit: str) -> Route:
        """The route of a transfer: the unit that a person chose, and how that unit works. KeyError for an unknown one."""
        return Route(unit, frozenset(), self.units[unit].needs_to_know)

    @property
    def contact_centre(self) -> str:
        return self._in_role(CONTACT_CENTRE)

    @property
    def internal_audit(self) -> str:
        return self._in_role(INTERNAL_AUDIT)

    def _in_role(self, role: str) -> str:
        return next(u.id for u in self.units.values() if u.role == role)

    def branches_named(self, text_folded: str) -> list[Branch]:
        """The branches that the folded text names, in the register's order."""
        return [b for b in self.branches.values() if mentioned(text_folded, b.keywords)]

    def units_named(self, text_folded: str) -> list[Unit]:
        """The units that the folded text names, in the register's order."""
        return [u for u in self.units.values() if mentioned(text_folded, u.keywords)]

    def body_for(self, text_folded: str, country: str) -> Body | None:
        """The other body of that country whose keyword stands in the folded text; the longest keyword wins."""
        found = [
            (len(keyword), body)
            for body in self.bodies.values()
            if country in body.countries and (keyword := mentioned(text_folded, body.keywords))
        ]
        return max(found, key=lambda pair: pair[0])[1] if found else None

    def emergency(self, country: str, danger: str = "other") -> Emergency | None:
        """The one number for that danger in that country; the general one where the danger has none of its own."""
        numbers = self.emergencies.get(country, ())
        return next((e for wanted in (danger, "other") for e in numbers if wanted in e.dangers), None)

    def calendar_of(self, unit: str, country: str) -> WorkingCalendar:
        """The hours of a unit; a unit without a calendar of its own keeps those of the desk's country."""
        known = self.units.get(unit)
        if known and known.calendar in self.calendars:
            return self.calendars[known.calendar]
        return next((c for c in self.calendars.values() if c.country == country), next(iter(self.calendars.values())))


def in_language(names: Names | None, language: str) -> str:
    """The text in that language, else in English, else in Arabic; empty where there is none."""
    return next((names[x] for x in (language, "en", "ar") if names.get(x)), "") if names else ""


def mentioned(text_folded: str, keywords: Iterable[str]) -> str | None:
    """The longest of the folded keywords that stands in the folded text as whole words; None where none does.

    Arabic's joined particles (و ف ب ل ك, and لل for ل + ال) do not hide a word; Chinese has no spaces to look for.
    """
    found = [k for k in keywords if all(part in text_folded for part in _parts(k)) and _pattern(k).search(text_folded)]
    return max(found, key=len, default=None)


@lru_cache(maxsize=4096)
def _parts(keyword: str) -> tuple[str, ...]:
    """What certainly stands in a text that the pattern matches: quicker to look for."""
    return tuple(keyword.removeprefix("ال").split())


@lru_cache(maxsize=4096)
def _pattern(keyword: str) -> re.Pattern[str]:
    phrase = r"\s+".join(re.escape(part) for part in keyword.split())
    if re.search(r"[\u3400-\u9fff]", keyword):
        return re.compile(phrase)
    if not re.match(r"[\u0600-\u06ff]", keyword):
        return re.compile(rf"(?<!\w){phrase}(?!\w)")
    joined = rf"(?:{phrase}|لل{phrase[2:]})" if keyword.startswith("ال") else phrase
    return re.compile(rf"(?<!\w)[وف]?[بلك]?{joined}(?!\w)")


# Reading.


@dataclass
class _Reader:
    """Reads one part after the other; what a part refers to has been read before it."""

    data: Mapping[str, Any]
    holidays: Mapping[str, Mapping[date, Holiday]]
    found: Problems
    units: dict[str, Unit] = field(default_factory=dict)
    calendars: dict[str, WorkingCalendar] = field(default_factory=dict)

    def register(self) -> Register:
        policy = Policy.parse(_mapping(self.data.get("promises")), self.found)
        self.calendars = {
            str(row.get("id")): calendars_.parse(row, self.holidays.get(str(row.get("id"))), self.found)
            for row in self._rows("calendars", "calendars")
        }
        kinds = self._read("taxonomy", "kinds", self._kind)
        categories = self._read("taxonomy", "categories", self._category)
        flags = self._read("taxonomy", "flags", self._flag)
        self._complete("kinds", kinds, KINDS)
        self._complete("flags", flags, FLAGS)
        for category in policy.category:
            self.found.one_of("promises.yml", f"category.{category}", category, categories)
        self.units = self._read("units", "units", self._unit)
        for role in (CONTACT_CENTRE, INTERNAL_AUDIT):
            if sum(u.role == role for u in self.units.values()) != 1:
                self.found.add(
                    "units.yml", "units", f"not exactly one unit in the role {role}", "give one unit that role"
                )
        subcategories: dict[str, Subcategory] = {}
        for category_ in categories.values():
            for sub in category_.subcategories:
                if sub.id in subcategories:
                    self.found.add("taxonomy.yml", sub.id, "there twice", "give each subcategory an id of its own")
                subcategories[sub.id] = sub
        services = self._read("services", "services", self._service)
        known = {"kind": set(kinds), "category": set(categories), "subcategory": set(subcategories)}
        known["service"] = {*services, ANY}
        return Register(
            kinds=kinds,
            categories=categories,
            subcategories=subcategories,
            flags=flags,
            units=self.units,
            branches=self._read("branches", "branches", self._branch),
            services=services,
            guarded=self._rules("never_to_the_one_complained_of", known),
            rules=self._rules("rules", known),
            bodies=self._read("bodies", "bodies", self._body),
            emergencies=self._emergencies(),
            policy=policy,
            calendars=self.calendars,
            canned=self._read("canned", "canned", self._canned),
        )

    # Shapes.

    def _rows(self, part: str, key: str) -> list[Row]:
        """The rows of a part: a bare list, a list under `key`, or a mapping by id."""
        given = self.data.get(part)
        if isinstance(given, Mapping):
            given = given[key] if key in given else [r for k, r in given.items() if k != "version"]
        rows = given if isinstance(given, list | tuple) else []
        for i, row in enumerate(rows):
            if not isinstance(row, Mapping):
                self.found.add(f"{part}.yml", f"{key}[{i}]", f"{row!r} is no entry", "write {id: …, name: …}")
        return [row for row in rows if isinstance(row, Mapping)]

    def _read[T](self, part: str, key: str, make: Callable[[str, str, Row], T]) -> dict[str, T]:
        """Every row of a part made into what it is, by id; a problem for a row without an id or with one taken."""
        read: dict[str, T] = {}
        for i, row in enumerate(self._rows(part, key)):
            id, file = row.get("id"), f"{part}.yml"
            if not isinstance(id, str) or not id:
                self.found.add(file, f"{key}[{i}].id", "no id", "write id: a_name_in_latin_letters")
                continue
            if part == "services":
                file = f"services/{id}.yml"
            if id in read:
                self.found.add(file, id, "there twice", "give each an id of its own")
            read[id] = make(file, id, row)
        return read

    def _complete(self, key: str, given: Iterable[str], wanted: Iterable[str]) -> None:
        for id in wanted:
            if id not in given:
                self.found.add("taxonomy.yml", f"{key}.{id}", "missing", f"add it to {key}")
        for id in given:
            if id not in tuple(wanted):
                self.found.add("taxonomy.yml", f"{key}.{id}", "unknown to the code", f"one of {', '.join(wanted)}")

    def _lists(self, file: str, key: str, value: object) -> dict[str, tuple[str, ...]]:
        """Lists of texts by language. A problem where one is no list."""
        lists = {}
        for language, texts in _mapping(value).items():
            if not isinstance(texts, list | tuple):
                self.found.add(file, f"{key}.{language}", "no list", f"write {key}: {{{language}: [one, two]}}")
            else:
                lists[str(language)] = tuple(str(t) for t in texts)
        return lists

    # Rows.

    def _kind(self, file: str, id: str, row: Row) -> Kind:
        return Kind(id, self.found.names(file, f"{id}.name", row.get("name")), _texts(row.get("hint")))

    def _flag(self, file: str, id: str, row: Row) -> Names:
        return self.found.names(file, f"{id}.name", row.get("name"), ("ar", "en"))

    def _category(self, file: str, id: str, row: Row) -> Category:
        subcategories = []
        for i, sub in enumerate(row.get("subcategories") or ()):
            name = f"{id}.{_mapping(sub).get('id', i)}"
            if not _mapping(sub).get("id"):
                self.found.add(file, name, "no id", "write id: a_name_in_latin_letters")
                continue
            names = self.found.names(file, f"{name}.name", sub.get("name"))
            subcategories.append(Subcategory(str(sub["id"]), id, names))
        names = self.found.names(file, f"{id}.name", row.get("name"))
        return Category(id, names, _texts(row.get("hint")), tuple(subcategories))

    def _unit(self, file: str, id: str, row: Row) -> Unit:
        return Unit(
            id,
            self.found.names(file, f"{id}.name", row.get("name")),
            self.found.one_of(file, f"{id}.role", row.get("role"), UNIT_ROLES),
            self.found.one_of(file, f"{id}.calendar", row.get("calendar", "default"), ("default", *self.calendars)),
            tuple(str(k) for k in row.get("keywords") or ()),
        )

    def _branch(self, file: str, id: str, row: Row) -> Branch:
        keywords = tuple(str(k) for k in row.get("keywords") or ())
        if not keywords:
            self.found.add(file, f"{id}.keywords", "none", "write what names the branch: [فرع جده, jeddah branch]")
        return Branch(
            id,
            str(row.get("country", "")),
            self.found.names(file, f"{id}.city", row.get("city")),
            self.found.names(file, f"{id}.name", row.get("name")),
            self.found.one_of(file, f"{id}.unit", row.get("unit"), self.units),
            keywords,
        )

    def _service(self, file: str, id: str, row: Row) -> Service:
        fee, duration = _mapping(row.get("fee")), _mapping(row.get("duration"))
        reviewed = row.get("reviewed_on")
        try:
            reviewed_on = reviewed if isinstance(reviewed, date) else date.fromisoformat(str(reviewed))
        except ValueError:
            reviewed_on = None
            self.found.add(file, "reviewed_on", f"{reviewed!r} is no date", "write reviewed_on: 2026-10-01")
        url = row.get("url")
        return Service(
            id=id,
            service_class=self.found.one_of(file, "class", row.get("class"), CLASSES),
            unit=self.found.one_of(file, "unit", row.get("unit"), self.units),
            name=self.found.names(file, "name", row.get("name")),
            summary=self.found.names(file, "summary", row.get("summary")),
            synonyms=self._lists(file, "synonyms", row.get("synonyms")),
            documents=self._lists(file, "documents", row.get("documents")),
            conditions=self._lists(file, "conditions", row.get("conditions")),
            steps=self._lists(file, "steps", row.get("steps")),
            fee=self.found.names(file, "fee.text", fee.get("text")),
            duration=self.found.names(file, "duration.text", duration.get("text")),
            hours=_texts(row.get("hours")),
            channels=tuple(str(c) for c in row.get("channels") or ()),
            url=str(url) if url else None,
            owner=self.found.one_of(file, "owner", row.get("owner"), self.units),
            reviewed_on=reviewed_on,
            fee_amount=fee.get("amount"),
            fee_currency=str(fee.get("currency") or ""),
            working_days=duration.get("working_days"),
        )

    def _body(self, file: str, id: str, row: Row) -> Body:
        phone = row.get("phone")
        if phone is not None and not isinstance(phone, str):
            self.found.add(file, f"{id}.phone", f"{phone!r} is a number", f'write phone: "{phone}"')
        countries = row.get("countries") or ()
        if not countries:
            self.found.add(file, f"{id}.countries", "none", "write countries: [SA]")
        return Body(
            id,
            tuple(str(c) for c in countries),
            self.found.names(file, f"{id}.name", row.get("name")),
            str(phone) if phone else None,
            self.found.names(file, f"{id}.about", row.get("about")),
            tuple(str(k) for k in row.get("keywords") or ()),
        )

    def _canned(self, file: str, id: str, row: Row) -> Canned:
        text = self.found.names(file, f"{id}.text", row.get("text"))
        for language, words in text.items():
            for name in sorted(set(re.findall(r"\{(\w*)\}", words)) - set(PLACEHOLDERS)):
                fix = f"one of {', '.join(PLACEHOLDERS)}"
                self.found.add(file, f"{id}.text.{language}", f"{{{name}}} is nothing that is filled in", fix)
        kinds = tuple(self.found.one_of(file, f"{id}.kinds", str(kind), KINDS) for kind in row.get("kinds") or ())
        return Canned(id, kinds, self.found.names(file, f"{id}.name", row.get("name"), ("ar", "en")), text)

    def _emergencies(self) -> dict[str, tuple[Emergency, ...]]:
        given = _mapping(self.data.get("emergency"))
        countries = _mapping(given.get("countries", {k: v for k, v in given.items() if k != "version"}))
        read = {str(country): tuple(self._emergency(str(country), rows)) for country, rows in countries.items()}
        for country, numbers in read.items():
            if not any("other" in e.dangers for e in numbers):
                self.found.add(
                    "emergency.yml", country, "no number for other dangers", "write for: [other] at one number"
                )
        return read

    def _emergency(self, country: str, rows: object) -> Iterable[Emergency]:
        for i, row in enumerate(rows if isinstance(rows, list | tuple) else []):
            given, key = _mapping(row), f"{country}[{i}]"
            number = given.get("number")
            if not isinstance(number, str) or not number:
                self.found.add("emergency.yml", f"{key}.number", f"{number!r} is no text", 'write number: "911"')
            dangers = tuple(str(d) for d in given.get("for") or ())
            for danger in dangers:
                self.found.one_of("emergency.yml", f"{key}.for", danger, DANGERS)
            yield Emergency(str(number), dangers, self.found.names("emergency.yml", f"{key}.name", given.get("name")))

    def _rules(self, key: str, known: Mapping[str, set[str]]) -> tuple[Rule, ...]:
        given = self.data.get("routing")
        rows = given.get(key) if isinstance(given, Mapping) else given if key == "rules" else ()
        return tuple(
            self._rule(f"{key}[{i}]", _mapping(row), known, guarding=key != "rules") for i, row in enumerate(rows or ())
        )

    def _rule(self, where: str, row: Row, known: Mapping[str, set[str]], *, guarding: bool) -> Rule:
        file, when = "routing.yml", dict(_mapping(row.get("when")))
        names_branch = bool(when.pop("names_branch", False))
        words: dict[str, frozenset[str]] = {}
        for word, value in when.items():
            if word not in known:
                fix = f"one of {', '.join(known)}, names_branch"
                self.found.add(file, f"{where}.when.{word}", "is nothing that a rule looks at", fix)
                continue
            ids = [str(v) for v in (value if isinstance(value, list | tuple) else [value])]
            words[word] = frozenset(self.found.one_of(file, f"{where}.when.{word}", id, known[word]) for id in ids)
        hidden = str(row.get("hidden_from", ""))
        if hidden:
            self.found.one_of(file, f"{where}.hidden_from", hidden, (NAMED_UNIT, SERVICE_AND_NAMED_UNIT))
        also = frozenset(
            self.found.one_of(file, f"{where}.also_hidden_from", unit, self.units)
            for unit in row.get("also_hidden_from") or ()
        )
        units = set(self.units) if guarding else {*self.units, SERVICE_UNIT}
        unit = self.found.one_of(file, f"{where}.unit", row.get("unit"), units)
        return Rule(unit, words, names_branch, hidden, also)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: object) -> Names:
    return {str(k): str(v) for k, v in _mapping(value).items()}


__all__ = [
    "PLACEHOLDERS", "Body", "Branch", "Canned", "Category", "Emergency", "Kind", "Register", "RegisterInvalid", "Rule",
    "Service", "Subcategory", "Unit", "in_language", "mentioned",
]  # fmt: skip
