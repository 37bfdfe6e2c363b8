"""That they are recorded, told to those who talk: a beep every so often, where their queue says so."""

from typing import TYPE_CHECKING

from contactcentre.domain.conversation import Place

if TYPE_CHECKING:
    from contactcentre.controller.talk import Talk

BEEP = "tone:beep"


class Notice:
    """Of one conversation."""

    def __init__(self, talk: "Talk") -> None:
        self._talk = talk
        self._beeped = 0.0  # the first beep comes at once

    @property
    def next_beep(self) -> float | None:
        """When all are to hear again that they are recorded (epoch seconds)."""
        contact = self._talk.contact
        every = contact.node.queue(self._talk.now.queue).record_beep
        return self._beeped + every if every and contact.recorded.state == "running" else None

    def beep(self, at: float) -> None:
        """Plays what is due."""
        if (due := self.next_beep) is not None and due <= at:
            self._beeped = at
            talk = self._talk
            legs = [leg for leg, party in talk.now.parties.items() if party.place is Place.TOGETHER]
            for leg in (talk.contact.caller_id, *legs):
                talk.play(leg, BEEP)
