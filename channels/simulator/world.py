"""What the local provider knows: people, messages both ways in their order, files, faults, counts. In memory alone."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from channels.simulator.faults import Faults
from channels.simulator.message import File, Message
from channels.simulator.people import Person, cast
from channels.simulator.unplayable import Unplayable

POOL = "+15005550099"
"""The number that a Messaging Service of this world sends from."""
SCHEMES = ("whatsapp", "sms", "telegram")


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class World:
    """One account at Twilio, one bot at Telegram, and the people around them. Belongs to one event loop."""

    account_sid: str
    auth_token: str
    bot_token: str
    secret_token: str  # until the bot sets a webhook with another one
    whatsapp_from: str
    sms_from: str
    house: str  # base address of the house, as it knows itself: signatures are over it
    prefix: str = ""  # what the application is mounted under
    clock: Callable[[], datetime] = _now
    pace: float = 0.05  # seconds from one step of a delivery to the next
    patience: float = 1.0  # what the waits between Telegram's tries are multiplied by
    faults: Faults = field(default_factory=Faults)
    people: dict[tuple[str, str], Person] = field(default_factory=cast)
    messages: list[Message] = field(default_factory=list)
    posted: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # to the webhooks, by message or update id
    outcomes: Counter[str] = field(default_factory=Counter)  # of sends: HTTP status, cut or lost
    queries: dict[str, bool] = field(default_factory=dict)  # pressed buttons at Telegram: answered or not
    webhook: tuple[str, str] | None = None  # address and secret that the bot has set

    def __post_init__(self) -> None:
        self.house = self.house.rstrip("/")
        self.whatsapp_from = self.whatsapp_from.removeprefix("whatsapp:")
        self._messages: dict[str, Message] = {}
        self._files: dict[str, File] = {}
        self._conversations: dict[tuple[str, str], list[Message]] = {}
        self._accepted: Counter[tuple[str, str, str]] = Counter()
        self._numbers, self._updates = itertools.count(1), itertools.count(700_000_001)

    # people

    def is_known(self, scheme: str, identifier: str) -> bool:
        return (scheme, identifier) in self.people

    def person(self, scheme: str, identifier: str) -> Person:
        """The person of this address, known from now on. Raises Unplayable for an address that nobody can have."""
        if scheme not in SCHEMES or not identifier or (scheme == "telegram" and not _is_number(identifier)):
            raise Unplayable("no such scheme" if scheme not in SCHEMES else "no such person")
        return self.people.setdefault((scheme, identifier), Person(scheme, identifier))

    # senders

    def sender(self, scheme: str) -> str:
        """Who we are at Twilio in this scheme: a number, a name, or a Messaging Service."""
        return self.whatsapp_from if scheme == "whatsapp" else self.sms_from

    def own_number(self, scheme: str) -> str:
        """The number or name that people see."""
        sender = self.sender(scheme)
        return POOL if sender.startswith("MG") else sender

    def telegram_hook(self) -> tuple[str, str]:
        """Where updates go, and the secret that goes with them."""
        return self.webhook or (f"{self.house}/webhooks/telegram", self.secret_token)

    # messages

    def keep(self, message: Message) -> Message:
        """The message is the last of all, can be found by its id, and its files by theirs."""
        self.messages.append(message)
        message.number = len(self.messages)
        self._messages[message.id] = message
        self._files |= {file.id: file for file in message.files}
        self._conversations.setdefault((message.scheme, message.person), []).append(message)
        if message.outgoing and not message.own:
            self._accepted[message.scheme, message.person, message.text] += 1
        return message

    def find(self, message_id: str) -> Message | None:
        return self._messages.get(message_id)

    def file(self, file_id: str) -> File | None:
        return self._files.get(file_id)

    def conversation(self, scheme: str, person: str) -> list[Message]:
        """What went to and fro with a person, in order."""
        return self._conversations.get((scheme, person), [])

    def chosen(self, scheme: str = "", person: str = "", after: int = 0) -> list[Message]:
        """Messages after a number, in order, of one scheme and person ("": of any)."""
        among = self.conversation(scheme, person) if scheme and person else self.messages
        return [
            message
            for message in among
            if message.number > after and scheme in ("", message.scheme) and person in ("", message.person)
        ]

    def counts(self) -> dict[str, Any]:
        """What was accepted of the house, how often each, and how sends ended."""
        each = [
            {"scheme": scheme, "person": person, "body": body, "accepted": times}
            for (scheme, person, body), times in self._accepted.items()
        ]
        return {
            "accepted": self._accepted.total(),
            "doubled": self._accepted.total() - len(self._accepted),
            "unanswered": sum(not message.answered for message in self.messages),
            "outcomes": dict(self.outcomes),
            "messages": each,
        }

    # ids

    def sid(self, kind: str) -> str:
        """A new id as Twilio makes them: SM…, MM…, ME…"""
        return f"{kind}{uuid4().hex}"

    def telegram_number(self) -> int:
        """A new number of a message at Telegram."""
        return next(self._numbers)

    def update_number(self) -> int:
        """A new number of an update."""
        return next(self._updates)


def _is_number(identifier: str) -> bool:
    return identifier.isascii() and identifier.removeprefix("-").isdigit() and len(identifier) <= 20
