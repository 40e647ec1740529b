"""A house in memory for the tests of the chat's doors, and the app they are mounted in."""

from __future__ import annotations

import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fastapi import FastAPI

from bot.files import FileRoom
from bot.handlers.ports import Unavailable
from bot.web.chat.bells import Bells
from bot.web.chat.router import router as chat
from bot.web.public.pages import router as public
from bot.web.security import BodyCap, SecurityHeaders

OWN = "http://desk.test"
PARTNER = "https://partner.test"


def say(name: str, lang: str, **params: Any) -> str:
    return f"{lang}:{name}" + "".join(f" {value}" for value in params.values())


class House:
    """A ChatPort that keeps what it is given, and refuses while it is down."""

    def __init__(self) -> None:
        self.bells = Bells()
        self.stored: list[tuple[str, str, str, str | None, str]] = []
        self.sequence: dict[str, list[dict[str, Any]]] = {}
        self.languages: dict[str, str] = {}
        self.writing: set[str] = set()
        self.down = False
        self.threads: set[int] = set()
        self.files: dict[str, list[tuple[str, list[Any]]]] = {}
        self.room: FileRoom | None = None

    async def keep(self, pieces: Any, type: str, name: str) -> dict[str, Any]:
        """In a room of its own, made with the first file."""
        self.room = self.room or FileRoom(Path(tempfile.mkdtemp()) / "files", 1_000_000)
        return vars(await self.room.keep(pieces, type, name))

    def receive(self, session: str, message_id: str, text: str, payload: str | None, lang: str, files: Any = ()) -> str:
        self.threads.add(threading.get_ident())
        if self.down:
            raise Unavailable("locked")
        if any(row[:2] == (session, message_id) for row in self.stored):
            return "duplicate"
        self.stored.append((session, message_id, text, payload, lang))
        if files:
            self.files.setdefault(session, []).append((text, files))
        self.add(session, "own", text or str(payload), message=message_id)
        return "stored"

    def add(self, session: str, kind: str, text: str, **more: Any) -> None:
        events = self.sequence.setdefault(session, [])
        at = datetime.now(UTC).isoformat()
        events.append({"id": str(len(events) + 1), "kind": kind, "text": text, "buttons": [], "at": at, **more})
        self.bells.ring(session)

    def choose_language(self, session: str, lang: str) -> None:
        if self.down:
            raise Unavailable("locked")
        self.languages[session] = lang

    def language(self, session: str) -> str | None:
        return self.languages.get(session)

    def page(self, session: str, after: str, limit: int) -> list[dict[str, Any]]:
        events = self.sequence.get(session, [])
        start = int(after) if after.isdigit() else 0
        return events[start : start + limit]

    def typing(self, session: str) -> bool:
        return session in self.writing

    def listen(self, session: str) -> Any:
        return self.bells.listen(session)


def made(
    house: House, public_url: str = OWN, allowed: tuple[str, ...] = (), key: str = "k" * 40, seconds: float = 15.0
) -> FastAPI:
    settings = SimpleNamespace(public_url=public_url, allowed_origins=allowed, secret_key=key)
    app = FastAPI()
    app.add_middleware(BodyCap, seconds=seconds, larger={"/chat/files": 1_100_000})
    app.add_middleware(SecurityHeaders, public_url=public_url)
    app.include_router(chat(house, settings, say))
    app.include_router(public(say))
    return app
