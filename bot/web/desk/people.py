"""The people of the desk, for who manages them: who is there, who comes, who goes, and what each may do."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from bot.handlers.people import BadField, LastAdmin, OneselfOnly, People, Taken
from bot.storage.colleagues import Colleague, Colleagues
from bot.tickets.people import Role, Staff
from bot.web.auth import SignedIn, needs_second

if TYPE_CHECKING:
    from bot.web.desk.router import _Desk as Desk

_DONE = ("changed", "nothing", "factor", "out")


class Own(Protocol):
    """What everybody changes about themselves (`storage.directory`): each of them one transaction."""

    def own_password(self, who: Staff, password_hash: str, at: datetime) -> None: ...
    def own_language(self, who: Staff, language: str) -> None: ...
    def begin_factor(self, staff_id: str, secret: str) -> bool: ...
    def pending_factor(self, staff_id: str) -> str | None: ...
    def recovery_left(self, staff_id: str) -> int: ...
    def own_factor_on(self, who: Staff, secret: str, step: int, codes: Iterable[str], at: datetime) -> bool: ...
    def own_factor_off(self, who: Staff, at: datetime) -> None: ...


@dataclass(frozen=True)
class Accounts:
    """What the desk can do about accounts: the administrator's part, one's own, and reading."""

    people: People
    own: Own
    colleagues: Colleagues


def routes(desk: "Desk", router: APIRouter) -> None:
    """The administrator's doors, under the desk's prefix."""
    admin = Annotated[SignedIn, Depends(desk.auth.require(Role.ADMIN))]
    page = _People(desk)

    @router.get("/people")
    async def everybody(request: Request, who: admin) -> Response:
        return await page.everybody(request, who)

    @router.get("/people/new")
    async def new(request: Request, who: admin) -> Response:
        return await page.new(request, who)

    @router.post("/people")
    async def add(request: Request, who: admin) -> Response:
        return await page.add(request, who)

    @router.get("/people/{id}")
    async def one(request: Request, id: str, who: admin) -> Response:
        return await page.one(request, id, who)

    @router.post("/people/{id}")
    async def change(request: Request, id: str, who: admin) -> Response:
        return await page.change(request, id, who)

    @router.post("/people/{id}/password")
    async def password(request: Request, id: str, who: admin) -> Response:
        return await page.password(request, id, who)

    @router.post("/people/{id}/second-factor")
    async def factor(request: Request, id: str, who: admin) -> Response:
        return await page.done(request, id, who, "factor", page.people.reset_second_factor)

    @router.post("/people/{id}/sign-out")
    async def sign_out(request: Request, id: str, who: admin) -> Response:
        return await page.done(request, id, who, "out", page.people.sign_out)


class _People:
    def __init__(self, desk: "Desk") -> None:
        self.desk, self.people, self.colleagues = desk, desk.accounts.people, desk.accounts.colleagues

    async def everybody(self, request: Request, who: SignedIn) -> Response:
        t, now, zone = self._t(request, who), self.desk.clock(), self.desk.office.calendar("").zone
        found = await asyncio.to_thread(self.colleagues.everybody)
        rows = [
            {
                "id": each.staff.id, "name": each.staff.name, "email": each.staff.email, "active": each.staff.active,
                "role": t(f"role_{each.staff.role}"), "unit": t.name("unit", each.staff.unit) or t("unit_none"),
                "sees_all": each.staff.sees_all, "factor": _factor(each), "must_change": each.must_change,
                "seen": t.time(each.last_seen, zone, now) if each.last_seen else t("never_seen"),
            }
            for each in found
        ]  # fmt: skip
        return await self.desk.page(request, "people.html", who, rows=rows)

    async def new(
        self, request: Request, who: SignedIn, status: int = 200, typed: Mapping[str, Any] | None = None, **errors: str
    ) -> Response:
        given = {"name": "", "email": "", "role": Role.AGENT, "unit": "", "sees_all": False, **(typed or {})}
        return await self._form(request, who, "person_new.html", status, given, errors)

    async def add(self, request: Request, who: SignedIn) -> Response:
        """Somebody new; the page that answers is the only one that ever shows the password."""
        given = _given(await request.form())
        try:
            person, password = await asyncio.to_thread(self.people.add, given, who.staff)
        except BadField as bad:
            return await self.new(request, who, 422, given, **{bad.field: _why(bad)})
        except Taken:
            return await self.new(request, who, 422, given, email="error_taken")
        return await self.desk.page(request, "person_password.html", who, person=person, password=password)

    async def one(
        self,
        request: Request,
        id: str,
        who: SignedIn,
        status: int = 200,
        why: str = "",
        typed: Mapping[str, Any] | None = None,
        **errors: str,
    ) -> Response:
        person, t = await self._person(id), self._t(request, who)
        live = await asyncio.to_thread(self.colleagues.live_tickets, id)
        staff, done = person.staff, request.query_params.get("done", "")
        given: dict[str, Any] = {
            "name": staff.name, "email": staff.email, "role": staff.role, "unit": staff.unit or "",
            "sees_all": staff.sees_all, "active": staff.active,
        }  # fmt: skip
        return await self._form(
            request, who, "person.html", status, given | dict(typed or {}), errors, person=person, oneself=id == who.staff.id,
            error=t(why) if why else "", done=t(f"people_done_{done}") if done in _DONE and not why and not errors else "",
            factor=_factor(person), live=t("live_tickets" if staff.active else "live_tickets_left", n=live) if live else "",
        )  # fmt: skip

    async def change(self, request: Request, id: str, who: SignedIn) -> Response:
        person, form = await self._person(id), await request.form()
        given = _given(form) | {"active": "active" in form}
        if id == who.staff.id:  # whose form does not ask for these
            given = {k: v for k, v in given.items() if k not in ("role", "active") or k in form}
        given.pop("email")
        try:
            changed = await asyncio.to_thread(self.people.change, person.staff, given, who.staff)
        except BadField as bad:
            return await self.one(request, id, who, 422, typed=given, **{bad.field: _why(bad)})
        except LastAdmin:
            return await self.one(request, id, who, 409, "error_last_admin", typed=given)
        except OneselfOnly:
            return await self.one(request, id, who, 409, "error_oneself")
        return RedirectResponse(f"/desk/people/{id}?done={'changed' if changed else 'nothing'}", 303)

    async def password(self, request: Request, id: str, who: SignedIn) -> Response:
        """A new password for one sign-in; the page that answers is the only one that ever shows it."""
        person = (await self._person(id)).staff
        try:
            password = await asyncio.to_thread(self.people.reset_password, person, who.staff)
        except OneselfOnly:
            return await self.one(request, id, who, 409, "error_oneself")
        return await self.desk.page(request, "person_password.html", who, person=person, password=password)

    async def done(
        self, request: Request, id: str, who: SignedIn, name: str, act: Callable[[Staff, Staff], object]
    ) -> Response:
        """Something that needs no more than the person; then back to their page with a line that says it."""
        person = (await self._person(id)).staff
        try:
            await asyncio.to_thread(act, person, who.staff)
        except OneselfOnly:
            return await self.one(request, id, who, 409, "error_oneself")
        return RedirectResponse(f"/desk/people/{id}?done={name}", 303)

    async def _form(
        self,
        request: Request,
        who: SignedIn,
        template: str,
        status: int,
        given: Mapping[str, Any],
        errors: Mapping[str, str],
        **more: Any,
    ) -> Response:
        t = self._t(request, who)
        return await self.desk.page(
            request, template, who, status, given=given, errors={name: t(why) for name, why in errors.items()},
            roles=[(role, t(f"role_{role}")) for role in Role], units=t.choices("unit"), **more,
        )  # fmt: skip

    async def _person(self, id: str) -> Colleague:
        found = await asyncio.to_thread(self.colleagues.one, id)
        if found is None:
            raise HTTPException(404, "error_not_there")
        return found

    def _t(self, request: Request, who: SignedIn) -> Any:
        return self.desk.words(self.desk.language(request, who.staff))


def _given(form: FormData) -> dict[str, Any]:
    """The fields of a person's form: what is no text is nothing."""
    texts = {name: form.get(name) for name in ("name", "email", "role", "unit")}
    given: dict[str, Any] = {k: v[:1000].replace("\0", "") if isinstance(v, str) else "" for k, v in texts.items()}
    return given | {"sees_all": "sees_all" in form}


def _factor(person: Colleague) -> str:
    """The name of the sentence that says how it stands with the second factor."""
    if person.second_factor:
        return "factor_is_on"
    return "factor_is_owed" if needs_second(person.staff) else "factor_is_off"


def _why(bad: BadField) -> str:
    return {"name": "error_name", "email": "error_email"}.get(bad.field, "error_field")
