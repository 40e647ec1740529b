"""What a person does on Telegram, as the updates that the Bot API posts. Fields: core.telegram.org/bots/api#update."""

from __future__ import annotations

import secrets
from typing import Any

from channels.contract import Button
from channels.simulator.message import File, Message
from channels.simulator.people import Person
from channels.simulator.world import World

PHOTOS = ("image/jpeg", "image/png", "image/webp")
WIDTH, HEIGHT, SECONDS = 1280, 960, 7
"""What Telegram would measure, of every picture and recording."""


def of_message(world: World, person: Person, message: Message, album: str = "") -> dict[str, Any]:
    """The update of a message; `album` names what several files belong to that were sent at once."""
    said: dict[str, Any] = {
        "message_id": world.telegram_number(),
        "from": user(person),
        "chat": chat(person),
        "date": int(message.at.timestamp()),
    }
    if album:
        said["media_group_id"] = album
    if message.place:
        said |= _place(message)
    elif message.files:
        said |= _file(message.files[0]) | ({"caption": message.text} if message.text else {})
    elif message.text:
        said["text"] = message.text
    if message.text.startswith("/"):
        name = "caption_entities" if message.files else "entities"
        said[name] = [{"offset": 0, "length": len(message.text.split()[0]), "type": "bot_command"}]
    return {"update_id": int(message.id), "message": said}


def of_press(world: World, person: Person, number: int, button: Button, offer: Message | None) -> dict[str, Any]:
    """The update of a pressed button under a message of ours; without one, as from a message that was sent inline."""
    query: dict[str, Any] = {"id": str(secrets.randbits(62)), "from": user(person)}
    if offer:
        query["message"] = outgoing(world, person, offer)
    else:
        query["inline_message_id"] = secrets.token_urlsafe(18)
    return {
        "update_id": number,
        "callback_query": query | {"chat_instance": str(-secrets.randbits(62)), "data": button.token},
    }


def outgoing(world: World, person: Person, message: Message) -> dict[str, Any]:
    """A message of ours as Telegram shows it."""
    shown: dict[str, Any] = {
        "message_id": int(message.id),
        "from": bot(world),
        "chat": chat(person),
        "date": int(message.at.timestamp()),
        "text": message.text,
    }
    if message.buttons:
        rows = [[{"text": b.title, "callback_data": b.token} for b in row] for row in message.buttons]
        shown["reply_markup"] = {"inline_keyboard": rows}
    return shown


def user(person: Person) -> dict[str, Any]:
    """The person as a User."""
    name = {"username": person.username} if person.username else {}
    return {
        "id": int(person.identifier), "is_bot": False, "first_name": person.name, **name,
        "language_code": person.language,
    }  # fmt: skip


def chat(person: Person) -> dict[str, Any]:
    """The private chat with a person."""
    name = {"username": person.username} if person.username else {}
    return {"id": int(person.identifier), "first_name": person.name, **name, "type": "private"}


def bot(world: World) -> dict[str, Any]:
    """Our bot as a User; its number is the first part of its token."""
    number = world.bot_token.partition(":")[0]
    return {
        "id": int(number) if number.isascii() and number.isdigit() else 1_000_001,
        "is_bot": True,
        "first_name": "صوت",
        "username": "sawt_played_bot",
    }


def path(file: File) -> str:
    """Where Telegram keeps a file."""
    kind, _ = _kind(file)
    folder = {"photo": "photos", "voice": "voice", "audio": "music", "video": "videos"}.get(kind, "documents")
    extension = file.name.rpartition(".")[2] if "." in file.name else "bin"
    return f"{folder}/{file.id}.{extension if extension.isascii() and extension.isalnum() else 'bin'}"


def described(file: File) -> dict[str, Any]:
    """What every kind of file says of itself."""
    return {"file_id": file.id, "file_unique_id": f"AQAD{file.id[-8:]}", "file_size": len(file.content)}


def _file(file: File) -> dict[str, Any]:
    kind, more = _kind(file)
    if kind == "photo":
        return {"photo": [described(file) | more]}
    return {kind: described(file) | {"mime_type": file.type} | more}


def _kind(file: File) -> tuple[str, dict[str, Any]]:
    """What Telegram takes a file for, and what it says of such a one besides."""
    sides = {"width": WIDTH, "height": HEIGHT}
    if file.type in PHOTOS:
        return "photo", sides
    if file.type == "audio/ogg":
        return "voice", {"duration": SECONDS}
    if file.type.startswith("audio/"):
        return "audio", {"duration": SECONDS, "file_name": file.name}
    if file.type.startswith("video/"):
        return "video", sides | {"duration": SECONDS, "file_name": file.name}
    return "document", {"file_name": file.name}


def _place(message: Message) -> dict[str, Any]:
    place = message.place
    if place is None:
        return {}
    point = {"latitude": place.latitude, "longitude": place.longitude}
    if not place.name:
        return {"location": point}
    return {"location": point, "venue": {"location": point, "title": place.name, "address": place.name}}
