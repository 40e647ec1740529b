"""Who read what: the audit's page for oversight and who runs the accounts; and numbers of a ticket, unmasked on request."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, HTTPException, Request
from starlette.responses import Response

from bot.storage.trail_rows import Row, Rows, TrailRows
from bot.tickets.lifecycle import READERS
from bot.tickets.people import Role, Staff
from bot.tickets.reference import shown
from bot.web.auth import SignedIn
from bot.web.desk.words import Words

if TYPE_CHECKING:
    from bot.web.desk.router import _Desk as Desk

READS_AUDIT = (Role.OVERSIGHT, Role.ADMIN)
SAID = frozenset({
    "read_ticket", "read_file", "read_list", "unmasked", "signed_in", "sign_in_failed", "signed_out", "changed_person",
    "exported",
})  # fmt: skip
"""What has a sentence of its own; whatever else is written down is named as it is."""
DID = (
    "added", "changed", "password", "factor_reset", "signed_out", "own_password", "own_factor_on", "own_factor_off",
)  # fmt: skip
"""What was done to somebody's account."""


def routes(desk: "Desk", router: APIRouter) -> None:
    """The audit's page, and the one way to a ticket's numbers: a POST, whose answer shows them and no address does."""
    reader = Annotated[SignedIn, Depends(desk.auth.require(*READS_AUDIT))]
    worker = Annotated[SignedIn, Depends(desk.auth.require(*READERS))]

    async def audit(request: Request, who: reader) -> Response:
        return await _page(desk, request, who)

    async def numbers(request: Request, ref: str, who: worker) -> Response:
        number = desk.queries.reference(ref)
        if await asyncio.to_thread(desk.queries.version, number, who.staff) is None:
            raise HTTPException(404)
        await desk.auth.audit(who.staff.actor(), "unmasked", number)
        return await desk.ticket(request, number, who, unmasked=True)

    router.add_api_route("/audit", audit, methods=["GET"])
    router.add_api_route("/numbers/{ref}", numbers, methods=["POST"])


async def _page(desk: "Desk", request: Request, who: SignedIn) -> Response:
    asked = request.query_params
    person, typed = asked.get("person", "")[:200], asked.get("ref", "")[:60]
    ref, before = desk.queries.reference(typed), _number(asked.get("before", ""))
    rows = desk.queries.trail

    def read() -> tuple[Rows, list[tuple[str, str]]]:
        return _rows(rows, who.staff, person, typed, ref, before), rows.people()

    page, people = await asyncio.to_thread(read)
    t = desk.words(desk.language(request, who.staff))
    zone = desk.office.calendar("").zone
    kept = {name: value for name, value in (("person", person), ("ref", ref)) if value}
    return await desk.page(
        request, "audit.html", who, people=people, person=person, ref=ref or typed,
        rows=[line(each, t, zone, dict(people)) for each in page.rows], filtered=bool(kept or typed),
        next=f"/desk/audit?{urlencode(kept | {'before': page.next})}" if page.next else "",
        first=f"/desk/audit?{urlencode(kept)}" if before else "",
    )  # fmt: skip


def _rows(rows: TrailRows, reader: Staff, person: str, typed: str, ref: str, before: int) -> Rows:
    """The page asked for; what was typed as a reference and is none has no rows, rather than all of them."""
    return Rows([], None) if typed.strip() and not ref else rows.page(reader, person=person, ref=ref, before=before)


def line(each: Row, t: Words, zone: ZoneInfo, names: Mapping[str, str]) -> dict[str, Any]:
    """A row of the audit, as plain values."""
    return {
        "when": t.moment(each.at, zone),
        "who": each.by_name or t("a_program" if each.by_kind == "program" else "the_house"),
        "program": each.by_kind == "program",
        "what": _what(each, t, names),
        "ref": each.ref or "",
        "shown": shown(each.ref) if each.ref else "",
        "may_open": each.may_open,
    }


def _what(each: Row, t: Words, names: Mapping[str, str]) -> str:
    if each.what == "changed_person" and each.details.get("did") in DID:
        whom = str(each.details.get("person", ""))
        return t(f"audit_person_{each.details['did']}", whom=names.get(whom, whom))
    return t(f"audit_{each.what}") if each.what in SAID else t("audit_other", what=each.what)


def _number(id: str) -> int:
    return int(id) if id.isascii() and id.isdecimal() and len(id) < 18 else 0
