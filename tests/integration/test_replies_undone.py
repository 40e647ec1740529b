"""Ten seconds to undo in the real house: nothing is sent before, and once only whatever dies; and what a preview tells."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot import wiring
from bot.handlers.draft import Draft
from bot.handlers.replies import Preview
from bot.settings import load
from bot.storage.tables import outbox
from bot.tickets.people import Role, Staff
from channels.contract import Address, Incoming
from channels.lengths import segments
from tests.integration.doors import Clerk, House
from tests.running import eventually

CLERK = Staff("s-agent", "agent@example.test", "سارة", Role.AGENT, "contact_centre", True)


def verbs(house: House, ref: str) -> list[str]:
    return [verb for (verb,) in house.rows("SELECT verb FROM entries WHERE ref = ? ORDER BY seq", ref)]


def test_a_reply_waits_is_taken_back_and_goes_out_by_itself(house_of: Callable[..., House], peer_of: Any) -> None:
    house = house_of(UNDO_SECONDS="2")
    peer_of(house)
    chat = house.chat()
    ref, clerk = chat.file(), Clerk(house.url, "agent@example.test")
    where = f"/desk/tickets/{ref}"
    assert clerk.post(f"{where}/reply", text="صدرت الرخصة").headers["location"] == where
    assert "صدرت الرخصة" in clerk.get(where).text and verbs(house, ref) == ["file"]
    assert clerk.post(f"{where}/undo").headers["location"].endswith("undo=done#reply")
    assert "صدرت الرخصة</textarea>" in clerk.get(where).text
    assert clerk.post(f"{where}/reply", text="صدرت الرخصة أمس").status_code == 303
    eventually(lambda: verbs(house, ref) == ["file", "reply"], 6, "it goes out by itself")
    assert (
        any("صدرت الرخصة أمس" in said for said in chat.answers(3))
        and house.one("SELECT count(*) FROM desk_drafts") == 0
    )
    assert "صدرت" not in house.log(), "no words in the log"


@pytest.mark.parametrize("point", ["reply-begun", "reply-done"])
def test_killed_on_its_way_it_goes_out_once(
    house_of: Callable[..., House], peer_of: Any, tmp_path: Path, point: str
) -> None:
    """Before the verb was committed, and after it: the next start does what is left to do."""
    house = house_of(UNDO_SECONDS="1", FAULT=f"{point}@{tmp_path / 'fault'}")
    peer_of(house)
    chat = house.chat()
    ref, clerk = chat.file(), Clerk(house.url, "agent@example.test")
    assert clerk.post(f"/desk/tickets/{ref}/resolve", text="انتهى العمل").status_code == 303
    assert house.house
    assert house.house.wait(10) == 137, "it died where it was told to"
    assert verbs(house, ref) == ["file"] + (["resolve"] if point == "reply-done" else [])
    house.start_house()
    house.wait_house()
    eventually(lambda: house.one("SELECT count(*) FROM desk_drafts") == 0, 15, "it is done")
    assert verbs(house, ref) == ["file", "resolve"]
    assert house.one("SELECT count(*) FROM outbox WHERE name = 'notice_resolve'") == 1


# What is told before it is sent


def rooms(data: Path, **more: Any) -> wiring.Rooms:
    return wiring.build(
        load(
            data_dir=data, twilio_account_sid="AC" + "a" * 32, twilio_auth_token="t", twilio_api_base="http://127.0.0.1:9",
            twilio_whatsapp_from="+15005550006", twilio_sms_from="SAWT", telegram_bot_token="123:abc",
            telegram_secret_token="s" * 20, telegram_api_base="http://127.0.0.1:9", sms_price=0.05, **more,
        )
    )  # fmt: skip


def told(house: wiring.Rooms, address: Address, hours: float = 0, text: str = "م" * 300) -> Preview:
    """What a clerk is told of a reply to somebody who wrote from there so long ago."""
    assert house.arrive(Incoming(address, f"m-{address.scheme}", "السلام عليكم"))
    with house.store.begin() as tx:
        talk = tx.conversation_at(address)
    assert talk
    house.house.file(talk.id, f"t-{talk.id}", Draft(kind="complaint", category="other", text="متأخر"))
    with house.store.begin() as tx:
        ticket = tx.tickets_of(talk.contact)[0]
        now = tx.conversation(talk.id)
        assert now
        now.last_in_at = house.clock() - timedelta(hours=hours)
        tx.save_conversation(now)
    return house.previews()(ticket, "reply", CLERK, text)


NUMBER = Address("whatsapp", "+966501234567", "+15005550006")
NO_TEMPLATES = "read: {}\nstatus: {}\n"


def test_each_way_is_told_before_it_is_taken(tmp_path: Path) -> None:
    """In the window, behind a template, as an SMS notice, or not at all."""
    (tmp_path / "none.yml").write_text(NO_TEMPLATES)
    house = rooms(tmp_path / "a", templates=tmp_path / "none.yml")
    inside = told(house, NUMBER, 1)
    assert (inside.form, inside.mask, inside.segments) == ("text", "•••4567", 0) and inside.left
    assert timedelta(hours=22, minutes=59) < inside.left < timedelta(hours=23, seconds=1)
    house.engine.dispose()
    house = rooms(tmp_path / "b", templates=tmp_path / "none.yml")
    outside = told(house, NUMBER, 25)
    assert (outside.form, outside.left, outside.refused) == ("notice", timedelta(0), "")
    assert outside.segments == 2 and outside.cost == pytest.approx(0.1), "an SMS of two parts, whatever was written"
    house.engine.dispose()
    house = rooms(tmp_path / "c", templates=tmp_path / "none.yml", sms_daily_cap=0.05)
    assert told(house, NUMBER, 25).refused == "cap"
    house.engine.dispose()
    house = rooms(tmp_path / "d", templates=tmp_path / "none.yml", sms_countries="JO")
    assert told(house, NUMBER, 25).form == "lost", "no SMS goes to that country unasked"
    house.engine.dispose()


def test_where_nobody_can_answer_an_sms_it_is_a_notice(tmp_path: Path) -> None:
    house = rooms(tmp_path)
    preview = told(house, Address("sms", "+966501234567", "SAWT"))
    assert preview.form == "notice" and preview.segments == 2 and preview.mask == "•••4567"
    american = told(house, Address("sms", "+12025550123", "SAWT"), text="x" * 10)
    assert american.form == "text" and american.segments >= 2
    house.engine.dispose()


def test_what_is_told_is_what_is_sent(tmp_path: Path) -> None:
    """The preview counts the very parts that the outbox then holds, with what the house adds to the words."""
    house = rooms(tmp_path)
    address = Address("sms", "+12025550123", "SAWT")
    preview = told(house, address, text="كلمة " * 90)
    with house.store.begin() as tx:
        talk = tx.conversation_at(address)
        assert talk
        ticket = tx.tickets_of(talk.contact)[0]
    house.house.act(ticket.ref, "reply", CLERK.actor(), {"text": ("كلمة " * 90).strip()})
    with house.store.read() as db:
        query = select(outbox.c.text).where(outbox.c.name == "notice_reply").order_by(outbox.c.seq)
        sent = list(db.scalars(query))
    assert preview.segments == sum(segments(text) for text in sent) and preview.messages == len(sent)
    house.engine.dispose()
