"""What the house makes of one message: the order in which it is looked at.

A button; danger; commands that always hold; the open question; courtesies and rubbish; the open draft; what it wants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from actions import answers, files, linking, matter, requests, tickets
from actions.said import KEEP, Act, Answer, Desk, Said, button
from actions.short import short
from actions.words import wish, words
from bot.handlers.draft import Draft
from nlu.arabic.flags import danger_kind
from nlu.arabic.fold import fold

INTENTS: dict[str, Callable[[Said], Answer]] = {
    "check_status": tickets.status,
    "update_ticket": lambda said: tickets.work(said, "add"),
    "withdraw_ticket": lambda said: tickets.work(said, "withdraw"),
    "reopen_ticket": lambda said: tickets.work(said, "reopen"),
    "rate_service": lambda said: tickets.work(said, "rate"),
    "human_handoff": requests.handoff,
    "my_data": requests.my_data,
    "stop_notices": requests.stop,
    "change_language": requests.language,
    "greet": requests.small_talk,
    "goodbye": requests.small_talk,
    "thanks": requests.small_talk,
    "help": requests.small_talk,
    "out_of_scope": requests.chatter,
}
SURE = 0.5
"""From this confidence on a move of the dialogue is taken as read."""
SURE_OF_A_TICKET = 0.3
"""The same, for what one does with a ticket, where the words name one."""
OF_A_TICKET = ("check_status", *tickets.VERB_OF)
ONCE = ("withdraw", "which", "person", "reopen_offer", "more", "second")
"""Questions that only the very next message answers: an old yes must not do what it was not said to."""
WHEN = frozenset(fold(w) for w in "متى امتى وين وينها وينه فين كم شو صار when where 什么 多久 进度".split())


def talk(said: Said, desk: Desk) -> Answer:
    """The answer to one message."""
    if said.pressed is not None:
        answer = _pressed(said, desk.categories)
    elif "danger" in said.flags:
        answer = _danger(said, desk.emergency)
    else:
        answer = _in_order(said, desk)
    if answer.question is KEEP and (said.question or {}).get("name") in ONCE:
        answer.question = None
    return answer


def _in_order(said: Said, desk: Desk) -> Answer:
    for look in (_command, _to_question, _about_a_number, _courtesy):
        answer = look(said)
        if answer:
            return answer
    if said.language == "other" and len(words(said.text)) >= 2:
        return requests.unknown_language(said)
    kind = wish(said.text)
    if kind and not said.draft:
        return matter.begin(said, kind)
    if said.draft:
        return _with_draft(said, said.draft, desk.categories)
    return answers.answer(said, desk) or answers.hint(said, desk, _by_intent(said))


def _command(said: Said) -> Answer | None:
    """What holds in any turn: START, a person by name, stop, another language, a verb on a ticket that is numbered."""
    verb = tickets.verb_said(said)
    if verb and not said.draft:
        return tickets.work(said, verb)
    if requests.starts_again(said):
        return requests.resume()
    link = linking.command(said)
    if link:
        return link
    if requests.wants_person(said):
        return requests.handoff(said)
    if said.sure("stop_notices", at_least=0.6) and short(said.text) is None:
        return requests.stop(said)
    if said.sure("change_language", at_least=0.6) and short(said.text) is None:
        return requests.language(said)
    return None


def _to_question(said: Said) -> Answer | None:
    found = tickets.receipt(said)
    if found:
        return found
    question = said.question
    if not question:
        return None
    answer = tickets.answer_to(said, question)
    if answer:
        return answer
    if said.draft and question.get("name") not in ("another", "withdraw", "person"):
        return None
    move = short(said.text)
    few = len(words(said.text)) <= 4
    if question.get("yes") and (move in ("yes", "send") or (few and said.sure("affirm", at_least=0.6))):
        return _pressed(said.pressing(question["yes"]), [])
    if question.get("name") == "helped" and (move == "thanks" or (few and said.sure("thanks", at_least=0.6))):
        return _pressed(said.pressing({"do": "helped"}), [])
    no = move in ("no", "keep", "drop") or (few and said.sure("deny", "cancel", at_least=0.6))
    if question.get("no") and (no or (few and words(said.text)[:1] in (["لا"], ["no"]))):
        return _pressed(said.pressing(question["no"]), [])
    return None


def _about_a_number(said: Said) -> Answer | None:
    """Little more than a reference: its status."""
    few = len(words(said.text)) <= 4
    if few and tickets.named(said) and said.intent not in tickets.VERB_OF:
        return _with_reminder(said, tickets.status(said))
    if few and not said.draft and tickets.mistyped(said):
        return Answer().say("utter_reference_wrong", number=tickets.mistyped(said))
    return None


def _courtesy(said: Said) -> Answer | None:
    if _for_draft(said) or (said.draft and short(said.text) in ("yes", "send", "no", "keep", "drop")):
        return None
    answer = requests.courtesy(said) or requests.rubbish(said)
    if answer or said.draft:
        return answer
    asks = len(words(said.text)) <= 5 and bool(set(words(said.text)) & WHEN)
    if asks and said.open and not said.sure("inquiry", "suggestion", "report", at_least=0.8):
        return tickets.status(said)
    quiet = "confidential" in said.flags and len(words(said.text)) <= 10 and not matter.is_report_of_more(said)
    if quiet and said.open:
        ref = said.open[0]["ref"]
        return Answer(act=Act("flag", ref, {"flag": "confidential"})).say("utter_made_confidential", ref=ref)
    return None


def _for_draft(said: Said) -> bool:
    """A number of four digits or more while a draft is open is a detail of the matter, not rubbish."""
    digits = sum(c.isdigit() for c in said.text)
    return bool(said.draft and said.draft.stage in ("confirm", "edit", "details", "same") and digits >= 4)


def _with_draft(said: Said, draft: Draft, categories: Sequence[str]) -> Answer:
    move = short(said.text)
    if move in ("edit", "change_kind", "change_category", "confidential") and draft.text:
        return _pressed(said.pressing({"do": move}), categories)
    kept = said.question if (said.question or {}).get("name") == "another" else None
    if kept and len(words(said.text)) >= 2:  # not answered: the words that were kept aside stay a second matter
        said = replace(said, draft=matter.with_kept(draft, kept), question=None)
        draft = matter.with_kept(draft, kept)
    answer = matter.carry_on(said, draft) or _by_intent(said)
    if kept and answer.question is KEEP:
        answer.question = None
        answer.draft = draft if answer.draft is KEEP else answer.draft
    return answer


def _pressed(said: Said, categories: Sequence[str]) -> Answer:
    do = str((said.pressed or {}).get("do", ""))
    simple: dict[str, Callable[[Said], Answer]] = {
        "where": tickets.status,
        "person": requests.handoff,
        "language": lambda s: requests.spoken(s, str((s.pressed or {}).get("value", "ar"))),
        "no_thanks": lambda s: Answer(question=None).say("utter_let_go"),
        "no_care": lambda s: Answer(draft=None, question=None).say("utter_care_kept"),
        "file_number": _file_number,
    }
    if do in simple:
        return simple[do](said)
    known = (
        files.press(said, do)
        or linking.press(said, do)
        or matter.press(said, do, categories)
        or answers.press(said, do)
        or tickets.press(said, do)
    )
    return known or Answer().say("utter_unsure")


def _file_number(said: Said) -> Answer:
    """The question about a number that we cannot see, as an inquiry with a promised date."""
    kept = said.question or {}
    number = str((said.pressed or {}).get("value", ""))
    text = str(kept.get("text") or number)
    text = text if number in text else f"{text}\n{number}"
    draft = Draft(kind="inquiry", category="processing_delay", text=text, by_hand=True)
    return matter.ask_next(said, draft, Answer(question=None))


def _danger(said: Said, emergency: Callable[[str], str | None]) -> Answer:
    """The emergency number and a human sentence first; the ticket second, flagged urgent."""
    kind = danger_kind(said.text) or "other"
    first = Answer().say(f"utter_danger_{kind}", number=emergency(kind))
    before = said.draft or Draft(reading=dict(said.reading), service=None)
    text = before.adding(said.text)
    if kind == "self_harm":
        return _care(said, text, first)
    then = matter.ask_next(
        said, matter.hurry(replace(text, asked_same=True, category=before.category or said.category))
    )
    then.replies = first.replies + then.replies
    return then


def _care(said: Said, draft: Draft, answer: Answer) -> Answer:
    """For somebody who is in despair: no kinds, no topics; whether a person shall come, and a no is respected."""
    flags = ("needs_person",)
    answer.draft = replace(
        draft, kind="inquiry", category="other", urgent=True, stage="confirm", flags=flags, by_hand=True
    )
    answer.question = {"name": "care", "yes": {"do": "file"}, "no": {"do": "no_care"}}
    return answer.say("utter_care", [button("button_yes", "file"), button("button_no", "no_care")])


def _by_intent(said: Said) -> Answer:
    if not said.draft and matter.is_matter(said) and (said.confidence >= matter.ASK_BACK or matter.kind_of(said)):
        return matter.begin(said)
    if not said.draft and said.intent == "check_status" and tickets.tells_rather_than_asks(said):
        return matter.begin(said, matter.likeliest(said.reading))
    act = INTENTS.get(said.intent)
    sure = SURE_OF_A_TICKET if said.intent in OF_A_TICKET and tickets.speaks_of_one(said) else SURE
    if act is not None and said.confidence >= sure:
        return _with_reminder(said, act(said))
    if tickets.transaction_numbers(said) and not said.draft:
        return tickets.transaction(said, tickets.transaction_numbers(said)[0])
    if said.draft:
        return _still(said)
    if said.sure("cancel", "affirm", "deny"):
        return _loose_move(said)
    return requests.unsure(said)


def _loose_move(said: Said) -> Answer:
    """Yes, no, cancel, with nothing to say it to."""
    name = "utter_nothing_to_cancel" if said.intent == "cancel" else "utter_help"
    return Answer(question=None).say(name, requests.menu())


def _still(said: Said) -> Answer:
    assert said.draft is not None
    name, buttons, params = matter.remind(said.draft)
    return Answer().say(name, buttons, **params)


def _with_reminder(said: Said, answer: Answer) -> Answer:
    """After an answer on something else, one line that the draft still waits."""
    told = answer.replies[0]["response"] if answer.replies else ""
    if said.draft and answer.draft is KEEP and told.startswith("utter_status"):
        name, buttons, params = matter.remind(said.draft)
        answer.say(name, buttons, **params)
    return answer
