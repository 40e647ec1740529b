"""The engine: how the two databases are opened, written to one at a time where need be, and how they fail.

SQLite: WAL, FULL, one writer; threads of this process queue for it in order of arrival instead of polling.
PostgreSQL: row locks do that work.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, Executable, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.handlers.ports import Unavailable
from bot.storage.tables import storable

PATIENCE = 5.0
"""Seconds that a write waits for its turn before it is refused."""

_FAILURES = {
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_NOMEM: "out of memory",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_INTERRUPT: "interrupted",
    sqlite3.SQLITE_IOERR: "input/output error",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
}


def dumps(value: Any) -> str:
    """JSON that both databases take: no NUL, no lone surrogate, no NaN."""
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    if "\\u0000" in written or storable(written) != written:
        written = json.dumps(_storable(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return written


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(k) if isinstance(k, str) else k: _storable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(v) for v in value]
    return value


class Turns:
    """A lock whose waiters get it in the order in which they came."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiters: deque[threading.Lock] = deque()
        self._held = False

    def acquire(self, timeout: float) -> bool:
        """True when the lock is held; False where it did not come in time."""
        with self._guard:
            if not self._held:
                self._held = True
                return True
            mine = threading.Lock()
            mine.acquire()
            self._waiters.append(mine)
        if mine.acquire(timeout=timeout):
            return True
        with self._guard:
            if mine in self._waiters:
                self._waiters.remove(mine)
                return False
        return True  # it was handed over at the very moment we gave up

    def release(self) -> None:
        """Hand the lock to whoever waits longest."""
        with self._guard:
            if self._waiters:
                self._waiters.popleft().release()
            else:
                self._held = False


def open_engine(url: str, *, patience: float = PATIENCE, pool_size: int = 12) -> Engine:
    """An engine for `sqlite:///path` or `postgresql://…`, set up as this house needs it. Nothing is connected yet."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(url, patience, pool_size)
    if parsed.get_backend_name() == "postgresql":
        return _open_postgresql(url, patience, pool_size)
    raise ValueError(f"DATABASE_URL names {parsed.get_backend_name()}: only sqlite and postgresql are supported")


def _open_sqlite(url: str, patience: float, pool_size: int) -> Engine:
    if make_url(url).database in (None, "", ":memory:"):
        raise ValueError("DATABASE_URL names no file: a database in memory forgets what people said")
    engine = create_engine(
        url,
        json_serializer=dumps,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=patience,
        connect_args={"timeout": patience, "isolation_level": None, "cached_statements": 256},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: Any) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _open_postgresql(url: str, patience: float, pool_size: int) -> Engine:
    import psycopg  # nine megabytes that a house on SQLite does not need

    milliseconds = int(patience * 1000)
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        json_serializer=dumps,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=patience,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": max(2, int(patience)),
            "application_name": "sawt",
            "prepare_threshold": 3,
            "options": f"-c timezone=UTC -c lock_timeout={milliseconds} -c statement_timeout=60000"
            " -c idle_in_transaction_session_timeout=60000",
        },
    )

    @event.listens_for(engine, "handle_error")
    def keep_quiet(context: ExceptionContext) -> None:
        """PostgreSQL quotes the row that it refused: what people wrote does not belong into errors and logs."""
        cause, error = context.original_exception, context.sqlalchemy_exception
        if isinstance(cause, psycopg.Error) and cause.diag.message_detail:
            whole = str(cause)
            cause.args = (cause.diag.message_primary or type(cause).__name__,)
            if error is not None:
                error.args = tuple(str(part).replace(whole, str(cause)) for part in error.args)

    return engine


def insert_once(engine: Engine, table: Table, *columns: str) -> Executable:
    """An INSERT that does nothing where a row with the same `columns` is there: rowcount says which."""
    dialect: Any = sqlite if engine.dialect.name == "sqlite" else postgresql
    once: Executable = dialect.insert(table).inline().on_conflict_do_nothing(index_elements=columns)
    return once.execution_options(preserve_rowcount=True)


class Writers:
    """Write transactions on one engine: in turn on SQLite, side by side on PostgreSQL; failures are Unavailable."""

    def __init__(self, engine: Engine, patience: float = PATIENCE) -> None:
        self._engine = engine.execution_options(write=True)
        self._turns = Turns() if engine.dialect.name == "sqlite" else None
        self._patience = patience
        self._of_thread = threading.local()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A connection in a write transaction: committed on leaving, rolled back on an exception."""
        if getattr(self._of_thread, "open", False):
            raise RuntimeError("a write transaction is open in this thread: a second one would wait for it for ever")
        if self._turns and not self._turns.acquire(self._patience):
            raise Unavailable(f"the database is busy: no turn within {self._patience:g} s")
        self._of_thread.open = True
        try:
            with unavailable(), self._engine.begin() as connection:
                yield connection
        finally:
            self._of_thread.open = False
            if self._turns:
                self._turns.release()


@contextmanager
def unavailable() -> Iterator[None]:
    """Failures that say nothing against the statement (locked, full, down) leave as Unavailable."""
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("no connection to the database is free") from error
    except DBAPIError as error:
        why = _why_unavailable(error)
        if why is None:
            raise
        raise Unavailable(f"the database is {why}") from error


def _why_unavailable(error: DBAPIError) -> str | None:
    cause = error.orig
    if isinstance(cause, sqlite3.OperationalError):
        code = getattr(cause, "sqlite_errorcode", None)
        return None if code is None else _FAILURES.get(code & 0xFF)
    if isinstance(cause, sqlite3.Error):
        return "down" if error.connection_invalidated else None
    import psycopg

    if isinstance(cause, psycopg.errors.DeadlockDetected | psycopg.errors.LockNotAvailable):
        return "locked"
    if isinstance(cause, psycopg.OperationalError | psycopg.errors.ReadOnlySqlTransaction):
        return "full" if isinstance(cause, psycopg.errors.DiskFull) else "down"
    return "down" if error.connection_invalidated else None
