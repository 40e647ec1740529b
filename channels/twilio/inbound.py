"""What a person sent, read from Twilio's form. Field names: twilio.com/docs/messaging/guides/webhook-request."""

from __future__ import annotations

from collections.abc import Collection

from channels.contract import Address, Ignored, Incoming, Malformed, MediaRef, Place
from channels.twilio.form import Form

MEDIA = 32  # Twilio sends ten at most
SCHEMES = {"": "sms", "whatsapp": "whatsapp"}
KINDS = {"image": "photo", "audio": "voice", "video": "video"}
CARDS = ("text/vcard", "text/x-vcard", "text/directory")
OPTS = {"STOP": "stop", "START": "start"}
UNREAD = {"contacts": "contact", "reaction": "reaction", "sticker": "sticker"}


def read(form: Form, configured: Collection[str]) -> Incoming | Ignored:
    """The message of the form; Ignored where nobody here could answer it. Raises Malformed without id or sender."""
    message_id = form.first("MessageSid", "SmsMessageSid", "SmsSid")
    if not message_id:
        raise Malformed("a message without an id")
    address = _address(form)
    if address is None or address.scheme not in configured:
        return Ignored("a channel that is not configured")
    opt = form.get("OptOutType", "").upper()
    if opt == "HELP":
        return Ignored("Twilio has answered a word for help")
    return _message(form, address, message_id, OPTS.get(opt, ""))


def _address(form: Form) -> Address | None:
    """Who wrote; None for a channel that is neither WhatsApp nor SMS. The identifier is taken as it stands."""
    sender = form.first("From") or _named(form.first("ExternalUserId"))
    prefix, identifier = _split(sender)
    if not identifier.strip():
        raise Malformed("a message without a sender")
    scheme = SCHEMES.get(prefix)
    return None if scheme is None else Address(scheme, identifier, account=_split(form.get("To", ""))[1])


def _named(user: str) -> str:
    """A WhatsApp user name's id as a sender: it is given beside a telephone number, or alone."""
    return user if not user or ":" in user else f"whatsapp:{user}"


def _split(address: str) -> tuple[str, str]:
    """Channel and identifier of an address of Twilio's: `whatsapp:+966…`, `whatsapp:SA.15…`, `+966…`."""
    prefix, colon, identifier = address.partition(":")
    return (prefix, identifier) if colon else ("", address)


def _message(form: Form, address: Address, message_id: str, opt: str) -> Incoming:
    media = _media(form)
    cards_only = bool(media) and all(file.type in CARDS for file in media)
    text, button = _words(form)
    place = _place(form)
    kind = form.get("MessageType", "").lower()
    unread = ""
    if kind == "reaction":  # an emoji upon an earlier message: its body is no message
        unread, text = "reaction", ""
    elif cards_only and not text:
        unread, media = "contact", ()
    elif not (text or button or media or place) and not _is_empty(form, kind):
        unread = UNREAD.get(kind, "other")
    return Incoming(address, message_id, text, button, media, place, unread, opt)


def _is_empty(form: Form, kind: str) -> bool:
    """The person really sent nothing: no other kind of message, no media that did not come along."""
    return kind in ("", "text") and form.get("NumMedia", "") in ("", "0")


def _words(form: Form) -> tuple[str, str]:
    """The text, and what a pressed button or a chosen list entry gives back."""
    if button := form.first("ButtonPayload"):
        return form.first("ButtonText", "Body"), button
    if entry := form.first("ListId"):
        return form.first("ListTitle", "Body"), entry
    return form.get("Body", "") or form.first("ButtonText"), ""


def _media(form: Form) -> tuple[MediaRef, ...]:
    files: list[MediaRef] = []
    while len(files) < MEDIA and (url := form.first(f"MediaUrl{len(files)}")):
        declared = form.get(f"MediaContentType{len(files)}", "").partition(";")[0].strip().lower()
        files.append(MediaRef(url, KINDS.get(declared.partition("/")[0], "document"), declared))
    return tuple(files)


def _place(form: Form) -> Place | None:
    """Where the person is, or pointed at; None unless it is on earth."""
    try:
        latitude, longitude = float(form.get("Latitude", "")), float(form.get("Longitude", ""))
    except ValueError:
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):  # no for NaN, too
        return None
    name = ", ".join(part for part in (form.first("Label"), form.first("Address")) if part)
    return Place(latitude, longitude, name)
