"""What is wrong with a flow, said so that a person finds and mends it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """`value` breaks `rule`. `node` is "" for the flow itself; `field` is a dotted path within the node."""

    node: str
    field: str
    value: Any
    rule: str
    error: bool = True  # False: a warning, the flow can run

    @property
    def path(self) -> tuple[str, ...]:
        """Where it stands in the document."""
        fields = tuple(self.field.split(".")) if self.field else ()
        return ("nodes", self.node, *fields) if self.node else fields

    def __str__(self) -> str:
        where = ".".join(part for part in (f"node {self.node}" if self.node else "flow", self.field) if part)
        shown = "" if self.value is None else f" {shorten(self.value)}"
        return f"{'' if self.error else 'warning: '}{where}:{shown} {self.rule}"


class FlowError(Exception):
    """A flow cannot be read. `problems` holds every reason, not just the first."""

    def __init__(self, flow: str, problems: list[Problem]) -> None:
        super().__init__(f"flow {flow}: " + "; ".join(str(problem) for problem in problems))
        self.flow, self.problems = flow, problems


def shorten(value: Any, limit: int = 60) -> str:
    shown = repr(value)
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."
