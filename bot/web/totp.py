"""The second factor: six digits that a telephone makes of a shared secret and the time (RFC 6238), and codes for its loss."""

from __future__ import annotations

import hmac
import unicodedata
from datetime import datetime
from secrets import choice

import pyotp
import segno

STEP = 30
DRIFT = 1
"""Steps that a telephone's clock may be off, either way."""
RECOVERY_CODES = 8
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def new_secret() -> str:
    """160 random bits, as authenticator programs take them."""
    return pyotp.random_base32()


def uri(secret: str, email: str, issuer: str) -> str:
    """What the QR code says."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=issuer)


def picture(text: str, label: str) -> str:
    """The QR code as an SVG element with a name for who cannot see it; nothing in it runs or loads."""
    drawn = segno.make(text, error="m", micro=False)
    return str(drawn.svg_inline(border=4, light="#fff", omitsize=True, svgclass="qr", lineclass=None, title=label))


def grouped(secret: str) -> str:
    """The secret in groups of four, to be typed by hand."""
    return " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """The time step that this code belongs to, one step of drift allowed; None for every other. Any digits are read."""
    typed = "".join(str(unicodedata.digit(c, "")) for c in code if not c.isspace() and c not in "-\u200e\u200f")
    current, found, made = int(now.timestamp()) // STEP, None, pyotp.HOTP(secret)
    for step in range(current - DRIFT, current + DRIFT + 1):
        if hmac.compare_digest(made.at(step).encode(), typed.encode()):
            found = step
    return found


def recovery_codes() -> list[str]:
    """Codes that open the desk once each, to be kept on paper."""
    return ["-".join("".join(choice(_LETTERS) for _ in range(4)) for _ in range(3)) for _ in range(RECOVERY_CODES)]


def plain_recovery(code: str) -> str:
    """A recovery code as it is kept, however it was typed."""
    letters = "".join(c for c in code.casefold() if c in _LETTERS)[:12]
    return "-".join(letters[i : i + 4] for i in range(0, len(letters), 4))
