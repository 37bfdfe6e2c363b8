"""What the lab does the same way for every PBX: its life, its log, its phones and its callers."""

import contextlib
import json
import shutil
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

from contactcentre.lab.errors import LabError, LabNotRunning, LabTimeout
from contactcentre.lab.install import file_lock
from contactcentre.lab.phones import OngoingCall, Phone, place_calls
from contactcentre.lab.ports import LOOPBACK, Ports
from contactcentre.lab.process import alive, end, ending, launch, with_arguments
from contactcentre.lab.remote import Handsets
from contactcentre.lab.results import CallPlan, CallResult

START_DEADLINE = 30.0
STOP_DEADLINE = 10.0


@dataclass(frozen=True)
class Directories:
    """Everything a PBX of the lab reads and writes, under one state directory."""

    state: Path

    @property
    def etc(self) -> Path:
        return self.state / "etc"

    @property
    def provisioned(self) -> Path:
        return self.etc / "contactcentre"

    @property
    def data(self) -> Path:
        return self.state / "data"

    @property
    def sounds(self) -> Path:
        return self.data / "sounds"

    @property
    def spool(self) -> Path:
        return self.state / "spool"

    @property
    def recordings(self) -> Path:
        return self.spool / "recording"

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def log(self) -> Path:
        return self.state / "log"

    @property
    def db(self) -> Path:
        return self.state / "db"


@dataclass(frozen=True, kw_only=True)
class SwitchInfo:
    """A running PBX, as `lab.json` keeps it: readable by its owner only, for it holds a secret."""

    pid: int
    version: str
    started_at: float
    """Epoch seconds."""
    sip_host: str
    sip_port: int
    rtp_first: int
    rtp_last: int
    state_dir: str
    etc_dir: str
    provisioned_dir: str
    """Where provisioning puts its files; the base configuration includes them."""
    recordings_dir: str
    sounds_dir: str
    log_file: str


I = TypeVar("I", bound=SwitchInfo)  # noqa: E741 - the info


class Switch(ABC, Generic[I]):
    """One private PBX on loopback. Many objects, also in several processes, may share one.

    Plain blocking code; under gevent's monkey-patching it yields as every other blocking call does.
    """

    title: ClassVar[str]
    """The product's name, for messages."""
    info_type: ClassVar[type[SwitchInfo]]
    log_name: ClassVar[str]

    def __init__(self, directories: Directories) -> None:
        self.directories = directories
        self._json = directories.state / "lab.json"
        self._handsets: Handsets | None = None

    # -- life --------------------------------------------------------------------------------------

    def start(self, *, until_parent_dies: bool = False) -> I:
        """Start the PBX, or find it running, and return once it answers, in SIP too.

        With `until_parent_dies` it ends with the thread that started it, however that dies (for tests); otherwise
        it runs until `stop`. Raises NoAsterisk or NoFreeswitch, LabError with the log's last lines, or LabTimeout.
        """
        self.directories.state.mkdir(parents=True, exist_ok=True)
        with self._locked():
            running = self.status()
            if running is not None:
                return running
            self._end_leftovers()
            last_error = ""
            for _attempt in range(3):  # a port may be taken between choosing it and the PBX binding it
                info = self._launch(until_parent_dies, fresh_ports=bool(last_error))
                last_error = self._await_ready(info)
                if not last_error:
                    self._save(asdict(info))
                    return info
                self._end_leftovers()
            raise LabError(f"{self.title} did not start: {last_error} (its log: {info.log_file})")

    def stop(self) -> bool:
        """Stop our phones, then the PBX, until all is gone; False when it was not running. Files stay."""
        self.close()
        if not self.directories.state.is_dir():
            return False
        with self._locked():
            was_running = self._end_leftovers()
            known = self._load()
            if known:
                self._save(known | {"pid": 0})
            return was_running

    def status(self) -> I | None:
        """The running lab, or None when it does not run (any more)."""
        known = self._load()
        if not known or not known.get("pid") or known["pid"] not in self._pids():
            return None
        return self.info_type(**known)  # type: ignore[return-value]

    def info(self) -> I:
        """The running lab; raises LabNotRunning when it is not."""
        running = self.status()
        if running is None:
            how = ending(self._load().get("pid", 0))
            why = f" ({self.title} has ended: {how})" if how else ""
            raise LabNotRunning(
                f"no lab runs at {self.directories.state}{why}: start it with `contactcentre lab start`"
            )
        return running

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # -- looking inside ----------------------------------------------------------------------------

    def rx(self, command: str, deadline: float = 10.0) -> str:
        """What the PBX's console answers to one command. Deadline in seconds."""
        self.info()
        return self._rx(command, deadline)

    def logs(self, follow: bool = False, last: int | None = None) -> Iterator[str]:
        """The lines of the PBX's log (only the `last` ones) without newlines; with `follow` also what comes.

        What callers chose (names, numbers) is in it as it came: escape it before showing it on a terminal.
        """
        with self.log_file.open(errors="replace") as log:
            for line in deque(log, maxlen=last):
                yield line.rstrip("\n")
            while follow:
                if line := log.readline():
                    yield line.rstrip("\n")
                else:
                    time.sleep(0.2)

    @property
    def log_file(self) -> Path:
        return self.directories.log / self.log_name

    # -- phones and callers ------------------------------------------------------------------------

    def own_queue(self) -> frozenset[str]:
        """Numbers of the callers whom the PBX's own queues have taken; none where it keeps no log of them."""
        return frozenset()

    def phone(self, name: str, secret: str | Callable[[], str], **behaviour: Any) -> Phone:
        """A simulated phone that is registered when this returns. For `behaviour` see `Phone`."""
        return Phone(self.handsets(), name, secret, **behaviour)

    def dial(self, did: str, on_result: Callable[[CallResult], None] | None = None, **plan: Any) -> OngoingCall:
        """Begin a call from the trunk to a DID and return at once. For `plan` see `CallPlan`."""
        return OngoingCall(self.handsets(), CallPlan(did, **plan), on_result=on_result)

    def call(self, did: str, **plan: Any) -> CallResult:
        """Place a call from the trunk to a DID and wait for its end.

        digits: RFC 4733 digits, `digits_after` seconds after the answer; a comma waits `digit_pause` seconds.
        talk: seconds to talk once another simulated phone is heard, None = until the other side hangs up.
        patience: seconds from the INVITE after which a caller who heard no phone gives up, None = never.
        caller, name: number and display name, as hostile as you like; headers: further SIP headers.
        tone: Hz, a multiple of 50; heard: a WAV file to be written with what the caller heard; sequence,
        frames: as of `Phone`; codec: PCMU or PCMA, when the caller speaks only that.
        """
        return self.dial(did, **plan).wait()

    def calls(
        self,
        plans: Iterable[CallPlan],
        rate: float,
        on_result: Callable[[CallResult], None] | None = None,
        stop: threading.Event | None = None,
    ) -> list[CallResult]:
        """Place calls at `rate` per second and wait until all have ended: one result for each call begun.

        `on_result` is called at the end of each, `stop` ends the placing early (running calls go on).
        """
        return [call.wait() for call in list(place_calls(self.handsets(), plans, rate, on_result, stop))]

    def handsets(self) -> Handsets:
        """The process that plays this object's phones and callers; started when first needed."""
        info = self.info()
        pbx = f"{info.sip_host}:{info.sip_port}"
        if self._handsets is None or self._handsets.pbx != pbx or not self._handsets.alive:
            self.close()
            self._handsets = Handsets(pbx)
        return self._handsets

    def hang_up(self) -> None:
        """Every phone and caller of this object hangs up; the phones stay registered."""
        if self._handsets is not None and self._handsets.alive:
            self._handsets.send("hang_up_all")

    def close(self) -> None:
        """End this object's phones and callers; the lab goes on."""
        if self._handsets is not None:
            self._handsets.close()
            self._handsets = None

    # -- what each PBX has of its own --------------------------------------------------------------

    @abstractmethod
    def _launch(self, until_parent_dies: bool, fresh_ports: bool) -> I:
        """Write the configuration and start the process (`_begin`), on the ports it had unless `fresh_ports`."""

    @abstractmethod
    def _answers(self, info: I) -> str | None:
        """Does it answer, in SIP too: "" it does, None not yet, else the reason why it never will."""

    @abstractmethod
    def _rx(self, command: str, deadline: float) -> str:
        """One console command, whether or not `lab.json` knows of a running PBX. Raises LabTimeout."""

    @abstractmethod
    def _mark(self) -> tuple[str, ...]:
        """Arguments in a row that only this very lab's process was started with."""

    @abstractmethod
    def _ask_to_stop(self) -> None:
        """Ask it to end at once; it need not be there."""

    # -- inside ------------------------------------------------------------------------------------

    def _known(self, pid: int, version: str, ports: Ports) -> dict[str, Any]:
        """What every PBX's info says of a process that was just begun."""
        d = self.directories
        return {
            "pid": pid,
            "version": version,
            "started_at": time.time(),
            "sip_host": LOOPBACK,
            "sip_port": ports.sip,
            "rtp_first": ports.rtp_first,
            "rtp_last": ports.rtp_last,
            "state_dir": str(d.state),
            "etc_dir": str(d.etc),
            "provisioned_dir": str(d.provisioned),
            "recordings_dir": str(d.recordings),
            "sounds_dir": str(d.sounds),
            "log_file": str(self.log_file),
        }

    def _begin(self, command: list[str], until_parent_dies: bool) -> int:
        """Start the PBX's process; its pid. The log of the time before is kept, once."""
        if self.log_file.exists():
            self.log_file.rename(self.log_file.with_suffix(".1"))
        for leftover in self.directories.run.iterdir():
            leftover.unlink()
        if until_parent_dies:
            setpriv = shutil.which("setpriv")
            if setpriv is None:
                raise LabError("setpriv (package util-linux) is needed to bind the lab to its parent's life")
            command = [setpriv, "--pdeathsig", "KILL", *command]
        return launch(command, self.directories.state, self.directories.log / "console")

    def _await_ready(self, info: I) -> str:
        """Wait until the PBX answers; the reason when it will not."""
        give_up = time.monotonic() + START_DEADLINE
        while time.monotonic() < give_up:
            if not alive(info.pid):
                console = (self.directories.log / "console").read_text(errors="replace")
                return "it ended at once: " + " | ".join(console.strip().splitlines()[-3:])
            if (reason := self._answers(info)) is not None:
                return reason
            time.sleep(0.05)
        raise LabTimeout(f"{self.title} did not answer within {START_DEADLINE:.0f} s (its log: {info.log_file})")

    def _end_leftovers(self) -> bool:
        """End every PBX that runs with this lab's configuration, however it came to be."""
        pids = self._pids()
        if not pids:
            return False
        with contextlib.suppress(LabError):  # a hung one is ended below
            self._ask_to_stop()
        end(pids, STOP_DEADLINE)
        return True

    def _pids(self) -> set[int]:
        """The PBX processes of this very lab, known by their configuration's path, not by a pid file."""
        return with_arguments(*self._mark())

    def _locked(self) -> contextlib.AbstractContextManager[None]:
        return file_lock(self.directories.state / "lab.lock", START_DEADLINE * 3)

    def _load(self) -> dict[str, Any]:
        try:
            known = json.loads(self._json.read_text())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) and known.keys() == self.info_type.__dataclass_fields__.keys() else {}

    def _save(self, known: dict[str, Any]) -> None:
        unfinished = self._json.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(known, indent=1) + "\n")
        unfinished.rename(self._json)
