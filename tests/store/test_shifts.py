"""What agents did, and which version of the site was in force."""

from dataclasses import replace

from contactcentre.domain.agents import AgentState
from contactcentre.domain.events import Kind
from contactcentre.domain.ids import uuid7
from contactcentre.domain.shift import FACTS, Change
from contactcentre.domain.site import Site
from contactcentre.live import AgentFact
from contactcentre.store import Store
from tests.store.calls import DAY, answered

S = AgentState


def offered(agent: str, at: float, contact_id: str, queue: str = "support", version: int = 1) -> AgentFact:
    return AgentFact(agent, version, DAY + at, S.AVAILABLE, S.OFFERED, contact_id=contact_id, queue=queue)


def test_an_agents_changes_begin_with_the_state_before(store: Store) -> None:
    facts = [
        AgentFact("ann", 1, DAY - 100, S.LOGGED_OUT, S.AVAILABLE),
        AgentFact("ann", 2, DAY - 50, S.AVAILABLE, S.PAUSED, "lunch"),
        AgentFact("ann", 3, DAY + 50, S.PAUSED, S.AVAILABLE),
        AgentFact("ann", 4, DAY + 900, S.AVAILABLE, S.LOGGED_OUT),
        AgentFact("bea", 1, DAY + 60, S.LOGGED_OUT, S.AVAILABLE),
    ]
    store.record([], facts)
    assert store.agent_changes("ann", DAY, DAY + 900) == [
        Change(DAY - 50, "paused", "lunch"),
        Change(DAY + 50, "available"),
    ]
    assert store.agent_changes("zoe", DAY, DAY + 900) == []


def test_contacts_offered_to_an_agent_and_to_others_are_found_the_latest_first(store: Store) -> None:
    one, two, three = (uuid7(DAY + n) for n in (1, 2, 3))
    wish = replace(offered("ann", 15, one, version=2), previous=S.OFFERED)  # asked for a pause while it rang
    again = offered("ann", 40, one, version=5)
    facts = [offered("ann", 10, one), wish, offered("ann", 30, two, version=3), again]
    facts += [offered("bea", 20, three), offered("bea", 50, two, "sales", version=2)]
    store.record([], facts)
    assert store.contacts_offered("ann", DAY) == [one, two]
    assert store.contacts_offered("ann", DAY + 31) == [one]
    assert store.contacts_offered_to_others("ann", ["support"], DAY) == [three]
    assert store.contacts_offered_to_others("ann", ["sales", "support"], DAY) == [two, three]
    assert store.contacts_offered_to_others("ann", ["sales", "support"], DAY, most=1) == [two]
    assert store.contacts_offered_to_others("ann", [], DAY) == []


def test_of_many_contacts_only_the_facts_asked_for_are_read(store: Store) -> None:
    calls = [answered(DAY + n) for n in range(2)]
    store.record([event for call in calls for event in call.events])
    found = store.facts([calls[0].id, uuid7(DAY)], FACTS)
    assert list(found) == [calls[0].id]
    assert {event.kind for event in found[calls[0].id]} == {
        Kind.DECISION, Kind.OFFERED, Kind.REFUSED, Kind.ACCEPTED, Kind.TALK_ENDED,
    }  # fmt: skip
    assert [event.seq for event in found[calls[0].id]] == sorted(event.seq for event in found[calls[0].id])
    assert store.facts([], FACTS) == {}


def test_the_versions_of_the_site_in_a_time_begin_with_the_one_in_force(store: Store) -> None:
    numbers = [store.save_site(Site(skills={f"s{n}": ""}), f"user{n}") for n in range(3)]
    moments = {version.id: version.at for version in store.site_versions()}
    first, last = (moments[number] for number in (numbers[0], numbers[2]))
    found = store.sites_in_force(first, last)
    assert [(version.number, version.by, version.since) for version in found] == [
        (number, f"user{n}", moments[number]) for n, number in enumerate(numbers)
    ]
    assert list(found[1].site.skills) == ["s1"]
    assert [version.number for version in store.sites_in_force(last, last + 60)] == [numbers[2]]
    assert store.sites_in_force(0.0, 1.0) == []
