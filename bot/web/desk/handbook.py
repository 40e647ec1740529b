"""The handbook for clerks: chapters in Arabic and English, the table of verbs made of the lifecycle table."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from bot.tickets.lifecycle import ANSWERED, ENDED, LIVE, ORDER, STATES, VERBS, Verb
from bot.tickets.people import Role
from bot.web.auth import SignedIn
from bot.web.desk.words import Words

if TYPE_CHECKING:
    from bot.web.desk.router import _Desk

CHAPTERS = (
    "day", "list", "ticket", "talk", "promise", "moving", "confidential", "danger", "person", "delivery", "away", "keys", "verbs",
)  # fmt: skip
"""In the order of a clerk's day; each is a heading `help_…` and a macro of that name in `handbook_{ar,en}.html`."""
PICTURES = Path(__file__).parent / "static" / "help"
_GROUPS = (
    (STATES, "any"), (LIVE | ANSWERED, "live_answered"), (ANSWERED | ENDED, "answered_ended"), (LIVE, "live"),
    (ANSWERED | {"closed"}, "answered_closed"),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A verb as the handbook says it."""

    name: str
    what: str
    who: str
    when: str
    told: bool
    keeps: bool


def pictures() -> dict[str, bytes]:
    """The pictures, by the name under which the static door has them. Made by docs/screenshots.py."""
    return {path.name: path.read_bytes() for path in sorted(PICTURES.glob("*.webp"))}


def sizes() -> Mapping[str, tuple[int, int]]:
    """Width and height of each picture: the page does not jump while they load."""
    known = PICTURES / "sizes.json"
    return {name: (w, h) for name, (w, h) in json.loads(known.read_text()).items()} if known.exists() else {}


def verbs(t: Words) -> list[Row]:
    """What people do with a ticket, in the table's order."""
    return [_row(verb, t) for verb in VERBS.values() if verb.button and verb.roles]


def by_itself(t: Words) -> list[Row]:
    """What only the clock and the post do."""
    return [_row(verb, t) for verb in VERBS.values() if not verb.roles]


def _row(verb: Verb, t: Words) -> Row:
    by_hand = bool(verb.roles)
    name = t(f"verb_{verb.name}") if by_hand else t(f"did_{verb.name}")
    who = [t(f"role_{role}") for role in Role if role in verb.roles]
    who += [t("the_person")] if verb.beneficiary else []
    if verb.kinds:
        name = t("help_suggestions_only", verb=name)
    return Row(
        name=name,
        what=t(f"hint_{verb.name}") if by_hand else t(f"help_does_{verb.name}"),
        who=t.listed(who) if who else t("the_house"),
        when=_when(verb.sources, t),
        told="beneficiary" in verb.tells,
        keeps=verb.substance,
    )


def _when(states: frozenset[str], t: Words) -> str:
    group = next((name for all_, name in _GROUPS if states == all_), None)
    return t(f"help_when_{group}") if group else t.listed([t(f"state_{s}") for s in ORDER if s in states])


def routes(desk: "_Desk", router: APIRouter) -> None:
    """GET /desk/help, for everybody who is signed in."""
    anyone = Annotated[SignedIn, Depends(desk.auth.require(*Role))]
    known = sizes()

    @router.get("/help")
    async def handbook(request: Request, who: anyone) -> Response:
        t = desk.words(desk.language(request, who.staff))
        shown: dict[str, Any] = {"chapters": CHAPTERS, "verbs": verbs(t), "by_itself": by_itself(t), "sizes": known}
        return await desk.page(request, "help.html", who, **shown)
