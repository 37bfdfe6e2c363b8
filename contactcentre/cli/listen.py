"""Listen to an agent's calls, whisper to the agent, barge in, take over."""

from typing import Any

import click

from contactcentre.cli.context import open_live, open_store
from contactcentre.cli.terminal import actor, json_option, listed, print_json
from contactcentre.domain.ids import short

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
@click.argument("agent")
@click.option("--phone", required=True, help="The supervisor's phone: an endpoint of the PBX, or an agent's name.")
@click.option("--mode", type=MODES, default="listen", show_default=True, help="Who hears the supervisor.")
@click.option("--follow", is_flag=True, help="Go on with the agent's next calls, until the supervisor hangs up.")
@click.option("--endpoint", is_flag=True, help="AGENT is an endpoint of the PBX, whose calls are not ours.")
@json_option
def start(agent: str, phone: str, mode: str, follow: bool, endpoint: bool, as_json: bool) -> None:
    """Call the supervisor's phone and let it hear AGENT's call.

    In `listen` nobody hears the supervisor, in `whisper` the agent only, in `barge` both. A mentor of a new agent
    whispers with --follow.
    """
    wanted = {"action": "start", "supervisor": actor(), "phone": phone, "mode": mode, "follow": follow}
    told = _ask(_node_of("" if endpoint else agent), {**wanted, ("endpoint" if endpoint else "agent"): agent})
    _audit("call.listen", agent, {"phone": phone, "mode": mode, "follow": follow, "id": told["id"]})
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
    _show([_change(id, "takeover")], as_json)


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
    _show([one for _, found in _everywhere() for one in found], as_json)


def _change(id: str, action: str, **more: str) -> dict[str, Any]:
    fitting = [(node, one) for node, found in _everywhere() for one in found if one["id"].startswith(id) and id]
    if len(fitting) != 1:
        raise click.ClickException(f"{id}: {'several' if fitting else 'no'} supervisions have this id")
    node, one = fitting[0]
    told = _ask(node, {"action": action, "id": one["id"], **more})
    _audit(f"call.listen.{action}", one["agent"] or one["endpoint"], {"id": one["id"], **more})
    return told


def _everywhere() -> list[tuple[str, list[dict[str, Any]]]]:
    return [(node, _ask(node, {"action": "list"})["supervisions"]) for node in _nodes()]


def _nodes() -> list[str]:
    from contactcentre.live import signs_of_life

    with open_live() as live:
        return sorted(signs_of_life(live.redis))


def _node_of(agent: str) -> str:
    with open_live() as live:
        for contact in live.contacts().values():
            if agent and contact.agent == agent:
                return contact.node
    nodes = _nodes()
    if not nodes:
        raise click.ClickException("no controller runs")
    return nodes[0]


def _ask(node: str, args: dict[str, Any]) -> dict[str, Any]:
    from contactcentre.live import CommandFailed, Commands

    with open_live() as live:
        try:
            return Commands(live.redis).send(node, "supervise", args, timeout=12.0)
        except CommandFailed as refused:
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
