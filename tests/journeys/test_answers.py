"""What the register knows is answered at once, in three languages; what it does not know is filed with one word."""

from __future__ import annotations

import pytest

from tests.running import REFERENCE, Citizen, Sawt

pytestmark = pytest.mark.journey


@pytest.mark.parametrize(
    ("lang", "asked", "answer"),
    [
        ("ar", "كم رسوم تجديد الرخصة الصناعية؟", "1,000 ريال"),
        ("ar", "قديش بتكلف تجديد الرخصه الصناعيه", "1,000 ريال"),
        ("en", "how much is the fee to renew an industrial licence?", "SAR 1,000"),
        ("zh", "请问续办工业许可证的费用是多少？", "1,000沙特里亚尔"),
    ],
)
def test_a_question_about_a_service_is_answered_and_nothing_is_filed(
    sawt: Sawt, lang: str, asked: str, answer: str
) -> None:
    person = sawt.citizen(lang)
    told = person.say(asked)
    if answer not in told:  # two services are near each other: it asks which
        told = person.press({"ar": "تجديد", "en": "enew", "zh": "续"}[lang])
    assert answer in told and not REFERENCE.search(told)
    assert answer in person.say("2"), "all details"
    person.close()


def test_a_question_that_was_not_answered_well_is_filed_with_its_service(sawt: Sawt, citizen: Citizen) -> None:
    asked = "كم رسوم تجديد الرخصة الصناعية؟"
    citizen.say(asked)
    assert asked in citizen.say("لا")
    ref = REFERENCE.search(citizen.say("نعم"))
    assert ref
    ticket = sawt.ticket(ref[1])
    assert (ticket["kind"], ticket["service"], ticket["text"]) == ("inquiry", "industrial_licence_renew", asked)


def test_it_helped(citizen: Citizen) -> None:
    citizen.say("كم رسوم تجديد الرخصة الصناعية؟")
    assert "سعدنا" in citizen.say("نعم افادني شكرا")


@pytest.mark.parametrize(
    ("lang", "asked", "answer"),
    [
        ("ar", "متى دوامكم؟", "07:30"),
        ("en", "what are your working hours?", "07:30"),
        ("zh", "你们几点上班？", "07:30"),
    ],
)
def test_our_hours(sawt: Sawt, lang: str, asked: str, answer: str) -> None:
    person = sawt.citizen(lang)
    assert answer in person.say(asked)
    person.close()


def test_another_bodys_question(citizen: Citizen) -> None:
    told = citizen.say("كيف انقل كفالتي على شركة ثانية؟")
    assert "الموارد البشرية" in told and "19911" in told
    assert not REFERENCE.search(told)
