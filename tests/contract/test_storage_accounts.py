"""Accounts, sessions, tokens and the register, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.handlers.ports import Stale
from bot.storage.accounts import Accounts, EmailTaken
from bot.storage.registry import RegisterRow, RegisterTable
from bot.tickets.people import Role, Staff
from tests.contract.house import NOW, House

SARA = Staff("s-1", "sara@ministry.example", "سارة", Role.AGENT, "roads")


@pytest.fixture
def accounts(house: House) -> Accounts:
    accounts = Accounts(house)
    accounts.create_staff(SARA, "argon2…", NOW, totp_secret="JBSWY3DP")
    return accounts


@pytest.fixture
def register(house: House) -> RegisterTable:
    return RegisterTable(house)


def test_an_account_is_found_by_its_address_however_it_is_typed(accounts: Accounts) -> None:
    account = accounts.staff_by_email("  Sara@Ministry.Example ")
    assert account and account == accounts.staff("s-1")
    assert (account.staff, account.password_hash, account.totp_secret) == (SARA, "argon2…", "JBSWY3DP")
    assert accounts.staff_by_email("nobody") is None and accounts.all_staff() == [SARA]
    with pytest.raises(EmailTaken):
        accounts.create_staff(replace(SARA, id="s-2"), "", NOW)


def test_an_account_is_changed_in_what_may_change(accounts: Accounts) -> None:
    assert accounts.change_staff("s-1", role=Role.SUPERVISOR, unit=None, sees_all=True, totp_secret=None)
    account = accounts.staff("s-1")
    assert account and account.totp_secret is None
    assert account.staff == replace(SARA, role=Role.SUPERVISOR, unit=None, sees_all=True)
    assert not accounts.change_staff("s-9", name="x")
    with pytest.raises(ValueError, match="created_at"):
        accounts.change_staff("s-1", created_at=NOW)


def test_failed_sign_ins_are_counted_and_lock(accounts: Accounts) -> None:
    assert [accounts.sign_in_failed("s-1"), accounts.sign_in_failed("s-1", NOW)] == [1, 2]
    assert accounts.staff("s-1").locked_until == NOW
    accounts.sign_in_succeeded("s-1")
    assert (accounts.staff("s-1").failed, accounts.staff("s-1").locked_until) == (0, None)


def test_a_session_lasts_until_it_expires_is_closed_or_its_owner_leaves(accounts: Accounts) -> None:
    later = NOW + timedelta(hours=8)
    for token in ("a", "b", "c"):
        accounts.open_session(token, "s-1", NOW, later)
    session = accounts.session("a", NOW)
    assert session and (session.staff, session.seen_at, session.expires_at) == (SARA, NOW, later)
    accounts.touch_session("a", NOW + timedelta(minutes=1), later + timedelta(hours=1))
    assert accounts.session("a", later).seen_at == NOW + timedelta(minutes=1)
    assert accounts.session("b", later) is None and accounts.session("x", NOW) is None
    accounts.close_session("a")
    assert accounts.session("a", NOW) is None
    assert accounts.forget_expired(later) == 2
    accounts.open_session("d", "s-1", NOW, later)
    accounts.change_staff("s-1", active=False)
    assert accounts.session("d", NOW) is None and accounts.close_sessions_of("s-1") == 0


def test_a_programs_token_works_until_it_is_revoked_and_is_kept_as_a_hash(accounts: Accounts, house: House) -> None:
    accounts.create_api_token("p-1", "المنصة", "sawt_secret", ["tickets:write"], NOW)
    token = accounts.api_token("sawt_secret")
    assert token and (token.id, token.scopes, token.revoked_at) == ("p-1", ("tickets:write",), None)
    assert accounts.api_token("other") is None
    assert accounts.revoke_api_token("p-1", NOW) and not accounts.revoke_api_token("p-1", NOW)
    assert accounts.api_token("sawt_secret") is None
    assert [t.revoked_at for t in accounts.api_tokens()] == [NOW]


SEED = [RegisterRow("unit", "roads", {"name": {"ar": "الطرق"}}, 1), RegisterRow("unit", "audit", {}, 0)]


def test_the_register_is_seeded_once_and_then_the_database_rules(register: RegisterTable) -> None:
    assert register.seed(SEED) == 2
    assert register.register_rows() == register.register_rows("unit") == [SEED[1], SEED[0]]
    register.save_register("unit", "roads", {"name": {"ar": "طرق"}}, by="s-1", at=NOW, version=1)
    assert register.seed([*SEED, RegisterRow("body", "water", {})]) == 1
    assert register.register_rows("unit")[1] == RegisterRow("unit", "roads", {"name": {"ar": "طرق"}}, 1, True, 2)


def test_every_change_of_the_register_is_on_record(register: RegisterTable) -> None:
    assert register.save_register("unit", "parks", {"a": 1}, by="s-1", at=NOW, version=0, position=3) == 1
    assert register.save_register("unit", "parks", {"a": 2}, by="s-2", at=NOW, version=1, active=False) == 2
    changes = register.register_changes("unit", "parks")
    assert [(c.by, c.old and c.old["data"], c.new["data"], c.new["active"]) for c in changes] == [
        ("s-1", None, {"a": 1}, True), ("s-2", {"a": 1}, {"a": 2}, False),
    ]  # fmt: skip
    assert register.register_rows("unit") == [RegisterRow("unit", "parks", {"a": 2}, 3, False, 2)]
    for seen in (0, 1, 3):
        with pytest.raises(Stale):
            register.save_register("unit", "parks", {}, by="s-1", at=NOW, version=seen)


def test_facts_about_the_installation(house: House) -> Any:
    assert house.fact("installed") is None
    house.note_fact("installed", "2026")
    house.note_fact("installed", "2027")
    assert house.fact("installed") == "2027"
