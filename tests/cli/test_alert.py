"""Alerts by command."""

import time

from contactcentre.cli.noun import readers
from contactcentre.domain.alerts import Alarm, Alert, AlertFact
from contactcentre.domain.site import Queue
from contactcentre.embedded import Services
from contactcentre.live import connect
from contactcentre.live.alerts import Alerts
from contactcentre.store import Store
from tests.cli.test_voicemail import Shell, shell, store

__all__ = ["shell", "store"]

ID = "01a2173e-27be-7a53-8418-6f0000000001"


def test_alerts_are_listed_and_acknowledged_by_command(shell: Shell, store: Store, services: Services) -> None:
    assert "All queues are well." in shell.say("alert", "list")[1]
    now = time.time()
    alarm = Alarm("support", "crowd", "waiting", 10, 12, now, id=ID, raised_at=now)
    store.record([], [], [AlertFact.of(alarm, "raised", now)])
    with connect(services.redis_url) as redis:
        assert Alerts(redis).swap(alarm.key, "", alarm)
    code, out, _ = shell.say("alert", "list")
    assert (code, "12 wait" in out) == (0, True)
    assert shell.say("alert", "acknowledge", "nothing")[0] == 2
    assert shell.say("alert", "acknowledge", ID[:18])[0] == 0
    (told,) = shell.ask("alert", "list")
    assert told["acknowledged_by"].startswith("cli:")
    code, _, err = shell.say("alert", "acknowledge", ID)
    assert (code, "looks after it already" in err) == (2, True)
    assert [one["state"] for one in shell.ask("alert", "past")] == ["raised"]
    assert store.audit_entries(subject=ID)[0].action == "alert.acknowledge"


def test_a_queues_rules_are_given_as_texts() -> None:
    before = {"late": {"when": "longest_wait", "limit": 60.0}}
    typed = readers(Queue)["alerts"].read(("crowd=waiting > 10 for 30", "late="), before)
    assert Queue.model_validate({"alerts": typed}).alerts == {"crowd": Alert(when="waiting", limit=10, lasting=30)}
