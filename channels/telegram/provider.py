"""Telegram as the house sees it: the channel contract, kept by the SDK and the small rooms beside this file."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import AsyncIterator, Awaitable, Collection, Mapping
from datetime import datetime, timedelta

import httpx
from telegram import Bot, LinkPreviewOptions, Message

from channels.contract import (
    Address,
    Delivery,
    Failure,
    Ignored,
    Incoming,
    Limits,
    MediaRef,
    Outgoing,
    Receipt,
    Rejected,
    Request,
    SendFailed,
)
from channels.telegram import body, failures, files, wire
from channels.telegram.inbound import Inbound
from channels.telegram.keyboard import keyboard
from channels.telegram.media import Media

API = "https://api.telegram.org"
SECRET_HEADER = "x-telegram-bot-api-secret-token"
UPDATES = ("message", "edited_message", "callback_query", "message_reaction")
CONNECTIONS = 40
_TOKEN = re.compile("[A-Za-z0-9:_-]+")
_SECRET = re.compile("[A-Za-z0-9_-]{1,256}")
_CHAT = re.compile("-?[0-9]{1,19}")


class Telegram:
    """One bot of Telegram's."""

    name = "telegram"
    can_look_up = False

    def __init__(self, token: str, secret_token: str, api_base: str) -> None:
        """Ready; nothing was asked of the network. Raises ValueError without a token, a secret, or a usable base.

        `secret_token` is what `set_webhook` tells Telegram to send with every call. `api_base` is another server of
        the Bot API, or who plays one; "": Telegram's own.
        """
        if not _TOKEN.fullmatch(token) or not _SECRET.fullmatch(secret_token):
            raise ValueError("Telegram needs a bot's token, and a secret of letters, digits, _ and -")
        self.schemes: Mapping[str, Limits] = {
            "telegram": Limits(
                characters=4_096, buttons=12, files=files.LARGEST, per_second=30, apart=timedelta(seconds=1)
            )
        }
        base, context = _base(api_base), httpx.create_ssl_context()
        self._secret = secret_token
        self._wire = wire.Wire(context)
        self._bot = Bot(
            token, base_url=f"{base}/bot", base_file_url=f"{base}/file/bot", request=self._wire,
            get_updates_request=self._wire,
        )  # fmt: skip
        self._inbound = Inbound(token.partition(":")[0])
        self._media = Media(self._bot, context)

    def verify(self, request: Request) -> None:
        """Nothing where the call carries our secret; raises Rejected."""
        given = request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self._secret.encode()):
            raise Rejected("wrong secret" if given else "no secret")

    def parse(self, request: Request) -> list[Incoming | Delivery | Ignored]:
        """What a verified call says. Raises Malformed, and nothing else, for whatever bytes."""
        told = body.read(request.body)
        return [told if isinstance(told, Ignored) else self._inbound.read(told)]

    async def send(self, message: Outgoing) -> Receipt:
        """Hand a message over, within ten seconds. Raises SendFailed, and nothing else."""
        sent = await _answer(
            self._bot.send_message(
                _chat(message.address),
                message.text,
                reply_markup=keyboard(message.buttons),
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )
        )
        if not isinstance(sent, Message):  # the SDK hands on a bare `true` as it stands
            raise SendFailed(Failure.UNEXPECTED, detail="an answer without a message", maybe_sent=True)
        return Receipt(str(sent.message_id))

    async def find(self, message: Outgoing, since: datetime, known: Collection[str]) -> Receipt | None:
        """None: a bot cannot look at what it has sent. Nobody asks, since `can_look_up` says so."""
        return None

    def fetch(self, file: MediaRef, most: int) -> AsyncIterator[bytes]:
        """The file in pieces, `most` bytes together at most, from the API's own host alone. Raises CannotFetch."""
        return self._media.bring(file, most)

    async def set_webhook(self, url: str) -> None:
        """Telegram sends this bot's updates to the address from now on, with our secret. Raises SendFailed."""
        await _answer(
            self._bot.set_webhook(
                url,
                secret_token=self._secret,
                allowed_updates=UPDATES,
                max_connections=CONNECTIONS,
                drop_pending_updates=False,
            )
        )

    async def close(self) -> None:
        """Connections are given back."""
        await self._wire.shutdown()
        await self._media.close()


async def _answer[T](call: Awaitable[T]) -> T:
    """What Telegram answers, within ten seconds. Raises SendFailed, and nothing else."""
    try:
        async with asyncio.timeout(wire.SECONDS):
            return await call
    except Exception as error:
        raise failures.of_call(error) from None


def _chat(address: Address) -> int:
    """The number of the chat. Raises SendFailed for what is none: a name would be a public channel's."""
    if address.scheme != "telegram":
        raise SendFailed(Failure.MISCONFIGURED, detail="not an address of Telegram's")
    if not _CHAT.fullmatch(address.identifier):
        raise SendFailed(Failure.REFUSED, detail="not a chat's number")
    return int(address.identifier)


def _base(given: str) -> str:
    """Where the Bot API is asked, without a slash at the end."""
    try:
        url = httpx.URL(given or API)
    except httpx.InvalidURL:
        raise ValueError("Telegram's base is not an address") from None
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment or url.userinfo:
        raise ValueError("Telegram's base is not an address")
    return str(url).rstrip("/")
