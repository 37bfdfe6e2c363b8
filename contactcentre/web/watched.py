"""What a process of the dashboard tells of itself to whoever watches it."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client.core import Metric

from contactcentre.live.connection import is_there
from contactcentre.watch.families import counter, gauge

if TYPE_CHECKING:
    from contactcentre.web.app import WebServices


def parts(web: "WebServices") -> Mapping[str, bool]:
    """What it depends on, and whether it is there now. `live`: the live state can be read."""
    return {"postgresql": web.store.is_there(), "redis": is_there(web.redis), "live": web.fanout.ready}


class WatchedWeb:
    def __init__(self, web: "WebServices") -> None:
        self._web = web

    def collect(self) -> Iterator[Metric]:
        fanout = self._web.fanout
        yield gauge("web_clients", "Browsers that follow the live stream.", fanout.clients)
        yield counter("web_clients_cut", "Browsers cut because they did not take what they were sent.", fanout.cut)
        yield gauge("web_live", "Whether the live state can be read.", fanout.ready)
