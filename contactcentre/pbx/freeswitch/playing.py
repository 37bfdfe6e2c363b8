"""What plays and records on channels: sequences of applications, each begun when the one before has ended.

They begin inside of whatever the channel does (music goes on after a prompt), but one after the other: each locks the
channel against the next (`event-lock`). Steps are followed by the key that each is given, whose end names it
(Application-UUID).
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from contactcentre.pbx.errors import Gone, PbxError
from contactcentre.pbx.events import PlaybackEnded, RecordingEnded
from contactcentre.pbx.freeswitch import protocol
from contactcentre.pbx.freeswitch.connection import Connection
from contactcentre.pbx.freeswitch.link import Pending
from contactcentre.pbx.freeswitch.reader import Event
from contactcentre.pbx.legs import Legs
from contactcentre.pbx.protocol import REQUEST_DEADLINE

OVERTIME = 2.0
"""Seconds that a recording may run beyond its limit before it is stopped."""
Step = tuple[str, str]
"""An application and its argument."""


@dataclass(slots=True)
class _Sequence:
    id: str
    channel_id: str
    steps: list[Step]
    recording: bool = False
    at: int = 0  # the step that runs
    begun: bool = False  # has that step begun?
    stopped: bool = False
    ok: bool = True
    latest: float = 0.0  # when it must have ended, by our clock; 0 = it ends by itself

    @property
    def key(self) -> str:
        return f"{self.id}.{self.at}"


class Playing:
    def __init__(self, link: Connection, legs: Legs) -> None:
        self._link, self._legs = link, legs
        self._sequences: dict[str, _Sequence] = {}
        self._by_key: dict[str, _Sequence] = {}
        self._probes: dict[str, _Sequence] = {}

    # -- verbs ---------------------------------------------------------------------------------------------------------

    def play(self, channel_id: str, playback_id: str, steps: Sequence[Step]) -> None:
        """Raises Gone (the channel), Refused, LinkDown, Deadline."""
        self._begin(_Sequence(protocol.identity(playback_id), channel_id, list(steps)))

    def record(self, channel_id: str, name: str, steps: Sequence[Step], latest: float) -> None:
        """The last of the steps records."""
        self._begin(_Sequence(protocol.identity(name), channel_id, list(steps), recording=True, latest=latest))

    def stop(self, id: str) -> None:
        """No error when it has ended already. Nothing that was to follow is played."""
        if (sequence := self._sequences.get(id)) is None:
            return
        sequence.stopped = True
        if sequence.begun:  # else when it begins: what runs now is another
            with suppress(Gone):
                self._link.request(f"uuid_break {protocol.identity(sequence.channel_id)}")

    def runs(self, id: str) -> bool:
        return id in self._sequences

    def stop_all(self, channel_id: str) -> None:
        """The channel is moved, which ends what plays there. Nothing follows it."""
        for sequence in self._sequences.values():
            if sequence.channel_id == channel_id and not sequence.recording:
                sequence.stopped = True

    def _begin(self, sequence: _Sequence) -> None:
        self._sequences[sequence.id] = sequence
        self._legs.begin(sequence.channel_id, sequence.id)
        try:
            self._start(sequence).wait()
        except PbxError:
            self._forget(sequence)
            raise

    def _start(self, sequence: _Sequence) -> Pending:
        application, argument = sequence.steps[sequence.at]
        return self._execute(self._by_key, sequence, sequence.key, application, argument)

    def _execute(
        self, keys: dict[str, _Sequence], sequence: _Sequence, key: str, application: str, argument: str
    ) -> Pending:
        keys[key] = sequence
        data = protocol.execute(sequence.channel_id, application, argument, key=key, queued=True)
        return self._link.link().send(data)

    # -- called by the reader and the driver ---------------------------------------------------------------------------

    def began(self, event: Event, attempt: Callable[[str], None]) -> None:
        """CHANNEL_EXECUTE."""
        if (sequence := self._by_key.get(event.get("Application-UUID", ""))) is not None:
            sequence.begun = True
            if sequence.stopped:
                attempt(f"uuid_break {protocol.identity(sequence.channel_id)}")

    def completed(self, event: Event, at: float) -> None:
        """CHANNEL_EXECUTE_COMPLETE: a step ended, or was cut off."""
        key = event.get("Application-UUID", "")
        sequence = self._by_key.pop(key, None) or self._probes.pop(key, None)
        if sequence is None or sequence.id not in self._sequences:
            return
        self._by_key.pop(sequence.key, None)
        response = event.get("Application-Response", "")
        sequence.ok = sequence.ok and response != "FILE NOT FOUND"
        gone = "Hangup-Cause" in event
        if gone and not sequence.recording:
            self._forget(sequence)  # nobody has heard its end
            return
        cut = response == "PLAYBACK ERROR" or gone
        last = sequence.at + 1 == len(sequence.steps)
        if not (last or cut or sequence.stopped):
            sequence.at += 1
            sequence.begun = False
            try:
                self._start(sequence)
                return
            except PbxError:
                pass  # the link is just lost, or the channel
        seconds = 0.0
        if sequence.recording:
            seconds = _number(event.get("variable_record_ms", "")) / 1000
            sequence.ok = last and sequence.ok
        self._finish(sequence, at, seconds)

    def _finish(self, sequence: _Sequence, at: float, seconds: float) -> None:
        self._forget(sequence)
        if sequence.recording:
            self._legs.tell(RecordingEnded(sequence.channel_id, at, sequence.id, seconds, sequence.ok))
        else:
            self._legs.tell(PlaybackEnded(sequence.channel_id, at, sequence.id, sequence.ok))

    def ended(self, channel_id: str) -> None:
        """The channel is gone: no end of these is told any more."""
        for sequence in [s for s in self._sequences.values() if s.channel_id == channel_id]:
            self._forget(sequence)

    def overdue(self, now: float, attempt: Callable[[str], None]) -> None:
        """A caller who sends no audio stops FreeSWITCH's clock for the recording: ours ends it."""
        for sequence in self._sequences.values():
            if sequence.latest and now > sequence.latest:
                sequence.latest = now + REQUEST_DEADLINE
                attempt(f"uuid_break {protocol.identity(sequence.channel_id)}")

    def catch_up(self) -> None:
        """The link is back. What is asked for now waits behind what runs; its end is that of all that ran."""
        for sequence in list(self._sequences.values()):
            sequence.begun = True
            with suppress(PbxError):
                self._execute(self._probes, sequence, f"{sequence.key}.p", "set", "contactcentre_probe=true")

    def _forget(self, sequence: _Sequence) -> None:
        self._sequences.pop(sequence.id, None)
        self._by_key.pop(sequence.key, None)
        self._probes.pop(f"{sequence.key}.p", None)
        self._legs.done(sequence.channel_id, sequence.id)


def _number(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() else 0.0
