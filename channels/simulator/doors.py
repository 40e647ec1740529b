"""The control door: what tests and the page do with the world, in JSON."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from channels.contract import Place
from channels.simulator import faults
from channels.simulator.message import File
from channels.simulator.play import Play
from channels.simulator.unplayable import Unplayable
from channels.simulator.world import World

type Said = Mapping[str, Any]
_REQUIRED = object()


def routes(world: World, play: Play) -> list[Route]:
    """The doors. A POST is a JSON object with its content type, which no page of another origin can send unasked."""
    doors = Doors(world, play)
    posts: dict[str, Callable[[Said], Awaitable[Any]]] = {
        "write": doors.write, "press": doors.press, "read": doors.read, "fault": doors.fault, "people": doors.meet,
    }  # fmt: skip
    return [
        *(Route(f"/play/{name}", _posted(does), methods=["POST"]) for name, does in posts.items()),
        Route("/play/people", doors.people, methods=["GET"]),
        Route("/play/messages", doors.messages, methods=["GET"]),
        Route("/play/counts", doors.counts, methods=["GET"]),
    ]


class Doors:
    """What each door does."""

    def __init__(self, world: World, play: Play) -> None:
        self._world, self._play = world, play

    async def write(self, said: Said) -> Any:
        """`scheme, person`, and of `text, files, place, button, message_id, forged, retry` what is wanted."""
        scheme = _taken(said, "scheme", str)
        files = [self._file(scheme, each) for each in _taken(said, "files", list, [])]
        place = _taken(said, "place", dict, None)
        written = await self._play.write(
            scheme, _taken(said, "person", str), _taken(said, "text", str, ""), files, place and _place(place),
            _taken(said, "button", str, None), _taken(said, "message_id", str, None),
            _taken(said, "forged", bool, False), _taken(said, "retry", bool, False),
        )  # fmt: skip
        return {"ids": written.ids, "statuses": written.statuses}

    async def press(self, said: Said) -> Any:
        """`scheme, person, token`, and of `message` (its id), `forged, retry` what is wanted."""
        written = await self._play.press(
            _taken(said, "scheme", str), _taken(said, "person", str), _taken(said, "token", str),
            _taken(said, "message", str, None), None, _taken(said, "forged", bool, False),
            _taken(said, "retry", bool, False),
        )  # fmt: skip
        return {"ids": written.ids, "statuses": written.statuses}

    async def read(self, said: Said) -> Any:
        return {"read": await self._play.read(_taken(said, "scheme", str), _taken(said, "person", str))}

    async def fault(self, said: Said) -> Any:
        """A fault with its fields, `{"faults": […]}`, or `{"rates": {…}, "seed": …, "retry_after": …}`.

        Three kinds are no event but a state: `blocked` (by that person), `closed` (that person's WhatsApp window, until
        they write), `normal` (none of it any more, of that scheme and person or of all; nor chances).
        """
        if "rates" in said:
            rates = _taken(said, "rates", dict)
            if not all(isinstance(share, int | float) for share in rates.values()):
                raise Unplayable("rates: a chance is a number")
            self._world.faults.rates(rates, _taken(said, "seed", int, 0), _taken(said, "retry_after", float, 1.0))
            return {}
        given = _taken(said, "faults", list, None) or [said]
        if any(not isinstance(each, dict) for each in given):
            raise Unplayable("faults: a list of objects")
        for each in given:
            self._befall(each)
        return {}

    async def meet(self, said: Said) -> Any:
        """`scheme, person`, and of `name, language, username, wrote` what is wanted: the person is known from now on.

        `wrote`: as if they had just written something.
        """
        person = self._world.person(_taken(said, "scheme", str), _taken(said, "person", str))
        person.name = _taken(said, "name", str, person.name)
        person.language = _taken(said, "language", str, person.language)
        person.username = _taken(said, "username", str, person.username)
        if _taken(said, "wrote", bool, False):
            person.wrote_at = self._world.clock()
        return person.view()

    async def people(self, request: Request) -> Response:
        return JSONResponse({"people": [person.view() for person in self._world.people.values()]})

    async def messages(self, request: Request) -> Response:
        """Messages of `scheme` and `person` with a number above `after`, and what the next send will suffer."""
        query = request.query_params
        scheme, person, after = query.get("scheme", ""), query.get("person", ""), query.get("after", "0")
        chosen = self._world.chosen(scheme, person, int(after) if after.isascii() and after.isdigit() else 0)
        return JSONResponse({"messages": [message.view() for message in chosen], "next": self._next(scheme, person)})

    async def counts(self, request: Request) -> Response:
        return JSONResponse(self._world.counts())

    def _next(self, scheme: str, identifier: str) -> str:
        """What the next send to a person will suffer: a kind of fault, with the status where it is one; "": nothing."""
        person = self._world.people.get((scheme, identifier))
        if person and person.wants_none:
            return "blocked"
        if fault := self._world.faults.waiting(scheme, identifier):
            return f"status {fault.status}" if fault.kind == "status" else fault.kind
        is_closed = person and scheme == "whatsapp" and not person.has_window(self._world.clock())
        return "closed" if is_closed else ""

    def _befall(self, said: Said) -> None:
        kind = _taken(said, "kind", str)
        if kind in ("blocked", "closed"):
            person = self._world.person(_taken(said, "scheme", str), _taken(said, "person", str))
            person.blocked = person.blocked or kind == "blocked"
            person.wrote_at = person.wrote_at if kind == "blocked" else None
        elif kind == "normal":
            scheme, identifier = _taken(said, "scheme", str, ""), _taken(said, "person", str, "")
            self._world.faults.clear(scheme, identifier)
            for person in self._world.people.values():
                if scheme in ("", person.scheme) and identifier in ("", person.identifier):
                    person.blocked = False
        else:
            self._world.faults.add(faults.read(said))

    def _file(self, scheme: str, said: Any) -> File:
        if not isinstance(said, dict):
            raise Unplayable("files: a list of objects")
        try:
            content = base64.b64decode(_taken(said, "content", str), validate=True)
        except (binascii.Error, ValueError):
            raise Unplayable("content: not base64") from None
        return self._play.file(scheme, _taken(said, "name", str, "file"), _taken(said, "type", str), content)


def _posted(does: Callable[[Said], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint that does this with a posted object."""

    async def endpoint(request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return JSONResponse({"error": "a JSON object is needed"}, 415)
        try:
            return JSONResponse(await does(_object(await request.body())))
        except Unplayable as error:
            return JSONResponse({"error": str(error)}, 422)

    return endpoint


def _object(body: bytes) -> Said:
    """The object that a body is. Raises Unplayable, also for half a surrogate pair in it, which no provider carries."""
    try:
        said = json.loads(body)
        json.dumps(said, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Unplayable("not JSON") from None
    if not isinstance(said, dict):
        raise Unplayable("a JSON object is needed")
    return said


def _place(said: Said) -> Place:
    return Place(_taken(said, "latitude", float), _taken(said, "longitude", float), _taken(said, "name", str, ""))


def _taken(said: Said, name: str, kind: type, default: Any = _REQUIRED) -> Any:
    """A field of this kind; what is missing or null is the default. Raises Unplayable."""
    value = said.get(name)
    if value is None and default is not _REQUIRED:
        return default
    fits = isinstance(value, (int, float) if kind is float else kind) and (kind is bool or not isinstance(value, bool))
    if not fits:
        raise Unplayable(f"{name}: {'is missing' if value is None else f'must be a {kind.__name__}'}")
    return value
