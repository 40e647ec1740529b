"""`python -m bot audit verify`, as an auditor runs it: the exit code, and what it says."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.storage.crypto import Secrets
from bot.storage.database import open_engine
from bot.storage.migrations import migrate
from bot.storage.sealing import Sealer
from tests.contract.house import NOW, House

KEY = "a secret key that only this test knows, long enough"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A house's database with one sealed ticket and one that is not sealed yet, and the settings that name it."""
    path = tmp_path / "sawt.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{path}")
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SECRET_KEY", KEY)
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    house = House(engine, Secrets(KEY), lambda: NOW)
    house.file()
    while Sealer(house).waiting():
        Sealer(house).seal(NOW)
    house.file("8100000001")
    engine.dispose()
    return path


def test_it_counts_and_tells_the_end_of_the_chain(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "verify"]) == 0
    said = capsys.readouterr().out
    assert "1 entries and 0 audit rows are as they were sealed; 1 not sealed yet." in said
    head = said.rsplit("--seen ", 1)[1].strip()
    assert main(["audit", "verify", "--seen", head]) == 0
    assert main(["audit", "verify", "--seen", f"9:{head.partition(':')[2]}"]) == 1
    assert "its end was cut off" in capsys.readouterr().err


def test_it_names_the_first_broken_link(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE entries SET by_name = 'خالد' WHERE ref = '6821093659'")
        database.commit()
    assert main(["audit", "verify"]) == 1
    said = capsys.readouterr()
    assert "entry 1 of ticket 6821093659 (link 1, sealed 2026-11-25 09:30:00 UTC) was altered" in said.err
    assert "خالد" not in said.err + said.out and "الإنارة" not in said.err + said.out
