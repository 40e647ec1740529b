"""Second factors and the directory of people, on both databases: what is used up is used up once, and an administrator stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.handlers.people import LastAdmin, Taken
from bot.storage.colleagues import Colleagues
from bot.storage.directory import Directory
from bot.storage.tables import half_sessions, recovery_codes, staff
from bot.tickets.people import Role, Staff
from tests.contract.house import NOW, House

SARA = Staff("p-1", "sara@ministry.example", "سارة", Role.AGENT, "roads")
ADMINS = [Staff(f"p-a{n}", f"admin{n}@ministry.example", "مدير", Role.ADMIN, None) for n in (1, 2)]
CODES = ["aaaa-bbbb-cccc", "dddd-eeee-ffff"]
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def directory(house: House) -> Directory:
    made = Directory(house)
    for person in (SARA, *ADMINS):
        made.create_staff(person, "argon2…", NOW)
    return made


def at_once(*calls: Any) -> list[Any]:
    """What each of these answers, run together; the error where one is raised."""

    def run(call: Any) -> Any:
        try:
            return call()
        except LastAdmin as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_half_a_sign_in_is_found_until_it_is_over_or_used(directory: Directory, house: House) -> None:
    for token in ("a", "b", "c"):
        directory.open_half(token, "p-1", NOW, LATER)
    assert directory.half("a", NOW).staff == SARA and directory.half("x", NOW) is None
    assert directory.half("a", LATER) is None and directory.session("a", NOW) is None
    assert sorted(at_once(*[lambda: directory.close_half("a")] * 4)) == [False, False, False, True]
    directory.change_staff("p-1", password_hash="new")
    assert directory.half("b", NOW) is None, "the password is another one"
    directory.open_half("d", "p-1", NOW, LATER)
    directory.forget_expired(LATER)
    with house.read() as db:
        assert db.execute(select(half_sessions)).all() == []


def test_a_code_is_used_once_and_none_before_it(directory: Directory) -> None:
    assert sorted(at_once(*[lambda: directory.use_code("p-1", 100)] * 4)) == [False, False, False, True]
    assert not directory.use_code("p-1", 99) and directory.use_code("p-1", 101)
    assert directory.use_code("p-a1", 100), "somebody else's step"


def test_a_second_factor_is_confirmed_as_it_was_begun_and_once(directory: Directory, house: House) -> None:
    assert directory.begin_factor("p-1", "OLD") and directory.begin_factor("p-1", "NEW")
    assert directory.pending_factor("p-1") == "NEW" and directory.staff("p-1").totp_secret is None
    directory.open_session("s", "p-1", NOW, LATER)
    assert not directory.own_factor_on(SARA, "OLD", 7, CODES, NOW)
    assert directory.own_factor_on(SARA, "NEW", 7, CODES, NOW) and not directory.own_factor_on(SARA, "NEW", 8, [], NOW)
    assert directory.staff("p-1").totp_secret == "NEW" and directory.pending_factor("p-1") is None
    assert directory.session("s", NOW) is None and not directory.use_code("p-1", 7)
    assert not directory.begin_factor("p-1", "OTHER"), "one that is on is not replaced"
    with house.read() as db:
        kept = {*db.execute(select(recovery_codes.c.code_hash)).scalars()}
        sealed = db.execute(select(staff.c.totp_secret).where(staff.c.id == "p-1")).scalar_one()
    assert len(kept) == 2 and not kept & {*CODES} and b"NEW" not in sealed


def test_a_recovery_code_is_used_once_and_by_its_owner(directory: Directory) -> None:
    directory.begin_factor("p-1", "S"), directory.own_factor_on(SARA, "S", 7, CODES, NOW)
    assert not directory.use_recovery("p-a1", CODES[0]) and not directory.use_recovery("p-1", "zzzz-zzzz-zzzz")
    assert sorted(at_once(*[lambda: directory.use_recovery("p-1", CODES[0])] * 4)) == [False, False, False, True]
    assert directory.recovery_left("p-1") == 1
    assert directory.reset_second_factor("p-1", ADMINS[0], NOW) and directory.recovery_left("p-1") == 0
    assert not directory.use_recovery("p-1", CODES[1]) and directory.staff("p-1").totp_secret is None


@pytest.mark.parametrize("changes", [{"role": Role.AGENT}, {"active": False}])
def test_two_administrators_who_remove_each_other_leave_one(directory: Directory, changes: dict[str, Any]) -> None:
    one, two = ADMINS
    told = at_once(
        lambda: directory.change(one.id, changes, two, NOW), lambda: directory.change(two.id, changes, one, NOW)
    )
    assert sorted(isinstance(each, LastAdmin) for each in told) == [False, True]
    assert len([p for p in directory.all_staff() if p.role == Role.ADMIN and p.active]) == 1


def test_a_change_of_rights_ends_sessions_and_a_name_does_not(directory: Directory) -> None:
    for changes in ({"role": Role.SUPERVISOR}, {"unit": "parks"}, {"sees_all": True}, {"active": False}):
        directory.change("p-1", {"active": True}, ADMINS[0], NOW)
        directory.open_session(f"s{changes}", "p-1", NOW, LATER), directory.open_half(f"h{changes}", "p-1", NOW, LATER)
        directory.change("p-1", {"name": "سارة أحمد"}, ADMINS[0], NOW)
        assert directory.session(f"s{changes}", NOW) and directory.half(f"h{changes}", NOW)
        assert directory.change("p-1", changes, ADMINS[0], NOW)
        assert directory.session(f"s{changes}", NOW) is None and directory.half(f"h{changes}", NOW) is None
    assert not directory.change("nobody", {"name": "x"}, ADMINS[0], NOW)


def test_a_given_password_must_be_changed_and_the_own_one_not(directory: Directory) -> None:
    new = replace(SARA, id="p-2", email="new@ministry.example")
    directory.add(new, "hash", ADMINS[0], NOW)
    with pytest.raises(Taken):
        directory.add(replace(new, id="p-3"), "hash", ADMINS[0], NOW)
    assert directory.staff("p-2").must_change
    directory.open_session("s", "p-2", NOW, LATER)
    assert directory.session("s", NOW).must_change
    directory.own_password(new, "own", NOW)
    assert directory.session("s", NOW) is None and not directory.staff("p-2").must_change
    directory.give_password("p-2", "given", ADMINS[0], NOW)
    assert directory.staff("p-2").must_change and directory.staff("p-2").password_hash == "given"


def test_colleagues_are_read_with_when_they_were_seen(directory: Directory, house: House) -> None:
    directory.open_session("s", "p-1", NOW, LATER)
    directory.touch_session("s", NOW + timedelta(minutes=2))
    directory.change("p-a2", {"active": False}, ADMINS[0], NOW)
    found = Colleagues(house.engine).everybody()
    assert [each.staff.id for each in found][-1] == "p-a2", "who is gone comes last"
    sara = Colleagues(house.engine).one("p-1")
    assert sara and sara.last_seen == NOW + timedelta(minutes=2) and not sara.second_factor
    assert Colleagues(house.engine).one("nobody") is None and Colleagues(house.engine).live_tickets("p-1") == 0
