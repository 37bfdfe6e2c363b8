"""The conformance suite's bed on a FreeSWITCH: phones, a dialplan that gives calls to us, sounds, music."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent

from contactcentre.lab import FreeswitchLab, OngoingCall, Phone
from contactcentre.pbx.freeswitch.driver import FreeSwitchPbx
from tests.pbx.bed import AGENTS, MUSIC, MUSIC_TONE, PATIENCE, SECRET, Bed
from tests.pbx.spectrum import write_tone

SAID = [*map(str, range(20)), *map(str, range(20, 100, 10)), "hundred", "thousand", "million", "star", "pound"]


class FreeSwitchBed(Bed):
    declines_carriers = False  # it would with `disable-transfer` in a profile of the trunk's own
    takes_subscriptions = False  # it would with `manage-presence` in the lab's profile

    def __init__(self, lab: FreeswitchLab) -> None:
        self.lab = lab
        self._info = info = lab.info()
        etc, sounds = Path(info.etc_dir), Path(info.sounds_dir)
        if not (etc / "dialplan/contactcentre.xml").exists():
            for name in AGENTS:
                (etc / f"directory/default/{name}.xml").write_text(_USER.format(name=name, secret=SECRET))
            (etc / "dialplan/contactcentre.xml").write_text(_DIALPLAN.format(sounds=sounds))
            (etc / "autoload_configs/conference.conf.xml").write_text(_CONFERENCE)
            (etc / "autoload_configs/callcenter.conf.xml").write_text(_QUEUE)
            gateway = _GATEWAY.format(address=f"{info.sip_host}:{info.sip_port}")
            (etc / "sip_profiles/external/lab.xml").write_text(gateway)
            (sounds / "digits").mkdir(exist_ok=True)
            for number, word in enumerate(SAID):
                write_tone(sounds / f"digits/{word}.wav", 900 + 50 * number, 0.4)
            write_tone(sounds / "vm-goodbye.wav", 1000, 2)
            music = Path(info.state_dir) / "steady-music"
            music.mkdir(exist_ok=True)
            write_tone(music / "tone.wav", MUSIC_TONE)
            streams = etc / "autoload_configs/local_stream.conf.xml"
            text = streams.read_text().replace("</configuration>", _MUSIC.format(name=MUSIC, path=music))
            streams.write_text(text)
            for command in (
                "reloadxml",
                "reload mod_local_stream",
                "reload mod_callcenter",
                "sofia profile internal rescan",
            ):
                lab.rx(command)
        self.pbx = self._made = self.new_pbx()

    @property
    def leaves_transfers(self) -> bool:
        return False

    def new_pbx(self) -> FreeSwitchPbx:
        info = self._info
        return FreeSwitchPbx("node1", info.esl_host, info.esl_port, info.esl_password, info.recordings_dir)

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


_USER = """<include>
  <user id="{name}">
    <params><param name="password" value="{secret}"/></params>
    <variables>
      <variable name="user_context" value="contactcentre-agents"/>
      <variable name="contactcentre_endpoint" value="{name}"/>
    </variables>
  </user>
</include>
"""

_GATEWAY = """<include>
  <gateway name="lab">
    <param name="proxy" value="{address}"/>
    <param name="register" value="false"/>
  </gateway>
</include>
"""

_MUSIC = """  <directory name="{name}" path="{path}">
    <param name="rate" value="8000"/>
    <param name="channels" value="1"/>
    <param name="interval" value="20"/>
    <param name="timer-name" value="soft"/>
  </directory>
</configuration>"""

_CONFERENCE = """<configuration name="conference.conf">
  <caller-controls><group name="nothing"/></caller-controls>
  <profiles>
    <profile name="contactcentre">
      <param name="rate" value="8000"/>
      <param name="interval" value="20"/>
      <param name="energy-level" value="0"/>
      <param name="caller-controls" value="nothing"/>
      <param name="moderator-controls" value="nothing"/>
      <param name="comfort-noise" value="false"/>
      <param name="auto-gain-level" value="0"/>
      <param name="suppress-events" value="add-member,start-talking,stop-talking,energy-level,volume-level,gain-level"/>
    </profile>
  </profiles>
</configuration>
"""

_QUEUE = """<configuration name="callcenter.conf">
  <settings/>
  <queues>
    <queue name="own@default">
      <param name="strategy" value="ring-all"/>
      <param name="moh-sound" value="$${{hold_music}}"/>
      <param name="time-base-score" value="queue"/>
    </queue>
  </queues>
  <agents>
    <agent name="anna@default" type="callback" contact="user/anna" status="Available" max-no-answer="3"
           wrap-up-time="0" reject-delay-time="1" busy-delay-time="1"/>
  </agents>
  <tiers><tier agent="anna@default" queue="own@default" level="1" position="1"/></tiers>
</configuration>
""".replace("{{", "{").replace("}}", "}")

_DIALPLAN = """<include>
  <context name="contactcentre-in">
    <extension name="sounds" continue="true">
      <condition>
        <action application="set" data="sound_prefix={sounds}" inline="true"/>
        <action application="set" data="contactcentre_endpoint=lab" inline="true"/>
      </condition>
    </extension>
    <extension name="a DID, when a controller is there">
      <condition field="destination_number" expression="^([0-9]+)$"/>
      <condition field="${{contactcentre_door}}" expression="^.+$">
        <action application="set" data="contactcentre_args=did,${{destination_number}}"/>
        <action application="set" data="contactcentre_next=fallback"/>
        <action application="socket" data="${{contactcentre_door}} async full"/>
        <action application="transfer" data="${{contactcentre_next}} XML contactcentre-hands"/>
      </condition>
    </extension>
    <extension name="a DID">
      <condition field="destination_number" expression="^[0-9]+$">
        <action application="transfer" data="fallback XML contactcentre-hands"/>
      </condition>
    </extension>
    <extension name="the switch's own queue">
      <condition field="destination_number" expression="^[*]1$">
        <action application="answer"/>
        <action application="callcenter" data="own@default"/>
      </condition>
    </extension>
    <extension name="a plain call">
      <condition field="destination_number" expression="^[*]2$">
        <action application="bridge" data="user/anna"/>
      </condition>
    </extension>
  </context>
  <context name="contactcentre-hands">
    <extension name="taken">
      <condition field="destination_number" expression="^taken$"><action application="park"/></condition>
    </extension>
    <extension name="no controller">
      <condition field="destination_number" expression="^fallback$">
        <action application="answer"/>
        <action application="playback" data="vm-goodbye.wav"/>
        <action application="hangup"/>
      </condition>
    </extension>
  </context>
  <context name="contactcentre-agents">
    <extension name="ben">
      <condition field="destination_number" expression="^[*]99$">
        <action application="bridge" data="user/ben"/>
      </condition>
    </extension>
    <extension name="a code">
      <condition field="destination_number" expression="^([*][0-9]+)$"/>
      <condition field="${{contactcentre_door}}" expression="^.+$">
        <action application="set" data="contactcentre_args=feature,${{destination_number}},${{sip_auth_username}}"/>
        <action application="set" data="contactcentre_next=nobody"/>
        <action application="socket" data="${{contactcentre_door}} async full"/>
        <action application="transfer" data="${{contactcentre_next}} XML contactcentre-hands"/>
      </condition>
    </extension>
  </context>
  <context name="contactcentre-transfer">
    <extension name="to a number">
      <condition field="destination_number" expression="^([0-9A-Za-z*#+]{{1,80}})$">
        <action application="set" data="contactcentre_refer=$1"/>
        <action application="park"/>
      </condition>
    </extension>
    <extension name="to anything else">
      <condition>
        <action application="set" data="contactcentre_refer=?"/>
        <action application="park"/>
      </condition>
    </extension>
  </context>
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
