"""F4, F6, G1 and the matrix of routes: every page that can be reached, every parameter that can be named."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from bot import settings as settings_
from bot import wiring
from bot.handlers.house import PRIVACY
from bot.web.app import public_app
from bot.web.desk.queue import FILTERS
from tests.integration.doors import Chat, Clerk, House, Page, http
from tests.running import eventually, free_port

# Routes


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """The application that faces the internet, as the process builds it."""
    folder = tmp_path_factory.mktemp("routes")
    made = settings_.load(
        data_dir=folder, port=free_port(), rasa_port=free_port(), actions_port=free_port(), database_url=""
    )
    rooms = wiring.build(made)
    yield public_app(rooms, rooms.assistant(), rooms.dispatcher().news)
    rooms.engine.dispose()


def routes(app: FastAPI) -> list[Any]:
    """Every route of the application, however deep it is included; less the local provider's, which only plays."""

    def walk(found: Any) -> Iterator[Any]:
        for route in found:
            if getattr(route, "path", "") == "/simulator":
                continue
            inner = getattr(getattr(route, "original_router", None), "routes", None) or getattr(route, "routes", None)
            yield from walk(inner) if inner else [route]

    return list(walk(app.routes))


STATIC = {"/", "/widget.js", "/chat/chat.css", "/privacy", "/help", "/site.css", "/icon.svg"}
PROBES = {"/health/live", "/health/ready", "/metrics"}
CHAT = {("POST", "/chat/sessions"), ("POST", "/chat/messages"), ("POST", "/chat/files"), ("GET", "/chat/events")}
HOOKS = {("POST", "/webhooks/twilio"), ("POST", "/webhooks/twilio/status"), ("POST", "/webhooks/telegram")}
"""Guarded by the providers' signatures: their own tests."""
CHAT |= {("OPTIONS", path) for _, path in CHAT}
DECLARED = {
    ("GET", "/desk/static/{name}"),
    ("GET", "/desk/login"),
    ("POST", "/desk/login"),
    ("GET", "/desk/login/code"),
    ("POST", "/desk/login/code"),
    ("GET", "/api/openapi.json"),
}


def test_every_route_is_public_by_declaration_or_guarded(app: FastAPI) -> None:
    """F1: pages that are the same for everybody, probes and the chat's own doors are named here; all else has a guard."""
    for route in routes(app):
        assert isinstance(route, APIRoute), f"{route} is a route that no guard can stand before"
        for method in route.methods - {"HEAD"}:
            guarded = any(getattr(d.call, "guarded", None) for d in route.dependant.dependencies)
            declared = bool(getattr(route.endpoint, "public", False))
            if route.path in STATIC | PROBES:
                assert method == "GET" and not guarded
            elif (method, route.path) in CHAT:
                assert route.path.startswith("/chat/")
            elif (method, route.path) in HOOKS:
                assert not guarded
            elif declared:
                assert (method, route.path) in DECLARED
            else:
                assert guarded, f"{method} {route.path} does not say who may use it"
                assert route.path.startswith(("/desk", "/api/v1/"))


def test_what_is_guarded_is_closed_to_strangers(app: FastAPI, house: House) -> None:
    """F1: without a session, a token or a chat's token every guarded route answers 401 or leads to the sign-in."""
    tried = 0
    for route in routes(app):
        for method in route.methods - {"HEAD", "OPTIONS"}:
            open_ = route.path in STATIC | PROBES or (method, route.path) in DECLARED | {("POST", "/chat/sessions")}
            if open_:
                continue
            path = re.sub(r"\{\w+\}", "6000000000", route.path)
            for headers in (
                {},
                {"Authorization": "Bearer x"},
                {"Cookie": "sawt_desk=x; __Host-sawt_desk=x"},
                {"Authorization": "Basic eDp5"},
            ):
                answer = httpx.request(method, house.url + path, headers=headers, trust_env=False, verify=False)
                if (method, route.path) in HOOKS:
                    assert answer.status_code == 403, path
                    continue
                assert answer.status_code == 401 or answer.headers.get("location", "").startswith("/desk/login"), (
                    method,
                    path,
                )
                tried += 1
    assert tried >= 4 * 10


def test_the_local_provider_is_in_no_house_with_accounts(tmp_path: Path) -> None:
    """Whoever can reach it can speak as anybody."""
    account = {"twilio_account_sid": "AC" + "a" * 32, "twilio_auth_token": "t", "twilio_sms_from": "+15005550009"}
    rooms = wiring.build(settings_.load(data_dir=tmp_path, **account))
    paths = [
        getattr(route, "path", "") for route in public_app(rooms, rooms.assistant(), rooms.dispatcher().news).routes
    ]
    rooms.engine.dispose()
    assert not [path for path in paths if path.startswith("/simulator")]


def test_the_description_names_the_doors_for_programs_and_no_other(house: House) -> None:
    """interface.md: /api/openapi.json holds /api/v1, says that a token is needed, and no route of FastAPI's own is open."""
    described = http(house.url).get("/api/openapi.json").json()
    assert set(described["paths"]) == {"/api/v1/tickets", "/api/v1/tickets/{ref}", "/api/v1/tickets/{ref}/{verb}"}
    assert (
        described["security"] == [{"token": []}]
        and described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    )
    for path in (
        "/docs",
        "/redoc",
        "/openapi.json",
        "/docs/oauth2-redirect",
        "/.env",
        "/.git/config",
        "/desk/static/../../log.py",
    ):
        assert http(house.url).get(path).status_code == 404, path


# F4


@pytest.fixture(scope="module")
def ref(shared: House) -> str:
    """A ticket with a conversation, a reply and a note."""
    found = shared.chat().file()
    assert shared.verb(found, "reply", text="وصلنا").status_code == 200
    return found


def headers_of(answer: httpx.Response) -> None:
    """The headers of F4 that hold for every answer."""
    where = f"{answer.request.method} {answer.url} {answer.status_code}"
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    for name in ("default-src", "object-src", "base-uri", "frame-ancestors"):
        assert policy[name] == "'none'", where
    for name in ("script-src", "style-src", "connect-src", "form-action", "media-src"):
        assert policy[name] == "'self'", where
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff", where
    assert answer.headers["referrer-policy"] in ("same-origin", "no-referrer", "strict-origin"), where
    assert answer.headers["cross-origin-opener-policy"] == "same-origin", where
    assert "x-powered-by" not in answer.headers and "uvicorn" not in answer.headers.get("server", "").lower(), where
    assert "set-cookie" not in answer.headers or "httponly" in answer.headers["set-cookie"].lower(), where


def crawl(client: httpx.Client, start: str) -> dict[str, httpx.Response]:
    """Every page and file of ours that links lead to from here, by GET."""
    seen: dict[str, httpx.Response] = {}
    waiting = [start]
    while waiting:
        path = waiting.pop(0)
        if path in seen or len(seen) > 150:
            continue
        seen[path] = answer = client.get(path, follow_redirects=True)  # the next ticket is a way to another page
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        for link in Page(answer.text).links:
            parts = urlsplit(urljoin(path, link))
            if not parts.netloc and not parts.scheme:
                waiting.append(parts.path + (f"?{parts.query}" if parts.query else ""))
    return seen


def test_every_page_that_can_be_reached_carries_the_headers(house: House, clerk: Clerk, ref: str) -> None:
    """F4: crawled from / as anybody and from /desk signed in: headers everywhere, nothing inline, what is personal is
    stored nowhere, and every link leads somewhere."""
    public, inside = crawl(http(house.url), "/"), crawl(clerk.http, "/desk?view=all")
    assert {"/", "/?lang=en", "/?lang=zh", "/privacy", "/help"} <= set(public) and f"/desk/tickets/{ref}" in inside
    assert any(path.startswith("/widget.js") for path in public) and any(
        path.startswith("/desk/static/desk.js") for path in inside
    )
    assert {"/desk/channels", "/desk/questions"} <= set(inside)
    sent = {path: inside.pop(path) for path in list(inside) if path.startswith("/desk/files/")}
    for path, answer in sent.items():  # what people sent runs nothing and loads nothing, not even from us
        assert answer.status_code == 200, path
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox", path
        assert answer.headers["cache-control"] == "private, no-store", path
    for path, answer in (public | inside).items():
        assert answer.status_code == 200, (path, answer.status_code)
        headers_of(answer)
        if answer.headers["content-type"].startswith("text/html"):
            assert Page(answer.text).scripted() == [], path
            assert re.search(r"<html lang=\"\w\w\" dir=\"(rtl|ltr)\"", answer.text), path
    for path, answer in inside.items():
        if path.startswith("/desk") and "/static/" not in path:
            assert answer.headers["cache-control"] == "no-store", path


def test_what_is_no_page_carries_them_too(house: House, clerk: Clerk, ref: str) -> None:
    """F4: refusals, redirects, data and the stream; personal data is stored nowhere on the way."""
    chat, client = house.chat(), http(house.url)
    chat.post("كلام")
    answers = [
        client.get("/nothing"), client.get("/desk"), client.get("/desk/nothing"), client.put("/"), client.post("/desk/logout"),
        clerk.get("/desk/tickets/6000000000"), clerk.get(f"/desk/tickets/{ref}/version"), clerk.post(f"/desk/tickets/{ref}/dance"),
        clerk.http.post(f"/desk/tickets/{ref}/note", data={"text": "x"}), client.post("/desk/login", data={"email": "x"}),
        client.post("/chat/messages", content=b"x" * 70_000), client.post("/chat/messages", headers=chat.headers, content=b"{"),
        client.options("/chat/messages"), client.post("/chat/sessions"), client.get("/api/v1/tickets"), client.get("/api/openapi.json"),
        house.api("GET", "/tickets"), house.api("GET", f"/tickets/{ref}"), house.api("POST", f"/tickets/{ref}/note", json={}),
        client.get("/health/ready"), client.get("/metrics"), client.get("/%00"), client.get("/" + "a" * 8_000), client.get("/?lang=%ff"),
    ]  # fmt: skip
    with client.stream("GET", "/chat/events", headers=chat.headers) as stream:
        answers.append(stream)
    for answer in answers:
        assert answer.status_code < 500, answer.url
        headers_of(answer)
        if answer.url.path not in ("/", "/api/openapi.json"):
            assert answer.headers["cache-control"] == "no-store", answer.url


async def test_what_nobody_foresaw_carries_them_too(tmp_path: Path) -> None:
    """F4: a 500 has the headers of every answer, a sentence and no more, and ends its connection."""
    made = settings_.load(data_dir=tmp_path, database_url="", secret_key="k" * 40, assistant_secret="s" * 40)
    rooms = wiring.build(made)
    rooms.doors.create_api_token("p", "p", "a-token", ["tickets:read"], rooms.clock())
    with rooms.engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        for table in ("tickets", "staff_sessions"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
    transport = httpx.ASGITransport(public_app(rooms, rooms.assistant(), rooms.dispatcher().news))
    async with httpx.AsyncClient(transport=transport, base_url=made.public_url) as client:
        api = await client.get("/api/v1/tickets", headers={"Authorization": "Bearer a-token"})
        desk = await client.get("/desk", headers={"Cookie": "sawt_desk=x"})
    rooms.engine.dispose()
    assert api.json()["error"]["code"] == "failed" and re.search("[\u0621-\u064a]", desk.text)
    for answer in (api, desk):
        assert (answer.status_code, answer.headers["connection"], answer.headers["cache-control"]) == (
            500,
            "close",
            "no-store",
        )
        headers_of(answer)
        assert not LEAKS.search(answer.text)


async def test_hsts_where_the_public_address_is_https(tmp_path: Path) -> None:
    """F4: with PUBLIC_URL=https://… HSTS holds for a year on every answer, and the desk's cookies are __Host-, Secure."""
    secrets = {"secret_key": "kA9-vT4_mQ7zLr2XwB8eNc5YhJ3uPd6F", "assistant_secret": "Zx1-cV8_bN5mQw9ErT2yUi4OpA7sDf3G"}
    made = settings_.load(
        data_dir=tmp_path, public_url="https://sawt.example.gov.sa", seed_password="", api_token="", **secrets
    )
    rooms = wiring.build(made)
    transport = httpx.ASGITransport(public_app(rooms, rooms.assistant(), rooms.dispatcher().news))
    async with httpx.AsyncClient(transport=transport, base_url="https://sawt.example.gov.sa") as client:
        for path in ("/", "/desk/login", "/api/v1/tickets", "/nothing", "/desk", "/health/live"):
            answer = await client.get(path)
            assert re.search(r"max-age=(\d{8,})", answer.headers["strict-transport-security"])
            headers_of(answer)
        cookies = (await client.get("/desk/login")).headers.get_list("set-cookie")
    rooms.engine.dispose()
    assert cookies and all(
        c.startswith("__Host-") and {"Secure", "HttpOnly", "Path=/"} <= set(c.split("; ")) for c in cookies
    )


# F6


ATTACKS = (
    "'", '"', "\\", "%", "_", "%%%%", "' OR '1'='1", "1) OR 1=1--", "'; DROP TABLE tickets; --", "' UNION SELECT password_hash,1,1 FROM staff--",
    '" OR ""="', "x' AND (SELECT count(*) FROM tickets,tickets,tickets,tickets)>0 AND 'a'='a", "'||(SELECT sqlite_version())||'", "1;SELECT pg_sleep(5)--",
    "$(sleep 5)", "`sleep 5`", "|| sleep 5 #", "../../../../etc/passwd", "..%2f..%2f.env", "file:///etc/passwd", "http://127.0.0.1:5055/webhook",
    "{{7*7}}", "${jndi:ldap://127.0.0.1/a}", "%s%n%x", "\r\nSet-Cookie: a=b", "\u0000", "\ud7ff\ue000", "٠٠٠", "-1", "1e400", "NaN", "null", "[]", "{}",
    "9" * 400, "a" * 5_000, "*", "NEAR(a b)", 'a" OR "b', "__proto__", "\u202e\u2066",
)  # fmt: skip
LEAKS = re.compile(
    r"Traceback|sqlalchemy|sqlite3?\.|psycopg|File \"/|root:x:0|\$argon2|near \"|syntax error|OperationalError", re.I
)


class Attacked:
    """Sends each attack to a place, and sees that nothing came of it."""

    def __init__(self, house: House) -> None:
        self.house, self.tried = house, 0

    def look(self, answer: httpx.Response, begun: float, attack: str) -> None:
        where = f"{answer.request.method} {answer.request.url!s:.200} {attack!r:.60}"
        assert answer.status_code < 500, (where, answer.text[:300])
        assert time.monotonic() - begun < 2, f"slow: {where}"
        leaked = LEAKS.search(answer.text.replace(attack, ""))
        assert not leaked, (where, leaked)
        assert "a=b" not in answer.headers.get("set-cookie", ""), where
        self.tried += 1

    def each(self, send: Callable[[str], httpx.Response], attacks: tuple[str, ...] = ATTACKS) -> list[httpx.Response]:
        found = []
        for attack in attacks:
            begun = time.monotonic()
            found.append(send(attack))
            self.look(found[-1], begun, attack)
        return found


@pytest.fixture
def attacked(house: House, ref: str) -> Iterator[Attacked]:
    """Afterwards every table is there and holds what it held, and the ticket is as it was."""
    # Words that others left undecided are filed after a minute: not in the middle of an attack.
    undecided = "SELECT count(*) FROM conversations WHERE menu"
    eventually(lambda: house.one(undecided) == 0, 90, "nothing is undecided")
    before, ticket = house.counts(), house.ticket(ref)
    sealed = house.one("SELECT group_concat(password_hash) FROM staff")
    found = Attacked(house)
    yield found
    assert house.counts() == before and house.ticket(ref) == ticket
    assert house.one("SELECT group_concat(password_hash) FROM staff") == sealed
    assert found.tried > 30


def test_every_parameter_of_every_route_that_programs_have(house: House, attacked: Attacked, ref: str) -> None:
    """F6: path, query and header of each operation in openapi.json; a filter that is no filter gives no ticket away."""
    described = http(house.url).get("/api/openapi.json").json()
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", ()):
                where, name = parameter["in"], parameter["name"]
                send = _sender(house, path, method, where, name, ref)
                for attack, answer in zip(ATTACKS, attacked.each(send), strict=True):
                    if (
                        where == "query"
                        and name not in ("limit", "state")
                        and answer.status_code == 200
                        and attack.strip("*%_\\\"'[]{}-")
                    ):
                        assert answer.json()["tickets"] == [] or name == "q", (name, attack)


def _sender(house: House, path: str, method: str, where: str, name: str, ref: str) -> Callable[[str], httpx.Response]:
    """Sends an attack as this parameter; everything else is as it should be, and changes nothing."""
    fixed = path.removeprefix("/api/v1").replace(
        "{verb}", "nothing" if where == "path" and name != "verb" else "{verb}"
    )
    fixed = fixed if name == "verb" else fixed.replace("{verb}", "note")

    def send(attack: str) -> httpx.Response:
        target = fixed.replace(f"{{{name}}}", quote(attack, safe="")) if where == "path" else fixed
        target = target.replace("{ref}", ref if where == "path" else "6000000000")
        more: dict[str, Any] = {"params": {name: attack}} if where == "query" else {}
        if where == "header":
            more = {"headers": {name: quote(attack, safe=" '\"();|*$`")[:8_000]}}
        if method == "post":
            more["json"] = {"text": "x"}
        return house.api(method.upper(), target, **more)

    return send


def test_every_field_of_a_programs_body(house: House, attacked: Attacked, ref: str) -> None:
    """F6: each field of the body, as text and as something else: refused by name; words alone are words."""
    described = http(house.url).get("/api/openapi.json").json()
    fields = described["components"]["schemas"]["Said"]["properties"]
    assert {
        "text",
        "unit",
        "staff",
        "until",
        "reason",
        "body",
        "kind",
        "category",
        "subcategory",
        "service",
        "rating",
    } <= set(fields)
    verbs = {"unit": "transfer", "staff": "assign", "until": "extend", "body": "redirect", "rating": "rate"}
    for name in set(fields) - {"text", "reason", "subcategory"}:
        verb = verbs.get(name, "classify")
        reason = {"reason": "x"} if verb in ("transfer", "extend") else {}
        for answer in attacked.each(
            lambda a, n=name, v=verb, r=reason: house.api("POST", f"/tickets/{ref}/{v}", json={n: a, **r})
        ):
            assert answer.status_code in (404, 409, 422), (name, answer.text[:200])
        for odd in (True, 1, 1.5, [], {}, ["x"], {"$ne": 1}, "x" * 20_000):
            answer = house.api("POST", f"/tickets/{ref}/{verb}", json={name: odd, **reason})
            assert answer.status_code in (404, 409, 413, 422), (name, odd, answer.text[:200])


def test_what_is_nothing_but_nul_says_nothing(house: House, clerk: Clerk, ref: str) -> None:
    """E2: NUL is kept nowhere, so a note of nothing else is an empty one: refused, not stored without words."""
    before = house.ticket(ref)["version"]
    assert house.verb(ref, "note", text="\0\0").status_code == 422
    assert house.verb(ref, "classify", category="\0").status_code == 422
    assert clerk.post(f"/desk/tickets/{ref}/note", text=" \0 ").status_code == 422
    assert house.ticket(ref)["version"] == before


def test_every_parameter_of_the_desk(house: House, clerk: Clerk, attacked: Attacked, ref: str) -> None:
    """F6: every query parameter of the list and the sign-in, every path, every field of every form that is on the pages."""
    page = clerk.get("/desk")
    asked = {name for action, fields in Page(page.text).forms.items() if action == "/desk" for name in fields}
    for name in asked | {"view", "cursor", "lang", "done", "gone", "next"}:
        some = ATTACKS if name in ("q", "cursor", "state", "gone") else ATTACKS[::4]
        attacked.each(lambda a, n=name: clerk.get("/desk", **{n: a}), some)
        assert name in {"view", "q", "state", "cursor", "lang", "done", "gone", "next", *FILTERS}, (
            "a parameter without a test"
        )
    for name in ("next", "lang"):
        for answer in attacked.each(lambda a, n=name: clerk.http.get("/desk/login", params={n: a}), ATTACKS[::2]):
            assert answer.status_code == 200
    for path in (
        "/desk/tickets/{}",
        "/desk/tickets/{}/version",
        "/desk/static/{}",
        "/desk/files/{}",
        "/desk/channels/aside/{}/seen",
        f"/desk/tickets/{ref}/{{}}",
        "/desk/{}",
    ):
        for answer in attacked.each(lambda a, p=path: clerk.http.get(p.format(quote(a, safe=""))), ATTACKS[::2]):
            assert answer.status_code in (303, 400, 404, 405), (path, answer.status_code)
    csrf = clerk.csrf
    forms = clerk.forms(f"/desk/tickets/{ref}")
    tried = set()
    for action, fields in forms.items():
        for name in set(fields) - {"csrf", "text", "reason", "q"}:
            if not action.startswith("/desk/tickets/"):
                continue
            if name in ("seen", "subcategory"):  # a version that is none is no version; the other has a test of its own
                continue
            tried.add(name)
            data = {"csrf": csrf, "reason": "x"}
            for answer in attacked.each(
                lambda a, w=action, n=name, d=data: clerk.http.post(w, data={**d, n: a}), ATTACKS[::3]
            ):
                assert answer.status_code in (409, 422), (action, name, answer.status_code)
    assert {"unit", "staff", "body", "kind", "category", "service"} <= tried
    for answer in attacked.each(lambda a: clerk.http.post(f"/desk/tickets/{ref}/note", data={"csrf": a, "text": "x"})):
        assert answer.status_code == 403


def test_signing_in_with_anything(house: House, attacked: Attacked) -> None:
    """F6: no e-mail, password or place to go to opens a session or leads away; guessing is slowed down meanwhile."""
    with httpx.Client(base_url=house.url, trust_env=False, verify=False, headers={"Origin": house.url}) as client:
        word = client.get("/desk/login").text.split('name="csrf" value="')[1].split('"')[0]
        for name in ("email", "password", "next"):

            def send(attack: str, name: str = name) -> httpx.Response:
                return client.post(
                    "/desk/login",
                    data={"email": "nobody", "password": "x", "next": "/desk", "csrf": word, name: attack},
                )

            for answer in attacked.each(send, ATTACKS[:12]):
                assert answer.status_code in (401, 403, 429) and "sawt_desk=" not in answer.headers.get(
                    "set-cookie", ""
                )
    house_rows = house.rows("SELECT who FROM guesses")
    assert all(re.fullmatch(r"desk [0-9a-f]{64}|\w{32}", row[0]) for row in house_rows), (
        "guesses are counted without names"
    )


# G1


@pytest.mark.parametrize("lang", ["ar", "en", "zh"])
def test_the_notice_stands_before_the_first_word_and_is_recorded(house: House, lang: str) -> None:
    """G1: the page says who speaks and the privacy sentence with its version and a link, before anything is written; the
    conversation keeps which version was shown and when, not later than the first message."""
    page = http(house.url).get("/", params={"lang": lang} if lang != "ar" else None).text
    text = re.sub("[\u2066-\u2069]", "", Page(page).text)
    sentence = re.search(r'<span class="privacy">(.*?)</span>', page, re.S)
    assert sentence and PRIVACY in re.sub("<.*?>|[\u2066-\u2069]", "", sentence[1])
    link = re.search(r'href="(/privacy[^"]*)"', sentence[1])
    assert link and page.index('class="privacy"') < page.index("<sawt-")
    words = {
        "ar": ("مساعد آلي", "روبوت", "آلي", "بوت"),
        "en": ("automated", "bot", "assistant"),
        "zh": ("机器人", "自动", "助手"),
    }[lang]
    assert any(word in text for word in words), "it says that a machine speaks"
    notice = re.sub("[\u2066-\u2069]", "", Page(http(house.url).get(link[1]).text).text)
    assert PRIVACY in notice and len(notice) > 500
    chat = Chat(house.url, lang)
    assert house.rows("SELECT 1 FROM inbox WHERE message_id = ?", f"first-{lang}") == []
    chat.post("1", id=f"first-{lang}")
    query = "SELECT notice_version, notice_at, received_at FROM conversations c JOIN inbox i ON i.conversation = c.id WHERE message_id = ?"
    version, shown, received = house.rows(query, f"first-{lang}")[0]
    assert version == PRIVACY and shown and shown <= received


def test_the_embedded_widget_leads_to_the_notice(house: House) -> None:
    """G1: on another site's page, where ours is not around it, the widget itself says who speaks and leads to /privacy."""
    script = http(house.url).get("/widget.js").text
    assert '"/privacy"' in script and "link_privacy" in script and "BASE" in script
