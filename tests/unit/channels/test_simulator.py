"""The local provider: its control door, its page, its process; and the stage on which the other files play, too."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from twilio.request_validator import RequestValidator

from channels.simulator.__main__ import listen
from channels.simulator.server import app
from channels.simulator.world import World

HTTP = httpx.Client(trust_env=False)
SID, AUTH = "AC" + "0" * 31 + "1", "auth-token-of-a-played-account"
BOT_TOKEN, SECRET = "1000001:played-token", "played_secret"
WHATSAPP, SMS = "+15005550006", "+15005550009"
SARA, NOURA, MARYAM, SARA_T, LI_T = "+966500000001", "SA.1A2B3C4D5E6F7081", "+971500000004", "500000001", "500000002"


@dataclass
class Call:
    """One call that the house got."""

    url: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def is_signed(self) -> bool:
        return RequestValidator(AUTH).validate(self.url, self.form, self.headers.get("x-twilio-signature", ""))


@dataclass
class House:
    """A house that keeps every call and answers what it was told to, else 200."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    answers: deque[Response] = field(default_factory=deque)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        self.calls.append(Call(str(request.url), dict(request.headers), body))
        await (self.answers.popleft() if self.answers else Response())(scope, receive, send)

    def heard(self, path: str) -> list[Call]:
        return [call for call in self.calls if call.url.partition("?")[0] == self.url + path]

    @property
    def messages(self) -> list[Call]:
        return self.heard("/webhooks/twilio")

    @property
    def updates(self) -> list[Call]:
        return self.heard("/webhooks/telegram")

    @property
    def states(self) -> list[str]:
        return [call.form["MessageStatus"] for call in self.heard("/webhooks/twilio/status")]


class Switch:
    """An application that hands each request to the part whose number its path begins with."""

    def __init__(self) -> None:
        self.parts: dict[str, ASGIApp] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        number = scope["path"].split("/")[1]
        inner = dict(scope) | {"root_path": f"{scope.get('root_path', '')}/{number}"}
        await self.parts[number](inner, receive, send)


@dataclass
class Stage:
    """A world whose provider is played at `url`, and the house that it plays to."""

    world: World
    served: Starlette
    url: str
    house: House

    @property
    def callback(self) -> str:
        return f"{self.house.url}/webhooks/twilio/status?m=7"

    def post(self, door: str, expected: int = 200, **said: Any) -> Any:
        answer = HTTP.post(f"{self.url}/play/{door}", json=said)
        assert answer.status_code == expected, answer.text
        return answer.json()

    def get(self, door: str, **query: Any) -> Any:
        return HTTP.get(f"{self.url}/play/{door}", params=query).json()

    def write(self, scheme: str, person: str, text: str = "", **more: Any) -> Any:
        return self.post("write", scheme=scheme, person=person, text=text, **more)

    def fault(self, kind: str, **more: Any) -> None:
        self.post("fault", kind=kind, **more)

    def arrived(self, scheme: str, person: str) -> list[str]:
        return [message.text for message in self.world.conversation(scheme, person) if message.outgoing]

    def eventually(self, true: Callable[[], Any]) -> Any:
        end = time.monotonic() + 5
        while not (value := true()):
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.005)
        return value


@contextmanager
def serving(served: ASGIApp) -> Iterator[str]:
    """The address where an application is served, in a thread of its own."""
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(served, log_level="critical", access_log=False, lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = server.force_exit = True
    thread.join(5)


@contextmanager
def stages() -> Iterator[Callable[..., Stage]]:
    """Makes stages: two servers carry all of them, each under a number of its own."""
    houses, providers, numbers = Switch(), Switch(), itertools.count(1)
    with serving(houses) as house_url, serving(providers) as provider_url:

        def make(**different: Any) -> Stage:
            number = str(next(numbers))
            house = House(f"{house_url}/{number}")
            given = {
                "account_sid": SID, "auth_token": AUTH, "bot_token": BOT_TOKEN, "secret_token": SECRET,
                "whatsapp_from": WHATSAPP, "sms_from": SMS, "house": house.url, "prefix": f"/{number}", "pace": 0.01,
            }  # fmt: skip
            world = World(**(given | different))
            houses.parts[number], providers.parts[number] = house, app(world)
            return Stage(world, providers.parts[number], f"{provider_url}/{number}", house)

        yield make


@pytest.fixture(scope="module")
def make_stage() -> Iterator[Callable[..., Stage]]:
    with stages() as make:
        yield make


@pytest.fixture
def stage(make_stage: Callable[..., Stage]) -> Stage:
    return make_stage()


def test_what_a_person_writes_can_be_read_at_the_door(stage: Stage) -> None:
    written = stage.write("whatsapp", SARA, "أريد تقديم شكوى")
    stage.write("sms", MARYAM, "another conversation")
    [shown] = stage.get("messages", scheme="whatsapp", person=SARA)["messages"]
    assert written == {"ids": [shown["id"]], "statuses": [200]}
    assert (shown["text"], shown["direction"], shown["state"]) == ("أريد تقديم شكوى", "in", "received")
    assert stage.get("messages", scheme="whatsapp", person=SARA, after=shown["number"])["messages"] == []
    assert len(stage.get("messages")["messages"]) == 2


def test_a_refusal_of_the_house_is_shown(stage: Stage) -> None:
    stage.house.answers.append(Response(status_code=503))
    assert stage.write("telegram", SARA_T, "x")["statuses"] == [503]
    assert stage.get("messages")["messages"][0]["state"] == "refused"


def test_a_house_that_is_not_there_is_status_0(make_stage: Callable[..., Stage]) -> None:
    assert make_stage(house="http://127.0.0.1:9").write("sms", MARYAM, "x")["statuses"] == [0]


@pytest.mark.parametrize(
    ("door", "said"),
    [
        ("write", {"scheme": "whatsapp"}),
        ("write", {"scheme": "pigeon", "person": "1", "text": "x"}),
        ("write", {"scheme": "telegram", "person": "sara", "text": "x"}),
        ("write", {"scheme": "sms", "person": MARYAM, "place": {"latitude": 1, "longitude": 2}}),
        ("write", {"scheme": "sms", "person": MARYAM, "text": 1}),
        ("write", {"scheme": "sms", "person": MARYAM, "files": ["x"]}),
        ("write", {"scheme": "sms", "person": MARYAM, "files": [{"type": "image/png", "content": "?"}]}),
        ("write", {"scheme": "telegram", "person": SARA_T, "text": "x", "message_id": "SM1"}),
        ("press", {"scheme": "sms", "person": MARYAM, "token": "x"}),
        ("fault", {"kind": "flood"}),
        ("fault", {"kind": "status", "status": "500"}),
        ("fault", {"kind": "status", "colour": 1}),
        ("fault", {"kind": "blocked"}),
        ("fault", {"kind": "late", "scheme": "telegram"}),
        ("fault", {"faults": [1]}),
        ("fault", {"rates": {"500": 0.7, "429": 0.7}}),
        ("fault", {"rates": {"500": "often"}}),
    ],
)
def test_what_cannot_be_played_is_refused_with_a_reason(stage: Stage, door: str, said: dict[str, Any]) -> None:
    assert stage.post(door, 422, **said)["error"]
    assert stage.house.calls == [] and stage.world.messages == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"scheme": "sms", "text": "\\ud800"}', b"[" * 100_000])
def test_what_is_no_object_is_refused(stage: Stage, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = HTTP.post(f"{stage.url}/play/write", content=body, headers=headers)
    assert answer.status_code == 422 and answer.json()["error"]


def test_a_form_of_another_site_cannot_play(stage: Stage) -> None:
    said = b'{"scheme": "sms", "person": "+971500000004", "text": "x"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = HTTP.post(f"{stage.url}/play/write", content=said, headers={"Content-Type": kind})
        assert answer.status_code == 415
    assert stage.house.calls == []


def test_the_cast_has_every_scheme_a_user_name_and_two_on_telegram(stage: Stage) -> None:
    people = stage.get("people")["people"]
    assert {each["scheme"] for each in people} == {"whatsapp", "sms", "telegram"}
    assert len([each for each in people if each["scheme"] == "telegram"]) == 2
    assert any(each["scheme"] == "whatsapp" and not each["person"].startswith("+") for each in people)


def test_somebody_new_can_be_introduced(stage: Stage) -> None:
    stage.post("people", scheme="whatsapp", person="+966511111111", name="هند", language="ar", wrote=True)
    met = stage.world.person("whatsapp", "+966511111111")
    assert met.name == "هند" and met.has_window(stage.world.clock())


def test_the_page_shows_what_comes_next(stage: Stage) -> None:
    def following(scheme: str, person: str) -> str:
        return str(stage.get("messages", scheme=scheme, person=person)["next"])

    assert following("sms", MARYAM) == ""
    assert following("whatsapp", SARA) == "closed"
    stage.fault("status", status=429, scheme="sms", person=MARYAM)
    assert following("sms", MARYAM) == "status 429"
    stage.fault("blocked", scheme="telegram", person=SARA_T)
    assert following("telegram", SARA_T) == "blocked"
    stage.fault("normal")
    assert following("sms", MARYAM) == following("telegram", SARA_T) == ""


def test_the_page_needs_nothing_that_a_strict_policy_forbids(stage: Stage) -> None:
    page = HTTP.get(stage.url + "/")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert '<html lang="ar" dir="rtl">' in page.text and 'dir="auto"' in page.text
    assert not re.search(r"<style|style=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", page.text)
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(named) == 3 and all(name.startswith(stage.world.prefix + "/static/") for name in named)
    for name in named:
        answer = HTTP.get(stage.url.removesuffix(stage.world.prefix) + name)
        assert answer.status_code == 200
        text = answer.text.replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"innerHTML|insertAdjacentHTML|outerHTML|document\.write|eval\(|https?://", text)
    for elsewhere in ("simulator.html", "server.py", "..%2Fserver.py"):
        assert HTTP.get(f"{stage.url}/static/{elsewhere}").status_code == 404


def test_it_can_be_mounted_into_the_house(make_stage: Callable[..., Stage]) -> None:
    played = make_stage(prefix="/simulator")
    whole = FastAPI(redirect_slashes=False)
    whole.mount("/simulator", app(played.world))
    with serving(whole) as base:
        written = HTTP.post(
            f"{base}/simulator/play/write",
            json={"scheme": "sms", "person": MARYAM, "text": "x"},
        )
        assert written.json()["statuses"] == [200]
        assert f'src="{"/simulator/static/simulator.js"}"' in HTTP.get(f"{base}/simulator/").text
        listed = f"{base}/simulator/2010-04-01/Accounts/{SID}/Messages.json"
        assert HTTP.get(listed, auth=(SID, AUTH)).json()["messages"][0]["body"] == "x"


def test_files_of_a_phone_come_as_base64(stage: Stage) -> None:
    content = base64.b64encode(b"\x89PNG\r\n\x1a\n...").decode()
    file = {"name": "hole.png", "type": "image/png", "content": content}
    stage.write("whatsapp", SARA, "الحفرة", files=[file])
    [shown] = stage.get("messages")["messages"]
    assert shown["files"] == [{"name": "hole.png", "type": "image/png", "size": 11}]


def test_a_file_cannot_be_named_out_of_its_place(stage: Stage) -> None:
    file = {"name": "../../etc/passwd.png/..", "type": "image/png", "content": base64.b64encode(b"x").decode()}
    stage.write("telegram", SARA_T, files=[file])
    assert "passwd" not in stage.house.updates[0].body.decode()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "::", "example.org"])
def test_it_listens_on_loopback_alone(host: str) -> None:
    with pytest.raises(ValueError):
        listen(host, 0)


def process(*arguments: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ, "TWILIO_ACCOUNT_SID": SID, "TWILIO_AUTH_TOKEN": AUTH, "TWILIO_WHATSAPP_FROM": WHATSAPP,
        "TWILIO_SMS_FROM": SMS, "TELEGRAM_BOT_TOKEN": BOT_TOKEN, "TELEGRAM_SECRET_TOKEN": SECRET,
    }  # fmt: skip
    command = [sys.executable, "-m", "channels.simulator", *arguments]
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        command, env=environment, cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_it_is_a_process_of_its_own(stage: Stage) -> None:
    played = process("--port", "0", "--house", stage.house.url)
    try:
        assert played.stdout is not None
        base = played.stdout.readline().strip().removeprefix("simulator: ")
        assert HTTP.get(f"{base}/bot{BOT_TOKEN}/getMe").json()["result"]["is_bot"]
        assert "المحاكي" in HTTP.get(f"{base}/").text
        said = {"scheme": "sms", "person": MARYAM, "text": "من عملية أخرى"}
        assert HTTP.post(f"{base}/play/write", json=said).json()["statuses"] == [200]
        assert stage.house.messages[0].is_signed
    finally:
        played.terminate()
        _, errors = played.communicate(timeout=10)
    assert played.returncode in (0, -15) and errors == ""


def test_a_process_that_would_be_open_to_others_does_not_start() -> None:
    played = process("--port", "0", "--house", "http://127.0.0.1:8000", "--host", "0.0.0.0")
    told, errors = played.communicate(timeout=20)
    assert played.returncode == 1 and told == "" and "not loopback" in errors
