"""Twilio's small rooms: the table of codes, the raw form, who sends."""

from __future__ import annotations

import pytest

from channels.contract import Address, Failure, Outgoing, Template
from channels.twilio import codes
from channels.twilio.form import FIELDS, Form
from channels.twilio.outbound import Sender


def test_no_code_stands_in_two_kinds() -> None:
    assert sum(len(meanings) for meanings in codes.MEANINGS.values()) == len(codes.FAILURES)
    assert all(code.isdigit() and len(code) == 5 for code in codes.FAILURES)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (Failure.THROTTLED, "20429 21611 30001 63018 63038"),
        (Failure.UNREACHABLE, "30003 30008 30009 63012"),
        (Failure.REFUSED, "21211 21214 21612 21614 30004 30005 30006 63003 63024 63032"),
        (Failure.STOPPED, "21610 63014"),
        (Failure.UNSUPPORTED, "21617 21620 30007 63005 63013 63016 63019 63021"),
        (Failure.MISCONFIGURED, "20003 20404 21408 21606 21608 21703 30002 30034 63001 63002 63007 63015 63051"),
    ],
)
def test_the_codes_that_matter(kind: Failure, given: str) -> None:
    for code in given.split():
        assert codes.of_callback(code) is codes.of_answer(code, 400) is kind


@pytest.mark.parametrize("permanent", ["21211", "21610", "63016", "63024"])
def test_permanent_errors_stop(permanent: str) -> None:
    assert not codes.of_answer(permanent, 400).may_retry


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Failure.UNEXPECTED),
        (401, Failure.MISCONFIGURED),
        (403, Failure.MISCONFIGURED),
        (404, Failure.MISCONFIGURED),
        (408, Failure.UNREACHABLE),
        (413, Failure.UNSUPPORTED),
        (418, Failure.UNEXPECTED),
        (429, Failure.THROTTLED),
        (500, Failure.UNREACHABLE),
        (503, Failure.UNREACHABLE),
    ],
)
def test_an_unknown_code_is_judged_by_the_status(status: int, kind: Failure) -> None:
    assert codes.of_answer("12345", status) is codes.of_answer("", status) is kind


def test_a_form_keeps_blank_fields_second_values_and_order() -> None:
    form = Form(b"b=&a=1&a=2&c=%20x+")
    assert dict(form) == {"b": "", "a": "1", "c": " x "}
    assert form.getlist("a") == ["1", "2"] and len(form) == 3
    assert form.first("b", "missing", "a") == "1" and form.first("c", "a") == " x " and form.first("b") == ""


def test_a_form_that_is_too_long_is_not_read() -> None:
    assert len(Form(b"&".join(b"%d=" % n for n in range(FIELDS)))) == FIELDS
    with pytest.raises(ValueError):
        Form(b"&".join(b"%d=" % n for n in range(FIELDS + 1)))


def test_a_name_that_begins_like_a_service_is_a_name() -> None:
    assert Sender("sms", "MG" + "0" * 32).is_service
    assert not Sender("sms", "MGovernment").is_service and not Sender("sms", "MGovernment").can_be_answered


def test_lines_of_an_sms_template_stay_lines() -> None:
    message = Outgoing(1, Address("sms", "+9665"), "", template=Template("HX1", {"1": "أ\nب"}))
    assert Sender("sms", "Sawt").parameters(message, "")["content_variables"] == '{"1": "أ\\nب"}'


def test_without_a_public_address_no_callback_is_asked_for() -> None:
    assert "status_callback" not in Sender("sms", "Sawt").parameters(Outgoing(1, Address("sms", "+9665"), "نص"), "")
