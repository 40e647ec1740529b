"""Waking the event streams of a chat when something was stored for it."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Bell:
    """What one stream waits at."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake the stream; from its own event loop only."""
        self._event.set()

    async def rung(self, seconds: float) -> bool:
        """True as soon as somebody rang since the last call; False after `seconds` without."""
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Bells:
    """All bells of one house process, by session.

    Another process's rings do not arrive here; what they announce is found when a stream looks by itself.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bells: defaultdict[str, set[Bell]] = defaultdict(set)

    def ring(self, session: str) -> None:
        """Wake the streams of a session, after the commit. From any thread."""
        with self._lock:
            bells = list(self._bells.get(session, ()))
        for bell in bells:
            if not bell.loop.is_closed():
                bell.loop.call_soon_threadsafe(bell.ring)

    @contextmanager
    def listen(self, session: str) -> Iterator[Bell]:
        """A bell that hears every ring from now on. Listen first, then read: so nothing falls between."""
        bell = Bell()
        with self._lock:
            self._bells[session].add(bell)
        try:
            yield bell
        finally:
            with self._lock:
                self._bells[session].discard(bell)
                if not self._bells[session]:
                    del self._bells[session]
