"""PostgreSQL is away, for as long as it likes: calls are taken and served, and what happened is known afterwards."""

import os
import time
from pathlib import Path

import pytest

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Kind
from tests.controller.stack import Stack, kinds
from tests.waiting import eventually


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A link to PostgreSQL's sockets, the controller's only way there: who takes it away takes the database away from
    whoever starts afterwards."""
    url, _, sockets = os.environ["DATABASE_URL"].partition("?host=")
    link = Path(f"/tmp/cc-door-{os.getpid()}")  # short, as a socket's name must be
    link.unlink(missing_ok=True)
    link.symlink_to(sockets)
    monkeypatch.setenv("DATABASE_URL", f"{url}?host={link}")
    return link


def test_a_controller_starts_serves_and_catches_up_while_the_database_is_away(stack: Stack, door: Path) -> None:
    stack.kill()
    stack.start()  # knows the site from the store, and keeps it
    site = stack.store.site()[1]
    assert site is not None
    stack.kill()
    behind = door.readlink()
    door.unlink()
    stack.start()
    try:
        with stack.phone("anna", ring=0.1):
            stack.act("anna", Verb.LOGIN)
            assert stack.lab.call("1000", caller="+33800000001", talk=1).served
            assert Kind.TALK_ENDED in kinds(stack.ended("+33800000001"))
            stack.agent_is("anna", AgentState.AVAILABLE)

            queue = site.queues["support"].model_copy(update={"description": "changed while nobody could read it"})
            changed = site.model_copy(update={"queues": {**site.queues, "support": queue}})
            version = stack.store.save_site(changed, by="test")
            stack.live.publish_site(version)
            published = time.time()
            # the log says once that PostgreSQL is away, and nothing of this: but it has long heard of the new site
            eventually(lambda: stack.signs()["at"] > published + 2.0, "it has asked for the new site")
            assert stack.signs()["site"] < version
            door.symlink_to(behind)
            eventually(lambda: stack.signs()["site"] == version, "the new site counts as soon as it can be read")
            assert stack.lab.call("1000", caller="+33800000002", talk=1).served
    finally:
        if not door.is_symlink():
            door.symlink_to(behind)
        stack.kill()
        door.unlink()
