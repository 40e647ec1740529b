"""A file that a person sent, brought from Twilio: from its hosts alone, no larger and no longer than it may be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from channels.contract import CannotFetch
from channels.twilio.wire import Wire, host, is_twilio

SECONDS = 60.0
REDIRECTS = 3
API = "api.twilio.com"
STORES = ("mms.twiliocdn.com", "media.twiliocdn.com")
GONE = (404, 410)


class Media:
    """The files of one account."""

    def __init__(self, wire: Wire, account: tuple[str, str]) -> None:
        self._wire, self._account = wire, account

    async def bring(self, address: str, most: int) -> AsyncIterator[bytes]:
        """The file in pieces, `most` bytes at most, all within a minute. Raises CannotFetch."""
        deadline = asyncio.get_running_loop().time() + SECONDS
        try:
            async with self._opened(httpx.URL(address), deadline) as response:
                _acceptable(response, most)
                pieces, total = response.aiter_raw(), 0
                while True:
                    # a limit around each step: one around a `yield` would interrupt whoever consumes the pieces
                    async with asyncio.timeout_at(deadline):
                        piece = await anext(pieces, b"")
                    if not piece:
                        return
                    total += len(piece)
                    if total > most:
                        raise CannotFetch("too large", gone=True)
                    yield piece
        except (httpx.InvalidURL, ValueError):
            raise CannotFetch("not an address", gone=True) from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise CannotFetch(type(error).__name__, gone=False) from None

    @asynccontextmanager
    async def _opened(self, url: httpx.URL, deadline: float) -> AsyncIterator[httpx.Response]:
        """The last answer after redirections, its body still to come."""
        async with asyncio.timeout_at(deadline):
            response = await self._follow(url)
        try:
            yield response
        finally:
            await response.aclose()

    async def _follow(self, url: httpx.URL) -> httpx.Response:
        for _ in range(REDIRECTS + 1):
            response = await self._ask(url)
            if not response.has_redirect_location:
                return response
            await response.aclose()
            url = url.join(response.headers["location"])
        raise CannotFetch("redirected too often", gone=False)

    async def _ask(self, url: httpx.URL) -> httpx.Response:
        """One answer of a host of Twilio's; the account's credentials go to the API's host alone."""
        if not self._is_allowed(url):
            raise CannotFetch("a stranger's host", gone=True)
        asked = self._wire.reach(url)
        http = self._wire.http
        request = http.build_request("GET", asked, headers={"Accept-Encoding": "identity"})
        return await http.send(
            request, auth=self._account if self._is_api(asked) else None, stream=True, follow_redirects=False
        )

    def _is_allowed(self, url: httpx.URL) -> bool:
        if url.userinfo:
            return False
        if self._is_base(url):
            return True
        return url.scheme == "https" and url.port is None and (is_twilio(url) or host(url) in STORES)

    def _is_api(self, url: httpx.URL) -> bool:
        return host(url) == API if self._wire.base is None else self._is_base(url)

    def _is_base(self, url: httpx.URL) -> bool:
        base = self._wire.base
        return base is not None and (url.scheme, host(url), url.port) == (base.scheme, host(base), base.port)


def _acceptable(response: httpx.Response, most: int) -> None:
    """Nothing where the body may be read. Raises CannotFetch."""
    status = response.status_code
    if status != 200:
        raise CannotFetch(f"HTTP {status}", gone=status in GONE)
    if response.headers.get("content-encoding", "identity") != "identity":
        raise CannotFetch("packed, though not asked for", gone=True)
    declared = response.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise CannotFetch("too large", gone=True)
