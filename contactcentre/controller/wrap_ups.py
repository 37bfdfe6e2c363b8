"""Notes the end of each wrap-up in the contact it belongs to, after the contact's own greenlet has ended."""

from contactcentre.controller.contact import Contact
from contactcentre.domain.agents import AgentState
from contactcentre.domain.events import Kind
from contactcentre.live import Change


class WrapUps:
    def __init__(self) -> None:
        self._open: dict[str, tuple[Contact, str]] = {}  # agent -> (contact, queue)

    def watch(self, contact: Contact, agent: str, queue: str) -> None:
        self._open[agent] = (contact, queue)

    def changed(self, change: Change) -> None:
        """Told of every change of an agent; a wrap-up is over when the agent is anything else."""
        if change.kind != "agent" or change.key not in self._open or change.value is None:
            return
        contact, queue = self._open[change.key]
        status = change.value
        if status.state is AgentState.TALKING and status.contact_id == contact.id:
            return  # news from before the wrap-up began
        if status.state is AgentState.WRAP_UP and status.contact_id == contact.id:
            return
        del self._open[change.key]
        contact.emit(Kind.WRAP_UP_ENDED, agent=change.key, queue=queue)
