"""Everything is built here, once, from the settings; nothing is built on import."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Engine

from bot import seeding
from bot.assistant import Assistant
from bot.dispatch import READ, Dispatcher
from bot.faults import fault
from bot.fetching import Fetcher
from bot.files import FileRoom
from bot.handlers.contacts import ContactLog
from bot.handlers.house import House
from bot.handlers.ports import Say
from bot.handlers.receive import Reception
from bot.handlers.replies import Replies
from bot.handlers.undelivered import Undelivered
from bot.preview import Previews
from bot.sending import OneWay, Sizes, SmsBudget, Windows, country, read_templates
from bot.settings import Settings
from bot.storage.chatlog import ChatLog
from bot.storage.crypto import Secrets
from bot.storage.database import open_engine
from bot.storage.directory import Directory
from bot.storage.doors import Doors
from bot.storage.drafts import DraftTable
from bot.storage.files import Files
from bot.storage.migrations import migrate
from bot.storage.post import Post, ToSend
from bot.storage.queries import Queries
from bot.storage.queue import Queue
from bot.storage.registry import RegisterTable
from bot.storage.store import SqlStore
from bot.tickets import promise as clockwork
from bot.tickets.calendar import WorkingCalendar
from bot.tickets.people import Staff
from bot.tickets.taxonomy import Register, in_language
from bot.tickets.ticket import Ticket
from bot.web.chat.bells import Bells
from bot.wording.render import Catalogues
from bot.wording.render import load as load_catalogues
from bot.worker import Worker
from channels.contract import WEB, Address, Incoming, Provider
from nlu.arabic.fold import fold

ROOT = Path(__file__).parent.parent
DATA = ROOT / "data"


def now() -> datetime:
    """The time, aware, UTC."""
    return datetime.now(UTC)


@dataclass
class Rooms:
    """The house, built."""

    settings: Settings
    engine: Engine
    secrets: Secrets
    store: SqlStore
    house: House
    reception: Reception
    register: Callable[[], Register]
    catalogues: Catalogues
    doors: Doors
    directory: Directory
    queries: Queries
    queue: Queue
    bells: Bells
    chat: WebChat
    clock: Callable[[], datetime]
    listeners: Listeners
    posted: Listeners
    providers: Mapping[str, Provider]
    post: Post
    files: Files
    file_room: FileRoom
    budget: SmsBudget
    templates: Mapping[tuple[str, str], str]
    replies: Replies

    def dispatcher(self) -> Dispatcher:
        """The post office."""
        undelivered = Undelivered(self.house, self._carried, self._sms_to)
        forms = self._windows()
        providers = list(self.providers.values())
        return Dispatcher(self.post, providers, forms, self.budget, undelivered, self._ask_to_read, self.clock)

    def _windows(self) -> Windows:
        return Windows(self.templates, lambda name, params, lang: self.catalogues.render(name, params, lang))

    def previews(self) -> Previews:
        """What tells a clerk how words will reach their person."""
        limits = {scheme: each for provider in self.providers.values() for scheme, each in provider.schemes.items()}
        return Previews(
            self.house, self.store.told_at, self.store.render, limits, self._windows(), self._sms_to, self.budget,
            self.settings.sms_price, self.clock,
        )  # fmt: skip

    def fetcher(self) -> Fetcher:
        """What brings files that lie at providers."""
        by_scheme = {scheme: provider for provider in self.providers.values() for scheme in provider.schemes}
        return Fetcher(self.files, self.file_room, by_scheme, self.clock)

    def arrive(self, came: Incoming) -> bool:
        return self.reception.arrive(came)

    def set_aside(self, provider: str, body: bytes, reason: str) -> None:
        self.queue.set_aside(provider, body, reason, self.clock())

    def _carried(self, scheme: str) -> bool:
        return any(scheme in provider.schemes for provider in self.providers.values())

    def _sms_to(self, address: Address) -> Address | None:
        """Where an SMS reaches a WhatsApp number; None where that is no telephone, or may not be paid for."""
        number, sender = address.identifier, self.settings.twilio_sms_from
        allowed = address.scheme == "whatsapp" and country(number) in self.settings.sms_countries
        return Address("sms", number, sender) if allowed and self._carried("sms") else None

    def contacts(self) -> ContactLog:
        """Where clerks file what came by telephone, letter, e-mail or at the counter."""
        return ContactLog(self.house, self._ways)

    def _ways(self, number: str) -> list[Address]:
        """The addresses at which a telephone number can be told."""
        settings, ways = self.settings, list[Address]()
        if self._carried("sms") and country(number) in settings.sms_countries:
            ways.append(Address("sms", number, settings.twilio_sms_from))
        if self._carried("whatsapp"):
            ways.append(Address("whatsapp", number, settings.twilio_whatsapp_from))
        return ways

    def _ask_to_read(self, row: ToSend) -> None:
        """Once for each closed window: that there is something to read, and how."""
        with self.store.begin() as tx:
            talk = tx.conversation(row.conversation)
            assert talk is not None, "a line belongs to a conversation"
            key = f"read:{talk.last_in_at:%s}" if talk.last_in_at else "read"
            tx.say(talk, None, Say(READ, key, {"ref": row.ref}, notice=True, ref=row.ref), self.clock())

    def worker(self, assistant: Assistant) -> Worker:
        """A worker that wakes with every commit of this process; made within the event loop."""
        worker = Worker(
            self.store, self.house, assistant, self.catalogues.variants,
            gather=self.settings.gather_seconds, turns=self.settings.turns, typing=self.chat.set_typing,
            forget=self.file_room.remove, replies=self.replies,
        )  # fmt: skip
        self.listeners.wake(worker.wake)
        return worker

    def assistant(self) -> Assistant:
        settings = self.settings

        return Assistant(f"http://127.0.0.1:{settings.rasa_port}", settings.assistant_secret, self.store.events)


class Listeners:
    """Who hears of a commit: the worker, the event streams of web chats, the post office."""

    def __init__(self) -> None:
        self._all: list[Callable[[frozenset[str]], None]] = []

    def add(self, listener: Callable[[frozenset[str]], None]) -> None:
        self._all.append(listener)

    def wake(self, wake: Callable[[], None]) -> None:
        """Call this in the event loop that runs now, with every commit."""
        loop = asyncio.get_running_loop()

        def heard(_: frozenset[str]) -> None:
            loop.call_soon_threadsafe(wake)

        self.add(heard)

    def __call__(self, conversations: frozenset[str]) -> None:
        for listener in self._all:
            listener(conversations)


class WebChat:
    """The web chat's port (bot/web/chat/router.py) on this house's storage."""

    def __init__(self, reception: Reception, log: ChatLog, bells: Bells, room: FileRoom) -> None:
        self._reception, self._log, self._bells, self._room = reception, log, bells, room
        self._sessions: OrderedDict[str, str] = OrderedDict()  # conversation → session, of those seen last
        self._typing: set[str] = set()

    def receive(
        self,
        session: str,
        message_id: str,
        text: str,
        payload: str | None,
        lang: str,
        files: Sequence[Mapping[str, Any]] = (),
    ) -> Literal["stored", "duplicate"]:
        conversation = self._log.conversation(session) or self._reception.welcome(Address("web", session), lang)
        self._known(conversation, session)
        stored = self._reception.receive(conversation, message_id, text, payload, files)
        fault("inbox-committed")
        return "stored" if stored else "duplicate"

    async def keep(self, pieces: AsyncIterator[bytes], type: str, name: str) -> Mapping[str, Any]:
        kept = await self._room.keep(pieces, type, name)
        found = {"kind": kept.kind, "name": kept.name, "declared": type, "state": kept.state}
        return found | {"sha256": kept.sha256, "size": kept.size, "type": kept.type}

    def choose_language(self, session: str, lang: str) -> None:
        conversation = self._log.conversation(session)
        if conversation:
            self._reception.choose_language(conversation, lang)

    def language(self, session: str) -> str | None:
        return self._log.language(session)

    def page(self, session: str, after: str, limit: int) -> Sequence[Mapping[str, Any]]:
        conversation = self._log.conversation(session)
        if conversation:
            self._known(conversation, session)
        return self._log.page(session, after, limit)

    def typing(self, session: str) -> bool:
        return session in self._typing

    def listen(self, session: str) -> AbstractContextManager[Any]:
        return self._bells.listen(session)

    def committed(self, conversations: frozenset[str]) -> None:
        """Ring where something was stored."""
        for conversation in conversations:
            session = self._sessions.get(conversation)
            if session:
                self._bells.ring(session)

    def set_typing(self, conversation: str, on: bool) -> None:
        """An answer is being worked on, or no longer."""
        session = self._sessions.get(conversation)
        if session and (session in self._typing) != on:
            (self._typing.add if on else self._typing.discard)(session)
            self._bells.ring(session)

    def _known(self, conversation: str, session: str) -> None:
        self._sessions[conversation] = session
        self._sessions.move_to_end(conversation)
        while len(self._sessions) > 50_000:
            self._sessions.popitem(last=False)


def database(settings: Settings) -> Engine:
    """The engine, its schema migrated. Raises with a sentence where the schema is newer than this code."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    engine = open_engine(settings.database_url)
    migrate(engine)
    return engine


def build(settings: Settings, clock: Callable[[], datetime] = now) -> Rooms:
    """The house of these settings. The register is filled from data/ where the database has none."""
    engine = database(settings)
    secrets, catalogues, listeners, posted = Secrets(settings.secret_key), load_catalogues(), Listeners(), Listeners()
    current: dict[str, Register] = {}

    def register() -> Register:
        return current["register"]

    def calendar() -> WorkingCalendar:
        known = register()
        return known.calendar_of(known.contact_centre, settings.country)

    def due(ticket: Ticket) -> datetime | None:
        return clockwork.next_event_at(ticket, calendar(), register().policy, clock())

    def render(name: str, params: Mapping[str, Any], buttons: Sequence[Mapping[str, Any]], language: str) -> Any:
        names = namer(register)
        return catalogues.render(name, params, language, names), catalogues.buttons(buttons, language, names)

    carriers = providers(settings)
    limits = {scheme: each for provider in carriers.values() for scheme, each in provider.schemes.items()}
    store = SqlStore(engine, secrets, render, fold, clock, listeners, due, Sizes(limits), posted)
    table = RegisterTable(store)
    seeding.seed(table, DATA)
    current["register"] = seeding.register(table, range(clock().year - 1, clock().year + 3))
    doors = Doors(store)

    def colleague(named: str) -> Staff | None:
        account = doors.staff_by_email(named) if "@" in named else doors.staff(named)
        return account.staff if account else None

    house = House(store, register, calendar, clock, secrets.digest, fold, settings.country, colleague,
                  OneWay(settings.sms_one_way))  # fmt: skip
    reception = Reception(store, clock)
    bells = Bells()
    log = ChatLog(engine, lambda session: secrets.address_hash(Address("web", session)))
    room = FileRoom(settings.data_dir / "files", WEB.files, settings.scanner)
    chat = WebChat(reception, log, bells, room)
    listeners.add(chat.committed)
    queue, post = Queue(store), Post(store)
    if settings.database_url.startswith("sqlite"):
        queue.forget_claims()  # one house: whoever had claimed something is gone
    return Rooms(
        settings=settings, engine=engine, secrets=secrets, store=store, house=house, reception=reception, register=register,
        catalogues=catalogues, doors=doors, directory=Directory(store), queries=Queries(engine, fold), queue=queue,
        bells=bells, chat=chat, clock=clock, listeners=listeners, posted=posted, providers=carriers, post=post, files=Files(store),
        file_room=room,
        budget=SmsBudget(
            post.segments_since, settings.sms_price, settings.sms_daily_cap, settings.sms_countries, lambda: calendar().zone
        ),
        templates=templates(settings),
        replies=Replies(DraftTable(store), house, colleague, clock, settings.undo_seconds),
    )  # fmt: skip


def providers(settings: Settings) -> dict[str, Provider]:
    """The providers that are set up, by name. Their SDKs are imported only where they are."""
    found: dict[str, Provider] = {}
    if settings.twilio_account_sid:
        from channels.twilio.provider import Twilio

        tokens = [token for token in (settings.twilio_auth_token, settings.twilio_auth_token_second) if token]
        found["twilio"] = Twilio(
            account_sid=settings.twilio_account_sid, auth_tokens=tokens, api_base=settings.twilio_api_base,
            whatsapp_from=settings.twilio_whatsapp_from, sms_from=settings.twilio_sms_from,
            per_second_whatsapp=settings.twilio_whatsapp_rate, per_second_sms=settings.twilio_sms_rate,
            public_url=settings.public_url,
        )  # fmt: skip
    if settings.telegram_bot_token:
        from channels.telegram.provider import Telegram

        found["telegram"] = Telegram(
            token=settings.telegram_bot_token, secret_token=settings.telegram_secret_token,
            api_base=settings.telegram_api_base,
        )  # fmt: skip
    return found


def templates(settings: Settings) -> dict[tuple[str, str], str]:
    """The approved templates; the local provider approves all of them."""
    if settings.simulated:
        names = [(name, lang) for name in ("read", "status") for lang in ("ar", "en", "zh")]
        return {each: f"HX{hashlib.md5(str(each).encode(), usedforsecurity=False).hexdigest()}" for each in names}
    return read_templates(settings.templates)


def namer(register: Callable[[], Register]) -> Callable[[str, str, str], str | None]:
    """The words of the register for the catalogues: names(what, id, language); card_fee and the like: what a card says."""

    def names(what: str, id: str, language: str) -> str | None:
        if what.startswith("card_"):
            return register().card(what.removeprefix("card_"), id, language) or None
        if what == "about":
            body = register().bodies.get(id)
            return in_language(body.about, language) if body else None
        known = register().name(what, id, language)
        return known if known != id else None

    return names
