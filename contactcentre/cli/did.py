"""Numbers that callers dial, and the flow that greets them."""

from contactcentre.cli.noun import noun
from contactcentre.domain.site import Did

command = noun(
    "did",
    Did,
    {
        "flow": "The flow that greets its callers.",
        "trunk": "Only calls from this trunk (any).",
        "fallback_queue": "Answered by the PBX itself when no controller runs (the flow's first queue).",
        "language": "The callers' first language, like fr.",
    },
    ("flow", "trunk", "fallback_queue", "language"),
)
