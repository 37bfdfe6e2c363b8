"""What `doctor` looks at. Every check ends within its deadlines and says what to do about what it found."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import urllib3

from contactcentre.cli.port import can_listen, local_url
from contactcentre.cli.supervise import read_up
from contactcentre.embedded import Services
from contactcentre.settings import Settings

if TYPE_CHECKING:
    from contactcentre.live import Signs

DEADLINE = 5.0
"""Seconds one question to another machine may take."""
OLDEST_REDIS = (6, 2)
OLDEST_POSTGRES = 14
CLOCK_WARN, CLOCK_FAIL = 2.0, 30.0
DISK_WARN, DISK_FAIL = 5e9, 1e9
RECORDING_BYTES_PER_HOUR = 8000 * 2 * 2 * 3600
"""Stereo, 16 bits, 8000 samples a second."""


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One thing looked at: how it is, and what to do about it (empty when it is fine)."""

    subject: str
    level: Level
    text: str
    advice: str = ""


def ok(subject: str, text: str) -> Finding:
    return Finding(subject, Level.OK, text)


def warn(subject: str, text: str, advice: str) -> Finding:
    return Finding(subject, Level.WARN, text, advice)


def fail(subject: str, text: str, advice: str) -> Finding:
    return Finding(subject, Level.FAIL, text, advice)


Check = Callable[[], Iterator[Finding]]


def all_of(subject: str, check: Check) -> list[Finding]:
    """The check's findings; what it did not expect is a finding, too."""
    found: list[Finding] = []
    try:
        found.extend(check())
    except Exception as error:
        found.append(fail(subject, f"could not be checked: {type(error).__name__}: {error}", "see the error"))
    return found


def judged(subject: str, seconds: float, whose: str) -> Finding:
    """A clock's distance from ours."""
    text = f"{whose} clock is {abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} ours"
    advice = "run an NTP client (systemd-timesyncd, chrony) on both machines: waiting times are differences of clocks"
    if abs(seconds) > CLOCK_FAIL:
        return fail(subject, text, advice)
    if abs(seconds) > CLOCK_WARN:
        return warn(subject, text, advice)
    return ok(subject, f"{whose} clock agrees with ours")


def controller(settings: Settings, services: Services) -> Iterator[Finding]:
    """Whether this node's controller lives and has its link to the PBX.

    Asked in Redis: the PBX goes on to list an application whose controller is gone.
    """
    from contactcentre.live import LiveError, connect, signs_of_life

    fallback = "the PBX's own fallback queue answers"
    with contextlib.closing(connect(services.redis_url)) as client:
        try:
            signs = signs_of_life(client).get(settings.node)
        except LiveError:  # a finding of its own
            return
    if signs is None:
        advice = "start it: contactcentre up (or contactcentre controller)"
        yield warn("controller", f"no controller of {settings.node} runs, so {fallback}", advice)
    elif not signs.linked:
        advice = "see what is found about the PBX, and the log of the controller"
        yield fail("controller", f"of {settings.node} has no link to the PBX, so {fallback}", advice)
    else:
        yield ok("controller", f"of {settings.node} is linked to the PBX, site version {signs.site}")
        yield from _phones(services, signs)


def _phones(services: Services, signs: "Signs") -> Iterator[Finding]:
    from contactcentre.cli.moments import seconds
    from contactcentre.domain.agents import AgentState
    from contactcentre.live import Live, connect

    with contextlib.closing(connect(services.redis_url)) as client:
        on_duty = [name for name, one in Live(client).agents().items() if one.state is not AgentState.LOGGED_OUT]
    away = sorted(signs.unreachable.keys() & {*on_duty})
    if away:
        since = (signs.unreachable[name] for name in away)
        told = [f"{name} ({seconds(signs.at - at)})" if at else name for name, at in zip(away, since, strict=True)]
        text = f"of {', '.join(told[:10])}{' and others' if told[10:] else ''}: not registered or not answering"
        yield warn("phones", text, "they are logged in but get no calls: register the phones, or log the agents out")
    elif on_duty:
        yield ok("phones", f"all of the {len(on_duty)} agents on duty can be rung")


def redis_server(services: Services) -> Iterator[Finding]:
    """Reachable, new enough, keeps what it is told."""
    import redis

    with redis.Redis.from_url(
        services.redis_url, socket_timeout=DEADLINE, socket_connect_timeout=DEADLINE, decode_responses=True
    ) as client:
        try:
            info = client.info()
            seconds, micros = client.time()
        except redis.RedisError as error:
            yield fail("redis", f"does not answer: {error}", "start it, or correct REDIS_URL")
            return
        now = time.time()
        version = tuple(int(part) for part in info["redis_version"].split(".")[:2])
        if version < OLDEST_REDIS:
            yield fail("redis", f"version {info['redis_version']}", "6.2 or newer is needed")
        else:
            yield ok("redis", f"version {info['redis_version']}")
        if info.get("aof_enabled"):
            yield ok("redis persistence", "append-only file: a crash loses at most a second")
        else:
            yield warn(
                "redis persistence",
                "no append-only file: a crash loses what is waiting to be recorded",
                "appendonly yes in redis.conf",
            )
        policy = info.get("maxmemory_policy", "noeviction")
        if info.get("maxmemory") and policy != "noeviction":
            yield fail(
                "redis memory", f"may throw our data away ({policy})", "maxmemory-policy noeviction in redis.conf"
            )
        yield judged("clock of Redis", seconds + micros / 1e6 - now, "Redis's")


def postgres(services: Services) -> Iterator[Finding]:
    """Reachable, new enough, schema current, clock, and whether there is a site."""
    import psycopg

    from contactcentre.store import Store, StoreUnavailable

    with Store(services.database_url) as store:
        try:
            version = store.ping()
            have, need = store.schema_version()
        except StoreUnavailable as error:
            yield fail("postgresql", f"does not answer: {error}", "start it, or correct DATABASE_URL")
            return
        if int(version.split(".")[0].split()[0]) < OLDEST_POSTGRES:
            yield fail("postgresql", f"version {version}", f"{OLDEST_POSTGRES} or newer is needed")
        else:
            yield ok("postgresql", f"version {version}")
        if have is None:
            yield warn(
                "schema", "there is none yet", "the first of our processes that starts makes it: contactcentre up"
            )
            return
        if have == need:
            yield ok("schema", f"is current ({have})")
        else:
            yield fail(
                "schema",
                f"the database has {have}, this program needs {need}",
                "contactcentre up (or any of our processes) brings it up to date when it starts",
            )
            return
        number, site = store.site()
        if site is None:
            yield warn("site", "nothing is provisioned yet", "contactcentre plan site.yaml, then contactcentre apply")
        else:
            yield ok("site", f"version {number}: {len(site.queues)} queues, {len(site.agents)} agents")
    address = services.database_url.replace("+psycopg", "")
    with psycopg.connect(address, connect_timeout=int(DEADLINE)) as connection:
        row = connection.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone()
        assert row
        yield judged("clock of PostgreSQL", float(row[0]) - time.time(), "PostgreSQL's")


def files(settings: Settings) -> Iterator[Finding]:
    """Directories, their rights, space, and the program that speaks."""
    mode = settings.recordings_dir.stat().st_mode
    if mode & 0o077:
        yield fail(
            "recordings",
            f"{settings.recordings_dir} is open to other users ({mode & 0o777:04o})",
            f"chmod 700 {settings.recordings_dir}",
        )
    elif not os.access(settings.recordings_dir, os.W_OK | os.X_OK):
        yield fail("recordings", f"{settings.recordings_dir} cannot be written", "give it to the user we run as")
    else:
        yield ok("recordings", f"{settings.recordings_dir} is ours alone")
    for secret in (
        settings.state_dir / "contactcentre.env",
        settings.state_dir / "secret_key",
        settings.ari_secret_file,
    ):
        if secret and secret.exists() and secret.stat().st_mode & 0o077:
            yield fail("secrets", f"{secret} is open to other users", f"chmod 600 {secret}")
    made_by_pbx = settings.pbx_recordings_dir
    if made_by_pbx and not os.access(made_by_pbx, os.R_OK | os.X_OK):
        yield fail(
            "recordings of the PBX",
            f"{made_by_pbx} cannot be read",
            "give the user we run as the right to read it, or we cannot fetch the recordings",
        )
    closed = next(
        (path for path in (settings.prompts_dir, *settings.prompts_dir.parents) if not _passes_others(path)), None
    )
    if closed is None:
        yield ok("prompts", f"{settings.prompts_dir} can be read by the PBX")
    else:
        yield warn(
            "prompts",
            f"{closed} is closed to other users: a PBX that runs as another user cannot play our prompts",
            f"chmod o+x {closed}, or choose another CONTACTCENTRE_PROMPTS_DIR",
        )
    if shutil.which("espeak-ng"):
        yield ok("speech", "espeak-ng speaks texts without a recorded prompt")
    else:
        yield warn(
            "speech", "there is no espeak-ng: texts without a recorded prompt stay silent", "apt install espeak-ng"
        )
    free = shutil.disk_usage(settings.recordings_dir).free
    text = f"{free / 1e9:.1f} GB free, about {free / RECORDING_BYTES_PER_HOUR:.0f} hours of recordings"
    if free < DISK_FAIL:
        yield fail("disk", text, f"make room on the disk of {settings.recordings_dir}")
    elif free < DISK_WARN:
        yield warn("disk", text, f"make room on the disk of {settings.recordings_dir}, or shorten the retention")
    else:
        yield ok("disk", text)


def _passes_others(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o001)


def dashboard(settings: Settings) -> Iterator[Finding]:
    """The dashboard: ready when it runs, its port free when it does not."""
    running = read_up(settings.state_dir) is not None
    url = local_url(settings)
    where = f"{settings.web_bind}:{settings.web_port}"
    try:
        answer = urllib3.PoolManager(timeout=urllib3.Timeout(total=DEADLINE), retries=False).request(
            "GET", f"{url}/readyz"
        )
        parts = answer.json()["parts"]
    except urllib3.exceptions.HTTPError:  # nobody there, or nobody who speaks HTTP
        parts = None
    except (ValueError, KeyError, TypeError):  # not ours
        parts = None
    if isinstance(parts, dict):
        away = [str(name) for name, good in parts.items() if not good]
        if not away:
            yield ok("dashboard", f"answers at {url}/")
        else:
            text = f"answers at {url}/, but is not ready: {', '.join(away)} away"
            yield fail("dashboard", text, "repair what else is found here; the log of web says more")
        return
    try:
        free = can_listen(settings.web_bind, settings.web_port)
    except OSError as error:
        yield fail(
            "dashboard", f"cannot listen on {where}: {error.strerror}", "correct CONTACTCENTRE_WEB_BIND, _WEB_PORT"
        )
        return
    if not free:
        advice = "stop the other program, or set CONTACTCENTRE_WEB_PORT"
        yield (fail if running else warn)("dashboard", f"{where} is taken by another program", advice)
    elif running:
        yield fail("dashboard", f"contactcentre up runs, but nothing answers at {where}", "see the log of web")
    else:
        yield ok("dashboard", f"{where} is free for it")
