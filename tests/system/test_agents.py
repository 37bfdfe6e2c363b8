"""Agents at work: by feature codes from their own phones, and by an admin's commands."""

from typing import Any

import pytest

from contactcentre.domain.agents import AgentState
from tests.system.centre import Centre

pytestmark = pytest.mark.slow


def shown(centre: Centre, name: str) -> dict[str, Any]:
    return dict(centre.ask_json("agent", "status", name))


def test_an_agent_logs_in_pauses_returns_and_logs_out_from_the_own_phone(centre: Centre) -> None:
    chloe = centre.phones["chloe"]
    for code, state, reason in (
        ("*45", AgentState.AVAILABLE, ""),
        ("*472", AgentState.PAUSED, "lunch"),
        ("*48", AgentState.AVAILABLE, ""),
        ("*46", AgentState.LOGGED_OUT, ""),
    ):
        call = chloe.dial(code)
        assert centre.until_agent("chloe", state).reason == reason, code
        if code == "*45":
            assert call.wait(120).ended_by == "pbx", "a spoken word confirms it, then the line is free"
        call.until("answered")
        call.hang_up()
        assert call.wait(120).answered, code
        assert shown(centre, "chloe")["state"] == state
    assert centre.store.contacts(since=centre.since).contacts == (), "a feature code is no contact"


def test_an_admin_logs_agents_in_and_pauses_them_by_command(centre: Centre) -> None:
    centre.ask("agent", "login", "chloe", "david")
    assert centre.agent("chloe").state is centre.agent("david").state is AgentState.AVAILABLE
    assert "chloe is paused (training)" in centre.ask("agent", "pause", "chloe", "--reason", "training")
    seen = shown(centre, "chloe")
    assert (seen["state"], seen["reason"]) == ("paused", "training")
    assert "token" not in seen

    wrong = centre.command("agent", "pause", "david", "--reason", "yachting")
    assert wrong.status == 2
    assert "yachting" in wrong.err
    assert "break" in wrong.err
    assert centre.command("agent", "login", "nobody").status == 2
    assert centre.agent("david").state is AgentState.AVAILABLE


def test_a_pause_asked_for_during_a_call_comes_after_it_and_the_next_caller_goes_elsewhere(centre: Centre) -> None:
    centre.on_duty("chloe")
    (first,), (second,) = centre.until_some_wait([centre.sales("2", talk=None) for _ in "12"], 1)
    centre.until_agent("chloe", AgentState.TALKING)
    centre.ask("agent", "pause", "chloe", "--reason", "lunch")
    assert centre.agent("chloe").state is AgentState.TALKING
    assert first.result is None, "the call goes on"
    centre.ask("agent", "login", "farid")
    second.until("person", 60)
    second.hang_up()
    first.hang_up()
    assert centre.until_agent("chloe", AgentState.PAUSED).reason == "lunch"
    assert centre.history(second).contact.agent == "farid"
