"""The channel contract: what the house and a provider's adapter say to each other.

Pure: standard library only. A provider is a folder in `channels/` with a class that fits `Provider`; it knows its SDK and
its provider's words, nothing of tickets, storage or sentences. Why it looks like this: docs/adr/0016.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol


@dataclass(frozen=True)
class Address:
    """Where one person can be reached.

    `identifier` is opaque: it is never parsed by its look, and never shown unmasked in a log. A WhatsApp user name
    (BSUID) is as good as a telephone number.
    """

    scheme: str  # web, whatsapp, sms, telegram
    identifier: str
    account: str = ""  # our own number or bot, where a scheme has several

    def masked(self) -> str:
        """The address as logs may show it: the scheme and the last two characters."""
        return f"{self.scheme}:…{self.identifier[-2:]}"


@dataclass(frozen=True)
class Limits:
    """What a scheme can carry."""

    characters: int  # in one message, in UTF-16 units
    buttons: int  # 0: a choice is written as numbered lines
    can_receive: bool = True
    window: timedelta | None = None  # free text only so long after the person last wrote; None: always
    files: int = 0  # bytes of the largest file it brings; 0: none
    per_second: float = 1_000.0  # messages of one account
    apart: timedelta = timedelta(0)  # at least between two messages to one person


WEB = Limits(characters=10_000, buttons=12, files=10_000_000)


# what comes in


@dataclass(frozen=True)
class Request:
    """A call of a webhook. `url` is made from the configured public address, never from what the caller says it is."""

    url: str
    headers: Mapping[str, str]  # names in small letters
    body: bytes


class Rejected(Exception):
    """The call is not the provider's (403). Says why, without a secret or a signature."""


class Malformed(Exception):
    """The call is the provider's, but no update can be read in it (400)."""


@dataclass(frozen=True)
class MediaRef:
    """A file that lies at the provider: `fetch` brings it."""

    id: str  # the provider's: a file id or an address
    kind: str  # photo, voice, video, document
    type: str = ""  # declared media type: never trusted
    name: str = ""
    size: int | None = None


@dataclass(frozen=True)
class Place:
    """A location that was sent."""

    latitude: float
    longitude: float
    name: str = ""


@dataclass(frozen=True)
class Incoming:
    """One message of one person."""

    address: Address
    message_id: str  # the provider's: the same again, at any time, is the same message
    text: str = ""
    button: str = ""  # what a pressed button gave back: a token or a payload; believed only where this house offered it
    files: tuple[MediaRef, ...] = ()
    place: Place | None = None
    unread: str = ""  # what it is instead, for which there is one fixed answer: one of UNREAD
    opt: str = ""  # `stop` or `start` where the provider has dealt with the word itself, and answered it
    language: str = ""  # the provider's hint: ar, en, zh
    sent_at: datetime | None = None
    answer: Mapping[str, Any] | None = None  # what the webhook answers, where the provider expects more than 200


UNREAD = ("sticker", "contact", "reaction", "edited", "poll", "group", "other")


@dataclass(frozen=True)
class Delivery:
    """What a provider tells of a message that it was given."""

    provider_id: str
    state: str  # sent, delivered, read, failed
    code: str = ""  # the provider's error code
    failure: Failure | None = None  # where the state is failed
    row: int | None = None  # `Outgoing.row`, where the provider hands it back


@dataclass(frozen=True)
class Ignored:
    """An update that needs no answer; `reason` is for the log."""

    reason: str


# what goes out


@dataclass(frozen=True)
class Button:
    """A choice: `token` comes back when it is pressed (64 bytes at most)."""

    title: str
    token: str


@dataclass(frozen=True)
class Template:
    """A text that the provider has approved, by its id there, with what is filled in."""

    content: str
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outgoing:
    """One message to one person. Its text fits the scheme's limits; with a template the text is what it will say."""

    row: int  # number of the outbox row: comes back in `Delivery.row` where the provider can carry it
    address: Address
    text: str
    buttons: tuple[Button, ...] = ()
    template: Template | None = None


@dataclass(frozen=True)
class Receipt:
    """The provider has the message."""

    provider_id: str


class Failure(StrEnum):
    """Why a message was not sent."""

    UNREACHABLE = "unreachable"  # no connection, a timeout, 5xx
    THROTTLED = "throttled"  # too fast
    REFUSED = "refused"  # never for this person: no such number, no such chat, account gone
    STOPPED = "stopped"  # the person wants none: unsubscribed, bot blocked
    UNSUPPORTED = "unsupported"  # never in this form: window closed, too long, no such template
    MISCONFIGURED = "misconfigured"  # credentials, our own number, an account without credit
    UNEXPECTED = "unexpected"  # anything else

    @property
    def may_retry(self) -> bool:
        """The same message may be accepted later: what is ours to repair is repaired meanwhile."""
        return self not in (Failure.REFUSED, Failure.STOPPED, Failure.UNSUPPORTED)

    @property
    def is_our_fault(self) -> bool:
        """Somebody who runs the house has to do something."""
        return self in (Failure.MISCONFIGURED, Failure.UNSUPPORTED, Failure.UNEXPECTED)


class SendFailed(Exception):
    """A message was not sent, as far as is known.

    `maybe_sent`: the provider may have it all the same (no answer came). `detail` holds no address and no text.
    """

    def __init__(
        self,
        kind: Failure,
        code: str = "",
        detail: str = "",
        *,
        retry_after: float | None = None,
        maybe_sent: bool = False,
    ) -> None:
        super().__init__(f"{kind} {code} {detail}".strip())
        self.kind, self.code, self.detail = kind, code, detail
        self.retry_after, self.maybe_sent = retry_after, maybe_sent


class CannotFetch(Exception):
    """A file could not be brought. `gone`: nor will it be later (too large, not there any more, a stranger's host)."""

    def __init__(self, detail: str, *, gone: bool) -> None:
        super().__init__(detail)
        self.detail, self.gone = detail, gone


class Provider(Protocol):
    """One provider. Construction reads settings and touches no network; every method but `verify` and `parse` may."""

    name: str
    schemes: Mapping[str, Limits]
    can_look_up: bool
    """`find` can tell whether a message is there."""

    def verify(self, request: Request) -> None:
        """Nothing where the call is the provider's; raises Rejected."""

    def parse(self, request: Request) -> list[Incoming | Delivery | Ignored]:
        """What a verified call says. Raises Malformed, and nothing else, for whatever bytes."""

    async def send(self, message: Outgoing) -> Receipt:
        """Hand a message over, within ten seconds. Raises SendFailed, and nothing else."""

    async def find(self, message: Outgoing, since: datetime, known: Collection[str]) -> Receipt | None:
        """The receipt of a message that may have been handed over since then; None where the provider has none.

        `known` are ids at the provider that belong to other messages. Raises SendFailed where it cannot be told now.
        """

    def fetch(self, file: MediaRef, most: int) -> AsyncIterator[bytes]:
        """The file in pieces, `most` bytes together at most, from the provider's own host alone. Raises CannotFetch."""

    async def close(self) -> None:
        """Connections are given back."""
