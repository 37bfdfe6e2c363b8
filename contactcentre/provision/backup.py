"""What makes an apply all or nothing: the files as they were, and a note of the apply that is running.

    <etc>/contactcentre/.backup/<time>/   manifest.json, and a copy of every file that was there
    <etc>/contactcentre/.apply.json       exists from before the first write until the apply is settled

Whoever finds the note finds an apply that was cut short, and can restore what was.
"""

import fcntl
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contactcentre.provision.plan import FileChange
from contactcentre.provision.problems import ProvisionError
from contactcentre.provision.target import Target

KEPT = 20
"""Backup sets that stay; older ones are removed."""
LOCK_SECONDS = 30.0


class NotWritable(ProvisionError):
    """The PBX's configuration cannot be changed by this user. Nothing was changed."""


class Busy(ProvisionError):
    """Another apply has been running for too long."""


@dataclass(frozen=True, slots=True)
class Running:
    """The note of an apply. `verified`: the PBX runs the new files and answered every check, so going on is
    safer than going back; `document` is the site that then belongs into the store."""

    backup: str
    started_at: float
    by: str
    comment: str
    document: dict[str, Any]
    reloads: tuple[str, ...]
    verified: bool = False


@contextmanager
def lock(target: Target) -> Iterator[None]:
    """One apply at a time; the kernel frees the lock when its holder dies. Raises Busy or NotWritable."""
    try:
        make_directory(target.ours, target.etc_dir)
        opened = (target.ours / ".lock").open("a")
    except OSError as error:
        why = f"{error.strerror}: {error.filename}"
        raise NotWritable(f"cannot change the PBX's configuration (run as root or as its user): {why}") from error
    give_up = time.monotonic() + LOCK_SECONDS
    with opened as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # polled: blocking would stop gevent's hub
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise Busy(f"another apply to {target.etc_dir} has been running for {LOCK_SECONDS:.0f} s") from None
                time.sleep(0.1)
        yield


def save(target: Target, changes: Sequence[FileChange], at: float) -> str:
    """Keeps every file as it is; returns the set's name."""
    root = target.ours / ".backup"
    make_directory(root, target.etc_dir)
    base = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
    name = next(n for n in (base, *(f"{base}-{i}" for i in range(2, 1000))) if not (root / n).exists())
    made = root / f".{name}.unfinished"
    shutil.rmtree(made, ignore_errors=True)
    make_directory(made, target.etc_dir)
    manifest = {}
    for index, change in enumerate(changes):
        manifest[change.name] = None if change.old is None else str(index)
        if change.old is not None:
            write(made / str(index), change.old, like=change.path)
    write(made / "manifest.json", json.dumps(manifest, indent=1), like=target.etc_dir)
    made.rename(root / name)
    _sync(root)
    for old in sorted(p for p in root.iterdir() if not p.name.startswith("."))[:-KEPT]:
        shutil.rmtree(old)
    return name


def restore(target: Target, name: str) -> None:
    """Puts every file of a set back, and takes away those that were not there. Doing it twice is harmless."""
    root = target.ours / ".backup" / name
    manifest: dict[str, str | None] = json.loads((root / "manifest.json").read_text())
    for file, copy in manifest.items():
        path = target.etc_dir / file
        if copy is None:
            path.unlink(missing_ok=True)
        else:
            with (root / copy).open(encoding="utf-8", errors="surrogateescape", newline="") as saved:
                write(path, saved.read(), like=root / copy)
    _sync(target.ours)


def note(target: Target, running: Running) -> None:
    write(_note(target), json.dumps(asdict(running)), like=target.etc_dir)


def noted(target: Target) -> Running | None:
    """The apply that runs or was cut short; None when there is none."""
    try:
        raw = json.loads(_note(target).read_text())
    except FileNotFoundError:
        return None
    return Running(**{**raw, "reloads": tuple(raw["reloads"])})


def settle(target: Target) -> None:
    """The apply is over, one way or the other."""
    _note(target).unlink(missing_ok=True)
    _sync(target.ours)


def write(path: Path, text: str, like: Path) -> None:
    """Replaces a file (what it links to, if it is a link) in one step, durable when it returns. Owner, group
    and mode are those of the file that was there, else those that suit `like`; nothing that we write is
    readable by everybody."""
    path = path.resolve() if path.is_symlink() else path
    make_directory(path.parent, like if like.is_dir() else like.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    model = path if path.exists() else like
    known = model.stat() if model.exists() else path.parent.stat()
    mode = stat.S_IMODE(known.st_mode) & 0o666 if stat.S_ISREG(known.st_mode) else 0o640
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:  # noqa: PTH123
            file.write(text)
            file.flush()
            _own(descriptor, known)
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _sync(path.parent)


def make_directory(path: Path, like: Path) -> None:
    """Readable by the PBX's user (the owner and group of `like`) and nobody else."""
    if path.is_dir():
        return
    path.mkdir(mode=0o750)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _own(descriptor, like.stat())
    finally:
        os.close(descriptor)


def _own(descriptor: int, known: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.fchown(descriptor, known.st_uid, known.st_gid)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _note(target: Target) -> Path:
    return target.ours / ".apply.json"
