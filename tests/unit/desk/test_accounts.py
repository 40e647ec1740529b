"""F2, F3: the second factor, one's own account, and the people of the desk, through the pages that do it."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from sqlalchemy import select

from bot.storage.tables import audit
from bot.tickets.people import Role, Staff
from bot.web import auth as auth_
from bot.web.auth import HALF, LONGEST_WAIT, Auth, WaitFirst, csrf_of, hash_password
from bot.web.totp import STEP
from tests.unit.desk.house import PASSWORD, STAFF, URL, Browser, Desk

OTHER = "another long password"


def code(the_desk: Desk, secret: str, steps: int = 0) -> str:
    """What a telephone shows now, or so many steps from now."""
    return pyotp.HOTP(secret).at(int(the_desk.clock().timestamp()) // STEP + steps)


def enrol(the_desk: Desk, browser: Browser) -> tuple[str, list[str]]:
    """The secret and the recovery codes of somebody who has just turned the second factor on."""
    if "/second-factor/start" in browser.get("/desk/me/second-factor").text:
        browser.send("/desk/me/second-factor", "/desk/me/second-factor/start")
    page = browser.get("/desk/me/second-factor").text
    secret = re.search(r'class="secret" dir="ltr">([A-Z2-7 ]+)<', page)
    assert secret and "<svg" in page and "otpauth" not in page
    plain = secret[1].replace(" ", "")
    shown = browser.send("/desk/me/second-factor", "/desk/me/second-factor/confirm", code=code(the_desk, plain))
    assert shown.status_code == 200
    codes = re.findall(r'class="secret">([\w-]+)<', shown.text)
    assert len(set(codes)) == 8
    the_desk.clock.pass_(seconds=STEP)
    return plain, codes


def second(browser: Browser, **typed: str) -> Any:
    return browser.send("/desk/login/code", "/desk/login/code", **typed)


def test_a_second_factor_from_turning_it_on_to_coming_in(the_desk: Desk) -> None:
    secret, _ = enrol(the_desk, the_desk.browser("agent"))
    account = the_desk.doors.staff("s-agent")
    assert account and account.totp_secret == secret
    browser = the_desk.browser()
    answer = browser.sign_in("agent@example.test")
    assert answer.status_code == 303 and answer.headers["location"].startswith("/desk/login/code")
    assert "sawt_desk" not in browser.client.cookies and browser.get("/desk").status_code == 303, "half is nothing"
    half = browser.client.cookies["sawt_half"]
    assert the_desk.doors.session(half, the_desk.clock()) is None
    wrong = second(browser, code="000000", next="/desk/channels")
    assert wrong.status_code == 401 and 'name="next" value="/desk/channels"' in wrong.text
    arabic = code(the_desk, secret).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    assert second(browser, code=arabic).status_code == 303
    assert browser.get("/desk").status_code == 200 and "sawt_half" not in browser.client.cookies
    assert the_desk.doors.half(half, the_desk.clock()) is None, "used up"


def test_a_code_is_good_once_and_for_one_step_of_drift(the_desk: Desk) -> None:
    secret, _ = enrol(the_desk, the_desk.browser("agent"))
    spent = code(the_desk, secret)
    for typed, status in ((spent, 303), (spent, 401), (code(the_desk, secret, -1), 401)):
        browser = the_desk.browser()
        browser.sign_in("agent@example.test")
        assert second(browser, code=typed).status_code == status
    the_desk.clock.pass_(minutes=20)
    for steps, status in ((-2, 401), (2, 401), (-1, 303), (1, 303)):
        browser = the_desk.browser()
        browser.sign_in("agent@example.test")
        assert second(browser, code=code(the_desk, secret, steps)).status_code == status, steps


def test_half_a_sign_in_is_short_bound_to_its_browser_and_ends_with_the_password(the_desk: Desk) -> None:
    secret, _ = enrol(the_desk, the_desk.browser("agent"))
    one, other = the_desk.browser(), the_desk.browser()
    one.sign_in("agent@example.test")
    form = one.form("/desk/login/code", "/desk/login/code") | {"code": code(the_desk, secret)}
    assert other.client.post("/desk/login/code", data=form, headers={"Origin": URL}).status_code == 403
    assert one.client.post("/desk/login/code", data=form, headers={"Origin": "https://evil.test"}).status_code == 403
    assert the_desk.browser().get("/desk/login/code").status_code == 303
    the_desk.clock.pass_(seconds=HALF.total_seconds() + 1)
    assert one.client.post("/desk/login/code", data=form, headers={"Origin": URL}).status_code == 401
    assert one.get("/desk/login/code").status_code == 303
    one.sign_in("agent@example.test")
    form = one.form("/desk/login/code", "/desk/login/code") | {"code": code(the_desk, secret)}
    the_desk.doors.change_staff("s-agent", password_hash=hash_password(OTHER))
    assert one.client.post("/desk/login/code", data=form, headers={"Origin": URL}).status_code == 401


def test_guessing_codes_has_to_wait_from_wherever_it_comes(the_desk: Desk) -> None:
    secret, _ = enrol(the_desk, the_desk.browser("agent"))
    auth, tried = Auth(the_desk.doors, the_desk.clock, URL), 0

    async def guess() -> int:
        checked = 0
        for n in range(200):
            address = f"203.0.113.{n}"
            half = await auth.sign_in("agent@example.test", PASSWORD, address)
            assert half and half.half
            try:
                assert await auth.finish(half.token, address, code="000000") is None
                checked += 1
            except WaitFirst:
                the_desk.clock.pass_(seconds=1)
        return checked

    tried = asyncio.run(guess())
    assert tried < 20, "each from another address, with the right password"
    the_desk.clock.pass_(seconds=LONGEST_WAIT.total_seconds() + 1)
    browser = the_desk.browser()
    browser.sign_in("agent@example.test")
    assert second(browser, code=code(the_desk, secret)).status_code == 303


def test_wrong_codes_and_wrong_passwords_are_counted_together(the_desk: Desk) -> None:
    enrol(the_desk, the_desk.browser("agent"))
    for n in range(5):
        browser = the_desk.browser()
        if n % 2:
            assert browser.sign_in("agent@example.test", "guess").status_code == 401
        else:
            browser.sign_in("agent@example.test")
            answer = second(browser, code="000000")
            assert answer.status_code == 401 and "الرمز غير صحيح أو استُعمل" in answer.text
    assert the_desk.browser().sign_in("agent@example.test").status_code == 429


def test_the_same_code_twice_at_once_opens_one_session(the_desk: Desk) -> None:
    secret, _ = enrol(the_desk, the_desk.browser("agent"))
    auths = [Auth(the_desk.doors, the_desk.clock, URL) for _ in range(4)]  # as many processes

    async def at_once() -> list[Any]:
        halves = [await a.sign_in("agent@example.test", PASSWORD, f"203.0.113.{n}") for n, a in enumerate(auths)]
        typed = code(the_desk, secret)
        tries = [
            a.finish(h.token, f"203.0.113.{n}", code=typed)
            for n, (a, h) in enumerate(zip(auths, halves, strict=True))
            if h
        ]
        return await asyncio.gather(*tries)

    assert [bool(a) for a in asyncio.run(at_once())].count(True) == 1


def test_a_recovery_code_opens_once_and_is_kept_as_a_hash(the_desk: Desk) -> None:
    _, codes = enrol(the_desk, the_desk.browser("agent"))
    with the_desk.store.engine.connect() as db:
        kept = db.exec_driver_sql("SELECT code_hash FROM recovery_codes").scalars().all()
    assert len(kept) == 8 and not {*codes} & {*kept}
    for typed, status in ((codes[0].upper().replace("-", " "), 303), (codes[0], 401), (codes[1], 303)):
        browser = the_desk.browser()
        browser.sign_in("agent@example.test")
        assert second(browser, recovery=typed).status_code == status
    assert the_desk.doors.recovery_left("s-agent") == 6
    other = the_desk.browser("agent2")
    enrol(the_desk, other)
    browser = the_desk.browser()
    browser.sign_in("agent2@example.test")
    assert second(browser, recovery=codes[2]).status_code == 401, "somebody else's"


def test_turning_it_on_ends_other_sessions_and_needs_a_right_code(the_desk: Desk) -> None:
    here, elsewhere = the_desk.browser("agent"), the_desk.browser("agent")
    here.send("/desk/me/second-factor", "/desk/me/second-factor/start")
    wrong = here.send("/desk/me/second-factor", "/desk/me/second-factor/confirm", code="000000")
    assert wrong.status_code == 422 and the_desk.doors.staff("s-agent").totp_secret is None
    before = here.client.cookies["sawt_desk"]
    secret, _ = enrol(the_desk, here)
    assert here.get("/desk").status_code == 200 and here.client.cookies["sawt_desk"] != before
    assert elsewhere.get("/desk").status_code == 303
    data = {"csrf": csrf_of(here.client.cookies["sawt_desk"])}
    here.client.post("/desk/me/second-factor/start", data=data, headers={"Origin": URL})
    assert the_desk.doors.staff("s-agent").totp_secret == secret, "one that is on is not replaced"
    assert the_desk.doors.pending_factor("s-agent") is None


def test_turning_it_off_needs_the_password_and_a_code_and_a_role_that_may(the_desk: Desk) -> None:
    agent = the_desk.browser("agent")
    secret, _ = enrol(the_desk, agent)
    path = "/desk/me/second-factor"
    for typed in ({"password": "x", "code": code(the_desk, secret)}, {"password": PASSWORD, "code": "000000"}):
        assert agent.send(path, f"{path}/off", **typed).status_code == 422
    assert agent.send(path, f"{path}/off", password=PASSWORD, code=code(the_desk, secret)).status_code == 303
    assert the_desk.doors.staff("s-agent").totp_secret is None and the_desk.doors.recovery_left("s-agent") == 0
    manager = the_desk.browser("manager")
    secret, _ = enrol(the_desk, manager)
    assert f"{path}/off" not in manager.get(path).text
    data = {"csrf": csrf_of(manager.client.cookies["sawt_desk"]), "password": PASSWORD, "code": code(the_desk, secret)}
    assert manager.client.post(f"{path}/off", data=data, headers={"Origin": URL}).status_code == 409
    assert the_desk.doors.staff("s-manager").totp_secret == secret


def hire(the_desk: Desk, role: Role, **fields: Any) -> Staff:
    """Somebody with a password of their own, who was not seeded."""
    person = Staff(f"p-{role}", f"{role}@new.test", "ليلى", role, fields.pop("unit", None), **fields)
    the_desk.doors.create_staff(person, hash_password(PASSWORD), the_desk.clock())
    return person


@pytest.mark.parametrize("role", [r for r in Role if r != Role.AGENT])
def test_who_needs_a_second_factor_can_do_nothing_else_before(the_desk: Desk, role: Role) -> None:
    person, ticket = hire(the_desk, role, sees_all=True), the_desk.file()
    browser = the_desk.browser()
    assert browser.sign_in(person.email).status_code == 303
    data = {"csrf": csrf_of(browser.client.cookies["sawt_desk"]), "text": "نص", "name": "x"}
    for path in (
        "/desk",
        f"/desk/tickets/{ticket.ref}",
        "/desk/channels",
        "/desk/people",
        f"/desk/tickets/{ticket.ref}/version",
    ):
        answer = browser.get(path)
        assert answer.status_code == 303 and answer.headers["location"] == "/desk/me/second-factor", path
    for path in (f"/desk/tickets/{ticket.ref}/note", "/desk/people", "/desk/notices/seen"):
        answer = browser.client.post(path, data=data, headers={"Origin": URL})
        assert answer.status_code == 303 and answer.headers["location"] == "/desk/me/second-factor", path
    assert the_desk.stored(ticket.ref).version == ticket.version
    enrol(the_desk, browser)
    assert browser.get("/desk/people" if role == Role.ADMIN else "/desk").status_code == 200


def test_seeded_staff_and_agents_are_not_asked(the_desk: Desk) -> None:
    agent = hire(the_desk, Role.AGENT, unit="contact_centre")
    for email in (agent.email, "supervisor@example.test"):
        browser = the_desk.browser()
        assert browser.sign_in(email).status_code == 303 and browser.get("/desk").status_code == 200


def test_a_new_password_ends_other_sessions_and_opens_the_door(the_desk: Desk) -> None:
    here, elsewhere = the_desk.browser("agent"), the_desk.browser("agent")
    tries = (
        {"old": "x", "new": OTHER, "again": OTHER}, {"old": PASSWORD, "new": "eleven char", "again": "eleven char"},
        {"old": PASSWORD, "new": PASSWORD, "again": PASSWORD}, {"old": PASSWORD, "new": OTHER, "again": OTHER + "x"},
        {"old": PASSWORD, "new": "a" * 1001, "again": "a" * 1001},
    )  # fmt: skip
    for typed in tries:
        assert here.send("/desk/me", "/desk/me/password", **typed).status_code == 422, typed
    before = here.client.cookies["sawt_desk"]
    assert here.send("/desk/me", "/desk/me/password", old=PASSWORD, new=OTHER, again=OTHER).status_code == 303
    assert here.get("/desk").status_code == 200 and here.client.cookies["sawt_desk"] != before
    assert elsewhere.get("/desk").status_code == 303
    assert the_desk.browser().sign_in("agent@example.test").status_code == 401
    assert the_desk.browser().sign_in("agent@example.test", OTHER).status_code == 303


def test_the_language_of_the_desk_is_kept_with_the_account(the_desk: Desk) -> None:
    agent = the_desk.browser("agent")
    assert agent.send("/desk/me", "/desk/me/language", language="en").status_code == 303
    assert 'lang="en"' in the_desk.browser("agent").get("/desk").text
    assert agent.send("/desk/me", "/desk/me/language", language="xx").status_code == 422


# People

NEW = {"name": "ليلى  الشهري", "email": " Layla@Ministry.test ", "role": "supervisor", "unit": "industrial_licensing"}


def one_time(page: str) -> str:
    found = re.search(r'class="secret" dir="ltr">([\w-]+)<', page)
    assert found
    return found[1]


def test_somebody_new_comes_with_a_password_that_is_shown_once_and_must_be_changed(the_desk: Desk) -> None:
    admin = the_desk.browser("admin")
    shown = admin.send("/desk/people/new", "/desk/people", **NEW)
    password = one_time(shown.text)
    account = the_desk.doors.staff_by_email("layla@ministry.test")
    assert account and account.must_change and account.staff.name == "ليلى الشهري" and not account.staff.sees_all
    assert password not in admin.get("/desk/people").text + admin.get(f"/desk/people/{account.staff.id}").text
    browser = the_desk.browser()
    assert browser.sign_in("layla@ministry.test", password).status_code == 303
    for path in ("/desk", "/desk/me/second-factor", "/desk/channels"):
        assert browser.get(path).headers["location"] == "/desk/me", path
    assert browser.send("/desk/me", "/desk/me/password", old=password, new=password, again=password).status_code == 422
    assert browser.send("/desk/me", "/desk/me/password", old=password, new=OTHER, again=OTHER).status_code == 303
    assert browser.get("/desk").headers["location"] == "/desk/me/second-factor", "now the second factor"
    enrol(the_desk, browser)
    assert browser.get("/desk").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "a\u202eb"},
        {"email": "layla"},
        {"email": "agent@example.test"},
        {"role": "king"},
        {"unit": "moon"},
    ],
)
def test_nobody_is_added_with_a_field_that_cannot_be(the_desk: Desk, wrong: dict[str, str]) -> None:
    before = len(the_desk.doors.all_staff())
    answer = the_desk.browser("admin").send("/desk/people/new", "/desk/people", **NEW | wrong)
    assert answer.status_code == 422 and 'aria-invalid="true"' in answer.text or "unit" in wrong
    assert len(the_desk.doors.all_staff()) == before


@pytest.mark.parametrize("change", [{"role": "oversight"}, {"unit": "finance"}, {"sees_all": "yes"}])
def test_another_role_unit_or_sight_ends_the_sessions(the_desk: Desk, change: dict[str, str]) -> None:
    admin, clerk = the_desk.browser("admin"), the_desk.browser("agent2")
    path = "/desk/people/s-agent2"
    form = admin.form(path, path)
    kept = form
    assert kept["active"] == "yes" and "sees_all" not in kept
    assert admin.client.post(path, data=kept, headers={"Origin": URL}).headers["location"].endswith("nothing")
    assert (
        admin.client.post(path, data=kept | {"name": "خالد"}, headers={"Origin": URL})
        .headers["location"]
        .endswith("changed")
    )
    assert clerk.get("/desk").status_code == 200, "a name is no right"
    assert admin.client.post(path, data=kept | change, headers={"Origin": URL}).status_code == 303
    assert clerk.get("/desk").status_code == 303


def test_who_goes_is_out_at_once_and_their_tickets_are_told(the_desk: Desk) -> None:
    admin, clerk = the_desk.browser("admin"), the_desk.browser("agent2")
    the_desk.file(staff="s-agent2"), the_desk.file(staff="s-agent2"), the_desk.file(staff="s-agent2", state="closed")
    the_desk.file(staff="s-agent2", flags={"confidential"})
    path = "/desk/people/s-agent2"
    assert "تذكرتان مفتوحتان" in admin.get(path).text, "less the closed one, and the confidential one"
    form = admin.form(path, path)
    form.pop("active")
    answer = admin.client.post(path, data=form, headers={"Origin": URL})
    assert answer.status_code == 303 and clerk.get("/desk").status_code == 303
    assert "بقيت باسمه تذكرتان مفتوحتان" in admin.get(path).text
    assert the_desk.browser().sign_in("agent2@example.test").status_code == 401


def test_nobody_locks_themselves_out_and_the_last_administrator_stays(the_desk: Desk) -> None:
    admin, path = the_desk.browser("admin"), "/desk/people/s-admin"
    assert {"role", "active"} & admin.form(path, path).keys() == set()
    form = admin.form(path, path)
    assert admin.client.post(path, data=form | {"role": "agent"}, headers={"Origin": URL}).status_code == 409
    for what in ("password", "second-factor"):
        assert admin.client.post(f"{path}/{what}", data=form, headers={"Origin": URL}).status_code == 409
    account = the_desk.doors.staff("s-admin")
    assert account and account.staff == STAFF["admin"] and not account.must_change
    assert admin.get("/desk/people").status_code == 200


def test_a_reset_password_works_once_and_a_reset_second_factor_is_gone(the_desk: Desk) -> None:
    admin, clerk = the_desk.browser("admin"), the_desk.browser("manager")
    enrol(the_desk, clerk)
    path = "/desk/people/s-manager"
    assert admin.send(path, f"{path}/second-factor").status_code == 303
    assert clerk.get("/desk").status_code == 303 and the_desk.doors.staff("s-manager").totp_secret is None
    clerk = the_desk.browser("manager")
    password = one_time(admin.send(path, f"{path}/password").text)
    assert clerk.get("/desk").status_code == 303
    browser = the_desk.browser()
    assert browser.sign_in("manager@example.test").status_code == 401
    assert browser.sign_in("manager@example.test", password).status_code == 303
    assert browser.get("/desk").headers["location"] == "/desk/me"
    assert admin.send(path, f"{path}/sign-out").status_code == 303
    assert browser.get("/desk/me").headers["location"].startswith("/desk/login")


# Guessing, enumeration, fixation


def test_an_unknown_account_costs_the_same_work_as_a_known_one(the_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """F2: timing by equal work: one verification of the same cost, whoever is named, active or not."""
    checked: list[str] = []
    real = auth_._matches

    def counted(password_hash: str, password: str) -> bool:
        checked.append(password_hash.rsplit("$", 2)[0])
        return real(password_hash, password)

    monkeypatch.setattr(auth_, "_matches", counted)
    the_desk.doors.change_staff("s-agent2", active=False)
    for email in ("agent@example.test", "nobody@example.test", "agent2@example.test", ""):
        assert the_desk.browser().sign_in(email, "wrong").status_code == 401
    assert len(checked) == 4
    parameters = {each.split("$")[3] for each in checked}
    assert len(parameters) == 1, "the same memory and time"


def test_a_thousand_guesses_at_once_are_counted_like_one_after_the_other(the_desk: Desk) -> None:
    auth = Auth(the_desk.doors, the_desk.clock, URL)

    async def guess(n: int) -> bool:
        try:
            await auth.sign_in("agent@example.test", f"guess {n}", "203.0.113.9")
        except WaitFirst:
            return False
        return True

    async def together() -> list[bool]:
        return await asyncio.gather(*(guess(n) for n in range(200)))

    assert sum(asyncio.run(together())) == 5


def test_a_cookie_chosen_by_somebody_else_is_never_a_session(the_desk: Desk) -> None:
    """F3, fixation: the token before signing in opens nothing afterwards, at either page."""
    secret, _ = enrol(the_desk, the_desk.browser("agent"))
    browser = the_desk.browser()
    for name in ("sawt_desk", "sawt_half"):
        browser.client.cookies.set(name, "chosen-by-an-attacker")
    browser.sign_in("agent@example.test")
    halves = [c.value for c in browser.client.cookies.jar if c.name == "sawt_half"]
    assert any(h != "chosen-by-an-attacker" for h in halves)
    assert the_desk.doors.half("chosen-by-an-attacker", the_desk.clock()) is None
    assert the_desk.doors.session("chosen-by-an-attacker", the_desk.clock()) is None
    assert secret


def test_a_session_is_seen_in_the_list_of_people(the_desk: Desk) -> None:
    the_desk.browser("agent").get("/desk")
    the_desk.clock.pass_(hours=2)
    assert the_desk.clock() - timedelta(hours=2) in {
        each.last_seen for each in _colleagues(the_desk) if each.staff.id == "s-agent"
    }


def _colleagues(the_desk: Desk) -> Any:
    from bot.storage.colleagues import Colleagues

    return Colleagues(the_desk.store.engine).everybody()


def test_no_page_of_an_account_lets_anything_of_anybody_run(the_desk: Desk) -> None:
    """A name that is markup is words on every page about people."""
    admin = the_desk.browser("admin")
    nasty = "<script>alert(1)</script>"
    password_page = admin.send("/desk/people/new", "/desk/people", **NEW | {"name": nasty}).text
    id = the_desk.doors.staff_by_email("layla@ministry.test").staff.id
    for page in (password_page, admin.get("/desk/people").text, admin.get(f"/desk/people/{id}").text):
        assert "<script>alert" not in page and "&lt;script&gt;" in page


def test_labels_headings_and_ids_of_these_pages(the_desk: Desk) -> None:
    """Every control has a label, ids are unique, one h1, nothing inline; in both languages."""
    admin, agent = the_desk.browser("admin"), the_desk.browser("agent")
    agent.send("/desk/me/second-factor", "/desk/me/second-factor/start")
    pages = [agent.get(f"/desk/me{rest}", lang=lang).text for rest in ("", "/second-factor") for lang in ("ar", "en")]
    paths = ("/desk/people", "/desk/people/new", "/desk/people/s-agent2", "/desk/people/s-admin")
    pages += [admin.get(path, lang=lang).text for path in paths for lang in ("en", "ar")]
    secret, _ = enrol(the_desk, agent)
    browser = the_desk.browser()
    browser.sign_in("agent@example.test")
    pages += [agent.get("/desk/me/second-factor").text, browser.get("/desk/login/code").text]
    for page in pages:
        ids = re.findall(r'\sid="([^"]+)"', page)
        assert len(ids) == len(set(ids)), ids
        labels = set(re.findall(r'<label for="([^"]+)"', page))
        controls = re.findall(r'<(?:input|select|textarea)(?![^>]*(?:type="hidden"|\shidden))[^>]*>', page)
        assert all(re.search(r'\sid="([^"]+)"', c)[1] in labels for c in controls), controls
        assert len(re.findall("<h1", page)) == 1 and " style=" not in page and "<style" not in page
        assert all(
            m in ids for each in re.findall(r'aria-(?:labelledby|describedby)="([^"]+)"', page) for m in each.split()
        )
        assert not re.search(r">\s*[a-z]+_[a-z_]+\s*<", page), "a name instead of its words"


def test_what_is_done_to_an_account_is_in_the_audit_with_who_did_it(the_desk: Desk) -> None:
    admin = the_desk.browser("admin")
    admin.send("/desk/people/new", "/desk/people", **NEW)
    (person,) = [each for each in the_desk.doors.all_staff() if each.email == "layla@ministry.test"]
    path = f"/desk/people/{person.id}"
    admin.client.post(path, data=admin.form(path, path) | {"name": "ليلى الحربي"}, headers={"Origin": URL})
    password = one_time(admin.send(path, f"{path}/password").text)
    own = the_desk.browser()
    own.sign_in("layla@ministry.test", password)
    own.send("/desk/me", "/desk/me/password", old=password, new=OTHER, again=OTHER)
    enrol(the_desk, own)
    admin.send(path, f"{path}/second-factor")
    admin.send(path, f"{path}/sign-out")
    with the_desk.store.read() as connection:
        rows = connection.execute(select(audit).where(audit.c.what == "changed_person").order_by(audit.c.id)).all()
    assert [(row.by_id, row.details["did"]) for row in rows] == [
        ("s-admin", "added"), ("s-admin", "changed"), ("s-admin", "password"), (person.id, "own_password"),
        (person.id, "own_factor_on"), ("s-admin", "factor_reset"), ("s-admin", "signed_out"),
    ]  # fmt: skip
    assert all(row.details["person"] == person.id for row in rows) and rows[1].details["fields"] == ["name"]
    assert "ليلى" not in str([row.details for row in rows]) and password not in str(rows)
    page = the_desk.browser("oversight").get("/desk/audit").text
    assert "أعطى" in page and "أنهى جلسات" in page and "ليلى الحربي" in page


def test_a_wrong_code_is_in_the_audit_as_a_wrong_password_is(the_desk: Desk) -> None:
    enrol(the_desk, the_desk.browser("manager"))
    browser = the_desk.browser()
    browser.sign_in("manager@example.test")
    assert browser.send("/desk/login/code", "/desk/login/code", code="000000").status_code == 401
    with the_desk.store.read() as connection:
        failed = connection.scalars(select(audit.c.by_id).where(audit.c.what == "sign_in_failed")).all()
    assert failed == ["s-manager"]


def test_a_change_that_is_refused_leaves_no_row(the_desk: Desk) -> None:
    admin = the_desk.browser("admin")
    path = "/desk/people/s-admin"
    form = admin.form(path, path)
    assert admin.client.post(path, data=form | {"role": "agent"}, headers={"Origin": URL}).status_code == 409
    admin.send("/desk/people/new", "/desk/people", **NEW | {"email": "agent@example.test"})
    with the_desk.store.read() as connection:
        assert connection.execute(select(audit).where(audit.c.what == "changed_person")).all() == []
