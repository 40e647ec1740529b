"""Twilio against the channel contract: its signatures, its payloads, and its HTTP played by a small server.

The SDK is the real one in every test; what is played is Twilio's side of the connection.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.contract import (
    Address,
    CannotFetch,
    Delivery,
    Failure,
    Ignored,
    Incoming,
    Malformed,
    MediaRef,
    Outgoing,
    Place,
    Provider,
    Rejected,
    Request,
    SendFailed,
    Template,
)
from channels.twilio import codes, media, wire
from channels.twilio.provider import Twilio

PAYLOADS = Path(__file__).parents[1] / "payloads/twilio"
ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN, NEXT = "the token of today", "the token of tomorrow"
OURS, PERSON, USER = "+966110000000", "+966500000001", "SA.1502576394655843"
SERVICE = "MG" + "0123456789abcdef" * 2
PUBLIC = "https://sawt.example.gov"
INBOUND = f"{PUBLIC}/webhooks/twilio"
STATUS = f"{PUBLIC}/webhooks/twilio/status?m=4711"
NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)


def twilio(
    base: str = "", *, whatsapp: str = OURS, sms: str = "+962770000000", tokens: tuple[str, ...] = (TOKEN,), **more: Any
) -> Twilio:
    return Twilio(ACCOUNT, tokens, whatsapp, sms, base, PUBLIC, **more)


HOUSE = twilio()
"""For what asks nothing of the network: making one reads every certificate there is."""


def payload(name: str) -> bytes:
    """The body of a recorded call."""
    return b"&".join((PAYLOADS / f"{name}.txt").read_bytes().splitlines())


def sign(url: str, body: bytes = b"", token: str = TOKEN, digest: str = "sha1") -> str:
    """Twilio's signature, reckoned here and not by the SDK: the address, then every name and value, sorted."""
    fields = parse_qs(body.decode(), keep_blank_values=True)
    said = url + "".join(name + value for name in sorted(fields) for value in sorted(set(fields[name])))
    return base64.b64encode(hmac.new(token.encode(), said.encode(), digest).digest()).decode()


def call(body: bytes = b"", url: str = INBOUND, signature: str | None = None, **headers: str) -> Request:
    given = {"content-type": "application/x-www-form-urlencoded"}
    if signature is not None:
        given["x-twilio-signature"] = signature
    return Request(url, given | {name.replace("_", "-"): value for name, value in headers.items()}, body)


def form(**fields: str) -> bytes:
    base = {"MessageSid": "SM1", "From": f"whatsapp:{PERSON}", "To": f"whatsapp:{OURS}", "Body": "", "NumMedia": "0"}
    return urlencode(base | fields).encode()


def read(body: bytes, url: str = INBOUND, provider: Twilio | None = None) -> Incoming | Delivery | Ignored:
    (update,) = (provider or HOUSE).parse(call(body, url))
    return update


def incoming(body: bytes) -> Incoming:
    update = read(body)
    assert isinstance(update, Incoming)
    return update


# who calls (promise B1)

NAMES = sorted(path.stem for path in PAYLOADS.glob("*.txt"))


@pytest.mark.parametrize("name", NAMES)
def test_what_twilio_signed_is_let_in(name: str) -> None:
    url = STATUS if name.startswith("status") else INBOUND
    HOUSE.verify(call(payload(name), url, sign(url, payload(name))))


def test_the_example_of_twilios_documentation_is_let_in() -> None:
    body = b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"
    request = call(body, "https://mycompany.com/myapp.php?foo=1&bar=2", "RSOYDt4T1cUTdK1PDd93/VVr8B8=")
    twilio(tokens=("12345",)).verify(request)


GENUINE = payload("sms_blank_fields")


@pytest.mark.parametrize(
    ("why", "request_"),
    [
        ("no signature", call(GENUINE)),
        ("empty", call(GENUINE, signature="")),
        ("short", call(GENUINE, signature="c2hvcnQ=")),
        ("not base64", call(GENUINE, signature="توقيع")),
        ("another's token", call(GENUINE, signature=sign(INBOUND, GENUINE, "a token that is not ours"))),
        ("another address", call(GENUINE, signature=sign("https://evil.example/webhooks/twilio", GENUINE))),
        ("another scheme", call(GENUINE, signature=sign(INBOUND.replace("https", "http"), GENUINE))),
        ("another query", call(GENUINE, STATUS, sign(STATUS.replace("4711", "4712"), GENUINE))),
        ("a changed field", call(GENUINE.replace(b"Body=", b"Body=x"), signature=sign(INBOUND, GENUINE))),
        ("an added field", call(GENUINE + b"&OptOutType=STOP", signature=sign(INBOUND, GENUINE))),
        ("an added blank field", call(GENUINE + b"&Extra=", signature=sign(INBOUND, GENUINE))),
        ("a second value", call(GENUINE + b"&Body=x", signature=sign(INBOUND, GENUINE))),
        ("a blank field dropped", call(GENUINE.replace(b"FromCity=&", b""), signature=sign(INBOUND, GENUINE))),
        ("the address alone signed", call(GENUINE, signature=sign(INBOUND))),
        ("a JSON body without its hash", call(b'{"a": 1}', signature=sign(INBOUND), content_type="application/json")),
        ("an unknown algorithm", call(GENUINE, signature=sign(INBOUND, GENUINE),
                                      x_twilio_webhooks_signature_settings="key=k,algorithm=NONE")),
        ("more fields than there are", call(b"&".join([b"a=1"] * 2_000), signature="x" * 28)),
        ("an address that is none", call(GENUINE, "https://[::1", "x" * 28)),
        ("a port that is none", call(GENUINE, "https://sawt.example.gov:port/", "x" * 28)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_nobody_else_is(why: str, request_: Request) -> None:
    started = time.process_time()
    with pytest.raises(Rejected) as refused:
        HOUSE.verify(request_)
    assert time.process_time() - started < 0.02
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize("signed", [INBOUND, INBOUND.replace(".gov/", ".gov:443/")])
@pytest.mark.parametrize("called", [INBOUND, INBOUND.replace(".gov/", ".gov:443/")])
def test_a_port_is_signed_or_not(signed: str, called: str) -> None:
    HOUSE.verify(call(GENUINE, called, sign(signed, GENUINE)))


def test_two_values_of_one_field_are_signed_in_their_order_and_equal_ones_once() -> None:
    for body in (b"MessageSid=SM1&Media=b&Media=a", b"MessageSid=SM1&Media=a&Media=a"):
        HOUSE.verify(call(body, signature=sign(INBOUND, body)))


def test_white_space_and_other_scripts_are_signed_as_they_stand() -> None:
    body = urlencode({"MessageSid": "SM1", "Body": "  السلام عليكم \n 投诉 🙏  ", "ProfileName": ""}).encode()
    HOUSE.verify(call(body, signature=sign(INBOUND, body)))
    with pytest.raises(Rejected):
        HOUSE.verify(call(body.replace(b"++", b""), signature=sign(INBOUND, body)))


def test_both_tokens_are_good_while_they_are_exchanged_and_one_afterwards() -> None:
    for token in (TOKEN, NEXT):
        twilio(tokens=(TOKEN, NEXT)).verify(call(GENUINE, signature=sign(INBOUND, GENUINE, token)))
    with pytest.raises(Rejected):
        twilio(tokens=(NEXT, "")).verify(call(GENUINE, signature=sign(INBOUND, GENUINE, TOKEN)))


def test_a_json_body_is_signed_by_its_hash_in_the_address() -> None:
    body = '{"نص": 1}'.encode()
    url = f"{INBOUND}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    headers = {"content_type": "application/json; charset=utf-8"}
    HOUSE.verify(call(body, url, sign(url), **headers))
    with pytest.raises(Rejected):
        HOUSE.verify(call(body + b" ", url, sign(url), **headers))
    with pytest.raises(Rejected):  # a form keeps its fields signed, whatever stands in the address
        HOUSE.verify(call(GENUINE, url, sign(url)))


def test_the_newer_algorithm_is_known() -> None:
    signature = sign(INBOUND, GENUINE, digest="sha256")
    named = {"x_twilio_webhooks_signature_settings": "key=k,algorithm=HMAC_SHA256"}
    HOUSE.verify(call(GENUINE, signature=signature, **named))
    with pytest.raises(Rejected):
        HOUSE.verify(call(GENUINE, signature=signature))


# what comes in


def test_an_arabic_text() -> None:
    update = incoming(payload("whatsapp_text_ar"))
    assert update == Incoming(
        Address("whatsapp", PERSON, OURS),
        "SM" + "1".zfill(32),
        "السلام عليكم، قدّمتُ شكوى قبل أسبوعين ولم يردّ أحد.\nأين وصلت؟ 🙏",
    )


@pytest.mark.parametrize(
    ("name", "kinds", "types", "text"),
    [
        ("whatsapp_photo", ["photo"], ["image/jpeg"], "صورة الإيصال"),
        ("whatsapp_voice", ["voice"], ["audio/ogg"], ""),
        ("whatsapp_document", ["document"], ["application/pdf"], "قرار.pdf"),
        ("whatsapp_sticker", ["photo"], ["image/webp"], ""),
        ("sms_photo", ["photo", "video"], ["image/png", "video/3gpp"], ""),
    ],
)
def test_files(name: str, kinds: list[str], types: list[str], text: str) -> None:
    update = incoming(payload(name))
    assert [file.kind for file in update.files] == kinds and [file.type for file in update.files] == types
    assert all(file.id.startswith("https://api.twilio.com/2010-04-01/Accounts/") for file in update.files)
    assert (update.text, update.unread) == (text, "")


def test_a_place_a_button_a_list_entry() -> None:
    place = incoming(payload("whatsapp_location")).place
    assert place == Place(24.713552, 46.675297, "مركز خدمة المستفيدين, طريق الملك فهد، الرياض")
    pressed = incoming(payload("whatsapp_button"))
    assert (pressed.text, pressed.button) == ("نعم، أرسِلها", "t:9f3a")
    chosen = incoming(payload("whatsapp_list"))
    assert (chosen.text, chosen.button) == ("شكوى", "kind:complaint")


def test_a_user_name_is_as_good_as_a_number() -> None:
    assert incoming(payload("whatsapp_username")).address == Address("whatsapp", USER, OURS)
    for user in (USER, f"whatsapp:{USER}"):
        assert incoming(form(From="", ExternalUserId=user)).address == Address("whatsapp", USER, OURS)


def test_sms_with_blank_fields_is_a_message_without_words() -> None:
    update = incoming(payload("sms_blank_fields"))
    assert update == Incoming(Address("sms", "+962790000001", "+962770000000"), "SM" + "14".zfill(32))
    assert incoming(payload("sms_text_ar")).text == "أريد متابعة الطلب ٦٨٢١٠٩٣٦٥٩"


def test_words_that_twilio_has_answered() -> None:
    assert [incoming(payload(f"sms_{word}")).opt for word in ("stop", "start")] == ["stop", "start"]
    assert isinstance(read(payload("sms_help")), Ignored)


@pytest.mark.parametrize(
    ("body", "unread"),
    [
        (payload("whatsapp_contact"), "contact"),
        (payload("whatsapp_reaction"), "reaction"),
        (form(MessageType="sticker", NumMedia="1"), "sticker"),
        (form(MessageType="order"), "other"),
        (form(MessageType="location", Latitude="nan", Longitude="0"), "other"),
        (form(MessageType="location", Latitude="91", Longitude="0"), "other"),
        (form(NumMedia="1"), "other"),
        (form(), ""),
        (form(MessageType="text"), ""),
    ],
)
def test_what_is_not_read(body: bytes, unread: str) -> None:
    update = incoming(body)
    assert (update.unread, update.text, update.files, update.place) == (unread, "", (), None)


def test_a_visiting_card_beside_words_is_a_document() -> None:
    card = form(Body="اتصلوا به", NumMedia="1", MediaUrl0="https://api.twilio.com/x", MediaContentType0="text/x-vcard")
    update = incoming(card)
    assert (update.unread, update.text, [file.kind for file in update.files]) == ("", "اتصلوا به", ["document"])


def test_bytes_that_are_no_text_are_kept_as_far_as_they_go() -> None:
    update = incoming(b"MessageSid=SM1&From=%2B9665&To=%2B9661&Body=a%FF%D8b\xff")
    assert update.text == "a\ufffd\ufffdb\ufffd"


def test_older_names_of_the_id_are_known() -> None:
    assert incoming(form(MessageSid="", SmsMessageSid="SM2")).message_id == "SM2"
    assert incoming(form(MessageSid="", SmsSid="SM3")).message_id == "SM3"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\xff\x00", b'{"MessageSid": "SM1"}', form(MessageSid=""), form(From=""), form(From="whatsapp:"),
        form(From=" "), b"MessageStatus=delivered", b"&".join([b"a=1"] * 2_000),
    ],
)  # fmt: skip
def test_what_holds_no_message_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        HOUSE.parse(call(body))


def test_a_channel_that_is_not_configured_is_ignored() -> None:
    assert isinstance(read(form(From="messenger:1")), Ignored)
    assert isinstance(read(payload("sms_text_ar"), provider=twilio(sms="")), Ignored)
    assert isinstance(read(payload("whatsapp_text_ar"), provider=twilio(whatsapp="")), Ignored)


@pytest.mark.parametrize(
    ("name", "state", "code", "failure"),
    [
        ("sent", "sent", "", None),
        ("delivered", "delivered", "", None),
        ("read", "read", "", None),
        ("undelivered", "failed", "30005", Failure.REFUSED),
        ("failed", "failed", "63016", Failure.UNSUPPORTED),
    ],
)
def test_what_became_of_a_message(name: str, state: str, code: str, failure: Failure | None) -> None:
    body = payload(f"status_{name}")
    message_id = parse_qs(body.decode())["MessageSid"][0]
    assert read(body, STATUS) == Delivery(message_id, state, code, failure, 4711)
    assert read(body, STATUS.partition("?")[0]) == Delivery(message_id, state, code, failure, None)


@pytest.mark.parametrize("name", ["queued", "sending"])
def test_states_without_news_are_ignored(name: str) -> None:
    assert isinstance(read(payload(f"status_{name}"), STATUS), Ignored)


@pytest.mark.parametrize("row", ["", "x", "-1", "1.5", "٤", "9" * 30, "1&m=2"])
def test_a_row_is_a_number_or_nothing(row: str) -> None:
    update = read(payload("status_sent"), f"{PUBLIC}/webhooks/twilio/status?m={quote(row, safe='&=')}")
    assert isinstance(update, Delivery) and update.row == (1 if row.startswith("1&") else None)


def test_an_unknown_code_is_unexpected_and_the_old_field_is_read() -> None:
    update = read(b"SmsSid=SM1&SmsStatus=undelivered&ErrorCode=99999&From=%2B9661&To=%2B9665")
    assert update == Delivery("SM1", "failed", "99999", Failure.UNEXPECTED, None)


FIELDS = st.sampled_from(
    "MessageSid SmsSid From To Body NumMedia MediaUrl0 MediaContentType0 Latitude Longitude MessageType MessageStatus "
    "SmsStatus ErrorCode OptOutType ButtonPayload ListId ExternalUserId".split()
)
VALUES = st.one_of(
    st.text(max_size=30), st.sampled_from(["whatsapp:+1", "+1", "sent", "received", "1e999", "nan", "SM1"])
)
FORMS = st.lists(st.tuples(FIELDS, VALUES), max_size=12).map(lambda f: urlencode(f, errors="replace").encode())


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), FORMS), st.one_of(st.text(max_size=60), st.just(STATUS)))
def test_any_bytes_at_any_address_are_answered(body: bytes, url: str) -> None:
    try:
        updates = HOUSE.parse(call(body, url))
    except Malformed:
        return
    assert len(updates) == 1 and isinstance(updates[0], Incoming | Delivery | Ignored)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.binary(max_size=300), FORMS),
    st.one_of(st.text(max_size=60), st.just(f"{INBOUND}?bodySHA256=00")),
    st.dictionaries(
        st.sampled_from(["x-twilio-signature", "content-type", "x-twilio-webhooks-signature-settings"]),
        st.one_of(st.text(max_size=40), st.sampled_from(["application/json", "algorithm=HMAC_SHA256", "x" * 28])),
    ),
)
def test_any_call_that_nobody_signed_is_rejected(body: bytes, url: str, headers: Mapping[str, str]) -> None:
    with pytest.raises(Rejected):
        HOUSE.verify(Request(url, headers, body))


# what goes out

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Asked:
    """One request as it came over the wire."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    form: dict[str, list[str]]


@dataclass
class Played:
    """Twilio's side of the connection: each request is given the next of the answers, and kept."""

    answers: list[Answer]
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        start, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, target, _ = start.split(" ")
        path, _, query = target.partition("?")
        self.asked.append(Asked(method, path, parse_qs(query), headers, parse_qs(body.decode())))
        await self.answers.pop(0)(writer)
        writer.close()


@asynccontextmanager
async def playing(*answers: Answer) -> AsyncIterator[Played]:
    played = Played(list(answers))
    server = await asyncio.start_server(played.serve, "127.0.0.1", 0)
    played.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield played
    finally:
        server.close()


def raw(status: int, body: bytes, **headers: str) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        lines = {"Content-Length": str(len(body)), "Connection": "close"}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        shown = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(f"HTTP/1.1 {status} X\r\n{shown}\r\n".encode() + body)
        await writer.drain()

    return answer


def says(status: int, said: Mapping[str, Any], **headers: str) -> Answer:
    return raw(status, json.dumps(said).encode(), Content_Type="application/json", **headers)


def refuses(status: int, code: int) -> Answer:
    """Twilio's own way of refusing: its message quotes the number."""
    message = f"The 'To' number {PERSON} is not right. Account {ACCOUNT}"
    return says(status, {"code": code, "message": message, "more_info": "https://…", "status": status})


async def cut(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def silence(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(2)


def entry(sid: str, body: str, made: datetime, **more: Any) -> dict[str, Any]:
    return {
        "sid": sid, "body": body, "date_created": format_datetime(made), "date_sent": None, "direction": "outbound-api",
        "status": "queued", "messaging_service_sid": None, "num_segments": "1",
    } | more  # fmt: skip


CREATED = says(201, entry("SM" + "a" * 32, "نص", NOW))
TEXT = "تم تسجيل شكواك برقم ⁨6821 0936 59⁩، وسنرد قبل نهاية دوام الإثنين."


def message(text: str = TEXT, scheme: str = "whatsapp", to: str = PERSON, template: Template | None = None) -> Outgoing:
    return Outgoing(4711, Address(scheme, to, OURS), text, template=template)


@asynccontextmanager
async def at(base: str, **how: Any) -> AsyncIterator[Twilio]:
    provider = twilio(base, **how)
    try:
        yield provider
    finally:
        await provider.close()


async def failing(*answers: Answer, base: str = "") -> SendFailed:
    async with playing(*answers) as played, at(base or played.url) as provider:
        with pytest.raises(SendFailed) as failed:
            await provider.send(message())
    return failed.value


def test_it_is_a_provider() -> None:
    provider: Provider = twilio()
    assert (provider.name, provider.can_look_up, list(provider.schemes)) == ("twilio", True, ["whatsapp", "sms"])
    whatsapp, sms = provider.schemes["whatsapp"], provider.schemes["sms"]
    assert (whatsapp.characters, whatsapp.buttons, whatsapp.window) == (1600, 0, timedelta(hours=24))
    assert (sms.characters, sms.buttons, sms.window, sms.files) == (1600, 0, None, 5_000_000)
    assert (whatsapp.files, whatsapp.per_second, sms.per_second) == (16_000_000, 80, 1)
    assert list(twilio(sms="").schemes) == ["whatsapp"] and list(twilio(whatsapp="").schemes) == ["sms"]


@pytest.mark.parametrize(
    ("sender", "answerable"), [("+962770000000", True), ("Sawt", False), (SERVICE, True), ("90210", True)]
)
def test_nobody_can_answer_a_name(sender: str, answerable: bool) -> None:
    assert twilio(sms=sender).schemes["sms"].can_receive is answerable


@pytest.mark.parametrize(
    "wrong", [("", (TOKEN,), ""), (ACCOUNT, (), ""), (ACCOUNT, ("",), ""), (ACCOUNT, (TOKEN,), "twilio")]
)
def test_without_an_account_a_token_or_a_base_it_does_not_begin(wrong: tuple[str, tuple[str, ...], str]) -> None:
    account, tokens, base = wrong
    with pytest.raises(ValueError):
        Twilio(account, tokens, OURS, "", base, PUBLIC)


async def test_a_text_is_sent() -> None:
    async with playing(CREATED) as played, at(played.url) as provider:
        receipt = await provider.send(message())
    (asked,) = played.asked
    assert receipt.provider_id == "SM" + "a" * 32
    assert (asked.method, asked.path) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    assert asked.headers["authorization"] == "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    assert asked.form == {
        "To": [f"whatsapp:{PERSON}"],
        "From": [f"whatsapp:{OURS}"],
        "Body": [TEXT],
        "StatusCallback": [STATUS],
    }


async def test_a_template_is_sent_without_a_text_and_its_variables_on_one_line() -> None:
    template = Template("HX" + "b" * 32, {"1": "6821 0936 59", "2": "سطر\n\nثانٍ     هنا\t."})
    async with playing(CREATED) as played, at(played.url) as provider:
        await provider.send(message(template=template, to=USER))
    sent = played.asked[0].form
    assert sent.keys() == {"To", "From", "ContentSid", "ContentVariables", "StatusCallback"}
    assert (sent["To"], sent["ContentSid"]) == ([f"whatsapp:{USER}"], ["HX" + "b" * 32])
    assert json.loads(sent["ContentVariables"][0]) == {"1": "6821 0936 59", "2": "سطر ثانٍ هنا ."}


@pytest.mark.parametrize("sender", [SERVICE, "Sawt", "MGov"])
async def test_who_sends_an_sms(sender: str) -> None:
    async with playing(CREATED) as played, at(played.url, sms=sender) as provider:
        await provider.send(message(scheme="sms"))
    sent = played.asked[0].form
    assert sent["To"] == [PERSON]
    named = "MessagingServiceSid" if sender == SERVICE else "From"
    assert sent[named] == [sender] and len(sent.keys() & {"MessagingServiceSid", "From"}) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "code", "maybe"),
    [
        (refuses(401, 20003), Failure.MISCONFIGURED, "20003", False),
        (refuses(400, 21610), Failure.STOPPED, "21610", False),
        (refuses(400, 21211), Failure.REFUSED, "21211", False),
        (refuses(400, 63016), Failure.UNSUPPORTED, "63016", False),
        (refuses(404, 20404), Failure.MISCONFIGURED, "20404", False),
        (refuses(400, 99_999), Failure.UNEXPECTED, "99999", False),
        (refuses(500, 20500), Failure.UNREACHABLE, "20500", True),
        (says(403, {}), Failure.MISCONFIGURED, "403", False),
        (says(422, {"type": "t", "title": PERSON, "status": 422, "code": 21617}), Failure.UNSUPPORTED, "21617", False),
        (says(400, {"code": PERSON}), Failure.UNEXPECTED, "400", False),
        (raw(413, b"<html>"), Failure.UNSUPPORTED, "413", False),
        (raw(502, b"<html>"), Failure.UNREACHABLE, "502", True),
        (raw(302, b"", Location="https://evil.example/"), Failure.UNEXPECTED, "302", False),
        (raw(201, b"<html>"), Failure.UNEXPECTED, "", True),
        (says(201, {}), Failure.UNEXPECTED, "", True),
        (raw(201, b"[]"), Failure.UNEXPECTED, "", True),
        (cut, Failure.UNREACHABLE, "", True),
        (says(201, entry("SM1", "", NOW, status="failed", error_code=30007)), Failure.UNSUPPORTED, "30007", False),
    ],
)
async def test_a_refusal_is_told_in_our_words(answer: Answer, kind: Failure, code: str, maybe: bool) -> None:
    failed = await failing(answer)
    assert (failed.kind, failed.code, failed.maybe_sent) == (kind, code, maybe)


async def test_too_fast_says_how_long_to_wait() -> None:
    failed = await failing(says(429, {"code": 20429, "status": 429}, Retry_After="7"))
    assert (failed.kind, failed.retry_after, failed.maybe_sent) == (Failure.THROTTLED, 7.0, False)
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    failed = await failing(says(503, {}, Retry_After=later))
    assert failed.retry_after is not None and 20 < failed.retry_after <= 30
    for odd in ("soon", "nan", "inf", ""):
        assert (await failing(says(429, {}, Retry_After=odd))).retry_after is None


async def test_who_answers_too_late_may_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "SECONDS", 0.2)
    started = time.perf_counter()
    failed = await failing(silence)
    assert (failed.kind, failed.maybe_sent) == (Failure.UNREACHABLE, True)
    assert time.perf_counter() - started < 1


async def test_an_answer_that_drips_ends_in_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "SECONDS", 0.3)
    failed = await failing(dripping)
    assert (failed.kind, failed.maybe_sent) == (Failure.UNREACHABLE, True)


async def dripping(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(40):
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.05)


async def test_who_refuses_the_connection_has_nothing() -> None:
    async with playing() as played:
        closed = played.url
    failed = await failing(base=closed)
    assert (failed.kind, failed.maybe_sent) == (Failure.UNREACHABLE, False)


async def test_what_cannot_be_sent_is_not_tried() -> None:
    async with at("", whatsapp="") as provider:
        with pytest.raises(SendFailed) as failed:
            await provider.send(message())
        assert failed.value.kind is Failure.MISCONFIGURED
        with pytest.raises(SendFailed) as failed:
            await provider.send(message("half \ud83d", scheme="sms"))
        assert (failed.value.kind, failed.value.maybe_sent) == (Failure.UNSUPPORTED, False)


async def test_the_real_address_is_used_without_a_base_and_the_environment_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWILIO_EDGE", "sydney")
    monkeypatch.setenv("TWILIO_REGION", "au1")
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(201, json=entry("SM1", "", NOW))

    async with at("", transport=httpx.MockTransport(answer)) as provider:
        await provider.send(message())
    assert str(asked[0].url) == f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages.json"


async def test_a_base_with_a_path_keeps_it() -> None:
    async with playing(CREATED) as played, at(f"{played.url}/twilio/") as provider:
        await provider.send(message())
    assert played.asked[0].path == f"/twilio/2010-04-01/Accounts/{ACCOUNT}/Messages.json"


# finding a message again


def listing(*entries: Mapping[str, Any]) -> Answer:
    return says(200, {"messages": list(entries), "page": 0, "page_size": 100, "next_page_uri": None, "uri": "/x"})


async def looked_up(*entries: Mapping[str, Any], out: Outgoing | None = None, known: set[str] | None = None) -> str:
    async with playing(listing(*entries)) as played, at(played.url) as provider:
        receipt = await provider.find(out or message(), NOW, known or set())
    return receipt.provider_id if receipt else ""


async def test_a_message_is_found_by_whom_it_went_to_and_what_it_says() -> None:
    async with playing(listing(entry("SM1", TEXT, NOW))) as played, at(played.url) as provider:
        receipt = await provider.find(message(), NOW, set())
    (asked,) = played.asked
    assert receipt is not None and receipt.provider_id == "SM1"
    assert (asked.method, asked.path) == ("GET", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    # no DateSent: one that still waits in Twilio's queue has none, and would be sent twice
    assert asked.query == {"To": [f"whatsapp:{PERSON}"], "From": [f"whatsapp:{OURS}"], "PageSize": ["100"]}


async def test_another_message_is_not_taken_for_it() -> None:
    assert await looked_up() == ""
    assert await looked_up(entry("SM1", "آخر", NOW)) == ""
    assert await looked_up(entry("SM1", TEXT, NOW - timedelta(seconds=6))) == ""
    assert await looked_up(entry("SM1", TEXT, NOW - timedelta(seconds=4))) == "SM1"
    assert await looked_up(entry("SM1", TEXT, NOW), known={"SM1"}) == ""
    assert await looked_up(entry("SM1", TEXT, NOW, direction="inbound")) == ""


async def test_of_two_the_first_since_then_is_it() -> None:
    later, sooner = entry("SM2", TEXT, NOW + timedelta(seconds=9)), entry("SM1", TEXT, NOW)
    assert await looked_up(later, sooner) == "SM1"
    assert await looked_up(later, sooner, known={"SM1"}) == "SM2"


async def test_a_trial_accounts_words_do_not_hide_it() -> None:
    assert await looked_up(entry("SM1", f"Sent from your Twilio trial account - {TEXT} ", NOW)) == "SM1"


async def test_a_template_is_found_by_its_time_alone() -> None:
    out = message(template=Template("HX1"))
    assert await looked_up(entry("SM1", "as the template words it", NOW), out=out) == "SM1"
    assert await looked_up(entry("SM1", "another", NOW), entry("SM2", TEXT, NOW), out=out) == "SM2"


async def test_a_messaging_service_is_looked_up_by_the_person_alone() -> None:
    ours = entry("SM2", TEXT, NOW, messaging_service_sid=SERVICE)
    async with playing(listing(entry("SM1", TEXT, NOW), ours)) as played, at(played.url, sms=SERVICE) as provider:
        receipt = await provider.find(message(scheme="sms"), NOW, set())
    assert receipt is not None and receipt.provider_id == "SM2"
    assert played.asked[0].query == {"To": [PERSON], "PageSize": ["100"]}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (says(429, {"code": 20429}, Retry_After="3"), Failure.THROTTLED),
        (raw(503, b""), Failure.UNREACHABLE),
        (cut, Failure.UNREACHABLE),
        (raw(200, b"<html>"), Failure.UNEXPECTED),
        (says(200, {"messages": [{}], "next_page_uri": None}), None),
    ],
)
async def test_where_it_cannot_be_told_now(answer: Answer, kind: Failure | None) -> None:
    async with playing(answer) as played, at(played.url) as provider:
        if kind is None:
            assert await provider.find(message(), NOW, set()) is None
            return
        with pytest.raises(SendFailed) as failed:
            await provider.find(message(), NOW, set())
    assert (failed.value.kind, failed.value.maybe_sent) == (kind, False)


# files


class Whole(httpx.AsyncByteStream):
    """A body that is read as it comes, as over the network."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.body


async def brought(provider: Twilio, url: str, most: int = 1_000) -> bytes:
    return b"".join([piece async for piece in provider.fetch(MediaRef(url, "photo"), most)])


async def not_brought(url: str, *answers: Answer, most: int = 1_000) -> CannotFetch:
    async with playing(*answers) as played, at(played.url) as provider:
        with pytest.raises(CannotFetch) as failed:
            await brought(provider, url.replace("BASE", played.url), most)
    assert PERSON not in str(failed.value) and TOKEN not in str(failed.value)
    return failed.value


FILE = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages/MM1/Media/ME1"


async def test_a_file_is_brought_with_our_credentials() -> None:
    async with playing(raw(200, b"x" * 1_000), raw(200, b"y")) as played, at(played.url) as provider:
        assert await brought(provider, FILE) == b"x" * 1_000
        assert await brought(provider, f"{played.url}/file") == b"y"
    assert [asked.path for asked in played.asked] == [FILE.removeprefix("https://api.twilio.com"), "/file"]
    assert all(asked.headers["authorization"].startswith("Basic ") for asked in played.asked)


async def test_credentials_stay_with_the_api_when_it_points_elsewhere() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.url.host == "api.twilio.com":
            return httpx.Response(307, headers={"Location": "https://mms.twiliocdn.com/AC/ME1?Signature=s"})
        return httpx.Response(200, stream=Whole(b"photo"))

    async with at("", transport=httpx.MockTransport(answer)) as provider:
        assert await brought(provider, FILE) == b"photo"
    assert ["authorization" in request.headers for request in asked] == [True, False]
    assert all(request.headers["accept-encoding"] == "identity" for request in asked)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.twilio.com/x", "https://api.twilio.com:8443/x", "https://api.twilio.com@evil.example/x",
        "https://evil@api.twilio.com/x", "https://eviltwilio.com/x", "https://api.twilio.com.evil.example/x",
        "https://127.0.0.1/x", "https://169.254.169.254/latest", "file:///etc/passwd", "ftp://api.twilio.com/x", "x",
        "", "https://api.twilio.com\\@evil.example/x", "https://[::1", "https://api.twilio.com\x00/",
        "//api.twilio.com/x",
    ],
)  # fmt: skip
async def test_strangers_are_not_asked(url: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"asked {request.url.host}")

    for base in ("", "http://127.0.0.1:1"):
        async with at(base, transport=httpx.MockTransport(answer)) as provider:
            with pytest.raises(CannotFetch) as failed:
                await brought(provider, url)
        assert failed.value.gone


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/", "https://evil.example/x", "http://mms.twiliocdn.com/x", "//evil.example/x"]
)
async def test_a_redirection_to_a_stranger_is_not_followed(location: str) -> None:
    assert (await not_brought(FILE, raw(302, b"", Location=location))).gone


async def test_redirections_end() -> None:
    again = raw(302, b"", Location="/again")
    assert not (await not_brought(FILE, again, again, again, again)).gone
    async with playing(again, again, again, raw(200, b"at last")) as played, at(played.url) as provider:
        assert await brought(provider, FILE) == b"at last"


@pytest.mark.parametrize(
    ("answer", "gone"),
    [
        (raw(404, b""), True), (raw(410, b""), True), (raw(401, b""), False), (raw(500, b""), False),
        (raw(429, b""), False), (cut, False), (raw(200, b"x" * 1_001), True),
        (raw(200, b"x", Content_Length="9" * 12), True), (raw(200, b"short", Content_Length="50"), False),
        (raw(200, b"x", Content_Encoding="gzip"), True),
    ],
)  # fmt: skip
async def test_what_cannot_be_brought(answer: Answer, gone: bool) -> None:
    assert (await not_brought(FILE, answer)).gone is gone


async def test_a_file_that_does_not_say_its_size_is_cut_off() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\n")
        for _ in range(100):
            writer.write(b"x" * 100)
            await writer.drain()

    got = b""
    async with playing(endless) as played, at(played.url) as provider:
        with pytest.raises(CannotFetch) as failed:
            async for piece in provider.fetch(MediaRef(FILE, "photo"), 1_000):
                got += piece
    assert failed.value.gone and len(got) <= 1_000


async def test_a_file_that_drips_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "SECONDS", 0.3)
    started = time.perf_counter()
    assert not (await not_brought(FILE, dripping)).gone
    assert not (await not_brought(FILE, silence)).gone
    assert time.perf_counter() - started < 1.5


async def test_who_takes_only_the_beginning_closes_the_connection() -> None:
    async with playing(dripping) as played, at(played.url) as provider:
        pieces = provider.fetch(MediaRef(FILE, "photo"), 1_000)
        assert await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]


# nothing of it in a log


async def test_neither_errors_nor_logs_hold_an_address_a_text_or_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answers = (CREATED, refuses(400, 21211), refuses(401, 20003), raw(201, b"<html>"), cut)
    found = (listing(entry("SM1", TEXT, NOW)), refuses(404, 20404))
    files = (raw(302, b"", Location=f"https://evil.example/{PERSON}"), raw(500, b""))
    seen: list[str] = []
    async with playing(*answers, *found, *files) as played, at(played.url) as provider:
        tries: list[Awaitable[Any]] = [provider.send(message()) for _ in answers]
        tries += [provider.find(message(), NOW, set()) for _ in found]
        tries += [brought(provider, FILE) for _ in files]
        for one in tries:
            try:
                await one
            except (SendFailed, CannotFetch) as error:
                seen += [
                    "".join(traceback.format_exception(error)),
                    repr(error),
                    str(error),
                    str(getattr(error, "detail", "")),
                ]
    for request in (call(GENUINE), call(GENUINE, signature=sign(INBOUND, GENUINE, "x"))):
        with pytest.raises(Rejected) as refused:
            provider.verify(request)
        seen.append("".join(traceback.format_exception(refused.value)))
    assert not played.answers and len(seen) == 4 * 7 + 2
    everything = caplog.text + "\n".join(seen)
    for secret in (
        PERSON[1:],
        quote(PERSON),
        TEXT,
        ACCOUNT,
        TOKEN,
        base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode(),
    ):
        assert secret not in everything


@pytest.mark.parametrize(("code", "kind"), sorted(codes.FAILURES.items()))
async def test_every_code_is_told_as_its_kind(code: str, kind: Failure) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(400, json={"code": int(code), "message": PERSON, "status": 400})

    async with at("", transport=httpx.MockTransport(answer)) as provider:
        with pytest.raises(SendFailed) as failed:
            await provider.send(message())
    assert (failed.value.kind, failed.value.code) == (kind, code)
    status = urlencode({"MessageSid": "SM1", "MessageStatus": "failed", "ErrorCode": code}).encode()
    assert read(status) == Delivery("SM1", "failed", code, kind, None)
