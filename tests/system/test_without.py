"""PostgreSQL or Redis is away while people call, talk and wait: no call is lost, history has everything, once, and the
log says once what is wrong."""

import re
from collections import Counter

import pytest

from contactcentre.embedded.outage import Servers
from contactcentre.live.connection import is_there
from tests.system.centre import ENGLISH, FRENCH, Centre
from tests.waiting import eventually

pytestmark = pytest.mark.slow


@pytest.fixture
def servers(centre: Centre) -> Servers:
    return Servers(centre.settings.state_dir)


def all_served(centre: Centre) -> None:
    account = centre.over()
    assert account.problems == ()
    assert account.summary["outcomes"] == {"answered": len(centre.calls)}
    assert account.summary["recordings"] == len(centre.calls)
    assert centre.store.rejected() == [], "no fact came twice and differed"


def says(log: str, what: str) -> Counter[str]:
    """Process -> how often it said this."""
    lines = (line for line in log.splitlines() if f"] {what} [" in line)
    return Counter(found[1] for line in lines if (found := re.search(r"process=(\w+)", line)))


def is_told_once(centre: Centre, since: int, what: str, *processes: str) -> None:
    """Those processes say that it is away, and that it is back; and others' lines do not say so again and again."""
    eventually(
        lambda: not {*processes} - says(centre.log()[since:], f"{what} is back").keys(),
        lambda: f"{processes} say that {what} is back\n{centre.log()[since:]}",
    )
    log = centre.log()[since:]
    away = says(log, f"{what} is away")
    assert {process: away[process] for process in processes} == dict.fromkeys(processes, 1)
    again = [line for line in log.splitlines() if f"{what.lower()} is away:" in line and " is away [" not in line]
    assert again == []


def test_calls_that_come_while_redis_is_away_are_served_when_it_is_back_and_those_who_talk_notice_nothing(
    centre: Centre, servers: Servers
) -> None:
    centre.on_duty("bruno", "emma")
    calls = [centre.support(language, talk=None, patience=None) for language in (FRENCH, ENGLISH, ENGLISH)]
    talking, (waiting,) = centre.until_some_wait(calls, 1)
    said = len(centre.log())
    with servers.away("redis"):
        late = centre.support(talk=None, patience=None)
        late.until("answered")
        talking[0].hang_up()
        talking[0].wait()
        missed = {"controller", "recorder"}
        eventually(lambda: says(centre.log()[said:], "Redis is away").keys() >= missed, "they have missed it")
        assert [call.result for call in (talking[1], waiting, late)] == [None] * 3, "everybody else is on the line"
    for call in (talking[1], waiting, late):
        call.until("person", 120)
        call.hang_up()
    assert {result.ended_by for result in centre.results()} == {"us"}
    is_told_once(centre, said, "Redis", *missed)
    all_served(centre)


def test_redis_that_comes_back_empty_is_told_who_talks_and_who_waits(centre: Centre, servers: Servers) -> None:
    centre.on_duty("bruno", "emma")
    calls = [centre.support(language, talk=None, patience=None) for language in (FRENCH, ENGLISH, ENGLISH)]
    talking, (waiting,) = centre.until_some_wait(calls, 1)
    with servers.away("redis", empty=True):
        pass
    eventually(lambda: is_there(centre.live.redis), "Redis is back")
    eventually(lambda: centre.waiting() == {waiting.plan.caller}, "who waits is known again")
    for call in (*talking, waiting):
        call.until("person", 120)
        call.hang_up()
    assert {result.ended_by for result in centre.results()} == {"us"}
    all_served(centre)


def test_calls_are_served_from_beginning_to_end_while_the_database_is_away_and_history_has_them_afterwards(
    centre: Centre, servers: Servers
) -> None:
    centre.on_duty("bruno", "emma")
    before = centre.support(FRENCH, talk=None, patience=None)
    before.until("person", 120)
    said = len(centre.log())
    with servers.away("postgres"):
        during = centre.support(ENGLISH, patience=None)
        assert during.wait(120).served
        before.hang_up()
        before.wait()
        eventually(lambda: not centre.live.contacts(), "both are over")
        eventually(lambda: "recorder" in says(centre.log()[said:], "PostgreSQL is away"), "it was missed")
    is_told_once(centre, said, "PostgreSQL", "recorder")
    all_served(centre)
