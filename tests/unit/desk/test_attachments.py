"""What people sent beside words: on the ticket's page, and behind the door where a file is opened."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from bot.files.sniff import TYPES
from bot.tickets.people import may_see
from tests.unit.desk.house import STAFF, Desk

READING = ("agent", "agent2", "audit", "supervisor", "manager", "oversight")
CONTENT = b"\xff\xd8\xff the bytes of a photo " * 100


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("ar", ("ما أرفقه المستفيد", "صورة", "تسجيل صوتي", "مستند", "موقع", "نجلبه الآن", "ينتظر الفحص", "لم نحفظه: ", "أكبر من الحجم المسموح", "ميغابايت", "كيلوبايت")),
        ("en", ("What the person attached", "Photo", "Voice note", "Document", "Place", "being fetched", "waits for the scanner", "Not kept: ", "it is larger than we take", "MB", "KB")),
    ],
)  # fmt: skip
def test_the_ticket_shows_what_came_and_what_became_of_it(the_desk: Desk, language: str, told: tuple[str, ...]) -> None:
    talk = the_desk.talk("w", "whatsapp")
    ticket = the_desk.file(talk=talk)
    photo = the_desk.attach(ticket, talk, CONTENT)
    voice = the_desk.attach(ticket, talk, b"OggS", kind="voice", type="audio/ogg", name="")
    saved = the_desk.attach(ticket, talk, b"%PDF-", kind="document", type="application/pdf", name="<b>خطاب</b>.pdf")
    place = {"latitude": 24.713552, "longitude": 46.675297, "name": "حي العليا\u202e"}
    the_desk.attach(ticket, talk, kind="place", name="", type="", place=place)
    the_desk.attach(ticket, talk, state="waiting", name="", type="")
    hidden = the_desk.attach(ticket, talk, kind="document", state="quarantined", sha256="a" * 64, size=2_140_000)
    the_desk.attach(ticket, talk, kind="video", state="refused", reason="too_large", name="clip.mp4")
    page = the_desk.browser("agent2").get(f"/desk/tickets/{ticket.ref}", lang=language).text
    files = page.split('<h3 class="files-heading"')[1].split('<section class="card" aria-labelledby="talk-heading">')[0]
    for words in told:
        assert words in files, words
    assert f'<img src="/desk/files/{photo}" alt="" width="96" height="96" loading="lazy">' in files
    assert re.search(rf'<audio controls preload="none" src="/desk/files/{voice}" aria-label="[^"]+"></audio>', files)
    assert f'href="/desk/files/{saved}"' in files and "<b>" not in files and "&lt;b&gt;" in files
    assert '<bdi dir="ltr">24.71355, 46.67530</bdi>' in files and "\u202e" not in files and "Override" in files
    assert f"/desk/files/{hidden}" not in page, "what no scanner has seen is opened by nobody"
    assert not re.search(r"https?://", files), "no map, nobody else is asked"


def test_a_file_stands_at_the_message_it_came_with(the_desk: Desk) -> None:
    """Also where the message was nothing else; a file of another ticket in the same chat is not shown."""
    talk = the_desk.talk("w", "whatsapp")
    first, alone = the_desk.write(talk, "انظروا الصورة", "turn-a"), the_desk.write(talk, "", "turn-a")
    the_desk.clock.pass_(minutes=1)
    ticket = the_desk.file("انظروا الصورة", talk)
    the_desk.attach(ticket, talk, CONTENT, message=first, name="الأولى.jpg")
    the_desk.attach(ticket, talk, CONTENT, message=alone, name="الثانية.jpg")
    the_desk.clock.pass_(minutes=1)
    later = the_desk.write(talk, "", "turn-b")
    other = the_desk.file("آخر", talk, unit="internal_audit", unit_needs_to_know=True, category="integrity")
    the_desk.attach(other, talk, CONTENT, message=later, name="سرية.jpg")
    page = the_desk.browser("agent2").get(f"/desk/tickets/{ticket.ref}").text
    said = page.split('<ol class="talk"')[1].split("</ol>")[0]
    theirs = [part for part in said.split("<li class=")[1:] if part.startswith('"theirs"')]
    assert (
        len(theirs) == 2
        and "الأولى.jpg" in theirs[0]
        and "الثانية.jpg" in theirs[1]
        and 'class="said"' not in theirs[1]
    )
    assert "سرية.jpg" not in page


def test_each_cell_of_roles_and_files(the_desk: Desk) -> None:
    """Own unit, other unit, confidential, hidden, need-to-know: a file is there for who may see its ticket."""
    talk = the_desk.talk()
    tickets = {
        "own": the_desk.file(),
        "other": the_desk.file(unit="finance"),
        "confidential": the_desk.file(unit="finance", flags={"confidential"}, readers={"s-supervisor"}),
        "hidden": the_desk.file(unit="contact_centre", hidden_from={"industrial_licensing"}, category="staff_conduct"),
        "audit": the_desk.file(unit="internal_audit", unit_needs_to_know=True, category="integrity"),
    }
    files = {what: the_desk.attach(ticket, talk, CONTENT) for what, ticket in tickets.items()}
    unknown = the_desk.browser("agent").get("/desk/files/999999")
    seen = set()
    for name in (*READING, "admin"):
        clerk, staff = the_desk.browser(name), STAFF[name]
        for what, ticket in tickets.items():
            answer = clerk.get(f"/desk/files/{files[what]}")
            may = name in READING and may_see(staff, the_desk.stored(ticket.ref))
            assert answer.status_code == (200 if may else 403 if name == "admin" else 404), (name, what)
            assert (answer.content == CONTENT) == may
            if answer.status_code == 404:
                same = unknown.text.replace("999999", str(files[what]))
                assert answer.text == same, "nobody can tell what is not theirs from what is not there"
            seen.add((what, may))
    assert len(seen) == 2 * len(tickets), "each file is there for some and not for others"
    nobody = the_desk.browser().get(f"/desk/files/{files['own']}")
    assert nobody.status_code == 303 and nobody.headers["location"].startswith("/desk/login")
    the_desk.doors.change_staff("s-agent2", active=False)
    assert the_desk.browser("agent2").get(f"/desk/files/{files['own']}").status_code == 303


def test_what_is_not_kept_or_of_no_ticket_yet_is_not_there(the_desk: Desk) -> None:
    talk, clerk = the_desk.talk(), the_desk.browser("manager")
    ticket = the_desk.file(talk=talk)
    files = {
        "of a draft": the_desk.attach(None, talk, CONTENT),
        "waiting": the_desk.attach(ticket, talk, state="waiting"),
        "no scanner has seen it": the_desk.attach(ticket, talk, CONTENT, state="quarantined"),
        "refused": the_desk.attach(ticket, talk, state="refused", reason="infected"),
        "a place": the_desk.attach(ticket, talk, kind="place", place={"latitude": 1, "longitude": 2}),
        "gone from the disk": the_desk.attach(ticket, talk, sha256="b" * 64, size=3),
    }
    for what, id in files.items():
        answer = clerk.get(f"/desk/files/{id}")
        assert answer.status_code == 404 and "ما طلبته غير موجود" in answer.text, what
    for odd in ("0", "-1", "x", "٣", "1e3", "9" * 40, "%2e%2e%2fetc", "1'", "1 OR 1=1", "%00"):
        assert clerk.client.get(f"/desk/files/{odd}").status_code == 404, odd


def test_the_headers_of_a_file(the_desk: Desk) -> None:
    """Pictures, sounds and films are shown, all else is saved; nothing in a file runs, loads or stays."""
    talk, clerk = the_desk.talk(), the_desk.browser("agent2")
    ticket = the_desk.file(talk=talk)
    for type in (*TYPES, "text/html", "image/svg+xml", "application/xhtml+xml", ""):
        id = the_desk.attach(ticket, talk, CONTENT, type=type, kind="document", name='خطاب "1"; filename=x\r\n.pdf')
        answer = clerk.get(f"/desk/files/{id}")
        shown = type in TYPES and type.startswith(("image/", "audio/", "video/"))
        how, _, name = answer.headers["content-disposition"].partition("; filename*=UTF-8''")
        assert how == ("inline" if shown else "attachment"), type
        assert unquote(name) == 'خطاب "1"; filename=x\r\n.pdf' and re.fullmatch(r"[\w.%~-]+", name)
        served = answer.headers["content-type"].partition(";")[0]
        assert served == (type if type in TYPES else "application/octet-stream")
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "private, no-store"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.content == CONTENT and "set-cookie" not in answer.headers
    nameless = clerk.get(f"/desk/files/{the_desk.attach(ticket, talk, CONTENT, name='')}")
    assert re.search(r"UTF-8''photo-\d+$", nameless.headers["content-disposition"])


def test_a_part_of_a_recording_can_be_asked_for(the_desk: Desk) -> None:
    talk = the_desk.talk()
    ticket = the_desk.file(talk=talk)
    id = the_desk.attach(ticket, talk, CONTENT, kind="voice", type="audio/ogg")
    clerk = the_desk.browser("agent2")
    assert clerk.get(f"/desk/files/{id}").headers["accept-ranges"] == "bytes"
    part = clerk.client.get(f"/desk/files/{id}", headers={"Range": "bytes=10-19"})
    assert part.status_code == 206 and part.content == CONTENT[10:20]
    assert part.headers["content-range"] == f"bytes 10-19/{len(CONTENT)}"
    assert part.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert clerk.client.get(f"/desk/files/{id}", headers={"Range": "bytes=99999-"}).status_code == 416


def test_pages_may_load_our_own_sounds(the_desk: Desk) -> None:
    policy = the_desk.browser("agent2").get("/desk").headers["content-security-policy"]
    assert "media-src 'self'" in policy and "img-src 'self'" in policy


def test_sizes_in_words(the_desk: Desk) -> None:
    talk = the_desk.talk()
    ticket = the_desk.file(talk=talk)
    for size in (1, 1_499, 999_999, 1_000_000, 2_140_000, 10_000_000):
        the_desk.attach(ticket, talk, state="refused", reason="type", size=size)
    page = the_desk.browser("agent2").get(f"/desk/tickets/{ticket.ref}", lang="en").text
    found = re.findall(r"· (\S+ [KM]B)", re.sub("[\u2068\u2069]", "", page))
    assert found == ["1 KB", "1 KB", "1000 KB", "1 MB", "2.1 MB", "10 MB"]
