"""The boxes of a ticket: what they say before they send, what they keep, and how they are taken back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from bot.handlers.ports import Conversation
from bot.storage.tables import conversations, outbox
from bot.tickets.people import Actor
from bot.tickets.ticket import KINDS, Ticket
from bot.web.auth import csrf_of
from bot.web.desk.canned import offered
from bot.web.desk.words import of
from channels.contract import Address
from channels.lengths import segments
from tests.unit.desk.house import STAFF, URL, Browser, Desk, catalogues

NUMBER = "+966501233456"


def talk(desk: Desk, scheme: str = "whatsapp", hours: float | None = 1, id: str = "t-w", **more: Any) -> Conversation:
    """A conversation at a telephone number, whose person wrote so many hours ago."""
    made = Conversation(id, f"c-{id}", Address(scheme, NUMBER), desk.clock(), language="ar", **more)
    made.last_in_at = None if hours is None else desk.clock() - timedelta(hours=hours)
    with desk.store.begin() as tx:
        tx.add_conversation(made)
    return made


def post(clerk: Browser, path: str, **fields: str) -> Any:
    data = {"csrf": csrf_of(clerk.client.cookies["sawt_desk"]), **fields}
    return clerk.client.post(path, data=data, headers={"Origin": URL})


def plain(page: str) -> str:
    return re.sub("[\u2066-\u2069]", "", page)


def box(page: str, verb: str) -> str:
    found = re.search(rf'<section class="card box {verb}".*?</section>', plain(page), re.S)
    assert found
    return found[0]


def preview(clerk: Browser, ticket: Ticket, text: str = "", verb: str = "reply", **more: str) -> tuple[str, str]:
    answer = post(clerk, f"/desk/tickets/{ticket.ref}/preview", verb=verb, text=text, **more)
    assert answer.status_code == 200, answer.text
    return plain(answer.json()["words"]), answer.json()["tone"]


def test_the_button_names_the_channel_and_the_person(the_desk: Desk) -> None:
    clerk = the_desk.browser("agent2")
    known = the_desk.file(talk=talk(the_desk))
    page = clerk.get(f"/desk/tickets/{known.ref}").text
    assert "أرسل الرد عبر واتساب إلى •••3456" in box(page, "reply")
    assert "أرسل السؤال عبر واتساب إلى •••3456" in box(page, "ask") and NUMBER[-6:] not in page
    assert "يراها الزملاء وحدهم" in box(page, "note") and "للزملاء وحدهم" in box(page, "note")
    page = clerk.get(f"/desk/tickets/{the_desk.file(talk=the_desk.talk()).ref}").text
    assert "أرسل الرد إلى المستفيد عبر محادثة الموقع" in box(page, "reply")
    secret = the_desk.file(talk=talk(the_desk, "sms", id="t-s"), flags={"confidential"})
    assert "3456" not in clerk.get(f"/desk/tickets/{secret.ref}").text, "who reports in confidence has no number"


def test_nobody_is_told_where_nobody_is_known(the_desk: Desk) -> None:
    page = the_desk.browser("agent2").get(f"/desk/tickets/{the_desk.file().ref}").text
    assert "لا عنوان معروفًا" in box(page, "reply") and "(يُحفظ ولا يُرسل)" in box(page, "reply")


@pytest.mark.parametrize(
    ("hours", "window", "form", "tone"),
    [(1, "بقيت 23 ساعة", "يصل كما تكتبه", "calm"), (23.5, "بقيت 30 دقيقة", "يصل كما تكتبه", "soon"),
     (24, "انتهت مهلة", "أرسل 1 لقراءته", "soon"), (None, "انتهت مهلة", "أرسل 1 لقراءته", "soon")],
)  # fmt: skip
def test_what_is_left_of_the_window(the_desk: Desk, hours: float | None, window: str, form: str, tone: str) -> None:
    """With and without a script: on the page as it is loaded, and asked anew while typing."""
    ticket, clerk = the_desk.file(talk=talk(the_desk, hours=hours)), the_desk.browser("agent2")
    shown = box(clerk.get(f"/desk/tickets/{ticket.ref}").text, "reply")
    assert window in shown and form in shown and f"preview {tone}" in shown
    words, said = preview(clerk, ticket, "نص")
    assert window in words and form in words and said == tone


def test_sms_parts_and_cost_are_counted_while_typing(the_desk: Desk) -> None:
    ticket, clerk = the_desk.file(talk=talk(the_desk, "sms")), the_desk.browser("agent2")
    frame = the_desk.store.render("notice_reply", {"ref": ticket.ref, "unit": ticket.unit, "text": ""}, [], "ar")[0]
    one, _ = preview(clerk, ticket, "م")
    many, tone = preview(clerk, ticket, "م" * 400)
    parts = [int(found) for found in re.findall(r"(\d+) أجزاء", many)]
    assert frame and parts and parts[0] >= 7 and f"{parts[0] * 0.06:.2f}" in many and tone == "calm" and many != one


def test_the_parts_that_are_told_are_those_that_are_paid(the_desk: Desk) -> None:
    """What is shown before and what is sent are made by the same functions."""
    ticket, clerk = the_desk.file(talk=talk(the_desk, "sms")), the_desk.browser("agent2")
    for text in ("نعم", "كلمة " * 40, "word " * 60):
        whole = the_desk.stored(ticket.ref)
        told = the_desk.previews(whole, "reply", STAFF["agent2"], text)
        the_desk.house.act(ticket.ref, "reply", STAFF["agent2"].actor(), {"text": text.strip()}, staff=STAFF["agent2"])
        with the_desk.store.read() as db:
            sent = db.execute(outbox.select().order_by(outbox.c.id.desc()).limit(1)).mappings().one()
        assert told.segments == segments(sent["text"]) and told.cost == pytest.approx(told.segments * 0.06)
    assert clerk.get(f"/desk/tickets/{ticket.ref}").status_code == 200


def test_a_preview_tells_nothing_of_others_tickets_and_changes_nothing(the_desk: Desk) -> None:
    hidden = the_desk.file(unit="finance", talk=talk(the_desk))
    clerk = the_desk.browser("agent2")
    for verb in ("reply", "note", "close", "x"):
        assert post(clerk, f"/desk/tickets/{hidden.ref}/preview", verb=verb, text="x").status_code == 404
    for door in ("draft", "undo", "looking"):
        answer = post(clerk, f"/desk/tickets/{hidden.ref}/{door}", verb="reply", text="x")
        assert answer.status_code == 404, door
    ticket = the_desk.file(talk=the_desk.talk())
    post(clerk, f"/desk/tickets/{ticket.ref}/preview", verb="resolve", text="x" * 20_000)
    assert the_desk.stored(ticket.ref).version == 1
    assert post(the_desk.browser("oversight"), f"/desk/tickets/{ticket.ref}/preview", verb="reply").status_code == 409


def test_ten_seconds_to_take_it_back(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of(undo=10)
    ticket, clerk = desk.file(talk=desk.talk()), desk.browser("agent2")
    where = f"/desk/tickets/{ticket.ref}"
    answer = clerk.act(ticket.ref, "reply", text="صدرت <رخصتك>")
    assert answer.status_code == 303 and answer.headers["location"] == where
    page = plain(clerk.get(where).text)
    assert "يُرسل بعد 10 ثوانٍ" in page and "صدرت &lt;رخصتك&gt;" in page and f'action="{where}/undo"' in page
    assert desk.stored(ticket.ref).version == 1 and f'action="{where}/reply"' not in page, "one at a time"
    assert "صدرت" not in desk.browser("agent").get(where).text, "nobody else sees it"
    desk.clock.pass_(seconds=4)
    assert "يُرسل بعد 6 ثوانٍ" in plain(clerk.get(where).text)
    back = post(clerk, f"{where}/undo")
    assert back.headers["location"] == f"{where}?undo=done#reply"
    page = clerk.get(where, undo="done").text
    assert "لم يُرسل شيء" in page and "صدرت &lt;رخصتك&gt;</textarea>" in box(page, "reply")
    desk.clock.pass_(seconds=20)
    assert desk.replies.send_due() == 0 and desk.stored(ticket.ref).version == 1
    clerk.act(ticket.ref, "reply", text="صدرت")
    desk.clock.pass_(seconds=10)
    assert "أُرسل الرد" not in clerk.get(where, done="reply").text, "it waits still"
    assert desk.replies.send_due() == 1 and desk.stored(ticket.ref).version == 2
    assert "أُرسل الرد" in clerk.get(where, done="reply").text
    late = post(clerk, f"{where}/undo")
    assert late.headers["location"].endswith("undo=late") and "فات وقت" in clerk.get(where, undo="late").text
    assert "</textarea>" in box(clerk.get(where).text, "reply") and "صدرت</textarea>" not in clerk.get(where).text


def test_a_note_waits_for_nobody_and_sends_what_waits(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of(undo=10)
    ticket, clerk = desk.file(talk=desk.talk()), desk.browser("agent2")
    where = f"/desk/tickets/{ticket.ref}"
    clerk.act(ticket.ref, "reply", text="أولًا")
    answer = clerk.act(ticket.ref, "note", text="للزملاء")
    assert answer.headers["location"] == f"{where}?done=note"
    assert [e.verb for e in desk.stored(ticket.ref).history] == ["file", "reply", "note"]
    form = clerk.form(where, f"{where}/resolve") | {"text": "انتهى"}
    clerk.client.post(f"{where}/resolve", data=form, headers={"Origin": URL})
    twice = clerk.client.post(f"{where}/resolve", data=form, headers={"Origin": URL})
    other = clerk.client.post(f"{where}/resolve", data=form | {"text": "غيره"}, headers={"Origin": URL})
    assert twice.status_code == 303 and other.status_code == 409 and "غيره" in other.text
    desk.clock.pass_(seconds=11)
    assert desk.replies.send_due() == 1 and desk.stored(ticket.ref).state == "resolved"


def test_what_was_overtaken_comes_back_with_the_reason(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of(undo=10)
    ticket, clerk = desk.file(talk=desk.talk()), desk.browser("agent2")
    where, agent = f"/desk/tickets/{ticket.ref}", STAFF["agent"]
    clerk.act(ticket.ref, "reply", text="كتبته قبل أن أعلم")
    desk.house.act(ticket.ref, "note", agent.actor(), {"text": "انتبهوا"}, staff=agent)
    desk.clock.pass_(seconds=11)
    assert desk.replies.send_due() == 1
    shown = box(clerk.get(where).text, "reply")
    assert "غيّر غيرك هذه التذكرة" in shown and "كتبته قبل أن أعلم</textarea>" in shown
    assert "أُرسل الرد" not in clerk.get(where, done="reply").text, "nothing is said to be done that came back"
    assert "عاد مسودة" in clerk.get("/desk").text and "عاد مسودة" not in desk.browser("agent").get("/desk").text
    clerk.act(ticket.ref, "reply", text="كتبته بعد أن علمت")
    desk.house.act(ticket.ref, "close", STAFF["manager"].actor(), {"reason": "انتهى"}, staff=STAFF["manager"])
    desk.clock.pass_(seconds=11)
    desk.replies.send_due()
    page = clerk.get(where).text
    assert "كتبته بعد أن علمت" in page and f'action="{where}/reply"' not in page, "its box is gone, its words are not"
    post(clerk, f"{where}/draft", verb="reply", text="")
    assert "كتبته بعد أن علمت" not in clerk.get(where).text


def test_a_refused_form_waits_for_nothing(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of(undo=10)
    ticket, clerk = desk.file(talk=desk.talk()), desk.browser("agent2")
    assert clerk.act(ticket.ref, "reply", text=" ").status_code == 422
    assert clerk.act(ticket.ref, "reply", text="x", seen="7").status_code == 409
    assert clerk.act(ticket.ref, "reply", text="x" * 10_001).status_code == 422
    assert not desk.replies.of(ticket.ref, STAFF["agent2"])


def test_a_draft_is_there_when_the_clerk_comes_back(the_desk: Desk) -> None:
    ticket, clerk = the_desk.file(talk=the_desk.talk()), the_desk.browser("agent2")
    where = f"/desk/tickets/{ticket.ref}"
    kept = post(clerk, f"{where}/draft", verb="note", text="نصف\r\nملاحظة")
    assert kept.json()["kept"] and clerk.act(ticket.ref, "ask", do="draft", text="نصف سؤال").status_code == 303
    assert clerk.act(ticket.ref, "resolve", do="draft", text="نصف حل").status_code == 303
    elsewhere = the_desk.browser("agent2").get(where).text
    assert "نصف\nملاحظة</textarea>" in box(elsewhere, "note") and "نصف سؤال</textarea>" in box(elsewhere, "ask")
    assert "نصف حل</textarea>" in elsewhere and 'id="resolve" open' in elsewhere
    assert "نصف" not in the_desk.browser("agent").get(where).text and the_desk.stored(ticket.ref).version == 1
    clerk.act(ticket.ref, "note", text="ملاحظة")
    page = clerk.get(where).text
    assert "نصف\nملاحظة" not in page and "نصف سؤال" in page, "sent is sent; the other box is as it was"
    for verb, text in (("close", "x"), ("reply", "x" * 10_001)):
        assert post(clerk, f"{where}/draft", verb=verb, text=text).status_code == 422


def test_a_canned_answer_is_put_behind_what_was_typed(the_desk: Desk) -> None:
    ticket, clerk = the_desk.file(talk=the_desk.talk(), service="certificate_of_origin"), the_desk.browser("agent2")
    where = f"/desk/tickets/{ticket.ref}"
    clerk.act(ticket.ref, "reply", do="insert", canned="answer-received", text="مرحبًا")
    shown = box(clerk.get(where).text, "reply")
    assert "مرحبًا\n\nأهلًا بك. أنا خالد العتيبي من التراخيص الصناعية" in shown and "{" not in shown.split("<textarea")[1]
    clerk.act(ticket.ref, "reply", do="insert", canned="card-documents", text="")
    assert "•" in box(clerk.get(where).text, "reply").split("<textarea")[1]
    clerk.act(ticket.ref, "reply", do="insert", canned="../../etc", text="كما هو")
    assert "كما هو</textarea>" in box(clerk.get(where).text, "reply") and the_desk.stored(ticket.ref).version == 1
    assert 'name="canned"' not in box(clerk.get(where).text, "note")


@pytest.mark.parametrize("language", ["ar", "en", "zh"])
def test_a_good_dozen_in_each_language(the_desk: Desk, language: str) -> None:
    """By kind, filled in, in the ticket's language; what names a service is offered where there is one."""
    words, zone = of(catalogues(), lambda: the_desk.register)("ar"), the_desk.register.calendars["sa"].zone
    script = {"ar": "[\u0600-\u06ff]", "en": "[A-Za-z]", "zh": "[\u4e00-\u9fff]"}[language]
    assert len(the_desk.register.canned) >= 12
    for kind in KINDS:
        for service in (None, "certificate_of_origin"):
            it = the_desk.file(language=language, kind=kind, service=service)
            groups = offered(it, STAFF["agent2"], the_desk.register, the_desk.register.card, words, zone)
            texts = [option.text for option in groups[0].options]
            assert len(texts) >= 6 and all(re.search(script, text) and "{" not in text for text in texts)
            assert (len(groups) == 2) == bool(service) and all(o.text for o in groups[-1].options)
            assert any("اقتراح" in o.name for o in groups[0].options) == (kind == "suggestion")
    assert any(it.ref in text for text in texts)


def test_what_is_typed_into_a_placeholder_is_not_one(the_desk: Desk) -> None:
    ticket, words = the_desk.file(), of(catalogues(), lambda: the_desk.register)("ar")
    clerk, zone = replace(STAFF["agent2"], name="{ref}"), the_desk.register.calendars["sa"].zone
    groups = offered(ticket, clerk, the_desk.register, the_desk.register.card, words, zone)
    received = next(o.text for o in groups[0].options if o.id == "answer-received")
    assert "{ref}" in received and ticket.ref not in received


def test_other_tickets_of_the_person_that_the_reader_may_see(the_desk: Desk) -> None:
    person = the_desk.talk()
    ticket = the_desk.file("هذه", person)
    seen = [the_desk.file(f"أخرى {n}", person) for n in range(12)]
    hidden = [
        the_desk.file("غيرها", person, unit="finance"),
        the_desk.file("سرية", person, flags={"confidential"}),
        the_desk.file("عنكم", person, hidden_from={"industrial_licensing"}, unit="contact_centre"),
        the_desk.file("لغيره", the_desk.talk("t-2")),
    ]
    page = the_desk.browser("agent2").get(f"/desk/tickets/{ticket.ref}").text
    listed = re.search(r'<ul class="others">.*?</ul>', page, re.S)
    assert listed and len(re.findall("<li>", listed[0])) == 10 and "جديدة" in listed[0]
    assert sum(each.ref in listed[0] for each in seen) == 10 and not any(each.ref in page for each in hidden)
    secret = the_desk.browser("agent2").get(f"/desk/tickets/{hidden[1].ref}").text
    assert 'class="others"' not in secret, "who reports in confidence is not known by other tickets"


def test_who_else_is_looking(the_desk: Desk) -> None:
    ticket = the_desk.file()
    mine, theirs = the_desk.browser("agent2"), the_desk.browser("agent")
    door = f"/desk/tickets/{ticket.ref}/looking"
    assert post(mine, door).json() == {"version": 1, "also": ""}
    also = post(theirs, door).json()["also"]
    assert "خالد العتيبي" in also and "سارة القحطاني" in mine.get(f"/desk/tickets/{ticket.ref}").text
    the_desk.clock.pass_(seconds=61)
    page = mine.get(f"/desk/tickets/{ticket.ref}").text
    assert "سارة القحطاني" not in page and post(mine, door).json()["also"] == ""


def test_the_clock_in_words(the_desk: Desk) -> None:
    ticket, clerk = the_desk.file(talk=the_desk.talk()), the_desk.browser("agent2")
    where, senior, agent = f"/desk/tickets/{ticket.ref}", STAFF["supervisor"], STAFF["agent2"]

    def times() -> str:
        found = re.search(r'aria-labelledby="times-heading".*?</section>', plain(clerk.get(where).text), re.S)
        assert found
        return found[0]

    assert "لم نرد بعد" in times() and "متوقف" not in times()
    the_desk.house.act(ticket.ref, "extend", senior.actor(), {"until": "2026-12-08", "reason": "زيارة"}, staff=senior)
    assert "مُدد إلى" in times() and "8 ديسمبر 2026" in times() and "منى الحربي" in times() and "الموعد الأول" in times()
    the_desk.house.act(ticket.ref, "ask", agent.actor(), {"text": "أي فرع؟"}, staff=agent)
    the_desk.clock.pass_(hours=3)
    assert "متوقف بسؤالنا" in times() and "منذ 3 ساعات" in times()
    the_desk.house.act(ticket.ref, "reply", agent.actor(), {"text": "تم"}, staff=agent)
    assert "متوقف" not in times() and "لم نرد بعد" not in times() and "خالد العتيبي" in times()
    late = the_desk.file()
    the_desk.clock.pass_(days=9)
    page = the_desk.browser("agent2").get(f"/desk/tickets/{late.ref}").text
    assert "فات موعده" in page and "منذ" in page


def test_who_asked_for_no_messages_gets_none(the_desk: Desk) -> None:
    ticket, clerk = the_desk.file(talk=talk(the_desk)), the_desk.browser("agent2")
    with the_desk.store.begin() as tx:
        tx.connection.execute(update(conversations).values(stopped_at=the_desk.clock()))
    assert "طلب المستفيد إيقاف" in preview(clerk, ticket)[0]


@pytest.mark.parametrize("undo", [0, 10])
def test_in_the_conversation_itself_nothing_waits_and_nothing_is_old(desk_of: Callable[..., Desk], undo: float) -> None:
    desk = desk_of(undo=undo)
    ticket, clerk = desk.file(talk=desk.talk()), desk.browser("agent2")
    where = f"/desk/tickets/{ticket.ref}"
    clerk.act(ticket.ref, "join")
    assert "أنت في المحادثة" in clerk.get(where).text
    form = clerk.form(where, f"{where}/reply") | {"text": "معك خالد"}
    desk.house.act(ticket.ref, "add", Actor("beneficiary", ticket.contact or ""), {"text": "وينكم"})
    answer = clerk.client.post(f"{where}/reply", data=form, headers={"Origin": URL})
    assert answer.headers["location"] == f"{where}?done=reply"
    clerk.act(ticket.ref, "leave")
    assert "أنت في المحادثة" not in clerk.get(where).text
    assert [e.verb for e in desk.stored(ticket.ref).history] == ["file", "join", "add", "reply", "leave"]
