"""That a call is recorded is said before it is, once; and beeped while it is."""

from collections.abc import Iterator

import pytest

from contactcentre.domain.events import Event, Kind
from tests.controller import fake_pbx
from tests.controller.fake_pbx import Line
from tests.controller.people import calls, comes, rings, story
from tests.controller.stack import kinds, one
from tests.controller.test_recording_flow import FLOW
from tests.controller.test_verbs import ask, refused
from tests.controller.world import SITE, World
from tests.waiting import eventually


class Notified:
    """A world whose site says what queue one and the site are to say."""

    def __init__(self, world: World) -> None:
        self.world = world
        directory = world.at / "en"
        directory.mkdir(exist_ok=True)
        (directory / "recorded.wav").touch()
        (directory / "site-recorded.wav").touch()
        self.said, self.said_by_the_site = f"sound:{directory / 'recorded'}", f"sound:{directory / 'site-recorded'}"

    def says(self, settings: dict[str, object] | None = None, **queue: object) -> None:
        one_ = SITE.queues["one"].model_copy(update=queue)
        changed = SITE.settings.model_copy(update=settings or {})
        self.world.changes = {"settings": changed, "queues": {**SITE.queues, "one": one_}}
        self.world.restart()

    def heard(self, line: Line) -> list[str]:
        """Of the announcements and beeps."""
        names = {self.said: "said", self.said_by_the_site: "said by the site", "tone:beep": "beep"}
        return [names[medium] for medium, _ in line.heard if medium in names]

    def connects(self, caller: Line) -> Line:
        leg = rings(self.world)
        self.world.pbx.answer(leg)
        comes(self.world, caller, Kind.TALK_STARTED)
        return leg

    def facts(self, caller: Line) -> list[Event]:
        wanted = (Kind.QUEUED, Kind.TALK_STARTED, Kind.RECORDING_ANNOUNCED, Kind.RECORDING_STARTED)
        return [event for event in story(self.world, caller) if event.kind in wanted]


@pytest.fixture
def there(world: World) -> Iterator[Notified]:
    yield Notified(world)
    world.peace()
    world.check()
    world.changes = {}


def test_a_customer_who_will_be_recorded_hears_it_before_the_queue_and_never_again(there: Notified) -> None:
    there.says(record_announce="recorded")
    caller = calls(there.world, "1")
    there.connects(caller)
    comes(there.world, caller, Kind.RECORDING_STARTED)
    assert there.heard(caller) == ["said"]
    assert kinds(there.facts(caller)) == [
        Kind.RECORDING_ANNOUNCED,
        Kind.QUEUED,
        Kind.TALK_STARTED,
        Kind.RECORDING_STARTED,
    ]
    ask(there.world, caller, "transfer", to="queue:one")
    leg = rings(there.world)
    there.world.pbx.answer(leg)
    eventually(lambda: kinds(there.facts(caller)).count(Kind.RECORDING_STARTED) == 2, "recorded again")
    assert there.heard(caller) == ["said"]
    assert there.heard(leg) == [], "agents are not told"


def test_who_is_not_recorded_hears_nothing(there: Notified) -> None:
    there.says(record_announce="recorded", record=False)
    caller = calls(there.world, "1")
    there.connects(caller)
    assert there.heard(caller) == []


def test_on_demand_the_customer_hears_it_first_then_it_is_recorded_and_beeps(there: Notified) -> None:
    there.says(record_announce="recorded", record=False, record_beep=0.1)
    caller = calls(there.world, "1")
    there.connects(caller)
    assert ask(there.world, caller, "record", action="start")["recording"] == "beginning"
    comes(there.world, caller, Kind.RECORDING_STARTED)
    eventually(lambda: there.heard(caller).count("beep") >= 2, "beeps")
    assert there.heard(caller)[:2] == ["said", "beep"]
    facts = there.facts(caller)
    assert kinds(facts)[-2:] == [Kind.RECORDING_ANNOUNCED, Kind.RECORDING_STARTED]
    assert one(facts, Kind.RECORDING_ANNOUNCED).data == {"prompt": "recorded", "to": "customer"}
    assert one(facts, Kind.RECORDING_STARTED).data["by"] == "agent"


def test_a_recording_that_is_only_being_announced_can_be_stopped(
    there: Notified, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.says(record_announce="recorded", record=False)
    caller = calls(there.world, "1")
    there.connects(caller)
    monkeypatch.setattr(fake_pbx, "SAID", 0.5)
    ask(there.world, caller, "record", action="start")
    assert refused(there.world, caller, "record", action="start") == "recorded_already"
    assert ask(there.world, caller, "record", action="stop")["recording"] == ""
    there.world.pbx.leave(caller)
    comes(there.world, caller, Kind.ENDED)
    assert Kind.RECORDING_STARTED not in kinds(story(there.world, caller))


def test_a_controller_that_is_killed_while_it_is_said_says_it_again(
    there: Notified, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.says(record_announce="recorded", record=False)
    caller = calls(there.world, "1")
    there.connects(caller)
    monkeypatch.setattr(fake_pbx, "SAID", 0.5)
    assert ask(there.world, caller, "record", action="start")["recording"] == "beginning"
    there.world.restart()
    comes(there.world, caller, Kind.RECORDING_STARTED)
    assert there.heard(caller) == ["said", "said"]
    assert len([e for e in story(there.world, caller) if e.kind is Kind.RECORDING_ANNOUNCED]) == 1


def test_agents_and_whoever_comes_into_the_conversation_are_told_once_each(there: Notified) -> None:
    there.says({"record_announce": "site-recorded", "record_announce_all": True}, wrap_up=0)
    caller = calls(there.world, "1")
    agent = there.connects(caller)
    eventually(lambda: there.heard(agent) == ["said by the site"], "the agent is told")
    other = "bert" if agent.endpoint == "anna" else "anna"
    ask(there.world, caller, "consult", to=f"agent:{other}")
    asked = rings(there.world)
    there.world.pbx.answer(asked)
    eventually(lambda: there.heard(asked) == ["said by the site"], "and who is asked")
    ask(there.world, caller, "conference")
    assert there.heard(caller) == there.heard(agent) == there.heard(asked) == ["said by the site"]

    def told() -> list[str]:
        return [e.data["to"] for e in story(there.world, caller) if e.kind is Kind.RECORDING_ANNOUNCED]

    eventually(lambda: told() == ["customer", agent.endpoint, other], "each once")


def test_a_queue_may_say_nothing_where_the_site_says_something(there: Notified) -> None:
    there.says({"record_announce": "site-recorded"}, record_announce="")
    caller = calls(there.world, "1")
    there.connects(caller)
    comes(there.world, caller, Kind.RECORDING_STARTED)
    assert there.heard(caller) == []


def test_nothing_is_recorded_where_it_cannot_be_said_and_the_call_goes_on(there: Notified) -> None:
    there.says(record_announce="lost")
    caller = calls(there.world, "1")
    there.connects(caller)
    failed = comes(there.world, caller, Kind.RECORDING_FAILED).data
    assert failed["error"] == "the announcement could not be said"
    assert Kind.RECORDING_STARTED not in kinds(story(there.world, caller))


def test_before_a_flow_records_it_is_said_and_the_queue_does_not_repeat_it(there: Notified) -> None:
    there.says({"record_announce": "site-recorded"}, record_announce="recorded")
    there.world.changes |= {"flows": {"main": FLOW}}
    there.world.restart()
    there.world.arrive(0)
    caller = there.world.lines[-1]
    comes(there.world, caller, Kind.QUEUED)
    there.connects(caller)
    assert there.heard(caller) == ["said by the site"]
    assert kinds(there.facts(caller))[:2] == [Kind.RECORDING_ANNOUNCED, Kind.RECORDING_STARTED]
