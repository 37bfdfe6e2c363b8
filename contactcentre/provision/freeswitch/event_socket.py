"""Where a FreeSWITCH's event socket is, as the files of its configuration say."""

import re
from pathlib import Path
from typing import NamedTuple

from contactcentre.provision.freeswitch.plan import EVENT_SOCKET
from contactcentre.provision.plan import Unreadable, text_of
from contactcentre.provision.target import DIRECTORY

_COMMENT = re.compile(r"<!--.*?-->", re.S)
_PARAM = re.compile(r'<param\s+name="(listen-ip|listen-port|password)"\s+value="([^"]*)"')
_OURS = f"{DIRECTORY}/event_socket.xml"


class Address(NamedTuple):
    host: str
    port: int
    password: str


def addresses_of(etc: Path) -> list[Address]:
    """As mod_event_socket reads it when FreeSWITCH starts, of two values the last one; and as it is without what we
    have added, where that is not in force yet. Empty where there is no file, or where this user may not read it."""
    try:
        own = text_of(etc / EVENT_SOCKET) or ""
        ours = (text_of(etc / _OURS) or "") if _OURS in own else ""
    except Unreadable:
        return []
    found = [_address(own + ours), _address(own)] if own else []
    return [address for address in dict.fromkeys(found) if address is not None]


def _address(text: str) -> Address | None:
    """None where a value is a variable of FreeSWITCH's."""
    found = dict(_PARAM.findall(_COMMENT.sub("", text)))
    host, port, password = (found.get(name, "") for name in ("listen-ip", "listen-port", "password"))
    if "$" in host + port + password or not (port or "8021").isdigit():
        return None
    return Address(reachable(host), int(port or "8021"), _plain(password or "ClueCon"))


def reachable(listen: str) -> str:
    """How this machine reaches what listens there: addresses that mean all are loopback's, too."""
    return "127.0.0.1" if listen in ("", "0.0.0.0", "::") else listen  # noqa: S104 (that is what is asked)


def _plain(value: str) -> str:
    for name, sign in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
        value = value.replace(name, sign)
    return value
