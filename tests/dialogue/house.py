"""A small house for the tests: a real listener that speaks Rasa's action-server protocol, and the client's side of a turn."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from aiohttp import web

Answer = dict[str, Any]
SAID_ENOUGH = {
    "event": "slot",
    "name": "requested_slot",
    "value": "said",
}  # no action asks for it: nothing is asked again


def slot(name: str, value: Any) -> dict[str, Any]:
    return {"event": "slot", "name": name, "value": value}


def reply(name: str, buttons: tuple[Any, ...] = (), **params: Any) -> dict[str, Any]:
    return {"response": name, "params": params, "buttons": list(buttons)}


def by_the_book(call: dict[str, Any]) -> Answer:
    """What the house answers in the simplest dialogue: one message is the matter, 'affirm' files it."""
    tracker = call["tracker"]
    message, slots = tracker["latest_message"], tracker["slots"]
    intent = message["intent"]["name"]
    if call["next_action"] == "validate_ticket_form":
        if slots["draft"] is None or slots["matter"] is None:
            draft = {"kind": intent, "turn": message["message_id"]}
            return {"events": [slot("draft", draft), slot("matter", "given"), slot("confirmed", None)], "responses": []}
        if intent == "affirm":
            return {"events": [slot("confirmed", True)], "responses": []}
        if intent == "cancel":
            away = [slot("draft", None), slot("matter", None), {"event": "active_loop", "name": None}]
            return {"events": away, "responses": [reply("utter_put_away")]}
        if intent == "check_status":
            return {"events": [slot("matter", "given"), SAID_ENOUGH], "responses": [reply("utter_status")]}
        return {"events": [slot("matter", "given")], "responses": []}
    if call["next_action"] == "action_file_ticket":
        return {"events": [slot("draft", None)], "responses": [reply("utter_filed", ref="6821093659")]}
    if call["next_action"] == "action_ask_ticket_form_confirmed":
        yes = {"title": "button_file", "params": {}, "payload": '/press{"do": "file"}'}
        no = {"title": "button_drop", "params": {}, "payload": '/press{"do": "drop"}'}
        return {"events": [], "responses": [reply("utter_draft", (yes, no), kind=slots["draft"]["kind"])]}
    return {"events": [], "responses": [reply("utter_" + call["next_action"], intent=intent)]}


class FakeHouse:
    """Listens on a port of loopback until `stop`; `calls` are the requests it was sent, `answer` is what it says."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.calls: list[dict[str, Any]] = []
        self.answer: Callable[[dict[str, Any]], Any] = by_the_book
        self.status = 200
        self.delay = 0.0
        self.port = 0
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def start(self, port: int = 0) -> None:
        self._do(self._start(port))

    def stop(self) -> None:
        """After the call nobody listens on the port."""
        if self._runner is not None:
            self._do(self._runner.cleanup())
            self._runner = None

    def by_the_book(self) -> None:
        self.answer, self.status, self.delay = by_the_book, 200, 0.0
        self.calls.clear()

    def asked(self) -> list[str]:
        return [call["next_action"] for call in self.calls]

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _start(self, port: int) -> None:
        app = web.Application()
        app.router.add_post("/webhook", self._serve)
        self._runner = web.AppRunner(app, keepalive_timeout=300, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def _serve(self, request: web.Request) -> web.Response:
        if request.headers.get("X-Sawt-Secret") != self.secret:
            return web.Response(status=403)
        call = await request.json()
        self.calls.append(call)
        await asyncio.sleep(self.delay)
        answer = self.answer(call)
        return web.Response(
            status=self.status,
            text=answer if isinstance(answer, str) else json.dumps(answer),
            content_type="application/json",
        )


class Assistant:
    """The client's side: what the house does with the assistant. Keeps each dialogue's events as the house would."""

    def __init__(self, port: int, secret: str) -> None:
        self.url, self.secret = f"http://127.0.0.1:{port}/webhooks/house/", secret
        self.record: dict[str, list[dict[str, Any]]] = {}
        self.slots: dict[str, dict[str, Any]] = {}
        self.turns = 0

    def post(self, body: Any, secret: str | None = None) -> tuple[int, dict[str, Any]]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"X-Sawt-Secret": self.secret if secret is None else secret}
        request = urllib.request.Request(self.url + "turn", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"{}")

    def turn(self, dialogue: str, text: str, **more: Any) -> dict[str, Any]:
        """One turn as the house drives it: again with the history after a 409; what came of it is kept."""
        self.turns += 1
        events = self.record.setdefault(dialogue, [])
        slots = self.slots.setdefault(dialogue, {"draft": None, "question": None, "language": None, "tickets": []})
        body = {
            "dialogue": dialogue,
            "turn": f"turn-{self.turns}",
            "text": text,
            "trusted": False,
            "events": len(events),
            "slots": slots,
            "parts": False,
            **more,
        }
        status, answer = self.post(body)
        if status == 409:
            status, answer = self.post({**body, "history": events})
            answer["asked_for_history"] = True
        assert status == 200, (status, answer)
        events.extend(answer["events"])
        assert answer["total"] == len(events)
        slots.update({name: answer["slots"][name] for name in ("draft", "question")})
        return answer
