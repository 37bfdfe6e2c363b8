"""Where the lab's Asterisk comes from.

The system's own `asterisk` when it is on PATH and new enough (only the program is used: never its
configuration, state or ports). Otherwise Debian's package, fetched with mmdebstrap and merely unpacked into a
cache directory.

The unpacked tree is not a chroot: the program in it is started with its own dynamic loader and libraries, so
neither privileges, nor mounts, nor namespaces are needed, and a killed process leaves nothing behind.
"""

import fcntl
import hashlib
import os
import re
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from contactcentre.lab.errors import LabError, LabTimeout, NoAsterisk

OLDEST_ASTERISK = 18
ROOT = "LAB_ASTERISK_ROOT"
"""Environment: an unpacked tree to take Asterisk from, so that everything can be tried on another version."""
SUITE = "forky"
PACKAGES = (
    "asterisk",
    "asterisk-core-sounds-en-gsm",
    "asterisk-core-sounds-fr-gsm",
    "asterisk-core-sounds-es-gsm",
    "asterisk-moh-opsound-wav",
)
DEFAULT_MIRROR = "http://deb.debian.org/debian"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
BUILD_DEADLINE = 600.0
_VERSION = re.compile(r"Asterisk (?:certified[/-])?((\d+)\.\S+)")


@dataclass(frozen=True)
class Asterisk:
    """A program that can be run: its command line's beginning, and where its own files are."""

    command: tuple[str, ...]
    version: str
    module_dir: Path
    data_dir: Path

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])


def find_asterisk() -> Asterisk:
    """LAB_ASTERISK_ROOT's, else the system's, else the cached one, else a freshly fetched one (15 seconds, once).

    Raises NoAsterisk with what to install when there is no way.
    """
    if chosen := os.environ.get(ROOT):
        return unpacked(Path(chosen))
    return system_asterisk() or unpacked(fetched_root())


def can_have_asterisk() -> str | None:
    """None when `find_asterisk` has a chance, else the reason why it has none. Fetches nothing."""
    if os.environ.get(ROOT) or system_asterisk() or _cached_root().is_dir():
        return None
    return _why_no_fetch()


def fetched_root() -> Path:
    """The unpacked Debian packages, fetched first if the cache has none. Safe to call from many processes."""
    root = _cached_root()
    if root.is_dir():
        return root
    if reason := _why_no_fetch():
        raise NoAsterisk(reason)
    root.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(root.with_suffix(".lock"), BUILD_DEADLINE):
        if not root.is_dir():
            _fetch(root)
    return root


def _fetch(root: Path) -> None:
    unfinished = root.with_suffix(".unfinished")
    log = root.with_suffix(".log")
    shutil.rmtree(unfinished, ignore_errors=True)
    # `extract` only unpacks: no maintainer script runs, so no root, chroot or user namespace is needed.
    # Mirrors may lag behind the suite's short validity; signatures are still checked.
    command = [
        "mmdebstrap",
        "--variant=extract",
        "--mode=chrootless",
        '--aptopt=Acquire::Check-Valid-Until "false"',
        f"--keyring={KEYRING}",
        f"--include={','.join(PACKAGES)}",
        SUITE,
        str(unfinished),
        debian_mirror(),
    ]
    with log.open("wb") as output:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=BUILD_DEADLINE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LabTimeout(f"fetching Asterisk took longer than {BUILD_DEADLINE:.0f} s, see {log}") from None
    if done.returncode:
        last = log.read_text(errors="replace").strip().splitlines()[-3:]
        raise NoAsterisk(f"fetching Asterisk from {debian_mirror()} failed: {' | '.join(last)} (all of it: {log})")
    unfinished.rename(root)


def debian_mirror() -> str:
    """CONTACTCENTRE_DEBIAN_MIRROR, else the Debian mirror this system's apt uses, else Debian's own."""
    if chosen := os.environ.get("CONTACTCENTRE_DEBIAN_MIRROR"):
        return chosen
    apt = Path("/etc/apt")
    sources = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    for source in sources:
        if source.suffix not in (".list", ".sources") or not source.is_file():
            continue
        for line in source.read_text(errors="replace").splitlines():
            if line.startswith(("deb ", "deb\t", "URIs:")):
                for word in line.split():
                    if re.fullmatch(r"https?://\S+/debian/?", word):
                        return word.rstrip("/")
    return DEFAULT_MIRROR


def _why_no_fetch() -> str | None:
    if shutil.which("mmdebstrap") is None:
        return "no Asterisk on PATH and no mmdebstrap to fetch one with: apt install mmdebstrap"
    if not KEYRING.is_file():
        return "no Asterisk on PATH and no keys to verify Debian's: apt install debian-archive-keyring"
    return None


def _cached_root() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "contactcentre"
    recipe = hashlib.sha256(" ".join((SUITE, os.uname().machine, *PACKAGES)).encode()).hexdigest()[:8]
    return cache / f"asterisk-{SUITE}-{recipe}"


def system_asterisk(root: Path = Path("/")) -> Asterisk | None:
    """The Asterisk on PATH with its files below `root`, when it is there, complete and new enough."""
    program = shutil.which("asterisk")
    if program is None:
        return None
    try:
        version = _version((program,))
    except LabError:
        return None
    kinds = ("usr/lib*", "usr/lib/*", "usr/local/lib*")
    modules = next((m for kind in kinds for m in root.glob(f"{kind}/asterisk/modules")), None)
    places = (root / "usr/share/asterisk", root / "var/lib/asterisk")
    data = next((place for place in places if (place / "documentation").is_dir()), None)
    if modules is None or data is None:
        return None
    found = Asterisk((program,), version, modules, data)
    return found if found.major >= OLDEST_ASTERISK else None


def unpacked(root: Path) -> Asterisk:
    """The Asterisk in a tree of unpacked Debian or Ubuntu packages, run with that tree's own loader and libraries."""
    program = root / "usr/sbin/asterisk"
    interpreter = _interpreter(program).lstrip("/")
    loader = next((p for p in (root / interpreter, root / "usr" / interpreter) if p.exists()), None)
    modules = next(iter((root / "usr/lib").glob("*/asterisk/modules")), None)
    if loader is None or modules is None:
        raise NoAsterisk(f"{root} is not a usable Asterisk: remove it, it will be fetched again")
    libraries = modules.parent.parent
    command = (
        str(loader),
        "--library-path",
        str(libraries),
        "--argv0",
        "asterisk",
        str(program),
    )
    return Asterisk(command, _version(command), modules, root / "usr/share/asterisk")


def _version(command: tuple[str, ...]) -> str:
    try:
        said = subprocess.run(
            [*command, "-V"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            env=clean_environment(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoAsterisk(f"{command[-1]} does not run: {error}") from error
    found = _VERSION.search(said.stdout)
    if found is None:
        raise NoAsterisk(f"{command[-1]} does not tell its version: {(said.stdout + said.stderr).strip()}")
    return found[1]


def _interpreter(program: Path) -> str:
    """The dynamic loader an ELF program asks for (its PT_INTERP segment, see elf(5))."""
    try:
        image = program.read_bytes()
    except OSError as error:
        raise NoAsterisk(f"{program}: {error.strerror}") from error
    order = "<" if image[5] == 1 else ">"
    if image[:4] != b"\x7fELF" or image[4] != 2:
        raise NoAsterisk(f"{program} is not a 64-bit ELF program")
    (headers_at,) = struct.unpack_from(order + "Q", image, 32)
    size, count = struct.unpack_from(order + "HH", image, 54)
    for header in range(headers_at, headers_at + size * count, size):
        kind, _flags, offset, _vaddr, _paddr, length = struct.unpack_from(order + "IIQQQQ", image, header)
        if kind == 3:
            return image[offset : offset + length].rstrip(b"\0").decode()
    raise NoAsterisk(f"{program} names no dynamic loader")


def clean_environment() -> dict[str, str]:
    """An environment for Asterisk: nothing that would mix the host's libraries or our Python's into it."""
    return {key: os.environ[key] for key in ("HOME", "PATH", "TZ", "TMPDIR") if key in os.environ} | {"LANG": "C.UTF-8"}


@contextmanager
def file_lock(path: Path, deadline: float) -> Iterator[None]:
    """Hold an exclusive lock on a file, freed when its holder dies. Waits at most `deadline` seconds."""
    give_up = time.monotonic() + deadline
    with path.open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # polled: a blocking flock would stop gevent's hub
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise LabTimeout(f"{path} has been locked by another process for {deadline:.0f} s") from None
                time.sleep(0.05)
        yield
