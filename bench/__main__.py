"""`make bench`: ours beside a stock Rasa bot with a linear model in one run, and where a turn's time goes.

    python -m bench [--quick] [--train] [--no-stock] [--out bench.json]

The rows are those of table I of the promises, through the real doors on loopback, production limits on. Ends by itself
and ends only what it started. Whole: six minutes at most (and the training with --train); --quick: a minute and a half.
The exit code is 0 whether the budgets are met or not: on a shared machine a figure is read together with its load.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import uvloop

from bench import load, machine, ticket, where
from bench.installations import ACCOUNTS, Ours, Stock
from bench.load import Citizen, Load, Sender
from bench.report import Row, at_least, at_most, table, told, where_table
from tests.running import ASSISTANT, ROOT


@dataclass(frozen=True)
class Length:
    """How much of everything: seconds of a load, turns, tickets, chats."""

    acks: float
    idle: int
    paced: float
    saturated: float
    tickets: int
    streams: float


WHOLE = Length(acks=15, idle=150, paced=24, saturated=12, tickets=600, streams=10)
QUICK = Length(acks=4, idle=36, paced=6, saturated=4, tickets=150, streams=4)
LONGEST = 900
"""Seconds after which it gives up, whatever it waits for."""
CHATS, PACE, MANY, FEW, LISTENING, ACTIVE, BUSY = 200, 10, 200, 10, 1000, 50, 200


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="The speed of this house beside a stock Rasa bot."
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a minute and a half instead of six; the stock bot only where a model of it is kept",
    )
    parser.add_argument("--train", action="store_true", help="train our model from scratch, too (row I8)")
    parser.add_argument("--no-stock", action="store_true", help="without the stock bot")
    parser.add_argument("--out", type=Path, default=ROOT / "bench.json")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="sawt-bench-"))
    began = time.monotonic()
    for sign in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(sign, _end)
    signal.alarm(LONGEST)
    try:
        result = Bench(QUICK if options.quick else WHOLE, work).run(stock=not options.no_stock, train=options.train)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    result["seconds"] = round(time.monotonic() - began)
    options.out.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(f"\n{result['seconds']} s; the same as JSON: {options.out}")
    return 0


def _end(sign: int, _: object) -> NoReturn:
    """Leave through every `finally`: what was started is stopped."""
    raise SystemExit("the benchmark took too long" if sign == signal.SIGALRM else 128 + sign)


def wait_for[T](work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


class Bench:
    """One run: the loads in order, each noted with who took the processor meanwhile."""

    def __init__(self, length: Length, work: Path) -> None:
        self.length, self.work = length, work
        self.rows: list[Row] = []
        self.processor: dict[str, dict[str, float]] = {}
        self._load_before = machine.load()

    def run(self, stock: bool, train: bool) -> dict[str, Any]:
        print(f"{machine.described()}; load before: {self._load_before:.1f}", flush=True)
        theirs = {}
        if stock:
            try:
                theirs = self._stock()
            except RuntimeError as reason:  # ours is measured all the same
                print(f"  without the stock bot: {reason}", flush=True)
        matters, ours = self._ours()
        self._compare(ours, theirs)
        self.rows.append(self._tickets(matters))
        idle, busy = self._where(matters)
        if train:
            self.rows.append(self._training())
        self.rows.sort(key=lambda row: (len(row.name), row.name))  # stable: lines of a row stay together
        return self._told(idle, busy)

    # the two bots

    def _stock(self) -> dict[str, Any]:
        """The stock bot's figures by the row they stand in."""
        quick = self.length is QUICK
        bot = Stock(self._folder("stock"), untrained=quick)
        try:
            self._say("stock Rasa: starting" if quick else "stock Rasa: training where no model is kept, starting")
            bot.start()
            matters = wait_for(load.understood(lambda: Sender(bot.url)))
            return {"I6": bot.seconds, **self._loads("stock", lambda: Sender(bot.url), matters, bot.pids)}
        finally:
            bot.stop()

    def _ours(self) -> tuple[list[str], dict[str, Any]]:
        bot = Ours(self._folder("ours"))
        try:
            self._say("ours: starting")
            bot.start()
            self.rows.append(at_most("I6", "house: start to a message taken", bot.house_seconds, "s", 1.5))
            self.rows.append(told("I6", "  the first time, with an empty database", bot.first_seconds, "s"))
            matters = wait_for(load.understood(lambda: Citizen(bot.url)))
            self.rows += self._acks(bot, matters)
            figures = self._loads("ours", lambda: Citizen(bot.url), matters, bot.pids)
            self.rows += self._streams(bot, matters)
            self.rows += self._webhooks(bot, matters)  # last: what they leave to be sent takes a while
            return matters, {"I6": bot.assistant_seconds, **figures}
        finally:
            bot.stop()

    def _loads(
        self, whose: str, make: Callable[[], load.Person], matters: list[str], pids: dict[str, int]
    ) -> dict[str, Any]:
        """Rows I2 to I4 and I7 of one bot."""
        if not matters:
            raise RuntimeError(f"{whose}: no matter of the benchmark was filed")
        length = self.length
        found: dict[str, Any] = {}
        for name, what, work in (
            ("I2", "one idle turn after the other", lambda: load.idle(make, matters, length.idle)),
            ("I3", f"{CHATS} chats, {PACE} messages/s", lambda: load.paced(make, matters, CHATS, PACE, length.paced)),
            ("I4 few", f"{FEW} clients", lambda: load.saturated(make, matters, FEW, length.saturated)),
            ("I4 many", f"{MANY} clients", lambda: load.saturated(make, matters, MANY, length.saturated)),
        ):
            if name == "I4 many" and whose == "stock" and length is QUICK:
                continue  # its last answers take half a minute
            found[name] = self._measured(f"{whose}: {what}", pids, work)
        found["I7"] = {name: machine.resident(pid) for name, pid in pids.items()}
        return found

    def _measured(self, what: str, pids: dict[str, int], work: Callable[[], Coroutine[Any, Any, Load]]) -> Load:
        self._say(what)
        with machine.Meter(**pids) as meter:
            done = wait_for(work())
        turns = max(1, len(done.turns))
        self.processor[what] = {f"{name}, ms a turn": round(s * 1000 / turns, 2) for name, s in meter.used.by.items()}
        self.processor[what]["others, cores"] = round(meter.used.others_cores, 2)
        for reason in sorted(set(done.lost)):
            print(f"    lost {done.lost.count(reason)}: {reason}", flush=True)
        return done

    # the rows

    def _compare(self, ours: dict[str, Any], stock: dict[str, Any]) -> None:
        def theirs(row: str, of: Callable[[Load], float]) -> float | None:
            return of(stock[row]) if row in stock else None

        add = self.rows.append
        one = ours["I2"]
        add(
            at_most("I2", "one idle turn, p50", one.reply(50), "ms", 20, theirs("I2", lambda each: each.reply(50)), 0.5)
        )
        add(
            at_most("I2", "one idle turn, p95", one.reply(95), "ms", 30, theirs("I2", lambda each: each.reply(95)), 0.5)
        )
        paced = ours["I3"]
        add(
            at_most(
                "I3",
                f"{CHATS} chats, {PACE} msg/s, p95",
                paced.reply(95),
                "ms",
                100,
                theirs("I3", lambda each: each.reply(95)),
            )
        )
        add(at_most("I3", "  lost", len(paced.lost), "lost", 0, theirs("I3", lambda each: len(each.lost))))
        for row, many in (("I4 few", FEW), ("I4 many", MANY)):
            full = ours[row]
            add(at_least("I4", f"{many} clients", full.rate, "turns/s", 100, theirs(row, lambda each: each.rate), 3))
            add(told("I4", "  p95", full.reply(95), "ms", theirs(row, lambda each: each.reply(95))))
            add(at_most("I4", "  lost", len(full.lost), "lost", 0, theirs(row, lambda each: len(each.lost))))
        add(at_most("I6", "assistant: start to a turn answered", ours["I6"], "s", 15, stock.get("I6")))
        memory, other = ours["I7"], stock.get("I7", {})
        add(
            at_most(
                "I7", "house after the load (stock: action server)", memory["house"], "MB", 150, other.get("actions")
            )
        )
        add(at_most("I7", "assistant after the load (stock: Rasa)", memory["assistant"], "MB", 700, other.get("rasa")))

    def _acks(self, bot: Ours, matters: list[str]) -> list[Row]:
        acks = self._measured(
            "ours: acknowledgements at 50/s",
            bot.pids,
            lambda: load.acknowledged(bot.url, matters, 50, self.length.acks),
        )
        return [
            at_most("I1", "acknowledgement at 50/s, p50", acks.ack(50), "ms", 10),
            at_most("I1", "acknowledgement at 50/s, p99", acks.ack(99), "ms", 50),
            at_most("I1", "  refused", len(acks.lost), "lost", 0),
        ]

    def _webhooks(self, bot: Ours, matters: list[str]) -> list[Row]:
        hooks = self._measured(
            f"ours: webhooks at 50/s while {BUSY} messages are worked on",
            bot.pids,
            lambda: load.hooked(bot.url, ACCOUNTS["TELEGRAM_SECRET_TOKEN"], matters, BUSY, 50, self.length.acks),
        )
        return [
            at_most("I1", f"webhook at 50/s while {BUSY} messages are worked on, p50", hooks.ack(50), "ms", 10),
            at_most("I1", "  p99", hooks.ack(99), "ms", 50),
            at_most("I1", "  refused", len(hooks.lost), "lost", 0),
        ]

    def _streams(self, bot: Ours, matters: list[str]) -> list[Row]:
        """A thousand open pages and fifty people who write: what the house holds, and whether it still answers."""

        async def both() -> Load:
            listeners = load.Listeners(bot.url, LISTENING)
            await listeners.open()
            try:
                talk = await load.paced(lambda: Citizen(bot.url), matters, ACTIVE, PACE, self.length.streams)
                memory.append(machine.resident(bot.pids["house"]))
                return talk
            finally:
                await listeners.close()

        memory: list[float] = []
        talk = self._measured(f"ours: {LISTENING} idle streams, {ACTIVE} chats", bot.pids, both)
        return [
            at_most("I10", f"house with {LISTENING:,} idle streams + {ACTIVE} chats", memory[0], "MB", 400),
            told("I10", f"  p95 of the {ACTIVE} chats, {PACE} msg/s", talk.reply(95), "ms"),
            at_most("I10", "  lost", len(talk.lost), "lost", 0),
        ]

    def _tickets(self, matters: list[str]) -> Row:
        self._say("ours: filing tickets")
        seconds = ticket.filed(self._folder("tickets"), matters, self.length.tickets)
        return at_most("I5", "ticket transaction, p99", load.percentile(seconds, 99), "ms", 20)

    def _training(self) -> Row:
        """In a copy of the inputs, so that the model in use stays."""
        self._say("ours: training from scratch")
        copy = self._folder("training")
        shutil.copytree(ROOT / "nlu", copy / "nlu", ignore=shutil.ignore_patterns(".venv", "__pycache__"))
        shutil.copytree(ROOT / "data", copy / "data")
        shutil.copytree(ROOT / "models/encoder", copy / "models/encoder")
        shutil.copy(ROOT / "models/vectors.npz", copy / "models")
        shutil.copy(ROOT / "config.yml", copy)
        began = time.monotonic()
        subprocess.run(
            [str(ASSISTANT), "-m", "nlu.train"], cwd=copy, check=True, stdout=subprocess.DEVNULL, timeout=600
        )
        return at_most("I8", "training from scratch", time.monotonic() - began, "s", 120)

    def _where(self, matters: list[str]) -> tuple[dict[str, float], dict[str, float]]:
        """The parts of a turn: idle, and with ten clients."""
        bot = Ours(self._folder("traced"), traced=True)
        try:
            self._say("ours, traced: starting")
            bot.start()
            wait_for(load.understood(lambda: Citizen(bot.url)))
            self._say("ours, traced: idle, then ten clients")
            idle = wait_for(load.idle(lambda: Citizen(bot.url), matters, self.length.idle))
            busy = wait_for(load.saturated(lambda: Citizen(bot.url), matters, FEW, self.length.saturated))
        finally:
            bot.stop()
        found = where.spans(bot.data / "house.trace", bot.data / "assistant.trace")
        turn_of = where.turns(bot.data / "sawt.db")
        return tuple(where.means(where.parts(run.turns, found, turn_of)) for run in (idle, busy))  # type: ignore[return-value]

    # telling

    def _told(self, idle: dict[str, float], busy: dict[str, float]) -> dict[str, Any]:
        after = machine.load()
        print(f"\n{table(self.rows)}\n\n{where_table(idle, busy, where.PARTS)}\n")
        print("Processor, ms a turn, and cores that others took meanwhile:")
        for what, used in self.processor.items():
            print(
                f"  {what}: " + ", ".join(f"{name.removesuffix(', ms a turn')} {value}" for name, value in used.items())
            )
        at = datetime.now(UTC)
        print(
            f"\n{machine.described()}; load {self._load_before:.1f} before, {after:.1f} after; {at:%Y-%m-%d %H:%M} UTC"
        )
        return {
            "at": at.isoformat(timespec="seconds"),
            "machine": machine.described(),
            "load": {"before": self._load_before, "after": after},
            "rows": [row.data() for row in self.rows],
            "where_ms": {"idle": idle, "10 clients": busy},
            "processor": self.processor,
        }

    def _folder(self, name: str) -> Path:
        path = self.work / name
        path.mkdir()
        return path

    def _say(self, what: str) -> None:
        print(f"  {what} …", flush=True)


if __name__ == "__main__":
    sys.exit(main())
