"""The command line: one file per noun, each with a click command or group named `command`, found by itself.

Nothing is imported here at module level that gevent would have to patch: `main` is an entry point.
"""

import sys


def main() -> None:
    """The console script `contactcentre`."""
    # Celery's prefork pool forks and waits in its own ways; the recorder does one thing after the other, and psycopg
    # waits for the database in C where nothing is patched. Everything else of ours is written for gevent
    if sys.argv[1:2] not in (["worker"], ["recorder"]):
        from gevent import monkey

        monkey.patch_all()
    from contactcentre.cli.group import run

    sys.exit(run(sys.argv[1:]))
