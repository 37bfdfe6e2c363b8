"""ESL as it is sent: commands and their quoting, and what answers mean. No sockets, no clock.

Two rules keep what people type from being carried out. No command has a line break in it that we did not put there: an
empty line ends a command, and what follows is run as the next. And no text of theirs has `${` in it: wherever
FreeSWITCH expands a string it *runs* `${api(arguments)}`, in the arguments of applications, in a caller's name that is
given to `originate`, and out of any variable that is expanded later.
"""

import re
from collections.abc import Mapping

from contactcentre.pbx.errors import Gone, PbxError, Refused, TooLarge

MAX_COMMAND = 60_000
"""Bytes of a command at most: many times what any command of ours needs."""

_breaks = re.compile(r"[\r\n\0]").search
_control = re.compile(r"[\x00-\x1f\x7f]")
_name = re.compile(r"[A-Za-z0-9_.-]{1,200}").fullmatch
_id = re.compile(r"[A-Za-z0-9_.@+-]{1,120}").fullmatch
_word = re.compile(r"[^\s'\"\\]+").fullmatch
_not_in_originate = re.compile(r"[\\{}\[\]^|]")
_GONE = ("no such channel", "invalid uuid", "cannot locate session", "invalid session id", "invalid session")


def command(line: str, headers: Mapping[str, str] | None = None, body: str = "") -> bytes:
    """One command with its headers. Raises Refused for a line break or NUL in any of it (but the body), TooLarge."""
    parts = [line]
    for name, value in (headers or {}).items():
        if not _name(name):
            raise Refused(f"header {name[:60]!r}: must be letters, digits, _ . and -")
        parts.append(f"{name}: {value}")
    for part in parts:
        if _breaks(part):
            raise Refused(f"{part[:60]!r}: must be one line")
    content = body.encode("utf-8", "replace")
    if body:
        parts += ["content-type: text/plain", f"content-length: {len(content)}"]
    data = "\n".join([*parts, "", ""]).encode("utf-8", "replace") + content
    if len(data) > MAX_COMMAND:
        raise TooLarge(f"{line[:60]}: {len(data)} bytes, at most {MAX_COMMAND} are sent")
    return data


def api(line: str) -> bytes:
    """Answered when it has been carried out, and until then nothing else is: only for what is quick."""
    return command(f"api {line}")


def bgapi(job: str, line: str) -> bytes:
    """Its result is the event BACKGROUND_JOB with this Job-UUID."""
    return command(f"bgapi {line}", {"Job-UUID": identity(job)})


def execute(channel_id: str, application: str, argument: str = "", *, key: str = "", queued: bool = False) -> bytes:
    """Runs a dialplan application on a channel. CHANNEL_EXECUTE_COMPLETE has `key` as its Application-UUID.

    Not `queued`, it begins at once, inside what runs there; that goes on after it. An application that FreeSWITCH does
    not have ends the call, so `application` must never come from outside.
    """
    headers = {"call-command": "execute", "execute-app-name": application}
    if key:
        headers["Event-UUID"] = identity(key)
    if queued:
        headers["event-lock"] = "true"
    if _breaks(argument):
        raise Refused(f"argument {argument[:60]!r}: must be one line")
    return command(f"sendmsg {identity(channel_id)}", headers, argument)


def identity(text: str) -> str:
    """An id of a channel, job or application as it may stand in a command. Raises Refused."""
    if not _id(text):
        raise Refused(f"id {text[:60]!r}: must be 1 to 120 letters, digits and _ . @ + -")
    return text


def word(text: str) -> str:
    """An argument of an api that must stay one: no space, no quote. Raises Refused."""
    if not _word(text) or "${" in text:
        raise Refused(f"{text[:60]!r}: must be one word without quotes")
    return text


def harmless(text: str) -> str:
    """Text of people for a channel's variable or an application's argument: on one line, and never expanded. As
    FreeSWITCH itself does with what comes by SIP."""
    return _control.sub(" ", text).replace("${", "%{")


def variables(values: Mapping[str, str]) -> str:
    """The `{...}` of `originate`. What cannot be quoted there (braces, brackets, backslashes, ^ and |) is left out of
    values; a comma is escaped even inside quotes, where it would cut the value. Raises Refused for a name."""
    parts = []
    for name, value in values.items():
        if not _name(name):
            raise Refused(f"variable {name[:60]!r}: must be letters, digits, _ . and -")
        text = _not_in_originate.sub("", harmless(value)).replace("$", "")
        parts.append(f"{name}='{text.replace(chr(39), chr(92) + chr(39)).replace(',', chr(92) + ',')}'")
    return "{" + ",".join(parts) + "}"


def error_of(answer: str, what: str) -> PbxError | None:
    """The error that an answer (Reply-Text, or the body of an api's response) means, None if it is none.

    That there is no such channel is said in five ways. `uuid_hold` says +OK to it all the same.
    """
    if not answer.startswith(("-ERR", "-USAGE")):
        return None
    said = answer.partition(" ")[2].strip()
    text = f"{what}: {said[:200] or answer[:200].strip()}"
    return Gone(text) if said.lower().startswith(_GONE) else Refused(text)
