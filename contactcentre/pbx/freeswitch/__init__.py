"""FreeSWITCH (1.10 and later) over ESL: `reader` and `protocol` (no I/O) -> `connection` (gevent) -> `driver`."""
