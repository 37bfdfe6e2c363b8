"""The whole product as its users have it, and people around it: callers, agents at their phones, an admin."""

import io
import itertools
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from contactcentre.cli import group
from contactcentre.demo.accounting import Account, account, pending
from contactcentre.demo.stage import EXAMPLE, DemoError, Stage, stage
from contactcentre.domain.agents import AgentState, AgentStatus, Verb
from contactcentre.domain.contacts import ContactHistory
from contactcentre.domain.site import Site
from contactcentre.lab import CallResult
from contactcentre.lab.phones import ANSWER, OngoingCall, Phone
from contactcentre.live.connection import PREFIX, ask
from contactcentre.provision import load
from tests.controller.switches import switch_of
from tests.waiting import PATIENCE, eventually
from tests.watch.scrape import four_ports

SUPPORT, SALES = "+33155500100", "+33155500101"
"""The example's numbers; both lead into its bilingual welcome."""
FRENCH, ENGLISH = "2", "1"
HISTORY_DEADLINE = 40.0
RING_SECONDS = {"support": 20.0, "sales": 3.0}
"""Support's agents have time to answer in a browser, also on a slow machine; a call of sales is soon missed."""
BROWSERS = ("david", "emma")
"""Agents who have a softphone, too."""
TALK_SECONDS = 2.0


@dataclass(frozen=True)
class Done:
    """What a command said, and its exit code."""

    status: int
    out: str
    err: str


class Centre:
    """A running contact centre and what a test does with it."""

    def __init__(self, here: Stage) -> None:
        self.here = here
        self.store, self.live, self.lab, self.settings = here.store, here.live, here.lab, here.settings
        self.switch = switch_of(self.lab)
        self.phones: dict[str, Phone] = dict(zip(here.site.agents, here.phones, strict=True))
        self.calls: list[OngoingCall] = []
        self.since = 0.0
        self._numbers = itertools.count(1)

    # -- a test's frame -----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Nobody is on duty, nobody has called."""
        self.calls = []
        self.since = time.time()
        self.on_duty()

    def over(self) -> Account:
        """After the last call: everything has come to rest, nothing is left anywhere; returns the accounts."""
        results = self.results()
        eventually(lambda: not self.live.contacts(), lambda: f"live contacts {self.live.contacts()}")
        eventually(lambda: not self.live.waiting(), lambda: f"waiting {self.live.waiting()}")
        self._nothing_on_the_pbx()
        eventually(lambda: not self.busy(), lambda: f"agents are still busy: {self.busy()}")
        self.settle()
        eventually(lambda: not self.originals(), lambda: f"still on the PBX: {self.originals()}")
        return account(results, self.store, self.settings.recordings_dir, self.since, time.time())

    def results(self) -> list[CallResult]:
        """Of all calls, which end by themselves."""
        return [call.wait(90) for call in self.calls]

    def settle(self) -> None:
        """Until history knows every end, and every recording is stored."""
        eventually(
            lambda: float(self.here.recorder().get("backlog", 1)) == 0 and pending(self.store, self.since) == 0,
            lambda: f"{pending(self.store, self.since)} parts of history pending, {self.here.recorder()}",
            HISTORY_DEADLINE,
        )

    def _nothing_on_the_pbx(self) -> None:
        """No channel, and no bridge but waiting rooms without callers."""

        eventually(lambda: not self.switch.left(), self.switch.left)

    def busy(self) -> dict[str, AgentStatus]:
        resting = (AgentState.AVAILABLE, AgentState.PAUSED, AgentState.LOGGED_OUT)
        return {name: status for name, status in self.live.agents().items() if status.state not in resting}

    def originals(self) -> list[str]:
        """Files of recordings that still lie on the PBX."""
        return sorted(path.name for path in Path(self.lab.info().recordings_dir).rglob("*.wav"))

    # -- people -------------------------------------------------------------------------------------------------------

    def on_duty(self, *names: str, **behaviour: Any) -> None:
        """These agents are free, idle longest first; nobody else is there. `behaviour` is that of their phones."""
        eventually(lambda: not self.busy(), lambda: f"agents are still busy: {self.busy()}")
        for name, phone in self.phones.items():
            if self.agent(name).state is not AgentState.LOGGED_OUT:
                self.live.change(name, Verb.LOGOUT, time.time())
            phone.behave(**{"ring": 0.1, "answer": ANSWER, "talk": None, **behaviour})
            phone.calls.clear()
        for name in names:
            self.live.change(name, Verb.LOGIN, time.time())

    def agent(self, name: str) -> AgentStatus:
        return self.live.agent(name)

    def until_agent(self, name: str, state: AgentState) -> AgentStatus:
        eventually(lambda: self.agent(name).state is state, lambda: f"{name} {state}, is {self.agent(name)}")
        return self.agent(name)

    def dial(self, digits: str = "", did: str = SUPPORT, **plan: Any) -> OngoingCall:
        """A caller with a number of their own presses these digits. `talk` seconds with an agent unless told."""
        usual: dict[str, Any] = {"caller": f"+3360000{next(self._numbers):04}", "talk": TALK_SECONDS}
        plan = {**usual, "digits_after": 0.3, **plan}
        call = self.lab.dial(did, digits=digits, digit_pause=1.0, **plan)
        self.calls.append(call)
        return call

    def support(self, language: str = ENGLISH, **plan: Any) -> OngoingCall:
        """A caller who chooses a language, then support."""
        return self.dial(f"{language},2", **plan)

    def sales(self, language: str = ENGLISH, **plan: Any) -> OngoingCall:
        return self.dial(f"{language},1", **plan)

    def waiting(self) -> set[str]:
        """Numbers of the callers who wait, and for whom no phone rings."""
        return {waiting.caller for waiting in self.live.waiting().values() if not waiting.offered}

    def until_some_wait(self, calls: list[OngoingCall], number: int) -> tuple[list[OngoingCall], list[OngoingCall]]:
        """Until so many of the calls wait and the others hear an agent: (those who talk, those who wait)."""
        callers = {call.plan.caller for call in calls}

        def split() -> bool:
            live = [one.state for one in self.live.contacts().values() if one.caller in callers]
            return len(callers & self.waiting()) == number and live.count("talking") == len(calls) - number

        eventually(split, lambda: f"{number} wait, the others talk: {self.live.contacts()}")
        waiting = self.waiting()
        talking = [call for call in calls if call.plan.caller not in waiting]
        for call in talking:
            call.until("person", PATIENCE)
        return talking, [call for call in calls if call.plan.caller in waiting]

    def until_at(self, call: OngoingCall, node: str) -> None:
        """Until the caller is at this node of the flow."""

        def at() -> list[Any]:
            return [
                one.flow_state.get("node") for one in self.live.contacts().values() if one.caller == call.plan.caller
            ]

        eventually(lambda: at() == [node], lambda: f"{call.plan.caller} is at {node}, not {at()}")

    # -- what is known ------------------------------------------------------------------------------------------------

    def id_of(self, call: OngoingCall) -> str:
        """The contact's id, as soon as history has it."""

        def found() -> str:
            contacts = self.store.contacts(since=self.since, caller=call.plan.caller).contacts
            return contacts[0].id if contacts else ""

        return str(eventually(found, f"history knows {call.plan.caller}"))

    def history(self, call: OngoingCall) -> ContactHistory:
        """Of a call that has ended, with its recordings stored."""
        self.settle()
        return self.store.history(self.id_of(call))

    # -- the admin ----------------------------------------------------------------------------------------------------

    def command(self, *arguments: str) -> Done:
        """`contactcentre ARGUMENTS`, without the second that a program of its own takes to start."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = group.run(list(arguments))
        return Done(status, out.getvalue(), err.getvalue())

    def ask(self, *arguments: str) -> str:
        """The output of a command that succeeds."""
        done = self.command(*arguments)
        assert done.status == 0, f"{arguments}: {done.out}{done.err}"
        return done.out

    def ask_json(self, *arguments: str) -> Any:
        return json.loads(self.ask(*arguments, "--json"))

    def processes(self) -> Mapping[str, Mapping[str, Any]]:
        return self.here.supervisor.status()

    def controller_signs(self) -> dict[str, Any]:
        """What the controller last said of itself."""
        return dict(json.loads(ask(self.live.redis, "GET", f"{PREFIX}node:{self.settings.node}") or "{}"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.web_port}"

    @property
    def watch_base(self) -> int:
        """The first of the ports at which the processes tell of themselves."""
        return self.settings.watch_port

    def page_answers(self) -> bool:
        """Whether the dashboard can serve."""
        try:
            return requests.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def log(self) -> str:
        return self.here.log.read_text()


@contextmanager
def running(state_dir: Path, pbx: str) -> Iterator[Centre]:
    """A contact centre with the example site, phones and all, below this directory; the environment is put back."""
    before = dict(os.environ)
    os.environ["CONTACTCENTRE_WEB_PORT"] = "0"
    os.environ["CONTACTCENTRE_WATCH_PORT"] = str(four_ports())
    try:
        with stage(state_dir, TALK_SECONDS, lambda _: None, site(), ring=(0.1, 0.1), pbx=pbx) as here:
            yield Centre(here)
    except DemoError as error:
        error.add_note((state_dir / "demo.log").read_text()[-5000:])
        raise
    finally:
        os.environ.clear()
        os.environ.update(before)


def site() -> Site:
    """The example, with what makes a test wait cut short."""
    example = load(EXAMPLE)
    short = {"wrap_up": 1.0, "retry_delay": 1.0}
    queues = {
        name: queue.model_copy(update={**short, "ring_seconds": RING_SECONDS[name]})
        for name, queue in example.queues.items()
    }
    agents = {
        name: agent.model_copy(update={"webrtc": True}) if name in BROWSERS else agent
        for name, agent in example.agents.items()
    }
    return example.model_copy(update={"queues": queues, "agents": agents})
