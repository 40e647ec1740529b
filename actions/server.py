"""Rasa's action protocol, spoken by the house: one JSON POST in, `{events, responses}` out.

The topics decide, this file does: it files, applies verbs, and turns an answer into slots. It never lets an error
through as an answer: Rasa would go on and say the next sentence as if all were well.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Mapping
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from actions.linking import linked
from actions.matter import with_kept
from actions.said import KEEP, Act, Answer, Desk, Said
from actions.talk import talk
from actions.tickets import status_of
from bot.faults import fault
from bot.handlers.draft import Draft
from bot.handlers.house import House, UnknownTicket
from bot.tickets.people import Actor
from bot.tickets.ticket import Incomplete, NotAllowed

log = structlog.get_logger("sawt.actions")

DEADLINE = 4.5
"""Seconds for one action; the assistant waits five."""
FORM_ACTION, FILE_ACTION, TALK_ACTION = "validate_ticket_form", "action_file_ticket", "action_talk"
SAID = "said"
"""What the form is told to ask next: nothing. Its question went out with the answer, which saves a call."""


def application(house: House, secret: str) -> Starlette:
    """The listener for the assistant. Serve it on loopback with a keep-alive of five minutes."""

    async def webhook(request: Request) -> JSONResponse:
        given = request.headers.get("x-sawt-secret", "")
        if not hmac.compare_digest(given.encode(), secret.encode()):
            return JSONResponse({"error": "The secret is missing or wrong."}, 403)
        try:
            call = json.loads(await request.body())
            name, said = call["next_action"], heard(call["tracker"], house)
        except (ValueError, KeyError, TypeError) as error:
            log.warning("action call not understood", error=type(error).__name__)
            return JSONResponse({"error": "This is no action call."}, 422)
        try:
            async with asyncio.timeout(DEADLINE):
                return JSONResponse(await asyncio.to_thread(run, name, said, house))
        except Exception as error:
            log.error("action failed", action=name, turn=said.turn, error=type(error).__name__, exc_info=True)
            return JSONResponse({"error": "The action failed."}, 500)

    async def health(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    return Starlette(routes=[Route("/webhook", webhook, methods=["POST"]), Route("/health", health)])


def heard(tracker: Mapping[str, Any], house: House) -> Said:
    """What Rasa sends, typed. Raises KeyError or TypeError where it is something else."""
    slots, latest = tracker["slots"], tracker["latest_message"]
    known = slots["tickets"]
    intent, category, language = latest["intent"], latest.get("category") or {}, latest.get("language") or {}
    entities = latest.get("entities") or []
    pressed = {e["entity"]: e["value"] for e in entities} if intent["name"] == "press" else None
    reading = {
        k: latest.get(k)
        for k in ("intent", "intent_ranking", "category", "category_reading", "language", "services", "flags")
    }
    return Said(
        conversation=known["of"],
        turn=known["turn"],
        text=known.get("text") or latest.get("text") or "",
        intent=intent["name"],
        confidence=float(intent.get("confidence") or 0),
        category=category.get("name"),
        category_confidence=float(category.get("confidence") or 0),
        language=language.get("name"),
        services=latest.get("services") or [],
        flags=latest.get("flags") or [],
        entities=[] if pressed is not None else entities,
        pressed=pressed,
        draft=Draft.of(slots.get("draft")),
        question=slots.get("question"),
        spoken=slots.get("language"),
        open=known.get("open") or [],
        ended=known.get("ended") or [],
        files=known.get("files") or (),
        parts=(latest.get("metadata") or {}).get("parts") or [],
        at=house.clock(),
        # `turn` leads from a ticket to the message that was read: its vector lies there
        reading={k: v for k, v in {**reading, "turn": known["turn"]}.items() if v is not None}
        if pressed is None
        else {},
    )


def run(name: str, said: Said, house: House) -> dict[str, Any]:
    """The answer to one action call, its effects committed."""
    if name == FILE_ACTION:
        return _filed(said, house)
    if name not in (FORM_ACTION, TALK_ACTION):  # a form's question: it went out with the form's answer
        return {"events": [], "responses": []}
    answer = talk(said, Desk(list(house.register().categories), house.emergency, house.elsewhere, house.office))
    if answer.act:
        _do(answer, answer.act, said, house)
    if answer.file and name != FORM_ACTION:
        draft = said.draft if answer.draft is KEEP else answer.draft
        assert draft is not None
        reply = _file(draft, said, house)
        return {**reply, "responses": answer.replies + reply["responses"]}
    return {"events": _slots(answer, said), "responses": answer.replies}


def _filed(said: Said, house: House) -> dict[str, Any]:
    """The form is complete: file its draft. Nothing to file is no error: another action of this turn has done it."""
    return _file(said.draft, said, house) if said.draft and said.draft.text else {"events": [], "responses": []}


def _file(draft: Draft, said: Said, house: House) -> dict[str, Any]:
    kept = said.question or {}
    if kept.get("name") == "another" and kept.get("text") and not kept.get("ref"):
        draft = with_kept(draft, kept)  # asked about and not answered: offered again, never lost
    question = house.file(said.conversation, said.turn, draft)
    fault("ticket-committed")
    return {"events": _closed() + [_slot("draft", None), _slot("question", question)], "responses": []}


def _do(answer: Answer, act: Act, said: Said, house: House) -> None:
    """One effect; where it is not possible the answer says so instead."""
    if act.verb in ("stop", "start"):
        house.stop(said.conversation, act.verb == "stop")
        return
    if act.verb == "guess":
        if not house.guess(said.conversation):
            answer.replies.clear()
            answer.question = None
            answer.say("utter_locked")
        return
    if act.verb in ("link_code", "link", "prefer"):
        _link(answer, act, said, house)
        return
    if act.verb == "prove":
        _prove(answer, act, said, house)
        return
    by = Actor("beneficiary", house.contact(said.conversation))
    try:
        ticket = house.act(
            act.ref, act.verb, by, act.said, contact=by.id, turn=said.turn, key=f"{said.turn}:{act.verb}"
        )
    except (NotAllowed, UnknownTicket, Incomplete) as refused:
        log.info("verb refused", verb=act.verb, error=type(refused).__name__)
        ticket_now = next((t for t in [*said.open, *said.ended] if t["ref"] == act.ref), None)
        answer.replies.clear()
        if ticket_now is None:
            answer.say("utter_no_ticket")
        elif act.verb == "reopen" and ticket_now["state"] not in ("new", "open", "waiting"):
            answer.say("utter_cannot_reopen", ref=act.ref, days=house.policy.reopen_within_days)
        else:
            answer.say("utter_cannot", ref=act.ref, state=ticket_now["state"])
        return
    if act.verb == "add" and not answer.replies:
        answer.say("utter_added_to_ticket", ref=ticket.ref, unit=ticket.unit)


def _link(answer: Answer, act: Act, said: Said, house: House) -> None:
    if act.verb == "prefer":
        house.prefer(said.conversation)
    elif act.verb == "link_code":
        answer.say("utter_link_code", number=house.link_code(said.conversation))
    else:
        outcome = house.link(said.conversation, str(act.said["code"]))
        if outcome == "ok":
            answer.replies += linked().replies
        else:
            answer.say("utter_locked" if outcome == "locked" else "utter_link_wrong")


def _prove(answer: Answer, act: Act, said: Said, house: House) -> None:
    if not act.ref:
        answer.say("utter_ask_reference")
        return
    outcome = house.prove(said.conversation, act.ref, str(act.said["code"]))
    if outcome != "ok":
        answer.say("utter_locked" if outcome == "locked" else "utter_receipt_wrong")
        return
    answer.question = None
    answer.say("utter_receipt_ok", ref=act.ref)
    answer.replies += status_of(house.of(said.conversation, act.ref)).replies


def _slots(answer: Answer, said: Said) -> list[dict[str, Any]]:
    """The state after the turn as Rasa's events; the form stands or falls with the draft."""
    draft = said.draft if answer.draft is KEEP else answer.draft
    question = said.question if answer.question is KEEP else answer.question
    events = [_slot("draft", draft.data() if draft else None), _slot("question", dict(question) if question else None)]
    if answer.language:
        events.append(_slot("language", answer.language))
    if draft is None:
        return events + _closed()
    if answer.file:
        return [*events, _slot("matter", True), _slot("confirmed", True)]
    return [*events, _slot("matter", bool(draft.text) or None), _slot("confirmed", None), _slot("requested_slot", SAID)]


def _closed() -> list[dict[str, Any]]:
    return [
        _slot("matter", None),
        _slot("confirmed", None),
        _slot("requested_slot", None),
        {"event": "active_loop", "name": None},
    ]


def _slot(name: str, value: Any) -> dict[str, Any]:
    return {"event": "slot", "name": name, "value": value}
