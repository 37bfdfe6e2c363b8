"""The conformance suite's bed on a FreeSWITCH: provisioned as a company's is, with sounds and music of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent

from contactcentre.lab import FreeswitchLab, OngoingCall, Phone
from contactcentre.pbx.freeswitch.driver import FreeSwitchPbx
from contactcentre.pbx.protocol import MayAct, always
from contactcentre.provision import FreeswitchTarget, apply, make_plan, parse
from tests.pbx.bed import AGENTS, MUSIC, MUSIC_TONE, PATIENCE, SECRET, Bed
from tests.pbx.spectrum import write_tone

SAID = [*map(str, range(20)), *map(str, range(20, 100, 10)), "hundred", "thousand", "million", "star", "pound"]

DIDS = [*(f"8{number:02}" for number in range(30)), "800123"]


class FreeSwitchBed(Bed):
    beep, records_beeps = 1000, False
    declines_carriers = False  # it would with `disable-transfer` in a profile of the trunk's own
    takes_subscriptions = False  # it would with `manage-presence` in the lab's profile

    def __init__(self, lab: FreeswitchLab) -> None:
        self.lab = lab
        self._info = info = lab.info()
        if not (Path(info.etc_dir) / "dialplan/contactcentre.xml").exists():
            self._provision()
        self.pbx = self._made = self.new_pbx()

    def _provision(self) -> None:
        """What a company's switch gets (the templates of dialplans/freeswitch), and what only these tests need."""
        info = self._info
        etc, sounds, music = Path(info.etc_dir), Path(info.sounds_dir), Path(info.state_dir) / "steady-music"
        (sounds / "digits").mkdir(exist_ok=True)
        for number, word in enumerate(SAID):
            write_tone(sounds / f"digits/{word}.wav", 900 + 50 * number, 0.4)
        write_tone(sounds / "vm-goodbye.wav", 1000, 2)
        music.mkdir(exist_ok=True)
        write_tone(music / "tone.wav", MUSIC_TONE, 300)  # it is silent for a second between two rounds
        (etc / "dialplan/bed.xml").write_text(_ELSEWHERE)
        (etc / "dialplan/public/bed.xml").write_text(_PLAIN)
        site = parse(
            {
                "trunks": {"lab": {"host": info.sip_host, "port": info.sip_port}},
                "dids": {number: {"flow": "main"} for number in DIDS},
                "agents": {name: {"number": "*99"} if name == "ben" else {} for name in AGENTS},
                "queues": {"own": {"agents": ["anna"], "wrap_up": 0, "retry_delay": 1}},
                "features": {"voicemail": "*70"},
                "music": {MUSIC: {"directory": str(music)}},
                "flows": {"main": {"start": "wait", "nodes": {"wait": {"type": "queue", "queue": "own"}}}},
            }
        )
        target = FreeswitchTarget(etc, self.lab.rx)
        plan = make_plan(site, target, {f"agent/{name}": SECRET for name in AGENTS})
        apply(plan, target, lambda *_: 1, lambda _: None, by="test")
        gevent.sleep(1.5)  # it begins a class of music a second after it was started, and tells nothing of it

    @property
    def leaves_transfers(self) -> bool:
        return False

    def new_pbx(self, may_act: MayAct = always) -> FreeSwitchPbx:
        info = self._info
        at = info.esl_host, info.esl_port, info.esl_password
        return FreeSwitchPbx("node1", *at, info.recordings_dir, may_act=may_act)

    @contextmanager
    def phone(self, name: str, **behaviour: Any) -> Iterator[Phone]:
        phone = self.lab.phone(name, SECRET, **behaviour)
        try:
            phone.wait_registered()
            self._await_registered(name, True)
            yield phone
        finally:
            phone.close()
            self._await_registered(name, False)

    def _await_registered(self, name: str, there: bool) -> None:
        """FreeSWITCH calls a phone where its table says, which follows a registration by some tenths of a second."""
        with gevent.Timeout(PATIENCE, AssertionError(f"registered {name}: not {there}")):
            while ("sofia/" in self.lab.rx(f"sofia_contact */{name}@{self._info.domain}")) is not there:
                gevent.sleep(0.02)

    def dial(self, did: str, **plan: Any) -> OngoingCall:
        return self.lab.dial(did, **plan)

    def cut(self) -> None:
        self._made._link.link()._socket.shutdown(2)

    def channels(self) -> int:
        # its list of channels follows by some tenths of a second; the count of sessions does not
        (line,) = [line for line in self.lab.rx("status").splitlines() if "session(s) - peak" in line]
        return int(line.split()[0])

    def hang_up_all(self) -> None:
        self.lab.rx("hupall NORMAL_CLEARING")


_PLAIN = """<include>
  <extension name="calls that do not come to a controller" continue="true">
    <condition field="destination_number" expression="^[*][123]$">
      <action application="set" data="contactcentre_endpoint=lab" inline="true"/>
    </condition>
  </extension>
  <extension name="the switch's own queue">
    <condition field="destination_number" expression="^[*]1$">
      <action application="transfer" data="own XML contactcentre-fallback"/>
    </condition>
  </extension>
  <extension name="... for want of a controller">
    <condition field="destination_number" expression="^[*]3$">
      <action application="set" data="contactcentre_args=did,800"/>
      <action application="set" data="contactcentre_since=1795000000"/>
      <action application="set" data="contactcentre_next=queue-own"/>
      <action application="transfer" data="queue-own XML contactcentre-hands"/>
    </condition>
  </extension>
  <extension name="a plain call">
    <condition field="destination_number" expression="^[*]2$">
      <action application="bridge" data="user/anna"/>
    </condition>
  </extension>
</include>
"""

_ELSEWHERE = """<include>
  <context name="elsewhere">
    <extension name="1">
      <condition field="destination_number" expression="^1$">
        <action application="answer"/>
        <action application="sleep" data="60000"/>
      </condition>
    </extension>
  </context>
</include>
"""
