"""A private Asterisk, or FreeSWITCH, with simulated phones and callers, to try things out."""

import json
import os
import threading
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from contactcentre.cli.context import open_store
from contactcentre.cli.terminal import json_option, print_json
from contactcentre.lab import AnyLab, CallResult, FreeswitchInfo, LabInfo, LabNotRunning, lab_of
from contactcentre.logs import printable
from contactcentre.settings import Settings

PHONE_SECRET = "CONTACTCENTRE_PHONE_SECRET"  # noqa: S105 - the variable's name, not a secret


@click.group()
def lab() -> None:
    """A private Asterisk on loopback, with simulated phones and callers.

    With CONTACTCENTRE_PBX=freeswitch it is a FreeSWITCH: the one that FREESWITCH_BIN names, or the one on PATH. Nothing
    of a PBX that this machine may have is touched: own ports, own configuration, and all state under one directory.
    """


@lab.command()
@json_option
def start(as_json: bool) -> None:
    """Start the lab.

    The first time, this may fetch Asterisk: some seconds, 280 MB.
    """
    _print_status(_lab().start(), as_json)


@lab.command()
def stop() -> None:
    """Stop the lab; its files stay."""
    click.echo("stopped" if _lab().stop() else "was not running")


@lab.command()
@json_option
def status(as_json: bool) -> None:
    """Addresses, versions and what is going on. Exit code 1 when the lab does not run."""
    found = _lab().status()
    if found is None:
        if as_json:
            print_json({"running": False})
        else:
            click.echo("not running; `contactcentre lab start` starts it")
        raise SystemExit(1)
    _print_status(found, as_json)


@lab.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option(
    "-n", "--lines", type=click.IntRange(0), default=200, show_default=True, help="How many of the last lines."
)
def logs(follow: bool, lines: int) -> None:
    """The PBX's log."""
    if not _lab().log_file.exists():
        raise LabNotRunning(f"there is no log at {_lab().log_file} yet: `contactcentre lab start`")
    for line in _lab().logs(follow=follow, last=lines):
        click.echo(printable(line))


@lab.command()
@click.argument("command", nargs=-1, required=True)
def rx(command: tuple[str, ...]) -> None:
    """Give the PBX's console a command, such as: core show channels. Exit code 1 when it knows none such."""
    answer = _lab().rx(" ".join(command))
    click.echo(answer, nl=False)
    if answer.startswith(("No such command", "-ERR", "-USAGE")):
        raise SystemExit(1)


@lab.command()
@click.argument("did")
@click.option("--digits", default="", help="Digits to press once answered, such as 1,2. A comma waits.")
@click.option("--digits-after", default=1.0, show_default=True, help="Seconds from the answer to the first digit.")
@click.option("--digit-pause", default=2.0, show_default=True, help="Seconds a comma waits.")
@click.option("--talk", type=float, help="Seconds to talk to an agent's simulated phone. Default: until it hangs up.")
@click.option("--patience", default=60.0, show_default=True, help="Seconds after which a caller not served gives up.")
@click.option("--caller", default="+33123456789", show_default=True, help="The caller's number.")
@click.option("--name", default="", help="The caller's display name.")
@click.option("--tone", default=400, show_default=True, help="Hz the caller plays, a multiple of 50.")
@click.option("--heard", type=click.Path(dir_okay=False, path_type=Path), help="WAV file for what the caller hears.")
@json_option
def call(did: str, as_json: bool, **plan: Any) -> None:
    """Call a DID: SIP, sound both ways, real digits. Exit code 1 when the call is not answered."""
    with _Running(_lab()) as running:
        placed = running.dial(did, **plan)
        try:
            result = placed.wait()
        except KeyboardInterrupt:
            placed.hang_up()
            result = placed.wait(10)
    if as_json:
        print_json(_as_dict(result))
    else:
        click.echo(_sentence(result))
    raise SystemExit(0 if result.answered else 1)


@lab.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"File with the endpoint's password ({PHONE_SECRET} may hold it, too).",
)
@click.option("--ring", default=1.0, show_default=True, help="Seconds it rings before it answers.")
@click.option(
    "--answer",
    default=200,
    show_default=True,
    help="SIP status: 200 answers, 486 busy, 603 declines, 0 ignores.",
)
@click.option("--talk", type=float, help="Seconds after which it hangs up. Default: the caller does.")
@click.option("--tone", default=800, show_default=True, help="Hz it plays, a multiple of 50.")
@click.option("--dial", help="Call this number or feature code, then end.")
@click.option("--seconds", type=float, help="End after this long. Default: at Ctrl-C.")
@json_option
def phone(
    names: tuple[str, ...],
    secret_file: Path | None,
    dial: str | None,
    seconds: float | None,
    as_json: bool,
    **behaviour: Any,
) -> None:
    """Register simulated phones that take calls, until Ctrl-C.

    NAME is an agent of the site, whose password is taken from there; or any endpoint, with --secret-file.
    """
    _lab().info()
    accounts = _accounts(names, secret_file)

    def tell(event: dict[str, Any]) -> None:
        if as_json:
            click.echo(json.dumps(event))
        elif line := _event_line(event):
            click.echo(line)

    with _Running(_lab()) as running:
        phones = [running.phone(name, secret, on_event=tell, **behaviour) for name, secret in accounts]
        try:
            if dial:
                for each in phones:
                    result = each.dial(dial, talk=behaviour["talk"], tone=behaviour["tone"]).wait()
                    click.echo(json.dumps(_as_dict(result)) if as_json else _sentence(result))
            else:
                threading.Event().wait(seconds)
        except KeyboardInterrupt:
            pass
        for each in phones:
            each.close()


def _accounts(names: tuple[str, ...], secret_file: Path | None) -> list[tuple[str, str]]:
    """Endpoint and password for each name."""
    given = secret_file.read_text().strip() if secret_file else os.environ.get(PHONE_SECRET, "")
    if given:
        return [(name, given) for name in names]
    from contactcentre.domain.devices import account_of

    accounts = []
    with open_store() as store:
        _, site = store.site()
        for name in names:
            secret = store.secret(f"agent/{name}")
            if site is None or name not in site.agents or secret is None:
                raise click.ClickException(
                    f"{name} is no agent of this site that has a password (`contactcentre apply` gives them one); "
                    f"for another endpoint use --secret-file FILE or {PHONE_SECRET}"
                )
            accounts.append((account_of(site, name), secret))
    return accounts


class _Running:
    """A running lab whose phones and callers end with the block."""

    def __init__(self, lab: AnyLab) -> None:
        self._lab = lab

    def __enter__(self) -> AnyLab:
        self._lab.info()
        return self._lab

    def __exit__(self, *exc: object) -> None:
        self._lab.close()


def _lab() -> AnyLab:
    return lab_of(Settings())


def _print_status(found: LabInfo | FreeswitchInfo, as_json: bool) -> None:
    if as_json:
        shown = {key: value for key, value in asdict(found).items() if key not in ("ari_secret", "esl_password")}
        print_json({"running": True, **shown})
        return
    up, secret = time.time() - found.started_at, f"its secret is in {found.state_dir}/lab.json"
    running = f"{found.version}, pid {found.pid}, up {up:.0f} s"
    if isinstance(found, LabInfo):
        named = {"Asterisk": running, "ARI": f"{found.ari_url} (user {found.ari_user}, {secret})"}
    else:
        named = {"FreeSWITCH": running, "Event socket": f"{found.esl_host}:{found.esl_port} ({secret})"}
    rows = {
        **named,
        "SIP": f"{found.sip_host}:{found.sip_port} udp, {found.ws_url}",
        "RTP": f"{found.rtp_first}-{found.rtp_last}",
        "Configuration": found.etc_dir,
        "Recordings": found.recordings_dir,
        "Log": found.log_file,
    }
    for key, value in rows.items():
        click.echo(f"{key:14} {value}")


def _as_dict(result: CallResult) -> dict[str, Any]:
    return {**asdict(result), "outcome": result.outcome, "wait": result.wait, "duration": result.duration}


def _sentence(result: CallResult) -> str:
    """What became of a call, in words."""
    words = [f"{result.caller} called {result.number}: {result.outcome}"]
    if result.answered_at is not None:
        words.append(f"answered after {1000 * (result.answered_at - result.started_at):.0f} ms")
    if result.wait is not None:
        words.append(f"an agent after {result.wait:.1f} s")
    words.append(f"{result.duration:.1f} s in all")
    words.append(f"SIP {result.status}" + (f", cause {result.cause}" if result.cause else ""))
    words.append(f"{result.sent} RTP packets sent, {result.received} received")
    return ", ".join(words)


def _event_line(event: dict[str, Any]) -> str:
    kind, who = event["event"], event.get("phone") or ""
    at = datetime.fromtimestamp(event.get("ended_at") or event.get("ringing_at") or event.get("at") or time.time(), UTC)
    texts = {
        "registered": "registered",
        "unregistered": f"not registered ({event.get('status')})",
        "incoming": f"rings: {event.get('caller')!r} {event.get('caller_name') or ''!r}",
        "answered": "answered",
        "ended": f"ended by {'the phone' if event.get('ended_by') == 'us' else 'the PBX'}",
        "refused": f"refused: {event.get('why')}",
        "gone": "the process of the simulated phones is gone",
    }
    return f"{at:%H:%M:%S} {who}: {texts[kind]}" if kind in texts else ""


command = lab
