"""More calls than can be served: new ones are turned away and counted, those who talk and wait notice nothing."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from gevent.event import Event as Flag

from contactcentre.controller.admission import (
    CATCH_UP,
    CUT,
    DEAD,
    EVENTS,
    FIRST,
    LEAST,
    LOOKS,
    MESSAGES,
    STEP,
    Admission,
    Limits,
)
from contactcentre.domain.agents import Verb
from contactcentre.domain.events import Event, Kind
from contactcentre.pbx import timing
from tests.controller.stack import Stack, kinds, one
from tests.pbx.spectrum import loudness, seconds
from tests.waiting import eventually
from tests.watch.scrape import four_ports, scrape, value

BUSY = 486
LATE = 0.2


def looked(admission: Admission, *lags: float) -> bool:
    """Whether somebody who comes after these looks is turned away, perhaps."""
    for lag in lags:
        admission.look(lag)
    return admission.closed(0, 0)


def let_in(admission: Admission, callers: int = 1000) -> float:
    """The share of so many who come now."""
    return sum(not admission.refuses(0, 0) for _ in range(callers)) / callers


def test_who_is_late_for_a_second_turns_nobody_away_for_two_seconds_does() -> None:
    admission = Admission(Limits(lag=0.5))
    assert not looked(admission, 3.0, 0.0, 0.0, *[3.0] * (FIRST - 1), 0.4, 3.0)
    assert not looked(admission, *[0.6] * (FIRST - 2))
    assert looked(admission, 0.6)
    assert admission.refuses(0, 0)


def test_who_calls_while_a_restarted_controller_takes_calls_up_is_not_turned_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admission, clock = Admission(Limits(lag=0.5)), [1000.0]
    monkeypatch.setattr("contactcentre.controller.admission.monotonic", lambda: clock[0])
    admission.linked()
    assert not looked(admission, *[3.0] * FIRST)
    clock[0] += CATCH_UP + 0.1
    assert looked(admission, 3.0), "whoever is late for longer has too many calls"
    clock[0] += DEAD + 0.1
    admission.linked()
    assert looked(admission, 3.0), "and a door that was closed while the PBX still spoke stays so"


def test_who_calls_while_a_link_is_dead_is_not_turned_away_when_there_is_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admission, clock = Admission(Limits(lag=0.5)), [1000.0]
    monkeypatch.setattr("contactcentre.controller.admission.monotonic", lambda: clock[0])
    assert looked(admission, *[5.0] * FIRST)
    clock[0] += 3.0
    admission.linked()
    assert not admission.closed(0, 0)
    assert let_in(admission) == 1.0
    assert not looked(admission, *[5.0] * FIRST), "all of them are taken up"


def test_how_late_calls_were_at_the_last_look_is_known_also_right_after_a_cut() -> None:
    admission = Admission(Limits(lag=0.5), lambda: 0.7)
    assert admission.late == 0.0
    assert looked(admission, *[0.0] * FIRST)
    assert admission.late == 0.7


def test_the_later_calls_are_the_fewer_are_let_in_but_never_nobody() -> None:
    admission, shares = Admission(Limits(lag=0.5)), []
    looked(admission, *[0.6] * (FIRST - LOOKS))
    for _ in range(12):
        looked(admission, *[0.6] * LOOKS)
        shares.append(let_in(admission))
    assert shares[:3] == pytest.approx([CUT, CUT**2, CUT**3], abs=0.01)
    assert shares[-1] == pytest.approx(LEAST, abs=0.01)


def test_more_are_let_in_step_by_step_once_calls_are_well_in_time_and_not_before() -> None:
    admission = Admission(Limits(lag=0.5))
    looked(admission, *[0.6] * FIRST)
    looked(admission, *[0.3] * LOOKS * 4)
    assert let_in(admission) == pytest.approx(CUT, abs=0.01), "just below the limit it would be above it again at once"
    looked(admission, 0.0, 0.0, 0.3)
    assert let_in(admission) == pytest.approx(CUT, abs=0.01), "nor after two good looks"
    looked(admission, *[0.2] * LOOKS)
    assert let_in(admission) == pytest.approx(CUT + STEP, abs=0.01)
    assert not looked(admission, *[0.2] * LOOKS * round((1 - CUT) / STEP))
    assert let_in(admission) == 1.0
    assert admission.turned_away == pytest.approx(1000 * (3 * (1 - CUT) - STEP), abs=10)


def test_a_message_is_for_few_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of them would take the PBX as much time as calls do."""
    clock = [1000.0]
    monkeypatch.setattr("contactcentre.controller.admission.monotonic", lambda: clock[0])
    admission, said = Admission(Limits(lag=0.5)), 0
    for _ in range(800):  # 80 a second
        said += admission.may_say_so()
        clock[0] += 1 / 80
    assert said == pytest.approx(11 * MESSAGES, abs=1)
    clock[0] += 60
    assert admission.may_say_so()


def test_decisions_or_a_pbx_that_are_late_count_like_the_process_itself() -> None:
    for which in ("decisions", "pbx"):
        late = {"decisions": 0.0, "pbx": 0.0}
        admission = Admission(Limits(lag=0.5), lambda late=late: late["decisions"], lambda late=late: late["pbx"])
        assert not looked(admission, *[0.0] * FIRST)
        late[which] = 0.6
        assert looked(admission, *[0.0] * FIRST)


@pytest.fixture
def slowness() -> Iterator[timing.Slowness]:
    """Of a PBX of which nothing is asked."""
    before = dict(timing.under_way)
    timing.under_way.clear()
    yield timing.Slowness()
    timing.under_way.clear()
    timing.under_way.update(before)


def test_how_slow_the_pbx_is_is_what_calls_verbs_took_lately_and_forgotten_when_none_is_asked_for(
    slowness: timing.Slowness,
) -> None:
    for _ in range(timing.ENOUGH):
        timing.seconds["call"].observe(3.0)
        timing.seconds["bridge"].observe(1.0)
        timing.seconds["inventory"].observe(60.0)
    assert slowness() == pytest.approx(timing.OF_A_CALL * 2.0)
    assert slowness() == pytest.approx(timing.OF_A_CALL * 1.0)
    for _ in range(10):
        slowness()
    assert slowness() < 0.01
    for _ in range(timing.ENOUGH):
        timing.seconds["hangup"].observe(0.01)
    assert slowness() == pytest.approx(timing.OF_A_CALL * 0.01)


def test_verbs_that_wait_for_the_end_of_what_is_played_make_no_pbx_slow(slowness: timing.Slowness) -> None:
    for _ in range(2 * timing.ENOUGH):
        timing.seconds["bridge_add"].observe(10.0)
    assert slowness() == 0.0


def test_a_pbx_that_answers_nothing_at_all_any_more_is_slow_too(slowness: timing.Slowness) -> None:
    stuck = Flag()
    verbs = timing.timed("call")(type("Pbx", (), {"call": lambda self: stuck.wait()}))()
    waiting = [gevent.spawn(verbs.call) for _ in range(timing.ENOUGH)]
    gevent.sleep(0.2)
    assert slowness() > timing.OF_A_CALL * 0.15
    stuck.set()
    gevent.joinall(waiting)
    assert not timing.under_way


def test_without_limits_nobody_is_turned_away_but_for_a_flood_of_events() -> None:
    admission = Admission(Limits())
    assert not looked(admission, *[60.0] * FIRST)
    assert not admission.refuses(contacts=100_000, events=EVENTS)
    assert admission.refuses(contacts=0, events=EVENTS + 1)


def test_a_limit_of_contacts_holds_to_the_number() -> None:
    admission = Admission(Limits(contacts=2))
    assert [admission.refuses(contacts, 0) for contacts in (0, 1, 2, 3)] == [False, False, True, True]


@pytest.fixture(scope="module")
def base() -> Iterator[int]:
    """Where the controller tells of itself; it takes two contacts at a time, and may be LATE."""
    with pytest.MonkeyPatch.context() as patch:
        ports = four_ports()
        patch.setenv("CONTACTCENTRE_WATCH_PORT", str(ports))
        patch.setenv("CONTACTCENTRE_MAX_CONTACTS", "2")
        patch.setenv("CONTACTCENTRE_OVERLOAD_LAG", str(LATE))
        yield ports


def turned_away(stack: Stack, caller: str) -> list[Event]:
    """The whole story of one who was."""
    story = stack.ended(caller)
    end = one(story, Kind.ENDED).data
    assert (end["outcome"], end["by"]) == ("overload", "system")
    assert kinds(story) == [Kind.ARRIVED, Kind.LEG_STARTED, Kind.LEG_ENDED, Kind.ENDED], "nothing else was done"
    return story


def test_who_comes_when_all_places_are_taken_is_told_so_is_counted_and_harms_nobody(
    base: int, stack: Stack, tmp_path: Path
) -> None:
    refused = value(scrape(base, "controller"), "contacts_ended_total", outcome="overload")
    first = stack.lab.dial("1000", caller="+33190000001", talk=1, patience=120)
    second = stack.lab.dial("1000", caller="+33190000002", talk=1, patience=120)
    for caller in ("+33190000001", "+33190000002"):
        stack.wait_for(caller, Kind.QUEUED)
    eventually(lambda: not stack.switch.answers(), "the dialplan answers nobody whom we turn away")

    heard = tmp_path / "heard.wav"
    third = stack.lab.call("1000", caller="+33190000003", patience=120, heard=heard)

    assert (third.status, third.answered, third.ended_by) == (BUSY, False, "pbx")
    assert seconds(heard) > 1
    assert loudness(heard) > 100, "a message or the busy tone, before the answer"
    turned_away(stack, "+33190000003")
    assert value(scrape(base, "controller"), "contacts_ended_total", outcome="overload") == refused + 1
    with stack.phone("anna", ring=0.1):
        stack.act("anna", Verb.LOGIN)
        assert first.wait(120).served
        assert second.wait(120).served
        assert stack.lab.call("1000", caller="+33190000004", talk=1, patience=120).served, "there is room again"
    stack.nothing_left_on_the_pbx()


def test_a_controller_that_does_not_keep_up_turns_new_callers_away_until_it_does(base: int, stack: Stack) -> None:
    waits = stack.lab.dial("1000", caller="+33190000011", talk=1, patience=120)
    stack.wait_for("+33190000011", Kind.QUEUED)
    assert stack.controller is not None
    hinder = gevent.spawn(held_up, stack.controller.pid)
    try:
        eventually(lambda: value(scrape(base, "controller"), "admitting") < 1, "it turns callers away")
        eventually(lambda: not stack.switch.answers(), "the dialplan answers nobody whom we turn away")
        call = stack.lab.call("1000", caller="+33190000012", patience=120)
        assert call.status == BUSY
    finally:
        hinder.kill()
    turned_away(stack, "+33190000012")
    eventually(lambda: value(scrape(base, "controller"), "admitting") == 1, "it lets them in again")
    with stack.phone("anna", ring=0.1):
        stack.act("anna", Verb.LOGIN)
        assert waits.wait(120).served, "who waited has precedence, and waited on"
    stack.nothing_left_on_the_pbx()


def held_up(pid: int) -> None:
    """As if others took its processor, nine tenths of it."""
    try:
        while True:
            os.kill(pid, signal.SIGSTOP)
            gevent.sleep(2 * LATE + 0.25)
            os.kill(pid, signal.SIGCONT)
            gevent.sleep(0.05)
    finally:
        os.kill(pid, signal.SIGCONT)
