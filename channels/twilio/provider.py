"""Twilio as the house sees it: the channel contract, kept by the SDK and the small rooms beside this file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta

import httpx
from twilio.rest import Client  # type: ignore[import-untyped]

from channels.contract import (
    Delivery,
    Failure,
    Ignored,
    Incoming,
    Limits,
    Malformed,
    MediaRef,
    Outgoing,
    Receipt,
    Request,
    SendFailed,
)
from channels.twilio import codes, inbound, status
from channels.twilio.form import Form
from channels.twilio.media import Media
from channels.twilio.outbound import Sender
from channels.twilio.signature import Signatures
from channels.twilio.wire import Wire

CHARACTERS = 1_600
WHATSAPP_FILE, MMS_FILE = 16_000_000, 5_000_000
LISTED = 100
CALLBACK = "/webhooks/twilio/status"
NO_ENVIRONMENT = {"TWILIO_EDGE": "", "TWILIO_REGION": ""}
"""Credentials, edge and region come from the settings: the SDK takes os.environ where it is given an empty one."""


class Twilio:
    """WhatsApp and SMS through one account of Twilio."""

    name = "twilio"
    can_look_up = True

    def __init__(
        self,
        account_sid: str,
        auth_tokens: Sequence[str],
        whatsapp_from: str,
        sms_from: str,
        api_base: str,
        public_url: str,
        per_second_whatsapp: float = 80,
        per_second_sms: float = 1,
        media_limit: int = WHATSAPP_FILE,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Ready; nothing was asked of the network. Raises ValueError without an account, a token, or a usable base.

        The first token is what we show; any of them may have signed a webhook. A sender is a number, an alphanumeric
        name, or a Messaging Service (MG…); "" switches its scheme off. With `api_base` every request to a host of
        Twilio's goes there instead. `transport` carries the requests; None: the network.
        """
        tokens = [token for token in auth_tokens if token]
        if not account_sid or not tokens:
            raise ValueError("Twilio needs an account SID and an auth token")
        self._callback = f"{public_url.rstrip('/')}{CALLBACK}" if public_url else ""
        given = (Sender("whatsapp", whatsapp_from.removeprefix("whatsapp:")), Sender("sms", sms_from))
        self._senders = {sender.scheme: sender for sender in given if sender.name}
        carried = {
            "whatsapp": _whatsapp(per_second_whatsapp, media_limit),
            "sms": _sms(given[1], per_second_sms, media_limit),
        }
        self.schemes: Mapping[str, Limits] = {scheme: carried[scheme] for scheme in self._senders}
        self._signatures = Signatures(tokens)
        self._wire = Wire(_base(api_base), transport)
        account = (account_sid, tokens[0])
        self._client = Client(*account, http_client=self._wire, environment=NO_ENVIRONMENT)
        self._media = Media(self._wire, account)

    def verify(self, request: Request) -> None:
        """Nothing where Twilio signed the call; raises Rejected."""
        self._signatures.check(request)

    def parse(self, request: Request) -> list[Incoming | Delivery | Ignored]:
        """What a verified call says. Raises Malformed, and nothing else, for whatever bytes."""
        try:
            form = Form(request.body)
        except ValueError:
            raise Malformed("not a form") from None
        if state := status.of(form):
            return [status.read(form, state, request.url)]
        return [inbound.read(form, self.schemes)]

    async def send(self, message: Outgoing) -> Receipt:
        """Hand a message over, within ten seconds. Raises SendFailed, and nothing else."""
        callback = f"{self._callback}?{status.ROW}={message.row}" if self._callback else ""
        parameters = self._sender(message).parameters(message, callback)
        try:
            made = await self._client.messages.create_async(**parameters)
            sid, state, code = made.sid, made.status, made.error_code
        except SendFailed:
            raise
        except Exception as error:  # an answer that the SDK cannot read: something was done, but what?
            raise SendFailed(Failure.UNEXPECTED, detail=type(error).__name__, maybe_sent=True) from None
        if not isinstance(sid, str) or not sid:
            raise SendFailed(Failure.UNEXPECTED, detail="an answer without an id", maybe_sent=True)
        if status.STATES.get(str(state)) == "failed":  # no callback tells what the answer has told
            raise SendFailed(codes.of_callback(str(code)), str(code or ""), "failed at once")
        return Receipt(sid)

    async def find(self, message: Outgoing, since: datetime, known: Collection[str]) -> Receipt | None:
        """The receipt of a message that may have been handed over since then; None where Twilio has none.

        It is looked for among the person's newest hundred. Raises SendFailed where it cannot be told now.
        """
        sender = self._sender(message)
        try:
            page = await self._client.messages.page_async(**sender.listed(message), page_size=LISTED)
            return sender.found(message, since, known, page)
        except SendFailed as error:
            error.maybe_sent = False  # a look-up hands nothing over
            raise
        except Exception as error:
            raise SendFailed(Failure.UNEXPECTED, detail=type(error).__name__) from None

    def fetch(self, file: MediaRef, most: int) -> AsyncIterator[bytes]:
        """The file in pieces, `most` bytes together at most, from Twilio's own hosts alone. Raises CannotFetch."""
        return self._media.bring(file.id, most)

    async def close(self) -> None:
        """Connections are given back."""
        await self._wire.http.aclose()

    def _sender(self, message: Outgoing) -> Sender:
        sender = self._senders.get(message.address.scheme)
        if sender is None:
            raise SendFailed(Failure.MISCONFIGURED, detail="no sender for this scheme")
        return sender


def _whatsapp(per_second: float, media_limit: int) -> Limits:
    day = timedelta(hours=24)
    files = min(media_limit, WHATSAPP_FILE)
    return Limits(CHARACTERS, buttons=0, window=day, files=files, per_second=per_second)


def _sms(sender: Sender, per_second: float, media_limit: int) -> Limits:
    files = min(media_limit, MMS_FILE)
    return Limits(CHARACTERS, buttons=0, can_receive=sender.can_be_answered, files=files, per_second=per_second)


def _base(given: str) -> httpx.URL | None:
    """The address that plays Twilio; None for the real one."""
    if not given:
        return None
    try:
        url = httpx.URL(given)
    except httpx.InvalidURL:
        raise ValueError("Twilio's base is not an address") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("Twilio's base is not an address")
    return url
