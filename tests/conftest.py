"""Every test runs as our processes do: gevent first (`tests.plugins.greenlets`), warnings are errors."""

import signal

# A shell starts what it puts into the background with SIGINT ignored, and our processes would inherit that: Ctrl-C,
# which tests send them, must mean what it means to a person.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = [
    "tests.plugins.disks",
    "tests.plugins.generated",
    "tests.plugins.hangs",
    "tests.plugins.lab",
    "tests.plugins.order",
    "tests.plugins.ports",
    "tests.plugins.speech",  # before the one that imports it
    "tests.plugins.services",
]
