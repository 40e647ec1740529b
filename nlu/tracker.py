"""What we put in the place of parts of Rasa: trackers in bounded memory, replies as names, faster and honest action calls.

Importing this module changes nothing; `quicken()` does, once, when the server starts.
"""

from __future__ import annotations

import json
import logging
from collections import OrderedDict
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Text, Tuple

import aiohttp
from rasa.core import processor
from rasa.core.actions import forms
from rasa.core.actions.action import RemoteAction
from rasa.core.nlg.generator import NaturalLanguageGenerator
from rasa.core.policies import rule_policy
from rasa.core.policies.rule_policy import RULES, RULES_FOR_LOOP_UNHAPPY_PATH, RulePolicy
from rasa.core.tracker_store import TrackerStore
from rasa.engine.runner.dask import DaskGraphRunner
from rasa.shared.core.domain import Domain, State
from rasa.shared.core.events import ActionExecuted
from rasa.shared.core.trackers import DialogueStateTracker, EventVerbosity
from rasa.shared.exceptions import RasaException
from rasa.utils.endpoints import EndpointConfig

log = logging.getLogger("sawt.assistant")

DEADLINE_SECONDS = 5.0  # of one action call; the house gives the whole turn 8
KEEPALIVE_SECONDS = 60.0  # must stay below the keep-alive of the house's listener (300)


class BoundedTrackerStore(TrackerStore):
    """The live trackers of the dialogues used last, at most `size`; the others are forgotten.

    One of eight turns takes 55 kB, and 3 ms to be rebuilt.

    Nothing is serialised: what is kept is the tracker itself. Whoever reads one after a turn that broke in the middle
    sees more events than the house holds, and rebuilds it (nlu/channel.py).
    """

    def __init__(self, domain: Optional[Domain], event_broker: Any = None, size: int = 2000, **_: Any) -> None:
        super().__init__(domain, event_broker)
        if int(size) < 1:
            raise RasaException(f"endpoints.yml: tracker_store.size must be at least 1, not {size}.")
        self.size = int(size)
        self._trackers: "OrderedDict[Text, DialogueStateTracker]" = OrderedDict()

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Keep the tracker as the one used last; the one used longest ago goes where there are too many."""
        self._trackers[tracker.sender_id] = tracker
        self._trackers.move_to_end(tracker.sender_id)
        while len(self._trackers) > self.size:
            self._trackers.popitem(last=False)

    async def retrieve(self, sender_id: Text) -> Optional[DialogueStateTracker]:
        """The live tracker, or None where it was never kept or was forgotten."""
        tracker = self._trackers.get(sender_id)
        if tracker is not None:
            self._trackers.move_to_end(sender_id)
        return tracker

    async def keys(self) -> Iterable[Text]:
        return list(self._trackers)


class NamesOnly(NaturalLanguageGenerator):
    """Generates no language: a reply is its name, known or not, and the house renders it."""

    def __init__(self, endpoint_config: Optional[EndpointConfig] = None, domain: Optional[Domain] = None) -> None:
        pass

    async def generate(
        self, utter_action: Text, tracker: DialogueStateTracker, output_channel: Text, **_: Any
    ) -> Optional[Dict[Text, Any]]:
        return {"text": utter_action}


class HouseCallFailed(RasaException):
    """The house did not run an action: down, late, or an answer that is not one. Carries no text of anybody's."""


class HouseEndpoint(EndpointConfig):
    """The house's listener for actions: one session that keeps its connections, one deadline.

    Rasa opens a session and a connection for every call and waits 300 s. A connection that the house closed while it
    lay idle is tried once more: an action carries its turn's id, and the house runs nothing twice under one id.
    """

    _session: Optional[aiohttp.ClientSession] = None

    @classmethod
    def of(cls, configured: Optional[EndpointConfig]) -> "HouseEndpoint":
        """The same address and headers as configured in endpoints.yml."""
        if configured is None or not configured.url:
            raise RasaException("endpoints.yml names no action_endpoint: the assistant cannot reach the house.")
        return cls(configured.url, headers=configured.headers, **configured.kwargs)

    def session(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                headers={**self.headers, "Content-Type": "application/json"},
                connector=aiohttp.TCPConnector(limit=64, keepalive_timeout=KEEPALIVE_SECONDS),
                timeout=aiohttp.ClientTimeout(total=DEADLINE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def request(self, method: Text = "post", json: Any = None, **_: Any) -> Any:  # type: ignore[override]
        body = dumps(json)
        try:
            return await self._post(body)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if isinstance(error, aiohttp.ClientConnectorError):
                raise
            return await self._post(body)

    async def _post(self, body: bytes) -> Any:
        async with self.session().post(self.url, data=body) as response:
            if response.status != 200:
                raise HouseCallFailed(f"the house answered {response.status}")
            return await response.json(content_type=None)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def dumps(value: Any) -> bytes:
    """JSON that any parser takes: ASCII, so that not even a lone surrogate breaks it."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _validate_action_result(self: Any, result: Any) -> bool:
    """The shape of an answer; what an event must hold is checked where it is deserialised.

    Rasa compiles and runs a JSON schema for every answer.
    """
    if not isinstance(result, dict):
        raise HouseCallFailed("the house answered no JSON object")
    events, responses = result.setdefault("events", []), result.setdefault("responses", [])
    if not isinstance(events, list) or not all(isinstance(one, dict) and "event" in one for one in events):
        raise HouseCallFailed("the house's 'events' are no list of events")
    if not isinstance(responses, list) or not all(isinstance(one, dict) and one.get("response") for one in responses):
        raise HouseCallFailed("the house's 'responses' are no list of names")
    return True


def _action_call_format(self: Any, tracker: DialogueStateTracker, domain: Domain) -> Dict[Text, Any]:
    """Rasa's request without the past: slots, the message, the loop. No events, no domain, no trigger message."""
    state = tracker.current_state(EventVerbosity.NONE)
    state["events"] = []
    state["active_loop"] = {"name": tracker.active_loop_name} if tracker.active_loop_name else {}
    return {"next_action": self.name(), "sender_id": tracker.sender_id, "tracker": state, "domain": {}}


_rasa_run = RemoteAction.run


async def _run(self: Any, output_channel: Any, nlg: Any, tracker: DialogueStateTracker, domain: Domain) -> List[Any]:
    """Rasa's own run, but a failure is written on the turn's output channel, and after one no other call is tried.

    Rasa swallows the failure of an action and goes on as if it had succeeded; the channel must know.
    """
    failed = getattr(output_channel, "failed", None)
    if failed is None:  # another channel than the house's: Rasa's ways
        return await _rasa_run(self, output_channel, nlg, tracker, domain)
    if failed:
        raise HouseCallFailed("an earlier call of this turn failed")
    output_channel.calls.append(self.name())
    try:
        return await _rasa_run(self, output_channel, nlg, tracker, domain)
    except Exception as error:
        failed.append(f"{self.name()}: {type(error).__name__}")
        log.error("action failed action=%s error=%s", self.name(), type(error).__name__)
        raise


def _run_graph(
    self: DaskGraphRunner, inputs: Optional[Dict[Text, Any]] = None, targets: Optional[List[Text]] = None
) -> Dict[Text, Any]:
    """The same nodes in the same order as dask would run them, without dask: the order never changes."""
    wanted = tuple(targets or self._graph_schema.target_names)
    plans = self.__dict__.setdefault("_plans", {})
    if wanted not in plans:
        plans[wanted] = _plan(self, wanted)
    outputs = dict(inputs or {})
    for name, node, needs in plans[wanted]:
        outputs[name] = node(*[(need, outputs[need]) if need in outputs else need for need in needs])[1]
    return {name: outputs[name] for name in wanted}


def _plan(runner: DaskGraphRunner, targets: Tuple[Text, ...]) -> List[Tuple[Text, Any, Tuple[Text, ...]]]:
    """The nodes that the targets need, each after those it needs itself."""
    nodes, plan, done = runner._graph_schema.nodes, [], set()

    def add(name: Text) -> None:
        if name in done or name not in nodes:  # inputs are no nodes
            return
        done.add(name)
        needs = tuple(nodes[name].needs.values())
        for need in needs:
            add(need)
        plan.append((name, runner._instantiated_nodes[name], needs))

    for target in targets:
        add(target)
    return plan


_rasa_find_action = RulePolicy._find_action_from_rules


def _find_action_from_rules(
    self: RulePolicy, tracker: DialogueStateTracker, domain: Domain, use_text_for_last_user_input: bool
) -> Tuple[Optional[Text], Optional[Text], bool]:
    """Rasa's own, but rules that start from a text are looked for only where there are any (there are none)."""
    if use_text_for_last_user_input and not _rules(self).speak_of_text:
        return None, None, False
    return _rasa_find_action(self, tracker, domain, use_text_for_last_user_input)


def _prediction_states(
    self: RulePolicy,
    tracker: DialogueStateTracker,
    domain: Domain,
    use_text_for_last_user_input: bool = False,
    rule_only_data: Optional[Dict[Text, Any]] = None,
) -> List[State]:
    """Only the states that a rule can look back to: Rasa makes one of every action since the dialogue began."""
    applied = tracker.applied_events()
    passed = sum(isinstance(event, ActionExecuted) for event in applied) + 1 - _rules(self).longest
    prior, states = tracker.init_copy(), []
    for event in applied:
        if isinstance(event, ActionExecuted):
            passed -= 1
            if passed < 0:
                states.append(domain.get_active_state(prior))
        prior.update(event)
    states.append(domain.get_active_state(prior))
    self.featurizer._choose_last_user_input([states], use_text_for_last_user_input)
    return states


class _Rules(NamedTuple):
    longest: int  # states in the longest rule
    speak_of_text: bool  # some rule starts from the words of a message, not from its intent


def _rules(policy: RulePolicy) -> _Rules:
    known = policy.__dict__.get("_our_rules")
    if known is None:
        keys = [*policy.lookup.get(RULES, {}), *policy.lookup.get(RULES_FOR_LOOP_UNHAPPY_PATH, {})]
        states = [json.loads(key) for key in keys]
        text = any("text" in state.get("user", {}) for rule in states for state in rule)
        known = policy.__dict__["_our_rules"] = _Rules(max(map(len, states), default=0) + 1, text)
    return known


class _NoCopy:
    """Stands in for `copy` in modules of Rasa that copy only for a line of the debug log, which is never written."""

    @staticmethod
    def deepcopy(value: Any, memo: Any = None) -> Any:
        return value


def quicken() -> None:
    """Put our parts in place. After the call a failed action is known, and a turn costs a tenth of what it did.

    CPU of a turn in this process, one client, dialogues of three turns (4 of 6 call the house twice), a small linear
    model: Rasa as it is 50 ms, with everything 4.8 ms. What leaving one of them out adds:

    - the answer's shape instead of its schema: 44 ms; against one compiled validator 0.4 ms
    - one session to the house (HouseEndpoint): 0.9 ms
    - nodes without dask: 0.7 ms
    - no copies for the log: 0.2 ms
    - rules look no further back than they reach: nothing in three turns, 1.2 ms at twenty
    - the trimmed request: 0.9 kB at every turn; Rasa's grows by 2 kB a turn and brings the domain
    """
    RemoteAction._validate_action_result = _validate_action_result
    RemoteAction._action_call_format = _action_call_format
    RemoteAction.run = _run
    DaskGraphRunner.run = _run_graph
    RulePolicy._find_action_from_rules = _find_action_from_rules
    RulePolicy._prediction_states = _prediction_states
    for module in (processor, forms, rule_policy):
        module.copy = _NoCopy
