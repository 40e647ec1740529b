"""The schema over time. `migrate` brings a database up to this code, or refuses with a sentence.

A new revision: change `tables.py`, then `python -m bot.storage.migrations "what changed"`, and read what it wrote.
"""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from bot.handlers.ports import Unavailable
from bot.storage.database import unavailable
from bot.storage.place import fill

HEAD = "0003"
"""The newest revision that this code knows: a test compares it with the files."""

PATIENCE = 60.0
"""Seconds that somebody else's migration of the same file is waited for."""
_FOLDER = Path(__file__).parent
_LOCK = 7_298_001  # any number that nobody else locks


class SchemaTooNew(Exception):
    """The database was written by a newer version of this program."""


def migrate(engine: Engine) -> bool:
    """The database has the schema of this code afterwards; True where it had to change.

    Several processes may call it at once: one does it, the others wait for a minute. Raises SchemaTooNew, and
    Unavailable where the database is.
    """
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return _migrated(engine)
        except Unavailable:
            if engine.dialect.name != "sqlite" or time.monotonic() > end:
                raise
            time.sleep(0.2)


def _migrated(engine: Engine) -> bool:
    with unavailable():
        with engine.connect() as connection:
            if revision(connection) == HEAD:
                return False
        with engine.execution_options(write=True).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            changed = _upgrade(connection)
            if changed and HEAD >= "0003":
                fill(connection)  # what a list is ordered by, of tickets that are older than these columns
            return changed


def revision(connection: Connection) -> str | None:
    """The revision of the database; None where it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _upgrade(connection: Connection) -> bool:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    current = revision(connection)
    if current == HEAD:
        return False
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise SchemaTooNew(
            f"The database is at revision {current}, which is newer than this program knows ({HEAD}). "
            "Nothing was changed. Install the newer version again, or restore a backup from before it."
        )
    command.upgrade(config, "head")
    return True
