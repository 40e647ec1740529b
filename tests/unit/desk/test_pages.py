"""The staff's pages: what they show, and what their forms do."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bot.handlers.ports import Unavailable
from bot.storage.channels import FAILURES
from bot.tickets.lifecycle import STATES, VERBS
from bot.tickets.people import Role
from bot.web.desk import attachments, forms, pages
from bot.web.desk import router as desk_router
from channels.contract import Failure
from tests.unit.desk.house import STAFF, URL, Desk, catalogues

MARKUP = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</textarea><svg onload=alert(1)>",
    "{{ 7*7 }}{% raw %}",
    "javascript:alert(1)",
    "</title><b>x",
    "' onmouseover='alert(1)",
)


def test_the_journey_of_a_reply(the_desk: Desk) -> None:
    ticket = the_desk.file(talk=the_desk.talk())
    clerk = the_desk.browser("agent2")
    page = clerk.get("/desk")
    assert page.status_code == 200 and ticket.ref in page.text and "معاملة الترخيص الصناعي" in page.text
    page = clerk.get(f"/desk/tickets/{ticket.ref}")
    assert page.status_code == 200 and "أرسل الرد إلى المستفيد" in page.text and "عبر محادثة الموقع" in page.text
    answer = clerk.act(ticket.ref, "reply", text="وصلنا طلبك، وسيصدر غدًا.")
    assert answer.status_code == 303 and answer.headers["location"] == f"/desk/tickets/{ticket.ref}?done=reply"
    page = clerk.get(answer.headers["location"])
    assert "أُرسل الرد إلى المستفيد." in page.text
    stored = the_desk.stored(ticket.ref)
    assert stored.history[-1].verb == "reply" and stored.history[-1].by.id == "s-agent2" and stored.state == "open"
    talk = page.text.split('<ol class="talk"')[1].split("</ol>")[0]
    assert "وسيصدر غدًا" in talk, "the person's side of it is there, as it was told"
    assert "315" not in talk, "but for the code that proves whose the ticket is"


def test_the_page_says_what_the_assistant_read_and_how_sure_it_was(the_desk: Desk) -> None:
    ticket = the_desk.file(
        reading={
            "intent": {"name": "complaint", "confidence": 0.92},
            "category": {"name": "processing_delay", "confidence": 0.4},
            "services": [{"id": "certificate_of_origin", "confidence": 0.7}],
            "language": "ar",
            "flags": ["danger"],
        }
    )
    page = the_desk.browser("agent2").get(f"/desk/tickets/{ticket.ref}").text
    for words in ("واثق ⁨92⁩٪", "غير متأكد ⁨40⁩٪", "شهادة منشأ", "واثق إلى حد ما", "خطر"):
        assert words in page or words.replace("⁨", "").replace("⁩", "") in page, words
    for odd in (
        {"intent": None, "category": "x", "services": None},
        {"intent": {"name": "greet"}},
        {"services": ["x", {}]},
        {},
    ):
        assert the_desk.browser("agent2").get(f"/desk/tickets/{the_desk.file(reading=odd).ref}").status_code == 200


def test_the_clock_in_words(the_desk: Desk) -> None:
    ticket = the_desk.file()  # Tuesday: promised for the end of Thursday
    clerk = the_desk.browser("agent2")
    assert "بقي يوما عمل" in clerk.get("/desk").text and "بقي يوما عمل" in clerk.get(f"/desk/tickets/{ticket.ref}").text
    the_desk.clock.at = ticket.promise.due.replace(hour=8, minute=30)
    clerk = the_desk.browser("agent2")
    assert "بقي 3 ساعات عمل" in clerk.get("/desk").text
    the_desk.clock.pass_(days=5, hours=1)  # Tuesday: Sunday, Monday, Tuesday
    clerk = the_desk.browser("agent2")
    assert "تأخر 3 أيام" in clerk.get("/desk").text and "تأخر 3 أيام" in clerk.get(f"/desk/tickets/{ticket.ref}").text
    assert "هـ)" in clerk.get(f"/desk/tickets/{ticket.ref}").text, "the promise is told in Hijri, too"


def test_forms_are_those_that_the_table_allows_now(the_desk: Desk) -> None:
    ticket = the_desk.file()
    for name in ("agent2", "manager", "oversight"):
        page = the_desk.browser(name).get(f"/desk/tickets/{ticket.ref}").text
        shown = set(re.findall(rf'action="/desk/tickets/{ticket.ref}/(\w+)"', page))
        shown -= {"flag", "threat", "limit"}  # tests/unit/desk/test_abuse.py
        assert shown == {v for v in ticket.allowed(STAFF[name].actor()) if VERBS[v].button}
    page = the_desk.browser("agent2").get(f"/desk/tickets/{the_desk.file(kind='suggestion').ref}").text
    assert "/study" in page and "/accept" not in page
    assert "/accept" in the_desk.browser("manager").get(f"/desk/tickets/{the_desk.file(kind='suggestion').ref}").text


GIVEN = {
    "reply": {"text": "نص"}, "ask": {"text": "ما رقم طلبك؟"}, "note": {"text": "بيننا"}, "assign": {"staff": "s-agent2"},
    "transfer": {"unit": "finance", "reason": "يخصهم"}, "extend": {"until": "2026-12-20", "reason": "نحتاج وقتًا"},
    "escalate": {"reason": "قرار"}, "classify": {"kind": "inquiry"}, "resolve": {"text": "تم"}, "close": {"reason": "انتهى"},
    "redirect": {"body": "sa_commerce"}, "add": {"text": "قال بالهاتف"}, "withdraw": {}, "reopen": {"reason": "لم يتم"},
    "study": {"text": "ندرسه"}, "accept": {"reason": "مفيد"}, "implement": {"text": "تم"}, "decline": {"reason": "مكلف"},
}  # fmt: skip


@pytest.mark.parametrize("verb", GIVEN)
def test_every_verb_with_a_button_works_from_its_form(the_desk: Desk, verb: str) -> None:
    ticket = the_desk.file(talk=the_desk.talk(), kind="suggestion" if VERBS[verb].kinds else "complaint")
    if verb in ("reopen", "implement"):
        first = "resolve" if verb == "reopen" else "accept"
        assert the_desk.browser("manager").act(ticket.ref, first, **GIVEN[first]).status_code == 303
    answer = the_desk.browser("manager").act(ticket.ref, verb, **GIVEN[verb])
    assert answer.status_code == 303, answer.text
    assert the_desk.stored(ticket.ref).history[-1].verb == verb
    page = the_desk.browser("manager").get(answer.headers["location"])
    assert page.status_code == 200 and 'class="alert good"' in page.text
    assert set(GIVEN) == {v.name for v in VERBS.values() if v.button}


def test_a_stale_form_changes_nothing_and_keeps_what_was_typed(the_desk: Desk) -> None:
    ticket = the_desk.file()
    clerk, other = the_desk.browser("agent2"), the_desk.browser("manager")
    path = f"/desk/tickets/{ticket.ref}/reply"
    form = clerk.form(f"/desk/tickets/{ticket.ref}", path)
    assert other.act(ticket.ref, "assign", staff="s-agent2").status_code == 303
    answer = clerk.client.post(path, data=form | {"text": "ردي الطويل"}, headers={"Origin": URL})
    assert answer.status_code == 409 and "ردي الطويل" in answer.text and "إسناد التذكرة" in answer.text
    assert the_desk.stored(ticket.ref).version == 2
    again = re.search(r'name="seen" value="(\d+)"', answer.text)
    assert again and again[1] == "2", "sent again, it goes through"


def test_a_verb_that_became_impossible_gives_the_words_back(the_desk: Desk) -> None:
    ticket = the_desk.file()
    clerk = the_desk.browser("agent2")
    path = f"/desk/tickets/{ticket.ref}/resolve"
    form = clerk.form(f"/desk/tickets/{ticket.ref}", path)
    assert the_desk.browser("manager").act(ticket.ref, "close", reason="x").status_code == 303
    form.pop("seen")
    answer = clerk.client.post(path, data=form | {"text": "ردي الطويل"}, headers={"Origin": URL})
    assert answer.status_code == 409 and "ردي الطويل" in answer.text


@pytest.mark.parametrize(
    ("verb", "typed", "field"),
    [
        ("transfer", {"unit": "finance", "reason": "  "}, "transfer-reason"),
        ("transfer", {"unit": "", "reason": "سببي"}, "transfer-unit"),
        ("transfer", {"unit": "nowhere", "reason": "سببي"}, ""),
        ("assign", {"staff": "s-nobody"}, "assign-staff"),
        ("extend", {"until": "2020-01-01", "reason": "سببي"}, "extend-until"),
        ("extend", {"until": "soon", "reason": "سببي"}, "extend-until"),
        ("reply", {"text": "ا" * 10_001}, ""),
    ],
)
def test_mistakes_are_named_at_their_field_and_nothing_typed_is_lost(
    the_desk: Desk, verb: str, typed: dict[str, str], field: str
) -> None:
    ticket = the_desk.file()
    answer = the_desk.browser("manager").act(ticket.ref, verb, **typed)
    assert answer.status_code == 422 and the_desk.stored(ticket.ref).version == 1
    if field:
        assert f'id="{field}-error"' in answer.text and f'href="#{field}"' in answer.text
        assert "error_" not in answer.text, "a name instead of its words"
    assert "سببي" not in typed.values() or "سببي" in answer.text


def test_a_busy_database_is_said_and_nothing_typed_is_lost(the_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = the_desk.file()

    def busy(*_: Any, **__: Any) -> Any:
        raise Unavailable("locked")

    monkeypatch.setattr(the_desk.store, "begin", busy)
    answer = the_desk.browser("agent2").act(ticket.ref, "reply", text="ردي الطويل")
    assert answer.status_code == 503 and "ردي الطويل" in answer.text


def test_a_ticket_that_leaves_the_readers_sight_is_said_goodbye_to(the_desk: Desk) -> None:
    ticket = the_desk.file()
    clerk = the_desk.browser("agent2")
    answer = clerk.act(ticket.ref, "transfer", unit="finance", reason="يخصهم")
    assert answer.status_code == 303 and answer.headers["location"].startswith("/desk?")
    assert "لم تعد ضمن ما تطّلع عليه" in clerk.get(answer.headers["location"]).text
    assert clerk.get(f"/desk/tickets/{ticket.ref}").status_code == 404


@pytest.mark.parametrize("markup", MARKUP)
def test_markup_in_words_is_inert_everywhere(the_desk: Desk, markup: str) -> None:
    talk = the_desk.talk()
    ticket = the_desk.file(markup, talk)
    clerk = the_desk.browser("manager")
    for verb in ("reply", "note", "ask"):
        assert clerk.act(ticket.ref, verb, text=markup).status_code == 303
    pages = [clerk.get("/desk").text, clerk.get(f"/desk/tickets/{ticket.ref}").text, clerk.get("/desk", q=markup).text]
    pages.append(clerk.act(ticket.ref, "transfer", unit="", reason=markup).text)
    pages.append(the_desk.browser().sign_in(markup, "x").text)
    for page in pages:
        scripts = _Scripts()
        scripts.feed(page)
        assert scripts.found == [], page
        assert "{{" not in markup or "{{ 7*7 }}" in page


class _Scripts(HTMLParser):
    """Whatever in a page could run, but for the one file of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {k: v or "" for k, v in attrs}
        ours = tag == "script" and given.get("src", "").startswith("/desk/static/desk.js?v=")
        if tag in ("img", "svg", "iframe", "object", "style", "b") or (tag == "script" and not ours):
            self.found.append(tag)
        self.found += [k for k in given if k.startswith("on")]
        self.found += [
            k for k in ("href", "src", "action") if given.get(k, "").strip().lower().startswith("javascript:")
        ]


def test_direction_tricks_are_shown_and_never_obeyed(the_desk: Desk) -> None:
    ticket = the_desk.file("ملف \u202egpj.exe مهم")
    clerk = the_desk.browser("agent2")
    page, rows = clerk.get(f"/desk/tickets/{ticket.ref}").text, clerk.get("/desk").text
    assert "\u202e" not in page and "\u202e" not in rows and "Right-To-Left Override" in page


HOSTILE = (
    "'",
    '"',
    "%",
    "_",
    "\\",
    "' OR 1=1 --",
    "%' OR '1'='1",
    "\0",
    "a\0b",
    "\ud800",
    "١" * 50,
    "x" * 10_000,
    "(((",
    "*",
    "[]",
    "\u202e",
)


@pytest.mark.parametrize("value", HOSTILE)
def test_nothing_typed_into_an_address_is_more_than_text(the_desk: Desk, value: str) -> None:
    the_desk.file(unit="finance")
    clerk = the_desk.browser("agent2")
    sent = value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    for name in ("q", "view", "state", "kind", "category", "cursor", "lang", "done", "gone", "next"):
        answer = clerk.get("/desk", **{name: sent})
        assert answer.status_code == 200 and '<li class="ticket' not in answer.text, name
    for path in (f"/desk/tickets/{_path(sent)}", f"/desk/tickets/{_path(sent)}/version", f"/desk/static/{_path(sent)}"):
        assert clerk.client.get(path).status_code in (404, 405), path


def _path(value: str) -> str:
    from urllib.parse import quote

    return quote(value, safe="")


def test_lists_filter_and_turn_pages(the_desk: Desk) -> None:
    for n in range(53):
        the_desk.file(f"رقم {n}", kind="inquiry" if n % 2 else "complaint")
    clerk = the_desk.browser("agent2")
    first = clerk.get("/desk").text
    following = re.search(r'href="(/desk\?[^"]*cursor=[^"]*)"', first)
    assert first.count('<li class="ticket') == 50 and following
    second = clerk.client.get(following[1].replace("&amp;", "&")).text
    assert second.count('<li class="ticket') == 3
    assert clerk.get("/desk", kind="inquiry").text.count('<li class="ticket') == 26
    assert "لا شيء يطابق" in clerk.get("/desk", category="facilities").text
    assert "لا تذاكر مسندة إليك" in clerk.get("/desk", view="mine").text
    assert clerk.get("/desk", state="closed").text.count('<li class="ticket') == 0


def test_notices_are_shown_until_they_were_seen(the_desk: Desk) -> None:
    ticket = the_desk.file()
    manager = STAFF["manager"]
    the_desk.house.act(ticket.ref, "transfer", manager.actor(), {"unit": "finance", "reason": "x"}, staff=manager)
    the_desk.house.act(
        ticket.ref, "transfer", manager.actor(), {"unit": "industrial_licensing", "reason": "x"}, staff=manager
    )
    clerk = the_desk.browser("agent2")
    assert "حُوّلت إلى إدارتك." in clerk.get("/desk").text
    assert clerk.send("/desk", "/desk/notices/seen").status_code == 303
    assert "حُوّلت إلى إدارتك." not in clerk.get("/desk").text


def test_the_desk_in_english_and_every_sentence_in_both(the_desk: Desk) -> None:
    clerk = the_desk.browser("agent2")
    page = clerk.get("/desk", lang="en")
    assert 'lang="en" dir="ltr"' in page.text and 'lang="en"' in clerk.get("/desk").text
    ticket = the_desk.file(talk=the_desk.talk(), flags={"urgent", "confidential"})
    for text in (page.text, clerk.get(f"/desk/tickets/{ticket.ref}").text, clerk.get("/desk").text):
        assert not re.search(r">\s*[a-z]+_[a-z_]+\s*<", text), "a name instead of its words"
    back = clerk.get("/desk", lang="ar").text
    assert 'dir="rtl"' in back


def test_labels_headings_and_ids(the_desk: Desk) -> None:
    """Every control has a label, ids are unique, headings begin at one h1."""
    ticket = the_desk.file(talk=the_desk.talk(), kind="suggestion")
    clerk = the_desk.browser("manager")
    for path in ("/desk", f"/desk/tickets/{ticket.ref}", "/desk/channels", "/desk/login"):
        page = clerk.get(path).text
        ids = re.findall(r'\sid="([^"]+)"', page)
        assert len(ids) == len(set(ids)), path
        labels = set(re.findall(r'<label for="([^"]+)"', page))
        controls = re.findall(r'<(?:input|select|textarea)(?![^>]*type="hidden")[^>]*\sid="([^"]+)"', page)
        assert set(controls) <= labels and len(re.findall("<h1", page)) == 1, path
        assert all(m in ids for m in re.findall(r'aria-(?:labelledby|describedby)="([^"]+)"', page))
        assert "accesskey" not in page and 'href="#main"' in page


def test_every_name_that_a_page_can_say_has_words() -> None:
    known = catalogues().real.desk_names()
    wanted = {f"state_{s}" for s in STATES} | {f"role_{r}" for r in Role} | {f"did_{v}" for v in (*VERBS, "file")}
    wanted |= {f"done_{v.name}" for v in VERBS.values() if v.roles} | {f"told_{about}" for about in pages.TOLD}
    wanted |= {f"{part}_{v.name}" for part in ("verb", "hint", "send") for v in VERBS.values() if v.button}
    wanted |= {f"field_{name}" for v in VERBS.values() for name in v.asks + v.may}
    wanted |= {f"field_{verb}_{name}" for verb, name in forms.OWN_LABELS}
    wanted |= {f"delivery_{state}" for state in ("created", "held", "sending", "sent", "delivered", "read")}
    wanted |= {f"delivery_{f if f == 'stopped' else f'{f}_failure'}" for f in FAILURES} | {
        f"failure_{f}" for f in FAILURES
    }
    wanted |= {"delivery_moot", "delivery_retrying"} | {f"why_{f}" for f in Failure if f != Failure.STOPPED}
    wanted |= {f"channel_{scheme}" for scheme in ("web", "whatsapp", "sms", "telegram")}
    wanted |= {f"file_{kind}" for kind in (*attachments.KINDS, "waiting", "quarantined", "refused")}
    wanted |= {f"refused_{reason}" for reason in (*attachments.REASONS, "other")}
    wanted |= {f"via_{scheme}" for scheme in ("web", "whatsapp", "sms", "telegram", "nothing")}
    wanted |= {f"source_{s}" for s in ("web", "whatsapp", "sms", "telegram", "phone", "counter", "email")}
    here = Path(desk_router.__file__).parent
    for template in (here / "templates").glob("*.html"):
        wanted |= set(re.findall(r't\("(\w+[a-z])"[,)]', template.read_text(encoding="utf-8")))
    assert wanted <= known, sorted(wanted - known)
