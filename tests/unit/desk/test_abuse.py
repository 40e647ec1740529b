"""Abuse at the desk: insults behind a click, a threat told to the supervisor, an address limited to the menu for a time."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import select

from bot.assistant import Assistant, Down
from bot.storage.tables import desk_notices, inbox, outbox
from bot.tickets.ticket import Ticket
from bot.worker import DOWN_PATIENCE, Worker
from tests.unit.desk.house import URL, Browser, Desk, catalogues

INSULT = "يا أغبياء يا حمير"


def post(browser: Browser, ticket: Ticket, verb: str, **typed: str) -> Any:
    csrf = re.search(r'name="csrf" value="(\w+)"', browser.get("/desk").text)
    assert csrf
    path = f"/desk/tickets/{ticket.ref}/{verb}"
    return browser.client.post(path, data={"csrf": csrf[1]} | typed, headers={"Origin": URL})


class Asked(Assistant):
    """An assistant that is away, and counts who asked."""

    def __init__(self) -> None:
        self.times = 0

    def take(self, turn: Any) -> Any:
        self.times += 1
        raise Down("away")


def turn(desk: Desk, talk: str, text: str, assistant: Asked) -> list[str]:
    """The person writes and the worker works; the names of what was said since."""
    with desk.store.begin() as tx:
        before = tx.connection.scalars(select(outbox.c.id)).all()
        assert tx.receive(talk, f"m-{text}-{desk.clock().isoformat()}", text, None, desk.clock())
    worker = Worker(desk.store, desk.house, assistant, catalogues().real.variants, gather=0, turns=1)
    worker._down_since = -DOWN_PATIENCE  # away for long: else the message waits for it
    worker._next()
    with desk.store.read() as db:
        return list(db.scalars(select(outbox.c.name).where(outbox.c.id.not_in(before)).order_by(outbox.c.id)))


def test_marked_words_are_behind_a_click_and_the_mark_comes_off(the_desk: Desk) -> None:
    ticket = the_desk.file(INSULT, the_desk.talk())
    clerk = the_desk.browser("agent2")
    assert INSULT in clerk.get("/desk").text
    assert clerk.act(ticket.ref, "flag", flag="abuse").status_code == 303
    assert the_desk.stored(ticket.ref).flags == {"abuse"}
    assert INSULT not in clerk.get("/desk").text
    page = clerk.get(f"/desk/tickets/{ticket.ref}").text
    assert re.search(rf"<details class=\"insults\"><summary>[^<]+</summary><p[^>]*>{INSULT}", page)
    assert clerk.act(ticket.ref, "flag", flag="abuse").status_code == 303, "the form now takes it away"
    assert the_desk.stored(ticket.ref).flags == set() and INSULT in clerk.get("/desk").text


def test_a_threat_is_told_to_the_unit_and_kept(the_desk: Desk) -> None:
    ticket = the_desk.file(INSULT, the_desk.talk())
    clerk = the_desk.browser("agent2")
    assert clerk.act(ticket.ref, "assign", staff="s-agent2").status_code == 303
    assert post(clerk, ticket, "threat").status_code == 422
    assert clerk.act(ticket.ref, "threat", text="هدد الموظف بالضرب").status_code == 303
    kept = the_desk.stored(ticket.ref)
    assert "abuse" in kept.flags and kept.history[-1].said["text"] == "هدد الموظف بالضرب"
    with the_desk.store.read() as db:
        told = db.execute(select(desk_notices).where(desk_notices.c.about == "threat")).mappings().one()
        assert (told["unit"], told["staff"]) == ("industrial_licensing", None)
        assert not db.scalars(select(outbox.c.id).where(outbox.c.name.contains("threat"))).all()
    assert "فيها تهديد" in clerk.get("/desk").text


def test_a_limited_address_has_the_menu_and_never_silence_and_it_ends_by_itself(the_desk: Desk) -> None:
    talk = the_desk.talk()
    ticket, assistant = the_desk.file(INSULT, talk), Asked()
    supervisor = the_desk.browser("supervisor")
    assert supervisor.act(ticket.ref, "limit", hours="24", reason="إساءات متكررة").status_code == 303
    last = the_desk.stored(ticket.ref).history[-1]
    assert (last.verb, last.by.name, last.said["reason"]) == ("limit", "منى الحربي", "إساءات متكررة")
    page = the_desk.browser("agent2").get(f"/desk/tickets/{ticket.ref}").text
    assert "القائمة المرقمة وحدها تجيبه حتى" in page and "إساءات متكررة" in page
    assert turn(the_desk, talk.id, "؟", assistant) == ["menu_main"]
    assert turn(the_desk, talk.id, "أريد تقديم شكوى على التأخير", assistant) == ["menu_wait"]
    assert turn(the_desk, talk.id, "الحقونا في حريق بالمصنع", assistant)[0] == "utter_danger_fire"
    assert assistant.times == 0
    with the_desk.store.read() as db:
        assert set(db.scalars(select(inbox.c.reason))) == {"the desk limited this address to the menu"}
    the_desk.clock.pass_(hours=24)
    turn(the_desk, talk.id, "مرحبا", assistant)
    assert assistant.times == 1


def test_only_seniors_limit_for_a_day_or_a_week_and_end_it(the_desk: Desk) -> None:
    talk = the_desk.talk()
    ticket = the_desk.file(INSULT, talk)
    clerk, supervisor = the_desk.browser("agent2"), the_desk.browser("supervisor")
    assert f"/desk/tickets/{ticket.ref}/limit" not in clerk.get(f"/desk/tickets/{ticket.ref}").text
    assert post(clerk, ticket, "limit", hours="24", reason="x").status_code == 409
    for wrong in ({"hours": "9999", "reason": "x"}, {"hours": "24"}, {"hours": "-1", "reason": "x"}):
        assert post(supervisor, ticket, "limit", **wrong).status_code == 422
    assert the_desk.stored(ticket.ref).version == 1

    def until() -> Any:
        found = the_desk.store.conversation(talk.id)
        return found and found.limited_until and found.limited_until > the_desk.clock()

    assert not until()
    assert supervisor.act(ticket.ref, "limit", hours="168", reason="تهديد").status_code == 303 and until()
    assert supervisor.act(ticket.ref, "limit", hours="0", reason="اعتذر").status_code == 303 and not until()
