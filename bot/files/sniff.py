"""What a file is, by its content: one of a short list, or nothing.

The list is closed, so each type on it is known by its own signature and, in a container, by what the container holds. A
library that names thousands of types would have to be corrected here for what telephones send every day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO
from typing import Literal
from zipfile import ZipFile

Reason = Literal["too_large", "empty", "type", "infected", "unreadable"]
Kind = Literal["photo", "voice", "video", "document"]

UNPACKED = 200_000_000
"""Bytes that an Office file may come to when it is opened at a desk."""
CONTENTS = 1_000_000
"""Bytes of the list of its parts."""


class NotKept(Exception):
    """Nothing of the file is kept; the person is told why in words that belong to `reason`."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


@dataclass(frozen=True)
class Type:
    """A type on the list."""

    media: str
    kind: Kind
    extension: str


JPEG = Type("image/jpeg", "photo", "jpg")
PNG = Type("image/png", "photo", "png")
GIF = Type("image/gif", "photo", "gif")
WEBP = Type("image/webp", "photo", "webp")
OGG = Type("audio/ogg", "voice", "ogg")
MP3 = Type("audio/mpeg", "voice", "mp3")
AAC = Type("audio/aac", "voice", "aac")
M4A = Type("audio/mp4", "voice", "m4a")
AMR = Type("audio/amr", "voice", "amr")
WAV = Type("audio/wav", "voice", "wav")
WEBA = Type("audio/webm", "voice", "weba")
MP4 = Type("video/mp4", "video", "mp4")
THREE_GP = Type("video/3gpp", "video", "3gp")
MOV = Type("video/quicktime", "video", "mov")
WEBM = Type("video/webm", "video", "webm")
PDF = Type("application/pdf", "document", "pdf")
_OFFICE = "application/vnd.openxmlformats-officedocument."
DOCX = Type(f"{_OFFICE}wordprocessingml.document", "document", "docx")
XLSX = Type(f"{_OFFICE}spreadsheetml.sheet", "document", "xlsx")
PPTX = Type(f"{_OFFICE}presentationml.presentation", "document", "pptx")
DOC = Type("application/msword", "document", "doc")
XLS = Type("application/vnd.ms-excel", "document", "xls")
TEXT = Type("text/plain", "document", "txt")

_PHOTOS = (JPEG, PNG, GIF, WEBP)
_SOUNDS = (OGG, MP3, AAC, M4A, AMR, WAV, WEBA)
_FILMS = (MP4, THREE_GP, MOV, WEBM)
_DOCUMENTS = (PDF, DOCX, XLSX, PPTX, DOC, XLS, TEXT)
TYPES = {type.media: type for type in (*_PHOTOS, *_SOUNDS, *_FILMS, *_DOCUMENTS)}

_STARTS = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"%PDF-", PDF),
    (b"#!AMR", AMR),
    (b"ID3\x02", MP3),
    (b"ID3\x03", MP3),
    (b"ID3\x04", MP3),
)
_ZIP, _OLE, _EBML = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"\x1aE\xdf\xa3"
_ATOMS = frozenset((b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"))
"""What a QuickTime film may begin with that does not say that it is one."""

_STILL = frozenset((b"avif", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
_MP4 = frozenset(
    (
        b"isom",
        b"iso2",
        b"iso3",
        b"iso4",
        b"iso5",
        b"iso6",
        b"mp41",
        b"mp42",
        b"avc1",
        b"M4V ",
        b"M4A ",
        b"MSNV",
        b"dash",
    )
)
_PICTURES = re.compile(rb"hdlr.{8}vide", re.DOTALL)
_WEBM, _WEBM_PICTURES = re.compile(rb"B\x82.webm", re.DOTALL), re.compile(rb"\x86.V_", re.DOTALL)
_OGG_SOUNDS = (b"OpusHead", b"\x01vorbis", b"Speex   ", b"\x7fFLAC")

_MAIN_PARTS = (
    (b"wordprocessingml.document.main+xml", DOCX),
    (b"spreadsheetml.sheet.main+xml", XLSX),
    (b"presentationml.presentation.main+xml", PPTX),
)
_OLD_OFFICE = (("worddocument", DOC), ("workbook", XLS), ("book", XLS), ("powerpoint document", None))
_OLD_MACROS = ("vba", "_vba_project", "_vba_project_cur", "macros")

_NO_TEXT = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_NO_PLAIN_TEXT = re.compile(r"#!|\{\\rtf|%!|<[a-z!?/%]", re.IGNORECASE)
_MARKUP = re.compile(r"<(?:!doctype|\?xml|\?php|html|head|body|script|svg|iframe)\b", re.IGNORECASE)


def sniff(data: bytes) -> Type:
    """The type of these bytes. Raises NotKept for what is not on the list, or is and cannot be opened."""
    found = _by_start(data) or _sound(data) or _text(data)
    if found is None:
        raise NotKept("type")
    return found


def _by_start(data: bytes) -> Type | None:
    for start, type in _STARTS:
        if data.startswith(start):
            return type
    if data.startswith(b"RIFF"):
        return {b"WEBP": WEBP, b"WAVE": WAV}.get(data[8:12])
    if data.startswith(b"OggS"):
        return _ogg(data)
    if data.startswith(_EBML):
        return _webm(data)
    if data.startswith(_ZIP):
        return _office(data)
    if data.startswith(_OLE):
        return _old_office(data)
    return _film(data)


def _film(data: bytes) -> Type | None:
    """A film or a recording: both are boxes, and the first says of what brands it is.

    HEIC photos are boxes, too, and refused: their decoders have let strangers' code in, and telephones send JPEG where
    they are asked for a picture.
    """
    if data[4:8] in _ATOMS and data[0] == 0:
        return MOV
    if data[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(data[:4]), 256)
    major, brands = data[8:12], {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
    if brands & _STILL:
        return None
    film = THREE_GP if major[:2] == b"3g" else MOV if major == b"qt  " else MP4 if brands & _MP4 else None
    return film if film is None or _PICTURES.search(data) else M4A


def _ogg(data: bytes) -> Type | None:
    first = data[27 + data[26] :][:8] if len(data) > 27 else b""
    return OGG if first.startswith(_OGG_SOUNDS) else None


def _webm(data: bytes) -> Type | None:
    if not _WEBM.search(data[:100]):
        return None
    return WEBM if _WEBM_PICTURES.search(data[:65_536]) else WEBA


def _sound(data: bytes) -> Type | None:
    """AAC and MP3 as a telephone's recorder writes them: frames, with nothing before."""
    if len(data) < 4 or data[0] != 0xFF:
        return None
    if data[1] & 0xF6 == 0xF0:
        return AAC
    is_layer_3, has_rates = data[1] & 0xE6 == 0xE2, data[2] >> 4 != 15 and data[2] >> 2 & 3 != 3
    return MP3 if is_layer_3 and has_rates else None


def _office(data: bytes) -> Type | None:
    """Word, Excel or PowerPoint without macros; any other archive is nothing."""
    try:
        with ZipFile(BytesIO(data)) as archive:
            parts = {part.filename.lower(): part for part in archive.infolist()}
            contents = parts.get("[content_types].xml")
            if contents is None or any(_is_macro(name) for name in parts):
                return None
            is_bomb = sum(part.file_size for part in archive.infolist()) > UNPACKED or contents.file_size > CONTENTS
            is_double = len(parts) < len(archive.infolist())  # two readers would see two files
            listed = b"" if is_bomb or is_double else archive.read(contents).lower()
    except Exception as error:  # zipfile has as many exceptions as there are ways to break an archive
        raise NotKept("unreadable") from error
    if is_bomb or is_double:
        raise NotKept("unreadable")
    if b"macroenabled" in listed or b"vbaproject" in listed:
        return None
    return next((type for part, type in _MAIN_PARTS if part in listed), None)


def _is_macro(part: str) -> bool:
    return part.endswith("vbaproject.bin") or part.startswith("xl/macrosheets/")


def _old_office(data: bytes) -> Type | None:
    """Word or Excel of before 2007, without Visual Basic. The macro language before that is left to the scanner."""
    names = data.lower()
    if any(_entry(data, names, name) is not None for name in _OLD_MACROS):
        return None
    places = [(at, type) for name, type in _OLD_OFFICE if (at := _entry(data, names, name)) is not None]
    return min(places, key=lambda place: place[0])[1] if places else None


def _entry(data: bytes, names: bytes, name: str) -> int | None:
    """Where the directory of such a file names this part; an entry has 128 bytes and its name's length at the 64th."""
    entry = name.encode("utf-16-le")
    length = (len(entry) + 2).to_bytes(2, "little")
    at = names.find(entry)
    while at >= 0:
        if at % 128 == 0 and data[at + 64 : at + 66] == length:
            return at
        at = names.find(entry, at + 1)
    return None


def _text(data: bytes) -> Type | None:
    """Text that is shown as it stands. A script without a mark of its own is text too: as .txt it runs nowhere."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    start = text[:1024].lstrip()
    return None if _NO_TEXT.search(text) or _NO_PLAIN_TEXT.match(start) or _MARKUP.search(start) else TEXT
