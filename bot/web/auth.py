"""Who is at the door: staff by a session, programs by a token.

Everything is denied unless a route says who may use it (`require`, `require_scopes`), and a router
whose route says nothing does not mount (`all_guarded`). Secrets are random, and only their hashes are stored.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from bot.handlers.ports import Clock, Unavailable
from bot.tickets.people import Actor, Role, Staff
from bot.web import totp
from bot.web.security import Origins

log = structlog.get_logger("sawt.web")

IDLE = timedelta(hours=8)
ABSOLUTE = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)
"""How stale a session's last use may be in the database: not every page is a write."""

FREE_TRIES = 5
"""Wrong passwords for one account from one address before the waiting starts."""
FREE_TRIES_ADDRESS = 20
"""The same for one network address: a whole office may sit behind it."""
FREE_TRIES_ACCOUNT = 100
"""The same for one account from all addresses: nobody locks a colleague out by guessing from elsewhere."""
LONGEST_WAIT = timedelta(minutes=1)
"""Long enough against guessing, short enough that nobody can keep a clerk out of her account."""
REMEMBERED = timedelta(minutes=15)

HALF = timedelta(minutes=5)
"""Between the password and the code of the second factor."""
NEEDS_SECOND = frozenset({Role.SUPERVISOR, Role.MANAGER, Role.OVERSIGHT, Role.ADMIN})
"""Who must have a second factor."""
SEEDED = "s-"
"""Ids of a development start's people (bot/seeding.py), who need none until they have one."""
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 1000

Duty = Literal["", "password", "second_factor"]

SCOPES = ("tickets:read", "tickets:write", "confidential")

_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # OWASP's profile for Argon2id


class Account(Protocol):
    """A member of staff and what proves that it is them."""

    @property
    def staff(self) -> Staff: ...
    @property
    def password_hash(self) -> str: ...
    @property
    def totp_secret(self) -> str | None: ...


class Session(Protocol):
    """One browser of one member of staff, who is as they are now, not as they were when they signed in."""

    @property
    def staff(self) -> Staff: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def seen_at(self) -> datetime: ...
    @property
    def second_factor(self) -> bool: ...
    @property
    def must_change(self) -> bool: ...


class Program(Protocol):
    """A program's key. `id` is an audit name, never the key itself."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def scopes(self) -> Iterable[str]: ...


class Doors(Protocol):
    """What is needed of storage (`storage.doors`), which keeps only keyed hashes of tokens."""

    def staff_by_email(self, email: str) -> Account | None: ...
    def session(self, token: str, now: datetime) -> Session | None: ...
    def open_session(self, token: str, staff_id: str, at: datetime, expires_at: datetime) -> None: ...
    def touch_session(self, token: str, at: datetime, expires_at: datetime | None = None) -> None: ...
    def close_session(self, token: str) -> None: ...
    def close_sessions_of(self, staff_id: str) -> int: ...
    def open_half(self, token: str, staff_id: str, at: datetime, expires_at: datetime) -> None: ...
    def half(self, token: str, now: datetime) -> Account | None: ...
    def close_half(self, token: str) -> bool: ...
    def staff(self, id: str) -> Account | None: ...
    def use_code(self, staff_id: str, step: int) -> bool: ...
    def use_recovery(self, staff_id: str, code: str) -> bool: ...
    def api_token(self, token: str) -> Program | None: ...

    def guesses(self, who: str, since: datetime) -> int:
        """How often `who` (the hash of an account or of an address) gave a wrong password since then."""

    def guessed(self, who: Iterable[str], at: datetime) -> None: ...

    def audit(self, by: Actor, what: str, at: datetime, ref: str | None = None, **details: Any) -> None: ...
    def audit_reading(self, by: Actor, what: str, at: datetime, refs: Iterable[str], **details: Any) -> None: ...


@dataclass(frozen=True)
class Token:
    """A program that is at the door."""

    id: str
    name: str
    scopes: frozenset[str]

    def actor(self) -> Actor:
        return Actor("program", self.id, self.name)


class SignInNeeded(Exception):
    """Nobody is signed in, or the session has ended."""


class Forbidden(Exception):
    """Somebody is there, and may not. `why` names a sentence of the desk's catalogue."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Owed(Exception):
    """Somebody is there who must first choose a password, or have a second factor; nothing else is open to them."""

    def __init__(self, duty: Duty) -> None:
        super().__init__(duty)
        self.duty = duty


class TokenRefused(Exception):
    """A program without a token that opens this door; `missing` is a scope, or empty where the token is unknown."""

    def __init__(self, missing: str = "") -> None:
        super().__init__(missing or "unknown token")
        self.missing = missing


class NotWritten(Unavailable):
    """That somebody reads could not be written down, so nothing is shown: reading unlogged is not allowed."""


class WaitFirst(Exception):
    """Too many wrong passwords; nothing was checked."""


@dataclass(frozen=True)
class SignedIn:
    """A member of staff in a session, and the word that its forms must carry. `owes` is what must be done first."""

    staff: Staff
    token: str
    second_factor: bool = False
    owes: Duty = ""

    @property
    def csrf(self) -> str:
        return csrf_of(self.token)


@dataclass(frozen=True)
class Admitted:
    """A right password: the token of a session, or of half of one where a code is still needed."""

    staff: Staff
    token: str
    half: bool = False


def needs_second(staff: Staff) -> bool:
    """True where the role must have a second factor. Seeded people are exempt until they have one."""
    return staff.role in NEEDS_SECOND and not staff.id.startswith(SEEDED)


def _owes(session: Session) -> Duty:
    if session.must_change:
        return "password"
    return "second_factor" if needs_second(session.staff) and not session.second_factor else ""


def csrf_of(token: str) -> str:
    """A word that only who holds the cookie's token can name; nothing is stored for it."""
    return sha256(b"csrf " + token.encode()).hexdigest()


def _hidden(who: str) -> str:
    """A name under which wrong passwords are counted, without the address or the account in it."""
    return "desk " + sha256(who.encode()).hexdigest()


def _keys(email: str, address: str) -> dict[str, int]:
    """What a wrong password is counted under, and how many are free."""
    account = email.strip().casefold()
    return {
        _hidden(f"account {account} {address}"): FREE_TRIES,
        _hidden(f"account {account}"): FREE_TRIES_ACCOUNT,
        _hidden(f"address {address}"): FREE_TRIES_ADDRESS,
    }


def hash_password(password: str) -> str:
    """Argon2id, salted: what an account keeps of its password."""
    return _hasher.hash(password)


_NOBODY = _hasher.hash(token_urlsafe(16))


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (Argon2Error, InvalidHashError):
        return False


class Auth:
    """The doors of the desk and of the program API."""

    def __init__(self, doors: Doors, clock: Clock, public_url: str) -> None:
        self._doors, self._clock = doors, clock
        self.secure = urlsplit(public_url).scheme == "https"
        self._origins = Origins(public_url)  # the desk's own pages only, whoever may embed the chat
        self._one_at_a_time = asyncio.Lock()
        prefix = "__Host-" if self.secure else ""
        self.cookie = f"{prefix}sawt_desk"
        self.half_cookie = f"{prefix}sawt_half"
        self.form_cookie = f"{prefix}sawt_form"
        """Ties the sign-in form to the browser that asked for it, before there is a session."""

    # Staff

    async def sign_in(self, email: str, password: str, address: str, old_token: str = "") -> Admitted | None:
        """A new session, or half of one; None for a wrong pair: whether the account exists does not show.

        The session that the browser had before is closed, so a token known to others is worth nothing afterwards.
        """
        async with self._one_at_a_time:  # a thousand guesses at once are counted like a thousand in a row
            return await asyncio.to_thread(self._sign_in, email, password, address, old_token)

    def _sign_in(self, email: str, password: str, address: str, old_token: str) -> Admitted | None:
        now, keys = self._clock(), _keys(email, address)
        self._wait(keys, now)
        account = self._doors.staff_by_email(email)
        right = _matches((account and account.password_hash) or _NOBODY, password)
        if account is None or not right or not account.staff.active:
            self._doors.guessed(keys, now)
            if account is not None:
                self._doors.audit(Actor("staff", account.staff.id, account.staff.name), "sign_in_failed", now)
            return None
        token = token_urlsafe(32)
        if account.totp_secret is not None:
            self._doors.open_half(token, account.staff.id, now, now + HALF)
            return Admitted(account.staff, token, half=True)
        return self._admit(account.staff, token, old_token, now)

    def _admit(self, staff: Staff, token: str, old_token: str, now: datetime) -> Admitted:
        if old_token:
            self._doors.close_session(old_token)
        self._doors.open_session(token, staff.id, now, now + IDLE)
        self._doors.audit(staff.actor(), "signed_in", now)
        return Admitted(staff, token)

    async def half(self, token: str) -> Staff:
        """Who has given a password and owes a code; raises SignInNeeded."""
        account = await asyncio.to_thread(self._doors.half, token, self._clock()) if token else None
        if account is None or account.totp_secret is None:
            raise SignInNeeded
        return account.staff

    async def finish(
        self, half: str, address: str, *, code: str = "", recovery: str = "", old_token: str = ""
    ) -> Admitted | None:
        """The whole session for half of one and a right code, which is used up; None for a wrong one.

        Raises SignInNeeded where the half is over, WaitFirst after too many wrong codes.
        """
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._finish, half, address, code, recovery, old_token)

    def _finish(self, half: str, address: str, code: str, recovery: str, old_token: str) -> Admitted | None:
        now = self._clock()
        account = self._doors.half(half, now)
        if account is None or account.totp_secret is None:
            raise SignInNeeded
        if not self._proven(account, address, now, code, recovery):
            self._doors.audit(account.staff.actor(), "sign_in_failed", now)
            return None
        if not self._doors.close_half(half):  # somebody was faster with the same half
            raise SignInNeeded
        return self._admit(account.staff, token_urlsafe(32), old_token, now)

    def _proven(self, account: Account, address: str, now: datetime, code: str, recovery: str = "") -> bool:
        """True for a code that nobody has used; a wrong one counts like a wrong password, and for the account itself."""
        staff = account.staff
        keys = {**_keys(staff.email, address), _hidden(f"code {staff.id}"): FREE_TRIES}
        self._wait(keys, now)
        step = totp.step_of(account.totp_secret or "", code, now) if code and not recovery else None
        if step is not None and self._doors.use_code(staff.id, step):
            return True
        if recovery and self._doors.use_recovery(staff.id, totp.plain_recovery(recovery)):
            return True
        self._doors.guessed(keys, now)
        return False

    async def prove_password(self, staff: Staff, password: str, address: str) -> bool:
        """True for the password of who is signed in; guessing is counted as at the door. Raises WaitFirst."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._prove_password, staff, password, address)

    def _prove_password(self, staff: Staff, password: str, address: str) -> bool:
        now, keys = self._clock(), _keys(staff.email, address)
        self._wait(keys, now)
        account = self._doors.staff(staff.id)
        if account is not None and _matches(account.password_hash or _NOBODY, password):
            return True
        self._doors.guessed(keys, now)
        return False

    async def prove_code(self, staff: Staff, code: str, address: str) -> bool:
        """True for a fresh code of who is signed in, which is used up. Raises WaitFirst."""

        def prove() -> bool:
            account = self._doors.staff(staff.id)
            return (
                account is not None
                and bool(account.totp_secret)
                and self._proven(account, address, self._clock(), code)
            )

        async with self._one_at_a_time:
            return await asyncio.to_thread(prove)

    async def renew(self, who: SignedIn) -> str:
        """The token of a new session; every other of this person is closed."""

        def renew() -> str:
            self._doors.close_sessions_of(who.staff.id)
            return self._admit(who.staff, token_urlsafe(32), "", self._clock()).token

        return await asyncio.to_thread(renew)

    def _wait(self, keys: Mapping[str, int], now: datetime) -> None:
        """After so many wrong ones each further try has to wait twice as long as the one before. Raises WaitFirst."""
        for who, free in keys.items():
            over = self._doors.guesses(who, now - REMEMBERED) - free
            if over < 0:
                continue
            pause = min(timedelta(seconds=2 ** min(over, 10)), LONGEST_WAIT)
            if self._doors.guesses(who, now - pause):
                raise WaitFirst

    async def sign_out(self, token: str) -> None:
        """The session is closed: the cookie opens nothing any more, wherever it was copied to."""
        await asyncio.to_thread(self._sign_out, token)

    def _sign_out(self, token: str) -> None:
        now = self._clock()
        session = self._doors.session(token, now)
        self._doors.close_session(token)
        if session is not None:
            self._doors.audit(session.staff.actor(), "signed_out", now)

    # What is written down

    async def audit(self, by: Actor, what: str, ref: str | None = None, **details: Any) -> None:
        """It is in the audit, or NotWritten: do it before what it tells of is shown."""
        await asyncio.to_thread(self._written, self._doors.audit, by, what, self._clock(), ref, **details)

    async def audit_reading(self, by: Actor, what: str, refs: Iterable[str], **details: Any) -> None:
        """That `by` reads these tickets is in the audit, once in ten minutes, or NotWritten: then show nothing."""
        await asyncio.to_thread(self._written, self._doors.audit_reading, by, what, self._clock(), refs, **details)

    def _written(self, write: Callable[..., None], *given: Any, **details: Any) -> None:
        try:
            write(*given, **details)
        except Exception as error:
            log.warning("the audit could not be written", error=type(error).__name__)
            raise NotWritten("the audit could not be written") from error

    async def signed_in(self, request: Request) -> SignedIn:
        """Who is signed in; raises SignInNeeded. Role, unit and whether they are active are read anew each time."""
        token = request.cookies.get(self.cookie, "")
        if not token:
            raise SignInNeeded
        return await asyncio.to_thread(self._signed_in, token)

    def _signed_in(self, token: str) -> SignedIn:
        now = self._clock()
        session = self._doors.session(token, now)
        if session is None or not session.staff.active or now - session.created_at > ABSOLUTE:
            raise SignInNeeded
        if now - session.seen_at > SEEN_EVERY:
            self._doors.touch_session(token, now, min(now + IDLE, session.created_at + ABSOLUTE))
        return SignedIn(session.staff, token, session.second_factor, _owes(session))

    def require(self, *roles: Role, owing: bool = False) -> Callable[[Request], Coroutine[Any, Any, SignedIn]]:
        """A dependency: somebody is signed in with one of these roles, and a form carries the session's word.

        `owing` lets in who must first choose a password or have a second factor.
        """

        async def guard(request: Request) -> SignedIn:
            who = await self.signed_in(request)
            if request.method not in ("GET", "HEAD"):
                await self.check_form(request, who.csrf)
            if who.owes and not owing:
                raise Owed(who.owes)
            if who.staff.role not in roles:
                raise Forbidden("error_role")
            return who

        guard.guarded = frozenset(roles)  # type: ignore[attr-defined]
        return guard

    def same_origin(self, request: Request) -> bool:
        """False where a page of another site sent this."""
        return self._origins.judge(request.headers) != "refused"

    async def check_form(self, request: Request, word: str) -> None:
        """Raises Forbidden where the form comes from elsewhere or lacks the word."""
        given = (await request.form()).get("csrf") if self.same_origin(request) else None
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(), word.encode()):
            raise Forbidden("error_form")

    def set_cookie(self, response: Response, name: str, value: str) -> None:
        """A cookie that scripts cannot read and other sites' forms do not carry. It ends with the browser."""
        response.set_cookie(name, value, path="/", secure=self.secure, httponly=True, samesite="lax")

    def drop_cookie(self, response: Response, name: str) -> None:
        response.delete_cookie(name, path="/", secure=self.secure, httponly=True, samesite="lax")

    # Programs

    def require_scopes(self, *scopes: str) -> Callable[[Request], Coroutine[Any, Any, Token]]:
        """A dependency: the request carries a token with all of these scopes."""

        async def guard(request: Request) -> Token:
            scheme, _, value = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not value.strip():
                raise TokenRefused
            # Found by its keyed hash, so how long the look-up takes says nothing about the token.
            program = await asyncio.to_thread(self._doors.api_token, value.strip())
            if program is None:
                raise TokenRefused
            token = Token(program.id, program.name, frozenset(program.scopes))
            for scope in scopes:
                if scope not in token.scopes:
                    raise TokenRefused(scope)
            return token

        guard.guarded = frozenset(scopes)  # type: ignore[attr-defined]
        return guard


def public(route: Callable[..., Any]) -> Callable[..., Any]:
    """Says of a route that it is for everybody, so that leaving out a guard is never an accident."""
    route.public = True  # type: ignore[attr-defined]
    return route


def all_guarded(router: APIRouter) -> APIRouter:
    """The router, where every route says who may use it; raises RuntimeError for one that does not."""
    for route in router.routes:
        if not isinstance(route, APIRoute) or getattr(route.endpoint, "public", False):
            continue
        if not any(getattr(d.call, "guarded", None) for d in route.dependant.dependencies):
            raise RuntimeError(f"{route.path} does not say who may use it")
    return router
