"""A process that appends events to its journal until it is killed; prints each one's number once `append` returned."""

import os
import sys
import threading

from contactcentre.domain.events import Event, Kind
from contactcentre.live import Journal, connect


def main(url: str, spool: str) -> None:
    journal = Journal(connect(url), spool)
    threading.Thread(target=journal.run, daemon=True).start()
    seq = 0
    while True:
        seq += 1
        journal.append(Event("c1", seq, 1.5, Kind.NODE, {"flow": "main", "node": f"n{seq}", "type": "play"}))
        os.write(1, b"%d\n" % seq)


if __name__ == "__main__":
    main(*sys.argv[1:])
