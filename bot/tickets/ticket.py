"""A ticket: its history, and the only way to change it.

The history is the record: one entry per change, and the entry is the event. Time is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from bot.tickets import lifecycle
from bot.tickets.lifecycle import ENDED, VERBS, WAITING, Verb
from bot.tickets.people import Actor, Role

KINDS = ("inquiry", "complaint", "suggestion", "report", "observation")
FLAGS = ("confidential", "urgent", "needs_person", "my_data", "language", "abuse")
REOPEN_DAYS = 30
LIMITS = ("0", "24", "168")
"""Hours for which an address has the numbered menu only; 0 ends it."""
CLASSIFIED = ("kind", "category", "subcategory", "service")


class NotAllowed(Exception):
    """The table says no. `allowed` names the verbs that it says yes to."""

    def __init__(self, verb: str, why: str, allowed: list[str]) -> None:
        super().__init__(f"{verb}: {why}")
        self.verb, self.why, self.allowed = verb, why, allowed


class Incomplete(Exception):
    """A verb was asked for without what it needs; `missing` names the fields."""

    def __init__(self, verb: str, missing: list[str]) -> None:
        super().__init__(f"{verb} needs {', '.join(missing)}")
        self.verb, self.missing = verb, missing


class Wrong(ValueError):
    """A verb was given a value that cannot be: `field` names it, `why` says what it has to be."""

    def __init__(self, verb: str, field: str, why: str) -> None:
        super().__init__(f"{verb}: {field} {why}")
        self.verb, self.field, self.why = verb, field, why


@dataclass(frozen=True)
class Route:
    """Where a ticket belongs, and which units must not see it. Made by `routing.py`."""

    unit: str
    hidden_from: frozenset[str] = frozenset()
    needs_to_know: bool = False


@dataclass(frozen=True)
class Promise:
    """What a person was told: a reply of substance by `due`. Written down, never computed again."""

    due: datetime
    policy: str  # version of the terms
    calendar: str  # id and version of the calendar
    why: str  # filed, extended, holiday, answered, reopened, broken


@dataclass(frozen=True)
class Entry:
    """One change. `said` holds what the verb was given; `promise` a new one, where the verb makes one."""

    seq: int
    verb: str
    at: datetime  # aware, UTC
    by: Actor
    before: str
    after: str
    said: dict[str, Any] = field(default_factory=dict)
    promise: Promise | None = None

    @property
    def substance(self) -> bool:
        """A person answered in substance: what was promised."""
        return self.verb in VERBS and VERBS[self.verb].substance and self.by.kind in ("staff", "program")

    @property
    def asked(self) -> bool:
        """A question went out: to a ticket that nobody can be reached for, none does."""
        return self.verb == "ask" and not self.said.get("nobody")


@dataclass
class Ticket:
    """What a person brought to the ministry. Changed by `apply` alone."""

    ref: str
    kind: str
    text: str
    opened_at: datetime
    unit: str
    language: str
    source: str  # web, whatsapp, sms, telegram, phone, counter, email
    contact: str | None = None
    conversation: str | None = None
    category: str | None = None
    subcategory: str | None = None
    service: str | None = None
    service_class: str = "C"
    state: str = lifecycle.NEW
    staff: str | None = None
    flags: set[str] = field(default_factory=set)
    readers: set[str] = field(default_factory=set)
    hidden_from: set[str] = field(default_factory=set)
    unit_needs_to_know: bool = False
    beneficiary_type: str | None = None
    on_behalf: bool = False
    stage: str | None = None
    governorate: str | None = None
    receipt_hash: str | None = None
    reading: dict[str, Any] = field(default_factory=dict)
    incident: str | None = None  # the common cause it was joined to
    history: list[Entry] = field(default_factory=list)

    @classmethod
    def file(
        cls, *, by: Actor, at: datetime, promise: Promise, said: dict[str, Any] | None = None, **fields: Any
    ) -> Ticket:
        """A new ticket whose first entry records the words, who filed it and what was promised.

        ValueError where the kind or a flag is unknown, or the unit is one that must not see it.
        """
        if fields["kind"] not in KINDS:
            raise ValueError(f"unknown kind {fields['kind']!r}: one of {', '.join(KINDS)}")
        own = {name: set(fields.get(name, ())) for name in ("flags", "readers", "hidden_from")}
        ticket = cls(opened_at=at, **fields | own)
        if ticket.flags - set(FLAGS):
            raise ValueError(f"unknown flags {sorted(ticket.flags - set(FLAGS))}: some of {', '.join(FLAGS)}")
        if ticket.unit in ticket.hidden_from:
            raise ValueError(f"{ticket.unit} must not see this ticket, so it cannot receive it")
        ticket.history.append(
            Entry(1, "file", at, by, "", lifecycle.NEW, {"text": ticket.text, **(said or {})}, promise)
        )
        return ticket

    @property
    def version(self) -> int:
        """The number of entries: who changes a ticket says which version he saw."""
        return len(self.history)

    @property
    def need_to_know(self) -> bool:
        return "confidential" in self.flags or self.unit_needs_to_know

    @property
    def promise(self) -> Promise:
        """The promise in force: the last one written."""
        return next(e.promise for e in reversed(self.history) if e.promise)

    @property
    def answered(self) -> bool:
        """A person has replied in substance since the ticket was filed, or since it was last reopened."""
        for entry in reversed(self.history):
            if entry.substance:
                return True
            if entry.verb == "reopen":
                return False
        return False

    @property
    def question(self) -> Entry | None:
        """The question that the ticket is waiting behind; None where it is not waiting."""
        if self.state != WAITING:
            return None
        return next(e for e in reversed(self.history) if e.verb == "ask")

    @property
    def settled_at(self) -> datetime:
        """When the ticket came into the state it is in now."""
        return next((e.at for e in reversed(self.history) if e.before != e.after), self.opened_at)

    def allowed(self, by: Actor) -> list[str]:
        """The verbs that `by` may apply now, in the table's order."""
        return [v.name for v in lifecycle.possible(self.state, self.kind) if lifecycle.permitted(v, by)]

    def apply(
        self,
        verb: str,
        by: Actor,
        at: datetime,
        *,
        promise: Promise | None = None,
        route: Route | None = None,
        service_class: str | None = None,
        reopen_days: int = REOPEN_DAYS,
        turn: str | None = None,
        **said: Any,
    ) -> Entry:
        """Change the ticket by one row of the table and append the entry that records it.

        `promise` is what `promise.promise_for` made of the verb. `route` says what the register knows: of the unit of a
        *transfer* (without it the unit is taken to work on a need-to-know basis), or where a *classify* or *flag* makes
        the ticket belong. `service_class` goes with a *classify* of the service. `turn` is the id of the turn of a dialogue
        that did it, so that a turn driven again finds what it has done.
        Raises NotAllowed where the table or visibility says no, Incomplete where a needed field is missing or empty,
        Wrong where a value cannot be. Whenever it raises, nothing has changed.
        """
        row = VERBS.get(verb)
        if row is None or verb not in self.allowed(by):
            raise NotAllowed(verb, f"not possible for {by.kind} in state {self.state}", self.allowed(by))
        said = {k: _plain(v) for k, v in said.items() if k in row.asks + row.may and not _empty(v)}
        self._check(row, by, at, said, route, reopen_days)
        before = self.state
        self.state = row.to or self._moved_by_work(row, by)
        self._effect(verb, said, route, service_class)
        if route is not None:
            said["route"] = {
                "unit": route.unit,
                "hidden_from": sorted(route.hidden_from),
                "needs_to_know": route.needs_to_know,
            }
        said |= {k: v for k, v in (("service_class", service_class), ("turn", turn)) if v is not None}
        if verb == "ask" and self.contact is None:
            said["nobody"] = True
        entry = Entry(self.version + 1, verb, at, by, before, self.state, said, promise)
        self.history.append(entry)
        return entry

    def _check(
        self, row: Verb, by: Actor, at: datetime, said: dict[str, Any], route: Route | None, reopen_days: int
    ) -> None:
        """Raises where the verb cannot be done as it was asked for; changes nothing."""
        missing = [name for name in row.asks if name not in said]
        if row.name == "classify" and not said:
            missing = list(CLASSIFIED)
        if missing:
            raise Incomplete(row.name, missing)
        match row.name:
            case "reopen" if by.kind == "beneficiary" and self.state in ENDED:
                if at - self.settled_at > timedelta(days=reopen_days):
                    raise NotAllowed(row.name, f"later than {reopen_days} days", self.allowed(by))
            case "transfer":
                if said["unit"] in self.hidden_from | (route.hidden_from if route else frozenset()):
                    raise NotAllowed(row.name, "that unit must not see this ticket", self.allowed(by))
            case "classify":
                kind = said.get("kind", self.kind)
                if kind not in KINDS:
                    raise Wrong(row.name, "kind", f"is one of {', '.join(KINDS)}")
                if kind != "suggestion" and self.state in lifecycle.OF_SUGGESTIONS:
                    raise NotAllowed(row.name, f"only a suggestion can be {self.state}", self.allowed(by))
            case "flag" if said["flag"] not in FLAGS:
                raise Wrong(row.name, "flag", f"is one of {', '.join(FLAGS)}")
            case "flag" if said["flag"] == "confidential" and said.get("off") and by.role not in lifecycle.SENIORS:
                if by.kind != "beneficiary":
                    raise NotAllowed(row.name, "only the beneficiary or a senior makes it open again", self.allowed(by))
            case "limit" if str(said["hours"]) not in LIMITS:
                raise Wrong(row.name, "hours", f"is one of {', '.join(LIMITS)}")
            case "link" if not said.get("off") and self.need_to_know:
                raise NotAllowed(row.name, "what is read on need to know joins no incident", self.allowed(by))
            case "rate" if type(said["rating"]) is not int or not 1 <= said["rating"] <= 5:
                raise Wrong(row.name, "rating", "is a whole number from 1 to 5")

        hidden = self.hidden_from | (route.hidden_from if route else frozenset())
        if route and row.name in ("classify", "flag") and self.unit in hidden and route.unit in hidden:
            raise NotAllowed(row.name, f"{route.unit} must not see this ticket: transfer it first", self.allowed(by))

    def _moved_by_work(self, row: Verb, by: Actor) -> str:
        """Where a row without a state of its own leads.

        A new ticket is open once somebody works on it; a waiting one goes back to where it was once its question is
        answered, or turns out never to have arrived.
        """
        worked_on = by.kind in ("staff", "program") and row.name in ("reply", "assign", "transfer", "join")
        if self.state == lifecycle.NEW and worked_on:
            return lifecycle.OPEN
        if self.state == WAITING and row.name in ("add", "reply", "undelivered"):
            asked_from = self.question.before if self.question else lifecycle.OPEN
            return asked_from if asked_from == lifecycle.UNDER_STUDY else lifecycle.OPEN
        return self.state

    def _effect(self, verb: str, said: dict[str, Any], route: Route | None, service_class: str | None) -> None:
        match verb:
            case "assign":
                self.staff = said["staff"]
                self.readers.add(said["staff"])
            case "transfer":
                self.hidden_from |= route.hidden_from if route else frozenset()
                self._move(said["unit"], route.needs_to_know if route else True)
            case "classify":
                for name in CLASSIFIED:
                    if name in said:
                        setattr(self, name, said[name])
                self.service_class = service_class or self.service_class
                self._keep_from_those_concerned(route)
            case "flag":
                (self.flags.discard if said.get("off") else self.flags.add)(said["flag"])
                if said["flag"] == "confidential" and "confidential" in self.flags:
                    self.readers.intersection_update({self.staff} if self.staff else set())
                self._keep_from_those_concerned(route)
            case "threat":
                self.flags.add("abuse")
            case "link":
                self.incident = None if said.get("off") else said["incident"]
            case "undelivered":
                self.flags.add("needs_person")

    def _keep_from_those_concerned(self, route: Route | None) -> None:
        """Hides the ticket from the units that the route names; it leaves its unit where that is one of them."""
        if route is None:
            return
        self.hidden_from |= route.hidden_from
        if self.unit in self.hidden_from:
            self._move(route.unit, route.needs_to_know)

    def _move(self, unit: str, needs_to_know: bool) -> None:
        """The unit's own people take it from here: nobody is assigned, and need to know starts afresh."""
        self.unit, self.staff, self.unit_needs_to_know = unit, None, needs_to_know
        if self.need_to_know:
            self.readers.clear()


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _plain(value: Any) -> Any:
    """Dates as text, so that an entry is the same before and after it was stored."""
    return value.isoformat() if isinstance(value, date) else value


__all__ = ["FLAGS", "KINDS", "Entry", "Incomplete", "NotAllowed", "Promise", "Role", "Route", "Ticket", "Wrong"]
