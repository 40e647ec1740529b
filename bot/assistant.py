"""The house's side of the wire to the assistant: one turn out, everything that came of it back."""

from __future__ import annotations

import asyncio
import base64
import json
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

import structlog

log = structlog.get_logger("sawt.assistant")

TURN_SECONDS = 8.0
CONNECT_SECONDS = 1.0

SLOW_SECONDS = 2.0
SLOW_TURNS = 3
REST_SECONDS = 5.0


class Down(Exception):
    """Nobody answers at the assistant's address: the turn has not begun."""


class Failed(Exception):
    """The turn was begun and gave no answer that can be trusted: late, broken, or an action failed."""


@dataclass(frozen=True)
class Turn:
    """One message with where the dialogue stands; see nlu/channel.py for the wire."""

    dialogue: str
    turn: str
    text: str
    trusted: bool
    events: int
    slots: dict[str, Any]
    parts: bool = False


@dataclass(frozen=True)
class Answer:
    """What came of a turn: the dialogue's new events, names to say, the state, what was read."""

    events: list[Any]
    replies: list[dict[str, Any]]
    slots: dict[str, Any]
    read: dict[str, Any] = field(default_factory=dict)
    vector: bytes | None = None  # what the message means, a byte a number: as personal as its text


class Rest:
    """Who hangs is not asked by everybody: after three slow failures one turn in five seconds tries again.

    Without it a hundred people would wait behind each other, three at a time, for a clock to run out.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._lock = now, threading.Lock()
        self._slow, self._next_try = 0, 0.0

    def lets_through(self) -> bool:
        """False while the assistant rests; the turn that may try is told True, and no other beside it."""
        with self._lock:
            if self._slow < SLOW_TURNS:
                return True
            if self._now() < self._next_try:
                return False
            self._next_try = self._now() + TURN_SECONDS + REST_SECONDS
            return True

    def over(self) -> None:
        """It has answered, or is not there at all: who comes up next does not hang, everybody may ask."""
        with self._lock:
            self._slow = 0

    def failed(self, began: float) -> None:
        """A turn that began then has failed; a failure that came at once is no reason to rest."""
        with self._lock:
            if self._now() - began >= SLOW_SECONDS:
                self._slow, self._next_try = self._slow + 1, self._now() + REST_SECONDS


class Assistant:
    """A client that keeps its connections; for threads. `history(dialogue)` gives the events that the house holds."""

    def __init__(self, url: str, secret: str, history: Callable[[str], Sequence[Any]]) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "127.0.0.1", address.port or 80
        self._headers = {"X-Sawt-Secret": secret, "Content-Type": "application/json"}
        self._history = history
        self._kept: deque[HTTPConnection] = deque(maxlen=8)
        self._rest = Rest()

    def take(self, turn: Turn) -> Answer:
        """The answer to one turn; raises Down or Failed, never anything else."""
        if not self._rest.lets_through():
            raise Failed("it hangs, and is not asked for some seconds")
        began = time.monotonic()
        try:
            answer = self._take(turn)
        except Failed:
            self._rest.failed(began)
            raise
        except Down:
            self._rest.over()
            raise
        self._rest.over()
        return answer

    def _take(self, turn: Turn) -> Answer:
        body: dict[str, Any] = {
            "dialogue": turn.dialogue, "turn": turn.turn, "text": turn.text, "trusted": turn.trusted,
            "events": turn.events, "slots": turn.slots, "parts": turn.parts,
        }  # fmt: skip
        status, answer = self._post(body)
        if status == 409:
            history = self._history(turn.dialogue)
            status, answer = self._post({**body, "events": len(history), "history": list(history)})
        if status != 200:
            raise Failed(f"the assistant answered {status}")
        try:
            said = json.loads(answer)
            if said.get("failed"):
                raise Failed("an action failed")
            vector = base64.b64decode(said["vector"], validate=True) if said.get("vector") else None
            return Answer(said["events"], said["replies"], said["slots"], said.get("read") or {}, vector)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Failed(f"no answer to a turn: {type(error).__name__}") from error

    def _post(self, body: dict[str, Any]) -> tuple[int, bytes]:
        connection = self._connection()
        try:
            connection.request("POST", "/webhooks/house/turn", json.dumps(body).encode(), self._headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, HTTPException) as error:
            connection.close()
            raise Failed(type(error).__name__) from error
        if response.will_close:
            connection.close()
        else:
            self._kept.append(connection)
        return response.status, answer

    def _connection(self) -> HTTPConnection:
        """One that was kept, unless the assistant has closed it meanwhile, or a new one; raises Down."""
        while self._kept:
            with suppress(IndexError):
                kept = self._kept.pop()
                if not select.select([kept.sock], [], [], 0)[0]:
                    return kept
                kept.close()
        connection = HTTPConnection(self._host, self._port, timeout=CONNECT_SECONDS)
        try:
            connection.connect()
        except OSError as error:
            raise Down(str(error)) from error
        connection.sock.settimeout(TURN_SECONDS)
        return connection

    async def ready(self) -> bool:
        """True where a turn can be answered."""
        return await asyncio.to_thread(self._ready)

    def _ready(self) -> bool:
        connection = HTTPConnection(self._host, self._port, timeout=2.0)
        try:
            connection.request("GET", "/webhooks/house/")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def close(self) -> None:
        while self._kept:
            self._kept.pop().close()
