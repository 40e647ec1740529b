"""A matter: from the first words to the confirmed draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from actions.said import Act, Answer, Buttons, Said, button
from actions.short import short
from actions.words import has_content, kind_named, wish, words
from bot.handlers.draft import MATTER_KINDS, Draft
from bot.tickets.ticket import KINDS

ASK_BACK = 0.45
"""Below this confidence the kind is asked instead of guessed."""
NAMED = 0.8
"""From this confidence on a service is named in the draft that is shown back."""
PERHAPS = 0.3
"""From this confidence on a service may be the one that is meant."""
CLEARLY = 0.75
"""From this confidence on a sentence is taken for a matter of its own."""


def kind_of(said: Said) -> str | None:
    """The kind that the message reads as; None where it must be asked."""
    if _names_observation(said.text):
        return "observation"
    if said.intent in MATTER_KINDS and said.confidence < CLEARLY and (named := kind_named(said.text)):
        return named
    ranking = said.reading.get("intent_ranking") or [{"name": said.intent, "confidence": said.confidence}]
    mass = sum(r["confidence"] for r in ranking if r["name"] in MATTER_KINDS)
    best = next((r for r in ranking if r["name"] in MATTER_KINDS), None)
    if best and (best["confidence"] >= ASK_BACK or (said.intent in MATTER_KINDS and mass >= 0.6)):
        return MATTER_KINDS[best["name"]]
    return None


def _names_observation(text: str) -> bool:
    """A remark that its sender calls one."""
    first = [w.strip("،؛:.,!؟").removeprefix("ال") for w in words(text)[:6]]
    return any(w in ("ملاحظه", "ملاحظتي", "ملاحظات", "observation") for w in first)


def is_matter(said: Said) -> bool:
    return said.intent in MATTER_KINDS or _names_observation(said.text)


def begin(said: Said, kind: str | None = None, text: str | None = None) -> Answer:
    """A draft from this message; one question where there is nothing yet to file."""
    kind = kind or kind_of(said)
    content = text if text is not None else (said.text if has_content(said.text) else "")
    draft = Draft(
        kind=kind,
        category=category_of(said, kind) if content else None,
        service=_service(said) if content else None,
        text=content,
        confidential="confidential" in said.flags,
        urgent="danger" in said.flags,
        second=_second(said) if content else None,
        reading=dict(said.reading),
    )
    return ask_next(said, draft)


def category_of(said: Said, kind: str | None) -> str | None:
    """What it is about; an observation's category is what the category head reads all the same."""
    read = said.reading.get("category_reading") or {}
    return said.category or (read.get("name") if kind == "observation" or said.intent not in MATTER_KINDS else None)


def _service(said: Said) -> str | None:
    """The service that was named or clearly meant."""
    return said.services[0]["id"] if said.services and said.services[0]["confidence"] >= NAMED else None


def _second(said: Said) -> dict[str, Any] | None:
    """A sentence of the message that clearly is another matter than the whole."""
    first = next((p for p in said.parts if p["category"] and p["category"]["name"] == said.category), None)
    for part in said.parts:
        intent, category = part["intent"], part["category"]
        if part is first or intent["name"] not in MATTER_KINDS or not category:
            continue
        if intent["confidence"] >= CLEARLY and category["confidence"] >= CLEARLY and category["name"] != said.category:
            return {"text": part["text"], "kind": MATTER_KINDS[intent["name"]], "category": category["name"]}
    return None


def ask_next(said: Said, draft: Draft, answer: Answer | None = None) -> Answer:
    """The one question that the draft needs now, in the order: what, which kind, the same again?, file it?"""
    answer = answer or Answer()
    if not draft.text:
        answer.draft = replace(draft, stage="details")
        answer.question = None
        return answer.say(f"utter_ask_matter_{draft.kind}" if draft.kind else "utter_ask_matter")
    if draft.kind is None:
        answer.draft = replace(draft, stage="kind")
        answer.question = None
        return answer.say("utter_choose_kind", _kinds(), text=draft.text)
    same = None if draft.asked_same else _same(said, draft)
    if same:
        answer.draft = replace(draft, stage="same", same=same["ref"], asked_same=True)
        answer.question = None
        choices = [
            button("button_add_to", "add_draft_to", ref=same["ref"]),
            button("button_new_ticket", "new_ticket"),
            button("button_cancel", "cancel"),
        ]
        return answer.say("utter_same_matter", choices, ref=same["ref"], kind=same["kind"], state=same["state"])
    answer.draft = replace(draft, stage="confirm")
    answer.question = None
    return answer.say(_summary(draft), confirm_buttons(draft), **shown(draft))


def _same(said: Said, draft: Draft) -> Mapping[str, Any] | None:
    """The person's live ticket on the same matter: the same service, or the same category and no two services."""
    perhaps = {s["id"] for s in said.services if s["confidence"] >= PERHAPS}
    for ticket in said.open:
        services = {draft.service, ticket.get("service")} - {None}
        if ticket.get("service") in perhaps:
            services = {draft.service}  # one of two that the words may mean is no other matter
        kinds = {draft.kind, ticket.get("kind")}
        alike = len(kinds) == 1 or kinds == {"complaint", "inquiry"}
        about = ticket.get("category") == (draft.category or "other") and len(services) < 2
        same = alike and (about or (draft.service is not None and draft.service == ticket.get("service")))
        if same and not ticket.get("special"):
            return ticket
    return None


def _summary(draft: Draft) -> str:
    mark = "_urgent" if draft.urgent else "_confidential" if draft.confidential else ""
    return f"utter_draft{mark}{'_service' if draft.service else ''}"


def shown(draft: Draft) -> dict[str, Any]:
    """The draft as parameters of a sentence."""
    params = {"kind": draft.kind, "category": draft.category or "other", "text": draft.text}
    return {**params, "service": draft.service} if draft.service else params


def confirm_buttons(draft: Draft) -> Buttons:
    secret = (
        ("button_not_confidential", "open_to_unit") if draft.confidential else ("button_confidential", "confidential")
    )
    return [
        button("button_file", "file"),
        button("button_change_kind", "change_kind"),
        button("button_change_category", "change_category"),
        button("button_edit", "edit"),
        button(*secret),
        button("button_cancel", "cancel"),
    ]


def _kinds() -> Buttons:
    kinds = [
        button(f"button_kind_{k}", "set_kind", value=k)
        for k in ("complaint", "inquiry", "suggestion", "report", "observation")
    ]
    return [*kinds, button("button_cancel", "cancel")]


# --- a message while a draft is open -------------------------------------------------------------------------------


def carry_on(said: Said, draft: Draft) -> Answer | None:
    """What this message does to the open draft; None where it is about something else (a status, a person …)."""
    move = short(said.text)
    if draft.stage == "edit":
        return _edited(said, draft, move)
    if draft.stage == "details":
        return _details(said, draft)
    if move in ("edit", "change_kind", "change_category", "confidential"):
        return None  # the button of that name: talk.py presses it
    if move in ("yes", "send") or (said.sure("affirm", at_least=0.6) and len(words(said.text)) <= 4):
        return _yes(said, draft)
    if move in ("no", "keep") or (said.sure("deny", at_least=0.6) and len(words(said.text)) <= 3):
        return _no(said, draft)
    if move == "drop" or (said.sure("cancel", at_least=0.6) and len(words(said.text)) <= 5):
        return _dropped(said, draft)
    if move is not None:
        return None
    kind = wish(said.text) or (kind_named(said.text) if len(words(said.text)) <= 3 else None)
    if kind:
        return ask_next(said, replace(draft, kind=kind, by_hand=True))
    if "confidential" in said.flags and len(words(said.text)) <= 9 and not is_report_of_more(said):
        return ask_next(said, replace(draft, confidential=True))
    if _is_another(said, draft):
        return another(said, draft)
    if _is_addition(said):
        more = replace(draft, asked_same=False) if draft.stage == "same" else draft
        return ask_next(said, _reread(said, more.adding(said.text)))
    return None


def is_report_of_more(said: Said) -> bool:
    """Beside the wish for secrecy the message tells a matter."""
    return said.intent in MATTER_KINDS and said.confidence >= CLEARLY and len(words(said.text)) >= 7


def _is_addition(said: Said) -> bool:
    """What a person goes on to tell: no move of the dialogue, no short question to us."""
    found = words(said.text)
    if said.text.rstrip().endswith(("؟", "?", "？")) and len(found) <= 5:
        return False
    tells = len(found) >= 2 or any(c.isdigit() for c in said.text)
    return tells and (said.intent in ("out_of_scope", *MATTER_KINDS) or _adds(said))


def another(said: Said, draft: Draft | None, ref: str | None = None) -> Answer:
    """Words that read as a matter of their own: kept aside, and asked about."""
    kept: dict[str, Any] = {"name": "another", "text": said.text, "kind": kind_of(said), "ref": ref}
    kept |= {"category": said.category, "yes": {"do": "separate"}, "no": {"do": "add_here"}}
    if ref:
        choices = [button("button_separate", "separate"), button("button_answer", "add_here")]
        return Answer(question=kept).say("utter_another_for_ticket", choices, ref=ref, text=said.text)
    choices = [button("button_add_here", "add_here"), button("button_separate", "separate")]
    return Answer(question=kept).say("utter_another_matter", choices, text=said.text)


def _adds(said: Said) -> bool:
    """Words that are no move of the dialogue: what a person goes on to tell."""
    moves = {
        "check_status", "withdraw_ticket", "reopen_ticket", "human_handoff", "rate_service", "my_data",
        "stop_notices", "change_language", "greet", "goodbye", "thanks", "help", "affirm", "deny", "cancel",
    }  # fmt: skip
    return said.intent not in moves or said.confidence < 0.6


def _edited(said: Said, draft: Draft, move: str | None) -> Answer | None:
    """The new text; a no or 'never mind' keeps the old one, and a clear wish for something else is none."""
    if move in ("no", "keep", "drop") or said.sure("cancel", "deny", at_least=0.6):
        return ask_next(said, draft)
    if said.sure("human_handoff", "check_status", "stop_notices", "help", "my_data", "change_language", at_least=0.6):
        return None
    if "danger" in said.flags:
        return ask_next(said, _reread(said, draft.adding(said.text)))
    if not has_content(said.text):
        return Answer().say("utter_edit_text")
    return ask_next(said, _reread(said, replace(draft, text=said.text, service=None)))


def _details(said: Said, draft: Draft) -> Answer | None:
    """The answer to 'what happened?': anything that says something."""
    move = short(said.text)
    if move == "drop" or (move in ("no", "keep")) or (said.sure("cancel", at_least=0.6) and len(words(said.text)) <= 5):
        return Answer(draft=None, question=None).say("utter_draft_cancelled")
    kind = wish(said.text)
    if kind and not has_content(said.text):
        return ask_next(said, replace(draft, kind=kind))
    if move in ("yes", "send", "thanks", "salam") or not has_content(said.text):
        return Answer(draft=draft).say(f"utter_ask_matter_{draft.kind}" if draft.kind else "utter_ask_matter")
    if move is not None or (not _adds(said) and said.confidence >= 0.8):
        return None
    if len(words(said.text)) < 2 and not any(c.isalpha() for c in said.text):
        return None
    return ask_next(said, _reread(said, replace(draft, text=said.text)))


def _reread(said: Said, draft: Draft) -> Draft:
    """The draft with what the new words tell: kind unless it was chosen, category and service where they are surer."""
    known = draft.reading.get("category") or {}
    category = (
        said.category if said.category and said.category_confidence >= known.get("confidence", 0) else draft.category
    )
    kind = draft.kind or kind_of(said)
    if not draft.by_hand and draft.text == said.text and kind_of(said):
        kind = kind_of(said)
    return replace(
        draft,
        kind=kind,
        category=category or draft.category or said.category,
        service=_service(said) or draft.service,
        urgent=draft.urgent or "danger" in said.flags,
        confidential=draft.confidential or "confidential" in said.flags,
        second=draft.second or _second(said),
        reading=dict(said.reading) if not draft.reading or category == said.category else draft.reading,
    )


def _is_another(said: Said, draft: Draft) -> bool:
    """It reads as a new matter: long enough, clearly of another kind and category."""
    return (
        draft.stage in ("confirm", "same")
        and said.intent in MATTER_KINDS
        and said.confidence >= CLEARLY
        and said.category is not None
        and said.category_confidence >= CLEARLY
        and said.category != draft.category
        and len(words(said.text)) >= 5
        and len(words(draft.text)) >= 3
    )


def _yes(said: Said, draft: Draft) -> Answer | None:
    if draft.stage == "confirm":
        return Answer(draft=draft, file=True)
    if draft.stage == "same":
        return add_to(said, draft)
    if draft.stage == "kind":  # yes to a choice: the likeliest, shown back before it is filed
        return ask_next(said, replace(draft, kind=draft.kind or likeliest(draft.reading)))
    return ask_next(said, draft)


def likeliest(reading: Mapping[str, Any]) -> str:
    """The kind that a message is likelier than any other to be; an inquiry where nothing speaks for one."""
    ranking = reading.get("intent_ranking") or []
    return next((MATTER_KINDS[r["name"]] for r in ranking if r["name"] in MATTER_KINDS), "inquiry")


def _no(said: Said, draft: Draft) -> Answer | None:
    if draft.stage == "same":
        return ask_next(said, draft)
    if draft.stage == "category" or (draft.stage == "kind" and draft.kind):
        return ask_next(said, draft)
    if draft.stage == "confirm":
        return Answer().say("utter_confirm_or_change", confirm_buttons(draft)[1:])
    return None


def _dropped(said: Said, draft: Draft) -> Answer:
    """Cancelled: a choice in the middle of a draft is left, the draft itself is put away."""
    if draft.stage == "category" or (draft.stage == "kind" and draft.kind):
        return ask_next(said, draft)
    return Answer(draft=None, question=None).say("utter_draft_cancelled")


def add_to(said: Said, draft: Draft) -> Answer:
    """The draft becomes an addition to the person's open ticket."""
    return Answer(draft=None, question=None, act=Act("add", draft.same or "", {"text": draft.text}))


def hurry(draft: Draft) -> Draft:
    """The draft of somebody in danger: a report, urgent, about safety, and nothing is asked back that can wait."""
    known = draft.category if draft.category not in (None, "other") else "safety_environment"
    return replace(draft, urgent=True, kind="report", category=known, by_hand=True)


def remind(draft: Draft) -> tuple[str, Buttons, dict[str, Any]]:
    """A short reminder that a draft waits, with its buttons."""
    if draft.stage == "kind":
        return "utter_choose_kind", _kinds(), {"text": draft.text}
    if draft.stage == "details":
        return f"utter_ask_matter_{draft.kind}" if draft.kind else "utter_ask_matter", [], {}
    return "utter_still_draft", confirm_buttons(draft), {"text": draft.text}


# --- buttons of the draft ------------------------------------------------------------------------------------------


def press(said: Said, do: str, categories: Sequence[str]) -> Answer | None:
    """What a button of the draft does; None where `do` is not one of them."""
    if do == "begin":
        kind = str((said.pressed or {}).get("value", "")) or None
        kept = said.draft if said.draft and said.draft.text else Draft()
        return ask_next(said, replace(kept, kind=kind, by_hand=True))
    if do in ("add_here", "separate", "second", "no_second", "anyway"):
        return _kept_words(said, do)
    draft = said.draft
    if do not in _ON_DRAFT:
        return None
    if draft is None:
        return Answer().say("utter_nothing_to_cancel" if do == "cancel" else "utter_no_draft")
    value = str((said.pressed or {}).get("value", ""))
    if do == "file":
        return Answer(draft=draft, file=True) if draft.text and draft.kind else ask_next(said, draft)
    if do == "cancel":
        return Answer(draft=None, question=None).say("utter_draft_cancelled")
    if do == "change_kind":
        return Answer(draft=replace(draft, stage="kind")).say("utter_choose_kind", _kinds(), text=draft.text)
    if do == "change_category":
        choices = [button(f"button_category_{c}", "set_category", value=c) for c in categories]
        return Answer(draft=replace(draft, stage="category")).say("utter_choose_category", choices)
    if do == "edit":
        return Answer(draft=replace(draft, stage="edit")).say("utter_edit_text")
    if do == "set_kind" and value in KINDS:
        return ask_next(said, replace(draft, kind=value, by_hand=True))
    if do == "set_category" and value in categories:
        return ask_next(
            said,
            replace(draft, category=value, reading={**draft.reading, "category": {"name": value, "confidence": 1.0}}),
        )
    if do in ("confidential", "open_to_unit"):
        return ask_next(said, replace(draft, confidential=do == "confidential"))
    if do == "new_ticket":
        return ask_next(said, replace(draft, asked_same=True, same=None))
    if do == "add_draft_to":
        return add_to(said, replace(draft, same=str((said.pressed or {}).get("ref", draft.same))))
    return ask_next(said, draft)


_ON_DRAFT = frozenset(
    [
        "file",
        "cancel",
        "change_kind",
        "change_category",
        "edit",
        "set_kind",
        "set_category",
        "confidential",
        "open_to_unit",
        "new_ticket",
        "add_draft_to",
    ]
)


def _kept_words(said: Said, do: str) -> Answer:
    """Words that were kept aside: another matter while a draft was open, a second one in the same message, chatter."""
    kept = said.question or {}
    if not kept.get("text"):
        return Answer().say("utter_no_draft")
    if do == "no_second":
        return Answer(question=None).say("utter_second_dropped")
    if do == "add_here" and kept.get("ref"):
        return Answer(question=None, act=Act("add", str(kept["ref"]), {"text": kept["text"]}))
    if do == "add_here" and said.draft:
        return ask_next(said, said.draft.adding(kept["text"]), Answer(question=None))
    if do == "separate" and said.draft:
        return ask_next(said, with_kept(said.draft, kept), Answer(question=None))
    kind = kept.get("kind") or (None if do == "anyway" else "complaint")
    draft = Draft(kind=kind, category=kept.get("category"), text=kept["text"], reading=dict(kept.get("reading") or {}))
    return ask_next(said, draft, Answer(question=None))


def with_kept(draft: Draft, kept: Mapping[str, Any]) -> Draft:
    """The draft with words that were kept aside as its second matter; they join a second one that is there already."""
    if draft.second:
        return replace(draft, second={**draft.second, "text": f"{draft.second['text']}\n{kept['text']}"})
    return replace(draft, second={k: kept.get(k) for k in ("text", "kind", "category")})
