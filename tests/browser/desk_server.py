"""The desk on a temporary database with a day's work in it, for the browser tests and for looking at it.

Run: python tests/browser/desk_server.py PORT
Sign in as agent2@example.test, supervisor@example.test, … with the password of tests/unit/desk/house.py.
"""

from __future__ import annotations

import io
import sys
import tempfile
import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bot.handlers.ports import Conversation, Say  # noqa: E402
from bot.storage.database import open_engine  # noqa: E402
from bot.tickets.people import Actor  # noqa: E402
from bot.tickets.ticket import Ticket  # noqa: E402
from tests.unit.desk.house import STAFF, Clock, Desk, fill, make, read_register  # noqa: E402

MATTERS = (
    ("معاملة الترخيص الصناعي لها شهرين وما احد رد علي، كل مرة يقولون راجع بكرة وأنا عندي عمال واقفين", {}),
    (
        "في ريحة غاز قوية جنب مصنع البلاستيك بالمدينة الصناعية الثانية",
        {"kind": "report", "category": "safety_environment", "flags": {"urgent"}},
    ),
    (
        "When will my industrial licence renewal (application 44021) be ready? Nobody answers the phone.",
        {"kind": "inquiry", "language": "en", "category": "contact_response"},
    ),
    ("أقترح إضافة خدمة تتبع الطلب برسالة نصية", {"kind": "suggestion", "category": "digital_service"}),
    ("النظام ما يقبل رفع المخططات أكبر من 5 ميجا", {"category": "digital_service", "service": "certificate_of_origin"}),
    ("我的许可证申请已经两个月没有消息了", {"language": "zh", "flags": {"language", "needs_person"}}),
    (
        "أحتاج أن يبقى موضوعي سريًا، في تلاعب بمنح التراخيص",
        {"kind": "report", "category": "integrity", "flags": {"confidential"}},
    ),
)


def work(desk: Desk) -> None:
    """Some days of tickets, and what was done with them."""
    clock, agent, manager = desk.clock, STAFF["agent2"], STAFF["manager"]
    now = clock.at
    clock.at = now - timedelta(days=6)
    for n, (text, fields) in enumerate(MATTERS):
        talk = desk.talk(f"t-{n}")
        desk.write(talk, text, f"said-{n}")
        clock.pass_(minutes=2)
        ticket = desk.file(
            text,
            talk,
            **{
                "reading": {
                    "intent": {"name": fields.get("kind", "complaint"), "confidence": 0.92},
                    "category": {"name": "processing_delay", "confidence": 0.64},
                    "services": [{"id": "certificate_of_origin", "confidence": 0.48}],
                    "language": {"name": "ar", "confidence": 0.99},
                }
            }
            | fields,
        )
        if n == 4:
            desk.house.act(ticket.ref, "assign", manager.actor(), {"staff": agent.id}, staff=manager)
            desk.house.act(ticket.ref, "ask", agent.actor(), {"text": "ما نوع الملف الذي تحاول رفعه؟"}, staff=agent)
        if n == 3:
            desk.house.act(
                ticket.ref, "note", agent.actor(), {"text": "يشبه اقتراحًا وصلنا في الربع الماضي."}, staff=agent
            )
            desk.house.act(ticket.ref, "reply", agent.actor(), {"text": "شكرًا لك، وصلت فكرتك إلى الفريق."}, staff=agent)
            clock.pass_(minutes=20)
            desk.write(talk, "العفو، وأتمنى تكون قريبة", "said-more")
            desk.house.act(
                ticket.ref,
                "add",
                Actor("beneficiary", talk.contact),
                {"text": "العفو، وأتمنى تكون قريبة"},
                turn="said-more",
            )
            with desk.store.begin() as tx:
                added = Say("utter_added_to_ticket", "said-more:1", {"ref": ticket.ref, "unit": ticket.unit})
                tx.say(tx.conversation(talk.id), "said-more", added, clock())
        if n == 3:
            sent_and_told(desk, ticket, talk)
        clock.at = now - timedelta(days=6) + timedelta(days=n + 0.4) if n < 5 else now - timedelta(hours=1)
    clock.at = now


def sent_and_told(desk: Desk, ticket: Ticket, talk: Conversation) -> None:
    """Files in every state, lines with every fate, and a provider that does not answer."""
    at, photo, sound = desk.clock(), io.BytesIO(), io.BytesIO()
    Image.new("RGB", (640, 480), "#36648b").save(photo, "JPEG")
    with wave.open(sound, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(8000)
        recording.writeframes(bytes(16_000))
    desk.attach(ticket, talk, photo.getvalue(), name="خريطة_المدخل_الشرقي_للمدينة_الصناعية_الثانية.jpg")
    desk.attach(ticket, talk, sound.getvalue(), kind="voice", type="audio/wav", name="voice.wav")
    desk.attach(
        ticket, talk, kind="place", name="", type="", place={"latitude": 24.71, "longitude": 46.68, "name": "العليا"}
    )
    desk.attach(ticket, talk, state="waiting", name="", type="")
    desk.attach(ticket, talk, kind="document", state="quarantined", name="report.docx", type="", size=2_140_000)
    desk.attach(ticket, talk, kind="video", state="refused", reason="too_large", name="clip.mp4", type="")
    whatsapp, sms = desk.talk("w", "whatsapp", talk.contact), desk.talk("s", "sms", talk.contact)
    for failure in ("temporary", "permanent", "technical", "stopped"):
        desk.tell(ticket, whatsapp, state="failed", failure=failure, error="refused 63024", uncertain=1)
    desk.tell(ticket, whatsapp, state="created", error="throttled 429")
    desk.tell(ticket, whatsapp, state="held", error="waits until the person writes")
    desk.tell(ticket, sms, state="sent", segments=2, sent_at=at)
    desk.queue.set_aside("telegram", b"{}", "KeyError", at)


def main(port: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "desk.sqlite3"
        fill(path)
        clock = Clock()
        clock.at = datetime(2026, 11, 26, 8, 30, tzinfo=UTC)
        url, files = f"http://127.0.0.1:{port}", Path(folder) / "files"
        desk = make(open_engine(f"sqlite:///{path}"), read_register(path), clock, url, files)
        work(desk)
        uvicorn.run(desk.app, port=port, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]))
