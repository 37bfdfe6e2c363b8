"""Run the whole contact centre on one box: controller, recorder, worker and web."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click
import gevent
import structlog
from gevent.event import Event

from contactcentre import embedded, logs
from contactcentre.cli.context import knowing_the_pbx, which_pbx
from contactcentre.cli.port import must_be_free
from contactcentre.cli.supervise import Program, Supervisor, only_one
from contactcentre.settings import Settings, SettingsError
from contactcentre.watch.pulse import Pulse
from contactcentre.watch.systemd import READY, STOPPING, SignsOfLife, notify

if TYPE_CHECKING:
    from contactcentre.domain.site import PbxName

log = logs.get(__name__)

# started in this order, stopped in the reverse one: the recorder goes last, so that it writes what the others said
PROGRAMS = (
    Program("recorder", stop_deadline=20.0, watchdog=90.0, patience=450.0),  # one statement of PostgreSQL's may take 30
    Program("worker", stop_deadline=20.0),
    # callers wait for it: only one that dies as soon as it has begun is given long pauses
    Program("controller", stop_deadline=20.0, watchdog=2.0, patience=25.0, healthy_after=5.0),
    Program("web", stop_deadline=10.0, watchdog=20.0, patience=100.0),
)
LOOK_AFTER_CALLERS = 10.0
"""Seconds between two looks whether any controller has told the PBX that it is there."""
RELEASE_SECONDS = 60.0
GREETING = 30.0
"""Seconds that the dashboard may take to answer before its address is printed all the same."""
_COLOURS = {"controller": "cyan", "recorder": "magenta", "worker": "yellow", "web": "green", "up": "blue"}


@click.command()
@click.option(
    "--lab", "with_lab", is_flag=True, help="Drive the lab's private PBX, of the kind that the site is for; start it."
)
def command(with_lab: bool) -> None:
    """Run the whole contact centre on this box until Ctrl-C or SIGTERM.

    Starts PostgreSQL and Redis (unless DATABASE_URL and REDIS_URL name others), brings the schema up to date,
    and keeps controller, recorder, worker and web running. Calls on the PBX go on when this ends.
    """
    settings = Settings().prepare()
    logs.configure(settings.log_level, settings.log_format, process="up")
    with contextlib.ExitStack() as stack:
        write = stack.enter_context(only_one(settings.state_dir))
        must_be_free(settings)
        services = stack.enter_context(embedded.services(settings))
        migrate(services.database_url)
        if with_lab:
            settings = settings.model_copy(update={"pbx": pbx_of_the_site(settings, services.database_url)})
            stack.enter_context(running_lab(settings))
            settings = Settings(pbx=settings.pbx)
        must_name_a_pbx(settings, services.database_url)
        over = Event()
        supervisor = supervise(settings, printer(settings), write)
        for number in (signal.SIGINT, signal.SIGTERM):
            gevent.signal_handler(number, lambda: supervisor.hurry() if over.is_set() else over.set())
        try:
            supervisor.start()
            stack.callback(gevent.spawn(Pulse(SignsOfLife()).run).kill)
            watch = gevent.spawn(watch_over_callers, settings, services.database_url, supervisor.environment)
            stack.callback(watch.kill)
            log.info("up", processes=len(PROGRAMS))
            ready = await_web(settings, GREETING, over)
            if not over.is_set():
                greet(settings, services.database_url, ready)
            notify(READY)
            over.wait()
            log.info("stopping; once more Ctrl-C kills what has not stopped")
        finally:
            over.set()
            notify(STOPPING)
            killed = supervisor.stop()
    log.info("stopped", killed=killed)


def supervise(
    settings: Settings,
    emit: Callable[[str, str], None],
    write: Callable[[dict[str, Any]], None],
    more: Mapping[str, str] | None = None,
) -> Supervisor:
    """Our four programs, not yet started; `write` gets their state whenever it changes. `more`: of their
    environment."""
    environment = {
        "CONTACTCENTRE_STATE_DIR": str(settings.state_dir),
        "CONTACTCENTRE_WEB_PORT": str(settings.web_port),
        "CONTACTCENTRE_PBX": settings.pbx or "",  # the lab's; "" = not set
        "PYTHONUNBUFFERED": "1",
        **(more or {}),
    }
    return Supervisor(PROGRAMS, emit, environment, lambda supervisor: write({"children": supervisor.status()}))


def watch_over_callers(settings: Settings, database_url: str, environment: Mapping[str, str]) -> None:
    """For ever: leads those who wait to the PBX's own queues when no controller comes back, here or elsewhere."""
    from contactcentre.cli.last_word import silent_for
    from contactcentre.pbx.errors import PbxError
    from contactcentre.store import Store, StoreUnavailable
    from contactcentre.store.last_site import LastSite

    if not settings.last_resort:
        return
    gevent.sleep(settings.last_resort)  # ours starts, too
    with contextlib.closing(Store(database_url, pool_size=1)) as store:
        sites = LastSite(store, settings.state_dir)
        while True:
            gevent.sleep(LOOK_AFTER_CALLERS)
            try:
                silence = silent_for(knowing_the_pbx(settings, sites))
            except (PbxError, StoreUnavailable, SettingsError):
                continue  # what is wrong others say
            if silence is not None and silence >= settings.last_resort:
                log.error("no controller comes back: who waits is led to the PBX's own queues", seconds=round(silence))
                _release(environment)
                gevent.sleep(settings.last_resort)  # an agent may hang up meanwhile, and leave somebody alone


def _release(environment: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "contactcentre", "controller", "release"]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=RELEASE_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        log.error("nobody was led on", error=str(error))
        return
    log.warning("led on", said=(done.stdout + done.stderr).strip())


def migrate(database_url: str) -> None:
    """Brings the schema up to date, before anything that uses it starts. While PostgreSQL is away whoever reaches it
    first does."""
    from contactcentre.store import Store, StoreUnavailable

    with contextlib.closing(Store(database_url)) as store:
        try:
            log.info("schema up to date", version=store.migrate())
        except StoreUnavailable as error:
            log.warning("history is away: calls are taken without", error=str(error))


def pbx_of_the_site(settings: Settings, database_url: str) -> "PbxName":
    """Raises SettingsError when settings and site name two."""
    from contactcentre.store import Store
    from contactcentre.store.last_site import LastSite

    with contextlib.closing(Store(database_url)) as store:
        _, site = LastSite(store, settings.state_dir).site()
    return which_pbx(settings, site)


def must_name_a_pbx(settings: Settings, database_url: str) -> None:
    """Raises SettingsError when the controller could not sign in at the PBX; else it would only say so, and end, again
    and again."""
    from contactcentre.controller.build import pbx_of
    from contactcentre.store import Store
    from contactcentre.store.last_site import LastSite

    with contextlib.closing(Store(database_url)) as store:
        pbx_of(knowing_the_pbx(settings, LastSite(store, settings.state_dir)))


@contextlib.contextmanager
def running_lab(settings: Settings) -> Any:
    """The lab of this state directory, running; stopped at the end if it was started here."""
    from contactcentre.lab import lab_of

    lab = lab_of(settings)
    was_running = lab.status() is not None
    info = lab.start()
    sip = f"{info.sip_host}:{info.sip_port}"
    log.info("lab", pbx=lab.title, version=info.version, sip=sip, was_running=was_running)
    try:
        yield lab
    finally:
        if not was_running:
            lab.stop()


def greet(settings: Settings, database_url: str, ready: bool) -> None:
    """Prints where the dashboard is, and on the first run the one-time link that makes the first admin."""
    from contactcentre.web.accounts import dashboard_url

    link = first_link(settings, database_url)
    click.echo(f"Dashboard: {dashboard_url(settings)}/" + ("" if ready else " (it does not answer yet)"))
    if link:
        click.echo(f"First run: this link makes the first admin, once:\n  {link}")
    sys.stdout.flush()


def first_link(settings: Settings, database_url: str) -> str | None:
    """The one-time link for the first admin; None when there is an admin already, or nobody knows."""
    from contactcentre.store import Store, StoreUnavailable
    from contactcentre.web.accounts import first_run_link

    with contextlib.closing(Store(database_url)) as store, contextlib.suppress(StoreUnavailable):
        return first_run_link(store, settings)
    return None


def printer(settings: Settings) -> Callable[[str, str], None]:
    """Writes the children's lines to stderr, each with its process in front; JSON stays one object a line."""
    colours = sys.stderr.isatty()

    def plain(name: str, line: str) -> None:
        front = click.style(f"{name:10} |", fg=_COLOURS.get(name)) if colours else f"{name:10} |"
        sys.stderr.write(f"{front} {logs.printable(line)}\n")

    def as_json(name: str, line: str) -> None:
        if not line.startswith("{"):
            stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)(None, "", {})["timestamp"]
            line = json.dumps({"event": line, "process": name, "level": "info", "timestamp": stamp})
        sys.stderr.write(line + "\n")

    return as_json if settings.log_format == "json" else plain


def await_web(settings: Settings, seconds: float, over: Event | None = None) -> bool:
    """Waits until the dashboard answers; False when it does not within so many seconds, or `over` is set before."""
    import socket

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not (over and over.is_set()):
        try:
            with socket.create_connection((settings.web_bind, settings.web_port), timeout=1):
                return True
        except OSError:
            gevent.sleep(0.1)
    return False
