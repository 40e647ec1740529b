"""Who comes in: sign-in, sessions, forms from elsewhere, roles, headers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from bot.tickets.people import Role
from bot.web.auth import LONGEST_WAIT, WaitFirst, all_guarded
from tests.unit.desk.house import NOW, PASSWORD, STAFF, URL, Desk

WRONG = "البريد أو كلمة المرور غير صحيحة."


def test_signing_in_and_out(the_desk: Desk) -> None:
    clerk = the_desk.browser()
    assert clerk.sign_in("Agent@Example.test ").status_code == 303
    assert clerk.get("/desk").status_code == 200
    cookie = clerk.client.cookies["sawt_desk"]
    assert clerk.send("/desk", "/desk/logout").status_code == 303
    assert "sawt_desk" not in clerk.client.cookies
    clerk.client.cookies.set("sawt_desk", cookie)
    answer = clerk.get("/desk")
    assert answer.status_code == 303 and answer.headers["location"].startswith("/desk/login")


def test_the_cookie_is_out_of_reach_and_new_at_every_sign_in(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("https://desk.test")
    from fastapi.testclient import TestClient

    from tests.unit.desk.house import Browser

    browser = Browser(TestClient(desk.app, base_url="https://desk.test", follow_redirects=False))
    page = browser.get("/desk/login")
    word = page.text.split('name="csrf" value="')[1].split('"')[0]
    data = {"email": "agent@example.test", "password": PASSWORD, "csrf": word}
    answer = browser.client.post("/desk/login", data=data, headers={"Origin": "https://desk.test"})
    given = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("__Host-sawt_desk="))
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= set(given.split("; "))
    assert "max-age=31536000" in answer.headers["strict-transport-security"]
    before = browser.client.cookies["__Host-sawt_desk"]
    word = browser.get("/desk/login").text.split('name="csrf" value="')[1].split('"')[0]
    browser.client.post("/desk/login", data=data | {"csrf": word}, headers={"Origin": "https://desk.test"})
    assert browser.client.cookies["__Host-sawt_desk"] != before
    assert desk.doors.session(before, desk.clock()) is None, "the old token opens nothing"


def test_a_wrong_password_and_an_unknown_account_look_the_same(the_desk: Desk) -> None:
    one, other = (
        the_desk.browser().sign_in("agent@example.test", "x"),
        the_desk.browser().sign_in("nobody@example.test", "x"),
    )
    assert one.status_code == other.status_code == 401 and WRONG in one.text and WRONG in other.text
    the_desk.doors.change_staff("s-agent", active=False)
    assert the_desk.browser().sign_in("agent@example.test").status_code == 401


def test_guessing_has_to_wait_and_the_real_clerk_not_for_long(the_desk: Desk) -> None:
    browser = the_desk.browser()
    for _ in range(5):
        assert browser.sign_in("agent@example.test", "guess").status_code == 401
    refused = browser.sign_in("agent@example.test")
    assert refused.status_code == 429 and refused.headers["retry-after"]
    assert browser.sign_in("agent2@example.test").status_code == 303, "another account is not held up"
    the_desk.clock.pass_(seconds=LONGEST_WAIT.total_seconds() + 1)
    assert browser.sign_in("agent@example.test").status_code == 303


def test_ten_thousand_guesses_get_few_answers(the_desk: Desk) -> None:
    from bot.web.auth import Auth

    auth, checked = Auth(the_desk.doors, the_desk.clock, URL), 0

    async def guess() -> int:
        tried = 0
        for n in range(300):
            try:
                await auth.sign_in("agent@example.test", f"guess {n}", "203.0.113.9")
                tried += 1
            except WaitFirst:
                the_desk.clock.pass_(seconds=1)
        return tried

    checked = asyncio.run(guess())
    assert checked < 20


def test_a_session_ends_idle_after_eight_hours_and_in_any_case_after_twelve(the_desk: Desk) -> None:
    clerk = the_desk.browser("agent")
    for _ in range(2):
        the_desk.clock.pass_(hours=5, minutes=55)
        assert clerk.get("/desk").status_code == 200
    the_desk.clock.pass_(minutes=20)
    assert clerk.get("/desk").status_code == 303, "twelve hours are over"
    clerk = the_desk.browser("agent")
    the_desk.clock.pass_(hours=8, minutes=1)
    assert clerk.get("/desk").status_code == 303, "nobody was there for eight hours"


def test_what_was_typed_outlives_the_session(the_desk: Desk) -> None:
    ticket = the_desk.file()
    clerk = the_desk.browser("agent2")
    path = f"/desk/tickets/{ticket.ref}/reply"
    form = clerk.form(f"/desk/tickets/{ticket.ref}", path) | {"text": "ردي الطويل"}
    the_desk.clock.pass_(hours=9)
    answer = clerk.client.post(path, data=form, headers={"Origin": URL})
    assert answer.status_code == 401 and "ردي الطويل" in answer.text and f"/desk/tickets/{ticket.ref}" in answer.text
    answer = clerk.client.post(path, data=form, headers={"Origin": "https://evil.test"})
    assert answer.status_code == 401 and "ردي الطويل" not in answer.text
    assert the_desk.stored(ticket.ref).version == 1


def test_role_password_and_leaving_take_effect_at_once(the_desk: Desk) -> None:
    ticket = the_desk.file()
    clerk = the_desk.browser("agent2")
    assert f"/desk/tickets/{ticket.ref}/reply" in clerk.get(f"/desk/tickets/{ticket.ref}").text
    the_desk.doors.change_staff("s-agent2", role=Role.OVERSIGHT)
    assert clerk.get("/desk").status_code == 303, "another role: signed out"
    clerk = the_desk.browser("agent2")
    assert f"/desk/tickets/{ticket.ref}/reply" not in clerk.get(f"/desk/tickets/{ticket.ref}").text
    the_desk.doors.change_staff("s-agent2", password_hash="changed")
    assert clerk.get("/desk").status_code == 303
    other = the_desk.browser("agent")
    the_desk.doors.change_staff("s-agent", active=False)
    assert other.get("/desk").status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://desk.test.evil.test"},
    ],
)
def test_forms_of_other_sites_change_nothing(the_desk: Desk, headers: dict[str, str]) -> None:
    ticket = the_desk.file()
    clerk = the_desk.browser("agent2")
    path = f"/desk/tickets/{ticket.ref}/reply"
    form = clerk.form(f"/desk/tickets/{ticket.ref}", path)
    assert clerk.client.post(path, data=form | {"text": "x"}, headers=headers).status_code == 403
    assert the_desk.stored(ticket.ref).version == 1


def test_every_form_needs_the_sessions_word(the_desk: Desk) -> None:
    ticket = the_desk.file()
    clerk, other = the_desk.browser("agent2"), the_desk.browser("agent")
    stolen = other.form("/desk", "/desk/logout")["csrf"]
    for route in _posts(the_desk):
        path = route.replace("{ref}", ticket.ref).replace("{verb}", "reply")
        for data in ({"text": "x"}, {"text": "x", "csrf": ""}, {"text": "x", "csrf": stolen}):
            assert clerk.client.post(path, data=data, headers={"Origin": URL}).status_code == 403, path
        assert clerk.client.post(path, json={"text": "x"}, headers={"Origin": URL}).status_code == 403
    assert the_desk.stored(ticket.ref).version == 1 and clerk.get("/desk").status_code == 200


def _posts(the_desk: Desk) -> list[str]:
    return [r.path for r in _routes(the_desk) if "POST" in r.methods and r.path.startswith("/desk")]


def _routes(the_desk: Desk) -> list[APIRoute]:
    def walk(routes: Any) -> list[APIRoute]:
        found: list[APIRoute] = []
        for route in routes:
            if isinstance(route, APIRoute):
                found.append(route)
            else:
                found += walk(
                    getattr(getattr(route, "original_router", None), "routes", None) or getattr(route, "routes", ())
                )
        return found

    return walk(the_desk.app.routes)


PUBLIC = {"/desk/login", "/desk/login/code", "/desk/static/{name}", "/api/openapi.json"}
READING = {"agent", "agent2", "audit", "supervisor", "manager", "oversight"}
WORKING = READING - {"oversight"}
MATRIX = {
    ("GET", "/desk"): READING,
    ("POST", "/desk/logout"): set(STAFF),
    ("GET", "/desk/me"): set(STAFF),
    ("POST", "/desk/me/password"): set(STAFF),
    ("POST", "/desk/me/language"): set(STAFF),
    ("GET", "/desk/me/second-factor"): set(STAFF),
    ("POST", "/desk/me/second-factor/start"): set(STAFF),
    ("POST", "/desk/me/second-factor/confirm"): set(STAFF),
    ("POST", "/desk/me/second-factor/off"): set(STAFF),
    ("GET", "/desk/people"): {"admin"},
    ("POST", "/desk/people"): {"admin"},
    ("GET", "/desk/people/new"): {"admin"},
    ("GET", "/desk/people/{id}"): {"admin"},
    ("POST", "/desk/people/{id}"): {"admin"},
    ("POST", "/desk/people/{id}/password"): {"admin"},
    ("POST", "/desk/people/{id}/second-factor"): {"admin"},
    ("POST", "/desk/people/{id}/sign-out"): {"admin"},
    ("GET", "/desk/questions"): READING,
    ("POST", "/desk/notices/seen"): READING,
    ("GET", "/desk/channels"): set(STAFF),
    ("GET", "/desk/help"): set(STAFF),
    ("POST", "/desk/channels/aside/{id}/seen"): {"supervisor", "manager", "admin"},
    ("GET", "/desk/files/{id}"): READING,
    ("GET", "/desk/audit"): {"oversight", "admin"},
    ("POST", "/desk/numbers/{ref}"): READING,
    ("GET", "/desk/tickets/{ref}"): READING,
    ("GET", "/desk/tickets/{ref}/version"): READING,
    ("POST", "/desk/tickets/{ref}/preview"): READING,
    ("POST", "/desk/tickets/{ref}/draft"): READING,
    ("POST", "/desk/tickets/{ref}/undo"): READING,
    ("POST", "/desk/tickets/{ref}/looking"): READING,
    ("POST", "/desk/tickets/{ref}/{verb}"): READING,
    ("GET", "/desk/counts"): READING,
    ("GET", "/desk/next"): READING,
    ("POST", "/desk/bulk"): WORKING,
    ("GET", "/desk/handover"): {"supervisor", "manager"},
    ("POST", "/desk/handover"): {"supervisor", "manager"},
    ("GET", "/desk/new"): WORKING,
    ("POST", "/desk/new"): WORKING,
    ("GET", "/desk/tickets/{ref}/incident"): WORKING,
    ("POST", "/desk/incidents"): WORKING,
    ("GET", "/desk/incidents/{id}"): READING,
    ("POST", "/desk/incidents/{id}/tell"): WORKING,
    ("POST", "/desk/incidents/{id}/go-on"): WORKING,
    ("POST", "/desk/incidents/{id}/leave"): WORKING,
    ("GET", "/api/v1/tickets"): set(),
    ("GET", "/api/v1/tickets/{ref}"): set(),
    ("POST", "/api/v1/tickets/{ref}/{verb}"): set(),
}


def test_the_matrix_of_routes_and_roles(the_desk: Desk) -> None:
    """A route without a row fails; nobody at all comes in by a session where a token is asked for."""
    routes = {(m, r.path) for r in _routes(the_desk) for m in r.methods if r.path not in PUBLIC}
    assert routes == set(MATRIX)
    nobody = the_desk.browser()
    for (method, route), roles in MATRIX.items():
        path = route.replace("{ref}", the_desk.file().ref).replace("{verb}", "note")
        assert nobody.client.request(method, path, headers={"Origin": URL}).status_code in (303, 401), path
        for name in STAFF:
            clerk = the_desk.browser(name)
            data = None
            if method == "POST" and route.startswith("/desk"):
                from bot.web.auth import csrf_of

                data = {"csrf": csrf_of(clerk.client.cookies["sawt_desk"]), "text": "نص", "until": "1"}
            answer = clerk.client.request(method, path, data=data, headers={"Origin": URL})
            allowed = answer.status_code not in (401, 403)
            assert allowed == (name in roles), (name, method, path, answer.status_code)


def test_each_cell_of_roles_and_tickets(the_desk: Desk) -> None:
    """Own unit, other unit, confidential, hidden, closed: read and write as `may_see` and the table say."""
    from bot.tickets.people import may_see

    tickets = {
        "own": the_desk.file(),
        "other": the_desk.file(unit="finance"),
        "confidential": the_desk.file(unit="finance", flags={"confidential"}),
        "hidden": the_desk.file(unit="contact_centre", hidden_from={"industrial_licensing"}, category="staff_conduct"),
        "audit": the_desk.file(unit="internal_audit", unit_needs_to_know=True, category="integrity"),
    }
    closed = tickets["closed"] = the_desk.file()
    manager = STAFF["manager"]
    the_desk.house.act(closed.ref, "close", manager.actor(), {"reason": "انتهى"}, staff=manager)
    for name in READING:
        clerk, staff = the_desk.browser(name), STAFF[name]
        for what, ticket in tickets.items():
            now = the_desk.stored(ticket.ref)
            page = clerk.get(f"/desk/tickets/{ticket.ref}")
            assert page.status_code == (200 if may_see(staff, now) else 404), (name, what)
            for verb in ("note", "reply", "close", "extend"):
                on_page = f'action="/desk/tickets/{ticket.ref}/{verb}"' in page.text
                assert on_page == (may_see(staff, now) and verb in now.allowed(staff.actor())), (name, what, verb)
            if not may_see(staff, now):
                from bot.web.auth import csrf_of

                data = {"csrf": csrf_of(clerk.client.cookies["sawt_desk"]), "text": "x"}
                refused = clerk.client.post(f"/desk/tickets/{ticket.ref}/note", data=data, headers={"Origin": URL})
                assert refused.status_code == 404 and the_desk.stored(ticket.ref).version == now.version


def test_a_router_with_an_open_route_does_not_mount() -> None:
    router = APIRouter()

    @router.get("/forgotten")
    async def forgotten() -> None: ...

    with pytest.raises(RuntimeError, match="/forgotten"):
        all_guarded(router)


def test_headers_of_every_page(the_desk: Desk) -> None:
    clerk = the_desk.browser("agent2")
    for path in (
        "/desk",
        "/desk/login",
        f"/desk/tickets/{the_desk.file().ref}",
        "/desk/tickets/6000000000",
        "/api/v1/tickets",
    ):
        headers = clerk.get(path).headers
        assert headers["cache-control"] == "no-store" and headers["x-content-type-options"] == "nosniff", path
        assert (
            "object-src 'none'" in headers["content-security-policy"]
            and "unsafe" not in headers["content-security-policy"]
        )
    page = clerk.get("/desk").text
    assert "<style" not in page and " style=" not in page and "<script>" not in page and " onclick" not in page


def test_nothing_is_changed_by_a_get(the_desk: Desk) -> None:
    ticket = the_desk.file()
    clerk = the_desk.browser("agent2")
    for path in (
        f"/desk/tickets/{ticket.ref}/reply?text=x",
        f"/desk/tickets/{ticket.ref}/close?reason=x",
        "/desk/logout",
    ):
        assert clerk.get(path).status_code in (404, 405), path
    assert the_desk.stored(ticket.ref).version == 1 and clerk.get("/desk").status_code == 200
    assert NOW + timedelta(hours=1) > the_desk.clock()
