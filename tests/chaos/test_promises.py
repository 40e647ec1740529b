"""Promises that need both processes: one installation, with a line between assistant and actions that a test may cut."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine

from tests import invariants
from tests.integration.doors import MATTER, Chat, House, http
from tests.running import ASSISTANT, RECEIPT, REFERENCE, ROOT, eventually, free_port, kill

pytestmark = pytest.mark.journey
Wrong = Callable[[dict[str, Any], Callable[[], tuple[int, bytes]]], tuple[int, bytes] | None]
"""What the line makes of a call: given the call and how to send it through, the answer; None hangs up."""


def through(call: dict[str, Any], send: Callable[[], tuple[int, bytes]]) -> tuple[int, bytes]:
    return send()


class Line:
    """Between the assistant and the house's actions."""

    def __init__(self, house: int) -> None:
        self.does: Wrong = through
        self.port = free_port()
        line, actions = (
            self,
            httpx.Client(base_url=f"http://127.0.0.1:{house}", timeout=20, trust_env=False, verify=False),
        )

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {"Content-Type": "application/json", "X-Sawt-Secret": self.headers["X-Sawt-Secret"]}

                def send() -> tuple[int, bytes]:
                    answer = actions.post("/webhook", content=body, headers=headers)
                    return answer.status_code, answer.content

                answer = line.does(json.loads(body), send)
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(answer[0])
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 128

            def handle_error(self, *_: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Both(House):
    """House and assistant, the line between them."""

    line: Line

    def start_assistant(self) -> None:
        self.line = Line(self.actions_port)
        kept = dict(self.settings)
        self.settings["ACTIONS_PORT"] = str(self.line.port)
        super().start_assistant()
        self.settings = kept

    def stop(self) -> None:
        super().stop()
        self.line.close()

    def assistant_log(self) -> str:
        return (self.data / "assistant.log").read_text(encoding="utf-8", errors="replace")

    def tickets(self, text: str) -> list[str]:
        """The references of the tickets with this text in them."""
        return [row[0] for row in self.rows("SELECT ref FROM tickets WHERE instr(text, ?)", text)]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """One installation at LOG_LEVEL=DEBUG for this module, whole at its end."""
    if not ASSISTANT.exists() or not list((ROOT / "models").glob("*.tar.gz")):
        pytest.skip("the assistant is not set up or not trained: make train")
    installation = Both(tmp_path_factory.mktemp("both"), {"LOG_LEVEL": "DEBUG"})
    try:
        installation.start()
        yield installation
        engine = create_engine(installation.database())
        problems = invariants.check(engine)
        engine.dispose()
        assert problems == []
    finally:
        installation.stop()


@pytest.fixture(autouse=True)
def line(both: Both) -> Iterator[Line]:
    yield both.line
    both.line.does = through


def say(person: Chat, *texts: str) -> list[str]:
    return person.say(*texts)


def status(code: int, body: bytes) -> Wrong:
    return lambda call, send: (code, body)


def after_filing(answer: tuple[int, bytes] | None) -> Wrong:
    """The ticket is committed, and the assistant does not hear of it."""

    def cut(call: dict[str, Any], send: Callable[[], tuple[int, bytes]]) -> tuple[int, bytes] | None:
        got = send()
        return answer if call["next_action"] == "action_file_ticket" else got

    return cut


def slow(seconds: float) -> Wrong:
    def late(call: dict[str, Any], send: Callable[[], tuple[int, bytes]]) -> tuple[int, bytes]:
        time.sleep(seconds)
        return send()

    return late


WRONGS: dict[str, Wrong] = {
    "500": status(500, b'{"error": "The action failed."}'),
    "404": status(404, b"Not Found"),
    "400": status(400, b'{"error": "rejected", "action_name": "action_talk"}'),
    "no JSON": status(200, b"<html>"),
    "a list": status(200, b"[]"),
    "nothing": status(200, b""),
    "no events": status(200, b"{}"),
    "hangs up": lambda call, send: None,
    "too late": lambda call, send: time.sleep(6.5),
}


@pytest.mark.parametrize("wrong", WRONGS)
def test_no_receipt_without_a_ticket_when_actions_fail(both: Both, line: Line, wrong: str) -> None:
    """A1: the line to the actions fails in one of many ways, for people who write at once: within 10 s each gets an honest
    answer and no receipt, no ticket is there; once it works again each one's words are filed, once."""
    line.does = WRONGS[wrong]
    people = [both.chat() for _ in range(3)]
    begun = time.monotonic()
    for n, person in enumerate(people):
        assert person.post(f"{MATTER} {wrong} {n}").status_code == 202
    for n, person in enumerate(people):
        said = person.answers(1)
        assert not any(REFERENCE.search(s) or RECEIPT.search(s) for s in said) and f"{MATTER} {wrong} {n}" in said[0]
    assert time.monotonic() - begun < 10 and both.tickets(f"{MATTER} {wrong} ") == []
    line.does = through
    for n, person in enumerate(people):
        said = say(person, "1")  # a complaint; the assistant may show it back first
        if not REFERENCE.search("\n".join(said)):
            said = say(person, "1")
        assert len([each for each in said if REFERENCE.search(each)]) == 1, said
        assert len(both.tickets(f"{MATTER} {wrong} {n}")) == 1


def test_a_hundred_people_do_not_wait_behind_each_other_for_actions_that_hang(both: Both, line: Line) -> None:
    """A1: the actions hang, a hundred people complain at once: each has the honest answer within 10 s and no receipt; when
    they work again the assistant is asked again by itself."""
    line.does = slow(6.5)
    people = [both.chat() for _ in range(100)]
    with ThreadPoolExecutor(20) as pool:
        assert {
            answer.status_code for answer in pool.map(lambda n: people[n].post(f"{MATTER} معلق {n}"), range(100))
        } == {202}
        sent = time.monotonic()
        said = list(pool.map(lambda person: person.answers(1), people))
    assert time.monotonic() - sent < 10
    assert not any(REFERENCE.search(s) or RECEIPT.search(s) for each in said for s in each)
    assert both.tickets(f"{MATTER} معلق ") == []
    line.does = through
    person = both.chat()

    def is_asked_again() -> bool:
        say(person, "وين وصل طلبي")
        return bool(both.one("SELECT state FROM inbox ORDER BY id DESC LIMIT 1") == "done")

    eventually(is_asked_again, 30, "the assistant is asked again")


@pytest.mark.parametrize("answer", [(500, b"{}"), (200, b"no JSON"), None], ids=["500", "no JSON", "hangs up"])
def test_a_ticket_whose_answer_was_lost_is_told_and_not_filed_again(both: Both, line: Line, answer: Any) -> None:
    """A1, A3: the action commits and the assistant never hears of it: the person has the receipt, once, and no menu."""
    person, text = both.chat(), f"{MATTER} {answer}"
    say(person, text)
    line.does = after_filing(answer)
    said = say(person, "1")
    assert len([s for s in said if REFERENCE.search(s)]) == 1 and len(both.tickets(text)) == 1
    line.does = through
    ref = both.tickets(text)[0]
    assert ref in say(person, "وين وصل طلبي")[-1].replace(" ", "") and len(both.tickets(text)) == 1


def test_a_strangers_reference_and_an_invented_one_are_alike_and_guessing_ends(both: Both) -> None:
    """A6: what is answered does not tell whether there is such a ticket; nor do its neighbours; after some wrong receipt
    codes the right one opens nothing either, for who guessed; its owner is not held up."""
    from stdnum import damm

    owner = both.chat()
    ref = REFERENCE.search("\n".join(say(owner, f"{MATTER} سر", "1")))[1].replace(" ", "")  # type: ignore[index]
    receipt = next(m[1] for s in owner.answers(2) if (m := RECEIPT.search(s)))
    invented = next(
        r for n in range(1, 50) if not both.rows("SELECT 1 FROM tickets WHERE ref = ?", r := _next(ref, n, damm))
    )
    answers = {}
    for asked in (ref, invented):
        [said] = say(both.chat(), f"وين وصل بلاغي {asked}")
        answers[asked] = re.sub(r"[\d ]", "", said)
    assert answers[ref] == answers[invented] and "سر" not in answers[ref]
    guesser = both.chat()
    say(guesser, f"وين وصل بلاغي {ref}")
    for n in range(6):
        said = say(guesser, f"{100 + n}-222-333-444")
        assert MATTER not in said[-1]
    assert MATTER not in say(guesser, receipt)[-1] and both.ticket(ref)["version"] == 1
    said = say(guesser, f"وين وصل بلاغي {ref}")
    assert "مركز" not in said[-1] and "سر" not in said[-1]
    assert ref in say(owner, "وين وصل طلبي")[-1].replace(" ", "")


def _next(ref: str, n: int, damm: Any) -> str:
    body = str(int(ref[:-1]) + n)
    return body + damm.calc_check_digit(body)


def test_ten_messages_at_once_of_twenty_people_keep_their_order(both: Both) -> None:
    """A7: through the real assistant, gathering off: each one's messages are answered one by one in the order in which they
    were taken, and nobody waits for all others."""
    people = [both.chat() for _ in range(20)]
    codes: list[int] = []

    def write(n: int) -> None:
        for line in range(10):
            codes.append(people[n].post(f"وين وصل طلبي {line}", id=f"order-{n}-{line}").status_code)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [202] * 200
    eventually(
        lambda: both.one("SELECT count(*) FROM inbox WHERE message_id LIKE 'order-%' AND finished_at IS NULL") == 0,
        40,
        "all",
    )
    query = "SELECT conversation, id, seq, message_id, turn, state FROM inbox WHERE message_id LIKE 'order-%' ORDER BY finished_at, id"
    done = both.rows(query)
    for conversation in {row[0] for row in done}:
        mine = [row for row in done if row[0] == conversation]
        assert [int(row[3].rsplit("-", 1)[1]) for row in mine] == list(range(10)) and {row[5] for row in mine} == {
            "done"
        }
        turns = [
            row[0] for row in both.rows("SELECT turn FROM outbox WHERE conversation = ? ORDER BY seq", conversation)
        ]
        assert list(dict.fromkeys(turns)) == [row[4] for row in mine]
    firsts = {row[0]: n for n, row in reversed(list(enumerate(done)))}
    assert max(firsts.values()) < 150, "somebody's first message waited for nearly everybody's last"


LONG = {
    "2,000": "ص" * 2_000,
    "10,000": "ص ب" * 3_333,
    "5,000 words": "ص " * 5_000,
    "one word": "و" * 10_000,
    "marks": "ا" + "\u064b" * 5_000,
    "marks of other scripts": "a" + "\u0301\u0489" * 4_000,
    "digits": "6821093659 " * 900,
    "digits without end": "٦" * 10_000,
    "hyphens": "1-" * 5_000,
    "links": "https://a.example/ " * 500,
    "letters of a sentence": " ".join("اشتكي" * 900),
    "quotes": "«" * 10_000,
    "latin digits for letters": "3ndy shkwa 7asbona " * 500,
    "lines": "\n" * 9_000 + "شكوى",
    "sentences": "هذه جملة من خمس كلمات هنا. " * 370,
    "slashes": "/" * 10_000,
    "chinese": "我要投诉" * 2_500,
    "tatweel": "ش" + "ـ" * 9_000 + "كوى",
}


def rss(process: subprocess.Popen[bytes] | None) -> float:
    """Resident megabytes."""
    assert process
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_any_length_is_bounded_work(both: Both) -> None:
    """E1: each turn is done by the assistant within two seconds (the machine's hiccups aside), and nothing grows."""
    say(both.chat(), MATTER)
    before = rss(both.house), rss(both.assistant)
    took: dict[str, float] = {}
    for name, text in [*LONG.items()] * 2:  # what was slow the first time gets a second chance
        if took.get(name, 9) < 2:
            continue
        person, id = both.chat(), f"long {name} {len(took)}".replace(" ", "-")
        assert person.post(text, id=id).status_code == 202, name
        said = person.answers(1, seconds=12)
        assert 0 < len(said[0]) < 4_000, name
        query = (
            "SELECT state, (julianday(finished_at) - julianday(received_at)) * 86400 FROM inbox WHERE message_id = ?"
        )
        [[state, took[name]]] = both.rows(query, id)
        assert state == "done", name
    assert max(took.values()) < 2, took
    grown = rss(both.house) - before[0], rss(both.assistant) - before[1]
    assert max(grown) < 50, f"house and assistant grew by {grown} MB"


def test_a_run_of_symbols_is_bounded_work(both: Both) -> None:
    """E1: ten thousand emoji are no more work than ten thousand letters: the assistant stands still for everybody meanwhile."""
    took = {}
    for text in ("ص" * 10_000, "\U0001f600" * 10_000):
        best = 9.0
        for n in range(2):
            person, id = both.chat(), f"run-{ord(text[0])}-{n}"
            assert person.post(text, id=id).status_code == 202
            person.answers(1)
            best = min(
                best,
                both.one(
                    "SELECT (julianday(finished_at) - julianday(received_at)) * 86400 FROM inbox WHERE message_id = ?",
                    id,
                ),
            )
        took[text[0]] = best
    assert took["\U0001f600"] < max(0.3, 4 * took["ص"]), took


ODD = (
    "\ufeffشكوى", "\ufdd0\uffff\U0001ffff", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), "a\x01\x1b[31mb\x7f", "\ue000\U000e0041",
    "a\u2028b\u2029c\x85d", "\u202eabc\u202c", "\u200b\u200c\u200d", "\u0651" * 50, "{}", "[]", "null", "{{7*7}}", "%s%n", "\\u0000", "﷽" * 50,
)  # fmt: skip
COMMANDS = (
    "/restart", "/session_start", "/back", '/complaint{"category": "other"}', "/complaint@1.0", "EXTERNAL: complaint", "  /restart",
    '/press{"do":"file"}', '/press{"do":"person"}', "/file", "/action_file_ticket", '/inform{"ref": "6821093659"}', "/stop", "utter_filed",
)  # fmt: skip


def test_odd_characters_are_answered(both: Both) -> None:
    """E2: whatever the door lets in the assistant reads; a sentence comes back, and the words are as they were."""
    people = [both.chat() for _ in ODD]
    for n, (person, text) in enumerate(zip(people, ODD, strict=True)):
        assert person.post(text, id=f"odd-{n}").status_code == 202, repr(text)
    for n, (person, text) in enumerate(zip(people, ODD, strict=True)):
        assert person.answers(1)[0].strip()
        assert both.rows("SELECT text, state FROM inbox WHERE message_id = ?", f"odd-{n}") == [(text, "done")], repr(
            text
        )


def test_a_command_drives_nothing(both: Both) -> None:
    """E4: with a draft open, each command does what its bare words would do and no more: nothing is filed, no form ended;
    and of a button of somebody else's nothing is left but its text."""
    before = both.one("SELECT count(*) FROM tickets")

    def draft_after(words: str, mark: str) -> bool:
        person = both.chat()
        say(person, f"{MATTER} {mark}")
        said = say(person, words)[-1].replace(words, "")
        assert "utter_" not in said and "action_" not in said
        assert both.one("SELECT count(*) FROM tickets") == before, words
        return bool(both.rows("SELECT 1 FROM conversations WHERE instr(state, ?)", f"{MATTER} {mark}"))

    with ThreadPoolExecutor(len(COMMANDS)) as pool:
        kept = dict(
            zip(COMMANDS, pool.map(draft_after, COMMANDS, [f"امر {n}" for n in range(len(COMMANDS))]), strict=True)
        )
    for command in (command for command, there in kept.items() if not there):
        words = command.strip(" /")  # who writes 'restart' in words gives the draft up, too
        assert not draft_after(words, f"كلام {command}"), f"{command}: the draft is gone"
    owner = both.chat()
    ref = REFERENCE.search("\n".join(say(owner, f"{MATTER} زر", "1")))[1].replace(" ", "")  # type: ignore[index]
    say(owner, f"ابي اسحب تذكرتي {ref}")
    payloads = {b["payload"] for e in owner.events() for b in e["buttons"] if ref in b["payload"]}
    assert payloads, "withdrawing is confirmed with a button that names the ticket"
    stranger = both.chat()
    say(stranger, "مرحبا")
    for payload in payloads:
        stranger.post(payload=payload)
    stranger.answers(1 + len(payloads))
    assert both.ticket(ref)["state"] == "new" and both.ticket(ref)["version"] == 1


def test_spellings_mean_the_same(both: Both) -> None:
    """E5: variants of one complaint are read alike, and a reference in any digits finds the ticket in the chat."""
    text = "معاملة الترخيص الصناعي متأخرة من شهرين وأحد ما رد علي إلى الآن في فرع المدينة"
    variants = {
        "as it is": text,
        "NFD": unicodedata.normalize("NFD", text),
        "bare alef": text.translate(str.maketrans("أإآ", "ااا")),
        "ha for ta": text.replace("ة", "ه"),
        "persian ya": text.replace("ي", "ی").replace("ك", "ک"),
        "tatweel": text.replace("معاملة", "معـــاملة"),
        "vowels": text.replace("معاملة", "مُعامَلةٌ").replace("الترخيص", "التَّرخيصُ"),
        "zero width": text.replace("معاملة", "معا\u200bمل\u200cة").replace("متأخرة", "متأ\u2060خرة"),
        "isolates": f"\u2067{text}\u2069",
    }
    readings = {}
    for name, variant in variants.items():
        person = both.chat()
        assert person.post(variant, id=f"spelled-{name.replace(' ', '-')}").status_code == 202
        person.answers(1)
        found = json.loads(
            both.one("SELECT reading FROM inbox WHERE message_id = ?", f"spelled-{name.replace(' ', '-')}")
        )
        readings[name] = found["intent"]["name"], (found["category"] or {}).get("name")
    assert set(readings.values()) == {readings["as it is"]} and readings["as it is"][0] == "complaint", readings
    owner = both.chat()
    ref = REFERENCE.search("\n".join(say(owner, f"{MATTER} ارقام", "1")))[1].replace(" ", "")  # type: ignore[index]
    for zero in "٠۰":
        digits = "".join(chr(ord(zero) + int(d)) for d in ref)
        for written in (digits, f"{digits[:4]} {digits[4:8]} {digits[8:]}", f"{digits[:4]}-{digits[4:8]}-{digits[8:]}"):
            assert ref in say(owner, f"وين وصلت تذكرتي {written}")[-1].replace(" ", ""), written


def test_sigterm_while_a_ticket_is_filed(both: Both, line: Line) -> None:
    """H2: the house is told to stop while the assistant waits for the action that files: the action is still answered, the
    house ends by itself within 15 s, and after the next start the person has one receipt of one ticket."""
    person, text = both.chat(), f"{MATTER} اطفاء"
    say(person, text)
    line.does = slow(1.5)
    assert person.post("1").status_code == 202
    time.sleep(0.7)
    assert both.house
    both.house.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    assert both.house.wait(20) == 0 and time.monotonic() - begun < 15
    [[state]] = both.rows("SELECT state FROM inbox WHERE text = '1' ORDER BY id DESC LIMIT 1")
    assert state == "done" and len(both.tickets(text)) == 1
    line.does = through
    both.start_house()
    both.wait()
    said = person.answers(2)
    assert len([s for s in said if REFERENCE.search(s)]) == 1
    assert len(both.tickets(text)) == 1


CANARY = "CANARYWORDS كناري +966501234567 ٠٥٠١٢٣٤٥٦٧ 1098765432 canary.person@example.test"


def test_no_log_of_either_holds_a_canary(both: Both, line: Line) -> None:
    """G7: words, number, id and address through chat, actions and API at DEBUG, with turns that succeed, fail and time out;
    and no letter of any other test's messages stands in either log."""
    person = both.chat()
    said = say(person, f"{MATTER} {CANARY}", "1")
    while not REFERENCE.search("\n".join(said)):
        said = say(person, "1")
        assert len(said) < 6, said
    say(person, f"اسمي CANARYNAME ورقمي 0501234567 {CANARY}")
    receipts = RECEIPT.findall("\n".join(said))
    line.does = status(500, CANARY.encode())
    say(person, f"{CANARY} مرة اخرى")
    line.does = status(
        200,
        json.dumps(
            {
                "events": [{"event": "slot", "name": CANARY, "value": CANARY}, {"event": CANARY}],
                "responses": [{"text": CANARY}],
            }
        ).encode(),
    )
    say(both.chat(), f"{CANARY} ثالثة")
    line.does = through
    [ref] = both.tickets(f"{MATTER} {CANARY}")[:1]
    assert (
        both.verb(ref, "reply", text=CANARY).status_code == 200
        and both.verb(ref, "note", text=CANARY).status_code == 200
    )
    secret = both.environment["ASSISTANT_SECRET"]
    wanted = ("CANARY", "canary", "501234567", "1098765432", person.token, secret, *receipts)
    refused = httpx.post(
        f"http://127.0.0.1:{both.rasa_port}/webhooks/house/turn",
        content=CANARY.encode(),
        trust_env=False,
        headers={"X-Sawt-Secret": secret},
    )
    assert refused.status_code == 400 and receipts
    house, assistant = both.log(), both.assistant_log()
    assert " ERROR " in assistant and "a turn got no answer" in house, "both write something down"
    for name, log in (("house", house), ("assistant", assistant)):
        letters = re.compile("[\u0620-\u064a]" + "".join(f"|{re.escape(w)}" for w in wanted))
        assert [each for each in log.splitlines() if letters.search(each)] == [], name


def test_the_supervisor_starts_both_and_stops_both(both: Both, tmp_path: Path) -> None:
    """H2, F8: `python -m bot run` says `ready:` and three sentences; the assistant has no key and no database address in its
    environment; what is killed is started again; on SIGTERM both end within 15 s and nothing is left behind."""
    ports = {"PORT": free_port(), "RASA_PORT": free_port(), "ACTIONS_PORT": free_port()}
    environment = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")}
    environment |= {k: str(v) for k, v in ports.items()} | {
        "DATA_DIR": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "SECRET_KEY": "k" * 40,
    }
    with open(tmp_path / "out", "wb") as out:
        run = subprocess.Popen([sys.executable, "-m", "bot", "run"], cwd=ROOT, env=environment, stdout=out, stderr=out)
    children: dict[str, int] = {}
    try:
        eventually(lambda: "ready:" in (tmp_path / "out").read_text(), 80, "ready")
        lines = (tmp_path / "out").read_text().splitlines()
        at = next(n for n, each in enumerate(lines) if each.startswith("ready:"))
        assert (
            lines[at] == f"ready: http://127.0.0.1:{ports['PORT']}"
            and len([s for s in lines[at + 1 :] if s.startswith("  try: ")]) == 3
        )
        children = _children(run.pid)
        assert set(children) == {"bot", "nlu.serve"}
        inside = Path(f"/proc/{children['nlu.serve']}/environ").read_bytes().split(b"\0")
        names = {each.split(b"=")[0] for each in inside}
        assert b"ASSISTANT_SECRET" in names and not names & {
            b"SECRET_KEY",
            b"DATABASE_URL",
            b"API_TOKEN",
            b"SEED_PASSWORD",
        }
        os.kill(children["bot"], signal.SIGKILL)
        eventually(
            lambda: _children(run.pid).get("bot") not in (None, children["bot"]), 10, "the house is started again"
        )
        url = f"http://127.0.0.1:{ports['PORT']}"
        eventually(lambda: _ready(url), 20, "ready again")
        children = _children(run.pid)
        run.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        assert run.wait(20) == 0 and time.monotonic() - begun < 16
        assert not [pid for pid in children.values() if Path(f"/proc/{pid}").exists()]
    finally:
        kill(run)
        for pid in children.values():
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGKILL)


def _children(pid: int) -> dict[str, int]:
    """The processes that this one has started, by what they run."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        if b"-m" in words:
            found[words[words.index(b"-m") + 1].decode()] = int(child)
    return found


def _ready(url: str) -> bool:
    try:
        return http(url).get("/health/ready").status_code == 200
    except httpx.HTTPError:
        return False
