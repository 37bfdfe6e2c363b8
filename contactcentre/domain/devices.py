"""By what an agent is called: an own SIP phone, a softphone in the browser, or a number outside.

The site says what an agent may use and what is meant where nobody says (`default_kind`). At login another one can be
chosen; the choice is kept with the agent's state (`AgentStatus.device`) as a text: `phone`, `webrtc`, `external`, or
`external:NUMBER` for another number than the site's; "" = the site's default.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from contactcentre.domain.numbers import canonical, is_possible
from contactcentre.domain.outside import NotAllowed, allowed
from contactcentre.domain.site import Agent, Site

LINE = "line:"
"""An agent's open line, as a PBX calls it: this and the agent's name."""

WEB = "-web"
"""An agent's softphone has an account of its own: the agent's name and this."""

CONFIRM = "1"
"""The key that takes a call to a number outside, where the site names none: an answering machine presses no key."""

_external = re.compile(r"external:(\+?[0-9]{3,20})").fullmatch


class Kind(StrEnum):
    PHONE = "phone"
    WEBRTC = "webrtc"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class Device:
    kind: Kind
    account: str
    """The SIP account that must be reachable: the phone's or softphone's own, or the trunk's."""
    number: str = ""
    """That is called through the trunk."""
    key: str = ""
    """That takes a call, after the answer; "" = the answer does."""
    line: str = ""
    """The agent whose open line it is, through which calls come; "" = it is called for each."""
    line_key: str = ""
    """That takes the call which opens the line."""

    @property
    def endpoint(self) -> str:
        """As a PBX calls it for a contact."""
        return f"{LINE}{self.line}" if self.line else self.address

    @property
    def address(self) -> str:
        """As a PBX calls the device itself."""
        return f"{self.number}@{self.account}" if self.number else self.account


class NoSuchDevice(ValueError):
    """The agent cannot be called by what was asked for. The text says why."""


def account_of(site: Site, agent: str) -> str:
    """The SIP account of an agent's phone."""
    return site.agents[agent].endpoint or agent


def web_account(agent: str) -> str:
    return f"{agent}{WEB}"


def accounts(site: Site) -> dict[str, str]:
    """SIP account -> agent, of all phones and softphones."""
    phones = {account_of(site, name): name for name in site.agents}
    return phones | {web_account(name): name for name, agent in site.agents.items() if agent.webrtc}


def trunk_out(site: Site) -> str | None:
    """The trunk that calls go out through."""
    return site.settings.outbound_trunk or (next(iter(site.trunks)) if len(site.trunks) == 1 else None)


def default_kind(agent: Agent) -> Kind:
    """What is called where nobody has chosen."""
    return Kind(agent.device) if agent.device else Kind.EXTERNAL if agent.external else Kind.PHONE


def device_of(site: Site, agent: str, chosen: str) -> Device:
    """What is called. A choice that the site does not allow any more counts as none, and of an agent whom the site does
    not know any more it is the phone."""
    known = site.agents.get(agent)
    if known is None:
        return Device(Kind.PHONE, agent)
    device = _called(site, agent, known, chosen)
    if known.line == "per-call":
        return device
    # Who has opened the line is a person, and need not prove it for each call, unless the site wants that.
    return replace(device, key=known.confirm or "", line=agent, line_key=device.key)


def _called(site: Site, agent: str, known: Agent, chosen: str) -> Device:
    kind, _, number = chosen.partition(":")
    wanted = Kind(kind) if kind in set(Kind) else default_kind(known)
    trunk, number = trunk_out(site), number or known.external or ""
    if wanted is Kind.EXTERNAL and trunk is not None and number:
        return Device(wanted, trunk, number, CONFIRM if known.confirm is None else known.confirm)
    if wanted is Kind.WEBRTC and known.webrtc:
        return Device(wanted, web_account(agent), key=known.confirm or "")
    return Device(Kind.PHONE, account_of(site, agent), key=known.confirm or "")


def choose(site: Site, agent: str, text: str) -> str:
    """What somebody typed, as it is kept with the agent's state. Raises NoSuchDevice.

    A number that the site has not provisioned for this agent must be one that agents may call (`outside`).
    """
    known, (kind, _, number) = site.agents[agent], text.partition(":")
    if kind not in set(Kind) or (number and kind != Kind.EXTERNAL):
        raise NoSuchDevice(f"device {text[:60]!r}: must be phone, webrtc, external or external:NUMBER")
    if kind == Kind.WEBRTC and not known.webrtc:
        raise NoSuchDevice(f"device webrtc: agent {agent} has no softphone; the site allows one by `webrtc: true`")
    if kind != Kind.EXTERNAL:
        return kind
    if trunk_out(site) is None:
        raise NoSuchDevice("device external: the site has no trunk to call out")
    if not number:
        if known.external is None:
            raise NoSuchDevice(f"device external: agent {agent} has no number outside; say external:NUMBER")
        return kind
    return f"{Kind.EXTERNAL}:{_allowed(site, known, number)}"


def _allowed(site: Site, agent: Agent, number: str) -> str:
    country, text = site.settings.country, f"external:{number}"
    if not _external(text):
        raise NoSuchDevice(f"device {text[:60]!r}: the number must have 3 to 20 digits, perhaps after a +")
    number = canonical(number, country)
    if agent.external and number == canonical(agent.external, country):
        return agent.external
    if not is_possible(number, country):
        hint = "" if country or number.startswith("+") else " (without settings.country it must begin with +)"
        raise NoSuchDevice(f"device external: {number} is no telephone number{hint}")
    try:
        return allowed(site.settings, number)
    except NotAllowed as error:
        raise NoSuchDevice(f"device external: {error}") from None
