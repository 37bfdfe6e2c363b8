"""Prometheus' families of numbers, each named `contactcentre_` and its own name (docs/admin.rst lists them)."""

from collections.abc import Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from contactcentre.watch.histogram import Histogram


def gauge(name: str, says: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"contactcentre_{name}", says, float(value))


def counter(name: str, says: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"contactcentre_{name}", says, float(value))


def gauges(name: str, says: str, label: str, values: Mapping[Any, float]) -> GaugeMetricFamily:
    found = GaugeMetricFamily(f"contactcentre_{name}", says, labels=[label])
    for value, number in sorted(values.items()):
        found.add_metric([str(value)], float(number))
    return found


def counters(name: str, says: str, label: str, values: Mapping[Any, float]) -> CounterMetricFamily:
    found = CounterMetricFamily(f"contactcentre_{name}", says, labels=[label])
    for value, number in sorted(values.items()):
        found.add_metric([str(value)], float(number))
    return found


def family(name: str, says: str, histograms: Mapping[str, Histogram], label: str) -> HistogramMetricFamily:
    """One histogram for each value of the label."""
    found = HistogramMetricFamily(f"contactcentre_{name}", says, labels=[label])
    for value, histogram in sorted(histograms.items()):
        histogram.add_to(found, value)
    return found


def single(name: str, says: str, histogram: Histogram) -> HistogramMetricFamily:
    found = HistogramMetricFamily(f"contactcentre_{name}", says, labels=[])
    histogram.add_to(found)
    return found
