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
from redis.exceptions import ConnectionError, NoScriptError, TimeoutError

AT_HAND = 16
"""Connections kept beside the pool; it has those that more callers at once need."""


class Client(Redis):
    """Made by `connect`."""

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
    """One Lua script, by its hash; sent whole where Redis does not know it yet."""

    def __init__(self, redis: "Redis", text: str) -> None:
        self._redis, self._text = redis, text
        self._hash = sha1(text.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, keys: Sequence[str], args: Sequence[str | float]) -> Any:
        """Raises redis-py's errors."""
        try:
            return self._redis.execute_command("EVALSHA", self._hash, len(keys), *keys, *args)  # type: ignore[no-untyped-call]
        except NoScriptError:
            return self._redis.execute_command("EVAL", self._text, len(keys), *keys, *args)  # type: ignore[no-untyped-call]
