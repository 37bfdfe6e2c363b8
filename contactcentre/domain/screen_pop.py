"""The address of another program (a CRM) that an agent opens for a contact, made of the queue's template.

What callers send is hostile: it only ever fills a place behind the host, percent-encoded as RFC 3986 (section 2.1) has
it, so it cannot lead elsewhere.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

FIELDS = ("contact", "caller", "caller_name", "did", "queue", "agent")
"""What a template may name in braces: the contact's id; the caller's number, international where it is one; the name
that the caller's side sent; the number that was dialled; the queue; the agent."""

_PLACE = re.compile(r"\{([^{}]*)\}")


def wrong(template: str, plain_http: bool) -> str:
    """What a template breaks; "" = nothing. `plain_http`: http is good enough."""
    try:
        parts = urlsplit(template)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme != "https" and not (plain_http and parts.scheme == "http"):
        allowed = "https:// or http://" if plain_http else "https:// (settings.screen_pop_http allows http://)"
        return f"begins with {allowed}"
    if not host or "{" in parts.netloc or "}" in parts.netloc or "@" in parts.netloc:
        return "names a host, without fields in it and without a password"
    for name in _PLACE.findall(template):
        if name not in FIELDS:
            return f"{{{name}}} is not one of: {', '.join(f'{{{field}}}' for field in FIELDS)}"
    if "{" in _PLACE.sub("", template) or "}" in _PLACE.sub("", template):
        return "a brace without its other half"
    return ""


def address(template: str, values: Mapping[str, str]) -> str:
    """The template with its fields, each percent-encoded; one that is not known is empty."""
    return _PLACE.sub(lambda found: quote(values.get(found[1], ""), safe=""), template)
