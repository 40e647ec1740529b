"""A house that a test started, and people and programs at its doors."""

from __future__ import annotations

import json
import re
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from html.parser import HTMLParser
from typing import Any

import httpx

from tests.running import REFERENCE, TOKEN, Sawt, eventually, plain

MATTER = "معاملة الترخيص الصناعي لها شهرين وما احد رد علي"
PASSWORD = "a-seed-password"


class House(Sawt):
    """The house without an assistant of ours."""

    def get(self, path: str) -> httpx.Response:
        try:
            return http(self.url).get(path, timeout=5)
        except httpx.HTTPError:
            return httpx.Response(599)

    @property
    def api_headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKEN}"}

    def api(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = self.api_headers | more.pop("headers", {})
        return http(self.url).request(method, f"/api/v1{path}", headers=headers, **more)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What is in its database now."""
        with closing(sqlite3.connect(self.data / "sawt.db", timeout=10)) as database:
            return database.execute(query, values).fetchall()

    def one(self, query: str, *values: Any) -> Any:
        return self.rows(query, *values)[0][0]

    def counts(self) -> dict[str, int]:
        """How many rows each table holds once nobody waits for an answer, less those that reading and probing writes."""
        eventually(
            lambda: self.one("SELECT count(*) FROM inbox WHERE finished_at IS NULL") == 0, 15, "all are answered"
        )
        tables = [
            r[0] for r in self.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        ]
        living = {"leases", "meta", "staff_sessions", "guesses", "audit", "seals"}
        return {name: self.one(f'SELECT count(*) FROM "{name}"') for name in tables if name not in living}

    def log(self) -> str:
        return (self.data / "house.log").read_text(encoding="utf-8", errors="replace")

    def chat(self, lang: str = "ar") -> Chat:
        return Chat(self.url, lang)


@cache
def http(url: str) -> httpx.Client:
    """One client for everybody who needs no cookies: making one takes longer than asking."""
    return httpx.Client(base_url=url, timeout=20, trust_env=False, verify=False)


class Chat:
    """A person at the web chat who reads the stream only when asked to."""

    def __init__(self, url: str, lang: str = "ar") -> None:
        self.http = http(url)
        self.token = self.http.post("/chat/sessions", json={"lang": lang}).json()["token"]
        self.headers = {"Authorization": f"Bearer {self.token}"}
        self._heard = 0

    def say(self, *texts: str, seconds: float = 15) -> list[str]:
        """All that the ministry's side has said, after each text was answered with something."""
        said: list[str] = []
        for text in texts:
            posted = self.post(text)
            assert posted.status_code == 202, posted.text
            self.told(self._heard + 1, seconds)
            said = [plain(e["text"]) for e in self.events() if e["kind"] == "message"]
            self._heard = len(said)
        return said

    def post(self, text: str | None = None, payload: str | None = None, id: str | None = None) -> httpx.Response:
        body = {"id": id or uuid.uuid4().hex} | ({"text": text} if payload is None else {"payload": payload})
        return self.http.post("/chat/messages", json=body, headers=self.headers)

    def send(self, body: bytes) -> httpx.Response:
        """Any bytes at the door for messages."""
        return self.http.post("/chat/messages", content=body, headers=self.headers)

    def events(self, after: str = "", until: int | None = None, seconds: float = 10) -> list[dict[str, Any]]:
        """Events after this one: the first `until` of them, or those that are there by now."""
        found: list[dict[str, Any]] = []
        headers = self.headers | ({"Last-Event-ID": after} if after else {})
        timeout = httpx.Timeout(seconds if until else 0.25, connect=10)
        try:
            with self.http.stream("GET", "/chat/events", headers=headers, timeout=timeout) as stream:
                assert stream.status_code == 200, stream.read()
                for event in read(within(seconds, stream.iter_lines())):
                    found += [event] if event["kind"] != "typing" else []
                    if until is not None and len(found) >= until:
                        break
        except httpx.ReadTimeout:
            assert until is None, f"{len(found)} of {until} events came: {found}"
        return found

    def answers(self, at_least: int = 1, seconds: float = 15) -> list[str]:
        """What the ministry's side has said, once it has said so much."""
        return [plain(e["text"]) for e in self.told(at_least, seconds)]

    def told(self, at_least: int, seconds: float = 15) -> list[dict[str, Any]]:
        """The first messages of the ministry's side, in order; AssertionError where they do not come."""
        found: list[dict[str, Any]] = []
        with self.http.stream("GET", "/chat/events", headers=self.headers, timeout=seconds) as stream:
            try:
                for event in read(within(seconds, stream.iter_lines())):
                    found += [event] if event["kind"] == "message" else []
                    if len(found) >= at_least:
                        return found
            except httpx.ReadTimeout:
                pass
        raise AssertionError(f"{len(found)} of {at_least} answers within {seconds:g} s: {found}")

    def file(self, text: str = MATTER) -> str:
        """The reference of a ticket with this text, filed through the menu."""
        assert self.post(text).status_code == 202
        button = '/press{"do":"begin","value":"complaint"}'
        assert button in [b["payload"] for b in self.told(1)[0]["buttons"]]
        assert self.post(payload=button).status_code == 202
        found = REFERENCE.search(self.answers(2)[1])
        assert found
        return found[1].replace(" ", "")


def within(seconds: float, lines: Iterator[str]) -> Iterator[str]:
    """The lines of so many seconds: a heartbeat must not keep a test waiting for ever."""
    end = time.monotonic() + seconds
    for line in lines:
        if time.monotonic() > end:
            raise httpx.ReadTimeout("the events did not come")
        yield line


def read(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The events of a stream's lines, each with the id that the stream gave it."""
    id, data = None, ""
    for line in lines:
        if line.startswith("id:"):
            id = line[3:].strip()
        elif line.startswith("data:"):
            data += line[5:].strip()
        elif not line and data:
            event = json.loads(data)
            assert id is None or id == event["id"]
            yield event
            id, data = None, ""


class Clerk:
    """A browser at the desk, signed in."""

    def __init__(self, url: str, email: str, password: str = PASSWORD) -> None:
        self.http = httpx.Client(base_url=url, timeout=20, trust_env=False, verify=False, headers={"Origin": url})
        page = self.http.get("/desk/login")
        data = {"email": email, "password": password, "csrf": _word(page.text), "next": "/desk"}
        answer = self.http.post("/desk/login", data=data)
        assert answer.status_code == 303, answer.text
        self.csrf = _word(self.http.get("/desk").text)

    def get(self, path: str, **params: str) -> httpx.Response:
        return self.http.get(path, params=params or None)

    def post(self, path: str, **fields: str) -> httpx.Response:
        """A form of the desk with its word."""
        return self.http.post(path, data={"csrf": self.csrf, **fields})

    def forms(self, path: str) -> dict[str, list[str]]:
        """The fields of each form on a page, by where it goes."""
        page = Page(self.get(path).text)
        return page.forms


def _word(html: str) -> str:
    found = re.search(r'name="csrf" value="(\w+)"', html)
    assert found, html[:300]
    return found[1]


class Page(HTMLParser):
    """A page as a browser reads it: its elements, its text, its links and forms."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.forms: dict[str, list[str]] = {}
        self._fields: list[str] = []
        self._said: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {k: v or "" for k, v in attrs}
        self.elements.append((tag, given))
        if tag == "form":
            self._fields = self.forms.setdefault(given.get("action", ""), [])
        elif tag in ("input", "select", "textarea") and "name" in given:
            self._fields.append(given["name"])

    def handle_data(self, data: str) -> None:
        self._said.append(data)

    @property
    def text(self) -> str:
        return "".join(self._said)

    @property
    def links(self) -> set[str]:
        """Where the page leads to and what it loads."""
        return {attrs[name] for _, attrs in self.elements for name in ("href", "src") if attrs.get(name)}

    def scripted(self) -> list[str]:
        """Whatever of this page could run or load what is not a file of ours."""
        found = []
        for tag, attrs in self.elements:
            found += [
                f"<{tag} {name}>"
                for name in attrs
                if name.startswith("on") or name in ("style", "srcdoc", "formaction")
            ]
            if tag in (
                "script",
                "style",
                "iframe",
                "object",
                "embed",
                "base",
                "svg",
                "math",
                "template",
                "form",
                "meta",
            ):
                ours = (
                    (tag == "script" and attrs.get("src", "").startswith("/"))
                    or tag == "form"
                    and attrs.get("action", "").startswith("/")
                )
                if not ours and not (tag == "meta" and attrs.get("http-equiv", "").lower() != "refresh"):
                    found.append(f"<{tag}>")
        for link in self.links:
            if not re.match(r"(/(?!/)|data:,$|#|\?|mailto:|tel:|https://(?!evil))", link):
                found.append(f"link to {link!r}")
        return found
