"""Headers, sizes, origins and speed: what every page of the house stands behind (promises D2, D6, F4)."""

from __future__ import annotations

import pytest
from chat_house import House, made
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from bot.web.security import BodyCap, Origins, SecurityHeaders, TokenBuckets, origin_of

PAGES = ["/", "/privacy", "/help", "/widget.js", "/nowhere", "/chat/events"]


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_carries_the_headers(path: str) -> None:
    answer = TestClient(made(House())).get(path)
    csp = answer.headers["content-security-policy"]
    for part in ("default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert part in csp
    assert "unsafe" not in csp
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "strict-transport-security" not in answer.headers, "http: a promise that cannot be kept"


def test_hsts_where_the_public_address_is_https() -> None:
    answer = TestClient(made(House(), public_url="https://desk.test")).get("/")
    assert answer.headers["strict-transport-security"].startswith("max-age=31536000")


def test_what_says_nothing_of_caching_is_not_stored() -> None:
    assert TestClient(made(House())).get("/nowhere").headers["cache-control"] == "no-store"


def small_app(**cap: object) -> TestClient:
    app = FastAPI()
    app.add_middleware(BodyCap, limit=100, **cap)  # type: ignore[arg-type]
    app.add_middleware(SecurityHeaders, public_url="http://x")

    @app.post("/{path:path}")
    async def read(request: Request) -> Response:
        return Response(str(len(await request.body())))

    @app.post("/parsed", include_in_schema=False)
    async def parsed(body: dict[str, str]) -> Response:
        return Response("ok")

    return TestClient(app)


@pytest.mark.parametrize(("size", "status"), [(0, 200), (100, 200), (101, 413), (1_000_000, 413)])
def test_the_cap_holds_for_announced_and_unannounced_bodies(size: int, status: int) -> None:
    client = small_app()
    announced = client.post("/a", content=b"x" * size)
    streamed = client.post("/a", content=iter([b"x" * 50] * (size // 50) + [b"x" * (size % 50)]))
    assert (announced.status_code, streamed.status_code) == (status, status)
    assert "content-security-policy" in streamed.headers
    assert client.post("/parsed", content=b"x" * (size or 200)).status_code in (413, 422, 200)


def test_a_door_may_take_more() -> None:
    client = small_app(larger={"/chat/files": 1000})
    assert client.post("/chat/files", content=b"x" * 1000).status_code == 200
    assert client.post("/chat/files", content=b"x" * 1001).status_code == 413
    assert client.post("/chat", content=b"x" * 1000).status_code == 413


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Desk.Example/", "https://desk.example"),
        ("https://desk.example:443/chat?x", "https://desk.example"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
    ],
)
def test_an_origin_is_written_as_browsers_do(url: str, origin: str) -> None:
    assert origin_of(url) == origin


def test_on_loopback_every_name_of_it_is_ours() -> None:
    origins = Origins("http://127.0.0.1:8000")
    assert origins.judge({"origin": "http://localhost:8000"}) == "allowed"
    assert origins.judge({"origin": "http://[::1]:8000"}) == "allowed"
    assert origins.judge({"origin": "http://localhost:8001"}) == "refused"


def test_named_origins_take_the_place_of_our_own() -> None:
    origins = Origins("https://desk.test", ["https://partner.test/", " "])
    assert origins.judge({"origin": "https://partner.test"}) == "allowed"
    assert origins.judge({"origin": "https://desk.test"}) == "refused"
    assert origins.judge({}) == "program"


def test_a_bucket_fills_again() -> None:
    now = [0.0]
    buckets = TokenBuckets(capacity=3, rate=0.5, clock=lambda: now[0])
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 2]
    now[0] = 1.9
    assert buckets.take("a") == 1
    now[0] = 2.0
    assert buckets.take("a") == 0
    now[0] = 1000.0
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 2]


def test_buckets_forget_the_longest_unused() -> None:
    buckets = TokenBuckets(capacity=1, rate=1, keep=2, clock=lambda: 0.0)
    for key in "abc":
        assert buckets.take(key) == 0
    assert buckets.take("c") == 1
    assert buckets.take("a") == 0


@given(st.lists(st.floats(min_value=0, max_value=5), max_size=60))
def test_no_more_pass_than_capacity_and_rate_allow(pauses: list[float]) -> None:
    now = [0.0]
    buckets = TokenBuckets(capacity=5, rate=1, clock=lambda: now[0])
    passed = 0
    for pause in pauses:
        now[0] += pause
        passed += buckets.take("a") == 0
    assert passed <= 5 + now[0] + 1e-6
