"""What people said of a contact, out of the facts that they added, perhaps after its end."""

from dataclasses import replace

from contactcentre.domain.data import number_of, text_of
from contactcentre.domain.events import Event, Kind
from contactcentre.domain.history import Said


def say(said: dict[str, Said], event: Event) -> None:
    """Takes one fact of events.SAID into `said`, which is by queue: of each the last counts."""
    data, queue = event.data, text_of(event.data, "queue")
    known = said.get(queue)
    if event.kind is Kind.CALLED_BACK:
        if known is not None and known.callback_at is not None:
            said[queue] = replace(known, called_at=event.at)
        return
    said.pop(queue, None)
    if code := text_of(data, "code"):
        label, by, number, agent = (text_of(data, name) for name in ("label", "by", "number", "agent"))
        promised = number_of(data, "callback_at") or None
        said[queue] = Said(queue, agent, code, label, event.at, by, promised, number)
