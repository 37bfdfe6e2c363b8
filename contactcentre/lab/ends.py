"""One end of a call, whoever placed it: its keys and its ear."""

import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contactcentre.lab.errors import LabTimeout, PhoneError
from contactcentre.lab.remote import Handsets

_NOT_FINAL = (100, 180, 183, 202)


class Hearing:
    """What one end of a call hears during a stretch of time. Several may run at once."""

    def __init__(self, handsets: Handsets, call: str, seconds: float, path: Path | str) -> None:
        self.path, self._seconds = Path(path).resolve(), seconds
        self._done = threading.Event()
        self.packets = 0
        """How many came, known after `wait`."""
        self._handsets, self._token = handsets, uuid.uuid4().hex
        handsets.listen(self._token, self._take)
        handsets.send("hear", call=call, seconds=seconds, path=str(self.path), token=self._token)

    def wait(self, deadline: float = 60.0) -> Path:
        """The WAV file, as long as was asked for, when it is complete. Raises LabTimeout `deadline` seconds later."""
        heard = self._done.wait(self._seconds + deadline)
        self._handsets.listen(self._token, None)
        if not heard:
            raise LabTimeout(f"{self.path}: not heard within {self._seconds + deadline:g} s")
        return self.path

    def _take(self, event: dict[str, Any]) -> None:
        self.packets = event.get("packets", 0)
        self._done.set()


class End:
    """What `OngoingCall` and `Phone` have in common."""

    def __init__(self, handsets: Handsets, title: str) -> None:
        self._handsets, self._title = handsets, title
        self._changed = threading.Condition()
        self._trouble = ""
        self._renewed = 0
        self.transferring: list[int] = []
        """SIP statuses that came for the last transfer, oldest first: 202, 100, 200."""

    def current(self) -> str:
        """The call (Call-ID) whose keys are pressed."""
        raise NotImplementedError

    def hear(self, seconds: float, path: Path | str) -> Hearing:
        """Listen from now on for so long, into a WAV file."""
        return Hearing(self._handsets, self.current(), seconds, path)

    def hold(self, music: int | None = None, deadline: float = 60.0) -> None:
        """Press the hold key. This end then sends nothing, or a tone of `music` Hz.

        Raises LabTimeout when the PBX has not agreed by then."""
        self._renew(True, music, deadline)

    def resume(self, deadline: float = 60.0) -> None:
        """Press the hold key again."""
        self._renew(False, None, deadline)

    def transfer(self, number: str, other: "End | None" = None) -> None:
        """Press the transfer key: to a number, or to the party of another call of this same phone.

        `transferring` and `wait_transfer` tell what the PBX answers."""
        self.transferring = []
        beside = other.current() if other is not None else ""
        self._handsets.send("transfer", call=self.current(), number=number, other=beside)

    def wait_transfer(self, deadline: float = 60.0) -> int:
        """The final SIP status of a transfer: 200 done (this end has hung up), 603 declined, 503 unavailable ..."""
        if not self._wait(lambda: bool(self._final()), deadline):
            raise LabTimeout(f"{self._title}: nothing final within {deadline:g} s, only {self.transferring}")
        return self._final()[0]

    def _final(self) -> list[int]:
        return [status for status in self.transferring if status not in _NOT_FINAL]

    def _renew(self, held: bool, music: int | None, deadline: float) -> None:
        self._renewed = 0
        self._handsets.send("hold", call=self.current(), held=held, music=music)
        if not self._wait(lambda: bool(self._renewed), deadline):
            raise LabTimeout(f"{self._title}: the PBX did not answer the hold key within {deadline:g} s")
        if self._renewed != 200:
            raise PhoneError(f"{self._title}: the PBX answered {self._renewed} to the hold key")

    def _note(self, event: dict[str, Any]) -> None:
        """Takes what these keys brought about."""
        if event["event"] == "transfer":
            self.transferring.append(event["status"])
        elif event["event"] == "renewed":
            self._renewed = event["status"]

    def _wait(self, condition: Callable[[], bool], deadline: float) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: condition() or self._trouble, deadline)
            if self._trouble:
                raise PhoneError(self._trouble)
            return condition()
