"""A colleague is on leave: a senior hands their live tickets to somebody else, or shares them out in the unit."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from bot.tickets.lifecycle import SENIORS
from bot.tickets.people import Staff
from bot.tickets.reference import shown
from bot.tickets.workload import LEAST
from bot.web.auth import SignedIn
from bot.web.desk import bulk, forms
from bot.web.desk.words import Choice

if TYPE_CHECKING:
    from bot.web.desk.router import _Desk as Desk

MOST = 500
"""So many tickets in one go; the page says what is left."""


@dataclass
class Handed:
    """How many went to whom, and which stayed, with the sentence that says why."""

    to: dict[str, int] = field(default_factory=dict)
    left: list[tuple[str, str]] = field(default_factory=list)


def routes(desk: "Desk", router: APIRouter) -> None:
    senior = Annotated[SignedIn, Depends(desk.auth.require(*SENIORS))]

    @router.get("/handover")
    async def form(request: Request, who: senior) -> Response:
        return await page(desk, request, who, {})

    @router.post("/handover")
    async def hand_over(request: Request, who: senior) -> Response:
        sent = await request.form()
        typed = {name: str(sent.get(name, "")).replace("\0", "").strip() for name in ("from", "to", "reason", "key")}
        problem = wrong(typed)
        if problem:
            return await page(desk, request, who, typed, 422, problem=problem)
        handed = await asyncio.to_thread(carry_out, desk, who.staff, typed)
        return await page(desk, request, who, typed if handed.left else {}, handed=handed)


def wrong(typed: Mapping[str, str]) -> str:
    if not (typed["from"] and typed["to"] and typed["reason"]) or typed["from"] == typed["to"]:
        return "error_incomplete"
    return "error_too_long" if len(typed["reason"]) > forms.LONGEST else ""


def carry_out(desk: "Desk", staff: Staff, typed: Mapping[str, str]) -> Handed:
    """Every live ticket of theirs that `staff` may see has somebody else, who may see it, and a note that says why."""
    giving, handed = bulk.Giving.of(desk, without=typed["from"]), Handed()
    order = sha256("\n".join(typed[name] for name in ("from", "to", "reason")).encode()).hexdigest()[:16]
    key = typed["key"] if bulk.KEY.fullmatch(typed["key"]) else ""
    for line in desk.queries.held(staff, desk.clock(), typed["from"], MOST):
        to = giving.to(typed["to"], line)
        if not to:
            handed.left.append((line.ref, "handover_need_to_know" if line.need_to_know else "bulk_nobody"))
            continue
        once = f"handover {key} {order} {line.ref}"
        why = bulk.act(desk, staff, line.ref, "assign", {"staff": to}, line.version, f"{once} to {to}" if key else None)
        if why:
            handed.left.append((line.ref, why))
            continue
        giving.given(to)
        handed.to[to] = handed.to.get(to, 0) + 1
        bulk.act(desk, staff, line.ref, "note", {"text": typed["reason"]}, None, f"{once} note" if key else None)
    return handed


async def page(
    desk: "Desk", request: Request, who: SignedIn, typed: Mapping[str, str], status: int = 200,
    problem: str = "", handed: Handed | None = None,
) -> Response:  # fmt: skip
    """The form, with how many tickets each colleague has; above it what was done."""

    def look() -> tuple[dict[str, int], list[Staff], dict[str, str]]:
        queries = desk.queries
        return queries.loads(who.staff), queries.staff_list(), queries.names()

    loads, colleagues, names = await asyncio.to_thread(look)
    t = desk.words(desk.language(request, who.staff))
    done: list[Any] = [(names.get(id, id), t("handover_moved", n=n)) for id, n in (handed.to if handed else {}).items()]
    return await desk.page(
        request, "handover.html", who, status,
        problem=t(problem) if problem else "", handed=handed is not None, done=done,
        left=[{"ref": ref, "shown": shown(ref), "why": t(why)} for ref, why in (handed.left if handed else [])],
        holders=[Choice(id, f"{names.get(id, id)} ({loads[id]})") for id in sorted(loads, key=lambda i: names.get(i, i))],
        colleagues=[Choice(LEAST, t("handover_share")), *(Choice(each.id, each.name) for each in colleagues)],
        typed={name: typed.get(name, "") for name in ("from", "to", "reason")}, key=token_urlsafe(12),
    )  # fmt: skip
