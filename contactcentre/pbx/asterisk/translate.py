"""Between Asterisk's words and ours: events, causes, endpoints, media. Pure functions."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from contactcentre.pbx.errors import Refused
from contactcentre.pbx.events import Arrived, Cause, Party
from contactcentre.pbx.protocol import FALLBACK, MAX_DIGITS, SPY, ChannelInfo

DIGITS = frozenset("0123456789*#ABCD")
OWN_TECHNOLOGIES = ("Snoop/", "Announcer/", "Recorder/", "Surrogate/", "CBAnn/", "CBRec/")
"""Channels that Asterisk or this driver makes as tools (music, announcements, recording); no party of a call."""
TIE = "CONTACT_ID"
"""The channel variable that ties a channel to its contact."""

LINE, LINE_CONTEXT = "line:", "contactcentre-line"
"""How an agent's open line is called, and the place in the dialplan that leads there."""

_SPEAKS = "speaks:"
"""Begins the argument by which the dialplan says what a caller speaks: `speaks:(alaw|ulaw)`."""
EVERYBODY_SPEAKS = ("ulaw", "alaw")
SPOKEN = "CHANNEL(audionativeformat)"
"""What a channel speaks: `(alaw|ulaw)`, before its answer what it could."""

_endpoint = re.compile(r"[A-Za-z0-9_.-]{1,80}").fullmatch
_number = re.compile(r"[A-Za-z0-9_.*#+-]{1,80}").fullmatch
_not_in_a_name = re.compile(r'[\x00-\x1f\x7f"<>\\;|,]')
_quoted_pair = re.compile(r"\\(.)", re.DOTALL)
_sound = re.compile(r"[A-Za-z0-9_./ -]{1,200}").fullmatch
_recording = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}").fullmatch
_codec = re.compile(r"[a-z0-9]{1,20}").fullmatch
_said = re.compile(r"[0-9*#A-Za-z-]{1,60}").fullmatch
_SPOKEN = {
    **{d: f"digits/{d}" for d in "0123456789"},
    "*": "digits/star",
    "#": "digits/pound",
    "-": "letters/dash",
}
_TONES = {"beep": "sound:beep"}
_LONGEST_SILENCE = 10


def epoch(timestamp: str) -> float:
    """Epoch seconds of `2026-11-23T06:23:29.916+0000`. Raises ValueError."""
    return datetime.fromisoformat(timestamp).timestamp()


def endpoint_of(channel_name: str) -> str:
    """`PJSIP/alice-00000001` -> `alice`; `Local/100@out-00000002;1` -> `100@out`."""
    return channel_name.partition("/")[2].rpartition("-")[0]


def is_line_end(channel_name: str) -> bool:
    """Is it the end that leads into an open line? Its other one is the party."""
    return channel_name.startswith("Local/") and f"@{LINE_CONTEXT}-" in channel_name and channel_name.endswith(";2")


def is_party(channel_name: str) -> bool:
    """Is this a channel of somebody, not a tool of Asterisk's or ours?"""
    return not channel_name.startswith(OWN_TECHNOLOGIES)


def party(channel: Mapping[str, Any]) -> Party:
    caller = channel["caller"]
    name = str(caller["name"])
    if channel["name"].startswith("PJSIP/"):  # gives a quoted name (RFC 3261, quoted-pair) with its backslashes
        name = _quoted_pair.sub(r"\1", name)
    return Party(number=str(caller["number"]), name=name)


def arrived(channel: Mapping[str, Any], args: tuple[str, ...], at: float) -> Arrived:
    return Arrived(
        channel_id=channel["id"],
        at=at,
        args=args,
        caller=party(channel),
        dialled=str(channel["dialplan"]["exten"]),
        endpoint=endpoint_of(channel["name"]),
        language=str(channel["language"]),
        up=channel["state"] == "Up",
    )


def speaks(args: Sequence[str]) -> tuple[str, ...]:
    """What the dialplan has said that the caller speaks."""
    return codecs(next((arg.removeprefix(_SPEAKS) for arg in args if arg.startswith(_SPEAKS)), ""))


def codecs(said: str) -> tuple[str, ...]:
    """Those of `(alaw|ulaw)`, without linear samples, which no phone is offered."""
    return tuple(name for name in said.strip("()").split("|") if _codec(name) and not name.startswith("slin"))


def without_speaks(args: Iterable[str]) -> tuple[str, ...]:
    return tuple(arg for arg in args if not arg.startswith(_SPEAKS))


def formats(spoken: Sequence[str]) -> str:
    """What to offer to a phone first: what the other one speaks, then what every phone and PBX does. What else the
    phone's endpoint allows follows by itself. Without this Asterisk looks through all its codecs, and offers them in
    the order in which they were loaded."""
    return ",".join(dict.fromkeys((*spoken, *EVERYBODY_SPEAKS)))


def in_application(channel: Mapping[str, Any], app: str, subscribed: bool) -> bool:
    """Is the channel in our Stasis application? Older servers do not say; there, that we get its events must do."""
    place = channel["dialplan"]
    if "app_name" not in place:
        return subscribed
    return place["app_name"] == "Stasis" and str(place["app_data"]).partition(",")[0] == app


def in_own_queue(channel: Mapping[str, Any]) -> bool:
    """Is it in the queue of the PBX's own where calls go without a controller? Older servers say only where it is."""
    place = channel["dialplan"]
    return bool(place["context"] == FALLBACK and place.get("app_name", "Queue") == "Queue")


def info(channel: Mapping[str, Any], *, ours: bool, contact_id: str, waits: bool = False) -> ChannelInfo:
    return ChannelInfo(
        id=channel["id"],
        name=channel["name"],
        up=channel["state"] == "Up",
        ours=ours,
        caller=party(channel),
        dialled=dialled(channel["dialplan"]),
        endpoint=endpoint_of(channel["name"]),
        created_at=epoch(channel["creationtime"]),
        contact_id=contact_id,
        waits=waits and not ours,
    )


def dialled(place: Mapping[str, Any]) -> str:
    """The number by which it came to us: what the application was told, for who was fetched from a queue has dialled
    nothing at all. Older servers do not say, and tell where in the dialplan it is."""
    _, _, args = str(place.get("app_data", "")).partition(",")
    kind, _, rest = args.partition(",")
    number = rest.partition(",")[0] if kind == "did" else ""
    return number or str(place["exten"])


def spied(channel: Mapping[str, Any]) -> str | None:
    """The channel that this one spies on (a snoop's name is `Snoop/TARGET-00000001`); None if it is no spy."""
    if not (channel["name"].startswith("Snoop/") and channel["id"].startswith(SPY)):
        return None
    return endpoint_of(channel["name"])


def digits_to_send(digits: str) -> str:
    """Raises Refused: Asterisk takes further signs for flashes and pauses."""
    if not digits or len(digits) > MAX_DIGITS or not DIGITS.issuperset(digits):
        raise Refused(f"digits {digits[:100]!r}: must be 1 to {MAX_DIGITS} of 0-9 * # A-D")
    return digits


def number_of(dialled: str) -> str:
    """ "" for what cannot be one."""
    return dialled if _number(dialled) else ""


def dial_string(technology: str, endpoint: str) -> str:
    """`alice` -> `PJSIP/alice`, `number@trunk` -> `PJSIP/number@trunk`. Raises Refused: whatever else is in the text
    would be read by the PBX as part of its own syntax."""
    if endpoint.startswith(LINE) and _endpoint(name := endpoint.removeprefix(LINE)):
        return f"Local/{name}@{LINE_CONTEXT}/n"
    number, at, name = endpoint.rpartition("@")
    if not _endpoint(name) or (at and not _number(number)):
        raise Refused(
            f"endpoint {endpoint[:100]!r}: must be NAME or NUMBER@NAME of letters, digits and _ . - (number: * # + too)"
        )
    return f"{technology}/{endpoint}"


def caller_id(caller: Party) -> str | None:
    """`"name" <number>`, without what would end the quotes or the number early. None if both are empty."""
    number = caller.number if _number(caller.number) else ""
    name = _not_in_a_name.sub("", caller.name)[:80].strip()
    if not number and not name:
        return None
    return f'"{name}" <{number}>' if name else f"<{number}>"


def media(medium: str) -> str:
    """One of our media in Asterisk's words, possibly several joined by commas. Raises Refused."""
    kind, _, rest = medium.partition(":")
    if kind == "sound" and _sound(rest) and ".." not in rest:
        return medium
    if kind == "recording" and _recording(rest) and ".." not in rest:
        return medium
    if kind == "digits" and _said(rest):
        # As files, one per digit: Asterisk's own `digits:` cannot be stopped before its end.
        return ",".join([f"sound:{_SPOKEN.get(sign) or f'letters/{sign.lower()}'}" for sign in rest])
    if kind == "number" and rest.removeprefix("-").isascii() and rest.removeprefix("-").isdigit() and len(rest) <= 12:
        return medium
    if kind == "tone" and rest in _TONES:
        return _TONES[rest]
    if kind == "silence":
        return _silence(medium, rest)
    raise Refused(
        f"medium {medium[:100]!r}: must be sound:NAME, recording:NAME, digits:TEXT, number:N, tone:beep or "
        "silence:SECONDS"
    )


def _silence(medium: str, seconds: str) -> str:
    try:
        left = round(float(seconds))
    except (ValueError, OverflowError):
        left = 0
    if not 1 <= left <= 600:
        raise Refused(f"medium {medium[:100]!r}: seconds of silence must be a number from 1 to 600")
    whole, rest = divmod(left, _LONGEST_SILENCE)
    return ",".join([f"sound:silence/{_LONGEST_SILENCE}"] * whole + ([f"sound:silence/{rest}"] if rest else []))


def cause(value: Any) -> Cause:
    return Cause(value) if isinstance(value, int) else Cause.UNKNOWN
