"""Who can write and be written to: a few invented people, and whoever is met on the way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(hours=24)


@dataclass
class Person:
    """One person on one scheme."""

    scheme: str  # whatsapp, sms, telegram
    identifier: str
    name: str = "زائر"
    language: str = "ar"
    username: str = ""
    blocked: bool = False  # our account, by hand
    stopped: bool = False  # has written STOP to a number of Twilio's
    wrote_at: datetime | None = None

    @property
    def wants_none(self) -> bool:
        return self.blocked or self.stopped

    def has_window(self, now: datetime) -> bool:
        """WhatsApp carries free text to the person: less than a day ago something came from there."""
        return self.wrote_at is not None and now - self.wrote_at < WINDOW

    def view(self) -> dict[str, object]:
        """The person as the control door shows it."""
        return {
            "scheme": self.scheme, "person": self.identifier, "name": self.name, "language": self.language,
            "blocked": self.blocked, "stopped": self.stopped,
            "wrote_at": self.wrote_at.isoformat() if self.wrote_at else None,
        }  # fmt: skip


def cast() -> dict[tuple[str, str], Person]:
    """The invented people of a fresh world, by scheme and identifier."""
    people = (
        Person("whatsapp", "+966500000001", "سارة المثال"),
        Person("whatsapp", "+966500000002", "John Example", "en"),
        Person("whatsapp", "SA.1A2B3C4D5E6F7081", "نورة", username="noura.example"),
        Person("sms", "+971500000004", "مريم"),
        Person("sms", "+966500000003", "خالد"),
        Person("telegram", "500000001", "سارة", username="sara_example"),
        Person("telegram", "500000002", "李伟", "zh"),
    )
    return {(person.scheme, person.identifier): person for person in people}
