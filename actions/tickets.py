"""What a person does with tickets that exist: asks where they stand, adds, withdraws, reopens, rates, proves one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from actions import matter
from actions.said import Act, Answer, Buttons, Said, button
from actions.short import short
from actions.words import words
from bot.handlers.draft import MATTER_KINDS
from bot.tickets.lifecycle import ANSWERED, CLOSED, ENDED
from bot.tickets.reference import is_reference
from nlu.arabic.digits import to_latin
from nlu.arabic.fold import fold
from nlu.arabic.references import references

Ticket = Mapping[str, Any]
VERB_OF = {"update_ticket": "add", "withdraw_ticket": "withdraw", "reopen_ticket": "reopen", "rate_service": "rate"}


def named(said: Said) -> list[str]:
    """The references in the text that check, in order."""
    return [r for r in (found[0] for found in references(said.text)) if is_reference(r)]


TICKET_WORDS = frozenset(
    fold(w)
    for w in "تذكرة التذكرة تذكرتي تذكره شكواي شكوتي الشكوى شكوى بلاغي البلاغ طلبي الطلب اقتراحي ticket complaint request 工单".split()
)


def speaks_of_one(said: Said) -> bool:
    """The words name a ticket: by its number, or as one that there is."""
    named_one = bool(set(words(said.text)) & TICKET_WORDS) or "工单" in said.text
    return bool(named(said)) or (named_one and bool(said.open or said.ended))


HAN = "\u3400"
VERBS_SAID = {
    fold(word): verb
    for verb, line in {
        "withdraw": "اسحب سحب نسحب الغي الغوا الغاء الغ withdraw 撤回 撤销",
        "reopen": "افتح افتحوا افتحها نفتح reopen 重新打开",
        "add": "اضيف اضف اضافة اضيفوا نضيف add 补充",
    }.items()
    for word in line.split()
}


def verb_said(said: Said) -> str | None:
    """What is to be done with an own ticket that is named by its number, said by a verb: digits disturb the model.

    «اضف للتذكرة انه على متصفح كروم» names none by its number: what is to be added decides how the model reads it.
    """
    refs = named(said)
    if not refs and said.open and _adds_to_one(said):
        return "add"
    if not refs or find(said, refs[0]) is None:
        return None
    first = words(said.text)[:4]
    found = next((VERBS_SAID[w] for w in first if w in VERBS_SAID), None)
    return found or next((verb for w, verb in VERBS_SAID.items() if w >= HAN and w in said.text), None)


def _adds_to_one(said: Said) -> bool:
    found = words(said.text)
    begins = any(VERBS_SAID.get(w) == "add" for w in found[:2]) and len(found) >= 4
    to = {re.sub(r"^(?:لل|بال|ال|ل|ب)", "", w) for w in found[1:6]}
    return begins and bool(to & {re.sub("^ال", "", w) for w in TICKET_WORDS})


def mistyped(said: Said) -> str | None:
    """Ten digits that look like a reference of ours and do not check."""
    return next((r[0] for r in references(said.text) if not is_reference(r[0])), None)


def transaction_numbers(said: Said) -> list[str]:
    """The numbers of another system; a telephone or an id is none."""
    others = {e["value"] for e in said.entities if e.get("entity") in ("phone", "national_id")}
    return [
        n for n in said.values("transaction_number") if n not in others and not n.startswith(("05", "07", "00", "+"))
    ]


def find(said: Said, ref: str) -> Ticket | None:
    """The person's own ticket of this reference."""
    return next((t for t in [*said.open, *said.ended] if t["ref"] == ref), None)


# --- where does it stand? ------------------------------------------------------------------------------------------


def tells_rather_than_asks(said: Said) -> bool:
    """A long message without a word that asks, which the model half takes for a grievance: it is one."""
    asks = set(words(said.text)) & STATUS_WORDS or said.text.rstrip().endswith(("؟", "?", "？"))
    ranking = said.reading.get("intent_ranking") or []
    grievance = next((r["confidence"] for r in ranking if r["name"] in ("complaint", "report")), 0.0)
    return not asks and not named(said) and len(words(said.text)) >= 6 and (said.confidence < 0.7 or grievance >= 0.2)


def status(said: Said) -> Answer:
    """The status of the ticket that is named, or of the only one, or a short list."""
    refs = named(said)
    if refs:
        ticket = find(said, refs[0])
        return status_of(ticket) if ticket else unknown(refs[0])
    numbers = transaction_numbers(said)
    if numbers:
        return transaction(said, numbers[0])
    if mistyped(said):
        return Answer().say("utter_reference_wrong", number=mistyped(said))
    if len(said.open) == 1:
        return status_of(said.open[0])
    if said.open:
        choices = [button("button_ticket", "status", ref=t["ref"]) for t in said.open[:9]]
        return Answer(question=None).say("utter_status_list", choices, tickets=[_line(t) for t in said.open[:9]])
    if said.ended:
        return status_of(said.ended[0])
    if said.draft:
        name, buttons, params = matter.remind(said.draft)
        return Answer().say(name, buttons, **params)
    return nothing(said, "utter_status_none")


def nothing(said: Said, name: str) -> Answer:
    """There is no ticket to speak of; longer words are kept, in case they were a matter of their own."""
    if len(words(said.text)) < 5 or said.pressed is not None:
        return Answer(question={"name": "which_reference"}).say(name)
    kept = {
        "name": "which_reference", "text": said.text, "kind": matter.kind_of(said) or matter.likeliest(said.reading), "yes": {"do": "anyway"},
        "category": (said.reading.get("category_reading") or {}).get("name"), "reading": dict(said.reading),
    }  # fmt: skip
    return Answer(question=kept).say(name, [button("button_file_question", "anyway")])


def _line(ticket: Ticket) -> dict[str, Any]:
    return {k: ticket[k] for k in ("ref", "kind", "state", "due") if ticket.get(k)}


def status_of(ticket: Ticket) -> Answer:
    """One ticket in plain words: reference, state, unit, date."""
    ref, known = ticket["ref"], {k: ticket[k] for k in ("ref", "kind", "state", "unit", "due")}
    if ticket["state"] == "waiting" and ticket.get("question"):
        asked = {"name": "staff_question", "ref": ref}
        return Answer(question=asked).say("utter_status_waiting", ref=ref, question=ticket["question"])
    if ticket["state"] in ANSWERED | ENDED:
        name = "utter_status_ended_answer" if ticket.get("answer") else "utter_status_ended"
        return Answer(question={"name": "status", "ref": ref}).say(
            name, _after(ticket), **known, answer=ticket.get("answer")
        )
    if ticket.get("answered") and ticket.get("answer") and not ticket.get("late"):
        return Answer(question={"name": "status", "ref": ref}).say(
            "utter_status_ended_answer", **known, answer=ticket["answer"]
        )
    name = (
        "utter_status_late"
        if ticket.get("late")
        else "utter_status_answered"
        if ticket.get("answered")
        else "utter_status"
    )
    return Answer(question={"name": "status", "ref": ref}).say(name, **known)


def _after(ticket: Ticket) -> Buttons:
    if ticket["state"] in ANSWERED | {CLOSED} and not ticket.get("rated"):
        return [
            button("button_rate", "ask_rate", ref=ticket["ref"]),
            button("button_reopen", "reopen", ref=ticket["ref"]),
        ]
    return [button("button_reopen", "reopen", ref=ticket["ref"])]


def unknown(ref: str) -> Answer:
    """A reference that checks but is not among this person's: the same answer whether it exists or not."""
    kept = {"name": "receipt", "ref": ref, "yes": {"do": "file_number", "value": ref}, "no": {"do": "no_thanks"}}
    choices = [button("button_file_question", "file_number", value=ref), button("button_no_thanks", "no_thanks")]
    return Answer(question=kept, act=Act("guess", ref)).say("utter_reference_unknown", choices, ref=ref)


def transaction(said: Said, number: str) -> Answer:
    """A number of the ministry's licensing system: we cannot see it, keep it, and offer to file the question."""
    answers = {"yes": {"do": "file_number", "value": number}, "no": {"do": "no_thanks"}}
    kept = {"name": "transaction", "number": number, "text": said.text, **answers}
    choices = [button("button_file_question", "file_number", value=number), button("button_no_thanks", "no_thanks")]
    return Answer(question=kept).say("utter_transaction", choices, number=number)


# --- a verb on one of them -----------------------------------------------------------------------------------------


def work(said: Said, verb: str) -> Answer:
    """Add, withdraw, reopen or rate: on the ticket that is named or the only one that allows it; else 'which?'."""
    refs = named(said)
    if refs:
        ticket = find(said, refs[0])
        return on(said, verb, ticket) if ticket else unknown(refs[0])
    last = (said.question or {}).get("ref")
    candidates = [t for t in [*said.open, *said.ended] if verb in t["allowed"]]
    if last and any(t["ref"] == last for t in candidates):
        candidates = [t for t in candidates if t["ref"] == last]
    if verb != "rate" and len(candidates) > 1 and said.open and verb != "reopen":
        candidates = [t for t in candidates if t in said.open] or candidates
    if not candidates:
        return none_for(said, verb)
    if len(candidates) == 1:
        return on(said, verb, candidates[0])
    kept = {"name": "which", "verb": verb, "text": said.text}
    choices = [button("button_ticket", verb, ref=t["ref"]) for t in candidates[:9]]
    return Answer(question=kept).say("utter_which", choices, tickets=[_line(t) for t in candidates[:9]])


def none_for(said: Said, verb: str) -> Answer:
    """No ticket allows the verb."""
    if verb == "reopen" and said.ended:
        return Answer().say("utter_cannot_reopen", ref=said.ended[0]["ref"], days=30)
    if said.open:
        return Answer().say("utter_cannot", ref=said.open[0]["ref"], state=said.open[0]["state"])
    return nothing(said, "utter_no_ticket")


def on(said: Said, verb: str, ticket: Ticket) -> Answer:
    """The next step of a verb on this ticket: the words it needs, a confirmation, or the act itself."""
    ref = ticket["ref"]
    if verb not in ticket["allowed"]:
        if verb == "reopen" and ticket["state"] not in ANSWERED | ENDED:
            return Answer().say("utter_cannot", ref=ref, state=ticket["state"])
        name = "utter_cannot_reopen" if verb == "reopen" else "utter_cannot"
        return Answer().say(name, ref=ref, state=ticket["state"], days=30)
    if verb == "withdraw":
        kept = {
            "name": "withdraw",
            "ref": ref,
            "yes": {"do": "withdraw_yes", "ref": ref},
            "no": {"do": "keep", "ref": ref},
        }
        choices = [button("button_withdraw", "withdraw_yes", ref=ref), button("button_keep", "keep", ref=ref)]
        return Answer(question=kept).say(
            "utter_withdraw_confirm", choices, ref=ref, kind=ticket["kind"], text=ticket["text"]
        )
    if verb == "rate":
        return ask_rating(ref)
    reason = (said.question or {}).get("reason")
    if verb == "reopen" and reason and said.pressed is not None:
        return Answer(question=None, act=Act(verb, ref, {"reason": reason}))
    if said.pressed is None and _tells_more(said, ref):
        return Answer(question=None, act=Act(verb, ref, {"text": said.text, "reason": said.text}))
    if verb == "reopen":
        return Answer(question={"name": "reopen_reason", "ref": ref}).say("utter_reopen_reason", ref=ref)
    return Answer(question={"name": "addition", "ref": ref}).say("utter_ask_addition", ref=ref)


def _tells_more(said: Said, ref: str) -> bool:
    """The message holds more than the wish and the number: the words themselves are the addition or the reason."""
    bare = [w for w in words(said.text.replace(ref, "")) if not is_reference(w)]
    wish = {
        "ابي",
        "ابغى",
        "اضيف",
        "على",
        "تذكرتي",
        "التذكره",
        "معلومه",
        "افتح",
        "فتح",
        "من",
        "جديد",
        "مره",
        "ثانيه",
        "ممكن",
    }
    return len(bare) >= 5 and len([w for w in bare if w not in wish]) >= 3


def ask_rating(ref: str) -> Answer:
    stars = [button(f"button_rate_{n}", "rate_as", ref=ref, value=n) for n in range(1, 6)]
    return Answer(question={"name": "rating", "ref": ref}).say("utter_ask_rating", stars, ref=ref)


def rate(ref: str, rating: int) -> Answer:
    """Record a rating; a low one is offered to be reopened, any other asks for a comment."""
    answer = Answer(act=Act("rate", ref, {"rating": rating}))
    if rating <= 2:
        kept = {
            "name": "low_rating",
            "ref": ref,
            "rating": rating,
            "yes": {"do": "reopen", "ref": ref},
            "no": {"do": "no_reopen", "ref": ref},
        }
        answer.question = kept
        return answer.say(
            "utter_low_rating",
            [button("button_reopen", "reopen", ref=ref), button("button_no_thanks", "no_reopen", ref=ref)],
            ref=ref,
        )
    answer.question = {"name": "comment", "ref": ref, "rating": rating, "no": {"do": "skip"}}
    return answer.say("utter_rated", [button("button_skip", "skip")], ref=ref, rating=rating)


# --- the answer to a question about a ticket -----------------------------------------------------------------------


COMMANDS = ("human_handoff", "stop_notices", "change_language", "my_data")
STATUS_WORDS = frozenset(fold(w) for w in "وين فين وصل وصلت حاله متى status where when 进度 哪里".split())


def answer_to(said: Said, question: Mapping[str, Any]) -> Answer | None:
    """What this text means as the answer to the open question; None where it is no answer to it."""
    name, ref = str(question.get("name", "")), str(question.get("ref", ""))
    ticket = find(said, ref)
    if short(said.text) == "drop" and name in (
        "addition",
        "reopen_reason",
        "which",
        "receipt",
        "transaction",
        "which_reference",
    ):
        return Answer(question=None).say("utter_let_go")
    if name == "rating":
        return _rated(said, ref, ticket)
    if name == "comment" and short(said.text) in ("no", "drop"):
        return Answer(question=None).say("utter_skip")
    if name == "comment" and _free(said):
        act = Act("rate", ref, {"rating": question["rating"], "text": said.text})
        return Answer(question=None, act=act).say("utter_comment_thanks")
    if name == "addition" and _free(said):
        return Answer(question=None, act=Act("add", ref, {"text": said.text}))
    if name in ("reopen_reason", "low_rating") and ticket and _guarded(said, ticket) and short(said.text) is None:
        return matter.another(said, None, ref)
    if name == "reopen_reason" and _free(said):
        return Answer(question=None, act=Act("reopen", ref, {"reason": said.text}))
    if name == "low_rating" and short(said.text) is None and len(words(said.text)) >= 3 and _free(said):
        return Answer(question=None, act=Act("reopen", ref, {"reason": said.text}))
    if name in ("staff_question", "reply", "more") and ticket:
        return _to_staff(said, name, ticket)
    if name in ("receipt", "which_reference"):
        return _with_code(said, question, ref)
    if name == "status" and ticket and "reopen" in ticket["allowed"] and _disputes(said):
        return reopen_with(said, ref)
    return None


def _with_code(said: Said, question: Mapping[str, Any], ref: str) -> Answer | None:
    """A receipt code and a reference, in either order, in one message or two."""
    code = _receipt(_without(said.text)) or (question.get("code") if named(said) else None)
    ref = (named(said) or [ref])[0]
    if code and ref:
        return Answer(question={"name": "receipt", "ref": ref}, act=Act("prove", ref, {"code": code}))
    if code:
        return Answer(question={"name": "which_reference", "code": code}).say("utter_ask_reference")
    return None


def _rated(said: Said, ref: str, ticket: Ticket | None) -> Answer | None:
    """A rating, or what else is said of an outcome: that it is none."""
    rating = _rating(said.text)
    if rating == 0:
        return Answer().say("utter_rating_range")
    if rating and ticket and "rate" in ticket["allowed"]:
        return rate(ref, rating)
    if ticket and "reopen" in ticket["allowed"] and _disputes(said):
        return reopen_with(said, ref)
    return None


def reopen_with(said: Said, ref: str) -> Answer:
    """The outcome is disputed: reopen where that is clear, ask where it may be something else."""
    ticket = find(said, ref)
    if ticket and _guarded(said, ticket):  # about people or integrity: never back to the unit that it may be about
        return matter.another(said, None, ref)
    if said.sure("reopen_ticket", at_least=0.6) or _still_there(said):
        return Answer(question=None, act=Act("reopen", ref, {"reason": said.text}))
    answers = {"yes": {"do": "reopen", "ref": ref}, "no": {"do": "no_thanks"}}
    kept = {"name": "reopen_offer", "ref": ref, "reason": said.text, **answers}
    choices = [button("button_reopen", "reopen", ref=ref), button("button_no_thanks", "no_thanks")]
    return Answer(question=kept).say("utter_reopen_offer", choices, ref=ref)


def _disputes(said: Said) -> bool:
    """Said after an outcome: it is not solved, or not accepted."""
    if _still_there(said) or said.sure("reopen_ticket"):
        return len(words(said.text)) <= 25
    return said.intent in ("complaint", "reopen_ticket") and len(words(said.text)) <= 8


def _to_staff(said: Said, name: str, ticket: Ticket) -> Answer | None:
    """What is written after a question or a reply of the staff goes to them, unless it clearly is something else."""
    ref, move = ticket["ref"], short(said.text)
    if name == "staff_question" and move in ("thanks", "yes", "salam") and _needs_more(ticket):
        return Answer().say("utter_status_waiting", ref=ref, question=ticket["question"])
    if move in ("thanks", "yes", "salam", "bot", "no") and name != "staff_question":
        return None
    if move in ("drop", "bot") or not _free(said) or (named(said) and ref not in named(said)):
        return None
    if name == "more" and len(words(said.text)) > 15:
        return None
    if _another_matter(said, ticket):
        return matter.another(said, None, ref)
    waiting = [t for t in said.open if t["state"] == "waiting"]
    if name == "staff_question" and len(waiting) > 1 and not named(said):
        kept = {"name": "which", "verb": "add", "text": said.text, "take": True}
        choices = [button("button_ticket", "add", ref=t["ref"]) for t in waiting]
        return Answer(question=kept).say("utter_which", choices, tickets=[_line(t) for t in waiting])
    if name != "staff_question" and len(words(said.text)) < 2 and not any(c.isdigit() for c in said.text):
        return None
    question = {"name": "more", "ref": ref} if name != "more" else None
    return Answer(question=question, act=Act("add", ref, {"text": said.text}))


def _needs_more(ticket: Ticket) -> bool:
    """A question that yes alone does not answer: it asks which, how much, when."""
    return bool(set(words(str(ticket.get("question") or ""))) & ASKED)


def _another_matter(said: Said, ticket: Ticket) -> bool:
    """A matter of its own; one about people or integrity is never added to a unit's ticket silently."""
    if _guarded(said, ticket):
        return True
    if said.intent not in MATTER_KINDS or said.intent == "praise" or len(words(said.text)) < 5:
        return False
    return said.confidence >= matter.CLEARLY and said.category is not None and said.category != ticket.get("category")


def _guarded(said: Said, ticket: Ticket) -> bool:
    """The words tell of people or of integrity, and the ticket does not: they are for other eyes."""
    read = said.reading.get("category_reading") or {"name": said.category, "confidence": said.category_confidence}
    about = read.get("name") in ("staff_conduct", "integrity") and float(read.get("confidence") or 0) >= 0.4
    return about and ticket.get("category") not in ("staff_conduct", "integrity") and len(words(said.text)) >= 4


def _free(said: Said) -> bool:
    """Anything but a command that clearly wants something else."""
    if not words(said.text) or said.sure(*COMMANDS, at_least=0.7):
        return False
    return not (said.sure("check_status", at_least=0.7) and set(words(said.text)) & STATUS_WORDS)


STILL = frozenset(
    fold(w)
    for w in "لسا لسه مازال مازالت لازال لازالت زالت للحين ماانحلت ماانحل ماتحلت ماصار محد ماحد كذب كذابين still again nothing"
    " unsolved unresolved".split()
)
ASKED = frozenset(
    fold(w) for w in "كم ما متى اين وين اي ماهو ماهي what which when where how who 什么 哪个 多少".split()
)


def _still_there(said: Said) -> bool:
    """«المشكلة لسا موجودة»: it is not solved."""
    text, told = fold(said.text), set(words(said.text))
    phrases = (
        "ما انحل",
        "ما تنحل",
        "ما اتحل",
        "ما حليت",
        "ما صار",
        "ما تغير",
        "ما زال",
        "لم يتم",
        "لم تحل",
        "لم يحل",
        "not solved",
        "not fixed",
        "not resolved",
        "nothing changed",
    )
    return (
        bool(told & STILL)
        or any(fold(p) in text for p in phrases)
        or any(c in said.text for c in ("还没", "没有解决", "没解决"))
    )


WORDS_OF_RATING = {
    5: "ممتاز ممتازه رائع رائعه مميز excellent perfect great 很好 非常好 满意 非常满意",
    4: "جيد جيده حلو كويس good 好",
    3: "عادي مقبول متوسط وسط okay average 一般",
    2: "سيء سيئه سيئ ضعيف bad poor 差 不满意",
    1: "اسوا زفت زباله terrible awful worst 很差 非常差",
}
SCORES = {w: n for n, line in WORDS_OF_RATING.items() for w in map(fold, line.split())}
COUNTED = re.compile(
    r"^(شهر|شهور|اشهر|يوم|ايام|اسبوع|اسابيع|سن|مر|ساع|دقا|رسال|معامل|طلب|month|week|day|year|time|hour)"
)


def _rating(text: str) -> int | None:
    """A rating in a text: «5», «٤ شكرا», «5/5», «3 من 5», five stars, «ممتاز»; 0 for a number out of range; else None."""
    bare = to_latin(text).strip()
    if bare and set(bare) <= {"⭐", "★", "🌟", "\ufe0f", " "}:
        stars = sum(c in "⭐★🌟" for c in bare)
        return stars if 1 <= stars <= 5 else 0
    found = words(bare)
    if not found or len(found) > 6:
        return None
    head = re.match(r"^\(?(\d{1,3})(?:\s*(?:/|من|out of|of)\s*(?:5|10|خمسه))?\b", fold(bare))
    if head and not (len(found) > 1 and COUNTED.match(found[1])):
        return int(head[1]) if 1 <= int(head[1]) <= 5 else 0 if len(found) <= 2 else None
    spoken = [w for w in found if w not in ("تقييمي", "التقييم", "اعطيكم", "اقيمكم", "my", "rating", "is")]
    if len(spoken) == 1 and spoken[0] in ("1", "2", "3", "4", "5"):
        return int(spoken[0])
    if len(spoken) == 2 and SCORES.get(spoken[0]) in (2, 4) and spoken[1] in ("جدا", "very", "مره"):
        return SCORES[spoken[0]] + (1 if SCORES[spoken[0]] == 4 else -1)
    if len(spoken) <= 2 and spoken:
        return SCORES.get("".join(fold(bare).split())) or SCORES.get(spoken[0])
    return None


def _receipt(text: str) -> str | None:
    """A receipt code in a text: twelve digits, the first one 1 to 5, in any digits and grouping."""
    digits = to_latin(text)
    for chunk in _runs(digits):
        if len(chunk) == 12 and chunk[0] in "12345":
            return chunk
    return None


def _runs(text: str) -> Sequence[str]:
    """Runs of digits, joined over spaces and hyphens."""
    runs, current = [], ""
    for char in [*text, "\n"]:
        if char.isdigit():
            current += char
        elif char not in " -\u2010\u2011\u2012\u2013\u00a0\u2066\u2067\u2068\u2069\u200e\u200f" and current:
            runs.append(current)
            current = ""
    return runs


def receipt(said: Said) -> Answer | None:
    """A receipt code with its reference in one message, at any time."""
    refs, code = named(said), _receipt(_without(said.text))
    if not code or (refs and find(said, refs[0])) or (not refs and len(words(said.text)) > 6):
        return None
    if refs:
        return Answer(question={"name": "receipt", "ref": refs[0]}, act=Act("prove", refs[0], {"code": code}))
    known = str((said.question or {}).get("ref", "")) if (said.question or {}).get("name") == "receipt" else ""
    return _with_code(said, said.question or {}, known)


def _without(text: str) -> str:
    """The text without its references, so that their digits do not run into a code beside them."""
    cut = text
    for found in reversed(references(text)):
        cut = cut[: found.start] + "\n" + cut[found.end :]
    return cut


# --- buttons -------------------------------------------------------------------------------------------------------


def press(said: Said, do: str) -> Answer | None:
    """What a button about a ticket does; None where `do` is not one of them."""
    pressed = said.pressed or {}
    ref = str(pressed.get("ref", ""))
    if do in ("keep",):
        return Answer(question=None).say("utter_withdraw_kept", ref=ref)
    if do == "no_reopen":
        kept = {"name": "comment", "ref": ref, "rating": (said.question or {}).get("rating", 1), "no": {"do": "skip"}}
        return Answer(question=kept).say("utter_low_rating_kept", [button("button_skip", "skip")])
    if do == "skip":
        return Answer(question=None).say("utter_skip")
    if do == "answer":
        ticket = find(said, ref)
        if ticket is None or ticket["state"] != "waiting":
            return Answer().say("utter_no_ticket") if ticket is None else status_of(ticket)
        return Answer(question={"name": "staff_question", "ref": ref}).say(
            "utter_status_waiting", ref=ref, question=ticket["question"]
        )
    if do not in ("status", "add", "withdraw", "withdraw_yes", "reopen", "rate", "ask_rate", "rate_as"):
        return None
    ticket = find(said, ref)
    if ticket is None:
        return unknown(ref) if is_reference(ref) else Answer().say("utter_no_ticket")
    if do == "status":
        return status_of(ticket)
    if do == "withdraw_yes":
        if "withdraw" not in ticket["allowed"]:
            return Answer(question=None).say("utter_cannot", ref=ref, state=ticket["state"])
        return Answer(question=None, act=Act("withdraw", ref, {}))
    if do == "rate_as":
        return rate(ref, int(pressed.get("value", 0))) if "rate" in ticket["allowed"] else on(said, "rate", ticket)
    if do == "add" and (said.question or {}).get("text"):
        text = str((said.question or {})["text"])
        if len(words(text)) >= 6 or (said.question or {}).get("take"):
            return Answer(question=None, act=Act("add", ref, {"text": text}))
    return on(said, "rate" if do == "ask_rate" else do, ticket)
