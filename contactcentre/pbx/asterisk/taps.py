"""Stereo recording of a leg by two snoop channels: one records what the leg says, one what it hears.

A channel in a bridge cannot be recorded itself (409), a snoop channel can, but only after its own StasisStart. The two
snoops are tools of the driver: their events end here and no controller sees them.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from gevent.event import AsyncResult
from gevent.event import Event as Flag

from contactcentre.pbx.asterisk.decoders import Decoders
from contactcentre.pbx.asterisk.protocol import resource
from contactcentre.pbx.asterisk.silence import Silences
from contactcentre.pbx.errors import Deadline, Gone, LinkDown, PbxError, Refused
from contactcentre.pbx.protocol import REQUEST_DEADLINE

SIDES = {"left": "in", "right": "out"}
"""Left is what the channel says (audio that comes in to the PBX), right what it hears."""


class _Snoop:
    """One of the two; `ready` is set by its StasisStart, or fails with Gone when it ended before."""

    __slots__ = ("finished", "ready", "recording", "tap")

    def __init__(self, tap: "AsteriskTap", recording: str) -> None:
        self.tap, self.recording = tap, recording
        self.ready: AsyncResult[None] = AsyncResult()
        self.finished = Flag()


class AsteriskTap:
    """See pbx.protocol.Tap."""

    def __init__(self, taps: "Taps", tap_id: str) -> None:
        self._taps, self.id = taps, tap_id
        self.started: dict[str, float] = {}
        """When the PBX began to write each file ("left", "right"), epoch seconds; to align the two."""

    def pause(self) -> None:
        self._taps.silences.pause(self.id, [self.name(side) for side in SIDES])

    def resume(self) -> None:
        self._taps.silences.resume(self.id, [self.name(side) for side in SIDES])

    def stop(self) -> Mapping[str, str]:
        """Ends it; see pbx.protocol.Tap."""
        return self._taps.stop(self)

    def name(self, side: str) -> str:
        return f"{self.id}-{side}"


class Taps:
    """All taps that run. `send` sends a request and returns what can be waited for."""

    def __init__(self, app: str, send: Callable[..., Any], decoders: Decoders) -> None:
        self._app, self._send, self._decoders = app, send, decoders
        self.silences = Silences(send)
        self._snoops: dict[str, _Snoop] = {}
        self._recordings: dict[str, _Snoop] = {}
        self._to_hang_up: set[str] = set()

    # -- verbs ---------------------------------------------------------------------------------------------------------

    def start(self, channel_id: str, tap_id: str, *, recovered: bool) -> AsteriskTap:
        """Raises Gone (the channel), Refused, LinkDown, Deadline; then nothing of it is left behind.

        A `recovered` channel may have this tap already: it is looked for first, because a second snoop of the same id
        leaves Asterisk with something that keeps it from shutting down.
        """
        tap = AsteriskTap(self, tap_id)
        running = tap.name("left") in self._snoops or (recovered and self._exists(tap.name("left")))
        if recovered and not running:
            self._decoders.renew([channel_id])
        self._decoders.snooped(channel_id)
        snoops = {side: _Snoop(tap, tap.name(side)) for side in SIDES}
        for side, snoop in snoops.items():
            self._snoops[tap.name(side)] = self._recordings[snoop.recording] = snoop
        try:
            if not running and self._snoop(channel_id, tap):
                for snoop in snoops.values():
                    snoop.ready.wait(REQUEST_DEADLINE)
                    if not snoop.ready.ready():
                        raise Deadline(f"snoop {snoop.recording}: did not start within {REQUEST_DEADLINE} s")
                    snoop.ready.get()
                self._record(tap)
        except BaseException:
            self._hang_up(tap)
            for side in SIDES:
                self._recordings.pop(tap.name(side), None)
            raise
        return tap

    def stop(self, tap: AsteriskTap) -> Mapping[str, str]:
        """Returns when both files are complete; if the link is cut meanwhile, the PBX completes them alone."""
        self.silences.forget(tap.id)
        running = [snoop for side in SIDES if (snoop := self._recordings.get(tap.name(side))) is not None]
        if not self._hang_up(tap):
            running = []
        for snoop in running:
            if not snoop.finished.wait(REQUEST_DEADLINE):
                self._recordings.pop(snoop.recording, None)
        return {side: tap.name(side) for side in SIDES}

    def _snoop(self, channel_id: str, tap: AsteriskTap) -> bool:
        """False if the snoops are there already: a restarted controller takes its tap over."""
        sent = [
            self._send(
                "POST",
                f"{resource('channels', channel_id)}/snoop/{resource(tap.name(side))}",
                {"app": self._app, "spy": direction, "appArgs": "tap"},
            )
            for side, direction in SIDES.items()
        ]
        existing = 0
        for side, pending in zip(SIDES, sent, strict=True):
            try:
                pending.wait()
            except Refused as refused:
                # 409 from some servers, 500 from others: is it there already?
                if refused.status not in (409, 500) or not self._exists(tap.name(side)):
                    raise
                existing += 1
        return existing < len(sent)

    def _exists(self, snoop: str) -> bool:
        try:
            self._send("GET", resource("channels", snoop)).wait()
        except Gone:
            return False
        return True

    def _record(self, tap: AsteriskTap) -> None:
        sent = [
            self._send(
                "POST",
                f"{resource('channels', tap.name(side))}/record",
                {"name": tap.name(side), "format": "wav", "ifExists": "overwrite", "terminateOn": "none"},
            )
            for side in SIDES
        ]
        for pending in sent:
            pending.wait()

    def _hang_up(self, tap: AsteriskTap) -> bool:
        """False without a link; then it is done when the link is back."""
        sent = []
        for side in SIDES:
            snoop = self._snoops.pop(tap.name(side), None)
            if snoop is None:
                continue
            try:
                sent.append(self._send("DELETE", resource("channels", tap.name(side))))
            except LinkDown:
                self._to_hang_up.add(tap.name(side))
        for pending in sent:
            with suppress(PbxError):
                pending.wait()
        return self._to_hang_up.isdisjoint(tap.name(side) for side in SIDES)

    # -- events, called by the reader ------------------------------------------------------------------------------

    def snoop_started(self, channel_id: str) -> bool:
        """Was this StasisStart one of ours?"""
        if (snoop := self._snoops.get(channel_id)) is None:
            return False
        snoop.ready.set(None)
        return True

    def snoop_ended(self, channel_id: str) -> None:
        if (snoop := self._snoops.pop(channel_id, None)) is not None and not snoop.ready.ready():
            snoop.ready.set_exception(Gone("the channel ended before its recording began"))

    def recording_started(self, name: str, at: float) -> None:
        if (snoop := self._recordings.get(name)) is not None:
            snoop.tap.started["left" if name == snoop.tap.name("left") else "right"] = at

    def recording_ended(self, name: str) -> bool:
        """Was this recording one of a tap?"""
        if (snoop := self._recordings.pop(name, None)) is None:
            return False
        snoop.finished.set()
        return True

    def lost(self, error: PbxError) -> None:
        """The link is gone: nobody shall wait for what we cannot hear."""
        for snoop in self._snoops.values():
            if not snoop.ready.ready():
                snoop.ready.set_exception(error)
        for snoop in self._recordings.values():
            snoop.finished.set()
            snoop.finished = Flag()

    def names(self) -> set[str]:
        """The channels that record, or are to."""
        return set(self._recordings)

    def linked(self, gone: Iterable[str]) -> None:
        """The link is back. Of those that were known before, these are not there any more: what ended meanwhile has
        ended. (One that was begun since is on no list yet, and runs.)"""
        for name in gone:
            self.snoop_ended(name)
            self.recording_ended(name)
        for name in self._to_hang_up:
            with suppress(LinkDown):
                self._send("DELETE", resource("channels", name))
        self._to_hang_up.clear()
