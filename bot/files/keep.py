"""Keeps files under the name of their content. No storage, no sentences: bytes come in, a folder holds them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import time
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from bot.files.scan import Scanner
from bot.files.sniff import TYPES, Kind, NotKept, Type, sniff
from bot.files.strip import stripped

log = structlog.get_logger("sawt.files")

AT_ONCE = 2
"""Files that are looked at beside each other; each is held in memory meanwhile, a photo with all its pixels."""
LEFT_SECONDS = 3600.0
NAME = 100
"""Characters of a name that is shown."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SUFFIX = re.compile(r"\.(?=[0-9]*[a-z])[a-z0-9]{1,5}$", re.IGNORECASE)
_JOINERS = "\u200c\u200d"
_NOT_ON_WINDOWS = str.maketrans('<>:"|?*', "_______")
_ANY = Type("application/octet-stream", "document", "bin")


@dataclass(frozen=True)
class Kept:
    """A file as it is kept: of what was sent, after location and metadata are taken out."""

    sha256: str
    size: int
    type: str
    name: str
    kind: Kind
    state: Literal["kept", "quarantined"]  # quarantined: no scanner has seen it yet, and it is shown to nobody


class FileRoom:
    """A folder that only this house reads: a file lies at `ab/abcdef…`, by its SHA-256, and is never changed."""

    def __init__(self, folder: Path, largest: int = 10_000_000, scanner: str = "") -> None:
        """The folder is there and nobody else's. Raises ValueError for no scanner's address, and OSError."""
        self.largest = largest
        self._folder = folder
        self._scanner = Scanner(scanner) if scanner else None
        self._turns = asyncio.Semaphore(AT_ONCE)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._forget_what_never_arrived()

    async def keep(self, pieces: AsyncIterator[bytes], declared_type: str, name: str) -> Kept:
        """The file lies in the room, and its bytes are safe on the disk; the same again is the same file.

        `declared_type` is written to the log and decides nothing. Raises NotKept, what `pieces` raises, and OSError of
        the disk, where it may be tried again; after each of them nothing of the file is left.
        """
        part = self._folder / f".{secrets.token_hex(8)}.part"
        try:
            await self._receive(pieces, part)
            async with self._turns:
                type, sha256, size = await asyncio.to_thread(_finish, part)
            state = await self._scan(part, sha256)
            self._place(part, sha256)
        except NotKept as refused:
            log.info("a file was refused", why=refused.reason, declared=declared_type[:80])
            raise
        finally:
            part.unlink(missing_ok=True)
        return Kept(sha256, size, type.media, safe_name(name, type.media), type.kind, state)

    async def scan_again(self, sha256: str) -> bool | None:
        """True: the file is clean, and may be shown. False: it was infected, and is gone. None: still nobody to ask."""
        clean = await self._verdict(self.path(sha256))
        if clean is False:
            self.remove(sha256)
        return clean

    def path(self, sha256: str) -> Path:
        """Where the file of this hash lies, or would. Raises ValueError for what is no hash."""
        if not _SHA256.fullmatch(sha256):
            raise ValueError("no SHA-256")
        return self._folder / sha256[:2] / sha256

    def remove(self, sha256: str) -> None:
        """The file is not there any more."""
        self.path(sha256).unlink(missing_ok=True)

    async def _receive(self, pieces: AsyncIterator[bytes], part: Path) -> None:
        size = 0
        with open(part, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            async for piece in pieces:
                size += len(piece)
                if size > self.largest:
                    raise NotKept("too_large")
                file.write(piece)
        if not size:
            raise NotKept("empty")

    async def _scan(self, part: Path, sha256: str) -> Literal["kept", "quarantined"]:
        """Before the file is placed: what is infected is never in the room, and what came there earlier goes."""
        clean = await self._verdict(part)
        if clean is False:
            self.remove(sha256)
            raise NotKept("infected")
        return "kept" if clean else "quarantined"

    async def _verdict(self, path: Path) -> bool | None:
        return True if self._scanner is None else await self._scanner.is_clean(path)

    def _place(self, part: Path, sha256: str) -> None:
        path = self.path(sha256)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        part.replace(path)

    def _forget_what_never_arrived(self) -> None:
        """What a power cut left goes; what is younger than an hour may be arriving in another process."""
        for part in self._folder.glob(".*.part"):
            if part.stat().st_mtime < time.time() - LEFT_SECONDS:
                part.unlink(missing_ok=True)


def _finish(part: Path) -> tuple[Type, str, int]:
    """The file is what will be kept, and on the disk; its type, hash and size.

    It stays open all the while: where the caller is gone meanwhile and has removed it, nothing comes back.
    """
    with part.open("r+b") as file:
        data = file.read()
        type = sniff(data)
        data = stripped(data, type)
        file.seek(0)
        file.truncate()
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return type, hashlib.sha256(data).hexdigest(), len(data)


def safe_name(name: str, type: str) -> str:
    """What a person called it, as a clerk may see and save it: one line, nothing unseen, the real type's ending."""
    known = TYPES.get(type, _ANY)
    line = " ".join(re.split(r"[/\\]", name)[-1].split())
    seen = "".join(c for c in unicodedata.normalize("NFC", line) if c in _JOINERS or unicodedata.category(c)[0] != "C")
    stem = _SUFFIX.sub("", seen).translate(_NOT_ON_WINDOWS)[: NAME - len(known.extension) - 1].strip(f" .{_JOINERS}")
    return f"{stem or known.kind}.{known.extension}"
