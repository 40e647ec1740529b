"""Twilio's error codes as kinds of failure: what it answers to a request, and what it says later in a status callback.

The meanings are those of twilio.com/docs/api/errors. Twilio adds and splits codes without notice: one that is not in
the table is judged by the HTTP status, or is unexpected.
"""

from __future__ import annotations

from collections.abc import Mapping

from channels.contract import Failure

_THROTTLED = {
    "20429": "too many requests at once; the request was not processed",
    "21611": "ten hours' worth of messages already wait at this sender",
    "30001": "queue overflow",
    "30017": "carrier network congestion",
    "30022": "US A2P: faster than the campaign allows",
    "30023": "US A2P: daily cap reached",
    "30036": "waited longer in Twilio's queue than its validity",
    "63017": "more than 2000 messages a second",
    "63018": "faster than the WhatsApp sender may",
    "63038": "more messages in 24 hours than the account may",
}

_UNREACHABLE = {
    "20500": "internal error",
    "20503": "service unavailable",
    "20504": "gateway timeout",
    "21730": "system under maintenance",
    "30003": "handset switched off or without signal",
    "30008": "unknown error at the carrier",
    "30009": "a segment is missing",
    "30020": "internal failure of the scheduler",
    "30021": "internal failure of the messaging service",
    "30410": "the carrier did not answer in time",
    "30450": "blocked for half an hour: SMS pumping protection",
    "30453": "blocked for some hours: fraud suspected",
    "30485": "blocked for some hours: fraud suspected",
    "63009": "the channel answered with an error",
    "63010": "internal error of Twilio's channels",
    "63012": "internal error of the channel",
    "63023": "generic error of the channel",
}

_REFUSED = {
    "21211": "'To' is no telephone number",
    "21214": "'To' cannot be reached",
    "21217": "not a telephone number",
    "21265": "'To' is a short code",
    "21266": "'To' is our own number",
    "21604": "no 'To'",
    "21612": "no way from this sender to this number",
    "21614": "'To' is not a mobile number",
    "21635": "'To' is a landline",
    "30004": "blocked for this number",
    "30005": "number unknown, or not in use any more",
    "30006": "landline or unreachable carrier",
    "30011": "MMS not supported there",
    "63003": "'To' is inactive or invalid at the channel",
    "63024": "not a WhatsApp user, or one that WhatsApp keeps from us",
    "63031": "'To' is our own number",
    "63032": "WhatsApp keeps this user from us",
    "63033": "the user has left the channel (deprecated)",
    "63036": "not reachable over RCS",
}

_STOPPED = {
    "21610": "has answered STOP",
    "63014": "has blocked us, or taken consent back",
}

_UNSUPPORTED = {
    "21602": "no text",
    "21605": "text too long",
    "21617": "text over 1600 characters",
    "21618": "text cannot be sent",
    "21619": "neither text nor media nor template",
    "21620": "media address invalid",
    "21621": "sender without MMS",
    "21623": "too many media",
    "21654": "template missing",
    "21655": "template id invalid",
    "21656": "template variables invalid",
    "21658": "a parameter is too long",
    "30007": "filtered by a carrier or by Twilio",
    "30019": "larger than the carrier carries",
    "63005": "content not accepted by the channel",
    "63006": "content cannot be formatted for the channel",
    "63011": "request invalid at the channel",
    "63013": "against the channel's policy, as are five spaces in a row in a template variable",
    "63016": "outside the 24 hours: a template is needed",
    "63019": "media could not be downloaded",
    "63021": "content invalid: a template over 1024 characters, too",
    "63025": "media exists already",
    "63027": "no template in this language",
    "63028": "template variables: not the number expected",
    "63029": "the receiver could not download the template",
    "63030": "parameter unsupported on this channel",
    "63034": "media too large",
    "63040": "template rejected",
    "63041": "template paused",
    "63042": "template disabled",
    "63049": "Meta holds back what it counts as marketing",
}

_MISCONFIGURED = {
    "20003": "credentials wrong",
    "20005": "account not active",
    "20006": "access denied",
    "20008": "test credentials",
    "20010": "account suspended",
    "20403": "forbidden",
    "20404": "not found: the account id is wrong",
    "21212": "'From' invalid",
    "21213": "'From' missing",
    "21408": "sending to that country is not switched on",
    "21601": "'From' is not ours",
    "21603": "'From' missing",
    "21606": "'From' cannot send there",
    "21607": "'From' cannot send",
    "21608": "trial account: number not verified",
    "21609": "status callback address invalid",
    "21616": "'From' matches several numbers",
    "21657": "sender id not supported there",
    "21659": "'From' is not a Twilio number",
    "21660": "'From' belongs to another account",
    "21661": "'From' cannot send SMS",
    "21701": "messaging service does not exist",
    "21703": "messaging service has no number that can send this",
    "21704": "messaging service has no number",
    "21705": "messaging service id invalid",
    "21910": "'From' and 'To' are of different channels",
    "30002": "account suspended",
    "30010": "dearer than the price we set",
    "30018": "sender id must be registered there",
    "30024": "sender not provisioned at the carrier",
    "30032": "toll-free number not verified",
    "30033": "US A2P: campaign suspended",
    "30034": "US A2P: number not registered",
    "30035": "US A2P: number still being registered",
    "30037": "sending is switched off for this account",
    "30042": "sender id blocked",
    "30454": "trial account: too many messages",
    "63001": "channel: credentials wrong",
    "63002": "channel: 'From' not found",
    "63007": "no channel with this 'From'",
    "63008": "channel misconfigured",
    "63015": "sandbox: the person has not joined",
    "63020": "Meta business account: an error, often of payment",
    "63022": "certificate of the WhatsApp name invalid",
    "63051": "WhatsApp business account locked or restricted",
    "63059": "number moved to another WhatsApp business account",
    "63101": "WhatsApp business account cannot be used",
}

MEANINGS: Mapping[Failure, Mapping[str, str]] = {
    Failure.THROTTLED: _THROTTLED,
    Failure.UNREACHABLE: _UNREACHABLE,
    Failure.REFUSED: _REFUSED,
    Failure.STOPPED: _STOPPED,
    Failure.UNSUPPORTED: _UNSUPPORTED,
    Failure.MISCONFIGURED: _MISCONFIGURED,
}
FAILURES: Mapping[str, Failure] = {code: kind for kind, codes in MEANINGS.items() for code in codes}


def of_callback(code: str) -> Failure:
    """Why a message that Twilio had taken did not arrive."""
    return FAILURES.get(code, Failure.UNEXPECTED)


def of_answer(code: str, status: int) -> Failure:
    """Why Twilio did not do what it was asked."""
    return FAILURES.get(code) or _of_status(status)


def _of_status(status: int) -> Failure:
    if status in (401, 403, 404):
        return Failure.MISCONFIGURED
    if status == 429:
        return Failure.THROTTLED
    if status == 413:
        return Failure.UNSUPPORTED
    if status == 408 or status >= 500:
        return Failure.UNREACHABLE
    return Failure.UNEXPECTED
