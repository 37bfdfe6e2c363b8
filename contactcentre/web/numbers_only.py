"""The board as a wallboard sees it: numbers of queues, and nobody's name or number."""

from typing import TypeVar

from contactcentre.web import rows
from contactcentre.web.board import Board
from contactcentre.web.limited import Limited

Told = TypeVar("Told", rows.Snapshot, rows.Change)


class NumbersOnly:
    """What `Board` or `Limited` show, without agents and contacts."""

    def __init__(self, seen: Board | Limited) -> None:
        self._seen = seen

    def snapshot(self, now: float) -> rows.Snapshot:
        return without_people(self._seen.snapshot(now))

    def change(self, changed: rows.Change) -> rows.Change | None:
        """None: nothing of it is a number."""
        told = self._seen.change(changed) if isinstance(self._seen, Limited) else changed
        if told is None or not (told.queues or told.totals or told.today_at):
            return None
        return without_people(told)

    def numbers(self, now: float) -> rows.Change:
        return without_people(self._seen.numbers(now))


def without_people(told: Told) -> Told:
    """Neither agents nor contacts, nor who looks after an alert."""
    queues = {name: _unsigned(row) for name, row in told.queues.items()}
    return told.model_copy(update={"queues": queues, "agents": {}, "contacts": {}})


def _unsigned(row: rows.QueueRow | None) -> rows.QueueRow | None:
    if row is None or not row.alerts:
        return row
    alerts = tuple(one.model_copy(update={"acknowledged_by": ""}) for one in row.alerts)
    return row.model_copy(update={"alerts": alerts})
