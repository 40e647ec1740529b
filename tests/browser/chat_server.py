"""The chat's doors before a house that lives in memory and echoes: for the browser tests, without Rasa or a database.

What is written comes back with buttons; /test/* lets a test make the house slow, deaf or talkative.
Run: python tests/browser/chat_server.py PORT
"""

from __future__ import annotations

import sys
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bot.files import FileRoom  # noqa: E402
from bot.handlers.ports import Unavailable  # noqa: E402
from bot.web.chat.bells import Bells  # noqa: E402
from bot.web.chat.router import router as chat  # noqa: E402
from bot.web.public.pages import router as public  # noqa: E402
from bot.web.security import BodyCap, SecurityHeaders  # noqa: E402
from bot.wording.render import load  # noqa: E402

say = load().say


class EchoHouse:
    """A ChatPort in memory. A message is answered at once, with choices."""

    def __init__(self) -> None:
        self.bells = Bells()
        self.lock = threading.Lock()
        self.kept: dict[str, list[dict[str, Any]]] = {}
        self.ids: dict[str, set[str]] = {}
        self.languages: dict[str, str] = {}
        self.writing: set[str] = set()
        self.down = False
        self.silent = False
        self.folder = tempfile.TemporaryDirectory(prefix="sawt-chat-")
        self.room = FileRoom(Path(self.folder.name))
        self.files: list[dict[str, Any]] = []

    async def keep(self, pieces: Any, type: str, name: str) -> dict[str, Any]:
        if self.down:
            raise Unavailable("down")
        return vars(await self.room.keep(pieces, type, name))

    def receive(self, session: str, message_id: str, text: str, payload: str | None, lang: str, files: Any = ()) -> str:
        if self.down:
            raise Unavailable("down")
        with self.lock:
            if message_id in self.ids.setdefault(session, set()):
                return "duplicate"
            self.ids[session].add(message_id)
            self.languages.setdefault(session, lang)
            shown = text
            if payload is not None:
                offered = [b for e in self.kept.get(session, []) for b in e["buttons"] if b["payload"] == payload]
                shown = offered[-1]["title"] if offered else payload
            self.files += [{key: file[key] for key in ("name", "type", "size")} | {"text": text} for file in files]
            shown = f"{'📎' * len(files)} {shown}".strip()
            self._add(session, "own", shown, message=message_id)
        if not self.silent:
            with self.lock:
                self._answer(session, shown)
        self.bells.ring(session)
        return "stored"

    def _answer(self, session: str, text: str) -> None:
        number = len(self.kept[session])
        buttons = [
            {"title": title, "payload": f'/press{{"do":"{do}","n":{number}}}'}
            for do, title in (("file", "نعم، سجّل الطلب"), ("edit", "تعديل النص"), ("cancel", "إلغاء"))
        ]
        self._add(session, "message", f"فهمت: «\u2068{text}\u2069»\nرقم طلبك \u20686821 0936 59\u2069", buttons)

    def _add(
        self, session: str, kind: str, text: str, buttons: list[dict[str, str]] | None = None, message: str = ""
    ) -> None:
        events = self.kept.setdefault(session, [])
        event = {"id": str(len(events) + 1), "kind": kind, "text": text, "buttons": buttons or []}
        event["at"] = datetime.now(UTC).isoformat()
        if message:
            event["message"] = message
        events.append(event)

    def choose_language(self, session: str, lang: str) -> None:
        self.languages[session] = lang

    def language(self, session: str) -> str | None:
        return self.languages.get(session)

    def page(self, session: str, after: str, limit: int) -> list[dict[str, Any]]:
        events = self.kept.get(session, [])
        start = int(after) if after.isdigit() else 0
        return events[start : start + limit]

    def typing(self, session: str) -> bool:
        return session in self.writing

    def listen(self, session: str) -> Any:
        return self.bells.listen(session)

    # what a test may do

    def tell(self, text: str, buttons: list[dict[str, str]] | None = None, kind: str = "message") -> None:
        for session in list(self.kept):
            self._add(session, kind, text, buttons)
            self.bells.ring(session)

    def write(self, on: bool) -> None:
        self.writing = set(self.kept) if on else set()
        for session in list(self.kept):
            self.bells.ring(session)


def app(port: int) -> FastAPI:
    house = EchoHouse()
    own = f"http://127.0.0.1:{port}"
    settings = SimpleNamespace(public_url=own, allowed_origins=[own, f"http://localhost:{port}"], secret_key="x" * 40)
    made = FastAPI(on_shutdown=[house.folder.cleanup])
    made.add_middleware(BodyCap, larger={"/chat/files": house.room.largest + 100_000})
    made.add_middleware(SecurityHeaders, public_url=own)
    made.include_router(chat(house, settings, say))
    made.include_router(public(say))

    @made.post("/test/{what}")
    async def control(what: str, request: Request) -> Response:
        body = await request.json() if await request.body() else {}
        if what == "tell":
            house.tell(body["text"], body.get("buttons"), body.get("kind", "message"))
        elif what == "typing":
            house.write(body["on"])
        elif what == "state":
            house.down, house.silent = body.get("down", house.down), body.get("silent", house.silent)
        elif what == "kept":
            talks, languages = list(house.kept.values()), list(house.languages.values())
            return JSONResponse({"kept": talks, "languages": languages, "files": house.files})
        elif what == "wipe":
            for kept in (house.kept, house.ids, house.languages, house.files):
                kept.clear()
        return JSONResponse({})

    @made.get("/test/foreign")
    async def foreign() -> HTMLResponse:
        """Somebody's page with the one script tag."""
        filler = "<p>Lorem ipsum <a href='#x'>dolor</a>.</p>" * 40
        page = (
            "<!doctype html><html lang=en><title>A ministry page</title><main><h1>News</h1>"
            f"{filler}</main><script src='http://127.0.0.1:{port}/widget.js' defer></script></html>"
        )
        csp = f"default-src 'none'; script-src http://127.0.0.1:{port}; style-src http://127.0.0.1:{port}; "
        return HTMLResponse(page, headers={"Content-Security-Policy": csp + f"connect-src http://127.0.0.1:{port}"})

    return made


if __name__ == "__main__":
    uvicorn.run(app(int(sys.argv[1])), port=int(sys.argv[1]), log_level="warning", timeout_graceful_shutdown=1)
