"""Supervisors who listen to calls: who does, beginning, another mode, taking over, the end.

The dashboard, the API and the CLI ask through these; what is possible says the controller (`controller.supervisions`).
"""

from collections.abc import Mapping
from typing import Any

from contactcentre.live.calls import ANSWER_SECONDS, find
from contactcentre.live.commands import Commands
from contactcentre.live.errors import NoReply, NoSuchCall
from contactcentre.live.signs import signs_of_life
from contactcentre.live.state import Live

LISTENERS = "listeners"
"""In a contact's `detail`: those who listen now, each with id, supervisor and mode."""

VERBS: Mapping[str, str] = {"mode": "mode", "take_over": "takeover", "stop": "stop"}
"""What can be asked of a supervision: name -> the controller's word."""


def listening(live: Live) -> list[dict[str, Any]]:
    """Every supervision of every node, the oldest first. Raises CommandFailed, and other LiveErrors; a node that does
    not answer has none."""
    found = []
    for node in sorted(signs_of_life(live.redis)):
        try:
            told = _ask(live, node, {"action": "list"})
        except NoReply:
            continue
        found += [{**one, "node": node} for one in told["supervisions"]]
    return sorted(found, key=lambda one: str(one["id"]))


def start(
    live: Live,
    *,
    supervisor: str,
    phone: str,
    agent: str = "",
    contact: str = "",
    endpoint: str = "",
    channel: str = "",
    mode: str = "listen",
    follow: bool = False,
) -> dict[str, Any]:
    """Lets the supervisor's phone ring. Exactly one of agent, contact (see `calls.find`), endpoint and channel says
    what is listened to. Raises NoSuchCall, CommandFailed with the refusal's stable code, NoReply, other LiveErrors."""
    wanted = {"action": "start", "supervisor": supervisor, "phone": phone, "mode": mode, "follow": follow}
    wanted |= {"agent": agent, "endpoint": endpoint, "channel": channel}
    if contact:
        found = find(live, contact)
        return {**_ask(live, found.node, {**wanted, "contact": found.contact_id}), "node": found.node}
    node = _node_of(live, agent)
    return {**_ask(live, node, wanted), "node": node}


def change(live: Live, id: str, verb: str, mode: str = "") -> dict[str, Any]:
    """One of VERBS on the supervision with this id, or the beginning of one. Answers it as it is then. Raises as
    `start`."""
    one = named(live, id)
    more = {"mode": mode} if verb == "mode" else {}
    told = _ask(live, one["node"], {"action": VERBS[verb], "id": one["id"], **more})
    return {**told, "node": one["node"]}


def named(live: Live, id: str) -> dict[str, Any]:
    """The supervision with this id, or this beginning of one. Raises NoSuchCall."""
    fitting = [one for one in listening(live) if id and str(one["id"]).startswith(id)]
    if len(fitting) != 1:
        raise NoSuchCall(f"{id[:60]}: {'several supervisions have' if fitting else 'no supervision has'} this id")
    return fitting[0]


def _node_of(live: Live, agent: str) -> str:
    """The node where the agent talks, else any. Raises NoSuchCall."""
    for contact in live.contacts().values():
        if agent and contact.agent == agent:
            return contact.node
    nodes = sorted(signs_of_life(live.redis))
    if not nodes:
        raise NoSuchCall("no controller runs")
    return nodes[0]


def _ask(live: Live, node: str, args: dict[str, Any]) -> dict[str, Any]:
    return Commands(live.redis).send(node, "supervise", args, timeout=ANSWER_SECONDS)
