"""What a test of the whole controller must know of the PBX under it: how it is provisioned, named to the controller,
asked what is left. Everything else is the same on both."""

import json
import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests

from contactcentre.lab import FreeswitchLab, Lab
from contactcentre.provision import AnyTarget, AsteriskTarget, FreeswitchTarget
from contactcentre.provision.render import Outbound
from tests.pbx.spectrum import write_tone

PROMPT_TONE = 985
"""Hz of the prompts of a FreeSWITCH, which has none; no multiple of 50, which simulated callers take for a person."""


class Switch(ABC):
    """One PBX of the lab. `proxy_port`: the controller reaches it through somebody in between, who listens there."""

    name: ClassVar[str]
    lab: Lab | FreeswitchLab
    music_seconds = 10.0
    """How long the music of tests is before it begins again."""
    beep: ClassVar[int]
    """Hz of its beep."""
    records_beeps: bool
    """Is what is played to somebody in a conversation in the recording?"""
    declines_with: int
    """The SIP status by which a phone is told that there will be no transfer; 200 where it has been told of success."""
    proxy_port = 0

    @abstractmethod
    def target(self) -> AnyTarget: ...

    @abstractmethod
    def control_port(self) -> int:
        """Where a controller connects."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """How the PBX is named to a controller."""

    @abstractmethod
    def phone_at(self, account: str) -> int:
        """The port of a registered phone, 0 = it is not registered."""

    @abstractmethod
    def registered(self, account: str) -> bool: ...

    @abstractmethod
    def has_password(self, account: str) -> bool:
        """Can a softphone sign in with this account?"""

    @abstractmethod
    def channel_of(self, account: str) -> str:
        """The name of the phone's channel, as an admin reads it on the console; "" = it has none."""

    @abstractmethod
    def serves_by_itself(self) -> bool:
        """Is somebody in the PBX's own queue?"""

    @abstractmethod
    def clock(self) -> int:
        """Seconds since 1970, as the PBX has them."""

    @abstractmethod
    def led_until(self) -> int:
        """Until when (by that clock) new callers are led to the controller; 0 = it never said so."""

    def answers(self) -> bool:
        """Whether the dialplan answers callers before the controller has them."""
        return False

    @abstractmethod
    def lead_until(self, clock: int) -> None:
        """As if the controller had said so."""

    @abstractmethod
    def spies(self) -> bool:
        """Does somebody hear a call in secret?"""

    @abstractmethod
    def left(self) -> str:
        """Channels, and bridges but empty waiting rooms, that are there; "" = none."""


class OnAsterisk(Switch):
    name = "asterisk"
    beep = 700
    records_beeps = True

    def __init__(self, lab: Lab) -> None:
        self.lab: Lab = lab
        major, minor = (int(part) for part in lab.info().version.split(".")[:2])
        leaves_it_to_us = minor >= {20: 13, 21: 8, 22: 3}.get(major, 0 if major > 22 else 1000)
        self.declines_with = 603 if leaves_it_to_us else 200

    outbound: Outbound | None = None
    """It connects to the controller."""

    def target(self) -> AsteriskTarget:
        return AsteriskTarget(Path(self.lab.info().etc_dir), self.lab.rx, self.outbound)

    def control_port(self) -> int:
        return urlsplit(self.lab.info().ari_url).port or 0

    def environment(self) -> dict[str, str]:
        info = self.lab.info()
        return {
            "CONTACTCENTRE_ARI_URL": f"http://127.0.0.1:{self.proxy_port or self.control_port()}",
            "CONTACTCENTRE_ARI_USER": info.ari_user,
            "CONTACTCENTRE_ARI_SECRET": info.ari_secret,
            "CONTACTCENTRE_ARI_LISTEN": self.outbound.url if self.outbound else "",
        }

    def phone_at(self, account: str) -> int:
        return _port(rf"{account}/sip:{account}@127\.0\.0\.1:(\d+)", self.lab.rx("pjsip show contacts"))

    def registered(self, account: str) -> bool:
        return True  # it is called where it has just registered

    def has_password(self, account: str) -> bool:
        return f"{account}/{account}" in self.lab.rx("pjsip show auths")

    def channel_of(self, account: str) -> str:
        names = (line.partition("!")[0] for line in self.lab.rx("core show channels concise").splitlines())
        return next((name for name in names if name.startswith(f"PJSIP/{account}-")), "")

    def serves_by_itself(self) -> bool:
        return "Queue" in self.lab.rx("core show channels concise")

    def clock(self) -> int:
        return int(self._global("EPOCH"))

    def led_until(self) -> int:
        return int(self._global("CONTACTCENTRE_UNTIL") or 0)

    def answers(self) -> bool:
        return int(self._global("CONTACTCENTRE_ANSWERS") or 0) >= self.clock()

    def lead_until(self, clock: int) -> None:
        self.lab.rx(f"dialplan set global CONTACTCENTRE_UNTIL {clock}")

    def _global(self, name: str) -> str:
        info = self.lab.info()
        answer = requests.get(
            f"http://127.0.0.1:{self.control_port()}/ari/asterisk/variable",
            {"variable": name},
            auth=(info.ari_user, info.ari_secret),
            timeout=10,
        )
        return str(answer.json()["value"]) if answer.ok else ""

    def spies(self) -> bool:
        channels = self.lab.rx("core show channels")
        return "Snoop" in channels and "spy-" in channels

    def left(self) -> str:
        channels = self.lab.rx("core show channels")
        bridges = [line for line in self.lab.rx("bridge show all").splitlines()[1:] if "holding" not in line]
        return "\n".join(([] if "0 active channels" in channels else [channels]) + bridges)


class OnFreeswitch(Switch):
    name = "freeswitch"
    music_seconds = 300.0  # it is silent for a second each time that it has played all files of a directory
    beep = 1015
    records_beeps = False  # FreeSWITCH records nothing while it plays to a connected channel
    declines_with = 403

    def __init__(self, lab: FreeswitchLab) -> None:
        self.lab: FreeswitchLab = lab
        sounds = Path(lab.info().sounds_dir)
        if not (sounds / "demo-instruct.wav").exists():
            write_tone(sounds / "demo-instruct.wav", PROMPT_TONE, 20)
            write_tone(sounds / "beep.wav", self.beep, 0.3)

    def target(self) -> FreeswitchTarget:
        return FreeswitchTarget(Path(self.lab.info().etc_dir), self.lab.rx)

    def control_port(self) -> int:
        return self.lab.info().esl_port

    def environment(self) -> dict[str, str]:
        info = self.lab.info()
        return {
            "CONTACTCENTRE_PBX": "freeswitch",
            "CONTACTCENTRE_ESL_ADDRESS": f"127.0.0.1:{self.proxy_port or info.esl_port}",
            "CONTACTCENTRE_ESL_SECRET": info.esl_password,
            "CONTACTCENTRE_PBX_RECORDINGS_DIR": info.recordings_dir,
        }

    def phone_at(self, account: str) -> int:
        contact = self.lab.rx(f"sofia_contact */{account}@{self.lab.info().domain}")
        return _port(rf"sip:{account}@127\.0\.0\.1:(\d+)", contact)

    def registered(self, account: str) -> bool:
        return self.phone_at(account) > 0  # where it looks for whom it calls, tenths of a second after a registration

    def has_password(self, account: str) -> bool:
        said = self.lab.rx(f"user_data {account}@{self.lab.info().domain} param password").strip()
        return not said.startswith("-ERR")  # so it answers with nothing

    def channel_of(self, account: str) -> str:
        names = (str(row["name"]) for row in self._channels())
        return next((name for name in names if name.startswith(f"sofia/internal/{account}@")), "")

    def serves_by_itself(self) -> bool:
        queues = [line.partition("|")[0] for line in self.lab.rx("callcenter_config queue list").splitlines()[1:]]
        return any(self._has_somebody(queue) for queue in queues if "@" in queue)

    def _has_somebody(self, queue: str) -> bool:
        """Who has left it is kept in its list for a while."""
        head, *members = self.lab.rx(f"callcenter_config queue list members {queue}").splitlines()
        rows = [dict(zip(head.split("|"), line.split("|"), strict=True)) for line in members if "|" in line]
        return any(
            row["state"] != "Abandoned" and self.lab.rx(f"uuid_exists {row['session_uuid']}").strip() == "true"
            for row in rows
        )

    def clock(self) -> int:
        return int(self.lab.rx("strepoch"))

    def led_until(self) -> int:
        said = self.lab.rx("global_getvar contactcentre_until").strip()
        return int(said) if said.isdecimal() else 0

    def lead_until(self, clock: int) -> None:
        self.lab.rx(f"global_setvar contactcentre_until={clock}")

    def spies(self) -> bool:
        return any(row["application"] == "eavesdrop" for row in self._channels())

    def _channels(self) -> list[dict[str, Any]]:
        """As its table has them, which follows by some tenths of a second."""
        return list(json.loads(self.lab.rx("show channels as json")).get("rows", ()))

    def left(self) -> str:
        # its list of channels follows by some tenths of a second; the count of sessions does not
        (count,) = [line for line in self.lab.rx("status").splitlines() if "session(s) - peak" in line]
        rooms = self.lab.rx("conference list")
        left = [] if int(count.split()[0]) == 0 else [self.lab.rx("show channels")]
        return "\n".join(left + ([] if "No active conferences" in rooms else [rooms]))


def _port(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else 0


def switch_of(lab: Lab | FreeswitchLab) -> Switch:
    return OnAsterisk(lab) if isinstance(lab, Lab) else OnFreeswitch(lab)
