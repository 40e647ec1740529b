"""The wire itself: secrets, bodies, histories, failures of the house, many dialogues, logs."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nlu.without_tensorflow import is_neural

from .conftest import ROOT, SECRET, Server, SmallServer, environment, free_port, serving
from .house import Assistant, FakeHouse, by_the_book


def body(**more: object) -> dict:
    return {"dialogue": "wire", "turn": "t", "text": "greet", "trusted": False, "events": 0, "slots": {}, **more}


def kept(assistant: Assistant, dialogue: str) -> list:
    """What the next turn's 409 says the tracker holds."""
    return assistant.post(body(dialogue=dialogue, events=10_000))[1]["have"]


# The door


@pytest.mark.parametrize("secret", ["", "wrong", SECRET + "x", "سر"])
def test_without_the_secret_nothing_is_read(house: FakeHouse, assistant: Assistant, secret: str) -> None:
    given = secret.encode().decode("latin-1")
    assert assistant.post(body(), given)[0] == 403
    assert assistant.post(b"{", given)[0] == 403
    assert not house.calls


@pytest.mark.parametrize(
    "sent",
    [
        b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"[" * 50_000, b'{"text": NaN}',
        body(dialogue=""), body(dialogue=7), body(turn=None), body(text=None), body(events="1"), body(events=True),
        body(events=-1), body(events=1.5), body(slots=[]), body(history={}), body(history=[1], events=1),
        body(history=[{"event": "user"}], events=2), body(history=[{"event": "no such"}], events=1),
        body(history=[{"x": 1}], events=1), body(dialogue="d" * 201),
    ],
)  # fmt: skip
def test_a_bad_turn_is_a_400_with_a_sentence(house: FakeHouse, assistant: Assistant, sent: object) -> None:
    status, answer = assistant.post(sent)
    assert status == 400 and answer["error"].endswith(".")
    assert not house.calls


def test_a_body_too_large_is_refused(assistant: Assistant) -> None:
    assert assistant.post(body(text="ا" * 100_000))[0] == 413


def test_health_needs_no_secret_and_there_is_no_other_door(server: Server) -> None:
    def get(path: str) -> int:
        import urllib.error
        import urllib.request

        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5).status
        except urllib.error.HTTPError as error:
            return error.code

    assert get("/webhooks/house/") == 200
    assert [get(path) for path in ("/", "/status", "/version", "/model/parse", "/webhooks/rest/")] == [404] * 5


# What people may write


def test_a_long_text_is_cut(house: FakeHouse, assistant: Assistant) -> None:
    answer = assistant.turn("long", "complaint " + "x" * 50_000)
    assert len(house.calls[0]["tracker"]["latest_message"]["text"]) == 2_000
    assert not answer["failed"]


@pytest.mark.parametrize(
    "text",
    [
        "/restart", "/session_start", "/back", "/complaint", '/complaint{"matter": "x"}', "/complaint@1.0", "//restart",
        '/press{"do": "file"}', " /restart", "\u00a0\n/restart", "\u200f/restart", "EXTERNAL: complaint", "/", "/{", "/@",
    ],
)  # fmt: skip
@pytest.mark.parametrize("drafting", [False, True])
def test_a_command_typed_by_anybody_is_only_words(
    house: FakeHouse, assistant: Assistant, text: str, drafting: bool
) -> None:
    dialogue = f"defused-{text!r}-{drafting}"
    if drafting:
        assistant.turn(dialogue, "complaint about the rain")
    before = len(assistant.record.get(dialogue, []))
    answer = assistant.turn(dialogue, text)
    assert answer["read"]["intent"]["confidence"] < 1.0 and answer["read"]["intent"]["name"] != "press"
    assert answer["replies"] and answer["read"]["entities"] == []
    assert len(assistant.record[dialogue]) > before  # no restart took the dialogue away
    assert not [e for e in answer["events"] if e["event"] in ("restart", "rewind", "undo")]
    said = [e for e in answer["events"] if e["event"] == "user"]
    assert said[0]["text"] == text and said[0]["parse_data"]["text"] == text


@pytest.mark.parametrize("text", ["/complaint", "/restart", "/press", "/press{", "/press[1]", '/press{"do": 1}x', "x"])
def test_trust_is_for_a_press_and_nothing_else(house: FakeHouse, assistant: Assistant, text: str) -> None:
    answer = assistant.turn(f"trust-{text}", text, trusted=True)
    assert answer["read"]["intent"]["confidence"] < 1.0 and answer["replies"]


@pytest.mark.parametrize(
    "text",
    ["complaint \u202eabc\u2066", "complaint \u0000 nul", "complaint \ud83d half", "complaint 👩‍👩‍👧 \u0301" * 20],
)
def test_hostile_characters_come_through_storable(house: FakeHouse, assistant: Assistant, text: str) -> None:
    answer = assistant.turn(f"hostile-{ascii(text)}"[:60], text)
    heard = house.calls[0]["tracker"]["latest_message"]["text"]
    assert len(heard) == len(text) and heard.encode("utf-8") and "\0" not in heard
    assert not answer["failed"]


# Where the dialogue stands


def test_another_number_of_events_asks_for_the_history(house: FakeHouse, assistant: Assistant) -> None:
    assert assistant.post(body(dialogue="unknown", events=5)) == (
        409, {"error": "The assistant holds another number of events: send the history.", "have": 0},
    )  # fmt: skip
    assistant.turn("known", "greet")
    total = len(assistant.record["known"])
    assert kept(assistant, "known") == total
    lost = assistant.post(body(dialogue="known", events=total - 2, text="thanks"))
    assert lost == (409, {**lost[1], "have": total})


def test_a_turn_driven_again_starts_from_where_the_house_stands(house: FakeHouse, assistant: Assistant) -> None:
    assistant.turn("again", "complaint about the rain")
    events, slots = list(assistant.record["again"]), dict(assistant.slots["again"])
    first = assistant.turn("again", "affirm")
    assistant.record["again"], assistant.slots["again"] = events, slots  # the house never committed it
    second = assistant.turn("again", "affirm")
    assert second["asked_for_history"] and second["replies"] == first["replies"]
    assert [event["event"] for event in second["events"]] == [event["event"] for event in first["events"]]


def test_no_events_always_starts_afresh(house: FakeHouse, assistant: Assistant) -> None:
    assistant.turn("fresh", "complaint about the rain")
    status, answer = assistant.post(body(dialogue="fresh", text="affirm"))
    assert status == 200 and [one["name"] for one in answer["replies"]] == ["utter_action_talk"]
    assert answer["total"] == len(answer["events"])


def test_a_dialogue_survives_the_assistant(model: Path, house: FakeHouse, tmp_path: Path) -> None:
    """Killed in the middle of a form, the next process goes on from the history; and it stops within five seconds."""
    with serving(Server, model, house, tmp_path / "first.txt") as first:
        talk = first.client
        talk.turn("survivor", "complaint about the rain", parts=True)
        talk.turn("survivor", "check_status")
        first.process.kill()
        first.process.wait(5)
    with serving(Server, model, house, tmp_path / "second.txt") as second:
        after = second.client
        after.record, after.slots, after.turns = talk.record, talk.slots, talk.turns
        house.calls.clear()
        filed = after.turn("survivor", "affirm")
        assert filed["asked_for_history"] and filed["replies"][0]["name"] == "utter_filed"
        assert house.asked() == ["validate_ticket_form", "action_file_ticket"]
        assert house.calls[0]["tracker"]["active_loop"] == {"name": "ticket_form"}
        assert "asked_for_history" not in after.turn("survivor", "thanks")
        began = time.monotonic()
        assert second.stop() == 0 and time.monotonic() - began < 5


def test_a_forgotten_tracker_is_rebuilt(model: Path, house: FakeHouse, tmp_path: Path) -> None:
    with serving(SmallServer, model, house, tmp_path / "small.txt") as small:
        for number in range(5):
            small.client.turn(f"one-of-five-{number}", "complaint about the rain")
        house.calls.clear()
        answer = small.client.turn("one-of-five-0", "affirm")
        assert answer["asked_for_history"] and answer["replies"][0]["name"] == "utter_filed"
        assert "asked_for_history" not in small.client.turn("one-of-five-4", "affirm")


# The house fails


def failures(house: FakeHouse, how: str) -> None:
    if how == "rejects":
        house.status, house.answer = 400, lambda call: {"action_name": call["next_action"], "error": "no"}
    elif how == "breaks":
        house.status = 500
    elif how == "is not json":
        house.answer = lambda call: "<html>"
    elif how == "is no object":
        house.answer = lambda call: []
    elif how == "has an unknown event":
        house.answer = lambda call: {"events": [{"event": "no such"}], "responses": []}
    elif how == "has a nameless reply":
        house.answer = lambda call: {"events": [], "responses": [{"text": "hello"}]}
    elif how == "is null":
        house.answer = lambda call: {"events": None, "responses": None}


@pytest.mark.parametrize("drafting", [False, True])
@pytest.mark.parametrize(
    "how",
    ["rejects", "breaks", "is not json", "is no object", "has an unknown event", "has a nameless reply", "is null"],
)
@pytest.mark.parametrize("text", ["greet", "complaint about the rain", "affirm"])
def test_a_failure_of_the_house_is_told_and_leaves_nothing(
    house: FakeHouse, assistant: Assistant, how: str, text: str, drafting: bool
) -> None:
    dialogue = f"failure-{how}-{text}-{drafting}"
    if drafting:
        assistant.turn(dialogue, "complaint about the rain")
    before = list(assistant.record.get(dialogue, []))
    house.calls.clear()
    failures(house, how)
    began = time.monotonic()
    answer = assistant.turn(dialogue, text)
    assert time.monotonic() - began < 1
    assert answer["failed"] and answer["replies"] == [] and answer["events"] == []
    assert answer["total"] == len(before) and answer["read"]["intent"]["name"] == text.split()[0]
    assert len(house.calls) == 1  # no second call is tried, and nobody is told of a success
    house.by_the_book()
    assert assistant.turn(dialogue, text)["replies"]  # and the same turn driven again goes through


def test_a_second_call_that_fails_fails_the_turn(house: FakeHouse, assistant: Assistant) -> None:
    house.answer = lambda call: by_the_book(call) if "validate" in call["next_action"] else "<html>"
    answer = assistant.turn("second-call", "complaint about the rain")
    assert answer["failed"] and answer["slots"]["draft"] is None


def test_a_house_that_is_down_is_noticed_at_once(house: FakeHouse, assistant: Assistant) -> None:
    port = house.port
    house.stop()
    began = time.monotonic()
    answer = assistant.turn("down", "complaint about the rain")
    assert answer["failed"] and time.monotonic() - began < 1
    house.start(port)
    assert assistant.turn("down", "complaint about the rain")["replies"]  # a connection that was cut is no failure


def test_a_house_that_hangs_is_left_after_five_seconds(house: FakeHouse, assistant: Assistant) -> None:
    house.delay = 8
    began = time.monotonic()
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(assistant.turn, "hangs", "complaint about the rain")
        time.sleep(0.5)
        house.delay = 0
        assert assistant.turn("beside-hangs", "greet")["replies"]  # nobody else waits
        assert time.monotonic() - began < 2
        assert slow.result()["failed"]
    assert 4.5 < time.monotonic() - began < 6


def test_a_slow_turn_is_given_up_before_the_house_gives_up(house: FakeHouse, assistant: Assistant) -> None:
    house.delay = 3.9  # each call is within its deadline, two of them are not within the turn's
    began = time.monotonic()
    assert assistant.turn("slow", "complaint about the rain")["failed"]
    assert 6.5 < time.monotonic() - began < 7.5
    house.delay = 0
    assert assistant.turn("slow", "complaint about the rain")["replies"]


def test_a_house_that_hung_up_in_the_middle_is_asked_for_the_history(house: FakeHouse, assistant: Assistant) -> None:
    assistant.turn("hung-up", "greet")
    total = len(assistant.record["hung-up"])
    house.delay = 1
    port = int(assistant.url.split(":")[2].split("/")[0])
    gone = http.client.HTTPConnection("127.0.0.1", port)
    sent = json.dumps(body(dialogue="hung-up", text="complaint about the rain", events=total))
    gone.request("POST", "/webhooks/house/turn", sent, {"X-Sawt-Secret": SECRET})
    time.sleep(0.3)
    gone.close()
    house.delay = 0
    answer = assistant.turn("hung-up", "complaint about the rain")
    assert answer["asked_for_history"] and answer["replies"][0]["name"] == "utter_draft"


def test_a_component_that_breaks_fails_the_turn(house: FakeHouse, assistant: Assistant) -> None:
    answer = assistant.turn("explode", "explode now")
    assert answer["failed"] and answer["read"] is None and not house.calls
    assert assistant.turn("explode", "greet")["replies"]


# Many


def test_fifty_dialogues_at_once(house: FakeHouse, assistant: Assistant) -> None:
    def talk(number: int) -> bool:
        one = Assistant(int(assistant.url.split(":")[2].split("/")[0]), SECRET)
        dialogue = f"crowd-{number}"
        asked = one.turn(dialogue, f"complaint {number}")
        filed = one.turn(dialogue, "affirm")
        own = all(
            event.get("text") in (f"complaint {number}", "affirm")
            for event in one.record[dialogue]
            if event["event"] == "user"
        )
        return own and [a["replies"][0]["name"] for a in (asked, filed)] == ["utter_draft", "utter_filed"]

    with ThreadPoolExecutor(50) as pool:
        assert all(pool.map(talk, range(50)))


def test_turns_of_one_dialogue_wait_for_each_other(house: FakeHouse, assistant: Assistant) -> None:
    running, most, guard = 0, 0, threading.Lock()

    def watched(call: dict) -> dict:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        answer = by_the_book(call)
        with guard:
            running -= 1
        return answer

    house.answer, house.delay = watched, 0.02
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: assistant.post(body(dialogue="queue", turn=f"q{n}")), range(8)))
    assert {status for status, _ in answers} == {200}
    assert len({answer["total"] for _, answer in answers}) == 1 and most == 1


# Logs, starting


def test_no_log_holds_what_people_wrote(house: FakeHouse, assistant: Assistant, server: Server) -> None:
    """At DEBUG, through readings, forms, commands, failures and histories."""
    canary = "زقزقة-canary"
    for text in (f"complaint {canary}", f"check_status {canary}", f"/complaint{{{canary}", f"explode {canary}", canary):
        assistant.turn("canary", text, slots={"draft": {"kind": "x", "words": canary}}, parts=True)
    assistant.post(body(dialogue="canary", text=canary, history=[{"event": "user", "text": canary}], events=1))
    house.answer = lambda call: {"events": [{"event": "slot", "name": canary, "value": canary}, {"event": canary}]}
    assistant.turn("canary", f"greet {canary}")
    house.answer = lambda call: {"events": [{"event": "slot", "name": canary, "value": canary}], "responses": []}
    assistant.turn("canary", f"greet {canary}")
    written = server.log.read_text()
    assert "canary" not in written and "زقزقة" not in written and "complaint" not in written
    assert "action failed" in written


@pytest.mark.parametrize(
    ("without", "sentence"),
    [
        ({"ASSISTANT_SECRET": ""}, "ASSISTANT_SECRET is not set"),
        ({"RASA_PORT": "http"}, "RASA_PORT must be a port number"),
        ({}, "there is no model"),
    ],
)
def test_it_says_in_one_sentence_why_it_cannot_start(tmp_path: Path, without: dict, sentence: str) -> None:
    done = start(tmp_path, **{"ASSISTANT_SECRET": "x", "RASA_PORT": str(free_port()), **without})
    assert done.returncode != 0 and sentence in done.stderr and done.stderr.count("\n") == 1


def test_a_port_taken_is_said(tmp_path: Path, server: Server) -> None:
    done = start(tmp_path, ASSISTANT_SECRET="x", RASA_PORT=str(server.port))
    assert done.returncode != 0 and f"port {server.port}" in done.stderr and done.stderr.count("\n") == 1


def test_a_file_that_is_no_model_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(b"no model")
    done = start(tmp_path, ASSISTANT_SECRET="x", RASA_PORT=str(free_port()))
    assert done.returncode != 0 and "can not be loaded" in done.stderr and done.stderr.count("\n") == 1


def start(models: Path, *options: str, **env: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "nlu.serve", "--model", str(models), *options]
    return subprocess.run(command, cwd=ROOT, env=environment(**env), capture_output=True, text=True, timeout=30)


def test_no_second_channel_can_be_opened(model: Path, tmp_path: Path) -> None:
    (tmp_path / "credentials.yml").write_text("rest:\nnlu.channel.HouseChannel:\n  secret: x\n")
    done = start(
        model, "--credentials", str(tmp_path / "credentials.yml"), ASSISTANT_SECRET="x", RASA_PORT=str(free_port())
    )
    assert done.returncode != 0 and "no other channel" in done.stderr and done.stderr.count("\n") == 1


def test_a_model_without_neural_parts_runs_without_tensorflow(server: Server, model: Path, tmp_path: Path) -> None:
    mapped = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "numpy" in mapped and "tensorflow" not in mapped
    assert not is_neural(model)
    (tmp_path / "x.tar.gz").write_bytes(b"no model")
    assert is_neural(tmp_path / "x.tar.gz")


def test_importing_our_modules_does_nothing() -> None:
    code = (
        "import nlu.tracker, nlu.channel, nlu.serve\n"
        "from rasa.core.actions.action import RemoteAction\n"
        "assert RemoteAction.run.__module__ == 'rasa.core.actions.action'\n"
    )
    env = {key: value for key, value in os.environ.items() if key not in ("ASSISTANT_SECRET", "RASA_PORT")}
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, env=env, check=True, capture_output=True)


def test_events_come_back_as_json_rasa_can_read(house: FakeHouse, assistant: Assistant) -> None:
    assistant.turn("events", "complaint about the rain")
    events = assistant.record["events"]
    assert json.loads(json.dumps(events)) == events
    assert not [event for event in events if "model_id" in json.dumps(event)]
