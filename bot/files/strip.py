"""Takes out of a file what it tells beside its content: where a photo was taken, with what, by whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bot.files.sniff import GIF, JPEG, M4A, MOV, MP4, PNG, THREE_GP, WEBP, NotKept, Type


def stripped(data: bytes, type: Type) -> bytes:
    """The file without its metadata. Raises NotKept("unreadable") for what is broken or too large.

    A photo is written anew, so nothing is left of it but the pictures. In films and recordings of
    the MP4 family what is said about them is blanked; a track of positions, as cameras for cars and sports write one
    among the pictures, is not looked for. PDF, Office files, WebM, and the other recordings stay as they came.
    """
    if type in (MP4, MOV, THREE_GP, M4A):
        return _untold(data)
    if type not in (JPEG, PNG, GIF, WEBP):
        return data
    from bot.files.photos import rewritten  # ten megabytes of libraries, in memory from the first photo on

    try:
        return rewritten(data, type)
    except Exception as error:  # whatever a broken picture does to the libraries; nothing here touches a disk
        raise NotKept("unreadable") from error


# films and recordings


@dataclass(frozen=True)
class _Box:
    """A part of a film: its payload lies from `body` to `end`."""

    kind: bytes
    start: int
    body: int
    end: int


_ABOUT = frozenset((b"udta", b"meta", b"uuid", b"free", b"skip", b"gps ", b"XMP_"))
"""What tells of a film and is not needed to play it; ©xyz, loci and Apple's location lie in the first two."""
_WITHIN = (b"moov", b"trak", b"mdia")


def _untold(data: bytes) -> bytes:
    """The film with everything said about it blanked in place: its pictures are found by where they lie in the file."""
    film, kinds, end = bytearray(data), set(), 0
    for box in _boxes(film, 0, len(film)):
        _blank(film, box, _WITHIN)
        kinds.add(box.kind)
        end = box.end
    if b"moov" not in kinds:
        raise NotKept("unreadable")
    return bytes(film[:end])


def _blank(film: bytearray, box: _Box, within: tuple[bytes, ...]) -> None:
    if box.kind == b"cmov":  # a packed table of contents, in films of the last century: nobody can look into it
        raise NotKept("unreadable")
    if box.kind in _ABOUT:
        film[box.start + 4 : box.start + 8] = b"free"
        film[box.body : box.end] = bytes(box.end - box.body)
    elif within and box.kind == within[0]:
        end = box.body
        for inner in _boxes(film, box.body, box.end):
            _blank(film, inner, within[1:])
            end = inner.end
        film[end : box.end] = bytes(box.end - end)


def _boxes(film: bytearray, at: int, end: int) -> Iterator[_Box]:
    """The boxes that lie there, up to the first thing that is none. The pictures may be cut off."""
    while end - at >= 8:
        size, kind, body = int.from_bytes(film[at : at + 4]), bytes(film[at + 4 : at + 8]), at + 8
        if size == 1:
            size, body = int.from_bytes(film[at + 8 : at + 16]), at + 16
        if size == 0 or kind == b"mdat":
            size = min(size or end, end - at)
        if at + size < body or at + size > end:
            return
        yield _Box(kind, at, body, at + size)
        at += size
