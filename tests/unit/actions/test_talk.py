"""What the house makes of one message, without Rasa: readings in, names and state out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from actions.said import KEEP, Answer, Desk, Said
from actions.talk import talk
from bot.handlers.draft import Draft
from bot.tickets.reference import new_reference
from nlu.arabic.flags import flags

CATEGORIES = ["processing_delay", "digital_service", "staff_conduct", "safety_environment", "other"]


OFFICE = {
    "open": False, "hours": [{"first": 6, "last": 3, "hours": ["07:30", "14:30"]}], "opening": "2026-11-29T07:30:00+03:00",
    "holiday": {"ar": "يوم التأسيس"}, "holiday_on": "2027-02-22", "estimated": False, "branches": ["riyadh"],
    "ramadan": [{"first": 6, "last": 3, "hours": ["10:00", "15:00"]}],
}  # fmt: skip
DESK = Desk(
    categories=CATEGORIES,
    emergency=lambda kind: "998",
    body=lambda text: {"id": "sa_hrsd", "phone": "19911"} if "كفالتي" in text else None,
    office=lambda: OFFICE,
)


def said(text: str, intent: str = "complaint", confidence: float = 0.9, **more: Any) -> Said:
    """A message with its reading."""
    base: dict[str, Any] = {
        "conversation": "c", "turn": "t1", "text": text, "intent": intent, "confidence": confidence,
        "category": "processing_delay", "category_confidence": 0.8, "language": "ar", "services": [], "flags": flags(text),
        "entities": [], "pressed": None, "draft": None, "question": None, "spoken": "ar", "open": [], "ended": [],
        "parts": [], "at": datetime(2026, 11, 25, tzinfo=UTC),
        "reading": {"intent_ranking": [{"name": intent, "confidence": confidence}]},
    }  # fmt: skip
    return Said(**{**base, **more})


def answer(message: Said) -> Answer:
    return talk(message, DESK)


def names(got: Answer) -> list[str]:
    return [r["response"] for r in got.replies]


MATTER = "معاملة الترخيص الصناعي لها شهرين وما احد رد علي"
DRAFT = Draft(kind="complaint", category="processing_delay", text=MATTER, stage="confirm")


def ticket(**more: Any) -> dict[str, Any]:
    base = {
        "ref": new_reference(), "kind": "complaint", "category": "processing_delay", "service": None, "state": "open",
        "unit": "contact_centre", "due": "2026-11-30T14:30:00+03:00", "late": False, "answered": False, "question": None,
        "answer": None, "rated": False, "text": MATTER, "special": None, "allowed": ["flag", "add", "withdraw"],
    }  # fmt: skip
    return {**base, **more}


def test_a_matter_is_shown_back_before_anything_is_filed() -> None:
    """Kind, category and text are shown, the first button files."""
    got = answer(said(MATTER))
    assert names(got) == ["utter_draft"]
    assert got.replies[0]["params"] == {"kind": "complaint", "category": "processing_delay", "text": MATTER}
    assert '"do":"file"' in got.replies[0]["buttons"][0]["payload"]
    assert not got.file and got.draft.text == MATTER


@pytest.mark.parametrize(
    "text", ["عندي شكوى", "السلام عليكم، ابغى اقدم شكوى", "I want to file a complaint", "我要投诉", "لدي شكوى لو سمحتم"]
)
def test_the_wish_alone_leads_to_one_question(text: str) -> None:
    got = answer(said(text))
    assert names(got) == ["utter_ask_matter_complaint"]
    assert got.draft.stage == "details" and got.draft.kind == "complaint"


def test_the_answer_to_that_question_is_the_matter() -> None:
    waiting = Draft(kind="complaint")
    got = answer(said("الموظف في الفرع رفض يستلم اوراقي", intent="out_of_scope", confidence=0.4, draft=waiting))
    assert names(got) == ["utter_draft"] and got.draft.kind == "complaint"


def test_yes_files_and_no_asks_what_to_change() -> None:
    assert answer(said("نعم", "affirm", draft=DRAFT)).file
    got = answer(said("لا", "deny", draft=DRAFT))
    assert names(got) == ["utter_confirm_or_change"] and not got.file and got.draft is KEEP


def test_more_words_are_added_to_the_draft_and_answered_once() -> None:
    got = answer(said("ورقم المصنع ١٢٣٤٥", "out_of_scope", 0.7, category=None, draft=DRAFT))
    assert len(got.replies) == 1 and got.draft.text == f"{MATTER}\nورقم المصنع ١٢٣٤٥"


def test_clearly_another_matter_is_asked_about_and_not_lost() -> None:
    other = "موقعكم الالكتروني ما يفتح معي من الصبح ابدا"
    got = answer(said(other, category="digital_service", draft=DRAFT))
    assert names(got) == ["utter_another_matter"] and got.question["text"] == other


def test_cancel_drops_the_draft() -> None:
    got = answer(said("الغاء", "cancel", draft=DRAFT))
    assert got.draft is None and names(got) == ["utter_draft_cancelled"]


def test_danger_comes_first_and_is_urgent() -> None:
    got = answer(said("الحقونا حريق في المصنع", "report", 0.9))
    assert names(got)[0] == "utter_danger_fire" and got.draft.urgent
    assert names(got)[1].startswith("utter_draft_urgent")


def test_danger_while_a_draft_is_open_marks_it() -> None:
    got = answer(said("فيه تسرب غاز الحين عندنا", "report", 0.9, category=None, draft=DRAFT))
    assert names(got)[0] == "utter_danger_gas" and got.draft.urgent


def test_the_same_matter_again_is_offered_the_open_ticket_first() -> None:
    known = ticket()
    got = answer(said(MATTER, open=[known]))
    assert names(got) == ["utter_same_matter"] and got.draft.same == known["ref"]
    added = answer(
        said("", "press", pressed={"do": "add_draft_to", "ref": known["ref"]}, draft=got.draft, open=[known])
    )
    assert added.act.verb == "add" and added.draft is None
    anew = answer(said("", "press", pressed={"do": "new_ticket"}, draft=got.draft, open=[known]))
    assert names(anew) == ["utter_draft"]


def test_status_without_a_number() -> None:
    assert names(answer(said("وين وصل طلبي", "check_status", category=None))) == ["utter_status_none"]
    assert names(answer(said("وين وصل طلبي", "check_status", category=None, open=[ticket()]))) == ["utter_status"]
    got = answer(said("وين وصل طلبي", "check_status", category=None, open=[ticket(), ticket()]))
    assert names(got) == ["utter_status_list"] and len(got.replies[0]["params"]["tickets"]) == 2


def test_a_strangers_and_an_invented_reference_get_the_same_answer() -> None:
    got = answer(said(f"وين وصلت {new_reference()}", "check_status", category=None, open=[ticket()]))
    assert names(got) == ["utter_reference_unknown"]


def test_status_in_three_digit_systems_with_spaces_and_hyphens() -> None:
    known = ticket()
    ref = known["ref"]
    arabic, persian = (ref.translate(str.maketrans("0123456789", d)) for d in ("٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹"))
    for text in (arabic, f"رقم البلاغ {ref[:4]}-{ref[4:8]}-{ref[8:]}", persian, f"{ref[:4]} {ref[4:8]} {ref[8:]}", ref):
        got = answer(said(text, "out_of_scope", 0.3, category=None, open=[ticket(), known]))
        assert got.replies[0]["params"]["ref"] == ref, text


def test_withdrawing_asks_first() -> None:
    known = ticket()
    got = answer(said("ابي اسحب شكواي", "withdraw_ticket", category=None, open=[known]))
    assert names(got) == ["utter_withdraw_confirm"] and got.act is None
    done = answer(said("نعم", "affirm", category=None, open=[known], question=got.question))
    assert done.act.verb == "withdraw" and done.act.ref == known["ref"]
    kept = answer(said("لا", "deny", category=None, open=[known], question=got.question))
    assert names(kept) == ["utter_withdraw_kept"]


def test_a_low_rating_is_offered_to_be_reopened() -> None:
    ended = ticket(state="resolved", allowed=["rate", "reopen"])
    asked = {"name": "rating", "ref": ended["ref"]}
    low = answer(said("2", "out_of_scope", 0.2, category=None, ended=[ended], question=asked))
    assert low.act.said == {"rating": 2} and names(low) == ["utter_low_rating"]
    high = answer(said("٥ شكرا لكم", "thanks", category=None, ended=[ended], question=asked))
    assert high.act.said == {"rating": 5} and names(high) == ["utter_rated"]


def test_the_answer_to_a_question_of_the_staff_goes_to_the_ticket() -> None:
    waiting = ticket(state="waiting", question="كم رقم السجل؟")
    asked = {"name": "staff_question", "ref": waiting["ref"]}
    got = answer(said("رقم السجل ١٠١٠٢٢٣٣٤٤", "out_of_scope", 0.5, category=None, open=[waiting], question=asked))
    assert got.act.verb == "add" and got.act.ref == waiting["ref"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "utter_empty"),
        ("😂", "utter_emoji"),
        ("7", "utter_lone_number"),
        ("https://example.test/x", "utter_link"),
        ("\u202e\u202d", "utter_empty"),
    ],
)
def test_rubbish_gets_a_fitting_answer(text: str, name: str) -> None:
    assert names(answer(said(text, "out_of_scope", 0.3, category=None, language=None))) == [name]


def test_a_language_we_do_not_speak_is_filed_for_a_person() -> None:
    got = answer(said("میرا اقامہ تین مہینے سے تجدید نہیں ہوا", "complaint", 0.5, language="other"))
    assert got.file and got.draft.flags == ("language",)


def test_a_person_is_a_ticket_and_takes_the_draft_along() -> None:
    assert answer(said("ابي اكلم موظف", "human_handoff", category=None)).draft.flags == ("needs_person",)
    got = answer(said("ابي اكلم موظف", "human_handoff", category=None, draft=DRAFT))
    assert got.file and got.draft.text == MATTER


def test_two_matters_in_one_message_lose_neither() -> None:
    parts = [
        {
            "text": "المعاملة متأخرة شهرين عندكم",
            "intent": {"name": "complaint", "confidence": 0.9},
            "category": {"name": "processing_delay", "confidence": 0.9},
        },
        {
            "text": "والموظف صرخ في وجهي",
            "intent": {"name": "complaint", "confidence": 0.9},
            "category": {"name": "staff_conduct", "confidence": 0.9},
        },
    ]
    got = answer(said("المعاملة متأخرة شهرين عندكم\nوالموظف صرخ في وجهي", parts=parts))
    assert got.draft.second["category"] == "staff_conduct"


def test_unsure_words_are_kept_and_the_kind_is_asked() -> None:
    got = answer(said("الموضوع اللي كلمتكم عنه قبل", "out_of_scope", 0.3, category=None))
    assert names(got) == ["utter_choose_kind"] and got.draft.text
    chosen = answer(said("", "press", pressed={"do": "set_kind", "value": "inquiry"}, draft=got.draft))
    assert names(chosen) == ["utter_draft"] and chosen.draft.kind == "inquiry"


def test_every_button_of_the_draft_does_something() -> None:
    for button in answer(said(MATTER)).replies[0]["buttons"]:
        do = button["payload"].split('"do":"')[1].split('"')[0]
        got = answer(said("", "press", pressed={"do": do}, draft=DRAFT))
        assert got.file or got.replies, do


def test_an_old_button_without_a_draft_is_answered() -> None:
    assert names(answer(said("", "press", pressed={"do": "file"}))) == ["utter_no_draft"]
    assert names(answer(said("", "press", pressed={"do": "nonsense"}))) == ["utter_unsure"]


def test_the_answer_keeps_the_draft_where_it_speaks_of_something_else() -> None:
    got = answer(replace(said("وين وصل طلبي", "check_status", category=None, open=[ticket()]), draft=DRAFT))
    assert got.draft is KEEP and names(got) == ["utter_status", "utter_still_draft"]


# --- what a day of citizens taught ----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["ممتاز", "فساد", "谢谢你们"])
def test_a_word_never_replaces_a_draft(text: str) -> None:
    got = answer(said(text, "praise", 0.9, draft=DRAFT))
    assert got.draft is KEEP or got.draft is not None and MATTER in got.draft.text


def test_chinese_without_spaces_is_added_to_the_draft() -> None:
    draft = Draft(kind="complaint", category="staff_conduct", text="审批人员态度很差", stage="confirm")
    got = answer(said("他还说让我下个月再来", "complaint", 0.5, category="staff_conduct", draft=draft))
    assert got.draft.text == "审批人员态度很差\n他还说让我下个月再来"


@pytest.mark.parametrize(
    "text", ["خلاص ارسلها", "اه سجلوها", "توكل على الله", "好的", "👍", "eeh sajjelha", "اي نعم سجلوها"]
)
def test_assent_in_any_words_files(text: str) -> None:
    assert answer(said(text, "cancel", 0.9, category=None, draft=DRAFT)).file


def test_do_not_send_it_puts_the_draft_away() -> None:
    got = answer(said("لا تسجل شي", "complaint", 0.4, category=None, draft=DRAFT))
    assert got.draft is None and names(got) == ["utter_draft_cancelled"]


def test_never_mind_while_editing_keeps_the_old_text() -> None:
    editing = replace(DRAFT, stage="edit")
    assert answer(said("لا خلاص خلها زي ما هي", "deny", 0.9, category=None, draft=editing)).draft.text == MATTER
    assert answer(said("ابي اكلم موظف", "human_handoff", 0.97, category=None, draft=editing)).file


def test_an_old_yes_does_not_withdraw() -> None:
    known = ticket()
    asked = answer(said("ابي اسحب تذكرتي", "withdraw_ticket", category=None, open=[known])).question
    thanked = answer(said("شكرا لكم", "thanks", category=None, open=[known], question=asked))
    assert thanked.act is None and thanked.question is None


def test_an_answer_to_the_staff_is_theirs_whatever_it_looks_like() -> None:
    waiting = ticket(state="waiting", question="ما رقم المعاملة؟")
    asked = {"name": "staff_question", "ref": waiting["ref"]}
    for text, intent in (
        ("معاملة رقم 20264471", "check_status"),
        ("QR-22/1440", "out_of_scope"),
        ("ما اعرف", "check_status"),
        ("3", "rate_service"),
    ):
        got = answer(said(text, intent, 0.75, category=None, open=[waiting], question=asked))
        assert got.act and got.act.verb == "add", text
    assert answer(said("طيب", "affirm", category=None, open=[waiting], question=asked)).act is None


def test_a_complaint_about_staff_is_never_added_to_a_units_ticket_silently() -> None:
    waiting = ticket(state="waiting", question="ما رقم الرخصة؟")
    text = "عندي شكوى ثانية على موظف الاستقبال صرخ في وجهي"
    asked = {"name": "staff_question", "ref": waiting["ref"]}
    got = answer(said(text, "complaint", 0.6, category="staff_conduct", open=[waiting], question=asked))
    assert names(got) == ["utter_another_for_ticket"] and got.act is None


@pytest.mark.parametrize(
    "text", ["ما انحلت مشكلتي", "المشكلة لسه زي ما هي", "not solved, nothing changed", "问题还没解决"]
)
def test_a_disputed_outcome_reopens(text: str) -> None:
    ended = ticket(state="resolved", allowed=["rate", "reopen"])
    got = answer(
        said(text, "thanks", 0.3, category=None, ended=[ended], question={"name": "rating", "ref": ended["ref"]})
    )
    assert got.act and got.act.verb == "reopen"


@pytest.mark.parametrize(
    ("text", "rating"),
    [("5", 5), ("٤ شكرا", 4), ("5/5", 5), ("3 من 5", 3), ("ممتاز", 5), ("سيء جدا", 1), ("⭐⭐⭐", 3), ("很好", 5)],
)
def test_ratings_in_many_forms(text: str, rating: int) -> None:
    ended = ticket(state="resolved", allowed=["rate", "reopen"])
    got = answer(
        said(text, "praise", 0.4, category=None, ended=[ended], question={"name": "rating", "ref": ended["ref"]})
    )
    assert got.act and got.act.said["rating"] == rating


def test_three_months_is_no_rating() -> None:
    ended = ticket(state="resolved", allowed=["rate", "reopen"])
    asked = {"name": "rating", "ref": ended["ref"]}
    got = answer(said("3 شهور وانا انتظر وتقولون تم", "complaint", 0.9, ended=[ended], question=asked))
    assert not got.act or got.act.verb != "rate"


def test_secrecy_said_in_words() -> None:
    assert answer(said("خليها سرية", "suggestion", 0.8, category=None, draft=DRAFT)).draft.confidential
    got = answer(said("تكفون خلوا اسمي سري", "suggestion", 0.8, category=None, open=[ticket()]))
    assert got.act.verb == "flag" and got.act.said == {"flag": "confidential"}


def test_despair_is_asked_whether_a_person_shall_come_and_a_no_is_respected() -> None:
    got = answer(said("ما عاد ابي اعيش والله تعبت", "complaint", 0.5))
    assert names(got) == ["utter_danger_self_harm", "utter_care"] and got.draft.urgent
    left = answer(said("", "press", pressed={"do": "no_care"}, draft=got.draft, question=got.question))
    assert left.draft is None and names(left) == ["utter_care_kept"]


def test_words_that_ask_for_a_ticket_one_does_not_have_are_kept() -> None:
    got = answer(said("my certificate request has been pending since 3 weeks", "check_status", 0.97, category=None))
    assert got.question["text"] and got.replies[0]["buttons"]


def test_a_lone_receipt_code_asks_for_the_number_and_then_proves() -> None:
    got = answer(said("207-507-046-314", "out_of_scope", 0.3, category=None))
    assert names(got) == ["utter_ask_reference"]
    ref = new_reference()
    proved = answer(said(ref, "out_of_scope", 0.3, category=None, question=got.question))
    assert proved.act.verb == "prove" and proved.act.said == {"code": "207507046314"}


def test_a_remark_that_its_sender_calls_one_is_an_observation() -> None:
    got = answer(said("عندي ملاحظة: لوحات الفرع مو واضحة", "update_ticket", 0.9, category=None))
    assert names(got) == ["utter_draft"] and got.draft.kind == "observation"


@pytest.mark.parametrize("text", ["ابي اسحب تذكرتي {}", "الغوا التذكرة {}", "withdraw {} please", "请撤回 {}"])
def test_a_verb_and_a_number_need_no_model(text: str) -> None:
    known = ticket()
    got = answer(said(text.format(known["ref"]), "suggestion", 0.9, category=None, open=[ticket(), known]))
    assert names(got) == ["utter_withdraw_confirm"] and got.question["ref"] == known["ref"]


def test_a_half_sure_reading_is_enough_where_the_words_name_a_ticket() -> None:
    known = ticket()
    got = answer(said(f"ابي اسحب تذكرتي {known['ref']}", "withdraw_ticket", 0.4, category=None, open=[known]))
    assert names(got) == ["utter_withdraw_confirm"]


@pytest.mark.parametrize(
    "text",
    ["اضف للتذكرة انه على متصفح كروم", "ابغى اضيف لشكواي اني دفعت مرتين", "please add to my ticket that I paid twice"],
)
def test_what_is_to_be_added_goes_to_the_open_ticket_however_the_model_reads_it(text: str) -> None:
    open_one = ticket()
    got = answer(said(text, "out_of_scope", open=[open_one]))
    assert got.act is not None and (got.act.verb, got.act.ref) == ("add", open_one["ref"])


def test_nothing_is_added_where_nothing_is_open() -> None:
    assert answer(said("اضف للتذكرة انه على متصفح كروم", "out_of_scope")).act is None
