"""One small supervisor: starts house and assistant, and starts again what dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from bot.settings import Settings

ROOT = Path(__file__).parent.parent
BACK_OFF = (0.5, 1.0, 2.0, 4.0, 8.0, 10.0)
LONG_LIVED = 60.0
"""A process that lived so long begins again with the shortest pause."""
STOP_WITHIN = 15.0
TRY = (
    "معاملة الترخيص الصناعي لها شهرين وما احد رد علي",
    "Where is my request?",
    "我想投诉：网站一直打不开",
)


@dataclass
class Child:
    """One process that is kept alive."""

    name: str
    command: list[str]
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    next_start: float = field(default=0.0)

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, env=self.environment, cwd=ROOT)
        self.started = time.monotonic()

    def look(self) -> int | None:
        """Start it where it is time; the exit code where it has just ended."""
        if self.process is None:
            if time.monotonic() >= self.next_start:
                self.start()
            return None
        code = self.process.poll()
        if code is None:
            return None
        lived = time.monotonic() - self.started
        self.failures = 0 if lived > LONG_LIVED else self.failures + 1
        self.next_start = time.monotonic() + BACK_OFF[min(self.failures, len(BACK_OFF) - 1)]
        self.process = None
        return code


def run(settings: Settings) -> int:
    """Until Ctrl-C or SIGTERM: both run, and `ready:` is printed when a message can be answered.

    A start that can never succeed (exit code 2 of either: settings, register, model) ends it.
    """
    stopping = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stopping.set())
    children = _children(settings)
    ready = False
    try:
        while not stopping.wait(0.2):
            for child in children:
                code = child.look()
                if code is None:
                    continue
                print(f"{child.name} ended with {code}", file=sys.stderr, flush=True)
                if code == 2:
                    return 2
            if not ready and _answers(f"http://127.0.0.1:{settings.port}/health/ready"):
                ready = True
                _announce(settings)
        return 0
    finally:
        _stop(children)


def _children(settings: Settings) -> list[Child]:
    environment = {
        **os.environ,
        "ASSISTANT_SECRET": settings.assistant_secret,
        "RASA_PORT": str(settings.rasa_port),
        "ACTIONS_PORT": str(settings.actions_port),
        # two heaps for a dozen threads: six megabytes less, and no slower (docs/speed.md)
        "MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2"),
    }
    # the assistant gets what it needs and no credentials: not the database, not the keys
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "ASSISTANT_SECRET", "RASA_PORT", "ACTIONS_PORT", "LOG_LEVEL", "TMPDIR")
    assistant = {k: v for k, v in environment.items() if k in kept or k.startswith(("OPENBLAS", "SAWT_MODEL"))}
    assistant |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    house = [sys.executable, "-m", "bot", "house"]
    rasa = [str(ROOT / "nlu" / ".venv" / "bin" / "python"), "-m", "nlu.serve"]
    return [Child("house", house, environment), Child("assistant", rasa, assistant)]


def _answers(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=1) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _announce(settings: Settings) -> None:
    print(f"ready: {settings.public_url}", flush=True)
    for sentence in TRY:
        print(f"  try: {sentence}", flush=True)


def _stop(children: list[Child]) -> None:
    """Ask all to stop; whoever has not after fifteen seconds is killed."""
    running = [child.process for child in children if child.process is not None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + STOP_WITHIN
    for process in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
