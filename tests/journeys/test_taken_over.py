"""A person asks for a human, somebody joins, and the assistant comes back: by the doors alone."""

from __future__ import annotations

from tests.running import REFERENCE, Citizen, Sawt, eventually, plain


def told(citizen: Citizen, words: str) -> str:
    return str(
        eventually(
            lambda: next((plain(a["text"]) for a in reversed(citizen.answers) if words in plain(a["text"])), None),
            8,
            f"being told {words!r}",
        )
    )


def test_a_member_of_staff_talks_and_the_assistant_is_silent_in_between(sawt: Sawt, citizen: Citizen) -> None:
    found = REFERENCE.search(citizen.say("ابغى اكلم موظف معاملتي لها شهرين متوقفة"))
    assert found
    ref = found[1]
    assert sawt.verb(ref, "join").status_code == 200
    assert "صامت" in told(citizen, "معك الآن")
    before = len(citizen.answers)
    for line in ("السلام عليكم", "وين وصل طلبي"):
        citizen.post(line)
    history = eventually(
        lambda: [e for e in sawt.ticket(ref)["history"] if e["verb"] == "add"][1:] and sawt.ticket(ref)["history"],
        8,
        "both",
    )
    assert [e["said"]["text"] for e in history if e["verb"] == "add"] == ["السلام عليكم", "وين وصل طلبي"]
    assert len(citizen.answers) == before
    sawt.verb(ref, "reply", text="معك سارة، دقيقة واراجعها")
    told(citizen, "دقيقة واراجعها")
    assert "المساعد الآلي معك" in citizen.press("العودة")
    assert "1,000" in citizen.say("كم رسوم تجديد الرخصة الصناعية؟")


def test_on_whatsapp_too_and_resolving_ends_it(sawt: Sawt) -> None:
    phone = sawt.telephone("whatsapp", "+966500000471")
    ref, _ = phone.file("معاملة الترخيص الصناعي لها شهرين وما احد رد علي")
    assert sawt.verb(ref, "join").status_code == 200
    eventually(lambda: "معك الآن" in phone.last(), 10, "that somebody joined")
    before = len(phone.answers)
    phone.write("عندي صورة من الايصال")
    eventually(lambda: any(e["verb"] == "add" for e in sawt.ticket(ref)["history"]), 8, "the words at the ticket")
    assert len(phone.answers) == before
    sawt.verb(ref, "resolve", text="تم تجديد الترخيص")
    eventually(lambda: "تم تجديد الترخيص" in "\n".join(plain(a["text"]) for a in phone.answers), 10, "the outcome")
    assert phone.say("وين وصل طلبي")
