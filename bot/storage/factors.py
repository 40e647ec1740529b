"""Second factors: the secret, the codes that were used, recovery codes, and half of a sign-in. All of it hashed or sealed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, func, insert, or_, select, update

from bot.storage.accounts import Account, Accounts, Also, end_sessions
from bot.storage.tables import half_sessions, recovery_codes, staff


class Factors(Accounts):
    """Accounts with their second factor. Each method is one transaction."""

    # Half of a sign-in

    def open_half(self, token: str, staff_id: str, at: datetime, expires_at: datetime) -> None:
        """Whoever has `token` has given this person's password, and may give a code until then."""
        row = {"token_hash": self._hash(token), "staff": staff_id, "created_at": at, "expires_at": expires_at}
        with self._store.writers.begin() as connection:
            connection.execute(delete(half_sessions).where(half_sessions.c.expires_at <= at))  # nobody comes for them
            connection.execute(insert(half_sessions), row)

    def half(self, token: str, now: datetime) -> Account | None:
        """Whose password was given; None where the token is unknown or over, or its owner no longer active."""
        open_ = (half_sessions.c.token_hash == self._hash(token)) & (half_sessions.c.expires_at > now)
        query = select(staff).join(half_sessions, half_sessions.c.staff == staff.c.id).where(open_, staff.c.active)
        return self._account(query)

    def close_half(self, token: str) -> bool:
        """The token is worth nothing any more; False where it was not worth anything before."""
        with self._store.writers.begin() as connection:
            gone = delete(half_sessions).where(half_sessions.c.token_hash == self._hash(token))
            return connection.execute(gone).rowcount == 1

    # Codes

    def use_code(self, staff_id: str, step: int) -> bool:
        """The code of this time step is used up, with all before it; False where it was already."""
        fresh = or_(staff.c.totp_step.is_(None), staff.c.totp_step < step)
        with self._store.writers.begin() as connection:
            used = update(staff).where(staff.c.id == staff_id, fresh).values(totp_step=step)
            return connection.execute(used).rowcount == 1

    def use_recovery(self, staff_id: str, code: str) -> bool:
        """This recovery code is used up; False where it is none, or no longer."""
        with self._store.writers.begin() as connection:
            mine = (recovery_codes.c.staff == staff_id) & (recovery_codes.c.code_hash == self._recovery(code))
            return connection.execute(delete(recovery_codes).where(mine)).rowcount == 1

    def recovery_left(self, staff_id: str) -> int:
        """How many recovery codes are left."""
        with self._store.read() as connection:
            mine = select(func.count()).select_from(recovery_codes).where(recovery_codes.c.staff == staff_id)
            return int(connection.execute(mine).scalar_one())

    # Turning it on and off

    def begin_factor(self, staff_id: str, secret: str) -> bool:
        """This secret waits for a code that confirms it; False where a second factor is on already."""
        off = (staff.c.id == staff_id) & staff.c.totp_secret.is_(None)
        with self._store.writers.begin() as connection:
            begun = update(staff).where(off).values(totp_pending=self._sealed(secret))
            return connection.execute(begun).rowcount == 1

    def pending_factor(self, staff_id: str) -> str | None:
        """The secret that waits to be confirmed."""
        with self._store.read() as connection:
            sealed = connection.execute(select(staff.c.totp_pending).where(staff.c.id == staff_id)).scalar_one_or_none()
        return None if sealed is None else self._store.secrets.decrypt(sealed)

    def confirm_factor(self, staff_id: str, secret: str, step: int, codes: Iterable[str], also: Also) -> bool:
        """The second factor is on, its first code used up, and these are the recovery codes; everybody else is signed out.

        False where it is on already, or another secret was begun meanwhile.
        """
        with self._store.writers.begin() as connection:
            mine = (staff.c.id == staff_id) & staff.c.totp_secret.is_(None)
            sealed = connection.execute(select(staff.c.totp_pending).where(mine).with_for_update()).scalar_one_or_none()
            if sealed is None or self._store.secrets.decrypt(sealed) != secret:
                return False
            on = {"totp_secret": sealed, "totp_pending": None, "totp_step": step}
            connection.execute(update(staff).where(mine).values(**on))
            connection.execute(delete(recovery_codes).where(recovery_codes.c.staff == staff_id))
            rows = [{"staff": staff_id, "code_hash": self._recovery(code)} for code in codes]
            connection.execute(insert(recovery_codes), rows)
            end_sessions(connection, staff_id)
            also(connection)
            return True

    def drop_factor(self, staff_id: str, also: Also) -> bool:
        """There is no second factor, no recovery code and no session of this person; False where there is no such person."""
        off = {"totp_secret": None, "totp_pending": None, "totp_step": None}
        with self._store.writers.begin() as connection:
            connection.execute(delete(recovery_codes).where(recovery_codes.c.staff == staff_id))
            end_sessions(connection, staff_id)
            dropped = connection.execute(update(staff).where(staff.c.id == staff_id).values(**off)).rowcount == 1
            if dropped:
                also(connection)
            return dropped

    def _recovery(self, code: str) -> str:
        return self._store.secrets.digest(code, "recovery")
