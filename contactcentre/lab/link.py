"""A proxy that can be cut or go dead, and hears what is said: the link of a controller to its PBX, or its Redis."""

from contextlib import suppress

import gevent
from gevent import socket
from gevent.event import Event as Flag
from gevent.server import StreamServer

from contactcentre.lab.ports import LOOPBACK


class Proxy:
    """Listens on a loopback port of its own (`port`) and passes everything on."""

    def __init__(self, target: int | str) -> None:
        """`target`: a port on loopback, or the path of a unix socket."""
        self._target = target
        self._noted: dict[socket.socket, bytearray] = {}
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._dead: set[tuple[socket.socket, socket.socket]] = set()
        self._up, self._passing = True, Flag()
        self._passing.set()
        self._server = StreamServer((LOOPBACK, 0), self._serve)
        self._server.start()

    @property
    def port(self) -> int:
        return int(self._server.server_port or 0)

    def cut(self) -> None:
        """Ends all connections, and every new one at once."""
        self._up = False
        for pair in list(self._pairs):
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def go_dead(self) -> None:
        """No byte passes any more and nobody is told: the connections there are stay open and dead for ever, as behind
        a firewall that has forgotten them; new ones open, and nothing passes until `mend`."""
        self._dead |= self._pairs
        self._passing.clear()

    def note(self) -> None:
        """Keeps from now on what is said on the connections there are: to the target, by whoever made them."""
        self._noted = {near: bytearray() for near, _ in self._pairs}

    def noted(self) -> list[bytes]:
        """What was said since `note`, by connection."""
        return [bytes(said) for said in self._noted.values()]

    def mend(self) -> None:
        self._up = True
        self._passing.set()

    def close(self) -> None:
        self.cut()
        self._passing.set()
        self._server.stop(timeout=1)

    def _serve(self, near: socket.socket, address: object) -> None:
        try:
            far = self._connected()
        except OSError:
            near.close()
            return
        far.settimeout(None)
        pair = (near, far)
        self._pairs.add(pair)
        try:
            if self._up:
                gevent.joinall([gevent.spawn(self._copy, pair, near, far), gevent.spawn(self._copy, pair, far, near)])
        finally:
            self._pairs.discard(pair)
            self._dead.discard(pair)
            near.close()
            far.close()

    def _connected(self) -> socket.socket:
        if isinstance(self._target, int):
            return socket.create_connection((LOOPBACK, self._target), 2.0)
        far = socket.socket(socket.AF_UNIX)
        far.connect(self._target)
        return far

    def _copy(self, pair: tuple[socket.socket, socket.socket], source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                _at_once(source, target)
                if source in self._noted:
                    self._noted[source] += data
                self._passing.wait()
                if pair not in self._dead:
                    target.sendall(data)
        if pair not in self._dead:  # else the other side is not told either
            with suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)


def _at_once(source: socket.socket, target: socket.socket) -> None:
    """As if nobody were between: what came is acknowledged now, what goes waits for no acknowledgement. Of two who both
    wait for the other, as TCP does, each word would take 40 ms more."""
    if source.family != socket.AF_UNIX:
        source.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    if target.family != socket.AF_UNIX:
        target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
