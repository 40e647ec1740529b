"""What everybody does about their own account: the second page of signing in, the password, the second factor, the language."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from bot.tickets.people import Role, Staff
from bot.web import totp
from bot.web.auth import (
    LONGEST_PASSWORD,
    NEEDS_SECOND,
    SHORTEST_PASSWORD,
    Admitted,
    Duty,
    Owed,
    SignedIn,
    WaitFirst,
    csrf_of,
    hash_password,
    needs_second,
    public,
)
from bot.web.desk.words import LANGUAGE_COOKIE, LANGUAGES

if TYPE_CHECKING:
    from bot.web.desk.router import _Desk as Desk

DUTIES: Mapping[Duty, str] = {"password": "/desk/me", "second_factor": "/desk/me/second-factor"}
"""Where who owes something is led to."""


def home(staff: Staff, after: str = "/desk") -> str:
    """Where somebody begins: who manages people has no list of tickets."""
    return "/desk/people" if after == "/desk" and staff.role == Role.ADMIN else after


def go_on(desk: "Desk", admitted: Admitted, after: str) -> Response:
    """After a right password: to the desk, or to the page that asks for the code."""
    if admitted.half:
        response = RedirectResponse(f"/desk/login/code?next={after}", 303)
        desk.auth.set_cookie(response, desk.auth.half_cookie, admitted.token)
        return response
    response = RedirectResponse(home(admitted.staff, after), 303)
    desk.auth.set_cookie(response, desk.auth.cookie, admitted.token)
    return response


def routes(desk: "Desk", router: APIRouter) -> None:
    """The doors of one's own account, under the desk's prefix."""
    mine = Annotated[SignedIn, Depends(desk.auth.require(*Role, owing=True))]
    page = _Mine(desk)

    @router.get("/login/code")
    @public
    async def code(request: Request) -> Response:
        return await page.code(request)

    @router.post("/login/code")
    @public
    async def finish(request: Request) -> Response:
        return await page.finish(request)

    @router.get("/me")
    async def me(request: Request, who: mine) -> Response:
        return await page.me(request, who)

    @router.post("/me/password")
    async def password(request: Request, who: mine) -> Response:
        return await page.password(request, who)

    @router.post("/me/language")
    async def language(request: Request, who: mine) -> Response:
        return await page.language(request, who)

    @router.get("/me/second-factor")
    async def factor(request: Request, who: mine) -> Response:
        return await page.factor(request, _password_first(who))

    @router.post("/me/second-factor/start")
    async def start(request: Request, who: mine) -> Response:
        return await page.start(_password_first(who))

    @router.post("/me/second-factor/confirm")
    async def confirm(request: Request, who: mine) -> Response:
        return await page.confirm(request, _password_first(who))

    @router.post("/me/second-factor/off")
    async def off(request: Request, who: mine) -> Response:
        return await page.off(request, _password_first(who))


def _password_first(who: SignedIn) -> SignedIn:
    """Raises Owed: a password that somebody else knows opens no second factor."""
    if who.owes == "password":
        raise Owed("password")
    return who


class _Mine:
    def __init__(self, desk: "Desk") -> None:
        self.desk, self.auth, self.own = desk, desk.auth, desk.accounts.own

    # The second page of signing in

    async def code(self, request: Request, status: int = 200, why: str = "", after: str = "") -> Response:
        """Six digits, please; raises SignInNeeded for who has given no password."""
        half = request.cookies.get(self.auth.half_cookie, "")
        await self.auth.half(half)
        t = self.desk.words(self.desk.language(request))
        after = after or request.query_params.get("next", "")
        return await self.desk.page(
            request, "code.html", None, status, error=t(why) if why else "", word=csrf_of(half), next=after[:100]
        )

    async def finish(self, request: Request) -> Response:
        half = request.cookies.get(self.auth.half_cookie, "")
        await self.auth.check_form(request, csrf_of(half))
        form = await _typed(request, "code", "recovery", "next")
        try:
            admitted = await self.auth.finish(
                half, _address(request), code=form["code"], recovery=form["recovery"],
                old_token=request.cookies.get(self.auth.cookie, ""),
            )  # fmt: skip
        except WaitFirst:
            return _later(await self.code(request, 429, "error_wait", form["next"]))
        if admitted is None:
            return await self.code(request, 401, "error_code", form["next"])
        response = go_on(self.desk, admitted, self.desk.next(form["next"]))
        self.auth.drop_cookie(response, self.auth.half_cookie)
        return response

    # The account

    async def me(self, request: Request, who: SignedIn, status: int = 200, **errors: str) -> Response:
        """The account as it is; `errors` name the sentences at the fields of the password."""
        t = self.desk.words(self.desk.language(request, who.staff))
        done = request.query_params.get("done", "")
        return await self.desk.page(
            request, "me.html", who, status, errors={name: t(why, n=SHORTEST_PASSWORD) for name, why in errors.items()},
            shortest=SHORTEST_PASSWORD, longest=LONGEST_PASSWORD, languages=LANGUAGES, required=needs_second(who.staff),
            done=t(f"me_done_{done}") if done in ("password", "language", "factor_off") and not errors else "",
        )  # fmt: skip

    async def password(self, request: Request, who: SignedIn) -> Response:
        """Another password: every other browser is signed out, and this one has a new session."""
        form = await _typed(request, "old", "new", "again", longest=LONGEST_PASSWORD + 1)
        if not form["old"]:
            return await self.me(request, who, 422, old="error_required")
        try:
            right = await self.auth.prove_password(who.staff, form["old"], _address(request))
        except WaitFirst:
            return _later(await self.me(request, who, 429, old="error_wait"))
        if not right:
            return await self.me(request, who, 422, old="error_password")
        if why := unfit(form["new"], form["old"], who.staff):
            return await self.me(request, who, 422, new=why)
        if form["new"] != form["again"]:
            return await self.me(request, who, 422, again="error_again")

        def change() -> None:
            self.own.own_password(who.staff, hash_password(form["new"]), self.desk.clock())

        await asyncio.to_thread(change)
        return await self._renewed(who, "/desk/me?done=password")

    async def language(self, request: Request, who: SignedIn) -> Response:
        language = (await _typed(request, "language"))["language"]
        if language not in LANGUAGES:
            return await self.me(request, who, 422)
        await asyncio.to_thread(self.own.own_language, who.staff, language)
        response = RedirectResponse("/desk/me?done=language", 303)
        self.auth.set_cookie(response, LANGUAGE_COOKIE, language)
        return response

    # The second factor

    async def factor(self, request: Request, who: SignedIn, status: int = 200, why: str = "") -> Response:
        """On: how many recovery codes are left. Off: how to turn it on, with the QR code once it was begun."""
        staff = who.staff

        def read() -> tuple[str, int]:
            pending = "" if who.second_factor else self.own.pending_factor(staff.id) or ""
            return pending, self.own.recovery_left(staff.id) if who.second_factor else 0

        pending, left = await asyncio.to_thread(read)
        t = self.desk.words(self.desk.language(request, staff))
        picture = totp.picture(totp.uri(pending, staff.email, "Sawt"), t("factor_picture")) if pending else ""
        return await self.desk.page(
            request, "factor.html", who, status, error=t(why) if why else "", left=left, secret=totp.grouped(pending),
            picture=Markup(picture), required=staff.role in NEEDS_SECOND,
        )  # fmt: skip

    async def start(self, who: SignedIn) -> Response:
        """A new secret waits for its first code; one that is on stays as it is."""
        await asyncio.to_thread(self.own.begin_factor, who.staff.id, totp.new_secret())
        return RedirectResponse("/desk/me/second-factor", 303)

    async def confirm(self, request: Request, who: SignedIn) -> Response:
        """The second factor is on; the recovery codes are shown this once, and other browsers are signed out."""
        code, now, codes = (await _typed(request, "code"))["code"], self.desk.clock(), totp.recovery_codes()

        def turn_on() -> bool:
            secret = self.own.pending_factor(who.staff.id)
            step = totp.step_of(secret, code, now) if secret else None
            return (
                secret is not None and step is not None and self.own.own_factor_on(who.staff, secret, step, codes, now)
            )

        if not await asyncio.to_thread(turn_on):
            return await self.factor(request, who, 422, "error_code")
        token = await self.auth.renew(who)
        after = home(who.staff)
        shown = await self.desk.page(
            request, "recovery.html", SignedIn(who.staff, token, second_factor=True), codes=codes, after=after
        )
        self.auth.set_cookie(shown, self.auth.cookie, token)
        return shown

    async def off(self, request: Request, who: SignedIn) -> Response:
        """By password and code, for who needs none."""
        form = await _typed(request, "password", "code", longest=LONGEST_PASSWORD)
        if who.staff.role in NEEDS_SECOND:
            return await self.factor(request, who, 409, "error_factor_required")
        if not who.second_factor or not form["password"] or not form["code"]:
            return await self.factor(request, who, 422, "error_password_or_code")
        try:
            right = await self.auth.prove_password(who.staff, form["password"], _address(request))
            right = right and await self.auth.prove_code(who.staff, form["code"], _address(request))
        except WaitFirst:
            return _later(await self.factor(request, who, 429, "error_wait"))
        if not right:
            return await self.factor(request, who, 422, "error_password_or_code")
        await asyncio.to_thread(self.own.own_factor_off, who.staff, self.desk.clock())
        return await self._renewed(who, "/desk/me?done=factor_off")

    async def _renewed(self, who: SignedIn, path: str) -> Response:
        response = RedirectResponse(path, 303)
        self.auth.set_cookie(response, self.auth.cookie, await self.auth.renew(who))
        return response


def unfit(new: str, old: str, staff: Staff) -> str:
    """The sentence that says why this is no password; '' for one that will do. Length is all that is asked."""
    if len(new) < SHORTEST_PASSWORD:
        return "error_password_short"
    if len(new) > LONGEST_PASSWORD:
        return "error_too_long"
    if new == old or new.strip().casefold() == staff.email.casefold():
        return "error_password_same"
    return ""


async def _typed(request: Request, *names: str, longest: int = 200) -> dict[str, str]:
    form = await request.form()
    given = {name: form.get(name) for name in names}
    return {name: value[:longest] if isinstance(value, str) else "" for name, value in given.items()}


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _later(response: Response) -> Response:
    response.headers["Retry-After"] = "60"
    return response
