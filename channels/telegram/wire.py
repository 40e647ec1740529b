"""HTTP beneath the SDK: every answer that is no success keeps its status, and nothing of it gets into a log."""

from __future__ import annotations

import json
import logging
import math
import ssl
from typing import Any

from telegram.error import TelegramError
from telegram.request import HTTPXRequest

for _name in ("httpx", "httpcore", "telegram"):  # addresses with the token in them; at DEBUG the SDK logs texts, too
    logging.getLogger(_name).setLevel(logging.WARNING)

SECONDS = 10.0
CONNECT, POOL = 3.0, 2.0
"""Waiting for a connection, making it and TLS end before the ten seconds do: who is late after that may have it."""


class Declined(TelegramError):
    """The Bot API answered that it did not do it. `description` is Telegram's: it may quote what was asked."""

    def __init__(self, status: int, payload: bytes) -> None:
        super().__init__(f"HTTP {status}")
        said = _object(payload)
        description, parameters = said.get("description"), said.get("parameters")
        self.status = status
        self.description = description if isinstance(description, str) else ""
        self.retry_after = _seconds(parameters.get("retry_after")) if isinstance(parameters, dict) else None


class Wire(HTTPXRequest):
    """Carries the SDK's requests.

    The SDK's own errors lose the status (a 429 without seconds is as good as a 502 there), and what it cannot read it
    writes into the log: so an answer that is no success is raised as Declined here, and the SDK sees successes only.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(
            read_timeout=SECONDS, write_timeout=SECONDS, connect_timeout=CONNECT, pool_timeout=POOL,
            httpx_kwargs={"verify": context},
        )  # fmt: skip

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """A success: its status and body. Raises Declined, or the SDK's NetworkError where no answer came."""
        status, payload = await super().do_request(*args, **kwargs)
        if not 200 <= status < 300:
            raise Declined(status, payload)
        return status, payload

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """The body of a success; without an entry `result`, over which the SDK breaks, where it is none.

        A message that was taken is taken, also where a server tells no more of it than its number: unread, it would be
        sent again.
        """
        said = _object(payload)
        result = said.get("result")
        if isinstance(result, dict) and "message_id" in result:
            said["result"] = {"date": 0, "chat": {"id": 0, "type": "private"}} | result
        return said


def _object(payload: bytes) -> dict[str, Any]:
    """The JSON object that it is; an empty one where it is none."""
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
