"""H8: old code refuses a newer schema in a sentence, whichever command meets it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.running import ROOT


def command(name: str, data: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATA_DIR": str(data), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "bot", name], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


def test_migrate_and_seed_refuse_a_newer_schema_in_a_sentence(tmp_path: Path) -> None:
    """Nothing is changed, the exit code says that a new try is no use, and there is no traceback."""
    assert command("migrate", tmp_path).returncode == 0
    with sqlite3.connect(tmp_path / "sawt.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    for name in ("migrate", "seed"):
        refused = command(name, tmp_path)
        assert refused.returncode == 2
        assert "newer than this program" in refused.stderr and "Traceback" not in refused.stderr
