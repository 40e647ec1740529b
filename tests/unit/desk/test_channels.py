"""The page of the channels, and the red line on every page."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.handlers.ports import Unavailable
from bot.storage.tables import set_aside
from bot.tickets.people import may_see
from bot.web.auth import csrf_of
from bot.web.desk.channels import Alarm, Carriers, State, Watch, banner, page
from bot.web.desk.words import of
from tests.unit.desk.house import NOW, STAFF, URL, Desk, catalogues

MUTE = re.compile("[\u2068\u2069]")


def plain(html: str) -> str:
    return MUTE.sub("", " ".join(re.sub("<[^>]+>", " ", html).split()))


def alarm_of(page: str) -> str:
    found = re.search(r'<p class="alarm" role="alert">(.*?)</p>', page, re.S)
    return plain(found[1]) if found else ""


def test_a_quiet_house(the_desk: Desk) -> None:
    page = the_desk.browser("agent").get("/desk/channels").text
    said = plain(page)
    assert alarm_of(page) == "" and said.count("تخرج الرسائل") == 4, "three schemes, and the question above"
    for words in (
        "واتساب",
        "تيليجرام",
        "الرسائل النصية",
        "لا رسائل تنتظر",
        "0.00 من 50.00، أي 0٪",
        "وصل كل ما أُرسل",
        "لا شيء ينتظر",
    ):
        assert words in said, words
    english = plain(the_desk.browser("agent").get("/desk/channels", lang="en").text)
    for words in ("Messages go out", "Nothing waits", "0.00 of 50.00, that is 0%", "All that was sent has arrived"):
        assert words in english, words
    assert not re.search(r">\s*[a-z]+_[a-z_]+\s*<", page), "a name instead of its words"


def test_a_scheme_in_trouble(the_desk: Desk) -> None:
    """Whether it goes out, why not, how many wait and since when; and the red line on every page, in both languages."""
    talk = the_desk.talk("w", "whatsapp")
    ticket = the_desk.file(unit="finance")
    the_desk.tell(ticket, talk, state="created", error="unreachable")
    the_desk.tell(ticket, talk, state="created", error="unreachable")
    the_desk.tell(ticket, talk, state="held", error="waits until the person writes")
    own = the_desk.file()
    the_desk.clock.pass_(minutes=12)
    clerk = the_desk.browser("agent2")
    said = plain(clerk.get("/desk/channels").text)
    assert (
        "لا تخرج الرسائل منذ 12 دقيقة مزود الخدمة لا يجيب تنتظر رسالتان، أقدمهما منذ 12 دقيقة رسالة واحدة محفوظة حتى يكتب صاحبها"
        in said
    )
    for path in ("/desk", f"/desk/tickets/{own.ref}", "/desk/questions", "/desk/channels"):
        page = clerk.get(path).text
        assert alarm_of(page) == "لا تخرج الرسائل الآن عبر واتساب، وتُرسل من تلقاء نفسها حين يزول العطل. انظر القنوات", (
            path
        )
        assert '<a href="/desk/channels">' in page
    assert alarm_of(clerk.get("/desk/channels", lang="en").text) == (
        "Messages by WhatsApp are not going out now; they will go by themselves once it works again. See the channels"
    )
    assert alarm_of(the_desk.browser().get("/desk/login").text) == "", "it is not for strangers"


def test_a_scheme_without_an_account_is_said(the_desk: Desk) -> None:
    ticket = the_desk.file()
    the_desk.tell(ticket, the_desk.talk("w", "whatsapp"), state="created")
    waiting = the_desk.queries.waiting()
    assert (waiting["whatsapp"].unsent, waiting["whatsapp"].oldest) == (1, NOW)
    state = State((), 0.0, False, waiting)
    for language, said in (("ar", "لا حساب مهيأ لهذه القناة"), ("en", "No account is set up for this channel")):
        shown = page(state, Carriers(("sms",)), of(catalogues(), lambda: None)(language), ZoneInfo("UTC"), NOW)  # type: ignore[arg-type]
        assert [s["tone"] for s in shown["schemes"]] == ["calm", "late"] and shown["schemes"][1]["state"] == said


def test_what_sms_cost_today(the_desk: Desk) -> None:
    """The money of today alone; from four fifths on there is an alarm."""
    talk = the_desk.talk("s", "sms")
    ticket = the_desk.file()
    the_desk.tell(ticket, talk, state="sent", segments=600, sent_at=NOW - timedelta(days=1))
    the_desk.tell(ticket, talk, state="sent", segments=660, sent_at=NOW)
    page = the_desk.browser("agent").get("/desk/channels").text
    assert "39.60 من 50.00، أي 79٪" in plain(page) and alarm_of(page) == ""


def test_the_alarm_before_sms_stop(the_desk: Desk) -> None:
    ticket = the_desk.file()
    the_desk.tell(ticket, the_desk.talk("s", "sms"), state="sent", segments=667, sent_at=NOW)
    page = the_desk.browser("agent").get("/desk/channels").text
    assert "40.02 من 50.00، أي 80٪" in plain(page) and "اقترب الحد." in plain(page)
    assert alarm_of(page).startswith("كلفة الرسائل النصية اليوم قاربت حدها")
    assert "nearly spent" in alarm_of(the_desk.browser("agent").get("/desk", lang="en").text)


@pytest.mark.parametrize(
    ("alarm", "arabic", "english"),
    [
        (Alarm(), "", ""),
        (Alarm(("sms", "telegram", "whatsapp")), "عبر الرسائل النصية وتيليجرام وواتساب، وتُرسل", "Messages by SMS, Telegram and WhatsApp are"),
        (Alarm(("telegram",), True), "عبر تيليجرام، وكلفة الرسائل النصية", "Messages by Telegram are not going out now, and today"),
    ],
)  # fmt: skip
def test_the_red_line_is_one_sentence(alarm: Alarm, arabic: str, english: str) -> None:
    words = of(catalogues(), lambda: None)  # type: ignore[arg-type]
    said = {language: MUTE.sub("", banner(alarm, words(language))) for language in ("ar", "en")}
    assert arabic in said["ar"] and english in said["en"] and bool(alarm.schemes) == bool(said["ar"])
    assert all(sentence.count(".") <= 1 for sentence in said.values())


def test_the_channels_are_looked_at_every_ten_seconds_at_most_and_never_cost_a_page() -> None:
    now, looks, there = [100.0], [0], [Alarm(("sms",))]

    def look() -> Alarm:
        looks[0] += 1
        if there[0].sms:
            raise Unavailable("down")
        return there[0]

    watch = Watch(look, clock=lambda: now[0])
    assert [watch().schemes for _ in range(5)] == [("sms",)] * 5 and looks == [1]
    there[0], now[0] = Alarm(), 109.9
    assert watch().schemes == ("sms",)
    now[0] = 110.0
    assert watch() == Alarm() and looks == [2]
    there[0], now[0] = Alarm((), True), 121.0
    assert watch() == Alarm() and watch() == Alarm() and looks == [3], (
        "storage is away: asked once, what was seen is said"
    )


def test_pages_are_there_where_the_channels_cannot_be_looked_at(
    the_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Any:
        raise Unavailable("down")

    monkeypatch.setattr("bot.sending.SmsBudget.spent", away)
    clerk = the_desk.browser("agent2")
    assert clerk.get("/desk").status_code == 200
    assert clerk.get("/desk/channels").status_code == 503, "this page has nothing else to say"


def aside(the_desk: Desk) -> list[Any]:
    with the_desk.store.read() as connection:
        return list(connection.execute(set_aside.select().order_by(set_aside.c.id)))


def test_what_was_set_aside_is_shown_without_its_body_until_it_is_dealt_with(the_desk: Desk) -> None:
    the_desk.queue.set_aside("twilio", b"Body=%D8%B3%D8%B1%D9%8A", "KeyError", NOW)
    the_desk.queue.set_aside("telegram", b'{"update_id": 7}', "ValueError", NOW)
    the_desk.queue.set_aside("twilio", b"Body=%D8%B3%D8%B1%D9%8A", "KeyError", NOW)
    clerk, boss = the_desk.browser("agent"), the_desk.browser("supervisor")
    page = clerk.get("/desk/channels").text
    assert "Twilio · الثلاثاء 24 نوفمبر 2026، 11:00 · مرتان · KeyError" in plain(page).replace("  ", " ")
    assert "update_id" not in page and "D8" not in page and "/seen" not in page, "who may not put it away has no button"
    first, second = aside(the_desk)
    path = f"/desk/channels/aside/{first.id}/seen"
    answer = boss.send("/desk/channels", path)
    assert answer.status_code == 303 and answer.headers["location"] == "/desk/channels?done=aside"
    page = boss.get(answer.headers["location"]).text
    assert "سُجّل أنه عولج." in page and "KeyError" not in page and "ValueError" in page
    assert aside(the_desk)[0].seen_at == NOW and aside(the_desk)[1].seen_at is None
    the_desk.queue.set_aside("twilio", b"Body=%D8%B3%D8%B1%D9%8A", "KeyError", NOW)
    assert "KeyError" in boss.get("/desk/channels").text, "it came again"
    csrf = csrf_of(boss.client.cookies["sawt_desk"])
    for odd in ("0", "99999", "x", "-1", "9" * 30):
        post = boss.client.post(f"/desk/channels/aside/{odd}/seen", data={"csrf": csrf}, headers={"Origin": URL})
        assert post.status_code == 404, odd
    assert aside(the_desk)[1].seen_at is None and second.times == 1


def test_what_did_not_arrive_is_counted_and_leads_to_the_tickets_one_may_see(the_desk: Desk) -> None:
    whatsapp, telegram = the_desk.talk("w", "whatsapp"), the_desk.talk("tg", "telegram")
    own, other = the_desk.file(), the_desk.file(unit="finance", flags={"confidential"})
    hidden = the_desk.file(unit="contact_centre", hidden_from={"industrial_licensing"}, flags={"needs_person"})
    for ticket in (own, other, hidden):
        the_desk.tell(ticket, whatsapp, state="failed", failure="temporary", error="nobody wrote to read it")
    the_desk.tell(own, whatsapp, state="failed", failure="permanent", error="refused 63024")
    the_desk.tell(own, telegram, state="failed", failure="stopped", error="stopped 403")
    the_desk.tell(own, telegram, state="failed", failure="", error="stopped")
    the_desk.tell(
        own, whatsapp, name="template_read", state="failed", failure="stopped", error="what it announces was read"
    )
    the_desk.tell(own, whatsapp, state="failed", failure="technical", created_at=NOW - timedelta(days=8))
    lost = the_desk.queries.lost(NOW - timedelta(days=7))
    assert {scheme: dict(of) for scheme, of in lost.items()} == {
        "whatsapp": {"temporary": 3, "permanent": 1}, "telegram": {"stopped": 2},
    }  # fmt: skip
    for name in ("agent", "agent2", "audit", "supervisor", "manager", "oversight", "admin"):
        page = the_desk.browser(name).get("/desk/channels").text
        links = set(re.findall(r"/desk/tickets/(\d{10})", page))
        assert links == {
            t.ref for t in (own, other, hidden) if name != "admin" and may_see(STAFF[name], the_desk.stored(t.ref))
        }, name
        table = plain(page.split("<table>")[1].split("</table>")[0])
        assert table == "القناة لعائق مؤقت لعنوان لا تصل إليه بطلب المستفيد تيليجرام 0 0 2 واتساب 3 1 0"
    first, second = the_desk.queries.lost_tickets(STAFF["agent"], NOW - timedelta(days=7))
    assert (first.ref, first.needs_person) == (hidden.ref, True), "what needs a person comes first"
    assert (second.ref, second.channel, second.failure) == (own.ref, "whatsapp", "permanent"), "not what was stopped"


def test_at_most_fifty_tickets(the_desk: Desk) -> None:
    talk = the_desk.talk("w", "whatsapp")
    for _ in range(53):
        the_desk.tell(the_desk.file(), talk, state="failed", failure="technical", error="unreachable")
    page = the_desk.browser("agent2").get("/desk/channels").text
    assert len(re.findall(r"/desk/tickets/\d{10}", page)) == 50


def test_the_way_there_and_back(the_desk: Desk) -> None:
    assert 'href="/desk/channels"' in the_desk.browser("agent").get("/desk").text
    nobody = the_desk.browser().get("/desk/channels")
    assert nobody.headers["location"] == "/desk/login?next=%2Fdesk%2Fchannels"
    assert 'value="/desk/channels"' in the_desk.browser().get(nobody.headers["location"]).text
    admin = the_desk.browser("admin").get("/desk/channels").text
    assert 'href="/desk/questions"' not in admin, "no link that leads to a refusal"


def test_what_did_not_reach_the_person_is_told_to_the_desk(the_desk: Desk) -> None:
    ticket = the_desk.file()
    with the_desk.store.begin() as tx:
        tx.staff_tell(ticket.ref, "not_delivered", ticket.unit, None, NOW, {})
    clerk = the_desk.browser("agent2")
    assert "لم تصل رسالتنا إلى المستفيد، ولا بد أن يتابعها أحد." in clerk.get("/desk").text
    assert "did not reach the person: somebody has to look." in clerk.get("/desk", lang="en").text
