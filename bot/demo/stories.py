"""What becomes of a matter: one generator each, that does the next thing and gives the moment of the one after."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from actions.matter import confirm_buttons, shown
from actions.said import Answer, payload
from actions.tickets import rate
from bot.demo.matters import Matter, Texts
from bot.demo.month import Month, Story
from bot.demo.people import Crowd
from bot.handlers.draft import Draft
from bot.tickets.people import Staff
from bot.tickets.ticket import Ticket
from nlu.arabic.flags import danger_kind

FATES = {
    "solved": 36, "answered_first": 12, "asked": 34, "silent": 12, "transferred": 7, "extended": 5, "late": 7,
    "withdrawn": 3, "reopened": 8, "unreachable": 5,
}  # fmt: skip
"""How often each befalls a complaint, an inquiry or a report to which it can."""
RATINGS = {5: 46, 4: 24, 3: 11, 2: 10, 1: 9}


class Stories:
    """The stories of one month."""

    def __init__(self, month: Month, texts: Texts, crowd: Crowd) -> None:
        self.month, self.texts, self.crowd, self.chance = month, texts, crowd, month.chance

    def of(self, matter: Matter) -> Story:
        """A person comes with the matter, it is filed, and something becomes of it."""
        address = self.crowd.address()
        fate = self._fate(matter, address.scheme)
        talk = self.month.arrives(address, matter.language)
        if fate == "unreachable":
            self.month.unreachable.add(talk)
        ref = yield from self._files(talk, matter)
        yield from self._fates()[fate](talk, ref, matter)

    def _fate(self, matter: Matter, scheme: str) -> str:
        if matter.kind in ("suggestion", "observation"):
            return matter.kind
        if matter.body:
            return "redirected"
        if matter.urgent:
            return "danger"
        open_to = {f: n for f, n in FATES.items() if self._possible(f, matter, scheme)}
        return self.chance.choices(list(open_to), list(open_to.values()))[0]

    @staticmethod
    def _possible(fate: str, matter: Matter, scheme: str) -> bool:
        if fate in ("asked", "silent"):
            return bool(matter.questions)
        if fate == "unreachable":
            return scheme != "web"
        if fate == "transferred" and matter.colleagues is None:
            return False
        return not (matter.confidential and fate in ("transferred", "extended", "withdrawn"))

    def _fates(self) -> dict[str, Callable[[str, str, Matter], Story]]:
        return {
            "solved": self.solved, "answered_first": self.answered_first, "asked": self.asked, "silent": self.silent,
            "transferred": self.transferred, "extended": self.extended, "late": self.late, "withdrawn": self.withdrawn,
            "reopened": self.reopened, "unreachable": self.unreachable, "redirected": self.redirected,
            "danger": self.danger, "suggestion": self.suggestion, "observation": self.observation,
        }  # fmt: skip

    # --- filing ------------------------------------------------------------------------------------------------------

    def _files(self, talk: str, matter: Matter) -> Any:
        """The words are read, shown back and confirmed; who asks for a person or for their data is not asked. The reference."""
        month, reading = self.month, self._reading(matter)
        draft = Draft(
            matter.kind, matter.category, matter.service, matter.text, "confirm", matter.confidential, matter.urgent,
            matter.flags, reading=reading,
        )  # fmt: skip
        if matter.flags:
            turn = month.writes(talk, matter.text, Answer(), reading=reading, vector=matter.vector)
            return month.files(talk, turn, draft)
        answer = Answer(draft=draft)
        if matter.urgent:
            kind = danger_kind(matter.text) or "other"
            answer.say(f"utter_danger_{kind}", number=month.house.emergency(kind))
        mark = "_urgent" if draft.urgent else "_confidential" if draft.confidential else ""
        answer.say(f"utter_draft{mark}{'_service' if draft.service else ''}", confirm_buttons(draft), **shown(draft))
        turn = month.writes(talk, matter.text, answer, reading=reading, vector=matter.vector)
        yield month.later(seconds=self.chance.randint(8, 150))
        pressed = month.writes(talk, "", Answer(), payload=payload("file"))
        return month.files(talk, pressed, Draft(**{**vars(draft), "reading": {**reading, "turn": turn}}))

    def _reading(self, matter: Matter) -> dict[str, Any]:
        """What the assistant would have read, and how sure it would have been."""

        def sure(least: float) -> float:
            return round(self.chance.uniform(least, 0.99), 3)

        flags = (("danger", matter.urgent), ("insult", matter.insult), ("confidential", matter.confidential))
        reading: dict[str, Any] = {
            "intent": {"name": "praise" if matter.kind == "observation" else matter.kind, "confidence": sure(0.62)},
            "category": {"name": matter.category, "confidence": sure(0.55)},
            "language": {"name": matter.language, "confidence": sure(0.9)},
            "services": [{"id": matter.service, "confidence": sure(0.5)}] if matter.service else [],
            "flags": [name for name, on in flags if on],
        }
        return reading

    # --- pieces ------------------------------------------------------------------------------------------------------

    def _hours(self, least: float, most: float) -> Any:
        return self.month.working(self.chance.uniform(least, most))

    def _clerk(self, ref: str) -> Staff:
        return self.crowd.clerk(self.month.ticket(ref).unit)

    def _senior(self, ticket: Ticket) -> Staff | None:
        """The supervisor, where she may see it."""
        return None if ticket.need_to_know else self.crowd.supervisor

    def _takes(self, ref: str, matter: Matter) -> Story:
        """Somebody of the unit takes it, puts the subcategory right, and perhaps leaves a note."""
        yield self._hours(0.2, 2.2)
        clerk = self._clerk(ref)
        self.month.does(ref, "assign", clerk, staff=clerk.id)
        if matter.subcategory and self.chance.random() < 0.5:
            self.month.does(ref, "classify", clerk, subcategory=matter.subcategory)
        if matter.notes and self.chance.random() < 0.35:
            yield self.month.later(minutes=self.chance.randint(4, 50))
            self.month.does(ref, "note", clerk, text=self.chance.choice(matter.notes))

    def _resolves(self, talk: str, ref: str, matter: Matter) -> Story:
        self.month.does(ref, "resolve", self._clerk(ref), text=self.chance.choice(matter.replies))
        yield from self._rates(talk, ref, matter)

    def _rates(self, talk: str, ref: str, matter: Matter, rating: int | None = None) -> Story:
        """Most people press a number after a while, some add a word."""
        if rating is None and self.chance.random() < 0.35:
            return
        yield self.month.later(minutes=self.chance.randint(6, 240))
        if self.month.asks_to_read(talk):
            yield self.month.later(minutes=self.chance.randint(1, 5))
        if not self._may(ref, "rate"):
            return
        rating = rating or self.chance.choices(list(RATINGS), list(RATINGS.values()))[0]
        answer = rate(ref, rating)
        self.month.writes(talk, str(rating), answer, act=(ref, "rate", {"rating": rating}))
        if self.chance.random() < 0.5:
            yield self.month.later(seconds=self.chance.randint(20, 90))
            words = self.texts.after(matter, "high" if rating > 3 else "low")
            self.month.writes(
                talk, words, Answer(question=None).say("utter_comment_thanks"),
                act=(ref, "rate", {"rating": rating, "text": words}),
            )  # fmt: skip

    def _may(self, ref: str, verb: str) -> bool:
        return verb in self.month.house.overview(self.month.ticket(ref))["allowed"]

    def _adds(self, talk: str, ref: str, words: str) -> None:
        if self._may(ref, "add"):
            unit = self.month.ticket(ref).unit
            told = Answer(question=None).say("utter_added_to_ticket", ref=ref, unit=unit)
            self.month.writes(talk, words, told, act=(ref, "add", {"text": words}))

    # --- fates -------------------------------------------------------------------------------------------------------

    def solved(self, talk: str, ref: str, matter: Matter) -> Story:
        yield from self._takes(ref, matter)
        yield self._hours(0.4, 5)
        yield from self._resolves(talk, ref, matter)

    def answered_first(self, talk: str, ref: str, matter: Matter) -> Story:
        """A reply of substance comes first, the person thanks or adds something, the end comes days later."""
        yield from self._takes(ref, matter)
        yield self._hours(0.4, 4)
        self.month.does(ref, "reply", self._clerk(ref), text=self.texts.common(matter, "interim"))
        yield self.month.later(minutes=self.chance.randint(5, 300))
        if self.chance.random() < 0.5:
            thanks = self.texts.after(matter, "thanks")
            self.month.writes(talk, thanks, Answer(question=None).say("utter_thanks"))
        else:
            self._adds(talk, ref, self.texts.after(matter, "add"))
        yield self._hours(4, 24)
        yield from self._resolves(talk, ref, matter)

    def asked(self, talk: str, ref: str, matter: Matter) -> Story:
        """Staff ask, the clock stands still, the person answers, and it goes on."""
        yield from self._takes(ref, matter)
        yield self._hours(0.3, 3)
        question, answer = self.chance.choice(matter.questions)
        self.month.does(ref, "ask", self._clerk(ref), text=question)
        yield self.month.later(hours=self.chance.uniform(0.3, 70))
        if self.month.asks_to_read(talk):
            yield self.month.later(minutes=self.chance.randint(2, 30))
        self._adds(talk, ref, answer)
        yield self._hours(0.5, 5)
        yield from self._resolves(talk, ref, matter)

    def silent(self, talk: str, ref: str, matter: Matter) -> Story:
        """The question is never answered: the clock reminds twice and closes."""
        yield from self._takes(ref, matter)
        yield self._hours(0.3, 3)
        self.month.does(ref, "ask", self._clerk(ref), text=self.chance.choice(matter.questions)[0])

    def transferred(self, talk: str, ref: str, matter: Matter) -> Story:
        yield self._hours(0.3, 2.5)
        ticket = self.month.ticket(ref)
        if matter.colleagues != ticket.unit and matter.colleagues not in ticket.hidden_from:
            reason = self.texts.common(matter, "transfer")
            self.month.does(ref, "transfer", self._clerk(ref), unit=matter.colleagues, reason=reason)
        yield from self._takes(ref, matter)
        yield self._hours(0.4, 4)
        yield from self._resolves(talk, ref, matter)

    def extended(self, talk: str, ref: str, matter: Matter) -> Story:
        """The unit asks for more time, the supervisor gives it before the date."""
        yield from self._takes(ref, matter)
        yield self._hours(0.3, 2)
        ticket, calendar = self.month.ticket(ref), self.month.house.calendar
        senior = self._senior(ticket)
        if senior:
            more = calendar.day_of(ticket.promise.due) + timedelta(days=self.chance.randint(3, 7))
            until = calendar.working_day_on_or_after(more).isoformat()
            self.month.does(ref, "extend", senior, until=until, reason=self.texts.common(matter, "extend"))
        yield self._hours(5, 20)
        yield from self._resolves(talk, ref, matter)

    def late(self, talk: str, ref: str, matter: Matter) -> Story:
        """Nobody answers in time: the house apologises, somebody escalates, the answer comes in the end."""
        if self.chance.random() < 0.6:
            yield from self._takes(ref, matter)
        due = self.month.ticket(ref).promise.due
        yield max(due, self.month.clock.now) + timedelta(hours=self.chance.uniform(1, 20))
        yield self._hours(0.1, 1)
        if self.chance.random() < 0.6:
            self.month.does(ref, "escalate", self._clerk(ref), reason="فات الموعد، والملف ينتظر رأي إدارة أخرى.")
        if self.chance.random() < 0.4:
            self._adds(talk, ref, self.texts.after(matter, "add"))
        yield self._hours(2, 30)
        yield from self._resolves(talk, ref, matter)

    def withdrawn(self, talk: str, ref: str, matter: Matter) -> Story:
        yield self._hours(0.5, 8)
        if self._may(ref, "withdraw"):
            words = self.texts.after(matter, "withdraw")
            self.month.writes(talk, words, Answer(question=None), act=(ref, "withdraw", {"reason": words}))

    def reopened(self, talk: str, ref: str, matter: Matter) -> Story:
        """The first answer does not satisfy, the second does, mostly."""
        yield from self._takes(ref, matter)
        yield self._hours(0.4, 4)
        self.month.does(ref, "resolve", self._clerk(ref), text=self.chance.choice(matter.replies))
        yield from self._rates(talk, ref, matter, self.chance.choice((1, 1, 2)))
        yield self.month.later(minutes=self.chance.randint(1, 600))
        if self._may(ref, "reopen"):
            words = self.texts.after(matter, "reopen")
            self.month.writes(talk, words, Answer(question=None), act=(ref, "reopen", {"reason": words}))
        yield self._hours(1, 6)
        self.month.does(ref, "reply", self._clerk(ref), text=self.texts.common(matter, "interim"))
        yield self._hours(3, 16)
        yield from self._resolves(talk, ref, matter)

    def unreachable(self, talk: str, ref: str, matter: Matter) -> Story:
        """What we write does not arrive: somebody picks up the telephone."""
        yield from self._takes(ref, matter)
        yield self._hours(0.4, 4)
        self.month.does(ref, "reply", self._clerk(ref), text=self.texts.common(matter, "interim"))
        yield self._hours(0.5, 6)
        self.month.does(ref, "note", self._clerk(ref), text=self.texts.common(matter, "called"))
        if self.chance.random() < 0.5:
            yield self._hours(3, 14)
            self.month.does(ref, "resolve", self._clerk(ref), text=self.chance.choice(matter.replies))

    def redirected(self, talk: str, ref: str, matter: Matter) -> Story:
        yield self._hours(0.2, 3)
        reply = self.chance.choice(matter.replies)
        self.month.does(ref, "redirect", self._clerk(ref), body=matter.body, text=reply)

    def danger(self, talk: str, ref: str, matter: Matter) -> Story:
        """Somebody is there at once, office hours or not."""
        yield self.month.later(minutes=self.chance.randint(3, 12))
        clerk = self._clerk(ref)
        self.month.does(ref, "assign", clerk, staff=clerk.id)
        for note in matter.notes[:1]:
            self.month.does(ref, "note", clerk, text=note)
        yield self.month.later(minutes=self.chance.randint(25, 90))
        yield from self._resolves(talk, ref, matter)

    def suggestion(self, talk: str, ref: str, matter: Matter) -> Story:
        """It is studied; then it is accepted and perhaps done, or declined with a reason."""
        yield self._hours(1, 10)
        clerk = self._clerk(ref)
        self.month.does(ref, "assign", clerk, staff=clerk.id)
        self.month.does(ref, "study", clerk)
        for note in matter.notes[:1]:
            self.month.does(ref, "note", clerk, text=note)
        if matter.category == "accessibility" or self.chance.random() < 0.4:
            self.month.does(ref, "reply", clerk, text=self.texts.common(matter, "interim"))
        yield self._hours(8, 50)
        senior = self.crowd.supervisor
        if matter.declines and self.chance.random() < 0.35:
            self.month.does(ref, "decline", senior, reason=self.chance.choice(matter.declines))
            yield from self._rates(talk, ref, matter)
            return
        self.month.does(ref, "accept", senior, reason=self.chance.choice(matter.replies))
        yield self._hours(10, 60)
        if matter.implements:
            self.month.does(ref, "implement", clerk, text=self.chance.choice(matter.implements))
            yield from self._rates(talk, ref, matter)

    def observation(self, talk: str, ref: str, matter: Matter) -> Story:
        """Thanks are passed on, and thanked for."""
        yield from self._takes(ref, matter)
        yield self._hours(0.4, 4)
        self.month.does(ref, "reply", self._clerk(ref), text=self.chance.choice(matter.replies))
        yield self._hours(1, 5)
        self.month.does(ref, "close", self._clerk(ref), reason=self.texts.common(matter, "close"))
