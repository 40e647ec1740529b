"""One message, either way, with everything that the provider got of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from channels.contract import Button, Place
from channels.simulator.unplayable import Unplayable

RANK = {"queued": 0, "accepted": 0, "sent": 1, "delivered": 2, "undelivered": 3, "failed": 3, "read": 4}


@dataclass(frozen=True)
class File:
    """A file that a person sends."""

    id: str
    name: str
    type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Said:
    """What goes into one message of a person's."""

    text: str = ""
    files: tuple[File, ...] = ()
    place: Place | None = None


@dataclass
class Message:
    """A message of the house to a person, or of a person to the house."""

    id: str  # SM…, MM…, Telegram's number; of a person on Telegram the update's number
    scheme: str
    person: str
    outgoing: bool
    text: str
    at: datetime
    state: str  # RANK; of a person's: sending, received, refused
    number: int = 0  # its place among all messages
    own: bool = False  # the provider's words, not the house's
    sender: str = ""  # who sent it, as Twilio writes it
    service: str = ""
    callback: str = ""
    content_sid: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    buttons: tuple[tuple[Button, ...], ...] = ()
    files: tuple[File, ...] = ()
    place: Place | None = None
    pressed: str = ""  # what the pressed button gives back; the text is its title
    sent_at: datetime | None = None
    code: str = ""
    answered: bool = True  # False: accepted, but the house was not told so
    told: list[tuple[str, int]] = field(default_factory=list)  # calls of the house: state and its HTTP status, or 0

    def advance(self, state: str, now: datetime, code: str = "") -> None:
        """The message is in this state, unless it was further on."""
        if RANK[state] > RANK[self.state]:
            self.state, self.code = state, code
        if state != "failed":
            self.sent_at = self.sent_at or now

    def button(self, token: str) -> Button | None:
        """The first button that gives this back."""
        return next((button for row in self.buttons for button in row if button.token == token), None)

    def view(self) -> dict[str, Any]:
        """The message as the control door shows it."""
        return {
            "number": self.number, "id": self.id, "scheme": self.scheme, "person": self.person,
            "direction": "out" if self.outgoing else "in", "text": self.text, "at": self.at.isoformat(),
            "state": self.state, "code": self.code, "own": self.own, "from": self.sender,
            "callback": self.callback, "content_sid": self.content_sid, "variables": self.variables,
            "buttons": [[{"title": button.title, "token": button.token} for button in row] for row in self.buttons],
            "files": [{"name": f.name, "type": f.type, "size": len(f.content)} for f in self.files],
            "place": _place(self.place), "pressed": self.pressed, "answered": self.answered,
            "told": [{"state": state, "status": status} for state, status in self.told],
        }  # fmt: skip


def split(scheme: str, text: str, files: Sequence[File], place: Place | None) -> list[Said]:
    """What a person says at once, as the messages that their telephone makes of it. Raises Unplayable."""
    if scheme == "sms":
        if place:
            raise Unplayable("an SMS carries no location")
        return [Said(text, tuple(files))]
    has_caption = bool(files) and not files[0].type.startswith("audio/")
    said = [Said(text)] if text and not has_caption else []
    said += [Said(text if has_caption and n == 0 else "", (file,)) for n, file in enumerate(files)]
    said += [Said(place=place)] if place else []
    return said or [Said()]


def _place(place: Place | None) -> dict[str, object] | None:
    return None if place is None else {"latitude": place.latitude, "longitude": place.longitude, "name": place.name}
