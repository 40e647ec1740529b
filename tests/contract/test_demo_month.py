"""`python -m bot seed --demo`: a month that the house itself would have made, once, where it can harm nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from secrets import token_urlsafe
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from bot import settings as settings_
from bot import wiring
from bot.demo.matters import Texts
from bot.demo.month import Clock
from bot.demo.seed import month, seed
from bot.handlers.draft import Draft
from bot.settings import Settings
from bot.storage import tables
from bot.storage.database import open_engine
from bot.tickets.lifecycle import LIVE
from channels.contract import Address
from tests import invariants
from tests.contract.conftest import empty

UNTIL = datetime(2026, 11, 25, 10, 15, tzinfo=UTC)


def development(folder: Path, **more: Any) -> Settings:
    return settings_.load(_env_file=None, data_dir=folder, **({"database_url": ""} | more))


def counts(settings: Settings) -> dict[str, int]:
    engine = open_engine(settings.database_url)
    with engine.connect() as db:
        found = {t.name: db.scalar(select(func.count()).select_from(t)) or 0 for t in tables.metadata.sorted_tables}
    engine.dispose()
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A database with the month in it."""
    settings = development(tmp_path_factory.mktemp("month"))
    assert seed(settings, UNTIL) == 0
    yield settings


@pytest.fixture
def engine_of(whole: Settings) -> Iterator[Engine]:
    engine = open_engine(whole.database_url)
    yield engine
    engine.dispose()


def rows(engine: Engine, *columns: Any) -> list[Any]:
    with engine.connect() as db:
        return list(db.execute(select(*columns)))


def test_the_month_is_one_that_the_house_would_have_made(engine_of: Engine) -> None:
    assert invariants.check(engine_of) == []


def test_every_kind_of_work_is_in_it(engine_of: Engine) -> None:
    t, e = tables.tickets.c, tables.entries.c
    found = rows(engine_of, t.kind, t.category, t.service, t.source, t.state, t.confidential, t.urgent, t.needs_person)
    assert 210 <= len(found) <= 230
    assert {r.kind for r in found} == {"inquiry", "complaint", "suggestion", "report", "observation"}
    assert len({r.category for r in found}) == 14 and len({r.service for r in found}) >= 30
    assert {r.source for r in found} == {"web", "whatsapp", "sms", "telegram"}
    assert sum(r.state in LIVE for r in found) >= 20
    assert all(any(getattr(r, flag) for r in found) for flag in ("confidential", "urgent", "needs_person"))
    verbs = {r.verb for r in rows(engine_of, e.verb)}
    wanted = "reply ask note assign transfer extend escalate classify resolve close redirect study accept decline add"
    assert set(wanted.split()) | {"withdraw", "rate", "reopen", "warn", "break", "remind"} <= verbs
    ratings = {r.said.get("rating") for r in rows(engine_of, e.verb, e.said) if r.verb == "rate"}
    assert ratings == {1, 2, 3, 4, 5}


def test_it_is_thirty_days_long_and_some_of_it_is_of_today(engine_of: Engine) -> None:
    opened = sorted(r.opened_at for r in rows(engine_of, tables.tickets.c.opened_at))
    assert UNTIL - timedelta(days=30) <= opened[0] and opened[-1] <= UNTIL
    assert sum(at > UNTIL - timedelta(hours=8) for at in opened) >= 10
    ends = [rows(engine_of, func.max(c))[0][0] for c in (tables.entries.c.at, tables.outbox.c.created_at)]
    assert max(ends) <= UNTIL


def test_nothing_is_left_that_would_be_sent(whole: Settings) -> None:
    rooms = wiring.build(whole, Clock(UNTIL))
    states = {r.state for r in rows(rooms.engine, tables.outbox.c.state)}
    assert states == {"sent", "delivered", "read", "failed"}
    far = UNTIL + timedelta(days=2)
    assert [rooms.post.take(scheme, 10, far) for scheme in ("whatsapp", "sms", "telegram")] == [[], [], []]
    assert rooms.post.owed() == [] and rooms.post.overdue(far) == []
    with rooms.store.begin() as tx:
        assert tx.due(UNTIL) == []
    assert rooms.queue.look(10, far) == (0, None)
    rooms.engine.dispose()


def test_nobody_real_is_in_it(whole: Settings) -> None:
    """Addresses are numbers for films, Telegram's test accounts, and sessions of no browser."""
    rooms = wiring.build(whole, Clock(UNTIL))
    kept = rows(rooms.engine, tables.conversations.c.scheme, tables.conversations.c.address_enc)
    reserved = {
        "whatsapp": r"\+447700900\d{3}",
        "sms": r"\+447700900\d{3}",
        "telegram": r"9996600\d{3}",
        "web": r"demo-.*",
    }
    for row in kept:
        assert re.fullmatch(reserved[row.scheme], rooms.secrets.decrypt(row.address_enc))
    rooms.engine.dispose()


def test_a_second_time_it_says_so_and_changes_nothing(whole: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    before = counts(whole)
    assert seed(whole) == 0
    assert "there already" in capsys.readouterr().out
    assert counts(whole) == before


def test_where_people_have_written_none_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = development(tmp_path)
    rooms = wiring.build(settings)
    talk = rooms.reception.welcome(Address("web", "somebody"), "ar")
    rooms.house.file(talk, "t1", Draft("complaint", "other", text="لم يرد علي أحد"))
    rooms.engine.dispose()
    before = counts(settings)
    assert seed(settings) == 2
    assert "1 tickets here already" in capsys.readouterr().err
    assert counts(settings) == before


def test_while_a_house_runs_none_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = development(tmp_path)
    rooms = wiring.build(settings)
    assert rooms.queue.lease("clock", "worker-1", datetime.now(UTC) + timedelta(seconds=15))
    rooms.engine.dispose()
    assert seed(settings) == 2
    assert "Stop it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"host": "0.0.0.0", "public_url": "https://sawt.example.test", "seed_password": ""}, "development"),
        ({"telegram_bot_token": "123456:" + "a" * 35, "telegram_secret_token": "s" * 40}, "account"),
    ],
)
def test_where_others_could_be_reached_none_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: dict[str, str], told: str
) -> None:
    settings = development(tmp_path, secret_key=token_urlsafe(48), assistant_secret=token_urlsafe(48), **given)
    assert seed(settings) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "sawt.db").exists()


def test_the_same_time_makes_the_same_month(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        rooms, _ = month(development(tmp_path / name), UNTIL, count=25)
        with rooms.engine.connect() as db:
            e, t = tables.entries.c, tables.tickets.c
            query = select(t.text, e.verb, e.at, e.by_name).join(tables.tickets, t.ref == e.ref)
            made.append(sorted(tuple(row) for row in db.execute(query)))
        rooms.engine.dispose()
    assert made[0] == made[1]


def test_on_postgresql_too(tmp_path: Path, postgresql_engine: Engine | None) -> None:
    if postgresql_engine is None:
        pytest.skip("no PostgreSQL answers")
    empty(postgresql_engine)
    url = postgresql_engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    rooms, tickets = month(development(tmp_path, database_url=url), UNTIL, count=40)
    assert tickets == 40
    assert invariants.check(rooms.engine) == []
    rooms.engine.dispose()
    empty(postgresql_engine)


# The texts


def test_the_texts_are_many_and_name_what_the_register_has(whole: Settings) -> None:
    texts = Texts(wiring.DATA / "demo.yml", Random(1))
    register = wiring.build(whole, Clock(UNTIL)).register()
    matters = texts.all()
    assert len({m.text for m in matters}) >= 90
    assert len({reply for m in matters for reply in m.replies}) >= 40
    assert {m.variety for m in matters} == {"gulf", "levantine", "egyptian", "arabic", "arabizi", "english", "chinese"}
    for m in matters:
        assert m.category in register.categories and m.kind in register.kinds, m.text
        assert m.subcategory is None or register.subcategories[m.subcategory].category == m.category, m.text
        assert m.service is None or m.service in register.services, m.text
        assert m.body is None or m.body in register.bodies, m.text
        assert m.colleagues is None or m.colleagues in register.units, m.text


def test_staff_answer_in_the_persons_language() -> None:
    latin, arabic = re.compile("[A-Za-z]"), re.compile("[\u0600-\u06ff]")
    for m in Texts(wiring.DATA / "demo.yml", Random(1)).all():
        for reply in (*m.replies, *m.declines, *m.implements, *(q for q, _ in m.questions)):
            assert not (latin if m.language == "ar" else arabic).search(reply), reply
