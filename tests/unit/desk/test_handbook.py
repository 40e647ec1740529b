"""/desk/help: chapters in both languages, a table that is the lifecycle table, pictures that are there and small."""

from __future__ import annotations

import json
import re

import pytest

from bot.tickets.lifecycle import VERBS
from bot.web.desk.handbook import CHAPTERS, PICTURES
from tests.unit.desk.house import Desk


@pytest.mark.parametrize("lang", ["ar", "en"])
def test_every_chapter_is_in_the_contents_and_has_words(the_desk: Desk, lang: str) -> None:
    page = the_desk.browser("agent").get("/desk/help", lang=lang).text
    listed = re.findall(r'<li><a href="#(\w+)">([^<]+)</a></li>', page)
    assert [id for id, _ in listed] == list(CHAPTERS)
    for id, heading in listed:
        assert f'<h2 id="{id}" tabindex="-1">{heading}</h2>' in page and not heading.startswith("help_")
    for section in page.split('<section class="card chapter"')[1:]:
        assert len(re.sub("<[^>]+>", "", section)) > 80


@pytest.mark.parametrize("lang", ["ar", "en"])
def test_the_table_is_the_lifecycle_table_in_the_desks_words(the_desk: Desk, lang: str) -> None:
    page = the_desk.browser("agent").get("/desk/help", lang=lang).text
    table, alone = page.split('aria-labelledby="verbs" tabindex="0"')[1].split('id="by-itself"')
    names = re.findall(r'<tr><th scope="row">(.*?)</th>', table)
    assert len(names) == len(set(names)) == sum(bool(v.roles and v.button) for v in VERBS.values())
    assert len(re.findall(r'<tr><th scope="row">', alone)) == sum(not v.roles for v in VERBS.values())
    assert not re.search(r">(?:verb|hint|did|state|role|help)_\w+<", page)
    if lang == "en":
        row = next(r for r in table.split("<tr>") if "Extend" in r)
        assert "Supervisor" in row and "Agent" not in row and row.count("<td>yes</td>") == 1
        assert "in every state" in next(r for r in table.split("<tr>") if "note" in r.lower())


def test_help_is_in_the_header_of_every_page(the_desk: Desk) -> None:
    """WCAG 3.2.6: at the same place, before the name of who is signed in."""
    clerk = the_desk.browser("agent")
    for path in ("/desk", "/desk/questions", "/desk/channels", "/desk/help", f"/desk/tickets/{the_desk.file().ref}"):
        header = clerk.get(path).text.split("</header>")[0]
        assert re.findall(r'href="(/desk/\w+)"', header)[-2:] == ["/desk/help", "/desk/me"], path


def test_pictures_are_real_small_and_described(the_desk: Desk) -> None:
    known = json.loads((PICTURES / "sizes.json").read_text())
    assert set(known) == {path.name for path in PICTURES.glob("*.webp")}
    clerk = the_desk.browser("agent")
    for lang in ("ar", "en"):
        shown = re.findall(
            r'<img src="(/desk/static/([^"?]+)\?v=\w+)"[^>]*alt="([^"]+)"', clerk.get("/desk/help", lang=lang).text
        )
        assert {name for _, name, _ in shown} == {name for name in known if name.endswith(f"-{lang}.webp")}
        assert 5 <= len(shown) <= 8
        for url, name, alt in shown:
            answer = clerk.client.get(url)
            assert answer.headers["content-type"] == "image/webp" and answer.content[8:12] == b"WEBP"
            assert len(answer.content) <= 60_000 and len(alt) > 30, name
