"""What providers bring is stored once, with its conversation, its files and what it means; on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from bot.handlers.ports import Say
from bot.handlers.receive import FILES, Reception
from bot.storage.post import Outcome, Post
from bot.storage.tables import attachments, conversations, inbox, outbox
from channels.contract import UNREAD, Address, Incoming, MediaRef, Place
from tests.contract.house import NOW, House
from tests.invariants import check

CAME = Incoming(Address("whatsapp", "+966501234567", "+966110000000"), "SM1", "السلام عليكم")


@pytest.fixture
def reception(house: House, clock: Any) -> Reception:
    return Reception(house, clock)


def rows(house: House, table: Any) -> list[Any]:
    with house.read() as connection:
        return list(connection.execute(select(table).order_by(table.c.id)).mappings())


def spoken(house: House) -> list[str]:
    return [row["name"] for row in rows(house, outbox)]


def test_the_same_message_at_the_same_moment_is_one(house: House, reception: Reception) -> None:
    barrier = threading.Barrier(12)

    def arrive(n: int) -> bool:
        barrier.wait()
        return reception.arrive(CAME)

    with ThreadPoolExecutor(12) as pool:
        stored = list(pool.map(arrive, range(12)))
    assert sum(stored) == 1 and not reception.arrive(CAME)
    assert len(rows(house, conversations)) == len(rows(house, inbox)) == 1
    assert spoken(house) == ["utter_welcome"], "who is speaking and the privacy sentence come first, once"
    assert reception.arrive(replace(CAME, message_id="SM2")) and check(house.engine) == []


def test_an_account_of_ours_is_part_of_who_somebody_is(house: House, reception: Reception) -> None:
    reception.arrive(CAME)
    reception.arrive(replace(CAME, address=replace(CAME.address, account="+966110000001")))
    reception.arrive(replace(CAME, address=Address("sms", "+966501234567", "+966110000000")))
    assert len(rows(house, conversations)) == 3
    stored = rows(house, conversations)[0]
    assert b"966501234567" not in stored["address_enc"] and "966501234567" not in stored["address_hash"]


def test_a_user_name_is_an_address_like_any_other(house: House, reception: Reception) -> None:
    reception.arrive(replace(CAME, address=Address("whatsapp", "SA.1A2B3C4D5E6F")))
    assert house.secrets.decrypt(rows(house, conversations)[0]["address_enc"]) == "SA.1A2B3C4D5E6F"


def test_a_button_is_believed_where_it_was_offered(house: House, reception: Reception) -> None:
    reception.arrive(CAME)
    talk = rows(house, conversations)[0]["id"]
    with house.begin() as tx:
        found = tx.conversation(talk)
        tx.say(found, None, Say("utter_n", "1", buttons=[{"title": "file", "payload": '/press{"do":"file"}'}]), NOW)
    offered = rows(house, outbox)[-1]["id"]
    stranger = Address("whatsapp", "+966509999999")
    reception.arrive(replace(CAME, message_id="SM2", text="", button=f"{offered}:0"))
    reception.arrive(replace(CAME, message_id="SM3", text="", button=f"{offered}:7"))
    reception.arrive(replace(CAME, message_id="SM4", text="", button='/press{"do":"file"}'))
    reception.arrive(replace(CAME, address=stranger, message_id="SM5", text="", button=f"{offered}:0"))
    assert [(row["text"], row["payload"]) for row in rows(house, inbox)[1:]] == [
        ("ar file", '/press{"do":"file"}'), ("", None), ('/press{"do":"file"}', None), ("", None),
    ]  # fmt: skip


def test_files_and_places_are_kept_beside_the_words(house: House, reception: Reception) -> None:
    photo = MediaRef("https://api.twilio.com/m/1", "photo", "image/jpeg", "", 100)
    reception.arrive(replace(CAME, files=(photo,)))
    reception.arrive(replace(CAME, message_id="SM2", text=" ", files=(photo,), place=Place(24.7, 46.7, "الرياض")))
    assert [(row["payload"], row["files"]) for row in rows(house, inbox)] == [(None, 1), (FILES, 2)]
    kept = rows(house, attachments)
    assert [(row["kind"], row["state"]) for row in kept] == [
        ("photo", "waiting"),
        ("photo", "waiting"),
        ("place", "kept"),
    ]
    assert kept[2]["place"] == {"latitude": 24.7, "longitude": 46.7, "name": "الرياض"}
    reception.arrive(replace(CAME, files=(photo,)))
    assert len(rows(house, attachments)) == 3, "a message that came before brings nothing again"


@pytest.mark.parametrize("unread", UNREAD)
def test_what_cannot_be_read_has_one_fixed_answer(house: House, reception: Reception, unread: str) -> None:
    for n in range(2):
        reception.arrive(replace(CAME, message_id=f"SM{n}", text="", unread=unread))
    answers = [name for name in spoken(house) if name != "utter_welcome"]
    assert answers == [f"utter_unread_{unread}"] * (1 if unread in ("reaction", "group") else 2)
    assert {(row["state"], row["reason"]) for row in rows(house, inbox)} == {("done", f"cannot be read: {unread}")}
    assert ("utter_welcome" in spoken(house)) == (unread != "group"), "others in a group are not greeted"
    assert check(house.engine) == []


def test_a_stop_that_the_provider_dealt_with_is_noted_and_not_answered(house: House, reception: Reception) -> None:
    reception.arrive(CAME)
    reception.arrive(replace(CAME, message_id="SM2", text="STOP", opt="stop"))
    assert rows(house, conversations)[0]["stopped_at"] is not None and spoken(house) == ["utter_welcome"]
    reception.arrive(replace(CAME, message_id="SM3", text="START", opt="start"))
    assert rows(house, conversations)[0]["stopped_at"] is None


def test_the_first_start_is_answered_by_the_welcome_a_later_one_goes_on(house: House, reception: Reception) -> None:
    telegram = replace(CAME, address=Address("telegram", "42", "1"), text="/start", language="en")
    reception.arrive(telegram)
    reception.arrive(replace(telegram, message_id="SM2"))
    assert [(row["text"], row["state"]) for row in rows(house, inbox)] == [("start", "done"), ("start", "waiting")]
    assert rows(house, conversations)[0]["language"] == "en"


def test_whoever_writes_gets_what_was_held(house: House, reception: Reception, clock: Any) -> None:
    post = Post(house)
    reception.arrive(CAME)
    talk = rows(house, conversations)[0]["id"]
    post.settle([Outcome(post.take("whatsapp", 1, NOW)[0], "sent", provider_id="SM0")], NOW)
    with house.begin() as tx:
        tx.say(tx.conversation(talk), None, Say("notice_reply", "6821093659:2", notice=True), NOW)
    post.settle([Outcome(post.take("whatsapp", 1, NOW)[0], "held")], NOW)
    clock.forward(hours=30)
    reception.arrive(replace(CAME, message_id="SM2", text=" ١ "))
    last = rows(house, inbox)[-1]
    assert (last["state"], last["reason"]) == ("done", "asked to read"), "the answer is what was held"
    assert post.take("whatsapp", 9, clock() + timedelta(seconds=1))[0].name == "notice_reply"
    reception.arrive(replace(CAME, message_id="SM3", text="1"))
    assert rows(house, inbox)[-1]["state"] == "waiting", "with nothing held a number is a number"


def test_strangers_at_once_are_as_many_conversations(house: House, reception: Reception) -> None:
    def arrive(n: int) -> bool:
        return reception.arrive(replace(CAME, address=Address("sms", f"+96650{n:07}")))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(arrive, range(200)))
    with house.read() as connection:
        assert connection.scalar(select(func.count()).select_from(conversations)) == 200
