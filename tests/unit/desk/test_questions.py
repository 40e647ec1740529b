"""What the register did not answer, at /desk/questions: like questions together, nobody's numbers, nobody's secrets."""

from __future__ import annotations

import re
from typing import Any

from bot.tickets.ticket import Ticket
from tests.unit.desk.house import Desk

FEES, SOLAR = bytes([127, 10, 0, 0]), bytes([0, 0, 127, 20])


def asked(desk: Desk, text: str, vector: bytes | None, turn: str, **more: Any) -> Ticket:
    talk = desk.talk(f"t-{turn}")
    desk.write(talk, text, turn, vector)
    fields = {"kind": "inquiry", "category": "fees_payment", "reading": {"turn": turn}} | more
    return desk.file(text, talk, **fields)


def text_of(page: str) -> str:
    return re.sub(r"[\u2066-\u2069]", "", page)


def test_like_questions_stand_together_the_most_frequent_first(the_desk: Desk) -> None:
    asked(the_desk, "هل يوجد دعم للطاقة الشمسية في المصانع", SOLAR, "t90")
    for n, text in enumerate(("كم رسوم معاينة المصنع", "بكم معاينة المصنع عندكم", "قديش رسوم المعاينة")):
        asked(the_desk, text, FEES, f"t{n}")
    page = text_of(the_desk.browser("agent2").get("/desk/questions").text)
    assert page.index("سُئل عنه 3 مرات") < page.index("بكم معاينة المصنع عندكم") < page.index("سُئل عنه مرة<")
    assert page.count("سُئل عنه") == 2


def test_no_telephone_and_no_address_is_shown(the_desk: Desk) -> None:
    asked(the_desk, "كم الرسوم؟ جوالي 0501234567 وايميلي someone@example.test", FEES, "t1")
    page = text_of(the_desk.browser("agent2").get("/desk/questions").text)
    assert "كم الرسوم؟" in page and "0501234567" not in page and "someone@" not in page


def test_who_may_not_see_a_ticket_does_not_see_its_question(the_desk: Desk) -> None:
    asked(
        the_desk, "سؤال سري عن موظف", FEES, "t1", flags={"confidential"}, unit_needs_to_know=True, unit="internal_audit"
    )
    asked(the_desk, "سؤال لإدارة أخرى", FEES, "t2", unit="mining_licensing")
    page = the_desk.browser("agent2").get("/desk/questions").text
    assert "سؤال سري" not in page and "سؤال لإدارة أخرى" not in page and "لا أسئلة في هذه المدة" in page


def test_complaints_old_questions_and_wishes_for_a_person_are_no_questions(the_desk: Desk) -> None:
    asked(the_desk, "سؤال قديم", FEES, "t1")
    the_desk.clock.pass_(days=40)
    asked(the_desk, "شكوى من التأخر", FEES, "t2", kind="complaint")
    asked(the_desk, "ابي موظف", FEES, "t3", flags={"needs_person"})
    clerk = the_desk.browser("agent2")
    assert "لا أسئلة في هذه المدة" in clerk.get("/desk/questions").text
    assert "سؤال قديم" in clerk.get("/desk/questions", days="90").text
    assert "No questions in this period" in clerk.get("/desk/questions", lang="en", days="7").text


def test_only_staff_read_it(the_desk: Desk) -> None:
    assert the_desk.browser().get("/desk/questions").headers["location"].startswith("/desk/login")
    assert the_desk.browser("admin").get("/desk/questions").status_code == 403
