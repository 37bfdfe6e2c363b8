"""What Asterisk did not tell, or told while there was no link: looked for after a reconnect, and twice a second."""

import logging
from collections.abc import Callable
from contextlib import suppress
from time import time

from gevent.event import Event as Flag

from contactcentre.pbx.asterisk.company import Company
from contactcentre.pbx.asterisk.connection import Connection
from contactcentre.pbx.asterisk.intake import Intake
from contactcentre.pbx.asterisk.protocol import resource
from contactcentre.pbx.asterisk.taps import Taps
from contactcentre.pbx.errors import PbxError
from contactcentre.pbx.events import Cause
from contactcentre.pbx.legs import Legs
from contactcentre.pbx.protocol import REQUEST_DEADLINE

AFTERMATH = 2.0
"""Seconds after a reconnect at which we look once more who is gone: some were just about to go."""
SWEEP = 0.5
"""Seconds between two looks for channels that left our hands without a word."""

log = logging.getLogger(__name__)


class Upkeep:
    """`attempt` sends a request whose answer nobody waits for."""

    def __init__(
        self,
        link: Connection,
        legs: Legs,
        intake: Intake,
        company: Company,
        taps: Taps,
        attempt: Callable[[str, str], None],
    ) -> None:
        self._link, self._legs, self._intake, self._company, self._taps = link, legs, intake, company, taps
        self._attempt = attempt
        self._look_again_at: float | None = None

    def reconnected(self, bound: set[str]) -> None:
        """`bound`: the channels that were there before. Raises PbxError."""
        if bound:
            self._catch_up(bound)
            self._look_again_at = time() + AFTERMATH

    def run(self, stopped: Flag) -> None:
        while not stopped.wait(SWEEP):
            now = time()
            self._company.look(now, self._legs.playing_to())
            if self._look_again_at is not None and now > self._look_again_at:
                self._look_again_at = None
                with suppress(PbxError):
                    self._catch_up(self._legs.placed())
            for leg in self._legs.overdue(now):
                leg.released_at = now
                self._settle(leg.id, leg.cause)
            for name, latest in list(self._intake.recordings.items()):
                if now > latest:
                    self._intake.recordings[name] = now + REQUEST_DEADLINE
                    self._attempt("POST", f"{resource('recordings', 'live', name)}/stop")
            for leg in self._legs.expire(now):
                log.warning("channel %s: nobody took it within 30 s", leg.id)
                if leg.unasked:
                    self._attempt("DELETE", resource("channels", leg.id))

    def _catch_up(self, bound: set[str]) -> None:
        """Tells the ends that came while there was no link."""
        taps = self._taps.names()
        there = {channel["id"] for channel in self._link.over_http("GET", "channels")}
        self._taps.linked(taps - there)
        for channel_id in bound - there:
            self._intake.gone(channel_id, time(), Cause.UNKNOWN)
        for channel_id, what in self._legs.running():
            if what in self._intake.recordings:
                if not self._link.has(resource("recordings", "live", what)):
                    kept = self._link.has(resource("recordings", "stored", what))
                    self._intake.recording_ended(channel_id, time(), what, 0.0, kept)
            elif not self._link.has(resource("playbacks", what)):
                self._intake.playback_ended(channel_id, time(), what, True)

    def _settle(self, channel_id: str, cause: Cause) -> None:
        try:
            is_there = self._link.has(resource("channels", channel_id))
        except PbxError:
            return  # asked again at the next sweep
        if is_there:
            self._legs.leave(channel_id, time())
        else:
            self._intake.gone(channel_id, time(), cause)
