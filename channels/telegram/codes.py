"""Why the Bot API did not do what it was asked: its HTTP status, and what it says in `description`.

Telegram has no error codes below the status: the sentences are those of github.com/tdlib/telegram-bot-api, in small
letters, as short as they are still clear. One that is not in the table is judged by the status alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from channels.contract import Failure

_STOPPED = ("bot was blocked by the user",)

_REFUSED = (
    "user is deactivated",
    "initiate conversation with a user",  # who never wrote to this bot
    "chat not found",
    "user not found",
    "chat_id is empty",
    "chat identifier",  # empty, or no number
    "peer_id_invalid",
    "privacy_premium_required",  # takes messages of paying users only
    "messages to bots",
    "bot was kicked",
    "bot is not a member",
    "chat was deleted",
    "upgraded to a supergroup",  # the group lives on under another number; the house speaks in no group
    "not enough rights",
    "have no rights",
    "chat_write_forbidden",
    "chat_restricted",
    "topic_closed",
)

_MISCONFIGURED = (
    "bad webhook",  # our address: no https, another port than 443, 80, 88, 8443, a name that leads nowhere
    "logged out",  # of this server of the Bot API, to use another
)

_UNSUPPORTED = (
    "message is too long",
    "text is too long",
    "message text is empty",
    "strings must be encoded in utf-8",
    "button_data_invalid",  # over 64 bytes
    "reply markup is too long",
)

SENTENCES: Mapping[Failure, tuple[str, ...]] = {
    Failure.STOPPED: _STOPPED,
    Failure.REFUSED: _REFUSED,
    Failure.MISCONFIGURED: _MISCONFIGURED,
    Failure.UNSUPPORTED: _UNSUPPORTED,
}
FAILURES: Mapping[str, Failure] = {said: kind for kind, sentences in SENTENCES.items() for said in sentences}

PASSING = ("temporarily unavailable", "logged out")
"""What is said of a file that may be there later: Telegram's own 5xx and 429 come as the first of these."""


def known(description: str) -> str:
    """The sentence of the table that a description holds; "" for none. Safe to log: it is ours."""
    said = description.lower()
    return next((sentence for sentence in FAILURES if sentence in said), "")


def of_answer(status: int, description: str) -> Failure:
    """Why a request was not done."""
    if status == 429:
        return Failure.THROTTLED
    if status in (401, 404):  # a token that is none any more, or never was one
        return Failure.MISCONFIGURED
    if status == 408 or status >= 500:
        return Failure.UNREACHABLE
    if sentence := known(description):
        return FAILURES[sentence]
    return Failure.UNSUPPORTED if status in (400, 413) else Failure.UNEXPECTED


def is_gone(status: int, description: str) -> bool:
    """A file that was asked for will not be there later, either: too large, or no file of this bot's."""
    return status == 400 and not any(sentence in description.lower() for sentence in PASSING)
