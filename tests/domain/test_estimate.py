"""Estimated waits: what they count, when they are silent, and how their error is measured."""

from dataclasses import replace
from math import exp

import pytest

from contactcentre.domain.agents import AgentState, AgentStatus, Verb, step
from contactcentre.domain.crew import Crew
from contactcentre.domain.estimate import (
    LAST,
    OLDEST,
    SMALLEST_SAMPLE,
    Experience,
    ahead,
    error_of,
    estimate,
    whole_minutes,
)
from contactcentre.domain.index import Index
from contactcentre.domain.routing import RoutingConfig, Waiting
from contactcentre.domain.site import Agent, Queue, RelaxStep, Site

NOW = 1_000_000.0


class Centre:
    """Agents who all talk, contacts who wait, and a past in which everything took 100 seconds."""

    def __init__(self, queues: dict[str, Queue], agents: dict[str, dict[str, int]], handling: float = 100.0) -> None:
        skills = dict.fromkeys({skill for levels in agents.values() for skill in levels}, "")
        site = Site(
            skills=skills, queues=queues, agents={name: Agent(skills=levels) for name, levels in agents.items()}
        )
        self.config = RoutingConfig.from_site(site)
        self.agents = {name: self.talking(name, next(iter(queues))) for name in agents}
        self.waiting: list[Waiting] = []
        self.reachable: dict[str, bool] = {}
        self.experience = Experience()
        for queue in queues:
            for _ in range(SMALLEST_SAMPLE):
                self.experience.handled(queue, handling, NOW - 60)

    @staticmethod
    def talking(name: str, queue: str) -> AgentStatus:
        return AgentStatus(name, AgentState.TALKING, since=NOW - 10, contact_id=f"with-{name}", queue=queue)

    def free(self, *names: str) -> None:
        for name in names:
            self.agents[name] = AgentStatus(name, AgentState.AVAILABLE, since=NOW - 10)

    def wait(self, queue: str, requires: str = "", priority: int = 0, before: float = 0.0) -> Waiting:
        contact = Waiting(
            f"c{len(self.waiting)}", queue, "n", requires, priority, arrived=NOW - before, entered=NOW - before
        )
        self.waiting.append(contact)
        return contact

    def estimate(self, contact: Waiting) -> float | None:
        """As a controller asks, on an index; who looks at each contact must come to the same."""
        index = Index.of(self.waiting, self.agents, self.config, NOW, self.reachable)
        found = estimate(contact, index.ahead(contact, NOW), index.crew, self.config, self.experience, NOW)
        crew = Crew.of(self.agents.values(), self.config, self.reachable)
        before = ahead(contact, self.waiting, self.config, NOW)
        assert found == estimate(contact, before, crew, self.config, self.experience, NOW)
        return found


def two_agents() -> Centre:
    return Centre({"support": Queue()}, {"anna": {"fr": 80}, "bob": {}})


def test_the_first_in_line_waits_for_the_first_of_all_agents_who_may_serve_it() -> None:
    centre = two_agents()
    assert centre.estimate(centre.wait("support")) == pytest.approx(50)


def test_every_contact_ahead_adds_one_release_and_those_behind_add_nothing() -> None:
    centre = two_agents()
    centre.wait("support", before=60)
    centre.wait("support", before=30)
    mine = centre.wait("support", before=20)
    centre.wait("support", before=10)
    assert centre.estimate(mine) == pytest.approx(150)


def test_a_contact_with_priority_stands_before_earlier_ones() -> None:
    centre = two_agents()
    centre.wait("support", before=60)
    assert centre.estimate(centre.wait("support", priority=5)) == pytest.approx(50)


def test_who_needs_a_skill_waits_for_those_who_have_it() -> None:
    centre = two_agents()
    assert centre.estimate(centre.wait("support", "fr >= 50")) == pytest.approx(100)


def test_a_contact_ahead_counts_with_the_share_of_its_agents_that_are_mine() -> None:
    centre = two_agents()
    centre.wait("support", before=60)  # anna or bob
    assert centre.estimate(centre.wait("support", "fr >= 50")) == pytest.approx(150)


def test_a_contact_ahead_that_nobody_of_mine_may_serve_is_not_in_the_way() -> None:
    centre = two_agents()
    centre.wait("support", "fr >= 50", before=60)
    assert centre.estimate(centre.wait("support", "not fr")) == pytest.approx(100)


def test_with_a_free_agent_there_is_no_wait_unless_somebody_ahead_takes_it() -> None:
    centre = two_agents()
    centre.free("anna")
    first = centre.wait("support", before=5)
    second = centre.wait("support")
    assert centre.estimate(first) == 0
    assert centre.estimate(second) == pytest.approx(50)


def test_a_contact_that_rings_already_is_not_ahead() -> None:
    centre = two_agents()
    ringing = Waiting("r", "support", arrived=NOW - 60, entered=NOW - 60, offered="anna")
    centre.waiting.append(ringing)
    assert centre.estimate(centre.wait("support")) == pytest.approx(50)


def test_paused_logged_out_and_unreachable_agents_release_nobody() -> None:
    centre = Centre({"support": Queue()}, {name: {} for name in ("anna", "bob", "carla", "dora")})
    centre.agents["anna"] = AgentStatus("anna", AgentState.PAUSED, reason="lunch")
    centre.agents["bob"] = AgentStatus("bob")
    centre.reachable = {"carla": False}
    assert centre.estimate(centre.wait("support")) == pytest.approx(100)


def test_an_agent_who_waits_out_a_delay_or_is_excluded_is_not_free_for_the_contact() -> None:
    centre = two_agents()
    centre.free("anna")
    contact = centre.wait("support")
    centre.agents["anna"] = replace(centre.agents["anna"], not_before=NOW + 5)
    assert centre.estimate(contact) == pytest.approx(50)
    centre.agents["anna"] = replace(centre.agents["anna"], not_before=NOW)
    assert centre.estimate(contact) == 0
    assert centre.estimate(replace(contact, excluded=("anna",))) == pytest.approx(100), "bob alone"


def test_a_relax_step_that_falls_due_first_lets_the_rest_of_the_work_go_faster() -> None:
    queue = Queue(requires="fr >= 50", relax=(RelaxStep(after=50, requires=""),))
    centre = Centre({"support": queue}, {"anna": {"fr": 80}, "bob": {}})
    # Anna alone: exponential with 100 s. In 50 s she has taken it, or two agents with 50 s go on.
    still_waits = exp(-50 / 100)
    assert centre.estimate(centre.wait("support")) == pytest.approx(100 * (1 - still_waits) + 50 * still_waits)


def test_a_long_queue_is_hardly_random_and_goes_on_faster_from_the_relax_step() -> None:
    queue = Queue(requires="fr >= 50", relax=(RelaxStep(after=5000, requires=""),))
    centre = Centre({"support": queue}, {"anna": {"fr": 80}, "bob": {}})
    for _ in range(99):
        centre.wait("support", before=60)
    # 100 releases at 100 s are 10,000 s; half of them have passed at the relax step, the rest takes two agents 2,500 s
    assert centre.estimate(centre.wait("support")) == pytest.approx(7500, rel=0.01)


def test_where_nobody_fits_before_the_relax_step_the_wait_is_at_least_until_then() -> None:
    queue = Queue(requires="fr >= 90", relax=(RelaxStep(after=50, requires=""),))
    centre = Centre({"support": queue}, {"anna": {"fr": 80}, "bob": {}})
    centre.free("bob")
    assert centre.estimate(centre.wait("support")) == pytest.approx(50)


def test_who_hangs_up_before_being_answered_is_not_waited_for() -> None:
    centre = two_agents()
    for number in range(40):
        centre.experience.left("support", number % 2 == 0, 50, NOW - 60)
    centre.wait("support", before=60)
    # 20 of 40 hung up in 2,000 s of waiting: each does so every 100 s, as often as one of the two agents is released
    assert centre.estimate(centre.wait("support")) == pytest.approx(100 / 3 + 100 / 2)


def test_those_who_will_overtake_take_their_part_of_the_agents() -> None:
    centre = Centre({"gold": Queue(priority=5), "plain": Queue()}, {"anna": {}, "bob": {}})
    for second in range(0, 1800, 100):  # one gold contact every 100 s takes one of two agents
        centre.experience.entered(Waiting("g", "gold", priority=5, entered=NOW - 1800 + second))
    assert centre.estimate(centre.wait("plain")) == pytest.approx(100, rel=0.1)
    assert centre.estimate(centre.wait("gold", priority=5)) == pytest.approx(50)


def test_nothing_is_said_where_those_who_overtake_leave_nobody() -> None:
    centre = Centre({"gold": Queue(priority=5), "plain": Queue()}, {"anna": {}, "bob": {}})
    for second in range(0, 1800, 40):
        centre.experience.entered(Waiting("g", "gold", priority=5, entered=NOW - 1800 + second))
    assert centre.estimate(centre.wait("plain")) is None


def test_nothing_is_said_after_too_few_contacts_or_where_nobody_may_serve() -> None:
    centre = two_agents()
    assert centre.estimate(centre.wait("support", "fr >= 90")) is None
    centre.experience = Experience()
    for _ in range(SMALLEST_SAMPLE - 1):
        centre.experience.handled("support", 100, NOW)
    assert centre.estimate(centre.wait("support")) is None
    centre.experience.handled("support", 100, NOW)
    assert centre.estimate(centre.wait("support")) is not None


def test_what_is_long_past_is_forgotten() -> None:
    experience = Experience()
    for _ in range(SMALLEST_SAMPLE):
        experience.handled("support", 100, NOW)
    assert experience.handling("support", NOW + 3600) == 100
    assert experience.handling("support", NOW + 9 * 3600) is None


def test_a_contact_takes_an_agent_from_the_offer_to_the_end_of_wrap_up() -> None:
    experience = Experience()
    for number in range(SMALLEST_SAMPLE):
        begin, token = NOW + number * 1000, f"t{number}"
        agent = step(AgentStatus("anna"), Verb.LOGIN, begin)
        agent = step(agent, Verb.OFFER, begin + 1, contact_id=token, queue="support", token=token, deadline=begin + 20)
        experience.agent(agent)
        agent = step(agent, Verb.ACCEPT, begin + 5, token=token)
        experience.agent(agent)
        agent = step(agent, Verb.FINISH, begin + 65, token=token, wrap_up=15)
        experience.agent(agent)
        agent = step(agent, Verb.EXPIRE, begin + 80)
        experience.agent(agent)
    assert experience.handling("support", NOW + 100 + SMALLEST_SAMPLE * 1000) == pytest.approx(79)


def test_an_offer_that_was_missed_is_no_handling_and_a_state_that_was_not_seen_does_no_harm() -> None:
    experience = Experience()
    offered = AgentStatus("anna", AgentState.OFFERED, since=NOW, contact_id="a", queue="support")
    for number in range(SMALLEST_SAMPLE):
        experience.agent(offered)
        experience.agent(AgentStatus("anna", AgentState.AVAILABLE, since=NOW + 20))
        at = NOW + 100 * number
        experience.agent(AgentStatus("bob", AgentState.TALKING, since=at, contact_id=f"b{number}", queue="support"))
    assert experience.handling("support", NOW + 3000) is None  # one too few: bob is still in the last one
    experience.agent(AgentStatus("bob", AgentState.AVAILABLE, since=NOW + 100 * SMALLEST_SAMPLE))
    assert experience.handling("support", NOW + 3000) == pytest.approx(100)


def test_the_error_of_past_estimates_is_their_bias_and_what_four_of_five_stay_below() -> None:
    error = error_of((100, 100 - 5 * number) for number in range(20))
    assert error is not None
    assert error.number == 20
    assert error.bias == pytest.approx(47.5)
    assert error.p80 == pytest.approx(76)
    assert error_of([]) is None


def test_what_history_tells_late_is_older_than_what_was_seen_since() -> None:
    experience, early = Experience(), Experience()
    past = [(NOW - 5000 + n, float(n)) for n in range(LAST)]
    seen = [(NOW - 100 + n, 1000.0) for n in range(SMALLEST_SAMPLE)]
    for at, seconds in seen + past:
        experience.handled("support", seconds, at)
    for at, seconds in past + seen:
        early.handled("support", seconds, at)
    assert experience.handling("support", NOW) == early.handling("support", NOW)
    assert experience.handling("support", NOW + OLDEST - 2000) == 1000, "what is older is forgotten first"


def test_minutes_are_rounded_up() -> None:
    assert [whole_minutes(seconds) for seconds in (0, 59, 60, 61, 600)] == [1, 1, 1, 2, 10]
