"""The staff's pages: the list, the ticket, the channels. Server-rendered, right to left, complete without a script."""

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from bot.handlers.contacts import ContactLog
from bot.handlers.house import UnknownTicket
from bot.handlers.incidents import Incidents
from bot.handlers.ports import Clock, Stale, Unavailable
from bot.handlers.replies import BOXES, Waiting
from bot.storage.files import Attachment
from bot.storage.queries import Queries, Question
from bot.tickets.lifecycle import READERS, STATES, VERBS
from bot.tickets.people import Role, Staff, may_see
from bot.tickets.reference import shown as grouped
from bot.tickets.taxonomy import Register
from bot.tickets.ticket import Incomplete, NotAllowed, Ticket, Wrong
from bot.tickets.workload import LEAST
from bot.web.act import Act
from bot.web.auth import (
    Auth,
    Forbidden,
    NotWritten,
    Owed,
    SignedIn,
    SignInNeeded,
    WaitFirst,
    all_guarded,
    csrf_of,
    public,
)  # fmt: skip
from bot.web.desk import (
    attachments,
    audit,
    bulk,
    channels,
    forms,
    handbook,
    handover,
    me,
    pages,
    people,
    queue,
    replies,
)
from bot.web.desk import contacts as contact_pages
from bot.web.desk import incidents as incident_pages
from bot.web.desk import words as said_as
from bot.web.desk.channels import Carriers
from bot.web.desk.contacts import ReadOut
from bot.web.desk.people import Accounts
from bot.web.desk.words import LANGUAGE_COOKIE, LANGUAGES, Catalogues, Words

HERE = Path(__file__).parent
QUESTION_DAYS, QUESTION_GROUPS = ("7", "30", "90"), 100
_NEXT = re.compile(r"/desk(?:/tickets/\d{10}|/channels)?", re.ASCII)
_STATES = tuple(s for s in (
    "new", "open", "waiting", "under_study", "accepted", "resolved", "implemented", "declined", "closed", "withdrawn", "redirected"
) if s in STATES)  # fmt: skip
_TYPES = {"desk.css": "text/css; charset=utf-8", "desk.js": "text/javascript; charset=utf-8"}

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def router(
    *,
    queries: Queries,
    act: Act,
    auth: Auth,
    accounts: Accounts,
    register: Callable[[], Register],
    catalogues: Catalogues,
    office: pages.Office,
    clock: Clock,
    notices_seen: Callable[[Staff, int, datetime], None] | None = None,
    file_path: Callable[[str], Path],
    carriers: Carriers,
    aside_seen: Callable[[int, datetime], bool],
    contacts: ContactLog,
    incidents: Incidents,
    read_out: ReadOut,
    writing: replies.Writing,
) -> APIRouter:
    """The desk under /desk.

    `register()` is the ministry's data as it is now; `notices_seen` marks a member of staff's notices up to an id as seen;
    `file_path` tells where the file of a hash lies; `aside_seen` marks what was set aside as dealt with; `writing` is what
    the boxes of a ticket need.
    """
    made = _Desk(
        queries, act, auth, accounts, register, catalogues, office, clock, notices_seen, file_path, carriers, aside_seen,
        writing,
    )  # fmt: skip
    made.contacts, made.incidents, made.read_out = contacts, incidents, read_out
    return made.router()


class _Desk:
    contacts: ContactLog
    incidents: Incidents
    read_out: ReadOut

    def __init__(
        self,
        queries: Queries,
        act: Act,
        auth: Auth,
        accounts: Accounts,
        register: Callable[[], Register],
        catalogues: Catalogues,
        office: pages.Office,
        clock: Clock,
        notices_seen: Callable[[Staff, int, datetime], None] | None,
        file_path: Callable[[str], Path],
        carriers: Carriers,
        aside_seen: Callable[[int, datetime], bool],
        writing: replies.Writing,
    ) -> None:
        self.writing = writing
        self.queries, self.act, self.auth, self.office, self.clock = queries, act, auth, office, clock
        self.accounts = accounts
        self.words = said_as.of(catalogues, register, office.country)
        self.notices_seen, self.file_path = notices_seen, file_path
        self.carriers, self.aside_seen = carriers, aside_seen
        self.watch = channels.Watch(lambda: carriers.alarm(clock()))
        self.templates = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self.states = _STATES
        self.static = {name: (HERE / "static" / name).read_bytes() for name in _TYPES} | handbook.pictures()
        self.templates.globals["static"] = lambda name: (
            f"/desk/static/{name}?v={sha256(self.static[name]).hexdigest()[:12]}"
        )

    def router(self) -> APIRouter:
        desk = APIRouter(prefix="/desk", include_in_schema=False, route_class=self._route_class())
        reader = Annotated[SignedIn, Depends(self.auth.require(*READERS))]
        anyone = Annotated[SignedIn, Depends(self.auth.require(*Role))]
        puts_away = Annotated[SignedIn, Depends(self.auth.require(*channels.MAY_PUT_AWAY))]

        @desk.get("/static/{name}")
        @public
        async def static(name: str) -> Response:
            return self.file(name)

        @desk.get("/login")
        @public
        async def login(request: Request) -> Response:
            return await self.login(request)

        @desk.post("/login")
        @public
        async def sign_in(request: Request) -> Response:
            return await self.sign_in(request)

        @desk.post("/logout")
        async def sign_out(request: Request, who: anyone) -> Response:
            await self.auth.sign_out(who.token)
            answer = RedirectResponse("/desk/login", 303)
            self.auth.drop_cookie(answer, self.auth.cookie)
            return answer

        @desk.get("")
        async def tickets(request: Request, who: reader) -> Response:
            return await queue.list_page(self, request, who)

        @desk.get("/questions")
        async def questions(request: Request, who: reader) -> Response:
            return await self.questions(request, who)

        @desk.post("/notices/seen")
        async def seen(request: Request, who: reader) -> Response:
            until = str((await request.form()).get("until", ""))
            if self.notices_seen and until.isdecimal() and len(until) < 18:
                await asyncio.to_thread(self.notices_seen, who.staff, int(until), self.clock())
            return RedirectResponse("/desk", 303)

        @desk.get("/tickets/{ref}")
        async def ticket(request: Request, ref: str, who: reader) -> Response:
            return await self.ticket(request, ref, who)

        @desk.get("/tickets/{ref}/version")
        async def version(ref: str, who: reader) -> Response:
            number = await asyncio.to_thread(self.queries.version, self.queries.reference(ref), who.staff)
            return JSONResponse({"version": number}, 200 if number else 404)

        replies.routes(self, desk)

        @desk.post("/tickets/{ref}/{verb}")
        async def change(request: Request, ref: str, verb: str, who: reader) -> Response:
            return await self.change(request, ref, verb, who)

        @desk.get("/files/{id}")
        async def file(request: Request, id: str, who: reader) -> Response:
            return await self.attachment(request, id, who)

        @desk.get("/channels")
        async def state_of_channels(request: Request, who: anyone) -> Response:
            return await self.channels(request, who)

        @desk.post("/channels/aside/{id}/seen")
        async def put_away(request: Request, id: str, who: puts_away) -> Response:
            if await asyncio.to_thread(self.put_away, id):
                return RedirectResponse("/desk/channels?done=aside", 303)
            return await self.error(request, 404, "error_not_there")

        contact_pages.routes(self, desk)
        incident_pages.routes(self, desk)
        audit.routes(self, desk)
        handbook.routes(self, desk)
        me.routes(self, desk)
        people.routes(self, desk)
        queue.routes(self, desk)
        bulk.routes(self, desk)
        handover.routes(self, desk)
        return all_guarded(desk)

    # Pages

    def _route_class(self) -> type[APIRoute]:
        """Routes of the desk answer every refusal with a page in the reader's language, never with a trace."""
        desk = self

        class DeskRoute(APIRoute):
            def get_route_handler(self) -> Handler:
                handle = super().get_route_handler()

                async def answer(request: Request) -> Response:
                    try:
                        response = await handle(request)
                    except SignInNeeded:
                        response = await desk.sign_in_needed(request)
                    except Owed as owed:
                        response = RedirectResponse(me.DUTIES[owed.duty], 303)
                    except Forbidden as refused:
                        response = await desk.error(request, 403, refused.why)
                    except NotWritten:
                        response = await desk.error(request, 503, "error_not_written")
                    except Unavailable:
                        response = await desk.error(request, 503, "error_unavailable")
                    except HTTPException as refused:
                        said = refused.detail if str(refused.detail).startswith("error_") else ""
                        known = {404: "error_unknown", 413: "error_too_long", 408: "error_slow"}
                        response = await desk.error(
                            request, refused.status_code, said or known.get(refused.status_code, "error_form")
                        )
                    response.headers.setdefault("Cache-Control", "no-store")
                    return response

                return answer

        return DeskRoute

    def language(self, request: Request, staff: Staff | None = None) -> str:
        """The language asked for in the address, else the one chosen before, else the account's."""
        wishes = (
            request.query_params.get("lang"),
            request.cookies.get(LANGUAGE_COOKIE),
            staff.language if staff else None,
        )
        return next((wish for wish in wishes if wish in LANGUAGES), "ar")

    async def page(
        self, request: Request, template: str, who: SignedIn | None, status: int = 200, **context: Any
    ) -> HTMLResponse:
        language = self.language(request, who.staff if who else None)
        alarm = await asyncio.to_thread(self.watch) if who else channels.Alarm()
        other = "en" if language == "ar" else "ar"
        kept = [(k, v) for k, v in request.query_params.multi_items() if k != "lang"] if request.method == "GET" else []
        here = request.url.path if request.method == "GET" else "/desk"
        html = self.templates.get_template(template).render(
            t=self.words(language),
            who=who,
            alarm=channels.banner(alarm, self.words(language)),
            other_language=other,
            other_language_url=f"{quote(here)}?{urlencode([*kept, ('lang', other)])}",
            **context,
        )
        response = HTMLResponse(html, status)
        if request.query_params.get("lang") == language:
            self.auth.set_cookie(response, LANGUAGE_COOKIE, language)
        return response

    async def error(self, request: Request, status: int, why: str) -> HTMLResponse:
        t = self.words(self.language(request))
        return await self.page(request, "error.html", None, status, heading=t("error_heading"), text=t(why))

    def file(self, name: str) -> Response:
        if name not in self.static:
            raise HTTPException(404)
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(self.static[name], media_type=_TYPES.get(name, "image/webp"), headers=headers)

    # Signing in

    async def login(
        self, request: Request, status: int = 200, why: str = "", email: str = "", next_: str = "", kept: str = ""
    ) -> Response:
        """The sign-in page, and the cookie that ties its form to this browser."""
        token = request.cookies.get(self.auth.form_cookie) or token_urlsafe(32)
        t = self.words(self.language(request))
        after = next_ or request.query_params.get("next", "")
        response = await self.page(
            request, "login.html", None, status,
            error=t(why) if why else "", kept=kept, word=csrf_of(token), email=email, next=after if _NEXT.fullmatch(after) else "/desk",
        )  # fmt: skip
        self.auth.set_cookie(response, self.auth.form_cookie, token)
        return response

    def next(self, after: str) -> str:
        """Where to after signing in: one of our own pages."""
        return after if _NEXT.fullmatch(after) else "/desk"

    async def sign_in_needed(self, request: Request) -> Response:
        """The way to the sign-in page; what was typed into a form whose session has ended is given back."""
        if request.method == "GET":
            return RedirectResponse(f"/desk/login?{urlencode({'next': request.url.path})}", 303)
        form = await request.form() if self.auth.same_origin(request) else {}
        kept = [str(form[name])[: forms.LONGEST] for name in ("text", "reason") if isinstance(form.get(name), str)]
        after = request.url.path.rsplit("/", 1)[0]
        return await self.login(request, 401, "error_session_over", next_=after, kept="\n".join(kept))

    async def sign_in(self, request: Request) -> Response:
        form = await request.form()
        email, password, after = (str(form.get(name, ""))[:1000] for name in ("email", "password", "next"))
        try:
            await self.auth.check_form(request, csrf_of(request.cookies.get(self.auth.form_cookie, "")))
        except Forbidden:
            return await self.login(request, 403, "error_form", email, after)
        address = request.client.host if request.client else ""
        try:
            admitted = await self.auth.sign_in(email, password, address, request.cookies.get(self.auth.cookie, ""))
        except WaitFirst:
            response = await self.login(request, 429, "error_wait", email, after)
            response.headers["Retry-After"] = "60"
            return response
        if admitted is None:
            return await self.login(request, 401, "error_sign_in", email, after)
        response = me.go_on(self, admitted, self.next(after))
        self.auth.drop_cookie(response, self.auth.form_cookie)
        return response

    # The list

    async def questions(self, request: Request, who: SignedIn) -> Response:
        """What people asked and the register did not answer, questions of one meaning together."""
        asked = request.query_params.get("days", "")
        days = int(asked) if asked in QUESTION_DAYS else int(QUESTION_DAYS[1])
        since = self.clock() - timedelta(days=days)

        def read() -> list[list[Question]]:
            return pages.grouped(self.queries.questions(who.staff, since))

        groups, t = await asyncio.to_thread(read), self.words(self.language(request, who.staff))
        zone = self.office.calendar("").zone
        return await self.page(
            request, "questions.html", who, days=days, choices=[int(d) for d in QUESTION_DAYS],
            groups=[pages.questions(group, t, zone) for group in groups[:QUESTION_GROUPS]],
        )  # fmt: skip

    async def channels(self, request: Request, who: SignedIn) -> Response:
        """What goes out and what does not, what SMS costs, what was set aside, and what did not arrive."""
        now, carriers = self.clock(), self.carriers
        since = now - timedelta(days=channels.LOST_DAYS)

        def read() -> channels.State:
            queries = self.queries
            return channels.State(
                trouble=carriers.trouble(now), spent=carriers.sms.spent(now) if carriers.sms else 0.0,
                alarm=carriers.spending(now), waiting=queries.waiting(), aside=queries.aside(),
                lost=queries.lost(since), tickets=queries.lost_tickets(who.staff, since),
            )  # fmt: skip

        state, t = await asyncio.to_thread(read), self.words(self.language(request, who.staff))
        return await self.page(
            request, "channels.html", who, days=channels.LOST_DAYS,
            done=t("aside_done") if request.query_params.get("done") == "aside" else "",
            may_put_away=who.staff.role in channels.MAY_PUT_AWAY,
            **channels.page(state, carriers, t, self.office.calendar("").zone, now),
        )  # fmt: skip

    def put_away(self, id: str) -> bool:
        """What was set aside under this number is dealt with; False where there is no such thing."""
        return self.aside_seen(_number(id), self.clock())

    def done(self, request: Request, t: Words) -> str:
        """The status line after a verb: what was done, and whether the ticket has left the reader's sight."""
        verb = request.query_params.get("done", "")
        if verb not in VERBS or not VERBS[verb].roles:
            return ""
        gone = request.query_params.get("gone", "")
        number = self.queries.reference(gone)
        return t("done_gone", ref=number) if len(number) == 10 else t(f"done_{verb}")

    # The ticket

    async def ticket(
        self,
        request: Request,
        ref: str,
        who: SignedIn,
        status: int = 200,
        error: pages.Problem | None = None,
        verb: str = "",
        typed: Mapping[str, str] | None = None,
        unmasked: bool = False,
    ) -> Response:
        now, number = self.clock(), self.queries.reference(ref)

        def read() -> tuple[Any, Any]:
            whole = self.queries.ticket(number, who.staff, now)
            return whole, self.queries.staff_list() if whole else []

        whole, colleagues = await asyncio.to_thread(read)
        if whole is None:
            raise HTTPException(404)
        t, ticket = self.words(self.language(request, who.staff)), whole.ticket
        calendar = self.office.calendar(ticket.unit)
        made = forms.forms(
            ticket,
            who.staff,
            t,
            [c for c in colleagues if c.unit in (None, ticket.unit) and c.unit not in ticket.hidden_from],
            "" if whole.stopped else whole.channel,
            {verb: typed or {}} if verb else {},
            error.fields if error else {},
            (calendar.day_of(ticket.promise.due) + timedelta(days=1)).isoformat(),
        )
        problem = pages.problem(error, made, verb, typed or {}, ticket, t, calendar) if error else None
        boxes = await replies.page(self, whole, made, who, t, verb)
        made = boxes.pop("made")
        if problem and boxes["waiting"] and boxes["waiting"]["verb"] == verb:
            problem["kept"] = (typed or {}).get("text", "")  # its form is not there while it waits
        done = "" if replies.overtaken(request, boxes) else self.done(request, t)
        response = await self.page(
            request, "ticket.html", who, status,
            boxes=[f for f in made if f.verb in forms.BOXES],
            others=sorted((f for f in made if f.verb not in forms.BOXES), key=lambda f: f.verb != "resolve"),
            join="join" in ticket.allowed(who.staff.actor()) and not whole.live and bool(whole.channel) and not whole.stopped,
            leave=whole.live is not None and "leave" in ticket.allowed(who.staff.actor()),
            back=queue.back(request),
            take="assign" in ticket.allowed(who.staff.actor()) and ticket.staff != who.staff.id,
            done=(done or replies.undone(request, t)) if not error else "", **boxes, error=problem, shown=grouped(ticket.ref),
            **pages.ticket(
                whole, {c.id: c.name for c in colleagues}, t, self.office, now, self.carriers.price, who.staff.id, unmasked
            ),
        )  # fmt: skip
        await self.auth.audit_reading(who.staff.actor(), "read_ticket", [number])
        return response

    async def attachment(self, request: Request, id: str, who: SignedIn) -> Response:
        """A file of a ticket that the reader may see; every other is not there, whatever the reason."""

        def find() -> tuple[Attachment, Path] | None:
            found = self.queries.file(_number(id), who.staff)
            if found is None or found.sha256 is None:
                return None
            path = self.file_path(found.sha256)
            return (found, path) if path.is_file() else None

        found = await asyncio.to_thread(find)
        if found is None:
            return await self.error(request, 404, "error_not_there")
        await self.auth.audit_reading(who.staff.actor(), "read_file", [found[0].ref or ""], file=found[0].id)
        return attachments.answer(*found)

    async def change(self, request: Request, ref: str, verb: str, who: SignedIn) -> Response:
        """One verb, then back to the ticket with a line that says what happened; refused, with all that was typed."""
        form = await request.form()
        number = self.queries.reference(ref)
        whole = await asyncio.to_thread(self.queries.ticket, number, who.staff, self.clock())
        if whole is None or verb not in VERBS:
            raise HTTPException(404)
        typed = {k: v for k, v in form.items() if isinstance(v, str) and k not in replies.NOT_SAID}
        seen = str(form.get("seen", ""))
        version = int(seen) if seen.isdecimal() and len(seen) < 10 else None

        async def again(status: int, error: pages.Problem) -> Response:
            return await self.ticket(request, number, who, status, error, verb, typed)

        if any(len(value) > forms.LONGEST for value in typed.values()):
            return await again(422, pages.Problem("error_too_long"))
        if answer := await replies.not_sent(self, request, whole, verb, who, typed):
            return answer
        given = forms.said(verb, form, whole.ticket)
        if given.get("staff") == LEAST:
            given["staff"] = await asyncio.to_thread(bulk.least, self, whole.ticket) or ""
        if "staff" in given and given["staff"] not in [c.id for c in await asyncio.to_thread(self.queries.staff_list)]:
            return await again(422, pages.Problem("error_incomplete", {"staff": "error_field"}))
        try:
            waits, version = await asyncio.to_thread(replies.held, self, whole, verb, who.staff, given, version)
            if waits:
                return RedirectResponse(f"/desk/tickets/{number}", 303)
            ticket: Ticket = await asyncio.to_thread(
                self.act, number, verb, who.staff.actor(), given, staff=who.staff, seen=version
            )
        except UnknownTicket:
            raise HTTPException(404) from None
        except NotAllowed:
            return await again(409, pages.Problem("error_not_allowed"))
        except Waiting:
            return await again(409, pages.Problem("error_waits"))
        except Stale:
            return await again(409, pages.Problem("error_stale", since=version))
        except Incomplete as incomplete:
            return await again(
                422, pages.Problem("error_incomplete", dict.fromkeys(incomplete.missing, "error_required"))
            )
        except Wrong as wrong:
            return await again(422, pages.Problem("error_incomplete", {wrong.field: pages.why(wrong)}))
        except ValueError:
            return await again(422, pages.Problem("error_value"))
        except Unavailable:
            return await again(503, pages.Problem("error_unavailable"))
        if verb in BOXES:
            await asyncio.to_thread(self.writing.replies.drop, number, verb, who.staff)
        if not may_see(who.staff, ticket):
            return RedirectResponse(f"/desk?done={verb}&gone={number}", 303)
        return RedirectResponse(f"/desk/tickets/{number}?done={verb}", 303)


def _number(id: str) -> int:
    """The number of a row as an address names it; 0, which no row has, for everything else."""
    return int(id) if id.isascii() and id.isdecimal() and len(id) < 18 else 0
