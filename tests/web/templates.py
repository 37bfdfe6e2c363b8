"""Texts in templates that are not translated."""

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""(\{\#.*?\#\}|\{%.*?%\}|\{\{.*?\}\}|<!--.*?-->|<(?:\{\{.*?\}\}|\{%.*?%\}|"(?:\{\{.*?\}\}|\{%.*?%\}|[^"])*"|[^>"])*>)""",
    re.S,
)
_SHOWN = re.compile(r'\b(?:aria-label|title|placeholder|alt|label)="((?:\{\{.*?\}\}|\{%.*?%\}|[^"])*)"')
_CALL = re.compile(r"""\b(?:_|ngettext|pgettext)\((?:"(?:\\.|[^"])*"(?:, )?)+""")
_TEXT = r"""(?:"[^"]*"|'[^']*')"""
_CODE = re.compile(rf"\b\w+\({_TEXT}|[!=]= *{_TEXT}|{_TEXT} (?:not )?in |{_TEXT}: |in \([^)]*\)|\[{_TEXT}\]")
"""Texts of an expression that nobody reads."""
_FREE = {"API", "YAML", "Id"}


def texts(template: str) -> Iterator[str]:
    """What people would read in English whatever their language: between tags, in attributes, in expressions."""
    code = False
    for token in _TOKEN.split(template):
        if token.startswith(("{#", "{%", "<!--")):
            continue
        if token.startswith("{{"):
            yield from [] if code else _quoted(token)
        elif token.startswith("<"):
            code = bool(re.match(r"<(code|kbd|script|style)\b", token))
            for found in _SHOWN.finditer(token):
                yield from _words(re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", found[1]))
        elif not code:
            yield from _words(token)


def _words(text: str) -> Iterator[str]:
    told = re.sub(r"&\w+;|\b[\w-]+=\"\S*", " ", text).strip(" ·:,.\n")
    if re.search(r"[A-Za-z]{2}", told) and told not in _FREE and not re.fullmatch(r"https?://\S+|[a-z]+", told):
        yield told


def _quoted(expression: str) -> Iterator[str]:
    """Texts that an expression chooses among: those that begin with a capital or have a blank in them."""
    for one, other in re.findall(r"""\"([^"]*)\"|'([^']*)'""", _CODE.sub("", _CALL.sub("", expression))):
        if re.search(r"^[A-Z][a-z]|[a-z] [a-z]", one or other):
            yield one or other
