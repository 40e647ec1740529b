"""The form that Twilio posts, read from the raw body: blank fields and second values are part of what is signed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

FIELDS = 1_000


class Form(Mapping[str, str]):
    """Every field with all its values, in order. As a mapping it gives the first value.

    Bytes that are not UTF-8 are U+FFFD: nothing is dropped. Raises ValueError for more fields than Twilio ever sends.
    """

    def __init__(self, body: bytes) -> None:
        self._values: dict[str, list[str]] = {}
        pairs = parse_qsl(
            body.decode("utf-8", "replace"), keep_blank_values=True, errors="replace", max_num_fields=FIELDS
        )
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> str:
        return self._values[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def getlist(self, name: str) -> list[str]:
        """All values of a field: the SDK's validator asks for them by this name."""
        return self._values[name]

    def first(self, *names: str) -> str:
        """The first of these fields that is not blank; "" where all are."""
        return next((value for name in names if (value := self.get(name, "")).strip()), "")
