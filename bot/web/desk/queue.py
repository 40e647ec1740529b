"""The list: its views and filters, the counts that live, and the way to the next ticket."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from bot.handlers.contacts import SOURCES
from bot.storage.lists import VIEWS, BadCursor, Counts, View, Wanted
from bot.tickets.lifecycle import LIVE, READERS, SENIORS, STATES
from bot.tickets.people import Staff, may_work
from bot.tickets.promise import CLASSES
from bot.tickets.taxonomy import LANGUAGES
from bot.tickets.ticket import FLAGS
from bot.web.auth import SignedIn
from bot.web.desk import pages
from bot.web.desk.words import Choice, Words

if TYPE_CHECKING:
    from bot.web.desk.router import _Desk as Desk

FILTERS = ("kind", "category", "subcategory", "service", "class", "channel", "language", "flag", "age")
FIRST = ("kind", "category")
"""Always in sight; the others are behind 'more'."""
CHANNELS = ("web", "whatsapp", "sms", "telegram", *SOURCES)
AGES = ("1", "3", "7", "30")
"""Filed so many days ago, or longer."""
PLACE_COOKIE = "sawt_desk_list"
"""The list that a reader came from: a ticket leads back to it."""
LONGEST_PLACE = 1_000
NOTHING_TYPED = {"staff": "", "text": "", "reason": ""}
"""In the bar for many tickets."""


def routes(desk: "Desk", router: APIRouter) -> None:
    reader = Annotated[SignedIn, Depends(desk.auth.require(*READERS))]

    @router.get("/next")
    async def next_ticket(request: Request, who: reader) -> Response:
        after = desk.queries.reference(request.query_params.get("after", ""))
        ref = await asyncio.to_thread(desk.queries.next, who.staff, desk.clock(), after)
        return RedirectResponse(f"/desk/tickets/{ref}" if ref else "/desk?done=next_none", 303)

    @router.get("/counts")
    async def counts(request: Request, who: reader) -> Response:
        now = desk.clock()
        found = await asyncio.to_thread(desk.queries.counts, who.staff, now, soon(desk, now))
        t = desk.words(desk.language(request, who.staff))
        numbers = {view: getattr(found, view) for view in shown_views(who.staff)}
        return JSONResponse({"counts": numbers, "said": said(found, t)})


def said(counts: Counts, t: Words) -> str:
    """What a screen reader says when one's own tickets, or those that are late, have changed."""
    return t("counts_said", mine=t("counts_mine", n=counts.mine), late=t("late_count", n=counts.late))


def soon(desk: "Desk", now: datetime) -> datetime:
    """A promise that falls due until then is at risk: the unit is warned of it in working time."""
    return desk.office.calendar("").add(now, desk.office.policy().warn_before)


def shown_views(staff: Staff) -> list[View]:
    return [view for view in VIEWS if view != "unit" or staff.unit]


def first_view(staff: Staff) -> View:
    """What the list opens with: the work of who answers for one unit, or everything for who answers for all."""
    return "unit" if staff.unit and not staff.sees_all else "all"


def back(request: Request) -> str:
    """The address of the list that the reader last saw, with its view and filters."""
    kept = request.cookies.get(PLACE_COOKIE, "")[:LONGEST_PLACE]
    known = [(name, value) for name, value in parse_qsl(kept) if name in ("view", "q", "state", "cursor", *FILTERS)]
    return f"/desk?{urlencode(known)}" if known else "/desk"


async def list_page(desk: "Desk", request: Request, who: SignedIn) -> Response:
    """The list as its address says."""
    asked = request.query_params
    chosen = {name: asked.get(name, "")[:200] for name in ("q", "state", *FILTERS)}
    chosen["state"] = chosen["state"] if chosen["state"] in (*STATES, "any") else "live"
    view: View = next((v for v in shown_views(who.staff) if v == asked.get("view")), first_view(who.staff))
    cursor, now = asked.get("cursor", ""), desk.clock()

    def read() -> tuple[Any, ...]:
        wanted: dict[str, Any] = {
            "view": view, "q": chosen["q"], "wanted": narrowed(chosen, now), "soon": soon(desk, now),
            "states": {"live": sorted(LIVE), "any": []}.get(chosen["state"], [chosen["state"]]),
        }  # fmt: skip
        queries = desk.queries
        try:
            page = queries.tickets(who.staff, now, cursor=cursor, **wanted)
        except BadCursor:
            page = queries.tickets(who.staff, now, **wanted)
        colleagues = queries.staff_list() if may_work(who.staff) else []
        return page, queries.counts(who.staff, now, wanted["soon"]), queries.notices(who.staff), colleagues

    page, counts, notices, colleagues = await asyncio.to_thread(read)
    t = desk.words(desk.language(request, who.staff))
    kept = {"view": view} | {k: v for k, v in chosen.items() if v}
    filtered = bool(chosen["q"] or chosen["state"] != "live" or any(chosen[name] for name in FILTERS))
    response = await desk.page(
        request, "list.html", who,
        view=view, counts=counts, views=shown_views(who.staff), said=said(counts, t),
        chosen=chosen, states=desk.states, filtered=filtered, first_filters=FIRST,
        more_filters=[name for name in FILTERS if name not in FIRST],
        more_open=any(chosen[name] for name in FILTERS if name not in FIRST), menus=menus(t),
        lines=[pages.line(each, t, desk.office, now) for each in page.lines],
        notices=[pages.notice(each, t, desk.office) for each in notices], can_dismiss=desk.notices_seen is not None,
        empty=pages.empty(view, filtered, counts, t), done=done(desk, request, t),
        next=f"/desk?{urlencode(kept | {'cursor': page.next})}" if page.next else "",
        first=f"/desk?{urlencode(kept)}" if cursor else "",
        works=may_work(who.staff), hands_over=who.staff.role in SENIORS,
        colleagues=[Choice(each.id, each.name) for each in colleagues], key=token_urlsafe(12), typed=NOTHING_TYPED,
    )  # fmt: skip
    here = urlencode(kept | ({"cursor": cursor} if cursor else {}))
    desk.auth.set_cookie(response, PLACE_COOKIE, here if len(here) <= LONGEST_PLACE else urlencode({"view": view}))
    return response


def done(desk: "Desk", request: Request, t: Words) -> str:
    return t("next_none") if request.query_params.get("done") == "next_none" else desk.done(request, t)


def narrowed(chosen: Mapping[str, str], now: datetime) -> Wanted:
    """What the filters of the address ask for."""
    age = chosen["age"]
    return Wanted(
        kind=chosen["kind"], category=chosen["category"], subcategory=chosen["subcategory"], service=chosen["service"],
        service_class=chosen["class"], source=chosen["channel"], language=chosen["language"], flag=chosen["flag"],
        filed_before=now - timedelta(days=int(age)) if age in AGES else None,
    )  # fmt: skip


def menus(t: Words) -> dict[str, list[Choice]]:
    """What each filter offers."""
    found = {name: list(t.choices(name)) for name in ("kind", "category", "subcategory", "service")}
    return found | {
        "class": [Choice(each, t(f"class_{each.lower()}")) for each in CLASSES],
        "channel": [Choice(each, t(f"source_{each}")) for each in CHANNELS],
        "language": [Choice(each, t(f"language_{each}")) for each in LANGUAGES],
        "flag": [Choice(each, t.name("flag", each)) for each in FLAGS],
        "age": [Choice(each, t("age_days", n=int(each))) for each in AGES],
    }
