from contactcentre.domain.contacts import fold
from contactcentre.domain.events import Event, Kind
from contactcentre.domain.story import tell
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
        "alice was chosen: longest idle. Considered, in this order: alice (80). Not bob: lang_fr is 10, asked for 50.",
        "alice did not answer after 5 s. The contact kept its place in the queue.",
        "bob was chosen: longest idle. Considered, in this order: bob (80). Not bob: lang_fr is 10, asked for 50.",
        "bob got it after 20 s in queue support, 1 of 2 offers missed.",
        "It ended: answered (hung up by the caller).",
    ]


def test_a_finding_that_repeats_is_told_once() -> None:
    call = Call().queued(0)
    for second in range(5):
        decision(call, second, cut=[["bob", "paused: lunch"]], left_out=3)
    told = story(call.abandoned(60))
    assert told[2] == (
        "Nobody was chosen: nobody who fits is free for it. Not bob: paused: lunch. "
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
    assert "Considered, in this order: al (80.5), bo (3) and 7 more." in story(call)[2]


def test_a_contact_that_no_agent_was_looked_for_says_so() -> None:
    assert story(Call().ended(8, "self_served"))[-1] == (
        "It ended: self served (hung up by the caller). It never entered a queue, so no agent was looked for."
    )


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
