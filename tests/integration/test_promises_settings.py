"""H9: a start that cannot be safe is refused, everything wrong is named at once with its fix, secrets stay secret."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot import settings as settings_
from bot.__main__ import main
from tests.running import ROOT, free_port

_NAMED = r"([A-Z_]+|\.env|/\S+secrets\.json)(?:=\d+, [^:]*)?: \S"
SECRET, OTHER = "kA9-vT4_mQ7zLr2XwB8eNc5YhJ3uPd6F", "Zx1-cV8_bN5mQw9ErT2yUi4OpA7sDf3G"
SOUND = {
    "HOST": "0.0.0.0", "PUBLIC_URL": "https://sawt.example.gov.sa", "SECRET_KEY": SECRET, "ASSISTANT_SECRET": OTHER,
}  # fmt: skip


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Reads the settings as a start does, in a folder and an environment of the test's own."""
    for name in settings_.Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)

    def read(**settings: str) -> settings_.Settings | list[str]:
        with monkeypatch.context() as environment:
            for name, value in ({"DATA_DIR": str(tmp_path / "data")} | settings).items():
                environment.setenv(name, value)
            try:
                return settings_.load()
            except settings_.SettingsInvalid as invalid:
                return [re.match(_NAMED, problem)[1] for problem in invalid.problems]  # type: ignore[index]

    return read


def start(folder: Path, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")}
    environment = {**kept, "PYTHONPATH": str(ROOT), "DATA_DIR": str(folder / "data"), **settings}
    asked, said = [sys.executable, "-m", "bot", *(command or ("house",))], folder / "said"
    with open(said, "w") as out:
        process = subprocess.Popen(asked, cwd=folder, env=environment, stdout=out, stderr=out)
        try:
            code = process.wait(45)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait(20)
            raise AssertionError(f"it did not end: {said.read_text()}") from None
    return subprocess.CompletedProcess(asked, code, stderr=said.read_text())


def named(answer: subprocess.CompletedProcess[str]) -> list[str]:
    """The settings that a refusal names, in order, each with a sentence."""
    assert answer.returncode != 0 and "Traceback" not in answer.stderr, answer.stderr
    return re.findall(f"^  - {_NAMED}", answer.stderr, re.M)


def test_every_wrong_setting_is_named_at_once_with_its_fix(tmp_path: Path) -> None:
    """H9: what cannot be read, what does not fit together and what is unsafe stand in one answer, exit code 2."""
    (tmp_path / ".env").write_text("TURNS=0\n")
    (tmp_path / ".env").chmod(0o644)
    answer = start(
        tmp_path, HOST="0.0.0.0", PORT="http", GATHER_SECONDS="99", COUNTRY="XX", LOG_LEVEL="loud", PUBLIC_URL="http://sawt.example",
        SECRET_KEY="changeme", DATABASE_URL="mysql://root:hunter2@db/x", ALLOWED_ORIGINS="*,https://a.example/path",
        API_TOKEN="t", SEED_PASSWORD="p", FAULT="inbox-committed",
    )  # fmt: skip
    assert answer.returncode == 2
    assert set(named(answer)) == {
        "PORT", "GATHER_SECONDS", "COUNTRY", "LOG_LEVEL", "TURNS", "PUBLIC_URL", "SECRET_KEY", "ASSISTANT_SECRET",
        "DATABASE_URL", "ALLOWED_ORIGINS", "API_TOKEN", "SEED_PASSWORD", "FAULT", ".env",
    }  # fmt: skip
    assert "hunter2" not in answer.stderr and "changeme" not in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1 + len(named(answer))
    assert not (tmp_path / "data").exists(), "a refused start leaves nothing behind"


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"PUBLIC_URL": "http://["}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "sawt.example.gov.sa"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "https://x:99999"}, "PUBLIC_URL"),
        ({"PORT": "70000"}, "PORT"),
        ({"PORT": "5005"}, "PORT"),
        ({"DATABASE_URL": "sqlite://"}, "DATABASE_URL"),
        ({"DATABASE_URL": "sqlite:///:memory:"}, "DATABASE_URL"),
        ({"DATABASE_URL": "nonsense"}, "DATABASE_URL"),
        ({"ALLOWED_ORIGINS": "evil"}, "ALLOWED_ORIGINS"),
        ({"DATA_DIR": "/dev/null/data"}, "DATA_DIR"),
        ({"DATA_DIR": "/proc/nothing"}, "DATA_DIR"),
    ],
)
def test_one_wrong_setting_of_a_start_on_loopback(load: Any, wrong: dict[str, str], name: str) -> None:
    """H9: on loopback, too, a sentence and never a traceback."""
    assert load(**wrong) == [name]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({}, []),
        ({"SECRET_KEY": ""}, ["SECRET_KEY"]),
        ({"SECRET_KEY": "a" * 64}, ["SECRET_KEY"]),
        ({"ASSISTANT_SECRET": OTHER[:31]}, ["ASSISTANT_SECRET"]),
        ({"ASSISTANT_SECRET": SECRET}, ["ASSISTANT_SECRET"]),
        ({"PUBLIC_URL": "http://sawt.example.gov.sa"}, ["PUBLIC_URL"]),
        ({"PUBLIC_URL": ""}, ["PUBLIC_URL"]),
        ({"HOST": "127.0.0.1", "SECRET_KEY": ""}, ["SECRET_KEY"]),
        (
            {"HOST": "192.168.1.2", "PUBLIC_URL": "http://localhost:8000", "SECRET_KEY": ""},
            ["PUBLIC_URL", "SECRET_KEY"],
        ),
        ({"LOG_LEVEL": "DEBUG"}, ["LOG_LEVEL"]),
        ({"API_TOKEN": "x"}, ["API_TOKEN"]),
        ({"SEED_PASSWORD": "x"}, ["SEED_PASSWORD"]),
        ({"FAULT": "turn-begun"}, ["FAULT"]),
    ],
)
def test_a_start_that_others_can_reach(load: Any, tmp_path: Path, change: dict[str, str], names: list[str]) -> None:
    """H9: outside loopback (by HOST or by PUBLIC_URL) nothing is made up and nothing of development is allowed."""
    answer = load(**SOUND | change)
    assert (answer if isinstance(answer, list) else []) == names
    assert not (tmp_path / "data" / "secrets.json").exists()


def test_loopback_makes_its_secrets_once_for_its_owner_alone(load: Any, tmp_path: Path) -> None:
    """H9: secrets.json is 0600 in a folder 0700, whatever the umask; the next start has the same; a lax mode is mended."""
    before = os.umask(0)
    try:
        first = load()
        file = tmp_path / "data" / "secrets.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert len(first.secret_key) >= 48 and len(first.assistant_secret) >= 32
        assert first.secret_key != first.assistant_secret
        file.chmod(0o644)
        assert load() == first
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert load(DATA_DIR=str(tmp_path / "other")).secret_key != first.secret_key
    finally:
        os.umask(before)


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"secret_key": 1}', '{"secret_key": ""}'])
def test_secrets_that_cannot_be_read_are_never_replaced(load: Any, tmp_path: Path, broken: str) -> None:
    """H9: a new key would make every stored address unreadable: the start is refused, the file stays as it is."""
    file = tmp_path / "data" / "secrets.json"
    file.parent.mkdir()
    file.write_text(broken)
    assert load() == [str(file)]
    assert file.read_text() == broken


def test_an_ipv6_loopback_is_one_too(load: Any) -> None:
    """H9: HOST=::1 is a development start with an address that can be opened."""
    assert load(HOST="::1").public_url == "http://[::1]:8000"


def test_ports_that_are_taken_are_named_and_the_supervisor_gives_up(tmp_path: Path) -> None:
    """H9: PORT and ACTIONS_PORT that somebody else has stand in one answer, and nothing is started again for ever."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        taken = {
            "PORT": str(one.getsockname()[1]),
            "ACTIONS_PORT": str(two.getsockname()[1]),
            "RASA_PORT": str(free_port()),
        }
        answer = start(tmp_path, "run", **taken)
    assert answer.returncode == 2 and named(answer) == ["PORT", "ACTIONS_PORT"], answer.stderr


@pytest.mark.parametrize("command", ["run", "house", "migrate", "seed"])
def test_the_commands_refuse_alike(
    load: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """H9: every command reads the same settings, and says the same of them."""
    monkeypatch.setenv("COUNTRY", "FR")
    assert main([command]) == 2
    said = capsys.readouterr()
    assert re.findall(f"^  - {_NAMED}", said.err, re.M) == ["COUNTRY"] and said.out == ""


def test_a_database_of_a_newer_version_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """H9: nothing is changed, the start ends for good (2), and the operator reads what to do."""
    (tmp_path / "data").mkdir()
    with closing(sqlite3.connect(tmp_path / "data" / "sawt.db")) as database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")
        database.commit()
    ports = {name: str(free_port()) for name in ("PORT", "ACTIONS_PORT", "RASA_PORT")}
    answer = start(tmp_path, **ports)
    assert answer.returncode == 2 and "9999" in answer.stderr and "newer" in answer.stderr
    assert "Traceback" not in answer.stderr
