"""The link to one FreeSWITCH that is kept: logs in, subscribes, proves that it lives, reconnects, notices restarts.

Events are handed to `on_event` by the one greenlet that reads; it must not block. Only the events that are asked for
are sent by FreeSWITCH, and of these only what its filters let pass: an event with a channel's variables is 4 to 10 kB.
"""

import logging
from collections.abc import Callable, Sequence
from random import SystemRandom
from typing import Any

from gevent.event import Event as Flag
from gevent.pool import Group

from contactcentre.pbx.errors import LinkDown, PbxError
from contactcentre.pbx.freeswitch import link as links
from contactcentre.pbx.freeswitch import protocol
from contactcentre.pbx.freeswitch.link import Link, Pending
from contactcentre.pbx.freeswitch.names import Names
from contactcentre.pbx.freeswitch.reader import Event
from contactcentre.pbx.protocol import REQUEST_DEADLINE, MayAct, always

PING_EVERY = 2.0
"""Seconds between two signs of life that we ask for."""
PING_DEADLINE = 5.0
"""Seconds that such a sign may take; then the link is cut and made anew."""
FIRST_DELAY, LAST_DELAY = 0.2, 10.0
"""Seconds before the first and (doubling) the later attempts to reconnect; each is shortened at random, to a half at
most."""

_jitter = SystemRandom()
log = logging.getLogger(__name__)


class Connection:
    """A link that is kept until `close`."""

    def __init__(
        self,
        host: str,
        port: int,
        secret: str,
        *,
        events: Sequence[str],
        filters: Sequence[tuple[str, str]] = (),
        on_event: Callable[[Event], None],
        on_up: Callable[[bool], None],
        on_lost: Callable[[str, bool], None],
        may_act: MayAct = always,
    ) -> None:
        """`events` as the command `event json` takes them; `filters` (header, value) let pass what one of them fits,
        and nothing that fits one whose value begins with `-`.

        `on_up(restarted)` runs when a link is there and may make requests; `restarted`: the PBX is another than that of
        the link before, whose channels are gone. `on_lost(reason, replaced)` when one that was up is lost; after
        `give_way` it is `replaced`, and there is no reconnecting. Nothing is sent without `may_act`.
        """
        self._host, self._port, self._secret = host, port, secret
        self._events, self._filters = tuple(events), tuple(filters)
        self._on_event, self._on_up, self._on_lost, self._may_act = on_event, on_up, on_lost, may_act
        self._greenlets = Group()
        self._closed = Flag()
        self._link: Link | None = None
        self._replaced = False
        self.names = Names()
        self.core = ""
        """Core-UUID of the PBX that the last link led to."""

    # -- requests ------------------------------------------------------------------------------------------------------

    def link(self) -> Link:
        """Raises LinkDown."""
        if self._link is None:
            raise LinkDown("no link to the PBX")
        return self._link

    def request(self, line: str) -> str:
        """A quick api, and its answer. Raises Gone, Refused, TooLarge, LinkDown, Deadline."""
        return self.link().api(line).wait()

    def send(self, line: str) -> Pending:
        """The same without waiting, so that several go out together. Raises TooLarge, LinkDown."""
        return self.link().api(line)

    def job(self, line: str, timeout: float = REQUEST_DEADLINE) -> str:
        """A slow api, and its result."""
        return self.link().bgapi(line).wait(timeout)

    # -- the link ------------------------------------------------------------------------------------------------------

    @property
    def up(self) -> bool:
        return self._link is not None

    @property
    def replaced(self) -> bool:
        """We gave way, see `give_way`."""
        return self._replaced

    def open(self) -> None:
        """Starts to connect, and returns at once."""
        self._closed.clear()
        self._replaced = False
        self._greenlets.spawn(self._keep)

    def close(self) -> None:
        """Cuts the link for good. `on_lost` is not called."""
        self._closed.set()
        if self._link is not None:
            self._link.close("we closed it")
        self._greenlets.kill(timeout=REQUEST_DEADLINE)
        self._link = None

    def give_way(self, reason: str) -> None:
        """Another controller took our place: cuts the link, and does not come back."""
        self._replaced = True
        if self._link is not None:
            self._link.close(reason)

    def spawn(self, function: Callable[..., None], *args: Any) -> None:
        """Runs something in a greenlet that ends with the connection."""
        self._greenlets.spawn(function, *args)

    def _keep(self) -> None:
        delay, complained = FIRST_DELAY, ""
        while not self._closed.is_set() and not self._replaced:
            try:
                if self._live():
                    delay, complained = FIRST_DELAY, ""
            except PbxError as error:
                if str(error) != complained:
                    log.warning("no link to the PBX, trying again: %s", error)
                    complained = str(error)
            except Exception:
                log.exception("setting the link up failed")
            if not self._replaced:
                self._closed.wait(delay * _jitter.uniform(0.5, 1.0))
                delay = min(delay * 2, LAST_DELAY)

    def _live(self) -> bool:
        """One link's life. True if it came up; raises if it did not."""
        link = links.connect(self._host, self._port, self._on_event, names=self.names, may_act=self._may_act)
        try:
            restarted = self._prepare(link)
            self._link = link
            self._on_up(restarted)
        except BaseException as error:
            self._link = None
            link.close(str(error))
            raise
        try:
            while not link.join(PING_EVERY):
                if self._may_act():  # who stops and may send nothing any more keeps the link for its heir
                    link.api("status").wait(PING_DEADLINE)
        except PbxError as error:
            link.close(str(error))
        finally:
            self._link = None
            link.close("we closed it")
        if not self._closed.is_set():
            self._on_lost(link.reason, self._replaced)
            log.warning("the link to the PBX is lost: %s", link.reason)
        return True

    def _prepare(self, link: Link) -> bool:
        links.log_in(link, self._secret)
        sent = [link.send(protocol.command(f"event json {' '.join(self._events)}"))]
        sent += [link.send(protocol.command(f"filter {name} {value}")) for name, value in self._filters]
        core = link.api("global_getvar core_uuid")
        for pending in sent:
            pending.wait()
        before, self.core = self.core, core.wait().strip()
        return bool(before) and before != self.core
