"""Row I5: the transaction that files a ticket, in a house of its own with nobody else at the database."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from bot import settings, wiring
from bot.handlers.draft import Draft
from channels.contract import Address


def filed(data: Path, matters: Sequence[str], many: int) -> list[float]:
    """Seconds of each filing: ticket, history, outbox, state, staff notice; committed to the disk."""
    rooms = wiring.build(settings.load(data_dir=data, secret_key="k" * 40, assistant_secret="s" * 40))
    seconds = []
    for n in range(many):
        talk = rooms.reception.welcome(Address("web", f"bench-{n}"), "ar")
        text = matters[n % len(matters)]
        rooms.reception.receive(talk, "1", text, None)
        began = time.perf_counter()
        rooms.house.file(talk, f"bench-{n}", Draft(kind="complaint", category="processing_delay", text=text))
        seconds.append(time.perf_counter() - began)
    rooms.engine.dispose()
    return seconds
