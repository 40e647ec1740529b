"""Who may come in: staff, their sessions, and the tokens of programs. Passwords arrive hashed, tokens are hashed here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from bot.storage.store import SqlStore
from bot.storage.tables import api_tokens, half_sessions, staff, staff_sessions
from bot.tickets.people import Role, Staff

_CHANGEABLE = {"email", "name", "password_hash", "role", "unit", "sees_all", "active", "language", "totp_secret"}
_CHANGEABLE |= {"failed", "locked_until", "must_change"}
Also = Callable[[Connection], object]
"""What is done in the same transaction, once the change is: its record."""
_ENDS_SESSIONS = {"role", "unit", "sees_all", "password_hash", "totp_secret"}
"""Whoever changes in these signs in anew."""


class EmailTaken(Exception):
    """Another account has this address."""


@dataclass(frozen=True)
class Account:
    """A member of staff with what signing in needs."""

    staff: Staff
    password_hash: str
    totp_secret: str | None
    failed: int
    locked_until: datetime | None
    must_change: bool = False


@dataclass(frozen=True)
class StaffSession:
    """Somebody who is signed in."""

    staff: Staff
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    second_factor: bool = False
    must_change: bool = False


@dataclass(frozen=True)
class ApiToken:
    """A program of another system."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


def plain_email(email: str) -> str:
    """An address as accounts are looked up by."""
    return email.strip().casefold()


class Accounts:
    """Accounts, sessions and tokens over the tables of a store. Each method is one transaction."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    # Staff

    def create_staff(
        self,
        person: Staff,
        password_hash: str,
        at: datetime,
        totp_secret: str | None = None,
        must_change: bool = False,
        also: Also = lambda connection: None,
    ) -> None:
        """The account exists; raises EmailTaken."""
        row = {
            "id": person.id,
            "email": plain_email(person.email),
            "name": person.name,
            "password_hash": password_hash,
            "role": person.role.value,
            "unit": person.unit,
            "sees_all": person.sees_all,
            "active": person.active,
            "language": person.language,
            "totp_secret": self._sealed(totp_secret),
            "failed": 0,
            "must_change": must_change,
            "created_at": at,
        }
        try:
            with self._store.writers.begin() as connection:
                connection.execute(insert(staff), row)
                also(connection)
        except IntegrityError as error:
            raise EmailTaken(row["email"]) from error

    def staff(self, id: str) -> Account | None:
        return self._account(select(staff).where(staff.c.id == id))

    def staff_by_email(self, email: str) -> Account | None:
        return self._account(select(staff).where(staff.c.email == plain_email(email)))

    def all_staff(self) -> list[Staff]:
        """Everybody, active or not, by name."""
        with self._store.read() as connection:
            return [_staff(row) for row in connection.execute(select(staff).order_by(staff.c.name)).mappings()]

    def change_staff(self, id: str, also: Also = lambda connection: None, **changes: Any) -> bool:
        """The account has these values; False where there is none. Whose role, unit or password changes is signed out."""
        unknown = set(changes) - _CHANGEABLE
        if unknown:
            raise ValueError(f"cannot change {', '.join(sorted(unknown))} of an account")
        if "email" in changes:
            changes["email"] = plain_email(changes["email"])
        if "role" in changes:
            changes["role"] = Role(changes["role"]).value
        if "totp_secret" in changes:
            changes["totp_secret"] = self._sealed(changes["totp_secret"])
        with self._store.writers.begin() as connection:
            if changes.get("active") is False or _ENDS_SESSIONS & changes.keys():
                end_sessions(connection, id)
            changed = connection.execute(update(staff).where(staff.c.id == id).values(**changes)).rowcount == 1
            if changed:
                also(connection)
            return changed

    def sign_in_failed(self, id: str, locked_until: datetime | None = None) -> int:
        """One more failure in a row is counted, and the account locked until then; how many there are now."""
        values: dict[str, Any] = {"failed": staff.c.failed + 1}
        if locked_until is not None:
            values["locked_until"] = locked_until
        with self._store.writers.begin() as connection:
            failed = update(staff).where(staff.c.id == id).values(**values).returning(staff.c.failed)
            return int(connection.execute(failed).scalar_one())

    def sign_in_succeeded(self, id: str) -> None:
        """Failures are forgotten."""
        with self._store.writers.begin() as connection:
            connection.execute(update(staff).where(staff.c.id == id).values(failed=0, locked_until=None))

    # Sessions

    def open_session(self, token: str, staff_id: str, at: datetime, expires_at: datetime) -> None:
        """Whoever has `token` is this member of staff until then; only a keyed hash of it is kept."""
        row = {"token_hash": self._hash(token), "staff": staff_id, "created_at": at, "seen_at": at}
        with self._store.writers.begin() as connection:
            connection.execute(insert(staff_sessions), {**row, "expires_at": expires_at})
            connection.execute(update(staff).where(staff.c.id == staff_id).values(last_seen=at))

    def session(self, token: str, now: datetime) -> StaffSession | None:
        """Whose session this is; None where it is unknown, over, or its owner no longer active."""
        query = (
            select(staff, staff_sessions.c.created_at.label("since"), staff_sessions.c.seen_at)
            .add_columns(staff_sessions.c.expires_at)
            .join(staff_sessions, staff_sessions.c.staff == staff.c.id)
            .where(staff_sessions.c.token_hash == self._hash(token), staff_sessions.c.expires_at > now)
            .where(staff.c.active)
        )
        with self._store.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            return None
        return StaffSession(
            _staff(row),
            row["since"],
            row["seen_at"],
            row["expires_at"],
            row["totp_secret"] is not None,
            row["must_change"],
        )

    def touch_session(self, token: str, at: datetime, expires_at: datetime | None = None) -> None:
        """The session was used, and lasts until then."""
        values = {"seen_at": at} | ({"expires_at": expires_at} if expires_at else {})
        mine = staff_sessions.c.token_hash == self._hash(token)
        with self._store.writers.begin() as connection:
            owner = connection.execute(
                update(staff_sessions).where(mine).values(**values).returning(staff_sessions.c.staff)
            )
            connection.execute(update(staff).where(staff.c.id == owner.scalar_one_or_none()).values(last_seen=at))

    def close_session(self, token: str) -> None:
        """The token is worth nothing any more."""
        with self._store.writers.begin() as connection:
            connection.execute(delete(staff_sessions).where(staff_sessions.c.token_hash == self._hash(token)))

    def close_sessions_of(self, staff_id: str, also: Also = lambda connection: None) -> int:
        """This member of staff is signed out everywhere."""
        with self._store.writers.begin() as connection:
            also(connection)
            return end_sessions(connection, staff_id)

    def forget_expired(self, now: datetime) -> int:
        """Sessions that are over are removed."""
        with self._store.writers.begin() as connection:
            connection.execute(delete(half_sessions).where(half_sessions.c.expires_at <= now))
            return connection.execute(delete(staff_sessions).where(staff_sessions.c.expires_at <= now)).rowcount

    # Programs

    def create_api_token(self, id: str, name: str, token: str, scopes: list[str], at: datetime) -> None:
        """Whoever has `token` is this program; only a keyed hash of it is kept."""
        row = {"id": id, "name": name, "token_hash": self._hash(token), "scopes": scopes, "created_at": at}
        with self._store.writers.begin() as connection:
            connection.execute(insert(api_tokens), row)

    def api_token(self, token: str) -> ApiToken | None:
        """The program that this token belongs to; None where it is unknown or revoked."""
        mine = api_tokens.c.token_hash == self._hash(token)
        with self._store.read() as connection:
            query = select(api_tokens).where(mine, api_tokens.c.revoked_at.is_(None))
            row = connection.execute(query).mappings().first()
        return None if row is None else _api_token(row)

    def api_tokens(self) -> list[ApiToken]:
        """All of them, revoked ones, too, oldest first."""
        with self._store.read() as connection:
            found = connection.execute(select(api_tokens).order_by(api_tokens.c.created_at, api_tokens.c.id))
            return [_api_token(row) for row in found.mappings()]

    def revoke_api_token(self, id: str, at: datetime) -> bool:
        """The token is worth nothing any more; False where it was not worth anything before."""
        valid = (api_tokens.c.id == id) & api_tokens.c.revoked_at.is_(None)
        with self._store.writers.begin() as connection:
            return connection.execute(update(api_tokens).where(valid).values(revoked_at=at)).rowcount == 1

    def _account(self, query: Select[Any]) -> Account | None:
        with self._store.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            return None
        sealed = row["totp_secret"]
        totp = self._store.secrets.decrypt(sealed) if sealed is not None else None
        return Account(_staff(row), row["password_hash"], totp, row["failed"], row["locked_until"], row["must_change"])

    def _sealed(self, secret: str | None) -> bytes | None:
        return None if secret is None else self._store.secrets.encrypt(secret)

    def _hash(self, token: str) -> str:
        return self._store.secrets.digest(token, "token")


def end_sessions(connection: Connection, staff_id: str) -> int:
    """No cookie opens anything as this member of staff any more, nor the second page of a sign-in; how many were open."""
    connection.execute(delete(half_sessions).where(half_sessions.c.staff == staff_id))
    return connection.execute(delete(staff_sessions).where(staff_sessions.c.staff == staff_id)).rowcount


def _staff(row: Any) -> Staff:
    return Staff(
        id=row["id"],
        email=row["email"],
        name=row["name"],
        role=Role(row["role"]),
        unit=row["unit"],
        sees_all=row["sees_all"],
        active=row["active"],
        language=row["language"],
    )


def _api_token(row: Any) -> ApiToken:
    return ApiToken(row["id"], row["name"], tuple(row["scopes"]), row["created_at"], row["revoked_at"])
