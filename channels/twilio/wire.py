"""HTTP beneath the SDK: httpx, ten seconds in all, no second try, nothing of it in a log."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from twilio.http import AsyncHttpClient  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]

from channels.contract import Failure, SendFailed
from channels.twilio import codes

for _name in ("httpx", "httpcore"):  # they log whole addresses: a telephone number, a signed link, the account
    logging.getLogger(_name).setLevel(logging.WARNING)

SECONDS = 10.0
TIMEOUT = httpx.Timeout(SECONDS, connect=3.0, pool=2.0)
"""Waiting for a connection, making it and TLS end before the ten seconds do: who is late after that may have it."""
NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


class Wire(AsyncHttpClient):  # type: ignore[misc]
    """Carries the SDK's requests to Twilio, or to whoever plays Twilio at `base`.

    The SDK's own error messages quote telephone numbers and lose Retry-After: so an answer that is no success becomes
    SendFailed here, and the SDK sees successes only.
    """

    def __init__(self, base: httpx.URL | None, transport: httpx.AsyncBaseTransport | None) -> None:
        super().__init__(logging.getLogger(__name__), is_async=True)
        self.base = base
        self.http = httpx.AsyncClient(timeout=TIMEOUT, transport=transport)

    def reach(self, url: httpx.URL) -> httpx.URL:
        """Where a URL of Twilio's is asked: at the base, path and query kept, where there is one."""
        if self.base is None or not is_twilio(url):
            return url
        path = self.base.raw_path.partition(b"?")[0].rstrip(b"/") + url.raw_path
        return self.base.copy_with(raw_path=path)

    async def request(
        self,
        method: str,
        uri: str,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """The answer, where it is a success. Raises SendFailed."""
        try:
            request = self.http.build_request(
                method, self.reach(httpx.URL(uri)), params=params, data=data, headers=headers
            )
        except ValueError:  # half a surrogate pair, which no encoding carries
            raise SendFailed(Failure.UNSUPPORTED, detail="not text") from None
        response = await self._answer(request, auth)
        if not response.is_success:
            raise _refusal(response)
        return Response(response.status_code, response.text, response.headers)

    async def _answer(self, request: httpx.Request, auth: tuple[str, str] | None) -> httpx.Response:
        try:
            async with asyncio.timeout(SECONDS):
                return await self.http.send(request, auth=auth, follow_redirects=False)
        except NEVER_SENT as error:
            raise SendFailed(Failure.UNREACHABLE, detail=type(error).__name__) from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise SendFailed(Failure.UNREACHABLE, detail=type(error).__name__, maybe_sent=True) from None


def is_twilio(url: httpx.URL) -> bool:
    """The host is one of Twilio's own names."""
    return host(url).endswith(".twilio.com")


def host(url: httpx.URL) -> str:
    """The host as it is asked for, in small letters."""
    return url.raw_host.decode("ascii").lower()


def _refusal(response: httpx.Response) -> SendFailed:
    """What an answer that is no success says, without its message: that one quotes addresses."""
    code = _code(response)
    return SendFailed(
        codes.of_answer(code, response.status_code),
        code or str(response.status_code),
        f"HTTP {response.status_code}",
        retry_after=_retry_after(response.headers.get("retry-after", "")),
        maybe_sent=response.status_code >= 500,
    )


def _code(response: httpx.Response) -> str:
    """Twilio's error code in an answer's body; "" where it has none."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return ""
    code = str(body.get("code", "")) if isinstance(body, dict) else ""
    return code if code.isascii() and code.isdigit() and len(code) <= 6 else ""


def _retry_after(value: str) -> float | None:
    """The seconds that a Retry-After header asks for, given as a number or as a date."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
