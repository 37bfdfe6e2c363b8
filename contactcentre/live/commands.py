"""Commands to a node's controller, with replies: how pages, the CLI and tasks reach a call.

`cc:commands:NODE` is a stream; a reply is a list that expires. A command is carried out at most once and never after
its sender stopped waiting.
"""

import json
import logging
import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from redis import Redis

from contactcentre.live.connection import PREFIX, ask, checked, longest_block, transaction
from contactcentre.live.errors import CommandFailed, LiveError, NoReply, Refused, TooLarge

LIMIT = 16 * 1024
"""Bytes of a command's or a reply's JSON."""
KEPT = 1000
TAKEN_SECONDS = 300
REPLY_SECONDS = 60

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

log = logging.getLogger(__name__)

Handler = Callable[[str, dict[str, Any]], dict[str, Any] | None]
"""Called with verb and args; answers the reply. Raises CommandFailed(code, message) for what the sender should read."""
Spawn = Callable[[Callable[[], None]], object]


class Commands:
    def __init__(self, redis: "Redis", prefix: str = PREFIX) -> None:
        self._redis, self._prefix = checked(redis), prefix
        self.refused = 0
        """Malformed or late commands that `serve` left out."""

    def send(self, node: str, verb: str, args: dict[str, Any] | None = None, timeout: float = 5.0) -> dict[str, Any]:
        """Asks the node's controller and waits at most `timeout` seconds.

        Raises CommandFailed, NoReply, TooLarge, Away, and TypeError when args cannot be written as JSON."""
        command_id = secrets.token_hex(12)
        text = json.dumps({"id": command_id, "verb": verb, "args": args or {}, "timeout": timeout})
        if len(text) > LIMIT:
            raise TooLarge(f"command {verb}: {len(text)} bytes, at most {LIMIT}")
        stream, reply_key = f"{self._prefix}commands:{node}", f"{self._prefix}reply:{command_id}"
        ask(self._redis, "XADD", stream, "MAXLEN", "~", KEPT, "*", "command", text)
        longest, left = longest_block(self._redis), timeout
        while left > 0:
            wait = min(left, longest)
            left -= wait
            answer = ask(self._redis, "BLPOP", reply_key, round(wait, 3))
            if answer:
                return _reply(answer[1], verb)
        raise NoReply(f"{node} did not answer {verb} within {timeout:g} s")

    def serve(
        self,
        node: str,
        handler: Handler,
        *,
        running: Callable[[], bool] = lambda: True,
        spawn: Spawn = lambda run: run(),
        block: float = 1.0,
    ) -> None:
        """Takes the node's commands one after the other while `running()`; each is carried out by `spawn` (give a
        greenlet's spawn where handlers may take long). A Redis that is away is waited for."""
        stream, cursor = f"{self._prefix}commands:{node}", "0-0"
        pause = _Pause()
        while running():
            try:
                wait = int(min(block, longest_block(self._redis)) * 1000)
                answer = ask(self._redis, "XREAD", "COUNT", 100, "BLOCK", wait, "STREAMS", stream, cursor)
                pause.reset()
            except LiveError as error:
                log.warning("commands: %s", error)
                pause.wait()
                continue
            for entry_id, fields in answer[0][1] if answer else []:
                cursor = entry_id
                try:
                    command = self._take(entry_id, fields)
                except LiveError as error:
                    self.refused += 1
                    log.warning("command refused: %s", error)
                    continue
                spawn(lambda command=command: self._carry_out(command, handler))  # type: ignore[misc]

    def _take(self, entry_id: str, fields: dict[str, str]) -> dict[str, Any]:
        """The command, claimed for us alone. Raises Refused when it is malformed, late, or taken by somebody else."""
        text = fields.get("command", "")
        try:
            command: dict[str, Any] = json.loads(text) if len(text) <= LIMIT else {}
            valid = (
                isinstance(command["id"], str)
                and _NAME.fullmatch(command["id"]) is not None
                and isinstance(command["verb"], str)
                and _NAME.fullmatch(command["verb"]) is not None
                and isinstance(command["args"], dict)
                and isinstance(command["timeout"], (int, float))
                and 0 < command["timeout"] <= TAKEN_SECONDS  # after that it could be carried out again
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Refused(f"entry {entry_id}: {str(error)[:100]!r}") from error
        if not valid:
            raise Refused(f"entry {entry_id}: a field has a wrong type")
        with transaction(self._redis) as both:
            both.ask("SET", f"{self._prefix}taken:{command['id']}", 1, "NX", "EX", TAKEN_SECONDS)
            both.ask("TIME")
        first, (seconds, micros) = both.values
        age = int(seconds) + int(micros) / 1e6 - int(entry_id.split("-")[0]) / 1e3
        if not first:
            raise Refused(f"entry {entry_id}: already carried out")
        if age > command["timeout"]:
            raise Refused(f"entry {entry_id}: {command['verb']} is {age:.1f} s old, its sender no longer waits")
        return command

    def _carry_out(self, command: dict[str, Any], handler: Handler) -> None:
        try:
            reply = {"ok": handler(command["verb"], command["args"]) or {}}
            text = json.dumps(reply)
        except CommandFailed as error:
            text = json.dumps({"code": error.code, "message": str(error)})
        except Exception as error:
            log.exception("command %s failed", command["verb"])
            text = json.dumps({"code": "internal", "message": f"{type(error).__name__}: {error}"})
        if len(text) > LIMIT:
            text = json.dumps({"code": "too_large", "message": f"the reply has {len(text)} bytes, at most {LIMIT}"})
        key = f"{self._prefix}reply:{command['id']}"
        try:
            with transaction(self._redis) as both:
                both.ask("RPUSH", key, text)
                both.ask("EXPIRE", key, REPLY_SECONDS)
        except LiveError as error:
            log.warning("reply to %s is lost: %s", command["verb"], error)


def _reply(text: str, verb: str) -> dict[str, Any]:
    try:
        reply = json.loads(text)
        if "code" in reply:
            raise CommandFailed(str(reply["code"]), str(reply["message"]))
        return dict(reply["ok"])
    except (ValueError, KeyError, TypeError) as error:
        raise CommandFailed("malformed", f"the reply to {verb} cannot be read: {error!r}") from error


class _Pause:
    """Waits longer from failure to failure: 0.1 s to 2 s."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._seconds = 0.1

    def wait(self) -> None:
        time.sleep(self._seconds)
        self._seconds = min(self._seconds * 2, 2.0)
