"""Twilio's REST API, as much of it as the house asks for: create, list and fetch messages, fetch media."""

from __future__ import annotations

import base64
import binascii

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from channels.simulator import connection, twilio_order
from channels.simulator.faults import Fault
from channels.simulator.message import Message
from channels.simulator.twilio_callbacks import Callbacks
from channels.simulator.twilio_errors import refusal
from channels.simulator.twilio_resource import page, resource
from channels.simulator.world import World

BASE = "/2010-04-01/Accounts/{account}"


def routes(world: World, callbacks: Callbacks) -> list[Route]:
    """The doors of the API. Every one asks for the account's credentials."""
    api = Api(world, callbacks)
    return [
        Route(f"{BASE}/Messages.json", api.create, methods=["POST"]),
        Route(f"{BASE}/Messages.json", api.list, methods=["GET"]),
        Route(f"{BASE}/Messages/{{sid}}.json", api.fetch, methods=["GET"]),
        Route(f"{BASE}/Messages/{{sid}}/Media/{{media}}", api.media, methods=["GET"]),
    ]


class Api:
    """What each door does."""

    def __init__(self, world: World, callbacks: Callbacks) -> None:
        self._world, self._callbacks = world, callbacks

    async def create(self, request: Request) -> Response:
        order = twilio_order.read(await request.body())
        if not self._is_ours(request):
            return refusal(401)
        fault = self._world.faults.next(order.scheme, order.person)
        answer = await self._created(order, fault, request)
        cut = "lost" if fault and fault.kind in ("lost", "hang") else "cut"
        self._world.outcomes[cut if isinstance(answer, connection.Cut) else str(answer.status_code)] += 1
        return answer

    async def list(self, request: Request) -> Response:
        if not self._is_ours(request):
            return refusal(401)
        try:
            return JSONResponse(page(self._world, request.query_params))
        except (ValueError, TypeError):
            return refusal(400)

    async def fetch(self, request: Request) -> Response:
        if not self._is_ours(request):
            return refusal(401)
        message = self._message(request)
        return JSONResponse(resource(self._world, message)) if message else refusal(404)

    async def media(self, request: Request) -> Response:
        """The file itself. The real API sends the caller on to another host, which has no part in this play."""
        if not self._is_ours(request):
            return refusal(401)
        message = self._message(request)
        for file in message.files if message else ():
            if file.id == request.path_params["media"]:
                return Response(file.content, media_type=file.type)
        return refusal(404)

    async def _created(self, order: twilio_order.Order, fault: Fault | None, request: Request) -> Response:
        if cut := await connection.before(fault, request):
            return cut
        if fault and fault.kind == "status":
            return refusal(fault.status, fault.code, fault.retry_after)
        if problem := order.problem(self._world):
            return refusal(400, problem)
        message = order.message(self._world)
        answer = JSONResponse(resource(self._world, message), 201)
        self._callbacks.follow(message, fault)
        message.answered = not (fault and fault.kind == "accept_then_cut")
        return await connection.after(fault) or answer

    def _message(self, request: Request) -> Message | None:
        found = self._world.find(request.path_params["sid"])
        return found if found and found.scheme != "telegram" else None

    def _is_ours(self, request: Request) -> bool:
        """The credentials are the account's, and so is what is asked for."""
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            credentials = base64.b64decode(given, validate=True).decode()
        except (binascii.Error, ValueError):
            return False
        account = self._world.account_sid
        right = f"{account}:{self._world.auth_token}"
        return bool(account) and kind == "Basic" and credentials == right and request.path_params["account"] == account
