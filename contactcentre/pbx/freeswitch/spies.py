"""Supervisors who hear a call. A spy is no channel here: it is what the supervisor's own leg does (`eavesdrop`) as long
as the two are in the same bridge. So nobody else hears through it, and nothing of it is left on the PBX.

The names of FreeSWITCH's whisper variables are the other way round: `bleg` is heard by the channel that is spied on,
`aleg` by the one it talks with. The supervisor's digits would change the mode and are kept away.
"""

from dataclasses import dataclass

from contactcentre.pbx.events import Cause, Ended
from contactcentre.pbx.freeswitch.reader import Event
from contactcentre.pbx.protocol import Inbox, Mode

_HEARD = {Mode.LISTEN: ("false", "false"), Mode.WHISPER: ("true", "false"), Mode.BARGE: ("true", "true")}
"""bleg, aleg"""


@dataclass(slots=True)
class _Spy:
    id: str
    target: str
    mode: Mode
    inbox: Inbox
    listener: str = ""  # the leg that hears through it
    application: str = ""  # the key of its eavesdrop that counts


class Spies:
    def __init__(self) -> None:
        self._spies: dict[str, _Spy] = {}
        self._by_application: dict[str, str] = {}

    def __contains__(self, spy_id: str) -> bool:
        return spy_id in self._spies

    def targets(self) -> dict[str, str]:
        return {spy.id: spy.target for spy in self._spies.values()}

    def add(self, spy_id: str, target: str, mode: Mode, inbox: Inbox) -> None:
        self._spies[spy_id] = _Spy(spy_id, target, mode, inbox)

    def bind(self, spy_id: str, inbox: Inbox) -> None:
        self._spies[spy_id].inbox = inbox

    def spied(self, spy_id: str) -> tuple[str, str]:
        """Whom it spies on, and the applications that set its mode."""
        spy = self._spies[spy_id]
        bleg, aleg = _HEARD[spy.mode]
        values = {"enable_dtmf": "false", "whisper_bleg": bleg, "whisper_aleg": aleg}
        return spy.target, "".join(f"set:eavesdrop_{name}={value}^" for name, value in values.items())

    def attached(self, spy_id: str, channel_id: str, event: Event) -> None:
        if (spy := self._spies.get(spy_id)) is not None:
            self._by_application.pop(spy.application, None)
            spy.listener, spy.application = channel_id, event.get("Application-UUID", "")
            self._by_application[spy.application] = spy_id

    def remove(self, spy_id: str) -> bool:
        """Was it there? It is over for who listens, not told."""
        if (spy := self._spies.pop(spy_id, None)) is None:
            return False
        self._by_application.pop(spy.application, None)
        return True

    def end(self, spy_id: str, at: float) -> None:
        """And it is told."""
        if (spy := self._spies.get(spy_id)) is not None and self.remove(spy_id):
            spy.inbox(Ended(spy_id, at, Cause.NORMAL))

    def completed(self, application: str) -> str:
        """The spy whose eavesdrop this was: its target is gone, or the listener was moved. "" = none."""
        return self._by_application.get(application, "")

    def of_target(self, channel_id: str) -> list[str]:
        return [spy.id for spy in self._spies.values() if spy.target == channel_id]

    def recover(self, spy_id: str, target: str, listener: str) -> None:
        """One of an earlier controller. Nobody answers for it until it is adopted."""
        self._spies.setdefault(spy_id, _Spy(spy_id, target, Mode.LISTEN, lambda event: None, listener))
