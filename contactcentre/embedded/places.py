"""Where the embedded servers live, and as whom they run.

PostgreSQL refuses to run as root. So as root both servers run as an unprivileged account, which must be able
to reach its data and the programs: where the state directory (or the virtualenv) is closed to it, as below
/root, they are kept below /var/lib/contactcentre-embedded, and `<state>/embedded/home` points there.
"""

import hashlib
import os
import pwd
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SOCKET_PATH_LIMIT = 107
"""Bytes of sun_path, unix(7), without the terminating null byte."""

_OUTSIDE = Path("/var/lib/contactcentre-embedded")
_ACCOUNTS = ("contactcentre", "postgres", "nobody")
_LONGEST_SOCKET = ".s.PGSQL.5432"


class EmbeddedError(Exception):
    """The embedded PostgreSQL or Redis could not be started; the message says why and what to do."""


@dataclass(frozen=True)
class Account:
    """The operating system's user the servers run as."""

    name: str
    uid: int
    gid: int

    @classmethod
    def choose(cls) -> "Account":
        """Ourselves; as root the first of the accounts contactcentre, postgres and nobody that exists."""
        if (uid := os.geteuid()) != 0:
            try:
                entry = pwd.getpwuid(uid)
            except KeyError:
                raise EmbeddedError(
                    f"user id {uid} has no entry in the password database, which PostgreSQL wants; "
                    "add one, or set DATABASE_URL and REDIS_URL"
                ) from None
            return cls(entry.pw_name, uid, os.getegid())
        for name in _ACCOUNTS:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            if entry.pw_uid:
                return cls(name, entry.pw_uid, entry.pw_gid)
        raise EmbeddedError(f"root may not run PostgreSQL, and there is none of the accounts {', '.join(_ACCOUNTS)}")

    def can(self, path: Path, mode: int) -> bool:
        """Whether this account has access (os.R_OK | os.X_OK ...) to a path, asked of the kernel."""
        if self.uid == os.geteuid():
            return os.access(path, mode)
        pid = os.fork()
        if pid == 0:
            try:
                os.setgroups([])
                os.setgid(self.gid)
                os.setuid(self.uid)
                os._exit(0 if os.access(path, mode) else 1)
            except BaseException:
                os._exit(2)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    def own(self, path: Path) -> None:
        """Makes this account the owner of a path."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)


@dataclass(frozen=True)
class Places:
    """The files of the embedded services of one state directory."""

    state: Path

    @property
    def base(self) -> Path:
        return self.state / "embedded"

    @property
    def users_lock(self) -> Path:
        return self.base / "users.lock"

    @property
    def keeper(self) -> Path:
        """Locked by the living keeper for all its life; holds the addresses as JSON."""
        return self.base / "keeper.json"

    @property
    def log(self) -> Path:
        return self.base / "keeper.log"

    def make(self) -> None:
        """The directory itself. Raises EmbeddedError when it cannot be written."""
        try:
            self.base.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedError(
                f"state directory {self.state}: {error.strerror}; set CONTACTCENTRE_STATE_DIR"
            ) from None

    def home(self, account: Account) -> Path:
        """The directory of the data, reachable by the account; always the same one for a state directory."""
        inside, pointer = self.base / "data", self.base / "home"
        if pointer.is_symlink():
            return Path(os.readlink(pointer))
        inside.mkdir(mode=0o755, exist_ok=True)
        if account.can(inside, os.X_OK):
            return inside
        inside.rmdir()
        outside = _OUTSIDE / f"{self.state.name.strip('.')}-{secrets.token_hex(4)}"
        outside.mkdir(mode=0o755, parents=True)
        os.symlink(outside, pointer)
        return outside

    def sockets(self, account: Account, home: Path) -> Path:
        """A directory only the account can enter, short enough for a socket's name."""
        inside = home / "run"
        if _fits(inside):
            _private(inside, account)
            return inside
        name = f"contactcentre-{hashlib.sha256(str(home).encode()).hexdigest()[:12]}"
        for parent in (
            os.environ.get("XDG_RUNTIME_DIR"),
            f"/run/user/{os.geteuid()}",
            tempfile.gettempdir(),
            "/tmp",  # noqa: S108 - the directory made there is ours alone, see _private
        ):
            if parent and os.path.isdir(parent) and os.access(parent, os.W_OK | os.X_OK):
                short = Path(parent) / name
                if _fits(short) and account.can(Path(parent), os.X_OK):
                    _private(short, account)
                    return short
        raise EmbeddedError(f"no directory short enough for a socket: {inside} is too long, and /tmp cannot be written")


def runnable(program: Path, root: Path, needs: Sequence[str], account: Account) -> Path:
    """The program, or a copy of it that the account can reach and run.

    needs: the directories below `root` that make up the program; it finds its libraries by their relative places.
    """
    if account.can(program, os.R_OK | os.X_OK):
        return program
    mark = hashlib.sha256(f"{program}:{program.stat().st_mtime_ns}".encode()).hexdigest()[:12]
    copy = _OUTSIDE / "programs" / f"{program.name}-{mark}"
    if not copy.is_dir():
        copy.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=copy.parent) as directory:
            draft = Path(directory) / "tree"
            for need in needs:
                shutil.copytree(root / need, draft / need, symlinks=True)
            _open_to_all(draft)
            try:
                draft.rename(copy)
            except OSError:
                if not copy.is_dir():  # else another keeper was quicker
                    raise
    found = copy / program.relative_to(root)
    if not account.can(found, os.R_OK | os.X_OK):
        raise EmbeddedError(f"user {account.name} cannot run {program}, nor its copy {found}")
    return found


def _open_to_all(tree: Path) -> None:
    """Readable by everybody, whatever root's umask was when it was installed or copied."""
    for directory, _, files in os.walk(tree):
        for path in (Path(directory), *(Path(directory) / name for name in files)):
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))


def _fits(directory: Path) -> bool:
    return len(os.fsencode(directory / _LONGEST_SOCKET)) <= SOCKET_PATH_LIMIT


def _private(directory: Path, account: Account) -> None:
    try:
        directory.mkdir(mode=0o700)
        account.own(directory)
    except FileExistsError:
        found = directory.lstat()
        if directory.is_symlink() or found.st_uid != account.uid or found.st_mode & 0o077:
            raise EmbeddedError(
                f"{directory} is not of {account.name} alone; someone else may have made it: remove it"
            ) from None
