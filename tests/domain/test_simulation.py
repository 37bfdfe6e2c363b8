"""The simulation: against Erlang's formulas, against the rules it runs, and the meaning of its numbers."""

from math import inf
from statistics import fmean

import pytest

from contactcentre.domain import erlang, metrics
from contactcentre.domain.estimate import error_of
from contactcentre.domain.simulation.arrivals import (
    Arrival,
    Listed,
    NoArrivals,
    Rate,
    Traffic,
    parse_poisson,
    parse_table,
)
from contactcentre.domain.simulation.distributions import NEVER, Distribution, NoDistribution, stream
from contactcentre.domain.simulation.people import Habits, NoRoster, Roster, always, parse_roster, staffed
from contactcentre.domain.simulation.report import EVERYTHING, Interval, Row, difference, interval, report, student_t
from contactcentre.domain.simulation.study import NoStudy, Study
from contactcentre.domain.simulation.world import Result, World
from contactcentre.domain.site import Agent, Queue, RelaxStep, Site

FORMULA = "answered_in_time_over_offered"
HOUR = 3600.0


def value(row: Row, name: str) -> Interval:
    found = next(number for measure, number in row.items() if measure.name == name)
    assert found is not None
    return found


def one_queue(agents: int, **queue: object) -> Site:
    return staffed(Site(queues={"support": Queue.model_validate({"wrap_up": 0, **queue})}), agents)


def everybody(site: Site) -> Roster:
    return always(site.agents)


def live(site: Site, *arrivals: Arrival, roster: Roster | None = None, habits: Habits | None = None) -> Result:
    """One run with exactly these callers."""
    made = World(site, arrivals, roster or everybody(site), habits or Habits(), seed="1", until=HOUR)
    return made.run()


# -- agreement with the textbook -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("patience", "agents"), [(NEVER, 6), (Distribution.parse("exp:120"), 4)])
def test_one_skill_and_exponential_times_agree_with_erlang_within_the_confidence_interval(
    patience: Distribution, agents: int
) -> None:
    rate, aht = 100 / HOUR, 150.0
    traffic = Traffic((Rate("support", rate),), Distribution("exp", aht), patience)
    study = Study(traffic, everybody, hours=20, warm_up=1, seed=3, replications=8)
    found = report(study.run(one_queue(agents)), FORMULA)
    expected = erlang.outlook(rate, aht, agents, 20, patience.mean)
    assert expected is not None
    queue = found.queues["support"]
    assert value(queue, "service_level").holds(expected.service_level)
    assert value(queue, "asa").holds(expected.asa)
    assert value(queue, "abandon_rate").mean == pytest.approx(expected.abandons, abs=0.02)
    assert value(found.agents[EVERYTHING], "occupancy").holds(expected.occupancy)
    assert (value(queue, "service_level").half or inf) < 0.06


def test_little_s_law_holds_in_every_run() -> None:
    traffic = Traffic((Rate("support", 0.02),), Distribution("exp", 100.0), NEVER)
    result = Study(traffic, everybody, hours=20, replications=1).run(one_queue(4))[0]
    busy = sum(time.handling for time in result.agents.values())
    handled = result.queues["support"]
    assert busy == pytest.approx(handled.talk, rel=0.02)  # what runs beyond the end apart


# -- the rules it runs -----------------------------------------------------------------------------------------------


def test_a_contact_waits_for_the_agent_with_the_skill_although_another_one_is_free() -> None:
    site = Site(
        skills={"fr": ""},
        queues={"support": Queue(wrap_up=0)},
        agents={"anna": Agent(skills={"fr": 80}), "bob": Agent()},
    )
    result = live(
        site,
        Arrival(10, "support", 100, inf, requires="fr"),
        Arrival(20, "support", 50, inf, requires="fr"),
        Arrival(30, "support", 40, inf),
    )
    assert result.agents["anna"].calls == 2
    assert result.agents["bob"].calls == 1
    assert result.queues["support"].wait_answered == pytest.approx(90)


def test_a_requirement_is_relaxed_while_the_contact_waits() -> None:
    site = Site(
        skills={"fr": ""},
        queues={"support": Queue(requires="fr >= 50", relax=(RelaxStep(after=30, requires=""),))},
        agents={"bob": Agent()},
    )
    result = live(site, Arrival(0.1, "support", 10, inf))
    assert result.queues["support"].wait_answered == pytest.approx(30, abs=0.01)


def test_priority_goes_before_arrival() -> None:
    site = Site(
        queues={"gold": Queue(priority=5, wrap_up=0), "plain": Queue(wrap_up=0)},
        agents={"anna": Agent()},
    )
    result = live(site, Arrival(0, "plain", 100, inf), Arrival(1, "plain", 100, inf), Arrival(2, "gold", 100, inf))
    assert result.queues["gold"].wait_answered == pytest.approx(98)
    assert result.queues["plain"].wait_answered == pytest.approx(199)


def test_wrap_up_is_a_part_of_handling_time_and_keeps_the_agent() -> None:
    site = one_queue(1, wrap_up=30)
    result = live(site, Arrival(0, "support", 100, inf), Arrival(1, "support", 20, inf))
    queue = result.queues["support"]
    assert queue.wait_answered == pytest.approx(99)
    assert (queue.talk, queue.wrap_up) == (70, 50)
    assert result.agents["agent"].wrap_up == pytest.approx(50)


def test_the_time_a_phone_rings_belongs_to_the_wait() -> None:
    habits = Habits(pick_up=Distribution("const", 4))
    result = live(one_queue(1), Arrival(0, "support", 100, inf), habits=habits)
    assert result.queues["support"].wait_answered == pytest.approx(4)
    assert result.agents["agent"].offered == pytest.approx(4)


def test_who_misses_offers_is_paused_and_the_contact_keeps_its_place() -> None:
    site = one_queue(1, ring_seconds=10, misses_allowed=2, retry_delay=5)
    habits = Habits(pick_up=Distribution("const", 60), back_after=100)
    result = live(site, Arrival(0, "support", 100, 300), habits=habits)
    # rings 0-10 and 15-25, paused until 125, again 125-135 and 140-150, paused until 250, 250-260, 265-275, paused
    assert result.decisions == 6
    assert result.queues["support"].abandoned == 1
    assert result.agents["agent"].offered == pytest.approx(60)
    assert result.agents["agent"].paused["missed"] >= 200


def test_a_caller_who_hangs_up_while_the_phone_rings_frees_the_agent() -> None:
    habits = Habits(pick_up=Distribution("const", 8))
    result = live(one_queue(1), Arrival(0, "support", 100, 5), Arrival(1, "support", 10, inf), habits=habits)
    queue = result.queues["support"]
    assert (queue.abandoned, queue.answered) == (1, 1)
    assert queue.wait_answered == pytest.approx(12)


def test_ringall_rings_all_and_the_first_answer_takes_the_contact_without_a_miss_for_the_others() -> None:
    site = one_queue(3, strategy="ringall")
    result = live(site, Arrival(0, "support", 100, inf), habits=Habits(pick_up=Distribution.parse("uniform:2,10")))
    assert result.decisions == 3
    assert sum(time.calls for time in result.agents.values()) == 1
    rang = {round(time.offered, 6) for time in result.agents.values()}
    assert rang == {round(result.queues["support"].wait_answered, 6)}


def test_ring_progressively_lets_one_more_phone_ring_after_each_pause() -> None:
    site = one_queue(3, strategy="ring-progressively", ring_more_every=4)
    result = live(site, Arrival(0, "support", 100, inf), habits=Habits(pick_up=Distribution("const", 10)))
    assert sorted(time.offered for time in result.agents.values()) == pytest.approx([2, 6, 10], abs=0.01)


def test_who_did_not_answer_is_not_asked_again_while_another_one_is_free() -> None:
    site = one_queue(2, strategy="linear", ring_seconds=10, retry_delay=0, misses_allowed=0)
    habits = Habits(pick_up=Distribution("const", 60))
    result = live(site, Arrival(0, "support", 100, 35), habits=habits)
    assert [time.offered for time in result.agents.values()] == pytest.approx([20, 15])


def test_preferred_agents_come_first_for_a_while_and_excluded_ones_never() -> None:
    site = Site(
        queues={"support": Queue(wrap_up=0, prefer_for=30, strategy="linear")},
        agents={"anna": Agent(), "bob": Agent(), "carla": Agent()},
    )
    result = live(
        site,
        Arrival(10, "support", 100, inf, preferred=("carla",)),
        Arrival(20, "support", 50, inf, preferred=("carla",)),  # until 50: carla talks, and is waited for
        Arrival(60, "support", 10, inf, excluded=("anna", "carla")),
    )
    assert {name: time.calls for name, time in result.agents.items()} == {"anna": 1, "bob": 1, "carla": 1}
    assert result.queues["support"].wait_answered == pytest.approx(30, abs=0.01)


def test_who_declines_or_is_busy_is_asked_again_after_that_delay_and_only_a_declined_offer_is_a_miss() -> None:
    site = one_queue(1, reject_delay=40, busy_delay=7, retry_delay=1, misses_allowed=1)
    declined = live(site, Arrival(0, "support", 10, 300), habits=Habits(reject=0.999, back_after=20))
    assert declined.decisions == 8, "each is a miss, and paused for it, back before the delay is over"
    assert declined.agents["agent"].paused["missed"] >= 8 * 20
    asked = live(site, Arrival(0, "support", 10, 69), habits=Habits(busy=0.999))
    assert asked.decisions == 10
    assert not asked.agents["agent"].paused
    two = one_queue(1, reject_delay=40, retry_delay=1, misses_allowed=0)
    assert live(two, Arrival(0, "support", 10, 79), habits=Habits(reject=0.999)).decisions == 2


def test_a_phone_that_answers_by_itself_answers_at_once() -> None:
    habits = Habits(pick_up=Distribution("const", 8), miss=0.999)
    result = live(one_queue(1, auto_answer=True), Arrival(3, "support", 10, inf), habits=habits)
    assert (result.queues["support"].answered, result.queues["support"].wait_answered) == (1, 0)


def test_nobody_would_ever_answer_is_no_habit() -> None:
    with pytest.raises(ValueError, match="miss, reject and busy together"):
        Habits(miss=0.4, reject=0.4, busy=0.2)


def test_who_overflows_goes_on_in_the_other_queue_with_the_first_arrival_and_more_points() -> None:
    site = Site(
        queues={
            "a": Queue(agents=("anna",), max_wait=50, overflow={"timeout": "queue:b"}, overflow_priority=5, wrap_up=0),
            "b": Queue(agents=("bob",), wrap_up=0),
        },
        agents={"anna": Agent(), "bob": Agent()},
    )
    result = live(
        site,
        Arrival(0, "a", 500, inf),
        Arrival(0, "b", 100, inf),
        Arrival(10, "a", 30, inf),  # goes on at 60
        Arrival(20, "b", 30, inf),  # came to b before it, and is overtaken
        Arrival(30, "a", 30, 60),  # goes on at 80 and hangs up at 90, counted from the first arrival
    )
    first, second = result.queues["a"], result.queues["b"]
    assert (first.answered, first.flow_out, first.abandoned) == (1, 2, 0)
    assert (second.answered, second.abandoned) == (3, 1)
    assert second.wait_answered == pytest.approx(40 + 110)


def test_a_contact_that_no_queue_takes_is_gone() -> None:
    site = Site(
        queues={
            "a": Queue(max_length=1, overflow={"full": "queue:b"}),
            "b": Queue(max_length=1, overflow={"full": "voicemail:box"}),
        },
        agents={},
    )
    result = live(site, *(Arrival(at, "a", 1, 100) for at in (1, 2, 3)))
    assert (result.queues["a"].flow_out, result.queues["b"].flow_out) == (2, 1)
    assert result.queues["a"].abandoned == result.queues["b"].abandoned == 1


def test_a_full_queue_and_a_longest_wait_send_contacts_elsewhere() -> None:
    site = one_queue(1, max_length=1, max_wait=50)
    result = live(
        site,
        Arrival(0, "support", 200, inf),
        Arrival(1, "support", 1, inf),
        Arrival(2, "support", 1, inf),
    )
    queue = result.queues["support"]
    assert (queue.answered, queue.flow_out, queue.offered) == (1, 2, 3)
    assert queue.wait_longest == pytest.approx(50)


def test_who_waits_leaves_when_the_last_agent_goes_and_nobody_new_is_let_in() -> None:
    site = one_queue(1, join_empty="no", leave_when_empty="yes")
    roster = {"agent": ((0.0, 100.0), (500.0, inf))}
    result = live(
        site,
        Arrival(10, "support", 50, inf),
        Arrival(20, "support", 60, inf),  # talks until 120: the agent goes then
        Arrival(30, "support", 50, inf),  # leaves at 120
        Arrival(200, "support", 50, inf),  # not let in
        Arrival(600, "support", 50, inf),
        roster=roster,
    )
    queue = result.queues["support"]
    assert (queue.answered, queue.flow_out) == (3, 2)
    assert queue.wait_longest == pytest.approx(90)


def test_who_has_waited_too_long_leaves_when_the_phone_has_rung_out() -> None:
    site = one_queue(2, ring_seconds=20, max_wait=30, retry_delay=0, misses_allowed=0)
    habits = Habits(pick_up=Distribution("const", 60))
    result = live(site, Arrival(0, "support", 50, inf), habits=habits)
    queue = result.queues["support"]
    assert (queue.flow_out, queue.wait_longest) == (1, 40)


def test_agents_work_when_the_roster_says_and_finish_the_call_they_are_in() -> None:
    site = one_queue(1)
    roster = parse_roster("agent,from,until\nagent,0:01,0:02\nagent,0:30,0:31\n", "roster.csv", site)
    result = live(site, Arrival(10, "support", 100, inf), Arrival(20, "support", 5, inf), roster=roster)
    time = result.agents["agent"]
    assert result.queues["support"].wait_answered == pytest.approx(50 + 1780)
    assert time.calls == 2
    assert time.logged_in == pytest.approx(100 + 60)


def test_who_nobody_can_serve_is_told_as_still_waiting() -> None:
    site = one_queue(1, requires="")
    roster = {"agent": ((0.0, 10.0),)}
    result = live(site, Arrival(20, "support", 5, inf), roster=roster)
    assert result.queues["support"].waiting == 1
    assert result.queues["support"].offered == 0


def test_contacts_in_the_warm_up_are_lived_through_and_not_counted() -> None:
    arrivals = [Arrival(10, "support", 100, inf), Arrival(50, "support", 100, inf)]
    result = World(one_queue(1), arrivals, {"agent": ((0.0, inf),)}, Habits(), seed="1", until=200, warm_up=40).run()
    assert result.contacts == 2
    assert result.queues["support"].answered == 1
    assert result.queues["support"].wait_answered == pytest.approx(60)
    assert result.agents["agent"].handling == pytest.approx(160)


def test_estimates_made_on_arrival_are_close_to_what_callers_then_waited() -> None:
    traffic = Traffic((Rate("support", 200 / 1800),), Distribution("exp", 180.0), Distribution("exp", 600.0))
    world = World(
        one_queue(21), traffic.arrivals("2", 4 * HOUR), everybody(one_queue(21)), Habits(), seed="2", until=4 * HOUR
    )
    told = world.run().estimates["support"]
    error = error_of(told)
    assert error is not None
    waits = [actual for _, actual in told]
    best_single_guess = error_of((fmean(waits), actual) for actual in waits)
    assert best_single_guess is not None
    assert len(told) > 100
    assert abs(error.bias) < 0.25 * fmean(waits)
    assert error.p80 < 0.7 * best_single_guess.p80


# -- numbers and their confidence ------------------------------------------------------------------------------------


def study(**changes: object) -> Study:
    settings: dict[str, object] = {"hours": 2.0, "replications": 4, "seed": 5, **changes}
    traffic = Traffic((Rate("support", 0.05),), Distribution("exp", 60.0), Distribution("exp", 60.0))
    return Study(traffic, everybody, **settings)  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_and_another_one_other_callers() -> None:
    site = one_queue(3)
    assert study().run(site) == study().run(site)
    assert study().run(site) != study(seed=6).run(site)


def test_two_sites_get_the_same_callers_and_their_difference_is_surer_than_each_alone() -> None:
    few, many = study().run(one_queue(3)), study().run(one_queue(4))
    assert [result.contacts for result in few] == [result.contacts for result in many]
    change = value(difference(few, many, FORMULA).queues["support"], "service_level")
    alone = value(report(few, FORMULA).queues["support"], "service_level")
    assert change.mean > 0.1
    assert change.significant
    assert (change.half or inf) < (alone.half or 0.0) * 1.5


def test_equal_sites_differ_by_nothing_and_that_is_not_significant() -> None:
    results = study().run(one_queue(3))
    change = value(difference(results, results, FORMULA).queues["support"], "asa")
    assert (change.mean, change.significant) == (0.0, False)


def test_the_counts_of_all_queues_are_added_and_their_shares_are_not_averaged() -> None:
    site = Site(queues={"a": Queue(wrap_up=0), "b": Queue(wrap_up=0)}, agents={"anna": Agent()})
    result = live(site, Arrival(0, "a", 100, inf), Arrival(1, "b", 1, 5), Arrival(2, "b", 1, inf))
    rows = report([result], FORMULA).queues
    assert value(rows[EVERYTHING], "offered").mean == 3
    assert value(rows[EVERYTHING], "abandon_rate").mean == pytest.approx(1 / 3)
    assert value(rows["b"], "abandon_rate").mean == pytest.approx(1 / 2)
    assert metrics.asa(result.queues["b"]) == pytest.approx(98)


def test_an_interval_is_student_s_and_one_run_has_none() -> None:
    found = interval([1.0, 2.0, 3.0, None])
    assert found is not None
    assert (found.mean, found.runs) == (2.0, 3)
    assert found.half == pytest.approx(4.303 / 3**0.5)
    assert interval([None]) is None
    alone = interval([1.0])
    assert alone is not None
    assert alone.half is None
    assert not alone.significant


@pytest.mark.parametrize(("freedom", "point"), [(1, 12.706), (9, 2.262), (30, 2.042), (40, 2.021), (120, 1.980)])
def test_student_s_t_is_the_table_s(freedom: int, point: float) -> None:
    assert student_t(freedom) == pytest.approx(point, abs=1e-3)


def test_a_study_that_nobody_would_wait_for_is_refused_with_a_hint() -> None:
    traffic = Traffic((Rate("support", 400.0),), Distribution("exp", 60.0), NEVER)
    with pytest.raises(NoStudy, match="poisson:400/h"):
        Study(traffic, everybody, hours=8)


# -- what is asked ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["exp:180", "const:60", "lognormal:180,0.8", "uniform:60,300"])
def test_a_distribution_has_the_mean_it_says_and_writes_itself_as_it_was_read(text: str) -> None:
    distribution, random = Distribution.parse(text), stream("1")
    assert str(distribution) == text
    drawn = [distribution.draw(random) for _ in range(20_000)]
    assert fmean(drawn) == pytest.approx(distribution.mean, rel=0.03)
    assert min(drawn) >= 0


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("gauss:1", "no distribution"),
        ("exp", "takes 1"),
        ("exp:x", "numbers"),
        ("exp:0", "above 0"),
        ("exp:-1", "0 or more"),
        ("const:nan", "0 or more"),
        ("uniform:9,3", "FROM"),
        ("lognormal:180", "takes 2"),
        ("lognormal:180,80", "sigma"),
    ],
)
def test_what_is_no_distribution_is_refused_with_the_reason(text: str, word: str) -> None:
    with pytest.raises(NoDistribution, match=word):
        Distribution.parse(text)


def test_a_rate_is_for_each_second_unless_told_and_shared_by_all_queues_unless_one_is_named() -> None:
    assert parse_poisson("poisson:2", ["a", "b"]) == [Rate("a", 1.0), Rate("b", 1.0)]
    assert parse_poisson("poisson:360/h/b", ["a", "b"]) == [Rate("b", 0.1)]
    assert parse_poisson("poisson:6/min", ["a"]) == [Rate("a", 0.1)]
    assert parse_poisson("poisson:1/b", ["a", "b"]) == [Rate("b", 1.0)]


@pytest.mark.parametrize(
    "text", ["poisson:x", "poisson:0", "poisson:1/c", "poisson:1/h/a/b", "poisson:", "poisson:inf"]
)
def test_a_rate_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(NoArrivals):
        parse_poisson(text, ["a", "b"])


def test_a_forecast_brings_its_calls_in_its_intervals() -> None:
    table = "from,until,queue,calls\n0:00,0:30,a,600\n0:30,1:00,a,0\n1:00,1:30,b,300\n"
    traffic = Traffic(tuple(parse_table(table, "day.csv", ["a", "b"])), Distribution("exp", 60.0), NEVER)
    came = list(traffic.arrivals("1", HOUR * 2))
    assert [came.at for came in came] == sorted(came.at for came in came)
    first = [arrival for arrival in came if arrival.queue == "a"]
    assert len(first) == pytest.approx(600, abs=80)
    assert all(arrival.at < 1800 for arrival in first)
    assert all(3600 <= arrival.at < 5400 for arrival in came if arrival.queue == "b")
    assert traffic.expected(HOUR) == pytest.approx(600)
    assert not traffic.steady


def test_a_list_of_contacts_is_played_back_as_it_was() -> None:
    table = "at,queue,handling,patience,requires,priority,group,prefer,exclude\n"
    table += "0:00:10,a,60,30,fr,2,gold,anna bob,carla\n5,a,,,,,,,\n"
    contacts = parse_table(table, "calls.csv", ["a"], ["anna", "bob", "carla"])
    traffic = Traffic(tuple(contacts), Distribution("const", 7.0), NEVER)
    assert list(traffic.arrivals("1", HOUR)) == [
        Arrival(5, "a", 7.0, inf),
        Arrival(10, "a", 60, 30, "fr", 2, "gold", ("anna", "bob"), ("carla",)),
    ]
    assert contacts[0] == Listed(10, "a", 60, 30, "fr", 2, "gold", ("anna", "bob"), ("carla",))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("", "line 1"),
        ("when,queue\n1,a\n", "header"),
        ("at,queue,colour\n1,a,red\n", "colour"),
        ("at,queue\n1,nope\n", "line 2.*nope"),
        ("at,queue\n1,a\nx,a\n", "line 3.*time"),
        ("at,queue\n1\n", "line 2.*2 values"),
        ("from,until,queue,calls\n10,5,a,3\n", "line 2.*not after"),
        ("from,until,queue,calls\n0,5,a,-3\n", "line 2.*calls"),
        ("at,queue\n", "no contact"),
        ("at,queue,requires\n1,a,fr >=\n", "line 2.*column 6"),
        ("at,queue,prefer\n1,a,anna zoe\n", "line 2: prefer: the site has no agent 'zoe'"),
    ],
)
def test_a_table_with_a_mistake_names_the_line(table: str, words: str) -> None:
    with pytest.raises(NoArrivals, match=f"calls.csv.*{words}"):
        parse_table(table, "calls.csv", ["a"], ["anna"])


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("agent,from\nanna,1\n", "header"),
        ("agent,from,until\nghost,0,5\n", "ghost"),
        ("agent,from,until\nanna,5,5\n", "not after"),
        ("agent,from,until\nanna,0,5\nanna,4,9\n", "overlap"),
        ("agent,from,until\nanna,0,x\n", "line 2"),
        ("agent,from,until\n", "nobody"),
    ],
)
def test_a_roster_with_a_mistake_says_where(table: str, words: str) -> None:
    with pytest.raises(NoRoster, match=words):
        parse_roster(table, "roster.csv", Site(agents={"anna": Agent()}))


def test_more_agents_than_the_site_has_are_its_profiles_in_turn_and_join_the_same_queues() -> None:
    site = Site(
        skills={"fr": ""},
        queues={"vip": Queue(agents=("anna",), relax=(RelaxStep(after=9, agents=("bob",)),)), "all": Queue()},
        agents={"anna": Agent(skills={"fr": 90}), "bob": Agent()},
    )
    made = staffed(site, 5)
    assert list(made.agents) == ["anna", "bob", "anna-2", "bob-2", "anna-3"]
    assert made.queues["vip"].agents == ("anna", "anna-2", "anna-3")
    assert made.queues["vip"].relax[0].agents == ("bob", "bob-2")
    assert made.queues["all"].agents == ()
    assert made.agents["anna-3"].skills == {"fr": 90}
    assert list(staffed(site, 1).agents) == ["anna"]
