"""People in calls, and who of them hears whom: everybody plays a tone of their own and is listened to."""

from contextlib import ExitStack
from pathlib import Path

import gevent

from contactcentre.lab import Hearing, OngoingCall, Phone
from contactcentre.pbx.events import Answered
from contactcentre.pbx.protocol import Channel
from tests.pbx.bed import MUSIC_TONE, Bed, Heard
from tests.pbx.spectrum import loudness, share
from tests.pbx.test_conformance_media import answered

CUSTOMER, ANNA, BEN, CARLA = 400, 800, 1250, 1700
"""The tones of the parties, Hz: none is another's harmonic."""
FIRST = {"customer": 60_000, "anna": 50_000, "ben": 30_000, "carla": 10_000}
"""Where the numbers of their RTP packets begin: each agent's behind those of the one before, anna's behind carla's,
ben's behind the customer's. There are switches that take such voices for late packets."""
SETTLE = 0.3
"""Seconds that media needs to follow the PBX: its buffers, and those of the simulated phones."""
WHOLE = 20
"""So many packets of 25 are in half a second that was heard without a gap."""


class Party:
    """One end of a call, as heard from outside, and its channel in our hands."""

    def __init__(self, name: str, tone: int, channel: Channel, inbox: Heard, end: OngoingCall | Phone) -> None:
        self.name, self.tone, self.channel, self.inbox, self.end = name, tone, channel, inbox, end


class Scene:
    """A customer and agents, each in a call of their own; tests put them together and listen."""

    def __init__(self, bed: Bed, directory: Path, stack: ExitStack) -> None:
        self.bed, self.enter, self._directory = bed, stack.enter_context, directory
        self.everybody: list[Party] = []

    def customer(self) -> Party:
        arrival = answered(self.bed, tone=CUSTOMER, sequence=FIRST["customer"])
        return self._here(Party("customer", CUSTOMER, arrival.channel, arrival.inbox, arrival.call))

    def agent(self, name: str) -> Party:
        tone = {"anna": ANNA, "ben": BEN, "carla": CARLA}[name]
        phone = self.enter(self.bed.phone(name, ring=0, talk=None, tone=tone, sequence=FIRST[name]))
        channel, inbox = self.bed.call(name)
        inbox.until(Answered)
        return self._here(Party(name, tone, channel, inbox, phone))

    def _here(self, party: Party) -> Party:
        self.everybody.append(party)
        return party

    def onlooker(self, name: str, tone: int, end: OngoingCall | Phone) -> None:
        """Somebody in a call that is not in our hands."""
        self.everybody.append(Party(name, tone, None, Heard(), end))

    def together(self, *parties: Party) -> str:
        bridge = self.bed.pbx.bridge(self.bed.name("bridge"))
        bridge.add(*[party.channel for party in parties])
        return bridge.id

    def listen(self, party: Party) -> set[str]:
        """Whom this party hears, in half a second from now."""
        return self._audible(party.end.hear(0.5, self.file(party.name)).wait())

    def file(self, name: str) -> Path:
        return self._directory / f"{name}.wav"

    def heard(self) -> dict[str, set[str]]:
        """Whom each party hears, in half a second from now. Where packets are missing, it is silent or the machine was
        busy with others: then the same must be heard twice."""
        before: dict[str, set[str]] | None = None
        while True:
            gevent.sleep(SETTLE)
            files: dict[str, Hearing] = {one.name: one.end.hear(0.5, self.file(one.name)) for one in self.everybody}
            heard = {name: self._audible(file.wait()) for name, file in files.items()}
            if heard == before or all(file.packets >= WHOLE for file in files.values()):
                return heard
            before = heard

    def music(self, party: Party) -> bool:
        """Does this one hear the music of a waiting room, and nothing else?"""
        return share(party.end.hear(0.5, self.file(party.name)).wait(), MUSIC_TONE) > 0.9

    def _audible(self, file: Path) -> set[str]:
        if loudness(file) < 50:
            return set()
        return {party.name for party in self.everybody if share(file, party.tone) > 0.05}
