"""Every test runs as our processes do: gevent first, warnings are errors."""

from gevent import monkey

monkey.patch_all()

import signal  # noqa: E402

# A shell starts what it puts into the background with SIGINT ignored, and our processes would inherit that: Ctrl-C,
# which tests send them, must mean what it means to a person.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.plugins.lab", "tests.plugins.ports", "tests.plugins.services"]
