"""Takes what the PBX says of a node, one event after the other: greets callers, takes contacts up, ends orphans, and
runs each contact in a greenlet of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import gevent
import structlog
from gevent.event import Event as Flag
from gevent.queue import Queue

from contactcentre.controller import features
from contactcentre.controller.admission import Admission
from contactcentre.controller.contact import SUSPENDING, Contact
from contactcentre.controller.fetching import Fetching
from contactcentre.controller.greeting import go_on, greet, turn_away
from contactcentre.controller.node import Node
from contactcentre.controller.reconcile import reconcile
from contactcentre.live import LiveError
from contactcentre.pbx.errors import PbxError
from contactcentre.pbx.events import Arrived, EndpointChanged, LinkLost, LinkUp, NodeEvent

log = structlog.get_logger(__name__)

ARRIVALS_LIMIT = 10_000
LOOK_AGAIN = 1.0
"""Seconds after which we look at everything, when something is not as it should be."""

LOOK_REGULARLY = 60.0
FETCHING = 3.0
"""Seconds at most that agents are offered nobody while callers are fetched from the PBX's own queue."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A contact that somebody of ours begins, and what conducts it."""

    contact: Contact
    conduct: Callable[[], None]


class LookAgain:
    """Time to reconcile, although the link was not away."""


class Reception:
    def __init__(
        self,
        node: Node,
        admission: Admission,
        *,
        first: Callable[[int], None],
        linked: Callable[[bool], None],
        replaced: Callable[[], None],
    ) -> None:
        """`first` is told once how many contacts are taken up, before any of them goes on; `linked` that the link is
        there, and all is known that is on it, or that it is lost; `replaced` that another controller has taken it."""
        self._node, self._admission = node, admission
        self._first, self._tell_linked, self._replaced = first, linked, replaced
        self._fetching = Fetching(node)
        self._fetches = 0  # under way
        self._events: Queue[NodeEvent | LookAgain | Begun] = Queue()
        self._linked = self._newly_linked = False
        self._looking_soon = False
        self._reach_wanted = Flag()

    def __len__(self) -> int:
        """Events that wait to be taken."""
        return len(self._events)

    @property
    def linked(self) -> bool:
        """Whether the PBX is there, and we know all that is on it."""
        return self._linked and self._node.reconciled

    @property
    def admits(self) -> bool:
        """Nobody who comes now is turned away."""
        return not self._admission.closed(len(self._node.contacts), len(self._events))

    def put(self, event: NodeEvent) -> None:
        """The PBX says it. Never blocks."""
        if isinstance(event, Arrived):
            if len(self._events) >= ARRIVALS_LIMIT:
                log.error("too many arrivals at once: one must wait until we look again")
                self.look_soon()
                return
            if event.channel_id in self._node.channels:  # found there before the PBX told that it came
                self.look_soon()  # should that one be over, it is a stranger
                return
            self._node.channels.add(event.channel_id)
        self._events.put_nowait(event)

    def begin(self, contact: Contact, conduct: Callable[[], None]) -> None:
        """Somebody of ours begins a contact; in its turn: while we look at what is there, nobody may begin one."""
        self._events.put_nowait(Begun(contact, conduct))

    def look_soon(self) -> None:
        """Reconciles in a moment: something happened whose outcome nobody knows."""
        if not self._looking_soon:
            self._looking_soon = True
            self._node.greenlets.spawn("look again", self._look_later)

    def _look_later(self) -> None:
        gevent.sleep(LOOK_AGAIN)
        self._looking_soon = False
        self._events.put_nowait(LookAgain())

    def look_regularly(self) -> None:
        """Whatever went wrong unseen mends itself."""
        while True:
            gevent.sleep(LOOK_REGULARLY)
            self.look_soon()

    # -- events -------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        while True:
            event = self._events.get()
            try:
                self._take(event)
            except (PbxError, LiveError) as error:
                log.warning("node event not carried out", node_event=type(event).__name__, error=str(error))
                self.look_soon()
            except Exception:  # one event that cannot be taken must not cost all others
                log.exception("node event failed", node_event=type(event).__name__)
                self.look_soon()

    def _take(self, event: NodeEvent | LookAgain | Begun) -> None:
        node = self._node
        match event:
            case LinkUp():
                self._linked = self._newly_linked = True
                self._reconcile()
                self._tell_linked(True)
            case LookAgain():
                if self._linked:  # else the next LinkUp looks
                    self._reconcile()
            case LinkLost(reason=reason, replaced=replaced):
                self._linked = False
                self._tell_linked(False)
                node.tally.link_losses += 1
                log.warning("link to the PBX lost", reason=reason, replaced=replaced)
                for contact in list(node.contacts.values()):
                    contact.post(event)
                if replaced:
                    self._replaced()
            case Begun(contact=contact, conduct=conduct):
                self._spawn(contact, conduct)
            case EndpointChanged(endpoint=endpoint, phone=phone):
                node.router.phones.told(endpoint, phone)
                node.lines.changed()
            case Arrived(args=("line", *_)):
                node.channels.discard(event.channel_id)
                node.lines.arrived(event)
            case Arrived(args=("feature", *_)):
                node.greenlets.spawn(f"feature {event.channel_id}", self._feature, event)
            case Arrived(args=("leg", contact_id, *_)):
                whose = node.contacts.get(contact_id)
                if whose is not None and event.channel_id in whose.now.channels.values():
                    node.channels.discard(event.channel_id)  # rang when we took it up
                else:  # answered after we had given it up
                    self._end_orphan(event.channel_id)
            case Arrived():
                self._greet(event)

    def _reconcile(self) -> None:
        node = self._node
        node.replica.load()
        node.router.phones.reach(node.pbx.phones())
        first = not node.reconciled
        found = reconcile(node, first)
        if self._newly_linked:
            self._newly_linked = False
            self._admission.linked()
        if self.admits and (elsewhere := self._fetching.due(found.elsewhere)):
            node.router.hold()
            node.greenlets.spawn("fetch", self._fetch, elsewhere)
            gevent.sleep(0)  # it sends its first request, before all else
        if first:
            self._first(len(found.contacts))
            self.look_soon()  # what the one before had asked for may have come about after we looked
        for channel_id in found.orphans:
            log.warning("orphaned channel ended", channel=channel_id)
            self._end_orphan(channel_id)
        # Who waits comes first, else somebody new might be served before. Who talks is heard anyhow, and last, for
        # the PBX does one thing after the other, and who is to be greeted has heard nothing yet.
        for contact, there in found.contacts:
            if not there.joined:
                self._spawn(contact, go_on(contact, there))
        for arrived in found.callers:
            if arrived.channel_id not in node.channels:  # else the PBX told meanwhile that it came
                node.channels.add(arrived.channel_id)
                self._greet(arrived)
        for contact, there in found.contacts:
            if there.joined:
                self._spawn(contact, go_on(contact, there))
        node.router.wake()

    def _fetch(self, channels: Sequence[str]) -> None:
        """Until they are out of there, the PBX's own queue calls the same agents as we would."""
        going_on = gevent.spawn_later(FETCHING, self._node.router.go_on)
        self._fetches += 1
        try:
            self._fetching.fetch(channels)
            self._look_at_phones()
        finally:
            self._fetches -= 1
            going_on.kill(block=False)
            if not self._fetches:
                self._node.router.go_on()

    def _greet(self, arrived: Arrived) -> None:
        node, admission = self._node, self._admission
        if arrived.args[:1] == ("did",) and admission.refuses(len(node.contacts), len(self._events)):
            at_once = node.site.settings.overload == "message" and not admission.may_say_so()
            self._spawn(*turn_away(node, arrived, at_once=at_once))
        else:
            self._spawn(*greet(node, arrived))

    def _feature(self, arrived: Arrived) -> None:
        try:
            features.run(self._node, arrived)
        finally:
            self._node.channels.discard(arrived.channel_id)

    def _end_orphan(self, channel_id: str) -> None:
        self._node.channels.discard(channel_id)
        self._node.greenlets.spawn(f"orphan {channel_id}", self._hang_up, channel_id)

    def _hang_up(self, channel_id: str) -> None:
        try:
            self._node.hang_up(channel_id)
        except PbxError as error:  # found again when we look the next time
            log.info("channel not ended", channel=channel_id, error=str(error))

    # -- contacts -----------------------------------------------------------------------------------------------------

    def _spawn(self, contact: Contact, conduct: Callable[[], None]) -> None:
        self._node.contacts[contact.id] = contact
        if not self._node.reconciled:
            self._node.early.add(contact.id)
        self._node.channels.add(contact.caller_id)
        self._node.greenlets.spawn(f"contact {contact.id}", self._conduct, contact, conduct)

    def _conduct(self, contact: Contact, conduct: Callable[[], None]) -> None:
        node = self._node
        structlog.contextvars.bind_contextvars(contact_id=contact.id)  # in its every line
        try:
            conduct()
        except SUSPENDING as reason:
            log.warning("contact suspended", contact_id=contact.id, why=type(reason).__name__)
            contact.park()
            node.router.forget(contact)
            if not node.greenlets.stopping:
                self.look_soon()
            return
        finally:
            if not contact.parked:
                contact.refuse_asked("over", "the contact has ended")
                node.router.forget(contact)
                node.contacts.pop(contact.id, None)
                node.channels.discard(contact.caller_id)

    # -- phones -------------------------------------------------------------------------------------------------------

    def available(self, agent: str) -> None:
        """To a controller that has just taken over a phone may be in use by a leg that it does not know yet."""
        if self._linked and agent in self._node.router.phones.not_free:
            self._reach_wanted.set()

    def look_who_is_reachable(self) -> None:
        """At once, for an agent who has just become available with a phone that was not free at the last look."""
        while True:
            self._reach_wanted.wait()
            self._reach_wanted.clear()
            self._look_at_phones()

    def _look_at_phones(self) -> None:
        try:
            self._node.router.phones.reach(self._node.pbx.phones())
        except PbxError as error:
            log.info("endpoints not asked", error=str(error))
