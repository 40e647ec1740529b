"""What did not arrive takes another way; a second address is proved, and answers go where they are wanted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot import wiring
from bot.handlers.draft import Draft
from bot.handlers.undelivered import Lost, Undelivered
from bot.settings import load
from bot.storage.tables import desk_notices, outbox
from bot.tickets.people import Actor, Role
from channels.contract import Address, Incoming
from channels.lengths import segments
from tests.invariants import check

NUMBER = Address("whatsapp", "+966501234567", "+15005550006")
BSUID = Address("whatsapp", "SA.1A2B3C4D5E6F", "+15005550006")
TELEGRAM = Address("telegram", "42", "123")
CLERK = Actor("staff", "s-1", "سارة", Role.AGENT)


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[wiring.Rooms]:
    built = wiring.build(
        load(
            data_dir=tmp_path,
            twilio_account_sid="AC" + "a" * 32,
            twilio_auth_token="t",
            twilio_api_base="http://127.0.0.1:9",
            twilio_whatsapp_from="+15005550006",
            twilio_sms_from="SAWT",
            telegram_bot_token="123:abc",
            telegram_secret_token="s" * 20,
            telegram_api_base="http://127.0.0.1:9",
        )  # fmt: skip
    )
    yield built
    assert check(built.engine) == []
    built.engine.dispose()


class Person:
    """Somebody who writes from an address, and files."""

    def __init__(self, rooms: wiring.Rooms, address: Address) -> None:
        self.rooms, self.address = rooms, address
        rooms.arrive(Incoming(address, "m1", "السلام عليكم"))
        with rooms.store.begin() as tx:
            talk = tx.conversation_at(address)
        assert talk is not None
        self.talk = talk.id

    def file(self) -> str:
        draft = Draft(kind="complaint", category="processing_delay", text="لي شهرين وما احد رد علي")
        self.rooms.house.file(self.talk, "t1", draft)
        with self.rooms.store.begin() as tx:
            return tx.tickets_of(self.rooms.house.contact(self.talk))[0].ref


def said(rooms: wiring.Rooms, talk: str | None = None) -> list[Any]:
    with rooms.store.read() as connection:
        found = connection.execute(select(outbox).order_by(outbox.c.id)).mappings().all()
    return [row for row in found if talk is None or row["conversation"] == talk]


def lose(rooms: wiring.Rooms, row: Any) -> str:
    lost = Lost(row["conversation"], row["key"], row["name"], row["params"], row["ref"], row["notice"])
    return Undelivered(rooms.house, rooms._carried, rooms._sms_to)(lost)


def test_another_address_of_the_person_comes_first(rooms: wiring.Rooms) -> None:
    first, second = Person(rooms, NUMBER), Person(rooms, TELEGRAM)
    assert rooms.house.link(second.talk, rooms.house.link_code(first.talk)) == "ok"
    ref = first.file()
    rooms.house.act(ref, "reply", CLERK, {"text": "أنجزنا معاملتك"})
    notice = said(rooms, first.talk)[-1]
    assert notice["name"] == "notice_reply"
    assert [lose(rooms, notice), lose(rooms, notice)] == ["address", "address"]
    told = [row for row in said(rooms, second.talk) if row["name"] == "notice_reply"]
    assert len(told) == 1 and "أنجزنا معاملتك" in told[0]["text"]


def test_then_an_sms_of_two_parts_that_tells_nothing_and_asks_nothing(rooms: wiring.Rooms) -> None:
    person = Person(rooms, NUMBER)
    ref = person.file()
    rooms.house.act(ref, "resolve", CLERK, {"text": "كلام خاص جدا " * 40})
    assert lose(rooms, said(rooms, person.talk)[-1]) == "sms"
    sms = said(rooms)[-1]
    assert sms["name"] == "sms_update" and segments(sms["text"]) <= 2 and "كلام خاص" not in sms["text"]
    assert "أرسل" not in sms["text"] and "1" not in sms["text"].replace(ref[:4], "").replace(ref[4:8], "").replace(
        ref[8:], ""
    )
    with rooms.store.begin() as tx:
        assert {t.address.scheme for t in tx.conversations_of(rooms.house.contact(person.talk))} == {"whatsapp", "sms"}
    assert lose(rooms, sms) == "desk", "and when that is lost, too, a person looks after it"


@pytest.mark.parametrize("address", [BSUID, Address("whatsapp", "+15005550001", "+15005550006")])
def test_at_last_somebody_at_the_desk(rooms: wiring.Rooms, address: Address) -> None:
    """A user name has no telephone; a country that is not paid for gets no SMS."""
    person = Person(rooms, address)
    ref = person.file()
    rooms.house.act(ref, "transfer", CLERK, {"unit": "contact_centre", "reason": "x"})
    assert [lose(rooms, said(rooms, person.talk)[-1]) for _ in range(2)] == ["desk", "desk"]
    with rooms.store.begin() as tx:
        ticket = tx.ticket(ref)
    assert ticket and "needs_person" in ticket.flags and [e.verb for e in ticket.history].count("flag") == 1
    with rooms.store.read() as connection:
        assert "not_delivered" in set(connection.scalars(select(desk_notices.c.about)))


def test_a_question_that_did_not_arrive_pauses_nothing(rooms: wiring.Rooms) -> None:
    person = Person(rooms, BSUID)
    ref = person.file()
    rooms.house.act(ref, "ask", CLERK, {"text": "ما رقم الرخصة؟"})
    assert lose(rooms, said(rooms, person.talk)[-1]) == "desk"
    with rooms.store.begin() as tx:
        ticket = tx.ticket(ref)
    assert ticket and ticket.state != "waiting" and "undelivered" in [e.verb for e in ticket.history]


def test_answers_go_where_they_are_wanted(rooms: wiring.Rooms) -> None:
    first, second = Person(rooms, NUMBER), Person(rooms, TELEGRAM)
    ref = first.file()
    assert rooms.house.link(second.talk, rooms.house.link_code(first.talk)) == "ok"
    rooms.house.act(ref, "reply", CLERK, {"text": "قيد العمل"})
    assert said(rooms)[-1]["conversation"] == first.talk
    rooms.house.prefer(second.talk)
    rooms.house.act(ref, "resolve", CLERK, {"text": "تم"})
    assert said(rooms)[-1]["conversation"] == second.talk
    rooms.house.stop(second.talk, True)
    rooms.house.act(ref, "reopen", CLERK, {"reason": "x"})
    assert said(rooms)[-1]["conversation"] == first.talk, "a stop is never talked over"


def test_codes_cannot_be_guessed(rooms: wiring.Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    first, thief = Person(rooms, NUMBER), Person(rooms, TELEGRAM)
    code = rooms.house.link_code(first.talk)
    wrong = f"{(int(code) + 1) % 10**8:08}"
    assert [rooms.house.link(thief.talk, wrong) for _ in range(6)] == ["wrong"] * 5 + ["locked"]
    assert rooms.house.link(thief.talk, code) == "locked"
    for n in range(20):  # the same in twenty chats of five tries each
        other = Person(rooms, Address("telegram", f"9{n}", "123"))
        answers = [rooms.house.link(other.talk, wrong) for _ in range(5)]
    assert answers[-1] == "locked", "and then nobody's code is taken for a while"
    fresh = rooms.house.link_code(first.talk)
    later = rooms.clock() + timedelta(minutes=11)
    monkeypatch.setattr(rooms.house, "clock", lambda: later)
    assert rooms.house.link(Person(rooms, Address("telegram", "77", "123")).talk, fresh) == "wrong", (
        "ten minutes are over"
    )
