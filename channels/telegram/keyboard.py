"""Buttons under a message: their titles, and the tokens that come back when they are pressed."""

from __future__ import annotations

from collections.abc import Sequence

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from channels.contract import Button
from channels.lengths import units

SHORT = 14
"""Two titles of so many units stand beside each other on a narrow telephone without being cut."""


def keyboard(buttons: Sequence[Button]) -> InlineKeyboardMarkup | None:
    """The buttons in their order: two short ones share a row, a longer one has its own. None for no buttons."""
    rows: list[list[Button]] = []
    for button in buttons:
        if rows and len(rows[-1]) == 1 and _is_short(rows[-1][0]) and _is_short(button):
            rows[-1].append(button)
        else:
            rows.append([button])
    if not rows:
        return None
    return InlineKeyboardMarkup([[InlineKeyboardButton(b.title, callback_data=b.token) for b in row] for row in rows])


def _is_short(button: Button) -> bool:
    return units(button.title) <= SHORT
