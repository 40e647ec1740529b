"""An assistant that hangs is given a rest: nobody waits for it but the one who tries."""

from __future__ import annotations

import socket

import pytest

from bot.assistant import REST_SECONDS, SLOW_SECONDS, SLOW_TURNS, TURN_SECONDS, Assistant, Down, Failed, Rest, Turn


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def hung(rest: Rest, clock: Clock, times: int = SLOW_TURNS) -> None:
    for _ in range(times):
        rest.failed(clock.now - SLOW_SECONDS)


def test_three_slow_failures_are_a_rest_and_one_may_try() -> None:
    clock = Clock()
    rest = Rest(clock)
    hung(rest, clock, SLOW_TURNS - 1)
    assert rest.lets_through()
    hung(rest, clock, 1)
    assert not rest.lets_through()
    clock.now += REST_SECONDS
    assert rest.lets_through() and not rest.lets_through(), "one tries, the others do not wait for him"
    rest.over()
    assert rest.lets_through() and rest.lets_through()


def test_who_tried_and_never_came_back_holds_nobody_up() -> None:
    clock = Clock()
    rest = Rest(clock)
    hung(rest, clock)
    clock.now += REST_SECONDS
    assert rest.lets_through()
    clock.now += TURN_SECONDS + REST_SECONDS
    assert rest.lets_through()


def test_an_assistant_that_is_not_there_hangs_no_more() -> None:
    """Nobody listens: the process that hung is gone, and the next one is asked by everybody at once."""
    listens_no_more = socket.create_server(("127.0.0.1", 0))
    port = listens_no_more.getsockname()[1]
    listens_no_more.close()
    assistant = Assistant(f"http://127.0.0.1:{port}", "secret", lambda dialogue: [])
    clock = Clock()
    assistant._rest = Rest(clock)
    hung(assistant._rest, clock)
    with pytest.raises(Failed):
        assistant.take(Turn("d", "t1", "x", False, 0, {}))
    clock.now += REST_SECONDS
    for turn in ("t2", "t3"):
        with pytest.raises(Down):
            assistant.take(Turn("d", turn, "x", False, 0, {}))


def test_quick_failures_and_answers_between_are_no_rest() -> None:
    clock = Clock()
    rest = Rest(clock)
    for _ in range(20):
        rest.failed(clock.now)
    assert rest.lets_through()
    hung(rest, clock, SLOW_TURNS - 1)
    rest.over()
    hung(rest, clock, SLOW_TURNS - 1)
    assert rest.lets_through()
