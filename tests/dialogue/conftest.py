"""A model trained on the repository's domain and rules with the smallest reading, and the real server on it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from .house import Assistant, FakeHouse

ROOT = Path(__file__).parents[2]
SECRET = "dialogue-tests"
CONFIG = """
recipe: default.v1
language: ar
assistant_id: dialogue-tests
pipeline:
  - name: dialogue.reading.Reading
policies:
  - name: RulePolicy
"""
TRAIN = """
import sys
from rasa.model_training import train
config, examples, out = sys.argv[1:]
result = train("data/dialogue/domain.yml", config, [examples, "data/rules"], output=out, fixed_model_name="tiny")
sys.exit(result.code)
"""


def intents() -> list[str]:
    """Every intent of the domain."""
    domain = yaml.safe_load((ROOT / "data/dialogue/domain.yml").read_text())
    return [next(iter(one)) for one in domain["intents"]]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "tests"), "RASA_TELEMETRY_ENABLED": "false", **more}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="session")
def model(tmp_path_factory: Any) -> Path:
    folder = tmp_path_factory.mktemp("model")
    (folder / "config.yml").write_text(CONFIG)
    examples = [{"intent": name, "examples": f"- {name}\n- {name} again\n"} for name in intents()]
    (folder / "nlu.yml").write_text(yaml.safe_dump({"version": "3.1", "nlu": examples}))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TRAIN, folder / "config.yml", folder / "nlu.yml", folder],
        cwd=ROOT, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    warned = [line for line in (done.stdout + done.stderr).splitlines() if re.search(r"contradict|Incomplete", line)]
    assert not warned
    return folder / "tiny.tar.gz"


class Server:
    """The assistant's process, its output, and a client of it."""

    def __init__(self, model: Path, house: FakeHouse, log: Path, **more: str) -> None:
        self.port, self.log = free_port(), log
        env = environment(
            ASSISTANT_SECRET=SECRET, RASA_PORT=str(self.port), ACTIONS_PORT=str(house.port), LOG_LEVEL="DEBUG", **more
        )
        with log.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nlu.serve", "--model", str(model), *self.options(log)],
                cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=out, text=True,
            )  # fmt: skip
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        assert line == "assistant ready\n", line + log.read_text()[-3000:]
        self.client = Assistant(self.port, SECRET)

    def options(self, log: Path) -> list[str]:
        return []

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


class SmallServer(Server):
    """Keeps three trackers."""

    def options(self, log: Path) -> list[str]:
        endpoints = log.with_suffix(".yml")
        endpoints.write_text(re.sub(r"size: \d+", "size: 3", (ROOT / "endpoints.yml").read_text()))
        return ["--endpoints", str(endpoints)]


@contextmanager
def serving(kind: type, model: Path, house: FakeHouse, log: Path) -> Iterator[Server]:
    server = kind(model, house, log)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture(scope="session")
def fake_house() -> Iterator[FakeHouse]:
    house = FakeHouse(SECRET)
    house.start()
    yield house
    house.stop()


@pytest.fixture(scope="session")
def server(model: Path, fake_house: FakeHouse, tmp_path_factory: Any) -> Iterator[Server]:
    with serving(Server, model, fake_house, tmp_path_factory.mktemp("log") / "log.txt") as running:
        yield running


@pytest.fixture
def house(fake_house: FakeHouse) -> FakeHouse:
    fake_house.by_the_book()
    return fake_house


@pytest.fixture
def assistant(server: Server) -> Assistant:
    """A client that knows of no dialogue yet."""
    return Assistant(server.port, SECRET)
