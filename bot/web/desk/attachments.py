"""What people sent beside words: how the ticket's page shows it, and the door where a file is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.responses import FileResponse

from bot.files.sniff import TYPES
from bot.storage.files import Attachment
from bot.web.desk.words import Words, visible

SHOWN = {"image": "picture", "audio": "sound", "video": "film"}
"""What a browser shows by itself, of the types that the house keeps; everything else is saved."""
REASONS = ("too_large", "empty", "type", "infected", "unreadable", "gone")
KINDS = ("photo", "voice", "video", "document", "place")


@dataclass(frozen=True)
class Shown:
    """A file or place on a page. `url` is empty where there is nothing to open."""

    what: str
    name: str
    size: str
    state: str
    told: str  # what became of it, where it cannot be opened
    url: str = ""
    how: str = ""  # picture, sound, film; '' for what is saved
    where: str = ""  # coordinates of a place


def shown(each: Attachment, t: Words) -> Shown:
    what = t(f"file_{each.kind if each.kind in KINDS else 'document'}")
    if each.kind == "place":
        place = each.place or {}
        return Shown(what, visible(str(place.get("name") or "")), "", each.state, "", where=_where(place))
    kept = each.state == "kept" and each.sha256 is not None
    return Shown(
        what=what,
        name=visible(each.name),
        size=t.size(each.size) if each.size else "",
        state=each.state,
        told="" if kept else _told(each, t),
        url=f"/desk/files/{each.id}" if kept else "",
        how=how(each.type),
    )


def how(type: str) -> str:
    """picture, sound or film, where a browser may show this type on the spot; else ''."""
    return SHOWN.get(type.partition("/")[0], "") if type in TYPES else ""


def answer(each: Attachment, path: Path) -> FileResponse:
    """The file, as what it was seen to be and nothing else: it runs nothing, loads nothing, and stays nowhere."""
    shown_at_once = "inline" if how(each.type) else "attachment"
    name = quote(each.name or f"{each.kind}-{each.id}", safe="")
    return FileResponse(
        path,
        media_type=each.type if each.type in TYPES else "application/octet-stream",
        headers={
            "Content-Disposition": f"{shown_at_once}; filename*=UTF-8''{name}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, no-store",
        },
    )


def _told(each: Attachment, t: Words) -> str:
    if each.state == "refused":
        return t("file_refused", reason=t(f"refused_{each.reason if each.reason in REASONS else 'other'}"))
    return t("file_quarantined" if each.state == "quarantined" else "file_waiting")


def _where(place: dict[str, Any]) -> str:
    """Latitude and longitude, to the metre."""
    return ", ".join(
        f"{place[name]:.5f}" for name in ("latitude", "longitude") if isinstance(place.get(name), int | float)
    )
