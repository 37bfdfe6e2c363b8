"""Plan, apply and the way back, the same on a real Asterisk and on a real FreeSWITCH."""

import pytest

from contactcentre.domain.site import Site
from contactcentre.provision import ApplyFailed, PbxUnreachable, parse, unsettled
from tests.provision.conftest import Pbx
from tests.provision.sites import document

REFUSALS = {"pbx": "No such command 'x'", "switch": "-ERR [error near line 7]: unexpected closing tag"}
"""How a PBX says that it did not reload."""


def test_what_was_applied_is_in_force_and_the_next_plan_is_empty(either: Pbx) -> None:
    site = parse(document())
    plan = either.plan(site)
    done = either.apply(plan)
    assert done.version == 1
    assert done.checked == len(plan.checks) > 5
    again = either.plan(site)
    assert again.empty
    assert again.diff() == ""
    with either.lab.phone("alice", either.secrets["agent/alice"]) as alice:
        assert alice.registered


def test_without_a_controller_the_pbxs_own_queue_answers_and_rings_an_agent(either: Pbx) -> None:
    either.apply(either.plan(parse(document())))
    with either.lab.phone("alice", either.secrets["agent/alice"], ring=0.2):
        result = either.lab.call("+33155500001", talk=0.5, patience=20)
    assert result.status == 200
    assert result.person_at is not None, "the caller heard the agent's phone"


def test_a_dead_pbx_is_told_before_anything_is_touched(either: Pbx) -> None:
    before = either.files()

    def dead(command: str) -> str:
        raise OSError("it is not there")

    with pytest.raises(PbxUnreachable, match="not there"):
        either.apply(either.plan(parse(document())), target=either.with_console(dead))
    assert (either.files(), either.versions, either.secrets) == (before, [], {})


def test_when_the_pbx_does_not_reload_everything_is_as_it_was(either: Pbx, request: pytest.FixtureRequest) -> None:
    either.apply(either.plan(parse(document())))
    before = either.files()
    plan = either.plan(parse(document(dids={"+33155500007": {"flow": "main"}})))
    refusal = REFUSALS["switch" if "freeswitch" in request.node.name else "pbx"]
    said = iter([refusal])

    def refusing(command: str) -> str:
        return next(said, either.lab.rx(command)) if command == plan.reloads[0] else either.lab.rx(command)

    with pytest.raises(ApplyFailed, match=r"every file is as it was") as failed:
        either.apply(plan, target=either.with_console(refusing))
    assert failed.value.restored
    assert either.files() == before
    assert unsettled(either.target) is None
    assert len(either.versions) == 1


def test_a_store_that_fails_at_the_last_moment_undoes_the_pbx_too(either: Pbx) -> None:
    before = either.files()

    def full(site: Site, by: str, comment: str) -> int:
        raise OSError("no space left")

    with pytest.raises(ApplyFailed, match="no space left"):
        either.apply(either.plan(parse(document())), record=full)
    assert either.files() == before
    assert unsettled(either.target) is None
    assert either.lab.call("+33155500001", patience=2).answered is False
