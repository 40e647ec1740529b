"""The methods of the Bot API that the house calls: core.telegram.org/bots/api#available-methods."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from channels.contract import Button
from channels.lengths import units
from channels.simulator import telegram_update
from channels.simulator.message import Message
from channels.simulator.people import Person
from channels.simulator.world import World

CHARACTERS, DATA, LARGEST = 4_096, 64, 20_000_000
type Rows = tuple[tuple[Button, ...], ...]


class Refused(Exception):
    """A method that is not done, with its HTTP status and what Telegram says."""

    def __init__(self, status: int, description: str, retry_after: float | None = None) -> None:
        super().__init__(description)
        self.status, self.description, self.retry_after = status, description, retry_after

    def answer(self) -> dict[str, Any]:
        said: dict[str, Any] = {"ok": False, "error_code": self.status, "description": self.description}
        return said if self.retry_after is None else said | {"parameters": {"retry_after": _whole(self.retry_after)}}


class Bot:
    """One bot. A call from outside and a method in the answer to a webhook are done alike."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._methods: dict[str, Callable[[Mapping[str, Any]], Any]] = {
            "getme": self._get_me,
            "sendmessage": self._send_message,
            "getfile": self._get_file,
            "answercallbackquery": self._answer_callback_query,
            "setwebhook": self._set_webhook,
        }

    def call(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """The result of a method, which has happened now. Raises Refused."""
        found = self._methods.get(method.lower())
        if found is None:
            raise Refused(404, "Not Found: method not found")
        return found(parameters)

    def obey(self, answer: bytes) -> None:
        """What the answer to a webhook asks for has happened, if it asks for anything that can be done."""
        try:
            said = json.loads(answer or b"{}")
            if isinstance(said, dict) and isinstance(said.get("method"), str):
                self.call(said["method"], said)
        except (ValueError, Refused):
            return

    def _get_me(self, _: Mapping[str, Any]) -> dict[str, Any]:
        can = ("can_join_groups", "can_read_all_group_messages", "supports_inline_queries", "can_connect_to_business")
        return telegram_update.bot(self._world) | dict.fromkeys(can, False)

    def _send_message(self, given: Mapping[str, Any]) -> dict[str, Any]:
        person = self._receiver(given)
        text = str(given.get("text", ""))
        if not text.strip():
            raise Refused(400, "Bad Request: message text is empty")
        if units(text) > CHARACTERS:
            raise Refused(400, "Bad Request: message is too long")
        buttons = _buttons(given.get("reply_markup"))
        if person.blocked:
            raise Refused(403, "Forbidden: bot was blocked by the user")
        number = str(self._world.telegram_number())
        now = self._world.clock()
        message = Message(
            number, "telegram", person.identifier, True, text, now, "sent", buttons=buttons, sent_at=now
        )  # fmt: skip
        return telegram_update.outgoing(self._world, person, self._world.keep(message))

    def _receiver(self, given: Mapping[str, Any]) -> Person:
        identifier = str(given.get("chat_id", ""))
        if not identifier:
            raise Refused(400, "Bad Request: chat_id is empty")
        if not self._world.is_known("telegram", identifier):
            raise Refused(400, "Bad Request: chat not found")
        return self._world.person("telegram", identifier)

    def _get_file(self, given: Mapping[str, Any]) -> dict[str, Any]:
        file = self._world.file(str(given.get("file_id", "")))
        if file is None:
            raise Refused(400, "Bad Request: invalid file_id")
        if len(file.content) > LARGEST:
            raise Refused(400, "Bad Request: file is too big")
        return telegram_update.described(file) | {"file_path": telegram_update.path(file)}

    def _answer_callback_query(self, given: Mapping[str, Any]) -> bool:
        query = str(given.get("callback_query_id", ""))
        if query not in self._world.queries:
            raise Refused(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        self._world.queries[query] = True
        return True

    def _set_webhook(self, given: Mapping[str, Any]) -> bool:
        """Updates go there; with an empty address to the house's own door again. Unlike Telegram, http is taken."""
        url = str(given.get("url", ""))
        if url and not url.startswith(("http://", "https://")):
            raise Refused(400, "Bad Request: bad webhook: invalid webhook URL specified")
        self._world.webhook = (url, str(given.get("secret_token", ""))) if url else None
        return True


def _buttons(markup: object) -> Rows:
    """The inline keyboard of a message. Raises Refused for one that Telegram cannot read."""
    try:
        said = json.loads(markup) if isinstance(markup, str) and markup else markup or {}
        rows = said.get("inline_keyboard", []) if isinstance(said, dict) else []
        read = tuple(tuple(Button(str(b["text"]), str(b.get("callback_data", ""))) for b in row) for row in rows)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Refused(400, "Bad Request: can't parse reply keyboard markup JSON object") from None
    if any(len(button.token.encode()) > DATA for row in read for button in row):
        raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
    return read


def _whole(seconds: float) -> float | int:
    """Telegram says whole seconds; a test may want less than one."""
    return int(seconds) if float(seconds).is_integer() else seconds
