"""Sites that the tests provision."""

from copy import deepcopy
from typing import Any

FLOW = {
    "start": "welcome",
    "nodes": {"welcome": {"type": "answer", "next": "wait"}, "wait": {"type": "queue", "queue": "support"}},
}

_DOCUMENT: dict[str, Any] = {
    "settings": {"timezone": "Europe/Paris", "country": "FR"},
    "trunks": {"carrier": {"host": "127.0.0.2", "port": 5080, "caller_id": "+33155500000"}},
    "dids": {
        "+33155500001": {"flow": "main", "language": "fr"},
        "+33155500002": {"flow": "main", "trunk": "carrier", "fallback_queue": "sales"},
    },
    "skills": {"lang_fr": "French", "billing": "Invoices"},
    "queues": {
        "support": {
            "requires": "lang_fr >= 50 and billing",
            "relax": [{"after": 30, "requires": "lang_fr >= 20"}],
            "ring_seconds": 5,
        },
        "sales": {"agents": ["bob"]},
    },
    "agents": {
        "alice": {"full_name": "Élodie O'Neil (support)", "skills": {"lang_fr": 90, "billing": 50}, "number": "101"},
        "bob": {"skills": {"lang_fr": 30}, "number": "102"},
    },
    "hours": {
        "office": {"timezone": "Europe/Paris", "periods": [{"days": "mon-fri", "open": "08:00", "close": "18:00"}]}
    },
    "flows": {"main": FLOW},
}


def document(**changes: Any) -> dict[str, Any]:
    """A whole site as a document; `changes` replace values by dotted path with `__` between the parts."""
    made = deepcopy(_DOCUMENT)
    for path, value in changes.items():
        *holders, last = path.split("__")
        holder = made
        for part in holders:
            holder = holder.setdefault(part, {})
        holder[last] = value
    return made
