"""The public web of the house: chat, desk, programs, probes. Assembled here, decided elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.handlers.incidents import Incidents
from bot.handlers.people import People
from bot.handlers.ports import Unavailable
from bot.storage.colleagues import Colleagues
from bot.web.api import router as api
from bot.web.auth import Auth, hash_password
from bot.web.chat import router as chat
from bot.web.desk import pages
from bot.web.desk import router as desk
from bot.web.desk.channels import Carriers, Sms
from bot.web.desk.people import Accounts
from bot.web.desk.replies import Writing
from bot.web.hooks import router as hooks
from bot.web.public import pages as public
from bot.web.security import BodyCap, SecurityHeaders
from channels.contract import WEB, Delivery

if TYPE_CHECKING:
    from bot.settings import Settings
    from bot.wiring import Rooms


log = structlog.get_logger("sawt.web")

PATIENCE = 3.0
"""Seconds that readiness waits for storage: an answer has to come in five."""


class Probe(Protocol):
    """What readiness asks of the assistant."""

    async def ready(self) -> bool: ...


def public_app(rooms: Rooms, assistant: Probe, news: Callable[[Delivery], Awaitable[None]]) -> FastAPI:
    """The application that faces the internet. `news` takes what providers tell of messages."""
    app = FastAPI(title="Sawt", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    say = rooms.catalogues.say
    app.include_router(chat.router(rooms.chat, rooms.settings, say))
    app.include_router(public.router(say))
    auth = Auth(rooms.doors, rooms.clock, rooms.settings.public_url)
    office = pages.Office(lambda: rooms.register().policy, lambda unit: rooms.house.calendar, rooms.settings.country)
    app.include_router(
        desk.router(
            queries=rooms.queries,
            act=rooms.house.act,
            auth=auth,
            accounts=_accounts(rooms),
            register=rooms.register,
            catalogues=rooms.catalogues,
            office=office,
            clock=rooms.clock,
            notices_seen=rooms.doors.notices_seen,
            file_path=rooms.file_room.path,
            carriers=_carriers(rooms),
            aside_seen=rooms.doors.aside_seen,
            contacts=rooms.contacts(),
            incidents=Incidents(rooms.house),
            read_out=rooms.store.render,
            writing=_writing(rooms),
        )
    )
    app.include_router(
        api.router(queries=rooms.queries, act=rooms.house.act, auth=auth, register=rooms.register, clock=rooms.clock)
    )
    app.include_router(hooks.router(rooms.providers, rooms, news, rooms.settings.public_url))
    if rooms.settings.simulated:
        _simulator(app, rooms.settings)
    _probes(app, rooms, assistant)
    # an update may hold two texts of 4,096 letters, six bytes each: refused, it would come again for a day
    larger = {"/chat/files": WEB.files + 100_000, "/webhooks/telegram": 512_000}
    if rooms.settings.simulated:
        larger["/simulator/play/"] = 2 * WEB.files  # a file, as text
    # ten megabytes over a bad telephone line take minutes
    app.add_middleware(BodyCap, larger=larger, slower={"/chat/files": 300.0})
    app.add_middleware(Failures, words=[rooms.catalogues.desk("error_heading", lang) for lang in ("ar", "en")])
    app.add_middleware(SecurityHeaders, public_url=rooms.settings.public_url)
    return app


def _writing(rooms: Rooms) -> Writing:
    """What clerks write with, and what it will cost."""

    def card(part: str, service: str, language: str) -> str:
        return rooms.store.render(f"utter_card_{part}", {"service": service}, [], language)[0]

    return Writing(rooms.replies, rooms.previews(), card, rooms.register, rooms.settings.sms_price)


def _accounts(rooms: Rooms) -> Accounts:
    """Who comes to the desk, and who decides about it."""
    people = People(rooms.directory, lambda: rooms.register().units, hash_password, rooms.clock)
    return Accounts(people, rooms.directory, Colleagues(rooms.engine))


def _carriers(rooms: Rooms) -> Carriers:
    """What the desk tells of the channels that are set up."""
    schemes = [scheme for provider in rooms.providers.values() for scheme in provider.schemes]
    budget, settings = rooms.budget, rooms.settings
    sms = Sms(settings.sms_price, settings.sms_daily_cap, budget.spent, budget.alarm) if "sms" in schemes else None
    return Carriers(schemes, rooms.post.trouble, sms)


def _simulator(app: FastAPI, settings: Settings) -> None:
    """The local provider and its page: in a development start without accounts alone."""
    from channels.simulator.server import app as simulator
    from channels.simulator.world import World

    world = World(
        account_sid=settings.twilio_account_sid, auth_token=settings.twilio_auth_token,
        bot_token=settings.telegram_bot_token, secret_token=settings.telegram_secret_token,
        whatsapp_from=settings.twilio_whatsapp_from, sms_from=settings.twilio_sms_from,
        house=settings.public_url, prefix="/simulator",
    )  # fmt: skip
    app.add_api_route("/simulator", lambda: RedirectResponse("/simulator/"), include_in_schema=False)
    app.mount("/simulator", simulator(world))


class Failures:
    """What nobody foresaw is a 500 with a sentence and the headers of every answer; the connection ends with it.

    Left to the framework it would lack the headers, and the server would close a connection that it had said to keep.
    """

    def __init__(self, app: ASGIApp, words: Sequence[str]) -> None:
        self.app, self.words = app, words

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noting_start(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, noting_start)
        except Exception:
            if started or scope["type"] != "http":
                raise
            log.exception("a door failed")
            await self._answer(scope["path"])(scope, receive, send)

    def _answer(self, path: str) -> Response:
        close = {"Connection": "close"}
        if path.startswith("/desk"):
            return PlainTextResponse("\n".join(self.words), 500, close)
        return JSONResponse({"error": {"code": "failed", "text": self.words[-1]}}, 500, close)


def _probes(app: FastAPI, rooms: Rooms, assistant: Probe) -> None:
    storage = _Storage(rooms)

    @app.get("/health/live", include_in_schema=False)
    async def live() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @app.get("/health/ready", include_in_schema=False)
    async def ready() -> JSONResponse:
        """Each dependency by name, within five seconds; 503 where one is missing."""
        kept, reachable = await asyncio.gather(storage.state(), assistant.ready())
        ok = kept["ok"] and reachable
        return JSONResponse({"ready": ok, "storage": kept, "assistant": {"ok": reachable}}, 200 if ok else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics(request: Request) -> PlainTextResponse:
        """The queues as Prometheus reads them; on loopback only."""
        forwarded = "x-forwarded-for" in request.headers or "forwarded" in request.headers
        if forwarded or not request.client or request.client.host not in ("127.0.0.1", "::1"):
            return PlainTextResponse("not here", 404)
        try:
            health = await asyncio.to_thread(rooms.queue.health, rooms.clock())
        except Unavailable:
            return PlainTextResponse("the storage does not answer\n", 503)
        values = {
            "sawt_inbox_waiting": health.waiting,
            "sawt_inbox_oldest_seconds": health.oldest_waiting,
            "sawt_outbox_unsent": health.unsent,
            "sawt_outbox_oldest_seconds": health.oldest_unsent,
            "sawt_inbox_failed": health.failed_in,
            "sawt_outbox_dead": health.dead,
        }
        lines = [f"# TYPE {name} gauge\n{name} {value}" for name, value in values.items()]
        return PlainTextResponse("\n".join(lines) + "\n")


class _Storage:
    """Whether messages can be kept: storage that can be read but not written to is not there."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._looking: asyncio.Task[dict[str, Any]] | None = None

    async def state(self) -> dict[str, Any]:
        """`ok` and the queues; `ok` false where storage gives no answer in three seconds. One look at a time."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(asyncio.to_thread(self._look))
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.shield(self._looking)
        except TimeoutError:
            return {"ok": False}

    def _look(self) -> dict[str, Any]:
        now = self._rooms.clock()
        try:
            health = self._rooms.queue.health(now)
            self._rooms.store.note_fact("probed_at", now.isoformat())
        except Unavailable:
            return {"ok": False}
        return {
            "ok": True, "waiting": health.waiting, "oldest_waiting_s": round(health.oldest_waiting, 1),
            "unsent": health.unsent, "oldest_unsent_s": round(health.oldest_unsent, 1), "dead": health.dead,
        }  # fmt: skip
