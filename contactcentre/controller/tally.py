"""Facts counted as they are journalled: what became of offers and contacts, since this process began."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from contactcentre.domain.events import Kind
from contactcentre.watch.histogram import Histogram


class Tally:
    def __init__(self) -> None:
        self.facts: Counter[Kind] = Counter()
        self.offers: Counter[str] = Counter()
        """By `accepted` and the values of OfferResult."""
        self.ended: Counter[str] = Counter()
        """Contacts, by Outcome."""
        self.link_losses = 0
        self.deciding = Histogram()
        """From the moment that something was to be decided (a caller came, an agent became free) to the decision."""
        self.reserving = Histogram()
        """One agent's reservation in Redis."""

    def take(self, kind: Kind, data: Mapping[str, Any]) -> None:
        self.facts[kind] += 1
        if kind is Kind.ACCEPTED:
            self.offers["accepted"] += 1
        elif kind is Kind.REFUSED:
            self.offers[data["result"]] += 1
        elif kind is Kind.ENDED:
            self.ended[data["outcome"]] += 1
