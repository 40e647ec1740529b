"""What became of a message, in the words of both languages."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import bot
from bot.storage.channels import Delivery
from bot.web.desk import deliveries, words
from channels.contract import Failure
from tests.unit.desk.house import NOW, PRICE, STAFF, Desk, catalogues

RIYADH = ZoneInfo("Asia/Riyadh")


def told(**fields: Any) -> Delivery:
    return Delivery(
        **{
            "name": "notice_reply", "channel": "whatsapp", "state": "sent", "created_at": NOW, "sent_at": NOW,
            "attempts": 1, "error": "", "code": "", "form": "text", "segments": 0, "uncertain": 0,
            "delivered_at": None, "read_at": None,
        } | fields
    )  # fmt: skip


def line(language: str, price: float = PRICE, **fields: Any) -> str:
    """The line under the message, as it is read."""
    t = words.of(catalogues(), lambda: None, "SA")(language)  # type: ignore[arg-type]
    shown = deliveries.shown(told(**fields), t, RIYADH, price)
    said = " · ".join([*shown.parts, *filter(None, (shown.code, shown.doubt))])
    return re.sub("[\u2068\u2069]", "", said)


STATES: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"state": "created"}, "بانتظار الإرسال · عبر واتساب", "waiting to be sent · by WhatsApp"),
    ({"state": "held", "error": "waits until the person writes"}, "تُرسل حين يكتب المستفيد · عبر واتساب",
     "goes out when the person writes · by WhatsApp"),
    ({"state": "sent", "channel": "web"}, "أُرسلت · عبر محادثة الموقع", "sent · in the web chat"),
    ({"state": "sent", "form": "status"}, "أُرسلت · عبر واتساب · بقالب معتمد", "sent · by WhatsApp · as an approved template"),
    ({"state": "delivered", "delivered_at": NOW + timedelta(minutes=3)}, "وصلت (11:03) · عبر واتساب", "delivered (11:03) · by WhatsApp"),
    ({"state": "read", "read_at": NOW + timedelta(days=1)}, "قُرئت (الأربعاء 25 نوفمبر 2026، 11:00) · عبر واتساب",
     "read (Wed 25 Nov 2026, 11:00) · by WhatsApp"),
    ({"state": "sent", "channel": "sms", "segments": 2}, "أُرسلت · برسالة نصية · جزآن، كلفتهما 0.12", "sent · by SMS · 2 parts, cost 0.12"),
    ({"state": "sent", "channel": "sms", "segments": 3}, "أُرسلت · برسالة نصية · 3 أجزاء، كلفتها 0.18", "sent · by SMS · 3 parts, cost 0.18"),
    ({"state": "sent", "channel": "sms", "segments": 1}, "أُرسلت · برسالة نصية · جزء واحد، كلفته 0.06", "sent · by SMS · 1 part, cost 0.06"),
    ({"state": "sent", "uncertain": 1}, "أُرسلت · عبر واتساب · ربما وصلت مرتين", "sent · by WhatsApp · may have arrived twice"),
    ({"state": "created", "error": "throttled 429", "code": "429"},
     "لم تخرج بعد، وتُعاد المحاولة · عبر واتساب · مزود الخدمة يطلب التمهل · (رمز المزود 429)",
     "not sent yet, we keep trying · by WhatsApp · the provider asks us to slow down · (provider's code 429)"),
    ({"state": "temporary_failure", "error": "nobody wrote to read it"},
     "لم تصل، والعائق مؤقت · عبر واتساب · لم يطلب المستفيد قراءتها خلال يوم",
     "not delivered, for now · by WhatsApp · the person did not ask to read it within a day"),
    ({"state": "permanent_failure", "error": "refused 63024", "code": "63024"},
     "لم تصل، ولا تصل إلى هذا العنوان · عبر واتساب · مزود الخدمة لا يصل إلى هذا العنوان · (رمز المزود 63024)",
     "not delivered, and never to this address · by WhatsApp · the provider cannot reach this address · (provider's code 63024)"),
    ({"state": "technical_failure", "channel": "sms", "error": "SMS_DAILY_CAP is reached"},
     "لم تصل لخلل عندنا · برسالة نصية · انتهى ما خُصص اليوم للرسائل النصية",
     "not delivered: a fault on our side · by SMS · the day's money for SMS is spent"),
    ({"state": "technical_failure", "error": "unreachable", "uncertain": 3},
     "لم تصل لخلل عندنا · عبر واتساب · مزود الخدمة لا يجيب · ربما وصلت رغم ذلك",
     "not delivered: a fault on our side · by WhatsApp · the provider does not answer · may have arrived all the same"),
    ({"state": "stopped", "channel": "telegram", "error": "stopped 403", "code": "403"},
     "لم تُرسل: طلب المستفيد إيقاف الرسائل · عبر تيليجرام", "not sent: the person asked for no messages · by Telegram"),
    ({"state": "stopped", "error": "what it announces was read"}, "لم تعد لازمة · عبر واتساب", "no longer needed · by WhatsApp"),
)  # fmt: skip


@pytest.mark.parametrize(("fields", "arabic", "english"), STATES)
def test_each_fate_in_both_languages(fields: dict[str, Any], arabic: str, english: str) -> None:
    assert (line("ar", **fields), line("en", **fields)) == (arabic, english)


def test_what_nobody_priced_has_parts_alone() -> None:
    assert line("ar", 0, channel="sms", segments=11) == "أُرسلت · برسالة نصية · 11 جزءًا"
    assert line("en", 0, channel="sms", segments=1) == "sent · by SMS · 1 part"


def test_every_reason_that_the_post_writes_has_its_sentence() -> None:
    """The post's own words are those that are looked for here; a provider's kinds all have theirs."""
    here = Path(bot.__file__).parent
    written = "".join(
        (here / name).read_text(encoding="utf-8") for name in ("dispatch.py", "sending.py", "storage/post.py")
    )
    for words_, name in deliveries._SAID.items():
        assert f'"{words_}"' in written, words_
        assert deliveries.why(words_) == name
    assert f'"{deliveries._WAITS}"' in written and 'f"SMS_COUNTRIES does not allow' in written
    assert deliveries.why("SMS_COUNTRIES does not allow EG") == "why_country"
    known = catalogues().real.desk_names()
    for kind in set(Failure) - {Failure.STOPPED}:
        assert deliveries.why(f"{kind} 30003") == deliveries.why(kind) == f"why_{kind}" and f"why_{kind}" in known
    assert deliveries.why("") == deliveries.why("stopped 21610") == "" and deliveries.why("???") == "why_unexpected"


def test_the_ticket_says_what_became_of_each_message(the_desk: Desk) -> None:
    talk = the_desk.talk("w", "whatsapp")
    ticket = the_desk.file(talk=talk, source="whatsapp")
    for fate in ({"state": "read", "read_at": NOW, "delivered_at": NOW}, {"state": "failed", "failure": "permanent", "error": "refused 63024"},
                 {"state": "held"}, {"state": "sent", "uncertain": 1}, {"state": "failed", "failure": "", "error": "stopped"}):  # fmt: skip
        the_desk.clock.pass_(minutes=1)
        the_desk.tell(ticket, talk, **fate)
    page = the_desk.browser("agent2").get(f"/desk/tickets/{ticket.ref}").text
    lines = re.findall(r'<p class="delivery (\w+)">(.*?)</p>', page)
    assert [tone for tone, _ in lines] == ["waits", "quiet", "failed", "waits", "quiet", "quiet"]
    assert "(11:00)" in lines[1][1] and "63024" in lines[2][1] and "ربما وصلت مرتين" in lines[4][1]
    assert "إيقاف الرسائل" in lines[5][1], "one of before failures had kinds"


def test_what_was_told_and_answered_elsewhere_stands_with_the_ticket(the_desk: Desk) -> None:
    """A notice that went to another address of the person is shown with its channel, and the answer that came from there;
    what was said there of other matters is not."""
    from bot.tickets.people import Actor

    chat, phone = the_desk.talk(), the_desk.talk("tg", "telegram", "c-t-1")
    ticket = the_desk.file(talk=chat)
    other = the_desk.file("شيء آخر", phone)
    the_desk.clock.pass_(minutes=1)
    the_desk.tell(ticket, phone, "وصل الرد على تيليجرام", state="delivered", delivered_at=NOW)
    the_desk.tell(other, phone, "هذا يخص غيرها")
    the_desk.clock.pass_(minutes=1)
    both = (("جوابي من تيليجرام", "turn-b"), ("كلام عن التذكرتين", "turn-c"))
    for text, turn in both:
        the_desk.write(phone, text, turn)
        the_desk.house.act(ticket.ref, "add", Actor("beneficiary", phone.contact), {"text": "ش"}, turn=turn)
    with the_desk.store.begin() as tx:
        from bot.handlers.ports import Say

        said = {"ref": other.ref, "unit": other.unit}
        tx.say(phone, "turn-c", Say("utter_added_to_ticket", "turn-c:1", said, ref=other.ref), the_desk.clock())
    page = the_desk.browser("agent2").get(f"/desk/tickets/{ticket.ref}").text
    talk = page.split('<ol class="talk"')[1].split("</ol>")[0]
    assert "وصل الرد على تيليجرام" in talk and "عبر تيليجرام" in talk and "جوابي من تيليجرام" in talk
    assert "يخص غيرها" not in talk and "عن التذكرتين" not in talk
    whole = the_desk.queries.ticket(ticket.ref, STAFF["agent2"], the_desk.clock())
    assert whole and [m.at for m in whole.messages] == sorted(m.at for m in whole.messages)


def test_choices_that_are_lines_of_the_text_are_not_shown_twice(the_desk: Desk) -> None:
    talk = the_desk.talk("w", "whatsapp")
    ticket = the_desk.file(talk=talk)
    buttons = [{"title": "نعم", "payload": "/a"}, {"title": "لا", "payload": "/b"}]
    the_desk.tell(ticket, talk, text="x", buttons=buttons)
    row = the_desk.tell(ticket, talk, text="y", buttons=buttons)
    from sqlalchemy import update

    from bot.storage.tables import outbox

    with the_desk.store.begin() as tx:
        tx.connection.execute(update(outbox).where(outbox.c.id == row).values(text="أتريد؟\n\n1. نعم\n2. لا"))
    page = the_desk.browser("agent2").get(f"/desk/tickets/{ticket.ref}").text
    assert page.count('class="offered"') == 1
