"""The stock bot's actions, for the real rasa-sdk (it comes with Rasa): python -m rasa_sdk --actions bench.stock.actions."""

import os
import secrets
import sqlite3
from typing import Any

from rasa_sdk import Action, FormValidationAction
from rasa_sdk.events import AllSlotsReset

TICKETS = os.environ.get("STOCK_TICKETS", ":memory:")


def _database() -> sqlite3.Connection:
    connection = sqlite3.connect(TICKETS, timeout=10)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE IF NOT EXISTS tickets (ref TEXT PRIMARY KEY, sender TEXT, text TEXT)")
    return connection


DATABASE = _database()


class ValidateTicketForm(FormValidationAction):
    def name(self) -> str:
        return "validate_ticket_form"

    def validate_matter(self, value: Any, dispatcher: Any, tracker: Any, domain: Any) -> dict[str, Any]:
        return {"matter": value if str(value).strip() else None}


class FileTicket(Action):
    def name(self) -> str:
        return "action_file_ticket"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        ref = str(6_000_000_000 + secrets.randbelow(1_000_000_000))
        DATABASE.execute("INSERT INTO tickets VALUES (?, ?, ?)", (ref, tracker.sender_id, tracker.get_slot("matter")))
        DATABASE.commit()
        dispatcher.utter_message(text=f"سجّلنا طلبك برقم {ref}.")
        return [AllSlotsReset()]


class Talk(Action):
    def name(self) -> str:
        return "action_talk"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        dispatcher.utter_message(text="أهلًا بك. اكتب ما حدث وسأسجّله.")
        return []
