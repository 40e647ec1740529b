"""The chain over history and audit: what was sealed and then touched by hand is found, and the first link is named."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from bot.handlers.ports import Stale
from bot.storage.crypto import Secrets
from bot.storage.sealing import BATCH, Sealer
from bot.storage.tables import audit, entries, seals, tickets
from bot.storage.trail import Trail
from bot.storage.verifying import PAGE, Verdict, verify
from bot.tickets.lifecycle import VERBS
from bot.tickets.people import SYSTEM, Actor, Role
from bot.tickets.ticket import Incomplete, NotAllowed, Wrong
from tests.contract.house import AGENT, NOW, PERSON, House

REFS = ("6821093659", "6821093667", "8100000001")
REF = REFS[0]
Tamper = Callable[[Connection], Any]


class Office(Trail):
    """The audit of a store."""

    def __init__(self, store: House) -> None:
        self._store = store


@pytest.fixture
def sealed(house: House) -> House:
    """Three tickets with four entries each, six rows of the audit, all of it sealed."""
    office = Office(house)
    Sealer(house).seal(NOW)
    for ref in REFS:
        house.file(ref)
        for n in range(3):
            act(house, ref, "note", AGENT, text=f"ملاحظة {n}")
            office.audit(AGENT, "unmasked", NOW + timedelta(seconds=n), ref)
    while Sealer(house).waiting():
        Sealer(house).seal(NOW)
    return house


def act(house: House, ref: str, verb: str, by: Actor, at: Any = NOW, **said: Any) -> None:
    with house.begin() as tx:
        ticket = tx.ticket(ref)
        assert ticket
        before = ticket.version
        ticket.apply(verb, by, at, **said)
        tx.save_ticket(ticket, before)


def judged(house: House, seen: str = "") -> Verdict:
    return verify(house.engine, house.secrets, seen)


def test_what_nobody_touched_is_as_it_was_sealed(sealed: House) -> None:
    verdict = judged(sealed)
    assert (verdict.broken, verdict.sealed, verdict.unsealed) == ("", {"entry": 12, "audit": 9}, 0)
    act(sealed, REF, "note", AGENT, text="بعدها")
    Office(sealed).audit(AGENT, "signed_out", NOW)
    later = judged(sealed, seen=verdict.head)
    assert (later.broken, later.unsealed) == ("", 2), "what was written a moment ago waits, and is no fault"
    Sealer(sealed).seal(NOW)
    again = judged(sealed, seen=verdict.head)
    assert (again.broken, again.unsealed, again.sealed) == ("", 0, {"entry": 13, "audit": 10})
    assert again.head != verdict.head and not Sealer(sealed).waiting()


def _row(connection: Connection, seq: int) -> dict[str, Any]:
    found = connection.execute(select(entries).where(entries.c.ref == REF, entries.c.seq == seq)).mappings().one()
    return dict(found)


def _forge(connection: Connection, **changes: Any) -> None:
    """An entry more, made of the last one, and the ticket counts it."""
    connection.execute(insert(entries), {**_row(connection, 4), "seq": 5, "sealed": False, **changes})
    connection.execute(update(tickets).where(tickets.c.ref == REF).values(version=5))


def _swap_entries(connection: Connection) -> None:
    for old, new in ((2, 99), (3, 2), (99, 3)):
        connection.execute(update(entries).where(entries.c.ref == REF, entries.c.seq == old).values(seq=new))


def _swap_audit(connection: Connection) -> None:
    first, second = list(connection.scalars(select(audit.c.id).order_by(audit.c.id)))[1:3]
    for old, new in ((first, 10**6), (second, first), (10**6, second)):
        connection.execute(update(audit).where(audit.c.id == old).values(id=new))


def _copy_audit(connection: Connection) -> None:
    """An old row once more: its keyed hash is right for it, but not with another nonce."""
    row = dict(connection.execute(select(audit).order_by(audit.c.id).limit(1)).mappings().one())
    row.pop("id")
    connection.execute(insert(audit), {**row, "nonce": "another", "sealed": False})


def _swap_seals(connection: Connection) -> None:
    for old, new in ((4, 10**6), (5, 4), (10**6, 5)):
        connection.execute(update(seals).where(seals.c.n == old).values(n=new))


def _entry_and_seal(connection: Connection) -> None:
    """With its link, and the ticket counts one less: the links after it still say that there was one."""
    connection.execute(delete(seals).where(seals.c.what == "entry", seals.c.key == f"{REF}/4"))
    connection.execute(delete(entries).where(entries.c.ref == REF, entries.c.seq == 4))
    connection.execute(update(tickets).where(tickets.c.ref == REF).values(version=3))
    last = connection.execute(select(seals.c.n).order_by(seals.c.n)).scalars().all()
    for wanted, n in enumerate(last, 1):
        connection.execute(update(seals).where(seals.c.n == n).values(n=wanted))


_third = (entries.c.ref == REF) & (entries.c.seq == 3)
_an_audit_row = audit.c.id == select(audit.c.id).order_by(audit.c.id).offset(2).limit(1).scalar_subquery()
_HANDS: dict[str, tuple[Tamper, str]] = {
    "words altered": (
        lambda c: c.execute(update(entries).where(_third).values(said={"text": "غيرها"})),
        f"entry 3 of ticket {REF} .* was altered",
    ),
    "who altered": (lambda c: c.execute(update(entries).where(_third).values(by_name="خالد")), "entry 3 .* altered"),
    "when altered by a microsecond": (
        lambda c: c.execute(update(entries).where(_third).values(at=NOW + timedelta(microseconds=1))), "entry 3 .* altered"
    ),
    "keyed hash taken away": (lambda c: c.execute(update(entries).where(_third).values(mac=None)), "entry 3 .* altered"),
    "entry deleted": (lambda c: c.execute(delete(entries).where(_third)), f"entry 3 of ticket {REF} .* was deleted"),
    "entry deleted with its link": (_entry_and_seal, "does not follow from link"),
    "entries swapped": (_swap_entries, f"entry 2 of ticket {REF} .* was altered"),
    "entry inserted": (
        lambda c: _forge(c, mac=None), f"entry 5 of ticket {REF} was inserted: .* this house did not write it"
    ),
    "entry copied": (_forge, "entry 5 .* was inserted"),
    "entry inserted as if sealed": (lambda c: _forge(c, sealed=True), "entry 5 .* was inserted: .* as if it were sealed"),
    "audit altered": (
        lambda c: c.execute(update(audit).where(_an_audit_row).values(by_id="s-9")), r"audit row \d+ .* was altered"
    ),
    "audit deleted": (lambda c: c.execute(delete(audit).where(_an_audit_row)), r"audit row \d+ .* was deleted"),
    "audit swapped": (_swap_audit, r"audit row \d+ .* moved"),
    "audit copied": (_copy_audit, r"audit row \d+ was inserted"),
    "link deleted": (lambda c: c.execute(delete(seals).where(seals.c.n == 4)), "link 4 is not there"),
    "links swapped": (_swap_seals, "link 4 does not follow from link 3"),
    "link altered": (
        lambda c: c.execute(update(seals).where(seals.c.n == 4).values(at=NOW + timedelta(days=1))), "link 4 does not follow"
    ),
    "link for what is not there": (
        lambda c: c.execute(update(seals).where(seals.c.n == 4).values(key="8100000001/77")), "link 4 does not follow"
    ),
}  # fmt: skip


@pytest.mark.parametrize("hand", _HANDS)
def test_the_first_broken_link_is_named(sealed: House, hand: str) -> None:
    tamper, wanted = _HANDS[hand]
    with sealed.engine.begin() as connection:
        tamper(connection)
    _says(judged(sealed), wanted)
    while Sealer(sealed).waiting():
        Sealer(sealed).seal(NOW)
    _says(judged(sealed), wanted.replace("this house did not write it", "as if it were sealed"))


def _says(verdict: Verdict, wanted: str) -> None:
    assert re.search(wanted, verdict.broken), verdict.broken


def test_of_several_the_first_is_named_with_when_it_was_sealed(sealed: House) -> None:
    with sealed.engine.begin() as connection:
        connection.execute(update(entries).where(entries.c.ref == REFS[2], entries.c.seq == 2).values(verb="reply"))
        connection.execute(delete(entries).where(_third))
    _says(judged(sealed), rf"^entry 3 of ticket {REF} \(link \d+, sealed 2026-11-25 09:30:00 UTC\) was deleted$")


def test_a_chain_whose_end_was_cut_off_is_known_by_the_end_that_was_written_down(sealed: House) -> None:
    head = judged(sealed).head
    with sealed.engine.begin() as connection:
        last = connection.execute(select(seals).order_by(seals.c.n.desc()).limit(1)).one()
        assert last.what == "audit"
        connection.execute(delete(seals).where(seals.c.n == last.n))
        connection.execute(delete(audit).where(audit.c.id == int(last.key)))
    assert judged(sealed).broken == "", "what is left is a whole chain: only who kept its end can tell"
    _says(judged(sealed, seen=head), "its end was cut off")
    Office(sealed).audit(AGENT, "unmasked", NOW, REF)
    Sealer(sealed).seal(NOW)
    _says(judged(sealed, seen=head), "is not the one that was written down")


def test_an_entry_that_went_before_it_was_sealed_is_missed(sealed: House) -> None:
    act(sealed, REF, "note", AGENT, text="لا يبقى")
    with sealed.engine.begin() as connection:
        connection.execute(delete(entries).where(entries.c.ref == REF, entries.c.seq == 5))
    _says(judged(sealed), f"ticket {REF} counts 5 entries, and 4 are there")


def test_another_key_proves_nothing(sealed: House) -> None:
    _says(verify(sealed.engine, Secrets("another key, which is long")), "link 1 does not follow .* SECRET_KEY")


def test_what_was_there_before_the_chain_is_sealed_as_it_was_found(house: House) -> None:
    """A house that is brought up to this version has a history without keyed hashes."""
    house.file(REF)
    with house.engine.begin() as connection:
        connection.execute(update(entries).values(mac=None))
    Sealer(house).seal(NOW)
    assert judged(house).sealed["entry"] == 1 and judged(house).broken == ""
    house.file(REFS[1])
    with house.engine.begin() as connection:
        connection.execute(update(entries).where(entries.c.ref == REFS[1]).values(mac=None))
    Sealer(house).seal(NOW)
    _says(judged(house), f"entry 1 of ticket {REFS[1]} was inserted")


def test_more_than_a_batch_and_more_than_a_page(house: House) -> None:
    office, many = Office(house), BATCH + PAGE + 10
    office.audit_reading(AGENT, "read_list", NOW, [f"{6 * 10**9 + n}" for n in range(many)])
    found = []
    while Sealer(house).waiting():
        found.append(Sealer(house).seal(NOW))
    assert max(found) == BATCH and sum(found) == many
    assert judged(house).sealed["audit"] == many
    with house.engine.begin() as connection:
        connection.execute(delete(audit).where(audit.c.ref == str(6 * 10**9 + many - 2)))
    _says(judged(house), "was deleted")


def test_reading_is_written_once_in_ten_minutes_for_each_reader_and_ticket(house: House) -> None:
    office = Office(house)
    other = Actor("staff", "s-2", "خالد", Role.AGENT)
    for minutes, by, refs in ((0, AGENT, [REF]), (9, AGENT, [REF, REFS[1]]), (9, other, [REF]), (11, AGENT, [REF])):
        office.audit_reading(by, "read_ticket", NOW + timedelta(minutes=minutes), refs)
    for file in (1, 2, 1):
        office.audit_reading(AGENT, "read_file", NOW, [REF], file=file)
    with house.read() as connection:
        found = connection.execute(
            select(audit.c.by_id, audit.c.what, audit.c.ref, audit.c.details).order_by(audit.c.id)
        )
        assert [tuple(row) for row in found] == [
            ("s-1", "read_ticket", REF, {}), ("s-1", "read_ticket", REFS[1], {}), ("s-2", "read_ticket", REF, {}),
            ("s-1", "read_ticket", REF, {}), ("s-1", "read_file", REF, {"file": 1}), ("s-1", "read_file", REF, {"file": 2}),
        ]  # fmt: skip


_SAID: dict[str, list[Any]] = {
    "text": ["…", "١٢٣\u202e", "a\0b", "\ud800"], "reason": ["…", None], "staff": ["s-7"], "unit": ["finance", "audit"],
    "body": ["sa_commerce"], "flag": ["abuse", "urgent"], "rating": [1, 5], "until": [(NOW + timedelta(days=20)).date()],
    "kind": ["report", "inquiry"], "off": [True, False],
}  # fmt: skip


def test_a8_after_any_walk_over_the_table_the_chain_verifies(house: House) -> None:
    """Anything by anybody, two of the staff on one ticket, the sealer beside them: all of it is in the chain as it was."""
    draw = random.Random("a8")
    who = (PERSON, AGENT, Actor("staff", "s-2", "نورة", Role.MANAGER), SYSTEM, Actor("program", "p-1", "لوحة"))
    for ref in REFS:
        house.file(ref)
    done, lost = 0, 0
    for step in range(400):
        ref, at = draw.choice(REFS), NOW + timedelta(hours=step)
        said = {name: draw.choice(values) for name, values in _SAID.items() if draw.random() < 0.9}
        try:
            act(
                house,
                ref,
                draw.choice(list(VERBS)),
                draw.choice(who),
                at,
                **{k: v for k, v in said.items() if v is not None},
            )
            done += 1
        except (NotAllowed, Incomplete, Wrong):
            pass
        if step % 50 == 0:
            lost += _race(house, ref, at)
        if draw.random() < 0.1:
            Sealer(house).seal(at)
    Sealer(house).seal(NOW)
    verdict = judged(house)
    with house.begin() as tx:
        history = sum(ticket.version for ref in REFS if (ticket := tx.ticket(ref)))
    assert done > 40 and lost > 2, "a lost update is refused"
    assert (verdict.broken, verdict.sealed["entry"], verdict.unsealed) == ("", history, 0)


def _race(house: House, ref: str, at: Any) -> int:
    """Two have the same page; the second one is refused: how many were."""
    with house.begin() as tx:
        one, two = tx.ticket(ref), tx.ticket(ref)
    assert one and two
    version = one.version
    for ticket in (one, two):
        if "note" not in ticket.allowed(AGENT):
            return 0
        ticket.apply("note", AGENT, at, text="…")
    with house.begin() as tx:
        tx.save_ticket(one, version)
    with pytest.raises(Stale), house.begin() as tx:
        tx.save_ticket(two, version)
    return 1
