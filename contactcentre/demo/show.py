"""Runs the demonstration: calls arrive, the terminal shows what happens, at the end every call is accounted for."""

import contextlib
import json
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
from gevent.event import Event
from rich.console import Console, Group
from rich.live import Live as Screen
from rich.table import Table
from rich.text import Text

from contactcentre.cli import overview
from contactcentre.demo.accounting import Account, account, left_over, pending
from contactcentre.demo.callers import mean_talk, plans
from contactcentre.demo.stage import Stage, stage
from contactcentre.lab import CallResult
from contactcentre.lab.phones import OngoingCall
from contactcentre.live.errors import LiveError
from contactcentre.store import StoreUnavailable

REFRESH_SECONDS = 0.5
LINE_SECONDS = 5.0
"""Where no terminal is, a line each so many seconds."""
CALLS_DEADLINE = 150.0
HISTORY_DEADLINE = 60.0
AGENTS = 6


class Show:
    """One run. `rate` in calls a second; `seconds` of arrivals, 0 = until Ctrl-C; `pbx`: asterisk or freeswitch."""

    def __init__(self, rate: float, seconds: float, console: Console, pbx: str = "asterisk") -> None:
        self._rate, self._seconds, self._console, self._pbx = rate, seconds, console, pbx
        self._over = Event()
        self._abandon = Event()
        self._running: dict[str, OngoingCall] = {}
        self._results: list[CallResult] = []
        self._begun = 0

    def run(self, state_dir: Path, summary: Path) -> int:
        """Returns the exit code: 1 when a call was lost or a promise broken."""
        talk = mean_talk(self._rate, AGENTS)
        with stage(state_dir, talk, lambda text: self._console.print(f"[dim]{text}[/]"), pbx=self._pbx) as here:
            self._say_where(here)
            with _signals(self._interrupted):
                since = time.time()
                arrivals = gevent.spawn(self._arrive, here, talk)
                try:
                    self._watch(here)
                finally:
                    self._over.set()
                    arrivals.join(5)
                    for call in list(self._running.values()):
                        call.hang_up()
                self._settle(here, since)
            recordings, taken = here.settings.recordings_dir, here.lab.own_queue()
            result = account(self._results, here.store, recordings, since, time.time(), taken)
            left = tuple(left_over(here.live.snapshot()))
            restarts = {
                name: child["restarts"] for name, child in here.supervisor.status().items() if child["restarts"]
            }
        problems = [
            *result.problems,
            *left,
            *(f"{name} had to be started again {n} times" for name, n in restarts.items()),
        ]
        result = Account(
            {**result.summary, "rate": self._rate, "seconds": round(time.time() - since, 1), "problems": problems},
            tuple(problems),
        )
        summary.write_text(json.dumps(result.summary, indent=2, ensure_ascii=False) + "\n")
        self._report(result, summary, here.log)
        return 1 if problems else 0

    def _say_where(self, here: Stage) -> None:
        """On lines of their own, so that a log has them too and a terminal lets them be clicked and copied."""
        self._console.print(f"Dashboard: http://127.0.0.1:{here.settings.web_port}/", soft_wrap=True)
        if here.link:
            self._console.print("This link makes the first admin, once:", soft_wrap=True)
            self._console.print(f"  {here.link}", soft_wrap=True, highlight=False)

    def _interrupted(self) -> None:
        (self._abandon if self._over.is_set() else self._over).set()

    def _arrive(self, here: Stage, talk: float) -> None:
        callers = plans(list(here.site.dids), talk, run=int(time.time()) % 1000)
        begun = due = time.monotonic()
        while not self._over.is_set():
            # arrivals that know nothing of each other: exponential gaps
            due += random.expovariate(self._rate)
            if self._over.wait(max(0.0, due - time.monotonic())):
                return
            if self._seconds and time.monotonic() - begun >= self._seconds:
                self._over.set()
                return
            plan = next(callers)
            self._begun += 1
            self._running[plan.caller] = here.lab.dial(on_result=self._ended, **vars(plan))

    def _ended(self, result: CallResult) -> None:
        self._results.append(result)
        self._running.pop(result.caller, None)

    def _watch(self, here: Stage) -> None:
        """Shows what happens until the arrivals are over and the last call has ended."""
        deadline = 0.0
        with contextlib.ExitStack() as shown:
            screen = None
            if self._console.is_terminal:
                screen = shown.enter_context(Screen(console=self._console, auto_refresh=False, transient=True))
            said = 0.0
            while not self._abandon.is_set():
                if self._over.is_set():
                    deadline = deadline or time.monotonic() + CALLS_DEADLINE
                    if not self._running or time.monotonic() > deadline:
                        return
                try:
                    seen = overview.gather(
                        here.settings, here.store, here.live, here.recorder(), here.supervisor.status()
                    )
                except (LiveError, StoreUnavailable) as error:  # calls go on meanwhile, and so do we
                    shown_now: Group | Text = Text(f"{error}", style="bold red")
                    line = f"calls {self._begun}  running {len(self._running)}  {error}"
                else:
                    shown_now, line = self._screen(here, seen), self._line(seen)
                if screen:
                    screen.update(shown_now, refresh=True)
                elif time.monotonic() - said >= LINE_SECONDS:
                    said = time.monotonic()
                    self._console.print(Text(line), soft_wrap=True)
                self._abandon.wait(REFRESH_SECONDS)

    def _settle(self, here: Stage, since: float) -> None:
        """Waits until the history knows of every end and every recording is stored."""
        self._console.print("[dim]All calls have ended; waiting for the history and the recordings[/]")
        deadline = time.monotonic() + HISTORY_DEADLINE
        while time.monotonic() < deadline and not self._abandon.is_set():
            with contextlib.suppress(LiveError, StoreUnavailable):
                recorder = here.recorder()
                caught_up = float(recorder.get("backlog", 0)) == 0 and float(recorder.get("at", 0)) > time.time() - 2
                if caught_up and not pending(here.store, since) and not any(left_over(here.live.snapshot())):
                    return
            self._abandon.wait(0.5)

    def _line(self, seen: overview.Overview) -> str:
        counts = Counter(result.outcome for result in self._results)
        board = seen.board.totals
        return (
            f"calls {self._begun}  running {len(self._running)}  "
            f"waiting {board.waiting}  talking {board.agents.talking}  "
            + "  ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        )

    def _screen(self, here: Stage, seen: overview.Overview) -> Group:
        counts = Counter(result.outcome for result in self._results)
        head = Table(box=None, show_header=False, pad_edge=False)
        head.add_row("Dashboard", Text(f"http://127.0.0.1:{here.settings.web_port}/", style="bold blue"))
        if here.link:
            head.add_row("First sign-in", Text(here.link, style="bold blue", overflow="fold"))
        state = "ending: the running calls finish; Ctrl-C again ends them" if self._over.is_set() else "Ctrl-C ends"
        head.add_row("Calls", f"{self._begun} at {self._rate:g}/s, {len(self._running)} running ({state})")
        head.add_row("Callers", "  ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "-")
        down = [name for name, child in here.supervisor.status().items() if child["pid"] is None]
        if down:
            head.add_row("Down", Text(f"{', '.join(down)}: see {here.log}", style="bold red"))
        return Group(head, Text(), *overview.board(seen.board))

    def _report(self, result: Account, summary: Path, log: Path) -> None:
        table = Table("", "", box=None, show_header=False, pad_edge=False)
        names = {
            "calls": "Calls placed", "contacts": "Contacts in the history", "offered": "Offered to queues",
            "answered": "Answered", "abandoned": "Abandoned", "lost": "Lost", "recordings": "Recordings",
            "voicemails": "Voicemails", "service_level": "Service level", "wait_p50": "Wait p50, s",
            "wait_p99": "Wait p99, s",
        }  # fmt: skip
        if result.summary["by_the_pbx_alone"]:
            names["by_the_pbx_alone"] = "Served by the PBX's own queue, while no controller was there"
        for key, name in names.items():
            value = result.summary[key]
            shown = "-" if value is None else f"{value:.1%}" if key == "service_level" else str(value)
            table.add_row(name, Text(shown, justify="right"))
        self._console.print(table)
        for name, text in sorted(result.summary["service_level_formula"].items()):
            self._console.print(f"[dim]Service level of {name}: {text}[/]", soft_wrap=True)
        for problem in result.problems[:20]:
            self._console.print(Text(f"✗ {problem}", style="bold red"), soft_wrap=True)
        if result.problems:
            self._console.print(
                f"{len(result.problems)} problems; all of them in {summary}, the processes' log in {log}"
            )
        else:
            self._console.print("[green]Every call is accounted for, no promise was broken.[/]")


@contextlib.contextmanager
def _signals(interrupted: Callable[[], None]) -> Iterator[None]:
    handlers = [gevent.signal_handler(number, interrupted) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    finally:
        for handler in handlers:
            handler.cancel()


def console() -> Console:
    """Plain lines where no terminal is."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 120)
