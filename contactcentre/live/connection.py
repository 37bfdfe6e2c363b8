"""The one way to Redis: every operation has a deadline, every failure has a name of ours.

Works with Redis 6.2 and later over `unix://`, `redis://` and `rediss://`, in gevent (patched) and in plain threads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.client import Pipeline
from redis.connection import BlockingConnectionPool
from redis.exceptions import (
    BusyLoadingError,
    ConnectionError,
    MaxConnectionsError,
    RedisError,
    ResponseError,
    TimeoutError,
)
from redis.retry import Retry

from contactcentre.live.client import Client
from contactcentre.live.errors import Away, LiveError, Refused

PREFIX = "cc:"
TIMEOUT = 3.0
"""Seconds one operation may take. Blocking reads wait at most `longest_block` of it."""


def connect(url: str, *, timeout: float = TIMEOUT, connections: int = 64) -> "Redis":
    """A client for `url`; connects at the first command. One retry after a broken connection, so a command ends within
    about twice `timeout` (seconds). Raises ValueError for a URL that is none."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=0.1, base=0.02), retries=1),
        decode_responses=True,
        protocol=2,
        client_name="contactcentre",
    )
    return Client.from_pool(pool)


def checked(redis: "Redis") -> "Redis":
    """Refuses a client that `connect` did not make: one without deadline, or that answers bytes. Raises ValueError."""
    made_with = redis.connection_pool.connection_kwargs
    if not made_with.get("socket_timeout") or not made_with.get("decode_responses"):
        raise ValueError("use contactcentre.live.connect(url): the client needs a deadline and texts as answers")
    return redis


def longest_block(redis: "Redis") -> float:
    """Seconds a blocking read may wait before the socket's own deadline would cut it."""
    return float(redis.connection_pool.connection_kwargs["socket_timeout"]) * 0.6


@contextmanager
def named_errors() -> Iterator[None]:
    """Turns the client library's errors into ours."""
    try:
        yield
    except (ConnectionError, TimeoutError, BusyLoadingError, MaxConnectionsError, OSError) as error:
        raise Away(f"redis is away: {str(error) or type(error).__name__}") from error
    except ResponseError as error:
        raise Refused(f"redis refused: {error}") from error
    except RedisError as error:
        raise LiveError(f"redis: {error}") from error


def ask(redis: "Redis | Pipeline", *command: str | float) -> Any:
    """One command as it stands in the Redis manual."""
    with named_errors():
        return redis.execute_command(*command)  # type: ignore[no-untyped-call]


def is_there(redis: "Redis") -> bool:
    """Whether it answers."""
    try:
        ask(redis, "PING")
    except LiveError:
        return False
    return True


@contextmanager
def transaction(redis: "Redis") -> Iterator["Answers"]:
    """Commands that Redis carries out together or not at all; the answers are there when the block has ended."""
    with named_errors():
        pipe = redis.pipeline(transaction=True)
        answers = Answers(pipe)
        yield answers
        answers.values = pipe.execute()


class Answers:
    def __init__(self, pipe: Pipeline) -> None:
        self._pipe = pipe
        self.values: list[Any] = []

    def ask(self, *command: str | float) -> None:
        ask(self._pipe, *command)
