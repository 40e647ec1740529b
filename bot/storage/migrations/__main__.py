"""Write the next revision: what `tables.py` has and the revisions so far do not."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import BigInteger

from bot.storage.database import open_engine
from bot.storage.migrations import HEAD, migrate
from bot.storage.tables import Id, Json, Time, Words, metadata

_VERSIONS = Path(__file__).parent / "versions"
_TEMPLATE = '''"""{message}"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.storage import tables

revision = "{revision}"
down_revision = {before!r}


def upgrade() -> None:
    """The schema of this revision."""
    {body}
'''


def _type_name(kind: str, item: Any, _: Any) -> str | Literal[False]:
    if kind != "type":
        return False
    if isinstance(item, Time | Words):
        return f"tables.{type(item).__name__}()"
    if item is Json or isinstance(item, type(Json)) and item._variant_mapping:
        return "tables.Json"
    return "tables.Id" if isinstance(item, BigInteger) and item._variant_mapping == Id._variant_mapping else False


def write(message: str) -> Path:
    """The next revision as a file; HEAD in `__init__.py` names it."""
    engine = open_engine(f"sqlite:///{tempfile.mkdtemp()}/scratch.sqlite3")
    files = sorted(_VERSIONS.glob("[0-9]*.py"))
    if files:
        migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"render_item": _type_name, "render_as_batch": True, "compare_type": False}
        )
        operations = produce_migrations(context, metadata).upgrade_ops
        assert operations is not None
        body = render_python_code(operations, render_as_batch=True, render_item=_type_name, migration_context=context)
        body = re.sub(r" *# ### .*\n?", "", body).strip()
    number = f"{len(files) + 1:04}"
    name = re.sub(r"\W+", "_", message.lower()).strip("_")
    path = _VERSIONS / f"{number}_{name}.py"
    before = f"{len(files):04}" if files else None
    path.write_text(_TEMPLATE.format(message=message, revision=number, before=before, body=body), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "ruff", "check", "-q", "--fix", path], check=False)
    subprocess.run([sys.executable, "-m", "ruff", "format", "-q", path], check=False)
    init = Path(__file__).parent / "__init__.py"
    init.write_text(init.read_text("utf-8").replace(f'HEAD = "{HEAD}"', f'HEAD = "{number}"'), encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.stdout.write(f"{write(' '.join(sys.argv[1:]) or 'Change')}\n")
