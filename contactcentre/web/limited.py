"""The board as an account sees it that is limited to queues."""

from collections.abc import Mapping

from contactcentre.web import rows
from contactcentre.web.board import Board

_HIDDEN = {"contact_id": "", "queue": "", "caller_text": ""}


class Limited:
    """Its queues, the agents who answer them, and the contacts that are in them now.

    What an agent does for another queue is seen as a state, not as a contact. Changes are told as from one who sees no
    more: a contact that leaves for another queue is gone.
    """

    def __init__(self, board: Board, queues: frozenset[str]) -> None:
        self._board, self._queues = board, queues
        self.snapshot(0.0)

    def snapshot(self, now: float) -> rows.Snapshot:
        """Everything; changes are told from here on."""
        whole = self._board.snapshot(now)
        agents = {name: seen for name, row in whole.agents.items() if (seen := self._agent(row))}
        contacts = {id: row for id, row in whole.contacts.items() if row.queue in self._queues}
        self._agents, self._contacts, self._totals = set(agents), set(contacts), self._board.totals_of(self._queues)
        queues = {name: row for name, row in whole.queues.items() if name in self._queues}
        shown = {"queues": queues, "agents": agents, "contacts": contacts, "totals": self._totals}
        return whole.model_copy(update=shown)

    def change(self, changed: rows.Change) -> rows.Change | None:
        """What of a change of the board is seen; None = nothing."""
        contacts = {
            id: row if row and row.queue in self._queues else None
            for id, row in changed.contacts.items()
            if id in self._contacts or (row and row.queue in self._queues)
        }
        agents = {
            name: seen
            for name, row in changed.agents.items()
            if (seen := self._agent(row)) is not None or name in self._agents
        }
        queues = {name: row for name, row in changed.queues.items() if name in self._queues}
        _remember(self._contacts, contacts)
        _remember(self._agents, agents)
        totals = self._board.totals_of(self._queues)
        renewed = totals if totals != self._totals else None
        self._totals = totals
        if not (contacts or agents or queues or renewed or changed.today_at):
            return None
        return changed.model_copy(update={"queues": queues, "agents": agents, "contacts": contacts, "totals": renewed})

    def numbers(self, now: float) -> rows.Change:
        """As `Board.numbers`."""
        numbers = self._board.numbers(now)
        queues = {name: row for name, row in numbers.queues.items() if name in self._queues}
        return numbers.model_copy(update={"queues": queues, "totals": self._board.totals_of(self._queues)})

    def _agent(self, row: rows.AgentRow | None) -> rows.AgentRow | None:
        if row is None or self._queues.isdisjoint(row.queues):
            return None
        queues = tuple(queue for queue in row.queues if queue in self._queues)
        other = {} if row.queue in self._queues else _HIDDEN
        some = {"queues": queues, "messages": 0} if len(queues) < len(row.queues) else {}
        return row.model_copy(update={**other, **some})


def _remember(shown: set[str], told: Mapping[str, rows.Row | None]) -> None:
    for key, row in told.items():
        (shown.discard if row is None else shown.add)(key)
