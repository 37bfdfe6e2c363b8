"""A queue's day in half hours, beside the same weekday of last week."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from contactcentre.domain.metrics import FORMULAS, Counts
from contactcentre.store import Store
from contactcentre.web.days import beside
from contactcentre.web.fanout import midnight
from tests.store.calls import Call
from tests.web.conftest import SignIn

PARIS = ZoneInfo("Europe/Paris")
FORMULA = next(iter(FORMULAS))


def one_each(since: float, until: float) -> Mapping[int, Counts]:
    return {
        n: Counts(answered=1, answered_in_time=1, wait_answered=5.0) for n in range(int((until - since) // 1800) + 1)
    }


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).timestamp()


def test_what_is_still_to_come_is_null_and_the_week_before_is_whole() -> None:
    today, before, steps = beside(one_each, "Europe/Paris", at("2026-11-26T10:10"), FORMULA)
    assert (today.isoformat(), before.isoformat()) == ("2026-11-26", "2026-11-19")
    assert [step.at for step in steps] == [f"{n // 2:02}:{n % 2 * 30:02}" for n in range(48)]
    assert [step.at for step in steps if step.today is not None][-1] == "10:00"
    assert all(step.before is not None and step.before.answered == 1 for step in steps)
    now = steps[20].today
    assert now is not None
    assert (now.offered, now.wait, now.service_level) == (1, 5.0, 1.0)


@pytest.mark.parametrize(
    ("now", "rows", "twice"),
    [
        ("2026-10-25T23:59", 48, 2),  # summer time ends: 02:00 comes twice, and counts together
        ("2026-03-29T23:59", 48, 1),  # it begins: there is no 02:00 today, but there was a week before
    ],
)
def test_when_the_clock_is_set_the_rows_are_those_of_the_wall_clock(now: str, rows: int, twice: int) -> None:
    _, _, steps = beside(one_each, "Europe/Paris", at(now), FORMULA)
    assert len(steps) == rows
    two = next(step for step in steps if step.at == "02:00")
    assert two.today is None if twice == 1 else two.today is not None and two.today.answered == 2


def test_the_day_is_counted_from_stored_events_in_the_half_hour_of_arrival(sign_in: SignIn, store: Store) -> None:
    now = time.time()
    begins = midnight("Europe/Paris", now)
    ago = datetime.fromtimestamp(begins, PARIS) - timedelta(days=7)
    then = ago.replace(tzinfo=PARIS).timestamp() + 9 * 3600 + 60
    call = Call(then).queued(0, "support").offered(1, "anna", "support")
    store.record(call.talked(6, 30, "anna", "support").ended(36).events)
    store.record(Call(then + 1800).queued(0, "support").abandoned(40, "support").events)
    store.record(Call(then + 1860).queued(0, "billing").abandoned(40, "billing").events)
    browser = sign_in("supervisor")
    told = browser.get("/api/v1/queues/support/day").get_json()
    rows = {step["at"]: step["before"] for step in told["steps"]}
    assert rows["09:00"] == {"offered": 1, "answered": 1, "abandoned": 0, "service_level": 1.0, "wait": 6.0}
    assert (rows["09:30"]["abandoned"], rows["09:30"]["wait"]) == (1, None)
    assert sum(row["offered"] for row in rows.values()) == 2
    assert told["timezone"] == "Europe/Paris"
    assert "20 s" in told["formula"]
    whole = store.queue_stats(then - 9 * 3600, then + 12 * 3600)["support"].counts
    assert (whole.answered, whole.abandoned) == (1, 1), "the same as everywhere else"


def test_a_queue_that_is_not_there_or_not_seen_has_no_day(sign_in: SignIn, store: Store) -> None:
    browser = sign_in("supervisor")
    assert browser.get("/api/v1/queues/none/day").status_code == 404
    store.change_user("a-supervisor", queues=("billing",))
    assert browser.get("/api/v1/queues/support/day").status_code == 404
    assert browser.get("/api/v1/queues/billing/day").status_code == 200
    page = browser.get("/charts").text
    assert ("<option>billing</option>" in page, "<option>support</option>" in page) == (True, False)
