"""Random flows, random callers: the walker never crashes, never turns without waiting, and can be saved at any step."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contactcentre.domain.flows import actions as act
from contactcentre.domain.flows.check import check
from contactcentre.domain.flows.model import NODE_TYPES, Flow
from contactcentre.domain.flows.walk import STUCK_AFTER, FlowStuck, Walker
from tests.domain.flows.build import AT, SITE

NAMES = [f"n{number}" for number in range(8)]
target = st.sampled_from(NAMES)
prompt = st.sampled_from(
    ["p", "sound:beep", {"text": "Hi {{ caller_name }} {{ x }}"}, {"number": "{{ x }}"}, {"time": "now"}]
)
asking = {"prompt": prompt, "on_timeout": target, "on_invalid": target, "retries": st.integers(0, 2)}
variable = st.sampled_from(["x", "y"])
choices = st.dictionaries(st.sampled_from(["1", "2", "12", "*", "#9"]), target, min_size=1)
conditions = st.sampled_from(
    ["x is set", "x == y", "x > 10 or y in [1, 2]", "not caller starts with '+'", "weekday == 'mon'"]
)


def node(kind: str, fields: dict[str, Any], /, **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"type": st.just(kind), **fields}, optional=optional)


NODES = {
    "answer": node("answer", {"next": target}),
    "play": node("play", {"prompt": prompt, "next": target}),
    "say": node("say", {"text": st.sampled_from(["{{ x }}", "y"]), "next": target}),
    "menu": node("menu", {**asking, "choices": choices}),
    "collect": node(
        "collect",
        {**asking, "var": variable, "next": target},
        pattern=st.sampled_from(["XX.", "0."]),
        sensitive=st.booleans(),
    ),
    "record": node("record", {"action": st.sampled_from(["start", "stop", "pause", "resume"]), "next": target}),
    "hours": node("hours", {"hours": st.just("office"), "open": target, "closed": target}, holiday=target),
    "condition": node("condition", {"if": conditions, "then": target, "else": target}),
    "set": node(
        "set",
        {"next": target},
        vars=st.dictionaries(variable, st.sampled_from(["{{ x }}{{ x }}!", 5, True, 2.5])),
        language=st.sampled_from(["en", "fr"]),
        skills=st.dictionaries(st.sampled_from(["lang_fr", "billing"]), st.integers(0, 100)),
        group=st.sampled_from(["", "gold", "{{ x }}"]),
        prefer=st.lists(st.sampled_from(["anna", "{{ caller_name }}"]), max_size=3),
        exclude=st.lists(st.sampled_from(["dora", "{{ x }}"]), max_size=3),
    ),
    "lookup": node(
        "lookup",
        {"url": st.just("http://h/{{ x }}"), "next": target, "on_failed": target},
        fields=st.dictionaries(variable, st.sampled_from(["a", "a.b", "a.0"])),
    ),
    "queue": node(
        "queue",
        {"queue": st.sampled_from(["sales", "busy"])},
        on_timeout=target,
        on_full=target,
        on_empty=target,
        on_key=st.dictionaries(st.sampled_from(["1", "*"]), target),
        next=target,
        prefer=st.just(["{{ x }}"]),
        group=st.just("gold"),
        prefer_last_agent=st.booleans(),
    ),
    "callback": node("callback", {"queue": st.just("busy")}, number=st.just("{{ x }}"), next=target, on_failed=target),
    "voicemail": node("voicemail", {"box": st.just("b")}, prompt=prompt, next=target, on_failed=target),
    "transfer": node(
        "transfer",
        {
            "to": st.sampled_from(
                ["agent:anna", "number:12", "queue:sales", "queue:busy", "flow:other", "did:0800", "flow:test"]
            )
        },
        next=target,
        on_failed=target,
    ),
    "hangup": node("hangup", {}, cause=st.sampled_from(["busy", 16])),
}
flows = st.fixed_dictionaries({name: st.one_of(*NODES.values()) for name in NAMES})
hostile = st.text(max_size=12) | st.sampled_from(['"; rm -rf /', "{{ caller }}", "..", "\x00\ud800", "9" * 400, "-1"])
values = st.recursive(
    st.none() | hostile | st.integers() | st.floats(), lambda v: st.lists(v) | st.dictionaries(hostile, v)
)


@st.composite
def results(draw: st.DrawFn, action: act.Action) -> act.Result:
    """Anything that can come of the action."""
    match action:
        case act.Answer() | act.Record():
            return act.Done()
        case act.Play():
            return act.Done(draw(st.booleans()))
        case act.Gather():
            return gathered(action, draw(st.text(alphabet=act.DTMF, max_size=8)))
        case act.Lookup():
            looked = st.dictionaries(st.sampled_from("ab"), values).map(lambda found: act.Looked(200, found))
            return draw(st.just(act.LookupFailed("timeout")) | looked)
        case act.Enqueue():
            reason = draw(st.sampled_from(["answered", "timeout", "full", "empty", "key"]))
            return act.Left(reason, draw(st.sampled_from(action.keys or "5")) if reason == "key" else "")
        case act.Voicemail():
            return act.Recorded(3, "r", draw(st.booleans()))
        case act.Callback():
            return act.Done(draw(st.booleans()))
        case _:
            return draw(st.sampled_from([act.Transferred(), act.TransferFailed("busy")]))


def gathered(gather: act.Gather, keys: str) -> act.Digits:
    """As a controller does it: key by key, then a timeout."""
    for count in range(1, len(keys) + 1):
        entry = act.gathered(gather, keys[:count])
        if entry is not None:
            return entry
    return act.timed_out(gather, keys)


@settings(max_examples=300)
@given(st.data())
def test_any_caller_in_any_flow_gets_an_answer_to_every_step_and_can_be_taken_over_at_any(data: st.DataObject) -> None:
    document = {"start": "n0", "prompts": {"p": {"en": "{{ x }}"}}, "nodes": data.draw(flows)}
    flow = Flow.parse("test", document)
    known = {"test": flow}
    caller = {"caller": data.draw(hostile), "caller_name": data.draw(hostile), "did": "0800"}
    walker = Walker(flow, SITE, caller)
    result: act.Result = act.Begin()
    at = AT
    for _ in range(25):
        try:
            action = walker.step(result, at)
        except FlowStuck:
            restless = [problem for problem in check(flow, SITE) if problem.error and "without waiting" in problem.rule]
            # else it was only things that fail at once, each of which the check takes for a wait that may happen
            assert restless or walker.save()["idle"] > STUCK_AFTER
            return
        notes = walker.take_notes()
        json.dumps([data for _, data in notes], allow_nan=False).encode()
        saved = json.loads(json.dumps(walker.save(), allow_nan=False))
        if isinstance(action, act.Hangup):
            assert walker.step(act.Done(), at) == action
            return
        other = Walker.restore(saved, SITE, known)
        assert other.step(act.Resume(), at) == action
        assert other.take_notes() == []
        result = data.draw(results(action))
        at += data.draw(st.sampled_from([0.0, 3600.0, 86400.0]))
        assert outcome(other, result, at) == outcome(Walker.restore(saved, SITE, known), result, at, resume=True)


def outcome(walker: Walker, result: act.Result, at: float, resume: bool = False) -> Any:
    if resume:
        walker.step(act.Resume(), at)
    try:
        return walker.step(result, at), walker.take_notes(), walker.save()
    except FlowStuck as stuck:
        return type(stuck)


@settings(max_examples=300)
@given(flows)
def test_a_flow_that_the_check_finds_restful_never_gets_stuck_while_things_take_their_time(nodes: Any) -> None:
    flow = Flow.parse("test", {"start": "n0", "nodes": nodes})
    if any(problem.error and "without waiting" in problem.rule for problem in check(flow, SITE)):
        return
    walker = Walker(flow, SITE, {"caller": "1", "caller_name": "", "did": ""})
    action = walker.step(act.Begin(), AT)
    for _step in range(60):
        match action:
            case act.Gather():
                result: act.Result = act.Digits("", act.Reason.TIMEOUT)
            case act.Lookup():
                result = act.LookupFailed("refused")
            case act.Enqueue():
                result = act.Left("full")
            case act.Voicemail():
                result = act.Recorded(1)
            case act.Transfer():
                result = act.TransferFailed("busy")
            case act.Hangup():
                return
            case _:
                result = act.Done()
        action = walker.step(result, AT)


def test_every_node_type_takes_part_in_these_walks() -> None:
    assert set(NODES) == set(NODE_TYPES)
