"""The queue: views, filters, the next ticket; many tickets at once; a colleague's tickets handed over."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import select, update

from bot.storage.place import fill
from bot.storage.tables import tickets
from bot.tickets.people import Role, Staff
from tests.unit.desk.house import NOW, STAFF, URL, Desk

AGENT, CENTRE, SENIOR = STAFF["agent2"], STAFF["agent"], STAFF["manager"]
COLLEAGUES = (
    Staff("s-c1", "c1@example.test", "ريم", Role.AGENT, "industrial_licensing"),
    Staff("s-c2", "c2@example.test", "سلمان", Role.AGENT, "industrial_licensing"),
    Staff("s-boss", "boss@example.test", "رئيسة", Role.SUPERVISOR, "industrial_licensing"),
)


def refs(page: Any) -> list[str]:
    return re.findall(r'class="matter" href="/desk/tickets/(\d{10})"', page.text)


def act(desk: Desk, ref: str, verb: str, by: Staff = AGENT, **said: str) -> None:
    desk.house.act(ref, verb, by.actor(), said, staff=by)


def joined(desk: Desk) -> None:
    for each in COLLEAGUES:
        desk.doors.create_staff(each, "", NOW)


def every_view(desk: Desk) -> dict[str, list[str]]:
    """One ticket for each view, by what it is there for."""
    late = desk.file("متأخرة")
    desk.clock.pass_(days=6)
    mine, asked, raised, free = (desk.file(text) for text in ("تذكرتي", "سألنا", "صعّدنا", "حرة"))
    act(desk, mine.ref, "assign", staff=AGENT.id)
    for each in (late, asked, raised):
        act(desk, each.ref, "assign", by=SENIOR, staff=SENIOR.id)
    act(desk, asked.ref, "ask", text="ما الرقم؟")
    act(desk, raised.ref, "escalate", reason="تحتاج قرارًا")
    return {"late": late.ref, "mine": mine.ref, "waiting": asked.ref, "escalated": raised.ref, "unassigned": free.ref}


def test_each_view_holds_what_it_says_and_its_count_says_how_many(the_desk: Desk) -> None:
    made = every_view(the_desk)
    clerk = the_desk.browser("agent2")
    counts = clerk.get("/desk/counts").json()["counts"]
    for view, ref in made.items():
        assert refs(clerk.get("/desk", view=view)) == [ref], view
        assert counts[view] == 1, view
    assert counts["unit"] == counts["all"] == 5 and counts["at_risk"] == 0
    due = the_desk.stored(made["unassigned"]).promise.due
    the_desk.clock.at = due - timedelta(hours=3)
    clerk = the_desk.browser("agent2")
    assert set(refs(clerk.get("/desk", view="at_risk"))) == {made["mine"], made["escalated"], made["unassigned"]}
    assert clerk.get("/desk/counts").json()["counts"]["at_risk"] == 3


def test_an_escalation_is_open_until_a_reply_of_substance(the_desk: Desk) -> None:
    ticket = the_desk.file()
    act(the_desk, ticket.ref, "escalate", reason="قرار")
    act(the_desk, ticket.ref, "note", text="نبحث")
    clerk = the_desk.browser("agent2")
    assert refs(clerk.get("/desk", view="escalated")) == [ticket.ref]
    act(the_desk, ticket.ref, "reply", text="هذا قرارنا")
    assert refs(clerk.get("/desk", view="escalated")) == []


def test_rows_that_are_older_than_the_columns_get_the_same_place(the_desk: Desk) -> None:
    every_view(the_desk)
    urgent = the_desk.file("حريق", flags={"urgent"})
    act(the_desk, urgent.ref, "resolve", text="انتهى")
    the_desk.file("حريق آخر", flags={"urgent"})
    broken = the_desk.file("وعد")
    the_desk.clock.at = broken.promise.due + timedelta(minutes=5)
    the_desk.house.tick(broken.ref)
    of = select(tickets.c.ref, tickets.c.lane, tickets.c.queue_at, tickets.c.escalated).order_by(tickets.c.ref)
    with the_desk.store.writers.begin() as db:
        before = db.execute(of).all()
        db.execute(update(tickets).values(lane=3, queue_at=NOW, escalated=False))
        fill(db)
        after = db.execute(of).all()
    for old, new in zip(before, after, strict=True):
        assert (old.lane, old.escalated) == (new.lane, new.escalated)
        assert abs(old.queue_at - new.queue_at) < timedelta(seconds=1), "the newest first, to the second"


@pytest.mark.parametrize(
    ("name", "value", "fields"),
    [
        ("kind", "inquiry", {"kind": "inquiry"}),
        ("service", "certificate_of_origin", {"service": "certificate_of_origin"}),
        ("class", "A", {"service_class": "A"}),
        ("channel", "sms", {"source": "sms"}),
        ("language", "zh", {"language": "zh"}),
        ("flag", "abuse", {"flags": {"abuse"}}),
    ],
)
def test_filters(the_desk: Desk, name: str, value: str, fields: dict[str, Any]) -> None:
    found = the_desk.file(**fields)
    the_desk.file()
    page = the_desk.browser("agent2").get("/desk", **{name: value})
    assert refs(page) == [found.ref]
    assert re.search(rf'<option value="{value}" selected', page.text)


def test_the_age_filter_and_the_way_back_with_all_that_was_chosen(the_desk: Desk) -> None:
    old = the_desk.file("قديمة")
    the_desk.clock.pass_(days=7)
    the_desk.file("جديدة")
    clerk = the_desk.browser("agent2")
    assert refs(clerk.get("/desk", age="7", view="all", q="قديمه")) == [old.ref]
    way = {"view": "all", "q": "قديمه", "state": "live", "age": "7"}
    assert f'href="/desk?{urlencode(way).replace("&", "&amp;")}"' in clerk.get(f"/desk/tickets/{old.ref}").text


def test_the_next_ticket_is_mine_then_free_and_the_one_after_that(the_desk: Desk) -> None:
    clerk = the_desk.browser("agent2")
    assert clerk.get("/desk/next").headers["location"] == "/desk?done=next_none"
    assert "لا تذكرة تنتظرك الآن" in clerk.get("/desk?done=next_none").text
    other = the_desk.file(unit="finance")
    the_desk.clock.pass_(minutes=1)
    free = the_desk.file()
    assert clerk.get("/desk/next").headers["location"] == f"/desk/tickets/{free.ref}"
    assert the_desk.browser("agent").get("/desk/next").headers["location"] == f"/desk/tickets/{other.ref}"
    mine = []
    for _ in range(3):
        the_desk.clock.pass_(minutes=1)
        mine.append(the_desk.file().ref)
        act(the_desk, mine[-1], "assign", staff=AGENT.id)
    went, here = [], ""
    for _ in range(4):
        here = clerk.get("/desk/next", after=here).headers["location"].rsplit("/", 1)[1]
        went.append(here)
    assert went == [*mine, mine[0]], "one after the other, then from the beginning"


# Many at once


def chosen(desk: Desk, *made: Any) -> list[str]:
    return [f"{t.ref}:{desk.stored(t.ref).version}" for t in made]


def bulk(desk: Desk, who: str, tickets_: list[str], **typed: str) -> Any:
    clerk = desk.browser(who)
    form = {"key": "a-key-of-a-page"} | typed
    csrf = re.search(r'name="csrf" value="(\w+)"', clerk.get("/desk").text)
    assert csrf
    data: dict[str, Any] = {"csrf": csrf[1], "t": tickets_, **form}
    return clerk.client.post("/desk/bulk", data=data, headers={"Origin": URL})


@pytest.mark.parametrize(
    ("verb", "typed"),
    [("assign", {"staff": "s-agent2"}), ("reply", {"text": "صدرت رخصتك"}), ("close", {"reason": "مكررة"})],
)
def test_many_at_once_and_sent_twice_each_ticket_once(the_desk: Desk, verb: str, typed: dict[str, str]) -> None:
    made = [the_desk.file(talk=the_desk.talk(f"t-{n}")) for n in range(3)]
    sent = chosen(the_desk, *made)
    for _ in range(2):
        answer = bulk(the_desk, "manager", sent, do=verb, **typed)
        assert answer.status_code == 200 and "تم في" in answer.text and 'class="rest"' not in answer.text
    for ticket in made:
        assert [e.verb for e in the_desk.stored(ticket.ref).history] == ["file", verb]


def test_what_fails_says_why_what_worked_stays_and_the_text_is_kept(the_desk: Desk) -> None:
    good, changed, closed, hidden = (the_desk.file(f"رقم {n}", talk=the_desk.talk(f"t-{n}")) for n in range(4))
    secret = the_desk.file("سر", unit="finance")
    act(the_desk, closed.ref, "close", reason="انتهت")
    sent = chosen(the_desk, good, changed, closed, secret) + ["6000000000:1", "x", f"{hidden.ref}:x"]
    act(the_desk, changed.ref, "note", text="تغيرت")
    answer = bulk(the_desk, "agent2", sent, do="reply", text="ردي الطويل")
    assert the_desk.stored(good.ref).history[-1].verb == "reply"
    for ticket in (changed, closed, hidden, secret):
        assert the_desk.stored(ticket.ref).history[-1].verb != "reply"
    for why in ("تغيّرت بعد أن فُتحت القائمة", "لا يمكن ذلك في حالتها", "لم تعد ضمن ما تطّلع عليه", "ردي الطويل"):
        assert why in answer.text, why
    assert f'value="{changed.ref}:2"' in answer.text and secret.text not in answer.text


@pytest.mark.parametrize(
    ("n", "typed", "words"),
    [
        (0, {"do": "reply", "text": "ردي الطويل"}, "لم تختر أي تذكرة"),
        (101, {"do": "reply", "text": "ردي الطويل"}, "100"),
        (1, {"do": "reply", "text": " "}, ""),
        (1, {"do": "withdraw", "text": "ردي الطويل"}, ""),
    ],
)
def test_nothing_is_done_with_an_order_that_cannot_be(
    the_desk: Desk, n: int, typed: dict[str, str], words: str
) -> None:
    ticket = the_desk.file()
    sent = [f"{ticket.ref}:1", *(f"6{k:09}:1" for k in range(n - 1))][:n]
    answer = bulk(the_desk, "agent2", sent, **typed)
    assert answer.status_code == 422 and words in answer.text and the_desk.stored(ticket.ref).version == 1


def test_oversight_works_on_nothing_and_sees_no_boxes(the_desk: Desk) -> None:
    ticket = the_desk.file()
    assert 'type="checkbox" name="t"' not in the_desk.browser("oversight").get("/desk").text
    assert bulk(the_desk, "oversight", [f"{ticket.ref}:1"], do="close", reason="x").status_code == 403
    assert the_desk.stored(ticket.ref).version == 1


def test_whoever_has_least_gets_it(the_desk: Desk) -> None:
    joined(the_desk)
    for ticket in (the_desk.file(), the_desk.file()):
        act(the_desk, ticket.ref, "assign", staff=AGENT.id)
    act(the_desk, the_desk.file().ref, "assign", staff="s-c1")
    made = [the_desk.file() for _ in range(4)]
    assert bulk(the_desk, "manager", chosen(the_desk, *made), do="assign", staff="least").status_code == 200
    given = [the_desk.stored(t.ref).staff for t in made]
    assert sorted(map(str, given)) == ["s-agent2", "s-c1", "s-c2", "s-c2"], "agents of the unit, level in the end"
    alone = the_desk.file()
    answer = the_desk.browser("agent2").act(alone.ref, "assign", staff="least")
    assert answer.status_code == 303 and the_desk.stored(alone.ref).staff in ("s-agent2", "s-c1", "s-c2")


def test_nobody_is_given_what_they_may_not_see(the_desk: Desk) -> None:
    ticket = the_desk.file(flags={"confidential"}, unit="internal_audit", unit_needs_to_know=True)
    answer = bulk(the_desk, "audit", chosen(the_desk, ticket), do="assign", staff=CENTRE.id)
    assert "لا يحق لمن اخترته" in answer.text and the_desk.stored(ticket.ref).staff is None


# Handing over


def test_a_colleague_on_leave(the_desk: Desk) -> None:
    joined(the_desk)
    ordinary = [the_desk.file() for _ in range(3)]
    secret = the_desk.file(
        flags={"confidential"}, unit="internal_audit", unit_needs_to_know=True, readers={"s-manager"}
    )
    ended = the_desk.file()
    for ticket in (*ordinary, secret, ended):
        the_desk.house.act(ticket.ref, "assign", SENIOR.actor(), {"staff": AGENT.id})
    act(the_desk, ended.ref, "resolve", text="تم")
    boss = the_desk.browser("manager")
    for _ in range(2):
        answer = boss.send("/desk/handover", "/desk/handover", **{"from": AGENT.id, "to": "s-c1", "reason": "إجازة"})
        assert answer.status_code == 200
        assert "سرية" in answer.text and secret.ref in answer.text, "left behind, and said"
    for ticket in ordinary:
        stored = the_desk.stored(ticket.ref)
        assert stored.staff == "s-c1" and [e.verb for e in stored.history[2:]] == ["assign", "note"]
        assert stored.history[-1].said["text"] == "إجازة"
    assert the_desk.stored(secret.ref).staff == AGENT.id and the_desk.stored(ended.ref).staff == AGENT.id
    answer = boss.send("/desk/handover", "/desk/handover", **{"from": "s-c1", "to": "least", "reason": "إجازة"})
    assert {the_desk.stored(t.ref).staff for t in ordinary} == {"s-c2", "s-agent2"}, answer.text


def test_a_supervisor_hands_over_only_what_she_may_see(the_desk: Desk) -> None:
    joined(the_desk)
    ours, theirs = the_desk.file(), the_desk.file(unit="finance")
    for ticket in (ours, theirs):
        the_desk.house.act(ticket.ref, "assign", SENIOR.actor(), {"staff": CENTRE.id})
    page = the_desk.browser("supervisor")
    assert "سارة القحطاني (2)" in page.get("/desk/handover").text, "she sees all"
    for who in ("agent", "oversight", "admin"):
        assert the_desk.browser(who).get("/desk/handover").status_code == 403
    answer = page.send("/desk/handover", "/desk/handover", **{"from": CENTRE.id, "to": CENTRE.id, "reason": "x"})
    assert answer.status_code == 422 and the_desk.stored(ours.ref).staff == CENTRE.id
