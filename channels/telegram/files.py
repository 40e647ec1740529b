"""The file that a message brings: where it lies, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence

from telegram import Message, PhotoSize

from channels.contract import MediaRef
from channels.telegram.typed import whole, words

LARGEST = 20_000_000
"""Bytes of the largest file that a bot may fetch: core.telegram.org/bots/api#getfile."""
KINDS = {
    "voice": "voice",
    "audio": "voice",
    "animation": "video",  # before `document`, which Telegram sets beside it
    "video": "video",
    "video_note": "video",
    "document": "document",
}


def attached(message: Message) -> tuple[MediaRef, ...]:
    """The file of a message, or none: an album comes as several messages. Raises Malformed."""
    if message.photo:
        return (_photo(message.photo),)
    for name, kind in KINDS.items():
        file = getattr(message, name)
        if file is not None:
            declared, called = words(getattr(file, "mime_type", None)), words(getattr(file, "file_name", None))
            return (MediaRef(words(file.file_id), kind, declared, called, _size(file.file_size)),)
    return ()


def _photo(sizes: Sequence[PhotoSize]) -> MediaRef:
    """The largest picture that can be fetched; where none can, the largest: whoever asks for it is told."""
    sized = [(whole(size.width) * whole(size.height), _size(size.file_size), words(size.file_id)) for size in sizes]
    fitting = [one for one in sized if one[1] is None or one[1] <= LARGEST]
    _, size, file_id = max(fitting or sized, key=lambda one: one[0])
    return MediaRef(file_id, "photo", size=size)


def _size(value: object) -> int | None:
    return None if value is None else whole(value)
