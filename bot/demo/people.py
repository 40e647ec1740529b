"""Who lives in the made-up month: clerks of the units that the development seed leaves empty, and people who write."""

from __future__ import annotations

from datetime import datetime
from random import Random

from bot import seeding
from bot.storage.accounts import Accounts
from bot.tickets.people import Role, Staff
from channels.contract import Address

CLERKS = (
    ("mining", "ماجد الرشود", "mining_licensing"),
    ("chemicals", "ريم الخثلان", "chemicals_and_permits"),
    ("customs", "تركي الصبحي", "customs_exemption"),
    ("enablement", "لينا عطار", "industrial_enablement"),
    ("exports", "يوسف منصور", "exports_and_products"),
    ("standards", "أمل باوزير", "standards_and_environment"),
    ("inspection", "سعد المطرود", "inspection"),
    ("investors", "زياد قاسم", "investor_relations"),
    ("digital", "هيا الفوزان", "digital_services"),
    ("finance", "باسم حمدان", "finance"),
    ("legal", "نجلاء الأمين", "legal_affairs"),
    ("care", "عبير الصالح", "beneficiary_care"),
)
"""Invented. Nobody signs in as one of them: they have no password."""
SCHEMES = {"web": 42, "whatsapp": 38, "telegram": 12, "sms": 8}
_NUMBERS = 447_700_900_000
"""The first of a thousand mobile numbers that Ofcom gives to nobody, for films and books."""
_TELEGRAM = 9_996_600_000
"""Ids of Telegram's test accounts."""


class Crowd:
    """Addresses that are nobody's, each given once; and who works in which unit."""

    def __init__(self, chance: Random, senders: dict[str, str]) -> None:
        """`senders` are our own numbers, by scheme."""
        self._chance, self._senders = chance, senders
        self._left = chance.sample(range(1000), 1000)
        seeded = [
            Staff(f"s-{id}", f"{id}@example.test", name, role, unit, sees_all)
            for id, name, role, unit, sees_all in seeding.SEED_STAFF
        ]
        self._clerks = {each.unit: each for each in reversed(seeded) if each.role is Role.AGENT}
        self._clerks |= {each.unit: each for each in clerks()}
        self.supervisor = next(each for each in seeded if each.role is Role.SUPERVISOR)

    def clerk(self, unit: str) -> Staff:
        """Who answers for this unit; the contact centre's agent where nobody does."""
        return self._clerks.get(unit) or self._clerks["contact_centre"]

    def address(self) -> Address:
        """Somebody new."""
        scheme = self._chance.choices(list(SCHEMES), list(SCHEMES.values()))[0]
        n = self._left.pop()
        if scheme == "web":
            return Address("web", f"demo-{self._chance.getrandbits(96):024x}")
        if scheme == "telegram":
            return Address(scheme, str(_TELEGRAM + n), self._senders.get(scheme, ""))
        return Address(scheme, f"+{_NUMBERS + n}", self._senders.get(scheme, ""))


def clerks() -> list[Staff]:
    return [Staff(f"s-{id}", f"{id}@example.test", name, Role.AGENT, unit) for id, name, unit in CLERKS]


def hire(accounts: Accounts, at: datetime) -> None:
    """The clerks are on the list of staff."""
    for each in clerks():
        if accounts.staff(each.id) is None:
            accounts.create_staff(each, "", at)
