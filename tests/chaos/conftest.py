"""Installations that are broken on purpose, each with a database of its own; checked whole at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine

from tests import invariants
from tests.running import ASSISTANT, ROOT, Sawt


@pytest.fixture
def sawt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sawt]:
    """Not started yet; stopped and checked afterwards."""
    if not ASSISTANT.exists() or not list((ROOT / "models").glob("*.tar.gz")):
        pytest.skip("the assistant is not set up or not trained: make train")
    installation = Sawt(tmp_path_factory.mktemp("chaos"))
    try:
        yield installation
        engine = create_engine(installation.database())
        problems = invariants.check(engine)
        engine.dispose()
        assert problems == []
    finally:
        installation.stop()
