"""A fresh desk for every test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.storage.database import open_engine
from bot.tickets.taxonomy import Register
from tests.unit.desk.house import URL, Clock, Desk, fill, make, read_register


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database to copy."""
    path = tmp_path_factory.mktemp("desk") / "template.sqlite3"
    fill(path)
    return path


@pytest.fixture(scope="session")
def register(template: Path) -> Register:
    return read_register(template)


@pytest.fixture
def desk_of(tmp_path: Path, template: Path, register: Register) -> Iterator[Callable[..., Desk]]:
    """Makes a desk for a public address."""
    engines = []

    def desk(url: str = URL, undo: float = 0) -> Desk:
        path = tmp_path / f"desk{len(engines)}.sqlite3"
        shutil.copy(template, path)
        engines.append(open_engine(f"sqlite:///{path}"))
        return make(engines[-1], register, Clock(), url, tmp_path / "files", undo=undo)

    yield desk
    for engine in engines:
        engine.dispose()


@pytest.fixture
def the_desk(desk_of: Callable[..., Desk]) -> Desk:
    return desk_of()
