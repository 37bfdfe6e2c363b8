"""A whole contact centre but for recorder and web: lab, site, controller process, phones, and the facts it journals."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Event, Kind
from contactcentre.domain.site import Music, Site
from contactcentre.lab import FreeswitchLab, Lab
from contactcentre.live import Live
from contactcentre.live.reader import facts_in
from contactcentre.provision import apply, make_plan
from contactcentre.settings import Settings
from contactcentre.store import Store
from contactcentre.tasks.pbx_files import LocalFiles
from tests.controller.switches import switch_of
from tests.pbx.spectrum import write_tone
from tests.waiting import PATIENCE, eventually


class Stack:
    def __init__(self, settings: Settings, lab: Lab | FreeswitchLab, store: Store, redis: Redis) -> None:
        self.settings, self.store, self.redis = settings, store, redis
        self.switch = switch_of(lab)
        self.live = Live(redis)
        self.controller: subprocess.Popen[bytes] | None = None

    @property
    def lab(self) -> Lab | FreeswitchLab:
        return self.switch.lab

    def provision(self, site: Site) -> None:
        """With a class of music that is loud all the time; no multiple of 50 Hz, which simulated callers take for a
        person."""
        directory = Path(self.lab.info().state_dir) / "steady-music"
        directory.mkdir(exist_ok=True)
        if not (tone := directory / "tone.wav").exists():
            write_tone(tone, 615, self.switch.music_seconds)
        site = site.model_copy(update={"music": {**site.music, "steady": Music(directory=str(directory))}})
        target = self.switch.target()
        wanted = make_plan(site, target, self.store.secrets(), self.store.site()[1])
        done = apply(wanted, target, self.store.save_site, self._keep, by="test")
        self.live.publish_site(done.version)

    def _keep(self, secrets: dict[str, str]) -> None:
        for name, value in secrets.items():
            self.store.set_secret(name, value)

    def start(self) -> None:
        self.controller = self.spawn()
        eventually(self._linked, "controller linked")

    def spawn(self, **environment: str) -> subprocess.Popen[bytes]:
        """One controller, as a process of its own."""
        environment = {**os.environ, **self.switch.environment(), **environment}
        with (self.settings.state_dir / "controller.log").open("ab") as log:
            command = [sys.executable, "-m", "contactcentre", "controller"]
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def ready(self) -> None:
        """The controller runs, every call of an earlier test is over, and all agents are logged out."""
        if self.controller is None or self.controller.poll() is not None:
            self.start()
        eventually(
            lambda: not self.live.contacts() and not self.live.waiting(),
            lambda: f"the last test's calls are over\n{self._calls()}",
        )
        for agent in self.live.agents().values():
            if agent.state is not AgentState.LOGGED_OUT:
                self.act(agent.name, Verb.LOGOUT)
                self.agent_is(agent.name, AgentState.LOGGED_OUT)

    def _calls(self) -> str:
        """Everything that is known of whoever has a call."""
        contacts = [f"contact {contact}" for contact in self.live.contacts().values()]
        waiting = [f"waiting {entry}" for entry in self.live.waiting()]
        agents = [f"agent {agent}" for agent in self.live.agents().values()]
        return "\n".join([*contacts, *waiting, *agents, f"on the PBX: {self.switch.left() or 'nothing'}"])

    def signs(self) -> dict[str, Any]:
        """What the controller last said of itself."""
        signs: dict[str, Any] = json.loads(str(self.redis.get("cc:node:node1") or "{}"))
        return signs

    def _linked(self) -> bool:
        assert self.controller is not None
        if self.controller.poll() is not None:
            raise AssertionError(self.log())
        signs = self.signs()
        return signs.get("pid") == self.controller.pid and signs["linked"] is True

    def log(self) -> str:
        return (self.settings.state_dir / "controller.log").read_text()

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        assert self.controller is not None
        self.controller.send_signal(number)
        self.controller.wait(PATIENCE)

    def stop(self) -> None:
        if self.controller is not None and self.controller.poll() is None:
            self.kill(signal.SIGTERM)

    @property
    def recordings(self) -> Path:
        return Path(self.lab.info().recordings_dir)

    def recorded(self, name: str) -> Path:
        """The file of a recording, or of one side of a call; one that was written with both sides is parted."""
        found = LocalFiles(self.recordings).get(name)
        assert found is not None, f"there is no recording {name}"
        return found

    def nothing_left_on_the_pbx(self) -> None:
        """No channel, and no bridge but the empty waiting rooms."""
        eventually(lambda: not self.switch.left(), lambda: f"nothing is left on the PBX\n{self._calls()}")

    # -- people -------------------------------------------------------------------------------------------------------

    @contextmanager
    def phone(self, agent: str, **behaviour: Any) -> Iterator[Any]:
        phone = self.lab.phone(agent, self.store.secret(f"agent/{agent}") or "", **behaviour)
        try:
            eventually(lambda: self.switch.registered(agent), f"{agent} is registered")
            yield phone
        finally:
            phone.close()

    def act(self, agent: str, verb: Verb, **args: Any) -> None:
        self.live.change(agent, verb, self.now(), **args)

    def reachable(self, *agents: str) -> None:
        """The controller knows that these agents' phones are registered: it looks when they have logged in."""

        def told() -> bool:
            away = self.signs().get("unreachable")  # not there before the controller has a link
            return away is not None and not {*agents} & {*away}

        eventually(told, f"{agents} can be reached")

    def agent_is(self, agent: str, state: AgentState) -> None:
        eventually(lambda: self.live.agent(agent).state is state, f"{agent} is {state}, not {self.live.agent(agent)}")

    @staticmethod
    def now() -> float:

        return time.time()

    # -- facts --------------------------------------------------------------------------------------------------------

    def events(self) -> list[Event]:
        facts = (fact for _, fields in self.redis.xrange("cc:events") for fact in facts_in(fields))
        return [Event.from_json(text) for name, text in facts if name == "event"]

    def story(self, caller: str) -> list[Event]:
        """Everything journalled of the contact whose caller has this number, in order. A killed controller's spool is
        sent again, so an event may lie in the stream twice; (contact, seq) is its key."""
        events = {(e.contact_id, e.seq): e for e in self.events()}.values()
        ids = {e.contact_id for e in events if e.kind is Kind.ARRIVED and e.data["caller"] == caller}
        return sorted((e for e in events if e.contact_id in ids), key=lambda e: (e.contact_id, e.seq))

    def ended(self, caller: str) -> list[Event]:
        """The story once it has come to its end, checked for gaps."""
        eventually(lambda: any(e.kind is Kind.ENDED for e in self.story(caller)), lambda: self._lacks("end", caller))
        story = self.story(caller)
        for e in story:  # shown by pytest when a test fails
            print(f"{e.at:.3f} {e.seq} {e.kind} {dict(e.data)}")
        assert [e.seq for e in story] == list(range(1, len(story) + 1)), "events with gaps"
        return story

    def wait_for(self, caller: str, kind: Kind) -> Event:
        def found() -> Event | None:
            return next((e for e in self.story(caller) if e.kind is kind), None)

        event: Event = eventually(found, lambda: self._lacks(kind, caller))
        return event

    def _lacks(self, what: str, caller: str) -> str:
        known = "\n".join(f"{e.at:.3f} {e.seq} {e.kind} {dict(e.data)}" for e in self.story(caller))
        return f"{what} of {caller}, of whom is known\n{known or 'nothing'}\n{self._calls()}"


def one(story: list[Event], kind: Kind) -> Event:
    found = [e for e in story if e.kind is kind]
    assert len(found) == 1, f"{kind} {len(found)} times in {[e.kind.value for e in story]}"
    return found[0]


def last(story: list[Event], kind: Kind) -> Event:
    found = [e for e in story if e.kind is kind]
    assert found, f"no {kind} in {[e.kind.value for e in story]}"
    return found[-1]


def kinds(story: list[Event]) -> list[Kind]:
    return [e.kind for e in story]
