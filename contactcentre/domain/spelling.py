"""The forms of what people write into a site: names, numbers, texts, times.

Every text ends up in a PBX's configuration, a page or a log line, so each has a pattern that leaves no room for a line
break, a comment sign or a quote. `provision.load` tells these patterns in words.
"""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

NAME = r"^[a-z][a-z0-9_-]{0,39}$"
ENDPOINT = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$"
NUMBER = r"^\+?[0-9*#]{1,32}$"
TEXT = r"^[^\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]*$"
PERSON = r"^[^\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069;\\\"<>$]*$"
HOST = r"^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,39})$"
SOURCE = r"^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,39})(?:/[0-9]{1,3})?$"
USERNAME = r"^[A-Za-z0-9_.+@-]{0,80}$"
CODEC = r"^[a-z0-9]{2,16}$"
CALLER_ID = r"^(?:\+?[0-9]{1,32})?$"
LANGUAGE = r"^(?:[a-z]{2,3}(?:[_-][A-Za-z0-9]{2,8})*)?$"
EXPRESSION = r"^[A-Za-z0-9_<>=!() -]{0,500}$"
PROMPT = r"^(?:[A-Za-z0-9_-][A-Za-z0-9_./-]{0,119})?$"
DIRECTORY = r"^/[A-Za-z0-9_./-]{1,200}$"
WORD = r"^[A-Za-z0-9_/+-]{0,60}$"
CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"
CLOSING = r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$"
DATE = r"^\d{4}-\d{2}-\d{2}$"
DAYS = r"^(mon|tue|wed|thu|fri|sat|sun)([,-](mon|tue|wed|thu|fri|sat|sun))*$"
COUNTRY = r"^(?:[A-Z]{2})?$"
ADDRESS = r"^(?:https?://[A-Za-z0-9._~:/?#@!$&'()*+,=%{}-]{1,500})?$"
KEY = r"^[0-9*#]$"
KEY_CODE = r"^(?:[*#][0-9*#]{1,4})?$"
DESTINATION = r"^(?:(?:queue|flow|agent|voicemail):[a-z][a-z0-9_-]{0,39}|number:\+?[0-9]{1,32}|callback)$"

Name = Annotated[str, StringConstraints(pattern=NAME)]
EndpointName = Annotated[str, StringConstraints(pattern=ENDPOINT)]
Number = Annotated[str, StringConstraints(pattern=NUMBER)]
Text = Annotated[str, StringConstraints(pattern=TEXT, max_length=500)]
Language = Annotated[str, StringConstraints(pattern=LANGUAGE)]
Expression = Annotated[str, StringConstraints(pattern=EXPRESSION)]
Word = Annotated[str, StringConstraints(pattern=WORD)]
Date = Annotated[str, StringConstraints(pattern=DATE)]
Clock = Annotated[str, StringConstraints(pattern=CLOCK)]
Closing = Annotated[str, StringConstraints(pattern=CLOSING)]
Conditions = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,20}( ?, ?[a-z]{1,20}){0,7}$")]
Level = Annotated[int, Field(ge=0, le=100)]
Seconds = Annotated[float, Field(ge=0, le=86400)]
Prompt = Annotated[str, StringConstraints(pattern=PROMPT)]  # "" = none
Key = Annotated[str, StringConstraints(pattern=KEY)]
KeyCode = Annotated[str, StringConstraints(pattern=KEY_CODE)]
Destination = Annotated[str, StringConstraints(pattern=DESTINATION)]
"""Where a contact goes from a queue: `queue:NAME`, `flow:NAME`, `voicemail:BOX`, `number:N`, `agent:NAME`, or
`callback`: it leaves its number, and we call back."""


def keyed(value: Any) -> Any:
    """YAML reads an unquoted 1 as a number; it is the key all the same."""
    return {str(key): target for key, target in value.items()} if isinstance(value, dict) else value
