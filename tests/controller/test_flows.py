"""Flows on a real PBX: what happens to a caller is what the simulation says, and the prompts are heard."""

import json
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import gevent
import numpy as np
import pytest
from gevent.pywsgi import WSGIServer

from contactcentre.domain.events import Event, Kind
from contactcentre.domain.flows.actions import Piece, Sort
from contactcentre.domain.flows.model import Flow
from contactcentre.domain.flows.simulate import Script, simulate
from contactcentre.domain.flows.walk import Walker
from contactcentre.domain.site import Site
from contactcentre.prompts.speech import Prompts
from tests.controller.conftest import SITE
from tests.controller.stack import Stack, one


class Crm:
    """The company's own system, over HTTP."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.server = WSGIServer(("127.0.0.1", 0), self.answer, log=None)
        self.server.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        path = environ["PATH_INFO"]
        self.asked.append((path, parse_qs(environ["QUERY_STRING"])))
        if path == "/slow":
            gevent.sleep(3)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"name": "Ada", "contract": {"tier": "gold"}, "open": 7}).encode()]


@pytest.fixture(scope="module")
def crm() -> Iterator[Crm]:
    made = Crm()
    yield made
    made.server.stop(timeout=1)


def flows(crm: Crm) -> dict[str, Any]:
    again = {"on_timeout": "bye", "on_invalid": "bye"}
    return {
        "known": {
            "start": "hello",
            "language": "en",
            "prompts": {"number": {"en": "Your number, please."}, "end": {"fr": "Merci, au revoir."}},
            "nodes": {
                "hello": {"type": "answer", "next": "ask"},
                "ask": {"type": "collect", "prompt": "number", "var": "n", "pattern": "XXXX", "next": "find", **again},
                "find": {
                    "type": "lookup",
                    "url": crm.url + "/c/{{ n }}?name={{ caller_name }}",
                    "fields": {"customer": "name", "tier": "contract.tier", "tickets": "open"},
                    "next": "greet",
                    "on_failed": "bye",
                },
                "greet": {"type": "say", "text": "Hello {{ customer }}, good to hear you.", "next": "count"},
                "count": {"type": "say", "number": "{{ tickets }}", "next": "hours"},
                "hours": {
                    "type": "hours",
                    "hours": {"periods": [{"days": "mon-sun", "open": "00:00", "close": "24:00"}]},
                    "open": "gold",
                    "closed": "bye",
                },
                "gold": {"type": "condition", "if": 'tier == "gold" and tickets > 5', "then": "french", "else": "bye"},
                "french": {"type": "set", "language": "fr", "vars": {"seen": "{{ customer }}"}, "next": "thanks"},
                "thanks": {"type": "play", "prompt": "end", "next": "bye"},
                "bye": {"type": "hangup"},
            },
        },
        "slow": {
            "start": "hello",
            "nodes": {
                "hello": {"type": "answer", "next": "find"},
                "find": {
                    "type": "lookup",
                    "url": crm.url + "/slow",
                    "timeout": 0.5,
                    "next": "bye",
                    "on_failed": "sorry",
                },
                "sorry": {"type": "play", "prompt": "sound:beep", "next": "bye"},
                "bye": {"type": "hangup"},
            },
        },
    }


@pytest.fixture(scope="module")
def site(module_stack: Stack, crm: Crm) -> Site:
    made = Site.model_validate(
        {**SITE, "dids": {"2000": {"flow": "known"}, "2001": {"flow": "slow"}}, "flows": flows(crm)}
    )
    module_stack.provision(made)
    return made


@pytest.fixture
def line(site: Site, stack: Stack) -> Stack:
    """The site with these flows, and its controller."""
    return stack


def walked(story: list[Event]) -> list[tuple[str, str, Any]]:
    found = [(event.kind, event.data) for event in story if event.kind in (Kind.NODE, Kind.CHOSE, Kind.SET)]
    return [
        (kind.value, data.get("node", data.get("name")), data.get("choice", data.get("value"))) for kind, data in found
    ]


def simulated(site: Site, flow: str, script: Script, at: float, **caller: str) -> list[tuple[str, str, Any]]:
    found: list[tuple[str, str, Any]] = []
    for moment in simulate(Walker(Flow.parse(flow, site.flows[flow]), site, caller), script, at).moments:
        found.append(("flow.node", moment.node, None))
        found += [("flow.set", name, value) for name, value in moment.set.items()]
        found += [("flow.chose", moment.node, moment.choice)] * bool(moment.choice)
    return found


def likeness(heard: Path, said: Path) -> float:
    """How much of the recording `heard` is the file `said` where it fits best: 1 = exactly that sound."""
    line, prompt = (_samples(path) for path in (heard, said))
    prompt = prompt[:8000]
    score = np.correlate(line, prompt, "valid")
    best = int(score.argmax())
    return float(score[best] / np.linalg.norm(prompt) / np.linalg.norm(line[best : best + len(prompt)]))


def _samples(path: Path) -> "np.ndarray[Any, np.dtype[np.float64]]":
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)


def test_a_real_call_goes_the_way_that_the_simulation_says_and_hears_the_prompts(
    line: Stack, site: Site, crm: Crm, tmp_path: Path
) -> None:
    caller, name = "+33100009001", 'Ada&x=1"; rm -rf'
    heard = tmp_path / "heard.wav"
    line.lab.call("2000", digits="1234", caller=caller, name=name, patience=120, heard=str(heard))
    story = line.ended(caller)
    script = Script(("1234",), lookups={"find": {"name": "Ada", "contract": {"tier": "gold"}, "open": 7}})
    told = simulated(site, "known", script, line.now(), caller=caller, caller_name=name, did="2000")
    assert walked(story) == told
    assert told[-1] == ("flow.node", "bye", None)
    assert one(story, Kind.ENDED).data["outcome"] == "self_served"
    arrived = one(story, Kind.ARRIVED).data["caller_name"]  # the PBX keeps the backslashes of a quoted SIP name
    assert arrived.replace("\\", "") == name
    assert crm.asked[-1] == ("/c/1234", {"name": [arrived]})
    prompts = Prompts(line.settings.prompts_dir)
    for text, language in (("Hello Ada, good to hear you.", "en"), ("Merci, au revoir.", "fr")):
        medium = prompts.media([Piece(Sort.TEXT, text)], language)[0]
        assert likeness(heard, Path(medium.removeprefix("sound:") + ".wav")) > 0.95


def test_garbage_keys_in_a_question_end_in_its_own_branch(line: Stack) -> None:
    caller = "+33100009002"
    line.lab.call("2000", digits="A*#,BCD#,12#", caller=caller, patience=120)
    story = line.ended(caller)
    assert ("flow.chose", "ask", "invalid") in walked(story)
    assert one(story, Kind.ENDED).data["outcome"] == "self_served"


def test_a_web_service_that_is_too_slow_costs_its_timeout_and_takes_the_other_branch(line: Stack) -> None:
    caller = "+33100009003"
    line.lab.call("2001", caller=caller, patience=120)
    story = line.ended(caller)
    assert ("flow.chose", "find", "failed") in walked(story)
    asked = next(event.at for event in story if event.data.get("node") == "find")
    failed = next(event.at for event in story if event.data.get("choice") == "failed")
    assert 0.4 < failed - asked < 2.0
