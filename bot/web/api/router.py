"""The door for programs: tickets and every verb, as JSON, by token. Described at /api/openapi.json."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable
from datetime import date
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from bot.handlers.house import UnknownTicket
from bot.handlers.ports import Clock, Stale, Unavailable
from bot.storage.files import Attachment
from bot.storage.lists import BadCursor
from bot.storage.queries import Line, Queries, Whole
from bot.tickets.lifecycle import STATES, VERBS
from bot.tickets.taxonomy import Register
from bot.tickets.ticket import Entry, Incomplete, NotAllowed, Wrong
from bot.web.act import Act
from bot.web.auth import Auth, NotWritten, Token, TokenRefused, all_guarded, public

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Short = Annotated[str, Query(max_length=200)]


class Said(BaseModel):
    """What a verb may be given. Which fields a verb needs, its row of the lifecycle table says."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str | None, Field(max_length=10_000)] = None
    reason: Annotated[str | None, Field(max_length=10_000)] = None
    unit: Annotated[str | None, Field(max_length=100)] = None
    staff: Annotated[str | None, Field(max_length=200, description="id or e-mail address")] = None
    until: date | None = None
    body: Annotated[str | None, Field(max_length=100, description="the other body whose matter it is")] = None
    kind: Annotated[str | None, Field(max_length=100)] = None
    category: Annotated[str | None, Field(max_length=100)] = None
    subcategory: Annotated[str | None, Field(max_length=100)] = None
    service: Annotated[str | None, Field(max_length=100)] = None
    rating: Annotated[int | None, Field(ge=1, le=5)] = None
    flag: Annotated[str | None, Field(max_length=100)] = None
    off: bool | None = None

    def given(self) -> dict[str, Any]:
        """The fields that say something, dates as text."""
        said: dict[str, Any] = {}
        for name, value in self.model_dump(exclude_none=True).items():
            if isinstance(
                value, str
            ):  # no database keeps a NUL: it goes before anybody asks whether something was said
                said[name] = value.replace("\0", "").strip()
            else:
                said[name] = value.isoformat() if isinstance(value, date) else value
        return {name: value for name, value in said.items() if value != ""}


class Refused(Exception):
    """An answer with a code; `more` goes beside it."""

    def __init__(self, status: int, code: str, text: str, **more: Any) -> None:
        super().__init__(text)
        self.answer = _error(status, code, text, **more)


def router(
    *, queries: Queries, act: Act, auth: Auth, register: Callable[[], Register], clock: Clock, title: str = "Sawt"
) -> APIRouter:
    """The API under /api, its description included."""
    api = APIRouter(prefix="/api", route_class=_ApiRoute)
    reads = Annotated[Token, Depends(auth.require_scopes("tickets:read"))]
    writes = Annotated[Token, Depends(auth.require_scopes("tickets:write"))]

    def whole(ref: str, token: Token) -> dict[str, Any]:
        found = queries.ticket(queries.reference(ref), None, clock(), _all(token))
        if found is None:
            raise _unknown()
        return _whole(found, token)

    @api.get("/v1/tickets", summary="A page of tickets: late first, then the next promise to fall due, then the newest")
    async def tickets(
        token: reads,
        state: Annotated[list[str], Query()] = [],  # noqa: B006
        kind: Short = "",
        category: Short = "",
        unit: Short = "",
        channel: Short = "",
        q: Short = "",
        cursor: Annotated[str, Query(max_length=500)] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Response:
        states, known = [s for s in state if s], register()
        for each in states:
            _one_of("state", each, sorted(STATES))
        _one_of("kind", kind, known.kinds)
        _one_of("category", category, known.categories)
        _one_of("unit", unit, known.units)
        try:
            page = await asyncio.to_thread(
                lambda: queries.tickets(
                    None, clock(), states=states, kind=kind, category=category, unit=unit, channel=channel, q=q,
                    cursor=cursor, limit=limit, confidential=_all(token),
                )
            )  # fmt: skip
        except BadCursor as bad:
            raise Refused(422, "invalid", str(bad), fields=["cursor"]) from None
        await auth.audit_reading(token.actor(), "read_list", [line.ref for line in page.lines])
        return JSONResponse({"tickets": [_line(line) for line in page.lines], "next": page.next})

    @api.get("/v1/tickets/{ref}", summary="The whole ticket")
    async def ticket(ref: str, token: reads) -> Response:
        found = await asyncio.to_thread(whole, ref, token)
        await auth.audit_reading(token.actor(), "read_ticket", [found["ref"]])
        return JSONResponse(found)

    @api.post("/v1/tickets/{ref}/{verb}", summary="A verb of the lifecycle table")
    async def change(
        ref: str,
        verb: str,
        token: writes,
        said: Said | None = None,
        idempotency_key: Annotated[str, Header(max_length=200)] = "",
    ) -> Response:
        number, given = queries.reference(ref), (said or Said()).given()

        def change() -> dict[str, Any]:
            if queries.version(number, None, _all(token)) is None:
                raise _unknown()
            if verb not in VERBS:
                raise Refused(404, "unknown_verb", f"there is no verb {verb[:40]!r}: one of {', '.join(VERBS)}")
            key = _key(queries, token, idempotency_key, number, verb, given)
            act(number, verb, token.actor(), given, key=key)
            try:
                return whole(number, token)
            except Refused:  # what was done has put the ticket out of this program's sight
                return {"ref": number}

        changed = await asyncio.to_thread(change)
        try:
            await auth.audit_reading(token.actor(), "read_ticket", [number])
        except NotWritten:  # it is done all the same: said is that, and nothing of the ticket
            changed = {"ref": number}
        return JSONResponse({"ticket": changed})

    @api.get("/openapi.json", include_in_schema=False)
    @public
    async def description() -> Response:
        described = get_openapi(title=title, version="1", routes=api.routes)
        described["components"].setdefault("securitySchemes", {})["token"] = {"type": "http", "scheme": "bearer"}
        described["security"] = [{"token": []}]
        return JSONResponse(described, headers={"Cache-Control": "no-cache"})

    return all_guarded(api)


class _ApiRoute(APIRoute):
    """Every refusal is `{"error": {"code", "text", …}}`, and nothing is stored on the way."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                response = await handle(request)
            except Exception as error:
                response = _answer(error)
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return answer


def _answer(error: Exception) -> JSONResponse:
    """The answer to what went wrong; what nobody foresaw is raised on."""
    match error:
        case Refused():
            return error.answer
        case TokenRefused(missing=""):
            refused = _error(401, "unauthorized", "a valid token is needed: Authorization: Bearer <token>")
            refused.headers["WWW-Authenticate"] = "Bearer"
            return refused
        case TokenRefused():
            return _error(403, "forbidden", f"the token lacks the scope {error.missing}", scope=error.missing)
        case UnknownTicket():
            return _unknown().answer
        case NotAllowed():
            return _error(409, "not_allowed", str(error), allowed=error.allowed)
        case Stale():
            return _error(409, "stale", str(error), version=error.current)
        case Incomplete():
            return _error(422, "missing_fields", str(error), fields=error.missing)
        case Wrong():
            return _error(422, "invalid", str(error), fields=[error.field])
        case RequestValidationError():
            fields = sorted({str(each["loc"][-1]) for each in error.errors()})
            text = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors()[:10])
            return _error(422, "invalid", text, fields=fields)
        case NotWritten():
            refused = _error(503, "not_audited", "reading could not be written down, so nothing is shown: try again")
            refused.headers["Retry-After"] = "5"
            return refused
        case Unavailable():
            refused = _error(503, "unavailable", "nothing was stored: try again with the same Idempotency-Key")
            refused.headers["Retry-After"] = "5"
            return refused
        case HTTPException():
            codes = {400: "malformed", 408: "too_slow", 413: "too_large"}
            return _error(error.status_code, codes.get(error.status_code, "refused"), str(error.detail))
        case ValueError():
            return _error(422, "invalid", str(error))
    raise error


def _error(status: int, code: str, text: str, **more: Any) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "text": text, **more}}, status)


def _one_of(field: str, value: str, known: Iterable[str]) -> None:
    """Raises Refused for a filter that can match nothing: an empty page would hide the mistake."""
    if value and value not in known:
        raise Refused(422, "invalid", f"unknown {field} {value!r}: one of {', '.join(known)}", fields=[field])


def _unknown() -> Refused:
    return Refused(404, "unknown_ticket", "there is no such ticket, or this token may not see it")


def _all(token: Token) -> bool:
    return "confidential" in token.scopes


def _key(queries: Queries, token: Token, given: str, ref: str, verb: str, said: dict[str, Any]) -> str | None:
    """What an Idempotency-Key is remembered as: the key and what it was used for, so that another use is refused."""
    if not given:
        return None
    start = sha256(given.encode()).hexdigest()
    body = sha256(json.dumps([ref, verb, said], sort_keys=True).encode()).hexdigest()
    used = queries.remembered_keys(f"act {token.id} {start}")
    if used and not any(key.endswith(body) for key in used):
        raise Refused(422, "key_reused", "this Idempotency-Key was used for something else")
    return f"{start} {body}"


# What is answered.

_INNER = ("turn", "route", "service_class")
"""Kept with an entry for the house's own use."""


def _line(line: Line) -> dict[str, Any]:
    return {
        "ref": line.ref, "kind": line.kind, "category": line.category, "subcategory": line.subcategory,
        "service": line.service, "state": line.state, "unit": line.unit, "staff": line.staff,
        "opened_at": line.opened_at.isoformat(), "promised_for": line.promised_for.isoformat(),
        "late": line.late_since is not None, "confidential": "confidential" in line.flags, "flags": list(line.flags),
        "language": line.language, "channel": line.source, "text": line.text, "version": line.version,
    }  # fmt: skip


def _whole(whole: Whole, token: Token) -> dict[str, Any]:
    it = whole.ticket
    return {
        "ref": it.ref, "kind": it.kind, "category": it.category, "subcategory": it.subcategory, "service": it.service,
        "state": it.state, "unit": it.unit, "staff": it.staff, "opened_at": it.opened_at.isoformat(),
        "promised_for": it.promise.due.isoformat(), "late": whole.late_since is not None,
        "confidential": "confidential" in it.flags, "flags": sorted(it.flags), "language": it.language,
        "channel": it.source, "text": it.text, "version": it.version, "reading": jsonable_encoder(it.reading),
        "messages": [
            {
                "at": m.at.isoformat(), "direction": "out" if m.to_person else "in", "text": m.text,
                "channel": m.channel, "name": m.by or None, "state": m.delivery and m.delivery.state,
                "attachments": [f.id for f in m.files],
            }
            for m in whole.messages
        ],
        "history": [_entry(e) for e in it.history],
        "deliveries": [jsonable_encoder(d) for d in whole.deliveries],
        "attachments": [_attachment(a) for a in whole.files],
        "allowed": it.allowed(token.actor()),
    }  # fmt: skip


def _attachment(a: Attachment) -> dict[str, Any]:
    return {
        "id": a.id, "kind": a.kind, "name": a.name, "type": a.type, "size": a.size, "state": a.state,
        "reason": a.reason, "place": a.place, "at": a.at.isoformat(),
    }  # fmt: skip


def _entry(e: Entry) -> dict[str, Any]:
    by = {"kind": e.by.kind, "name": e.by.name or None}
    if e.by.kind in ("staff", "program"):
        by["id"] = e.by.id
    return {
        "seq": e.seq, "verb": e.verb, "at": e.at.isoformat(), "by": by, "before": e.before, "after": e.after,
        "said": jsonable_encoder({k: v for k, v in e.said.items() if k not in _INNER}), "promise": e.promise and jsonable_encoder(e.promise),
    }  # fmt: skip
