"""Updates to the house's webhook: once, or again and again as Telegram does.

Of the behaviour of tdlib/telegram-bot-api: a queue for each chat, blocked by its first update until that is taken or a
day old; the second try comes at once, the next ones after 2, 4, 8 … seconds up to a minute or two; Retry-After counts.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from channels.simulator.post import Answer, Post
from channels.simulator.telegram_bot import Bot
from channels.simulator.world import World

EXPIRY = timedelta(days=1)
LONGEST, RETRY_AFTER = 60.0, 3_600.0
type Told = Callable[[int], None]


class Hook:
    """Where updates go out."""

    def __init__(self, world: World, post: Post, bot: Bot) -> None:
        self._world, self._post, self._bot = world, post, bot
        self._queues: dict[str, deque[tuple[Mapping[str, Any], datetime, Told]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def deliver(self, update: Mapping[str, Any], forged: bool = False) -> Answer:
        """One try. What the answer asks the bot to do has happened."""
        answer = await self._post.telegram(update, forged)
        if answer.is_success:
            self._bot.obey(answer.body)
        return answer

    def queue(self, chat: str, update: Mapping[str, Any], told: Told) -> None:
        """The update is tried until it is taken, after those of its chat that came before.

        `told` hears the status of each try.
        """
        waiting = self._queues.setdefault(chat, deque())
        waiting.append((update, self._world.clock(), told))
        if len(waiting) == 1:
            task = asyncio.create_task(self._drain(waiting))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _drain(self, waiting: deque[tuple[Mapping[str, Any], datetime, Told]]) -> None:
        while waiting:
            update, at, told = waiting[0]
            await self._until_taken(update, at, told)
            waiting.popleft()

    async def _until_taken(self, update: Mapping[str, Any], at: datetime, told: Told) -> None:
        pause = 0.0
        while self._world.clock() - at < EXPIRY:
            answer = await self.deliver(update)
            told(answer.status)
            if answer.is_success:
                return
            await asyncio.sleep(max(pause, min(answer.retry_after or 0.0, RETRY_AFTER)) * self._world.patience)
            longest = random.uniform(LONGEST, 2 * LONGEST)
            pause = min(pause * 2 or 2.0, longest)
