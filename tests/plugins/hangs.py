"""A test that waits for ever fails, and the others run on.

pytest-timeout can only end the whole process then (a handler of its signal would raise in gevent's hub), and where
pytest-xdist shares the tests out whole files, it gives the same test to the next process, or stands still. So a test
that waits is ended here, a little earlier; one that never waits is left to pytest-timeout.
"""

import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import gevent
import gevent.util
import pytest

SHARE = 0.8
"""Of pytest-timeout's time that a test has until it is ended here, with what it sets up."""
TEARDOWN = 0.18
"""Of that time, for taking down what was set up."""
_ENDS = pytest.StashKey[float]()


def _limit(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0] if marker else item.config.getini("timeout"))


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    too_long = pytest.fail.Exception(f"it hung: not done after {seconds:.0f} s", pytrace=True)
    try:
        with gevent.Timeout(max(1.0, seconds), too_long):
            yield
    except pytest.fail.Exception as failed:
        if failed is too_long:
            print("What every greenlet and thread did when the test was ended:", file=sys.stderr)
            gevent.util.print_run_info(file=sys.stderr)
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    limit = SHARE * _limit(item)
    item.stash[_ENDS] = time.monotonic() + limit
    with _at_most(limit):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    with _at_most(item.stash[_ENDS] - time.monotonic()):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    with _at_most(TEARDOWN * _limit(item)):
        return (yield)
