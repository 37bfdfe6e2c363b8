"""Starts the parts of a controller, feeds them the PBX's events, stops them without touching a call."""

from collections.abc import Callable
from functools import partial
from typing import Any

import gevent
import structlog
from gevent.event import Event as Flag

from contactcentre.controller.absent import Absent
from contactcentre.controller.admission import NO_LIMITS, Admission, Limits
from contactcentre.controller.coaching import Audit, Mentors
from contactcentre.controller.desk import Desk
from contactcentre.controller.engaged import keep_engaged
from contactcentre.controller.heartbeat import Heartbeat
from contactcentre.controller.lamps import Lamps
from contactcentre.controller.lines import Lines
from contactcentre.controller.node import Configuration, Node
from contactcentre.controller.presence import Presence
from contactcentre.controller.reception import Reception
from contactcentre.controller.site_keeper import SiteKeeper
from contactcentre.controller.softphones import Softphones
from contactcentre.controller.sound import Sounds
from contactcentre.controller.supervisions import Supervisions
from contactcentre.controller.tenure import Tenure
from contactcentre.domain.agents import AgentState
from contactcentre.live import Change, Journal, LiveError
from contactcentre.live.standbys import chosen, standbys
from contactcentre.pbx.events import LinkLost, NodeEvent
from contactcentre.pbx.timing import Slowness
from contactcentre.processes import stay
from contactcentre.watch.pulse import Pulse
from contactcentre.watch.systemd import READY, STOPPING, SignsOfLife, notify

log = structlog.get_logger(__name__)

LINGER = 3.0
"""Seconds that a controller which gave the node to a stand-by keeps its link, for the calls that come meanwhile."""

ON_THE_WAY = 0.5
"""Seconds after which a caller whom the dialplan was just leading to us has come, when the heir is there."""

ANSWERED = 0.1
"""Seconds after which whoever asked for a handover has its answer."""


class Controller:
    """One running controller: its node, and how long it is the node's active one."""

    def __init__(
        self,
        node: Node,
        tenure: Tenure,
        open_journal: Callable[[str], Journal],
        load: Callable[[], Configuration],
        are_spoken: Callable[[Configuration], bool],
        look_back: Callable[[], None] = lambda: None,
        audit: Audit = lambda *_: None,
        limits: Limits = NO_LIMITS,
        presence: float = 4.0,
    ) -> None:
        """`open_journal` opens the journal of the tenure with this fence. `load` reads the newest configuration from
        the store (with `are_spoken` see `SiteKeeper`), `look_back` learns from history for ever, `audit` writes into
        the audit log. `presence`: see `Settings`."""
        self.node, self.tenure, self._open_journal = node, tenure, open_journal
        self._look_back = look_back
        self.sites = SiteKeeper(node, load, are_spoken)
        self._replaced = False
        self._stopped, self._succeeded = Flag(), Flag()
        self._heir = ""
        self.failed = False
        self.admission = Admission(limits, lambda: node.router.late, Slowness())
        node.late = lambda: self.admission.late
        self.pulse = Pulse(SignsOfLife(), self.admission.look)
        self.active = False
        """It is the node's active controller; else it stands by."""
        self.again = False
        """Ended, but not for good: to be started anew, as a stand-by."""
        self.reception = Reception(
            node, self.admission, first=self._taken_up, linked=self._told_linked, replaced=self._replaced_at_the_pbx
        )
        node.lines = Lines(node, self.reception.look_soon)
        node.lamps = Lamps(node)
        self.softphones = Softphones(node)
        self.supervisions = Supervisions(node, lambda name, run: node.greenlets.spawn(name, run))
        self.mentors = Mentors(node, self.supervisions, audit)
        self._presence = Presence(node, self.reception, presence)
        self._heartbeat = Heartbeat(node, tenure, lambda: self.linked)
        self._commands = Desk(
            node, self.softphones, self.supervisions, self._heartbeat.signs, self.hand_over, self.reception.begin
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
            "events": self.reception.run,
            "commands": self._commands.serve,
            "heartbeat": self._heartbeat.run,
            "presence": self._presence.run,
            "look": self.reception.look_regularly,
            "absent": Absent(node).run,
            "lines": node.lines.run,
            "mentors": self.mentors.run,
            "lamps": node.lamps.run,
            "softphones": self.softphones.run,
            "sound": Sounds(node).run,
            "estimates": partial(node.replica.estimates.publish, node.live, node.name),
            "configuration": self.sites.run,
            "reachable": self.reception.look_who_is_reachable,
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
        return self.reception.linked

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
        node.greenlets.stopping = True
        for contact in list(node.contacts.values()):
            contact.post(LinkLost(node.now(), "the controller stops"))
        gevent.sleep(0)
        if not heir:
            node.pbx.stop()
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
        self.reception.put(event)

    def _taken_up(self, contacts: int) -> None:
        self._presence.say()  # before anybody is told that we are here
        self._heartbeat.taken_up(contacts)

    def _told_linked(self, linked: bool) -> None:
        node = self.node
        node.lines.linked = self.mentors.linked = linked
        if linked:
            node.lines.changed()
            node.lamps.linked()
            self.softphones.linked()
        else:
            node.lamps.lost()

    def _replaced_at_the_pbx(self) -> None:
        self._replaced = True
        self.stop()

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
            self.reception.available(change.key)
