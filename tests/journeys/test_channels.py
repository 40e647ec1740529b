"""The whole way on the channels that people carry with them, through signed webhooks and the providers' own HTTP."""

from __future__ import annotations

import base64
import io
import itertools
import re
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import create_engine, select, update

from bot.storage.tables import conversations
from channels.lengths import segments, units
from tests.running import Sawt, Telephone, eventually, plain

pytestmark = pytest.mark.journey
_people = itertools.count(1)

MATTERS = {
    "ar": "معاملة الترخيص الصناعي لها شهرين وما احد رد علي",
    "en": "My industrial licence has been stuck for two months and nobody answers me",
    "zh": "我的工业许可证办了两个月还没有结果，没有人回复我",
}
WHERE = {"ar": "وين وصل طلبي", "en": "where is my request now", "zh": "我的申请到哪一步了"}
ANSWER = {"ar": "رقم السجل ١٠١٠٢٢٣٣٤٤", "en": "The register number is 1010223344", "zh": "登记号是1010223344"}
STILL = {
    "ar": "المشكلة ما انحلت والترخيص فيه خطأ بالاسم",
    "en": "The problem is not solved, the name on the licence is wrong",
    "zh": "问题没有解决，许可证上的名字是错的",
}


def person(sawt: Sawt, scheme: str) -> Telephone:
    """Somebody new on this channel."""
    n = next(_people)
    names = {"whatsapp": f"+96650123{n:04}", "sms": f"+1500555{n:04}", "telegram": f"42{n:05}"}
    return sawt.telephone(scheme, names[scheme])


def photo(place: bool = True) -> dict[str, str]:
    """A picture that tells where it was taken."""
    made, exif = io.BytesIO(), Image.Exif()
    if place:
        exif.get_ifd(0x8825)[2] = (24.0, 42.0, 36.0)
    Image.new("RGB", (60, 40), "green").save(made, "JPEG", exif=exif)
    return {"content": base64.b64encode(made.getvalue()).decode(), "type": "image/jpeg", "name": "a.jpg"}


def voice() -> dict[str, str]:
    page = b"OggS\0\x02" + bytes(20) + b"\x01\x13OpusHead" + bytes(60)
    return {"content": base64.b64encode(page).decode(), "type": "audio/ogg", "name": "v.ogg"}


def told(who: Telephone, word: str, times: int = 1) -> None:
    """The person hears something with this word in it, so many times and no more, within five seconds."""
    eventually(lambda: sum(word in plain(a["text"]) for a in who.answers) >= times, 5, f"{word!r} is told")
    assert sum(word in plain(a["text"]) for a in who.answers) == times


def attached(sawt: Sawt, ref: str) -> list[dict[str, Any]]:
    return list(sawt.ticket(ref)["attachments"])


@pytest.mark.parametrize("language", ["ar", "en", "zh"])
@pytest.mark.parametrize("scheme", ["whatsapp", "telegram", "sms"])
def test_the_whole_way(sawt: Sawt, scheme: str, language: str) -> None:
    """File with a photo, ask the status, answer the staff's question, resolve, rate, reopen."""
    who = person(sawt, scheme)
    ref, receipt = who.file(MATTERS[language], files=[photo()] if scheme != "sms" else [])
    assert len(receipt) == 15
    if scheme != "sms":
        eventually(lambda: [f["state"] for f in attached(sawt, ref)] == ["kept"], 10, "the photo is the ticket's")
    assert ref in who.say(WHERE[language])
    assert sawt.verb(ref, "ask", text="Q7: ما هو رقم السجل؟").status_code == 200
    told(who, "Q7")
    who.say(ANSWER[language])
    eventually(lambda: sawt.ticket(ref)["state"] == "open", 5, "the answer opens it again")
    assert sawt.verb(ref, "resolve", text="R7: صدر الترخيص").status_code == 200
    told(who, "R7")
    who.say("2")
    eventually(lambda: any(e["verb"] == "rate" for e in sawt.ticket(ref)["history"]), 5, "it is rated")
    assert sawt.ticket(ref)["rating"] == 2 if "rating" in sawt.ticket(ref) else True
    who.say("1")
    who.say(STILL[language])
    eventually(lambda: sawt.ticket(ref)["state"] == "open", 5, "it is reopened")
    states = {each["state"] for each in sawt.ticket(ref)["deliveries"]}
    assert states <= {"sent", "delivered", "read"}
    if scheme != "telegram":
        eventually(lambda: {e["state"] for e in sawt.ticket(ref)["deliveries"]} == {"delivered"}, 5, "all arrived")


def test_buttons_are_taps_on_telegram_and_numbers_elsewhere(sawt: Sawt) -> None:
    telegram, whatsapp = person(sawt, "telegram"), person(sawt, "whatsapp")
    for who in (telegram, whatsapp):
        who.say(MATTERS["ar"], more=2)
    assert "1." not in telegram.last() and len(telegram.answers[-1]["buttons"]) == 6
    assert re.search(r"(?m)^1\. ", whatsapp.last()) and not whatsapp.answers[-1]["buttons"]
    assert "رقم التذكرة" in telegram.press("تسجيل")
    assert "رقم التذكرة" in whatsapp.say("۱"), "Persian digits, too"


def test_a_voice_note_alone_is_a_ticket_for_a_person(sawt: Sawt) -> None:
    who = person(sawt, "whatsapp")
    said = who.say(files=[voice()], more=2)
    ref = re.search(r"[68]\d{3} \d{4} \d{2}", said)
    assert ref, said
    ticket = sawt.ticket(ref[0])
    assert "needs_person" in ticket["flags"]
    eventually(
        lambda: [(f["kind"], f["state"]) for f in attached(sawt, ref[0])] == [("voice", "kept")], 10, "it is kept"
    )


def test_a_photo_alone_asks_for_a_sentence_and_stays_with_it(sawt: Sawt) -> None:
    who = person(sawt, "telegram")
    who.say("/start")
    assert "جملة" in who.say(files=[photo()])
    assert (
        "بلاغ" in who.say("المصنع اللي جنب بيتنا يرمي مخلفات كيماوية في الوادي كل ليلة") or who.answers[-1]["buttons"]
    )
    ref = re.search(r"[68]\d{3} \d{4} \d{2}", who.press("تسجيل"))
    assert ref
    eventually(lambda: [f["state"] for f in attached(sawt, ref[0])] == ["kept"], 10, "the photo is the ticket's")
    content = sawt.data / "files"
    kept = [path.read_bytes() for path in content.rglob("*") if path.is_file()]
    assert kept and not any(b"GPS" in each or b"\x88\x25" in each for each in kept), "where it was taken is gone"
    before = len(who.answers)
    assert who.write(place={"latitude": 24.71, "longitude": 46.67}) == [200]
    who.heard(before)
    eventually(
        lambda: "place" in [f["kind"] for f in attached(sawt, ref[0])], 10, "a place is added to the only open ticket"
    )


def test_what_is_not_kept_is_told(sawt: Sawt) -> None:
    who = person(sawt, "whatsapp")
    who.say("السلام عليكم", more=2)
    html = {
        "content": base64.b64encode(b"<html><script>alert(1)</script></html>").decode(),
        "type": "image/png",
        "name": "x.png",
    }
    who.write(files=[html])
    eventually(lambda: any("لا نحفظه" in plain(a["text"]) for a in who.answers), 10, "why it was not kept")


def test_a_user_name_is_enough_for_the_whole_journey(sawt: Sawt) -> None:
    who = sawt.telephone("whatsapp", "SA.1A2B3C4D5E6F7G8H9I0J")
    ref, _ = who.file(MATTERS["ar"])
    assert sawt.verb(ref, "reply", text="B1: اطلعنا على معاملتك").status_code == 200
    told(who, "B1")
    assert ref in who.say("وين وصل طلبي")


def test_the_window_closes_in_the_middle(sawt: Sawt) -> None:
    """A state goes as a template; words wait behind it until the person sends 1."""
    who = person(sawt, "whatsapp")
    ref, _ = who.file(MATTERS["ar"])
    a_day_ago(sawt, who)
    assert sawt.verb(ref, "reply", text="W1: كلام لك وحدك").status_code == 200
    eventually(lambda: any(a["content_sid"] for a in who.answers), 5, "a template asks to write")
    assert not any("W1" in a["text"] + str(a["variables"]) for a in who.answers), "no words of the answer in it"
    assert ref in next(str(a["variables"]) for a in who.answers if a["content_sid"])
    assert "held" in {d["state"] for d in sawt.ticket(ref)["deliveries"]}
    told_before = sum("W1" in a["text"] for a in who.answers)
    assert told_before == 0 and "W1" in who.say("1")
    assert sawt.verb(ref, "reply", text="W2: والباب مفتوح").status_code == 200
    told(who, "W2")


def a_day_ago(sawt: Sawt, who: Telephone) -> None:
    """As if this person had written a day ago, for the house; the provider is told to think so, too."""
    from datetime import UTC, datetime, timedelta

    engine = create_engine(sawt.database())
    with engine.begin() as connection:
        newest = connection.scalar(select(conversations.c.id).order_by(conversations.c.created_at.desc()).limit(1))
        late = datetime.now(UTC) - timedelta(hours=25)
        connection.execute(update(conversations).where(conversations.c.id == newest).values(last_in_at=late))
    engine.dispose()


def test_a_second_address_follows_and_gets_the_answers(sawt: Sawt) -> None:
    web, who = sawt.citizen(), person(sawt, "telegram")
    ref, _ = web.file(MATTERS["ar"])
    code = re.search(r"\b(\d{8})\b", web.say("ربط"))
    assert code
    assert "تم الربط" in who.say(f"ربط {code[1]}", more=2)
    who.press("هنا")
    assert ref in who.say("وين وصل طلبي")
    assert sawt.verb(ref, "reply", text="L1: الرد هنا").status_code == 200
    told(who, "L1")
    assert not any("L1" in plain(a["text"]) for a in web.answers)
    web.close()


def test_stop_is_obeyed_and_the_ticket_stays_askable(sawt: Sawt) -> None:
    who = person(sawt, "whatsapp")
    ref, _ = who.file(MATTERS["ar"])
    who.say("إيقاف")
    assert sawt.verb(ref, "reply", text="S1: لن يصل").status_code == 200
    assert not any("S1" in plain(a["text"]) for a in who.answers)
    assert "S1" in who.say("وين وصل طلبي"), "who asks is answered"
    who.say("ابدأ")
    assert sawt.verb(ref, "reply", text="S2: يصل").status_code == 200
    told(who, "S2")


def test_a_one_way_sms_beside_the_web_chat(sawt: Sawt) -> None:
    """Where nobody can answer an SMS it is a short notice: two parts, no words of the answer, never 'reply'."""
    who = sawt.telephone("whatsapp", "+966509990001")
    ref, _ = who.file(MATTERS["ar"])
    who.play("fault", kind="blocked")
    assert sawt.verb(ref, "resolve", text="O1: كلام طويل لا يناسب الرسائل القصيرة").status_code == 200
    sms = sawt.telephone("sms", "+966509990001")
    eventually(lambda: sms.answers, 10, "an SMS instead")
    text = sms.last()
    assert ref in text and "O1" not in text and "أرسل" not in text and segments(text) <= 2 and units(text) <= 134


def test_forged_calls_change_nothing(sawt: Sawt) -> None:
    for scheme in ("whatsapp", "telegram"):
        who = person(sawt, scheme)
        assert who.write("معاملتي متأخرة", forged=True) == [403]
        assert who.answers == []
