"""Numbers that callers dial, and the flow that greets them."""

from contactcentre.cli.noun import noun
from contactcentre.domain.site import Did

command = noun(
    "did",
    Did,
    ("flow", "trunk", "fallback_queue", "language"),
)
