"""What the house asks Twilio to send, read from the form of the request, and whether Twilio takes it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from channels.lengths import units
from channels.simulator.message import Message
from channels.simulator.world import World

CHARACTERS = 1_600
_NUMBER = re.compile(r"\+[1-9][0-9]{7,14}")
_USER = re.compile(r"[A-Z]{2}\.[A-Za-z0-9]{1,128}")
_CONTENT = re.compile(r"HX[0-9a-fA-F]{32}")


@dataclass(frozen=True)
class Order:
    """One request to send."""

    form: Mapping[str, str]
    scheme: str
    person: str

    def problem(self, world: World) -> int:
        """The code of the error that Twilio refuses it with; 0 where it takes it."""
        return self._addressing(world) or self._content() or self._consent(world)

    def message(self, world: World) -> Message:
        """The message as Twilio has it now, kept in the world."""
        service = self.form.get("MessagingServiceSid", "")
        sender = self.form.get("From") or channel(self.scheme, world.own_number(self.scheme))
        return world.keep(
            Message(
                world.sid("SM"), self.scheme, self.person, True, self._text(), world.clock(),
                "accepted" if service else "queued", sender=sender, service=service,
                callback=self.form.get("StatusCallback", ""), content_sid=self.form.get("ContentSid", ""),
                variables=self._variables() or {},
            )
        )  # fmt: skip

    def _addressing(self, world: World) -> int:
        to, sender, service = (self.form.get(name, "") for name in ("To", "From", "MessagingServiceSid"))
        if not to:
            return 21604
        if not sender and not service:
            return 21603
        if not (_NUMBER.fullmatch(self.person) or (self.scheme == "whatsapp" and _USER.fullmatch(self.person))):
            return 21211
        if service:
            return 0 if service == world.sender(self.scheme) else 21705
        if split(sender)[0] != self.scheme:
            return 21910
        if split(sender)[1] != world.sender(self.scheme):
            return 63007 if self.scheme == "whatsapp" else 21606
        return 0

    def _content(self) -> int:
        body, content = self.form.get("Body", ""), self.form.get("ContentSid", "")
        if content and not _CONTENT.fullmatch(content):
            return 21655
        if self._variables() is None:
            return 21656
        if not content and not body.strip():
            return 21619
        if units(body) > CHARACTERS:
            return 21617
        callback = self.form.get("StatusCallback", "")
        return 0 if not callback or re.match(r"https?://[^/]", callback) else 21609

    def _consent(self, world: World) -> int:
        return 21610 if world.person(self.scheme, self.person).wants_none else 0

    def _variables(self) -> dict[str, str] | None:
        """What fills in the template; None for what is no JSON object of texts."""
        try:
            given = json.loads(self.form.get("ContentVariables") or "{}")
        except ValueError:
            return None
        fits = isinstance(given, dict) and all(isinstance(value, str) for value in given.values())
        return given if fits else None

    def _text(self) -> str:
        """The text; of a template its id and what fills it in, since its words lie at WhatsApp alone."""
        content = self.form.get("ContentSid", "")
        if not content:
            return self.form.get("Body", "")
        return f"[{content}] {' · '.join((self._variables() or {}).values())}".rstrip()


def read(body: bytes) -> Order:
    """The order that a form is. Bytes that are not UTF-8 are U+FFFD."""
    form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, errors="replace"))
    return Order(form, *split(form.get("To", "")))


def split(address: str) -> tuple[str, str]:
    """Scheme and identifier of an address as Twilio writes it: `whatsapp:+966…`, `+966…`."""
    prefix, colon, identifier = address.partition(":")
    return (prefix, identifier) if colon else ("sms", address)


def channel(scheme: str, identifier: str) -> str:
    """The address as Twilio writes it."""
    return f"whatsapp:{identifier}" if scheme == "whatsapp" else identifier
