"""What the house can be asked to do: one transaction each, and everything it tells goes out with it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.handlers import live, notifications
from bot.handlers.draft import Draft
from bot.handlers.ports import Clock, Conversation, Say, Stale, Store, Transaction
from bot.tickets import promise as clockwork
from bot.tickets.calendar import WorkingCalendar
from bot.tickets.lifecycle import VERBS
from bot.tickets.people import SYSTEM, Actor, Staff, may_see, may_work
from bot.tickets.promise import Policy
from bot.tickets.reference import new_receipt, new_reference
from bot.tickets.routing import route
from bot.tickets.taxonomy import Register
from bot.tickets.ticket import Entry, NotAllowed, Ticket
from channels.contract import Address
from nlu.arabic.flags import danger_kind

GUESSES, GUESS_WINDOW = 5, timedelta(hours=1)
"""So many wrong receipt codes or strangers' references in so much time, then nothing more is answered for a while."""
LINK_WINDOW = timedelta(minutes=10)
"""How long a code for a second address is good."""
LINKING, LINK_GUESSES = "linking", 100
"""So many wrong codes of all people together while a code is good: then nobody's is taken for a while."""
GUARDED = ("integrity", "staff_conduct")
"""Categories that the unit concerned never sees."""
SPECIAL = ("language", "my_data", "needs_person")
PRIVACY = "2"
"""Version of the privacy sentence."""


class UnknownTicket(Exception):
    """There is no such ticket, or it is not for this member of staff: the same answer."""


class House:
    """The handlers. `register()` is the ministry's data as it is now, `digest` a keyed hash for receipt codes."""

    def __init__(
        self,
        store: Store,
        register: Callable[[], Register],
        calendar: Callable[[], WorkingCalendar],
        clock: Clock,
        digest: Callable[[str], str],
        fold: Callable[[str], str],
        country: str,
        colleague: Callable[[str], Staff | None],
        one_way: Callable[[Address], bool] = lambda address: False,
    ) -> None:
        """`colleague` finds a member of staff by id or e-mail address; `one_way` tells where nobody can answer us."""
        self.one_way = one_way
        self.colleague = colleague
        self.store, self.register, self._calendar, self.clock = store, register, calendar, clock
        self.digest, self.fold, self.country = digest, fold, country

    @property
    def calendar(self) -> WorkingCalendar:
        return self._calendar()

    @property
    def policy(self) -> Policy:
        return self.register().policy

    def local(self, at: datetime) -> str:
        """An instant as the ministry's wall clock shows it, ISO with its offset: how sentences are given dates."""
        return at.astimezone(self.calendar.zone).isoformat()

    # --- filing ----------------------------------------------------------------------------------------------------

    def file(self, conversation: str, turn: str, draft: Draft, *, kept: bool = False) -> dict[str, Any] | None:
        """The draft is a ticket, its person is told so, both or neither; a turn files once.

        Returns the question that is open now: another matter that was found in the same words, or None.

        `kept`: nobody confirmed it; it is filed so that it is not lost, and a person shall look.
        """
        at = self.clock()
        with self.store.begin() as tx:
            talk = tx.conversation(conversation)
            assert talk is not None, "a turn belongs to a conversation"
            earlier = tx.ticket_of_turn(turn)
            if earlier:
                return talk.state.get("question")
            receipt = new_receipt()
            ticket = self.new_ticket(
                draft, receipt, at, by=Actor("beneficiary", talk.contact), kept=kept, language=talk.language or "ar",
                source=talk.address.scheme, contact=talk.contact, conversation=talk.id,
            )  # fmt: skip
            self.add(tx, ticket, turn)
            tx.take_files(talk.id, ticket.ref)
            self._tell_filed(tx, talk, turn, ticket, receipt, at, kept)
            self._offer_second(tx, talk, turn, draft, at)
            talk.state = {**talk.state, "draft": None}
            tx.drop_events(talk.dialogue)
            talk.dialogue, talk.dialogue_events, talk.menu = "", 0, False
            tx.save_conversation(talk)
            self.tell_desk(tx, ticket, at)
            question: dict[str, Any] | None = talk.state["question"]
            return question

    def add(self, tx: Transaction, ticket: Ticket, turn: str | None) -> None:
        """The ticket is stored, under another reference where its own is taken."""
        while not tx.add_ticket(ticket, turn):
            ticket.ref = new_reference()

    def tell_desk(self, tx: Transaction, ticket: Ticket, at: datetime) -> None:
        """The unit hears of a ticket that was filed; of danger the contact centre does, too."""
        for notice in notifications.to_staff(ticket.history[0], ticket):
            tx.staff_tell(ticket.ref, notice.about, notice.unit, notice.staff, at, notice.params)
            if notice.about == "urgent" and not ticket.need_to_know and notice.unit != self.register().contact_centre:
                tx.staff_tell(ticket.ref, notice.about, self.register().contact_centre, None, at, notice.params)

    def new_ticket(
        self,
        draft: Draft,
        receipt: str,
        at: datetime,
        *,
        by: Actor,
        kept: bool = False,
        subcategory: str | None = None,
        **whose: Any,
    ) -> Ticket:
        """The ticket that a draft makes, routed and promised. `whose` says of whom, from where, in which language."""
        register = self.register()
        service = register.services.get(draft.service or "")
        service_class = service.service_class if service else self.policy.unknown_service_class
        flags = set(draft.flags)
        flags |= {"confidential"} if draft.confidential else set()
        flags |= {"urgent"} if draft.urgent else set()
        flags |= {"needs_person"} if kept or draft.flags == ("language",) else set()
        if "insult" in (draft.reading.get("flags") or ()):
            flags.add("abuse")
        kind, category = draft.kind or "inquiry", draft.category or "other"
        # a second matter that the same words hold counts, too: they are never shown to who is complained of in them
        second = (draft.second or {}).get("category")
        guarded = second if second in GUARDED and category not in GUARDED else category
        to = route(register, kind, guarded, subcategory, draft.service, self.fold(draft.text), frozenset(flags))
        promise = clockwork.promised(
            self.policy,
            self.calendar,
            kind,
            category,
            "A" if "urgent" in flags else service_class,
            at,
            my_data="my_data" in flags,
        )
        return Ticket.file(
            by=by,
            at=at,
            promise=promise,
            ref=new_reference(),
            kind=kind,
            text=draft.text,
            unit=to.unit,
            category=category,
            subcategory=subcategory,
            service=draft.service,
            service_class=service_class,
            flags=flags,
            hidden_from=set(to.hidden_from),
            unit_needs_to_know=to.needs_to_know,
            receipt_hash=self.digest(receipt),
            reading=draft.reading,
            **whose,
        )

    def _tell_filed(
        self, tx: Transaction, talk: Conversation, turn: str, ticket: Ticket, receipt: str, at: datetime, kept: bool
    ) -> None:
        tx.say(talk, turn, self.filed(ticket, receipt, at, kept), at)

    def filed(self, ticket: Ticket, receipt: str, at: datetime, kept: bool = False) -> Say:
        """The sentence that tells of a filing: reference, receipt code, who answers and by when."""
        special = next((f for f in SPECIAL if f in ticket.flags), None)
        closed = not self.calendar.is_open(at)
        params: dict[str, Any] = {
            "ref": ticket.ref, "receipt": receipt, "unit": ticket.unit, "due": self.local(ticket.promise.due),
        }  # fmt: skip
        if "my_data" in ticket.flags:
            name = "utter_my_data_filed"
        elif "language" in ticket.flags:
            name = "utter_language_unknown"
        elif kept:
            name = "utter_filed_kept"
        elif special == "needs_person":
            name = "utter_filed_person_closed" if closed else "utter_filed_person"
        elif "urgent" in ticket.flags:
            name = "utter_filed_urgent_closed" if closed else "utter_filed_urgent"
            params["number"] = self.emergency(danger_kind(ticket.text) or "other")
        else:
            name = "utter_filed_closed" if closed else "utter_filed"
        if name.endswith("_closed"):
            params["opening"] = self.local(self.calendar.next_opening(at))
        return Say(name, f"{ticket.ref}:1", params, ref=ticket.ref)

    def _offer_second(self, tx: Transaction, talk: Conversation, turn: str, draft: Draft, at: datetime) -> None:
        """Another matter that was in the same words is offered, never filed silently."""
        second = draft.second
        if not second:
            waits = (talk.state.get("question") or {}).get("name") == "staff_question"
            talk.state = {**talk.state, "question": talk.state["question"] if waits else None}
            return
        yes, no = {"do": "second"}, {"do": "no_second"}
        talk.state = {**talk.state, "question": {"name": "second", **second, "yes": yes, "no": no}}
        buttons = [
            {"title": "button_yes", "payload": '/press{"do":"second"}'},
            {"title": "button_no", "payload": '/press{"do":"no_second"}'},
        ]
        tx.say(talk, turn, Say("utter_second_matter", f"{turn}:second", {"text": second["text"]}, buttons), at)

    # --- one door for every verb -------------------------------------------------------------------------------------

    def act(
        self,
        ref: str,
        verb: str,
        by: Actor,
        said: Mapping[str, Any],
        *,
        staff: Staff | None = None,
        contact: str | None = None,
        seen: int | None = None,
        key: str | None = None,
        turn: str | None = None,
    ) -> Ticket:
        """The ticket after the verb; everybody whom the table names is told in the same transaction.

        `staff` or `contact` is who asks: what they may not see does not exist for them (UnknownTicket). `seen` is the
        version that the form showed: Stale where it is another now. `key`: the same key again does nothing again.
        Raises NotAllowed, Incomplete, Wrong as `Ticket.apply` does.
        """
        at = self.clock()
        with self.store.begin() as tx:
            if key and tx.remembered(f"act {by.id} {key}"):
                again = tx.ticket(ref)
                if again is None:
                    raise UnknownTicket(ref)
                return again
            ticket = tx.ticket(ref)
            if ticket is None or (staff and not may_see(staff, ticket)) or (contact and ticket.contact != contact):
                raise UnknownTicket(ref)
            if staff and not may_work(staff) and verb not in ticket.allowed(by):
                raise NotAllowed(verb, f"a {staff.role} changes nothing", [])
            if seen is not None and seen != ticket.version:
                raise Stale(ref, ticket.version)
            self.apply(tx, ticket, verb, by, said, at, turn)
            if key:
                tx.remember(f"act {by.id} {key}", {"verb": verb, "ref": ref}, at)
            return ticket

    def apply(
        self,
        tx: Transaction,
        ticket: Ticket,
        verb: str,
        by: Actor,
        said: Mapping[str, Any],
        at: datetime,
        turn: str | None = None,
    ) -> Entry:
        """Do a verb in a transaction that is open: the entry; who is to be told of it is told."""
        register, version = self.register(), ticket.version
        row = VERBS.get(verb)
        said = {k: v for k, v in said.items() if row and k in row.asks + row.may}
        problems = self._unknown(register, said)
        if problems:
            raise ValueError("; ".join(problems))
        if verb == "assign" and said.get("staff"):
            said["staff"] = self._assignee(ticket, str(said["staff"])).id
        if verb == "link" and not tx.has_incident(str(said.get("incident", ""))):
            raise ValueError("incident: there is none of this name")
        promise = clockwork.promise_for(verb, ticket, said, at, self.calendar, self.policy)
        service = register.services.get(str(said.get("service", "")))
        if verb == "join":
            live.enter(self, tx, ticket, by, at)
        entry = ticket.apply(
            verb,
            by,
            at,
            promise=promise,
            route=self._route_for(verb, ticket, said),
            service_class=service.service_class if verb == "classify" and service else None,
            reopen_days=self.policy.reopen_within_days,
            turn=turn,
            **said,
        )
        tx.save_ticket(ticket, version)
        if verb == "add" and by.kind == "beneficiary":
            for talk in tx.conversations_of(by.id):
                tx.take_files(talk.id, ticket.ref)
        if live.ends_with(ticket, entry):
            live.end(tx, ticket)
        if verb == "limit" and ticket.contact:
            self._limit(tx, ticket.contact, at + timedelta(hours=int(said["hours"])))
        self._tell(tx, ticket, entry, at, turn)
        return entry

    @staticmethod
    def _limit(tx: Transaction, contact: str, until: datetime) -> None:
        """All addresses of the person have the numbered menu alone until then; it ends by itself."""
        for known in tx.conversations_of(contact):
            talk = tx.conversation(known.id)
            if talk is not None:
                talk.limited_until = until
                tx.save_conversation(talk)

    def _unknown(self, register: Register, said: Mapping[str, Any]) -> list[str]:
        """What is named and not in the register, one sentence each."""
        known: dict[str, Mapping[str, Any]] = {
            "unit": register.units, "subcategory": register.subcategories, "service": register.services, "category": register.categories, "body": register.bodies,
        }  # fmt: skip
        return [
            f"{k} {said[k]!r} is not in the register"
            for k, rows in known.items()
            if said.get(k) and said[k] not in rows
        ]

    def _assignee(self, ticket: Ticket, named: str) -> Staff:
        """The member of staff a ticket is to be given to; ValueError where they may not work on it."""
        found = self.colleague(named)
        if found is None or not may_work(found):
            raise ValueError(f"staff {named!r} is nobody who works on tickets")
        if found.unit is not None and found.unit in ticket.hidden_from:
            raise ValueError("staff: their unit must not see this ticket")
        return found

    def _route_for(self, verb: str, ticket: Ticket, said: Mapping[str, Any]) -> Any:
        """What the register knows of a unit that a ticket goes to, or of where it belongs once it is classified."""
        if verb == "transfer" and said.get("unit"):
            return self.register().route_of_unit(str(said["unit"]))
        if verb == "classify" or (verb == "flag" and said.get("flag") == "confidential" and not said.get("off")):
            flags = ticket.flags | ({"confidential"} if verb == "flag" else set())
            return route(
                self.register(),
                said.get("kind") or ticket.kind,
                said.get("category") or ticket.category or "other",
                said.get("subcategory") or ticket.subcategory,
                said.get("service") or ticket.service,
                self.fold(ticket.text),
                frozenset(flags),
                ticket.hidden_from,
            )
        return None

    def _tell(self, tx: Transaction, ticket: Ticket, entry: Entry, at: datetime, turn: str | None) -> None:
        body = self.register().bodies.get(str(entry.said.get("body", "")))
        notice = notifications.to_person(entry, ticket, body.phone if body else None)
        where = tx.preferred(ticket.contact) if notice and ticket.contact and turn is None else None
        where = where or ticket.conversation
        talk = tx.conversation(where) if notice and where else None
        if notice and talk:
            busy = turn is None and _busy(talk) and talk.live_ref != ticket.ref
            tx.say(talk, turn, replace(self.worded(ticket, notice, talk, busy), notice=turn is None), at)
            question = notifications.question_after(entry, ticket)
            if talk.live_ref == ticket.ref and entry.by.kind != "system":
                talk.live_at = at
                tx.save_conversation(talk)
            elif question and turn is None and not busy:
                talk.state = {**talk.state, "question": question}
                tx.save_conversation(talk)
        for told in notifications.to_staff(entry, ticket):
            tx.staff_tell(ticket.ref, told.about, told.unit, told.staff, at, told.params)

    def worded(self, ticket: Ticket, notice: Say, talk: Conversation, busy: bool | None = None) -> Say:
        """The notice as this conversation is told it: what is sent and what a clerk is shown before are made here."""
        spoken = talk.live_ref == ticket.ref
        if spoken and notice.name == "notice_reply":
            notice = live.spoken(notice)
        params = dict(notice.params)
        if "due" in params:
            params["due"] = self.local(params["due"])
        if not spoken and (_busy(talk) if busy is None else busy):
            # a draft or a question is open: its numbers stay in force, an answer has a button of its own
            notice = replace(notice, asks=False, buttons=_answer_button(ticket) if notice.asks else [])
        if self.one_way(talk.address) and notice.name.startswith("notice_redirect"):
            notice = replace(notice, name=notice.name.removesuffix("_text"))  # a body and its number need no answer
            params.pop("text", None)
        elif self.one_way(talk.address):
            notice, params = (
                replace(notice, name="sms_update", buttons=[]),
                {"ref": ticket.ref, "state": ticket.state},
            )
        return replace(notice, params=params)

    # --- what only the person can ask ------------------------------------------------------------------------------

    def prove(self, conversation: str, ref: str, code: str) -> str:
        """`ok` where the receipt code is this ticket's: it belongs to this conversation's person from now on.

        `wrong` otherwise, whether there is such a ticket or not; `locked` after too many tries.
        """
        at = self.clock()
        with self.store.begin() as tx:
            talk = tx.conversation(conversation)
            assert talk is not None
            if tx.guesses(talk.contact, at - GUESS_WINDOW) >= GUESSES:
                return "locked"
            ticket = tx.ticket(ref)
            if ticket is None or ticket.receipt_hash != self.digest(code):
                tx.guessed(talk.contact, at)
                return "wrong"
            ticket.contact, ticket.conversation = talk.contact, talk.id
            tx.save_ticket(ticket, ticket.version)
            return "ok"

    def link_code(self, conversation: str) -> str:
        """A one-time code of eight digits: whoever writes it from another address is this person, for ten minutes."""
        at = self.clock()
        code = f"{secrets.randbelow(10**8):08}"
        with self.store.begin() as tx:
            talk = tx.conversation(conversation)
            assert talk is not None
            tx.add_link_code(self.digest(f"link {code}"), talk.contact, at, at + LINK_WINDOW)
        return code

    def link(self, conversation: str, code: str) -> str:
        """`ok` where the code is good: this address is that person's from now on. `wrong`, `locked` as `prove`."""
        at = self.clock()
        with self.store.begin() as tx:
            talk = tx.conversation(conversation)
            assert talk is not None
            everybody = tx.guesses(LINKING, at - LINK_WINDOW)  # who opens a thousand chats has no more tries than one
            if everybody >= LINK_GUESSES or tx.guesses(talk.contact, at - GUESS_WINDOW) >= GUESSES:
                return "locked"
            person = tx.spend_link_code(self.digest(f"link {code}"), at)
            if person is None:
                tx.guessed(talk.contact, at)
                tx.guessed(LINKING, at)
                return "wrong"
            if person != talk.contact:
                tx.join_contacts(talk.contact, person)
            return "ok"

    def prefer(self, conversation: str) -> None:
        """What is told of this person's tickets is told here from now on."""
        with self.store.begin() as tx:
            talk = tx.conversation(conversation)
            assert talk is not None
            tx.prefer(talk.contact, conversation)

    def guess(self, conversation: str) -> bool:
        """Count a stranger's reference; False once there were too many."""
        at = self.clock()
        with self.store.begin() as tx:
            talk = tx.conversation(conversation)
            assert talk is not None
            tx.guessed(talk.contact, at)
            return tx.guesses(talk.contact, at - GUESS_WINDOW) <= GUESSES

    def stop(self, conversation: str, stopped: bool) -> None:
        """No notices from now on, or again; answers to what the person writes still come."""
        with self.store.begin() as tx:
            talk = tx.conversation(conversation)
            assert talk is not None
            talk.stopped_at = self.clock() if stopped else None
            tx.save_conversation(talk)

    # --- the clock ---------------------------------------------------------------------------------------------------

    def tick(self, ref: str) -> list[str]:
        """Do what the clock owes this ticket now; the verbs that were done."""
        at, done = self.clock(), []
        with self.store.begin() as tx:
            ticket = tx.ticket(ref)
            if ticket is None:
                return []
            for verb, reason in clockwork.due_verbs(ticket, self.calendar, self.policy, at):
                if verb in ticket.allowed(SYSTEM):
                    self.apply(tx, ticket, verb, SYSTEM, {"reason": reason}, at, None)
                    done.append(verb)
            if not done:
                tx.set_due(ref, clockwork.next_event_at(ticket, self.calendar, self.policy, at))
        return done

    def emergency(self, kind: str) -> str | None:
        """The number to call here for this kind of danger."""
        found = self.register().emergency(self.country, kind)
        return found.number if found else None

    def elsewhere(self, text_folded: str) -> dict[str, Any] | None:
        """The other body whose business a text is; None where it is ours, or nobody's that we know."""
        body = self.register().body_for(text_folded, self.country)
        return {"id": body.id, "phone": body.phone} if body else None

    def office(self) -> dict[str, Any]:
        """Whether we are open now, this week's hours, when we open next, the next holiday, our branches."""
        at, calendar = self.clock(), self.calendar
        today = calendar.day_of(at)
        holiday = calendar.next_holiday(today)
        branches = [b.id for b in self.register().branches.values() if b.country == self.country]
        return {
            "open": calendar.is_open(at),
            "hours": calendar.week_of(today),
            "ramadan": calendar.week_of_ramadan(),
            "opening": self.local(calendar.next_opening(at)),
            "holiday": dict(holiday[1].name) if holiday else None,
            "holiday_on": holiday[0].isoformat() if holiday else None,
            "estimated": bool(holiday and holiday[1].estimated),
            "branches": branches,
        }

    def contact(self, conversation: str) -> str:
        """Whose conversation it is."""
        talk = self.store.conversation(conversation)
        assert talk is not None
        return talk.contact

    def of(self, conversation: str, ref: str) -> dict[str, Any]:
        """The overview of one ticket of this conversation's person."""
        with self.store.begin() as tx:
            ticket = tx.ticket(ref)
        if ticket is None or ticket.contact != self.contact(conversation):
            raise UnknownTicket(ref)
        return self.overview(ticket)

    # --- what is known about a person's tickets ------------------------------------------------------------------------

    def overview(self, ticket: Ticket) -> dict[str, Any]:
        """One ticket as the dialogue needs it: what may be said of it, and what may be done with it."""
        clock = clockwork.reading(ticket, self.calendar, self.policy, self.clock())
        last = next(
            (e for e in reversed(ticket.history) if e.substance and (e.said.get("text") or e.said.get("reason"))), None
        )
        return {
            "ref": ticket.ref,
            "kind": ticket.kind,
            "category": ticket.category,
            "service": ticket.service,
            "state": ticket.state,
            "unit": ticket.unit,
            "due": self.local(clock.due),
            "late": clock.state == clockwork.State.LATE,
            "answered": ticket.answered,
            "question": ticket.question.said["text"] if ticket.question else None,
            "answer": (last.said.get("text") or last.said.get("reason")) if last else None,
            "rated": any(e.verb == "rate" for e in ticket.history),
            "text": ticket.text[:300],
            "special": next((f for f in SPECIAL if f in ticket.flags), None),
            "allowed": self._allowed(ticket),
        }

    def _allowed(self, ticket: Ticket) -> list[str]:
        """The verbs that its person may do now, the time for reopening counted in."""
        by = Actor("beneficiary", ticket.contact or "")
        allowed = ticket.allowed(by)
        late = self.clock() - ticket.settled_at > timedelta(days=self.policy.reopen_within_days)
        return [v for v in allowed if v != "reopen" or not late]


def _busy(talk: Conversation) -> bool:
    """A draft is open, or a question that a yes or a number would answer."""
    question = talk.state.get("question") or {}
    return bool(talk.state.get("draft")) or "yes" in question or question.get("name") in ("staff_question", "which")


def _answer_button(ticket: Ticket) -> list[dict[str, Any]]:
    return [
        {
            "title": "button_answer_to",
            "params": {"ref": ticket.ref},
            "payload": f'/press{{"do":"answer","ref":"{ticket.ref}"}}',
        }
    ]
