"""The one way to Redis: every operation has a deadline, every failure has a name of ours.

Works with Redis 6.2 and later over `unix://`, `redis://` and `rediss://`, in gevent (patched) and in plain threads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.backoff import ExponentialBackoff
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

from contactcentre.live.client import Client, Script
from contactcentre.live.errors import Away, LiveError, Refused, Stale
from contactcentre.live.fencing import COMMANDS, READS, STALE, UNHELD, words
from contactcentre.outages import REDIS

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


def beside(redis: "Redis", timeout: float) -> "Redis":
    """Another client of the same Redis, without a fence, and with another deadline (seconds)."""
    pool = redis.connection_pool
    made_with = {**pool.connection_kwargs, "socket_timeout": timeout, "socket_connect_timeout": timeout}
    kind = pool.connection_class
    beside = BlockingConnectionPool(4, timeout, kind, **made_with)  # type: ignore[no-untyped-call]
    return Client.from_pool(beside)


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
        away = Away(f"redis is away: {str(error) or type(error).__name__}")
        REDIS.failed(str(away))
        raise away from error
    except ResponseError as error:
        if REDIS.on:
            REDIS.worked()
        if STALE in str(error):
            raise Stale(f"redis refused: {error}") from error
        if UNHELD in str(error):
            raise Away(f"the lease is not there: {error}") from error
        raise Refused(f"redis refused: {error}") from error
    except RedisError as error:
        raise LiveError(f"redis: {error}") from error
    if REDIS.on:
        REDIS.worked()


def ask(redis: "Redis", *command: str | float) -> Any:
    """One command as it stands in the Redis manual."""
    if getattr(redis, "fence", None) is not None and command[0] not in READS:
        return _behind_the_fence(redis, [command])[0]
    with named_errors():
        return redis.execute_command(*command)  # type: ignore[no-untyped-call]


def is_there(redis: "Redis") -> bool:
    """Whether it answers."""
    try:
        ask(redis, "PING")
    except LiveError:
        return False
    return True


def _behind_the_fence(redis: "Redis", commands: list[tuple[str | float, ...]]) -> list[Any]:
    with named_errors():
        return list(Script(redis, COMMANDS)(keys=[], args=words(commands)))


def time_of(redis: "Redis") -> float:
    """Epoch seconds by the clock of Redis."""
    seconds, micros = ask(redis, "TIME")
    return int(seconds) + int(micros) / 1e6


@contextmanager
def transaction(redis: "Redis", fenced: bool = True) -> Iterator["Answers"]:
    """Commands that Redis carries out together or not at all; the answers are there when the block has ended. `fenced`:
    by a client with a fence, and answered as Lua has it; not so what writes nothing that matters."""
    answers = Answers()
    yield answers
    if fenced and getattr(redis, "fence", None) is not None:
        answers.values = _behind_the_fence(redis, answers.commands)
        return
    with named_errors():
        pipe = redis.pipeline(transaction=True)
        for command in answers.commands:
            pipe.execute_command(*command)  # type: ignore[no-untyped-call]
        answers.values = pipe.execute()


class Answers:
    def __init__(self) -> None:
        self.commands: list[tuple[str | float, ...]] = []
        self.values: list[Any] = []

    def ask(self, *command: str | float) -> None:
        self.commands.append(command)
