"""Show it all: real SIP calls on a private PBX, answered by simulated agents, watched live."""

import click

from contactcentre import logs
from contactcentre.settings import Settings


@click.command()
@click.option("--rate", type=click.FloatRange(0.05, 50), default=2.5, show_default=True, help="Calls a second.")
@click.option("--seconds", type=click.FloatRange(0), default=0.0, help="End by itself after so many; 0 = at Ctrl-C.")
@click.option("--pbx", type=click.Choice(["asterisk", "freeswitch"]), default="asterisk", show_default=True)
def command(rate: float, seconds: float, pbx: str) -> int:
    """Show a whole contact centre at work, and account for every call at its end.

    Everything runs below STATE/demo (STATE/demo-freeswitch): a private PBX, PostgreSQL, Redis and our processes, the
    example site, six agents' phones and callers at the rate. Writes STATE/demo-summary.json. Exit code 1 when a call
    was lost or a promise broken. A FreeSWITCH is the one that FREESWITCH_BIN names, or the one on PATH.
    """
    from contactcentre.demo.show import Show, console

    state = Settings().state_dir
    directory = state / ("demo" if pbx == "asterisk" else f"demo-{pbx}")
    directory.mkdir(parents=True, exist_ok=True)
    logs.configure("warning")
    return Show(rate, seconds, console(), pbx).run(directory, state / "demo-summary.json")
