"""A clerk files at the desk of the running house: once, with a reference and a code that work on any channel."""

from __future__ import annotations

import re

from tests.integration.doors import Clerk, House

SAID = {
    "text": "المستفيد اتصل: الرخصة متأخرة", "source": "phone", "kind": "complaint", "category": "processing_delay", "language": "ar",
}  # fmt: skip


def test_filed_at_the_desk_once_and_told_by_the_clerk(house: House, clerk: Clerk) -> None:
    key = re.search(r'name="key" value="([\w-]+)"', clerk.get("/desk/new").text)
    assert key
    before = house.one("SELECT count(*) FROM tickets")
    pages = [clerk.post("/desk/new", **SAID, key=key[1], phone="0501234567") for _ in range(2)]
    assert [page.status_code for page in pages] == [200, 200]
    assert house.one("SELECT count(*) FROM tickets") == before + 1
    codes = [re.findall(r"[1-5]\d\d-\d{3}-\d{3}-\d{3}", page.text)[0] for page in pages]
    assert codes[0] == codes[1] and codes[0].replace("-", "") not in house.log()
    assert "0501234567" not in house.log() and SAID["text"] not in house.log()
    ref = house.one("SELECT ref FROM tickets ORDER BY opened_at DESC LIMIT 1")
    found = house.api("GET", f"/tickets/{ref}").json()
    assert found["channel"] == "phone" and found["history"][0]["by"]["kind"] == "staff"
    refused = clerk.post("/desk/new", **SAID | {"kind": ""}, key=key[1])
    assert refused.status_code == 422 and SAID["text"] in refused.text
