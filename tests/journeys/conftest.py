"""One installation for all journeys of a session: real processes, a database of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine

from tests import invariants
from tests.running import ASSISTANT, ROOT, Citizen, Sawt, running


@pytest.fixture(scope="session")
def sawt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sawt]:
    """House and assistant with the trained model; skipped where the assistant is not installed or trained."""
    if not ASSISTANT.exists():
        pytest.skip("the assistant's environment is not set up: make setup")
    if not list((ROOT / "models").glob("*.tar.gz")):
        pytest.skip("there is no trained model: make train")
    with running(tmp_path_factory.mktemp("sawt")) as sawt:
        yield sawt


@pytest.fixture
def citizen(sawt: Sawt) -> Iterator[Citizen]:
    person = sawt.citizen()
    yield person
    person.close()


@pytest.fixture(autouse=True)
def nothing_is_broken(sawt: Sawt) -> Iterator[None]:
    """After every journey the whole database is checked."""
    yield
    engine = create_engine(sawt.database())
    problems = invariants.check(engine)
    engine.dispose()
    assert problems == []
