"""A clerk files what came by telephone, letter, e-mail or at the counter, at /desk/new."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select

from bot.handlers.ports import Conversation
from bot.storage.tables import conversations, idempotency, outbox, tickets
from bot.tickets.reference import is_receipt
from channels.contract import Address
from tests.unit.desk.house import STAFF, URL, Browser, Desk

SAID = {
    "text": "معاملة الترخيص الصناعي متأخرة منذ شهرين", "source": "phone", "kind": "complaint", "category": "processing_delay",
    "service": "industrial_licence_new", "language": "ar",
}  # fmt: skip
PHONE = "+966501234567"


def plain(page: str) -> str:
    return re.sub(r"[\u2066-\u2069]", "", page)


def rows(desk: Desk, table: Any) -> list[Any]:
    with desk.store.read() as db:
        return list(db.execute(select(table)).mappings())


def code(page: str) -> str:
    found = re.search(r"\b([1-5]\d\d-\d{3}-\d{3}-\d{3})\b", plain(page))
    return found[1].replace("-", "") if found else ""


def post(browser: Browser, form: dict[str, str], **typed: str) -> Any:
    return browser.client.post("/desk/new", data=form | typed, headers={"Origin": URL})


def test_a_contact_is_a_ticket_like_every_other(the_desk: Desk) -> None:
    clerk = the_desk.browser("agent")
    page = clerk.send("/desk/new", "/desk/new", **SAID, phone="050 123 4567", beneficiary_type="citizen", on_behalf="1")
    assert page.status_code == 200, page.text
    (row,) = rows(the_desk, tickets)
    ticket = the_desk.stored(row["ref"])
    assert (ticket.unit, ticket.source, ticket.service) == ("industrial_licensing", "phone", "industrial_licence_new")
    assert (ticket.beneficiary_type, ticket.on_behalf, ticket.text) == ("citizen", True, SAID["text"])
    first = ticket.history[0]
    assert first.by == STAFF["agent"].actor() and first.said["channel"] == "phone" and first.said["on_behalf"]
    assert ticket.promise.why == "filed" and ticket.promise.due > the_desk.clock()

    shown = plain(page.text)
    assert f"{ticket.ref[:4]} {ticket.ref[4:8]} {ticket.ref[8:]}" in shown and is_receipt(code(shown))
    assert ticket.receipt_hash == the_desk.store.secrets.digest(code(shown))
    assert "أُرسل إلى المستفيد برسالة نصية أيضًا" in shown and "سيصلك الرد" in shown
    (talk,) = rows(the_desk, conversations)
    assert talk["scheme"] == "sms" and talk["notice_version"] and ticket.contact == talk["contact"]
    told = rows(the_desk, outbox)
    assert [line["name"] for line in told] == ["notice_contact", "utter_filed"] and all(r["notice"] for r in told)
    assert "سجّل موظفنا موضوعك" in told[0]["text"] and "إشعار الخصوصية" in told[0]["text"]
    page = plain(clerk.get(f"/desk/tickets/{ticket.ref}").text)
    assert "تسجيلها نيابة عن المستفيد" in page and "سارة القحطاني" in page and "شخص آخر" in page
    assert code(page) == "" and code(plain(the_desk.browser("agent2").get("/desk").text)) == ""
    assert "تذكرة جديدة لإدارتك" in the_desk.browser("agent2").get("/desk").text


def test_what_is_said_of_it_reaches_the_number(the_desk: Desk) -> None:
    the_desk.browser("agent").send("/desk/new", "/desk/new", **SAID, phone=PHONE)
    (row,) = rows(the_desk, tickets)
    assert the_desk.browser("agent2").act(row["ref"], "reply", text="صدرت رخصتك.").status_code == 303
    assert "صدرت رخصتك." in rows(the_desk, outbox)[-1]["text"]


def test_the_code_brings_the_ticket_to_who_was_told_it_by_word_of_mouth(the_desk: Desk) -> None:
    page = the_desk.browser("agent").send("/desk/new", "/desk/new", **SAID)
    assert "لا رقم للإشعارات" in page.text
    (row,) = rows(the_desk, tickets)
    assert row["contact"] is None and not rows(the_desk, outbox)
    talk = the_desk.talk("t-web")
    assert the_desk.house.prove("t-web", row["ref"], "315204377518") == "wrong"
    assert the_desk.house.prove("t-web", row["ref"], code(page.text)) == "ok"
    assert the_desk.stored(row["ref"]).contact == talk.contact


def test_sent_twice_it_is_filed_once(the_desk: Desk) -> None:
    clerk = the_desk.browser("agent")
    form = clerk.form("/desk/new", "/desk/new") | SAID | {"phone": PHONE}
    first, second = post(clerk, form), post(clerk, form)
    assert first.status_code == second.status_code == 200
    assert len(rows(the_desk, tickets)) == 1 and len(rows(the_desk, outbox)) == 2
    assert code(first.text) == code(second.text) != "", "a double click shows the second answer alone"
    assert not [r for r in rows(the_desk, idempotency) if code(first.text) in str(dict(r))], "nobody keeps the code"
    the_desk.clock.pass_(minutes=11)
    later = post(the_desk.browser("agent"), form)  # another session: its word is another
    assert later.status_code == 403
    form["csrf"] = the_desk.browser("agent").form("/desk/new", "/desk/new")["csrf"]
    again = the_desk.browser("agent")
    form["csrf"] = again.form("/desk/new", "/desk/new")["csrf"]
    late = post(again, form)
    assert late.status_code == 200 and code(late.text) == "" and "ولا يُعرض ثانية" in late.text
    assert len(rows(the_desk, tickets)) == 1


def test_an_open_ticket_on_the_same_matter_is_offered_first(the_desk: Desk) -> None:
    clerk = the_desk.browser("agent")
    clerk.send("/desk/new", "/desk/new", **SAID, phone=PHONE)
    (row,) = rows(the_desk, tickets)
    form = clerk.form("/desk/new", "/desk/new") | SAID | {"phone": "0501234567", "text": "ما زالت متأخرة"}
    page = post(clerk, form)
    assert page.status_code == 200 and f'name="to" value="{row["ref"]}"' in page.text and "ما زالت متأخرة" in page.text
    assert len(rows(the_desk, tickets)) == 1
    for _ in range(2):
        added = post(clerk, form, to=row["ref"])
        assert added.headers["location"] == f"/desk/tickets/{row['ref']}?done=add"
    history = the_desk.stored(row["ref"]).history
    assert [e.verb for e in history] == ["file", "add"] and history[1].said["text"] == "ما زالت متأخرة"
    assert post(clerk, form, to="new").status_code == 200
    two = rows(the_desk, tickets)
    assert len(two) == 2 and two[0]["contact"] == two[1]["contact"] and len(rows(the_desk, conversations)) == 1
    other = clerk.form("/desk/new", "/desk/new") | SAID | {"phone": PHONE, "service": "", "category": "fees_payment"}
    post(clerk, other)
    assert len(rows(the_desk, tickets)) == 3, "another matter is filed at once"


def test_a_confidential_ticket_of_the_same_number_is_never_offered(the_desk: Desk) -> None:
    clerk = the_desk.browser("agent")
    page = clerk.send("/desk/new", "/desk/new", **SAID, phone=PHONE, confidential="1")
    assert "سرية" in page.text and "افتح التذكرة" not in page.text
    (row,) = rows(the_desk, tickets)
    assert row["confidential"] and row["unit"] == "internal_audit" and "industrial_licensing" in row["hidden_from"]
    assert clerk.get(f"/desk/tickets/{row['ref']}").status_code == 404
    page = clerk.send("/desk/new", "/desk/new", **SAID, phone=PHONE)
    assert row["ref"] not in page.text and len(rows(the_desk, tickets)) == 2
    form = clerk.form("/desk/new", "/desk/new") | SAID
    assert post(clerk, form, to=row["ref"]).status_code == 409, "nor can it be added to by who knows its number"
    assert the_desk.stored(row["ref"]).version == 1


def test_it_is_hidden_from_who_is_complained_of(the_desk: Desk) -> None:
    said = SAID | {"category": "staff_conduct", "text": "موظف التراخيص الصناعية أساء إليّ"}
    the_desk.browser("agent").send("/desk/new", "/desk/new", **said)
    (row,) = rows(the_desk, tickets)
    assert row["unit"] != "industrial_licensing" and "industrial_licensing" in row["hidden_from"]


def test_danger_is_urgent_and_the_clerk_has_the_number_to_give(the_desk: Desk) -> None:
    page = the_desk.browser("agent").send("/desk/new", "/desk/new", **SAID | {"text": "الحقونا في حريق بالمصنع"})
    (row,) = rows(the_desk, tickets)
    assert row["urgent"] and "998" in plain(page.text)


@pytest.mark.parametrize(
    ("typed", "label"),
    [
        ({"phone": "12345"}, "هذا ليس رقم هاتف صحيحًا"),
        ({"text": "  "}, "href=\"#new-text\""),
        ({"kind": ""}, "href=\"#new-kind\""),
        ({"category": "nowhere"}, "href=\"#new-category\""),
        ({"source": "pigeon"}, "href=\"#new-source\""),
        ({"subcategory": "nowhere"}, "href=\"#new-subcategory\""),
    ],
)  # fmt: skip
def test_what_cannot_be_keeps_all_that_was_typed(the_desk: Desk, typed: dict[str, str], label: str) -> None:
    sent = SAID | {"confidential": "1", "phone": PHONE} | typed
    page = the_desk.browser("agent").send("/desk/new", "/desk/new", **sent)
    assert page.status_code == 422 and label in page.text
    if typed.get("text") is None:
        assert SAID["text"] in page.text
    assert 'value="industrial_licence_new" selected' in page.text and sent["phone"] in page.text
    assert re.search(r'name="confidential" value="1" checked', page.text)
    assert not rows(the_desk, tickets)


def test_who_has_stopped_our_messages_is_sent_none(the_desk: Desk) -> None:
    with the_desk.store.begin() as tx:
        at = the_desk.clock()
        tx.add_conversation(
            Conversation(
                "t-sms",
                "c-1",
                Address("sms", PHONE, "+15005550006"),
                at,
                language="en",
                notice_version="2",
                stopped_at=at,
            )
        )
    page = the_desk.browser("agent").send("/desk/new", "/desk/new", **SAID, phone=PHONE)
    assert "طلب صاحب هذا الرقم إيقاف الرسائل" in page.text
    (line,) = rows(the_desk, outbox)
    assert line["state"] == "failed" and line["failure"] == "stopped"


def test_who_reads_only_files_nothing(the_desk: Desk) -> None:
    for name in ("oversight", "admin"):
        browser = the_desk.browser(name)
        assert browser.get("/desk/new").status_code == 403
        assert "/desk/new" not in browser.get("/desk/channels").text
    assert the_desk.browser().get("/desk/new").status_code == 303


def test_the_page_in_english_and_the_persons_language_is_read_out(the_desk: Desk) -> None:
    clerk = the_desk.browser("agent")
    assert "Log a contact" in clerk.get("/desk/new", lang="en").text
    page = clerk.send("/desk/new", "/desk/new", **SAID | {"language": "zh", "source": "letter"})
    assert 'lang="zh"' in page.text and "工单" in page.text and "To be read out" in page.text
    assert rows(the_desk, tickets)[0]["source"] == "letter"
