"""Whom we connect to. An address that somebody types into a form must not lead to what only this machine, or its
network, can reach (server-side request forgery): the *address connected to* is looked at, not the name, so a name that
changes its mind between two questions gains nothing."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


class Failed(Exception):
    """There is no answer, and why, in a few words; never the URL, which may hold a token."""


class Forbidden(Failed):
    """We do not connect there, whoever asks."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The public internet over https, and these networks, over http too."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Raises ValueError for what is no network."""
        return cls(tuple(ipaddress.ip_network(text) for text in texts))

    def check(self, text: str, encrypted: bool) -> None:
        """Raises Forbidden for an address that is not to be connected to."""
        address = _inner(ipaddress.ip_address(text.partition("%")[0]))
        if any(address in network for network in self.networks):
            return
        if not address.is_global or address.is_multicast:
            raise Forbidden(f"{address} is an address inside; CONTACTCENTRE_HTTP_ALLOW names what may be reached")
        if not encrypted:
            raise Forbidden("http would send it readable through the internet: https is needed")


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


ANYWHERE = Reach.of(("0.0.0.0/0", "::/0"))
"""For addresses that only who owns this machine can write."""
