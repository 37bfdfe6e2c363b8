import gevent
from gevent import monkey

from contactcentre.watch.families import single
from contactcentre.watch.histogram import Histogram
from contactcentre.watch.pulse import Pulse


def test_whoever_holds_the_process_up_is_seen_as_lateness() -> None:
    called: list[float] = []
    pulse = Pulse(called.append, every=0.05)
    running = gevent.spawn(pulse.run)
    try:
        while not called:
            gevent.sleep(0.01)
        before = pulse.lags.total
        monkey.get_original("time", "sleep")(0.5)  # nothing else runs meanwhile
        while pulse.lags.total == before:
            gevent.sleep(0.01)
        assert pulse.worst == max(called) >= 0.4
        assert {family.name for family in pulse.collect()} == {
            "contactcentre_hub_lag_seconds",
            "contactcentre_hub_lag_worst_seconds",
        }
    finally:
        running.kill()


def test_a_histogram_s_buckets_are_what_prometheus_expects() -> None:
    histogram = Histogram(bounds=(0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 2.0):
        histogram.observe(seconds)

    samples = {(s.name, s.labels.get("le", "")): s.value for s in single("x", "", histogram).samples}
    assert samples == {
        ("contactcentre_x_bucket", "0.1"): 2,
        ("contactcentre_x_bucket", "1.0"): 3,
        ("contactcentre_x_bucket", "+Inf"): 4,
        ("contactcentre_x_count", ""): 4,
        ("contactcentre_x_sum", ""): 2.65,
    }
