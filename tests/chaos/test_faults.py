"""Power cuts and absences: nothing is lost, nothing doubled, nothing told that is not so."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter

import httpx
import pytest

from tests.running import REFERENCE, Citizen, Sawt, eventually, plain

pytestmark = pytest.mark.journey
MATTER = "معاملة الترخيص الصناعي لها شهرين وما احد رد علي"
POINTS = (
    "inbox-committed",
    "turn-begun",
    "assistant-answered",
    "ticket-committed",
    "before-turn-commit",
    "turn-stored",
)


def tickets(sawt: Sawt) -> list[dict[str, object]]:
    found = sawt.api("GET", "/tickets?limit=200").json()["tickets"]
    return list(found)


@pytest.mark.parametrize("point", POINTS)
def test_killed_while_a_ticket_is_filed(sawt: Sawt, point: str) -> None:
    """The house dies at this point of the turn that files, and is started again: one ticket, told once."""
    sawt.start()
    person = sawt.citizen()
    person.say(MATTER)
    sawt.kill_house()
    sawt.start_house(FAULT=f"{point}@{sawt.data / 'fault'}")
    sawt.wait_house()
    with contextlib.suppress(httpx.HTTPError):  # the connection broke: the person's page sends it again
        person.post("1", id="the-tap")
    eventually(lambda: sawt.house and sawt.house.poll() is not None, 15, f"the house dies at {point}")
    sawt.start_house()
    sawt.wait()
    assert person.post("1", id="the-tap").status_code == 202
    eventually(lambda: any(REFERENCE.search(plain(a["text"])) for a in person.answers), 20, "the receipt")
    time.sleep(1)
    assert len(tickets(sawt)) == 1
    receipts = [a for a in person.answers if REFERENCE.search(plain(a["text"]))]
    assert len(receipts) == 1
    assert len({a["id"] for a in person.answers}) == len(person.answers)
    person.close()


def test_the_assistant_dies_in_the_middle_of_a_form(sawt: Sawt) -> None:
    """Its trackers are gone; the house sends the history, and the next tap files."""
    sawt.start()
    person = sawt.citizen()
    person.say("عندي شكوى")
    person.say(MATTER)
    sawt.kill_assistant()
    sawt.start_assistant()
    sawt.wait()
    told = person.say("1", within=20)
    assert REFERENCE.search(told)
    person.close()


def test_twenty_messages_wait_while_the_assistant_is_away(sawt: Sawt) -> None:
    """After twenty seconds the menu answers each of them, once; nobody's words are lost, and they reach a person."""
    sawt.start()
    people = [sawt.citizen() for _ in range(20)]
    sawt.kill_assistant()
    for n, person in enumerate(people):
        assert person.post(f"معاملة الترخيص رقم {n + 1} متأخرة من شهرين وما احد رد").status_code == 202
    eventually(lambda: all(p.answers for p in people), 60, "everybody is answered")
    time.sleep(1)
    assert [len(p.answers) for p in people] == [1] * 20
    sawt.start_assistant()
    sawt.wait()
    people[0].say("1")  # a complaint; the assistant shows it back
    assert REFERENCE.search(people[0].say("1"))
    eventually(lambda: len(tickets(sawt)) == 20, 100, "what nobody decided on is filed for a person")
    for person in people:
        person.close()


def test_the_same_message_at_the_same_moment(sawt: Sawt) -> None:
    sawt.start()
    person = sawt.citizen()
    person.say(MATTER)
    codes: Counter[int] = Counter()

    def post() -> None:
        codes[Citizen.post(person, "1", id="same").status_code] += 1

    threads = [threading.Thread(target=post) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) <= {202, 429}
    eventually(lambda: tickets(sawt), 10, "a ticket")
    time.sleep(1)
    assert len(tickets(sawt)) == 1
    person.close()


def test_no_false_word_while_actions_fail(sawt: Sawt) -> None:
    """The assistant cannot reach the house's actions: nothing is said to be registered, and the words are kept."""
    sawt.settings["ACTIONS_PORT"] = str(sawt.actions_port)
    sawt.start_house()
    wrong, sawt.actions_port = sawt.actions_port, 9
    sawt.settings["ACTIONS_PORT"] = "9"
    sawt.start_assistant()
    sawt.actions_port, sawt.settings["ACTIONS_PORT"] = wrong, str(wrong)
    sawt.wait()
    person = sawt.citizen()
    told = person.say(MATTER, within=20)
    assert not REFERENCE.search(told) and tickets(sawt) == []
    assert REFERENCE.search(person.say("1", within=20))
    assert len(tickets(sawt)) == 1
    person.close()
