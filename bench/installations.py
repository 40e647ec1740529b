"""The two bots that are measured: this house with its assistant, and a conventional Rasa project beside it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.load import GREETING, MATTERS
from tests.running import ASSISTANT, ROOT, Sawt, free_port, kill

STOCK = Path(__file__).parent / "stock"
KEPT = ROOT / ".work" / "bench"
"""Where the stock bot's model is kept: it is the same as long as its inputs are."""
MATTER_INTENTS, EACH_MATTER, EACH_OTHER = ("report", "complaint", "suggestion", "inquiry", "praise"), 250, 60
"""Messages of each intent that the stock bot learns from: enough to work, few enough to train in a minute. What the
benchmark says is among them: its speed is compared, not what it understands."""
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONWARNINGS": "ignore",
}


ACCOUNTS = {
    "TWILIO_ACCOUNT_SID": f"AC{'a' * 32}", "TWILIO_AUTH_TOKEN": "a-token-of-the-bench", "TWILIO_WHATSAPP_FROM": "+15005550006",
    "TWILIO_SMS_FROM": "+15005550009", "TELEGRAM_BOT_TOKEN": f"1000001:{'a' * 35}", "TELEGRAM_SECRET_TOKEN": "a" * 32,
}  # fmt: skip
"""Of the local provider, which runs beside as a process of its own: a house that serves all channels is measured."""


def until(url: str, process: subprocess.Popen[bytes], seconds: float, good: Callable[[httpx.Response], bool]) -> float:
    """Seconds until an address answers well; RuntimeError where the process ended or it took too long."""
    began = time.monotonic()
    with httpx.Client(timeout=5, trust_env=False, verify=False) as http:
        while time.monotonic() - began < seconds:
            if process.poll() is not None:
                raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
            with contextlib.suppress(httpx.HTTPError):
                if good(http.get(url)):
                    return time.monotonic() - began
            time.sleep(0.02)
    raise RuntimeError(f"{url} did not answer within {seconds:g} s")


def _ok(answer: httpx.Response) -> bool:
    return answer.status_code == 200


@dataclass
class Ours:
    """House and assistant, production limits on, no waiting for further lines; `traced` writes where turns spend time."""

    data: Path
    traced: bool = False
    sawt: Sawt = field(init=False)
    first_seconds: float = 0.0
    house_seconds: float = 0.0
    assistant_seconds: float = 0.0
    _provider_port: int = field(init=False)
    _provider: subprocess.Popen[bytes] | None = field(init=False)

    def __post_init__(self) -> None:
        self._provider_port, self._provider = free_port(), None
        address = f"http://127.0.0.1:{self._provider_port}"
        bases = {"TWILIO_API_BASE": address, "TELEGRAM_API_BASE": address}
        self.sawt = Sawt(self.data, {"GATHER_SECONDS": "0", "LOG_LEVEL": "WARNING", **ACCOUNTS, **bases})

    @property
    def url(self) -> str:
        return self.sawt.url

    @property
    def pids(self) -> dict[str, int]:
        assert self.sawt.house and self.sawt.assistant
        return {"house": self.sawt.house.pid, "assistant": self.sawt.assistant.pid}

    def start(self) -> None:
        """One after the other, each alone: how long until the house takes a message, until the assistant reads one.

        The house is started twice: the first time it makes its database.
        """
        provider = [sys.executable, "-m", "channels.simulator", "--port", str(self._provider_port), "--house", self.url]
        self._provider = subprocess.Popen(provider, env=self.sawt.environment, cwd=ROOT, stdout=subprocess.DEVNULL)
        if self.traced:
            self._start_traced()
        else:
            self.sawt.start_house()
            assert self.sawt.house
            self.first_seconds = until(f"{self.url}/health/live", self.sawt.house, 60, _ok)
            self.sawt.stop()
            self.sawt.start_house()
        assert self.sawt.house
        self.house_seconds = until(f"{self.url}/health/live", self.sawt.house, 60, _ok)
        if not self.traced:
            self.sawt.start_assistant()
        assert self.sawt.assistant
        address = f"http://127.0.0.1:{self.sawt.rasa_port}/webhooks/house/"
        self.assistant_seconds = until(address, self.sawt.assistant, 120, _ok)

    def _start_traced(self) -> None:
        self.sawt.house = self._python(sys.executable, "bench.traced_house", "house")
        self.sawt.assistant = self._python(str(ASSISTANT), "bench.traced_assistant", "assistant")

    def _python(self, python: str, module: str, name: str) -> subprocess.Popen[bytes]:
        trace = {"BENCH_TRACE": str(self.data / f"{name}.trace")}
        with open(self.data / f"{name}.log", "ab") as log:
            return subprocess.Popen(
                [python, "-m", module], env={**self.sawt.environment, **trace}, cwd=ROOT, stdout=log, stderr=log
            )

    def stop(self) -> None:
        self.sawt.stop()
        kill(self._provider)


class Stock:
    """Rasa 3.6.21 as it comes: REST channel, SQL tracker store, rasa-sdk's action server, `rasa run`."""

    def __init__(self, data: Path, untrained: bool = False) -> None:
        """`untrained`: nothing is trained; a model that was kept serves, though our data changed since."""
        self.data, self._untrained = data, untrained
        self._port, self._actions_port = free_port(), free_port()
        self._rasa: subprocess.Popen[bytes] | None = None
        self._actions: subprocess.Popen[bytes] | None = None
        self.seconds = 0.0
        self.trained_seconds: float | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def pids(self) -> dict[str, int]:
        assert self._rasa and self._actions
        return {"rasa": self._rasa.pid, "actions": self._actions.pid}

    @property
    def _environment(self) -> dict[str, str]:
        return {
            **os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT), "RASA_TELEMETRY_ENABLED": "false", "LOG_LEVEL": "WARNING",
            "STOCK_ACTIONS_PORT": str(self._actions_port), "STOCK_TRACKERS": str(self.data / "trackers.db"),
            "STOCK_TICKETS": str(self.data / "tickets.db"), "SANIC_HOST": "127.0.0.1", "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
        }  # fmt: skip

    def train(self) -> Path:
        """The model of the present inputs, trained where it is not kept from before."""
        inputs = [STOCK / name for name in ("config.yml", "domain.yml", "rules.yml")]
        learnt = _nlu(ROOT / "data" / "nlu")
        digest = hashlib.sha256(learnt.encode() + b"".join(path.read_bytes() for path in inputs)).hexdigest()[:12]
        model = KEPT / f"stock-{digest}.tar.gz"
        if self._untrained and not model.exists():
            kept = sorted(KEPT.glob("stock-*.tar.gz"), key=lambda path: path.stat().st_mtime)
            if not kept:
                raise RuntimeError("no model of it is kept; the whole benchmark trains one")
            return kept[-1]
        if not model.exists():
            KEPT.mkdir(parents=True, exist_ok=True)
            (self.data / "nlu.yml").write_text(learnt, "utf-8")
            began = time.monotonic()
            self._run(
                "train", "--config", str(STOCK / "config.yml"), "--domain", str(STOCK / "domain.yml"), "--data",
                str(self.data / "nlu.yml"), str(STOCK / "rules.yml"), "--out", str(KEPT),
                "--fixed-model-name", model.name.removesuffix(".tar.gz"),
            ).wait(300)  # fmt: skip
            self.trained_seconds = time.monotonic() - began
        if not model.exists():
            raise RuntimeError(f"the stock bot could not be trained: see {self.data / 'stock.log'}")
        return model

    def start(self) -> None:
        """Action server, then Rasa; `seconds` is Rasa's start alone."""
        model = self.train()
        self._actions = self._python("rasa_sdk", "--actions", "bench.stock.actions", "--port", str(self._actions_port))
        until(f"http://127.0.0.1:{self._actions_port}/health", self._actions, 60, _ok)
        self._rasa = self._run(
            "run", "--model", str(model), "--endpoints", str(STOCK / "endpoints.yml"), "--credentials",
            str(STOCK / "credentials.yml"), "--port", str(self._port), "--interface", "127.0.0.1",
        )  # fmt: skip
        self.seconds = until(self.url, self._rasa, 180, _ok)

    def _run(self, *arguments: str) -> subprocess.Popen[bytes]:
        return self._python("rasa", *arguments)

    def _python(self, *arguments: str) -> subprocess.Popen[bytes]:
        with open(self.data / "stock.log", "ab") as log:
            return subprocess.Popen(
                [str(ASSISTANT), "-m", *arguments], env=self._environment, cwd=ROOT, stdout=log, stderr=log
            )

    def stop(self) -> None:
        for process in (self._rasa, self._actions):
            if process and process.poll() is None:
                process.terminate()
        for process in (self._rasa, self._actions):
            if process:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10)
                kill(process)


def _nlu(folder: Path) -> str:
    """Rasa's training file of a part of our messages, always the same part."""
    rows: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.jsonl")):
        rows += [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    random.Random(6).shuffle(rows)
    seen: Counter[str] = Counter()
    chosen: dict[str, list[str]] = {"complaint": list(MATTERS), "greet": [GREETING]}
    for row in rows:
        text = " ".join(str(row["text"]).split())
        most = EACH_MATTER if row["intent"] in MATTER_INTENTS else EACH_OTHER
        if text and not text.startswith("/") and seen[row["intent"]] < most and len(text) < 400:
            seen[row["intent"]] += 1
            chosen.setdefault(row["intent"], []).append(text)
    lines = ['version: "3.1"', "nlu:"]
    for intent, texts in sorted(chosen.items()):
        lines += [f"- intent: {intent}", "  examples: |"] + [f"    - {_plain(text)}" for text in sorted(texts)]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Without the marks with which Rasa's format writes entities."""
    return text.translate(str.maketrans("[](){}", "      "))
