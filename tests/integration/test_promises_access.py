"""F1: every route of the desk and of the API × every role × (own unit's, other unit's, confidential, closed ticket).

The application is walked: a route without an entry in DESK, API or OPEN fails the build. What each cell answers is declared here by
hand, not computed by the code that decides it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import insert

from bot import settings as settings_
from bot import wiring
from bot.storage.tables import attachments
from bot.tickets.people import Actor, Role, Staff
from bot.tickets.promise import promised
from bot.tickets.reference import new_reference
from bot.tickets.ticket import Ticket
from bot.web.app import public_app
from bot.web.auth import IDLE, csrf_of
from channels.contract import Address
from tests.running import free_port

URL = "http://127.0.0.1:8000"
UNIT, OTHER = "industrial_licensing", "finance"
KINDS = ("own", "other", "confidential", "closed")
"""Of the unit, of another one, confidential and of another one, and closed of the unit."""

# One of each role in a unit, and one of each who reads for the whole ministry.
PEOPLE = {
    **{f"unit {role}": Staff(f"s-unit-{role}", f"{role}@unit.test", role, role, UNIT) for role in Role},
    **{f"whole {role}": Staff(f"s-whole-{role}", f"{role}@whole.test", role, role, None, True) for role in Role},
}
AGENTS = {f"{where} {role}" for where in ("unit", "whole") for role in ("agent", "supervisor", "manager")}
OVERSIGHT = {"unit oversight", "whole oversight"}
SENIORS = {name for name in AGENTS if "agent" not in name}
ADMINS = {"unit admin", "whole admin"}
READERS, EVERYBODY = AGENTS | OVERSIGHT, set(PEOPLE)

SEES = {
    "own": READERS,
    "other": {name for name in READERS if name.startswith("whole")},
    "confidential": set[str](),
    "closed": READERS,
}
"""Who may read which ticket: nobody of these is named for the confidential one, which is another unit's."""


@dataclass(frozen=True)
class Door:
    """A route of the desk: who may come in at all, whether it is about one ticket, and what a POST is sent.

    `who` answers `ok` where the ticket may be seen and 404 where not; everybody else is told 403 for every ticket alike.
    """

    who: set[str]
    ok: tuple[int, ...] = (200,)
    ticket: bool = False
    lists: bool = False  # shows the tickets that may be seen, and no other
    form: dict[str, str] = field(default_factory=dict)


PERSON = "/desk/people/{id}"
DESK: dict[tuple[str, str], Door] = {
    ("GET", "/desk"): Door(READERS, lists=True),
    ("GET", "/desk/questions"): Door(READERS, lists=True),
    ("POST", "/desk/notices/seen"): Door(READERS, (303,), form={"until": "1"}),
    ("GET", "/desk/tickets/{ref}"): Door(READERS, ticket=True),
    ("GET", "/desk/tickets/{ref}/version"): Door(READERS, ticket=True),
    ("POST", "/desk/tickets/{ref}/{verb}"): Door(READERS, (303,), ticket=True, form={"text": "ملاحظة"}),
    ("GET", "/desk/files/{id}"): Door(READERS, ticket=True),
    ("GET", "/desk/channels"): Door(EVERYBODY, lists=True),
    ("POST", "/desk/channels/aside/{id}/seen"): Door(SENIORS | ADMINS, (404,)),
    ("POST", "/desk/logout"): Door(EVERYBODY, (303,)),
    ("GET", "/desk/me"): Door(EVERYBODY),
    ("POST", "/desk/me/password"): Door(EVERYBODY, (422,)),
    ("POST", "/desk/me/language"): Door(EVERYBODY, (303,), form={"language": "ar"}),
    ("GET", "/desk/me/second-factor"): Door(EVERYBODY),
    ("POST", "/desk/me/second-factor/start"): Door(EVERYBODY, (303,)),
    ("POST", "/desk/me/second-factor/confirm"): Door(EVERYBODY, (422,)),
    ("POST", "/desk/me/second-factor/off"): Door(EVERYBODY, (409, 422)),
    ("GET", "/desk/people"): Door(ADMINS),
    ("GET", "/desk/people/new"): Door(ADMINS),
    ("POST", "/desk/people"): Door(ADMINS, (422,)),
    ("GET", PERSON): Door(ADMINS, (404,)),
    ("POST", PERSON): Door(ADMINS, (404,)),
    ("POST", f"{PERSON}/password"): Door(ADMINS, (404,)),
    ("POST", f"{PERSON}/second-factor"): Door(ADMINS, (404,)),
    ("POST", f"{PERSON}/sign-out"): Door(ADMINS, (404,)),
    ("GET", "/desk/help"): Door(EVERYBODY),
    ("GET", "/desk/counts"): Door(READERS),
    ("GET", "/desk/next"): Door(READERS, (303,)),
    ("POST", "/desk/bulk"): Door(AGENTS, (422,)),
    ("GET", "/desk/handover"): Door(SENIORS),
    ("POST", "/desk/handover"): Door(SENIORS, (422,)),
    ("GET", "/desk/new"): Door(AGENTS),
    ("POST", "/desk/new"): Door(AGENTS, (422,)),
    ("GET", "/desk/tickets/{ref}/incident"): Door(AGENTS, ticket=True),
    ("POST", "/desk/incidents"): Door(AGENTS, (404,)),
    ("GET", "/desk/incidents/{id}"): Door(READERS, (404,)),
    ("POST", "/desk/incidents/{id}/tell"): Door(AGENTS, (404,)),
    ("POST", "/desk/incidents/{id}/go-on"): Door(AGENTS, (404,)),
    ("POST", "/desk/incidents/{id}/leave"): Door(AGENTS, (404,)),
    ("GET", "/desk/audit"): Door(OVERSIGHT | ADMINS, lists=True),
    ("POST", "/desk/numbers/{ref}"): Door(READERS, ticket=True),
    ("POST", "/desk/tickets/{ref}/preview"): Door(
        READERS, (200, 409), ticket=True, form={"verb": "reply", "text": "رد"}
    ),
    ("POST", "/desk/tickets/{ref}/draft"): Door(READERS, ticket=True, form={"verb": "note", "text": "مسودة"}),
    ("POST", "/desk/tickets/{ref}/undo"): Door(READERS, (303,), ticket=True),
    ("POST", "/desk/tickets/{ref}/looking"): Door(READERS, ticket=True),
}
API: dict[tuple[str, str], str] = {
    ("GET", "/api/v1/tickets"): "tickets:read",
    ("GET", "/api/v1/tickets/{ref}"): "tickets:read",
    ("POST", "/api/v1/tickets/{ref}/{verb}"): "tickets:write",
}
"""The scope that each needs; `confidential` beside it for confidential tickets, and no session opens any."""
OPEN = {
    ("GET", "/desk/static/{name}"), ("GET", "/desk/login"), ("POST", "/desk/login"), ("GET", "/desk/login/code"),
    ("POST", "/desk/login/code"), ("GET", "/api/openapi.json"),
}  # fmt: skip
"""The same for everybody."""


class Ministry:
    """The real application, people of every role, and one ticket of each kind with a file."""

    def __init__(self, folder: Path) -> None:
        made = settings_.load(
            data_dir=folder, port=free_port(), rasa_port=free_port(), actions_port=free_port(), database_url=""
        )
        self.rooms = wiring.build(made)
        self.app = public_app(self.rooms, self.rooms.assistant(), self.rooms.dispatcher().news)
        for person in PEOPLE.values():
            self.rooms.doors.create_staff(person, "", self.rooms.clock())
        self.tickets = {kind: self._file(kind) for kind in KINDS}
        self.files = {kind: self._attach(ticket.ref) for kind, ticket in self.tickets.items()}

    def _file(self, kind: str) -> Ticket:
        rooms, at = self.rooms, self.rooms.clock()
        register, calendar = rooms.register(), rooms.house.calendar
        ticket = Ticket.file(
            by=Actor("beneficiary", ""), at=at, ref=new_reference(), text="معاملة", kind="complaint", category="processing_delay",
            promise=promised(register.policy, calendar, "complaint", "processing_delay", "C", at), language="ar", source="web",
            contact=None, conversation=None, unit=UNIT if kind in ("own", "closed") else OTHER, reading={},
            flags={"confidential"} if kind == "confidential" else set(),
        )  # fmt: skip
        with rooms.store.begin() as tx:
            assert tx.add_ticket(ticket, f"turn-{ticket.ref}")
        if kind == "closed":
            rooms.house.act(ticket.ref, "close", PEOPLE["whole manager"].actor(), {"reason": "انتهى"})
        return ticket

    def _attach(self, ref: str) -> int:
        path, sha = self.rooms.file_room.path("a" * 64), "a" * 64
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        row = {
            "kind": "photo", "name": "a.jpg", "type": "image/jpeg", "state": "kept", "sha256": sha, "size": 1, "ref": ref,
            "conversation": self._talk(), "created_at": self.rooms.clock(),
        }  # fmt: skip
        with self.rooms.store.begin() as tx:
            return int(tx.connection.execute(insert(attachments).returning(attachments.c.id), row).scalar_one())

    def _talk(self) -> str:
        found = self.rooms.chat._log.conversation("s") or self.rooms.reception.welcome(Address("web", "s"), "ar")
        return str(found)

    def browser(self, name: str) -> tuple[TestClient, str]:
        """Signed in as one of PEOPLE, and the word of its forms."""
        token = f"token of {name}"
        if self.rooms.doors.session(token, self.rooms.clock()) is None:
            self.rooms.doors.open_session(token, PEOPLE[name].id, self.rooms.clock(), self.rooms.clock() + IDLE)
        client = TestClient(
            self.app, base_url=URL, follow_redirects=False, headers={"Origin": self.rooms.settings.public_url}
        )
        client.cookies.set("sawt_desk", token)
        return client, csrf_of(token)

    def program(self, *scopes: str) -> TestClient:
        token = f"a token of {' '.join(scopes)}"
        if self.rooms.doors.api_token(token) is None:
            id = f"p-{len(self.rooms.doors.api_tokens())}"
            self.rooms.doors.create_api_token(id, "برنامج", token, list(scopes), self.rooms.clock())
        return TestClient(self.app, base_url=URL, headers={"Authorization": f"Bearer {token}"})

    def version(self, kind: str) -> int:
        with self.rooms.store.begin() as tx:
            ticket = tx.ticket(self.tickets[kind].ref)
        assert ticket
        return ticket.version


@pytest.fixture(scope="module")
def ministry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministry]:
    made = Ministry(tmp_path_factory.mktemp("ministry"))
    yield made
    made.rooms.engine.dispose()


def routes(app: FastAPI) -> set[tuple[str, str]]:
    """Every route of the desk and of the API, however deep it is included."""

    def walk(found: Any) -> Iterator[APIRoute]:
        for route in found:
            inner = getattr(getattr(route, "original_router", None), "routes", None) or getattr(route, "routes", None)
            if inner:
                yield from walk(inner)
            elif isinstance(route, APIRoute):
                yield route

    ours = [route for route in walk(app.routes) if route.path.startswith(("/desk", "/api"))]
    return {(method, route.path) for route in ours for method in route.methods - {"HEAD"}}


def test_every_route_has_an_entry(ministry: Ministry) -> None:
    """F1: a new route without a declaration fails here, and so does a declaration without a route."""
    assert routes(ministry.app) == DESK.keys() | API.keys() | OPEN


def answer(ministry: Ministry, door: tuple[str, str], name: str, kind: str) -> Any:
    """What somebody is told at a door, with the ticket of this kind where the door is about one."""
    (method, route), entry = door, DESK[door]
    client, csrf = ministry.browser(name)
    path = route.replace("{ref}", ministry.tickets[kind].ref).replace("{verb}", "note")
    path = path.replace("{id}", str(ministry.files[kind]) if entry.ticket else "999999")
    data = {"csrf": csrf, **entry.form} if method == "POST" else None
    return client.request(method, path, data=data)


def expected(entry: Door, name: str, kind: str) -> tuple[int, ...]:
    if name not in entry.who:
        return (403,)
    return entry.ok if not entry.ticket or name in SEES[kind] else (404,)


@pytest.mark.parametrize("door", DESK, ids=" ".join)
def test_each_cell_of_the_desk(ministry: Ministry, door: tuple[str, str]) -> None:
    """F1 (API1, API3, API5): all cells as declared; what is refused changes nothing."""
    entry, wrong = DESK[door], []
    for name in PEOPLE:
        for kind in KINDS if entry.ticket else KINDS[:1]:
            before = ministry.version(kind)
            told = answer(ministry, door, name, kind).status_code
            if told not in expected(entry, name, kind):
                wrong.append((name, kind, told))
            if told in (403, 404):
                assert ministry.version(kind) == before, (door, name, kind)
    assert wrong == []


@pytest.mark.parametrize("door", [door for door, entry in DESK.items() if entry.lists], ids=" ".join)
def test_lists_hold_what_may_be_seen_and_no_other(ministry: Ministry, door: tuple[str, str]) -> None:
    """F1: the references of other people's tickets stand on no page, whatever is asked for."""
    for name in DESK[door].who:
        client, _ = ministry.browser(name)
        for query in (
            "",
            "?view=all&state=any",
            f"?q={ministry.tickets['confidential'].ref}&view=all&state=any",
            "?view=unit&state=any",
        ):
            page = client.get(door[1] + query).text
            for kind, ticket in ministry.tickets.items():
                there = f"/desk/tickets/{ticket.ref}" in page
                assert not there or name in SEES[kind], (door, query, name, kind)
                if door[1] == "/desk" and query == "?view=all&state=any":
                    assert there == (name in SEES[kind]), (name, kind)


@pytest.mark.parametrize(
    "verb", ["note", "reply", "assign", "transfer", "extend", "close", "classify", "resolve", "dance"]
)
def test_who_may_not_see_a_ticket_is_told_that_it_is_not_there_for_every_verb(ministry: Ministry, verb: str) -> None:
    """F1: 404 for a ticket out of sight, for each verb and before anything else is looked at."""
    for name in READERS:
        client, csrf = ministry.browser(name)
        for kind in KINDS:
            if name not in SEES[kind]:
                before = ministry.version(kind)
                told = client.post(
                    f"/desk/tickets/{ministry.tickets[kind].ref}/{verb}", data={"csrf": csrf, "text": "x"}
                )
                assert told.status_code == 404 and ministry.version(kind) == before, (name, kind)
                unknown = client.post(f"/desk/tickets/6000000000/{verb}", data={"csrf": csrf, "text": "x"})
                assert _same(told.text) == _same(unknown.text), "nothing tells one that is hidden from one that is not"


def _same(page: str) -> str:
    return re.sub(r"\d{10}", "", page)


def test_roles_that_only_read_change_nothing_but_notes(ministry: Ministry) -> None:
    """F1 (API5): oversight reads and notes; a reply, an assignment, a closing are refused, and only seniors extend."""
    soon = (ministry.rooms.clock() + timedelta(days=14)).date().isoformat()
    for name in OVERSIGHT | {n for n in AGENTS if "agent" in n}:
        client, csrf = ministry.browser(name)
        forms = {
            "extend": {"until": soon, "reason": "x"}, "reply": {"text": "x"}, "close": {"reason": "x"},
            "assign": {"staff": PEOPLE["unit agent"].id}, "transfer": {"unit": OTHER, "reason": "x"},
        }  # fmt: skip
        for verb, form in forms.items() if name in OVERSIGHT else [("extend", forms["extend"])]:
            before = ministry.version("own")
            told = client.post(f"/desk/tickets/{ministry.tickets['own'].ref}/{verb}", data={"csrf": csrf, **form})
            assert told.status_code == 409 and ministry.version("own") == before, (name, verb)


@pytest.mark.parametrize("door", API, ids=" ".join)
def test_each_cell_of_the_api(ministry: Ministry, door: tuple[str, str]) -> None:
    """F1: a session opens no door for programs; a token opens what its scopes say, confidential tickets with theirs only."""
    (method, route), scope = door, API[door]
    other = "tickets:write" if scope == "tickets:read" else "tickets:read"
    for kind, ticket in ministry.tickets.items():
        path = route.replace("{ref}", ticket.ref).replace("{verb}", "note")
        body = {"json": {"text": "ملاحظة"}} if method == "POST" else {}
        for name in PEOPLE:
            assert ministry.browser(name)[0].request(method, path, **body).status_code == 401, (name, kind)
        assert ministry.program(other, "confidential").request(method, path, **body).status_code == 403, kind
        for scopes, sees in (((scope,), kind != "confidential"), ((scope, "confidential"), True)):
            told = ministry.program(*scopes).request(method, path, **body)
            if "{ref}" in route:
                assert told.status_code == (200 if sees else 404), (kind, scopes, told.text)
            else:
                assert (ticket.ref in told.text) == sees, (kind, scopes)


def test_a_session_of_somebody_else_is_of_no_use_for_a_form(ministry: Ministry) -> None:
    """F1, F3: the word of one person's forms opens nothing in another's session."""
    client, _ = ministry.browser("unit agent")
    _, stolen = ministry.browser("whole manager")
    for method, route in DESK:
        if method == "POST":
            path = re.sub(r"\{\w+\}", "1", route)
            assert client.post(path, data={"csrf": stolen}).status_code == 403, route
            assert client.get(path).status_code in (200, 403, 404, 405), "and none is a GET that does it"
