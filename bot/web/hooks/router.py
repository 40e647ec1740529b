"""The doors of the providers: verified, stored, then answered. What becomes of a message is nobody's business here.

403 a call that is not the provider's, 400 one in which no update can be read, 503 where storage takes nothing now (the
provider comes again), 200 everything else: an update that cannot be dealt with is set aside, and the next one goes on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import structlog
from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from bot.faults import fault
from bot.handlers.ports import Unavailable
from channels import contract
from channels.contract import Delivery, Ignored, Incoming, Malformed, Provider, Rejected

log = structlog.get_logger("sawt.hooks")

PATHS = {"twilio": ("/webhooks/twilio", "/webhooks/twilio/status"), "telegram": ("/webhooks/telegram",)}


class Desk(Protocol):
    """What the doors need of the house."""

    def arrive(self, came: Incoming) -> bool: ...
    def set_aside(self, provider: str, body: bytes, reason: str) -> None: ...


def router(
    providers: Mapping[str, Provider], desk: Desk, news: Callable[[Delivery], Awaitable[None]], public_url: str
) -> APIRouter:
    """One door for each path of each provider that is set up; the others do not exist."""
    found = APIRouter(include_in_schema=False)
    for name, provider in providers.items():
        door = Hook(name, provider, desk, news, public_url)
        for path in PATHS[name]:
            found.add_api_route(path, door.answer, methods=["POST"], name=path)
    return found


class Hook:
    """The door of one provider."""

    def __init__(
        self, name: str, provider: Provider, desk: Desk, news: Callable[[Delivery], Awaitable[None]], public_url: str
    ) -> None:
        self._name, self._provider, self._desk, self._news, self._url = name, provider, desk, news, public_url

    async def answer(self, request: Request) -> Response:
        try:
            body = await request.body()
        except ClientDisconnect:
            return Response(status_code=400)
        except HTTPException as refused:  # too large, too slow: no provider of ours sends such a thing
            return Response(status_code=refused.status_code, headers={"Connection": "close"})
        query = f"?{request.url.query}" if request.url.query else ""
        call = contract.Request(f"{self._url}{request.url.path}{query}", _headers(request), body)
        try:
            self._provider.verify(call)
            updates = self._provider.parse(call)
        except Rejected as rejected:
            log.warning("a call was rejected", provider=self._name, why=str(rejected))
            return Response(status_code=403)
        except Malformed as malformed:
            log.warning("a call was malformed", provider=self._name, why=str(malformed))
            return Response(status_code=400)
        return await self._keep(updates, body)

    async def _keep(self, updates: list[Incoming | Delivery | Ignored], body: bytes) -> Response:
        answer: Mapping[str, object] | None = None
        try:
            for update in updates:
                answer = getattr(update, "answer", None) or answer
                await self._kept(update, body)
        except Unavailable as error:
            log.warning("storage unavailable", error=str(error))
            return Response(status_code=503, headers={"Retry-After": "5"})
        if answer is None:
            return Response(status_code=200)
        return Response(json.dumps(answer), 200, media_type="application/json")

    async def _kept(self, update: Incoming | Delivery | Ignored, body: bytes) -> None:
        """Store one update; one that always fails is set aside, and the chat's next one goes on."""
        try:
            if isinstance(update, Incoming):
                await asyncio.to_thread(self._desk.arrive, update)
                fault("inbox-committed")
            elif isinstance(update, Delivery):
                await self._news(update)
            else:
                log.info("an update was ignored", provider=self._name, why=update.reason)
        except Unavailable:
            raise
        except Exception as error:
            log.exception("an update was set aside", provider=self._name)
            await asyncio.to_thread(self._desk.set_aside, self._name, body, type(error).__name__)


def _headers(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}
