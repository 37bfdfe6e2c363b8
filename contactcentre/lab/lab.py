"""The lab's Asterisk: one private Asterisk under one state directory."""

import contextlib
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path

from contactcentre.lab.config import ARI_USER, AsteriskDirectories, write_base
from contactcentre.lab.errors import LabTimeout
from contactcentre.lab.install import Asterisk, clean_environment, find_asterisk
from contactcentre.lab.ports import LOOPBACK, choose_ports
from contactcentre.lab.switch import Switch, SwitchInfo


@dataclass(frozen=True, kw_only=True)
class LabInfo(SwitchInfo):
    """A running lab with Asterisk. Its `sounds_dir` has `en`, `fr` and `es`; own prompts may be added in a directory
    of their own."""

    ari_url: str
    """`http://127.0.0.1:PORT/ari`, for REST over HTTP and stored recordings."""
    ari_ws_url: str
    """`ws://127.0.0.1:PORT/ari/events`, to which `?app=` is added."""
    ari_user: str
    ari_secret: str
    ws_url: str
    """SIP over websocket, for browsers."""
    http_port: int


class Lab(Switch[LabInfo]):
    """One private Asterisk on loopback."""

    title = "Asterisk"
    info_type = LabInfo
    log_name = "messages"

    def __init__(self, state_dir: Path | str) -> None:
        super().__init__(AsteriskDirectories(Path(state_dir).resolve()))
        self._asterisk: Asterisk | None = None

    def _launch(self, until_parent_dies: bool, fresh_ports: bool) -> LabInfo:
        asterisk = self._asterisk = self._asterisk or find_asterisk()
        d = self.directories
        before = {} if fresh_ports else self._load()
        ports = choose_ports(before.get("http_port", 0), before.get("sip_port", 0), before.get("rtp_first", 0))
        secret = self._load().get("ari_secret") or secrets.token_urlsafe(32)
        write_base(asterisk, d, ports, secret)
        pid = self._begin([*asterisk.command, *self._mark()], until_parent_dies)
        http = f"{LOOPBACK}:{ports.control}"
        return LabInfo(
            **self._known(pid, asterisk.version, ports),
            ari_url=f"http://{http}/ari",
            ari_ws_url=f"ws://{http}/ari/events",
            ari_user=ARI_USER,
            ari_secret=secret,
            ws_url=f"ws://{http}/ws",
            http_port=ports.control,
        )

    def _answers(self, info: LabInfo) -> str | None:
        if not self._control.exists():
            return None
        try:
            self._rx("core waitfullybooted", 5)
            transports = self._rx("pjsip show transports", 5)
            web = self._rx("http show status", 5)
        except LabTimeout:
            return None
        if "Unable to connect" in transports + web or "No such command" in transports + web:
            return None
        # a transport whose port was taken is not listed
        if f"{LOOPBACK}:{info.sip_port}" not in transports:
            return f"SIP port {info.sip_port} could not be opened"
        if f"{LOOPBACK}:{info.http_port}" not in web:
            return f"HTTP port {info.http_port} could not be opened"
        return ""

    def own_queue(self) -> frozenset[str]:
        """See Switch.own_queue. By queue_log: time|call|queue|agent|ENTERQUEUE|url|caller|position."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.directories.log / "queue_log").read_text(errors="replace").splitlines()
            told = (line.split("|") for line in lines)
            return frozenset(parts[6] for parts in told if len(parts) > 6 and parts[4] == "ENTERQUEUE")
        return frozenset()

    def _rx(self, command: str, deadline: float) -> str:
        """`asterisk -rx`."""
        asterisk = self._asterisk = self._asterisk or find_asterisk()
        try:
            done = subprocess.run(
                [*asterisk.command, "-C", self._main_file, "-rx", command],
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

    def _ask_to_stop(self) -> None:
        if self._control.exists():
            self._rx("core stop now", 3)

    def _mark(self) -> tuple[str, ...]:
        return ("-f", "-C", self._main_file)

    @property
    def _main_file(self) -> str:
        return str(self.directories.etc / "asterisk.conf")

    @property
    def _control(self) -> Path:
        return self.directories.run / "asterisk.ctl"
