"""Notes the end of each wrap-up in the contact it belongs to, after the contact's own greenlet has ended."""

from contactcentre.controller.contact import Contact
from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.events import Kind
from contactcentre.live import Change


class WrapUps:
    def __init__(self) -> None:
        self._open: dict[tuple[str, str], tuple[Contact, str]] = {}  # agent, contact id -> contact, queue

    def __len__(self) -> int:
        return len(self._open)

    def watch(self, contact: Contact, agent: str, queue: str) -> None:
        self._open[agent, contact.id] = (contact, queue)

    def changed(self, change: Change) -> None:
        """Told of every change of an agent; a wrap-up is over when the agent is anything else."""
        if change.kind != "agent":
            return
        status = change.value if change.value is not None else AgentStatus(change.key)
        for agent, contact_id in [key for key in self._open if key[0] == change.key]:
            # Ringing or talking for this very contact is news from before the wrap-up began.
            before = status.contact_id == contact_id and status.state in (AgentState.OFFERED, AgentState.TALKING)
            if before or (status.contact_id == contact_id and status.state is AgentState.WRAP_UP):
                continue
            contact, queue = self._open.pop((agent, contact_id))
            contact.emit(Kind.WRAP_UP_ENDED, agent=agent, queue=queue)
