"""Points at which a test may let the process die, as a power cut would. Nothing without FAULT in the environment."""

from __future__ import annotations

import os
from pathlib import Path

_POINT = os.environ.get("FAULT", "")


def fault(point: str) -> None:
    """End the process here, with no clean-up, where FAULT names this point; once, if FAULT is `point@file`."""
    name, _, once = _POINT.partition("@")
    if name != point:
        return
    if once:
        marker = Path(once)
        if marker.exists():
            return
        marker.touch()
    os._exit(137)
