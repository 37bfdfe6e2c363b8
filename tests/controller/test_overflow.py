"""Ways out of a queue that the queue itself has, on a real Asterisk."""

from collections.abc import Iterator
from typing import Any

import pytest

from contactcentre.domain.agents import Verb
from contactcentre.domain.events import Event, Kind
from contactcentre.domain.site import Queue, Site
from contactcentre.live import signs_of_life
from tests.controller.conftest import SITE
from tests.controller.stack import Stack, one
from tests.waiting import eventually


@pytest.fixture
def stack(stack: Stack) -> Iterator[Stack]:
    """What is changed is changed back."""
    yield stack
    takes_over(stack, Site.model_validate(SITE))


def takes_over(stack: Stack, site: Site) -> None:
    """The controller works with this version of the site."""
    stack.provision(site)
    version, _ = stack.store.site()
    signs = eventually(lambda: signs_of_life(stack.live.redis), "the controller lives")
    eventually(lambda: signs_of_life(stack.live.redis)[next(iter(signs))].site == version, f"site {version} loaded")


def with_support(stack: Stack, **settings: Any) -> None:
    """The site, its queue support with other settings."""
    original = Site.model_validate(SITE)
    changed = Queue.model_validate({**original.queues["support"].model_dump(mode="json"), **settings})
    takes_over(stack, original.model_copy(update={"queues": {**original.queues, "support": changed}}))


def entered(story: list[Event]) -> list[tuple[str, int]]:
    return [(event.data["queue"], event.data["priority"]) for event in story if event.kind is Kind.QUEUED]


def test_a_key_pressed_while_waiting_asks_to_be_called_back(stack: Stack) -> None:
    with_support(stack, keys={"1": "callback"})
    call = stack.lab.dial("1000", caller="+33100000601", patience=120)
    stack.wait_for("+33100000601", Kind.DECISION)
    call.send_digits("1")
    story = stack.ended("+33100000601")
    asked = one(story, Kind.CALLBACK_REQUESTED).data
    assert (asked["queue"], asked["number"]) == ("support", "+33100000601")
    assert one(story, Kind.UNQUEUED).data["reason"] == "key"
    assert (one(story, Kind.ENDED).data["outcome"], one(story, Kind.ENDED).data["by"]) == ("callback", "system")
    stack.nothing_left_on_the_pbx()


def test_a_key_that_is_given_to_the_queue_while_a_caller_waits_works_for_this_caller(stack: Stack) -> None:
    call = stack.lab.dial("1000", caller="+33100000602", patience=120)
    stack.wait_for("+33100000602", Kind.DECISION)
    with_support(stack, keys={"2": "voicemail:support"})
    call.send_digits("2")
    assert stack.wait_for("+33100000602", Kind.RECORDING_STARTED).data["queue"] == "support"
    call.hang_up()
    story = stack.ended("+33100000602")
    assert entered(story) == [("support", 0)], "who hangs up at the beep is not put back into the queue"
    assert one(story, Kind.ENDED).data["outcome"] in ("self_served", "voicemail")
    stack.nothing_left_on_the_pbx()


def test_who_overflows_into_another_queue_is_served_there_with_the_points_of_the_first(stack: Stack) -> None:
    with_support(stack, agents=["bert"], max_wait=1, overflow={"timeout": "queue:french"}, overflow_priority=7)
    with stack.phone("anna", ring=0.1, talk=1):
        stack.act("anna", Verb.LOGIN)
        assert stack.lab.call("1000", caller="+33100000603", patience=120).served
        story = stack.ended("+33100000603")
    assert entered(story) == [("support", 0), ("french", 7)]
    assert one(story, Kind.TALK_STARTED).data["queue"] == "french"
    assert one(story, Kind.ENDED).data["outcome"] == "answered"
    stack.nothing_left_on_the_pbx()
