"""Both databases, fresh for every test: a SQLite file always, PostgreSQL where one answers on this machine."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from sqlalchemy import Engine

from bot.storage.crypto import Secrets
from bot.storage.database import open_engine
from bot.storage.migrations import migrate
from bot.storage.tables import metadata
from tests.contract.house import NOW, House

SERVER = os.environ.get("SAWT_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432")
PATIENCE = 3.0


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty file to copy."""
    path = tmp_path_factory.mktemp("template") / "template.sqlite3"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    with engine.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str | None]:
    """A database of our own on the local server, dropped afterwards; None where no server answers."""
    name = f"sawt_test_{secrets.token_hex(6)}"
    try:
        server = psycopg.connect(f"{SERVER}/postgres", autocommit=True, connect_timeout=2)
    except psycopg.OperationalError:
        yield None
        return
    with server:
        server.execute(f'CREATE DATABASE "{name}"')
        server.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        try:
            yield f"{SERVER}/{name}"
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def postgresql_engine(postgresql_url: str | None) -> Iterator[Engine | None]:
    if postgresql_url is None:
        yield None
        return
    engine = open_engine(postgresql_url, patience=PATIENCE, pool_size=24)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, sqlite_template: Path) -> Iterator[Engine]:
    """An empty database of the house."""
    if request.param == "sqlite":
        shutil.copy(sqlite_template, tmp_path / "house.sqlite3")
        engine = open_engine(f"sqlite:///{tmp_path / 'house.sqlite3'}", patience=PATIENCE, pool_size=24)
        yield engine
        engine.dispose()
        return
    engine = request.getfixturevalue("postgresql_engine")
    if engine is None:
        pytest.skip(f"no PostgreSQL answers at {SERVER}: set SAWT_TEST_POSTGRESQL to run these")
    empty(engine)
    yield engine


def empty(engine: Engine) -> None:
    """No row is left in any table; numbering of rows goes on."""
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())


@pytest.fixture
def clock() -> Callable[[], datetime]:
    """A clock that stands still until a test says `clock.forward(seconds=…)`."""
    state = SimpleNamespace(now=NOW)

    def read() -> datetime:
        return state.now

    def forward(**by: float) -> datetime:
        state.now += timedelta(**by)
        return state.now

    read.forward = forward  # type: ignore[attr-defined]
    assert NOW.tzinfo is UTC
    return read


@pytest.fixture
def house(engine: Engine, clock: Callable[[], datetime]) -> House:
    return House(engine, Secrets("a secret key that only the tests know"), clock)
