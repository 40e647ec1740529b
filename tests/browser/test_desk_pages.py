"""The staff's pages in Debian's chromium: starts the desk of desk_server.py and drives it with desk.mjs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
MISSING = [
    told
    for there, told in (
        (Path(CHROMIUM).exists(), "chromium is not installed (apt-get install chromium)"),
        (shutil.which("node") is not None, "node is not installed"),
        ((HERE / "node_modules/playwright-core").exists(), "run `npm ci` in tests/browser"),
    )
    if not there
]

pytestmark = [pytest.mark.browser, pytest.mark.skipif(bool(MISSING), reason="; ".join(MISSING))]


@pytest.fixture(scope="module")
def desk() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(HERE / "desk_server.py"), str(port)])
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(base + "/desk/login", timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, "the server of the test did not start"
                time.sleep(0.1)
        yield base
    finally:
        process.terminate()
        process.wait(10)


def test_the_desk_in_a_real_browser(desk: str) -> None:
    environment = {**os.environ, "CHROMIUM": CHROMIUM}
    told = subprocess.run(
        ["node", "desk.mjs", desk], cwd=HERE, env=environment, capture_output=True, text=True, timeout=900
    )
    print(told.stdout)
    failed = [line for line in told.stdout.splitlines() if line.startswith("FAILED")]
    assert told.returncode == 0 and not failed, told.stdout + told.stderr
