"""A site as the text of Asterisk's configuration files, and what FreeSWITCH's (`freeswitch.render`) has of that.

Everything that is filled into a template passes `_safe`, whatever the model has checked before: a line break,
a comment sign, a variable or an include in a value stops the rendering. What a caller controls is in none of
these files; the dialplan hands on only `${EXTEN}` reduced to digits, `+`, `*` and `#`.
"""

import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from contactcentre.domain.devices import account_of, trunk_out, web_account
from contactcentre.domain.flows.model import read
from contactcentre.domain.flows.talking import AnswerNode
from contactcentre.domain.site import Did, Site, Trunk
from contactcentre.provision import fallback
from contactcentre.provision.problems import ProvisionError, shown
from contactcentre.provision.uses import fallback_queue

FILES = ("pjsip.conf", "extensions.conf", "queues.conf", "musiconhold.conf", "websocket_client.conf", "ari.conf")
ARI_APP = "contactcentre"
ARI_USER = "contactcentre"
FALLBACK_SECONDS = 900
"""How long the PBX's own queue keeps a caller at most when the queue itself sets no limit."""

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029;\\]|\$\{|\$\[|#\s*(?:try)?include|#\s*exec", re.I)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NUMBER = re.compile(r"\+?[0-9*#]+")
_ARGUMENT = re.compile(r"[A-Za-z0-9_.+*#@:/-]*")
_QUOTED = re.compile(r'[^"<>]*')


@dataclass(frozen=True, slots=True)
class Outbound:
    """Where the PBX connects to, to reach the controller (it does not connect to the PBX then), and as whom. `ca_file`:
    by which it knows the controller's certificate, "" = as it knows others'."""

    url: str
    user: str = ARI_USER
    secret: str = field(default="", repr=False)
    """"" = the one that is provisioned for our own user."""
    ca_file: str = ""


class UnsafeValue(ProvisionError):
    """A value that must not be written into a configuration file. The model refuses such values before; this
    is the second lock on the same door."""


def render(
    site: Site,
    secrets: Mapping[str, str],
    foreign: frozenset[str] = frozenset(),
    outbound: Outbound | None = None,
    *,
    ari_user: bool = True,
) -> dict[str, str]:
    """File name -> text, of those that are needed. `secrets` holds `agent/NAME`, `trunk/NAME` and `ari/contactcentre`;
    agents whose endpoint is in `foreign` have theirs in the PBX's own files already, and without `ari_user` the user is
    there, too. Same site and secrets, same text. Raises UnsafeValue."""
    view = view_of(site, secrets, foreign) | {"outbound": outbound, "own_user": ari_user}
    needed = {"websocket_client.conf": outbound is not None, "ari.conf": ari_user or outbound is not None}
    return {name: _environment().get_template(f"{name}.j2").render(view) for name in FILES if needed.get(name, True)}


def templates_dir(pbx: str = "asterisk") -> Path:
    """Where `dialplans/PBX` is: beside the package in a checkout, else where setup installs shared data."""
    checkout = Path(__file__).resolve().parents[2] / "dialplans" / pbx
    return checkout if checkout.is_dir() else Path(sys.prefix) / "share/contactcentre/dialplans" / pbx


def feature_codes(site: Site) -> tuple[str, ...]:
    """What an agent can dial: the codes, and the pause code with each reason's digit."""
    features = site.features
    reasons = range(1, len(site.settings.pause_reasons) + 1)
    pauses = (f"{features.pause}{digit}" for digit in reasons)
    simple = (features.login, features.logout, features.unpause, features.extend, features.voicemail, features.pause)
    return (*simple, *pauses)


def view_of(site: Site, secrets: Mapping[str, str], foreign: frozenset[str]) -> dict[str, Any]:
    """What the templates may see, in an order that depends on names only (a database keeps no key order)."""
    return {
        "app": ARI_APP,
        "ari_user": ARI_USER,
        "ari_secret": secrets.get(f"ari/{ARI_USER}", ""),
        "site": site,
        "codes": feature_codes(site),
        "retrieve": site.features.retrieve,
        "agents": [
            {
                "name": name,
                "endpoint": account_of(site, name),
                "full_name": agent.full_name or name,
                "number": agent.number,
                "line": agent.line == "persistent",
                "secret": secrets.get(f"agent/{name}", ""),
                "ours": account_of(site, name) not in foreign,
            }
            for name, agent in sorted(site.agents.items())
        ],
        "softphones": [
            {
                "name": name,
                "endpoint": web_account(name),
                "full_name": agent.full_name or name,
                "number": agent.number,
                "line": agent.line == "persistent",
            }
            for name, agent in sorted(site.agents.items())
            if agent.webrtc
        ],
        "trunks": [
            {
                "name": name,
                "trunk": trunk,
                "sources": trunk.match or (trunk.host,),
                "uri_host": _uri_host(trunk),
                "secret": secrets.get(f"trunk/{name}", "") if trunk.username else "",
            }
            for name, trunk in sorted(site.trunks.items())
        ],
        "dids": [
            {
                "number": number,
                "did": did,
                "fallback": fallback_queue(site, number),
                "answered": _answered_first(site, did),
            }
            for number, did in sorted(site.dids.items())
        ],
        "queues": [
            {
                "name": name,
                "queue": queue,
                "seconds": math.ceil(queue.max_wait) or FALLBACK_SECONDS,
                "strategy": fallback.strategy(queue),
                "join_empty": fallback.conditions(queue.join_empty),
                "leave_when_empty": fallback.conditions(queue.leave_when_empty),
                "onward": tuple(fallback.onward(queue, trunk_out(site) is not None)),
                "members": [
                    {"name": agent, "endpoint": account_of(site, agent), "penalty": penalty}
                    for agent, penalty in fallback.members(site, queue).items()
                ],
            }
            for name, queue in sorted(site.queues.items())
        ],
        "music": sorted(site.music.items()),
        "lamps": site.settings.message_lamp != "off",
        "default_trunk": trunk_out(site),
        "overload": site.settings.overload,
    }


def _answered_first(site: Site, did: Did) -> bool:
    """Whether the first thing that happens to every caller of this number is an answer."""
    flow, _ = read(did.flow, site.flows.get(did.flow))
    return flow is not None and isinstance(flow.nodes[flow.start], AnswerNode)


def _uri_host(trunk: Trunk) -> str:
    return f"[{trunk.host}]" if ":" in trunk.host else trunk.host


@cache
def _environment() -> jinja2.Environment:
    return environment_of("asterisk", _safe)


def environment_of(pbx: str, finalize: Callable[[Any], str]) -> jinja2.Environment:
    """The templates of a PBX; `finalize` has the last look at every value that they write."""
    environment = jinja2.Environment(  # noqa: S701 -- no HTML; `finalize` guards every value
        loader=jinja2.FileSystemLoader(templates_dir(pbx)),
        undefined=jinja2.StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters.update(
        name=_must(_NAME, "a plain name"),
        number=_must(_NUMBER, "a number"),
        arg=_must(_ARGUMENT, "a plain application argument"),
        quoted=_must(_QUOTED, "free of quotes and angle brackets"),
        seconds=lambda value: math.ceil(float(value)),
    )
    return environment


def _safe(value: Any) -> str:
    """Jinja's `finalize` for Asterisk's files."""
    return written(value, _UNSAFE)


def written(value: Any, unsafe: re.Pattern[str]) -> str:
    """A value as text. Raises UnsafeValue when it is none, or has what must not stand in this PBX's files."""
    if isinstance(value, jinja2.Undefined):
        return str(value)  # raises, and names what is undefined
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise UnsafeValue(f"a template writes {shown(value)}, which is neither text nor number")
    text = str(value)
    if unsafe.search(text):
        raise UnsafeValue(f"{shown(text)} must not be written into a configuration file")
    return text


def _must(pattern: re.Pattern[str], words: str) -> Any:
    def allow(value: object) -> str:
        text = str(value)
        if not pattern.fullmatch(text):
            raise UnsafeValue(f"{shown(text)} must not be written into a configuration file: it is not {words}")
        return text

    return allow
