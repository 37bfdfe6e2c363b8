"""Counts what waits in the boxes of messages, and tells everybody: once, however many look at it."""

import time
from collections.abc import Callable, Iterable

from contactcentre.domain.events import Event, Kind
from contactcentre.live import BoxCounts
from contactcentre.store import Store

EVERY = 30.0
"""Seconds after which it is counted anyway: claims run out, recordings are deleted, Redis may have lost its data."""


class BoxTeller:
    def __init__(self, store: Store, boxes: BoxCounts, clock: Callable[[], float] = time.time) -> None:
        self._store, self._boxes, self._clock = store, boxes, clock
        self._wanted, self._asked, self._due = True, 0, 0.0

    def wrote(self, events: Iterable[Event]) -> None:
        """These are in PostgreSQL now."""
        kinds = (Kind.VOICEMAIL, Kind.RECORDING_DELETED)
        self._wanted = self._wanted or any(event.kind in kinds for event in events)

    def look(self) -> None:
        """Counts, if there is a reason. Raises LiveError, StoreUnavailable; then it is tried again."""
        asked, now = self._boxes.asked(), self._clock()
        if self._wanted or asked != self._asked or now >= self._due:
            self._boxes.tell(self._store.boxes(now))
            self._wanted, self._asked, self._due = False, asked, now + EVERY
