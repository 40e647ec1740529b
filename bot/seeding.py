"""The first fill of an empty database: the register from `data/`, the holidays, and people to sign in as."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import holidays
import yaml

from bot.storage.accounts import Accounts, EmailTaken
from bot.storage.registry import RegisterRow, RegisterTable
from bot.tickets.calendar import Holiday
from bot.tickets.people import Role, Staff
from bot.tickets.taxonomy import Register

WHOLE = ("taxonomy", "routing", "emergency", "promises")
"""Files that are one row of the register; the others are a row an entry."""
LISTS = ("units", "bodies", "branches", "canned")
FOLDERS = ("services", "calendars")
ESTIMATED = "(estimated)"
CHINESE = {
    "Eid al-Fitr": "开斋节", "Eid al-Adha": "宰牲节", "Arafah": "阿拉法特日", "Founding Day": "建国日",
    "National Day": "国庆日", "Christmas": "圣诞节", "New Year's Day": "元旦", "Islamic New Year": "伊斯兰历新年",
    "Isra'": "登霄节", "Independence Day": "独立日", "Labor Day": "劳动节", "Prophet's Birthday": "圣纪节",
}  # fmt: skip

SEED_STAFF = (
    ("agent", "سارة القحطاني", Role.AGENT, "contact_centre", True),
    ("agent2", "خالد العتيبي", Role.AGENT, "industrial_licensing", False),
    ("audit", "نورة السالم", Role.AGENT, "internal_audit", False),
    ("supervisor", "منى الحربي", Role.SUPERVISOR, "contact_centre", True),
    ("manager", "عبدالله الزهراني", Role.MANAGER, None, True),
    ("oversight", "هند الشمري", Role.OVERSIGHT, None, True),
    ("admin", "فهد الدوسري", Role.ADMIN, None, False),
)


def seed(table: RegisterTable, folder: Path) -> None:
    """The register has a row of every kind; the files are read where one is missing only."""
    if {*WHOLE, *LISTS, *FOLDERS} - {row.kind for row in table.register_rows()}:
        table.seed(rows(folder))


def rows(folder: Path) -> Iterator[RegisterRow]:
    """The register's rows as the files of `data/` hold them, in the order of the menus."""
    for part in WHOLE:
        yield RegisterRow(part, part, _plain(_load(folder / f"{part}.yml")))
    for part in LISTS:
        loaded = _load(folder / f"{part}.yml")
        for n, entry in enumerate(loaded[part] if isinstance(loaded, Mapping) else loaded):
            yield RegisterRow(part, entry["id"], _plain(entry), position=n)
    for part in FOLDERS:
        for n, path in enumerate(sorted((folder / part).glob("*.yml"))):
            entry = _load(path)
            yield RegisterRow(part, entry["id"], _plain(entry), position=n)


def _load(path: Path) -> Any:
    return yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _plain(value: Any) -> Any:
    """The value with dates as text: the register is kept as JSON."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value.isoformat() if isinstance(value, date) else value


def register(table: RegisterTable, years: range) -> Register:
    """The register as the database has it; raises RegisterInvalid with all problems."""
    data: dict[str, Any] = {}
    for row in table.register_rows():
        if not row.active:
            continue
        if row.kind in WHOLE:
            data[row.kind] = row.data
        else:
            data.setdefault(row.kind, []).append(row.data)
    known = {c["id"]: public_holidays(c["country"], years) for c in data.get("calendars", [])}
    return Register.parse(data, known)


def public_holidays(country: str, years: range) -> dict[date, Holiday]:
    """The public holidays of a country; those that wait for the moon are marked as estimated."""
    arabic = holidays.country_holidays(country, years=years, language="ar")
    english = holidays.country_holidays(country, years=years, language="en_US")
    return {
        day: Holiday(
            {"ar": _bare(arabic[day]), "en": _bare(english[day]), "zh": _in_chinese(english[day])},
            ESTIMATED in english[day],
        )
        for day in sorted(arabic)
    }


def _bare(name: str) -> str:
    """The name without what the package adds to it: that it is estimated is said elsewhere."""
    parts = (re.sub(r"\s*\((estimated|تقديري|observed|يوم تعويضي)\)", "", part).strip() for part in name.split(";"))
    return " / ".join(part for part in parts if part)


def _in_chinese(name: str) -> str:
    """The package has no Chinese: the days of both countries by what stands in their English names."""
    return " / ".join(
        next((chinese for english, chinese in CHINESE.items() if english in part), part.strip())
        for part in _bare(name).split(" / ")
    )


def staff(accounts: Accounts, password_hash: str, at: datetime) -> bool:
    """People of every role to sign in as, for a development start; False where there are people already."""
    if accounts.all_staff():
        return False
    for name, shown, role, unit, sees_all in SEED_STAFF:
        person = Staff(f"s-{name}", f"{name}@example.test", shown, role, unit, sees_all)
        try:
            accounts.create_staff(person, password_hash, at)
        except EmailTaken:
            continue
    return True
