"""Every fault of the local provider, as the real SDKs feel it, and what is counted."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime

import pytest

from channels.contract import Address, Failure, Outgoing, Provider, SendFailed
from channels.simulator.faults import Fault, Faults
from channels.telegram.provider import Telegram
from channels.twilio.provider import Twilio
from tests.unit.channels.test_simulator import (
    AUTH,
    BOT_TOKEN,
    LI_T,
    MARYAM,
    SARA,
    SARA_T,
    SECRET,
    SID,
    SMS,
    WHATSAPP,
    Stage,
    stages,
)

TEXT = "تم تسجيل شكواك"
PEOPLE = {"sms": MARYAM, "whatsapp": SARA, "telegram": SARA_T}


@pytest.fixture(scope="module")
def make_stage() -> Iterator[Callable[..., Stage]]:
    with stages() as make:
        yield make


@pytest.fixture
def stage(make_stage: Callable[..., Stage]) -> Stage:
    return make_stage()


class Providers:
    """The house's adapters over the real SDKs, each made when it is needed."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._made: dict[str, Provider] = {}

    def __getitem__(self, scheme: str) -> Provider:
        name = "telegram" if scheme == "telegram" else "twilio"
        if name not in self._made:
            stage = self._stage
            made = {
                "twilio": lambda: Twilio(SID, [AUTH], WHATSAPP, SMS, stage.url, stage.house.url),
                "telegram": lambda: Telegram(BOT_TOKEN, SECRET, stage.url),
            }
            self._made[name] = made[name]()
        return self._made[name]

    async def close(self) -> None:
        for provider in self._made.values():
            await provider.close()


@pytest.fixture
async def providers(stage: Stage) -> AsyncIterator[Providers]:
    stage.world.person("whatsapp", SARA).wrote_at = stage.world.clock()
    providers = Providers(stage)
    yield providers
    await providers.close()


async def send(providers: Providers, scheme: str, text: str = TEXT, person: str = "") -> str:
    message = Outgoing(7, Address(scheme, person or PEOPLE[scheme]), text)
    return (await providers[scheme].send(message)).provider_id


async def failing(providers: Providers, scheme: str) -> SendFailed:
    with pytest.raises(SendFailed) as caught:
        await send(providers, scheme)
    return caught.value


every_scheme = pytest.mark.parametrize("scheme", list(PEOPLE))
told_schemes = pytest.mark.parametrize("scheme", ["sms", "whatsapp"])


@every_scheme
async def test_nothing_goes_wrong_by_itself(stage: Stage, providers: Providers, scheme: str) -> None:
    await send(providers, scheme)
    assert stage.arrived(scheme, PEOPLE[scheme]) == [TEXT]


@every_scheme
async def test_a_failing_provider_accepts_nothing(stage: Stage, providers: Providers, scheme: str) -> None:
    stage.fault("status", status=500, times=2)
    for _ in range(2):
        failure = await failing(providers, scheme)
        assert (failure.kind, failure.maybe_sent) == (Failure.UNREACHABLE, True)
    assert stage.arrived(scheme, PEOPLE[scheme]) == []
    await send(providers, scheme)
    assert stage.get("counts")["outcomes"] == {"500": 2, "200" if scheme == "telegram" else "201": 1}


@every_scheme
async def test_a_throttled_send_says_when_to_come_again(stage: Stage, providers: Providers, scheme: str) -> None:
    stage.fault("status", status=429, retry_after=3)
    failure = await failing(providers, scheme)
    assert (failure.kind, failure.retry_after) == (Failure.THROTTLED, 3.0)


@told_schemes
async def test_a_refusal_has_the_code_that_was_asked_for(stage: Stage, providers: Providers, scheme: str) -> None:
    stage.fault("status", status=400, code=21610)
    failure = await failing(providers, scheme)
    assert (failure.kind, failure.code) == (Failure.STOPPED, "21610")


async def test_telegram_can_refuse_otherwise_too(stage: Stage, providers: Providers) -> None:
    for status, kind in ((502, Failure.UNREACHABLE), (401, Failure.MISCONFIGURED), (429, Failure.THROTTLED)):
        stage.fault("status", status=status)
        failure = await failing(providers, "telegram")
        assert (failure.kind, failure.retry_after) == (kind, None)


@every_scheme
async def test_what_hangs_is_taken_late_by_who_waits(stage: Stage, providers: Providers, scheme: str) -> None:
    stage.fault("hang", seconds=0.2)
    began = time.monotonic()
    await send(providers, scheme)
    assert time.monotonic() - began >= 0.2 and stage.arrived(scheme, PEOPLE[scheme]) == [TEXT]


@every_scheme
async def test_what_hangs_is_not_taken_from_who_has_gone(
    stage: Stage, providers: Providers, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for adapter in ("twilio", "telegram"):
        monkeypatch.setattr(f"channels.{adapter}.wire.SECONDS", 0.1)
    stage.fault("hang", seconds=0.3)
    assert (await failing(providers, scheme)).maybe_sent
    stage.eventually(lambda: stage.world.outcomes == {"lost": 1})
    assert stage.arrived(scheme, PEOPLE[scheme]) == []


@every_scheme
async def test_what_is_cut_off_after_it_was_accepted_is_there(stage: Stage, providers: Providers, scheme: str) -> None:
    stage.fault("accept_then_cut")
    assert (await failing(providers, scheme)).maybe_sent
    [shown] = stage.get("messages")["messages"]
    assert (shown["text"], shown["answered"]) == (TEXT, False)
    await send(providers, scheme)
    counts = stage.get("counts")
    assert (counts["accepted"], counts["doubled"], counts["unanswered"]) == (2, 1, 1)
    assert counts["outcomes"]["cut"] == 1
    if scheme != "telegram":
        stage.eventually(lambda: stage.house.states.count("delivered") == 2)


@every_scheme
async def test_an_answer_that_never_comes(
    stage: Stage, providers: Providers, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for adapter in ("twilio", "telegram"):
        monkeypatch.setattr(f"channels.{adapter}.wire.SECONDS", 0.1)
    stage.fault("accept_then_cut", seconds=0.3)
    failure = await failing(providers, scheme)
    assert (failure.kind, failure.maybe_sent) == (Failure.UNREACHABLE, True)
    assert stage.arrived(scheme, PEOPLE[scheme]) == [TEXT]


@every_scheme
async def test_what_is_lost_on_the_way_is_not_there(stage: Stage, providers: Providers, scheme: str) -> None:
    stage.fault("lost")
    assert (await failing(providers, scheme)).maybe_sent
    if scheme != "telegram":
        message = Outgoing(7, Address(scheme, PEOPLE[scheme]), TEXT)
        assert await providers[scheme].find(message, datetime.now(UTC), ()) is None
    assert stage.get("counts")["accepted"] == 0


@every_scheme
async def test_who_has_blocked_us_gets_nothing(stage: Stage, providers: Providers, scheme: str) -> None:
    stage.fault("blocked", scheme=scheme, person=PEOPLE[scheme])
    assert (await failing(providers, scheme)).kind == Failure.STOPPED
    stage.fault("normal", scheme=scheme, person=PEOPLE[scheme])
    await send(providers, scheme)


async def test_a_closed_window_fails_afterwards(stage: Stage, providers: Providers) -> None:
    stage.fault("closed", scheme="whatsapp", person=SARA)
    await send(providers, "whatsapp")
    stage.eventually(lambda: stage.house.states == ["failed"])


@told_schemes
async def test_what_is_not_delivered_says_why(stage: Stage, providers: Providers, scheme: str) -> None:
    stage.fault("undelivered", code=30003)
    await send(providers, scheme)
    stage.eventually(lambda: stage.house.states == ["sent", "undelivered"])
    assert stage.house.heard("/webhooks/twilio/status")[-1].form["ErrorCode"] == "30003"


@told_schemes
async def test_news_can_be_late_doubled_turned_round_or_none(stage: Stage, providers: Providers, scheme: str) -> None:
    expected = {
        "late": ["sent", "delivered"],
        "double_callback": ["sent", "sent", "delivered", "delivered"],
        "reordered_callbacks": ["delivered", "sent"],
        "silent": [],
    }
    for kind, states in expected.items():
        stage.house.calls.clear()
        stage.fault(kind, seconds=0.15)
        began = time.monotonic()
        await send(providers, scheme, kind)
        stage.eventually(lambda k=kind: stage.world.messages[-1].state == "delivered")
        stage.eventually(lambda s=states: stage.house.states == s)
        assert (time.monotonic() - began >= 0.15) or kind != "late"
    assert [message.state for message in stage.world.messages] == ["delivered"] * 4


async def test_telegram_is_passed_over_by_what_befalls_news(stage: Stage, providers: Providers) -> None:
    stage.fault("double_callback")
    await send(providers, "telegram")
    await send(providers, "sms")
    stage.eventually(lambda: len(stage.house.states) == 4)


async def test_faults_can_be_meant_for_one_scheme_or_person(stage: Stage, providers: Providers) -> None:
    faults = [
        {"kind": "status", "scheme": "telegram", "person": LI_T},
        {"kind": "status", "scheme": "sms", "times": 2},
        {"kind": "status", "scheme": "sms", "status": 429},
    ]
    stage.post("fault", faults=faults)
    await send(providers, "telegram")
    await send(providers, "whatsapp")
    assert [(await failing(providers, "sms")).code for _ in range(3)] == ["20500", "20500", "20429"]
    await send(providers, "sms")
    with pytest.raises(SendFailed):
        await send(providers, "telegram", person=LI_T)


async def test_order_and_doubles_can_be_counted(stage: Stage, providers: Providers) -> None:
    for text in ("a", "b", "a"):
        await send(providers, "telegram", text)
    await send(providers, "telegram", "a", LI_T)
    assert stage.arrived("telegram", SARA_T) == ["a", "b", "a"]
    counts = stage.get("counts")
    assert (counts["accepted"], counts["doubled"]) == (4, 1)
    assert {"scheme": "telegram", "person": SARA_T, "body": "a", "accepted": 2} in counts["messages"]


async def test_chances_come_after_the_script(stage: Stage, providers: Providers) -> None:
    stage.post("fault", rates={"429": 1.0}, seed=3, retry_after=0.5)
    stage.fault("status", status=500)
    first, second = await failing(providers, "sms"), await failing(providers, "telegram")
    assert (first.code, second.kind, second.retry_after) == ("20500", Failure.THROTTLED, 0.5)
    stage.fault("normal")
    await send(providers, "sms")


def drawn(rates: dict[str, float], seed: int, scheme: str = "sms") -> list[str]:
    faults = Faults()
    faults.rates(rates, seed)
    found = (faults.next(scheme, "x") for _ in range(10_000))
    return ["" if fault is None else f"{fault.kind} {fault.status}" for fault in found]


def test_chances_are_what_they_say_and_the_same_for_the_same_seed() -> None:
    rates = {"500": 0.1, "429": 0.05, "cut": 0.05, "late": 0.1}
    came = drawn(rates, 7)
    assert came == drawn(rates, 7) != drawn(rates, 8)
    for name, share in (("status 500", 0.1), ("status 429", 0.05), ("accept_then_cut 500", 0.05), ("late 500", 0.1)):
        assert abs(came.count(name) / len(came) - share) < 0.01
    assert "late 500" not in drawn(rates, 7, "telegram")


def test_clearing_leaves_what_was_meant_for_others() -> None:
    faults = Faults()
    faults.add(Fault("status", "sms", "a"), Fault("status", "sms", "b"), Fault("status", "telegram", "a"))
    faults.clear("sms", "a")
    assert faults.next("sms", "a") is None
    assert faults.next("sms", "b") and faults.next("telegram", "a")
