"""/desk/new: a clerk files what came by telephone, letter, e-mail or at the counter."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from bot.handlers.contacts import BENEFICIARIES, SOURCES, Contact, Logged
from bot.handlers.house import UnknownTicket
from bot.handlers.ports import Unavailable
from bot.tickets.lifecycle import AGENTS
from bot.tickets.people import may_see
from bot.tickets.reference import shown as grouped
from bot.tickets.reference import shown_receipt
from bot.tickets.taxonomy import LANGUAGES
from bot.tickets.ticket import NotAllowed, Ticket, Wrong
from bot.web.auth import SignedIn
from bot.web.desk.forms import LONGEST, Field
from bot.web.desk.masking import first_words
from bot.web.desk.words import Choice, Words

if TYPE_CHECKING:
    from bot.web.desk.router import _Desk as Desk

ReadOut = Callable[[str, Mapping[str, Any], Sequence[Mapping[str, Any]], str], tuple[str, Any]]
"""name, params, no buttons, language → a sentence as its person gets it."""
ASKED = ("text", "source", "kind", "category")
"""What no filing can do without."""
_ORDER = (
    "source", "text", "kind", "category", "subcategory", "service", "language", "beneficiary_type",
)  # fmt: skip
_TICKS = ("on_behalf", "confidential")
_KEY = range(16, 101)
"""How long the word is that makes a form once-only."""


def routes(desk: "Desk", router: APIRouter) -> None:
    worker = Annotated[SignedIn, Depends(desk.auth.require(*AGENTS))]

    @router.get("/new")
    async def new(request: Request, who: worker) -> Response:
        return await _form(desk, request, who, {"language": "ar"})

    @router.post("/new")
    async def file(request: Request, who: worker) -> Response:
        return await _file(desk, request, who)


async def _file(desk: "Desk", request: Request, who: SignedIn) -> Response:
    """Filed, added to an open ticket, or asked again with all that was typed."""
    typed = {k: v.replace("\0", "") for k, v in (await request.form()).items() if isinstance(v, str) and k != "csrf"}
    missing = {name: "error_required" for name in ASKED if not typed.get(name, "").strip()}
    if any(len(value) > LONGEST for value in typed.values()):
        return await _form(desk, request, who, typed, 422, "error_too_long")
    if missing or len(typed.get("key", "")) not in _KEY:
        return await _form(desk, request, who, typed, 422, "error_incomplete", missing)
    said, key, to = _contact(typed), typed["key"], typed.get("to", "")
    try:
        if to not in ("", "new"):
            return await _add(desk, who, to, said.text, key)
        done: Logged | list[Ticket] = await asyncio.to_thread(_log, desk, who, said, key, to == "new")
    except Wrong as wrong:
        why = "error_phone" if wrong.field == "phone" else "error_field"
        return await _form(desk, request, who, typed, 422, "error_incomplete", {wrong.field: why})
    except (UnknownTicket, NotAllowed):
        return await _form(desk, request, who, typed, 409, "error_not_allowed")
    except Unavailable:
        return await _form(desk, request, who, typed, 503, "error_unavailable")
    if isinstance(done, list):
        return await _form(desk, request, who, typed, same=done)
    return await _filed(desk, request, who, done)


def _log(desk: "Desk", who: SignedIn, said: Contact, key: str, anyway: bool) -> Logged | list[Ticket]:
    """The filing; or the open tickets on the same matter that it may belong to."""
    known = desk.contacts.again(who.staff, key)
    same = [] if known or anyway else desk.contacts.same(said, who.staff)
    return known or same or desk.contacts.log(said, who.staff, key)


async def _add(desk: "Desk", who: SignedIn, ref: str, text: str, key: str) -> Response:
    number = desk.queries.reference(ref)
    await asyncio.to_thread(
        desk.act, number, "add", who.staff.actor(), {"text": text}, staff=who.staff, key=f"log {key}"
    )
    return RedirectResponse(f"/desk/tickets/{number}?done=add", 303)


def _contact(typed: Mapping[str, str]) -> Contact:
    given = {name: typed.get(name, "").strip() for name in (*_ORDER, "phone")}
    text = given.pop("text").replace("\r\n", "\n")
    said = Contact(text=text, **given, **{name: name in typed for name in _TICKS})  # type: ignore[arg-type]
    return replace(said, language=said.language or "ar")


async def _form(
    desk: "Desk",
    request: Request,
    who: SignedIn,
    typed: Mapping[str, str],
    status: int = 200,
    error: str = "",
    errors: Mapping[str, str] = {},
    same: Sequence[Ticket] = (),
) -> Response:
    t = desk.words(desk.language(request, who.staff))
    key = typed.get("key", "")
    return await desk.page(
        request, "new.html", who, status,
        fields=[_field(name, typed, errors, t) for name in _ORDER], phone=_field("phone", typed, errors, t),
        ticks=[(name, t(f"new_{name}"), name in typed) for name in _TICKS],
        key=key if len(key) in _KEY else token_urlsafe(24),
        error=t(error) if error else "",
        errors=[(name, t(f"new_{name}"), t(why)) for name, why in errors.items()],
        same=[{"ref": each.ref, "shown": grouped(each.ref), "first": first_words(each.text, each.flags, t)} for each in same],
    )  # fmt: skip


def _field(name: str, typed: Mapping[str, str], errors: Mapping[str, str], t: Words) -> Field:
    return Field(
        name=name, label=t(f"new_{name}"), how="words" if name == "text" else "menu", required=name in ASKED,
        value=typed.get(name, ""), choices=_choices(name, t), error=t(errors[name]) if name in errors else "",
    )  # fmt: skip


def _choices(name: str, t: Words) -> Sequence[Choice]:
    own = {"source": SOURCES, "language": LANGUAGES, "beneficiary_type": BENEFICIARIES}
    if name in own:
        start = "beneficiary" if name == "beneficiary_type" else name
        return [Choice(id, t(f"{start}_{id}")) for id in own[name]]
    return t.choices(name) if name in ("kind", "category", "subcategory", "service") else ()


async def _filed(desk: "Desk", request: Request, who: SignedIn, done: Logged) -> Response:
    """What the clerk reads out: reference, receipt code and date in the person's language; the code only now."""
    t, it = desk.words(desk.language(request, who.staff)), done.ticket
    spoken = desk.read_out(done.filed.name, done.filed.params, (), it.language)[0] if done.receipt else ""
    zone = desk.office.calendar(it.unit).zone
    return await desk.page(
        request, "logged.html", who,
        ref=it.ref, shown=grouped(it.ref), receipt=shown_receipt(done.receipt) if done.receipt else "",
        spoken=spoken, language=it.language, rtl=it.language == "ar", unit=t.name("unit", it.unit),
        due=t("promised_until", due=it.promise.due.astimezone(zone).isoformat()),
        told=t(f"logged_told_{done.told}") if done.told else t(f"logged_not_told_{done.why_not}"), is_told=bool(done.told),
        danger=t("logged_danger", number=done.danger) if done.danger else "",
        confidential="confidential" in it.flags, may_open=may_see(who.staff, it),
    )  # fmt: skip
