"""Many callers at once: each is served once or gave up, each is accounted for, and nothing is left behind."""

import pytest

from contactcentre.domain.events import Kind
from tests.system.centre import Centre

pytestmark = pytest.mark.slow

CALLERS = 30
IMPATIENT = 8


def test_thirty_callers_at_once_and_six_agents_leave_every_call_accounted_for_and_nothing_behind(
    centre: Centre,
) -> None:
    centre.on_duty(*centre.phones)
    for number in range(CALLERS):
        language, topic = "12"[number % 2], "12"[number // 2 % 2]
        impatient = number < IMPATIENT
        centre.dial(f"{language},{topic}", patience=3.0 + 1.5 * number if impatient else 90.0)
    results = centre.results()
    account = centre.over()

    assert account.problems == ()
    assert account.summary["calls"] == account.summary["contacts"] == CALLERS
    assert account.summary["lost"] == 0
    assert [one.outcome for one in results[IMPATIENT:]] == ["served"] * (CALLERS - IMPATIENT), "the patient are served"
    assert any(one.outcome == "abandoned" for one in results[:IMPATIENT])
    assert {one.ended_by for one in results} <= {"us", "patience"}, "nobody was hung up on"
    served = sum(one.served for one in results)
    assert sum(len(phone.calls) for phone in centre.phones.values()) >= served
    assert account.summary["recordings"] >= served

    for contact in centre.store.contacts(since=centre.since, limit=100).contacts:
        kinds = [event.kind for event in centre.store.events(contact.id)]
        assert kinds.count(Kind.TALK_STARTED) <= 1, "nobody is served twice"
        assert kinds.count(Kind.ENDED) == 1
