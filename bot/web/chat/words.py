"""Which sentences the widget shows: names in the catalogues, without their `chat_`.

A parameter stays a placeholder: the widget puts the number in.
"""

from __future__ import annotations

from collections.abc import Mapping

_PLAIN = """
product bar log label placeholder hint send close open languages link_privacy bot_says you_said greeting starters
starter_1 starter_2 starter_3 starter_4 choices typing jump new unread today yesterday sending sent waiting kept
refused edit discard offline online ended not_here storage attach file_sending
error_file_too_large error_file_unreadable
"""

WIDGET_WORDS: Mapping[str, Mapping[str, str]] = {
    **{name: {} for name in _PLAIN.split()},
    "too_long": {"limit": "10,000"},
    "left": {"count": "{count}"},
}
