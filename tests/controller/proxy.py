"""A proxy that can be cut, and hears what is said: the link between a controller and its PBX, or its Redis."""

from contextlib import suppress

import gevent
from gevent import socket
from gevent.server import StreamServer


class Proxy:
    def __init__(self, target: int | str) -> None:
        """`target`: a port on loopback, or the path of a unix socket."""
        self._target = target
        self._noted: dict[socket.socket, bytearray] = {}
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._up = True
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    def cut(self) -> None:
        """Ends all connections, and every new one at once."""
        self._up = False
        for pair in list(self._pairs):
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def note(self) -> None:
        """Keeps from now on what is said on the connections there are: to the target, by whoever made them."""
        self._noted = {near: bytearray() for near, _ in self._pairs}

    def noted(self) -> list[bytes]:
        """What was said since `note`, by connection."""
        return [bytes(said) for said in self._noted.values()]

    def mend(self) -> None:
        self._up = True

    def close(self) -> None:
        self.cut()
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
                gevent.joinall([gevent.spawn(self._copy, near, far), gevent.spawn(self._copy, far, near)])
        finally:
            self._pairs.discard(pair)
            near.close()
            far.close()

    def _connected(self) -> socket.socket:
        if isinstance(self._target, int):
            return socket.create_connection(("127.0.0.1", self._target), 2.0)
        far = socket.socket(socket.AF_UNIX)
        far.connect(self._target)
        return far

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if source in self._noted:
                    self._noted[source] += data
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
