"""The door for programs."""

from __future__ import annotations

from typing import Any

import pytest

from bot.tickets.lifecycle import VERBS
from tests.unit.desk.house import STAFF, Desk

ALL = ("tickets:read", "tickets:write", "confidential")
FIELDS = {
    "kind", "category", "subcategory", "service", "state", "unit", "promised_for", "confidential", "flags", "language",
    "channel", "text", "messages", "history", "deliveries", "ref", "opened_at", "staff", "version", "reading", "allowed",
    "attachments",
}  # fmt: skip


def test_a_token_and_its_scopes_are_needed(the_desk: Desk) -> None:
    ticket = the_desk.file()
    doors = (
        ("GET", "/api/v1/tickets", "tickets:read"),
        ("GET", f"/api/v1/tickets/{ticket.ref}", "tickets:read"),
        ("POST", f"/api/v1/tickets/{ticket.ref}/note", "tickets:write"),
    )
    for method, path, scope in doors:
        for given in (
            {},
            {"Authorization": "Bearer "},
            {"Authorization": "Bearer wrong"},
            {"Authorization": "Basic eDp5"},
        ):
            answer = the_desk.browser().client.request(method, path, headers=given)
            assert answer.status_code == 401 and answer.json()["error"]["code"] == "unauthorized"
            assert answer.headers["www-authenticate"] == "Bearer"
        assert the_desk.browser("manager").client.request(method, path).status_code == 401, "a session is no token"
        others = [s for s in ALL if s != scope]
        answer = the_desk.program(*others).request(method, path, json={"text": "x"} if method == "POST" else None)
        assert answer.status_code == 403 and answer.json()["error"]["scope"] == scope
        assert (
            the_desk.program(scope).request(method, path, json={"text": "x"} if method == "POST" else None).status_code
            == 200
        )
    program = the_desk.program("tickets:read")
    the_desk.doors.revoke_api_token(
        next(t.id for t in the_desk.doors.api_tokens() if t.scopes == ("tickets:read",)), the_desk.clock()
    )
    assert program.get("/api/v1/tickets").status_code == 401


def test_a_ticket_and_a_page_of_them(the_desk: Desk) -> None:
    talk = the_desk.talk()
    the_desk.write(talk, "معاملتي متأخرة", "turn-x")
    the_desk.clock.pass_(minutes=1)
    ticket = the_desk.file("معاملتي متأخرة", talk)
    program = the_desk.program(*ALL)
    page = program.get("/api/v1/tickets").json()
    assert set(page) == {"tickets", "next"} and page["next"] is None and page["tickets"][0]["ref"] == ticket.ref
    shown = f"{ticket.ref[:4]} {ticket.ref[4:8]} {ticket.ref[8:]}".translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    whole = program.get(f"/api/v1/tickets/{shown}").json()
    assert set(whole) >= FIELDS and whole["ref"] == ticket.ref and whole["channel"] == "web" and whole["state"] == "new"
    assert [m["direction"] for m in whole["messages"]] == ["in", "out"] and whole["deliveries"][0][
        "name"
    ] == "utter_filed"
    assert whole["history"][0]["verb"] == "file" and "reply" in whole["allowed"] and whole["confidential"] is False
    assert "receipt_hash" not in whole and "contact" not in whole and "id" not in whole["history"][0]["by"]


def test_deliveries_are_told_in_the_terms_of_notify(the_desk: Desk) -> None:
    talk, phone = the_desk.talk("w", "whatsapp"), the_desk.talk("s", "sms")
    ticket = the_desk.file()
    at = the_desk.clock()
    fates: dict[str, dict[str, Any]] = {
        "created": {}, "held": {"state": "held"}, "sending": {"state": "sending"}, "sent": {"state": "sent", "sent_at": at},
        "delivered": {"state": "delivered", "sent_at": at, "delivered_at": at},
        "read": {"state": "read", "delivered_at": at, "read_at": at, "form": "status", "uncertain": 2},
        "temporary_failure": {"state": "failed", "failure": "temporary", "error": "nobody wrote to read it"},
        "permanent_failure": {"state": "failed", "failure": "permanent", "error": "refused 63024"},
        "technical_failure": {"state": "failed", "failure": "technical", "error": "misconfigured 20003"},
        "stopped": {"state": "failed", "failure": "stopped", "error": "stopped 21610"},
    }  # fmt: skip
    for fate in fates.values():
        the_desk.tell(ticket, talk, **fate)
    the_desk.tell(ticket, phone, state="sent", segments=2, sent_at=at)
    whole = the_desk.program(*ALL).get(f"/api/v1/tickets/{ticket.ref}").json()
    told = {d["state"]: d for d in whole["deliveries"][:-1]}
    assert list(told) == list(fates)
    keys = {"name", "channel", "state", "created_at", "sent_at", "attempts", "error"}
    keys |= {"code", "form", "segments", "uncertain", "delivered_at", "read_at"}
    assert all(set(d) == keys for d in whole["deliveries"])
    read, sms = told["read"], whole["deliveries"][-1]
    assert (read["form"], read["uncertain"], read["read_at"], read["delivered_at"]) == (
        "status",
        2,
        at.isoformat(),
        at.isoformat(),
    )
    assert [told[s]["code"] for s in ("permanent_failure", "technical_failure", "stopped", "temporary_failure")] == [
        "63024",
        "20003",
        "21610",
        "",
    ]
    assert (sms["channel"], sms["segments"], sms["form"]) == ("sms", 2, "text")
    assert {m["state"] for m in whole["messages"]} == set(fates), "a message says the same of itself"


def test_attachments_of_a_ticket(the_desk: Desk) -> None:
    talk = the_desk.talk()
    said = the_desk.write(talk, "انظر الصورة", "turn-x")
    the_desk.clock.pass_(minutes=1)
    ticket = the_desk.file("انظر الصورة", talk, flags={"confidential"})
    photo = the_desk.attach(ticket, talk, b"a photo", message=said)
    place = {"latitude": 24.7, "longitude": 46.6, "name": ""}
    the_desk.attach(ticket, talk, kind="place", name="", type="", place=place)
    the_desk.attach(ticket, talk, kind="video", name="clip.mp4", type="", state="refused", reason="too_large")
    the_desk.attach(None, talk, b"of a draft")
    whole = the_desk.program(*ALL).get(f"/api/v1/tickets/{ticket.ref}").json()
    keys = {"id", "kind", "name", "type", "size", "state", "reason", "place", "at"}
    assert [set(a) for a in whole["attachments"]] == [keys] * 3
    assert whole["attachments"][0] == {
        "id": photo, "kind": "photo", "name": "المدخل.jpg", "type": "image/jpeg", "size": 7, "state": "kept", "reason": "",
        "place": None, "at": the_desk.clock().isoformat(),
    }  # fmt: skip
    assert whole["attachments"][1]["place"] == place and whole["attachments"][2]["reason"] == "too_large"
    assert whole["messages"][0]["attachments"] == [photo] and whole["messages"][1]["attachments"] == []
    assert the_desk.program("tickets:read").get(f"/api/v1/tickets/{ticket.ref}").status_code == 404


def test_pages_follow_each_other_and_filters_hold(the_desk: Desk) -> None:
    refs = {the_desk.file(f"رقم {n}", kind="inquiry" if n % 2 else "complaint").ref for n in range(9)}
    program, seen, cursor = the_desk.program("tickets:read"), [], ""
    while cursor is not None:
        page = program.get("/api/v1/tickets", params={"limit": 4, "cursor": cursor}).json()
        seen += [t["ref"] for t in page["tickets"]]
        cursor = page["next"]
    assert len(seen) == 9 and set(seen) == refs
    for filters, n in (({"kind": "inquiry"}, 4), ({"state": "new"}, 9), ({"state": "closed"}, 0), ({"unit": "finance"}, 0),
                       ({"channel": "web"}, 9), ({"channel": "sms"}, 0), ({"category": "processing_delay"}, 9), ({"q": "رقم ٣"}, 1)):  # fmt: skip
        assert len(program.get("/api/v1/tickets", params=filters).json()["tickets"]) == n, filters
    for wrong in (
        {"state": "x"},
        {"kind": "x"},
        {"category": "x"},
        {"unit": "x"},
        {"cursor": "x"},
        {"limit": 0},
        {"limit": "x"},
    ):
        answer = program.get("/api/v1/tickets", params=wrong)
        assert answer.status_code == 422 and answer.json()["error"]["fields"] == list(wrong), wrong


def test_confidential_tickets_need_the_scope_on_every_door(the_desk: Desk) -> None:
    hidden = the_desk.file(flags={"confidential"})
    program = the_desk.program("tickets:read", "tickets:write")
    assert program.get("/api/v1/tickets").json()["tickets"] == []
    unknown = program.get("/api/v1/tickets/6000000000")
    for answer in (
        program.get(f"/api/v1/tickets/{hidden.ref}"),
        program.post(f"/api/v1/tickets/{hidden.ref}/note", json={"text": "x"}),
    ):
        assert answer.status_code == 404 and answer.json() == unknown.json()
    assert the_desk.stored(hidden.ref).version == 1
    assert the_desk.program(*ALL).get(f"/api/v1/tickets/{hidden.ref}").json()["confidential"] is True


def test_a_verb_and_what_it_may_not(the_desk: Desk) -> None:
    ticket = the_desk.file(talk=the_desk.talk())
    program = the_desk.program(*ALL)
    answer = program.post(f"/api/v1/tickets/{ticket.ref}/reply", json={"text": "وصلنا طلبك"})
    assert answer.status_code == 200 and answer.json()["ticket"]["state"] == "open"
    entry = the_desk.stored(ticket.ref).history[-1]
    assert entry.by.kind == "program" and entry.by.name == "لوحة" and entry.verb == "reply"
    answer = program.post(f"/api/v1/tickets/{ticket.ref}/accept", json={"reason": "x"})
    error = answer.json()["error"]
    assert (
        answer.status_code == 409 and error["code"] == "not_allowed" and "reply" in error["allowed"] and error["text"]
    )
    answer = program.post(f"/api/v1/tickets/{ticket.ref}/transfer", json={"unit": "finance"})
    assert answer.status_code == 422 and answer.json()["error"] == {
        "code": "missing_fields", "text": "transfer needs reason", "fields": ["reason"],
    }  # fmt: skip
    assert program.post(f"/api/v1/tickets/{ticket.ref}/dance", json={}).status_code == 404
    assert (
        program.post("/api/v1/tickets/6000000000/reply", json={"text": "x"}).json()["error"]["code"] == "unknown_ticket"
    )
    assert the_desk.stored(ticket.ref).version == 2


@pytest.mark.parametrize(
    "body",
    ['{"text": 1}', '{"rating": 9}', '{"until": "soon"}', '{"other": "x"}', "[]", "{", '"x"', '{"text": "%s"}' % ("x" * 10_001), "[" * 20_000],
)  # fmt: skip
def test_what_is_no_body_is_refused_and_changes_nothing(the_desk: Desk, body: str) -> None:
    ticket = the_desk.file()
    answer = the_desk.program(*ALL).post(
        f"/api/v1/tickets/{ticket.ref}/note", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (400, 422) and answer.json()["error"]["text"]
    assert the_desk.stored(ticket.ref).version == 1


def test_values_that_cannot_be_are_named(the_desk: Desk) -> None:
    ticket = the_desk.file()
    program = the_desk.program(*ALL)
    for verb, body in (
        ("transfer", {"unit": "nowhere", "reason": "x"}),
        ("assign", {"staff": "nobody"}),
        ("extend", {"until": "2020-01-01", "reason": "x"}),
        ("redirect", {"body": "nowhere"}),
        ("classify", {"category": "nothing"}),
    ):
        answer = program.post(f"/api/v1/tickets/{ticket.ref}/{verb}", json=body)
        assert answer.status_code == 422 and answer.json()["error"]["code"] == "invalid", (verb, answer.text)
    assert the_desk.stored(ticket.ref).version == 1
    answer = program.post(f"/api/v1/tickets/{ticket.ref}/assign", json={"staff": "agent2@example.test"})
    assert answer.status_code == 200 and answer.json()["ticket"]["staff"] == "s-agent2"


def test_the_same_key_is_the_same_answer_and_another_use_is_refused(the_desk: Desk) -> None:
    ticket, other = the_desk.file(), the_desk.file()
    program, key = the_desk.program(*ALL), {"Idempotency-Key": "k-1"}
    path = f"/api/v1/tickets/{ticket.ref}/note"
    first = program.post(path, json={"text": "مرة"}, headers=key)
    again = program.post(path, json={"text": "مرة"}, headers=key)
    assert first.status_code == again.status_code == 200 and first.json() == again.json()
    assert the_desk.stored(ticket.ref).version == 2
    for where, body in ((path, {"text": "أخرى"}), (f"/api/v1/tickets/{other.ref}/note", {"text": "مرة"}),
                        (f"/api/v1/tickets/{ticket.ref}/reply", {"text": "مرة"})):  # fmt: skip
        answer = program.post(where, json=body, headers=key)
        assert answer.status_code == 422 and answer.json()["error"]["code"] == "key_reused"
    assert the_desk.stored(ticket.ref).version == 2 and the_desk.stored(other.ref).version == 1
    stranger = the_desk.program("tickets:write", "tickets:read")
    assert stranger.post(path, json={"text": "أخرى"}, headers=key).status_code == 200, "keys are each program's own"
    assert program.post(path, json={"text": "x"}, headers={"Idempotency-Key": "k" * 300}).status_code == 422


@pytest.mark.parametrize("value", ["'", '"', "%", "_", "\\", "' OR 1=1 --", "\0", "x" * 10_000, "١" * 30, "\u202e"])
def test_nothing_in_a_parameter_is_more_than_text(the_desk: Desk, value: str) -> None:
    ticket = the_desk.file(flags={"confidential"})
    program = the_desk.program("tickets:read", "tickets:write")
    for name in ("state", "kind", "category", "unit", "channel", "q", "cursor"):
        answer = program.get("/api/v1/tickets", params={name: value})
        assert answer.status_code in (200, 422) and answer.json().get("tickets", []) == [], name
    from urllib.parse import quote

    for path in (f"/api/v1/tickets/{quote(value, safe='')}", f"/api/v1/tickets/{ticket.ref}{quote(value, safe='')}"):
        assert program.get(path).status_code == 404
        assert program.post(f"{path}/note", json={"text": value[:10_000]}).status_code == 404


def test_the_description_is_public_and_holds_only_the_api(the_desk: Desk) -> None:
    answer = the_desk.browser().get("/api/openapi.json")
    paths: dict[str, Any] = answer.json()["paths"]
    assert answer.status_code == 200 and set(paths) == {
        "/api/v1/tickets", "/api/v1/tickets/{ref}", "/api/v1/tickets/{ref}/{verb}",
    }  # fmt: skip


def test_programs_may_do_every_verb_that_some_role_may(the_desk: Desk) -> None:
    ticket = the_desk.file()
    whole = the_desk.program(*ALL).get(f"/api/v1/tickets/{ticket.ref}").json()
    assert set(whole["allowed"]) >= {
        "assign",
        "reply",
        "ask",
        "resolve",
        "close",
        "transfer",
        "extend",
        "redirect",
        "classify",
        "note",
    }
    assert all(VERBS[v].roles for v in whole["allowed"]) and STAFF
