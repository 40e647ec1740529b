"""The tables, their registry of personal data, and the migrations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Engine, event, insert, select, text

from bot.handlers.ports import Conversation, Incoming
from bot.storage import migrations
from bot.storage.database import open_engine
from bot.storage.files import Files
from bot.storage.migrations import HEAD, SchemaTooNew, migrate, revision
from bot.storage.post import Post
from bot.storage.queue import Queue
from bot.storage.tables import PERSONAL, conversations, holds, inbox, metadata, tickets
from bot.tickets.ticket import Ticket
from channels.contract import Delivery
from tests.contract.house import NOW, House

COLUMNS = [column for table in metadata.sorted_tables for column in table.columns]


@pytest.mark.parametrize("column", COLUMNS, ids=str)
def test_every_column_says_what_it_is_for_and_how_personal_it_is(column: Column[object]) -> None:
    assert column.comment and column.info["personal"] in PERSONAL
    assert column.table.comment


def test_every_field_of_a_ticket_and_of_a_conversation_has_its_column() -> None:
    assert {f.name for f in fields(Ticket)} - {"history"} <= set(tickets.c.keys())
    assert {f.name for f in fields(Conversation)} - {"address"} <= set(conversations.c.keys())
    assert {f.name for f in fields(Incoming)} <= set(inbox.c.keys())


def test_the_migrations_make_what_the_tables_say(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert revision(connection) == HEAD


def test_head_is_the_newest_file() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_many_processes_may_migrate_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    engines = [open_engine(f"sqlite:///{tmp_path / 'new.sqlite3'}") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(migrate, engines)) == [False, False, False, True]
    with engines[0].connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    for engine in engines:
        engine.dispose()


def test_old_code_refuses_a_newer_database_with_a_sentence(engine: Engine) -> None:
    assert migrate(engine) is False
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(SchemaTooNew, match=r"revision 9999, which is newer .* Nothing was changed"):
            migrate(engine)
    finally:
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": HEAD})


def test_a_json_list_is_searched_on_both_databases(house: House) -> None:
    house.file("6821093659")
    with house.engine.connect() as connection:
        for value, found in (("branch-7", 1), ("branch", 0), ('"branch-7"', 0)):
            query = select(tickets.c.ref).where(holds(tickets.c.hidden_from, value))
            assert len(connection.execute(query).all()) == found
            assert len(connection.execute(select(tickets.c.ref).where(~holds(tickets.c.hidden_from, value))).all()) == (
                1 - found
            )


def test_foreign_keys_hold(house: House) -> None:
    with pytest.raises(Exception, match="(?i)foreign key"), house.begin() as tx:
        tx.connection.execute(
            insert(inbox),
            {"conversation": "nobody", "seq": 1, "message_id": "m", "text": "x", "received_at": house.clock()},
        )


def test_no_question_of_a_turn_or_of_the_worker_reads_a_whole_table(house: House) -> None:
    if house.engine.dialect.name != "sqlite":
        pytest.skip("SQLite tells its plan without data to plan for")
    slow = []

    def explain(_: object, cursor: Any, statement: str, parameters: Any, *__: Any) -> None:
        if statement.startswith(("SELECT", "UPDATE")) and "count(*)" not in statement:
            plan = cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            slow.extend((step[3], statement) for step in plan if step[3].startswith("SCAN") and "INDEX" not in step[3])

    talk, queue = house.talk(), Queue(house)
    house.file(talk=talk, turn="turn-0")
    event.listen(house.engine, "before_cursor_execute", explain)
    house.write("t-1", "مرحبا")
    with house.begin() as tx:
        queue.claim(tx, "w", NOW)
    queue.look(1, NOW), queue.stuck(NOW)
    post, files = Post(house), Files(house)
    post.take("web", 9, NOW), post.news(Delivery("SM1", "sent"), NOW), post.overdue(NOW), files.take(3, NOW)
    post.known("t-1", NOW), post.segments_since(NOW), files.of_ticket("6821093659")
    house.outgoing("t-1"), house.transcript("t-1"), house.session_generation("t-1")
    with house.begin() as tx:
        tx.conversation("t-1"), tx.conversation_at(talk.address), tx.conversations_of("c-1")
        tx.waiting("t-1"), tx.unfinished_turn("t-1"), tx.start_turn([1], "turn-1", NOW), tx.finish([1], "done")
        tx.has_spoken("t-1", "turn-1"), tx.events("d-1"), tx.due(NOW), tx.guesses("c-1", NOW), tx.remembered("k")
        ticket = tx.ticket_of_turn("turn-0")
        tx.save_ticket(ticket, 1), tx.tickets_of("c-1"), tx.release("t-1", "w"), tx.postpone("t-1", NOW)
    slow = [step for step in slow if "SCAN anon" not in step[0]]
    assert slow == []
