"""F5 in a house that runs: reading is written down, sealed by the worker, and verified beside it; a hand on a row is found."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing

from tests.integration.doors import Clerk, House
from tests.integration.peer import Peer
from tests.running import ROOT, eventually


def verify(house: House) -> subprocess.CompletedProcess[str]:
    """`python -m bot audit verify` beside the running house."""
    command = [sys.executable, "-m", "bot", "audit", "verify"]
    return subprocess.run(command, cwd=ROOT, env=house.environment, capture_output=True, text=True, timeout=60)


def test_a_house_that_runs_is_sealed_and_verified(
    house_of: Callable[..., House], peer_of: Callable[[House], Peer]
) -> None:
    house = house_of()
    peer_of(house)
    ref = house.chat().file()
    clerk = Clerk(house.url, "agent@example.test")
    assert clerk.get(f"/desk/tickets/{ref}").status_code == 200
    house.api("GET", f"/tickets/{ref}")
    wanted = {("signed_in", None), ("read_ticket", ref)}
    assert set(house.rows("SELECT what, ref FROM audit WHERE by_kind = 'staff'")) == wanted
    assert house.rows("SELECT what, ref FROM audit WHERE by_kind = 'program'") == [("read_ticket", ref)]
    rows = "SELECT (SELECT count(*) FROM entries) + (SELECT count(*) FROM audit) = (SELECT count(*) FROM seals WHERE what <> 'began')"
    eventually(lambda: house.one(rows) == 1, 15, "all is sealed")
    whole = verify(house)
    assert whole.returncode == 0 and "3 audit rows are as they were sealed; 0 not sealed yet" in whole.stdout, whole
    with closing(sqlite3.connect(house.data / "sawt.db", timeout=10)) as database:
        database.execute("DELETE FROM audit WHERE by_kind = 'program'")
        database.commit()
    broken = verify(house)
    assert broken.returncode == 1 and "audit row 3 (link" in broken.stderr and "was deleted" in broken.stderr, broken
