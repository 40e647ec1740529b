"""The outbox as the post, files, codes and what was set aside, on both databases."""

from __future__ import annotations

import itertools
import random
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.handlers.ports import Say
from bot.storage.files import Files
from bot.storage.post import LEASE, Outcome, Post
from bot.storage.queue import Queue
from bot.storage.tables import attachments, conversations, outbox, set_aside, tickets
from channels.contract import Delivery, Failure
from tests.contract.house import NOW, House
from tests.invariants import check

LATER = NOW + timedelta(seconds=30)


@pytest.fixture
def post(house: House) -> Post:
    return Post(house)


def say(house: House, talk: Any, *keys: str, notice: bool = False, ref: str | None = None) -> None:
    for key in keys:
        with house.begin() as tx:
            assert tx.say(talk, None, Say("utter_n", key, notice=notice, ref=ref), NOW)


def row(house: House, key: str = "1") -> Any:
    with house.read() as connection:
        return connection.execute(select(outbox).where(outbox.c.key == key)).mappings().one()


def test_one_of_a_conversation_at_a_time_in_its_order_answers_before_notices(house: House, post: Post) -> None:
    talks = [house.talk("t-1", "whatsapp"), house.talk("t-2", "whatsapp", "c-2"), house.talk("t-3", "web", "c-3")]
    say(house, talks[1], "n", notice=True)
    for talk in talks:
        say(house, talk, "1", "2")
    taken = post.take("whatsapp", 9, NOW)
    assert [(each.conversation, each.key) for each in taken] == [("t-1", "1"), ("t-2", "n")]
    assert taken[0].address == talks[0].address and not taken[0].uncertain and taken[0].fence == 1
    assert post.take("whatsapp", 9, NOW) == [] == post.take("sms", 9, NOW)
    again = Outcome(taken[1], "created", "throttled", next_at=LATER)
    assert post.settle([Outcome(taken[0], "sent", provider_id="SM1"), again], NOW) == []
    assert [each.key for each in post.take("whatsapp", 9, NOW)] == ["2"], (
        "what failed for now holds up its own chat alone"
    )
    assert [each.key for each in post.take("whatsapp", 9, LATER)] == ["n"]
    assert check(house.engine) == []


def test_a_sender_that_comes_late_changes_nothing(house: House, post: Post) -> None:
    say(house, house.talk("t-1", "whatsapp"), "1")
    first = post.take("whatsapp", 1, NOW)[0]
    assert post.take("whatsapp", 1, NOW + LEASE - timedelta(seconds=1)) == []
    second = post.take("whatsapp", 1, NOW + LEASE)[0]
    assert second.uncertain and second.tried_at == NOW, "it was claimed and never ended: it may be there"
    assert post.settle([Outcome(first, "failed", "refused", "permanent")], NOW) == []
    assert row(house)["state"] == "sending"
    post.settle([Outcome(second, "sent", provider_id="SM1")], NOW)
    post.settle([Outcome(first, "created", next_at=NOW)], NOW)
    assert (row(house)["state"], row(house)["provider_id"]) == ("sent", "SM1")


@pytest.mark.parametrize("order", itertools.permutations(["sent", "delivered", "read", "failed"]))
def test_news_move_a_message_forward_only(house: House, post: Post, order: tuple[str, ...]) -> None:
    say(house, house.talk("t-1", "whatsapp"), "1")
    taken = post.take("whatsapp", 1, NOW)[0]
    post.settle([Outcome(taken, "sent", provider_id="SM1")], NOW)
    lost = []
    for state in order:
        for _ in range(2):
            failure = Failure.REFUSED if state == "failed" else None
            lost.append(post.news(Delivery("SM1", state, "30003", failure), NOW))
    found = row(house)
    assert found["state"] == "read" and found["failure"] == "" and found["delivered_at"] == NOW == found["read_at"]
    assert sum(each is not None for each in lost) == (
        order.index("failed") < min(map(order.index, ("delivered", "read")))
    )


def test_news_that_come_before_the_id_is_known_are_not_lost(house: House, post: Post) -> None:
    say(house, house.talk("t-1", "whatsapp"), "1", "2")
    taken = post.take("whatsapp", 1, NOW)[0]
    assert post.news(Delivery("SM1", "delivered"), NOW) is None
    post.settle([Outcome(taken, "sent", provider_id="SM1")], NOW)
    assert row(house)["state"] == "delivered"
    taken = post.take("whatsapp", 1, NOW)[0]
    post.news(Delivery("SM2", "sent", row=taken.id), NOW)
    assert (row(house, "2")["state"], row(house, "2")["provider_id"]) == ("sent", "SM2"), "the row's number came back"
    assert post.take("whatsapp", 1, NOW + LEASE) == []


def test_a_row_number_alone_moves_nothing_that_was_never_handed_over(house: House, post: Post) -> None:
    say(house, house.talk("t-1", "whatsapp"), "1")
    post.news(Delivery("SM9", "read", row=row(house)["id"]), NOW)
    assert row(house)["state"] == "created"


def test_a_free_text_that_came_too_late_waits_once_more(house: House, post: Post) -> None:
    say(house, house.talk("t-1", "whatsapp"), "1")
    post.settle([Outcome(post.take("whatsapp", 1, NOW)[0], "sent", provider_id="SM1")], NOW)
    assert post.news(Delivery("SM1", "failed", "63016", Failure.UNSUPPORTED), NOW, {"63016"}) is None
    again = post.take("whatsapp", 1, NOW)[0]
    assert "63016" in again.error
    post.settle([Outcome(again, "sent", provider_id="SM2", form="read")], NOW)
    assert post.news(Delivery("SM2", "failed", "63016", Failure.UNSUPPORTED), NOW, {"63016"}) is not None
    assert row(house)["failure"] == "temporary"


def test_what_is_held_goes_out_when_its_person_writes_or_is_given_up(house: House, post: Post) -> None:
    talk = house.talk("t-1", "whatsapp")
    say(house, talk, "1", "2", "3")
    for _ in range(2):
        post.settle([Outcome(post.take("whatsapp", 1, NOW)[0], "held")], NOW)
    with house.begin() as tx:
        assert tx.unhold("t-1") == 2
    assert post.take("whatsapp", 9, NOW)[0].key == "1", "the lowest number first"
    post.settle([Outcome(post.take("whatsapp", 9, NOW + LEASE)[0], "held")], NOW)
    assert post.overdue(NOW) == []
    assert [each.key for each in post.overdue(LATER)] == ["1"] and post.overdue(LATER) == []
    assert row(house)["state"] == "failed"


def test_what_is_not_sent_is_seen(house: House, post: Post) -> None:
    talk, other = house.talk("t-1", "whatsapp"), house.talk("t-2", "sms", "c-2")
    say(house, talk, "1")
    say(house, other, "2")
    post.settle([Outcome(post.take("whatsapp", 1, NOW)[0], "created", "unreachable", next_at=LATER)], NOW)
    post.settle([Outcome(post.take("sms", 1, NOW)[0], "sent", provider_id="SM2", segments=2)], NOW)
    assert post.trouble(NOW) == []
    found = post.trouble(LATER)
    assert [(each.scheme, each.waiting, each.error) for each in found] == [("whatsapp", 1, "unreachable")]
    assert post.segments_since(NOW) == 2 and post.segments_since(LATER) == 0
    assert post.known("t-2", NOW) == ["SM2"]


def test_when_a_provider_is_back_nothing_waits_for_its_hour(house: House, post: Post) -> None:
    talks = [house.talk("t-1", "whatsapp"), house.talk("t-2", "whatsapp", "c-2"), house.talk("t-3", "sms", "c-3")]
    for talk, scheme, why in zip(
        talks, ("whatsapp", "whatsapp", "sms"), ("unreachable 503", "throttled", "unreachable"), strict=True
    ):
        say(house, talk, "1" + talk.id)
        post.settle([Outcome(post.take(scheme, 1, NOW)[0], "created", why, next_at=LATER)], NOW)
    post.hurry("whatsapp", NOW)
    assert [each.conversation for each in post.take("whatsapp", 9, NOW)] == ["t-1"] and post.take("sms", 9, NOW) == []


def test_a_long_text_is_several_messages_with_the_choices_at_the_last(house: House, post: Post) -> None:
    house.sizes = lambda address, text, buttons: [text[:5], text[5:]]
    talk = house.talk("t-1", "whatsapp")
    with house.begin() as tx:
        assert tx.say(talk, None, Say("utter_n", "1", buttons=[{"title": "yes", "payload": "/y"}]), NOW)
    with house.begin() as tx:
        assert not tx.say(talk, None, Say("utter_n", "1"), NOW)
    assert [(r["key"], len(r["buttons"])) for r in (row(house), row(house, "1#2"))] == [("1", 0), ("1#2", 1)]
    assert talk.buttons and check(house.engine) == []
    with house.begin() as tx:
        assert tx.pressed("t-1", row(house, "1#2")["id"], 0)["payload"] == "/y"
        assert tx.pressed("t-1", row(house)["id"], 0) is None is tx.pressed("t-2", row(house, "1#2")["id"], 0)


def test_files_wait_with_the_draft_and_then_are_the_tickets(house: House) -> None:
    files, talk = Files(house), house.talk("t-1", "whatsapp")
    came = house.write("t-1", "")
    with house.begin() as tx:
        tx.add_files(
            "t-1",
            came.id,
            [{"kind": "photo", "source": "u"}, {"kind": "place", "place": {"latitude": 1.5}, "state": "kept"}],
            NOW,
        )
        assert tx.files_of([came.id]) == ["photo", "place"]
    taken = files.take(5, NOW)
    assert [(f.kind, f.scheme, f.source) for f in taken] == [("photo", "whatsapp", "u")] and files.take(5, NOW) == []
    house.file(talk=talk)
    with house.begin() as tx:
        assert tx.take_files("t-1", "6821093659") == 2
    files.kept(taken[0].id, "kept", "ab" * 32, 10, "image/jpeg", "photo.jpg")
    assert [(f.kind, f.state) for f in files.of_ticket("6821093659")] == [("photo", "kept"), ("place", "kept")]
    with house.read() as connection:
        assert connection.scalar(select(attachments.c.source).where(attachments.c.id == taken[0].id)) == ""


def test_who_sent_what_is_not_kept_is_told_once(house: House) -> None:
    files = Files(house)
    house.talk("t-1", "whatsapp")
    with house.begin() as tx:
        tx.add_files("t-1", None, [{"kind": "document", "source": "u"}], NOW)
    taken = files.take(5, NOW)[0]
    for _ in range(2):
        files.refused(taken, "type", NOW)
    assert row(house, f"file:{taken.id}")["name"] == "utter_file_refused_type"


def test_a_code_joins_two_addresses_once(house: House) -> None:
    first, second = house.talk("t-1", "web", "c-1"), house.talk("t-2", "whatsapp", "c-2")
    house.file(talk=second)
    with house.begin() as tx:
        tx.add_link_code("old", "c-1", NOW, LATER)
        tx.add_link_code("code", "c-1", NOW, LATER)
    with house.begin() as tx:
        assert tx.spend_link_code("old", NOW) is None, "a new code voids the one before"
        assert tx.spend_link_code("code", LATER) is None, "in time"
        assert tx.spend_link_code("code", NOW) == "c-1" and tx.spend_link_code("code", NOW) is None
        tx.join_contacts("c-2", "c-1")
        assert {talk.id for talk in tx.conversations_of("c-1")} == {"t-1", "t-2"}
        assert tx.preferred("c-1") is None, "where nothing was chosen, answers go where the ticket was filed"
        tx.prefer("c-1", "t-2")
        assert tx.preferred("c-1") == "t-2"
    with house.read() as connection:
        assert (
            connection.scalar(select(conversations.c.contact).where(conversations.c.id == second.id)) == first.contact
        )
        assert connection.scalar(select(tickets.c.contact)) == "c-1"


def test_what_cannot_be_dealt_with_is_kept_once_and_unread(house: House) -> None:
    queue = Queue(house)
    for _ in range(3):
        queue.set_aside("telegram", b'{"update_id": 1, "text": "\xff"}', "KeyError", NOW)
    with house.read() as connection:
        found = connection.execute(select(set_aside)).mappings().one()
    assert found["times"] == 3 and b"update_id" not in found["body_enc"]
    assert "update_id" in house.secrets.decrypt(found["body_enc"])


def test_news_and_outcomes_in_any_order_leave_one_end(house: House, post: Post) -> None:
    """A thousand random histories: never lost, never back."""
    talk, draw = house.talk("t-1", "whatsapp"), random.Random(7)
    for n in range(40):
        say(house, talk, f"k{n}")
        taken = post.take("whatsapp", 1, NOW)[0]
        told = [Delivery(f"SM{n}", s, failure=Failure.REFUSED if s == "failed" else None, row=taken.id) for s in
                draw.choices(["sent", "delivered", "read", "failed"], k=draw.randint(0, 5))]  # fmt: skip
        steps: list[Any] = [*told, Outcome(taken, "sent", provider_id=f"SM{n}")]
        draw.shuffle(steps)
        for step in steps:
            post.settle([step], NOW) if isinstance(step, Outcome) else post.news(step, NOW)
        ranks = {"sent": 0, "failed": 1, "delivered": 2, "read": 3}
        assert row(house, f"k{n}")["state"] == max(["sent", *(t.state for t in told)], key=ranks.__getitem__)
