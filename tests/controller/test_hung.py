"""A controller that hangs (SIGSTOP), which leaves its link to the PBX open: the dialplan notices, and callers are
answered by the PBX's own queue; who was given to the hung one before that is served when it is killed."""

import signal
from collections.abc import Iterator

import pytest

from contactcentre.controller.presence import EVERY
from contactcentre.domain.agents import Verb
from contactcentre.domain.events import Kind
from contactcentre.lab import Lab
from contactcentre.settings import Settings
from tests.controller.stack import Stack, one
from tests.waiting import eventually

PRESENCE = 4


@pytest.fixture(scope="module", autouse=True)
def presence() -> Iterator[None]:
    """As it is by default; for other tests it is long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTACTCENTRE_PRESENCE", str(PRESENCE))
        yield


@pytest.fixture
def hung(stack: Stack) -> Iterator[Stack]:
    """Its controller hangs from here on."""
    assert stack.controller is not None
    eventually(lambda: stack.switch.led_until() > 0, "the dialplan was told that somebody is there")
    stack.controller.send_signal(signal.SIGSTOP)
    yield stack
    stack.controller.send_signal(signal.SIGCONT)


def hangs_for_the_dialplan(stack: Stack) -> bool:
    return stack.switch.clock() > stack.switch.led_until()


def test_a_new_caller_is_answered_by_the_pbx_s_own_queue_as_soon_as_the_promise_is_over(hung: Stack) -> None:
    stopped = hung.switch.clock()
    assert hung.switch.led_until() <= stopped + PRESENCE + 1, "so long at most new callers are led to it"
    with hung.phone("anna", ring=0.1, talk=None):
        eventually(lambda: hangs_for_the_dialplan(hung), "the promise is over")
        call = hung.lab.dial("1000", caller="+33180000001", patience=120)
        call.until("person", 60)
        eventually(hung.switch.serves_by_itself, "the PBX's own queue has it")
        call.hang_up()
        assert call.wait(120).served
    assert hung.story("+33180000001") == [], "no controller knows of it"
    if isinstance(hung.lab, Lab):
        assert "+33180000001" in hung.lab.own_queue(), "but the PBX does"


def test_a_controller_that_goes_on_is_led_callers_again(hung: Stack) -> None:
    eventually(lambda: hangs_for_the_dialplan(hung), "the promise is over")
    assert hung.controller is not None
    hung.controller.send_signal(signal.SIGCONT)
    eventually(lambda: not hangs_for_the_dialplan(hung), "it promises to be there")
    with hung.phone("anna", ring=0.1):
        hung.act("anna", Verb.LOGIN)
        assert hung.lab.call("1000", caller="+33180000011", talk=1, patience=120).served
        assert one(hung.ended("+33180000011"), Kind.ENDED).data["outcome"] == "answered"
    hung.nothing_left_on_the_pbx()


def test_who_waits_in_the_pbx_s_own_queue_comes_to_a_controller_that_goes_on_and_who_talks_there_is_left_alone(
    hung: Stack,
) -> None:
    assert hung.controller is not None
    with hung.phone("anna", ring=0.1, talk=20):
        eventually(lambda: hangs_for_the_dialplan(hung), "the promise is over")
        talks = hung.lab.dial("1000", caller="+33180000031", talk=60, patience=120)
        talks.until("person", 60)
        waits = hung.lab.dial("1000", caller="+33180000032", patience=120)
        waits.until("answered", 30)
        hung.controller.send_signal(signal.SIGCONT)
        hung.act("anna", Verb.LOGIN)
        arrived = hung.wait_for("+33180000032", Kind.ARRIVED)
        assert arrived.data["waited"] > 0
        assert waits.wait(120).served
        done = talks.wait(120)
        assert done.person_at is not None
        assert done.ended_at - done.person_at > 15, "the agent ends it, nobody else"
    assert one(hung.ended("+33180000032"), Kind.ENDED).data["outcome"] == "answered"
    assert hung.story("+33180000031") == []
    hung.nothing_left_on_the_pbx()


def test_a_caller_who_was_given_to_it_before_anybody_noticed_is_served_once_it_is_killed(hung: Stack) -> None:
    with hung.phone("anna", ring=0.1, talk=1):
        hung.switch.lead_until(hung.switch.clock() + 3600)
        call = hung.lab.dial("1000", caller="+33180000021", patience=120)
        eventually(lambda: hung.switch.left() != "", "the call is in its hands")
        assert not hung.switch.serves_by_itself()
        hung.kill()  # as its watchdog does, and starts it again
        hung.start()
        hung.act("anna", Verb.LOGIN)
        assert call.wait(120).served  # by the PBX's own queue where FreeSWITCH is told nothing for six seconds
    hung.nothing_left_on_the_pbx()


def test_the_controller_after_a_dead_one_is_led_callers_from_the_moment_on_that_it_is_linked(stack: Stack) -> None:
    stack.kill()
    eventually(lambda: hangs_for_the_dialplan(stack), "the dead one's promise is over")
    stack.start()
    assert not hangs_for_the_dialplan(stack)


def test_a_new_caller_is_led_to_one_that_hangs_for_five_seconds_at_most_and_three_words_may_be_late() -> None:
    presence = Settings.model_fields["presence"].default
    assert 4 * EVERY <= presence <= 5 - 1, "the PBX compares whole seconds"
