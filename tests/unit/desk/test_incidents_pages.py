"""Incidents at the desk: suggestions by meaning and time, one update for everybody, and nothing for who may not see."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import select

from bot.storage.tables import incidents, outbox
from bot.tickets.ticket import Ticket
from tests.unit.desk.house import URL, Browser, Desk

DOWN, FEES = bytes([127, 10, 0, 0]), bytes([0, 0, 127, 20])


def filed(desk: Desk, text: str, vector: bytes | None, turn: str, **more: Any) -> Ticket:
    talk = desk.talk(f"t-{turn}")
    desk.write(talk, text, turn, vector)
    return desk.file(text, talk, **{"reading": {"turn": turn}} | more)


def post(browser: Browser, path: str, **typed: Any) -> Any:
    csrf = re.search(r'name="csrf" value="(\w+)"', browser.get("/desk").text)
    assert csrf
    return browser.client.post(path, data={"csrf": csrf[1]} | typed, headers={"Origin": URL})


def joined(desk: Desk, clerk: Browser, main: Ticket, *others: Ticket, title: str = "توقف المنصة") -> str:
    answer = post(clerk, "/desk/incidents", main=main.ref, ref=[o.ref for o in others], title=title, key="k" * 20)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"]).removeprefix("/desk/incidents/").removesuffix("?done=joined")


def test_suggested_are_live_tickets_near_in_meaning_and_time_that_the_reader_may_see(the_desk: Desk) -> None:
    old = filed(the_desk, "المنصة متوقفة قبل شهر", DOWN, "t1")
    the_desk.clock.pass_(days=8)
    other = filed(the_desk, "رسوم الرخصة غير واضحة", FEES, "t2")
    near = filed(the_desk, "المنصة لا تعمل، جوالي 0501234567", DOWN, "t3")
    done = filed(the_desk, "المنصة معطلة وحُلّت", DOWN, "t4", state="resolved")
    secret = filed(the_desk, "سر عن المنصة", DOWN, "t5", flags={"confidential"})
    elsewhere = filed(the_desk, "المنصة متوقفة عند غيرنا", DOWN, "t6", unit="mining_licensing")
    apart = filed(the_desk, "المنصة متوقفة في موضوع آخر", DOWN, "t7", category="fees_payment")
    main = filed(the_desk, "المنصة متوقفة", DOWN, "t8")
    clerk = the_desk.browser("agent2")
    assert f'href="/desk/tickets/{main.ref}/incident"' in clerk.get(f"/desk/tickets/{main.ref}").text
    page = clerk.get(f"/desk/tickets/{main.ref}/incident").text
    assert page.index(near.ref) < page.index(other.ref), "the nearest first"
    assert page.count("قريبة جدًا في المعنى") == 1 and "0501234567" not in page
    for absent in (old, done, secret, elsewhere, apart):
        assert absent.ref not in page, absent.text
    assert clerk.get(f"/desk/tickets/{secret.ref}/incident").status_code == 404
    assert clerk.get(f"/desk/tickets/{elsewhere.ref}/incident").status_code == 404
    assert the_desk.browser("oversight").get(f"/desk/tickets/{main.ref}/incident").status_code == 403


def test_joined_told_resolved_and_marked(the_desk: Desk) -> None:
    a, b, c = (filed(the_desk, f"المنصة متوقفة {n}", DOWN, f"t{n}") for n in range(3))
    clerk = the_desk.browser("agent2")
    id = joined(the_desk, clerk, a, b, c)
    for page in ("/desk", f"/desk/tickets/{b.ref}"):
        assert f'href="/desk/incidents/{id}"' in clerk.get(page).text
    page = clerk.get(f"/desk/incidents/{id}").text
    assert "توقف المنصة" in page and "3 تذاكر" in re.sub(r"[\u2066-\u2069]", "", page)
    assert all(each.ref in page for each in (a, b, c))
    for _ in range(2):
        answer = post(clerk, f"/desk/incidents/{id}/tell", n="1", verb="reply", text="نعمل على إعادتها.")
        assert answer.headers["location"] == f"/desk/incidents/{id}?done=told"
    late = post(the_desk.browser("agent"), f"/desk/incidents/{id}/tell", n="1", verb="reply", text="نص ثانٍ لزميل")
    assert late.status_code == 409 and "نص ثانٍ لزميل" in late.text and "نعمل على إعادتها." in late.text
    assert 'name="n" value="2"' in late.text, "sent again, it goes through"
    assert post(clerk, f"/desk/incidents/{id}/leave", ref=c.ref).headers["location"].endswith("?done=left")
    assert "فصلها عن الحادثة" in clerk.get(f"/desk/tickets/{c.ref}").text
    done = post(clerk, f"/desk/incidents/{id}/tell", n="2", verb="resolve", text="عادت المنصة.")
    assert done.headers["location"].endswith("?done=resolved")
    assert [the_desk.stored(each.ref).state for each in (a, b, c)] == ["resolved", "resolved", "open"]
    with the_desk.store.read() as db:
        said = [t for t in db.scalars(select(outbox.c.text)) if "نعمل على إعادتها." in t]
        assert len(said) == 3 and db.scalar(select(incidents.c.closed_at))
    assert "انتهت" in clerk.get(f"/desk/incidents/{id}").text
    assert f"/desk/incidents/{id}/tell" not in clerk.get(f"/desk/incidents/{id}").text


def test_what_cannot_be_sent_is_kept(the_desk: Desk) -> None:
    a, b = filed(the_desk, "المنصة متوقفة", DOWN, "t1"), filed(the_desk, "المنصة لا تعمل", DOWN, "t2")
    clerk = the_desk.browser("agent2")
    form = {"main": a.ref, "ref": b.ref, "title": " ", "key": "k" * 20}
    refused = post(clerk, "/desk/incidents", **form)
    assert refused.status_code == 422 and f'value="{b.ref}" checked' in refused.text
    assert post(clerk, "/desk/incidents", **form | {"incident": "nowhere"}).status_code == 404
    id = joined(the_desk, clerk, a, b)
    assert post(clerk, f"/desk/incidents/{id}/tell", n="1", verb="reply", text=" ").status_code == 422
    assert post(clerk, f"/desk/incidents/{id}/tell", n="1", verb="close", text="x").status_code == 422
    assert post(clerk, f"/desk/incidents/{id}/tell", n="x", verb="reply", text="x").status_code == 422
    assert post(clerk, f"/desk/incidents/{id}/go-on", n="9").status_code == 404


def test_an_incident_is_not_there_for_who_sees_none_of_its_tickets(the_desk: Desk) -> None:
    a = filed(the_desk, "المنصة متوقفة", DOWN, "t1")
    id = joined(the_desk, the_desk.browser("agent2"), a)
    assert the_desk.browser("oversight").get(f"/desk/incidents/{id}").status_code == 200
    audit = the_desk.browser("audit")
    assert audit.get(f"/desk/incidents/{id}").status_code == 404
    assert post(audit, f"/desk/incidents/{id}/tell", n="1", verb="reply", text="x").status_code == 404
    assert post(audit, f"/desk/incidents/{id}/leave", ref=a.ref).status_code == 404
    assert the_desk.browser("admin").get(f"/desk/incidents/{id}").status_code == 403
    page = the_desk.browser("oversight").get(f"/desk/incidents/{id}").text
    assert "/tell" not in page and "/leave" not in page


def test_a_title_that_is_markup_is_text(the_desk: Desk) -> None:
    a = filed(the_desk, "المنصة متوقفة", DOWN, "t1")
    clerk = the_desk.browser("agent2")
    id = joined(the_desk, clerk, a, title="<script>alert(1)</script>")
    for path in (f"/desk/incidents/{id}", f"/desk/tickets/{filed(the_desk, 'نص', DOWN, 't2').ref}/incident"):
        page = clerk.get(path).text
        assert "<script>alert" not in page and "&lt;script&gt;" in page


def test_not_ours_names_the_number_that_will_be_told(the_desk: Desk) -> None:
    """The menu of other bodies says which number the person gets, and the person gets it in their language."""
    for language, word in (("ar", "الهاتف"), ("en", "Telephone"), ("zh", "电话")):
        talk = the_desk.talk(f"t-{language}")
        with the_desk.store.begin() as tx:
            found = tx.conversation(talk.id)
            assert found
            found.language = language
            tx.save_conversation(found)
        ticket = the_desk.file(talk=talk)
        clerk = the_desk.browser("agent2")
        page = re.sub(r"[\u2066-\u2069]", "", clerk.get(f"/desk/tickets/{ticket.ref}").text)
        assert "وزارة التجارة · 1900<" in page and "لا رقم لدينا لها<" in page
        assert clerk.act(ticket.ref, "redirect", body="sa_commerce").status_code == 303
        with the_desk.store.read() as db:
            told = (
                db.execute(select(outbox).where(outbox.c.conversation == talk.id).order_by(outbox.c.id))
                .mappings()
                .all()[-1]
            )
        assert word in told["text"] and "1900" in told["text"] and told["params"]["body"] == "sa_commerce"


def test_a_telephone_that_cannot_answer_gets_the_body_and_its_number(the_desk: Desk) -> None:
    the_desk.house.one_way = lambda address: address.scheme == "sms"
    ticket = the_desk.file(talk=the_desk.talk("t-sms", "sms"))
    assert (
        the_desk.browser("agent2").act(ticket.ref, "redirect", body="sa_commerce", text="كلمة طويلة").status_code == 303
    )
    with the_desk.store.read() as db:
        told = db.scalars(select(outbox.c.text).where(outbox.c.name == "notice_redirect_phone")).one()
    assert "1900" in told and "كلمة طويلة" not in told
