"""Decoders that take the next voice for late packets, and how they are made to begin anew before it.

Debian and Ubuntu build Asterisk with a patch, "enable native PLC" (from asterisk-opus), by which a decoder drops frames
whose RTP number is up to half a round behind that of the last frame it had. The numbers of another phone begin
anywhere, so every second voice that comes to a decoder which has had another one is dropped, for eleven minutes at
most. Two decoders of a channel outlive a voice:

* that of its snoops, as long as there are any: recordings and supervisors miss whom the channel hears, and a whisper is
  not mixed in;
* where codecs differ, that of a channel which stays in its bridge: it does not hear the next one itself.

Asterisk makes another decoder when something else has to be decoded, so 40 ms of silence are played to the channel. To
snoops linear sound of 8 kHz comes as it is. Linear sound of 16 kHz, for the first half, lets them change to that; then
the second half, of 8 kHz, has to be converted, and so has from then on whatever Asterisk says itself at 8 kHz: music,
prompts, the mix of a conference. What a channel hears is decoded anew after anything that is played.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from gevent.event import Event as Flag

from contactcentre.pbx.asterisk.protocol import resource
from contactcentre.pbx.asterisk.translate import media
from contactcentre.pbx.asterisk.waiting import PREFIX
from contactcentre.pbx.errors import Gone, PbxError, Refused
from contactcentre.pbx.legs import Legs

QUIET = {"quiet-16k.sln16": bytes(640), "quiet-8k.sln": bytes(320)}
"""20 ms of silence each, in the formats that Asterisk knows by these suffixes: linear samples of 16 bits, no header."""
PATIENCE = 1.0
"""Seconds that the silence may take. It takes 0.042; on 18.10, when the caller sends nothing, 0.3."""

log = logging.getLogger(__name__)


def takes_voices_for_late(version: str) -> bool:
    """Is this Asterisk as Debian and Ubuntu build it?"""
    return "dfsg" in version


class Decoders:
    """`send` sends a request and returns what can be waited for; `sounds` is a directory that the PBX can read, too."""

    def __init__(self, send: Callable[..., Any], legs: Legs, sounds: Path | None = None) -> None:
        self._send, self._legs, self._sounds = send, legs, sounds
        self._media = ""  # what to play; "" = this server needs nothing
        self._snooped: set[str] = set()
        self._met: set[str] = set()  # had company in the bridge they are in
        self._playing: dict[str, Flag] = {}
        self._numbers = count(1)

    def prepare(self, version: str) -> None:
        """For a server of this version, which is linked now."""
        self._media = ""
        if not takes_voices_for_late(version):
            return
        if self._sounds is None:
            log.warning("Asterisk %s takes voices for late packets: a directory for sounds is needed", version)
            return
        try:
            self._sounds.mkdir(parents=True, exist_ok=True)
            for name, sound in QUIET.items():
                (self._sounds / name).write_bytes(sound)
            files = [(self._sounds / name).with_suffix("") for name in QUIET]
            self._media = ",".join([media(f"sound:{file}") for file in files])
        except (OSError, Refused) as error:
            log.warning("voices may be lost, this Asterisk needs sounds that cannot be made: %s", error)

    # -- before voices -----------------------------------------------------------------------------------------------

    def snooped(self, channel_id: str) -> None:
        """What it hears is recorded or listened to from now on."""
        self._snooped.add(channel_id)

    @contextmanager
    def joining(self, bridge_id: str, channel_ids: Collection[str], there: Collection[str]) -> Iterator[None]:
        """While these are moved into a bridge in which those are. Who has heard somebody is made ready before; but
        those who talk are interrupted afterwards, as their own voices would undo it. Raises LinkDown, Deadline."""
        if not self._media or bridge_id.startswith(PREFIX):  # music is linear
            yield
            return
        self._met.difference_update(channel_ids)
        ready = channel_ids if len(there) > 1 else {*channel_ids, *there}
        self.renew([one for one in ready if self._has_heard(one)])
        yield
        if len(there) > 1:
            self.renew_soon(there)
        if len(channel_ids) + len(there) > 1:
            self._met.update(channel_ids, there)

    def _has_heard(self, channel_id: str) -> bool:
        """Of one that was found there nobody knows."""
        return channel_id in self._snooped or channel_id in self._met or self._legs.is_recovered(channel_id)

    @contextmanager
    def playing(self, channel_id: str) -> Iterator[None]:
        """While it is asked to play something to it, whose numbers are 0 where it has to be decoded. Raises LinkDown,
        Deadline."""
        snooped = channel_id in self._snooped
        if snooped and (played := self._play(channel_id)):
            with suppress(Gone, Refused):
                played[1].wait()  # in this order
        yield
        if snooped:
            self._play(channel_id)

    def renew(self, channel_ids: Iterable[str]) -> None:
        """Returns when it is done. Raises LinkDown, Deadline."""
        for flag, pending in [played for one in channel_ids if (played := self._play(one))]:
            with suppress(Gone, Refused):  # it is just going
                pending.wait()
                flag.wait(PATIENCE)

    def renew_soon(self, channel_ids: Iterable[str]) -> None:
        """Somebody else may be heard now. Does not wait."""
        for channel_id in channel_ids:
            self._met.add(channel_id)
            self._play(channel_id)

    def _play(self, channel_id: str) -> tuple[Flag, Any] | None:
        """None if that is not needed, or not possible."""
        if not self._media:
            return None
        name = f"{_prefix(channel_id)}{next(self._numbers)}"
        try:
            path = f"{resource('channels', channel_id)}/play/{resource(name)}"
            pending = self._send("POST", path, {"media": self._media})
        except PbxError:
            return None
        self._legs.begin(channel_id, name)
        flag = self._playing[name] = Flag()
        return flag, pending

    # -- events, called by the reader --------------------------------------------------------------------------------

    def played(self, channel_id: str, playback_id: str, ok: bool) -> bool:
        """Was this playback one of ours?"""
        if (flag := self._playing.pop(playback_id, None)) is None:
            return False
        flag.set()
        leg = self._legs.get(channel_id)
        if not ok and leg is not None and not leg.hanging_up:
            log.warning("voices may be lost: the PBX cannot play the sounds in %s", self._sounds)
        return True

    def ended(self, channel_id: str) -> None:
        self._snooped.discard(channel_id)
        self._met.discard(channel_id)
        for name in [name for name in self._playing if name.startswith(_prefix(channel_id))]:
            self._playing.pop(name).set()

    def lost(self) -> None:
        """The link is gone: nobody shall wait for what we cannot hear."""
        for flag in self._playing.values():
            flag.set()


def _prefix(channel_id: str) -> str:
    return f"quiet-{channel_id}-"
