"""The pace of a scheme and of a person: never faster, also after a rest. Lower bounds alone: a busy machine is slower."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from bot.dispatch import Lane
from channels.contract import Limits
from channels.telegram.provider import Telegram

PROVIDER = Telegram("123:abc", "s" * 20, "http://127.0.0.1:9")


def lane(per_second: float, apart: float = 0.0) -> Lane:
    return Lane("telegram", PROVIDER, Limits(4096, 12, per_second=per_second, apart=timedelta(seconds=apart)))


async def moments(of: Lane, conversations: list[str]) -> list[float]:
    """When each of them may send, all asking at once."""

    async def one(conversation: str) -> float:
        await of.turn(conversation)
        of.sent(conversation)
        return time.monotonic()

    return sorted(await asyncio.gather(*(one(each) for each in conversations)))


async def test_a_scheme_is_never_faster_than_its_account() -> None:
    began = time.monotonic()
    found = await moments(lane(100), [f"c{n}" for n in range(30)])
    assert found[-1] - began >= 0.28


async def test_a_person_is_never_written_to_faster_than_may_be() -> None:
    one = lane(1000, apart=0.2)
    began = time.monotonic()
    for _ in range(3):
        await moments(one, ["c"])
    assert time.monotonic() - began >= 0.39


async def test_who_waited_out_a_rest_does_not_go_all_at_once() -> None:
    one = lane(100)
    waiting = asyncio.create_task(moments(one, [f"c{n}" for n in range(20)]))
    await asyncio.sleep(0.01)
    one.rest(0.3)
    found = [each for each in await waiting if each >= one.rests_until]
    assert len(found) >= 15 and found[-1] - one.rests_until >= (len(found) - 2) / 100
