"""Sets the demonstration up: lab, services, site, our processes, the agents' phones. Everything ends with its block."""

import contextlib
import json
import os
import random
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import gevent
from redis import Redis

from contactcentre import embedded
from contactcentre.cli.provisioning import outbound_of
from contactcentre.cli.supervise import Supervisor, only_one
from contactcentre.cli.up import await_web, first_link, migrate, supervise
from contactcentre.demo.callers import RING_SECONDS, WRAP_UP_SECONDS
from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.site import Site
from contactcentre.lab import AnyLab, lab_of
from contactcentre.lab.phones import Phone
from contactcentre.live import Live, connect, signs_of_life
from contactcentre.live.connection import PREFIX, ask
from contactcentre.provision import AnyTarget, AsteriskTarget, FreeswitchTarget, apply, load, make_plan, recover
from contactcentre.settings import STATE_DIR, Settings
from contactcentre.store import Store

READY_DEADLINE = 60.0
EXAMPLE = Path(__file__).parent.parent.parent / "dialplans/sites/example.yaml"


class DemoError(Exception):
    """The demonstration cannot be shown; the text says why."""


@dataclass(frozen=True)
class Stage:
    """Everything in place."""

    settings: Settings
    lab: AnyLab
    store: Store
    live: Live
    site: Site
    supervisor: Supervisor
    link: str | None
    log: Path
    recorder: Callable[[], dict[str, str]]
    """What the recorder says of itself."""
    phones: list[Phone]


@contextlib.contextmanager
def stage(
    state_dir: Path,
    talk: float,
    say: Callable[[str], None],
    wanted: Site | None = None,
    ring: tuple[float, float] = RING_SECONDS,
    register: Callable[[AnyLab, Mapping[str, str]], None] | None = None,
    pbx: str = "asterisk",
    environment: Callable[[AnyLab], Mapping[str, str]] = lambda _: {},
) -> Iterator[Stage]:
    """Sets up below a state directory of its own, so that nothing real is touched. Raises DemoError.

    talk: mean seconds of a conversation; one agent hangs up first now and then. wanted: the site, the example if None.
    ring: least and most seconds that a phone rings. register: registers phones of the caller's own instead, by
    endpoint and secret; `phones` is empty then. pbx: asterisk or freeswitch. environment: more of it, for our processes
    only.
    """
    if wanted is None and not EXAMPLE.is_file():
        raise DemoError(f"{EXAMPLE} is not there: the demonstration runs from a checkout")
    _only_ours(state_dir, pbx)
    with contextlib.ExitStack() as stack:
        Settings().prepare()
        write = stack.enter_context(only_one(state_dir))
        lab = lab_of(Settings())
        say(f"Starting the lab's {lab.title}" + (" (the first time it is fetched)" if pbx == "asterisk" else ""))
        stack.enter_context(_running(lab))
        settings = Settings()
        say("Starting PostgreSQL and Redis")
        services = stack.enter_context(embedded.services(settings))
        migrate(services.database_url)
        store = stack.enter_context(Store(services.database_url))
        client = stack.enter_context(contextlib.closing(connect(services.redis_url)))
        live = Live(client)
        say("Provisioning " + ("dialplans/sites/example.yaml" if wanted is None else "the site"))
        site = _provision(settings, lab, store, wanted or _example())
        say("Starting controller, recorder, worker and web")
        settings = settings.model_copy(update={"web_port": _port(settings.web_port)})
        log = state_dir / "demo.log"
        file = stack.enter_context(log.open("a", buffering=1))
        supervisor = supervise(
            settings, lambda name, line: print(f"{name:10} | {line}", file=file), write, environment(lab)
        )
        stack.callback(supervisor.stop)
        supervisor.start()

        def recorder() -> dict[str, str]:
            return dict(ask(client, "HGETALL", f"{PREFIX}recorder"))

        _await_ready(settings, client, recorder, log)
        link = first_link(settings, services.database_url)
        say("Registering the agents' phones and logging them in")
        stack.callback(lab.close)
        secrets = _secrets(store, site)
        if register is None:
            phones = _phones(lab, secrets, talk, ring)
        else:
            phones = []
            register(lab, secrets)
        _log_in(live, site)
        _await_reachable(client, settings.node, len(secrets))
        yield Stage(settings, lab, store, live, site, supervisor, link, log, recorder, phones)
        say("Stopping")


def _only_ours(state_dir: Path, pbx: str) -> None:
    # a PBX, database or Redis that the environment names is somebody's real one
    for name in list(os.environ):
        if name.startswith("CONTACTCENTRE_") and not name.endswith(
            (
                "_DEBUG",
                "_DEBIAN_MIRROR",
                "_LOG_LEVEL",
                "_WEB_PORT",
                "_WATCH_PORT",
                "_OVERLOAD_LAG",
                "_MAX_CONTACTS",
                "_PRESENCE",
                "_ARI_LISTEN",
            )
        ):
            del os.environ[name]
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    os.environ[STATE_DIR] = str(state_dir)
    os.environ["CONTACTCENTRE_PBX"] = pbx


def _port(wanted: int) -> int:
    """The port if it is free, else another one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise DemoError("no free port for the dashboard")


@contextlib.contextmanager
def _running(lab: AnyLab) -> Iterator[None]:
    lab.start(until_parent_dies=True)
    try:
        yield
    finally:
        lab.stop()


def _example() -> Site:
    """Conversations here last seconds, so what follows them does, too."""
    example = load(EXAMPLE)
    queues = {name: queue.model_copy(update={"wrap_up": WRAP_UP_SECONDS}) for name, queue in example.queues.items()}
    return example.model_copy(update={"queues": queues})


def _provision(settings: Settings, lab: AnyLab, store: Store, site: Site) -> Site:
    assert settings.pbx_etc_dir
    target: AnyTarget
    if settings.pbx == "freeswitch":
        target = FreeswitchTarget(settings.pbx_etc_dir, lab.rx)
    else:
        target = AsteriskTarget(settings.pbx_etc_dir, lab.rx, outbound_of(settings))
    version, old = store.site()
    recover(target, old or Site(), lambda site, by, why: store.save_site(site, by, why))
    version, old = store.site()

    def keep(secrets: dict[str, str]) -> None:
        for name, value in secrets.items():
            store.set_secret(name, value)

    plan = make_plan(site, target, store.secrets(), old)
    if not plan.empty:
        apply(
            plan,
            target,
            lambda new, by, why: store.save_site(new, by, why, expected=version),
            keep,
            by="demo",
            comment="make demo",
        )
    return site


def _await_ready(settings: Settings, client: "Redis", recorder: Callable[[], dict[str, str]], log: Path) -> None:
    deadline = time.monotonic() + READY_DEADLINE
    begun = time.time()

    def connected() -> bool:
        signs = signs_of_life(client).get(settings.node)
        return signs is not None and signs.linked and signs.at > begun

    waiting: dict[str, Callable[[], bool]] = {
        "the controller": connected,
        "the recorder": lambda: float(recorder().get("at", 0)) > begun,
        "the dashboard": lambda: await_web(settings, 0.5),
    }
    for name, ready in waiting.items():
        while not ready():
            if time.monotonic() > deadline:
                raise DemoError(f"{name} is not ready after {READY_DEADLINE:.0f} s; {log} may say why")
            gevent.sleep(0.1)


def _await_reachable(client: "Redis", node: str, agents: int) -> None:
    """Until the controller has seen that the phones are there."""
    deadline = time.monotonic() + READY_DEADLINE
    while json.loads(ask(client, "GET", f"{PREFIX}node:{node}") or "{}").get("reachable", 0) < agents:
        if time.monotonic() > deadline:
            raise DemoError("the controller does not see the agents' phones")
        gevent.sleep(0.1)


def _secrets(store: Store, site: Site) -> dict[str, str]:
    """Endpoint -> secret of every agent."""
    found = {}
    for name, agent in site.agents.items():
        secret = store.secret(f"agent/{name}")
        if secret is None:
            raise DemoError(f"the site has no secret for agent {name}")
        found[agent.endpoint or name] = secret
    return found


def _phones(lab: AnyLab, secrets: Mapping[str, str], talk: float, ring: tuple[float, float]) -> list[Phone]:
    chance = random.Random(1)  # noqa: S311 - nothing secret
    return [
        lab.phone(
            endpoint,
            secret,
            ring=round(chance.uniform(*ring), 2),
            talk=(0.5 * talk, 1.5 * talk) if place == 0 else None,
            tone=600 + 100 * (place % 25),
        )
        for place, (endpoint, secret) in enumerate(secrets.items())
    ]


def _log_in(live: Live, site: Site) -> None:
    for name in site.agents:
        status = live.agent(name)
        if status.state is AgentState.LOGGED_OUT:
            live.change(name, Verb.LOGIN, time.time())
        elif status.state is AgentState.PAUSED:
            live.change(name, Verb.UNPAUSE, time.time())
