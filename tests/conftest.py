"""Every test runs as our processes do: gevent first, warnings are errors."""

from gevent import monkey

monkey.patch_all()

pytest_plugins = ["tests.plugins.lab", "tests.plugins.ports", "tests.plugins.services"]
