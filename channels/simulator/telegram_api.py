"""The Bot API over HTTP: methods with the token in the path, and the files that people sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from channels.simulator import connection, telegram_update
from channels.simulator.faults import Fault
from channels.simulator.telegram_bot import Bot, Refused
from channels.simulator.world import World

PHRASES = {
    400: "Bad Request: refused",
    403: "Forbidden: refused",
    404: "Not Found",
    429: "Too Many Requests: retry later",
    500: "Internal Server Error",
    502: "Bad Gateway",
}


def routes(world: World, bot: Bot) -> list[Route]:
    """The doors of the API. Every one asks for the bot's token."""
    api = Api(world, bot)
    return [
        Route("/bot{token}/{method}", api.call, methods=["GET", "POST"]),
        Route("/file/bot{token}/{path:path}", api.file, methods=["GET"]),
    ]


class Api:
    """What each door does."""

    def __init__(self, world: World, bot: Bot) -> None:
        self._world, self._bot = world, bot

    async def call(self, request: Request) -> Response:
        if not self._is_ours(request):
            return _answer(Refused(401, "Unauthorized"))
        method, parameters = request.path_params["method"], await _parameters(request)
        if method.lower() != "sendmessage":
            return self._done(method, parameters)
        fault = self._world.faults.next("telegram", str(parameters.get("chat_id", "")))
        answer = await self._sent(method, parameters, fault, request)
        cut = "lost" if fault and fault.kind in ("lost", "hang") else "cut"
        self._world.outcomes[cut if isinstance(answer, connection.Cut) else str(answer.status_code)] += 1
        return answer

    async def file(self, request: Request) -> Response:
        """A file of a person's, as `getFile` has named it."""
        wanted = request.path_params["path"]
        file = self._world.file(wanted.rpartition("/")[2].partition(".")[0]) if self._is_ours(request) else None
        if file is None or telegram_update.path(file) != wanted:
            return _answer(Refused(404, "Not Found"))
        return Response(file.content, media_type="application/octet-stream")

    async def _sent(
        self, method: str, parameters: Mapping[str, Any], fault: Fault | None, request: Request
    ) -> Response:
        if cut := await connection.before(fault, request):
            return cut
        if fault and fault.kind == "status":
            return _answer(_refusal(fault))
        answer = self._done(method, parameters)
        if answer.status_code == 200 and fault and fault.kind == "accept_then_cut":
            self._world.messages[-1].answered = False
            return await connection.after(fault) or answer
        return answer

    def _done(self, method: str, parameters: Mapping[str, Any]) -> Response:
        try:
            return JSONResponse({"ok": True, "result": self._bot.call(method, parameters)})
        except Refused as refused:
            return _answer(refused)

    def _is_ours(self, request: Request) -> bool:
        return bool(self._world.bot_token) and request.path_params["token"] == self._world.bot_token


async def _parameters(request: Request) -> dict[str, Any]:
    """Parameters as the Bot API takes them: in the address, as a form, as JSON."""
    given: dict[str, Any] = dict(request.query_params)
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            said = await request.json()
        except ValueError:
            said = None
        return given | said if isinstance(said, dict) else given
    return given | dict(await request.form())


def _refusal(fault: Fault) -> Refused:
    if fault.status == 429 and fault.retry_after is not None:
        return Refused(429, f"Too Many Requests: retry after {fault.retry_after:g}", fault.retry_after)
    return Refused(fault.status, PHRASES.get(fault.status, "Refused"))


def _answer(refused: Refused) -> JSONResponse:
    return JSONResponse(refused.answer(), refused.status)
