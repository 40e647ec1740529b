"""Twilio's refusals as its API words them: twilio.com/docs/api/errors."""

from __future__ import annotations

from starlette.responses import JSONResponse

MESSAGES = {
    20003: "Authenticate",
    20404: "The requested resource was not found",
    20429: "Too Many Requests",
    20500: "An internal server error has occurred",
    20503: "Service Unavailable",
    21211: "Invalid 'To' Phone Number",
    21603: "A 'From' phone number is required.",
    21604: "A 'To' phone number is required.",
    21606: "The 'From' phone number provided is not a valid message-capable Twilio phone number for this destination.",
    21609: "The 'StatusCallback' URL is not a valid URL.",
    21610: "Attempt to send to unsubscribed recipient",
    21617: "The concatenated message body exceeds the 1600 character limit",
    21619: "A text message body or media urls must be specified.",
    21655: "The ContentSid is Invalid",
    21656: "The ContentVariables Parameter is invalid.",
    21703: "The Messaging Service does not have a phone number available to send a message",
    21705: "The Messaging Service Sid is invalid.",
    21910: "Invalid From and To pair. From and To should be of the same channel",
    63007: "Twilio could not find a Channel with the specified From address",
    63016: "Failed to send freeform message because you are outside the allowed window.",
}
BY_STATUS = {401: 20003, 404: 20404, 429: 20429, 500: 20500, 503: 20503}


def refusal(status: int, code: int = 0, retry_after: float | None = None) -> JSONResponse:
    """The answer to a request that is not done; without a code the one that goes with the status."""
    code = code or BY_STATUS.get(status, 20500 if status >= 500 else 20001)
    body = {
        "code": code,
        "message": MESSAGES.get(code, "Refused"),
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return JSONResponse(body, status, {} if retry_after is None else {"Retry-After": f"{retry_after:g}"})
