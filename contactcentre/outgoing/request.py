"""One HTTP request with a deadline for the whole of it. No redirect is followed, no proxy and no .netrc of the
environment used, and of a long answer only the beginning read."""

import contextlib
import http.client
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import certifi

from contactcentre.domain.notation import decode
from contactcentre.outgoing.reach import Failed, Forbidden, Reach

CONNECT_SECONDS = 3.0
WHOLE_SECONDS = 10.0
MOST_BYTES = 64 * 1024

Resolve = Callable[[str, int], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Answer:
    """`body`: its first bytes, one more than was allowed where there are more."""

    status: int
    body: bytes


def names(host: str, port: int) -> list[tuple[Any, ...]]:
    """What the system knows of a name. Raises OSError."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def ask(
    url: str,
    reach: Reach,
    *,
    method: str = "POST",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    connect: float = CONNECT_SECONDS,
    whole: float = WHOLE_SECONDS,
    most: int = MOST_BYTES,
    resolve: Resolve = names,
) -> Answer:
    """`connect`: seconds to find and reach the server; `whole`: for everything. Raises Failed."""
    try:
        parts = urlsplit(url)
        host, encrypted = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if encrypted else 80)
    except ValueError:
        raise Failed("not a URL") from None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise Failed("not a URL")
    until = time.monotonic() + whole
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    plain = _connected(host, port, encrypted, reach, min(connect, whole), resolve)
    with contextlib.closing(plain), _cut(plain, until - time.monotonic()) as passed:
        try:
            answer = _asked(plain, host, port, encrypted, method, target, body, headers or {}, most)
        except ssl.SSLCertVerificationError as error:
            raise Failed(f"certificate: {error.verify_message}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            if passed.is_set() or isinstance(error, TimeoutError):
                raise Failed("timeout") from None
            raise Failed(_words(error)) from None
        if passed.is_set():  # what looks like the end of the answer may be our own doing
            raise Failed("timeout")
        return answer


def _asked(
    plain: socket.socket,
    host: str,
    port: int,
    encrypted: bool,
    method: str,
    target: str,
    body: bytes | None,
    headers: Mapping[str, str],
    most: int,
) -> Answer:
    made = http.client.HTTPSConnection if encrypted else http.client.HTTPConnection
    connection = made(host, port)
    connection.auto_open = 0
    # the connection's own copy; `plain` stays ours, to be cut from outside whatever TLS does with the other
    own = plain.dup()
    own.settimeout(WHOLE_SECONDS)
    try:
        connection.sock = _context().wrap_socket(own, server_hostname=host) if encrypted else own
        own = connection.sock
        connection.request(method, target, body, dict(headers))
        with connection.getresponse() as answer:
            return Answer(answer.status, answer.read(most + 1))
    finally:
        connection.close()
        own.close()


def _connected(host: str, port: int, encrypted: bool, reach: Reach, seconds: float, resolve: Resolve) -> socket.socket:
    until, refused = time.monotonic() + seconds, Failed("no address")
    for family, kind, protocol, _, address in _resolved(host, port, seconds, resolve):
        try:
            reach.check(address[0], encrypted)
        except Forbidden as error:
            refused = error
            continue
        if (left := until - time.monotonic()) <= 0:
            raise Failed("timeout")
        found = socket.socket(family, kind, protocol)
        try:
            found.settimeout(left)
            found.connect(address)
        except OSError as error:
            found.close()
            refused = Failed("timeout" if isinstance(error, TimeoutError) else _words(error))
            continue
        return found
    raise refused


def _resolved(host: str, port: int, seconds: float, resolve: Resolve) -> list[tuple[Any, ...]]:
    """The system's resolver has no deadline of its own, so it is asked aside."""
    found: queue.SimpleQueue[list[tuple[Any, ...]] | Exception] = queue.SimpleQueue()

    def look() -> None:
        try:
            found.put(resolve(host, port))
        except (OSError, UnicodeError) as error:
            found.put(error)

    threading.Thread(target=look, daemon=True).start()
    try:
        known = found.get(timeout=seconds)
    except queue.Empty:
        raise Failed("timeout: the name server does not answer") from None
    if isinstance(known, Exception):
        raise Failed(f"the name {host[:80]} is not known")
    return known


@contextlib.contextmanager
def _cut(connected: socket.socket, seconds: float) -> Any:
    """Ends both directions of the connection after so long, whatever is being waited for: a server that sends a byte
    now and then would never let a timeout of one read pass."""
    passed = threading.Event()

    def end() -> None:
        passed.set()
        with contextlib.suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, seconds), end)
    timer.daemon = True
    timer.start()
    try:
        yield passed
    finally:
        timer.cancel()


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or 'failed').replace('_', ' ').lower()}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"no answer ({type(error).__name__})"


@cache
def _context() -> ssl.SSLContext:
    """The system's certificate authorities, with those that the admin has added (and SSL_CERT_FILE); where the system
    has none, Mozilla's."""
    context, there = ssl.create_default_context(), ssl.get_default_verify_paths()
    if not there.cafile and not there.capath:
        context.load_verify_locations(certifi.where())
    return context


def object_of(answer: Answer, most: int = MOST_BYTES) -> dict[str, Any]:
    """The JSON object of an answer. Raises Failed for any other."""
    if not 200 <= answer.status < 300:
        raise Failed(f"status {answer.status}")
    if len(answer.body) > most:
        raise Failed("too large")
    try:
        found = decode(answer.body)
    except (ValueError, RecursionError):
        raise Failed("not JSON") from None
    if not isinstance(found, dict):
        raise Failed("not a JSON object")
    return found
