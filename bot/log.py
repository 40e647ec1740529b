"""Logs: one JSON object a line on standard error, without message texts, addresses, or secrets."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import structlog

NEVER = ("text", "body", "payload", "password", "token", "secret", "code", "receipt", "params", "said", "address")
_ROOT = f"{Path(__file__).parent.parent}/"
OURS = ("bot", "actions", "channels", "nlu", "sawt")


def _nothing_personal(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A field that could hold somebody's words is cut to its length."""
    for name in NEVER:
        if name in event:
            event[name] = f"<{len(str(event[name]))}>"
    return event


def configure(level: str) -> None:
    """After the call every logger writes JSON lines; libraries, which log what they carry, say only what worries them."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _nothing_personal,
            _where_it_broke,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(_Unbreakable(sys.stderr)),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    logging.raiseExceptions = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    threading.excepthook = _a_thread_broke


class _Unbreakable:
    """A stream whose line is lost where the disk is full or nobody reads any more: what it tells of goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> int:
        with suppress(OSError, ValueError):
            return self._stream.write(line)
        return 0

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def _a_thread_broke(end: threading.ExceptHookArgs) -> None:
    """What Python would print of it quotes the exception."""
    structlog.get_logger("sawt").error("a thread broke", exc_info=end.exc_value)


class _Line(logging.Formatter):
    """A record of a library as a line of ours: what it says of itself and where, never what it quotes."""

    def format(self, record: logging.LogRecord) -> str:
        said = str(record.msg).strip().partition("\n")[0][:200]
        event: MutableMapping[str, Any] = {
            "event": said, "logger": record.name, "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(), "exc_info": record.exc_info,
        }  # fmt: skip
        return json.dumps(_where_it_broke(None, "", event), ensure_ascii=False)


def _where_it_broke(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The type of an exception, its last places in our code and where it ended; not its text, which may quote a row."""
    info = event.pop("exc_info", None)
    if isinstance(info, BaseException):
        info = type(info), info, info.__traceback__
    if info:
        kind, _error, trace = sys.exc_info() if info is True else info
        places = []
        while trace is not None:
            places.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
            trace = trace.tb_next
        ours = [place for place in places if place[0].startswith(_ROOT) and "site-packages" not in place[0]][-6:]
        shown = ours + [place for place in places[-1:] if place not in ours]
        event["exception"] = getattr(kind, "__name__", str(kind))
        event["at"] = [f"{file.removeprefix(_ROOT)}:{line}" for file, line in shown]
    return event
