"""What a process tells of itself, asked as Prometheus asks."""

import atexit
import random
import socket
from collections.abc import Mapping
from typing import Any

import requests
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from contactcentre.watch.listener import PLACES

HOST = "127.0.0.1"


_ours: list[socket.socket] = []


@atexit.register
def _release() -> None:
    while _ours:
        _ours.pop().close()


def four_ports() -> int:
    """The first of four free ports, one for each process of a box, that no other process of tests is given; below those
    that others are given."""
    for first in random.sample(range(9000, 9900, 4), 225):
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            name.bind(f"\0contactcentre-test-ports-{first}")  # the kernel frees it with this process
        except OSError:
            name.close()
            continue
        if all(_free(port) for port in range(first, first + len(PLACES))):
            _ours.append(name)
            return first
        name.close()
    raise AssertionError("no four ports are free")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def ask(base: int, process: str, path: str, seconds: float = 30.0) -> requests.Response:
    return requests.get(f"http://{HOST}:{base + PLACES.index(process)}{path}", timeout=seconds)


def scrape(base: int, process: str) -> Mapping[str, Metric]:
    """Family -> its numbers."""
    text = ask(base, process, "/metrics").text
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(families: Mapping[str, Metric], sample: str, **labels: str) -> Any:
    """Of one sample with just these labels; raises KeyError."""
    for family in families.values():
        for one in family.samples:
            if one.name == f"contactcentre_{sample}" and one.labels == labels:
                return one.value
    raise KeyError(f"{sample} {labels}")
