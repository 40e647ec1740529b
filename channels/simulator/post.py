"""HTTP to the webhooks of the house, signed as the real providers sign."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4
from weakref import WeakKeyDictionary

import httpx
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from channels.simulator.world import World

SECONDS = 15.0
AT_ONCE = 40
FORGED = "not-the-secret"


@dataclass(frozen=True)
class Answer:
    """What the house said; status 0: nothing in time."""

    status: int
    body: bytes = b""
    retry_after: float | None = None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class Post:
    """Carries webhook calls. A forged one has the form of a genuine one, and is signed with another secret."""

    def __init__(self, world: World) -> None:
        self._world = world
        # connections belong to an event loop, and tests play from another one than the server's
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line] = WeakKeyDictionary()

    async def twilio(self, fields: Mapping[str, str], url: str = "", forged: bool = False) -> Answer:
        """Post a form as Twilio does, to the webhook for messages where no address is given."""
        url = url or f"{self._world.house}/webhooks/twilio"
        signer = RequestValidator(FORGED if forged else self._world.auth_token)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "X-Twilio-Signature": signer.compute_signature(url, fields),
            "I-Twilio-Idempotency-Token": str(uuid4()),
            "User-Agent": "TwilioProxy/1.1",
        }
        return await self._post(url, urlencode(fields).encode(), headers)

    async def telegram(self, update: Mapping[str, Any], forged: bool = False) -> Answer:
        """Post an update as Telegram does."""
        url, secret = self._world.telegram_hook()
        headers = {"Content-Type": "application/json"}
        if forged or secret:
            headers["X-Telegram-Bot-Api-Secret-Token"] = FORGED if forged else secret
        return await self._post(url, json.dumps(update, separators=(",", ":")).encode(), headers)

    async def close(self) -> None:
        """The connections of this event loop are given back."""
        line = self._lines.pop(asyncio.get_running_loop(), None)
        if line:
            await line.client.aclose()

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        line = self._line()
        try:
            async with line.turns:
                response = await line.client.post(url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL):
            return Answer(0)
        return Answer(response.status_code, response.content, _seconds(response.headers.get("retry-after", "")))

    def _line(self) -> _Line:
        loop = asyncio.get_running_loop()
        if loop not in self._lines:
            self._lines[loop] = _Line()
        return self._lines[loop]


class _Line:
    """The connections of one event loop. Calls wait for a turn here: the client's own queue slows down as it grows."""

    def __init__(self) -> None:
        self.client = httpx.AsyncClient(verify=_tls(), timeout=SECONDS, trust_env=False)
        self.turns = asyncio.Semaphore(AT_ONCE)


@cache
def _tls() -> ssl.SSLContext:
    """One for all worlds: reading the certificates takes longer than a whole play of a test."""
    return httpx.create_ssl_context()


def _seconds(value: str) -> float | None:
    try:
        return max(0.0, float(value))
    except ValueError:
        return None
