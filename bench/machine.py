"""What the machine says of processes: memory, processor time, and what others took meanwhile."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def resident(*pids: int) -> float:
    """Megabytes of memory that these processes hold now."""
    return sum(_resident(pid) for pid in pids)


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def spent(pid: int) -> float:
    """Seconds of processor that a process has taken so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def busy() -> float:
    """Seconds of processor that all processes have taken since the machine started; what a host took counts as taken."""
    user, nice, system, _idle, _wait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICK


@dataclass(frozen=True)
class Used:
    """Processor time of a stretch: seconds by name, seconds of everybody else, and how long the stretch was."""

    by: dict[str, float]
    others: float
    seconds: float

    @property
    def others_cores(self) -> float:
        return max(0.0, self.others) / self.seconds if self.seconds else 0.0


class Meter:
    """`with Meter(house=pid) as meter: …` then `meter.used`: who took the processor meanwhile; `client` is this process."""

    used: Used

    def __init__(self, **pids: int) -> None:
        self._pids = {**pids, "client": os.getpid()}

    def __enter__(self) -> Meter:
        self._at, self._all, self._before = time.monotonic(), busy(), {name: spent(p) for name, p in self._pids.items()}
        return self

    def __exit__(self, *_: object) -> None:
        by = {name: spent(pid) - self._before[name] for name, pid in self._pids.items()}
        self.used = Used(by, busy() - self._all - sum(by.values()), time.monotonic() - self._at)


def described() -> str:
    """The machine in a line."""
    info = Path("/proc/cpuinfo").read_text()
    model = next((line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")), "?")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1024 / 1024
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GB, Linux {platform.release()}, Python {platform.python_version()}"


def load() -> float:
    """Processes that wanted a core in the last minute."""
    return os.getloadavg()[0]
