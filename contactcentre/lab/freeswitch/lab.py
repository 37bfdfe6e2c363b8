"""The lab's FreeSWITCH: one private FreeSWITCH under one state directory."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from contactcentre.lab.errors import LabError, LabTimeout
from contactcentre.lab.freeswitch.config import DOMAIN, PROFILE, write_base
from contactcentre.lab.freeswitch.console import NotListening, NotOurs, ask
from contactcentre.lab.freeswitch.install import Freeswitch, find_freeswitch
from contactcentre.lab.ports import LOOPBACK, choose_ports, wanted_port
from contactcentre.lab.switch import Directories, Switch, SwitchInfo


@dataclass(frozen=True, kw_only=True)
class FreeswitchInfo(SwitchInfo):
    """A running lab with FreeSWITCH."""

    esl_host: str
    esl_port: int
    """The event socket."""
    esl_password: str
    domain: str
    """In which phones register: `user/NAME@DOMAIN` calls one."""
    ws_url: str
    """SIP over websocket, for phones in browsers."""


class FreeswitchLab(Switch[FreeswitchInfo]):
    """One private FreeSWITCH on loopback. `rx` gives `api` commands over its event socket."""

    title = "FreeSWITCH"
    info_type = FreeswitchInfo
    log_name = "freeswitch.log"

    def __init__(self, state_dir: Path | str) -> None:
        state = Path(state_dir).resolve()
        if not str(state).isprintable() or set(str(state)) & set("$%*?["):
            raise LabError(
                f"state directory {str(state)!r}: FreeSWITCH reads $, %, * and ? in a path as something else"
            )
        super().__init__(Directories(state))
        self._freeswitch: Freeswitch | None = None

    def _launch(self, until_parent_dies: bool, fresh_ports: bool) -> FreeswitchInfo:
        freeswitch = self._freeswitch = self._freeswitch or find_freeswitch()
        d = self.directories
        before = {} if fresh_ports else self._load()
        ports = choose_ports(before.get("esl_port", 0), before.get("sip_port", 0), before.get("rtp_first", 0))
        password = self._load().get("esl_password") or secrets.token_urlsafe(32)
        websocket = wanted_port(urlsplit(before.get("ws_url", "")).port or 0)
        write_base(freeswitch, d, ports, websocket, password)
        places = {
            "log": d.log,
            "db": d.db,
            "run": d.run,
            "mod": freeswitch.module_dir,
            "recordings": d.recordings,
            "sounds": d.sounds,
            "storage": d.spool,
            "cache": d.data / "cache",
            "certs": d.data / "certs",
            "scripts": d.data / "scripts",
            "htdocs": d.data / "htdocs",
            "grammar": d.data / "grammar",
            "temp": d.spool / "tmp",
        }
        where = [word for name, place in places.items() for word in (f"-{name}", str(place))]
        # no console, no forking, no NAT discovery (it would ask the network), the priority of everybody
        options = ["-nc", "-nf", "-nonat", "-np"]
        pid = self._begin([freeswitch.program, *options, *self._mark(), *where], until_parent_dies)
        return FreeswitchInfo(
            **self._known(pid, freeswitch.version, ports),
            esl_host=LOOPBACK,
            esl_port=ports.control,
            esl_password=password,
            domain=DOMAIN,
            ws_url=f"ws://{LOOPBACK}:{websocket}",
        )

    def _answers(self, info: FreeswitchInfo) -> str | None:
        log = self.log_file.read_text(errors="replace") if self.log_file.exists() else ""
        if "Could not listen on" in log:
            return f"event socket port {info.esl_port} could not be opened"
        if f"Error Creating SIP UA for profile: {PROFILE}" in log:
            return f"SIP port {info.sip_port} could not be opened"
        try:
            profile = ask(info.esl_port, info.esl_password, "sofia status", 5)
            ready = ask(info.esl_port, info.esl_password, "status", 5)
        except NotOurs:
            return f"event socket port {info.esl_port} could not be opened"
        except (NotListening, LabTimeout):
            return None
        running = any(f"@{LOOPBACK}:{info.sip_port}" in line and "RUNNING" in line for line in profile.splitlines())
        return "" if running and "is ready" in ready else None

    def _rx(self, command: str, deadline: float) -> str:
        known = self._load()
        if not known:
            raise NotListening(f"{self._json} does not tell where FreeSWITCH listens")
        return ask(known["esl_port"], known["esl_password"], command, deadline)

    def _ask_to_stop(self) -> None:
        self._rx("fsctl shutdown now", 3)

    def _mark(self) -> tuple[str, ...]:
        return ("-conf", str(self.directories.etc))
