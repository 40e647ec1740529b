"""Asks clamd whether a file is infected."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import BinaryIO

import structlog

log = structlog.get_logger("sawt.files")

SECONDS = 20.0
_PIECE = 65_536
_ADDRESS = "SCANNER: {!r} is no address. Write for example unix:/run/clamav/clamd.ctl or tcp:127.0.0.1:3310"


class Scanner:
    """A clamd at `unix:<path>` or `tcp:<host>:<port>`; its StreamMaxLength has to take the largest file."""

    def __init__(self, address: str) -> None:
        """Raises ValueError where the address is none; nobody is asked yet."""
        way, _, rest = address.partition(":")
        host, _, port = rest.rpartition(":")
        self._path = rest if way == "unix" else ""
        self._host, self._port = host.strip("[]"), int(port) if way == "tcp" and host and port.isdecimal() else 0
        if not self._path and not 0 < self._port < 65_536:
            raise ValueError(_ADDRESS.format(address))

    async def is_clean(self, path: Path) -> bool | None:
        """False where something was found, None where nobody answered in time. Raises OSError of the file alone."""
        with path.open("rb") as file:
            try:
                async with asyncio.timeout(SECONDS):
                    answer = await self._ask(file)
            except (OSError, EOFError, asyncio.LimitOverrunError) as error:
                log.warning("the scanner did not answer", why=type(error).__name__)
                return None
        if answer.endswith(" FOUND"):
            log.warning("a file is infected", found=answer)
            return False
        if answer.endswith(" OK"):
            return True
        log.warning("the scanner did not scan", why=answer)
        return None

    async def _ask(self, file: BinaryIO) -> str:
        """What clamd says of the file: `stream: OK`, `stream: … FOUND`, `… ERROR`."""
        if self._path:
            reader, writer = await asyncio.open_unix_connection(self._path)
        else:
            reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(b"zINSTREAM\0")
            while piece := file.read(_PIECE):
                writer.write(len(piece).to_bytes(4) + piece)
                await writer.drain()
            writer.write(bytes(4))
            return (await reader.readuntil(b"\0"))[:-1].decode("utf-8", "replace").strip()
        finally:
            writer.close()
