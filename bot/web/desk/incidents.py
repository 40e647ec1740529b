"""Incidents at the desk: tickets of one cause are found, joined, told the same once, and resolved together."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from bot.handlers.house import UnknownTicket
from bot.handlers.incidents import TELLS, Overtaken
from bot.handlers.ports import Incident
from bot.storage.incidents import Incidents, Near
from bot.tickets.groups import NEAR, nearness
from bot.tickets.lifecycle import AGENTS, LIVE, READERS
from bot.tickets.people import may_work
from bot.tickets.reference import shown as grouped
from bot.tickets.ticket import NotAllowed
from bot.web.auth import SignedIn
from bot.web.desk.forms import LONGEST
from bot.web.desk.masking import first_words
from bot.web.desk.words import Words

if TYPE_CHECKING:
    from bot.web.desk.router import _Desk as Desk

DAYS = timedelta(days=7)
"""How far apart tickets of one cause may have come."""
SHOWN, LONGEST_TITLE = 30, 200


def routes(desk: "Desk", router: APIRouter) -> None:
    reader = Annotated[SignedIn, Depends(desk.auth.require(*READERS))]
    worker = Annotated[SignedIn, Depends(desk.auth.require(*AGENTS))]
    pages = _Pages(desk)

    @router.get("/tickets/{ref}/incident")
    async def same_cause(request: Request, ref: str, who: worker) -> Response:
        return await pages.same_cause(request, desk.queries.reference(ref), who)

    @router.post("/incidents")
    async def join(request: Request, who: worker) -> Response:
        return await pages.join(request, who)

    @router.get("/incidents/{id}")
    async def incident(request: Request, id: str, who: reader) -> Response:
        return await pages.incident(request, id, who)

    @router.post("/incidents/{id}/tell")
    async def tell(request: Request, id: str, who: worker) -> Response:
        return await pages.tell(request, id, who)

    @router.post("/incidents/{id}/go-on")
    async def go_on(request: Request, id: str, who: worker) -> Response:
        return await pages.go_on(request, id, who)

    @router.post("/incidents/{id}/leave")
    async def leave(request: Request, id: str, who: worker) -> Response:
        return await pages.leave(request, id, who)


class _Pages:
    def __init__(self, desk: "Desk") -> None:
        self.desk, self.found = desk, Incidents(desk.queries.engine)

    # Joining

    async def same_cause(
        self, request: Request, ref: str, who: SignedIn, status: int = 200, error: str = "",
        typed: Mapping[str, str] = {}, ticked: Sequence[str] = (),
    ) -> Response:  # fmt: skip
        """Tickets that may have the same cause, the nearest in meaning first."""
        since = self.desk.clock() - DAYS

        def read() -> tuple[Near, list[tuple[float, Near]], list[Incident]] | None:
            both = self.found.near(ref, who.staff, since)
            if both is None:
                return None
            this, others = both
            near = nearness(this.vector, [each.vector for each in others])
            best = sorted(zip(near, others, strict=True), key=lambda pair: -pair[0])  # stable: then the newest
            return this, best[:SHOWN], self.found.running(who.staff)

        read_ = await asyncio.to_thread(read)
        if read_ is None:
            raise HTTPException(404)
        this, best, running = read_
        t = self.desk.words(self.desk.language(request, who.staff))
        of_best = next((each.incident for _, each in best if each.incident), "")
        return await self.desk.page(
            request, "same_cause.html", who, status,
            ref=ref, shown=grouped(ref), first=first_words(this.text, this.flags, t), joined=this.incident,
            near=[self._near(cosine, each, each.ref in ticked, t) for cosine, each in best],
            running=[(each.id, each.title) for each in running], chosen=typed.get("incident", of_best),
            title_typed=typed.get("title", ""), key=typed.get("key") or token_urlsafe(24), error=t(error) if error else "",
        )  # fmt: skip

    def _near(self, cosine: float, each: Near, ticked: bool, t: Words) -> dict[str, Any]:
        zone = self.desk.office.calendar(each.unit).zone
        return {
            "ref": each.ref, "shown": grouped(each.ref), "first": first_words(each.text, each.flags, t), "incident": each.incident,
            "when": t.moment(each.opened_at, zone), "unit": t.name("unit", each.unit), "near": cosine >= NEAR, "ticked": ticked,
        }  # fmt: skip

    async def join(self, request: Request, who: SignedIn) -> Response:
        form = await request.form()
        typed = {
            k: str(form.get(k, ""))[:LONGEST_TITLE].replace("\0", "").strip() for k in ("title", "incident", "key")
        }
        main = self.desk.queries.reference(str(form.get("main", "")))
        ticked = [self.desk.queries.reference(str(each)) for each in form.getlist("ref")][: 2 * SHOWN]

        async def again(status: int, error: str) -> Response:
            return await self.same_cause(request, main, who, status, error, typed, ticked)

        if not typed["incident"] and not typed["title"]:
            return await again(422, "incident_needs_title")
        if typed["incident"] and await asyncio.to_thread(self.found.incident, typed["incident"], who.staff) is None:
            raise HTTPException(404)
        try:
            id = await asyncio.to_thread(self.desk.incidents.join, [main, *ticked], who.staff, **typed)
        except UnknownTicket:
            return await again(409, "incident_ticket_gone")
        except NotAllowed:
            return await again(409, "error_not_allowed")
        return RedirectResponse(f"/desk/incidents/{id}?done=joined", 303)

    # The incident

    async def incident(
        self, request: Request, id: str, who: SignedIn, status: int = 200, error: str = "", verb: str = "", text: str = ""
    ) -> Response:  # fmt: skip
        """Its tickets and what was told, as far as they concern this reader; `text` was typed and not sent."""
        found = await asyncio.to_thread(self.found.incident, id, who.staff)
        if found is None:
            raise HTTPException(404)
        it, joined, told = found
        t, zone = self.desk.words(self.desk.language(request, who.staff)), self.desk.office.calendar("").zone
        live = sum(each.state in LIVE for each in joined)
        done = request.query_params.get("done", "")
        return await self.desk.page(
            request, "incident.html", who, status,
            id=it.id, title=it.title, opened=t.moment(it.opened_at, zone), n=len(it.updates) + 1, live=live,
            over=t.moment(it.closed_at, zone) if it.closed_at else "", works=may_work(who.staff),
            count=t("incident_tickets", n=len(joined)), reach=t("incident_reach", n=live),
            tickets=[
                {
                    "ref": each.ref, "shown": grouped(each.ref), "first": first_words(each.text, each.flags, t), "unit": t.name("unit", each.unit),
                    "state": t(f"state_{each.state}"), "when": t.moment(each.opened_at, zone),
                }
                for each in joined
            ],
            told=[
                {
                    "n": each.update.n, "what": t(f"incident_told_{each.update.verb}"), "text": each.update.text,
                    "by": each.update.by.name, "when": t.moment(each.update.at, zone),
                    "reached": t("incident_reached", n=each.reached), "owed": t("incident_owed", n=len(each.owed)) if each.owed else "",
                }
                for each in reversed(told)
            ],
            done=t(f"incident_done_{done}") if done in ("joined", "told", "resolved", "left") and not error else "",
            error=t(error) if error else "", verb=verb, text=text,
        )  # fmt: skip

    async def tell(self, request: Request, id: str, who: SignedIn) -> Response:
        form = await request.form()
        verb, n = str(form.get("verb", "")), str(form.get("n", ""))
        text = str(form.get("text", "")).replace("\0", "").replace("\r\n", "\n").strip()

        async def again(status: int, error: str) -> Response:
            return await self.incident(request, id, who, status, error, verb, text[:LONGEST])

        if await asyncio.to_thread(self.found.incident, id, who.staff) is None:
            raise HTTPException(404)
        if not text or len(text) > LONGEST or verb not in TELLS or not (n.isascii() and n.isdecimal() and len(n) < 9):
            return await again(422, "error_too_long" if len(text) > LONGEST else "incident_needs_text")
        try:
            await asyncio.to_thread(self.desk.incidents.tell, id, int(n), verb, text, who.staff)
        except Overtaken:
            return await again(409, "incident_overtaken")
        except UnknownTicket:
            raise HTTPException(404) from None
        return RedirectResponse(f"/desk/incidents/{id}?done={'told' if verb == 'reply' else 'resolved'}", 303)

    async def go_on(self, request: Request, id: str, who: SignedIn) -> Response:
        """What was told and has not reached everybody reaches them now: nobody twice."""
        n = str((await request.form()).get("n", ""))
        found = await asyncio.to_thread(self.found.incident, id, who.staff)
        told = next((each for each in found[2] if str(each.update.n) == n), None) if found else None
        if told is None:
            raise HTTPException(404)
        owed = replace(told.update, refs=told.owed)
        await asyncio.to_thread(self.desk.incidents.go_on, id, owed, who.staff)
        return RedirectResponse(f"/desk/incidents/{id}?done=told", 303)

    async def leave(self, request: Request, id: str, who: SignedIn) -> Response:
        ref = self.desk.queries.reference(str((await request.form()).get("ref", "")))
        try:
            await asyncio.to_thread(self.desk.incidents.leave, ref, id, who.staff)
        except UnknownTicket:
            raise HTTPException(404) from None
        gone = await asyncio.to_thread(self.found.incident, id, who.staff) is None
        return RedirectResponse(f"/desk/tickets/{ref}" if gone else f"/desk/incidents/{id}?done=left", 303)
