"""What goes wrong with the next sends: a script, and chances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from channels.simulator.unplayable import Unplayable

SENDING = ("status", "hang", "accept_then_cut", "lost")
"""Refused; nothing is accepted before so many seconds, nor then, if the caller has gone; accepted, but after so many
seconds the connection is cut; cut at once, and nothing accepted."""
TELLING = ("late", "double_callback", "reordered_callbacks", "silent", "undelivered")
"""What becomes of an accepted message: told after so many seconds, each thing twice, the last thing first, never; or
it does not arrive. Telegram tells nothing, so these are not for Telegram."""
_CUT = "cut"  # the chance that is called so is `accept_then_cut`
_FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "kind": str, "scheme": str, "person": str, "status": int, "code": int, "retry_after": (int, float),
    "seconds": (int, float), "times": int,
}  # fmt: skip


@dataclass
class Fault:
    """One thing that goes wrong, `times` times, with sends of a scheme and to a person ("": any)."""

    kind: str
    scheme: str = ""
    person: str = ""
    status: int = 500
    code: int = 0  # the provider's; 0: the one that goes with the status
    retry_after: float | None = None
    seconds: float = 0.0
    times: int = 1

    def __post_init__(self) -> None:
        if self.kind not in SENDING + TELLING:
            raise Unplayable(f"no such fault: {self.kind!r}")
        if self.kind in TELLING and self.scheme == "telegram":
            raise Unplayable("Telegram tells nothing of a message that it has accepted")

    def is_for(self, scheme: str, person: str) -> bool:
        if self.kind in TELLING and scheme == "telegram":
            return False
        return self.scheme in ("", scheme) and self.person in ("", person)


def read(said: Mapping[str, Any]) -> Fault:
    """The fault that a JSON object describes, its fields named as above. Raises Unplayable."""
    for name, value in said.items():
        if name not in _FIELDS or isinstance(value, bool) or not isinstance(value, _FIELDS[name]):
            raise Unplayable(f"{name}: not of a fault")
    if "kind" not in said:
        raise Unplayable("kind is missing")
    return Fault(**said)


class Faults:
    """The script, and behind it the chances."""

    def __init__(self) -> None:
        self._script: list[Fault] = []
        self._chances: list[tuple[Fault, float]] = []
        self._random = Random(0)

    def add(self, *faults: Fault) -> None:
        """These follow what is in the script already."""
        self._script += faults

    def rates(self, rates: Mapping[str, float], seed: int = 0, retry_after: float | None = None) -> None:
        """Each send that the script leaves alone has these chances from now on, drawn from the seed.

        A chance is named by an HTTP status, by `cut`, or by the kind of a fault. Raises Unplayable.
        """
        chances = [(_chance(name, retry_after), float(share)) for name, share in rates.items()]
        if any(share < 0 for _, share in chances) or sum(share for _, share in chances) > 1:
            raise Unplayable("chances are 0 to 1 together")
        self._chances, self._random = chances, Random(seed)

    def next(self, scheme: str, person: str) -> Fault | None:
        """What goes wrong with a send that happens now; it has happened once more after this."""
        fault = self._scripted(scheme, person)
        if fault is None:
            return self._drawn(scheme, person)
        fault.times -= 1
        if fault.times <= 0:
            self._script.remove(fault)
        return fault

    def waiting(self, scheme: str, person: str) -> Fault | None:
        """What the script holds for the next send."""
        return self._scripted(scheme, person)

    def clear(self, scheme: str = "", person: str = "") -> None:
        """The script holds nothing of this scheme and person ("": of any) any more. Nor are there chances, of any."""
        asked = (scheme, person)
        self._script = [
            fault
            for fault in self._script
            if any(a and a != b for a, b in zip(asked, (fault.scheme, fault.person), strict=True))
        ]
        self._chances = []

    def _scripted(self, scheme: str, person: str) -> Fault | None:
        return next((fault for fault in self._script if fault.is_for(scheme, person)), None)

    def _drawn(self, scheme: str, person: str) -> Fault | None:
        if not self._chances:
            return None
        left = self._random.random()
        for fault, share in self._chances:
            left -= share
            if left < 0:
                return replace(fault) if fault.is_for(scheme, person) else None
        return None


def _chance(name: str, retry_after: float | None) -> Fault:
    if name.isascii() and name.isdigit():
        return Fault("status", status=int(name), retry_after=retry_after if name == "429" else None)
    return Fault("accept_then_cut" if name == _CUT else name)
