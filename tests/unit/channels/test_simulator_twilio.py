"""The local provider as Twilio: Twilio's own SDK sends to it, and its webhooks are checked with Twilio's validator."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.responses import Response
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from channels.contract import Address, Delivery, Incoming, MediaRef, Outgoing, Request
from channels.twilio.provider import Twilio
from tests.unit.channels.test_simulator import AUTH, HTTP, MARYAM, NOURA, SARA, SID, SMS, WHATSAPP, Call, Stage, stages

CONTENT = "HX" + "a" * 32
SERVICE = "MG" + "b" * 32
ADAPTER = Twilio(SID, [AUTH], WHATSAPP, SMS, "", "")
"""For what asks nothing of the network."""
JPEG = {"name": "hole.jpg", "type": "image/jpeg", "content": base64.b64encode(b"\xff\xd8\xff").decode()}
PDF = {"name": "قرار.pdf", "type": "application/pdf", "content": base64.b64encode(b"%PDF-1.7").decode()}
OGG = {"name": "voice.ogg", "type": "audio/ogg", "content": base64.b64encode(b"OggS").decode()}


@pytest.fixture(scope="module")
def make_stage() -> Iterator[Callable[..., Stage]]:
    with stages() as make:
        yield make


@pytest.fixture
def stage(make_stage: Callable[..., Stage]) -> Stage:
    return make_stage()


class Rewriting(TwilioHttpClient):
    """The SDK's HTTP, its host exchanged for the stage."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.session.trust_env = False
        self._url = url

    def request(self, method: str, url: str, *args: Any, **more: Any) -> Any:
        return super().request(method, url.replace("https://api.twilio.com", self._url), *args, **more)


def sdk(stage: Stage, token: str = AUTH) -> Client:
    return Client(SID, token, http_client=Rewriting(stage.url))


def send(stage: Stage, to: str = MARYAM, body: str = "مرحبا", **more: Any) -> Any:
    sender = f"whatsapp:{WHATSAPP}" if to.startswith("whatsapp:") else SMS
    return sdk(stage).messages.create(to=to, **({"from_": sender, "body": body} | more))


def refused(stage: Stage, **more: Any) -> tuple[int, int]:
    with pytest.raises(TwilioRestException) as caught:
        send(stage, **more)
    return caught.value.status, caught.value.code


def provider(stage: Stage) -> Twilio:
    """The house's own adapter, on this stage."""
    return Twilio(SID, [AUTH], WHATSAPP, stage.world.sms_from, stage.url, stage.house.url)


def parsed(call: Call) -> Any:
    """What the house's own adapter makes of a call, whose signature it has checked."""
    request = Request(call.url, call.headers, call.body)
    ADAPTER.verify(request)
    [told] = ADAPTER.parse(request)
    return told


# out


def test_a_message_is_accepted_and_shown_as_twilio_shows_it(stage: Stage) -> None:
    made = send(stage, body="س" * 71)
    assert re.fullmatch("SM[0-9a-f]{32}", made.sid)
    assert (made.status, made.direction, made.num_segments, made.num_media) == ("queued", "outbound-api", "2", "0")
    assert (made.to, made.from_, made.body, made.error_code) == (MARYAM, SMS, "س" * 71, None)
    assert abs(made.date_created - datetime.now(UTC)) < timedelta(seconds=5) and made.date_sent is None
    [shown] = stage.get("messages", scheme="sms", person=MARYAM)["messages"]
    assert (shown["id"], shown["direction"], shown["text"]) == (made.sid, "out", "س" * 71)


def test_sent_and_delivered_are_told_signed(stage: Stage) -> None:
    made = send(stage, status_callback=stage.callback)
    stage.eventually(lambda: stage.house.states == ["sent", "delivered"])
    calls = stage.house.heard("/webhooks/twilio/status")
    assert all(call.is_signed and call.url == stage.callback for call in calls)
    assert all(call.form["MessageSid"] == call.form["SmsSid"] == made.sid for call in calls)
    assert [parsed(call) for call in calls] == [
        Delivery(made.sid, "sent", row=7), Delivery(made.sid, "delivered", row=7)
    ]  # fmt: skip
    stage.eventually(lambda: stage.get("messages")["messages"][0]["state"] == "delivered")
    shown = sdk(stage).messages(made.sid).fetch()
    assert shown.status == "delivered" and shown.date_sent is not None


def test_read_is_told_of_whatsapp_once_it_was_looked_at(stage: Stage) -> None:
    stage.write("whatsapp", SARA, "x")
    made = send(stage, to=f"whatsapp:{SARA}", status_callback=stage.callback)
    stage.eventually(lambda: "delivered" in stage.house.states)
    assert stage.post("read", scheme="whatsapp", person=SARA) == {"read": 1}
    assert stage.post("read", scheme="whatsapp", person=SARA) == {"read": 0}
    assert stage.house.states == ["sent", "delivered", "read"]
    call = stage.house.heard("/webhooks/twilio/status")[-1]
    assert parsed(call) == Delivery(made.sid, "read", row=7)
    assert (call.form["ChannelToAddress"], call.form["EventType"]) == (SARA, "READ")


def test_an_sms_is_never_read(stage: Stage) -> None:
    send(stage, status_callback=stage.callback)
    stage.eventually(lambda: "delivered" in stage.house.states)
    assert stage.post("read", scheme="sms", person=MARYAM) == {"read": 0}


def test_without_a_callback_address_nothing_is_told(stage: Stage) -> None:
    send(stage)
    stage.eventually(lambda: stage.world.messages[0].state == "delivered")
    assert stage.house.calls == []


@pytest.mark.parametrize(
    ("different", "code"),
    [
        ({"to": ""}, 21604),
        ({"to": "12"}, 21211),
        ({"to": "+0966500000001"}, 21211),
        ({"to": "SA.1A2B"}, 21211),
        ({"to": "whatsapp:sara"}, 21211),
        ({"to": "messenger:1"}, 21211),
        ({"from_": ""}, 21603),
        ({"from_": "+15005550001"}, 21606),
        ({"from_": f"whatsapp:{WHATSAPP}"}, 21910),
        ({"to": f"whatsapp:{SARA}", "from_": "whatsapp:+15005550001"}, 63007),
        ({"messaging_service_sid": SERVICE, "from_": ""}, 21705),
        ({"body": ""}, 21619),
        ({"body": " \n"}, 21619),
        ({"body": "س" * 1_601}, 21617),
        ({"body": "😀" * 801}, 21617),
        ({"content_sid": "HX1"}, 21655),
        ({"content_sid": CONTENT, "content_variables": "{"}, 21656),
        ({"content_sid": CONTENT, "content_variables": '{"1": 2}'}, 21656),
        ({"status_callback": "mailto:x"}, 21609),
    ],
)
def test_what_twilio_does_not_take(stage: Stage, different: dict[str, str], code: int) -> None:
    assert refused(stage, **different) == (400, code)
    assert stage.world.messages == []


def test_1600_characters_are_taken(stage: Stage) -> None:
    assert send(stage, body="س" * 1_600).num_segments == "24"


def test_only_the_account_is_served(stage: Stage) -> None:
    with pytest.raises(TwilioRestException) as caught:
        sdk(stage, "another token").messages.create(to=MARYAM, from_=SMS, body="x")
    assert (caught.value.status, caught.value.code) == (401, 20003)
    base = f"{stage.url}/2010-04-01/Accounts"
    for path in (f"/{SID}/Messages.json", f"/{SID}/Messages/SM1.json", f"/{SID}/Messages/SM1/Media/ME1"):
        assert HTTP.get(base + path).status_code == 401
    stranger = f"{base}/AC{'9' * 32}/Messages.json"
    assert HTTP.get(stranger, auth=(SID, AUTH)).status_code == 401


def test_a_world_without_an_account_serves_nobody(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(account_sid="", auth_token="")
    answer = HTTP.get(f"{stage.url}/2010-04-01/Accounts/x/Messages.json", auth=("", ""))
    assert answer.status_code == 401


def test_free_text_on_whatsapp_needs_something_from_the_person_within_a_day(make_stage: Callable[..., Stage]) -> None:
    now = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
    stage = make_stage(clock=lambda: now)
    stage.write("whatsapp", SARA, "مرحبا")
    for after, outcome in ((timedelta(hours=24) - timedelta(seconds=1), "delivered"), (timedelta(hours=24), "failed")):
        now = datetime(2026, 11, 26, 9, 0, tzinfo=UTC) + after
        stage.house.calls.clear()
        made = send(stage, to=f"whatsapp:{SARA}", status_callback=stage.callback)
        assert made.status == "queued"
        stage.eventually(lambda o=outcome: o in stage.house.states)
    last = stage.house.heard("/webhooks/twilio/status")[-1]
    assert (stage.house.states, last.form["ErrorCode"]) == (["failed"], "63016")
    assert parsed(last).code == "63016"
    stage.eventually(lambda: sdk(stage).messages(made.sid).fetch().error_code == 63016)


def test_a_template_needs_no_window(stage: Stage) -> None:
    variables = '{"1": "6821 0936 59", "2": "قيد المعالجة"}'
    to = f"whatsapp:{SARA}"
    send(stage, to=to, body="", content_sid=CONTENT, content_variables=variables, status_callback=stage.callback)
    stage.eventually(lambda: stage.house.states == ["sent", "delivered"])
    [shown] = stage.get("messages")["messages"]
    assert (shown["content_sid"], shown["variables"]["1"]) == (CONTENT, "6821 0936 59")
    assert shown["text"] == f"[{CONTENT}] 6821 0936 59 · قيد المعالجة"


def test_a_user_name_can_be_written_to_on_whatsapp(stage: Stage) -> None:
    stage.write("whatsapp", NOURA, "x")
    send(stage, to=f"whatsapp:{NOURA}", status_callback=stage.callback)
    stage.eventually(lambda: stage.house.states == ["sent", "delivered"])
    assert stage.arrived("whatsapp", NOURA) == ["مرحبا"]


def test_a_messaging_service_accepts_and_counts_later(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(sms_from=SERVICE)
    made = send(stage, from_="", messaging_service_sid=SERVICE, status_callback=stage.callback)
    assert (made.status, made.num_segments, made.messaging_service_sid) == ("accepted", "0", SERVICE)
    stage.eventually(lambda: stage.house.states == ["sent", "delivered"])
    assert stage.house.heard("/webhooks/twilio/status")[0].form["MessagingServiceSid"] == SERVICE


# looking up


def test_messages_are_listed_newest_first_by_page_and_filter(stage: Stage) -> None:
    for n in range(5):
        send(stage, body=f"m{n}")
    send(stage, to=f"whatsapp:{SARA}", body="other")
    stage.write("sms", MARYAM, "in")
    listed = sdk(stage).messages
    assert [m.body for m in listed.list(to=MARYAM, page_size=2)] == ["m4", "m3", "m2", "m1", "m0"]
    assert [m.body for m in listed.list(from_=MARYAM)] == ["in"]
    assert [m.body for m in listed.list(to=f"whatsapp:{SARA}", from_=f"whatsapp:{WHATSAPP}")] == ["other"]
    assert listed.list(to="+966599999999") == []
    assert len(listed.list()) == 7 and len(listed.list(limit=3)) == 3
    first = listed.page(to=MARYAM, page_size=2)
    assert [m.body for m in first] == ["m4", "m3"] and first.previous_page_url is None


def test_messages_are_listed_by_date(stage: Stage) -> None:
    send(stage)
    stage.eventually(lambda: stage.world.messages[0].sent_at)
    now, day = datetime.now(UTC), timedelta(days=1)
    listed = sdk(stage).messages
    assert len(listed.list(date_sent_after=now - day)) == 1 and listed.list(date_sent_after=now + day) == []
    assert len(listed.list(date_sent_before=now + day)) == 1 and listed.list(date_sent_before=now - day) == []
    assert len(listed.list(date_sent=now.date())) == 1
    for value, status in (("2020-01-01", 200), ("yesterday", 400)):
        answer = HTTP.get(
            f"{stage.url}/2010-04-01/Accounts/{SID}/Messages.json", params={"DateSent>": value}, auth=(SID, AUTH),
        )  # fmt: skip
        assert answer.status_code == status


def test_an_unknown_message_is_404(stage: Stage) -> None:
    with pytest.raises(TwilioRestException) as caught:
        sdk(stage).messages("SM" + "0" * 32).fetch()
    assert (caught.value.status, caught.value.code) == (404, 20404)


async def test_the_houses_own_adapter_finds_what_was_cut_off(stage: Stage) -> None:
    adapter = provider(stage)
    since = datetime.now(UTC)
    stage.fault("accept_then_cut", scheme="sms")
    message = Outgoing(9, Address("sms", MARYAM), "تم تسجيل شكواك")
    with pytest.raises(Exception) as caught:
        await adapter.send(message)
    assert getattr(caught.value, "maybe_sent", False)
    found = await adapter.find(message, since, ())
    await adapter.close()
    assert found is not None and found.provider_id == stage.world.messages[0].id


# in


def test_a_whatsapp_message_has_every_field_of_a_real_one(stage: Stage) -> None:
    written = stage.write("whatsapp", SARA, "أين وصلت؟\nشكراً 🙏")
    [call] = stage.house.messages
    assert call.is_signed and call.headers["content-type"].startswith("application/x-www-form-urlencoded")
    form = call.form
    [sid] = written["ids"]
    assert re.fullmatch("SM[0-9a-f]{32}", sid)
    assert form | {
        "SmsMessageSid": sid, "NumMedia": "0", "ProfileName": "سارة المثال", "MessageType": "text", "SmsSid": sid,
        "WaId": "966500000001", "SmsStatus": "received", "Body": "أين وصلت؟\nشكراً 🙏", "To": f"whatsapp:{WHATSAPP}",
        "NumSegments": "1", "ReferralNumMedia": "0", "MessageSid": sid, "AccountSid": SID,
        "From": f"whatsapp:{SARA}", "ApiVersion": "2010-04-01",
    } == form  # fmt: skip
    assert parsed(call) == Incoming(
        Address("whatsapp", SARA, WHATSAPP), sid, "أين وصلت؟\nشكراً 🙏"
    )  # fmt: skip


def test_an_sms_has_its_blank_fields(stage: Stage) -> None:
    stage.write("sms", MARYAM)
    [call] = stage.house.messages
    assert {name for name, value in call.form.items() if not value} == {
        "ToState", "ToCity", "ToZip", "FromState", "FromCity", "FromZip", "Body"
    }  # fmt: skip
    assert b"&FromCity=&" in call.body and call.is_signed
    assert (call.form["FromCountry"], call.form["ToCountry"]) == ("AE", "US")


def test_a_user_name_has_no_number(stage: Stage) -> None:
    stage.write("whatsapp", NOURA, "مرحبا")
    [call] = stage.house.messages
    assert call.form["From"] == call.form["ExternalUserId"] == f"whatsapp:{NOURA}"
    assert "WaId" not in call.form and call.form["ProfileUsername"] == "noura.example"
    assert parsed(call).address == Address("whatsapp", NOURA, WHATSAPP)


async def test_photos_documents_and_recordings_can_be_fetched_with_the_account(stage: Stage) -> None:
    written = stage.write("whatsapp", SARA, "الحفرة", files=[JPEG, PDF, OGG])
    calls = stage.house.messages
    assert [call.form["MessageType"] for call in calls] == ["image", "document", "audio"]
    assert [call.form["Body"] for call in calls] == ["الحفرة", "قرار.pdf", ""]
    assert all(sid.startswith("MM") for sid in written["ids"])
    adapter = provider(stage)
    files: list[MediaRef] = [file for call in calls for file in parsed(call).files]
    assert [file.kind for file in files] == ["photo", "document", "voice"]
    assert [b"".join([piece async for piece in adapter.fetch(file, 1_000)]) for file in files] == [
        b"\xff\xd8\xff", b"%PDF-1.7", b"OggS"
    ]  # fmt: skip
    await adapter.close()
    address = calls[0].form["MediaUrl0"].replace("https://api.twilio.com", stage.url)
    assert HTTP.get(address).status_code == 401
    fetched = HTTP.get(address, auth=(SID, AUTH))
    assert fetched.headers["content-type"] == "image/jpeg"
    assert HTTP.get(address + "0", auth=(SID, AUTH)).status_code == 404


def test_an_sms_brings_its_pictures_in_one_message(stage: Stage) -> None:
    stage.write("sms", MARYAM, "x", files=[JPEG, JPEG])
    [call] = stage.house.messages
    assert (call.form["NumMedia"], call.form["MediaContentType1"]) == ("2", "image/jpeg")


def test_words_for_a_recording_are_a_message_of_their_own(stage: Stage) -> None:
    stage.write("whatsapp", SARA, "اسمع", files=[OGG])
    assert [call.form["Body"] for call in stage.house.messages] == ["اسمع", ""]


def test_a_place(stage: Stage) -> None:
    stage.write("whatsapp", SARA, place={"latitude": 24.713552, "longitude": 46.675297, "name": "مركز الخدمة"})
    [call] = stage.house.messages
    assert (call.form["MessageType"], call.form["Latitude"], call.form["Body"]) == ("location", "24.713552", "")
    place = parsed(call).place
    assert (place.latitude, place.longitude, place.name) == (24.713552, 46.675297, "مركز الخدمة")


def test_a_pressed_button_of_a_template(stage: Stage) -> None:
    stage.write("whatsapp", SARA, button="read:1")
    [call] = stage.house.messages
    assert (call.form["ButtonPayload"], call.form["MessageType"]) == ("read:1", "interactive")
    assert parsed(call).button == "read:1"


def test_a_forged_message_is_signed_with_another_secret_and_leaves_no_trace(stage: Stage) -> None:
    stage.house.answers.append(Response(status_code=403))
    assert stage.write("whatsapp", SARA, "x", forged=True)["statuses"] == [403]
    [call] = stage.house.messages
    assert not call.is_signed and len(call.headers["x-twilio-signature"]) == 28
    assert call.form["From"] == f"whatsapp:{SARA}"
    assert stage.world.messages == [] and not stage.world.person("whatsapp", SARA).wrote_at
    with pytest.raises(Exception, match="signature"):
        parsed(call)


def test_the_same_message_again_is_the_same_to_the_last_byte(stage: Stage) -> None:
    stage.write("sms", MARYAM, "مرة", message_id="SM" + "1" * 32)
    stage.write("sms", MARYAM, "whatever", message_id="SM" + "1" * 32)
    first, second = stage.house.messages
    assert first.body == second.body and first.form["MessageSid"] == "SM" + "1" * 32
    assert len(stage.world.messages) == 1


@pytest.mark.parametrize("word", ["STOP", " stop ", "Cancel", "END"])
def test_who_writes_stop_to_a_number_gets_nothing_until_start(stage: Stage, word: str) -> None:
    stage.write("sms", MARYAM, word)
    assert "OptOutType" not in stage.house.messages[0].form
    assert refused(stage) == (400, 21610)
    stage.write("sms", MARYAM, "yes")
    assert send(stage).status == "queued"
    own = [m["text"][:33] for m in stage.get("messages")["messages"] if m["own"]]
    assert own == ["You have successfully been unsubs", "You have successfully been re-sub"]


def test_a_yes_of_somebody_who_has_not_stopped_is_a_yes(stage: Stage) -> None:
    stage.write("sms", MARYAM, "yes")
    stage.write("whatsapp", SARA, "STOP")
    assert not any(m["own"] for m in stage.get("messages")["messages"])
    assert send(stage, to=f"whatsapp:{SARA}").status == "queued"


def test_a_messaging_service_knows_arabic_words_and_says_what_it_did(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(sms_from=SERVICE)
    for word in ("إيقاف", "ابدأ", "مساعدة"):
        stage.write("sms", MARYAM, word)
    assert [call.form.get("OptOutType") for call in stage.house.messages] == ["STOP", "START", "HELP"]
    assert stage.house.messages[0].form["MessagingServiceSid"] == SERVICE
    assert parsed(stage.house.messages[0]).opt == "stop"


def test_nobody_can_write_to_a_name(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(sms_from="MINISTRY")
    assert "name" in stage.post("write", 422, scheme="sms", person=MARYAM, text="x")["error"]
    assert send(stage, from_="MINISTRY").status == "queued"
