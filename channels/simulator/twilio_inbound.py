"""What a person sends, as the form that Twilio posts, blank fields and all.

Fields and their order: twilio.com/docs/messaging/guides/webhook-request, and tests/payloads/twilio.
"""

from __future__ import annotations

import hashlib
import json

from channels.contract import Button
from channels.lengths import segments
from channels.simulator.message import Message
from channels.simulator.people import Person
from channels.simulator.twilio_order import channel
from channels.simulator.world import World

API = "https://api.twilio.com"
"""Media lie there, also in this play: the house asks for them at the base that it was given."""
COUNTRIES = {"+966": "SA", "+962": "JO", "+971": "AE", "+1": "US"}


def form(world: World, person: Person, message: Message, opt: str = "") -> dict[str, str]:
    """The fields of one message; `opt` is what Twilio has made of the word in it (STOP, START, HELP)."""
    if message.scheme == "whatsapp":
        return _whatsapp(world, person, message)
    fields = _sms(world, message)
    return fields | ({"OptOutType": opt} if opt else {})


def pressed(fields: dict[str, str], button: Button, offer: Message | None) -> dict[str, str]:
    """The same fields, of a message that is the press of a template's button."""
    fields = fields | {"MessageType": "interactive", "ButtonText": button.title, "ButtonPayload": button.token}
    if offer:
        fields |= {"OriginalRepliedMessageSender": offer.sender, "OriginalRepliedMessageSid": offer.id}
    return fields


def _sms(world: World, message: Message) -> dict[str, str]:
    to = world.own_number("sms")
    service = {"MessagingServiceSid": world.sms_from} if world.sms_from.startswith("MG") else {}
    return {
        "ToCountry": _country(to),
        "ToState": "",
        "SmsMessageSid": message.id,
        "NumMedia": str(len(message.files)),
        "ToCity": "",
        "FromZip": "",
        "SmsSid": message.id,
        "FromState": "",
        "SmsStatus": "received",
        "FromCity": "",
        "Body": message.text,
        "FromCountry": _country(message.person),
        "To": to,
        **service,
        "ToZip": "",
        "NumSegments": str(segments(message.text)),
        "MessageSid": message.id,
        "AccountSid": world.account_sid,
        "From": message.person,
        "ApiVersion": "2010-04-01",
        **_media(world, message),
    }


def _whatsapp(world: World, person: Person, message: Message) -> dict[str, str]:
    number = person.identifier.removeprefix("+") if person.identifier.startswith("+") else ""
    user = _user(person)
    seen = {"ProfileName": person.name} | ({"WaId": number} if number else {})
    return {
        "ExternalUserId": f"whatsapp:{user}",
        "SmsMessageSid": message.id,
        "NumMedia": str(len(message.files)),
        "ProfileName": person.name,
        "MessageType": _type(message),
        "SmsSid": message.id,
        **({"WaId": number} if number else {}),
        "SmsStatus": "received",
        "Body": message.text,
        "To": channel("whatsapp", world.own_number("whatsapp")),
        "NumSegments": "1",
        "ReferralNumMedia": "0",
        "MessageSid": message.id,
        "AccountSid": world.account_sid,
        "From": channel("whatsapp", person.identifier),
        "ApiVersion": "2010-04-01",
        "ChannelMetadata": json.dumps({"type": "whatsapp", "data": {"context": seen}}, ensure_ascii=False),
        **({"ProfileUsername": person.username} if person.username else {}),
        **_media(world, message),
        **_place(message),
    }


def _media(world: World, message: Message) -> dict[str, str]:
    fields: dict[str, str] = {}
    for n, file in enumerate(message.files):
        address = f"{API}/2010-04-01/Accounts/{world.account_sid}/Messages/{message.id}/Media/{file.id}"
        fields |= {f"MediaContentType{n}": file.type, f"MediaUrl{n}": address}
    return fields


def _place(message: Message) -> dict[str, str]:
    place = message.place
    if place is None:
        return {}
    label = {"Label": place.name} if place.name else {}
    return {"Latitude": f"{place.latitude:.6f}", "Longitude": f"{place.longitude:.6f}", **label}


def _type(message: Message) -> str:
    if message.place:
        return "location"
    kinds = ("image", "audio", "video")
    kind = message.files[0].type.partition("/")[0] if message.files else "text"
    return kind if kind in kinds or not message.files else "document"


def _user(person: Person) -> str:
    """The person's id with this business, which is there beside a number, too."""
    if not person.identifier.startswith("+"):
        return person.identifier
    return f"SA.{int(hashlib.sha256(person.identifier.encode()).hexdigest(), 16) % 10**16:016}"


def _country(number: str) -> str:
    return next((country for prefix, country in COUNTRIES.items() if number.startswith(prefix)), "")
