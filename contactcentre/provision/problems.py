"""What is wrong with a site: where, by which rule, in words, and on which line when it came from a file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Problem:
    """`where` is the dotted path of the value (`queues.support.requires`), `rule` a stable code for
    programs."""

    where: str
    rule: str
    message: str
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        return f"{place}{self.where}: {self.message}" if self.where else f"{place}{self.message}"


class ProvisionError(Exception):
    """Something could not be provisioned; the text says what and why. Nothing was half-applied."""


class SiteError(ProvisionError):
    """A site that breaks rules; `problems` holds every one of them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


Lines = Mapping[str, tuple[str, int]]
"""Dotted path -> (file, line) of what was read there."""


def dotted(path: Iterable[object]) -> str:
    return ".".join(map(str, path))


def placed(problem: Problem, lines: Lines) -> Problem:
    """The problem with the file and line of its value, or of the nearest thing around it that was read."""
    path = problem.where
    while path not in lines and path:
        path = path.rpartition(".")[0]
    file, line = lines.get(path, ("", 0))
    return replace(problem, file=file, line=line)


def shown(value: object, limit: int = 60) -> str:
    """A value as it may be shown to a person: one line, no control characters, cut when it is long."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
