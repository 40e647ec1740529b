"""The table, verb by verb: what may be done, what changes, what is refused, and that a refusal changes nothing."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from ticket_making import (
    ACTORS,
    ADMIN,
    AGENT,
    MANAGER,
    OVERSIGHT,
    PERSON,
    POLICY,
    PROGRAM,
    SA,
    SUPERVISOR,
    do,
    filed,
    replayed,
    riyadh,
    tick,
)  # fmt: skip

from bot.tickets import lifecycle, promise
from bot.tickets.lifecycle import LIVE, OF_SUGGESTIONS, STATES, VERBS
from bot.tickets.people import SYSTEM, Actor
from bot.tickets.ticket import FLAGS, KINDS, Incomplete, NotAllowed, Promise, Route, Ticket, Wrong

NOON = riyadh("2026-11-22 12:00")
SAID: dict[str, Any] = {
    "text": "…", "reason": "…", "unit": "finance", "staff": "s9", "until": "2027-02-01", "body": "sa_commerce",
    "flag": "urgent", "rating": 4, "category": "other",
}  # fmt: skip

# Written by hand, as the ministry's lawyer would check it: kind, the way there, the verb, the state after.
STEPS = [
    ("complaint", (), "reply", "open"),
    ("complaint", (), "ask", "waiting"),
    ("complaint", (), "note", "new"),
    ("complaint", (), "assign", "open"),
    ("complaint", (), "transfer", "open"),
    ("complaint", (), "extend", "new"),
    ("complaint", (), "escalate", "new"),
    ("complaint", (), "classify", "new"),
    ("complaint", (), "flag", "new"),
    ("complaint", (), "resolve", "resolved"),
    ("complaint", (), "close", "closed"),
    ("complaint", (), "redirect", "redirected"),
    ("complaint", (), "withdraw", "withdrawn"),
    ("complaint", (), "add", "new"),
    ("complaint", ("ask",), "add", "open"),
    ("complaint", ("ask",), "reply", "open"),
    ("complaint", ("ask",), "note", "waiting"),
    ("complaint", ("ask",), "transfer", "waiting"),
    ("complaint", ("ask",), "undelivered", "open"),
    ("complaint", ("ask",), "remind", "waiting"),
    ("complaint", ("ask",), "withdraw", "withdrawn"),
    ("complaint", ("ask",), "resolve", "resolved"),
    ("complaint", ("resolve",), "rate", "resolved"),
    ("complaint", ("resolve",), "reply", "resolved"),
    ("complaint", ("resolve",), "add", "resolved"),
    ("complaint", ("resolve",), "close", "closed"),
    ("complaint", ("resolve",), "reopen", "open"),
    ("complaint", ("resolve", "close"), "rate", "closed"),
    ("complaint", ("resolve", "close"), "reopen", "open"),
    ("complaint", ("withdraw",), "reopen", "open"),
    ("complaint", ("redirect",), "reopen", "open"),
    ("suggestion", (), "study", "under_study"),
    ("suggestion", ("study",), "ask", "waiting"),
    ("suggestion", ("study", "ask"), "add", "under_study"),
    ("suggestion", ("study", "ask"), "undelivered", "under_study"),
    ("suggestion", ("ask",), "study", "under_study"),
    ("suggestion", ("study",), "accept", "accepted"),
    ("suggestion", ("study",), "decline", "declined"),
    ("suggestion", ("accept",), "implement", "implemented"),
    ("suggestion", ("accept",), "decline", "declined"),
    ("suggestion", ("accept", "implement"), "rate", "implemented"),
    ("suggestion", ("decline",), "reopen", "open"),
]
REFUSED = [
    ("complaint", (), "study"), ("complaint", (), "accept"), ("complaint", (), "rate"), ("complaint", (), "reopen"),
    ("complaint", ("ask",), "ask"), ("complaint", ("resolve",), "extend"), ("complaint", ("resolve",), "transfer"),
    ("complaint", ("resolve",), "resolve"), ("complaint", ("resolve",), "withdraw"), ("complaint", ("close",), "reply"),
    ("complaint", ("close",), "close"), ("complaint", ("withdraw",), "rate"), ("complaint", ("redirect",), "rate"),
    ("suggestion", (), "implement"), ("suggestion", ("decline",), "accept"), ("suggestion", ("accept",), "study"),
    ("complaint", (), "undelivered"), ("complaint", (), "remind"), ("complaint", ("resolve",), "break"),
    ("complaint", (), "delete"),
]  # fmt: skip


def _there(kind: str, way: tuple[str, ...]) -> Ticket:
    ticket = filed(NOON, kind)
    for verb in way:
        do(ticket, verb, MANAGER, NOON, **SAID)
    return ticket


def _by(verb: str) -> Actor:
    return SYSTEM if verb in ("undelivered", "remind", "warn", "break", "postpone") else MANAGER


@pytest.mark.parametrize(("kind", "way", "verb", "after"), STEPS)
def test_a_step(kind: str, way: tuple[str, ...], verb: str, after: str) -> None:
    ticket = _there(kind, way)
    before, version = ticket.state, ticket.version
    entry = do(ticket, verb, _by(verb), NOON, **SAID)
    assert (ticket.state, ticket.version) == (after, version + 1)
    assert entry == ticket.history[-1] and (entry.seq, entry.before, entry.after) == (version + 1, before, after)
    row = VERBS[verb]
    assert set(entry.said) <= {*row.asks, *row.may, "route", "service_class", "turn", "nobody"}


@pytest.mark.parametrize(("kind", "way", "verb"), REFUSED)
def test_a_step_that_the_table_does_not_have(kind: str, way: tuple[str, ...], verb: str) -> None:
    ticket = _there(kind, way)
    kept = _snapshot(ticket)
    with pytest.raises(NotAllowed) as caught:
        ticket.apply(verb, _by(verb), NOON, **SAID)
    assert caught.value.allowed == ticket.allowed(_by(verb)) and verb not in caught.value.allowed
    assert _snapshot(ticket) == kept


def test_who_may_do_what_to_a_new_complaint() -> None:
    work = ["reply", "ask", "note", "assign", "transfer", "extend", "escalate", "classify", "flag", "link", "threat", "limit", "resolve", "close",
            "redirect", "add", "withdraw", "join", "leave"]  # fmt: skip
    ticket = filed(NOON)
    assert ticket.allowed(MANAGER) == ticket.allowed(SUPERVISOR) == ticket.allowed(PROGRAM) == work
    assert ticket.allowed(AGENT) == [verb for verb in work if verb not in ("extend", "limit")]
    assert ticket.allowed(PERSON) == ["flag", "add", "withdraw", "leave"]
    assert ticket.allowed(OVERSIGHT) == ["note"]
    assert ticket.allowed(ADMIN) == []
    assert ticket.allowed(SYSTEM) == [
        "escalate",
        "flag",
        "close",
        "leave",
        "warn",
        "break",
        "postpone",
    ]  # flag: what did not arrive
    assert "accept" not in filed(NOON, "suggestion").allowed(AGENT)
    assert "accept" in filed(NOON, "suggestion").allowed(SUPERVISOR)


@pytest.mark.parametrize("verb", [v.name for v in VERBS.values() if v.asks])
@pytest.mark.parametrize("empty", [None, "", "  \n"])
def test_what_a_verb_needs(verb: str, empty: Any) -> None:
    row = VERBS[verb]
    kind = "suggestion" if row.kinds else "complaint"
    way: dict[str, tuple[str, ...]] = {"rate": ("resolve",), "reopen": ("resolve",), "implement": ("accept",)}
    ticket = _there(kind, way.get(verb, ()))
    kept = _snapshot(ticket)
    with pytest.raises(Incomplete) as caught:
        ticket.apply(verb, MANAGER, NOON, **(SAID | dict.fromkeys(row.asks, empty)))
    assert caught.value.missing == list(row.asks) and _snapshot(ticket) == kept
    with pytest.raises(Incomplete):
        ticket.apply(verb, MANAGER, NOON)


@pytest.mark.parametrize(
    ("verb", "said", "error"),
    [
        ("rate", {"rating": 6}, Wrong), ("rate", {"rating": 0}, Wrong), ("rate", {"rating": "5"}, Wrong),
        ("rate", {"rating": True}, Wrong), ("rate", {"rating": 4.5}, Wrong),
        ("classify", {"kind": "wish"}, Wrong), ("classify", {}, Incomplete), ("classify", {"text": "…"}, Incomplete),
        ("flag", {"flag": "vip"}, Wrong),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_changes_nothing(verb: str, said: dict[str, Any], error: type[Exception]) -> None:
    ticket = _there("complaint", ("resolve",))
    kept = _snapshot(ticket)
    with pytest.raises(error):
        ticket.apply(verb, AGENT, NOON, **said)
    assert _snapshot(ticket) == kept


def test_classifying_says_what_it_is_and_how_much_it_matters() -> None:
    ticket = filed(NOON)
    first = ticket.promise
    ticket.apply(
        "classify", AGENT, NOON, kind="report", category="integrity", service="export_support", service_class="A"
    )
    assert (ticket.kind, ticket.category, ticket.service, ticket.service_class) == (
        "report", "integrity", "export_support", "A",
    )  # fmt: skip
    assert ticket.promise == first
    studied = _there("suggestion", ("study",))
    with pytest.raises(NotAllowed, match="only a suggestion can be under_study"):
        studied.apply("classify", AGENT, NOON, kind="complaint")
    assert studied.kind == "suggestion"


def test_assigning_and_transferring() -> None:
    ticket = filed(NOON)
    ticket.apply("assign", AGENT, NOON, staff="s7")
    assert (ticket.staff, ticket.readers) == ("s7", {"s7"})
    ticket.apply("transfer", AGENT, NOON, unit="finance", reason="…", route=Route("finance"))
    assert (ticket.unit, ticket.staff, ticket.need_to_know, ticket.readers) == ("finance", None, False, {"s7"})
    ticket.apply("transfer", AGENT, NOON, unit="audit", reason="…", route=Route("audit", needs_to_know=True))
    assert (ticket.unit, ticket.need_to_know, ticket.readers) == ("audit", True, set())
    ticket.apply("transfer", AGENT, NOON, unit="finance", reason="…", route=Route("finance"))
    assert not ticket.need_to_know
    ticket.apply("transfer", AGENT, NOON, unit="elsewhere", reason="…")
    assert ticket.need_to_know, "without knowing the unit, the careful answer"


def test_never_to_a_unit_that_must_not_see_it() -> None:
    ticket = filed(NOON, hidden_from={"branch_jeddah"})
    kept = _snapshot(ticket)
    with pytest.raises(NotAllowed, match="must not see"):
        ticket.apply("transfer", MANAGER, NOON, unit="branch_jeddah", reason="…", route=Route("branch_jeddah"))
    assert _snapshot(ticket) == kept
    with pytest.raises(ValueError, match="must not see"):
        filed(NOON, unit="finance", hidden_from={"finance"})


def test_reclassified_as_conduct_it_leaves_the_unit_concerned() -> None:
    ticket = filed(NOON, unit="mining_licensing")
    ticket.apply("assign", AGENT, NOON, staff="s7")
    to = Route("contact_centre", frozenset({"mining_licensing"}))
    ticket.apply("classify", AGENT, NOON, category="staff_conduct", route=to)
    assert (ticket.unit, ticket.staff, ticket.hidden_from) == ("contact_centre", None, {"mining_licensing"})
    ticket.apply("classify", AGENT, NOON, category="other", route=Route("mining_licensing"))
    assert (ticket.unit, ticket.hidden_from) == ("contact_centre", {"mining_licensing"}), "hidden once, hidden for good"


def test_confidential_later_hides_at_once() -> None:
    ticket = filed(NOON)
    ticket.apply("assign", AGENT, NOON, staff="s7")
    ticket.apply("assign", AGENT, NOON, staff="s8")
    assert ticket.readers == {"s7", "s8"}
    ticket.apply("flag", PERSON, NOON, flag="confidential")
    assert ticket.need_to_know and ticket.readers == {"s8"}
    ticket.apply("flag", SUPERVISOR, NOON, flag="confidential", off=True)
    assert not ticket.need_to_know


def test_reopening_is_the_persons_for_thirty_days_and_the_staffs_for_good() -> None:
    for way in (("resolve", "close"), ("withdraw",)):
        last_day, later = NOON + timedelta(days=30), NOON + timedelta(days=30, seconds=1)
        ticket = _there("complaint", way)
        with pytest.raises(NotAllowed, match="later than 30 days"):
            ticket.apply("reopen", PERSON, later, reason="…")
        with pytest.raises(NotAllowed, match="later than 10 days"):
            ticket.apply("reopen", PERSON, last_day, reason="…", reopen_days=10)
        do(ticket, "reopen", PERSON, last_day, reason="…")
        do(_there("complaint", way), "reopen", AGENT, later, reason="…")
    slow = filed(NOON)
    do(slow, "resolve", AGENT, NOON, text="…")
    do(slow, "close", SYSTEM, NOON + timedelta(days=7), reason="outcome_stands")
    do(slow, "reopen", PERSON, NOON + timedelta(days=37), reason="counted from the closing")


def test_filing() -> None:
    ticket = filed(NOON, flags={"confidential"})
    first = ticket.history[0]
    assert (first.seq, first.verb, first.before, first.after, first.said) == (
        1,
        "file",
        "",
        "new",
        {"text": ticket.text},
    )
    assert ticket.need_to_know and ticket.version == 1 and first.promise == ticket.promise
    for bad in ({"kind": "wish"}, {"flags": {"vip"}}):
        with pytest.raises(ValueError, match="unknown"):
            Ticket.file(by=PERSON, at=NOON, promise=ticket.promise, **({
                "ref": "6821093659", "kind": "complaint", "text": "…", "unit": "u", "language": "ar", "source": "web",
            } | bad))  # fmt: skip


def test_the_question_and_the_turn_are_recorded() -> None:
    ticket = filed(NOON)
    assert ticket.question is None
    do(ticket, "ask", AGENT, NOON, text="رقم المعاملة؟")
    assert ticket.question and ticket.question.said == {"text": "رقم المعاملة؟"} and ticket.settled_at == NOON
    entry = ticket.apply("add", PERSON, NOON, text="44021", turn="t-9")
    assert entry.said == {"text": "44021", "turn": "t-9"} and ticket.question is None
    nobody = filed(NOON, contact=None)
    assert not do(nobody, "ask", AGENT, NOON, text="…").asked


def test_the_handbook_has_the_table() -> None:
    page = Path(__file__).parents[3] / "docs" / "lifecycle.md"
    assert page.read_text(encoding="utf-8") == lifecycle.handbook(), (
        "python -m bot.tickets.lifecycle > docs/lifecycle.md"
    )


def test_the_table_itself() -> None:
    assert set(lifecycle.ORDER) == STATES
    for verb in VERBS.values():
        assert verb.sources <= STATES and (verb.to is None or verb.to in STATES)
        assert verb.kinds or verb.to not in OF_SUGGESTIONS
        assert verb.roles or verb.system or verb.beneficiary, f"nobody may {verb.name}"
        assert verb.tells <= {"beneficiary", "unit", "supervisor"}


# A long walk: anything by anybody at any time.


def _snapshot(ticket: Ticket) -> dict[str, Any]:
    return {k: v.copy() if isinstance(v, set | list | dict) else v for k, v in vars(ticket).items()}


class Walk:
    """One ticket, driven by whatever comes; after each step everything that is always true is checked."""

    def __init__(self, kind: str, contact: str | None, flags: set[str], hidden: set[str]) -> None:
        self.fields: dict[str, Any] = {"flags": set(flags), "hidden_from": set(hidden), "contact": contact}
        self.now = NOON
        self.ticket = filed(NOON, kind, flags=set(flags), hidden_from=set(hidden), contact=contact)
        self.as_filed = {
            k: v.copy() if isinstance(v, set) else v
            for k, v in vars(self.ticket).items()
            if k not in ("opened_at", "history", "state", "reading")
        }

    def step(self, verb: str, by: Actor, gap: timedelta, said: dict[str, Any], to: Route | None) -> None:
        self.now += gap
        kept = _snapshot(self.ticket)
        row = VERBS.get(verb)
        legal = row is not None and kept["state"] in row.sources and verb in self.ticket.allowed(by)
        try:
            made: Promise | None = promise.promise_for(verb, self.ticket, said, self.now, SA, POLICY) if legal else None
            entry = self.ticket.apply(verb, by, self.now, promise=made, route=to, **said)
        except (NotAllowed, Incomplete, Wrong):
            assert _snapshot(self.ticket) == kept
            return
        assert legal and row is not None
        assert self.ticket.history[:-1] == kept["history"], "history is only added to"
        assert (entry.before, entry.after, entry.seq) == (kept["state"], self.ticket.state, self.ticket.version)
        assert entry.after in ({row.to} if row.to else {kept["state"], "open", "under_study"})
        if entry.before not in LIVE and entry.verb != "reopen":
            assert entry.after not in LIVE, "only reopening brings a ticket back"

    def hold(self) -> None:
        ticket = self.ticket
        assert ticket.state in STATES
        assert ticket.kind == "suggestion" or ticket.state not in OF_SUGGESTIONS
        assert ticket.unit not in ticket.hidden_from
        assert [e.seq for e in ticket.history] == list(range(1, ticket.version + 1))
        assert all(x.after == y.before for x, y in zip(ticket.history, ticket.history[1:], strict=False))
        assert ticket.kind in KINDS and ticket.flags <= set(FLAGS)

    def hold_in_time(self) -> None:
        """What costs more: the clock, and the same ticket made again of its history."""
        read = promise.reading(self.ticket, SA, POLICY, self.now)
        again = replayed(self.ticket, self.as_filed)
        assert again == self.ticket
        assert promise.reading(again, SA, POLICY, self.now) == read
        assert (read.state == "kept") == self.ticket.answered
        assert self.ticket.state in LIVE or read.state in ("kept", "ended")
        tick(self.ticket, self.now)
        assert promise.due_verbs(self.ticket, SA, POLICY, self.now) == []


UNITS = ("contact_centre", "finance", "audit", "branch_jeddah")
_verbs = [*VERBS, "delete"]


def _random_said(draw: random.Random, now: datetime) -> dict[str, Any]:
    said = {
        "text": draw.choice(["…", "…", ""]), "reason": draw.choice(["…", "…", None]), "staff": draw.choice(["s7", "s8"]),
        "unit": draw.choice(UNITS), "body": "sa_commerce", "flag": draw.choice([*FLAGS, "vip"]), "rating": draw.randrange(8),
        "until": (now + timedelta(days=draw.randrange(-3, 40))).date(), "kind": draw.choice([*KINDS, None, None, "wish"]),
    }  # fmt: skip
    return {k: v for k, v in said.items() if draw.random() < 0.95}


def test_twenty_thousand_steps_and_no_illegal_one() -> None:
    draw, steps = random.Random("a8"), 0
    while steps < 20_000:
        walk = Walk(
            draw.choice(KINDS), draw.choice(["contact-1", "contact-1", None]), set(), draw.choice([set(), {UNITS[3]}])
        )
        for i in range(40):
            unit = draw.choice(UNITS)
            hidden = frozenset(set(draw.sample(UNITS, draw.randrange(2))) - {unit})
            to = draw.choice([None, Route(unit, hidden, unit == "audit")])
            said = _random_said(draw, walk.now)
            if to and draw.random() < 0.8:
                said["unit"] = unit
            gap = timedelta(hours=draw.choice([0, 0, 1, 6, 30, 200]))
            walk.step(draw.choice(_verbs), draw.choice(ACTORS), gap, said, to)
            walk.hold()
            if i % 20 == 19:
                walk.hold_in_time()
        steps += 40


_routes = st.sampled_from(UNITS).flatmap(
    lambda unit: st.builds(
        Route, st.just(unit), st.frozensets(st.sampled_from([u for u in UNITS if u != unit]), max_size=1), st.booleans()
    )
)


class Transitions(RuleBasedStateMachine):
    """The same walk, where Hypothesis chooses, and shrinks what it finds."""

    walk: Walk

    @initialize(
        kind=st.sampled_from(KINDS), contact=st.sampled_from(["contact-1", None]), flags=st.sets(st.sampled_from(FLAGS))
    )
    def file(self, kind: str, contact: str | None, flags: set[str]) -> None:
        self.walk = Walk(kind, contact, flags, set())

    @rule(
        verb=st.sampled_from(_verbs),
        by=st.sampled_from(ACTORS),
        hours=st.integers(0, 300),
        said=st.fixed_dictionaries(
            {},
            optional={
                "text": st.text(max_size=5), "reason": st.text(max_size=5), "staff": st.sampled_from(["s7", "s8"]),
                "unit": st.sampled_from(UNITS), "flag": st.sampled_from([*FLAGS, "vip"]), "rating": st.integers(-1, 7),
                "until": st.dates(NOON.date(), NOON.date() + timedelta(days=400)), "body": st.just("sa_commerce"),
                "kind": st.sampled_from([*KINDS, "wish"]), "off": st.booleans(),
            },
        ),
        to=st.none() | _routes,
    )  # fmt: skip
    def act(self, verb: str, by: Actor, hours: int, said: dict[str, Any], to: Route | None) -> None:
        self.walk.step(verb, by, timedelta(hours=hours), said, to)

    @rule(hours=st.integers(0, 300))
    def work(self, hours: int) -> None:
        self.walk.now += timedelta(hours=hours)
        self.walk.hold_in_time()

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "walk"):
            self.walk.hold()


Transitions.TestCase.settings = settings(settings.get_profile("tickets"), max_examples=25, stateful_step_count=25)
test_transitions = Transitions.TestCase
