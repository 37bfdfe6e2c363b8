"""What the parts of one controller share."""

import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from contactcentre.controller.agents import Agents
from contactcentre.controller.greenlets import Greenlets
from contactcentre.controller.replica import Replica
from contactcentre.controller.saver import Saver
from contactcentre.controller.tally import Tally
from contactcentre.controller.told import Told
from contactcentre.domain.devices import Device, Kind, accounts, device_of, trunk_out
from contactcentre.domain.flows import actions as act
from contactcentre.domain.flows.actions import Scalar
from contactcentre.domain.flows.calling import CALLING
from contactcentre.domain.flows.model import Flow
from contactcentre.domain.flows.walk import Walker
from contactcentre.domain.routing import RoutingConfig
from contactcentre.domain.site import Queue, Site
from contactcentre.live import Journal, Live
from contactcentre.pbx.errors import Gone
from contactcentre.pbx.events import Cause, Party
from contactcentre.pbx.protocol import Pbx
from contactcentre.prompts.speech import Prompts

if TYPE_CHECKING:
    from contactcentre.controller.contact import Contact
    from contactcentre.controller.lamps import Lamps
    from contactcentre.controller.lines import Lines
    from contactcentre.controller.mailbox import Mailbox
    from contactcentre.controller.router import Router
    from contactcentre.controller.wrap_ups import WrapUps


@dataclass(frozen=True, slots=True)
class Configuration:
    """One version of the site, with what is computed from it once."""

    version: int
    site: Site
    routing: RoutingConfig  # with the skills that agents have for the day, which the router tells it
    flows: Mapping[str, Flow]
    prompts: Prompts
    agent_of_endpoint: Mapping[str, str]  # of all phones and softphones

    @classmethod
    def of(cls, version: int, site: Site, prompts: Prompts) -> Self:
        """Raises FlowError, RequirementError or ValueError for a site that `provision.check` would have refused."""
        return cls(
            version,
            site,
            RoutingConfig.from_site(site),
            {CALLING.name: CALLING, **{name: Flow.parse(name, data) for name, data in site.flows.items()}},
            prompts,
            accounts(site),
        )

    def walker(self, flow: str, variables: Mapping[str, Scalar], language: str) -> Walker:
        """For a new contact. Raises KeyError when there is no such flow."""
        return Walker(self.flows[flow], self.site, variables, language=language, flows=self.flows)

    def restore_walker(self, saved: Mapping[str, Any]) -> Walker:
        """Raises UnknownName when the flow is gone."""
        return Walker.restore(saved, self.site, self.flows)

    @property
    def outbound_trunk(self) -> str | None:
        """The trunk that calls go out through."""
        return trunk_out(self.site)


@dataclass(slots=True)
class Node:
    """One PBX with the controller that drives it."""

    name: str
    pbx: Pbx
    live: Live
    replica: Replica
    greenlets: Greenlets
    saver: Saver
    configuration: Configuration
    agents: Agents
    told: Callable[[Collection[str]], Mapping[str, Told]]
    """What was journalled of these contacts, and of those of this node that have not ended."""
    last_agent: Callable[[str], str]
    """Who talked last with a caller of this number; "" where nobody did lately, or it cannot be told at once."""
    wanted_agent: Callable[[str], tuple[str, float | None]]
    """Whom another program wants to serve a caller of this number ("": nobody), and for how many seconds it is kept for
    that one (None: as the queue says)."""
    look_up: Callable[[act.Lookup], act.Looked | act.LookupFailed]
    """What a flow's lookup comes to."""
    channels: set[str] = field(default_factory=set)  # that came to us: callers and feature calls
    contacts: dict[str, "Contact"] = field(default_factory=dict)  # also those that are parked
    spies: set[str] = field(default_factory=set)  # through which supervisors hear
    reconciled: bool = False
    """What is on the PBX has been held against what was written, since this controller is the active one."""
    early: set[str] = field(default_factory=set)
    """Contacts that began here before that. Nobody has left them behind, whatever is written of them."""
    tally: Tally = field(default_factory=Tally)
    journal: Journal = field(init=False)
    """From when this controller is the active one."""
    router: "Router" = field(init=False)
    lines: "Lines" = field(init=False)
    lamps: "Lamps" = field(init=False)
    mailbox: "Mailbox" = field(init=False)
    wrap_ups: "WrapUps" = field(init=False)
    now: Callable[[], float] = time.time
    late: Callable[[], float] = lambda: 0.0
    """By how many seconds calls are late (see Admission)."""

    def configure(self, configuration: Configuration) -> None:
        """Another version of the site counts from now on, also for those who wait."""
        self.configuration = configuration
        self.router.configure()

    def knows(self, contact_id: str) -> bool:
        """What became of the phones that ring for it: not of one that is suspended, nor before the first look at the
        PBX. An agent may have answered."""
        contact = self.contacts.get(contact_id)
        return self.reconciled and (contact is None or not contact.parked)

    @property
    def site(self) -> Site:
        return self.configuration.site

    def device(self, agent: str) -> Device:
        """By what the agent is called now."""
        status = self.replica.agents.get(agent)
        return device_of(self.site, agent, status.device if status is not None else "")

    def shown(self, device: Device, party: Party) -> Party:
        """Who a phone says is calling: outside, carriers want a number of ours."""
        if device.kind is not Kind.EXTERNAL:
            return party
        return Party(self.site.trunks[device.account].caller_id, party.name)

    def queue(self, name: str) -> Queue:
        """A queue's settings; the defaults for a direct call, or for a queue that was removed while contacts wait."""
        return self.site.queues.get(name) or _NO_QUEUE

    def hang_up(self, channel_id: str, cause: Cause = Cause.NORMAL) -> None:
        """Ends a channel whatever its state, of which nobody wants to hear any more; one that is gone is no error."""
        with contextlib.suppress(Gone):
            self.pbx.adopt(channel_id, lambda event: None).hangup(cause)


_NO_QUEUE = Queue(announce_position=0)
