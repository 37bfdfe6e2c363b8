"""Our ids for channels to which FreeSWITCH gives one of its own: the other ends of legs into open lines.

Such a leg is a `loopback`, which has two halves. The id of the first one is ours to choose, that of the second one is
not. So the second one has the name that it shall have in a variable, and at the link each stands for the other.
"""

from collections.abc import Mapping

from contactcentre.pbx.freeswitch import translate
from contactcentre.pbx.freeswitch.reader import Event
from contactcentre.pbx.protocol import line_end

END = "contactcentre_end"
"""The channel variable with our id of the second half. Both halves have it."""
_SECOND = "-b"
_IDS = ("Unique-ID", "Bridge-A-Unique-ID", "Bridge-B-Unique-ID")


def is_end(channel: Mapping[str, str]) -> bool:
    return bool(channel.get(f"variable_{END}")) and channel.get("Channel-Name", "").endswith(_SECOND)


def halves(endpoint: str, channel_id: str) -> dict[str, str]:
    """The variables of both halves of a leg into an open line; none for any other endpoint."""
    if not (name := translate.line_of(endpoint)):
        return {}
    # FreeSWITCH would take the halves out of a call that goes through both, and we could not move them any more
    return {translate.ARGS: f"line,{name}", END: line_end(channel_id), "loopback_bowout": "false"}


class Names:
    def __init__(self) -> None:
        self._theirs: dict[bytes, bytes] = {}
        self._ours: dict[str, str] = {}

    def of(self, channel: Mapping[str, str], channel_id: str) -> str:
        """Our id of a channel, by what an event or a dump says of it."""
        if is_end(channel):
            ours = channel[f"variable_{END}"]
            if self._ours.get(channel_id) != ours and channel_id != ours:
                self._ours[channel_id], self._theirs[ours.encode()] = ours, channel_id.encode()
        return self._ours.get(channel_id, channel_id)

    def sent(self, command: bytes) -> bytes:
        """A command as FreeSWITCH understands it."""
        for ours, theirs in self._theirs.items():
            command = command.replace(ours, theirs)
        return command

    def come(self, event: Event) -> Event:
        """An event as we understand it."""
        self.of(event, event.get("Unique-ID", ""))
        if not self._ours:
            return event
        named = {header: self._ours[event[header]] for header in _IDS if event.get(header) in self._ours}
        if "Unique-ID" in named and event["Event-Name"] == "CHANNEL_HANGUP_COMPLETE":
            del self._ours[event["Unique-ID"]], self._theirs[named["Unique-ID"].encode()]
        return {**event, **named}
