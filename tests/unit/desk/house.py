"""A desk on a real database: the store, the handlers, the register of data/ and the catalogues, without the assistant."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import insert, select, update

from bot import seeding
from bot.files import FileRoom
from bot.handlers.contacts import ContactLog
from bot.handlers.house import House
from bot.handlers.incidents import Incidents
from bot.handlers.people import People
from bot.handlers.ports import Conversation, Say
from bot.handlers.replies import Replies
from bot.preview import Previews
from bot.sending import SmsBudget, Windows
from bot.storage.colleagues import Colleagues
from bot.storage.crypto import Secrets
from bot.storage.database import open_engine
from bot.storage.directory import Directory
from bot.storage.doors import Doors
from bot.storage.drafts import DraftTable
from bot.storage.migrations import migrate
from bot.storage.post import Post
from bot.storage.queries import Queries
from bot.storage.queue import Queue
from bot.storage.registry import RegisterTable
from bot.storage.store import SqlStore
from bot.storage.tables import attachments, conversations, outbox
from bot.tickets.people import Actor, Role, Staff
from bot.tickets.promise import promised
from bot.tickets.reference import new_reference
from bot.tickets.taxonomy import Register
from bot.tickets.ticket import Ticket
from bot.web.api import router as api
from bot.web.auth import IDLE, Auth, hash_password
from bot.web.desk import pages
from bot.web.desk import router as desk
from bot.web.desk.channels import Carriers, Sms
from bot.web.desk.people import Accounts
from bot.web.desk.replies import Writing
from bot.web.security import BodyCap, SecurityHeaders
from bot.wording.render import load
from channels.contract import Address, Limits
from nlu.arabic.fold import fold

DATA = Path(__file__).parents[3] / "data"
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)  # Tuesday, 11:00 in Riyadh
URL = "http://desk.test"
PASSWORD = "correct horse battery"
PRICE, CAP = 0.06, 50.0
"""Of one SMS part, and of a day."""


class Clock:
    """The time, moved by tests."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **time: float) -> None:
        self.at += timedelta(**time)


@cache
def password_hash() -> str:
    return hash_password(PASSWORD)


class Strict:
    """The catalogues, where a name without words is an error and not a name on a page."""

    def __init__(self) -> None:
        self.real = load()
        self.render, self.buttons = self.real.render, self.real.buttons

    def desk(self, name: str, language: str, /, **params: Any) -> str:
        assert name in self.real.desk_names(), f"no words for {name}"
        words = self.real.desk(name, language, **params)
        assert "…" not in words or name == "choose" or params, f"{name} was not given a parameter"
        return words


@cache
def catalogues() -> Strict:
    return Strict()


def _store(engine: Any, clock: Callable[[], datetime]) -> SqlStore:
    def render(name: str, params: Mapping[str, Any], buttons: Sequence[Mapping[str, Any]], language: str) -> Any:
        return catalogues().render(name, params, language), catalogues().buttons(buttons, language)

    return SqlStore(engine, Secrets("k" * 40), render, fold, clock)


STAFF = {
    "agent": Staff("s-agent", "agent@example.test", "سارة القحطاني", Role.AGENT, "contact_centre", True),
    "agent2": Staff("s-agent2", "agent2@example.test", "خالد العتيبي", Role.AGENT, "industrial_licensing"),
    "audit": Staff("s-audit", "audit@example.test", "نورة السالم", Role.AGENT, "internal_audit"),
    "supervisor": Staff(
        "s-supervisor", "supervisor@example.test", "منى الحربي", Role.SUPERVISOR, "contact_centre", True
    ),
    "manager": Staff("s-manager", "manager@example.test", "عبدالله الزهراني", Role.MANAGER, None, True),
    "oversight": Staff("s-oversight", "oversight@example.test", "هند الشمري", Role.OVERSIGHT, None, True),
    "admin": Staff("s-admin", "admin@example.test", "فهد الدوسري", Role.ADMIN, None),
}


@dataclass
class Desk:
    """The desk, and short ways to fill and to open it."""

    clock: Clock
    store: SqlStore
    doors: Doors
    house: House
    queries: Queries
    register: Register
    queue: Queue
    room: FileRoom | None
    app: FastAPI
    replies: Replies
    previews: Previews

    def browser(self, who: str = "", **headers: str) -> Browser:
        """A browser; with a session of one of STAFF where it is named."""
        browser = Browser(TestClient(self.app, base_url=URL, follow_redirects=False, headers=headers))
        if who:
            token = token_urlsafe()
            self.doors.open_session(token, STAFF[who].id, self.clock(), self.clock() + IDLE)
            browser.client.cookies.set("sawt_desk", token, domain="desk.test", path="/")
        return browser

    def program(self, *scopes: str) -> TestClient:
        """A client with a token of these scopes."""
        token = f"token of {' '.join(scopes)}"
        if self.doors.api_token(token) is None:
            self.doors.create_api_token(f"p-{len(self.doors.api_tokens())}", "لوحة", token, list(scopes), NOW)
        return TestClient(self.app, base_url=URL, headers={"Authorization": f"Bearer {token}"})

    def talk(self, id: str = "t-1", scheme: str = "web", contact: str = "") -> Conversation:
        with self.store.begin() as tx:
            known = tx.conversation(id)
            if known is None:
                known = Conversation(id, contact or f"c-{id}", Address(scheme, id), self.clock(), language="ar")
                tx.add_conversation(known)
        return known

    def file(
        self, text: str = "معاملة الترخيص الصناعي لها شهرين", talk: Conversation | None = None, **fields: Any
    ) -> Ticket:
        """A filed ticket; of the industrial licensing unit, unless `fields` say otherwise."""
        at = self.clock()
        values: dict[str, Any] = {
            "kind": "complaint", "category": "processing_delay", "unit": "industrial_licensing", "language": "ar",
            "source": "web", "reading": {"intent": {"name": "complaint", "confidence": 0.92}},
        } | fields  # fmt: skip
        calendar = self.register.calendars["sa"]
        promise = promised(self.register.policy, calendar, values["kind"], values["category"], "C", at)
        ticket = Ticket.file(
            by=Actor("beneficiary", talk.contact if talk else ""), at=at, promise=promise, ref=new_reference(), text=text,
            contact=talk and talk.contact, conversation=talk and talk.id, **values,
        )  # fmt: skip
        with self.store.begin() as tx:
            assert tx.add_ticket(ticket, f"turn-{ticket.ref}")
            if talk:
                due = (at + timedelta(days=2)).isoformat()
                params = {"ref": ticket.ref, "receipt": "315204377518", "unit": ticket.unit, "due": due}
                tx.say(talk, f"turn-{ticket.ref}", Say("utter_filed", f"{ticket.ref}:1", params, ref=ticket.ref), at)
        return ticket

    def write(self, talk: Conversation, text: str, turn: str, vector: bytes | None = None) -> int:
        """The person writes, in a turn; `vector` is what it means. The message's number."""
        with self.store.begin() as tx:
            message = tx.receive(talk.id, f"m-{text[:20]}-{self.clock().isoformat()}", text, None, self.clock())
            assert message
            tx.start_turn([message.id], turn, self.clock())
            tx.finish([message.id], "done", vector=vector)
        return message.id

    def tell(
        self, ticket: Ticket, talk: Conversation, text: str = "صدرت رخصتك.", name: str = "notice_reply", **fate: Any
    ) -> int:
        """The person is told something of a ticket, and `fate` is what became of it. The line's number."""
        with self.store.begin() as tx:
            key, params = f"told:{token_urlsafe(6)}", {"ref": ticket.ref, "unit": ticket.unit, "state": "open"}
            said = Say(name, key, params | {"text": text}, notice=True, ref=ticket.ref)
            assert tx.say(talk, None, said, self.clock())
            row = tx.connection.scalar(select(outbox.c.id).where(outbox.c.key == key))
            if fate:
                tx.connection.execute(update(outbox).where(outbox.c.id == row).values(**fate))
        return int(row)

    def attach(self, ticket: Ticket | None, talk: Conversation, content: bytes = b"", **fields: Any) -> int:
        """A file of a ticket, by default a photo that is kept. Its number."""
        row: dict[str, Any] = {"kind": "photo", "name": "المدخل.jpg", "type": "image/jpeg", "state": "kept"} | fields
        if content and self.room:
            row["sha256"], row["size"] = sha256(content).hexdigest(), len(content)
            path = self.room.path(row["sha256"])
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        row |= {"conversation": talk.id, "ref": ticket and ticket.ref, "created_at": self.clock()}
        with self.store.begin() as tx:
            return int(tx.connection.execute(insert(attachments).returning(attachments.c.id), row).scalar_one())

    def stop(self, talk: Conversation) -> None:
        """The person wants no notices there."""
        with self.store.begin() as tx:
            tx.connection.execute(
                update(conversations).where(conversations.c.id == talk.id).values(stopped_at=self.clock())
            )

    def stored(self, ref: str) -> Ticket:
        with self.store.begin() as tx:
            ticket = tx.ticket(ref)
        assert ticket
        return ticket


class Browser:
    """What a clerk does: opens pages, and sends the forms that are on them."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def sign_in(self, email: str, password: str = PASSWORD) -> Any:
        page = self.client.get("/desk/login")
        word = re.search(r'name="csrf" value="(\w+)"', page.text)
        assert word
        data = {"email": email, "password": password, "csrf": word[1], "next": "/desk"}
        return self.client.post("/desk/login", data=data, headers={"Origin": URL})

    def get(self, path: str, **params: str) -> Any:
        return self.client.get(path, params=params or None)

    def form(self, path: str, action: str) -> dict[str, str]:
        """The fields of a page's form as a browser would send them untouched."""
        parser = _Forms()
        parser.feed(self.client.get(path).text)
        assert action in parser.forms, f"{action} is not on {path}: {sorted(parser.forms)}"
        return parser.forms[action]

    def send(self, path: str, action: str, **typed: str) -> Any:
        """Open a page, fill in one of its forms, send it."""
        return self.client.post(action, data=self.form(path, action) | typed, headers={"Origin": URL})

    def act(self, ref: str, verb: str, **typed: str) -> Any:
        return self.send(f"/desk/tickets/{ref}", f"/desk/tickets/{ref}/{verb}", **typed)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self._form: dict[str, str] = {}
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {k: v or "" for k, v in attrs}
        if tag == "form":
            self._form = {}
            self.forms[given.get("action", "")] = self._form
        elif tag == "input" and given.get("type") == "checkbox" and "checked" not in given:
            pass
        elif tag == "input" and "name" in given:
            self._form[given["name"]] = given.get("value", "")
        elif tag == "select":
            self._select = given["name"]
            self._form[self._select] = ""
        elif tag == "option" and "selected" in given:
            self._form[self._select] = given["value"]


def make(
    engine: Any,
    register: Register,
    clock: Any,
    url: str = URL,
    folder: Path | None = None,
    ways: bool = True,
    undo: float = 0,
) -> Desk:
    """The desk and the API over a database that holds STAFF; files lie in `folder`."""
    store = _store(engine, clock)
    doors, queries, post = Doors(store), Queries(engine, fold), Post(store)
    room = FileRoom(folder) if folder else None
    calendar = register.calendars["sa"]

    def colleague(named: str) -> Staff | None:
        account = doors.staff_by_email(named) if "@" in named else doors.staff(named)
        return account.staff if account else None

    house = House(store, lambda: register, lambda: calendar, clock, store.secrets.digest, fold, "SA", colleague)
    auth = Auth(doors, clock, url)
    directory = Directory(store)
    accounts = Accounts(People(directory, lambda: register.units, hash_password, clock), directory, Colleagues(engine))
    app = FastAPI(openapi_url=None)
    office = pages.Office(lambda: register.policy, lambda unit: calendar)
    budget = SmsBudget(post.segments_since, PRICE, CAP, ["SA"], lambda: calendar.zone)
    carriers = Carriers(("whatsapp", "sms", "telegram"), post.trouble, Sms(PRICE, CAP, budget.spent, budget.alarm))
    replies = Replies(DraftTable(store), house, colleague, clock, undo)
    limits = {
        "whatsapp": Limits(1600, 0, window=timedelta(hours=24)),
        "sms": Limits(1600, 0),
        "telegram": Limits(4096, 12),
    }
    windows = Windows(
        {("read", "ar"): "HX1"}, lambda name, params, language: store.render(name, params, [], language)[0]
    )
    preview = Previews(house, store.told_at, store.render, limits, windows, lambda address: None, budget, PRICE, clock)
    card = lambda part, service, language: register.card(part, service, language)  # noqa: E731
    writing = Writing(replies, preview, card, lambda: register, PRICE)
    app.include_router(
        desk.router(
            queries=queries, act=house.act, auth=auth, accounts=accounts, register=lambda: register, catalogues=catalogues(),
            office=office, clock=clock, notices_seen=doors.notices_seen, file_path=room.path if room else None,
            carriers=carriers, aside_seen=doors.aside_seen, writing=writing,
            contacts=ContactLog(house, lambda number: [Address("sms", number, "+15005550006")] if ways else []),
            incidents=Incidents(house), read_out=store.render,
        )
    )  # fmt: skip
    app.include_router(api.router(queries=queries, act=house.act, auth=auth, register=lambda: register, clock=clock))
    app.add_middleware(BodyCap)
    app.add_middleware(SecurityHeaders, public_url=url)
    return Desk(clock, store, doors, house, queries, register, Queue(store), room, app, replies, preview)


def fill(path: Path) -> None:
    """A migrated database with the register and STAFF in it."""
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    store = _store(engine, lambda: NOW)
    RegisterTable(store).seed(seeding.rows(DATA))
    for person in STAFF.values():
        Doors(store).create_staff(person, password_hash(), NOW)
    with engine.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()


def read_register(path: Path) -> Register:
    """The register as that database has it."""
    engine = open_engine(f"sqlite:///{path}")
    read = seeding.register(RegisterTable(_store(engine, lambda: NOW)), range(2026, 2028))
    engine.dispose()
    return read
