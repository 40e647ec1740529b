"""What went wrong in a call of the SDK, as the house understands it. Nothing that was said by others is passed on."""

from __future__ import annotations

import httpx
from telegram.error import TelegramError

from channels.contract import CannotFetch, Failure, SendFailed
from channels.telegram import codes
from channels.telegram.wire import Declined

NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


def of_call(error: Exception) -> SendFailed:
    """Why a message was not handed over, and whether Telegram may have it all the same."""
    if isinstance(error, Declined):
        return _declined(error)
    cause = _cause(error)
    detail = type(cause).__name__
    if isinstance(cause, NEVER_SENT):
        return SendFailed(Failure.UNREACHABLE, detail=detail)
    if isinstance(cause, httpx.HTTPError | TimeoutError):
        return SendFailed(Failure.UNREACHABLE, detail=detail, maybe_sent=True)
    if isinstance(cause, UnicodeEncodeError):  # half a surrogate pair, which no encoding carries
        return SendFailed(Failure.UNSUPPORTED, detail="not text")
    return SendFailed(Failure.UNEXPECTED, detail=detail, maybe_sent=True)  # an answer that the SDK cannot read


def of_file(error: Exception) -> CannotFetch:
    """Why it is not known where a file lies."""
    if isinstance(error, Declined):
        gone = codes.is_gone(error.status, error.description)
        return CannotFetch(f"getFile: HTTP {error.status}", gone=gone)
    cause = _cause(error)
    return CannotFetch(f"getFile: {type(cause).__name__}", gone=isinstance(cause, UnicodeEncodeError))


def _cause(error: Exception) -> BaseException:
    """What httpx raised, which the SDK wraps."""
    return error.__cause__ if isinstance(error, TelegramError) and error.__cause__ is not None else error


def _declined(error: Declined) -> SendFailed:
    return SendFailed(
        codes.of_answer(error.status, error.description),
        str(error.status),
        codes.known(error.description),
        retry_after=error.retry_after,
        maybe_sent=error.status == 408 or error.status >= 500,
    )
