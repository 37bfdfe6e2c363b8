"""YAML as telecom admins mean it: every value keeps its line, and a number stays what was typed.

YAML 1.1 would read the DID `0123` as 83, `+33155501` as an integer and `18:00` as 1080, so plain scalars are
kept as text (the site's model converts them by its types). Inside flows, whose values have no fixed types,
the plain words of YAML 1.2's core schema (integers, decimals, true, false, null) get their types; mapping
keys are always text.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from contactcentre.provision.problems import Problem, dotted

MAX_CHARACTERS = 4_000_000
MAX_NODES = 400_000
"""Values in one document, aliases counted as often as they are used."""
MAX_DEPTH = 40

Path = tuple[str, ...]
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,17}")
_NULL = ("", "~", "null", "Null", "NULL")
_WORDS = {"true": True, "True": True, "false": False, "False": False}
_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq")}


class _Loader(yaml.SafeLoader):
    """Everything is !!str unless a tag is written, and those are refused."""


_Loader.yaml_implicit_resolvers = {}


@dataclass
class Document:
    """`data` as read, `lines` of every path, and what was wrong with the text itself."""

    data: Any = None
    lines: dict[str, tuple[str, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read(text: str, file: str, prefix: Path = (), typed: Callable[[Path], bool] = lambda path: False) -> Document:
    """Reads one YAML document. `prefix` is put before every path, `typed(path)` says where plain words have
    types."""
    document = Document()
    if len(text) > MAX_CHARACTERS:
        document.problems.append(Problem("", "too-large", f"longer than {MAX_CHARACTERS} characters", file))
        return document
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        message = " ".join(part for part in (error.context, error.problem) if part)
        document.problems.append(Problem(dotted(prefix), "yaml", f"not YAML: {message}", file, line))
        return document
    except (yaml.YAMLError, RecursionError) as error:
        said = "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        document.problems.append(Problem(dotted(prefix), "yaml", f"not YAML: {said}", file))
        return document
    if node is not None:
        document.data = _Reading(document, file, typed).value(node, prefix)
    return document


class _Reading:
    def __init__(self, document: Document, file: str, typed: Callable[[Path], bool]) -> None:
        self.document, self.file, self.typed = document, file, typed
        self.nodes = 0

    def problem(self, node: yaml.Node, path: Path, rule: str, message: str) -> None:
        line = node.start_mark.line + 1
        self.document.problems.append(Problem(dotted(path), rule, message, self.file, line))

    def value(self, node: yaml.Node, path: Path) -> Any:
        self.document.lines.setdefault(dotted(path), (self.file, node.start_mark.line + 1))
        self.nodes += 1
        if self.nodes > MAX_NODES or len(path) > MAX_DEPTH:
            if self.nodes <= MAX_NODES or self.nodes == MAX_NODES + 1:
                self.problem(node, path, "too-large", "too many or too deeply nested values")
            return None
        if node.tag not in _PLAIN_TAGS:
            self.problem(node, path, "tag", f"the tag {node.tag} is not allowed")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, str(index))) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node.value, node.style is None, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.problem(key_node, path, "key", "a key must be a plain text")
                continue
            key, line = key_node.value, key_node.start_mark.line + 1
            if key in found:
                message = f"appears twice, first on line {first[key]}"
                self.problem(key_node, (*path, key), "duplicate", message)
                continue
            first[key] = line
            self.document.lines[dotted((*path, key))] = (self.file, line)
            found[key] = self.value(value_node, (*path, key))
        return found

    def _scalar(self, text: str, plain: bool, path: Path) -> Any:
        if not plain:  # quoted or a block
            return text
        if text in _NULL:
            return None
        if not self.typed(path):
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        return float(text) if _DECIMAL.fullmatch(text) else text
