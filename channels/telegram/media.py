"""A file that a person sent, brought from Telegram: from the API's own host, no larger and no longer than it may be."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from telegram import Bot

from channels.contract import CannotFetch, MediaRef
from channels.telegram import failures
from channels.telegram.wire import CONNECT, POOL

SECONDS = 60.0
GONE = (404, 410)


class Media:
    """The files of one bot. The SDK's own download would take a whole file into memory, of any size."""

    def __init__(self, bot: Bot, context: ssl.SSLContext) -> None:
        self._bot = bot
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(SECONDS, connect=CONNECT, pool=POOL), verify=context)

    async def bring(self, file: MediaRef, most: int) -> AsyncIterator[bytes]:
        """The file in pieces, `most` bytes at most, all within a minute. Raises CannotFetch."""
        _fits(file.size, most)
        deadline = asyncio.get_running_loop().time() + SECONDS
        try:
            async with self._opened(await self._located(file.id, most, deadline), deadline) as response:
                _acceptable(response, most)
                pieces, total = response.aiter_raw(), 0
                while True:
                    # a limit around each step: one around a `yield` would interrupt whoever consumes the pieces
                    async with asyncio.timeout_at(deadline):
                        piece = await anext(pieces, b"")
                    if not piece:
                        return
                    total += len(piece)
                    _fits(total, most)
                    yield piece
        except (httpx.InvalidURL, ValueError):
            raise CannotFetch("not an address", gone=True) from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise CannotFetch(type(error).__name__, gone=False) from None

    async def close(self) -> None:
        """Connections are given back."""
        await self._http.aclose()

    async def _located(self, file_id: str, most: int, deadline: float) -> httpx.URL:
        """Where the file lies. Telegram answers once it has fetched the file itself: for a large one not at once."""
        try:
            async with asyncio.timeout_at(deadline):
                found = await self._bot.get_file(file_id, read_timeout=SECONDS)
            path, size = found.file_path, found.file_size
        except Exception as error:
            raise failures.of_file(error) from None
        if not isinstance(path, str) or not path.startswith(f"{self._bot.base_file_url}/"):
            raise CannotFetch("getFile: not with the API itself", gone=True)
        _fits(size, most)
        return httpx.URL(path)

    @asynccontextmanager
    async def _opened(self, url: httpx.URL, deadline: float) -> AsyncIterator[httpx.Response]:
        """The answer, its body still to come. A redirection is not followed: its target would be a stranger's."""
        request = self._http.build_request("GET", url, headers={"Accept-Encoding": "identity"})
        async with asyncio.timeout_at(deadline):
            response = await self._http.send(request, stream=True, follow_redirects=False)
        try:
            yield response
        finally:
            await response.aclose()


def _fits(size: object, most: int) -> None:
    if isinstance(size, int) and size > most:
        raise CannotFetch("too large", gone=True)


def _acceptable(response: httpx.Response, most: int) -> None:
    """Nothing where the body may be read. Raises CannotFetch."""
    status = response.status_code
    if status != 200:
        raise CannotFetch(f"HTTP {status}", gone=status in GONE)
    if response.headers.get("content-encoding", "identity") != "identity":
        raise CannotFetch("packed, though not asked for", gone=True)
    declared = response.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit():
        _fits(int(declared[:20]), most)
