"""Controllers to which Asterisk connects: calls that come between two of them are kept, and served."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from contactcentre.domain.agents import Verb
from contactcentre.domain.events import Kind
from contactcentre.domain.site import Site
from contactcentre.lab.ports import free_port
from contactcentre.live.standbys import hand_over, standbys
from contactcentre.provision.render import Outbound
from tests.controller.stack import Stack, one
from tests.controller.switches import OnAsterisk
from tests.controller.test_standby import AGENTS, LATE, SITE, steady_arrivals
from tests.waiting import PATIENCE, eventually


@pytest.fixture(scope="module")
def calling(module_stack: Stack) -> Iterator[Stack]:
    """The PBX connects to us, as `apply` told it."""
    switch = module_stack.switch
    if not isinstance(switch, OnAsterisk):
        pytest.skip("only Asterisk does")
    if "res_websocket_client.so" not in switch.lab.rx("module show like res_websocket_client"):
        pytest.skip(f"Asterisk {switch.lab.info().version} connects to nobody")
    info = switch.lab.info()
    switch.outbound = Outbound(f"ws://127.0.0.1:{free_port()}", info.ari_user, info.ari_secret)
    module_stack.provision(Site.model_validate(SITE))
    yield module_stack
    module_stack.stop()
    switch.outbound = None
    module_stack.provision(Site.model_validate(SITE))


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch, calling: Stack, stack: Stack) -> Stack:
    """However long a controller takes to start: callers wait for it."""
    stack.stop()
    monkeypatch.setenv("CONTACTCENTRE_PRESENCE", LATE)
    stack.start()
    return stack


def test_who_calls_while_no_controller_runs_is_served_by_the_next_one(late: Stack) -> None:
    numbers = [f"+332000060{n}" for n in range(3)]
    with ExitStack() as on_duty:
        for agent in AGENTS[:3]:
            on_duty.enter_context(late.phone(agent, ring=0.1))
            late.act(agent, Verb.LOGIN)
            late.reachable(agent)
        late.kill()
        calls = [late.lab.dial("1000", caller=number, talk=1, patience=None) for number in numbers]
        eventually(lambda: late.lab.rx("core show channels count").startswith("3 "), "they have come")
        assert not late.switch.serves_by_itself()
        late.start()
        assert all(call.wait(PATIENCE).served for call in calls)
        assert {one(late.ended(number), Kind.ENDED).data["outcome"] for number in numbers} == {"answered"}
    late.nothing_left_on_the_pbx()


def test_a_handover_loses_nobody_who_calls_meanwhile(late: Stack) -> None:
    second = late.spawn()
    try:
        with steady_arrivals(late, "+332000070", 20):
            first = late.controller
            assert first is not None
            eventually(lambda: any(one.ready for one in standbys(late.redis, "node1")), "somebody stands by")
            done = hand_over(late.redis, "node1")
            assert done["pid"] == second.pid
            late.controller, second = second, first
            eventually(late._linked, "the stand-by has the link")
    finally:
        second.kill()
        second.wait(PATIENCE)
