"""Whose chat it is: a signed token that only the browser it was given to holds."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeTimedSerializer

LANGUAGES = ("ar", "en", "zh")
DAYS = 90


@dataclass(frozen=True)
class Session:
    """One chat: `id` is random (192 bits) and is the identifier of the address web:<id>."""

    id: str
    lang: str


class Tokens:
    """Makes and reads the tokens. A token opened here was made here, at most 90 days ago, and was not changed."""

    def __init__(self, secret_key: str) -> None:
        self._signer = URLSafeTimedSerializer(secret_key, salt="sawt.chat.session")

    def new(self, lang: str) -> Session:
        """A session nobody has had before."""
        return Session(secrets.token_urlsafe(24), lang)

    def sign(self, session: Session) -> str:
        """The session as its browser keeps it."""
        return self._signer.dumps([session.id, session.lang])

    def open(self, token: str) -> Session | None:
        """The session of a token; None where the token is not ours, was changed or is too old."""
        try:
            held = self._signer.loads(token, max_age=DAYS * 24 * 3600)
        except (BadData, ValueError):
            return None
        if not (isinstance(held, list) and len(held) == 2 and all(isinstance(each, str) for each in held)):
            return None
        return Session(held[0], held[1] if held[1] in LANGUAGES else LANGUAGES[0])
