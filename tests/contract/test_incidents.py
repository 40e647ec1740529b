"""One text reaches everybody of an incident once: two colleagues at the same moment, a double click, a process that died."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, select

from bot.handlers.house import UnknownTicket
from bot.handlers.incidents import Incidents, Overtaken
from bot.storage.incidents import Incidents as Read
from bot.storage.tables import entries, incident_updates, outbox, tickets
from bot.tickets.taxonomy import Register
from bot.tickets.ticket import NotAllowed
from tests import invariants
from tests.unit.desk.house import STAFF, Clock, Desk, fill, make, password_hash, read_register

SARA, KHALED = STAFF["agent"], STAFF["agent2"]
NEWS = "الخدمة متوقفة منذ الصباح ونعمل على إعادتها."


@pytest.fixture(scope="session")
def register(tmp_path_factory: pytest.TempPathFactory) -> Register:
    path = tmp_path_factory.mktemp("register") / "register.sqlite3"
    fill(path)
    return read_register(path)


@pytest.fixture
def desk(engine: Engine, register: Register) -> Iterator[Desk]:
    made = make(engine, register, Clock())
    for person in STAFF.values():
        made.doors.create_staff(person, password_hash(), made.clock())
    yield made
    assert invariants.check(engine) == []


@pytest.fixture
def incidents(desk: Desk) -> Incidents:
    return Incidents(desk.house)


@pytest.fixture
def seventeen(desk: Desk) -> list[str]:
    return [desk.file(f"الخدمة متوقفة {n}", desk.talk(f"t-{n}")).ref for n in range(17)]


def told(desk: Desk, words: str = NEWS) -> Counter[str]:
    """How often each ticket's person was told these words."""
    with desk.store.read() as db:
        return Counter(db.scalars(select(outbox.c.ref).where(outbox.c.text.contains(words))))


def verbs(desk: Desk, ref: str) -> list[str]:
    with desk.store.read() as db:
        return list(db.scalars(select(entries.c.verb).where(entries.c.ref == ref).order_by(entries.c.seq)))


def at_once(*calls: Any) -> list[Any]:
    """What each call gave or raised, begun at the same moment."""
    start = Barrier(len(calls))

    def one(call: Any) -> Any:
        start.wait()
        try:
            return call()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(one, calls))


def test_two_colleagues_at_once_and_nobody_is_told_twice(
    desk: Desk, incidents: Incidents, seventeen: list[str]
) -> None:
    id = incidents.join(seventeen, SARA, title="توقف المنصة")
    other = "عادت الخدمة."
    gave = at_once(
        lambda: incidents.tell(id, 1, "reply", NEWS, SARA), lambda: incidents.tell(id, 1, "reply", other, KHALED)
    )
    assert sorted(type(each).__name__ for each in gave) == ["Overtaken", "int"], gave
    first, second = told(desk), told(desk, other)
    assert sorted([len(first), len(second)]) == [0, 17] and set((first + second).values()) == {1}


def test_a_double_click_and_a_page_sent_again_tell_once(desk: Desk, incidents: Incidents, seventeen: list[str]) -> None:
    id = incidents.join(seventeen, SARA, title="توقف المنصة")
    gave = at_once(*[lambda: incidents.tell(id, 1, "reply", NEWS, SARA)] * 3)
    assert all(isinstance(each, int) for each in gave), gave
    assert incidents.tell(id, 1, "reply", NEWS, SARA) == 0
    assert told(desk) == Counter(seventeen)
    assert {tuple(verbs(desk, ref)) for ref in seventeen} == {("file", "link", "reply")}


def test_after_a_crash_a_colleague_goes_on_and_only_the_others_are_told(
    desk: Desk, incidents: Incidents, seventeen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends after six."""
    id = incidents.join(seventeen, SARA, title="توقف المنصة")
    act, done = desk.house.act, []

    def dies(ref: str, *args: Any, **more: Any) -> Any:
        if len(done) == 6:
            raise KeyboardInterrupt
        done.append(ref)
        return act(ref, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(desk.house, "act", dies)
        with pytest.raises(KeyboardInterrupt):
            incidents.tell(id, 1, "reply", NEWS, SARA)
    assert len(told(desk)) == 6
    found = Read(desk.queries.engine).incident(id, KHALED)
    assert found and found[2][0].reached == 6 and set(found[2][0].owed) == set(seventeen) - set(done)
    update = found[0].updates[0]
    at_once(lambda: incidents.go_on(id, update, KHALED), lambda: incidents.go_on(id, update, SARA))
    assert told(desk) == Counter(seventeen)
    again = Read(desk.queries.engine).incident(id, KHALED)
    assert again and again[2][0].reached == 17 and not again[2][0].owed
    assert {e.by.id for e in desk.stored(seventeen[-1]).history if e.verb == "reply"} == {SARA.id}, (
        "whose words they are"
    )


def test_all_are_resolved_with_one_text_and_the_incident_is_over(
    desk: Desk, incidents: Incidents, seventeen: list[str]
) -> None:
    id = incidents.join(seventeen, SARA, title="توقف المنصة")
    manager = STAFF["manager"]
    desk.house.act(seventeen[0], "close", manager.actor(), {"reason": "مكررة"}, staff=manager)
    desk.house.act(seventeen[1], "ask", manager.actor(), {"text": "ما رقم طلبك؟"}, staff=manager)
    assert incidents.tell(id, 1, "resolve", "عادت الخدمة.", SARA) == 16
    states = [desk.stored(ref).state for ref in seventeen]
    assert states == ["closed"] + ["resolved"] * 16
    with pytest.raises(Overtaken):
        incidents.tell(id, 2, "reply", NEWS, KHALED)
    with pytest.raises(NotAllowed):
        incidents.join([desk.file(talk=desk.talk("t-late")).ref], SARA, incident=id)
    assert [each.id for each in Read(desk.queries.engine).running(SARA)] == []


def test_who_leaves_is_told_nothing_more(desk: Desk, incidents: Incidents, seventeen: list[str]) -> None:
    id = incidents.join(seventeen, SARA, title="توقف المنصة")
    incidents.leave(seventeen[3], id, KHALED)
    assert desk.stored(seventeen[3]).incident is None
    assert incidents.tell(id, 1, "reply", NEWS, SARA) == 16
    assert seventeen[3] not in told(desk)
    incidents.join([seventeen[3]], SARA, incident=id)
    assert verbs(desk, seventeen[3]) == ["file", "link", "link", "link"]
    found = Read(desk.queries.engine).incident(id, SARA)
    assert found and not found[2][0].owed, "what was told before it came is not owed to it"


def test_joined_all_or_none_and_once(desk: Desk, incidents: Incidents, seventeen: list[str]) -> None:
    secret = desk.file("سر", desk.talk("t-secret"), flags={"confidential"}, unit="internal_audit")
    audit = STAFF["audit"]
    for who, wrong in ((SARA, UnknownTicket), (audit, NotAllowed)):
        with pytest.raises(wrong):
            incidents.join([secret.ref], who, title="توقف")
    with pytest.raises(UnknownTicket):
        incidents.join([*seventeen, secret.ref], SARA, title="توقف")
    with desk.store.read() as db:
        assert not db.scalars(select(tickets.c.incident).where(tickets.c.incident.is_not(None))).all()
    gave = at_once(*[lambda: incidents.join(seventeen, SARA, title="توقف", key="one-form")] * 2)
    assert gave[0] == gave[1] and {desk.stored(ref).incident for ref in seventeen} == {gave[0]}
    assert {len(verbs(desk, ref)) for ref in seventeen} == {2}


def test_nobody_reaches_a_ticket_that_they_may_not_see(desk: Desk, incidents: Incidents, seventeen: list[str]) -> None:
    """It went to internal audit after it was joined: who may see it goes on; for everybody else it is not there."""
    id = incidents.join(seventeen, SARA, title="توقف المنصة")
    desk.house.act(seventeen[0], "transfer", SARA.actor(), {"unit": "internal_audit", "reason": "لهم"}, staff=SARA)
    assert incidents.tell(id, 1, "reply", NEWS, KHALED) == 16 and seventeen[0] not in told(desk)
    mine = Read(desk.queries.engine).incident(id, KHALED)
    assert mine and len(mine[1]) == 16 and (mine[2][0].reached, mine[2][0].owed) == (16, ())
    audit = STAFF["audit"]
    theirs = Read(desk.queries.engine).incident(id, audit)
    assert theirs and [each.ref for each in theirs[1]] == [seventeen[0]] == list(theirs[2][0].owed)
    assert incidents.go_on(id, theirs[0].updates[0], audit) == 1
    assert told(desk) == Counter(seventeen)
    assert Read(desk.queries.engine).incident(id, STAFF["admin"]) is None


def test_a_ticket_is_joined_to_no_incident_that_is_not_there(desk: Desk, seventeen: list[str]) -> None:
    with pytest.raises(ValueError, match="incident"):
        desk.house.act(seventeen[0], "link", SARA.actor(), {"incident": "x"}, staff=SARA)
    with desk.store.read() as db:
        assert not db.execute(select(incident_updates)).all()
