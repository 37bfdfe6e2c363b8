"""The language of conditions: comparisons of variables, nothing else. Read by a parser of its own, never
evaluated as code.

    caller is set and not (tier in ["gold", "platinum"] or balance >= 100) and did starts with "+33"

    expression  = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation    = "not" negation | comparison
    comparison  = operand [ ("==" | "!=" | "<" | "<=" | ">" | ">=") operand
                          | ["not"] "in" operand | "is" ["not"] "set" | "starts" "with" operand ]
    operand     = variable | number | 'text' | "text" | true | false | "[" operand { "," operand } "]"
                | "(" expression ")"

Numbers and texts: when one side is a number (in the condition, or as a lookup gave it) the other is read as a
number too, and equals nothing when it is none. `<` compares texts that both look like numbers as numbers. A
variable that is not set equals nothing and is neither smaller nor larger than anything.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from contactcentre.domain.flows.actions import Scalar

MAX_LENGTH = 500
MAX_DEPTH = 20

Value = Scalar | None | tuple["Value", ...]
Environment = Mapping[str, Scalar]
Rule = Callable[[Environment], Value]

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"[^"]*"|'[^']*')|(?P<number>-?\d+(?:\.\d+)?)(?![\w.])|(?P<name>[A-Za-z_]\w*)
    |(?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,))""",
    re.VERBOSE | re.ASCII,
)
_WORDS = frozenset({"and", "or", "not", "in", "is", "set", "starts", "with", "true", "false"})


class ExpressionError(ValueError):
    """The text is no expression; says what was expected where (column from 1)."""


@dataclass(frozen=True, slots=True)
class Expression:
    text: str
    names: frozenset[str]  # variables that it reads
    rule: Rule

    def holds(self, variables: Environment) -> bool:
        """Never raises: what cannot be compared is false."""
        return bool(self.rule(variables))


def parse(text: str) -> Expression:
    """Raises ExpressionError."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"is longer than {MAX_LENGTH} characters")
    parser = _Parser(text)
    rule = parser.disjunction(0)
    parser.finish()
    return Expression(text, frozenset(parser.names), rule)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            column = position + len(text[position:]) - len(text[position:].lstrip()) + 1
            raise ExpressionError(f"column {column}: {text[column - 1]!r} is not understood")
        kind, found = match.lastgroup, match[match.lastgroup]
        yield _Token("word" if kind == "name" and found in _WORDS else kind, found, match.start(match.lastgroup) + 1)
        position = match.end()
    yield _Token("end", "the end", len(text) + 1)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0
        self.names: set[str] = set()

    def disjunction(self, depth: int) -> Rule:
        parts = [self._conjunction(depth)]
        while self._take("word", "or"):
            parts.append(self._conjunction(depth))
        return parts[0] if len(parts) == 1 else lambda env: any(part(env) for part in parts)

    def finish(self) -> None:
        if self._token.kind != "end":
            raise self._expected("and, or, or the end")

    def _conjunction(self, depth: int) -> Rule:
        parts = [self._negation(depth)]
        while self._take("word", "and"):
            parts.append(self._negation(depth))
        return parts[0] if len(parts) == 1 else lambda env: all(part(env) for part in parts)

    def _negation(self, depth: int) -> Rule:
        if self._take("word", "not"):
            inner = self._negation(self._deeper(depth))
            return lambda env: not inner(env)
        return self._comparison(depth)

    def _comparison(self, depth: int) -> Rule:
        left = self._operand(depth)
        if self._token.kind == "sign" and self._token.text in _COMPARISONS:
            compare = _COMPARISONS[self._advance().text]
            right = self._operand(depth)
            return lambda env: compare(left(env), right(env))
        if self._take("word", "is"):
            negated = self._take("word", "not")
            self._need("word", "set")
            return lambda env: _is_set(left(env)) is not negated
        if self._take("word", "starts"):
            self._need("word", "with")
            right = self._operand(depth)
            return lambda env: _starts(left(env), right(env))
        if self._take("word", "not"):
            self._need("word", "in")
            right = self._operand(depth)
            return lambda env: not _contains(right(env), left(env))
        if self._take("word", "in"):
            right = self._operand(depth)
            return lambda env: _contains(right(env), left(env))
        return left

    def _operand(self, depth: int) -> Rule:
        token = self._token
        if token.kind == "name":
            self._advance()
            self.names.add(token.text)
            return lambda env: env.get(token.text)
        if token.kind == "number":
            self._advance()
            number: Scalar = float(token.text) if "." in token.text else int(token.text)
            return lambda env: number
        if token.kind == "text":
            self._advance()
            return lambda env: token.text[1:-1]
        if token.kind == "word" and token.text in ("true", "false"):
            self._advance()
            return lambda env: token.text == "true"
        if self._take("sign", "("):
            inner = self.disjunction(self._deeper(depth))
            self._need("sign", ")")
            return inner
        if self._take("sign", "["):
            items = [self._operand(self._deeper(depth))]
            while self._take("sign", ","):
                items.append(self._operand(self._deeper(depth)))
            self._need("sign", "]")
            return lambda env: tuple(item(env) for item in items)
        raise self._expected("a variable, number, text, list or (")

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _advance(self) -> _Token:
        token = self._token
        self._next += 1
        return token

    def _take(self, kind: str, text: str) -> bool:
        if (self._token.kind, self._token.text) != (kind, text):
            return False
        self._advance()
        return True

    def _need(self, kind: str, text: str) -> None:
        if not self._take(kind, text):
            raise self._expected(text)

    def _expected(self, what: str) -> ExpressionError:
        return ExpressionError(f"column {self._token.column}: expected {what}, found {self._token.text}")

    def _deeper(self, depth: int) -> int:
        if depth >= MAX_DEPTH:
            raise ExpressionError(f"is nested deeper than {MAX_DEPTH} levels")
        return depth + 1


def number(value: Value) -> float | None:
    """`value` as a number, None when it is none. Long digit strings are compared exactly as long as a float
    can."""
    if isinstance(value, bool) or value is None or isinstance(value, tuple):
        return None
    if isinstance(value, str) and not re.fullmatch(r"-?\d{1,300}(\.\d{1,50})?", value, re.ASCII):
        return None
    return float(value)


def _equal(left: Value, right: Value) -> bool:
    if left is None or right is None:
        return False
    if isinstance(left, bool) or isinstance(right, bool):
        return _truth(left) is _truth(right)
    if isinstance(left, int | float) or isinstance(right, int | float):
        first, second = number(left), number(right)
        return first is not None and first == second
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(_equal, left, right))
    return left == right


def _truth(value: Value) -> bool | None:
    """Text that says true or false is as good as the word: a `set` node can only write text."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value) if isinstance(value, str) else None


def _less(left: Value, right: Value) -> bool:
    first, second = number(left), number(right)
    if first is not None and second is not None:
        return first < second
    return isinstance(left, str) and isinstance(right, str) and left < right


def _contains(container: Value, item: Value) -> bool:
    if isinstance(container, tuple):
        return any(_equal(item, member) for member in container)
    return isinstance(container, str) and isinstance(item, str) and item in container


def _is_set(value: Value) -> bool:
    return value is not None and value != ""


def _starts(value: Value, start: Value) -> bool:
    return isinstance(value, str) and isinstance(start, str | int) and value.startswith(str(start))


_COMPARISONS: dict[str, Callable[[Value, Value], bool]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _less,
    ">": lambda left, right: _less(right, left),
    "<=": lambda left, right: _less(left, right) or _equal(left, right),
    ">=": lambda left, right: _less(right, left) or _equal(left, right),
}
