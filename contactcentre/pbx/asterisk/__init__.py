"""Asterisk (18 to 22 and later) over ARI: `protocol` (no I/O) -> `connection` (gevent) -> `driver` (the PBX's verbs).

`model` is a separate convenience for scripts: objects made from Asterisk's own api-docs, with ari-py's
programming model.
"""

from contactcentre.pbx.asterisk.driver import AsteriskPbx

__all__ = ["AsteriskPbx"]
