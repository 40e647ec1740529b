"""A message as Twilio's API takes it, and finding it again in its list."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from channels.contract import Outgoing, Receipt

SKEW = timedelta(seconds=5)
TRIAL = "Sent from your Twilio trial account - "
_SERVICE = re.compile("MG[0-9a-fA-F]{32}")
_UNEVEN = re.compile("[ \t\r\n]{2,}|[\t\r\n]")


@dataclass(frozen=True)
class Sender:
    """Who sends in one scheme: a number, an alphanumeric name, or a Messaging Service that chooses one."""

    scheme: str
    name: str

    @property
    def is_service(self) -> bool:
        return bool(_SERVICE.fullmatch(self.name))

    @property
    def can_be_answered(self) -> bool:
        """An answer can reach it: nobody can write to a name."""
        return self.is_service or self.name.removeprefix("+").isdigit()

    def parameters(self, message: Outgoing, callback: str) -> dict[str, str]:
        """The arguments of the SDK's `messages.create` for a message; `callback` "": nobody is told what becomes of it.

        A template is named by its id and variables, without a text: a text beside it fails outside the 24 hours.
        """
        given = {"to": self.channel(message.address.identifier)}
        given |= {"messaging_service_sid": self.name} if self.is_service else {"from_": self.channel(self.name)}
        if message.template is None:
            given["body"] = message.text
        else:
            given["content_sid"] = message.template.content
            if message.template.variables:
                given["content_variables"] = self._variables(message.template.variables)
        return given | ({"status_callback": callback} if callback else {})

    def listed(self, message: Outgoing) -> dict[str, str]:
        """The arguments of the SDK's `messages.page` that list what the person of a message was sent from here.

        No date: Twilio filters by the date of sending, which a message that still waits in its queue does not have.
        """
        given = {"to": self.channel(message.address.identifier)}
        return given if self.is_service else given | {"from_": self.channel(self.name)}

    def found(
        self, message: Outgoing, since: datetime, known: Collection[str], entries: Iterable[Any]
    ) -> Receipt | None:
        """The receipt of the message among entries of that list: the first that was made since then and fits."""
        fitting = [
            entry
            for entry in entries
            if entry.sid
            and entry.sid not in known
            and entry.direction != "inbound"
            and entry.date_created is not None
            and entry.date_created >= since - SKEW
            and (not self.is_service or entry.messaging_service_sid == self.name)
        ]
        same = [entry for entry in fitting if _same(str(entry.body or ""), message.text)]
        # a template is worded at Twilio: where no text fits, whatever was sent then is it
        right = same or (fitting if message.template else [])
        return Receipt(min(right, key=lambda entry: entry.date_created).sid) if right else None

    def channel(self, identifier: str) -> str:
        """An identifier as Twilio addresses it."""
        return f"whatsapp:{identifier}" if self.scheme == "whatsapp" else identifier

    def _variables(self, variables: Mapping[str, str]) -> str:
        if self.scheme == "whatsapp":  # WhatsApp refuses line ends, tabs and five spaces in a row there
            variables = {name: _UNEVEN.sub(" ", value) for name, value in variables.items()}
        return json.dumps(dict(variables), ensure_ascii=False)


def _same(body: str, text: str) -> bool:
    """A listed body is the text: a trial account's words before it, and white space at its ends, do not count."""
    return body.removeprefix(TRIAL).split() == text.split()
