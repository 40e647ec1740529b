"""What comes in: stored first, understood later. The stored row is the queue."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from secrets import token_hex
from typing import Any

from bot.handlers.house import PRIVACY
from bot.handlers.ports import Clock, Conversation, Say, Store, Transaction
from channels import contract
from channels.contract import Address
from nlu.arabic import language
from nlu.arabic.references import lone_number

LANGUAGES = ("ar", "en", "zh")
BUTTONS_REMEMBERED = 60
"""So many lines back a button may still be pressed."""
FILES = '/press{"do":"files"}'
"""What a message stands for that is nothing but files."""
ONCE_UNREAD = ("reaction", "group")
"""Kinds of which the fixed answer is given once: a heart under every sentence needs no answer each time."""
START = "/start"
_TOKEN = re.compile(r"(\d{1,18}):(\d{1,3})")


class Reception:
    """The front door: conversations begin here, and every message is stored once."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store, self.clock = store, clock

    def welcome(self, address: Address, language: str | None) -> str:
        """The conversation at this address; a new one begins with who is speaking and the privacy sentence."""
        with self.store.begin() as tx:
            return self._conversation(tx, address, language, self.clock()).id

    def arrive(self, came: contract.Incoming) -> bool:
        """A provider's message is stored, its conversation with it; False where it was stored before.

        What waited for the person to write goes out. What cannot be read is answered at once, with its fixed
        sentence; what the provider has dealt with itself is noted.
        """
        at = self.clock()
        with self.store.begin() as tx:
            spoken = first_language(came.text) or came.language or None
            talk = self._conversation(tx, came.address, spoken, at, greeted=came.unread != "group")
            files = [_file(file) for file in came.files] + ([_place(came.place)] if came.place else [])
            text, payload = self._said(tx, talk, came)
            if files and not text.strip():
                payload = FILES
            stored = tx.receive(talk.id, came.message_id, text, payload, at, len(files))
            if stored is None:
                return False
            tx.add_files(talk.id, stored.id, files, at)
            released = tx.unhold(talk.id)
            ended = self._ended(tx, talk, came, at) or (released and lone_number(text) == 1 and "asked to read")
            talk.last_in_at = at
            tx.save_conversation(talk)
            if ended:
                tx.finish([stored.id], "done", reason=str(ended))
            return True

    @staticmethod
    def _conversation(
        tx: Transaction, address: Address, language: str | None, at: datetime, *, greeted: bool = True
    ) -> Conversation:
        talk = tx.conversation_at(address)
        if talk is None:
            talk = Conversation(token_hex(16), token_hex(16), address, at, language)
            talk.notice_version, talk.notice_at = PRIVACY, at
            tx.add_conversation(talk)
            if greeted and address.scheme != "web":  # the chat page shows both before anything is written
                tx.say(talk, None, Say("utter_welcome", "welcome", {"version": PRIVACY}), at)
        return talk

    @staticmethod
    def _said(tx: Transaction, talk: Conversation, came: contract.Incoming) -> tuple[str, str | None]:
        """The words, and the payload where a button of this conversation was pressed: another's is only text."""
        token = _TOKEN.fullmatch(came.button)
        pressed = tx.pressed(talk.id, int(token[1]), int(token[2])) if token else None
        if pressed:
            return str(pressed["title"]), str(pressed["payload"])
        if came.text.strip() == START:  # Telegram's button of that name, also of who comes back after a stop
            return "start", None
        return came.text or ("" if token else came.button), None

    @staticmethod
    def _ended(tx: Transaction, talk: Conversation, came: contract.Incoming, at: datetime) -> str:
        """Why no turn is needed for this message; empty where one is."""
        if came.text.strip() == START and talk.last_in_at is None:
            return "the welcome is the answer"
        if came.opt:
            talk.stopped_at = at if came.opt == "stop" else None
            return "the provider dealt with it"
        if came.unread:
            key = f"unread:{came.unread if came.unread in ONCE_UNREAD else came.message_id}"
            tx.say(talk, None, Say(f"utter_unread_{came.unread}", key), at)
            return f"cannot be read: {came.unread}"
        return ""

    def receive(
        self,
        conversation: str,
        message_id: str,
        text: str,
        payload: str | None,
        files: Sequence[Mapping[str, Any]] = (),
    ) -> bool:
        """Store a message of the web chat as waiting. False where this id was stored before: nothing has changed.

        A payload that no button of this conversation carried is what it looks like: text that somebody typed.
        """
        at = self.clock()
        with self.store.begin() as tx:
            talk = tx.conversation(conversation)
            if talk is None:
                raise LookupError(conversation)
            if payload is not None:
                title = tx.offered(conversation, payload, BUTTONS_REMEMBERED)
                text, payload = (title, payload) if title is not None else (text or payload, None)
            if files and not text.strip():
                payload = FILES
            stored = tx.receive(conversation, message_id, text, payload, at, len(files))
            if stored:
                talk.last_in_at = at
                tx.add_files(conversation, stored.id, files, at)
                tx.save_conversation(talk)
            return stored is not None

    def choose_language(self, conversation: str, language: str) -> None:
        """The person asked for this language: nothing but asking changes it again."""
        with self.store.begin() as tx:
            talk = tx.conversation(conversation)
            if talk is not None and language in LANGUAGES:
                talk.language, talk.language_chosen = language, True
                tx.save_conversation(talk)


def first_language(text: str) -> str | None:
    """The language of clear words, so that the welcome is in it; None for a number, a word, another language."""
    read = language.read(text)
    return read.language if read.language in LANGUAGES and read.confidence >= 0.8 else None


def _file(file: contract.MediaRef) -> dict[str, Any]:
    size = None if file.size is None else min(file.size, 2**31 - 1)  # as much as a column holds, and more than is kept
    return {"kind": file.kind, "declared": file.type, "name": file.name, "source": file.id, "size": size}


def _place(place: contract.Place) -> dict[str, Any]:
    return {"kind": "place", "place": asdict(place), "state": "kept"}
