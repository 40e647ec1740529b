"""Claims and leases, on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.handlers.ports import Say
from bot.storage.database import Turns
from bot.storage.queue import LEASE, Health, Queue
from tests.contract.house import NOW, House


def claim(queue: Queue, worker: str, limit: int, now: datetime) -> list[str]:
    """The conversations that a worker claims one after the other, each in a transaction of its own."""
    found: list[str] = []
    while len(found) < limit:
        with queue._store.begin() as tx:
            talk = queue.claim(tx, worker, now)
        if talk is None:
            break
        found.append(talk.id)
    return found


@pytest.fixture
def queue(house: House) -> Queue:
    return Queue(house)


def test_conversations_with_messages_are_claimed_oldest_first(house: House, queue: Queue) -> None:
    for id in ("t-1", "t-2", "t-3", "t-4"):
        house.talk(id, contact=f"c-{id}")
    for id in ("t-2", "t-1", "t-3", "t-1"):
        house.write(id, "مرحبا")
    assert claim(queue, "w1", 2, NOW) == ["t-2", "t-1"]
    assert claim(queue, "w2", 9, NOW) == ["t-3"]
    assert claim(queue, "w3", 9, NOW) == []


def test_twenty_workers_never_have_one_conversation_twice(house: House, queue: Queue) -> None:
    for i in range(30):
        house.talk(f"t-{i}", contact=f"c-{i}")
        house.write(f"t-{i}", "مرحبا")
    barrier = threading.Barrier(20)

    def work(i: int) -> list[str]:
        barrier.wait()
        return [id for _ in range(4) for id in claim(queue, f"w{i}", 2, NOW)]

    with ThreadPoolExecutor(20) as pool:
        claimed = [id for one in pool.map(work, range(20)) for id in one]
    claimed += claim(queue, "last", 99, NOW)
    assert sorted(claimed) == sorted(f"t-{i}" for i in range(30))


def test_a_released_conversation_is_claimed_again_while_something_waits(house: House, queue: Queue) -> None:
    house.talk()
    came = house.write("t-1", "مرحبا")
    assert claim(queue, "w1", 9, NOW) == ["t-1"]
    queue.release("t-1", "another worker")
    assert claim(queue, "w2", 9, NOW) == []
    queue.release("t-1", "w1")
    assert claim(queue, "w2", 9, NOW) == ["t-1"]
    with house.begin() as tx:
        tx.finish([came.id], "failed", reason="test")
        tx.release("t-1", "w2")
    assert claim(queue, "w1", 9, NOW) == []
    house.write("t-1", "أنا هنا")
    assert claim(queue, "w1", 9, NOW) == ["t-1"]


def test_what_a_dead_worker_had_begun_is_claimed_again_under_its_turn(house: House, queue: Queue) -> None:
    house.talk()
    came = house.write("t-1", "مرحبا")
    claim(queue, "w1", 9, NOW)
    with house.begin() as tx:
        tx.start_turn([came.id], "turn-1", NOW)
    assert claim(queue, "w2", 9, NOW + LEASE - timedelta(seconds=1)) == []
    assert queue.look(1, NOW)[1] == NOW + LEASE
    assert queue.renew("t-1", "w1", NOW + timedelta(seconds=9))
    assert claim(queue, "w2", 9, NOW + LEASE) == []
    assert claim(queue, "w2", 9, NOW + LEASE + timedelta(seconds=9)) == ["t-1"]
    assert not queue.renew("t-1", "w1", NOW)
    with house.begin() as tx:
        assert tx.unfinished_turn("t-1") == ("turn-1", [came.id])


def test_gathering_lines_postpones_the_claim(house: House, queue: Queue) -> None:
    house.talk()
    with house.begin() as tx:
        tx.receive("t-1", "SM1", "سطر", None, NOW)
        tx.postpone("t-1", NOW + timedelta(seconds=1.5))
    assert claim(queue, "w1", 9, NOW + timedelta(seconds=1)) == []
    assert queue.look(1, NOW)[1] == NOW + timedelta(seconds=1.5)
    assert claim(queue, "w1", 9, NOW + timedelta(seconds=2)) == ["t-1"]
    with house.begin() as tx:
        tx.postpone("t-1", NOW)
    assert claim(queue, "w2", 9, NOW + timedelta(seconds=2)) == [], "a worker's lease is not shortened"


def test_messages_without_an_end_are_found(house: House, queue: Queue, clock: Any) -> None:
    house.talk()
    first = house.write("t-1", "مرحبا")
    clock.forward(seconds=70)
    house.write("t-1", "هل من أحد؟")
    assert queue.stuck(clock() - timedelta(seconds=60)) == [first]


def test_a_job_is_one_process_at_a_time(queue: Queue, clock: Any) -> None:
    until = NOW + timedelta(seconds=60)
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda i: queue.lease("clocks", f"p{i}", until), range(8)))
    assert sum(got) == 1
    holder = f"p{got.index(True)}"
    assert queue.lease("clocks", holder, until + timedelta(seconds=1))
    assert not queue.lease("clocks", "other", until)
    assert queue.lease("purge", "other", until)
    clock.forward(seconds=61)
    assert queue.lease("clocks", "other", clock() + timedelta(seconds=60))


def test_health_tells_how_many_wait_and_for_how_long(house: House, queue: Queue, clock: Any) -> None:
    assert queue.health(NOW) == Health(0, 0.0, 0, 0.0, 0, 0)
    talk = house.talk("t-1", "whatsapp")
    house.write("t-1", "مرحبا")
    with house.begin() as tx:
        tx.say(talk, None, Say("utter_n", "1"), NOW + timedelta(seconds=4))
        talk.stopped_at = NOW
        tx.say(talk, None, Say("utter_n", "2", notice=True), NOW)
    assert queue.health(NOW + timedelta(seconds=10)) == Health(1, 10.0, 1, 6.0, 0, 0)


def test_whoever_waits_longest_for_the_writer_is_next() -> None:
    turns, order, started = Turns(), [], []
    assert turns.acquire(1)

    def wait(i: int) -> None:
        assert turns.acquire(5)
        order.append(i)
        turns.release()

    for i in range(6):
        thread = threading.Thread(target=wait, args=(i,))
        thread.start()
        started.append(thread)
        while len(turns._waiters) < i + 1:
            pass
    assert not turns.acquire(0.01)
    turns.release()
    for thread in started:
        thread.join()
    assert order == list(range(6)) and turns.acquire(0.01)
