"""Starts the parts of a controller, feeds them the PBX's events, stops them without touching a call."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gevent
import structlog
from gevent.event import Event as Flag
from gevent.queue import Queue

from contactcentre.controller import features
from contactcentre.controller.absent import Absent
from contactcentre.controller.admission import NO_LIMITS, Admission, Limits
from contactcentre.controller.coaching import Audit, Mentors
from contactcentre.controller.contact import SUSPENDING, Contact
from contactcentre.controller.desk import Desk
from contactcentre.controller.engaged import keep_engaged
from contactcentre.controller.fetching import Fetching
from contactcentre.controller.greeting import go_on, greet, turn_away
from contactcentre.controller.heartbeat import Heartbeat
from contactcentre.controller.lamps import Lamps
from contactcentre.controller.lines import Lines
from contactcentre.controller.node import Configuration, Node
from contactcentre.controller.presence import Presence
from contactcentre.controller.reconcile import reconcile
from contactcentre.controller.site_keeper import SiteKeeper
from contactcentre.controller.softphones import Softphones
from contactcentre.controller.sound import Sounds
from contactcentre.controller.supervisions import Supervisions
from contactcentre.controller.tenure import Tenure
from contactcentre.domain.agents import AgentState
from contactcentre.live import Change, Journal, LiveError
from contactcentre.live.standbys import chosen, standbys
from contactcentre.pbx.errors import PbxError
from contactcentre.pbx.events import Arrived, EndpointChanged, LinkLost, LinkUp, NodeEvent
from contactcentre.pbx.timing import Slowness
from contactcentre.processes import stay
from contactcentre.watch.pulse import Pulse
from contactcentre.watch.systemd import READY, STOPPING, SignsOfLife, notify

log = structlog.get_logger(__name__)

ARRIVALS_LIMIT = 10_000
LOOK_AGAIN = 1.0
"""Seconds after which we look at everything, when something is not as it should be."""

LOOK_REGULARLY = 60.0

LINGER = 3.0
"""Seconds that a controller which gave the node to a stand-by keeps its link, for the calls that come meanwhile."""

ON_THE_WAY = 0.5
"""Seconds after which a caller whom the dialplan was just leading to us has come, when the heir is there."""

ANSWERED = 0.1
"""Seconds after which whoever asked for a handover has its answer."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A contact that somebody of ours begins, and what conducts it."""

    contact: Contact
    conduct: Callable[[], None]


class LookAgain:
    """Time to reconcile, although the link was not away."""


class Controller:
    """One running controller: its node, and the loop that takes node events one after the other."""

    def __init__(
        self,
        node: Node,
        tenure: Tenure,
        open_journal: Callable[[str], Journal],
        load: Callable[[], Configuration],
        look_back: Callable[[], None] = lambda: None,
        audit: Audit = lambda *_: None,
        limits: Limits = NO_LIMITS,
        presence: float = 4.0,
    ) -> None:
        """`open_journal` opens the journal of the tenure with this fence. `load` reads the newest configuration from
        the store, `look_back` learns from history for ever, `audit` writes into the audit log. `presence`: see
        `Settings`."""
        self.node, self.tenure, self._open_journal = node, tenure, open_journal
        self._look_back = look_back
        self.sites = SiteKeeper(node, load)
        self._events: Queue[NodeEvent | LookAgain | Begun] = Queue()
        self._reach_wanted = Flag()
        self._looking_soon = False
        self._replaced = False
        self._linked = False
        self._stopped, self._succeeded = Flag(), Flag()
        self._heir = ""
        self.failed = False
        self.admission = Admission(limits, lambda: node.router.late, Slowness())
        self.pulse = Pulse(SignsOfLife(), self.admission.look)
        self.active = False
        """It is the node's active controller; else it stands by."""
        self.again = False
        """Ended, but not for good: to be started anew, as a stand-by."""
        node.lines = Lines(node, self._look_soon)
        node.lamps = Lamps(node)
        self.softphones = Softphones(node)
        self.supervisions = Supervisions(node, lambda name, run: node.greenlets.spawn(name, run))
        self.mentors = Mentors(node, self.supervisions, audit)
        self._presence = Presence(node, lambda: self.linked, presence, self._admits, self._look_soon)
        self._heartbeat = Heartbeat(node, tenure, lambda: self.linked)
        self._fetching = Fetching(node)
        self._commands = Desk(
            node, self.softphones, self.supervisions, self._heartbeat.signs, self.hand_over, self._begin_contact
        )

    # -- life ---------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Stands by while another controller of this node is active, then is the active one. Returns after `stop`, and
        when another one has taken over. Raises LiveError when Redis is not there at the start."""
        stay()
        self.node.greenlets.spawn("pulse", self.pulse.run, essential=True)
        notify(READY)
        if self._await_turn():
            self._begin()
            self._stopped.wait()
            self._shut_down()

    def _await_turn(self) -> bool:
        tenure, spawn = self.tenure, self.node.greenlets.spawn
        chores = [spawn("stand-by", tenure.keep_saying), spawn("stand-by's site", self.sites.stand_by, tenure.warm)]
        try:
            return tenure.await_turn(self._stopped)
        finally:
            gevent.killall(chores)
            tenure.say_no_longer()

    def _begin(self) -> None:
        node = self.node
        self.tenure.keep(self._superseded)
        node.journal = self._open_journal(self.tenure.lease.fence)
        self.active = True
        node.replica.load()
        node.journal.flush()  # what an earlier process left in its spool must be known before contacts are taken up
        essential: dict[str, Callable[[], None]] = {
            "router": node.router.run,
            "routing told": node.router.keep_telling,
            "replica": node.replica.follow,
            "journal": node.journal.run,
            "saver": node.saver.run,
            "events": self._take_events,
            "commands": self._commands.serve,
            "heartbeat": self._heartbeat.run,
            "presence": self._presence.run,
            "look": self._look_regularly,
            "absent": Absent(node).run,
            "lines": node.lines.run,
            "mentors": self.mentors.run,
            "lamps": node.lamps.run,
            "softphones": self.softphones.run,
            "sound": Sounds(node).run,
            "estimates": partial(node.replica.estimates.publish, node.live, node.name),
            "configuration": self.sites.run,
            "reachable": self._look_who_is_reachable,
        }
        for name, run in essential.items():
            node.greenlets.spawn(name, run, essential=True)
        node.greenlets.spawn("experience", self._look_back)
        node.pbx.start(self._sink)
        log.info("controller started", node=node.name, site=node.configuration.version, id=self.tenure.id)

    def stop(self) -> None:
        """Asks `run` to end. Calls go on; the next controller takes them up."""
        self._stopped.set()

    @property
    def linked(self) -> bool:
        """Whether the PBX is there, and we know all that is on it."""
        return self._linked and self.node.reconciled

    @property
    def events_waiting(self) -> int:
        return len(self._events)

    def part_failed(self, name: str) -> None:
        log.error("a part that calls depend on failed: the controller ends, to be started again", part=name)
        self.failed = True
        self._stopped.set()

    def _superseded(self) -> None:
        """The contacts are another controller's."""
        self._replaced = self.again = True
        self._stopped.set()

    def hand_over(self, to: str) -> dict[str, Any]:
        """Gives the node to the stand-by with this id (or its beginning; "" = the one there is), right after the
        answer, and stands by from then on. Raises CommandFailed."""
        heir = chosen(standbys(self.node.live.redis, self.node.name), to)
        self.again, self._heir = True, heir.id
        self.node.greenlets.spawn("handover", self._stop_soon)
        return {"from": self.tenure.id, "to": heir.id, "host": heir.host, "pid": heir.pid}

    def _stop_soon(self) -> None:
        gevent.sleep(ANSWERED)
        self.stop()

    def _shut_down(self) -> None:
        """With an heir the link stays until that one has taken it: so no call finds nobody. Where the PBX has a link to
        one controller at a time it keeps the calls between the two."""
        node, heir = self.node, self._find_heir()
        if not self.again:
            notify(STOPPING)
        if heir and self.linked:
            self._presence.say()  # callers are led to us for as long as possible, for the heir
        self.tenure.hush()
        for contact in list(node.contacts.values()):
            contact.post(LinkLost(node.now(), "the controller stops"))
        gevent.sleep(0)
        if not heir:
            node.pbx.stop()
        node.greenlets.stopping = True
        node.journal.close()
        node.greenlets.stop()
        try:
            if not self._replaced:  # else the contacts are another's, who knows better where they are
                node.router.tell()
                node.saver.flush()
                self._heartbeat.stop()
            node.journal.flush()
            self.tenure.let_go(self._heir)
        except LiveError as error:
            log.warning("the last events stay in the spool", error=str(error))
        node.journal.release()
        if heir and node.pbx.link_is_shared:
            if not self._succeeded.wait(LINGER):
                log.warning("the stand-by has not come", standby=heir)
            gevent.sleep(ON_THE_WAY)
        node.pbx.stop()
        log.info("controller stopped", node=node.name, contacts_left_running=len(node.contacts), heir=heir)

    def _find_heir(self) -> str:
        """The stand-by that will take over at once; "" = none."""
        try:
            ready = [one.id for one in standbys(self.node.live.redis, self.node.name) if one.ready]
        except LiveError:
            return ""
        return "" if self._replaced else self._heir or next(iter(ready), "")

    # -- what the PBX says --------------------------------------------------------------------------------------------

    def _sink(self, event: NodeEvent) -> None:
        if isinstance(event, LinkLost) and event.replaced:
            self._succeeded.set()
        if isinstance(event, Arrived):
            if len(self._events) >= ARRIVALS_LIMIT:
                log.error("too many arrivals at once: one must wait until we look again")
                self._look_soon()
                return
            if event.channel_id in self.node.channels:  # found there before the PBX told that it came
                self._look_soon()  # should that one be over, it is a stranger
                return
            self.node.channels.add(event.channel_id)
        self._events.put_nowait(event)

    def _take_events(self) -> None:
        while True:
            event = self._events.get()
            try:
                self._take(event)
            except (PbxError, LiveError) as error:
                log.warning("node event not carried out", node_event=type(event).__name__, error=str(error))
                self._look_soon()
            except Exception:  # one event that cannot be taken must not cost all others
                log.exception("node event failed", node_event=type(event).__name__)
                self._look_soon()

    def _take(self, event: NodeEvent | LookAgain | Begun) -> None:
        match event:
            case LinkUp():
                self._linked = True
                self._reconcile()
                self.node.lines.linked = self.mentors.linked = True
                self.node.lines.changed()
                self.node.lamps.linked()
                self.softphones.linked()
            case LookAgain():
                if self._linked:  # else the next LinkUp looks
                    self._reconcile()
            case LinkLost(reason=reason, replaced=replaced):
                self._linked = self.node.lines.linked = self.mentors.linked = False
                self.node.tally.link_losses += 1
                self.node.lamps.lost()
                log.warning("link to the PBX lost", reason=reason, replaced=replaced)
                for contact in list(self.node.contacts.values()):
                    contact.post(event)
                if replaced:
                    self._replaced = True
                    self.stop()
            case Begun(contact=contact, conduct=conduct):
                self._spawn(contact, conduct)
            case EndpointChanged(endpoint=endpoint, phone=phone):
                self.node.router.phones.told(endpoint, phone)
                self.node.lines.changed()
            case Arrived(args=("line", *_)):
                self.node.channels.discard(event.channel_id)
                self.node.lines.arrived(event)
            case Arrived(args=("feature", *_)):
                self.node.greenlets.spawn(f"feature {event.channel_id}", self._feature, event)
            case Arrived(args=("leg", contact_id, *_)):
                whose = self.node.contacts.get(contact_id)
                if whose is not None and event.channel_id in whose.now.channels.values():
                    self.node.channels.discard(event.channel_id)  # rang when we took it up
                else:  # answered after we had given it up
                    self._end_orphan(event.channel_id)
            case Arrived():
                self._greet(event)

    def _look_soon(self) -> None:
        """Reconciles in a moment: something happened whose outcome nobody knows."""
        if not self._looking_soon:
            self._looking_soon = True
            self.node.greenlets.spawn("look again", self._look_later)

    def _look_later(self) -> None:
        gevent.sleep(LOOK_AGAIN)
        self._looking_soon = False
        self._events.put_nowait(LookAgain())

    def _look_regularly(self) -> None:
        """Whatever went wrong unseen mends itself."""
        while True:
            gevent.sleep(LOOK_REGULARLY)
            self._look_soon()

    def _reconcile(self) -> None:
        node = self.node
        node.replica.load()
        node.router.phones.reach(node.pbx.phones())
        first = not node.reconciled
        found = reconcile(node, first)
        if self._admits() and (elsewhere := self._fetching.due(found.elsewhere)):
            # before all else: until they are out of there, the PBX's own queue calls the same agents as we
            node.greenlets.spawn("fetch", self._fetching.fetch, elsewhere)
            gevent.sleep(0)  # it sends its first request
        if first:
            self._presence.say()  # before anybody is told that we are here
            self._heartbeat.taken_up(len(found.contacts))
            self._look_soon()  # what the one before had asked for may have come about after we looked
        for channel_id in found.orphans:
            log.warning("orphaned channel ended", channel=channel_id)
            self._end_orphan(channel_id)
        if found.contacts:
            self.admission.catch_up()
        for contact, there in found.contacts:
            self._spawn(contact, go_on(contact, there))
        for arrived in found.callers:
            if arrived.channel_id not in node.channels:  # else the PBX told meanwhile that it came
                node.channels.add(arrived.channel_id)
                self._greet(arrived)
        node.router.wake()

    def _admits(self) -> bool:
        """Nobody who comes now is turned away."""
        return not self.admission.closed(len(self.node.contacts), len(self._events))

    def _greet(self, arrived: Arrived) -> None:
        if arrived.args[:1] == ("did",) and self.admission.refuses(len(self.node.contacts), len(self._events)):
            at_once = self.node.site.settings.overload == "message" and not self.admission.may_say_so()
            self._spawn(*turn_away(self.node, arrived, at_once=at_once))
        else:
            self._spawn(*greet(self.node, arrived))

    def _feature(self, arrived: Arrived) -> None:
        try:
            features.run(self.node, arrived)
        finally:
            self.node.channels.discard(arrived.channel_id)

    def _end_orphan(self, channel_id: str) -> None:
        self.node.channels.discard(channel_id)
        self.node.greenlets.spawn(f"orphan {channel_id}", self._hang_up, channel_id)

    def _hang_up(self, channel_id: str) -> None:
        try:
            self.node.hang_up(channel_id)
        except PbxError as error:  # found again when we look the next time
            log.info("channel not ended", channel=channel_id, error=str(error))

    # -- contacts -----------------------------------------------------------------------------------------------------

    def _spawn(self, contact: Contact, conduct: Callable[[], None]) -> None:
        self.node.contacts[contact.id] = contact
        self.node.channels.add(contact.caller_id)
        self.node.greenlets.spawn(f"contact {contact.id}", self._conduct, contact, conduct)

    def _begin_contact(self, contact: Contact, conduct: Callable[[], None]) -> None:
        """In its turn: while we look at what is there, nobody may begin one."""
        self._events.put_nowait(Begun(contact, conduct))

    def _conduct(self, contact: Contact, conduct: Callable[[], None]) -> None:
        node = self.node
        structlog.contextvars.bind_contextvars(contact_id=contact.id)  # in its every line
        try:
            conduct()
        except SUSPENDING as reason:
            log.warning("contact suspended", contact_id=contact.id, why=type(reason).__name__)
            contact.park()
            node.router.forget(contact)
            if not self._stopped.is_set():
                self._look_soon()
            return
        finally:
            if not contact.parked:
                contact.refuse_asked("over", "the contact has ended")
                node.router.forget(contact)
                node.contacts.pop(contact.id, None)
                node.channels.discard(contact.caller_id)

    # -- commands, configuration, signs of life -----------------------------------------------------------------------

    def changed(self, change: Change, new: bool) -> None:
        """Told of every change in Redis, by the replica's greenlet."""
        if new:
            self.node.router.changed(change)
        self.node.wrap_ups.changed(change)
        if new and change.kind == "agent" and change.value is not None:
            keep_engaged(self.node, change.value)
        if change.kind == "agent":
            self.node.lines.changed(change.key)
            self.mentors.changed(change.key)
        if change.kind == "site":
            self.node.lines.changed()
        if change.kind == "box":
            self.node.lamps.changed()
        if change.kind == "site":
            self.sites.published(change.value)
        elif change.kind == "agent" and change.value is not None and change.value.state is AgentState.AVAILABLE:
            self._reach_soon(change.key)

    def _reach_soon(self, agent: str) -> None:
        """To a controller that has just taken over a phone may be in use by a leg that it does not know yet."""
        if self._linked and agent in self.node.router.phones.not_free:
            self._reach_wanted.set()

    def _look_who_is_reachable(self) -> None:
        """At once, for an agent who has just become available with a phone that was not free at the last look."""
        while True:
            self._reach_wanted.wait()
            self._reach_wanted.clear()
            try:
                self.node.router.phones.reach(self.node.pbx.phones())
            except PbxError as error:
                log.info("endpoints not asked", error=str(error))
