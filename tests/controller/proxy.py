"""A TCP proxy that can be cut: the link between a controller and its PBX, or its Redis."""

from contextlib import suppress

import gevent
from gevent import socket
from gevent.server import StreamServer


class Proxy:
    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
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

    def mend(self) -> None:
        self._up = True

    def close(self) -> None:
        self.cut()
        self._server.stop(timeout=1)

    def _serve(self, near: socket.socket, address: object) -> None:
        try:
            far = socket.create_connection(self._target, 2.0)
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

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
