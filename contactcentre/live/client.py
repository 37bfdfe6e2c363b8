"""redis-py's client with a short way for the commands that every call needs.

The library takes a connection from its pool for each command, polls it, and passes half a dozen layers; that costs
three times what the command itself does. Here connections that have served stay at hand, one is used by one caller at a
time, and what it says when it is broken is found out by using it: then the command is sent once more over a new one.
"""

import os
from collections.abc import Sequence
from hashlib import sha1
from typing import Any

from redis import Redis
from redis.connection import AbstractConnection
from redis.exceptions import ConnectionError, NoScriptError, ResponseError, TimeoutError

from contactcentre.live.fencing import CHECK, UNHELD, Fence

AT_HAND = 16
"""Connections kept beside the pool; it has those that more callers at once need."""


class Client(Redis):
    """Made by `connect`."""

    fence: Fence | None = None
    """Set once, by whom writes only while it holds a lease."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._at_hand: list[AbstractConnection] = []
        self._process = os.getpid()

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Raises what redis-py's does, after one attempt more where the connection broke."""
        connection = self._take()
        try:
            try:
                return self._asked(connection, *args, **options)
            except (ConnectionError, TimeoutError):
                connection.disconnect()  # type: ignore[no-untyped-call]
                return self._asked(connection, *args, **options)
        except (ConnectionError, TimeoutError):
            connection.disconnect()  # type: ignore[no-untyped-call]
            raise
        finally:
            self._give_back(connection)

    def _asked(self, connection: AbstractConnection, *args: Any, **options: Any) -> Any:
        connection.send_command(*args)  # type: ignore[no-untyped-call]
        return self.parse_response(connection, args[0], **options)  # type: ignore[no-untyped-call]

    def _take(self) -> AbstractConnection:
        if self._process != os.getpid():  # forked: they are the parent's
            self._process, self._at_hand = os.getpid(), []
        return self._at_hand.pop() if self._at_hand else self.connection_pool.get_connection()

    def _give_back(self, connection: AbstractConnection) -> None:
        if len(self._at_hand) < AT_HAND and connection.is_connected:
            self._at_hand.append(connection)
        else:
            self.connection_pool.release(connection)  # type: ignore[arg-type]

    def close(self) -> None:
        self._at_hand = []
        super().close()


class Script:
    """One Lua script, by its hash; sent whole where Redis does not know it yet. Behind the fence, where the client has
    one."""

    def __init__(self, redis: "Redis", text: str) -> None:
        self._redis = redis
        self._plain, self._fenced = _Text(text), _Text(CHECK + text)

    def __call__(self, keys: Sequence[str], args: Sequence[str | float]) -> Any:
        """Raises redis-py's errors, and Stale."""
        fence = getattr(self._redis, "fence", None)
        if fence is None:
            return self._plain.run(self._redis, keys, args)
        try:
            return self._fenced.run(self._redis, [*keys, fence.key], [*args, fence.token()])
        except ResponseError as error:
            if UNHELD not in str(error):
                raise
            fence.missing()
            return self._fenced.run(self._redis, [*keys, fence.key], [*args, fence.token()])


class _Text:
    def __init__(self, text: str) -> None:
        self._text, self._hash = text, sha1(text.encode(), usedforsecurity=False).hexdigest()

    def run(self, redis: "Redis", keys: Sequence[str], args: Sequence[str | float]) -> Any:
        try:
            return redis.execute_command("EVALSHA", self._hash, len(keys), *keys, *args)  # type: ignore[no-untyped-call]
        except NoScriptError:
            return redis.execute_command("EVAL", self._text, len(keys), *keys, *args)  # type: ignore[no-untyped-call]
