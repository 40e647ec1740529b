"""Values out of an update, with the type they must have: the SDK takes whatever stands there."""

from __future__ import annotations

from channels.contract import Malformed

LARGEST = 2**63 - 1


def whole(value: object) -> int:
    """The value, a whole number that a database keeps. Raises Malformed."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST:
        raise Malformed("not a number of Telegram's")
    return value


def words(value: object) -> str:
    """The value, a text; "" where there is none. Raises Malformed."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Malformed("not a text")
    return value


def degrees(value: object, most: int) -> float:
    """The value, between -most and most. Raises Malformed."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -most <= value <= most:
        raise Malformed("not a place on earth")
    return float(value)
