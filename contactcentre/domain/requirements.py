"""What a contact needs of an agent: an expression over skills and levels, such as `lang_fr >= 50 and billing`.

    expression := term ("or" term)*
    term       := factor ("and" factor)*
    factor     := "not" factor | "(" expression ")" | "any" | skill [operator level]
    operator   := ">=" | ">" | "<=" | "<" | "==" | "=" | "!="

A level is a whole number from 0 to 100; an agent without the skill has level 0; a skill alone means `> 0`. The empty
expression and `any` ask for nothing. `and` binds closer than `or`; upper and lower case are the same in the words.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

Levels = Mapping[str, int]
Names = frozenset[str]
Having = Mapping[str, Levels]

RESERVED = frozenset({"and", "or", "not", "any"})
"""Words of the language: no skill can have such a name."""
LONGEST = 1000
DEEPEST = 32

_OPERATORS: dict[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}
_TOKEN = re.compile(
    r"\s*(?:(?P<op>>=|<=|==|!=|[<>=])|(?P<paren>[()])|(?P<level>\d+)|(?P<word>[a-z][a-z0-9_-]*))",
    re.IGNORECASE | re.ASCII,
)


class RequirementError(ValueError):
    """The text is no requirement. `column` counts from 1."""

    def __init__(self, text: str, column: int, expected: str, found: str) -> None:
        super().__init__(f"column {column}: expected {expected}, found {found}")
        self.text, self.column, self.expected, self.found = text, column, expected, found


@dataclass(frozen=True, slots=True)
class _Any:
    def matches(self, levels: Levels) -> bool:
        return True

    def score(self, levels: Levels) -> int | None:
        return None

    def among(self, having: Having, everybody: Names) -> Names:
        return everybody

    def skills(self) -> frozenset[str]:
        return frozenset()

    def __str__(self) -> str:
        return "any"


@dataclass(frozen=True, slots=True)
class _Skill:
    name: str
    op: str
    level: int

    def matches(self, levels: Levels) -> bool:
        return _OPERATORS[self.op](levels.get(self.name, 0), self.level)

    def score(self, levels: Levels) -> int | None:
        return levels.get(self.name, 0) if self.op in (">=", ">", "==") else None

    def among(self, having: Having, everybody: Names) -> Names:
        compare, level, levels = _OPERATORS[self.op], self.level, having.get(self.name, {})
        if compare(0, level):
            return everybody - {name for name, has in levels.items() if not compare(has, level)}
        return frozenset(name for name, has in levels.items() if compare(has, level))

    def skills(self) -> frozenset[str]:
        return frozenset({self.name})

    def __str__(self) -> str:
        return self.name if (self.op, self.level) == (">", 0) else f"{self.name} {self.op} {self.level}"


@dataclass(frozen=True, slots=True)
class _Not:
    part: "_Node"

    def matches(self, levels: Levels) -> bool:
        return not self.part.matches(levels)

    def among(self, having: Having, everybody: Names) -> Names:
        return everybody - self.part.among(having, everybody)

    def score(self, levels: Levels) -> int | None:
        return None

    def skills(self) -> frozenset[str]:
        return self.part.skills()

    def __str__(self) -> str:
        return f"not {_inner(self.part, (_And, _Or))}"


@dataclass(frozen=True, slots=True)
class _And:
    parts: tuple["_Node", ...]

    def matches(self, levels: Levels) -> bool:
        return all(part.matches(levels) for part in self.parts)

    def among(self, having: Having, everybody: Names) -> Names:
        return frozenset.intersection(*(part.among(having, everybody) for part in self.parts))

    def score(self, levels: Levels) -> int | None:
        counted = [score for part in self.parts if (score := part.score(levels)) is not None]
        return min(counted, default=None)

    def skills(self) -> frozenset[str]:
        return frozenset().union(*(part.skills() for part in self.parts))

    def __str__(self) -> str:
        return " and ".join(_inner(part, (_Or,)) for part in self.parts)


@dataclass(frozen=True, slots=True)
class _Or:
    parts: tuple["_Node", ...]

    def matches(self, levels: Levels) -> bool:
        return any(part.matches(levels) for part in self.parts)

    def among(self, having: Having, everybody: Names) -> Names:
        return frozenset.union(*(part.among(having, everybody) for part in self.parts))

    def score(self, levels: Levels) -> int | None:
        fulfilled = [part for part in self.parts if part.matches(levels)]
        counted = [score for part in fulfilled if (score := part.score(levels)) is not None]
        return max(counted, default=None)

    def skills(self) -> frozenset[str]:
        return frozenset().union(*(part.skills() for part in self.parts))

    def __str__(self) -> str:
        return " or ".join(str(part) for part in self.parts)


_Node = _Any | _Skill | _Not | _And | _Or


def _inner(part: _Node, looser: tuple[type, ...]) -> str:
    return f"({part})" if isinstance(part, looser) else str(part)


@dataclass(frozen=True, slots=True)
class Requirement:
    """A parsed requirement; `str()` of it is its plainest form and parses to the same requirement."""

    node: _Node

    @property
    def skills(self) -> frozenset[str]:
        """The skills it speaks of."""
        return self.node.skills()

    @property
    def is_any(self) -> bool:
        """It asks for nothing."""
        return isinstance(self.node, _Any)

    def matches(self, levels: Levels) -> bool:
        return self.node.matches(levels)

    def among(self, having: Having, everybody: Names) -> Names:
        """All of `everybody` who fulfil it, looking only at those who have the skills it names. `having`: skill ->
        agent -> level, of everybody."""
        return self.node.among(having, everybody)

    def why_not(self, levels: Levels) -> str:
        """Each part that is not fulfilled, in words: `needs lang_fr >= 50, has 20`; "" when it matches."""
        parts = self.node.parts if isinstance(self.node, _And) else (self.node,)
        return "; ".join(_why_not(part, levels) for part in parts if not part.matches(levels))

    def score(self, levels: Levels) -> int:
        """How well the levels fulfil it, 0 to 100: of `and` the weakest part, of `or` the best one that is fulfilled.
        Upper limits and `not` do not count; 0 where nothing counts."""
        return self.node.score(levels) or 0

    def __str__(self) -> str:
        return str(self.node)


ANY = Requirement(_Any())


def combine(*requirements: Requirement) -> Requirement:
    """All of them at once."""
    parts: list[_Node] = []
    for requirement in requirements:
        node = requirement.node
        for part in node.parts if isinstance(node, _And) else (node,):
            if not isinstance(part, _Any) and part not in parts:
                parts.append(part)
    if not parts:
        return ANY
    return Requirement(parts[0] if len(parts) == 1 else _And(tuple(parts)))


@lru_cache(maxsize=4096)
def parse(text: str) -> Requirement:
    """Raises RequirementError, which names the column and what was expected there."""
    if len(text) > LONGEST:
        raise RequirementError(text, LONGEST + 1, f"at most {LONGEST} characters", f"{len(text)}")
    if not text.strip():
        return ANY
    return Requirement(_Parser(text).parse())


def _why_not(part: _Node, levels: Levels) -> str:
    if isinstance(part, _Skill):
        return f"needs {part}, has {levels.get(part.name, 'none')}"
    has = ", ".join(f"{name} {levels.get(name, 'none')}" for name in sorted(part.skills()))
    return f"needs {part}, has {has}"


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str, int]] = []  # kind, text, column
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                column = position + len(text[position:]) - len(text[position:].lstrip()) + 1
                raise RequirementError(
                    text, column, "a skill, a level, an operator or a parenthesis", repr(text[column - 1])
                )
            kind = str(match.lastgroup)
            token = match[kind].lower()
            self._tokens.append(("word" if kind == "word" else kind, token, match.start(kind) + 1))
            position = match.end()
        self._at, self._depth = 0, 0

    def parse(self) -> _Node:
        node = self._or()
        if self._at < len(self._tokens):
            self._fail("`and`, `or` or the end")
        return node

    def _or(self) -> _Node:
        parts = [self._and()]
        while self._take("or"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else _Or(tuple(parts))

    def _and(self) -> _Node:
        parts = [self._factor()]
        while self._take("and"):
            parts.append(self._factor())
        return parts[0] if len(parts) == 1 else _And(tuple(parts))

    def _factor(self) -> _Node:
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail(f"at most {DEEPEST} levels of parentheses and `not`")
        try:
            if self._take("not"):
                return _Not(self._factor())
            if self._take("("):
                node = self._or()
                if not self._take(")"):
                    self._fail("`)`")
                return node
            if self._take("any"):
                return _Any()
            return self._skill()
        finally:
            self._depth -= 1

    def _skill(self) -> _Node:
        kind, name, _ = self._peek()
        if kind != "word" or name in RESERVED:
            self._fail("a skill, `not` or `(`")
        self._at += 1
        kind, op, column = self._peek()
        if kind != "op":
            return _Skill(name, ">", 0)
        self._at += 1
        kind, level, _ = self._peek()
        if kind != "level" or len(level) > 3 or int(level) > 100:
            self._fail("a level from 0 to 100")
        self._at += 1
        op = "==" if op == "=" else op
        if (op, int(level)) in ((">", 100), ("<", 0)):
            raise RequirementError(self._text, column, "a comparison that can be true", f"{op} {level}")
        return _Skill(name, op, int(level))

    def _peek(self) -> tuple[str, str, int]:
        if self._at < len(self._tokens):
            return self._tokens[self._at]
        return ("end", "the end", len(self._text.rstrip()) + 1)

    def _take(self, token: str) -> bool:
        found = self._peek()[0] != "end" and self._peek()[1] == token
        self._at += found
        return found

    def _fail(self, expected: str) -> NoReturn:
        kind, found, column = self._peek()
        raise RequirementError(self._text, column, expected, found if kind == "end" else f"`{found}`")
