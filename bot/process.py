"""The house as one process: the public web, the listener for the assistant's actions, the worker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import structlog
import uvicorn
from sse_starlette.sse import AppStatus
from starlette.types import ASGIApp

from actions.server import application
from bot import seeding, wiring
from bot.sending import TemplatesInvalid
from bot.settings import Settings
from bot.storage.migrations import SchemaTooNew
from bot.tickets.taxonomy import RegisterInvalid
from bot.web.app import public_app
from bot.web.auth import hash_password
from bot.web.connection import Connection

log = structlog.get_logger("sawt.house")

THREADS = 32
"""For what blocks: while storage is locked, each webhook waits in one, and the desk still has some."""
KEEP_ALIVE = 300
"""Seconds an idle connection of the assistant stays open: its blocked loop must not find it closed."""


class _Server(uvicorn.Server):
    """A server that leaves the signals to the process: two of them share one loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; what was begun is finished, within fifteen seconds. 2 where it can never start."""
    try:
        sockets = _bound(settings)
        rooms = wiring.build(settings)
    except CannotStart as cannot:
        print("Sawt cannot start:", *(f"  - {p}" for p in cannot.problems), sep="\n", file=sys.stderr)
        return 2
    except RegisterInvalid as invalid:
        print("The register cannot be used:", *(f"  - {p}" for p in invalid.problems), sep="\n", file=sys.stderr)
        return 2
    except TemplatesInvalid as invalid:
        print("Sawt cannot start:", *(f"  - {p}" for p in invalid.problems), sep="\n", file=sys.stderr)
        return 2
    except SchemaTooNew as newer:
        print(f"Sawt cannot start:\n  - {newer}", file=sys.stderr)
        return 2
    if settings.on_loopback:
        seed_people(rooms)
        _development_token(rooms)
    uvicorn_loop = "uvloop" if sys.platform != "win32" else "asyncio"
    with asyncio.Runner(loop_factory=_loop_factory(uvicorn_loop)) as runner:
        return runner.run(_serve(rooms, sockets))


class CannotStart(Exception):
    """A port is somebody else's; `problems` are sentences for the operator."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _bound(settings: Settings) -> list[socket.socket]:
    """The sockets of the public web and of the actions' listener; raises CannotStart. Nobody is answered yet."""
    wanted = (("PORT", settings.host, settings.port), ("ACTIONS_PORT", "127.0.0.1", settings.actions_port))
    found, problems = [], []
    for name, host, port in wanted:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            found.append(socket.create_server((host, port), family=family, backlog=2048))
        except OSError as error:
            problems.append(
                f"{name}: port {port} of {host} cannot be taken ({os.strerror(error.errno or 0)}). Name another one."
            )
    if problems:
        for each in found:
            each.close()
        raise CannotStart(problems)
    return found


def _loop_factory(name: str) -> type[asyncio.AbstractEventLoop] | None:
    if name != "uvloop":
        return None
    import uvloop

    return uvloop.new_event_loop  # type: ignore[return-value]


async def _serve(rooms: wiring.Rooms, sockets: Sequence[socket.socket]) -> int:
    settings = rooms.settings
    assistant = rooms.assistant()
    worker, dispatcher, fetcher = rooms.worker(assistant), rooms.dispatcher(), rooms.fetcher()
    rooms.posted.wake(dispatcher.wake)
    public = _server(public_app(rooms, assistant, dispatcher.news), 20, Connection)
    actions = _server(application(rooms.house, settings.assistant_secret), KEEP_ALIVE)
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    loop.set_default_executor(ThreadPoolExecutor(THREADS, "work"))
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stopping.set)
    servers = zip((public, actions), sockets, strict=True)
    tasks = [asyncio.create_task(server.serve([listener])) for server, listener in servers]
    working = asyncio.create_task(worker.run())
    posting, fetching = asyncio.create_task(dispatcher.run()), asyncio.create_task(fetcher.run())
    ended = asyncio.create_task(stopping.wait())
    parts = [ended, working, posting, fetching, *tasks]
    await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    orderly = stopping.is_set()
    if not orderly:
        log.error("a part of the house ended by itself")
    worker.stop()
    dispatcher.stop()
    fetching.cancel()
    AppStatus.should_exit = True  # the event streams end: they would hold the server open
    public.should_exit = True
    await asyncio.wait([working, posting], timeout=12)
    actions.should_exit = True
    await asyncio.wait(tasks, timeout=3)
    for provider in rooms.providers.values():
        await provider.close()
    assistant.close()
    rooms.engine.dispose()
    return 0 if orderly else 1


def _server(
    app: ASGIApp, keep_alive: int, protocol: type[asyncio.Protocol] | Literal["httptools"] = "httptools"
) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            http=protocol,
            access_log=False,
            log_level="warning",
            log_config=None,
            lifespan="off",
            server_header=False,
            date_header=True,
            timeout_keep_alive=keep_alive,
            timeout_graceful_shutdown=2,
            proxy_headers=False,
        )  # fmt: skip
    )


def seed_people(rooms: wiring.Rooms) -> None:
    """On an empty database: staff of every role, with a password that is printed once."""
    password = rooms.settings.seed_password or secrets.token_urlsafe(9)
    if seeding.staff(rooms.doors, hash_password(password), rooms.clock()):
        shown = "the one in SEED_PASSWORD" if rooms.settings.seed_password else password
        print(
            f"staff: agent@example.test, supervisor@example.test, … may sign in at /desk; password: {shown}", flush=True
        )


def _development_token(rooms: wiring.Rooms) -> None:
    """API_TOKEN of a development start is a token with all scopes."""
    token = rooms.settings.api_token
    if token and rooms.doors.api_token(token) is None:
        scopes = ["tickets:read", "tickets:write", "confidential"]
        rooms.doors.create_api_token(f"dev-{secrets.token_hex(4)}", "development", token, scopes, rooms.clock())
