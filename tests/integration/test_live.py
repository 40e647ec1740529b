"""Somebody of the staff in the conversation: the assistant is silent, nothing is lost, and it comes back by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from bot import settings as settings_
from bot import wiring
from bot.assistant import Down, Turn
from bot.handlers.draft import Draft
from bot.handlers.receive import FILES
from bot.storage.tables import desk_notices
from bot.tickets.people import Actor, Role
from bot.tickets.ticket import NotAllowed
from bot.worker import Worker
from channels.contract import Address
from tests import invariants

SARA = Actor("staff", "s-1", "سارة القحطاني", Role.AGENT)
KHALED = Actor("staff", "s-2", "خالد العتيبي", Role.AGENT)
NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
LEAVE = '/press{"do":"leave_live"}'


class Time:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


class Counting:
    """An assistant that is away, and remembers who asked it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def take(self, turn: Turn) -> None:
        self.asked.append(turn.text)
        raise Down("away")


class Scene:
    """A person with a ticket, the house, and its worker."""

    def __init__(self, folder: Path, scheme: str = "web") -> None:
        self.time, self.assistant = Time(), Counting()
        self.rooms = wiring.build(settings_.load(data_dir=folder, _env_file=None), self.time)
        self.house = self.rooms.house
        variants = self.rooms.catalogues.variants
        self.worker = Worker(self.rooms.store, self.house, self.assistant, variants, gather=0, turns=1)  # type: ignore[arg-type]
        self.talk = self.rooms.reception.welcome(Address(scheme, "somebody"), "ar")
        self.house.file(self.talk, "turn", Draft(kind="complaint", category="processing_delay", text="معاملتي متأخرة"))
        with self.rooms.store.begin() as tx:
            conversation = tx.conversation(self.talk)
            assert conversation is not None
            self.ref = tx.tickets_of(conversation.contact)[0].ref

    def writes(self, text: str, payload: str | None = None) -> None:
        with self.rooms.store.begin() as tx:
            talk = tx.conversation(self.talk)
            assert talk is not None
            tx.receive(self.talk, f"m{self.time.at:%s}{text}{payload}", text, payload, self.time.at)
            talk.last_in_at = self.time.at
            tx.save_conversation(talk)
        self.worker._next()

    def said(self, last: int = 1) -> list[str]:
        return [each.name for each in self.rooms.store.outgoing(self.talk)][-last:]

    def last(self) -> str:
        return self.rooms.store.outgoing(self.talk)[-1].text

    def history(self) -> list[tuple[str, str]]:
        with self.rooms.store.begin() as tx:
            ticket = tx.ticket(self.ref)
        assert ticket is not None
        return [(e.verb, str(e.said.get("text", ""))) for e in ticket.history]

    def live(self) -> str | None:
        found = self.rooms.store.conversation(self.talk)
        assert found is not None
        return found.live_staff

    def after(self, passed: timedelta) -> None:
        """The worker's clock, so much later."""
        self.time.at += passed
        self.worker.tick(self.time.at)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    assert invariants.check(made.rooms.engine) == []
    made.rooms.engine.dispose()


def test_what_is_said_in_between_goes_to_the_ticket_and_not_to_the_assistant(scene: Scene) -> None:
    scene.house.act(scene.ref, "join", SARA, {})
    assert scene.said() == ["notice_join"] and "سارة" in scene.last()
    scene.writes("رقم المعاملة عندي على الورقة")
    scene.house.act(scene.ref, "reply", SARA, {"text": "ارسل صورتها من فضلك"})
    assert scene.said() == ["notice_live"] and "سارة" in scene.last() and "القحطاني" not in scene.last()
    scene.writes("1")
    assert scene.assistant.asked == []
    assert scene.history()[2:] == [
        ("add", "رقم المعاملة عندي على الورقة"), ("reply", "ارسل صورتها من فضلك"), ("add", "1"),
    ]  # fmt: skip


def test_handed_back_both_ends_know_and_the_assistant_answers_again(scene: Scene) -> None:
    scene.house.act(scene.ref, "join", SARA, {})
    scene.house.act(scene.ref, "leave", SARA, {})
    assert scene.said() == ["notice_leave"] and scene.live() is None
    scene.writes("كم رسوم الترخيص")
    assert scene.assistant.asked == ["كم رسوم الترخيص"]


@pytest.mark.parametrize("how", [("", LEAVE), ("العودة إلى المساعد", None), ("١", None)])
def test_the_person_goes_back_by_a_button_its_title_or_its_number(scene: Scene, how: tuple[str, str | None]) -> None:
    scene.house.act(scene.ref, "join", SARA, {})
    scene.writes(*how)
    assert scene.live() is None and scene.history()[-1][0] == "leave" and scene.assistant.asked == []
    with scene.rooms.engine.connect() as db:
        assert "leave" in db.execute(select(desk_notices.c.about)).scalars().all()


def test_stop_is_obeyed_at_once_whoever_listens(scene: Scene) -> None:
    scene.house.act(scene.ref, "join", SARA, {})
    scene.writes("إيقاف")
    assert scene.live() is None and scene.assistant.asked == ["إيقاف"]
    assert [verb for verb, _ in scene.history()] == ["file", "join", "leave"]


def test_one_in_danger_is_given_the_number_at_once(scene: Scene) -> None:
    scene.house.act(scene.ref, "join", SARA, {})
    scene.writes("في حريق بالمصنع الحقونا")
    assert scene.said()[0].startswith("utter_danger_") and scene.history()[-1][0] == "add"


def test_files_go_to_the_ticket(scene: Scene) -> None:
    scene.house.act(scene.ref, "join", SARA, {})
    scene.writes("", FILES)
    assert scene.history()[-1] == ("add", "📎") and scene.live() == "s-1"


def test_a_colleague_who_is_there_is_not_pushed_out(scene: Scene) -> None:
    scene.house.act(scene.ref, "join", SARA, {})
    with pytest.raises(NotAllowed):
        scene.house.act(scene.ref, "join", KHALED, {})
    assert scene.live() == "s-1"


def test_nobody_joins_where_nobody_can_answer(tmp_path: Path) -> None:
    made = Scene(tmp_path)
    made.house.stop(made.talk, True)
    with pytest.raises(NotAllowed):
        made.house.act(made.ref, "join", SARA, {})
    made.rooms.engine.dispose()


@pytest.mark.parametrize(
    ("verb", "said"), [("resolve", {"text": "انتهت"}), ("transfer", {"unit": "mining", "reason": "لهم"})]
)
def test_it_ends_with_the_work(scene: Scene, verb: str, said: dict[str, str]) -> None:
    if verb == "transfer":
        said = {**said, "unit": next(u for u in scene.rooms.register().units if u not in ("contact_centre", "branch"))}
    scene.house.act(scene.ref, "join", SARA, {})
    scene.house.act(scene.ref, verb, SARA, said)
    assert scene.live() is None and scene.said() == [f"notice_{verb}"]


def test_who_is_left_waiting_is_given_the_assistant_back(scene: Scene) -> None:
    scene.house.act(scene.ref, "join", SARA, {})
    scene.after(timedelta(minutes=20))
    assert scene.live() == "s-1"  # nobody waits: the person has not written
    scene.writes("هل انت معي؟")
    scene.after(timedelta(minutes=14))
    assert scene.live() == "s-1"
    scene.after(timedelta(minutes=2))
    assert scene.live() is None and scene.said() == ["notice_leave_unanswered"]


def test_a_conversation_that_has_gone_quiet_ends(scene: Scene) -> None:
    scene.house.act(scene.ref, "join", SARA, {})
    scene.after(timedelta(minutes=61))
    assert scene.live() is None and scene.said() == ["notice_leave"]
