"""Twilio's own opt-out on SMS: words that it obeys and answers itself.

A number has Twilio's English words, and the house is told nothing of them; a Messaging Service has Advanced Opt-Out,
here with Arabic words beside the English ones, and says what it has done in OptOutType.
"""

from __future__ import annotations

from channels.simulator.people import Person

STOP = ("stop", "unsubscribe", "end", "quit", "stopall", "revoke", "optout", "cancel")
START = ("start", "yes", "unstop")
HELP = ("help", "info")
ARABIC = {"إيقاف": "STOP", "توقف": "STOP", "ابدأ": "START", "مساعدة": "HELP"}
ANSWERS = {
    "STOP": "You have successfully been unsubscribed. You will not receive any more messages from this number. "
    "Reply START to resubscribe.",
    "START": "You have successfully been re-subscribed to messages from this number. Reply HELP for help. "
    "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
    "HELP": "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
}
_ENGLISH = dict.fromkeys(STOP, "STOP") | dict.fromkeys(START, "START") | dict.fromkeys(HELP, "HELP")


def word(text: str, person: Person, is_service: bool) -> str:
    """What Twilio makes of a message: STOP, START or HELP; "" where it is not one of the words.

    A 'yes' is a START only from somebody who has stopped.
    """
    said = text.strip().lower()
    opt = _ENGLISH.get(said, "") or (ARABIC.get(said, "") if is_service else "")
    return "" if opt == "START" and not person.stopped else opt


def obey(opt: str, person: Person) -> None:
    """The person gets nothing any more after STOP, and everything again after START."""
    if opt in ("STOP", "START"):
        person.stopped = opt == "STOP"
