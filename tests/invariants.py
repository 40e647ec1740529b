"""What must be true of any database of the house, whatever happened to it: the checker that all tests use.

`check(engine)` gives one sentence for everything that is wrong; an empty list is what is wanted.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, Engine, Table, select

from bot.storage import rows
from bot.storage.tables import conversations, dialogue_events, entries, inbox, outbox, tickets
from bot.tickets.lifecycle import VERBS
from bot.tickets.ticket import KINDS, Entry, Route, Ticket

_RECEIPT = re.compile(r"(\d{10}):1")
_DERIVED = (
    "confidential",
    "urgent",
    "needs_person",
    "need_to_know",
    "promised_for",
    "answered_at",
    "closed_at",
    "state",
)


def check(engine: Engine) -> list[str]:
    """Everything that is wrong with this database, one sentence each."""
    with engine.connect() as connection:
        return list(_problems(connection))


def _problems(connection: Connection) -> Iterator[str]:
    talks = _all(connection, conversations)
    came, went = _all(connection, inbox), _all(connection, outbox)
    filed = _all(connection, tickets)
    histories: dict[str, list[Any]] = defaultdict(list)
    for row in _all(connection, entries):
        histories[row["ref"]].append(row)
    yield from _numbers(talks, came, went)
    yield from _outcomes(came, went, filed)
    yield from _receipts(went, filed)
    yield from _dialogues(talks, connection)
    for ref in histories.keys() - {row["ref"] for row in filed}:
        yield f"entries of {ref}, but no such ticket"
    for row in filed:
        yield from _ticket(row, histories[row["ref"]])
    yield from _notices(filed, histories, went)


def _all(connection: Connection, table: Table) -> list[Any]:
    return list(connection.execute(select(table).order_by(*table.primary_key.columns)).mappings())


def _numbers(talks: list[Any], came: list[Any], went: list[Any]) -> Iterator[str]:
    """Without gaps, in order, and as many as the conversation counted; one row per key."""
    for name, counter, found in (("inbox", "seq_in", came), ("outbox", "seq_out", went)):
        seqs: dict[str, list[int]] = defaultdict(list)
        for row in found:
            seqs[row["conversation"]].append(row["seq"])
        for talk in talks:
            mine = sorted(seqs.pop(talk["id"], []))
            if mine != list(range(1, talk[counter] + 1)):
                yield f"{name} of {talk['id']}: numbers {mine}, counted {talk[counter]}"
        for id in seqs:
            yield f"{name} of {id}, but no such conversation"
    for (talk, key), times in Counter((r["conversation"], r["key"]) for r in went).items():
        if times > 1:
            yield f"outbox of {talk}: {key} is there {times} times"
    for (talk, message), times in Counter((r["conversation"], r["message_id"]) for r in came).items():
        if times > 1:
            yield f"inbox of {talk}: message {message} is there {times} times"


def _outcomes(came: list[Any], went: list[Any], filed: list[Any]) -> Iterator[str]:
    """What reached its end did something for the person, or says why not."""
    turns = {(row["conversation"], row["turn"]) for row in went if row["turn"]}
    filing = {row["turn"] for row in filed}
    for row in came:
        where = f"inbox {row['id']} of {row['conversation']}"
        if row["state"] in ("done", "menu"):
            spoke = (row["conversation"], row["turn"]) in turns or (row["turn"] and row["turn"] in filing)
            if not spoke and not row["reason"]:
                yield f"{where} is {row['state']}, but its turn {row['turn']} said nothing and filed nothing"
        if row["state"] == "failed" and not row["reason"]:
            yield f"{where} failed without a reason"
        if (row["finished_at"] is None) != (row["state"] in ("waiting", "working")):
            yield f"{where} is {row['state']}, finished at {row['finished_at']}"


def _receipts(went: list[Any], filed: list[Any]) -> Iterator[str]:
    """A ticket that a turn filed was told, and nothing was told of a ticket that is not there."""
    refs = {row["ref"] for row in filed}
    told = {(row["turn"], row["key"]) for row in went}  # the receipt code may have brought the ticket elsewhere since
    for row in filed:
        if row["turn"] and row["conversation"] and (row["turn"], f"{row['ref']}:1") not in told:
            yield f"ticket {row['ref']} was filed by turn {row['turn']}, which did not say so"
    for row in went:
        receipt = _RECEIPT.fullmatch(row["key"])
        for ref in {row["ref"], receipt and receipt[1]} - refs - {None}:
            yield f"outbox {row['id']} ({row['name']}) tells of {ref}, but there is no such ticket"
    for turn, times in Counter(row["turn"] for row in filed if row["turn"]).items():
        if times > 1:
            yield f"turn {turn} filed {times} tickets"


def _dialogues(talks: list[Any], connection: Connection) -> Iterator[str]:
    found: dict[str, list[int]] = defaultdict(list)
    for row in connection.execute(select(dialogue_events.c.dialogue, dialogue_events.c.n)):
        found[row.dialogue].append(row.n)
    for dialogue, places in found.items():
        if sorted(places) != list(range(len(places))):
            yield f"dialogue {dialogue}: events have gaps"
    for talk in talks:
        held = len(found.get(talk["dialogue"], [])) if talk["dialogue"] else 0
        if held != talk["dialogue_events"]:
            yield f"conversation {talk['id']} counts {talk['dialogue_events']} events, {held} are there"


def _ticket(row: Any, past: list[Any]) -> Iterator[str]:
    """Its history is whole, legal and says the same as its row."""
    ref = row["ref"]
    if not past or past[0]["verb"] != "file":
        yield f"ticket {ref} has no entry that files it"
        return
    if [e["seq"] for e in past] != list(range(1, len(past) + 1)):
        yield f"ticket {ref}: entries {[e['seq'] for e in past]}"
    if row["version"] != len(past):
        yield f"ticket {ref} is at version {row['version']} with {len(past)} entries"
    if past[0]["promise"] is None:
        yield f"ticket {ref} was filed without a promise"
        return
    ticket = rows.ticket(row, past)
    if row["state"] != ticket.history[-1].after:
        yield f"ticket {ref} is {row['state']}, its last entry says {ticket.history[-1].after}"
    if any(a.at > b.at for a, b in zip(ticket.history, ticket.history[1:], strict=False)):
        yield f"ticket {ref}: entries run backwards in time"
    expected = rows.ticket_row(ticket, fold=lambda words: words, due=lambda _: None)
    for name in _DERIVED:
        if row[name] != expected[name]:
            yield f"ticket {ref}: {name} is {row[name]}, its history says {expected[name]}"
    yield from _legal(ticket)


def _legal(ticket: Ticket) -> Iterator[str]:
    """The lifecycle table allows every step: it is taken again."""
    first = ticket.history[0]
    changed = any(e.verb == "classify" and "kind" in e.said for e in ticket.history)
    kinds: Iterable[str] = KINDS if changed else (ticket.kind,)
    reasons = [_replayed(ticket, first, kind) for kind in kinds]
    if all(reasons):
        yield f"ticket {ticket.ref}: {reasons[0]}"


def _replayed(ticket: Ticket, first: Entry, kind: str) -> str | None:
    """Why the history is not legal for a ticket that was filed as this kind; None where it is."""
    replay = Ticket(ticket.ref, kind, ticket.text, first.at, ticket.unit, ticket.language, ticket.source)
    replay.history.append(first)
    if (first.before, first.after) != ("", replay.state):
        return f"filed from {first.before!r} to {first.after!r}"
    for entry in ticket.history[1:]:
        said = dict(entry.said)
        route, service_class = said.pop("route", None), said.pop("service_class", None)
        try:
            again = replay.apply(
                entry.verb,
                entry.by,
                entry.at,
                promise=entry.promise,
                route=route and Route(route["unit"], frozenset(route["hidden_from"]), route["needs_to_know"]),
                service_class=service_class,
                reopen_days=100_000,
                **said,
            )
        except Exception as problem:
            return f"entry {entry.seq}: {problem}"
        if (again.seq, again.before, again.after) != (entry.seq, entry.before, entry.after):
            return f"entry {entry.seq} {entry.verb}: {entry.before} to {entry.after}, the table says {again.after}"
    return None


def _notices(filed: list[Any], histories: dict[str, list[Any]], went: list[Any]) -> Iterator[str]:
    """Whoever is to be told of an entry is told once."""
    told = Counter(row["key"] for row in went)
    for row in filed:
        if row["conversation"] is None:
            continue
        for entry in histories[row["ref"]]:
            verb = VERBS.get(entry["verb"])
            key = f"{row['ref']}:{entry['seq']}"
            if verb and "beneficiary" in verb.tells and told[key] != 1:
                yield f"ticket {row['ref']}: the person was told {told[key]} times of entry {entry['seq']} {verb.name}"
