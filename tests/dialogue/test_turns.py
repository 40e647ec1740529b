"""What a turn brings back, with real Rasa between a client and a small house."""

from __future__ import annotations

import pytest

from .conftest import intents
from .house import SAID_ENOUGH, Assistant, FakeHouse, by_the_book, reply, slot

MATTERS = {"report", "complaint", "suggestion", "inquiry", "praise"}
TYPED = [name for name in intents() if name != "press"]


def names(answer: dict) -> list:
    return [one["name"] for one in answer["replies"]]


def test_a_matter_is_asked_about_in_two_calls_and_filed_in_three(house: FakeHouse, assistant: Assistant) -> None:
    asked = assistant.turn("two-calls", "complaint about the rain")
    assert house.asked() == ["validate_ticket_form", "action_ask_ticket_form_confirmed"]
    assert asked["replies"] == [
        {
            "name": "utter_draft",
            "params": {"kind": "complaint"},
            "buttons": [
                {"title": "button_file", "params": {}, "payload": '/press{"do": "file"}'},
                {"title": "button_drop", "params": {}, "payload": '/press{"do": "drop"}'},
            ],
        }
    ]
    assert asked["slots"]["draft"] == {"kind": "complaint", "turn": "turn-1"}
    house.calls.clear()
    filed = assistant.turn("two-calls", "affirm")
    assert house.asked() == ["validate_ticket_form", "action_file_ticket"]
    assert filed["replies"] == [{"name": "utter_filed", "params": {"ref": "6821093659"}, "buttons": []}]
    assert filed["slots"]["draft"] is None


def test_a_form_turn_makes_two_calls(house: FakeHouse, assistant: Assistant) -> None:
    assistant.turn("form-turn", "complaint about the rain")
    house.calls.clear()
    again = assistant.turn("form-turn", "complaint and the roof leaks")
    assert house.asked() == ["validate_ticket_form", "action_ask_ticket_form_confirmed"]
    assert names(again) == ["utter_draft"]


def test_an_answer_in_the_form_that_asks_nothing_is_one_call(house: FakeHouse, assistant: Assistant) -> None:
    assistant.turn("one-call", "complaint about the rain")
    house.calls.clear()
    assert names(assistant.turn("one-call", "check_status")) == ["utter_status"]
    assert house.asked() == ["validate_ticket_form"]
    house.calls.clear()
    assert names(assistant.turn("one-call", "affirm")) == ["utter_filed"]  # the form is still open


def test_a_draft_put_away_closes_the_form_without_another_call(house: FakeHouse, assistant: Assistant) -> None:
    assistant.turn("closed", "complaint about the rain")
    house.calls.clear()
    assert names(assistant.turn("closed", "cancel")) == ["utter_put_away"]
    assert house.asked() == ["validate_ticket_form"]
    house.calls.clear()
    assert names(assistant.turn("closed", "greet")) == ["utter_action_talk"]
    assert house.asked() == ["action_talk"]


@pytest.mark.parametrize("refused", [False, None])
def test_confirmed_false_or_a_closed_loop_end_the_form_alike(
    house: FakeHouse, assistant: Assistant, refused: object
) -> None:
    def answer(call: dict) -> dict:
        if call["next_action"] == "validate_ticket_form" and call["tracker"]["latest_message"]["text"] == "deny":
            closing = [slot("confirmed", False)] if refused is False else [{"event": "active_loop", "name": None}]
            return {"events": [slot("draft", None), *closing], "responses": [reply("utter_no")]}
        return by_the_book(call)

    house.answer = answer
    dialogue = f"refused-{refused}"
    assistant.turn(dialogue, "complaint about the rain")
    assert names(assistant.turn(dialogue, "deny")) == ["utter_no"]
    house.calls.clear()
    assert names(assistant.turn(dialogue, "complaint of another kind")) == ["utter_draft"]
    assert house.calls[0]["tracker"]["slots"]["matter"] is None  # nothing is left of the draft before


def test_a_matter_can_be_filed_in_its_first_turn(house: FakeHouse, assistant: Assistant) -> None:
    def at_once(call: dict) -> dict:
        if call["next_action"] == "validate_ticket_form":
            return {"events": [slot("matter", "given"), slot("confirmed", True)], "responses": []}
        return by_the_book(call)

    house.answer = at_once
    assert names(assistant.turn("at-once", "report a fire")) == ["utter_filed"]
    assert house.asked() == ["validate_ticket_form", "action_file_ticket"]


def test_a_matter_can_be_answered_without_a_draft(house: FakeHouse, assistant: Assistant) -> None:
    def answered(call: dict) -> dict:
        if call["next_action"] == "validate_ticket_form":
            return {"events": [{"event": "active_loop", "name": None}], "responses": [reply("utter_documents")]}
        return by_the_book(call)

    house.answer = answered
    assert names(assistant.turn("answered", "inquiry about passports")) == ["utter_documents"]
    assert house.asked() == ["validate_ticket_form"]
    house.answer = by_the_book
    assert names(assistant.turn("answered", "thanks")) == ["utter_action_talk"]


@pytest.mark.parametrize("intent", TYPED)
@pytest.mark.parametrize("drafting", [False, True])
def test_every_intent_reaches_the_house(house: FakeHouse, assistant: Assistant, intent: str, drafting: bool) -> None:
    dialogue = f"every-{intent}-{drafting}"
    if drafting:
        assistant.turn(dialogue, "complaint about the rain")
        house.calls.clear()
    answer = assistant.turn(dialogue, f"{intent} today")
    expected = "validate_ticket_form" if drafting or intent in MATTERS else "action_talk"
    assert house.asked()[0] == expected
    assert answer["replies"] and not answer["failed"]
    assert answer["read"]["intent"] == {"name": intent, "confidence": 0.9}
    ran = {event["name"] for event in answer["events"] if event["event"] == "action"}
    assert not ran & {"action_default_fallback", "action_unlikely_intent", "action_back", "action_restart"}
    assert not [e for e in answer["events"] if e["event"] in ("rewind", "action_execution_rejected", "undo")]


@pytest.mark.parametrize("drafting", [False, True])
@pytest.mark.parametrize("text", ["nothing of the sort", "unheard_of", "", "   ", "\u0000", "nlu_fallback", "restart"])
def test_what_cannot_be_read_reaches_the_house_too(
    house: FakeHouse, assistant: Assistant, text: str, drafting: bool
) -> None:
    dialogue = f"unread-{text!r}-{drafting}"
    if drafting:
        assistant.turn(dialogue, "complaint about the rain")
        house.calls.clear()
    answer = assistant.turn(dialogue, text)
    assert answer["read"]["intent"] == {"name": "out_of_scope", "confidence": 0.0}
    assert answer["replies"] and not answer["failed"]


def test_a_button_of_ours_is_a_press(house: FakeHouse, assistant: Assistant) -> None:
    payload = '/press{"do": "status", "ref": "6821093659", "value": {"a": [1, "ب"]}}'
    answer = assistant.turn("press", payload, trusted=True)
    assert answer["read"]["intent"] == {"name": "press", "confidence": 1.0}
    assert {key: answer["read"][key] for key in ("category", "language", "services", "flags")} == {
        "category": None,
        "language": None,
        "services": [],
        "flags": [],
    }
    message = house.calls[0]["tracker"]["latest_message"]
    assert house.asked() == ["action_talk"]
    said = {one["entity"]: one["value"] for one in message["entities"]}
    assert said == {"do": "status", "ref": "6821093659", "value": {"a": [1, "ب"]}}


def test_the_reading_comes_back_and_reaches_the_house(house: FakeHouse, assistant: Assistant) -> None:
    answer = assistant.turn("reading", "report a fire")
    expected = {
        "intent": {"name": "report", "confidence": 0.9},
        "category": {"name": "digital_service", "confidence": 0.7},
        "language": {"name": "en", "confidence": 1.0},
        "services": [{"id": "passport", "confidence": 0.6}],
        "flags": ["danger"],
        "entities": [],
    }
    assert {key: answer["read"][key] for key in expected} == expected
    assert [one["name"] for one in answer["read"]["intent_ranking"]] == ["report", "greet", "help"]
    message = house.calls[0]["tracker"]["latest_message"]
    assert {key: message[key] for key in expected} == expected
    assert message["message_id"] == "turn-1"


def test_the_request_to_the_house_is_small_and_holds_no_past(house: FakeHouse, assistant: Assistant) -> None:
    for _ in range(5):
        assistant.turn("small", "greet")
    first, last = house.calls[0], house.calls[-1]
    assert last["tracker"]["events"] == [] and last["domain"] == {}
    assert abs(len(str(first)) - len(str(last))) < 20
    assert last["sender_id"] == last["tracker"]["sender_id"] == "small"


def test_the_houses_state_is_mirrored_before_the_message_is_read(house: FakeHouse, assistant: Assistant) -> None:
    state = {"draft": None, "question": {"about": "rating"}, "language": "zh", "tickets": ["6821093659"]}
    assistant.turn("mirror", "affirm", slots=state)
    seen = house.calls[0]["tracker"]["slots"]
    assert {name: seen[name] for name in state} == state
    again = assistant.turn("mirror", "affirm", slots=state)
    assert not [event for event in again["events"] if event["event"] == "slot"]  # nothing was different


def test_a_draft_of_the_house_opens_the_form_and_its_end_closes_it(house: FakeHouse, assistant: Assistant) -> None:
    assistant.turn("in-step", "greet")
    house.calls.clear()
    draft = {"draft": {"kind": "inquiry"}, "question": None, "language": None, "tickets": []}
    assistant.turn("in-step", "complaint and more", slots=draft)
    assert house.asked()[0] == "validate_ticket_form"
    assert house.calls[0]["tracker"]["active_loop"] == {"name": "ticket_form"}
    assert house.calls[0]["tracker"]["slots"]["requested_slot"] == "confirmed"
    house.calls.clear()
    assistant.turn("in-step", "affirm", slots={**draft, "draft": None})
    assert house.asked() == ["action_talk"]
    assert house.calls[0]["tracker"]["active_loop"] == {}
    assert house.calls[0]["tracker"]["slots"]["matter"] is None


def test_sentences_are_read_alone_where_asked(house: FakeHouse, assistant: Assistant) -> None:
    text = "complaint about the water in my street. Short one.\nsuggestion to plant trees along the road"
    answer = assistant.turn("parts", text, parts=True)
    assert [(one["intent"]["name"], text[one["start"] : one["end"]] == one["text"]) for one in answer["parts"]] == [
        ("complaint", True),
        ("suggestion", True),
    ]
    assert answer["parts"][0]["category"]["name"] == "digital_service"
    assert house.calls[0]["tracker"]["latest_message"]["metadata"]["parts"] == answer["parts"]
    assert assistant.turn("parts", "complaint about water in my street", parts=True)["parts"] == []
    assert assistant.turn("parts", text)["parts"] == []


def test_replies_keep_their_order_and_unknown_names_pass(house: FakeHouse, assistant: Assistant) -> None:
    said = [reply(f"utter_nobody_listed_{n}", number=n, text="x") for n in (3, 1, 2)]
    house.answer = lambda call: {"events": [], "responses": [dict(one) for one in said]}
    assert [one["params"]["number"] for one in assistant.turn("order", "greet")["replies"]] == [3, 1, 2]


def test_an_action_may_say_nothing(house: FakeHouse, assistant: Assistant) -> None:
    house.answer = lambda call: {"events": []}
    answer = assistant.turn("silent", "greet")
    assert answer["replies"] == [] and not answer["failed"]


def test_asking_for_nothing_more_leaves_the_form_open(house: FakeHouse, assistant: Assistant) -> None:
    house.answer = lambda call: {"events": [slot("matter", "given"), SAID_ENOUGH], "responses": [reply("utter_draft")]}
    assert names(assistant.turn("self-asked", "complaint about the rain")) == ["utter_draft"]
    assert house.asked() == ["validate_ticket_form"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ودي تسوون موعد بالواتساب + عندي شكوى على تاخير شهادة المنشأ", 2),
        ("اقترح عليكم موعد عن طريق الواتساب وعندي شكوى على موظف الفرع", 2),
        ("I suggest an app for inspectors and also I want to complain about delays", 2),
        ("建议你们增加手机应用程序另外我要投诉办理太慢了", 2),
        ("شكوى واحدة طويلة عن تأخر المعاملة وعندي كل الأوراق والإيصالات", 0),
    ],
)
def test_two_matters_without_a_full_stop_between_them(assistant: Assistant, text: str, parts: int) -> None:
    assert len(assistant.turn("joined", text, parts=True)["parts"]) == parts
