"""The boxes in which a clerk writes: kept while they are written, told how they will arrive, and taken back in time."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from bot.handlers.house import UnknownTicket
from bot.handlers.replies import BOXES, Draft, Preview, Replies
from bot.storage.queries import Whole
from bot.tickets.lifecycle import READERS
from bot.tickets.people import Staff
from bot.tickets.promise import reading
from bot.tickets.reference import shown as grouped
from bot.tickets.taxonomy import Register
from bot.tickets.ticket import Incomplete, NotAllowed, Ticket
from bot.web.auth import SignedIn
from bot.web.desk import times
from bot.web.desk.canned import Card, Group, offered
from bot.web.desk.deliveries import money
from bot.web.desk.forms import LONGEST, Form
from bot.web.desk.words import Words, one_line

if TYPE_CHECKING:
    from bot.web.desk.router import _Desk as Desk

MENU = ("reply", "ask", "resolve")
"""Boxes whose words go to a person: they have a menu of answers, and say how they will arrive."""
SOON = timedelta(hours=1)
NOT_SAID = ("csrf", "seen", "do", "canned")
"""Fields of a form that are none of the verb's."""
_SAY = {
    "text": ("preview_text", "calm"), "template": ("preview_template", "soon"), "held": ("preview_held", "soon"),
    "notice": ("preview_notice", "soon"), "elsewhere": ("preview_elsewhere", "soon"), "nothing": ("preview_nothing", "soon"),
    "unset": ("preview_unset", "late"), "lost": ("preview_lost", "late"),
}  # fmt: skip


@dataclass(frozen=True)
class Writing:
    """What the boxes need: the drafts and what waits, how words will arrive, and the cards of the register."""

    replies: Replies
    preview: Callable[[Ticket, str, Staff, str], Preview]
    card: Card
    register: Callable[[], Register]
    price: float = 0.0


@dataclass(frozen=True)
class Told:
    """How words will arrive, in one line; `tone` is calm, soon or late."""

    words: str
    tone: str


@dataclass(frozen=True)
class Box:
    """What a box has beside its form."""

    reach: str  # who reads it
    told: Told | None
    menu: Sequence[Group]
    saved: str  # when its draft was kept
    refused: str  # why it did not go out


def routes(desk: "Desk", router: APIRouter) -> None:
    """The doors of the boxes. All of them are asked with a form that carries the session's word."""
    reader = Annotated[SignedIn, Depends(desk.auth.require(*READERS))]

    @router.post("/tickets/{ref}/preview")
    async def preview(request: Request, ref: str, who: reader) -> Response:
        return await previewed(desk, request, ref, who)

    @router.post("/tickets/{ref}/draft")
    async def draft(request: Request, ref: str, who: reader) -> Response:
        return await kept(desk, request, ref, who)

    @router.post("/tickets/{ref}/undo")
    async def undo(request: Request, ref: str, who: reader) -> Response:
        number = await _seen(desk, ref, who.staff)
        back = await asyncio.to_thread(desk.writing.replies.take_back, number, who.staff)
        where = f"?undo=done#{back.verb}" if back else "?undo=late"
        return RedirectResponse(f"/desk/tickets/{number}{where}", 303)

    @router.post("/tickets/{ref}/looking")
    async def looking(request: Request, ref: str, who: reader) -> Response:
        number = desk.queries.reference(ref)
        version = await asyncio.to_thread(desk.queries.version, number, who.staff)
        if not version:
            return JSONResponse({"version": None}, 404)
        names = await asyncio.to_thread(desk.writing.replies.look, number, who.staff)
        return JSONResponse({"version": version, "also": also(names, desk.words(desk.language(request, who.staff)))})


async def previewed(desk: "Desk", request: Request, ref: str, who: SignedIn) -> Response:
    """How the words in the form would arrive now. They are in the body, never in an address, and are kept nowhere."""
    form = await request.form()
    verb, text, now = str(form.get("verb", "")), str(form.get("text", ""))[:LONGEST], desk.clock()
    if verb not in MENU:
        return JSONResponse({}, 404)

    def look() -> Preview | None:
        whole = desk.queries.ticket(desk.queries.reference(ref), who.staff, now)
        return desk.writing.preview(whole.ticket, verb, who.staff, text) if whole else None

    try:
        found = await asyncio.to_thread(look)
    except (NotAllowed, Incomplete):
        return JSONResponse({}, 409)
    if found is None:
        return JSONResponse({}, 404)
    told = said(found, desk.words(desk.language(request, who.staff)), desk.writing.price)
    return JSONResponse({"words": told.words, "tone": told.tone})


async def kept(desk: "Desk", request: Request, ref: str, who: SignedIn) -> Response:
    """What was typed so far is kept for this clerk alone; empty words forget it."""
    form = await request.form()
    verb, number = str(form.get("verb", "")), await _seen(desk, ref, who.staff)
    text = str(form.get("text", "")).replace("\0", "").replace("\r\n", "\n")
    if verb not in BOXES or len(text) > LONGEST:
        raise HTTPException(422)
    done = await asyncio.to_thread(desk.writing.replies.keep, number, verb, who.staff, {"text": text})
    if "text/html" not in request.headers.get("accept", ""):
        words = desk.words(desk.language(request, who.staff))
        return JSONResponse({"kept": done, "words": words("draft_kept_now") if done and text.strip() else ""})
    return RedirectResponse(f"/desk/tickets/{number}#{verb}", 303)


async def not_sent(
    desk: "Desk", request: Request, whole: Whole, verb: str, who: SignedIn, typed: Mapping[str, str]
) -> Response | None:
    """The form was not to be sent: its words are kept, with an answer put in where one was chosen. None where it was."""
    form, it = await request.form(), whole.ticket
    do = form.get("do")
    if do not in ("draft", "insert") or verb not in BOXES:
        return None
    text = typed.get("text", "").replace("\0", "").replace("\r\n", "\n")
    if do == "insert":
        t = desk.words(desk.language(request, who.staff))
        zone = desk.office.calendar(it.unit).zone
        groups = offered(it, who.staff, desk.writing.register(), desk.writing.card, t, zone)
        chosen = next((o.text for g in groups for o in g.options if o.id == form.get("canned")), "")
        text = "\n\n".join(part for part in (text.strip(), chosen) if part)[:LONGEST]
    await asyncio.to_thread(desk.writing.replies.keep, it.ref, verb, who.staff, {"text": text})
    return RedirectResponse(f"/desk/tickets/{it.ref}#{verb}", 303)


def held(
    desk: "Desk", before: Whole, verb: str, staff: Staff, given: Mapping[str, Any], seen: int | None
) -> tuple[bool, int | None]:
    """True where the verb waits now, to be done in a moment; and the version that the form may take for its own.

    What the clerk has waiting in another box of the ticket goes out first. Raises what doing the verb would raise.
    """
    replies, ref = desk.writing.replies, before.ticket.ref
    if before.live == staff.id and verb in MENU:  # in the conversation itself nobody waits ten seconds for a sentence,
        return False, None  # and what the person wrote meanwhile makes no reply an old one
    seen = replies.hurry(ref, verb, staff, seen)
    if not replies.waits(verb):
        return False, seen
    whole = desk.queries.ticket(ref, staff, desk.clock())
    if whole is None:
        raise UnknownTicket(ref)
    replies.hold(whole.ticket, verb, staff, given, seen)
    return True, seen


# What the page shows


async def page(
    desk: "Desk", whole: Whole, made: Sequence[Form], who: SignedIn, t: Words, failed: str
) -> dict[str, Any]:
    """What the ticket's page has of all this. `failed` names the form that is shown again with what was typed."""
    it, now, staff = whole.ticket, desk.clock(), who.staff
    calendar = desk.office.calendar(it.unit)

    def read() -> tuple[dict[str, Draft], dict[str, Preview], Sequence[str], Sequence[Any]]:
        writing, told = desk.writing, [f.verb for f in made if f.verb in MENU]
        previews = {verb: writing.preview(it, verb, staff, "") for verb in told}
        return (
            writing.replies.of(it.ref, staff),
            previews,
            writing.replies.lookers(it.ref, staff),
            desk.queries.others(it, staff),
        )

    drafts, previews, names, others = await asyncio.to_thread(read)
    texts = {verb: draft.said.get("text", "") for verb, draft in drafts.items() if draft.state == "draft"}
    for verb in previews.keys() & texts.keys() - {failed}:
        previews[verb] = await asyncio.to_thread(desk.writing.preview, it, verb, staff, texts[verb])
    filled = [_filled(f, texts.get(f.verb, "") if f.verb != failed else "", previews.get(f.verb), t) for f in made]
    menu = offered(it, staff, desk.writing.register(), desk.writing.card, t, calendar.zone) if previews else []
    return {
        "made": filled,
        "extras": {f.verb: _box(f, drafts, previews, menu, t, desk, now) for f in filled if f.verb in BOXES},
        "waiting": next((_waiting(d, t, now, desk) for d in drafts.values() if d.state != "draft"), None),
        "lost_drafts": [
            {"verb": verb, "title": t(f"verb_{verb}"), "text": text, "why": t(drafts[verb].refused) if drafts[verb].refused else ""}
            for verb, text in texts.items()
            if all(f.verb != verb for f in made)
        ],
        "also": also(names, t),
        "others_of_person": [
            {"ref": ref, "shown": grouped(ref), "state": t(f"state_{state}"), "kind": t.name("kind", kind), "when": t.moment(at, calendar.zone)}
            for ref, state, kind, at in others
        ],
        "times": times.shown(it, reading(it, calendar, desk.office.policy(), now), t, calendar.zone, now),
    }  # fmt: skip


def also(names: Sequence[str], t: Words) -> str:
    """Who else looks at the ticket, in a sentence; '' where nobody does."""
    return t("also_looking", names=t.listed(list(names)), n=len(names)) if names else ""


def overtaken(request: Request, boxes: Mapping[str, Any]) -> bool:
    """True where the address says that a verb was done, and it waits still, or came back."""
    verb, waiting = request.query_params.get("done", ""), boxes["waiting"]
    box = boxes["extras"].get(verb)
    return (
        bool(waiting and waiting["verb"] == verb)
        or bool(box and box.refused)
        or any(each["verb"] == verb for each in boxes["lost_drafts"])
    )


def undone(request: Request, t: Words) -> str:
    """The status line after taking something back."""
    how = request.query_params.get("undo", "")
    return t(f"undo_{how}") if how in ("done", "late") else ""


def said(preview: Preview, t: Words, price: float) -> Told:
    """How words will arrive: the window, the form, and what it costs."""
    if preview.stopped:
        return Told(t("preview_stopped"), "soon")
    name, tone = _SAY[preview.form]
    channel = t(f"channel_{preview.scheme}") if preview.scheme else ""
    parts = [_window(preview.left, t), t(name, channel=channel)]
    if preview.messages > 1 and not preview.segments:
        parts.append(t("preview_messages", n=preview.messages))
    if preview.segments:
        cost = money(preview.segments * price)
        parts.append(t("sms_cost", n=preview.segments, cost=cost) if price else t("sms_parts", n=preview.segments))
    if preview.refused:
        parts, tone = [*parts, t(f"preview_unpaid_{preview.refused}")], "late"
    if preview.form == "text" and preview.left is not None and preview.left < SOON:
        tone = "soon"
    return Told(" · ".join(part for part in parts if part), tone)


def _window(left: timedelta | None, t: Words) -> str:
    if left is None:
        return ""
    minutes = left // timedelta(minutes=1)
    if not left:
        return t("window_closed")
    return t("window_hours", n=minutes // 60) if minutes >= 120 else t("window_minutes", n=max(1, minutes))


def _filled(form: Form, text: str, preview: Preview | None, t: Words) -> Form:
    """The form with the draft's words in it, and a button that names the channel and the person."""
    if preview and preview.form != "nothing":
        channel = t(f"via_{preview.scheme}")
        send = t(f"send_{form.verb}", channel=channel)
        form = replace(
            form, send=t(f"send_{form.verb}_to", channel=channel, who=preview.mask) if preview.mask else send
        )
    if not text:
        return form
    fields = [replace(f, value=text) if f.name == "text" else f for f in form.fields]
    return replace(form, fields=fields, open=True)


def _box(
    form: Form, drafts: Mapping[str, Draft], previews: Mapping[str, Preview], menu: Sequence[Group], t: Words, desk: "Desk",
    now: datetime,
) -> Box:  # fmt: skip
    draft, preview = drafts.get(form.verb), previews.get(form.verb)
    mine = draft if draft and draft.state == "draft" else None
    return Box(
        reach=t(f"reach_{form.verb}"),
        told=said(preview, t, desk.writing.price) if preview else None,
        menu=menu if preview else (),
        saved=t("draft_kept", age=t.age(mine.saved_at, now)) if mine else "",
        refused=t(mine.refused) if mine and mine.refused else "",
    )


def _waiting(draft: Draft, t: Words, now: datetime, desk: "Desk") -> dict[str, Any]:
    """What goes out in a moment, and for how long it can be taken back."""
    left = max(0.0, (draft.send_at - now).total_seconds()) if draft.send_at and draft.state == "waiting" else 0.0
    return {
        "verb": draft.verb,
        "title": t(f"verb_{draft.verb}"),
        "words": t("waits_seconds", n=ceil(left)) if left else t("waits_now"),
        "text": one_line(draft.said.get("text", ""), 300),
        "left": f"{left:.1f}",
        "of": f"{max(desk.writing.replies.undo, left):.1f}",
        "can": left > 0,
    }


async def _seen(desk: "Desk", ref: str, staff: Staff) -> str:
    """The number of a ticket that this clerk may see; 404 for every other."""
    number = desk.queries.reference(ref)
    if not await asyncio.to_thread(desk.queries.version, number, staff):
        raise HTTPException(404)
    return number


__all__ = ["Box", "Writing", "held", "kept", "not_sent", "overtaken", "page", "routes", "said", "undone"]
