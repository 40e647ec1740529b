"""Many tickets at once: assigned, answered with one text, or closed. Each is a verb of its own: what worked stays done."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from bot.handlers.house import UnknownTicket
from bot.handlers.ports import Stale, Unavailable
from bot.storage.queries import Line
from bot.tickets.lifecycle import AGENTS
from bot.tickets.people import Guarded, Staff
from bot.tickets.reference import shown
from bot.tickets.ticket import Incomplete, NotAllowed
from bot.tickets.workload import LEAST, least_loaded, may_have
from bot.web.auth import SignedIn
from bot.web.desk import forms
from bot.web.desk.masking import first_words
from bot.web.desk.words import Choice

if TYPE_CHECKING:
    from bot.web.desk.router import _Desk as Desk

MOST = 100
"""So many tickets in one go."""
DOES = {"assign": "staff", "reply": "text", "close": "reason"}
"""What can be done to many, and what it takes."""
_CHOSEN = re.compile(r"(\d{10}):(\d{1,6})", re.ASCII)
KEY = re.compile(r"[\w-]{8,64}", re.ASCII)
"""The word of a form that makes what it asks for once-only."""


@dataclass(frozen=True)
class Order:
    """What was asked for: a verb, what it takes, and the tickets with the versions that the list showed."""

    verb: str
    value: str
    chosen: Mapping[str, int]
    key: str

    def key_of(self, ref: str) -> str | None:
        """The same order for the same ticket is carried out once, however often the form is sent."""
        digest = sha256(self.value.encode()).hexdigest()[:16]
        return f"bulk {self.key} {self.verb} {digest} {ref}" if self.key else None


@dataclass(frozen=True)
class Outcome:
    """What became of one ticket: `why` names the sentence that says why not; '' where it was done."""

    ref: str
    why: str
    line: Line | None = None


def routes(desk: "Desk", router: APIRouter) -> None:
    worker = Annotated[SignedIn, Depends(desk.auth.require(*AGENTS))]

    @router.post("/bulk")
    async def many(request: Request, who: worker) -> Response:
        form = await request.form()
        order = read(form.getlist("t"), {k: v for k, v in form.items() if isinstance(v, str)})
        problem = wrong(order)
        if problem:
            return await answer(desk, request, who, order, [], 422, problem)
        outcomes = await asyncio.to_thread(carry_out, desk, who.staff, order)
        return await answer(desk, request, who, order, outcomes)


def read(chosen: Iterable[Any], form: Mapping[str, str]) -> Order:
    found = (_CHOSEN.fullmatch(each) for each in chosen if isinstance(each, str))
    verb = form.get("do", "")
    value = form.get(DOES.get(verb, ""), "").replace("\0", "").replace("\r\n", "\n").strip()
    key = form.get("key", "")
    return Order(verb, value, {m[1]: int(m[2]) for m in found if m}, key if KEY.fullmatch(key) else "")


def wrong(order: Order) -> str:
    """Why nothing at all can be done; '' where it can."""
    if not order.chosen:
        return "bulk_none_chosen"
    if len(order.chosen) > MOST:
        return "bulk_too_many"
    if order.verb not in DOES or not order.value:
        return "error_incomplete"
    return "error_too_long" if len(order.value) > forms.LONGEST else ""


def carry_out(desk: "Desk", staff: Staff, order: Order) -> list[Outcome]:
    """The verb on each ticket, one transaction each."""
    lines = desk.queries.lines(order.chosen, staff, desk.clock())
    giving = Giving.of(desk) if order.verb == "assign" else None
    return [_one(desk, staff, order, ref, version, lines.get(ref), giving) for ref, version in order.chosen.items()]


def _one(
    desk: "Desk", staff: Staff, order: Order, ref: str, version: int, line: Line | None, giving: "Giving | None"
) -> Outcome:
    if line is None:
        return Outcome(ref, "bulk_gone")
    value = giving.to(order.value, line) if giving else order.value
    if not value:
        return Outcome(ref, "bulk_nobody", line)
    why = act(desk, staff, ref, order.verb, {DOES[order.verb]: value}, version, order.key_of(ref))
    if giving and not why:
        giving.given(value)
    return Outcome(ref, why, line)


def act(
    desk: "Desk", staff: Staff, ref: str, verb: str, said: Mapping[str, Any], version: int | None, key: str | None
) -> str:
    """One verb; the name of the sentence that says why it was not done, '' where it was."""
    try:
        desk.act(ref, verb, staff.actor(), said, staff=staff, seen=version, key=key)
    except UnknownTicket:
        return "bulk_gone"
    except Stale:
        return "bulk_changed"
    except NotAllowed:
        return "bulk_not_allowed"
    except Unavailable:
        return "bulk_busy"
    except (Incomplete, ValueError):
        return "bulk_value"
    return ""


@dataclass
class Giving:
    """Who can be given tickets, and how many they have by now."""

    colleagues: list[Staff]
    loads: dict[str, int]

    @classmethod
    def of(cls, desk: "Desk", without: str = "") -> "Giving":
        return cls([each for each in desk.queries.staff_list() if each.id != without], desk.queries.loads())

    def to(self, named: str, ticket: Guarded) -> str:
        """Who gets it: the one who was named, or whoever has least; '' where they may not."""
        if named == LEAST:
            found = least_loaded(ticket, self.colleagues, self.loads)
        else:
            found = next((each for each in self.colleagues if each.id == named and may_have(each, ticket)), None)
        return found.id if found else ""

    def given(self, id: str) -> None:
        self.loads[id] = self.loads.get(id, 0) + 1


def least(desk: "Desk", ticket: Guarded) -> str | None:
    """The colleague of the ticket's unit who has least to do; None where nobody may have it."""
    return Giving.of(desk).to(LEAST, ticket) or None


async def answer(
    desk: "Desk",
    request: Request,
    who: SignedIn,
    order: Order,
    outcomes: list[Outcome],
    status: int = 200,
    problem: str = "",
) -> Response:
    """What was done, what was not and why, and a form with all that was typed to try the rest again."""
    now = desk.clock()

    def look() -> tuple[dict[str, Line], list[Staff]]:
        rest = [o.ref for o in outcomes if o.why] or (list(order.chosen)[:MOST] if problem else [])
        return desk.queries.lines(rest, who.staff, now), desk.queries.staff_list()

    lines, colleagues = await asyncio.to_thread(look)
    t = desk.words(desk.language(request, who.staff))
    failed = [o for o in outcomes if o.why]
    why = {o.ref: t(o.why) for o in failed}
    return await desk.page(
        request, "bulk.html", who, status,
        problem=t(problem, n=MOST) if problem == "bulk_too_many" else t(problem) if problem else "",
        n_done=len(outcomes) - len(failed), did=t(f"did_{order.verb}") if order.verb in DOES else "",
        lost=[{"shown": shown(o.ref), "why": why[o.ref]} for o in failed if o.ref not in lines],
        rest=[
            {
                "ref": ref, "shown": shown(ref), "version": line.version, "first": first_words(line.text, line.flags, t), "why": why.get(ref, ""),
                "chosen": problem != "" or why.get(ref) != t("bulk_not_allowed"),
            }
            for ref, line in lines.items()
        ],
        typed={name: order.value if DOES.get(order.verb) == name else "" for name in DOES.values()},
        colleagues=[Choice(each.id, each.name) for each in colleagues], key=token_urlsafe(12),
    )  # fmt: skip
