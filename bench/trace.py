"""Spans of turns, kept in memory and written when the process ends: who, what, from when to when (monotonic clock).

Runs on both Pythons: the house's and the assistant's.
"""

import functools
import json
import os
import time
from collections.abc import Callable
from typing import Any

_SPANS: list[tuple[str, str, float, float]] = []


def note(name: str, key: str, began: float) -> None:
    """A span that ends now."""
    _SPANS.append((name, key, began, time.monotonic()))


def timed(owner: Any, method: str, name: str, key: Callable[..., Any]) -> None:
    """From now on every call of this method is a span; `key(result, *arguments)` says whose, None: nobody's."""
    inner = getattr(owner, method)

    @functools.wraps(inner)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        began = time.monotonic()
        result = inner(*args, **kwargs)
        whose = key(result, *args, **kwargs)
        if whose is not None:
            note(name, whose, began)
        return result

    setattr(owner, method, wrapper)


def timed_async(owner: Any, method: str, name: str, key: Callable[..., Any]) -> None:
    """As `timed`, for a coroutine."""
    inner = getattr(owner, method)

    @functools.wraps(inner)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        began = time.monotonic()
        result = await inner(*args, **kwargs)
        whose = key(result, *args, **kwargs)
        if whose is not None:
            note(name, whose, began)
        return result

    setattr(owner, method, wrapper)


def write() -> None:
    """The spans, one a line, to the file that BENCH_TRACE names."""
    with open(os.environ["BENCH_TRACE"], "w") as file:
        file.writelines(json.dumps(span) + "\n" for span in _SPANS)
