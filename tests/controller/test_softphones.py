"""Passwords of softphones in the browser, on a PBX in memory."""

from typing import Any

import pytest

from contactcentre.controller import softphones
from contactcentre.domain.site import Agent
from contactcentre.live import CommandFailed, Commands
from contactcentre.pbx.errors import Refused
from tests.controller.world import SITE, World
from tests.waiting import eventually

OURS, OTHER = "window-one", "window-two"


@pytest.fixture
def browsers(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Anna has a softphone."""
    monkeypatch.setattr(softphones, "LOOK", 0.05)
    monkeypatch.setitem(world.changes, "agents", {**SITE.agents, "anna": Agent(number="201", webrtc=True)})
    world.restart()
    knows(world, "")
    return world


def knows(world: World, password: str) -> None:
    passwords = world.pbx.passwords
    eventually(lambda: passwords == {"anna-web": password}, f"{password!r}, not {passwords}")


def ask(world: World, holder: str = OURS, agent: str = "anna", **more: Any) -> dict[str, Any]:
    return Commands(world.redis).send("node1", "softphone", {"agent": agent, "holder": holder, **more})


def test_a_window_is_given_a_password_keeps_it_and_gives_it_back(browsers: World) -> None:
    given = ask(browsers)
    assert given["account"] == "anna-web"
    assert len(given["password"]) >= 32
    knows(browsers, given["password"])
    again = ask(browsers)
    assert again["password"] == given["password"]
    assert again["until"] > given["until"]
    assert ask(browsers, OTHER, end=True) == {}
    knows(browsers, given["password"])
    ask(browsers, end=True)
    knows(browsers, "")
    assert ask(browsers)["password"] != given["password"]


def test_another_window_gets_the_phone_only_if_it_takes_it(browsers: World) -> None:
    first = ask(browsers)["password"]
    with pytest.raises(CommandFailed, match="another window") as refused:
        ask(browsers, OTHER)
    assert refused.value.code == "phone_elsewhere"
    second = ask(browsers, OTHER, take=True)["password"]
    assert second != first
    knows(browsers, second)
    with pytest.raises(CommandFailed, match="another window"):
        ask(browsers)


def test_a_window_that_is_silent_does_not_keep_the_phone_from_others(
    browsers: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ask(browsers)["password"]
    monkeypatch.setattr(softphones, "SILENT_SECONDS", 0.0)
    second = ask(browsers, OTHER)["password"]
    assert second != first
    knows(browsers, second)


def test_a_password_ends_by_itself(browsers: World, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ask(browsers)["password"]
    knows(browsers, given)
    with monkeypatch.context() as patch:
        patch.setattr(softphones, "GOOD_SECONDS", 0.3)
        assert ask(browsers)["password"] == given
    knows(browsers, "")
    knows(browsers, ask(browsers, OTHER)["password"])


def test_a_pbx_that_was_restarted_is_told_again_and_a_killed_controllers_passwords_end(browsers: World) -> None:
    given = ask(browsers)["password"]
    browsers.pbx.passwords.clear()
    browsers.pbx.cut()
    browsers.pbx.mend()
    knows(browsers, given)
    browsers.kill()
    knows(browsers, given)
    browsers.start()
    knows(browsers, "")


def test_who_has_no_softphone_and_a_pbx_that_takes_no_passwords_are_told_apart(
    browsers: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for nobody in ("bert", "zoe"):
        with pytest.raises(CommandFailed) as refused:
            ask(browsers, agent=nobody)
        assert refused.value.code == "no_softphone"

    def refuse(account: str, password: str) -> None:
        raise Refused("no such wizard", 403)

    monkeypatch.setattr(browsers.pbx, "set_password", refuse)
    with pytest.raises(CommandFailed) as refused:
        ask(browsers)
    assert refused.value.code == "phone_not_prepared"
