"""A second address of the same person: a one-time code on the first, the code written on the second."""

from __future__ import annotations

import re

from actions.said import Act, Answer, Said, button
from nlu.arabic.digits import to_latin
from nlu.arabic.fold import fold

ASKS = frozenset(
    fold(w)
    for w in (
        "ربط",
        "ربط رقم",
        "ربط قناة",
        "ربط حساب",
        "اربط رقمي",
        "ربط الحساب",
        "link",
        "link account",
        "绑定",
        "关联",
    )
)
"""The words that our own sentences tell people to write, and nothing like them: a link may be a matter."""
_CODE = re.compile(r"(?:ربط|link|绑定|关联)[\s:：]*(?:(?:رقم|الرمز|رمز|code)\s*)?((?:\d[\s-]?){7}\d)")


def command(said: Said) -> Answer | None:
    """A code for the other channel, or the code from it; None where the message is about neither."""
    folded = fold(said.text).strip(" .!؟?\u2066\u2067\u2068\u2069")
    if folded in ASKS:
        return Answer(act=Act("link_code"))
    code = _CODE.fullmatch(re.sub("[\u2066-\u2069]", "", to_latin(folded)))
    return Answer(act=Act("link", said={"code": re.sub(r"\D", "", code[1])})) if code else None


def linked() -> Answer:
    """What is said when the code was right: where answers go is asked."""
    choices = [button("button_answers_here", "answers_here"), button("button_answers_there", "answers_there")]
    return Answer().say("utter_linked", choices)


def press(said: Said, do: str) -> Answer | None:
    """What a button of the question does; None where `do` is not one of them."""
    if do == "answers_here":
        return Answer(act=Act("prefer")).say("utter_preferred_here")
    return Answer().say("utter_preferred_there") if do == "answers_there" else None
