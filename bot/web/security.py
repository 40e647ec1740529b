"""What stands between the internet and every page: headers, size of a body, origins, speed.

Nothing here knows a ticket or a word for people: a refusal is an exception or an answer with a code.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, Protocol
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_LIMIT = 64 * 1024
"""Bytes of a request's body, where no door says otherwise."""

CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "media-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Our own files and nothing else: no inline script, no inline style, no frame."""

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class WebSettings(Protocol):
    """The settings that the web rooms read."""

    @property
    def public_url(self) -> str: ...
    @property
    def allowed_origins(self) -> Sequence[str]: ...
    @property
    def secret_key(self) -> str: ...


class SecurityHeaders:
    """Every answer carries the headers of promise F4; a route that set one itself keeps its own.

    HSTS only where the public address is https: on http it would mean nothing, and in development it would lock
    a developer's localhost. What has no Cache-Control of its own is not stored anywhere.
    """

    def __init__(self, app: ASGIApp, public_url: str, csp: str = CSP) -> None:
        self.app = app
        self.headers = {
            "Content-Security-Policy": csp,
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            # not no-referrer: that would make a browser send 'Origin: null' with our own forms
            "Referrer-Policy": "same-origin",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
        }
        if urlsplit(public_url).scheme == "https":
            self.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)


class BodyTooLarge(HTTPException):
    """More bytes came, or were announced, than this door takes."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"a body is at most {limit} bytes", {"Connection": "close"})


class BodyTooSlow(HTTPException):
    """The body did not end in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(408, f"the body did not end within {seconds:g} seconds", {"Connection": "close"})


class BodyCap:
    """No route ever holds more than its limit of a body, nor waits for one that never ends.

    The exception is raised where the route reads, so that a route can answer in a person's words; where none does,
    the answer is a plain 413 or 408. The connection ends with it: what is still to come of the body is not waited for. `larger` maps a path's beginning to another limit: {"/chat/files": 10_000_000};
    `slower` to another number of seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        limit: int = BODY_LIMIT,
        larger: Mapping[str, int] | None = None,
        seconds: float = 15.0,
        slower: Mapping[str, float] | None = None,
    ) -> None:
        self.app, self.limit, self.larger = app, limit, dict(larger or {})
        self.seconds, self.slower = seconds, dict(slower or {})

    def limit_of(self, path: str) -> int:
        """The limit that holds for a path: that of the longest beginning named, else the general one."""
        return _named(path, self.larger, self.limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.limit_of(scope["path"])
        announced = Headers(scope=scope).get("content-length", "")
        too_large = announced.isdigit() and int(announced) > limit
        got, ended, started, refused = 0, False, False, False
        seconds = _named(scope["path"], self.slower, self.seconds)
        deadline = time.monotonic() + seconds

        async def capped() -> Message:
            nonlocal got, ended, refused
            if too_large:
                refused = True
                raise BodyTooLarge(limit)
            if ended:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                refused = True
                raise BodyTooSlow(seconds) from None
            if message["type"] == "http.request":
                got += len(message.get("body", b""))
                ended = not message.get("more_body", False)
                if got > limit:
                    refused = True
                    raise BodyTooLarge(limit)
            return message

        async def noting_start(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if refused:
                    MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        try:
            await self.app(scope, capped, noting_start)
        except (BodyTooLarge, BodyTooSlow) as error:
            if started:
                raise
            await _answer(send, error)


def _named[T](path: str, named: Mapping[str, T], otherwise: T) -> T:
    """What the longest beginning of the path names."""
    found = [start for start in named if path.startswith(start)]
    return named[max(found, key=len)] if found else otherwise


async def _answer(send: Send, refused: HTTPException) -> None:
    code = "too_large" if refused.status_code == 413 else "too_slow"
    body = json.dumps({"error": {"code": code, "text": refused.detail}}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": refused.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def origin_of(url: str) -> str:
    """scheme://host[:port] of an address as a browser writes it: lower case, no default port."""
    parts = urlsplit(url.strip())
    host = (parts.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    default = {"http": 80, "https": 443}.get(parts.scheme)
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme.lower()}://{host}{port}"


class Origins:
    """Whose pages may speak to us: those of `allowed`, by default our own.

    A public address on loopback counts under each of its names: who opens localhost means 127.0.0.1.
    """

    def __init__(self, public_url: str, allowed: Iterable[str] = ()) -> None:
        own = origin_of(public_url)
        named = {origin_of(each) for each in allowed if each.strip()}
        self.allowed = named or {own}
        parts = urlsplit(own)
        if own in self.allowed and parts.hostname in _LOOPBACK:
            port = f":{parts.port}" if parts.port else ""
            self.allowed |= {
                origin_of(f"{parts.scheme}://{name}{port}") for name in ("127.0.0.1", "localhost", "[::1]")
            }

    def judge(self, headers: Mapping[str, str]) -> Literal["program", "allowed", "refused"]:
        """Who asks: a program (no browser's mark), a page that may, or a page that may not.

        A same-origin GET of a browser sends no Origin either; it is told from a foreign one by Sec-Fetch-Site.
        """
        origin = headers.get("origin")
        if origin is None:
            return "refused" if headers.get("sec-fetch-site", "").lower() == "cross-site" else "program"
        return "allowed" if origin.lower() in self.allowed else "refused"


class TokenBuckets:
    """So many at once, then so many a second, for each key; the keys longest unused are forgotten.

    A forgotten key starts full again, so `keep` must be larger than the keys that are busy within `capacity / rate`
    seconds. Single-threaded: call it from the event loop.
    """

    def __init__(
        self, capacity: float, rate: float, keep: int = 50_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.capacity, self.rate, self.keep, self.clock = capacity, rate, keep, clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> int:
        """0 where one was there and is taken now; else the whole seconds until one will be."""
        now = self.clock()
        level, since = self._levels.pop(key, (self.capacity, now))
        level = min(self.capacity, level + (now - since) * self.rate)
        wait = 0 if level >= 1 else max(1, math.ceil((1 - level) / self.rate))
        self._levels[key] = (level if wait else level - 1, now)
        while len(self._levels) > self.keep:
            self._levels.popitem(last=False)
        return wait
