"""What a player asked for that no telephone can do."""

from __future__ import annotations


class Unplayable(ValueError):
    """Says why, for whoever plays."""
