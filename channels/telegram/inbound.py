"""What a person sent, read from an update. The fields: core.telegram.org/bots/api#update."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from telegram import CallbackQuery, Chat, Message, MessageReactionUpdated, User
from telegram.constants import ChatType

from channels.contract import Address, Ignored, Incoming, Malformed, Place
from channels.telegram.body import Told
from channels.telegram.files import attached
from channels.telegram.typed import degrees, whole, words

GROUPS = (ChatType.GROUP, ChatType.SUPERGROUP)
LANGUAGES = ("ar", "en", "zh")
UNREAD = ("sticker", "contact", "poll")


@dataclass(frozen=True)
class Inbound:
    """Reads what came to one bot, which is named by `account`."""

    account: str

    def read(self, told: Told) -> Incoming | Ignored:
        """The message that an update is; Ignored where nobody waits for an answer. Raises Malformed."""
        update = told.update
        if update.message is not None:
            return self._message(told, update.message)
        if update.edited_message is not None:
            return self._edited(told, update.edited_message)
        if update.callback_query is not None:
            return self._pressed(told, update.callback_query)
        if update.message_reaction is not None:
            return self._reaction(told, update.message_reaction)
        raise Malformed("an empty update")

    def _message(self, told: Told, message: Message) -> Incoming | Ignored:
        if message.from_user is not None and message.from_user.is_bot:
            return Ignored("another bot wrote")
        came = self._came(told, message.chat, message.from_user, message.date)
        if message.chat.type == ChatType.PRIVATE:
            return _private(came, message, told.contents)
        if message.chat.type in GROUPS:  # not a word of what others say there
            return replace(came, unread="group")
        return Ignored("a message in a chat of another kind")

    def _edited(self, told: Told, message: Message) -> Incoming | Ignored:
        came = self._came(told, message.chat, message.from_user, message.edit_date)
        if message.chat.type != ChatType.PRIVATE:
            return Ignored("an edit outside a private chat")
        if message.location is not None:  # comes every few seconds, as long as it is shared
            return Ignored("a live location that moved")
        return replace(came, unread="edited")

    def _pressed(self, told: Told, query: CallbackQuery) -> Incoming | Ignored:
        """A pressed button. Without its message (an inline one) the person's private chat has the person's number."""
        chat = query.from_user if query.message is None else query.message.chat
        came = self._came(told, chat, query.from_user, None)
        query_id, data = words(query.id), words(query.data)
        if not query_id:
            raise Malformed("a button without an id")
        came = replace(came, answer={"method": "answerCallbackQuery", "callback_query_id": query_id})
        kind = ChatType.PRIVATE if query.message is None else query.message.chat.type
        if kind in GROUPS:
            return replace(came, unread="group")
        if kind != ChatType.PRIVATE:
            return Ignored("a button in a chat of another kind")
        return replace(came, button=data, unread="" if data else "other")

    def _reaction(self, told: Told, reaction: MessageReactionUpdated) -> Incoming | Ignored:
        came = self._came(told, reaction.chat, reaction.user, reaction.date)
        if reaction.chat.type != ChatType.PRIVATE:
            return Ignored("a reaction outside a private chat")
        if not reaction.new_reaction:
            return Ignored("a reaction that was taken back")
        return replace(came, unread="reaction")

    def _came(self, told: Told, chat: Chat | User | None, person: User | None, at: datetime | None) -> Incoming:
        """What every update says: where, who, when."""
        if chat is None:
            raise Malformed("an update without a chat")
        address = Address("telegram", str(whole(chat.id)), self.account)
        return Incoming(address, f"u{told.number}", language=_language(person), sent_at=at)


def _private(came: Incoming, message: Message, contents: frozenset[str]) -> Incoming:
    """The words, the file and the place of a message; what it is instead where it has none of them."""
    text = words(message.text) or words(message.caption)
    files, place = attached(message), _place(message)
    unread = ""
    if not (text or files or place):
        unread = next((name for name in UNREAD if name in contents), "other")
    return replace(came, text=text, files=files, place=place, unread=unread)


def _place(message: Message) -> Place | None:
    venue = message.venue
    point = message.location if venue is None else venue.location
    if point is None:
        return None
    named = () if venue is None else (words(venue.title), words(venue.address))
    return Place(degrees(point.latitude, 90), degrees(point.longitude, 180), ", ".join(name for name in named if name))


def _language(person: User | None) -> str:
    """The language of the person's application, where it is one of ours."""
    code = words(person.language_code if person is not None else None)
    primary = code.replace("_", "-").partition("-")[0].lower()
    return primary if primary in LANGUAGES else ""
