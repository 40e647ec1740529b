"""B7, F1: a file that a person sends is opened at the desk by who may see its ticket, and by nobody else."""

from __future__ import annotations

import io
import re
import sqlite3
from contextlib import closing

import httpx
import pytest
from PIL import Image

from tests.integration.doors import MATTER, Clerk, House, Page, http
from tests.running import REFERENCE


@pytest.fixture(scope="module")
def photo() -> bytes:
    into = io.BytesIO()
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (24.0, 42.0, 49.0), 3: "E", 4: (46.0, 40.0, 31.0)}
    Image.new("RGB", (64, 48), "#36648b").save(into, "JPEG", exif=exif)
    return into.getvalue()


@pytest.fixture(scope="module")
def filed(shared: House, photo: bytes) -> tuple[str, str]:
    """A ticket with a photo, sent in the web chat, and the address of the photo at the desk."""
    chat = shared.chat()
    files = {"file": ("صورة المدخل.jpg", photo, "image/jpeg")}
    answer = chat.http.post("/chat/files", files=files, data={"text": MATTER}, headers=chat.headers)
    assert answer.status_code == 202, answer.text
    assert chat.told(1)[0]["buttons"]
    assert chat.post(payload='/press{"do":"begin","value":"complaint"}').status_code == 202
    told = REFERENCE.search(chat.answers(2)[1])
    assert told, chat.answers(2)
    ref = told[1].replace(" ", "")
    attachments = shared.ticket(ref)["attachments"]
    assert [(a["kind"], a["type"], a["state"]) for a in attachments] == [("photo", "image/jpeg", "kept")]
    return ref, f"/desk/files/{attachments[0]['id']}"


@pytest.fixture(scope="module")
def staff(shared: House) -> dict[str, Clerk]:
    names = ("agent", "agent2", "audit", "supervisor", "manager", "oversight")
    return {name: Clerk(shared.url, f"{name}@example.test") for name in names}


def test_the_photo_is_on_the_page_and_comes_from_our_own_door(
    house: House, staff: dict[str, Clerk], filed: tuple[str, str], photo: bytes
) -> None:
    ref, door = filed
    page = Page(staff["agent"].get(f"/desk/tickets/{ref}").text)
    assert ("img", door) in [(tag, attrs.get("src")) for tag, attrs in page.elements]
    assert page.scripted() == [] and "صورة المدخل.jpg" in page.text
    answer = staff["agent"].get(door)
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"].startswith("inline; filename*=UTF-8''%D8%B5")
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert (
        answer.headers["cache-control"] == "private, no-store" and answer.headers["x-content-type-options"] == "nosniff"
    )
    shown = Image.open(io.BytesIO(answer.content))
    assert shown.size == (64, 48) and 0x8825 not in shown.getexif() and answer.content != photo, "it tells no place"


def test_each_role_and_state_of_the_ticket(house: House, staff: dict[str, Clerk], filed: tuple[str, str]) -> None:
    """Whoever sees the ticket sees the file, also once the ticket is confidential; for the others there is no file."""
    ref, door = filed

    def cells() -> dict[str, int]:
        found = {}
        for name, clerk in staff.items():
            ticket, file = clerk.get(f"/desk/tickets/{ref}").status_code, clerk.get(door).status_code
            assert ticket == file, name
            found[name] = file
        return found

    before = cells()
    assert before["agent"] == before["manager"] == before["oversight"] == 200
    assert before["audit"] == 404
    assert house.verb(ref, "flag", flag="confidential").status_code == 200
    after = cells()
    assert after["oversight"] == after["audit"] == 404 and 200 in after.values()
    assert http(house.url).get(door).headers["location"].startswith("/desk/login")


def test_what_is_not_kept_is_not_there(house: House, staff: dict[str, Clerk], filed: tuple[str, str]) -> None:
    number = int(filed[1].rsplit("/", 1)[1])
    reader = next(clerk for clerk in staff.values() if clerk.get(filed[1]).status_code == 200)

    def with_state(state: str) -> httpx.Response:
        with closing(sqlite3.connect(house.data / "sawt.db", timeout=10)) as database, database:
            database.execute("UPDATE attachments SET state = ? WHERE id = ?", (state, number))
        return reader.get(filed[1])

    assert [with_state(s).status_code for s in ("quarantined", "waiting", "refused", "kept")] == [404, 404, 404, 200]
    assert reader.get("/desk/files/999999").status_code == 404


def test_the_channels_and_the_red_line(house: House, staff: dict[str, Clerk], filed: tuple[str, str]) -> None:
    for name, clerk in staff.items():
        page = clerk.get("/desk/channels")
        assert page.status_code == 200, name
        assert Page(page.text).scripted() == [] and not re.search(r">\s*[a-z]+_[a-z_]+\s*<", page.text)
        assert 'class="alarm"' not in page.text
