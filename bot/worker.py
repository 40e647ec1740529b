"""Drives what waits: messages through the assistant, or the numbered menu; tickets through their clock.

One turn: take the conversation's waiting lines (one transaction), ask the assistant (no transaction is open), store
what came of it (one transaction: replies, the dialogue's events, the state, inbox done). A turn that was begun before
and has spoken is finished, not driven again.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

import structlog

from actions.short import short
from actions.words import words
from bot.assistant import Answer, Assistant, Down, Failed, Turn
from bot.faults import fault
from bot.handlers import live, menu
from bot.handlers.draft import Draft
from bot.handlers.house import House
from bot.handlers.ports import Conversation, Incoming, Say, Unavailable
from bot.handlers.receive import FILES, first_language
from bot.handlers.replies import Replies
from bot.storage.queue import Queue
from bot.storage.sealing import BATCH, Sealer
from bot.storage.store import SqlStore, SqlTransaction
from bot.tickets.lifecycle import LIVE
from nlu.arabic.flags import flags
from nlu.arabic.fold import fold
from nlu.arabic.references import lone_number

log = structlog.get_logger("sawt.worker")

READ_CHARACTERS = 2_000
GATHER_AT_MOST = 4.0
GATHER_MORE, GATHER_MORE_AT_MOST = 3.0, 10.0
"""Seconds for lines that follow each other while a draft is fresh: they are answered once."""
FRESH_DRAFT = timedelta(seconds=20)
LINES_A_TURN = 20
DOWN_PATIENCE = 20.0
"""Seconds without an assistant before the menu takes over."""
TYPING_AFTER = 0.5
"""Seconds after which a person is shown that an answer is being worked on."""
SEAL_EVERY, SEAL_ON = 1.0, 0.1
"""Seconds between looks for what is not in the chain yet; and where there was more than one batch of it."""
HOPELESS = timedelta(seconds=5)
"""How long a conversation waits whose lines could not be taken."""
UNDECIDED = timedelta(seconds=60)
REPLIES_EVERY = 0.5
"""Seconds between two looks at what clerks sent off."""
FRESH_AFTER = timedelta(hours=1)
STOP_WORDS = frozenset(fold(w) for w in ("stop", "إيقاف", "توقف", "ايقاف", "الغاء الاشتراك", "start", "ابدأ", "退订"))
DANGERS = ("fire", "gas", "injury", "self_harm", "other")
TOLD_BY_THE_DEED = ("utter_filed", "utter_my_data_filed", "utter_language_unknown", "notice_")
VARIED = (
    "utter_out_of_scope", "utter_unsure", "utter_emoji", "utter_insult", "utter_lone_number", "utter_link",
    "utter_greet", "utter_help", "utter_still_draft", "utter_empty", "utter_prayer", "utter_thanks",
)  # fmt: skip
"""Answers that would be the same again and again: the catalogue has several of each."""


@dataclass(frozen=True)
class Batch:
    """The lines of one turn, taken together."""

    talk: Conversation
    rows: list[Incoming]
    turn: str
    text: str
    payload: str | None
    dialogue: str
    slots: dict[str, Any]

    @property
    def ids(self) -> list[int]:
        return [row.id for row in self.rows]


class Worker:
    """The house's worker: one in the embedded default, any number beside each other on PostgreSQL."""

    def __init__(
        self,
        store: SqlStore,
        house: House,
        assistant: Assistant,
        variants: Callable[[str], int],
        *,
        gather: float,
        turns: int,
        typing: Callable[[str, bool], None] = lambda conversation, on: None,
        forget: Callable[[str], None] = lambda content: None,
        replies: Replies | None = None,
    ) -> None:
        """`typing` shows that an answer is being worked on; `forget` removes a file that nothing names any more;
        `replies` is what clerks sent off, and may take back for a moment."""
        self.replies = replies
        self.forget = forget
        self.store, self.house, self.assistant, self.variants = store, house, assistant, variants
        self.queue, self.sealer = Queue(store), Sealer(store)
        self.name = f"worker-{os.getpid()}"
        self.gather, self.turns, self.typing = gather, turns, typing
        self._wake = asyncio.Event()
        self._threads = ThreadPoolExecutor(turns, "turn")
        self._busy: set[asyncio.Task[None]] = set()
        self._begun: dict[str, float] = {}  # conversation → when its turn began
        self._down_since: float | None = None
        self._stopping = False

    # --- the loop ----------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Something was stored: look now. Called from the event loop."""
        self._wake.set()

    async def run(self) -> None:
        """Work until `stop`. Never raises for a single message's sake."""
        beside = [asyncio.create_task(each) for each in (self._clock(), self._show_typing(), self._seal())]
        beside += [asyncio.create_task(self._replies(self.replies))] if self.replies else []
        try:
            while not self._stopping:
                pause = 0.5
                try:
                    pause = await self._round()
                except Unavailable as error:
                    log.warning("storage unavailable", error=str(error))
                except Exception:
                    log.exception("the worker's round failed")
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), pause)
                self._wake.clear()
        finally:
            for task in beside:
                task.cancel()
            if self._busy:
                await asyncio.wait(self._busy, timeout=10)
            self._threads.shutdown(wait=False)

    def stop(self) -> None:
        """Begin nothing new; `run` returns when what was begun is finished, after ten seconds at most."""
        self._stopping = True
        self._wake.set()

    async def _round(self) -> float:
        """Begin turns while there are free places; seconds until something may be ready by itself."""
        free = self.turns - len(self._busy)
        if free <= 0:
            return 0.5
        ready, later = await asyncio.to_thread(self.queue.look, free, self.house.clock())
        for _ in range(ready):
            task = asyncio.create_task(self._work())
            self._busy.add(task)
            task.add_done_callback(self._finished)
        wait = (later - self.house.clock()).total_seconds() if later else 0.5
        return min(max(wait, 0.01), 0.5)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._busy.discard(task)
        self._wake.set()

    async def _work(self) -> None:
        """Turns, one after the other, as long as there are any; whatever happens."""
        loop = asyncio.get_running_loop()
        pause: float | None = 0.0
        while pause is not None and not self._stopping:
            await asyncio.sleep(pause)
            pause = await loop.run_in_executor(self._threads, self._next)

    def _next(self) -> float | None:
        """Drive turns until none is left (None), or until it is better to wait: the seconds."""
        while not self._stopping:
            batch: Batch | None = None
            try:
                worked, batch = self._take()
                if not worked:
                    return None
                if batch is not None and not self._turn(batch):
                    return 0.5
            except Unavailable as error:
                log.warning("storage unavailable", error=str(error))
                return 0.5
            except Exception:
                log.exception("a turn failed", conversation=batch and batch.talk.id)
                if batch is None:
                    return 0.5
                self._set_aside(batch.talk.id)
            finally:
                if batch is not None:
                    self._begun.pop(batch.talk.id, None)
                    self.typing(batch.talk.id, False)
        return None

    async def _show_typing(self) -> None:
        """A turn that takes longer than a moment is shown to be worked on."""
        while True:
            await asyncio.sleep(TYPING_AFTER / 2)
            slow = time.monotonic() - TYPING_AFTER
            for conversation, began in list(self._begun.items()):
                if began < slow and conversation in self._begun:
                    self.typing(conversation, True)

    # --- one turn ------------------------------------------------------------------------------------------------------

    def _turn(self, batch: Batch) -> bool:
        """Drive one turn; False where its lines went back because the assistant is away."""
        fault("turn-begun")
        self._begun[batch.talk.id] = time.monotonic()
        talk = batch.talk
        if talk.live_ref and self._heard_live(batch):
            return True
        if talk.limited_until is not None and self.house.clock() < talk.limited_until:
            self._by_menu(batch, "the desk limited this address to the menu")
            return True
        turn = Turn(
            batch.dialogue, batch.turn, (batch.payload or batch.text)[:READ_CHARACTERS], batch.payload is not None,
            talk.dialogue_events, batch.slots, parts=len(batch.text) > 60 and not talk.state.get("draft"),
        )  # fmt: skip
        try:
            answer = self.assistant.take(turn)
            self._down_since = None
            fault("assistant-answered")
            self._store(batch, answer)
            fault("turn-stored")
        except Down:
            if self._waits():
                self._give_back(batch)
                return False
            self._by_menu(batch)
        except Failed as error:
            log.warning("a turn got no answer", turn=batch.turn, error=str(error))
            self._by_menu(batch)
        return True

    def _take(self) -> tuple[bool, Batch | None]:
        """Claim a conversation: False where none waits. Its lines to work on now; None where that is not yet.

        Where its lines cannot be taken at all it waits a while: the others go on.
        """
        at, conversation = self.house.clock(), None
        try:
            with self.store.begin() as tx:
                talk = self.queue.claim(tx, self.name, at)
                if talk is None:
                    return False, None
                conversation = talk.id
                return True, self._lines(tx, talk, at)
        except Unavailable:
            raise
        except Exception:
            log.exception("a turn could not be begun", conversation=conversation)
            if conversation is None:
                raise
            with self.store.begin() as tx:
                tx.put_off(conversation, self.name, at, at + HOPELESS)
            return True, None

    def _lines(self, tx: SqlTransaction, talk: Conversation, at: datetime) -> Batch | None:
        rows = tx.waiting(talk.id)
        begun = tx.unfinished_turn(talk.id) if any(row.attempts for row in rows) else None
        if begun:
            turn, ids = begun
            rows = [row for row in rows if row.id in set(ids)]
            if tx.has_spoken(talk.id, turn):
                tx.finish(ids, "done", reason="spoke before the process ended")
                tx.release(talk.id, self.name)
                return None
        else:
            rows, ready = self._gathered(talk, rows, at)
            if ready > at:
                tx.release(talk.id, self.name)
                tx.postpone(talk.id, ready)
                return None
            turn = f"t{rows[0].id}"
        return self._begin(tx, talk, rows, turn, at)

    def _begin(self, tx: SqlTransaction, talk: Conversation, rows: list[Incoming], turn: str, at: datetime) -> Batch:
        text = "\n".join(row.text for row in rows)
        payload = rows[0].payload if len(rows) == 1 or rows[0].payload == FILES else None
        if payload is None and len(rows) == 1:
            payload = _typed_button(talk, text)
        stale = talk.dialogue_at is None or at - talk.dialogue_at > FRESH_AFTER
        if not talk.dialogue or stale or talk.dialogue_events > 400:
            tx.drop_events(talk.dialogue)
            talk.dialogue, talk.dialogue_events = f"{talk.id}-{rows[0].id}", 0
        talk.dialogue_at = at
        if talk.language is None:
            talk.language = first_language(text)
        tx.save_conversation(talk)
        tx.start_turn([row.id for row in rows], turn, at)
        overview = [self.house.overview(t) for t in tx.tickets_of(talk.contact)]
        slots = {
            "draft": talk.state.get("draft"),
            "question": talk.state.get("question"),
            "language": talk.language,
            "tickets": {
                "of": talk.id,
                "turn": turn,
                "text": text if len(text) > READ_CHARACTERS else None,
                "files": tx.files_of([row.id for row in rows]) if any(row.files for row in rows) else [],
                "open": [t for t in overview if t["state"] in LIVE][:20],
                "ended": [t for t in overview if t["state"] not in LIVE][:10],
            },
        }
        return Batch(talk, rows, turn, text, payload, talk.dialogue, slots)

    def _gathered(self, talk: Conversation, rows: list[Incoming], at: datetime) -> tuple[list[Incoming], datetime]:
        """The lines of one turn, and when they may be worked on.

        Short lines sent after each other are one matter: they are waited for while no question is open.
        """
        if self.gather <= 0 or talk.live_ref:  # somebody listens: every line at once, as it was sent
            return rows[:1], at
        if rows[0].payload == FILES:  # an album comes as one message for each picture
            album = list(takewhile(lambda row: row.payload == FILES, rows[:LINES_A_TURN]))
            return album, album[-1].received_at + timedelta(seconds=self.gather)
        if not _is_prose(talk, rows[0]):
            return rows[:1], at
        lines: list[Incoming] = []
        for row in rows[:LINES_A_TURN]:
            if not _is_prose(talk, row):
                return lines, at
            lines.append(row)
        if talk.state.get("question") or "danger" in flags("\n".join(row.text for row in lines)):
            return lines, at
        wait, most = self.gather, GATHER_AT_MOST
        if talk.state.get("draft"):
            if short(lines[-1].text) or len(words(lines[-1].text)) <= 2:
                return lines, at
            if talk.dialogue_at and lines[0].received_at - talk.dialogue_at < FRESH_DRAFT:
                wait, most = max(wait, GATHER_MORE), GATHER_MORE_AT_MOST
        last = lines[-1].received_at + timedelta(seconds=wait)
        return lines, min(last, lines[0].received_at + timedelta(seconds=most))

    def _heard_live(self, batch: Batch) -> bool:
        """The words go to who of the staff is in the conversation; False where the assistant is to answer them."""
        at = self.house.clock()
        with self.store.begin() as tx:
            talk = tx.conversation(batch.talk.id)
            assert talk is not None
            files, stop = batch.payload == FILES, fold(batch.text).strip() in STOP_WORDS
            pressed = _pressed(batch.payload)
            if not live.hear(self.house, tx, talk, batch.turn, batch.text, pressed, at, files=files, stop=stop):
                return False
            tx.finish(batch.ids, "done", reason="said to a member of staff")
            tx.release(talk.id, self.name)
            return True

    def _store(self, batch: Batch, answer: Answer) -> None:
        """What came of a turn, in one transaction: replies, events, state, inbox done."""
        at = self.house.clock()
        with self.store.begin() as tx:
            talk = tx.conversation(batch.talk.id)
            assert talk is not None
            if not answer.replies and not tx.has_spoken(talk.id, batch.turn):
                raise Failed("the turn said nothing")
            if not all(self._may_say(reply["name"]) for reply in answer.replies):
                raise Failed("the assistant named a sentence that is not its to say")
            self._keep_state(talk, batch, answer)
            came = len(batch.slots["tickets"]["files"])
            if came and batch.payload != FILES:  # first: the buttons in force are those of the last sentence
                tx.say(talk, batch.turn, Say("utter_files_kept", f"{batch.turn}:files", {"n": came}), at)
            for n, reply in enumerate(answer.replies):
                name = self._varied(talk, reply["name"])
                tx.say(talk, batch.turn, Say(name, f"{batch.turn}:{n}", reply["params"], reply["buttons"]), at)
            unwanted = tx.drop_files(talk.id) if batch.slots["draft"] and not talk.state.get("draft") else []
            if talk.dialogue == batch.dialogue:
                tx.add_events(batch.dialogue, batch.talk.dialogue_events, answer.events)
                talk.dialogue_events = batch.talk.dialogue_events + len(answer.events)
            tx.save_conversation(talk)
            tx.finish(batch.ids, "done", reading=answer.read or None, vector=answer.vector)
            fault("before-turn-commit")
            tx.release(talk.id, self.name)
        for content in unwanted:
            self.forget(content)

    def _keep_state(self, talk: Conversation, batch: Batch, answer: Answer) -> None:
        """The draft and the question after the turn; a question that the desk asked meanwhile stays."""
        before = batch.slots["question"]
        state = {**talk.state, "draft": answer.slots.get("draft")}
        if talk.state.get("question") == before or answer.slots.get("question") != before:
            state["question"] = answer.slots.get("question")
        state.pop("menu_asked", None)
        talk.state, talk.menu = state, bool((state["draft"] or {}).get("urgent"))
        spoken = answer.slots.get("language")
        if spoken and spoken != batch.slots["language"]:
            talk.language, talk.language_chosen = spoken, True
        elif not talk.language_chosen:
            talk.language = _language_after(talk.language, answer.read, batch.text)

    def _may_say(self, name: str) -> bool:
        """A sentence of the catalogues, and none that tells of something done: those go out with what they tell of."""
        return not name.startswith(TOLD_BY_THE_DEED) and self.variants(name) > 0

    def _varied(self, talk: Conversation, name: str) -> str:
        """The next of the catalogue's variants, so that nobody reads the same sentence three times."""
        said = dict(talk.state.get("said") or {})
        if name not in VARIED:
            talk.state = {**talk.state, "said": {}}
            return name
        n = said.get(name, 0)
        talk.state = {**talk.state, "said": {**said, name: n + 1}}
        variant = n % max(self.variants(name), 1)
        return name if variant == 0 else f"{name}.{variant + 1}"

    # --- without the assistant -----------------------------------------------------------------------------------------

    def _waits(self) -> bool:
        """True where the assistant has been away for a short time only."""
        now = time.monotonic()
        self._down_since = self._down_since or now
        return now - self._down_since < DOWN_PATIENCE

    def _give_back(self, batch: Batch) -> None:
        with self.store.begin() as tx:
            tx.wait_again(batch.ids)
            tx.release(batch.talk.id, self.name)

    def _by_menu(self, batch: Batch, why: str = "the assistant gave no answer") -> None:
        """The numbered menu answers; what it handled is never driven again."""
        at = self.house.clock()
        with self.store.begin() as tx:
            talk = tx.conversation(batch.talk.id)
            assert talk is not None
            if tx.has_spoken(talk.id, batch.turn):
                tx.finish(batch.ids, "done", reason="spoke, then the assistant failed")
                tx.release(talk.id, self.name)
                return
            numbers = {kind: self.house.emergency(kind) for kind in DANGERS}
            outcome = menu.answer(talk, batch.text, _pressed(batch.payload), numbers)
            for n, (name, params, buttons) in enumerate(outcome.replies):
                tx.say(talk, None, Say(name, f"{batch.turn}:m{n}", params, buttons), at)
            if outcome.status:
                tx.say(talk, None, self._status(tx, talk, batch.turn), at)
            if not outcome.file:
                self._menu_waits(talk, outcome, at)
                tx.save_conversation(talk)
                tx.finish(batch.ids, "menu", reason=why)
                tx.release(talk.id, self.name)
        if outcome.file and outcome.draft:
            self.house.file(batch.talk.id, batch.turn, outcome.draft)
            with self.store.begin() as tx:
                tx.finish(batch.ids, "menu", reason=why)
                tx.release(batch.talk.id, self.name)

    @staticmethod
    def _menu_waits(talk: Conversation, outcome: menu.Outcome, at: datetime) -> None:
        """The state while the menu waits for a number."""
        asked = at.isoformat() if any(r[0] in ("menu_main", "menu_wait") for r in outcome.replies) else None
        draft = outcome.draft.data() if outcome.draft else None
        talk.state = {**talk.state, "draft": draft, "question": None, "menu_asked": asked}
        talk.menu = draft is not None

    def _status(self, tx: SqlTransaction, talk: Conversation, turn: str) -> Say:
        tickets = [self.house.overview(t) for t in tx.tickets_of(talk.contact)]
        if not tickets:
            return Say("utter_status_none", f"{turn}:status")
        lines = [{k: t[k] for k in ("ref", "kind", "state", "due")} for t in tickets[:9]]
        return Say("utter_status_list", f"{turn}:status", {"tickets": lines})

    def _set_aside(self, conversation: str) -> None:
        """A turn that always fails goes to a person; the conversation's next one goes on."""
        try:
            self._aside(conversation)
        except Unavailable:
            log.warning("storage unavailable")
        except Exception:
            log.exception("could not set a turn aside", conversation=conversation)

    def _aside(self, conversation: str) -> None:
        with self.store.begin() as tx:
            begun = tx.unfinished_turn(conversation)
            rows = [r for r in tx.waiting(conversation) if begun and r.id in set(begun[1])]
            talk = tx.conversation(conversation)
            if talk is None or begun is None or not rows or rows[0].attempts < 3:
                tx.release(conversation, self.name)
                return
            spoken, turn = tx.has_spoken(conversation, begun[0]), begun[0]
        if not spoken:
            text = "\n".join(r.text for r in rows)
            self.house.file(conversation, turn, Draft(kind="inquiry", category="other", text=text or "—"), kept=True)
        with self.store.begin() as tx:
            tx.finish([r.id for r in rows], "failed", reason="the turn failed three times")
            tx.release(conversation, self.name)

    # --- the clock -----------------------------------------------------------------------------------------------------

    async def _clock(self) -> None:
        """Promises, reminders, closings; words that nobody decided on."""
        while True:
            try:
                now = self.house.clock()
                if await asyncio.to_thread(self.queue.lease, "clock", self.name, now + timedelta(seconds=15)):
                    await asyncio.to_thread(self.tick, now)
            except Unavailable:
                log.warning("the clock waits for storage")
            except Exception:
                log.exception("the clock failed")
            await asyncio.sleep(5)

    async def _seal(self) -> None:
        """History and audit become links of the chain, a moment after they were committed."""
        while True:
            pause = SEAL_EVERY
            try:
                if await asyncio.to_thread(self.sealer.waiting):
                    now = self.house.clock()
                    if await asyncio.to_thread(self.queue.lease, "seal", self.name, now + timedelta(seconds=15)):
                        more = await asyncio.to_thread(self.sealer.seal, now) >= BATCH
                        pause = SEAL_ON if more else SEAL_EVERY
            except Unavailable:
                log.warning("the sealer waits for storage")
            except Exception:
                log.exception("the sealer failed")
            await asyncio.sleep(pause)

    async def _replies(self, replies: Replies) -> None:
        """What clerks sent off goes out once it cannot be taken back any more; old drafts are forgotten."""
        forget_at = 0.0
        while True:
            try:
                await asyncio.to_thread(replies.send_due)
                if time.monotonic() >= forget_at:
                    forget_at = time.monotonic() + 3600
                    await asyncio.to_thread(replies.forget)
            except Unavailable:
                log.warning("the clerks' replies wait for storage")
            except Exception:
                log.exception("the clerks' replies could not be looked at")
            await asyncio.sleep(REPLIES_EVERY)

    def tick(self, now: datetime) -> None:
        """Everything that is due now, each in a transaction of its own."""
        with self.store.begin() as tx:
            due = tx.due(now)
        for ref in due:
            self.house.tick(ref)
        for conversation in self.store.undecided(now - UNDECIDED):
            self._file_undecided(conversation, now)
        for conversation in self.store.live(now - live.UNANSWERED):
            live.give_back(self.house, conversation)

    def _file_undecided(self, conversation: str, now: datetime) -> None:
        """Words in the menu's hand, or of somebody in danger, that nobody confirmed: they reach a person all the same."""
        talk = self.store.conversation(conversation)
        draft = Draft.of(talk.state.get("draft")) if talk else None
        if talk is None or draft is None or not draft.text:
            return
        since = menu.undecided_since(talk)
        urgent = draft.urgent and talk.last_in_at is not None and now - talk.last_in_at > UNDECIDED
        if urgent or (since is not None and now - since > UNDECIDED):
            self.house.file(conversation, f"u{talk.id}-{talk.last_in_at:%s}", draft, kept=True)


def _is_prose(talk: Conversation, row: Incoming) -> bool:
    """A line that may be one of several: no button, no number of a choice, no word that acts at once."""
    if row.payload is not None or fold(row.text).strip() in STOP_WORDS:
        return False
    if short(row.text) not in (
        None,
        "salam",
        "grievance",
    ):  # said and done; a greeting is often the first of several lines
        return False
    return _typed_button(talk, row.text) is None


def _typed_button(talk: Conversation, text: str) -> str | None:
    """The payload of the button that was typed: its number, in any digits, or its title."""
    if not talk.buttons:
        return None
    number = lone_number(text)
    if number is not None:
        return str(talk.buttons[number - 1]["payload"]) if 1 <= number <= len(talk.buttons) else None
    wanted = fold(text).strip(" .!؟?")
    return next((str(b["payload"]) for b in talk.buttons if wanted and fold(str(b["title"])).strip() == wanted), None)


def _pressed(payload: str | None) -> dict[str, Any] | None:
    if payload is None:
        return None
    pressed: dict[str, Any] = json.loads(payload.removeprefix("/press"))
    return pressed


def _language_after(spoken: str | None, read: dict[str, Any], text: str) -> str | None:
    """The language to answer in: that of clear words in another one of ours, else what it was."""
    found = (read or {}).get("language") or {}
    if found.get("name") in ("ar", "en", "zh") and (spoken is None or len(text.split()) >= 3 or found["name"] == "zh"):
        return str(found["name"]) if float(found.get("confidence") or 0) >= 0.8 else spoken
    return spoken
