"""The house as `python -m bot house` starts it, with the time of each part of a turn written down."""

from __future__ import annotations

import inspect
import sys
import time
from typing import Any

from actions import server
from bench import trace
from bot import __main__ as bot
from bot.assistant import Assistant
from bot.storage.queue import Queue
from bot.wiring import WebChat
from bot.worker import Worker


def _claims() -> None:
    """A claim is of several conversations: a span of each."""
    inner = Queue.claim

    def claim(self: Queue, *args: Any) -> Any:
        began = time.monotonic()
        found = inner(self, *args)
        for conversation in found if isinstance(found, list) else ():
            trace.note("claim", conversation, began)
        return found

    Queue.claim = claim  # type: ignore[method-assign]


def _taken(result: Any, *_: Any) -> str | None:
    """The turn that was begun and its conversation; the worker may say more than that."""
    batch = result[-1] if isinstance(result, tuple) else result
    return batch and f"{batch.turn} {batch.talk.id}"


def main() -> int:
    trace.timed(WebChat, "receive", "receive", lambda _, self, session, message_id, *more: message_id)
    _claims()
    trace.timed(Worker, "_take", "take", _taken)
    awaited = inspect.iscoroutinefunction(Assistant.take)
    (trace.timed_async if awaited else trace.timed)(Assistant, "take", "assistant", lambda _, self, turn: turn.turn)
    trace.timed(server, "run", "action", lambda _, name, said, house: said.turn)
    trace.timed(Worker, "_store", "store", lambda _, self, batch, answer: batch.turn)
    status = bot.main(["house"])
    trace.write()
    return status


if __name__ == "__main__":
    sys.exit(main())
