"""The real house and assistant, started for a test on ports of their own, and clients that speak to their doors."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parent.parent
TOKEN = "a-token-for-tests-only"
REFERENCE = re.compile(r"(?<!\d)([68]\d{3} \d{4} \d{2})(?!\d)")
RECEIPT = re.compile(r"(?<!\d)([1-5]\d{2}-\d{3}-\d{3}-\d{3})(?!\d)")
ASSISTANT = ROOT / "nlu" / ".venv" / "bin" / "python"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@dataclass
class Sawt:
    """A running installation: house and assistant, each a process that a test may kill and start again."""

    data: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    rasa_port: int = field(default_factory=free_port)
    actions_port: int = field(default_factory=free_port)
    house: subprocess.Popen[bytes] | None = None
    assistant: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PORT": str(self.port),
            "RASA_PORT": str(self.rasa_port),
            "ACTIONS_PORT": str(self.actions_port),
            "DATA_DIR": str(self.data),
            "ASSISTANT_SECRET": "a-secret-between-the-two-processes",
            "SECRET_KEY": "a-secret-key-for-tests-of-forty-characters",
            "SEED_PASSWORD": "a-seed-password",
            "API_TOKEN": TOKEN,
            "GATHER_SECONDS": "0",
            "UNDO_SECONDS": "0",
            "MALLOC_ARENA_MAX": "2",  # as the supervisor sets it
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
            **self.settings,
        }

    def start(self) -> Sawt:
        self.start_house()
        self.start_assistant()
        return self.wait()

    def start_house(self, **more: str) -> None:
        log = open(self.data / "house.log", "ab")  # noqa: SIM115 - the process keeps it
        self.house = subprocess.Popen(
            [sys.executable, "-m", "bot", "house"], env={**self.environment, **more}, cwd=ROOT, stdout=log, stderr=log
        )

    def start_assistant(self) -> None:
        log = open(self.data / "assistant.log", "ab")  # noqa: SIM115
        self.assistant = subprocess.Popen(
            [str(ASSISTANT), "-m", "nlu.serve"], env=self.environment, cwd=ROOT, stdout=log, stderr=log
        )

    def wait(self, seconds: float = 90) -> Sawt:
        eventually(lambda: self.get("/health/ready").status_code == 200, seconds, "house and assistant are ready")
        return self

    def wait_house(self, seconds: float = 30) -> None:
        eventually(lambda: self.get("/health/live").status_code == 200, seconds, "the house is there")

    def get(self, path: str) -> httpx.Response:
        try:
            return httpx.get(self.url + path, timeout=5, trust_env=False)
        except httpx.HTTPError:
            return httpx.Response(599)

    def kill_house(self) -> None:
        kill(self.house)

    def kill_assistant(self) -> None:
        kill(self.assistant)

    def stop(self) -> None:
        for process in (self.house, self.assistant):
            if process and process.poll() is None:
                process.terminate()
        for process in (self.house, self.assistant):
            if process:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(20)
                kill(process)

    def telephone(self, scheme: str, person: str) -> Telephone:
        """A person's telephone, through the local provider that a house without accounts has."""
        return Telephone(f"{self.url}/simulator", scheme, person)

    def citizen(self, lang: str = "ar") -> Citizen:
        return Citizen(self.url, lang)

    def api(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {TOKEN}", **more.pop("headers", {})}
        return httpx.request(method, f"{self.url}/api/v1{path}", headers=headers, timeout=15, trust_env=False, **more)

    def ticket(self, ref: str) -> dict[str, Any]:
        answer = self.api("GET", f"/tickets/{ref.replace(' ', '')}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def verb(self, ref: str, verb: str, **said: Any) -> httpx.Response:
        key = {"Idempotency-Key": uuid.uuid4().hex}
        return self.api("POST", f"/tickets/{ref.replace(' ', '')}/{verb}", json=said, headers=key)

    def database(self) -> str:
        return self.environment.get("DATABASE_URL") or f"sqlite:///{self.data / 'sawt.db'}"


def kill(process: subprocess.Popen[bytes] | None) -> None:
    if process and process.poll() is None:
        process.send_signal(signal.SIGKILL)
        process.wait(10)


def eventually(true: Callable[[], Any], seconds: float = 10, what: str = "") -> Any:
    """The first true value within so many seconds; an AssertionError that says what did not come."""
    end = time.monotonic() + seconds
    while True:
        value = true()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.05)


class Citizen:
    """A person at the web chat, through its doors alone."""

    def __init__(self, url: str, lang: str = "ar") -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=15, trust_env=False)
        self.token = self.http.post("/chat/sessions", json={"lang": lang}).json()["token"]
        self.events: list[dict[str, Any]] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _listen(self) -> None:
        while not self._closed.is_set():
            last = self.events[-1]["id"] if self.events else ""
            with contextlib.suppress(httpx.HTTPError), httpx.Client(timeout=None, trust_env=False) as client:
                headers = {**self.headers, "Last-Event-ID": last}
                with client.stream("GET", f"{self.url}/chat/events", headers=headers) as stream:
                    for line in stream.iter_lines():
                        if self._closed.is_set():
                            return
                        if line.startswith("data:"):
                            event = json.loads(line[5:])
                            if event["kind"] != "typing":
                                self.events.append(event)
            time.sleep(0.1)

    def post(self, text: str | None = None, payload: str | None = None, id: str | None = None) -> httpx.Response:
        body = {"id": id or uuid.uuid4().hex, **({"text": text} if payload is None else {"payload": payload})}
        return self.http.post("/chat/messages", json=body, headers=self.headers)

    @property
    def answers(self) -> list[dict[str, Any]]:
        """What the ministry's side said, in order."""
        return [e for e in self.events if e["kind"] == "message"]

    def say(self, text: str, within: float = 12, more: int = 1) -> str:
        """Write a message; the text of what is answered to it (at least `more` messages), isolates taken out."""
        before = len(self.answers)
        posted = self.post(text)
        assert posted.status_code == 202, posted.text
        return self.heard(before, within, more, text)

    def press(self, title: str, within: float = 12) -> str:
        """Press the button that has this word in its title, of the last message that has buttons."""
        before = len(self.answers)
        assert self.post(payload=self.button(title)).status_code == 202
        return self.heard(before, within, 1, title)

    def button(self, title: str) -> str:
        offered = next(a["buttons"] for a in reversed(self.answers) if a["buttons"])
        found = [b["payload"] for b in offered if title in plain(b["title"])]
        assert found, f"no button {title!r} among {[plain(b['title']) for b in offered]}"
        return str(found[0])

    def heard(self, before: int, within: float = 12, more: int = 1, to: str = "") -> str:
        eventually(lambda: len(self.answers) >= before + more, within, f"an answer to {to[:60]!r}")
        time.sleep(0.15)  # a second reply of the same turn is in the same commit
        return "\n".join(plain(a["text"]) for a in self.answers[before:])

    def last(self) -> str:
        return plain(self.answers[-1]["text"])

    def file(self, text: str) -> tuple[str, str]:
        """Tell a matter and file it with one tap: reference and receipt code."""
        shown = self.say(text)
        told = self.say("1")
        reference, receipt = REFERENCE.search(told), RECEIPT.search(told)
        assert reference and receipt, f"{shown}\n--\n{told}"
        return reference[1], receipt[1]

    def close(self) -> None:
        self._closed.set()
        self.http.close()


class Telephone:
    """A person at WhatsApp, SMS or Telegram, through the local provider: signed webhooks in, the provider's API out."""

    def __init__(self, provider: str, scheme: str, person: str) -> None:
        """`provider` is where channels.simulator answers: a house's /simulator, or a process of its own."""
        self.http = httpx.Client(base_url=provider, timeout=30, trust_env=False)
        self.scheme, self.person = scheme, person

    @property
    def who(self) -> dict[str, str]:
        return {"scheme": self.scheme, "person": self.person}

    def play(self, what: str, **more: Any) -> dict[str, Any]:
        """The control door of the local provider: write, press, read, fault, people."""
        answer = self.http.post(f"/play/{what}", json={**self.who, **more})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    @property
    def talk(self) -> list[dict[str, Any]]:
        """Every message both ways, in the order in which the provider had them."""
        return list(self.http.get("/play/messages", params=self.who).json()["messages"])

    @property
    def answers(self) -> list[dict[str, Any]]:
        """What the ministry's side said, in order; buttons in one row."""
        ours = [each for each in self.talk if each["direction"] == "out" and not each["own"]]
        return [{**each, "buttons": [button for row in each["buttons"] for button in row]} for each in ours]

    def write(self, text: str = "", **more: Any) -> list[int]:
        """The message is at the webhook: the statuses of what was posted."""
        return list(self.play("write", text=text, **more)["statuses"])

    def say(self, text: str = "", within: float = 15, more: int = 1, **what: Any) -> str:
        """Write; what comes back to it, isolates taken out."""
        before = len(self.answers)
        assert set(self.write(text, **what)) == {200}
        return self.heard(before, within, more, text)

    def press(self, title: str, within: float = 15) -> str:
        """Tap the button that has this word in its title, of the last message that has buttons."""
        offered = next(a["buttons"] for a in reversed(self.answers) if a["buttons"])
        token = next(b["token"] for b in offered if title in plain(b["title"]))
        return self.say(within=within, button=token)

    def heard(self, before: int, within: float = 15, more: int = 1, to: str = "") -> str:
        eventually(lambda: len(self.answers) >= before + more, within, f"an answer to {to[:60]!r} by {self.scheme}")
        time.sleep(0.4)
        return "\n".join(plain(a["text"] or str(a["variables"])) for a in self.answers[before:])

    def last(self) -> str:
        return plain(self.answers[-1]["text"])

    def file(self, text: str, **what: Any) -> tuple[str, str]:
        """Tell a matter and file it by its number: reference and receipt code."""
        shown = self.say(text, more=2 if not self.talk else 1, **what)
        eventually(lambda: "1." in self.last() or self.answers[-1]["buttons"], 10, "the choices")
        told = self.say("1")
        reference, receipt = REFERENCE.search(told), RECEIPT.search(told)
        assert reference and receipt, f"{shown}\n--\n{told}"
        return reference[1], receipt[1]


def plain(text: str) -> str:
    """The text without the invisible marks that isolate numbers and names."""
    return re.sub("[\u2066-\u2069\u200e\u200f]", "", text)


@contextlib.contextmanager
def running(data: Path, **settings: str) -> Iterator[Sawt]:
    """An installation from the first to the last line of a `with` block."""
    sawt = Sawt(data, settings)
    try:
        yield sawt.start()
    finally:
        sawt.stop()
