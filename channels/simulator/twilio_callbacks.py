"""What Twilio tells the house of a message it has accepted: signed calls of the status callback's address.

Fields: twilio.com/docs/messaging/guides/track-outbound-message-status.
"""

from __future__ import annotations

import asyncio

from channels.simulator.faults import Fault
from channels.simulator.message import Message
from channels.simulator.post import Post
from channels.simulator.twilio_errors import MESSAGES
from channels.simulator.twilio_order import channel
from channels.simulator.world import World

CLOSED = 63016
NOT_THERE = 30005
"""What an undelivered message has where the fault names no code: nobody has that number."""


class Callbacks:
    """Follows messages to their end."""

    def __init__(self, world: World, post: Post) -> None:
        self._world, self._post = world, post
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, message: Message, fault: Fault | None) -> None:
        """The message goes its way from now on, without anybody waiting for it."""
        task = asyncio.create_task(self._follow(message, fault, _steps(self._world, message, fault)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def tell(self, message: Message, state: str, code: str = "") -> None:
        """The message is in this state, unless it was further on; the house was told, where it wanted to be."""
        message.advance(state, self._world.clock(), code)
        if message.callback:
            answer = await self._post.twilio(_fields(self._world, message, state, code), message.callback)
            message.told.append((state, answer.status))

    async def _follow(self, message: Message, fault: Fault | None, steps: list[tuple[str, str]]) -> None:
        kind = fault.kind if fault else ""
        if fault and kind == "late":
            await asyncio.sleep(fault.seconds)
        for state, code in reversed(steps) if kind == "reordered_callbacks" else steps:
            await asyncio.sleep(self._world.pace)
            if kind == "silent":
                message.advance(state, self._world.clock(), code)
                continue
            for _ in range(2 if kind == "double_callback" else 1):
                await self.tell(message, state, code)


def _steps(world: World, message: Message, fault: Fault | None) -> list[tuple[str, str]]:
    """The states that come, each with its error code."""
    is_free = message.scheme == "whatsapp" and not message.content_sid
    if is_free and not world.person(message.scheme, message.person).has_window(world.clock()):
        return [("failed", str(CLOSED))]
    if fault and fault.kind == "undelivered":
        return [("sent", ""), ("undelivered", str(fault.code or NOT_THERE))]
    return [("sent", ""), ("delivered", "")]


def _fields(world: World, message: Message, state: str, code: str) -> dict[str, str]:
    fields = {
        "ApiVersion": "2010-04-01",
        "MessageStatus": state,
        "SmsSid": message.id,
        "SmsStatus": state,
        "To": channel(message.scheme, message.person),
        "From": message.sender,
        "MessageSid": message.id,
        "AccountSid": world.account_sid,
    }
    if message.service:
        fields["MessagingServiceSid"] = message.service
    if code:
        fields |= {"ErrorCode": code, "ErrorMessage": MESSAGES.get(int(code), "")}
    if message.scheme == "sms":
        is_final = state in ("delivered", "undelivered")
        return fields | ({"RawDlrDoneDate": f"{world.clock():%y%m%d%H%M}"} if is_final else {})
    return fields | _of_channel(message, state, code)


def _of_channel(message: Message, state: str, code: str) -> dict[str, str]:
    fields = {
        "ChannelPrefix": "whatsapp",
        "ChannelInstallSid": f"XE{1:032x}",
        "ChannelToAddress": message.person,
    }
    events = {"delivered": "DELIVERED", "read": "READ", "failed": "UNDELIVERED", "undelivered": "UNDELIVERED"}
    if state in events:
        fields["EventType"] = events[state]
    if code == str(CLOSED):
        fields["ChannelStatusMessage"] = "Message failed to send because more than 24 hours have passed"
    return fields
