"""The state of everything at one moment, and how a terminal shows it: for `status` and the demo."""

import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import urllib3
from rich.console import Group
from rich.table import Table
from rich.text import Text

from contactcentre.cli.esl import console
from contactcentre.cli.examine import DEADLINE
from contactcentre.cli.examine_pbx import Ari
from contactcentre.domain.day import midnight
from contactcentre.domain.site import Site
from contactcentre.live import Signs, in_use, signs_of_life, unreachable
from contactcentre.live.spool import unread_bytes
from contactcentre.live.standbys import Standby, standbys
from contactcentre.logs import printable
from contactcentre.pbx.errors import PbxError
from contactcentre.settings import Settings
from contactcentre.web import rows
from contactcentre.web.board import Board

if TYPE_CHECKING:
    from contactcentre.live import Live
    from contactcentre.store import Store

STALE_SECONDS = 5.0
"""A recorder that has said nothing for so long does not run."""
# the estimated wait, agents by what they do, today's contacts and the service level; short, to fit 80 columns
_QUEUE_COLUMNS = (
    "wait",
    "longest",
    "est.",
    "free",
    "ring",
    "talk",
    "wrap",
    "pause",
    "offered",
    "answ",
    "aband",
    "service level",
)
_STATES = {
    "available": "green",
    "offered": "yellow",
    "talking": "cyan",
    "wrap_up": "magenta",
    "paused": "red",
    "logged_out": "dim",
}


@dataclass(frozen=True)
class Overview:
    """What `gather` found. Times are epoch seconds, durations seconds."""

    at: float
    processes: dict[str, dict[str, Any]] | None
    """What `up` says of its children; None when it does not run here."""
    pbx: str
    """The PBX in words: its version, or why it cannot be asked."""
    connected: bool
    """Whether this node's controller lives and has its link to the PBX."""
    board: rows.Snapshot
    recorder: dict[str, float] = field(default_factory=dict)
    """at, lag, backlog, written, rejected; empty when it never ran."""
    spool_bytes: int = 0
    """Facts that wait in local files because Redis was away."""
    unreachable: Mapping[str, float] = field(default_factory=dict)
    """Agents whose phone no controller can ring, and since when."""
    own: Signs | None = None
    """What this node's active controller says of itself."""
    others: tuple[Signs, ...] = ()
    """Controllers of other nodes that live."""
    standbys: tuple[Standby, ...] = ()
    """Controllers that would take over, of all nodes."""

    @property
    def recording(self) -> bool:
        """Whether the recorder runs."""
        return self.at - self.recorder.get("at", 0.0) < STALE_SECONDS

    @property
    def well(self) -> bool:
        """Whether everything that should run does."""
        down = any(child["pid"] is None for child in (self.processes or {}).values())
        return self.connected and self.recording and not down

    def to_json(self) -> dict[str, Any]:
        return {
            "at": self.at,
            "processes": self.processes,
            "pbx": {"text": self.pbx, "connected": self.connected},
            "recorder": {**self.recorder, "running": self.recording},
            "spool_bytes": self.spool_bytes,
            "unreachable": dict(self.unreachable),
            "active": None if self.own is None else {"since": self.own.active, **_who(self.own)},
            "standbys": [
                {"node": one.node, "ready": one.ready, "since": one.since, **_who(one)} for one in self.standbys
            ],
            "other_nodes": [{"node": one.node, "linked": one.linked, "contacts": one.contacts} for one in self.others],
            **self.board.model_dump(mode="json", exclude={"now"}),
        }


def gather(
    settings: Settings,
    store: "Store",
    live: "Live",
    recorder: Mapping[str, str],
    processes: dict[str, dict[str, Any]] | None,
) -> Overview:
    """Reads everything once. `recorder` is the hash in which the recorder says how far it is."""
    now = time.time()
    version, site = store.site()
    board = Board()
    board.load_site(version, site or Site())
    board.load(live.snapshot(), now)
    board.load_estimates(live.estimates(), now)
    since = midnight((site or Site()).settings.timezone, now)
    board.load_today({name: one.counts for name, one in store.queue_stats(since, now).items()}, now)
    signs = signs_of_life(live.redis)
    board.load_phones(unreachable(signs), in_use(signs), now)
    own = signs.get(settings.node)
    spool = settings.state_dir / "spool"
    return Overview(
        at=now,
        processes=processes,
        pbx=_pbx(settings),
        connected=own is not None and own.linked,
        own=own,
        standbys=tuple(standbys(live.redis)),
        others=tuple(one for name, one in sorted(signs.items()) if name != settings.node),
        board=board.snapshot(now),
        recorder={
            key: float(recorder[key]) for key in ("at", "lag", "backlog", "written", "rejected") if key in recorder
        },
        spool_bytes=sum(unread_bytes(path) for path in spool.glob("*.jsonl")) if spool.is_dir() else 0,
        unreachable=unreachable(signs),
    )


def _pbx(settings: Settings) -> str:
    return _freeswitch(settings) if settings.pbx == "freeswitch" else _asterisk(settings)


def _freeswitch(settings: Settings) -> str:
    if settings.esl_address is None or settings.esl_secret is None:
        return "FreeSWITCH, whose event socket is not named"
    try:
        with console(settings, DEADLINE) as ask:
            found = re.search(r"Version (\d[.\d]*)", ask("version"))
            gateways = re.search(r"^(\d+) gateways?: Inbound.*$", ask("sofia status gateway"), re.M)
    except PbxError as error:
        return f"{error}" if settings.esl_address in str(error) else f"{settings.esl_address}: {error}"
    return f"FreeSWITCH {found[1] if found else '?'}" + (f", {gateways[1]} gateways" if gateways else "")


def _asterisk(settings: Settings) -> str:
    if settings.ari_url is None:
        return "none is named"
    ari = Ari(settings)
    try:
        answer = ari.ask("GET", "asterisk/info?only=system")
        if answer.status != 200:
            return f"{ari.base} answers {answer.status}"
        version = answer.json()["system"]["version"]
    except (urllib3.exceptions.HTTPError, ValueError, KeyError):
        return f"{settings.ari_url} cannot be reached"
    return f"Asterisk {version}"


def screen(seen: Overview) -> Group:
    """One screen for people."""
    return Group(_head(seen), Text(), *board(seen.board, seen.unreachable))


def board(seen: rows.Snapshot, unreachable: Collection[str] = ()) -> tuple[Table | Text, ...]:
    """The queues and agents. `unreachable` are those whose phone cannot ring."""
    if not seen.queues and not seen.agents:
        return (Text("nothing is provisioned yet: contactcentre apply SITE_FILE", style="yellow"),)
    return queues(seen), *messages(seen), Text(), agents(seen, unreachable)


def _head(seen: Overview) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    if seen.processes is None:
        table.add_row("processes", Text("contactcentre up does not run here", style="yellow"))
    else:
        line = Text()
        for name, child in seen.processes.items():
            running = child["pid"] is not None
            line.append(f"{name} ", style="green" if running else "bold red")
            text = f"{for_people(seen.at - child['started_at'])}" if running else "down"
            again = f", {child['restarts']} restart{'' if child['restarts'] == 1 else 's'}" if child["restarts"] else ""
            line.append(f"({text}{again})  ")
        table.add_row("processes", line)
    link = ("controller connected", "green") if seen.connected else ("no controller connected", "bold red")
    table.add_row("pbx", Text.assemble(f"{seen.pbx}, ", link))
    if seen.own is not None and seen.own.id:
        table.add_row("active", f"{_named(seen.own)} for {for_people(seen.at - seen.own.active)}")
    for standby in seen.standbys:
        ready = ("ready", "green") if standby.ready else ("not ready yet", "yellow")
        since = for_people(seen.at - standby.since)
        table.add_row("stand-by", Text.assemble(f"{standby.node}, {_named(standby)} for {since}, ", ready))
    for one in seen.others:
        text, style = (f"{one.contacts} contacts", "green") if one.linked else ("no link to its PBX", "bold red")
        table.add_row(one.node, Text(f"controller alive, {text}", style=style))
    if seen.recording:
        lag, backlog = seen.recorder.get("lag", 0.0), int(seen.recorder.get("backlog", 0))
        style = "bold red" if lag > 10 else "green"
        table.add_row("history", Text(f"{lag:.1f} s behind, {backlog} facts waiting", style=style))
    else:
        table.add_row("history", Text("the recorder does not run", style="bold red"))
    if seen.spool_bytes:
        text = f"{seen.spool_bytes} bytes of facts that history has not confirmed yet"
        table.add_row("spool", Text(text, style="yellow"))
    return table


def _who(one: Signs | Standby) -> dict[str, str | int]:
    return {"id": one.id, "pid": one.pid, "host": one.host}


def _named(one: Signs | Standby) -> str:
    return f"{one.id} (process {one.pid} on {one.host})"


def queues(seen: rows.Snapshot) -> Table:
    """Queues with who waits, who works, and today's numbers."""
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    table.add_column("Queue", no_wrap=True)
    for title in _QUEUE_COLUMNS:
        table.add_column(title, justify="right", no_wrap=True)
    for name, row in sorted(seen.queues.items()):
        level = row.today.service_level
        counts = (
            row.agents.available, row.agents.offered, row.agents.talking, row.agents.wrap_up, row.agents.paused,
            row.today.offered, row.today.answered, row.today.abandoned,
        )  # fmt: skip
        table.add_row(
            name,
            Text(str(row.waiting), style="bold yellow" if row.waiting else ""),
            for_people(seen.now - row.oldest) if row.oldest else "",
            for_people(row.estimate.seconds) if row.estimate else "",
            *(str(count) for count in counts),
            "" if level is None else f"{level:.0%} {row.threshold:g} s",
        )
    return table


def messages(seen: rows.Snapshot) -> tuple[Text, ...]:
    """In which boxes messages wait that nobody looks after."""
    boxes = {name: row.messages for name, row in seen.queues.items()}
    boxes |= {name: row.messages for name, row in seen.agents.items()}
    found = [f"{name} {messages}" for name, messages in sorted(boxes.items()) if messages]
    return (Text(), Text(f"New messages: {', '.join(found)}", style="yellow")) if found else ()


def agents(seen: rows.Snapshot, unreachable: Collection[str] = ()) -> Table:
    """Agents with their state and since when; of those on duty also whether their phone is away."""
    table = Table("Agent", "state", box=None, pad_edge=False, header_style="bold")
    table.add_column("for", justify="right")
    table.add_column("calls", justify="right")
    table.add_column("with")
    for name, row in sorted(seen.agents.items()):
        by = f" by {row.by}" if row.by and row.state == "paused" else ""
        reason = f" ({row.reason})" if row.reason else ""
        state = Text(row.state.replace("_", "-") + reason + by, style=_STATES.get(row.state, ""))
        if name in unreachable and row.state != "logged_out":
            state.append(", phone not registered", style="bold red")
        elif row.phone == "in_use" and row.state == "available":
            state.append(", on a call of their own", style="yellow")
        if row.device not in ("", "phone"):
            state.append(f", {row.device}")
        if row.skills:
            lent = (f"{skill} {level}" if level else f"without {skill}" for skill, level in row.skills.items())
            state.append(f", today {', '.join(lent)}", style="yellow")
        talk = " ".join(part for part in (printable(row.caller_text), f"({row.queue})" if row.queue else "") if part)
        since = for_people(seen.now - row.since) if row.since else ""
        table.add_row(name, state, since, str(row.calls), talk)
    return table


def for_people(seconds: float) -> str:
    """A duration: 42 s, 3:07, 2:15:00, 3 d."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02}"
    if whole < 86400 * 2:
        return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
    return f"{whole // 86400} d"
