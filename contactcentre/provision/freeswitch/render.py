"""A site as the text of FreeSWITCH's configuration files.

Every value is escaped for XML, and what the preprocessor or the dialplan would expand (`$`), or what breaks a line,
stops the rendering. What a caller controls reaches an application only where a regular expression has looked at every
sign.
"""

import ipaddress
import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

import jinja2

from contactcentre.domain.devices import trunk_out
from contactcentre.domain.site import Queue, Site
from contactcentre.domain.strategies import strategy_named
from contactcentre.provision.fallback import members
from contactcentre.provision.render import environment_of, view_of, written

FILES = {
    "dialplan.xml": "dialplan/contactcentre.xml",
    "public.xml": "dialplan/public/contactcentre.xml",
    "directory.xml": "directory/default/contactcentre.xml",
    "gateways.xml": "sip_profiles/external/contactcentre.xml",
    "queues.xml": "contactcentre/queues.xml",
    "agents.xml": "contactcentre/agents.xml",
    "tiers.xml": "contactcentre/tiers.xml",
    "fifo.xml": "contactcentre/fifo.xml",
    "conference.xml": "contactcentre/conference.xml",
    "music.xml": "contactcentre/music.xml",
    "event_socket.xml": "contactcentre/event_socket.xml",
}
"""Template -> path below the configuration directory. The first four lie where FreeSWITCH's own files include all
that is there; the others need a line in one of them (`plan.HOLDERS`)."""

CALLCENTER = ("queues.xml", "agents.xml", "tiers.xml")
FIFO = ("fifo.xml",)

ANY = "0.0.0.0/32"
"""An address to listen at that means all."""
FIFO_RING = 10
"""Seconds that mod_fifo lets a phone ring at least (mod_fifo.c, load_config)."""

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029$]")

_STRATEGIES = {
    "longest-idle": "longest-idle-agent",
    "ringall": "ring-all",
    "round-robin": "round-robin",
    "rrmemory": "round-robin",
    "rrordered": "round-robin",
    "linear": "top-down",
    "fewest-calls": "agent-with-fewest-calls",
    "fewestcalls": "agent-with-fewest-calls",
    "least-talk-time": "agent-with-least-talk-time",
    "random": "random",
    "wrandom": "random",
    "best-skill": "longest-idle-agent",  # with the levels as tiers
    "ring-progressively": "ring-progressively",
}
"""Our strategy -> mod_callcenter's, the very one or the nearest."""

_REASONS = {"timeout": "TIMEOUT", "empty": "NO_AGENT_TIMEOUT"}
"""Way out -> cc_cancel_reason after callcenter; a queue of it is never full."""


def render(site: Site, secrets: Mapping[str, str], foreign: frozenset[str] = frozenset()) -> dict[str, str]:
    """Path below the configuration directory -> text. As `provision.render` does for Asterisk. Raises UnsafeValue."""
    view = view_of(site, secrets, foreign)
    for trunk in view["trunks"]:
        trunk["networks"] = [network for source in trunk["sources"] if (network := network_of(source))]
    for queue in view["queues"]:
        queue["callcenter"] = strategy(queue["queue"])
        queue["fifo"] = "ringall" if queue["callcenter"] == "ring-all" else "enterprise"
        queue["fifo_ring"] = max(FIFO_RING, math.ceil(queue["queue"].ring_seconds))
        queue["music"] = "moh" if queue["queue"].music == "default" else queue["queue"].music
        queue["ways"] = list(_ways(site, queue["queue"]))
    for agent in view["agents"]:
        agent["times"] = _times(site, agent["name"])
    view["esl_secret"], view["esl_allow"] = secrets.get("esl/contactcentre", ""), ",".join(_allowed(site))
    return {path: _environment().get_template(f"{name}.j2").render(view) for name, path in files_of(site)}


def files_of(site: Site) -> Iterator[tuple[str, str]]:
    """Those of FILES that this site has."""
    left_out = CALLCENTER if site.freeswitch.fallback == "fifo" else FIFO
    for name, path in FILES.items():
        if name not in left_out and (name != "event_socket.xml" or site.freeswitch.event_socket):
            yield name, path


def _times(site: Site, agent: str) -> Mapping[str, float]:
    """Seconds after a call, and after one that was not taken. mod_callcenter has them for an agent, not for a queue: of
    several queues the longest, so that nobody is called sooner than one of them wants."""
    mine = [queue for queue in site.queues.values() if agent in members(site, queue)] or [Queue()]
    rejects = [queue.retry_delay if queue.reject_delay is None else queue.reject_delay for queue in mine]
    busy = [queue.retry_delay if queue.busy_delay is None else queue.busy_delay for queue in mine]
    return {
        "wrap_up": max(queue.wrap_up for queue in mine),
        "reject": max(rejects),
        "busy": max(busy),
        "no_answer": max(queue.retry_delay for queue in mine),
    }


def _allowed(site: Site) -> Iterator[str]:
    """Who may connect: this machine always, for `apply` must be able to take back what it did."""
    yield "127.0.0.0/8"
    if (own := site.freeswitch.event_socket) is not None:
        yield from (network for each in (own.listen, *own.allow) if (network := network_of(each)) and network != ANY)


def network_of(source: str) -> str:
    """An address or network as FreeSWITCH's `acl` reads it; "" for a host name, which it cannot look up."""
    try:
        return str(ipaddress.ip_network(source, strict=False))
    except ValueError:
        return ""


def strategy(queue: Queue) -> str:
    """mod_callcenter's strategy: the very one, or the nearest."""
    known = strategy_named(queue.strategy)
    return _STRATEGIES.get(known.name if known is not None else "", "longest-idle-agent")


def _ways(site: Site, queue: Queue) -> Iterator[Mapping[str, str]]:
    """Where callers go from the queue, as far as a dialplan alone can lead them."""
    for way, destination in queue.overflow.items():
        kind, _, target = destination.partition(":")
        if way in _REASONS and kind == "queue":
            yield {"reason": _REASONS[way], "queue": target}
        elif way in _REASONS and kind == "number" and (trunk := trunk_out(site)):
            yield {"reason": _REASONS[way], "queue": "", "trunk": trunk, "number": target}


@cache
def _environment() -> jinja2.Environment:
    environment = environment_of("freeswitch", _safe)
    environment.filters.update(regex=re.escape, dialled=_dialled)
    return environment


def _dialled(number: str) -> str:
    """The regular expression of a DID: a carrier may leave out the plus."""
    return rf"\+?{re.escape(number[1:])}" if number.startswith("+") else re.escape(number)


def _safe(value: Any) -> str:
    return escape(written(value, _UNSAFE), {'"': "&quot;", "'": "&apos;"})
