"""Steps of agents that Redis is told together with the next one, on a real Redis."""

import time
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event as Flag
from redis import Redis

from contactcentre.controller.agents import Agents
from contactcentre.controller.replica import Replica
from contactcentre.domain.agents import AgentState, AgentStatus, Verb
from contactcentre.domain.routing import RoutingConfig
from contactcentre.domain.site import Agent, Queue, Site
from contactcentre.embedded import Services
from contactcentre.live import AgentFact, Away, JournalReader, Live, connect

SITE = Site(agents={"anna": Agent()}, queues={"q": Queue(agents=("anna",))})


class Desk:
    """One controller's agents, and Redis as others see it."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.replica = Replica(live, "node1", RoutingConfig.from_site(SITE), lambda change, new: None, lambda: None)
        self.agents = Agents(live, self.replica, time.time, lambda: None)

    def talking(self) -> AgentStatus:
        """anna talks with the contact `c1`."""
        free = self.live.change("anna", Verb.LOGIN, time.time())
        self.live.reserve(free, "c1", "q", "t1", time.time() + 20, time.time())
        talks = self.live.change("anna", Verb.ACCEPT, time.time(), token="t1")
        self.replica.load()
        return talks

    def offer(self) -> AgentStatus | None:
        return self.agents.reserve(self.replica.agents["anna"], "c2", "q", "t2", time.time() + 20, None)


@pytest.fixture
def desk(services: Services, redis: "Redis") -> Iterator[Desk]:
    with connect(services.redis_url) as client:
        yield Desk(Live(client))


def facts(desk: Desk) -> list[tuple[AgentState, AgentState]]:
    entries = JournalReader(desk.live.redis, "recorder", "me").read(block=0.01)
    return [(fact.previous, fact.state) for _, fact in entries if isinstance(fact, AgentFact)]


def test_the_end_of_a_talk_and_the_next_offer_are_one_step_for_everybody_else(desk: Desk) -> None:
    talks = desk.talking()
    assert desk.agents.soon("anna", Verb.FINISH, token="t1", wrap_up=0.0)
    assert desk.live.agent("anna") == talks, "Redis is not asked yet"
    assert desk.replica.agents["anna"].state is AgentState.AVAILABLE
    assert len(desk.agents) == 1
    offered = desk.offer()
    assert offered is not None
    assert desk.live.agent("anna") == offered
    assert (offered.contact_id, offered.version, len(desk.agents)) == ("c2", talks.version + 2, 0)
    assert facts(desk)[-2:] == [
        (AgentState.TALKING, AgentState.AVAILABLE),
        (AgentState.AVAILABLE, AgentState.OFFERED),
    ]


def test_an_end_of_a_talk_that_no_offer_follows_is_told_right_after(desk: Desk) -> None:
    desk.talking()
    desk.agents.soon("anna", Verb.FINISH, token="t1", wrap_up=0.0)
    desk.agents.tell()
    assert desk.live.agent("anna") == desk.replica.agents["anna"]
    assert facts(desk)[-1] == (AgentState.TALKING, AgentState.AVAILABLE)


def test_who_asks_for_an_agent_waits_until_redis_has_been_told_of_them(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.talking()
    desk.agents.soon("anna", Verb.FINISH, token="t1", wrap_up=0.0)
    steps, begun, done = desk.live.steps, Flag(), Flag()

    def slow(*args: Any) -> list[bool]:
        begun.set()
        done.wait()
        return steps(*args)

    monkeypatch.setattr(desk.live, "steps", slow)
    telling = gevent.spawn(desk.agents.tell)
    assert begun.wait(60)
    asking = gevent.spawn(desk.agents.current, "anna")
    gevent.sleep(0)
    assert not asking.ready()
    assert desk.offer() is None, "routing does not wait: somebody else is free"
    done.set()
    assert asking.get(timeout=60).state is AgentState.AVAILABLE
    telling.get(timeout=60)
    assert desk.offer() is not None


def test_an_agent_as_it_was_before_what_redis_is_yet_to_be_told_is_not_offered(desk: Desk) -> None:
    free = desk.live.change("anna", Verb.LOGIN, time.time())
    desk.replica.load()
    desk.offer()
    assert desk.agents.soon("anna", Verb.ACCEPT, token="t2")
    assert desk.agents.reserve(free, "c3", "q", "t3", time.time() + 20, None) is None
    assert desk.agents.current("anna").state is AgentState.TALKING
    assert desk.live.agent("anna").contact_id == "c2"


@pytest.mark.parametrize("offers", [True, False])
def test_who_asked_to_pause_in_the_last_moment_of_a_talk_gets_no_offer_but_the_pause(desk: Desk, offers: bool) -> None:
    desk.talking()
    desk.live.change("anna", Verb.PAUSE, time.time(), reason="lunch")  # by a page; we have not heard of it
    desk.agents.soon("anna", Verb.FINISH, token="t1", wrap_up=0.0)
    if offers:
        assert desk.offer() is None
    else:
        desk.agents.tell()
    now = desk.live.agent("anna")
    assert (now.state, now.reason, len(desk.agents)) == (AgentState.PAUSED, "lunch", 0)
    assert desk.replica.agents["anna"] == now
    assert facts(desk)[-1] == (AgentState.TALKING, AgentState.PAUSED)


@pytest.mark.parametrize("soon", [True, False])
def test_a_step_in_the_moment_in_which_redis_has_lost_its_data_logs_nobody_out(desk: Desk, soon: bool) -> None:
    talks = desk.talking()
    desk.live.redis.flushdb()
    if soon:
        assert desk.agents.soon("anna", Verb.FINISH, token="t1", wrap_up=0.0)
        with pytest.raises(Away):
            desk.agents.tell()
    else:
        assert desk.agents.change("anna", Verb.FINISH, token="t1", wrap_up=0.0)
    assert desk.replica.agents["anna"].state is AgentState.AVAILABLE
    desk.replica.load()  # notices it, and writes back
    desk.agents.flush()
    assert desk.live.agent("anna") == desk.replica.agents["anna"]
    assert (desk.live.agent("anna").state, len(desk.agents)) == (AgentState.AVAILABLE, 0)
    assert desk.live.agent("anna").version > talks.version


def test_a_step_is_not_taken_before_the_one_that_is_still_to_be_told(desk: Desk) -> None:
    desk.talking()
    desk.agents.soon("anna", Verb.FINISH, token="t1", wrap_up=30.0)
    assert desk.agents.change("anna", Verb.WRAPPED)
    assert desk.live.agent("anna") == desk.replica.agents["anna"]
    assert facts(desk)[-2:] == [
        (AgentState.TALKING, AgentState.WRAP_UP),
        (AgentState.WRAP_UP, AgentState.AVAILABLE),
    ]


def test_what_several_write_at_once_after_an_outage_is_written_once_each_in_order(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    talks = desk.talking()
    take = desk.live.step

    def away(*_: Any, **__: Any) -> None:
        raise Away("redis is away: test")

    def slow(*args: Any, **named: Any) -> AgentStatus | None:
        gevent.sleep(0.01)
        return take(*args, **named)

    monkeypatch.setattr(desk.live, "step", away)
    assert desk.agents.change("anna", Verb.FINISH, token="t1", wrap_up=60.0)
    assert desk.agents.change("anna", Verb.WRAPPED)
    assert len(desk.agents) == 2
    monkeypatch.setattr(desk.live, "step", slow)
    for writing in gevent.joinall([gevent.spawn(desk.agents.flush) for _ in range(3)], timeout=10):
        writing.get()
    assert (desk.live.agent("anna").state, len(desk.agents)) == (AgentState.AVAILABLE, 0)
    assert desk.live.agent("anna").version == talks.version + 2
