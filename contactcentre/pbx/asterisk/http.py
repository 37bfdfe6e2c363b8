"""ARI over plain HTTP: for servers that take no requests over the websocket, and for recordings' files.

Runs in a process that gevent has patched (the call then just yields) and in one that it has not (the call then runs in
the hub's thread pool), so that the hub never blocks.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlencode

import gevent
import urllib3
from gevent import monkey
from urllib3.exceptions import EmptyPoolError, HTTPError, TimeoutError
from urllib3.response import BaseHTTPResponse

from contactcentre.pbx.asterisk.protocol import Query, Response, decode_body, error_of, texts
from contactcentre.pbx.errors import Deadline, LinkDown, TooLarge
from contactcentre.pbx.protocol import REQUEST_DEADLINE

MAX_BODY = 40_000
"""Bytes of the largest HTTP body that Asterisk takes (40 960)."""
_CHUNK = 65_536
T = TypeVar("T")


class Http:
    """Keep-alive HTTP to one ARI server. `base` ends in `/ari`."""

    def __init__(self, base: str, user: str, secret: str, *, connections: int = 16) -> None:
        self._base = base
        # One retry for every method: Asterisk closes idle connections after 15 s and may do so while we send. Ids are
        # ours, so that a request which did get through is refused as a repetition, not done twice.
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            block=True,
            headers=urllib3.make_headers(basic_auth=f"{user}:{secret}", keep_alive=True),
            timeout=urllib3.Timeout(total=REQUEST_DEADLINE),
            retries=urllib3.Retry(total=1, redirect=0, status=0, allowed_methods=None),
        )

    def request(self, method: str, path: str, query: Query | None = None, body: Any = None) -> Response:
        """Raises LinkDown, Deadline, TooLarge; statuses of 400 and above are the caller's to judge (`error_of`)."""
        answer = self._open(method, path, query, body, stream=False)
        return Response(answer.status, answer.reason or "", decode_body(answer.data))

    def stream(self, path: str) -> Iterator[bytes]:
        """A binary resource in chunks. Raises Gone or Refused before the first chunk."""
        answer = self._open("GET", path, None, None, stream=True)
        try:
            if answer.status >= 400:
                body = decode_body(_yielding(lambda: answer.read(_CHUNK)))
                error = error_of(Response(answer.status, answer.reason or "", body), f"GET {path}")
                assert error is not None
                raise error
            while chunk := self._guarded(path, lambda: answer.read(_CHUNK)):
                yield chunk
        finally:
            answer.release_conn()

    def close(self) -> None:
        self._pool.clear()

    def _open(self, method: str, path: str, query: Query | None, body: Any, *, stream: bool) -> BaseHTTPResponse:
        url = f"{self._base}/{path}" + (f"?{urlencode(texts(query))}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        if data and len(data) > MAX_BODY:
            raise TooLarge(f"{method} {path}: {len(data)} bytes, the PBX takes {MAX_BODY}")
        headers = {**self._pool.headers, "Content-Type": "application/json"} if data else None
        options: dict[str, Any] = {"preload_content": not stream, "pool_timeout": REQUEST_DEADLINE}
        return self._guarded(path, lambda: self._pool.request(method, url, body=data, headers=headers, **options))

    @staticmethod
    def _guarded(path: str, blocking: Callable[[], T]) -> T:
        try:
            return _yielding(blocking)
        except (HTTPError, OSError) as error:
            if isinstance(getattr(error, "reason", error), (TimeoutError, EmptyPoolError)):  # also after the retry
                raise Deadline(f"{path}: no answer within {REQUEST_DEADLINE} s") from None
            raise LinkDown(f"{path}: {reason(error)}") from None


def reason(error: BaseException) -> str:
    """What the system said, without the layers around it: `Connection refused`."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        seen = getattr(seen, "reason", None) or seen.__cause__ or seen.__context__
        if not isinstance(seen, BaseException):
            break
    return str(error).rpartition(": ")[2] or type(error).__name__


def _yielding(blocking: Callable[[], T]) -> T:
    if monkey.is_module_patched("socket"):
        return blocking()
    result: T = gevent.get_hub().threadpool.apply(blocking)
    return result
