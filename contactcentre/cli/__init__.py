"""The command line: one file per noun, each with a click command or group named `command`, found by itself.

Nothing is imported here at module level that gevent would have to patch: `main` is an entry point.
"""

import gc
import sys

LOADING = 100_000
"""Objects more than before until Python looks for garbage: what modules bring stays, and to look through it again and
again is a tenth of a process's start. (A process that stays sets its own, `processes.stay`.)"""


def main() -> None:
    """The console script `contactcentre`."""
    gc.set_threshold(LOADING)
    # Celery's prefork pool forks and waits in its own ways; the recorder does one thing after the other, and psycopg
    # waits for the database in C where nothing is patched. Everything else of ours is written for gevent
    if sys.argv[1:2] not in (["worker"], ["recorder"]):
        from gevent import config, monkey

        monkey.patch_all()
        # who began a greenlet is noted with ten frames of its stack, a fifth of what a greenlet costs; nobody reads it
        config.track_greenlet_tree = False
    from contactcentre.cli.group import run

    sys.exit(run(sys.argv[1:]))
