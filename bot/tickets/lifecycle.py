"""The one table: what may be done to a ticket, from which state, by whom, and who is told.

A lawyer of the ministry can read it. Buttons, permissions, notices and the handbook's table come from its rows.
`python -m bot.tickets.lifecycle > docs/lifecycle.md` writes it out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.tickets.people import Actor, Role

NEW, OPEN, WAITING, RESOLVED, CLOSED = "new", "open", "waiting", "resolved", "closed"
WITHDRAWN, REDIRECTED = "withdrawn", "redirected"
UNDER_STUDY, ACCEPTED, IMPLEMENTED, DECLINED = "under_study", "accepted", "implemented", "declined"

LIVE = frozenset({NEW, OPEN, WAITING, UNDER_STUDY, ACCEPTED})
"""Work is owed."""
ANSWERED = frozenset({RESOLVED, IMPLEMENTED, DECLINED})
"""An outcome was told, and may be rated and disputed."""
ENDED = frozenset({CLOSED, WITHDRAWN, REDIRECTED})
OF_SUGGESTIONS = frozenset({UNDER_STUDY, ACCEPTED, IMPLEMENTED, DECLINED})
"""A ticket of another kind is never in these."""
STATES = LIVE | ANSWERED | ENDED

AGENTS = frozenset({Role.AGENT, Role.SUPERVISOR, Role.MANAGER})
SENIORS = frozenset({Role.SUPERVISOR, Role.MANAGER})
READERS = AGENTS | {Role.OVERSIGHT}
"""Who opens tickets at the desk."""


@dataclass(frozen=True)
class Verb:
    """One row. `to` None keeps the state; `tells` names who hears of it: beneficiary, unit, supervisor."""

    name: str
    sources: frozenset[str]
    to: str | None
    roles: frozenset[Role] = AGENTS
    beneficiary: bool = False
    system: bool = False
    asks: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    tells: frozenset[str] = frozenset()
    kinds: frozenset[str] | None = None
    substance: bool = False  # a first reply of substance by a person: keeps the promise
    button: bool = True  # shown at the desk


def _verbs(*rows: Verb) -> Mapping[str, Verb]:
    return {row.name: row for row in rows}


_person, _unit = frozenset({"beneficiary"}), frozenset({"unit"})
_both = _person | _unit
_suggestion = frozenset({"suggestion"})
_nobody: frozenset[Role] = frozenset()
_to_study = frozenset({NEW, OPEN, WAITING})
_to_decide = _to_study | {UNDER_STUDY}
_reason = ("reason",)

# fmt: off
VERBS: Mapping[str, Verb] = _verbs(
    Verb("reply", LIVE | ANSWERED, None, asks=("text",), tells=_person, substance=True),
    Verb("ask", frozenset({NEW, OPEN, UNDER_STUDY}), WAITING, asks=("text",), tells=_person),
    Verb("note", STATES, None, roles=AGENTS | {Role.OVERSIGHT}, asks=("text",)),
    Verb("assign", LIVE | ANSWERED, None, asks=("staff",), tells=_unit),
    Verb("transfer", LIVE, None, asks=("unit", "reason"), tells=_both),
    Verb("extend", LIVE, None, roles=SENIORS, asks=("until", "reason"), tells=_person),
    Verb("escalate", LIVE, None, system=True, asks=_reason, tells=frozenset({"supervisor"})),
    Verb("classify", STATES, None, may=("kind", "category", "subcategory", "service")),
    Verb("flag", STATES, None, beneficiary=True, system=True, asks=("flag",), may=("off",), button=False),
    Verb("link", STATES, None, asks=("incident",), may=("off",), button=False),
    Verb("threat", STATES, None, asks=("text",), tells=frozenset({"supervisor"}), button=False),
    Verb("limit", STATES, None, SENIORS, asks=("hours", "reason"), button=False),
    Verb("resolve", LIVE, RESOLVED, asks=("text",), tells=_person, substance=True),
    Verb("close", LIVE | ANSWERED, CLOSED, system=True, asks=_reason, tells=_person),
    Verb("redirect", LIVE, REDIRECTED, asks=("body",), may=("text",), tells=_person, substance=True),
    Verb("study", _to_study, UNDER_STUDY, kinds=_suggestion, may=("text",), tells=_person),
    Verb("accept", _to_decide, ACCEPTED, SENIORS, kinds=_suggestion, asks=_reason, tells=_person, substance=True),
    Verb("implement", frozenset({ACCEPTED}), IMPLEMENTED, kinds=_suggestion, asks=("text",), tells=_person,
         substance=True),
    Verb("decline", _to_decide | {ACCEPTED}, DECLINED, SENIORS, kinds=_suggestion, asks=_reason, tells=_person,
         substance=True),
    Verb("reopen", ANSWERED | ENDED, OPEN, beneficiary=True, asks=_reason, tells=_both),
    # What the beneficiary does; staff who were asked to by telephone may, too.
    Verb("add", STATES, None, beneficiary=True, asks=("text",), tells=_unit),
    Verb("withdraw", LIVE, WITHDRAWN, beneficiary=True, may=_reason, tells=_both),
    Verb("rate", ANSWERED | {CLOSED}, None, beneficiary=True, asks=("rating",), may=("text",), button=False),
    # A member of staff in the conversation itself: the assistant is silent in between.
    Verb("join", LIVE, None, tells=_person, button=False),
    Verb("leave", STATES, None, beneficiary=True, system=True, may=_reason, tells=_person, button=False),
    # What the clock does (postpone: a holiday was confirmed), and what the post reports (a question did not arrive).
    Verb("warn", LIVE, None, _nobody, system=True, may=_reason, tells=_unit, button=False),
    Verb("break", LIVE, None, _nobody, system=True, may=_reason, tells=_both, button=False),
    Verb("postpone", LIVE, None, _nobody, system=True, may=_reason, tells=_both, button=False),
    Verb("remind", frozenset({WAITING}), None, _nobody, system=True, may=_reason, tells=_person, button=False),
    Verb("undelivered", frozenset({WAITING}), None, _nobody, system=True, may=_reason, tells=_unit, button=False),
)
# fmt: on


def possible(state: str, kind: str) -> list[Verb]:
    """The rows that a ticket of this kind in this state allows to somebody, in the table's order."""
    return [v for v in VERBS.values() if state in v.sources and (v.kinds is None or kind in v.kinds)]


def permitted(verb: Verb, by: Actor) -> bool:
    """True where the table lets this kind of actor, in this role, do the verb at all."""
    if by.kind == "beneficiary":
        return verb.beneficiary
    if by.kind == "system":
        return verb.system
    if by.kind == "program":
        return bool(verb.roles)
    return by.role in verb.roles


# The table written out, for the handbook.

ORDER = (
    NEW, OPEN, WAITING, UNDER_STUDY, ACCEPTED, RESOLVED, IMPLEMENTED, DECLINED, CLOSED, WITHDRAWN, REDIRECTED,
)  # fmt: skip
_GROUPS = ((STATES, "any"), (LIVE | ANSWERED, "live, answered"), (ANSWERED | ENDED, "answered, ended"), (LIVE, "live"))


def handbook() -> str:
    """The table as docs/lifecycle.md holds it."""
    rows = "\n".join(_row(verb) for verb in VERBS.values())
    return f"""# What may be done to a ticket

Generated from `bot/tickets/lifecycle.py` by `python -m bot.tickets.lifecycle > docs/lifecycle.md`; a test compares.

*Live* is {_listed(LIVE)}: work is owed. *Answered* is {_listed(ANSWERED)}: an outcome was told. *Ended* is {_listed(ENDED)}.
A verb that is not in the table, or not from this state, or not for this person, is refused. A dash under 'to' means that
the state stays, but: a new ticket that staff reply to, assign or transfer is open; a waiting one goes back to where it
was when something is added or replied, or when its question could not be delivered.
'First reply' keeps the promise when a person does it. A beneficiary acts on their own tickets only, and may reopen one
for 30 days after it ended. A program with a token may do what any of the staff may.

| verb | from | to | who | needs | may have | tells | first reply |
|---|---|---|---|---|---|---|---|
{rows}
"""


def _row(verb: Verb) -> str:
    who = [r.value for r in Role if r in verb.roles]
    who += [w for w, does in (("beneficiary", verb.beneficiary), ("clock", verb.system)) if does]
    name = f"{verb.name} (suggestions)" if verb.kinds else verb.name
    cells = (
        name, _group(verb.sources), verb.to or "–", ", ".join(who), _all(verb.asks), _all(verb.may),
        _all(t for t in ("beneficiary", "unit", "supervisor") if t in verb.tells), "yes" if verb.substance else "–",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _group(states: frozenset[str]) -> str:
    return next((name for group, name in _GROUPS if states == group), _listed(states))


def _listed(states: frozenset[str]) -> str:
    return ", ".join(s for s in ORDER if s in states)


def _all(words: Iterable[str]) -> str:
    return ", ".join(words) or "–"


if __name__ == "__main__":
    sys.stdout.write(handbook())
