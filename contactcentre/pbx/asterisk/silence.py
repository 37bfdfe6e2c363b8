"""Silence in a recording that goes on (ARI's mute of a live recording), whatever Asterisk's flag for it does.

The flag is one bit wide and signed, so that it is never 1. Since 18.21, 20.6 and 21.1 a second mute therefore unmutes,
while an unmute does what it says: unmuting first makes both safe. Before these, a mute works once in a recording's
life, and every unmute after it changes to and fro: there we must know what was before, also after a restart.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import gevent

from contactcentre.pbx.asterisk.protocol import Query, resource
from contactcentre.pbx.errors import Gone, PbxError, Refused

BEGINS_WITHIN = 50
"""How often, with 20 ms between, a recording that was asked for is told to be silent before it must have begun."""
_UNMUTES_SINCE = {18: 21, 20: 6, 21: 1}
_NEVER, _LOUD, _SILENT = "", "loud", "silent"
_version = re.compile(r"(\d+)\.(\d+)").search


def changes_to_and_fro(version: str) -> bool:
    """Is this Asterisk one of those whose unmute does not say what it does?"""
    if not (found := _version(version)):
        return False
    major, minor = int(found[1]), int(found[2])
    return major < 22 and minor < _UNMUTES_SINCE.get(major, 1 << 30)


class Silences:
    """`send` sends a request and returns what can be waited for."""

    def __init__(self, send: Callable[..., Any]) -> None:
        self._send = send
        self.to_and_fro = False
        self._known: dict[str, str] = {}

    def pause(self, tap_id: str, recordings: Sequence[str]) -> None:
        """A recording that is complete stays as it is. Raises Refused, LinkDown, Deadline."""
        if self.to_and_fro:
            self._change(tap_id, recordings, _SILENT)
            return
        # Nothing is heard between the two: they are read one after the other.
        self._begun(lambda: self._live("DELETE", recordings))
        self._begun(lambda: self._live("POST", recordings))

    def resume(self, tap_id: str, recordings: Sequence[str]) -> None:
        """Raises Refused, LinkDown, Deadline."""
        if self.to_and_fro:
            self._change(tap_id, recordings, _LOUD)
        else:
            self._begun(lambda: self._live("DELETE", recordings))

    def forget(self, tap_id: str) -> None:
        """The recording is over."""
        if self._known.pop(tap_id, _NEVER) != _NEVER:
            with suppress(PbxError):
                self._send("POST", "asterisk/variable", {"variable": _variable(tap_id)})

    def _change(self, tap_id: str, recordings: Sequence[str], wanted: str) -> None:
        was = self._known.get(tap_id) or self._recall(tap_id)
        if wanted == (was or _LOUD):
            return
        self._begun(lambda: self._live("DELETE" if was else "POST", recordings))
        self._known[tap_id] = wanted
        query: Query = {"variable": _variable(tap_id), "value": wanted}
        self._send("POST", "asterisk/variable", query).wait()

    def _recall(self, tap_id: str) -> str:
        try:
            return str(self._send("GET", "asterisk/variable", {"variable": _variable(tap_id)}).wait()["value"])
        except Gone:
            return _NEVER

    def _begun(self, attempt: Callable[[], list[Refused]]) -> None:
        """409: the recording was asked for, but has not begun."""
        for again in range(BEGINS_WITHIN, 0, -1):
            if not (refused := attempt()):
                return
            if refused[0].status != 409 or again == 1:
                raise refused[0]
            gevent.sleep(0.02)

    def _live(self, method: str, recordings: Sequence[str]) -> list[Refused]:
        """Mutes (POST) or unmutes (DELETE)."""
        sent = [self._send(method, f"{resource('recordings', 'live', name)}/mute") for name in recordings]
        refusals = []
        for pending in sent:
            try:
                pending.wait()
            except Gone:
                pass  # it is complete
            except Refused as refused:
                refusals.append(refused)
        return refusals


def _variable(tap_id: str) -> str:
    """A global variable of the PBX, for what its recordings do not tell a restarted controller."""
    return f"SILENCE_{tap_id}"
