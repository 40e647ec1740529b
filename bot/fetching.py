"""Brings the files that lie at providers: each once, kept or refused, and its sender is told what was not kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import structlog

from bot.files import FileRoom, NotKept
from bot.handlers.ports import Clock, Unavailable
from bot.storage.files import Files, Waiting
from channels.contract import CannotFetch, MediaRef, Provider

log = structlog.get_logger("sawt.fetching")

AT_ONCE = 3
LOOK = 1.0
"""Seconds between two looks: a clerk's page shows a photo soon enough, and no turn is disturbed for it."""
TRIES = 6
WAIT = (5, 30, 120, 600, 1800)
"""Seconds to the second, third … try; after the sixth the file counts as gone."""


class Fetcher:
    """One in the embedded default, any number beside each other on PostgreSQL."""

    def __init__(self, files: Files, room: FileRoom, providers: Mapping[str, Provider], clock: Clock) -> None:
        """`providers` by scheme."""
        self._files, self._room, self._providers, self._clock = files, room, providers, clock

    async def run(self) -> None:
        """Work until it is cancelled. Never raises for a single file's sake."""
        while True:
            found: list[Waiting] = []
            try:
                found = await asyncio.to_thread(self._files.take, AT_ONCE, self._clock())
                await asyncio.gather(*(self._bring(file) for file in found))
            except Unavailable:
                log.warning("fetching waits for storage")
            except Exception:
                log.exception("fetching failed")
            if len(found) < AT_ONCE:
                await asyncio.sleep(LOOK)

    async def _bring(self, file: Waiting) -> None:
        try:
            if file.state == "quarantined":
                await self._scan(file)
            else:
                await self._fetch(file)
        except NotKept as refused:
            await asyncio.to_thread(self._files.refused, file, refused.reason, self._clock())
        except CannotFetch as failed:
            log.warning("a file could not be fetched", file=file.id, why=failed.detail)
            await self._again(file, failed.gone)
        except OSError as error:
            log.error("a file could not be stored", file=file.id, error=error.strerror)
            await self._again(file, False)

    async def _fetch(self, file: Waiting) -> None:
        provider = self._providers.get(file.scheme)
        if provider is None:
            raise CannotFetch("the provider is not set up any more", gone=True)
        most = min(provider.schemes[file.scheme].files or self._room.largest, self._room.largest)
        pieces = provider.fetch(MediaRef(file.source, file.kind, file.declared, file.name), most)
        kept = await self._room.keep(pieces, file.declared, file.name)
        await asyncio.to_thread(self._files.kept, file.id, kept.state, kept.sha256, kept.size, kept.type, kept.name)

    async def _scan(self, file: Waiting) -> None:
        """A scanner was away when it came: it is looked at now."""
        clean = await self._room.scan_again(file.sha256 or "")
        if clean is None:
            await self._again(file, False)
        elif clean:
            await asyncio.to_thread(self._files.clean, file.id)
        else:
            raise NotKept("infected")

    async def _again(self, file: Waiting, gone: bool) -> None:
        tries = file.attempts + 1
        if gone or (tries >= TRIES and file.state == "waiting"):
            await asyncio.to_thread(self._files.refused, file, "gone", self._clock())
            return
        wait = WAIT[min(tries, len(WAIT)) - 1]
        await asyncio.to_thread(self._files.later, file.id, self._clock() + timedelta(seconds=wait))
