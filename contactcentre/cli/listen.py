"""Listen to an agent's calls, whisper to the agent, barge in, take over."""

from collections.abc import Callable
from typing import Any

import click

from contactcentre.cli.context import open_live, open_store
from contactcentre.cli.provisioning import stored_site
from contactcentre.cli.terminal import actor, json_option, listed, print_json
from contactcentre.domain.coaching import Coaching, coached, standing
from contactcentre.domain.ids import short
from contactcentre.provision.change import found

MODES = click.Choice(["listen", "whisper", "barge"])
ID = click.argument("id")
COLUMNS = ("id", "supervisor", "phone", "agent", "mode", "follow", "state", "contact")


@click.group("listen")
def command() -> None:
    """Listen to an agent's calls, whisper to the agent, barge in, take over.

    The supervisor's phone is called once; modes change without calling again. Every listening-in is in the audit log
    and among the contact's facts.
    """


@command.command()
@click.argument("target")
@click.option("--phone", required=True, help="The supervisor's phone: an agent's name, an endpoint, or number:N.")
@click.option("--mode", type=MODES, default="listen", show_default=True, help="Who hears the supervisor.")
@click.option("--follow", is_flag=True, help="Go on with the agent's next calls, until the supervisor hangs up.")
@click.option("--contact", "kind", flag_value="contact", help="TARGET is a contact, with whichever agent it talks.")
@click.option("--endpoint", "kind", flag_value="endpoint", help="TARGET is an endpoint of the PBX in a call not ours.")
@click.option("--channel", "kind", flag_value="channel", help="TARGET is a channel of the PBX in a call not ours.")
@json_option
def start(target: str, phone: str, mode: str, follow: bool, kind: str | None, as_json: bool) -> None:
    """Call the supervisor's phone and let it hear a call.

    TARGET is an agent, unless an option says otherwise. In `listen` nobody hears the supervisor, in `whisper` the agent
    only, in `barge` both. A mentor of a new agent whispers with --follow.
    """
    from contactcentre.live import listens

    aim = {kind or "agent": target}
    with open_live() as live:
        told = _asked(lambda: listens.start(live, supervisor=actor(), phone=phone, mode=mode, follow=follow, **aim))
    _audit("call.listen", target, {"phone": phone, "mode": mode, "follow": follow, "id": told["id"]})
    _show([told], as_json)


@command.command("mode")
@ID
@click.argument("mode", type=MODES)
@json_option
def mode_(id: str, mode: str, as_json: bool) -> None:
    """Another mode, at once."""
    _show([_change(id, "mode", mode=mode)], as_json)


@command.command("take-over")
@ID
@json_option
def take_over(id: str, as_json: bool) -> None:
    """The supervisor has the customer, the agent is out."""
    _show([_change(id, "take_over")], as_json)


@command.command()
@ID
@json_option
def stop(id: str, as_json: bool) -> None:
    """Hang the supervisor's phone up; the call goes on."""
    _show([_change(id, "stop")], as_json)


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Who listens to whom now."""
    from contactcentre.live import listens

    with open_live() as live:
        _show(_asked(lambda: listens.listening(live)), as_json)


@command.command()
@click.argument("mentor")
@click.argument("agent")
@click.option("--mode", type=click.Choice(["listen", "whisper"]), default="whisper", show_default=True)
@click.option("--tell", is_flag=True, help="The agent hears a beep when the mentor comes.")
@json_option
def coach(mentor: str, agent: str, mode: str, tell: bool, as_json: bool) -> None:
    """Let MENTOR's phone hear AGENT's calls from now on.

    It is called when the agent's next conversation begins, or now if one goes on, and stays for the next calls. For
    good, the site says it: `contactcentre agent set AGENT --mentor MENTOR`. "coach-end" ends it.
    """
    site = stored_site()
    for name in (mentor, agent):
        found(site, "agent", name)
    if mentor == agent:
        raise click.BadParameter("nobody is their own mentor", param_hint="MENTOR")
    _assign(agent, Coaching(mentor, "listen" if mode == "listen" else "whisper", tell), as_json)


@command.command("coach-end")
@click.argument("agent")
@json_option
def coach_end(agent: str, as_json: bool) -> None:
    """AGENT has no mentor any more; one who listens is hung up."""
    found(stored_site(), "agent", agent)
    _assign(agent, Coaching(""), as_json)


@command.command()
@json_option
def coaches(as_json: bool) -> None:
    """Which agents have a mentor now."""
    _tell_coaches(as_json)


def _assign(agent: str, coaching: Coaching, as_json: bool) -> None:
    from contactcentre.live.coaches import Coaches

    usual = standing(stored_site().agents[agent])
    with open_store() as store, open_live() as live:
        store.audit(actor(), "agent.coach", f"agent {agent}", coaching.save())
        Coaches(live.redis).assign(agent, coaching, usual)
    _tell_coaches(as_json)


def _tell_coaches(as_json: bool) -> None:
    from contactcentre.live.coaches import Coaches

    with open_live() as live:
        assigned = Coaches(live.redis).all()
    rows = [{"agent": name, **one.save()} for name, one in sorted(coached(stored_site(), assigned).items())]
    listed(rows, ("agent", "mentor", "mode", "tell"), as_json, "Nobody has a mentor.")


def _change(id: str, verb: str, **more: str) -> dict[str, Any]:
    from contactcentre.live import listens

    with open_live() as live:
        told: dict[str, Any] = _asked(lambda: listens.change(live, id, verb, **more))
    _audit(f"call.listen.{verb}", told["agent"] or told["endpoint"], {"id": told["id"], **more})
    return told


def _asked(ask: Callable[[], Any]) -> Any:
    """What was answered. Raises ClickException with the refusal's words."""
    from contactcentre.live.errors import CommandFailed, NoSuchCall

    try:
        return ask()
    except (CommandFailed, NoSuchCall) as refused:
        raise click.ClickException(str(refused)) from refused


def _audit(action: str, subject: str, detail: dict[str, Any]) -> None:
    with open_store() as store:
        store.audit(actor(), action, subject, detail)


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    told = [{**row, "agent": row["agent"] or row["endpoint"], "contact": short(row["contact"])} for row in rows]
    listed(told, COLUMNS, False, "Nobody listens.")
