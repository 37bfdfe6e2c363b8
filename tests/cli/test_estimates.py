"""queue estimates, as a supervisor runs it."""

import json
import time

from contactcentre.embedded import Services
from contactcentre.live import Estimate, Live, connect
from contactcentre.store import Store
from tests.cli.test_contact import Run, migrated, run, store
from tests.store.test_waits import served, told

__all__ = ["migrated", "run", "store"]


def test_what_the_next_caller_would_wait_stands_beside_how_wrong_estimates_were(
    run: Run, store: Store, services: Services
) -> None:
    live = Live(connect(services.redis_url))
    live.publish_estimates({})
    assert run("queue", "estimates").strip() == "No controller runs, and nothing was said."
    call = told(served(time.time() - 3600, 60, 100), 10, 45.0)
    store.record(call.events)
    live.publish_estimates({"sales": Estimate(time.time(), None), "support": Estimate(time.time(), 83.6)})
    lines = [line.split() for line in run("queue", "estimates").splitlines()]
    assert lines[1] == ["sales", "-", "0", "-", "-"], "too little is known: nothing is said"
    assert lines[2] == ["support", "84", "s", "1", "-5", "s", "5", "s"]
    found = json.loads(run("queue", "estimates", "--json"))
    assert found["support"] == {"seconds": 83.6, "past": {"number": 1, "bias": -5.0, "p80": 5.0}}
    assert json.loads(run("queue", "estimates", "--since", "10m", "--json"))["support"]["past"] is None
