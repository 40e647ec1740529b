"""Who reads is written down before anything is shown, numbers are masked until asked for, and oversight sees who did."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from bot.handlers.ports import Unavailable
from bot.storage.sealing import Sealer
from bot.storage.tables import audit, tickets
from bot.storage.verifying import verify
from bot.tickets.reference import shown as grouped
from tests.unit.desk.house import NOW, STAFF, URL, Desk

ID, PHONE, DEAL = "1082345678", "0551234567", "44021"
WORDS = f"هويتي {ID} وجوالي {PHONE[:3]} {PHONE[3:]} ومعاملتي رقم {DEAL}"


def written(desk: Desk, *what: str) -> list[tuple[Any, ...]]:
    """Rows of the audit, oldest first: by whom, what, of which ticket."""
    with desk.store.read() as connection:
        rows = connection.execute(select(audit).order_by(audit.c.id)).all()
    return [(r.by_id, r.what, r.ref) for r in rows if not what or r.what in what]


def test_numbers_are_masked_until_asked_for_and_that_is_written_down(the_desk: Desk) -> None:
    talk = the_desk.talk()
    ticket = the_desk.file(WORDS, talk)
    the_desk.write(talk, f"وهذا رقمي الثاني {PHONE}", f"turn-{ticket.ref}")
    clerk, path = the_desk.browser("agent2"), f"/desk/tickets/{ticket.ref}"
    clerk.act(ticket.ref, "note", text=f"اتصلت على {PHONE}")
    page = clerk.get(path).text
    for number in (ID, PHONE, PHONE[3:], DEAL):
        assert number not in page, number
    assert ticket.ref in page and "أظهر الأرقام" in page and "وجوالي •••" in page
    assert ID not in clerk.get("/desk").text, "nor in the list"
    assert written(the_desk, "unmasked") == []
    shown = clerk.send(path, f"/desk/numbers/{ticket.ref}")
    assert shown.status_code == 200 and shown.headers["cache-control"] == "no-store"
    for number in (ID, PHONE, PHONE[3:], DEAL):
        assert number in shown.text, number
    assert "وسُجّل إظهارها باسمك" in shown.text and "أظهر الأرقام" not in shown.text
    assert written(the_desk, "unmasked") == [("s-agent2", "unmasked", ticket.ref)]
    assert ID not in clerk.get(path).text, "the next page hides them again"
    assert clerk.get("/desk", q=ID).text.count(ticket.ref), "a search finds by number"


def test_a_refused_form_shows_no_number_either(the_desk: Desk) -> None:
    ticket = the_desk.file(WORDS)
    refused = the_desk.browser("agent2").act(ticket.ref, "reply", text="")
    assert refused.status_code == 422 and ID not in refused.text and PHONE[3:] not in refused.text


def test_without_numbers_there_is_no_button_and_not_seen_is_not_there(the_desk: Desk) -> None:
    clerk = the_desk.browser("agent2")
    assert "/desk/numbers/" not in clerk.get(f"/desk/tickets/{the_desk.file().ref}").text
    hidden = the_desk.file(WORDS, unit="internal_audit", flags={"confidential"})
    word = clerk.form("/desk", "/desk/logout")["csrf"]
    for ref in (hidden.ref, "6000000000", "x"):
        answer = clerk.client.post(f"/desk/numbers/{ref}", data={"csrf": word}, headers={"Origin": URL})
        assert answer.status_code == 404 and ID not in answer.text
    assert written(the_desk, "unmasked") == []
    assert clerk.get(f"/desk/numbers/{hidden.ref}").status_code in (404, 405), "never by an address"


def test_names_of_files_are_masked(the_desk: Desk) -> None:
    talk = the_desk.talk()
    ticket = the_desk.file(talk=talk)
    the_desk.attach(ticket, talk, b"\xff\xd8", name=f"هوية {ID}.jpg")
    assert ID not in the_desk.browser("agent2").get(f"/desk/tickets/{ticket.ref}").text


def test_opening_a_page_or_a_file_is_written_once_in_ten_minutes(the_desk: Desk) -> None:
    talk = the_desk.talk()
    ticket = the_desk.file(talk=talk)
    file = the_desk.attach(ticket, talk, b"\xff\xd8\xff")
    clerk = the_desk.browser("agent2")
    for _ in range(3):
        assert clerk.get(f"/desk/tickets/{ticket.ref}").status_code == 200
        assert clerk.get(f"/desk/files/{file}").status_code == 200
    once = [("s-agent2", "read_ticket", ticket.ref), ("s-agent2", "read_file", ticket.ref)]
    assert written(the_desk) == once
    clerk.get("/desk"), clerk.get("/desk/tickets/6000000000"), clerk.get(f"/desk/tickets/{ticket.ref}/version")
    assert written(the_desk) == once
    the_desk.clock.pass_(minutes=11)
    clerk.get(f"/desk/tickets/{ticket.ref}")
    assert written(the_desk) == [*once, once[0]]


def test_programs_read_as_it_is_and_that_is_written_down_too(the_desk: Desk) -> None:
    ticket, other = the_desk.file(WORDS), the_desk.file(WORDS)
    program = the_desk.program("tickets:read", "tickets:write")
    assert ID in program.get(f"/api/v1/tickets/{ticket.ref}").text
    assert ID in program.get("/api/v1/tickets").text
    rows = written(the_desk)
    assert rows[0] == ("p-0", "read_ticket", ticket.ref)
    assert sorted(rows[1:]) == sorted(("p-0", "read_list", ref) for ref in (ticket.ref, other.ref))
    program.post(f"/api/v1/tickets/{other.ref}/note", json={"text": "…"})
    assert written(the_desk)[-1] == ("p-0", "read_ticket", other.ref), "what a change answers is the ticket"


def test_what_cannot_be_written_down_is_not_shown(the_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = the_desk.talk()
    ticket = the_desk.file(WORDS, talk)
    file = the_desk.attach(ticket, talk, b"the content")
    clerk, program = the_desk.browser("agent2"), the_desk.program("tickets:read", "tickets:write")
    word = clerk.form("/desk", "/desk/logout")["csrf"]

    def away(*given: Any, **details: Any) -> None:
        raise Unavailable("the database is full")

    monkeypatch.setattr(the_desk.doors, "_add", away)
    pages = [
        clerk.get(f"/desk/tickets/{ticket.ref}"),
        clerk.get(f"/desk/files/{file}"),
        clerk.client.post(f"/desk/numbers/{ticket.ref}", data={"csrf": word}, headers={"Origin": URL}),
    ]
    for answer in pages:
        assert answer.status_code == 503 and "لا تُعرض بيانات الناس دون تسجيل" in answer.text
        assert "هويتي" not in answer.text and "the content" not in answer.text
    for path in (f"/api/v1/tickets/{ticket.ref}", "/api/v1/tickets"):
        refused = program.get(path)
        assert (
            refused.status_code == 503 and refused.json()["error"]["code"] == "not_audited" and ID not in refused.text
        )
    done = program.post(f"/api/v1/tickets/{ticket.ref}/note", json={"text": "…"})
    assert done.json() == {"ticket": {"ref": ticket.ref}}, "what was done is said, and nothing of the ticket"
    assert the_desk.stored(ticket.ref).version == 2 and written(the_desk) == []


def test_signing_in_and_out_is_written_down_and_no_password_or_address(the_desk: Desk) -> None:
    clerk = the_desk.browser()
    assert clerk.sign_in("agent@example.test", "wrong horse").status_code == 401
    assert clerk.sign_in("nobody@example.test", "wrong horse").status_code == 401
    assert clerk.sign_in("agent@example.test").status_code == 303
    clerk.send("/desk", "/desk/logout")
    assert [(who, what) for who, what, _ in written(the_desk)] == [
        ("s-agent", "sign_in_failed"), ("s-agent", "signed_in"), ("s-agent", "signed_out"),
    ]  # fmt: skip
    with the_desk.store.read() as connection:
        everything = str(connection.execute(select(audit)).all())
    assert "horse" not in everything and "example.test" not in everything


def test_oversight_sees_who_read_and_filters_by_person_and_ticket(the_desk: Desk) -> None:
    one, two = the_desk.file(WORDS), the_desk.file(WORDS)
    for who, ticket in (("agent2", one), ("agent", one), ("agent2", two)):
        the_desk.browser(who).get(f"/desk/tickets/{ticket.ref}")
    the_desk.browser("agent2").send(f"/desk/tickets/{one.ref}", f"/desk/numbers/{one.ref}")
    hind = the_desk.browser("oversight")
    page = hind.get("/desk/audit").text
    rows = page.split('<ol class="audit">')[1].split("</ol>")[0]
    assert rows.count("<li>") == 4 and "أظهر الأرقام في التذكرة" in rows and f"/desk/tickets/{one.ref}" in rows
    assert rows.index("أظهر الأرقام") < rows.index("فتح التذكرة"), "newest first"
    assert ID not in page

    def lines(**asked: str) -> int:
        return int(hind.get("/desk/audit", **asked).text.count("<li>"))

    assert (lines(person="s-agent"), lines(ref=one.ref), lines(person="s-agent2", ref=one.ref)) == (1, 3, 2)
    arabic = one.ref.translate({ord(str(d)): "٠١٢٣٤٥٦٧٨٩"[d] for d in range(10)})
    assert (lines(ref=arabic), lines(ref="كلام"), lines(person="s-x")) == (3, 0, 0)
    assert "showed the numbers of the ticket" in hind.get("/desk/audit", lang="en").text
    for name in ("agent", "supervisor", "manager"):
        assert the_desk.browser(name).get("/desk/audit").status_code == 403
    assert 'href="/desk/audit"' in page and 'href="/desk/audit"' not in the_desk.browser("agent").get("/desk").text


def test_a_ticket_that_one_may_not_know_of_is_not_in_the_audit_either(the_desk: Desk) -> None:
    plain = the_desk.file()
    secret = the_desk.file(unit="internal_audit", flags={"confidential"}, unit_needs_to_know=True)
    the_desk.browser("audit").get(f"/desk/tickets/{secret.ref}")
    the_desk.browser("agent").get(f"/desk/tickets/{plain.ref}")
    for name, opens in (("oversight", True), ("admin", False)):
        page = the_desk.browser(name).get("/desk/audit").text
        assert secret.ref not in page and page.count("<li>") == 1
        assert (f"/desk/tickets/{plain.ref}" in page) is opens, "who runs the accounts reads no ticket"
        assert "<li>" not in the_desk.browser(name).get("/desk/audit", ref=secret.ref).text
        assert "<li>" not in the_desk.browser(name).get("/desk/audit", person="s-audit").text
    with the_desk.store.begin() as tx:
        named = update(tickets).where(tickets.c.ref == secret.ref).values(readers=["s-oversight"])
        tx.connection.execute(named)
    assert secret.ref in the_desk.browser("oversight").get("/desk/audit").text, "who is named for it sees who read it"


def test_pages_of_the_audit_go_on_where_the_last_one_ended(the_desk: Desk) -> None:
    refs = [the_desk.file().ref for _ in range(60)]
    the_desk.doors.audit_reading(STAFF["agent"].actor(), "read_ticket", NOW, refs)
    hind, seen, path = the_desk.browser("oversight"), [], "/desk/audit"
    while path:
        page = hind.get(path).text
        seen += [ref for ref in refs if f"/desk/tickets/{ref}" in page]
        part = page.split('rel="next"')[0].rsplit('href="', 1)
        path = part[1].split('"')[0].replace("&amp;", "&") if 'rel="next"' in page else ""
    assert sorted(seen) == sorted(refs), "each row once"
    for odd in ("0", "-1", "x", "9" * 40, "١٢"):
        assert hind.get("/desk/audit", before=odd).status_code == 200


def test_the_days_work_verifies(the_desk: Desk) -> None:
    ticket, clerk = the_desk.file(WORDS), the_desk.browser("agent2")
    clerk.act(ticket.ref, "reply", text="وصلنا طلبك.")
    clerk.send(f"/desk/tickets/{ticket.ref}", f"/desk/numbers/{ticket.ref}")
    Sealer(the_desk.store).seal(NOW + timedelta(minutes=1))
    verdict = verify(the_desk.store.engine, the_desk.store.secrets)
    assert (verdict.broken, verdict.sealed) == ("", {"entry": 2, "audit": 2})


def test_no_page_that_names_a_ticket_by_its_words_shows_a_number_or_an_insult(the_desk: Desk) -> None:
    """A list, work on many, the same cause, an incident: one way to say how somebody's words begin."""
    plain = the_desk.file(f"المنصة متوقفة وجوالي {PHONE}")
    abusive = the_desk.file("يا حرامية المنصة متوقفة", flags={"abuse"})
    clerk = the_desk.browser("agent2")
    form = {"csrf": clerk.form("/desk", "/desk/bulk")["csrf"]}

    def post(path: str, **typed: Any) -> Any:
        return clerk.client.post(path, data=form | typed, headers={"Origin": URL})

    chosen = [f"{each.ref}:1" for each in (plain, abusive)]
    joined = post("/desk/incidents", main=plain.ref, ref=[abusive.ref], title="توقف", key="k" * 20)
    pages = {
        "list": clerk.get("/desk").text,
        "many": post("/desk/bulk", t=chosen, do="reply", text="").text,
        "cause": clerk.get(f"/desk/tickets/{plain.ref}/incident").text,
        "incident": clerk.get(joined.headers["location"]).text,
    }
    for name, page in pages.items():
        assert grouped(plain.ref) in page and grouped(abusive.ref) in page, name
        assert PHONE not in page and "حرامية" not in page, name
