"""The Rasa input channel through which the house talks: one turn in, everything that came of it out.

The house is the record of a dialogue; a tracker here is a copy that may be lost at any time. A turn says how many events
the house holds. Where the tracker holds another number the answer is 409 and the house sends the turn again with the
history. A turn that failed leaves nothing behind: its events are not returned and the tracker is forgotten.

    POST /webhooks/house/turn   X-Sawt-Secret: …
    GET  /webhooks/house/       {"status": "ok"}
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
from dataclasses import dataclass, field
from typing import Any, Awaitable, Callable, Dict, List, Mapping, Optional, Text, Tuple
from weakref import WeakValueDictionary

from rasa.core.agent import Agent
from rasa.core.channels.channel import InputChannel, OutputChannel, UserMessage
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActiveLoop, Event, SlotSet
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.exceptions import RasaException
from sanic import Blueprint
from sanic.request import Request
from sanic.response import HTTPResponse

from nlu.tracker import dumps

log = logging.getLogger("sawt.assistant")

MAX_TEXT = 2_000  # characters the assistant reads; the house keeps the whole text
MAX_BODY = 512 * 1024  # bytes of a turn without history: a draft of many thousand characters travels with it
MAX_HISTORY_BODY = 4 * 1024 * 1024  # bytes of a turn with it
TURN_SECONDS = 7.0  # the house waits 8
FORM = "ticket_form"
MIRRORED = ("draft", "question", "language", "tickets")
FORM_SLOTS = ("matter", "confirmed", "requested_slot")
NOTHING_READ = "out_of_scope"  # the intent of a message in which nothing could be read
NEVER_READ = {"restart", "back", "session_start", "nlu_fallback", "press"}  # Rasa's own intents and our buttons
# What nlu/components set beside intent and entities.
READ_ONE = ("category", "category_reading", "language")
READ_SEVERAL = ("services", "flags")
MAX_PARTS = 5
MIN_PART_WORDS = 5
PRESS = re.compile(r"/press(\{.*\})\s*", re.DOTALL)


class Refused(Exception):
    """A turn that cannot be taken; the sentence is for the developer of the house."""

    def __init__(self, status: int, sentence: str, **more: Any) -> None:
        super().__init__(sentence)
        self.status, self.body = status, {"error": sentence, **more}


@dataclass(frozen=True)
class Turn:
    """What the house sends: one message and where the dialogue stands."""

    dialogue: str
    turn: str
    text: str
    trusted: bool
    events: int
    history: Optional[List[Dict[str, Any]]] = None
    slots: Mapping[str, Any] = field(default_factory=dict)
    parts: bool = False

    @classmethod
    def parse(cls, body: bytes) -> "Turn":
        """The turn in a request's body; raises Refused with what is wrong with it."""
        if len(body) > MAX_HISTORY_BODY:
            raise Refused(413, f"A turn is at most {MAX_HISTORY_BODY} bytes, this one is {len(body)}.")
        try:
            said = json.loads(body, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise Refused(400, "The body of a turn must be JSON.") from None
        if not isinstance(said, dict):
            raise Refused(400, "A turn must be a JSON object.")
        if len(body) > MAX_BODY and not said.get("history"):
            raise Refused(413, f"A turn without history is at most {MAX_BODY} bytes, this one is {len(body)}.")
        turn = cls(
            dialogue=_required(said, "dialogue", str),
            turn=_required(said, "turn", str),
            text=_storable(_required(said, "text", str)[:MAX_TEXT]),
            trusted=said.get("trusted") is True,
            events=_required(said, "events", int),
            history=_optional(said, "history", list),
            slots=_optional(said, "slots", dict) or {},
            parts=said.get("parts") is True,
        )
        turn.check()
        return turn

    def check(self) -> None:
        """Raises Refused where the fields do not fit together."""
        if not 0 < len(self.dialogue) <= 200 or not 0 < len(self.turn) <= 200:
            raise Refused(400, "'dialogue' and 'turn' have 1 to 200 characters.")
        if self.events < 0:
            raise Refused(400, "'events' cannot be negative.")
        if self.history is not None and len(self.history) != self.events:
            raise Refused(400, f"'history' holds {len(self.history)} events, 'events' says {self.events}.")


class Replies(OutputChannel):
    """What came of one turn: replies in order, the actions that were called, those that failed."""

    def __init__(self) -> None:
        self.said: List[Dict[str, Any]] = []
        self.calls: List[str] = []
        self.failed: List[str] = []

    @classmethod
    def name(cls) -> Text:
        return "house"

    async def send_response(self, recipient_id: Text, message: Dict[Text, Any]) -> None:
        """Keep the reply's name, parameters and buttons; a reply without a name is a failure of the action."""
        name = message.get("utter_action")
        if not name:
            self.failed.append("a reply without a name")
            return
        self.said.append({"name": name, "params": message.get("params") or {}, "buttons": message.get("buttons") or []})


class HouseChannel(InputChannel):
    """Takes turns from the house and from nobody else."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode("utf-8", "replace")
        self._busy: "WeakValueDictionary[str, asyncio.Lock]" = WeakValueDictionary()

    @classmethod
    def name(cls) -> Text:
        return "house"

    @classmethod
    def from_credentials(cls, credentials: Optional[Dict[Text, Any]]) -> "HouseChannel":
        secret = str((credentials or {}).get("secret") or "")
        if not secret:
            raise RasaException("nlu/credentials.yml: nlu.channel.HouseChannel needs 'secret' (ASSISTANT_SECRET).")
        return cls(secret)

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        """The two routes. `on_new_message` is not used: a turn needs the agent's tracker before and after."""
        routes = Blueprint("house")

        @routes.get("/")
        async def health(request: Request) -> HTTPResponse:
            agent = getattr(request.app.ctx, "agent", None)
            ready = agent is not None and agent.is_ready()
            return _json({"status": "ok" if ready else "loading"}, 200 if ready else 503)

        @routes.post("/turn")
        async def turn(request: Request) -> HTTPResponse:
            given = request.headers.get("x-sawt-secret") or ""
            if not hmac.compare_digest(given.encode("utf-8", "replace"), self._secret):
                return _json({"error": "The secret is missing or wrong."}, 403)
            try:
                return _json(await self.take(request.app.ctx.agent, Turn.parse(request.body)))
            except Refused as refused:
                return _json(refused.body, refused.status)
            except Exception as error:  # nothing may leave this door but an answer
                log.error("turn broke error=%s", type(error).__name__)
                return _json({"error": "The turn broke in the assistant."}, 500)

        return routes

    async def take(self, agent: Agent, turn: Turn) -> Dict[str, Any]:
        """The answer to one turn; raises Refused. Turns of one dialogue wait for each other."""
        lock = self._busy.setdefault(turn.dialogue, asyncio.Lock())
        async with lock:
            tracker = await _stand(agent, turn)
            replies = Replies()
            read: Optional[Dict[str, Any]] = None
            vector: Optional[Text] = (
                None  # beside the parse data: those become an event, which is stored and sent often
            )
            parts: List[Dict[str, Any]] = []
            try:
                read = await _read(agent, turn)
                vector = read.pop("vector", None)
                parts = await _read_parts(agent, turn) if turn.parts else []
                metadata = {"parts": parts} if parts else None
                message = UserMessage(turn.text, replies, turn.dialogue, read, self.name(), turn.turn, metadata)
                message.text = turn.text  # Rasa strips it
                await asyncio.wait_for(agent.handle_message(message), TURN_SECONDS)
            except Exception as error:
                replies.failed.append(type(error).__name__)
                log.error("turn failed error=%s calls=%s", type(error).__name__, ",".join(replies.calls))
            if not replies.failed and not replies.calls:
                replies.failed.append("no action of the house was called")
                log.error("turn failed error=NoAction intent=%s", read and read["intent"]["name"])
            if replies.failed:
                await _forget(agent, turn.dialogue)
                return {**_nothing(turn), "read": read and _reading(read), "parts": parts}
            return {
                "events": [_slim(event) for event in list(tracker.events)[turn.events :]],
                "total": len(tracker.events),
                "slots": {name: tracker.get_slot(name) for name in ("draft", "question", "language")},
                "replies": replies.said,
                "read": read and _reading(read),
                "vector": vector,
                "parts": parts,
                "failed": False,
            }


# Where the dialogue stands


async def _stand(agent: Agent, turn: Turn) -> DialogueStateTracker:
    """The tracker as the house knows the dialogue, its slots and form mirrored; raises Refused 409."""
    store, processor = agent.tracker_store, agent.processor
    assert processor is not None
    if turn.events == 0:
        await _forget(agent, turn.dialogue)
    elif turn.history is not None:
        await store.save(_replayed(turn, processor.domain))
    else:
        known = await store.retrieve(turn.dialogue)
        have = len(known.events) if known is not None else 0
        if have != turn.events:
            raise Refused(409, "The assistant holds another number of events: send the history.", have=have)
    tracker = await processor.fetch_tracker_and_update_session(turn.dialogue)
    tracker.update_with_events(_mirror(tracker, turn.slots), processor.domain)
    await store.save(tracker)
    return tracker


async def _forget(agent: Agent, dialogue: str) -> None:
    """The dialogue has no events any more."""
    await agent.tracker_store.save(agent.tracker_store.init_tracker(dialogue))


def _replayed(turn: Turn, domain: Domain) -> DialogueStateTracker:
    try:
        tracker = DialogueStateTracker.from_dict(turn.dialogue, turn.history or [], domain.slots)
    except Exception as error:
        raise Refused(400, f"The history cannot be replayed ({type(error).__name__}).") from None
    if len(tracker.events) != turn.events:
        raise Refused(400, f"Only {len(tracker.events)} of {turn.events} events of the history are events of Rasa.")
    return tracker


def _mirror(tracker: DialogueStateTracker, slots: Mapping[str, Any]) -> List[Event]:
    """The events that bring slots and form in step with the house: a form is open exactly where a draft is."""
    wanted = {name: slots[name] for name in MIRRORED if name in slots}
    loop: List[Event] = []
    if "draft" in slots:
        if slots["draft"] is None:
            wanted.update(dict.fromkeys(FORM_SLOTS))
            loop = [ActiveLoop(None)] if tracker.active_loop_name else []
        elif tracker.active_loop_name is None:
            wanted["requested_slot"] = "confirmed"
            wanted["confirmed"] = None
            loop = [ActiveLoop(FORM)]
    return loop + [SlotSet(name, value) for name, value in wanted.items() if tracker.get_slot(name) != value]


# What the message says


async def _read(agent: Agent, turn: Turn) -> Dict[str, Any]:
    """Rasa's parse data, of the text as it was written: a '/' of an untrusted text is no command."""
    pressed = _pressed(turn.text) if turn.trusted else None
    if pressed is not None:
        return _parse_data(turn.text, {"intent": {"name": "press", "confidence": 1.0}, "entities": pressed})
    return await _parse(agent, turn.text)


async def _parse(agent: Agent, text: str) -> Dict[str, Any]:
    processor = agent.processor
    assert processor is not None
    if not text.strip():
        return _parse_data(text, {})
    message = UserMessage()
    message.text = defused(text)  # not stripped: offsets are those of the text as it was written
    parsed = await processor.parse_message(message)
    data = {**_parse_data(text, parsed), "vector": parsed.get("vector")}
    if data["intent"].get("name") not in processor.domain.intents or data["intent"]["name"] in NEVER_READ:
        data["intent"] = {"name": NOTHING_READ, "confidence": 0.0}
    return data


def defused(text: str) -> str:
    """The text with a leading '/' changed into a '⁄', so that no rule of Rasa takes it for a command; same length."""
    bare = text.lstrip()
    return text[: len(text) - len(bare)] + "\u2044" + bare[1:] if bare.startswith("/") else text


def _pressed(text: str) -> Optional[List[Dict[str, Any]]]:
    """The entities of a button's payload, or None where the text is none."""
    match = PRESS.fullmatch(text)
    try:
        payload = json.loads(match.group(1)) if match else None
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        return None
    return [{"entity": name, "value": value, "start": 0, "end": len(text)} for name, value in payload.items()]


def _parse_data(text: str, data: Mapping[str, Any]) -> Dict[str, Any]:
    """What is kept of a parse: enough for the house's actions, small enough to be stored with every message."""
    intent = data.get("intent") or {"name": NOTHING_READ, "confidence": 0.0}
    kept = {
        "text": text,
        "intent": {"name": intent.get("name"), "confidence": intent.get("confidence", 0.0)},
        "entities": list(data.get("entities") or []),
        "intent_ranking": [
            {"name": one.get("name"), "confidence": one.get("confidence")} for one in data.get("intent_ranking") or []
        ][:3],
    }
    kept.update({key: data.get(key) for key in READ_ONE})
    kept.update({key: list(data.get(key) or []) for key in READ_SEVERAL})
    return kept


def _reading(data: Mapping[str, Any]) -> Dict[str, Any]:
    """The answer's `read`: the parse data without the text."""
    return {key: data[key] for key in ("intent", "intent_ranking", "entities", *READ_ONE, *READ_SEVERAL)}


# Sentences read alone

# «وعندي شكوى ثانية», 'also I have': nobody who is in a hurry writes a full stop between two matters.
_NEXT_MATTER = (
    r"\s\+\s|(?<=\s)(?=و?(?:عندي|لدي|كمان عندي|بعد عندي|ايضا عندي|أيضا لدي|برضو عندي) (?:شكوى|شكوي|اقتراح|سؤال|استفسار|بلاغ|ملاحظة|مشكلة)"
    r"|(?:and )?(?:also|another thing)[, ])|(?=另外|还有一件事)"
)
_SENTENCE = re.compile(
    rf"[^\n\r\u2028\u2029]+?(?:[.!?؟…]+(?=\s|$)|[。！？]+|{_NEXT_MATTER}|(?=[\n\r\u2028\u2029])|$)|[\n\r\u2028\u2029]"
)
_CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")


def sentences(text: str) -> List[Tuple[int, int]]:
    """Offsets of the lines and sentences that are long enough to be a matter of their own, at most five."""
    found = []
    for match in _SENTENCE.finditer(text):
        piece = match.group()
        start = match.start() + len(piece) - len(piece.lstrip())
        end = match.start() + len(piece.rstrip())
        if start < end and _words(text[start:end]) >= MIN_PART_WORDS:
            found.append((start, end))
    return found[:MAX_PARTS]


def _words(piece: str) -> int:
    """Words as spaces cut them; in Chinese, which has none, two characters count as one."""
    han = len(_CJK.findall(piece))
    return len(_CJK.sub(" ", piece).split()) + han // 2


async def _read_parts(agent: Agent, turn: Turn) -> List[Dict[str, Any]]:
    """What each sentence says alone; empty where the message is one sentence."""
    spans = sentences(turn.text)
    if len(spans) < 2:
        return []
    parts = []
    for start, end in spans:
        data = await _parse(agent, turn.text[start:end])
        parts.append(
            {
                "text": turn.text[start:end],
                "start": start,
                "end": end,
                "intent": data["intent"],
                "category": data.get("category"),
            }
        )
    return parts


# Small things


def _nothing(turn: Turn) -> Dict[str, Any]:
    """The answer of a turn that failed: the dialogue stands where it stood."""
    slots = {name: turn.slots.get(name) for name in ("draft", "question", "language")}
    return {"events": [], "total": turn.events, "slots": slots, "replies": [], "failed": True}


def _slim(event: Event) -> Dict[str, Any]:
    """An event as the house stores it: without empty fields of a reply and without the model's id on each."""
    data = event.as_dict()
    metadata = {k: v for k, v in (data.pop("metadata", None) or {}).items() if k not in ("model_id", "assistant_id")}
    if metadata:
        data["metadata"] = metadata
    if data["event"] == "bot":
        data["data"] = {key: value for key, value in data["data"].items() if value is not None}
    return data


def _storable(text: str) -> str:
    """The text with NUL and lone surrogates replaced, one for one: neither can be stored or sent on."""
    return "".join("\ufffd" if char == "\0" or "\ud800" <= char <= "\udfff" else char for char in text)


def _required(said: Mapping[str, Any], name: str, kind: type) -> Any:
    value = said.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Refused(400, f"'{name}' must be {'a string' if kind is str else 'a whole number'}.")
    return value


def _optional(said: Mapping[str, Any], name: str, kind: type) -> Any:
    value = said.get(name)
    if value is not None and not isinstance(value, kind):
        raise Refused(400, f"'{name}' must be {'a list' if kind is list else 'an object'} or absent.")
    if kind is list and value is not None and not all(isinstance(one, dict) for one in value):
        raise Refused(400, f"'{name}' must be a list of objects.")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _json(body: Mapping[str, Any], status: int = 200) -> HTTPResponse:
    return HTTPResponse(dumps(body), status, content_type="application/json")
