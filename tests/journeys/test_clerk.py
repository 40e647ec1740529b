"""What the desk does and what the person hears of it, once, also with the browser closed meanwhile."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.running import Citizen, Sawt, eventually, plain

pytestmark = pytest.mark.journey
MATTER = "معاملة الترخيص الصناعي لها شهرين وما احد رد علي"


def told(citizen: Citizen, word: str, times: int = 1) -> None:
    """The person hears something with this word in it, so many times and no more."""
    eventually(lambda: sum(word in plain(a["text"]) for a in citizen.answers) >= times, 10, f"{word!r} is told")
    assert sum(word in plain(a["text"]) for a in citizen.answers) == times


def test_reply_ask_answer_resolve_rate_reopen(sawt: Sawt, citizen: Citizen) -> None:
    """The whole way of a ticket, told at every step."""
    ref, _ = citizen.file(MATTER)
    assert sawt.verb(ref, "reply", text="اطلعنا على معاملتك وهي عند المهندس").status_code == 200
    told(citizen, "اطلعنا على معاملتك")
    assert sawt.verb(ref, "ask", text="ما هو رقم السجل التجاري؟").status_code == 200
    told(citizen, "ما هو رقم السجل التجاري؟")
    assert sawt.ticket(ref)["state"] == "waiting"
    citizen.say("رقم السجل ١٠١٠٢٢٣٣٤٤")
    eventually(lambda: sawt.ticket(ref)["state"] == "open", 5, "the answer opens it again")
    assert sawt.verb(ref, "resolve", text="صدر الترخيص اليوم").status_code == 200
    told(citizen, "صدر الترخيص اليوم")
    citizen.say("2")
    ticket = sawt.ticket(ref)
    assert [e["said"]["rating"] for e in ticket["history"] if e["verb"] == "rate"] == [2]
    citizen.press("فتح")
    citizen.say("المشكلة ما انحلت والترخيص فيه خطأ بالاسم")
    eventually(lambda: sawt.ticket(ref)["state"] == "open", 5, "it is reopened")


def test_every_verb_is_told_in_the_persons_language_once(sawt: Sawt) -> None:
    person = sawt.citizen("en")
    ref, _ = person.file("My industrial licence renewal has been stuck for two months and nobody answers")
    later = (date.today() + timedelta(days=20)).isoformat()
    for verb, said in [
        ("transfer", {"unit": "finance", "reason": "fees"}),
        ("extend", {"until": later, "reason": "a site visit is needed"}),
        ("note", {"text": "internal only, never sent"}),
        ("redirect", {"body": sorted(_bodies())[0]}),
    ]:
        answer = sawt.verb(ref, verb, **said)
        assert answer.status_code == 200, (verb, answer.text)
    ticket = sawt.ticket(ref)
    assert ticket["state"] == "redirected"
    eventually(lambda: len([a for a in person.answers if ref in plain(a["text"])]) >= 4, 10, "all are told")
    texts = [plain(a["text"]) for a in person.answers]
    assert not any("internal only" in t for t in texts)
    assert all(t.isascii() or "–" in t or "’" in t or "“" in t or "…" in t or "•" in t for t in texts)
    person.close()


def _bodies() -> list[str]:
    import yaml

    from tests.running import ROOT

    return [b["id"] for b in yaml.safe_load((ROOT / "data/bodies.yml").read_text(encoding="utf-8"))["bodies"]]


def test_what_the_table_forbids_is_409_with_what_is_allowed(sawt: Sawt, citizen: Citizen) -> None:
    ref, _ = citizen.file(MATTER)
    refused = sawt.verb(ref, "implement", text="x")
    assert refused.status_code == 409 and "reply" in refused.json()["error"]["allowed"]
    assert sawt.verb(ref, "reply").status_code == 422
    assert sawt.verb("6000000000", "reply", text="x").status_code == 404


def test_the_same_key_twice_is_one_change(sawt: Sawt, citizen: Citizen) -> None:
    ref, _ = citizen.file(MATTER)
    for _ in range(2):
        path = f"/tickets/{ref.replace(' ', '')}/reply"
        answer = sawt.api("POST", path, json={"text": "رد واحد فقط"}, headers={"Idempotency-Key": f"k-{ref}"})
        assert answer.status_code == 200
    told(citizen, "رد واحد فقط")


def test_a_complaint_about_staff_is_hidden_from_the_unit_concerned(sawt: Sawt, citizen: Citizen) -> None:
    ref, _ = citizen.file("موظف الترخيص الصناعي عاملني بقلة احترام وصرخ علي")
    ticket = sawt.ticket(ref)
    assert ticket["category"] == "staff_conduct" and ticket["unit"] != "industrial_licensing"


def test_told_after_the_browser_was_closed(sawt: Sawt) -> None:
    """A stream that comes back with its last id gets what was told meanwhile, once."""
    person = sawt.citizen()
    ref, _ = person.file(MATTER)
    token = person.token
    person.close()
    sawt.verb(ref, "reply", text="وصلنا ردكم وسنعود اليكم")
    again = Citizen(sawt.url)
    again.token = token
    told(again, "وصلنا ردكم")
    again.close()


def test_stop_keeps_notices_away_and_start_brings_them_back(sawt: Sawt, citizen: Citizen) -> None:
    ref, _ = citizen.file(MATTER)
    citizen.say("لا ترسلون لي رسايل")
    sawt.verb(ref, "reply", text="رد لا يصل بعد التوقف")
    citizen.say("وين وصل طلبي")
    citizen.say("ابدأ")
    sawt.verb(ref, "reply", text="هذا الرد يصل")
    told(citizen, "هذا الرد يصل")
    assert not any("وصلك رد" in plain(a["text"]) and "رد لا يصل" in plain(a["text"]) for a in citizen.answers)
