"""The room of the files that people send: each without what it tells of a place, named by its content."""

from bot.files.keep import FileRoom, Kept, safe_name
from bot.files.sniff import NotKept

__all__ = ["FileRoom", "Kept", "NotKept", "safe_name"]
