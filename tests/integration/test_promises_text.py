"""E and D7: hostile and broken text through the real doors: kept as it was written or refused in words, never obeyed."""

from __future__ import annotations

import json
import time
import unicodedata
from itertools import count

import pytest

from tests.integration.doors import Chat, Clerk, House, Page

_ids = count()


def kept(house: House, chat: Chat, body: bytes, id: str) -> str | None:
    """The text that is in the inbox for this message id; None where it was refused, with a sentence in Arabic."""
    before = house.one("SELECT count(*) FROM inbox")
    answer = chat.send(body)
    stored = house.rows("SELECT text FROM inbox WHERE message_id = ?", id)
    if answer.status_code == 202:
        assert len(stored) == 1
        return str(stored[0][0])
    assert answer.status_code in (400, 413, 422), answer.text
    said = answer.json()["error"]["text"]
    assert any("\u0621" <= c <= "\u064a" for c in said) and not {"Traceback", "utter_"} & set(said.split())
    assert stored == [] and house.one("SELECT count(*) FROM inbox") == before
    return None


LENGTHS = {
    "nothing": ("", False),
    "spaces": (" \n\t\u3000", False),
    "one letter": ("ص", True),
    "2,000": ("ص" * 2_000, True),
    "10,000": ("ص ب" * 3_333 + "ص", True),
    "10,001": ("ص" * 10_001, False),
    "100,000": ("ص" * 100_000, False),
    "1,000,000": ("x" * 1_000_000, False),
    "5,000 words": ("ص " * 4_999 + "ص", True),
    "20,000 words": ("ص " * 20_000, False),
    "one word of 10,000": ("و" * 10_000, True),
    "5,000 combining marks": ("ا" + "\u064b" * 5_000, True),
    "5,000 marks of other scripts": ("a" + "\u0301\u0489" * 2_500, True),
    "10,000 emoji": ("\U0001f600" * 10_000, True),
    "10,000 brackets": ("{[(<" * 2_500, True),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_any_length_at_the_chat(house: House, name: str) -> None:
    """E1: up to 10,000 characters are stored in full and answered; above that a refusal in words. Within two seconds."""
    text, fits = LENGTHS[name]
    chat, id = house.chat(), f"length-{next(_ids)}"
    begun = time.monotonic()
    found = kept(house, chat, json.dumps({"id": id, "text": text}, ensure_ascii=False).encode(), id)
    assert found == (text if fits else None)
    assert time.monotonic() - begun < 2
    if fits:
        assert chat.answers(seconds=5)[0].strip()


@pytest.mark.parametrize("door", ["note", "reply", "desk"])
def test_any_length_at_the_doors_of_staff(house: House, clerk: Clerk, door: str, ref: str) -> None:
    """E1: the same limits for programs and at the desk; what is kept is kept whole."""
    for text, fits in (
        LENGTHS[name] for name in ("nothing", "10,000", "10,001", "100,000", "5,000 combining marks", "10,000 brackets")
    ):
        before = house.ticket(ref)["version"]
        if door == "desk":
            answer = clerk.post(f"/desk/tickets/{ref}/note", text=text)
        else:
            answer = house.verb(ref, door, text=text)
        assert answer.status_code in ((200, 303) if fits else (413, 422)), (len(text), answer.text[:300])
        ticket = house.ticket(ref)
        assert ticket["version"] == before + fits
        if fits:
            assert ticket["history"][-1]["said"]["text"] == text.strip()


@pytest.fixture(scope="module")
def ref(shared: House) -> str:
    """A ticket that tests may change."""
    chat = shared.chat()
    return chat.file()


def body(id: str, inside: bytes) -> bytes:
    return b'{"id": "' + id.encode() + b'", "text": "' + inside + b'"}'


BYTES: dict[str, tuple[bytes, str | None]] = {
    "latin-1": (b"caf\xe9", None),
    "a byte that is none": (b"ab\xffcd", None),
    "a cut sequence": ("ص".encode()[:1], None),
    "overlong": (b"\xc0\xafetc", None),
    "a surrogate as bytes": (b"\xed\xa0\x80", None),
    "beyond unicode": (b"\xf4\x90\x80\x80", None),
    "windows-1256": ("شكوى".encode("cp1256"), None),
    "half a pair": (rb"a\ud83dc", "a\ufffdc"),
    "the other half": (rb"a\ude00c", "a\ufffdc"),
    "a pair the wrong way round": (rb"\ude00\ud83d!", "\ufffd\ufffd!"),
    "a whole pair": (rb"\ud83d\ude00", "\U0001f600"),
    "NUL": (rb"a\u0000b", "ab"),
    "a byte NUL": (b"a\x00b", None),
    "a line feed as a byte": (b"a\nb", None),
    "a mark of byte order": ("\ufeffشكوى".encode(), "\ufeffشكوى"),
    "non-characters": ("\ufdd0\uffff\U0001ffffx".encode(), "\ufdd0\uffff\U0001ffffx"),
    "four bytes": ("𓀀𝔘🇸🇦👩‍👩‍👧".encode(), "𓀀𝔘🇸🇦👩‍👩‍👧"),
    "controls": (rb"a\u0001\u001b[31mb\u007f", "a\x01\x1b[31mb\x7f"),
    "private use and tags": ("\ue000\U000e0041\U000f0000x".encode(), "\ue000\U000e0041\U000f0000x"),
    "separators": (rb"a\u2028b\u2029c\u0085d\r\n\r\ndata: e", "a\u2028b\u2029c\x85d\r\n\r\ndata: e"),
}


@pytest.mark.parametrize("name", BYTES)
def test_any_bytes_at_the_chat(house: House, name: str) -> None:
    """E2: bytes that are no text are refused in words; all text is kept but NUL and half pairs; the stream gives it back."""
    inside, expected = BYTES[name]
    chat, id = house.chat(), f"bytes-{next(_ids)}"
    assert kept(house, chat, body(id, inside), id) == expected
    if expected is not None:
        own, answer = chat.events(until=2)
        assert (own["kind"], own["text"]) == ("own", expected)
        assert answer["kind"] == "message" and answer["text"].strip()


def test_a_body_that_begins_with_a_mark_of_byte_order(house: House) -> None:
    """E2: Windows programs write one; it belongs to the encoding, not to the text. UTF-16 is refused in words."""
    chat, id = house.chat(), f"bytes-{next(_ids)}"
    assert kept(house, chat, b"\xef\xbb\xbf" + body(id, b"x"), id) == "x"
    id = f"bytes-{next(_ids)}"
    assert kept(house, chat, body(id, b"x").decode().encode("utf-16"), id) is None


@pytest.mark.parametrize("name", BYTES)
def test_any_bytes_at_the_doors_of_staff(house: House, clerk: Clerk, name: str, ref: str) -> None:
    """E2: JSON of programs and forms of the desk, urlencoded and multipart: stored or refused with a reason, never 500."""
    inside, _ = BYTES[name]
    token = {"Authorization": house.api_headers["Authorization"]}
    csrf = clerk.csrf.encode()
    percent = b"".join(b"%%%02x" % byte for byte in inside)
    boundary = b"--b\r\nContent-Disposition: form-data; name="
    parts = boundary + b'"csrf"\r\n\r\n' + csrf + b"\r\n" + boundary + b'"text"\r\n\r\n' + inside + b"\r\n--b--\r\n"
    for path, content, type in (
        (f"/api/v1/tickets/{ref}/note", b'{"text": "' + inside + b'"}', "application/json"),
        (f"/desk/tickets/{ref}/note", b"csrf=" + csrf + b"&text=" + percent, "application/x-www-form-urlencoded"),
        (f"/desk/tickets/{ref}/note", parts, "multipart/form-data; boundary=b"),
    ):
        before = house.ticket(ref)["version"]
        answer = clerk.http.post(
            path, content=content, headers={"Content-Type": type, **(token if "/api" in path else {})}
        )
        assert answer.status_code in (200, 303, 400, 403, 422), (path, answer.status_code, answer.text[:200])
        changed = house.ticket(ref)["version"] - before
        assert changed == (answer.status_code in (200, 303)), "changed where it says so, and only there"
        if changed:
            said = house.ticket(ref)["history"][-1]["said"]["text"]
            assert said and "\0" not in said and said.encode()
        else:
            assert len(answer.text) > 20
    assert clerk.get(f"/desk/tickets/{ref}").status_code == 200


COMMANDS = (
    "/restart", "/session_start", "/back", "/complaint", '/complaint{"text": "x"}', "/complaint@1.0", "EXTERNAL: complaint",
    "/press", '/press{"do":"begin","value":"complaint"}', "  /restart", "/slot{\"draft\": {}}", "/action_file_ticket", "utter_filed",
)  # fmt: skip


def test_a_forged_button_is_stored_as_text(house: House) -> None:
    """E4: of a payload that this conversation was never offered nothing is left but the words; nothing is done by it."""
    owner = house.chat()
    ref = owner.file()
    offered = {b["payload"] for e in owner.events() for b in e["buttons"]}
    assert '/press{"do":"person"}' in offered
    stranger = house.chat()
    forged = [f'/press{{"do":"withdraw_yes","ref":"{ref}"}}', f'/press{{"do":"status","ref":"{ref}"}}', *COMMANDS]
    forged = [payload for payload in forged if payload not in offered]
    tried = [(house.chat(), payload) for payload in offered] + [(stranger, payload) for payload in forged]
    for n, (person, payload) in enumerate(tried):
        assert person.post(payload=payload, id=f"forged-{n}").status_code == 202
    rows = house.rows("SELECT text, payload FROM inbox WHERE message_id LIKE 'forged-%' ORDER BY id")
    assert rows == [(payload, None) for _, payload in tried]
    said = stranger.answers(len(forged))
    assert house.ticket(ref)["version"] == 1 and not any(
        ref in words.replace(" ", "") for words in said if "withdraw" not in words
    )
    mine = "(SELECT conversation FROM inbox WHERE message_id LIKE 'forged-%')"
    assert house.one(f"SELECT count(*) FROM tickets WHERE conversation IN {mine}") == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_typed_command_is_words(house: House, command: str) -> None:
    """E4: what looks like a command of Rasa or of ours is kept as words and answered as such."""
    chat = house.chat()
    assert chat.post(command).status_code == 202
    said = " ".join(chat.answers())
    assert house.rows("SELECT payload FROM inbox WHERE text = ? ORDER BY id DESC LIMIT 1", command) == [(None,)]
    said = said.replace(command, "")
    assert "utter_" not in said and "action_" not in said


PLAIN = "أُقيمَت المنشأة في مدينة الرياض عام ١٤٤٥ على مسؤولية إدارة الاسكان"
SPELLINGS = {
    "as it is": PLAIN,
    "NFD": unicodedata.normalize("NFD", PLAIN),
    "NFKD": unicodedata.normalize("NFKD", PLAIN),
    "no vowels": "أقيمت المنشأة في مدينة الرياض عام ١٤٤٥ على مسؤولية إدارة الاسكان",
    "bare alef": PLAIN.translate(str.maketrans("أإآ", "ااا")),
    "ha for ta": PLAIN.replace("ة", "ه"),
    "ya without dots": PLAIN.replace("ي", "ى"),
    "persian ya and kaf": PLAIN.replace("ي", "ی").replace("ك", "ک"),
    "latin digits": PLAIN.replace("١٤٤٥", "1445"),
    "persian digits": PLAIN.replace("١٤٤٥", "۱۴۴۵"),
    "tatweel": PLAIN.replace("مدينة", "مـــدينـة"),
    "zero width inside": PLAIN.replace("مدينة", "مد\u200bي\u200cنة\u200f"),
    "isolates around": f"\u2067{PLAIN}\u2069",
    "soft hyphen and joiners": PLAIN.replace("الرياض", "الر\u00ad\u2060يا\ufeffض"),
}  # fmt: skip


@pytest.fixture(scope="module")
def spelled(shared: House) -> dict[str, str]:
    """The reference of a ticket for each spelling."""
    found = {}
    for name, text in SPELLINGS.items():
        chat = shared.chat()
        found[name] = chat.file(f"{text} {name}")
    return found


@pytest.mark.parametrize("name", SPELLINGS)
def test_any_spelling_finds_all_spellings(house: House, clerk: Clerk, spelled: dict[str, str], name: str) -> None:
    """E5: search by each spelling finds the tickets of all of them, for programs and at the desk; the text stays as written."""
    found = house.api("GET", "/tickets", params={"q": SPELLINGS[name], "limit": 100}).json()["tickets"]
    assert {t["ref"] for t in found} >= set(spelled.values())
    page = clerk.get("/desk", view="all", state="any", q=SPELLINGS[name]).text
    assert all(ref in page for ref in spelled.values())
    assert house.ticket(spelled[name])["text"] == f"{SPELLINGS[name]} {name}"
    other = house.api("GET", "/tickets", params={"q": "جده ١٤٤٥"}).json()["tickets"]
    assert other == [], "search finds what was asked for, not everything"


@pytest.mark.parametrize(
    "written",
    ["{0}", "{1} {2} {3}", "{1}-{2}-{3}", "٠{0}٠", "arabic", "persian", "fullwidth", "\u2066{1}\u00a0{2}\u202f{3}\u2069", "{1}\u200b{2}\u200e{3}", " {0} "],
)  # fmt: skip
def test_a_reference_however_it_is_written(house: House, clerk: Clerk, spelled: dict[str, str], written: str) -> None:
    """E5: one reference in any digits and grouping opens the same ticket, in paths and in the search box."""
    ref = spelled["as it is"]
    zero = {"arabic": "٠", "persian": "۰", "fullwidth": "０"}.get(written)
    if zero:
        given = "".join(chr(ord(zero) + int(d)) for d in ref)
    else:
        given = written.replace("٠", "").format(ref, ref[:4], ref[4:8], ref[8:])
    path = house.api("GET", f"/tickets/{given}")
    assert path.status_code == 200 and path.json()["ref"] == ref
    assert [t["ref"] for t in house.api("GET", "/tickets", params={"q": given}).json()["tickets"]] == [ref]
    assert f"{ref[:4]} {ref[4:8]} {ref[8:]}" in clerk.get(f"/desk/tickets/{given}").text


MARKUP = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'><svg/onload=alert(1)>", "</textarea><script>x</script>",
    "javascript:alert(1)", "[a](javascript:alert(1))", "<iframe srcdoc='<script>x</script>'>", "{{ 1337*1337 }}${1337*1337}<%= 1337*1337 %>#{1337*1337}",
    "<a href='https://evil.example'>اضغط هنا</a>", "<style>*{display:none}</style>", "<base href=//evil>", "<!--", "]]><x>", "&lt;b&gt;&amp;&#x27;",
    "\u202egnp.exe\u202c", "<math><mtext></form><form action=//evil><button>", "<meta http-equiv=refresh content=0;url=//evil>", "\x1b]8;;http://evil\x07",
)  # fmt: skip


@pytest.fixture(scope="module")
def marked(shared: House) -> tuple[Chat, str]:
    """A citizen who has filed the whole corpus as the words of one complaint, and its reference."""
    chat = shared.chat()
    return chat, chat.file("\n".join(MARKUP))


def test_markup_of_a_citizen_is_text_at_the_desk(house: House, clerk: Clerk, marked: tuple[Chat, str]) -> None:
    """D7: from the chat's door to the desk's pages: no element, attribute or link comes of what a person wrote."""
    _, ref = marked
    house.verb(ref, "note", text="\n".join(MARKUP))
    assert clerk.post(f"/desk/tickets/{ref}/note", text="\n".join(MARKUP)).status_code == 303
    refused = clerk.post(f"/desk/tickets/{ref}/extend", reason=MARKUP[1], until=MARKUP[0])
    assert refused.status_code == 422
    pages = [clerk.get(f"/desk/tickets/{ref}"), clerk.get("/desk", view="all", q=ref), refused]
    pages += [
        clerk.get("/desk", q=m, state=m, kind=m, category=m, view=m, cursor=m, done=m, gone=m, lang=m) for m in MARKUP
    ]
    pages += [clerk.http.get("/desk/login", params={"next": m, "lang": m}) for m in MARKUP]
    pages += [clerk.get(f"/desk/tickets/{m.encode().hex()}?{m}") for m in MARKUP[:3]]
    for answer in pages:
        assert answer.headers["content-type"].startswith("text/html")
        page = Page(answer.text)
        assert page.scripted() == [], answer.url
        assert "1787569" not in page.text, "what looks like a template is none"
    words = Page(pages[0].text).text
    for markup in MARKUP:
        shown = markup.replace("\u202e", "").replace("\u202c", "")
        assert shown in words or "\u202e" in markup, markup
    assert "\u202e" not in pages[0].text, "what turns a line around is shown, not obeyed"


def test_markup_of_staff_reaches_the_person_as_text(house: House, marked: tuple[Chat, str]) -> None:
    """D7: the stream is JSON of a type no browser renders; a reply's markup comes through as the characters it is."""
    chat, ref = marked
    assert house.verb(ref, "reply", text="\n".join(MARKUP)).status_code == 200
    with chat.http.stream("GET", "/chat/events", headers=chat.headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["x-content-type-options"] == "nosniff"
    heard = chat.answers(3)[2]
    assert [m for m in MARKUP if not {"\u202e", "\x1b"} & set(m) and m not in heard] == []
    own = chat.events(until=1)[0]["text"]
    assert own == "\n".join(MARKUP)


def test_answers_to_programs_are_never_html(house: House) -> None:
    """D7: JSON says that it is JSON, also where it quotes what was asked."""
    for markup in MARKUP:
        for answer in (
            house.api("GET", "/tickets", params={"state": markup}),
            house.api("GET", "/tickets", params={"q": markup}),
            house.api("POST", f"/tickets/6000000000/{markup.encode().hex()}", json={}),
        ):
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers["x-content-type-options"] == "nosniff"
