"""The doors of the web chat, exactly those of docs: sessions, messages, events, the page and the widget.

The stream carries one ordered sequence per chat. Its events are JSON:

    {"id", "kind": "message", "text", "buttons": [{"title", "payload"}], "at"}   the ministry's side
    {"id", "kind": "status",  "text", "buttons": [], "at"}                       a line about the chat itself
    {"id", "kind": "own",     "text", "buttons": [], "at", "message"}            what the person wrote or pressed (the
                                                          title), for a reload or a second tab; `message` is the id it
                                                          was posted with
    {"id", "kind": "typing",  "text": "", "buttons": [], "at", "on": true|false} not stored; its id is the last stored one

Who looks only at `message` misses nothing that was said. `id` is opaque and sorts on the server only: hand the last
one back as `Last-Event-ID` (or `?after=`) and everything after it follows. A comment comes every 15 seconds.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import structlog
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from bot.files import NotKept
from bot.handlers.ports import Unavailable
from bot.web.chat.tokens import LANGUAGES, Session, Tokens
from bot.web.chat.words import WIDGET_WORDS
from bot.web.public.assets import SHORT, Asset
from bot.web.public.pages import render
from bot.web.security import Origins, TokenBuckets, WebSettings

HERE = Path(__file__).parent
log = structlog.get_logger(__name__)
logging.getLogger("sse_starlette").setLevel(logging.INFO)  # at DEBUG it writes every event's text (promise G7)

CHARACTERS = 10_000
STREAMS = 2_000
STREAMS_PER_CHAT = 20
HEARTBEAT = 15
LOOK = 15.0
"""Seconds after which a stream looks by itself, for what another process stored."""
PAGE = 200
BODY_WORDS = {408: ("too_slow", "chat_error_slow"), 413: ("too_large", "chat_error_too_large")}
FILE_WORDS = {
    "too_large": "chat_error_file_too_large",
    "type": "chat_error_file_type",
    "empty": "chat_error_file_unreadable",
    "unreadable": "chat_error_file_unreadable",
    "infected": "utter_file_refused_infected",
}
"""Why a file is not kept → the sentence that says so."""

Say = Callable[..., str]
"""say(name, lang, **params) -> the sentence, from the catalogues."""


class Bell(Protocol):
    """What a stream waits at: see bot/web/chat/bells.py."""

    async def rung(self, seconds: float) -> bool: ...


class ChatPort(Protocol):
    """What the web chat needs from the house. Every plain method may block: it is called in a thread.

    `session` is the identifier of the address web:<session>. Any method may raise `Unavailable`.
    """

    def receive(
        self,
        session: str,
        message_id: str,
        text: str,
        payload: str | None,
        lang: str,
        files: Sequence[Mapping[str, Any]] = (),
    ) -> Literal["stored", "duplicate"]:
        """The message is committed as waiting (or was before, under this id). `lang` is the language the page is in,
        for a conversation that begins. Of text and payload one is given; text is "" beside a payload or without words
        beside files."""

    async def keep(self, pieces: AsyncIterator[bytes], type: str, name: str) -> Mapping[str, Any]:
        """A file as `receive` takes it. Raises NotKept with the reason."""

    def choose_language(self, session: str, lang: str) -> None:
        """The person asked for this language at the page: nothing but asking changes it again."""

    def language(self, session: str) -> str | None:
        """The conversation's language; None where there is no conversation yet or it isn't known."""

    def page(self, session: str, after: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """The first `limit` events after the id `after`, in order; all from the beginning where it is "" or unknown."""

    def typing(self, session: str) -> bool:
        """True while an answer is being worked on. Must not touch the database: it is asked often."""

    def listen(self, session: str) -> AbstractContextManager[Bell]:
        """A bell that rings after something was stored for the session, or its typing changed (`Bells.listen`)."""


class Refused(Exception):
    """A request is turned away with a sentence. `code` is for programs, `word` a name in the catalogues."""

    def __init__(
        self, status: int, code: str, word: str, session: Session | None = None, retry: int = 0, **params: Any
    ):
        super().__init__(code)
        self.status, self.code, self.word, self.session, self.retry, self.params = (
            status,
            code,
            word,
            session,
            retry,
            params,
        )


def router(port: ChatPort, settings: WebSettings, say: Say) -> APIRouter:
    """All doors of the web chat, to be included at the root of the app."""
    return Chat(port, settings, say).router


class Chat:
    """The doors, with what they share: the tokens, the speed limits, the open streams."""

    def __init__(self, port: ChatPort, settings: WebSettings, say: Say) -> None:
        self.port, self.say = port, say
        self.tokens = Tokens(settings.secret_key)
        self.origins = Origins(settings.public_url, settings.allowed_origins)
        self.messages = TokenBuckets(capacity=20, rate=1)
        self.openings = TokenBuckets(capacity=1000, rate=100)  # per IP: carriers put thousands of people behind one
        self.streams = Streams(STREAMS, STREAMS_PER_CHAT)
        self._threads: dict[str, CapacityLimiter] = {}
        self.styles = Asset((HERE / "static/chat.css").read_bytes(), "text/css; charset=utf-8", shared=True)
        self.widget = widget(say, self.styles.version)
        self.pages = pages(say, self.widget.version, self.styles.version)
        self.router = APIRouter(tags=["chat"])
        add = self.router.add_api_route
        add("/", self.page, methods=["GET", "HEAD"], include_in_schema=False)
        add("/widget.js", self.script, methods=["GET", "HEAD"], include_in_schema=False)
        add("/chat/chat.css", self.sheet, methods=["GET", "HEAD"], include_in_schema=False)
        add("/chat/sessions", self.door(self.open), methods=["POST"])
        add("/chat/messages", self.door(self.receive), methods=["POST"])
        add("/chat/files", self.door(self.file), methods=["POST"])
        add("/chat/events", self.door(self.events), methods=["GET"])
        for path in ("/chat/sessions", "/chat/messages", "/chat/files", "/chat/events"):
            add(path, self.preflight, methods=["OPTIONS"], include_in_schema=False)

    # the page

    async def page(self, request: Request) -> Response:
        lang = request.query_params.get("lang", "")
        return self.pages[lang if lang in LANGUAGES else LANGUAGES[0]].answer(request)

    async def script(self, request: Request) -> Response:
        return self.widget.answer(request, SHORT)

    async def sheet(self, request: Request) -> Response:
        return self.styles.answer(request, SHORT)

    # the doors

    async def open(self, request: Request) -> Response:
        """POST /chat/sessions: a new chat, or with a good old token a new token for the same one."""
        wait = self.openings.take(request.client.host if request.client else "")
        if wait:
            raise Refused(429, "too_fast", "chat_error_too_fast", retry=wait)
        old = self.holder(request) if request.headers.get("authorization") else None
        body = await self.json(request, old, empty=True)
        lang = body.get("lang")
        if lang is not None and lang not in LANGUAGES:
            raise Refused(422, "language", "chat_error_malformed", old)
        if old is None:
            session = self.tokens.new(lang or accepted(request))
        else:
            session = Session(old.id, lang or old.lang)
            if lang:
                await self.thread("write", self.port.choose_language, session.id, lang)
        return JSONResponse({"token": self.tokens.sign(session)}, 201 if old is None else 200)

    async def receive(self, request: Request) -> Response:
        """POST /chat/messages: 202 once the message is on disk."""
        session = self.holder(request)
        wait = self.messages.take(session.id)
        if wait:
            raise Refused(429, "too_fast", "chat_error_too_fast", session, retry=wait)
        message = Message.read(await self.json(request, session), session)
        outcome = await self.thread(
            "write", self.port.receive, session.id, message.id, message.text, message.payload, session.lang
        )
        return JSONResponse({"id": message.id, "state": outcome}, 202)

    async def file(self, request: Request) -> Response:
        """POST /chat/files: multipart `file`, with `id` and `text` where there are any; 202 once it is on disk."""
        session = self.holder(request)
        wait = self.messages.take(session.id)
        if wait:
            raise Refused(429, "too_fast", "chat_error_too_fast", session, retry=wait)
        try:
            form = await request.form(max_files=1, max_fields=4)
        except HTTPException as refused:
            code, word = BODY_WORDS.get(refused.status_code, ("malformed", "chat_error_malformed"))
            word = "chat_error_file_too_large" if refused.status_code == 413 else word
            raise Refused(refused.status_code, code, word, session) from None
        upload, id = form.get("file"), form.get("id", secrets.token_hex(16))
        if not isinstance(upload, UploadFile) or not isinstance(id, str) or not re.fullmatch(r"[\x21-\x7e]{1,128}", id):
            raise Refused(422, "malformed", "chat_error_malformed", session)
        text = _clean(str(form.get("text") or ""), session)
        try:
            kept = await self.port.keep(_pieces(upload), upload.content_type or "", upload.filename or "")
        except NotKept as refused:
            raise Refused(422, f"file_{refused.reason}", FILE_WORDS[refused.reason], session) from None
        outcome = await self.thread("write", self.port.receive, session.id, id, text, None, session.lang, [kept])
        return JSONResponse({"id": id, "state": outcome}, 202)

    async def events(self, request: Request) -> Response:
        """GET /chat/events: everything after the last id, then whatever comes."""
        session = self.holder(request)
        after = request.headers.get("last-event-id") or request.query_params.get("after", "")
        if not re.fullmatch(r"[\x21-\x7e]{1,128}", after):
            after = ""
        stream = self.streams.enter(session.id)
        if stream is None:
            raise Refused(503, "busy", "chat_error_busy", session, retry=15)
        return EventSourceResponse(
            self.follow(session.id, after, stream),
            ping=HEARTBEAT,
            ping_message_factory=lambda: ServerSentEvent(comment="", sep="\n"),
            sep="\n",
            send_timeout=30,
        )

    async def follow(self, session: str, after: str, stream: Stream) -> AsyncIterator[ServerSentEvent]:
        """Events as they are stored, until the reader leaves or a newer stream takes this one's place."""
        typing = False
        try:
            yield ServerSentEvent(comment="open", retry=1000)
            with self.port.listen(session) as bell:
                while not stream.replaced:
                    try:
                        found = await self.thread("read", self.port.page, session, after, PAGE)
                    except Unavailable:
                        return  # the reader comes again, and reads on where it was
                    for event in found:
                        after = str(event["id"])
                        yield _sent(event, after)
                    now = self.port.typing(session)
                    if now != typing:
                        typing = now
                        yield _sent(_typing(after, now), None)
                    if len(found) < PAGE:
                        await bell.rung(LOOK)
        finally:
            self.streams.leave(session, stream)

    # what every door does

    def door(self, handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """The origin is judged before anything is read; whatever goes wrong is told in a sentence."""

        async def guarded(request: Request) -> Response:
            try:
                if self.origins.judge(request.headers) == "refused":
                    raise Refused(403, "origin", "chat_error_origin")
                answer = await handle(request)
            except Refused as refused:
                answer = await self.refuse(request, refused)
            except Unavailable:
                answer = await self.refuse(request, Refused(503, "storage", "chat_error_storage", retry=5))
            except ClientDisconnect:
                answer = Response(status_code=400)
            except Exception:
                log.exception("chat door failed", path=request.url.path)
                answer = await self.refuse(request, Refused(500, "failed", "chat_error_failed", retry=5))
            self.cors(request, answer)
            return answer

        guarded.__name__, guarded.__doc__ = handle.__name__, handle.__doc__
        return guarded

    async def refuse(self, request: Request, refused: Refused) -> Response:
        """The refusal as JSON, in the conversation's language where there is a conversation."""
        session = refused.session or self.maybe_holder(request)
        lang = None
        if session is not None and refused.code != "storage":
            try:
                lang = await self.thread("read", self.port.language, session.id)
            except Exception:
                log.warning("language of a chat could not be read")
        lang = lang or (session.lang if session else accepted(request))
        text = self.say(refused.word, lang, **refused.params)
        headers = {"Retry-After": str(refused.retry)} if refused.retry else {}
        if refused.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if refused.status in (408, 413):
            headers["Connection"] = "close"
        return JSONResponse({"error": {"code": refused.code, "text": text}}, refused.status, headers)

    def maybe_holder(self, request: Request) -> Session | None:
        """Whose chat the Authorization header names; None where it names none."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return self.tokens.open(token.strip()) if scheme.lower() == "bearer" else None

    def holder(self, request: Request) -> Session:
        """Whose chat it is, or 401."""
        session = self.maybe_holder(request)
        if session is None:
            raise Refused(401, "session", "chat_error_session")
        return session

    async def json(self, request: Request, session: Session | None, empty: bool = False) -> dict[str, Any]:
        """The body as one JSON object without a name twice, or 400, 408, 413, 422; `empty`: no body is {}."""
        try:
            body = await request.body()
        except HTTPException as refused:
            code, word = BODY_WORDS.get(refused.status_code, ("malformed", "chat_error_malformed"))
            raise Refused(refused.status_code, code, word, session) from None
        if empty and not body:
            return {}
        try:
            found = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise Refused(400, "malformed", "chat_error_malformed", session) from None
        if not isinstance(found, dict):
            raise Refused(422, "malformed", "chat_error_malformed", session)
        return found

    async def thread[T](self, kind: str, work: Callable[..., T], *args: Any) -> T:
        """Blocking work off the loop; reads of many streams never take the threads that writes need."""
        limiter = self._threads.get(kind)
        if limiter is None:
            limiter = self._threads[kind] = CapacityLimiter(16)
        return await to_thread.run_sync(work, *args, limiter=limiter)

    # other sites' pages

    async def preflight(self, request: Request) -> Response:
        """Whether a page of another site that we allow may ask."""
        answer = Response(status_code=204 if self.origins.judge(request.headers) == "allowed" else 403)
        self.cors(request, answer)
        if answer.status_code == 204:
            answer.headers["Access-Control-Allow-Methods"] = "GET, POST"
            answer.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Last-Event-ID"
            answer.headers["Access-Control-Max-Age"] = "600"
        return answer

    def cors(self, request: Request, answer: Response) -> None:
        """An allowed page may read the answer; no cookie is ever involved."""
        answer.headers.add_vary_header("Origin")
        if "origin" in request.headers and self.origins.judge(request.headers) == "allowed":
            answer.headers["Access-Control-Allow-Origin"] = request.headers["origin"]
            answer.headers["Access-Control-Expose-Headers"] = "Retry-After"
            answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"


def _clean(given: str, session: Session) -> str:
    """The text as databases keep it; 422 where it is too long."""
    if len(given) > CHARACTERS:
        raise Refused(422, "too_long", "chat_error_too_long", session, limit=CHARACTERS)
    return re.sub("[\ud800-\udfff]", "\ufffd", given.replace("\0", ""))


async def _pieces(upload: UploadFile) -> AsyncIterator[bytes]:
    while piece := await upload.read(65_536):
        yield piece


class Message:
    """What a person sent: of text and payload exactly one."""

    def __init__(self, id: str, text: str, payload: str | None) -> None:
        self.id, self.text, self.payload = id, text, payload

    @classmethod
    def read(cls, body: Mapping[str, Any], session: Session) -> Message:
        """The message in a body, or 422. Names that we don't know are passed over.

        NUL is dropped and half a surrogate pair becomes U+FFFD, since no database keeps them; all else stays as it is.
        """
        malformed = Refused(422, "malformed", "chat_error_malformed", session)
        id, text, payload = body.get("id"), body.get("text"), body.get("payload")
        if not isinstance(id, str) or not re.fullmatch(r"[\x21-\x7e]{1,128}", id):
            raise malformed
        if (text is None) == (payload is None):
            raise malformed
        given = text if payload is None else payload
        if not isinstance(given, str):
            raise malformed
        given = _clean(given, session)
        if not given.strip():
            raise Refused(422, "empty", "chat_error_empty", session)
        return cls(id, given, None) if payload is None else cls(id, "", given)


class Stream:
    """One open event stream."""

    replaced = False


class Streams:
    """How many are open: `limit` in all. A chat's oldest gives way when it has `each` (its browser may be long gone)."""

    def __init__(self, limit: int, each: int) -> None:
        self.limit, self.each = limit, each
        self.count = 0
        self._open: defaultdict[str, list[Stream]] = defaultdict(list)

    def enter(self, session: str) -> Stream | None:
        """A new stream of this chat, or None where the house has as many as it may."""
        if self.count >= self.limit:
            return None
        stream = Stream()
        self.count += 1
        own = self._open[session]
        own.append(stream)
        for old in own[: -self.each]:
            old.replaced = True
        return stream

    def leave(self, session: str, stream: Stream) -> None:
        """The stream has ended."""
        own = self._open[session]
        if stream in own:
            own.remove(stream)
            self.count -= 1
        if not own:
            del self._open[session]


def accepted(request: Request) -> str:
    """The first language a browser or program asks for that we speak; Arabic where none."""
    for part in request.headers.get("accept-language", "").split(","):
        lang = part.split(";")[0].strip().lower().split("-")[0]
        if lang in LANGUAGES:
            return lang
    return LANGUAGES[0]


def widget(say: Say, styles: str) -> Asset:
    """widget.js with the words of all three languages in it, so that it is the only script a page needs."""
    words = {
        lang: {name: say(f"chat_{name}", lang, **params) for name, params in WIDGET_WORDS.items()} for lang in LANGUAGES
    }
    filled = json.dumps({"words": words, "styles": styles, "characters": CHARACTERS}, ensure_ascii=False)
    script = (HERE / "static/widget.js").read_text("utf-8").replace("/*SAWT*/ null", filled.replace("</", "<\\/"), 1)
    return Asset(script.encode(), "text/javascript; charset=utf-8", shared=True)


def pages(say: Say, script: str, styles: str) -> dict[str, Asset]:
    """The chat page in each language: nothing personal is in it, so it is made once."""
    return {
        lang: render("chat.html", HERE / "templates", say, lang, "/", script=script, styles=styles)
        for lang in LANGUAGES
    }


_LINES = "\x85\u2028\u2029"
"""No ends of a line to the protocol, but to many a program that reads it line by line: escaped."""


def _typing(after: str, on: bool) -> dict[str, Any]:
    return {"id": after, "kind": "typing", "text": "", "buttons": [], "at": datetime.now(UTC).isoformat(), "on": on}


def _sent(event: Mapping[str, Any], id: str | None) -> ServerSentEvent:
    data = json.dumps(event, ensure_ascii=False).encode("utf-8", "replace").decode()
    for mark in _LINES:
        data = data.replace(mark, f"\\u{ord(mark):04x}")
    return ServerSentEvent(data=data, id=id, sep="\n")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(name)
