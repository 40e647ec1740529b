"""The JSON of a webhook call as the SDK's Update, and no more of it than is read here.

What is not read is not parsed: a kind of content that the SDK does not know yet must not make a message unreadable.
Telegram would send it again for a day, and what that person writes later would wait behind it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from telegram import Update

from channels.contract import Ignored, Malformed
from channels.telegram.typed import whole

type Parts = Mapping[str, Parts | None]
"""Names that are kept, each with those that are kept beneath it; None: all of it."""


def _names(names: str) -> dict[str, Parts | None]:
    return dict.fromkeys(names.split())


_CHAT = _names("id type")
_USER = _names("id first_name is_bot language_code")
_POINT = _names("latitude longitude")
_FILE = _names("file_id file_unique_id file_size mime_type file_name width height duration length")
_FILES: Parts = dict.fromkeys(("photo", "voice", "audio", "video", "video_note", "animation", "document"), _FILE)
_VENUE: Parts = {**_names("title address"), "location": _POINT}
_MESSAGE: Parts = {
    **_names("message_id date edit_date text caption"), **_FILES,
    "chat": _CHAT, "from": _USER, "location": _POINT, "venue": _VENUE,
}  # fmt: skip
_PRESSED: Parts = {**_names("message_id date"), "chat": _CHAT}
_READ: Mapping[str, Parts] = {
    "message": _MESSAGE,
    "edited_message": _MESSAGE,
    "callback_query": {**_names("id data chat_instance"), "from": _USER, "message": _PRESSED},
    "message_reaction": {**_names("message_id date old_reaction new_reaction"), "chat": _CHAT, "user": _USER},
}


@dataclass(frozen=True)
class Told:
    """One update."""

    number: int
    update: Update
    contents: frozenset[str]  # the names of everything that it holds, parsed or not


def read(body: bytes) -> Told | Ignored:
    """The update of a call; Ignored for a kind that nobody here reads. Raises Malformed, and nothing else."""
    said = _json(body)
    number = whole(said.get("update_id"))
    kind = next((name for name in _READ if name in said), "")
    if not kind:
        other = next((name for name in said if name in Update.ALL_TYPES), "a kind that is not known here")
        return Ignored(f"an update that is not read: {other}")
    held = said[kind]
    if not isinstance(held, dict):
        raise Malformed("not an update")
    try:
        update = Update.de_json({"update_id": number, kind: _kept(held, _READ[kind])})
    except Exception:  # the SDK checks nothing: what is wrong in an update breaks anywhere in it, in any way
        raise Malformed("not an update") from None
    return Told(number, update, frozenset(held))


def _json(body: bytes) -> dict[str, Any]:
    """The object that a body is, every name once in it: of two, each reader would take another one."""
    try:
        said = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_no_json)
    except (ValueError, RecursionError):
        raise Malformed("not JSON") from None
    if not isinstance(said, dict):
        raise Malformed("not an object")
    return said


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice")
    return found


def _no_json(constant: str) -> None:
    raise ValueError(constant)


def _kept(value: Any, parts: Parts | None) -> Any:
    """The value without what is not read."""
    if parts is None:
        return value
    if isinstance(value, list):
        return [_kept(one, parts) for one in value]
    if isinstance(value, dict):
        return {name: _kept(value[name], beneath) for name, beneath in parts.items() if name in value}
    return value
