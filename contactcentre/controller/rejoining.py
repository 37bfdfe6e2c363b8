"""Agents whose phone is a window of a browser: it is loaded anew, crashes, or loses its network during a call.

The PBX keeps the leg, to which nobody listens any more. So the customer hears music until the window is back, and is
given another leg to it (`rejoin`); who does not come back in time gives the customer to the queue again. The window
itself says that it goes (`away`), that it was only silent (`here`) and that it is back; where it cannot, that nothing
comes from it any more tells (`controller.sound`). That its telephone is not registered tells nothing: the call goes on
without that.
"""

from typing import TYPE_CHECKING

from contactcentre.controller.parties import Call
from contactcentre.domain.conversation import Fact, Party, Place, Refusal
from contactcentre.domain.events import Kind
from contactcentre.domain.verbs import Verb, decide

if TYPE_CHECKING:
    from contactcentre.controller.talk import Talk

BACK_SECONDS = 30.0
"""So long the customer waits for the agent's window to come back."""
REJOIN = "rejoin"
BY = "window"


class Rejoining:
    def __init__(self, talk: "Talk") -> None:
        self._talk = talk
        self._silent = ""  # the leg from which nothing comes
        self._left = ""  # the leg whose window has said that it goes

    @property
    def _lost(self) -> bool:
        """The customer is on music because the agent's window is lost."""
        now = self._talk.now
        return now.state == "held" and now.held_by == BY

    @property
    def moment(self) -> float | None:
        """When to `look` (epoch seconds)."""
        return self._talk.now.held_at + BACK_SECONDS if self._lost and self._talk.now.queue else None

    def look(self, at: float) -> None:
        """Gives the customer back to the queue when it is time to; a direct call waits on."""
        if (due := self.moment) is not None and due <= at:
            self._talk.happens(decide(self._talk.now, Verb.TRANSFER, at, to=f"queue:{self._talk.now.queue}"))

    def heard(self, comes: bool) -> None:
        """Whether anything comes from the window of whoever has the customer."""
        if (owner := self._talk.now.agent) is None:
            return
        if not comes:
            self._silent, self._left = owner.leg, ""
            self._music(owner.agent)
        elif owner.leg != self._left:  # what has come before it went
            self._silent = ""
            self.here(owner.agent)

    def away(self, agent: str) -> None:
        """The agent's window goes."""
        if (owner := self._talk.now.agent) is not None and owner.agent == agent:
            self._left = owner.leg
        self._music(agent)

    def _music(self, agent: str) -> None:
        """The agent's window is lost. Only where nobody else talks with the customer they are put on music."""
        talk, at = self._talk, self._talk.contact.node.now()
        if talk.now.state == "talking" and (owner := talk.now.agent) is not None and owner.agent == agent:
            talk.happens(decide(talk.now, Verb.HOLD, at, by=BY))

    def here(self, agent: str) -> None:
        """The window was only silent, and is not any more: the call goes on as it was."""
        talk = self._talk
        if self._lost and (owner := talk.now.agent) is not None and owner.agent == agent and owner.leg != self._silent:
            talk.happens(decide(talk.now, Verb.RESUME, talk.contact.node.now(), by=BY))

    def party(self, agent: str) -> Party:
        """The agent's, to whom another leg can be given. Raises Refusal."""
        node = self._talk.contact.node
        if agent not in node.site.agents or not node.site.agents[agent].webrtc:
            raise Refusal("no_softphone", f"agent {agent[:40]!r} has no phone in the browser")
        party = self._talk.now.find(agent)
        if party.place is Place.RINGING:
            raise Refusal("not_answered", "your phone rings: answer it")
        return party

    def facts(self, call: Call) -> list[Fact]:
        """Of the window's having answered: the music ends when something comes from there. Raises Refusal."""
        talk, old = self._talk, call.to.partition(":")[2]
        if old not in talk.now.parties:
            raise Refusal("gone", "the conversation went on without")
        party = talk.now.parties[old]
        return [(Kind.REJOINED, {"leg": call.leg, "agent": party.agent, "instead_of": old})]
