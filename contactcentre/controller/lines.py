"""Who should have an open line, and who has: opened at login, closed at logout, taken up after a restart.

Of several nodes the one that comes first has an agent's line (`live.lines`); the others offer that agent nothing.
"""

from collections.abc import Callable, Collection
from functools import partial

import structlog
from gevent.event import Event as Flag

from contactcentre.controller.node import Node
from contactcentre.controller.open_line import Ending, OpenLine, agent_of, room_of
from contactcentre.domain.agents import LINE_DOWN, AgentState, AgentStatus, Verb
from contactcentre.domain.devices import Device
from contactcentre.domain.site import Site
from contactcentre.live import LineHolders, LiveError, signs_of_life
from contactcentre.pbx.errors import Deadline, LinkDown, PbxError
from contactcentre.pbx.events import Arrived, Cause, Ended, Phone
from contactcentre.pbx.protocol import Channel, Inventory

log = structlog.get_logger(__name__)

LOOK = 5.0
"""Seconds between two looks, if nothing happens that calls for one."""

AGAIN = (3.0, 10.0, 30.0)
"""Seconds after which a line that could not be opened, or was lost, is called again; then it is given up."""

STEADY = 60.0
"""A line that was open for so many seconds has all attempts before it again."""


class Lines:
    def __init__(self, node: Node, look_again: Callable[[], None]) -> None:
        """`look_again`: something happened on the PBX whose outcome nobody knows."""
        self._node, self._look_again = node, look_again
        self._holders = LineHolders(node.live.redis)
        self._wanted_flag = Flag()
        self._lines: dict[str, OpenLine] = {}  # by agent; also such as are being opened
        self._site: Site | None = None
        self._names: frozenset[str] = frozenset()  # see `_persistent`
        self.linked = False

    @property
    def channels(self) -> set[str]:
        return {line.id for line in self._lines.values()}

    def device(self, leg: str) -> Channel | None:
        """The device that hears what a leg into its open line hears; None = the leg leads into none."""
        return next((found for line in self._lines.values() if (found := line.device_of(leg)) is not None), None)

    # -- told by others -----------------------------------------------------------------------------------------------

    def changed(self, agent: str = "") -> None:
        """The agent, or (without one) a phone or the site has changed: somebody may need a line, or none."""
        if not agent or agent in self._persistent() or agent in self._lines:
            self._wanted_flag.set()

    def arrived(self, event: Arrived) -> None:
        """A leg leads into an agent's line, here is its other end. Raises PbxError."""
        line = self._lines.get(event.args[1] if len(event.args) > 1 else "")
        if line is not None and line.is_open:
            line.post(event)
        else:
            self._node.hang_up(event.channel_id, Cause.UNREACHABLE)

    def found(self, inventory: Inventory) -> set[str]:
        """What the PBX has of open lines, after a start or when the link was away: those that should be are taken up.
        The channels that belong to nobody."""
        wanted, strays = self.wanted(), set()
        for line in self._lines.values():
            if line.is_open and line.id not in inventory.channels:
                line.post(Ended(line.id, self._node.now(), Cause.UNKNOWN))
        for info in inventory.channels.values():
            agent = agent_of(info.id)
            if not agent or info.id in self.channels:
                continue
            if agent in wanted and agent not in self._lines and info.ours and info.up:
                room = inventory.bridges.get(room_of(info.id))
                ends = [channel for channel in room.channels if channel != info.id] if room is not None else []
                log.info("open line taken up", agent=agent, talks=len(ends))
                self._keep(OpenLine(self._node, agent, wanted[agent], info.id, ends))
            else:
                strays.add(info.id)
        for bridge in inventory.bridges:
            line_id = bridge.removesuffix(room_of(""))
            if agent_of(line_id) and line_id not in self.channels:
                self._node.pbx.bridge(bridge).destroy()
        return strays

    # -- its greenlet -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        while True:
            self._wanted_flag.wait(LOOK)
            self._wanted_flag.clear()
            if not self.linked:
                continue
            try:
                self.look()
            except LiveError as error:
                log.info("open lines not looked at", error=str(error))

    def look(self) -> None:
        """Opens and closes lines. Raises LiveError."""
        wanted, node = self.wanted(), self._node
        for agent, line in list(self._lines.items()):
            if wanted.get(agent) != line.device:
                line.close()
        missing = wanted.keys() - self._lines.keys()
        if not missing and not self._lines:
            return
        holders = self._holders.all()
        alive = signs_of_life(node.live.redis).keys() | {node.name} if missing else {node.name}
        for agent in self._lines.keys() - holders.keys():  # Redis has lost it
            self._holders.take(agent, node.name)
        for agent in sorted(missing):
            holder = holders.get(agent, "")
            free = not holder or holder not in alive
            if (holder == node.name or free) and self._holders.take(agent, node.name, holder):
                self._keep(OpenLine(node, agent, wanted[agent]))

    def wanted(self) -> dict[str, Device]:
        """The agents who should have a line here: at work, with a device that can be called."""
        found = {}
        for name in self._persistent():
            if _at_work(self._node.replica.agents.get(name)):
                device = self._node.device(name)
                if self._node.router.phones.of(device.account) is not Phone.AWAY:
                    found[name] = device
        return found

    def _persistent(self) -> Collection[str]:
        """The agents whose line the site wants open: asked for with every step of every agent, so looked up once."""
        if (site := self._node.site) is not self._site:
            self._site = site
            self._names = frozenset(name for name, agent in site.agents.items() if agent.line == "persistent")
        return self._names

    # -- one line -----------------------------------------------------------------------------------------------------

    def _keep(self, line: OpenLine) -> None:
        self._lines[line.agent] = line
        self._node.greenlets.spawn(f"line of {line.agent}", self._run, line)

    def _run(self, line: OpenLine) -> None:
        agent = line.agent
        try:
            if self._hold(line):
                self._down(agent)
            self._holders.release(agent, self._node.name)
        except (LinkDown, Deadline) as error:  # found again when we look what is there
            log.info("open line left alone", agent=agent, error=str(error))
            self._look_again()
        except PbxError as error:
            log.warning("open line failed", agent=agent, error=str(error))
        except LiveError as error:
            log.info("open line not released", agent=agent, error=str(error))
        finally:
            self._lines.pop(agent, None)
            self._node.router.phones.line(agent, open_=False)
            self.changed()

    def _hold(self, line: OpenLine) -> bool:
        """Calls again when the line is lost, some times. True: the agent has hung up, or cannot be reached."""
        tries = iter(AGAIN)
        while True:
            ending = line.run(partial(self._opened, line.agent))
            self._node.router.phones.line(line.agent, open_=False)
            if ending is not Ending.LOST:
                return ending is Ending.HUNG_UP
            if line.opened and self._node.now() - line.opened > STEADY:
                tries = iter(AGAIN)
            delay = next(tries, None)
            log.info("open line lost", agent=line.agent, again_in=delay)
            if delay is None:
                return True
            if line.closed_within(delay):
                return False
            line = self._lines[line.agent] = OpenLine(self._node, line.agent, line.device)

    def _opened(self, agent: str, line: OpenLine) -> None:
        log.info("open line", agent=agent, channel=line.id)
        self._node.router.phones.line(agent, open_=True)

    def _down(self, agent: str) -> None:
        if self._node.site.settings.line_down == "pause":
            self._node.agents.change(agent, Verb.PAUSE, reason=LINE_DOWN)
        else:
            self._node.agents.change(agent, Verb.LOGOUT)


def _at_work(status: AgentStatus | None) -> bool:
    """Logged in, and not about to be without a line."""
    if status is None or status.state is AgentState.LOGGED_OUT:
        return False
    gave_up = status.state is AgentState.PAUSED and status.reason == LINE_DOWN
    return not gave_up and status.then not in ("logout", f"pause:{LINE_DOWN}")
