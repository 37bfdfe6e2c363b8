"""The lab's base configuration of FreeSWITCH: what a private switch on loopback needs before provisioning.

Its files lie where FreeSWITCH's own `vanilla` configuration has them, so what is provisioned lies in the lab where it
lies on a company's switch: `dialplan/*.xml`, `dialplan/public/*.xml`, `directory/default/*.xml`,
`sip_profiles/external/*.xml`, `autoload_configs/*.xml`. An X-PRE-PROCESS has its line to itself: FreeSWITCH drops what
else is on it.
"""

import math
import struct
import wave
from pathlib import Path
from xml.sax.saxutils import quoteattr

from contactcentre.lab.freeswitch.install import Freeswitch
from contactcentre.lab.ports import LOOPBACK, Ports
from contactcentre.lab.switch import Directories

DOMAIN = LOOPBACK
PROFILE = "internal"
MUSIC = "moh"
"""The class of music on hold, under the name that FreeSWITCH's own configuration uses."""

_MAIN = """<?xml version="1.0"?>
<document type="freeswitch/xml">
  <X-PRE-PROCESS cmd="set" data="domain={domain}"/>
  <X-PRE-PROCESS cmd="set" data="domain_name={domain}"/>
  <X-PRE-PROCESS cmd="set" data="hold_music=local_stream://{music}"/>
  <X-PRE-PROCESS cmd="set" data="global_codec_prefs=PCMU,PCMA"/>
  <section name="configuration">
    <X-PRE-PROCESS cmd="include" data="autoload_configs/*.xml"/>
  </section>
  <section name="dialplan">
    <X-PRE-PROCESS cmd="include" data="dialplan/*.xml"/>
  </section>
  <section name="directory">
    <X-PRE-PROCESS cmd="include" data="directory/*.xml"/>
  </section>
</document>
"""

_SWITCH = """<configuration name="switch.conf">
  <settings>
    <param name="switchname" value="lab"/>
    <param name="max-sessions" value="4000"/>
    <param name="sessions-per-second" value="200"/>
    <param name="loglevel" value="info"/>
    <param name="rtp-start-port" value="{first}"/>
    <param name="rtp-end-port" value="{last}"/>
  </settings>
</configuration>
"""

_LOGFILE = """<configuration name="logfile.conf">
  <profiles>
    <profile name="default">
      <settings><param name="rollover" value="0"/></settings>
      <mappings><map name="all" value="info,notice,warning,err,crit,alert"/></mappings>
    </profile>
  </profiles>
</configuration>
"""

_EVENT_SOCKET = """<configuration name="event_socket.conf">
  <settings>
    <param name="nat-map" value="false"/>
    <param name="listen-ip" value="127.0.0.1"/>
    <param name="listen-port" value="{port}"/>
    <param name="password" value={password}/>
    <param name="stop-on-bind-error" value="true"/>
  </settings>
</configuration>
"""

_LOCAL_STREAM = """<configuration name="local_stream.conf">
<X-PRE-PROCESS cmd="include" data="../contactcentre/music.xml"/>
  <directory name="{music}" path={path}>
    <param name="rate" value="8000"/>
    <param name="channels" value="1"/>
    <param name="interval" value="20"/>
    <param name="timer-name" value="soft"/>
  </directory>
</configuration>
"""

_SOFIA = """<configuration name="sofia.conf">
  <profiles>
    <X-PRE-PROCESS cmd="include" data="../sip_profiles/*.xml"/>
  </profiles>
</configuration>
"""

# One port for phones and for the trunk, as with the lab's Asterisk: the dialplan tells them apart.
_PROFILE = """<profile name="{profile}">
  <gateways>
    <X-PRE-PROCESS cmd="include" data="external/*.xml"/>
  </gateways>
  <domains><domain name="all" alias="true" parse="false"/></domains>
  <settings>
    <param name="user-agent-string" value="contactcentre-lab"/>
    <param name="sip-ip" value="127.0.0.1"/>
    <param name="rtp-ip" value="127.0.0.1"/>
    <param name="sip-port" value="{port}"/>
    <param name="dialplan" value="XML"/>
    <param name="context" value="public"/>
    <param name="inbound-codec-prefs" value="$${{global_codec_prefs}}"/>
    <param name="outbound-codec-prefs" value="$${{global_codec_prefs}}"/>
    <param name="inbound-codec-negotiation" value="generous"/>
    <param name="inbound-late-negotiation" value="true"/>
    <param name="rfc2833-pt" value="101"/>
    <param name="dtmf-type" value="rfc2833"/>
    <param name="dtmf-duration" value="2000"/>
    <param name="hold-music" value="$${{hold_music}}"/>
    <param name="rtp-timer-name" value="soft"/>
    <param name="auth-calls" value="false"/>
    <param name="accept-blind-reg" value="false"/>
    <param name="inbound-reg-force-matching-username" value="true"/>
    <param name="challenge-realm" value="auto_from"/>
    <param name="nonce-ttl" value="60"/>
    <param name="force-register-domain" value="$${{domain}}"/>
    <param name="force-register-db-domain" value="$${{domain}}"/>
    <param name="multiple-registrations" value="false"/>
    <param name="all-reg-options-ping" value="true"/>
    <param name="unregister-on-options-fail" value="true"/>
    <param name="ping-mean-interval" value="10"/>
    <param name="manage-presence" value="false"/>
    <param name="tls" value="false"/>
    <param name="ws-binding" value="127.0.0.1:{websocket}"/>
    <param name="apply-candidate-acl" value="any_v4.auto"/>
  </settings>
</profile>
"""

_DIRECTORY = """<include>
  <domain name="$${domain}">
    <params>
      <param name="dial-string"
             value="{^^:sip_invite_domain=${dialed_domain}:presence_id=${dialed_user}@${dialed_domain}}\
${sofia_contact(*/${dialed_user}@${dialed_domain})}"/>
    </params>
    <groups>
      <group name="default">
        <users>
          <X-PRE-PROCESS cmd="include" data="default/*.xml"/>
        </users>
      </group>
    </groups>
  </domain>
</include>
"""

# Calls that nobody has proved to be a phone's. Who claims to be a phone must prove it; everybody else is the lab's
# trunk. What was dialled is the caller's to choose: only what can be a number goes on.
_PUBLIC = """<include>
  <context name="public">
    <extension name="a phone must prove that it is one">
      <condition field="${sip_authorized}" expression="^true$" break="on-true"/>
      <condition field="${user_exists(id ${sip_from_user} $${domain})}" expression="^true$">
        <action application="respond" data="407"/>
      </condition>
    </extension>
    <X-PRE-PROCESS cmd="include" data="public/*.xml"/>
    <extension name="the lab's trunk">
      <condition field="destination_number" expression="^([0-9+*#]+)$">
        <action application="set" data="contactcentre_endpoint=lab"/>
        <action application="transfer" data="$1 XML contactcentre-in"/>
      </condition>
    </extension>
    <extension name="no number">
      <condition><action application="respond" data="404"/></condition>
    </extension>
  </context>
</include>
"""

_CALLCENTER = """<configuration name="callcenter.conf">
  <settings/>
  <queues>
<X-PRE-PROCESS cmd="include" data="../contactcentre/queues.xml"/>
  </queues>
  <agents>
<X-PRE-PROCESS cmd="include" data="../contactcentre/agents.xml"/>
  </agents>
  <tiers>
<X-PRE-PROCESS cmd="include" data="../contactcentre/tiers.xml"/>
  </tiers>
</configuration>
"""

_CONFERENCE = """<configuration name="conference.conf">
  <profiles>
<X-PRE-PROCESS cmd="include" data="../contactcentre/conference.xml"/>
  </profiles>
</configuration>
"""

_FIFO = """<configuration name="fifo.conf">
  <settings><param name="delete-all-outbound-member-on-startup" value="false"/></settings>
  <fifos>
  </fifos>
</configuration>
"""


def base_files(
    freeswitch: Freeswitch, directories: Directories, ports: Ports, websocket: int, password: str
) -> dict[str, str]:
    """Path below the configuration directory -> text, of every base file. `websocket`: the port at which browsers'
    phones sign in."""
    loads = "".join(f'    <load module="{name}"/>\n' for name in freeswitch.modules)
    music = quoteattr(str(directories.data / "music"))
    own = {
        "freeswitch.xml": _MAIN.format(domain=DOMAIN, music=MUSIC),
        "autoload_configs/modules.conf.xml": (
            f'<configuration name="modules.conf">\n  <modules>\n{loads}  </modules>\n</configuration>\n'
        ),
        "autoload_configs/switch.conf.xml": _SWITCH.format(first=ports.rtp_first, last=ports.rtp_last),
        "autoload_configs/logfile.conf.xml": _LOGFILE,
        "autoload_configs/event_socket.conf.xml": _EVENT_SOCKET.format(
            port=ports.control, password=quoteattr(password)
        ),
        "autoload_configs/local_stream.conf.xml": _LOCAL_STREAM.format(music=MUSIC, path=music),
        "autoload_configs/sofia.conf.xml": _SOFIA,
        "autoload_configs/callcenter.conf.xml": _CALLCENTER,
        "autoload_configs/conference.conf.xml": _CONFERENCE,
        "autoload_configs/fifo.conf.xml": _FIFO,
        f"sip_profiles/{PROFILE}.xml": _PROFILE.format(profile=PROFILE, port=ports.sip, websocket=websocket),
        "directory/default.xml": _DIRECTORY,
        "dialplan/public.xml": _PUBLIC,
    }
    # read by what is loaded: an empty one is its defaults, a missing one an error in the log
    for name in (
        "acl",
        "db",
        "hash",
        "post_load_modules",
        "post_load_switch",
        "spandsp",
        "timezones",
    ):
        own[f"autoload_configs/{name}.conf.xml"] = f'<configuration name="{name}.conf"/>\n'
    return own


def write_base(freeswitch: Freeswitch, directories: Directories, ports: Ports, websocket: int, password: str) -> None:
    """Write the base configuration and lay out the directories; what is provisioned or recorded stays."""
    d = directories
    included = ("dialplan/public", "directory/default", "sip_profiles/external")
    data = ("cache", "certs", "scripts", "htdocs", "grammar", "music")
    for made in (
        *(d.etc / name for name in included),
        *(d.data / name for name in data),
        *(d.provisioned, d.sounds, d.recordings, d.run, d.log, d.db, d.spool / "tmp"),
    ):
        made.mkdir(parents=True, exist_ok=True)
    for private in (d.etc, d.spool, d.log, d.db, d.run):  # secrets, recordings, callers' numbers
        private.chmod(0o700)
    for name, text in base_files(freeswitch, d, ports, websocket, password).items():
        target = d.etc / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(mode=0o600)
        target.write_text(text)
    _write_music(d.data / "music" / "chord.wav")


def _write_music(path: Path) -> None:
    """Eight seconds of three soft tones that swell and fade: FreeSWITCH brings no music of its own."""
    rate, seconds = 8000, 8
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        for second in range(seconds):
            moments = (second + n / rate for n in range(rate))
            chord = (
                1500
                * (1 - math.cos(math.pi * t / 2))
                * sum(math.sin(math.tau * hertz * t) for hertz in (262, 330, 392))
                for t in moments
            )
            sound.writeframes(b"".join(struct.pack("<h", int(value)) for value in chord))
