"""What clerks write is kept, waits, goes out once or comes back; on both databases, with the real handlers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from bot import seeding
from bot.handlers.house import House as Handlers
from bot.handlers.ports import Stale
from bot.handlers.replies import KEPT, Replies, Waiting
from bot.storage.accounts import Accounts
from bot.storage.drafts import DraftTable
from bot.storage.registry import RegisterTable
from bot.storage.tables import desk_drafts, desk_notices, looking
from bot.tickets.people import Role, Staff
from bot.tickets.taxonomy import Register
from bot.tickets.ticket import Incomplete, NotAllowed, Ticket
from tests.contract.house import NOW, House

REF = "6821093659"
SARA = Staff("s-1", "sara@ministry.example", "سارة", Role.AGENT, "roads")
OMAR = Staff("s-2", "omar@ministry.example", "عمر", Role.AGENT, "roads")
_known: list[Register] = []


@pytest.fixture
def replies(house: House, clock: Any) -> Replies:
    """Ten seconds to undo, and a ticket of the two."""
    if not _known:
        table = RegisterTable(house)
        table.seed(seeding.rows(Path(__file__).parents[2] / "data"))
        _known.append(seeding.register(table, range(2026, 2028)))
    accounts = Accounts(house)
    for person in (SARA, OMAR):
        accounts.create_staff(person, "", NOW)

    def colleague(id: str) -> Staff | None:
        account = accounts.staff(id)
        return account.staff if account else None

    register = _known[0]
    handlers = Handlers(
        house,
        lambda: register,
        lambda: register.calendars["sa"],
        clock,
        house.secrets.digest,
        house.fold,
        "SA",
        colleague,
    )
    house.file(REF, house.talk())
    return Replies(DraftTable(house), handlers, colleague, clock, 10)


def ticket(house: House) -> Ticket:
    with house.begin() as tx:
        found = tx.ticket(REF)
    assert found
    return found


def verbs(house: House) -> list[str]:
    return [entry.verb for entry in ticket(house).history]


def told(house: House) -> list[tuple[str, str | None]]:
    with house.read() as db:
        return [(n.about, n.staff) for n in db.execute(select(desk_notices).where(desk_notices.c.about == "not_sent"))]


def test_nothing_happens_until_the_time_is_over_then_once(house: House, replies: Replies, clock: Any) -> None:
    replies.hold(ticket(house), "reply", SARA, {"text": "صدرت"}, 1)
    clock.forward(seconds=9.9)
    assert replies.send_due() == 0 and verbs(house) == ["file"] and replies.of(REF, SARA)["reply"].state == "waiting"
    clock.forward(seconds=0.2)
    assert replies.send_due() == 1 and verbs(house) == ["file", "reply"] and not replies.of(REF, SARA)
    assert replies.send_due() == 0 and replies.take_back(REF, SARA) is None


def test_taken_back_it_is_the_draft_again(house: House, replies: Replies, clock: Any) -> None:
    replies.hold(ticket(house), "resolve", SARA, {"text": "انتهى"}, 1)
    back = replies.take_back(REF, SARA)
    assert back and (back.verb, back.said, back.state) == ("resolve", {"text": "انتهى"}, "draft")
    clock.forward(minutes=1)
    assert replies.send_due() == 0 and verbs(house) == ["file"]
    assert replies.take_back(REF, SARA) is None and replies.of(REF, SARA)["resolve"].said == {"text": "انتهى"}


def test_what_died_on_its_way_is_done_once(house: House, replies: Replies, clock: Any) -> None:
    """Killed after the verb was committed, and killed before: the key lets it happen once."""
    table = DraftTable(house)
    replies.hold(ticket(house), "reply", SARA, {"text": "مرة"}, 1)
    clock.forward(seconds=11)
    draft = table.due(clock(), NOW)[0]
    assert table.begin(draft, clock()) and replies.take_back(REF, SARA) is None, "it is on its way"
    assert replies.send_due() == 0, "somebody is at it"
    handlers: Handlers = replies._house
    handlers.act(REF, "reply", SARA.actor(), draft.said, staff=SARA, seen=draft.seen, key=f"draft {draft.key}")
    clock.forward(seconds=6)
    assert (
        replies.send_due() == 1 and verbs(house) == ["file", "reply"] and not replies.of(REF, SARA) and not told(house)
    )
    replies.hold(ticket(house), "ask", SARA, {"text": "أين؟"}, 2)
    clock.forward(seconds=11)
    assert table.begin(table.due(clock(), NOW)[0], clock())
    clock.forward(seconds=6)
    assert replies.send_due() == 1 and verbs(house) == ["file", "reply", "ask"] and not replies.of(REF, SARA)


def test_many_workers_and_an_undo_at_the_same_moment(house: House, replies: Replies, clock: Any) -> None:
    """Either it went out and the box is empty, or it came back and nothing went out."""
    for n in range(8):
        replies.hold(ticket(house), "reply", SARA, {"text": f"رد {n}"}, None)
        before = len(verbs(house))
        clock.forward(seconds=10)
        with ThreadPoolExecutor(4) as pool:
            sent = [pool.submit(replies.send_due) for _ in range(3)]
            back = pool.submit(replies.take_back, REF, SARA).result()
            assert all(each.result() <= 1 for each in sent)
        replies.send_due()
        assert len(verbs(house)) == before + (0 if back else 1), n
        assert bool(replies.of(REF, SARA)) == bool(back)


@pytest.mark.parametrize("how", ["changed", "moved", "left", "role"])
def test_what_cannot_be_done_any_more_is_a_draft_again(house: House, replies: Replies, clock: Any, how: str) -> None:
    replies.hold(ticket(house), "reply", SARA, {"text": "متأخر"}, 1)
    handlers: Handlers = replies._house
    accounts = Accounts(house)
    if how == "changed":
        handlers.act(REF, "add", ticket(house).history[0].by, {"text": "وأيضًا"})
    elif how == "moved":
        accounts.change_staff("s-1", unit="parks")
    elif how == "left":
        accounts.change_staff("s-1", active=False)
    else:
        accounts.change_staff("s-1", role="oversight")
    clock.forward(seconds=11)
    assert replies.send_due() == 1 and "reply" not in verbs(house)
    draft = replies.of(REF, SARA)["reply"]
    assert (draft.state, draft.said, draft.send_at) == ("draft", {"text": "متأخر"}, None)
    assert draft.refused == ("error_stale" if how == "changed" else "error_not_allowed")
    assert told(house) == ([] if how == "left" else [("not_sent", "s-1")])
    assert replies.send_due() == 0, "it does not try for ever"


def test_what_could_not_be_done_now_is_refused_now(house: House, replies: Replies) -> None:
    now = ticket(house)
    with pytest.raises(Stale):
        replies.hold(now, "reply", SARA, {"text": "x"}, 7)
    with pytest.raises(Incomplete):
        replies.hold(now, "reply", SARA, {}, 1)
    with pytest.raises(NotAllowed):
        replies.hold(now, "reply", Staff("s-1", "", "", Role.OVERSIGHT, None, True), {"text": "x"}, 1)
    assert not replies.of(REF, SARA) and now.version == 1


def test_sent_twice_while_it_waits_it_is_sent_once(house: House, replies: Replies, clock: Any) -> None:
    replies.hold(ticket(house), "reply", SARA, {"text": "مرة"}, 1)
    replies.hold(ticket(house), "reply", SARA, {"text": "مرة"}, 1)
    with pytest.raises(Waiting):
        replies.hold(ticket(house), "reply", SARA, {"text": "غيرها"}, 1)
    clock.forward(seconds=11)
    assert replies.send_due() == 1 and verbs(house) == ["file", "reply"]


def test_going_on_with_the_ticket_sends_what_waits(house: House, replies: Replies) -> None:
    replies.hold(ticket(house), "reply", SARA, {"text": "أولًا"}, 1)
    assert replies.hurry(REF, "resolve", OMAR, 1) == 1 and verbs(house) == ["file"], "a colleague's is his own"
    assert replies.hurry(REF, "resolve", SARA, 1) == 2 and verbs(house) == ["file", "reply"]
    assert replies.hurry(REF, "resolve", SARA, 1) == 1, "nothing waits: a stale form is stale"


def test_a_draft_is_its_writers_alone_and_grows_old(house: House, replies: Replies, clock: Any) -> None:
    assert replies.keep(REF, "note", SARA, {"text": "بينـ\0ي وبين نفسي"}) and not replies.of(REF, OMAR)
    assert replies.keep(REF, "note", SARA, {"text": "بيني"}) and replies.of(REF, SARA)["note"].said == {"text": "بيني"}
    assert replies.keep(REF, "reply", OMAR, {"text": "لعمر"}) and list(replies.of(REF, SARA)) == ["note"]
    assert replies.keep(REF, "note", SARA, {"text": " "}) and not replies.of(REF, SARA), "nothing typed, nothing kept"
    replies.hold(ticket(house), "reply", SARA, {"text": "ينتظر"}, 1)
    assert not replies.keep(REF, "reply", SARA, {"text": "متأخر"}), "what waits is not typed over"
    replies.drop(REF, "reply", SARA)
    assert replies.of(REF, SARA)["reply"].said == {"text": "ينتظر"}
    clock.forward(days=KEPT.days, seconds=1)
    assert replies.forget() == 1 and not replies.of(REF, OMAR), "what waits is not forgotten"


def test_who_else_looks_within_a_minute(house: House, replies: Replies, clock: Any) -> None:
    assert list(replies.look(REF, SARA)) == [] and list(replies.look(REF, OMAR)) == ["سارة"]
    clock.forward(seconds=59)
    assert list(replies.lookers(REF, SARA)) == ["عمر"] and list(replies.look(REF, SARA)) == ["عمر"]
    clock.forward(seconds=2)
    assert list(replies.lookers(REF, SARA)) == [] and list(replies.lookers(REF, OMAR)) == ["سارة"]
    clock.forward(hours=2)
    replies.forget()
    with house.read() as db:
        assert db.execute(select(looking)).all() == []


def test_an_unreadable_draft_is_put_aside(house: House, replies: Replies, clock: Any) -> None:
    """Whatever stands in the row, the others go on."""
    replies.hold(ticket(house), "reply", SARA, {"text": "مكسور"}, 1)
    with house.writers.begin() as db:
        db.execute(update(desk_drafts).values(verb="dance"))
    clock.forward(seconds=11)
    assert replies.send_due() == 1 and replies.of(REF, SARA)["dance"].refused and verbs(house) == ["file"]
