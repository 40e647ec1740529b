"""The real house as one process. At the assistant's address is a peer that the test plays; the menu answers people."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from tests import invariants
from tests.integration.doors import Clerk, House
from tests.integration.peer import Peer


def checked(house: House) -> None:
    """The house's database is as it must be; what a turn is changing at this moment is looked at again."""
    engine = create_engine(house.database())
    for _ in range(10):
        problems = invariants.check(engine)
        if not problems:
            break
        time.sleep(0.3)
    engine.dispose()
    assert problems == []


@pytest.fixture
def house_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., House]]:
    """Makes houses of a test's own, started; ended and checked afterwards."""
    made: list[House] = []

    def house(data: Path | None = None, **settings: str) -> House:
        made.append(House(data or tmp_path_factory.mktemp("house"), settings))
        made[-1].start_house()
        made[-1].wait_house()
        return made[-1]

    try:
        yield house
        for each in made:
            checked(each)
    finally:
        for each in made:
            each.stop()


@pytest.fixture
def peer_of() -> Iterator[Callable[[House], Peer]]:
    """Puts a peer at a house's assistant's address; closed afterwards."""
    with contextlib.ExitStack() as stack:

        def peer(house: House) -> Peer:
            made = Peer(house.rasa_port)
            stack.callback(made.close)
            return made

        yield peer


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One house for all tests that only knock at its doors, at LOG_LEVEL=DEBUG. Its assistant breaks at every turn."""
    house = House(tmp_path_factory.mktemp("shared"), {"LOG_LEVEL": "DEBUG", "TURNS": "8"})
    house.start_house()
    peer = Peer(house.rasa_port)
    try:
        house.wait()
        yield house
    finally:
        house.stop()
        peer.close()


@pytest.fixture(scope="module")
def house(shared: House) -> Iterator[House]:
    """The shared house, whole after a module's tests as before them."""
    yield shared
    checked(shared)


@pytest.fixture(scope="session")
def _clerks(shared: House) -> dict[str, Clerk]:
    return {}


@pytest.fixture
def clerk(house: House, _clerks: dict[str, Clerk]) -> Clerk:
    """The contact centre's agent, signed in."""
    if "agent" not in _clerks:
        _clerks["agent"] = Clerk(house.url, "agent@example.test")
    return _clerks["agent"]
