"""Brings what people send to the webhooks of the house, and keeps what was brought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from channels.simulator.message import Message
from channels.simulator.post import Post
from channels.simulator.telegram_bot import Bot
from channels.simulator.telegram_hook import Hook
from channels.simulator.world import World


@dataclass
class Written:
    """What was posted to the house: ids, and what it answered (0: nothing); of what is still tried, no answer yet."""

    ids: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)


class Carrier:
    """The way from the people to the house."""

    def __init__(self, world: World, post: Post, bot: Bot) -> None:
        self._world, self._post, self._hook = world, post, Hook(world, post, bot)

    async def carry(
        self, message: Message, payload: Mapping[str, Any], written: Written, forged: bool, retry: bool
    ) -> None:
        """The message was posted as this form or update, and is kept with what was answered.

        A forged one is not kept. With `retry` an update is tried until it is taken, and nobody waits for that.
        """
        if not forged:
            self._world.keep(message)
            self._world.posted[message.id] = payload
        written.ids.append(message.id)
        if retry and not forged and message.scheme == "telegram":
            self._hook.queue(message.person, payload, lambda status: _note(message, status))
            return
        status = await self._post_once(message.scheme, payload, forged)
        _note(message, status)
        written.statuses.append(status)

    async def again(self, scheme: str, message_id: str, forged: bool) -> Written:
        """What was posted under this id was posted once more, as it was."""
        return Written([message_id], [await self._post_once(scheme, self._world.posted[message_id], forged)])

    async def _post_once(self, scheme: str, payload: Mapping[str, Any], forged: bool) -> int:
        if scheme == "telegram":
            return (await self._hook.deliver(payload, forged)).status
        return (await self._post.twilio(payload, forged=forged)).status


def _note(message: Message, status: int) -> None:
    message.state = "received" if 200 <= status < 300 else "refused"
    message.told.append((message.state, status))
