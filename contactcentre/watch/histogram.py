"""Durations counted by size, at a tenth of what prometheus-client's own histogram costs: it is filled at every request
to the PBX, and read only when somebody asks."""

from bisect import bisect_left
from collections.abc import Sequence

from prometheus_client.core import HistogramMetricFamily

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds. The promises are in between: 50 ms until the next caller's phone rings, 5 s for a request at most."""


class Histogram:
    """For one thread, or for greenlets."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float] = BOUNDS) -> None:
        self._bounds, self._counts, self._sum = bounds, [0] * (len(bounds) + 1), 0.0

    def observe(self, seconds: float) -> None:
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    @property
    def spent(self) -> float:
        """Seconds, of all together."""
        return self._sum

    @property
    def total(self) -> int:
        """How many were observed."""
        return sum(self._counts)

    def add_to(self, family: HistogramMetricFamily, *labels: str) -> None:
        """Says it to Prometheus, whose buckets are cumulative."""
        buckets, below = [], 0
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            below += count
            buckets.append((bound, float(below)))
        family.add_metric(list(labels), buckets, self._sum)
