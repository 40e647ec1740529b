"""Files without words, and a second address of the same person: what is made of them."""

from __future__ import annotations

import json

import pytest
from test_talk import DRAFT, answer, names, said, ticket

from actions.said import Answer
from bot.handlers.draft import ONLY_FILES, Draft


def came(*kinds: str, **more: object) -> Answer:
    return answer(said("", "press", pressed={"do": "files"}, files=kinds or ("photo",), **more))


def pressing(got: Answer, n: int, **more: object) -> Answer:
    payload = json.loads(got.replies[-1]["buttons"][n]["payload"].removeprefix("/press"))
    return answer(said("", "press", pressed=payload, question=got.question, **more))


def test_a_picture_alone_asks_for_one_sentence_and_may_go_as_it_is() -> None:
    got = came("photo", "photo")
    assert names(got) == ["utter_files_received"] and got.replies[0]["params"] == {"n": 2}
    assert isinstance(got.draft, Draft) and got.draft.stage == "details" and not got.file
    told = answer(said("المصنع اللي جنبنا يرمي مخلفات", "report", draft=got.draft))
    assert told.draft.text == "المصنع اللي جنبنا يرمي مخلفات" and told.draft.stage == "confirm"
    filed = pressing(got, 0, draft=got.draft)
    assert filed.file and filed.draft.text == ONLY_FILES and filed.draft.flags == ("needs_person",)


def test_a_voice_note_alone_goes_to_somebody_who_listens() -> None:
    got = came("voice")
    assert got.file and got.draft.flags == ("needs_person",)


def test_files_go_with_the_draft_that_is_open() -> None:
    got = came("document", draft=DRAFT)
    assert names(got)[0] == "utter_files_kept" and names(got)[1].startswith("utter_draft")
    assert got.draft.text == DRAFT.text and got.replies[-1]["buttons"], "and the draft waits for its yes"


@pytest.mark.parametrize("question", ["staff_question", "addition", "reply", "more"])
def test_files_answer_the_question_that_is_open(question: str) -> None:
    first, second = ticket(), ticket()
    got = came("photo", question={"name": question, "ref": second["ref"]}, open=[first, second])
    assert got.act and (got.act.verb, got.act.ref) == ("add", second["ref"])


def test_files_go_to_the_only_open_ticket_and_among_several_are_asked_about() -> None:
    first, second = ticket(), ticket()
    got = came(open=[first])
    assert got.act and (got.act.verb, got.act.ref, got.act.said) == ("add", first["ref"], {"text": ONLY_FILES})
    got = came(open=[first, second])
    assert names(got) == ["utter_files_which"] and not got.act
    chosen = pressing(got, 1, open=[first, second])
    assert chosen.act and (chosen.act.verb, chosen.act.ref) == ("add", second["ref"])
    assert names(pressing(got, 2, open=[first, second])) == ["utter_files_received"]


@pytest.mark.parametrize("text", ["ربط", " ربط ", "LINK", "绑定", "ربط رقم"])
def test_a_code_for_another_channel_is_asked_for(text: str) -> None:
    got = answer(said(text, "out_of_scope"))
    assert got.act and got.act.verb == "link_code"


@pytest.mark.parametrize(
    "text", ["ربط 48291365", "ربط ٤٨٢٩١٣٦٥", "link 4829 1365", "绑定48291365", "ربط رقم 48291365", "Link: 48291365"]
)
def test_the_code_is_understood_in_any_digits(text: str) -> None:
    got = answer(said(text, "out_of_scope"))
    assert got.act and (got.act.verb, got.act.said["code"]) == ("link", "48291365")


@pytest.mark.parametrize(
    "text", ["ربط النظام معلق من اسبوع", "the link on your page is broken", "الربط مع منصة بلدي ما يشتغل", "link 12345"]
)
def test_a_matter_about_a_link_is_a_matter(text: str) -> None:
    got = answer(said(text, "complaint", category="digital_service"))
    assert not got.act or got.act.verb not in ("link", "link_code")


def test_where_answers_go_is_chosen() -> None:
    here = answer(said("", "press", pressed={"do": "answers_here"}))
    assert here.act and here.act.verb == "prefer" and names(here) == ["utter_preferred_here"]
    there = answer(said("", "press", pressed={"do": "answers_there"}))
    assert not there.act and names(there) == ["utter_preferred_there"]
