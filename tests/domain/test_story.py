from contactcentre.domain.contacts import fold
from contactcentre.domain.events import Event, Kind
from contactcentre.domain.site import Site
from contactcentre.domain.story import InForce, asked_later, tell
from tests.store.calls import DAY, Call, answered


def story(call: Call) -> list[str]:
    """All lines with their reasons, as one text each."""
    return [" ".join((line.text, *line.because)) for line in tell(fold(call.events), call.events)]


def decision(call: Call, after: float, **data: object) -> Call:
    known = {"queue": "support", "agent": "", "rule": "nobody who fits is free for it", "candidates": [], "cut": []}
    return call.add(after, Kind.DECISION, **{**known, **data})


def test_an_answered_contacts_story_names_the_requirement_the_candidates_the_cuts_and_the_missed_offer() -> None:
    assert story(answered(caller="+33142", caller_name="Ada")) == [
        "+33142 (Ada) called 100. Flow main on node1 took it.",
        "It entered queue support. It needs an agent with lang_fr >= 50.",
        "alice was chosen: longest idle. Candidates in order: alice (80). Not bob: lang_fr is 10, asked for 50.",
        "alice did not answer after 5 s. The contact kept its place in the queue.",
        "bob was chosen: longest idle. Candidates in order: bob (80). Not bob: lang_fr is 10, asked for 50.",
        "bob got it after 20 s in queue support, 1 of 2 offers missed.",
        "It ended: answered (hung up by the caller).",
    ]


def test_a_finding_that_repeats_is_told_once() -> None:
    call = Call().queued(0)
    for second in range(5):
        decision(call, second, cut=[["bob", "paused: lunch"]], left_out=3)
    told = story(call.abandoned(60))
    assert told[2] == (
        "Nobody was chosen: nobody who fits is free for it. Paused: bob (lunch). "
        "3 more agents were no candidates either."
    )
    assert told[3:] == [
        "The caller hung up after 60 s in queue support.",
        "It ended: abandoned (hung up by the caller).",
    ]


def test_more_candidates_than_are_named_are_counted() -> None:
    call = decision(
        Call().queued(0), 1, agent="al", rule="longest-idle", candidates=[["al", 80.5], ["bo", 3]], fitting=9
    )
    assert "Candidates in order: al (80.5 seconds idle), bo (3 seconds idle) and 7 more." in story(call)[2]


def test_a_contact_that_no_agent_was_looked_for_says_so() -> None:
    assert story(Call().ended(8, "self_served"))[-1] == (
        "It ended: self served (hung up by the caller). It never entered a queue, so no agent was looked for."
    )


def test_who_asked_to_be_called_back_is_told_with_the_number() -> None:
    call = Call().queued(0).add(30, Kind.UNQUEUED, queue="support", reason="key", waited=30)
    told = story(call.add(30, Kind.CALLBACK_REQUESTED, queue="support", number="+33142").ended(33, "callback"))
    assert told[-2] == "The caller asked to be called back at +33142."
    assert told[-1].startswith("It ended: callback")


def test_two_queues_are_told_one_after_the_other() -> None:
    call = Call().queued(0, "sales").add(30, Kind.UNQUEUED, queue="sales", reason="timeout", waited=30)
    told = story(call.queued(31).offered(31).talked(33, 5).ended(40))
    assert "The queue's longest wait was over, the flow went on after 30 s in queue sales." in told
    assert "alice got it after 2 s in queue support." in told


def test_facts_of_another_version_are_told_as_well_as_they_can_be() -> None:
    call = Call(caller="").queued(0)
    call.add(1, Kind.DECISION, agent="al", candidates=["al"], cut=["bo", 7], fitting="many")
    call.add(2, Kind.REFUSED, agent="al", result="struck by lightning")
    del call.events[1]
    told = story(call)
    assert told[0].startswith("A withheld number called")
    assert "al came to nothing: struck by lightning." in told[2]


def test_what_is_missing_is_admitted() -> None:
    call = answered()
    call.events = [event for event in call.events if event.seq not in (3, 4)]
    assert "Facts 3 to 4 of it are missing." in story(call)[-1]
    assert isinstance(call.events[0], Event)
    assert tell(fold(call.events), call.events)[0].at == DAY


def site(**support: object) -> Site:
    return Site.model_validate({"queues": {"support": support}, "agents": {"anna": {}, "bob": {}}})


def test_what_a_queue_asked_for_later_follows_from_the_version_of_the_site_that_was_in_force() -> None:
    call = decision(Call().queued(10), 10).abandoned(100)
    relax = [{"after": 30, "requires": "fr >= 20"}, {"after": 60, "agents": ["bob"]}, {"after": 300, "requires": ""}]
    first = site(requires="fr >= 50", agents=["anna"], relax=relax)
    second = site(requires="fr >= 50", agents=["anna"], relax=relax[:1])
    versions = [InForce(DAY - 900, 3, "cli:root", first), InForce(DAY + 80, 4, "sue", second)]
    told = [(line.at - DAY, line.text) for line in tell(fold(call.events), call.events, versions)][3:-2]
    assert told == [
        (40, "After 30 s in queue support the queue's part is relaxed to fr >= 20."),
        (70, "After 60 s in queue support the queue also asks bob."),
        (80, "Queue support was changed (version 4, by sue)."),
    ]


def test_what_a_queue_will_ask_for_is_not_told_before_it_does() -> None:
    call = Call().queued(10)
    versions = [InForce(DAY - 9, 1, "sue", site(relax=[{"after": 30, "requires": "fr >= 20"}]))]
    history = fold(call.events)
    for second, number in ((39, 0), (41, 1)):
        assert len(asked_later(history, versions, DAY + second)) == number
        assert len(tell(history, call.events, versions, DAY + second)) == len(tell(history, call.events)) + number


def test_a_version_that_changes_another_queue_and_a_step_that_came_too_late_are_not_told() -> None:
    call = Call().queued(0).abandoned(20)
    relax = [{"after": 30, "requires": "fr >= 20"}]
    versions = [
        InForce(DAY - 9, 1, "sue", site(relax=relax)),
        InForce(DAY + 5, 2, "sue", site(relax=relax).model_copy(update={"skills": {"fr": ""}})),
    ]
    assert tell(fold(call.events), call.events, versions) == tell(fold(call.events), call.events)


def test_a_contact_that_overflows_keeps_its_arrival_and_its_higher_priority_is_told() -> None:
    call = Call().add(0, Kind.QUEUED, queue="sales", requirement="", priority=1)
    call.add(30, Kind.UNQUEUED, queue="sales", reason="timeout", waited=30, rule="")
    call.add(30, Kind.QUEUED, queue="support", requirement="", priority=6)
    assert story(call)[3] == (
        "It entered queue support. Any agent of the queue will do. Its priority is 6, in queue sales it was 1. "
        "It kept its first arrival: it need not queue twice."
    )


def test_who_was_turned_away_is_told_what_was_counted() -> None:
    call = Call().queued(0)
    call.add(
        0, Kind.UNQUEUED, queue="support", reason="empty", waited=0, rule="nobody is there: 3 paused, 2 logged out"
    )
    assert story(call.ended(1, "rejected"))[2] == (
        "Nobody was there to answer, the flow went on after 0 s in queue support. "
        "Nobody is there: 3 paused, 2 logged out."
    )


def test_several_phones_ring_and_one_answers() -> None:
    call = Call().queued(0)
    for agent in ("al", "bo"):
        decision(call, 1, agent=agent, rule="ringall: 9 seconds idle, first of 2")
        call.add(1, Kind.OFFERED, agent=agent, queue="support", token=agent, deadline=DAY + 20, leg=agent)
    call.talked(4, 5, "bo").add(4, Kind.REFUSED, agent="al", token="al", leg="al", result="answered_elsewhere")
    assert story(call.ended(9))[2:5] == [
        "al was chosen: ringall: 9 seconds idle, first of 2.",
        "bo was asked as well: ringall: 9 seconds idle, first of 2.",
        "bo got it after 4 s in queue support.",
    ]
    assert "al was ringing when another agent answered after 3 s." in story(call)


def test_what_the_caller_was_told_is_told_when_it_changes() -> None:
    call = Call().queued(0)
    for after, position, estimate in ((1, 3, 115.0), (20, 3, 100.0), (40, 2, "")):
        call.add(after, Kind.ANNOUNCED, queue="support", position=position, estimate=estimate)
    assert story(call)[2:] == [
        "The caller was told place 3 and a wait of about 115 s.",
        "The caller was told place 2.",
    ]
