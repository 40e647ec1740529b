"""A message that is nothing but files: a photo, a voice note, a place. Nobody here can read them; a person can."""

from __future__ import annotations

from actions import matter
from actions.said import Act, Answer, Said, button
from bot.handlers.draft import ONLY_FILES, Draft

ANSWERS = ("staff_question", "addition", "reply", "more")
"""Questions that a file may answer."""


def came(said: Said) -> Answer:
    """The files go with the open draft, to the question that is open, to the only open ticket; else they begin one."""
    if said.draft and said.draft.text:
        return matter.ask_next(said, said.draft, Answer().say("utter_files_kept", n=len(said.files)))
    if said.draft:
        return Answer().say("utter_files_received", _choices(), n=len(said.files))
    question = said.question or {}
    refs = [t["ref"] for t in said.open if "add" in t["allowed"]]
    if question.get("name") in ANSWERS and question.get("ref") in refs:
        return _added(str(question["ref"]))
    if len(refs) == 1:
        return _added(refs[0])
    if refs:
        kept = {"name": "which", "verb": "add", "text": ONLY_FILES, "take": True}
        choices = [button("button_ticket", "add", ref=ref) for ref in refs[:8]]
        return Answer(question=kept).say("utter_files_which", [*choices, button("button_new_ticket", "new_with_files")])
    return begin(said)


def begin(said: Said) -> Answer:
    """A voice note is a matter told: it goes to somebody who listens. A picture needs a sentence, or a yes without one."""
    if "voice" in said.files:
        return as_it_is()
    return Answer(draft=Draft(stage="details"), question=None).say(
        "utter_files_received", _choices(), n=len(said.files)
    )


def as_it_is() -> Answer:
    """A ticket without words, for a person to look at."""
    draft = Draft(kind="inquiry", category="other", text=ONLY_FILES, flags=("needs_person",), by_hand=True)
    return Answer(draft=draft, question=None, file=True)


def press(said: Said, do: str) -> Answer | None:
    """What a button about files does; None where `do` is not one of them."""
    if do == "files":
        return came(said)
    if do == "new_with_files":
        return Answer(draft=Draft(stage="details"), question=None).say("utter_files_received", _choices(), n=1)
    return as_it_is() if do == "files_as_they_are" else None


def _added(ref: str) -> Answer:
    return Answer(question=None, act=Act("add", ref, {"text": ONLY_FILES}))


def _choices() -> list[dict[str, object]]:
    return [button("button_files_as_they_are", "files_as_they_are"), button("button_cancel", "cancel")]
