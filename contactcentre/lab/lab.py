"""The lab itself: start, watch and stop one private Asterisk under one state directory."""

import contextlib
import json
import secrets
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from contactcentre.lab.config import ARI_USER, LOOPBACK, Directories, write_base
from contactcentre.lab.errors import LabError, LabNotRunning, LabTimeout
from contactcentre.lab.install import (
    Asterisk,
    clean_environment,
    file_lock,
    find_asterisk,
)
from contactcentre.lab.phones import OngoingCall, Phone, place_calls
from contactcentre.lab.process import alive, choose_ports, end, launch, with_arguments
from contactcentre.lab.remote import Handsets
from contactcentre.lab.results import CallPlan, CallResult

START_DEADLINE = 30.0
STOP_DEADLINE = 10.0


@dataclass(frozen=True)
class LabInfo:
    """A running lab, as `lab.json` keeps it: readable by its owner only, for it holds the ARI secret."""

    pid: int
    version: str
    started_at: float
    """Epoch seconds."""
    ari_url: str
    """`http://127.0.0.1:PORT/ari`, for REST over HTTP and stored recordings."""
    ari_ws_url: str
    """`ws://127.0.0.1:PORT/ari/events`, to which `?app=` is added."""
    ari_user: str
    ari_secret: str
    sip_host: str
    sip_port: int
    ws_url: str
    """SIP over websocket, for browsers."""
    http_port: int
    rtp_first: int
    rtp_last: int
    state_dir: str
    etc_dir: str
    provisioned_dir: str
    """Where provisioning puts its .conf files; the base configuration includes them."""
    recordings_dir: str
    sounds_dir: str
    """Has `en`, `fr` and `es`; own prompts may be added in a directory of their own."""
    log_file: str


class Lab:
    """One private Asterisk on loopback. Many objects, also in several processes, may share one.

    Plain blocking code; under gevent's monkey-patching it yields as every other blocking call does.
    """

    def __init__(self, state_dir: Path | str) -> None:
        self.directories = Directories(Path(state_dir).resolve())
        self._json = self.directories.state / "lab.json"
        self._asterisk: Asterisk | None = None
        self._handsets: Handsets | None = None

    # -- life --------------------------------------------------------------------------------------

    def start(self, *, until_parent_dies: bool = False) -> LabInfo:
        """Start Asterisk, or find it running, and return once ARI and SIP answer.

        With `until_parent_dies` Asterisk ends with the thread that started it, however that dies (for
        tests); otherwise it runs until `stop`. Raises NoAsterisk, LabError with the log's last lines, or LabTimeout.
        """
        self.directories.state.mkdir(parents=True, exist_ok=True)
        with self._locked():
            running = self.status()
            if running is not None:
                return running
            self._end_leftovers()
            self._asterisk = self._asterisk or find_asterisk()
            last_error = ""
            for _attempt in range(3):  # a port may be taken between choosing it and Asterisk binding it
                info = self._launch(self._asterisk, until_parent_dies, fresh_ports=bool(last_error))
                last_error = self._await_ready(info)
                if not last_error:
                    self._save(asdict(info))
                    return info
                self._end_leftovers()
            raise LabError(f"Asterisk did not start: {last_error} (its log: {info.log_file})")

    def stop(self) -> bool:
        """Stop our phones, then Asterisk, until all is gone; False when it was not running. Files stay."""
        self.close()
        if not self.directories.state.is_dir():
            return False
        with self._locked():
            was_running = self._end_leftovers()
            known = self._load()
            if known:
                self._save(known | {"pid": 0})
            return was_running

    def status(self) -> LabInfo | None:
        """The running lab, or None when it does not run (any more)."""
        known = self._load()
        if not known or not known.get("pid") or known["pid"] not in self._pids():
            return None
        return LabInfo(**known)

    def info(self) -> LabInfo:
        """The running lab; raises LabNotRunning when it is not."""
        running = self.status()
        if running is None:
            raise LabNotRunning(f"no lab runs at {self.directories.state}: start it with `contactcentre lab start`")
        return running

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # -- looking inside ----------------------------------------------------------------------------

    def rx(self, command: str, deadline: float = 10.0) -> str:
        """What Asterisk's console answers to one command (`asterisk -rx`). Deadline in seconds."""
        self.info()
        return self._rx(command, deadline)

    def logs(self, follow: bool = False, last: int | None = None) -> Iterator[str]:
        """The lines of Asterisk's log (only the `last` ones) without newlines; with `follow` also what comes.

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
        return self.directories.log / "messages"

    # -- phones and callers ------------------------------------------------------------------------

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
        tone: Hz, a multiple of 50; heard: a WAV file to be written with what the caller heard.
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

    def close(self) -> None:
        """End this object's phones and callers; the lab goes on."""
        if self._handsets is not None:
            self._handsets.close()
            self._handsets = None

    # -- inside ------------------------------------------------------------------------------------

    def _launch(self, asterisk: Asterisk, until_parent_dies: bool, fresh_ports: bool) -> LabInfo:
        d = self.directories
        before = {} if fresh_ports else self._load()
        ports = choose_ports(before.get("http_port", 0), before.get("sip_port", 0), before.get("rtp_first", 0))
        secret = self._load().get("ari_secret") or secrets.token_urlsafe(32)
        write_base(asterisk, d, ports, secret)
        if self.log_file.exists():
            self.log_file.rename(self.log_file.with_suffix(".1"))
        for leftover in d.run.iterdir():
            leftover.unlink()
        command = [*asterisk.command, "-f", "-C", str(d.etc / "asterisk.conf")]
        if until_parent_dies:
            setpriv = shutil.which("setpriv")
            if setpriv is None:
                raise LabError("setpriv (package util-linux) is needed to bind the lab to its parent's life")
            command = [setpriv, "--pdeathsig", "KILL", *command]
        pid = launch(command, d.state, d.log / "console")
        http = f"{LOOPBACK}:{ports.http}"
        return LabInfo(
            pid=pid,
            version=asterisk.version,
            started_at=time.time(),
            ari_url=f"http://{http}/ari",
            ari_ws_url=f"ws://{http}/ari/events",
            ari_user=ARI_USER,
            ari_secret=secret,
            sip_host=LOOPBACK,
            sip_port=ports.sip,
            ws_url=f"ws://{http}/ws",
            http_port=ports.http,
            rtp_first=ports.rtp_first,
            rtp_last=ports.rtp_last,
            state_dir=str(d.state),
            etc_dir=str(d.etc),
            provisioned_dir=str(d.provisioned),
            recordings_dir=str(d.recordings),
            sounds_dir=str(d.sounds),
            log_file=str(self.log_file),
        )

    def _await_ready(self, info: LabInfo) -> str:
        """Wait until the PBX answers; the reason when it will not."""
        give_up = time.monotonic() + START_DEADLINE
        while time.monotonic() < give_up:
            if not alive(info.pid):
                console = (self.directories.log / "console").read_text(errors="replace")
                return "it ended at once: " + " | ".join(console.strip().splitlines()[-3:])
            if (self.directories.run / "asterisk.ctl").exists():
                try:
                    self._rx("core waitfullybooted", 5)
                    transports = self._rx("pjsip show transports", 5)
                    web = self._rx("http show status", 5)
                except LabTimeout:
                    continue
                if "Unable to connect" not in transports + web and "No such command" not in transports + web:
                    # a transport whose port was taken is not listed
                    if f"{LOOPBACK}:{info.sip_port}" not in transports:
                        return f"SIP port {info.sip_port} could not be opened"
                    if f"{LOOPBACK}:{info.http_port}" not in web:
                        return f"HTTP port {info.http_port} could not be opened"
                    return ""
            time.sleep(0.05)
        raise LabTimeout(f"Asterisk did not answer within {START_DEADLINE:.0f} s (its log: {info.log_file})")

    def _rx(self, command: str, deadline: float) -> str:
        asterisk = self._asterisk = self._asterisk or find_asterisk()
        try:
            done = subprocess.run(
                [
                    *asterisk.command,
                    "-C",
                    str(self.directories.etc / "asterisk.conf"),
                    "-rx",
                    command,
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=deadline,
                check=False,
                env=clean_environment(),
            )
        except subprocess.TimeoutExpired:
            raise LabTimeout(f"asterisk -rx {command!r} did not answer within {deadline:g} s") from None
        return done.stdout.decode(errors="replace")

    def _end_leftovers(self) -> bool:
        """End every Asterisk that runs with this lab's configuration, however it came to be."""
        pids = self._pids()
        if not pids:
            return False
        if (self.directories.run / "asterisk.ctl").exists():
            with contextlib.suppress(LabError):  # a hung one is ended below
                self._rx("core stop now", 3)
        end(pids, STOP_DEADLINE)
        return True

    def _pids(self) -> set[int]:
        """The PBX processes of this very lab, known by their configuration's path, not by a pid file."""
        return with_arguments("-f", "-C", str(self.directories.etc / "asterisk.conf"))

    def _locked(self) -> contextlib.AbstractContextManager[None]:
        return file_lock(self.directories.state / "lab.lock", START_DEADLINE * 3)

    def _load(self) -> dict[str, Any]:
        try:
            known = json.loads(self._json.read_text())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) and known.keys() == LabInfo.__dataclass_fields__.keys() else {}

    def _save(self, known: dict[str, Any]) -> None:
        unfinished = self._json.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(known, indent=1) + "\n")
        unfinished.rename(self._json)
