"""What is known is answered: cards of services, our hours, whose business it is; the rest becomes a draft."""

from __future__ import annotations

import json
from typing import Any

import pytest
from test_talk import DESK, MATTER, OFFICE, answer, names, said, ticket

from actions.answers import parts_asked
from actions.said import Answer, Desk, Said
from actions.talk import talk

RENEW = {"id": "industrial_licence_renew", "confidence": 0.93}
AMEND = {"id": "industrial_licence_amend", "confidence": 0.90}


def asks(text: str, **more: Any) -> Said:
    return said(text, "inquiry", **{"category": "requirements_procedure", "services": [RENEW], **more})


def pressed(got: Answer, n: int, text: str = "") -> Answer:
    """The button number n of an answer's first reply is pressed in the next message."""
    payload = json.loads(got.replies[0]["buttons"][n]["payload"].removeprefix("/press"))
    return answer(said(text, "press", pressed=payload, question=got.question))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("كم رسوم تجديد الرخصه الصناعيه", "fee"),
        ("بكم التجديد الله يعافيكم", "fee"),
        ("how much does the renewal cost", "fee"),
        ("续期费用是多少", "fee"),
        ("كم تاخذ وقت", "duration"),
        ("قديش بدها وقت معاملة التجديد", "duration"),
        ("how long does it take to renew", "duration"),
        ("وش الاوراق المطلوبه للتجديد", "documents"),
        ("شو المطلوب لتجديد الرخصة", "documents"),
        ("ما هي شروط التجديد", "conditions"),
        ("كيف اجدد الرخصة", "steps"),
        ("ازاي أجدد الترخيص", "steps"),
    ],
)
def test_the_part_that_was_asked_for_comes_first(text: str, part: str) -> None:
    got = answer(asks(text))
    assert names(got) == [f"utter_card_{part}"] and got.replies[0]["params"] == {"service": RENEW["id"]}
    assert not got.file and got.question["name"] == "helped"


def test_two_parts_are_the_whole_card_and_no_part_goes_by_the_category() -> None:
    assert names(answer(asks("كيف اجدد وكم الرسوم"))) == ["utter_card_whole"]
    assert names(answer(asks("ابي اعرف عن تجديد الرخصة الصناعية"))) == ["utter_card_how"]
    assert names(answer(asks("ابي اعرف عن التجديد", category="other"))) == ["utter_card_about"]


def test_more_shows_the_whole_card_and_does_not_offer_it_again() -> None:
    got = pressed(answer(asks("كم رسوم تجديد الرخصه")), 1)
    assert names(got) == ["utter_card_whole"]
    assert [b["title"] for b in got.replies[0]["buttons"]] == ["button_helped", "button_card_file"]


def test_it_helped_or_is_filed_with_its_words_and_service() -> None:
    first = answer(asks("كم رسوم تجديد الرخصه"))
    thanked = pressed(first, 0)
    assert names(thanked) == ["utter_helped"] and thanked.question is None
    filed = pressed(first, 2)
    assert names(filed) == ["utter_draft_service"] and filed.draft.text == "كم رسوم تجديد الرخصه"
    assert (filed.draft.kind, filed.draft.service) == ("inquiry", RENEW["id"])


@pytest.mark.parametrize(
    ("text", "intent", "name"), [("نعم", "affirm", "utter_helped"), ("لا", "deny", "utter_draft_service")]
)
def test_yes_and_no_in_words_answer_whether_it_helped(text: str, intent: str, name: str) -> None:
    first = answer(asks("كم رسوم تجديد الرخصه"))
    assert names(answer(said(text, intent, question=first.question))) == [name]


def test_a_short_question_after_a_card_is_about_the_same_service() -> None:
    first = answer(asks("كم رسوم تجديد الرخصه"))
    got = answer(asks("طيب والاوراق المطلوبه؟", services=[], question=first.question))
    assert names(got) == ["utter_card_documents"] and got.replies[0]["params"] == {"service": RENEW["id"]}


def test_of_two_services_near_each_other_one_asks_which() -> None:
    first = answer(asks("رسوم الرخصة الصناعية", services=[RENEW, AMEND]))
    assert names(first) == ["utter_which_service"]
    assert [b["title"] for b in first.replies[0]["buttons"]] == [
        "button_service_industrial_licence_renew", "button_service_industrial_licence_amend", "button_none_of_these",
    ]  # fmt: skip
    assert names(pressed(first, 1)) == ["utter_card_fee"]
    neither = pressed(first, 2)
    assert names(neither) == ["utter_draft"] and neither.draft.service is None


def test_a_service_that_is_only_likely_is_asked_about() -> None:
    got = answer(asks("رسوم التجديد", services=[{**RENEW, "confidence": 0.7}, {**AMEND, "confidence": 0.2}]))
    assert names(got) == ["utter_which_service"] and len(got.replies[0]["buttons"]) == 2
    assert names(answer(asks("سؤال عام", services=[{**RENEW, "confidence": 0.3}]))) == ["utter_draft"]


def test_thanks_after_an_answer_is_that_it_helped() -> None:
    first = answer(asks("كم رسوم تجديد الرخصه"))
    assert names(answer(said("شكرا", "thanks", question=first.question))) == ["utter_helped"]
    assert names(answer(said("نعم افادني شكرا", "thanks", question=first.question))) == ["utter_helped"]


def test_one_of_two_likely_services_is_the_same_matter() -> None:
    services = [
        {"id": "industrial_licence_renew", "confidence": 0.9},
        {"id": "industrial_licence_new", "confidence": 0.5},
    ]
    open_ = ticket(service="industrial_licence_new")
    assert names(answer(said(MATTER, services=services, open=[open_]))) == ["utter_same_matter"]
    other = ticket(service="certificate_of_origin")
    assert names(answer(said(MATTER, services=services, open=[other]))) == ["utter_draft_service"]


def test_a_complaint_about_a_service_is_no_question() -> None:
    got = answer(said("دفعت رسوم تجديد الرخصه مرتين", services=[RENEW]))
    assert names(got) == ["utter_draft_service"]


def test_an_inquiry_that_nothing_answers_becomes_a_draft() -> None:
    got = answer(asks("هل فيه دعم للمصانع اللي تشتغل بالطاقة الشمسية", services=[]))
    assert names(got) == ["utter_draft"] and got.draft.kind == "inquiry"


@pytest.mark.parametrize(
    "text", ["متى دوامكم؟", "انتو فاتحين الحين؟", "are you open now?", "what are your working hours", "你们几点上班"]
)
def test_our_hours(text: str) -> None:
    got = answer(asks(text, services=[], category="facilities"))
    assert names(got) == ["utter_office_closed"] and got.replies[0]["params"]["opening"] == OFFICE["opening"]
    opened = Desk(DESK.categories, DESK.emergency, DESK.body, lambda: {**OFFICE, "open": True})
    assert [r["response"] for r in talk(asks(text, services=[]), opened).replies] == ["utter_office_open"]


@pytest.mark.parametrize("text", ["كم دوامكم برمضان", "what are your working hours in Ramadan?", "斋月你们几点上班"])
def test_our_hours_in_ramadan_whatever_day_it_is(text: str) -> None:
    got = answer(asks(text, services=[]))
    assert names(got) == ["utter_office_ramadan"] and got.replies[0]["params"]["hours"] == OFFICE["ramadan"]
    alike = Desk(DESK.categories, DESK.emergency, DESK.body, lambda: {**OFFICE, "ramadan": []})
    assert [r["response"] for r in talk(asks(text, services=[]), alike).replies] == ["utter_office_closed"]


def test_holiday_branches_and_contact() -> None:
    assert names(answer(asks("متى العطلة الرسمية الجاية", services=[]))) == ["utter_holiday"]
    assert names(answer(asks("وين فروعكم", services=[]))) == ["utter_branches"]
    assert names(answer(asks("كيف اتواصل معكم", services=[]))) == ["utter_contact"]


def test_another_bodys_question_gets_its_name_and_number_and_can_be_filed_all_the_same() -> None:
    first = answer(asks("كيف انقل كفالتي", services=[]))
    assert names(first) == ["utter_not_ours"] and first.replies[0]["params"] == {"body": "sa_hrsd", "phone": "19911"}
    assert pressed(first, 1).draft.text == "كيف انقل كفالتي"


def test_another_bodys_complaint_is_told_so_and_shown_for_filing() -> None:
    got = answer(said("صاحب العمل رافض ينقل كفالتي من سنة"))
    assert names(got) == ["utter_maybe_not_ours", "utter_draft"] and got.draft.kind == "complaint"


def test_a_part_is_found_behind_a_joined_particle() -> None:
    assert parts_asked("والرسوم كم") == ["fee"]
