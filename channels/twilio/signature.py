"""Whether Twilio made a call: its signature over the public address and every field, as the SDK reckons it."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from twilio.request_validator import (  # type: ignore[import-untyped]
    HMAC_SHA1,
    HMAC_SHA256,
    RequestValidator,
    get_signature_algorithm,
)

from channels.contract import Rejected, Request
from channels.twilio.form import Form

ALGORITHMS = (HMAC_SHA1, HMAC_SHA256)


class Signatures:
    """The tokens that may have signed: one, or two while they are exchanged."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._validators = [RequestValidator(token) for token in tokens]

    def check(self, request: Request) -> None:
        """Nothing where one of the tokens signed this call; raises Rejected, and nothing else."""
        signature = request.headers.get("x-twilio-signature", "")
        if not signature:
            raise Rejected("no signature")
        algorithm = get_signature_algorithm(request.headers.get("x-twilio-webhooks-signature-settings"))
        if algorithm.upper() not in ALGORITHMS:  # the validator would log what the caller wrote there
            raise Rejected("unknown algorithm")
        try:
            said = _signed(request)
            signed = any(v.validate(request.url, said, signature, algorithm) for v in self._validators)
        except ValueError:
            raise Rejected("not readable") from None
        if not signed:
            raise Rejected("wrong signature")


def _signed(request: Request) -> Form | str:
    """What the signature is over besides the address: the fields, or a JSON body whose hash stands in the address.

    Without that hash the validator would read a JSON body letter by letter, and break.
    """
    is_json = request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    if is_json and "bodySHA256" in parse_qs(urlsplit(request.url).query):
        return request.body.decode("utf-8", "replace")
    return Form(request.body)
