"""Tells Redis where the contacts are: many at once, some milliseconds late, off the calls' own path.

What lies there is for pages and for the controller that takes over. That one looks at the PBX first, so a record some
milliseconds old does no harm, while writing each at once would cost every call several round trips.
"""

import gevent
import structlog
from gevent.event import Event as Flag
from gevent.lock import RLock

from contactcentre.live import ContactNow, Live, LiveError

log = structlog.get_logger(__name__)

GATHER = 0.05
"""Seconds that changes are gathered before they are written: of the steps that follow each other only the last is."""

RETRY = 1.0


class Saver:
    def __init__(self, live: Live) -> None:
        self._live = live
        self._unsaved: dict[str, ContactNow | None] = {}
        self._wake = Flag()
        self._writing = RLock()

    def put(self, contact_id: str, now: ContactNow | None) -> None:
        """None: the contact has ended."""
        self._unsaved[contact_id] = now
        self._wake.set()

    def run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            gevent.sleep(GATHER)
            try:
                self.flush()
            except LiveError as error:
                log.warning("contacts not saved", error=str(error), unsaved=len(self._unsaved))
                gevent.sleep(RETRY)
                self._wake.set()

    def flush(self) -> None:
        """Writes what is not written yet. Raises LiveError; then it is kept for the next time."""
        with self._writing:  # after the return, what another greenlet had begun to write is there, too
            taken, self._unsaved = self._unsaved, {}
            if not taken:
                return
            try:
                self._live.put_contacts(taken)
            except BaseException:
                self._unsaved = {**taken, **self._unsaved}
                raise
