"""Between FreeSWITCH's words and ours: causes, endpoints, media, parties. Pure functions."""

import re
from collections.abc import Mapping, Sequence

from contactcentre.pbx.errors import Refused
from contactcentre.pbx.events import Cause, Party
from contactcentre.pbx.protocol import MAX_DIGITS, RECORDING

DIGITS = frozenset("0123456789*#ABCD")
TIE = "CONTACT_ID"
"""The channel variable that ties a channel to its contact."""
APP = "contactcentre_app"
"""Whose hands a channel is in; FreeSWITCH sends the events of these channels only."""
ARGS = "contactcentre_args"
"""Set by the dialplan: what Arrived says, parted by commas."""
ENDPOINT = "contactcentre_endpoint"
"""Set by the dialplan and by us: whose channel it is."""
SINCE, WAITS = "contactcentre_since", "contactcentre_waits"
"""Set by the dialplan: when a call came (epoch seconds); that it goes to the switch's own queue for want of a
controller."""
OWN_QUEUES = ("callcenter", "fifo")
"""Applications that are one."""
TOLD = "contactcentre_told"
"""Set once its arrival was told: it parks again after every bridge."""
BRIDGE, MUSIC, SPYING = "contactcentre_bridge", "contactcentre_music", "contactcentre_spy"
"""Where a channel is, for the controller after this one."""

LINE, LINE_END = "line:", "loopback/taken/contactcentre-hands/XML"

READS, BOTH, SPOKEN = "read_codec", "ep_codec_string", "originator_codec"
"""What a channel speaks; what it and the switch could speak; and, of one that is called, what the other one speaks:
offered before the profile's codecs."""

REFERRED = "contactcentre_refer"
"""Set by the dialplan's contactcentre-transfer: where a phone's transfer key was to lead."""

PEER, ATTENDED = "contactcentre_peer", "contactcentre_attended"
"""Of whom a phone of ours has called by itself, and hands over: our application, and the phone's leg in our hands."""
PEER_WAITS = 30
"""Seconds after which whom nobody took is hung up."""

HANDS = {
    "park_after_bridge": "true",
    "hangup_after_bridge": "false",
    "playback_terminators": "none",  # else * ends every prompt
    "send_silence_when_idle": "-1",  # phones and carriers take a line without packets for a dead one
    "force_transfer_context": "contactcentre-transfer",  # where whom a phone transfers is led; see transfers
    "force_transfer_dialplan": "XML",
}
"""Variables of every channel in our hands: when the other one leaves it stays."""

_CAUSES = {
    "UNALLOCATED_NUMBER": Cause.UNALLOCATED,
    "NO_ROUTE_DESTINATION": Cause.UNALLOCATED,
    "INVALID_NUMBER_FORMAT": Cause.UNALLOCATED,
    "NORMAL_CLEARING": Cause.NORMAL,
    "NORMAL_UNSPECIFIED": Cause.NORMAL,
    "ORIGINATOR_CANCEL": Cause.NORMAL,
    "BLIND_TRANSFER": Cause.NORMAL,
    "ATTENDED_TRANSFER": Cause.NORMAL,
    "USER_BUSY": Cause.BUSY,
    "NO_USER_RESPONSE": Cause.NO_RESPONSE,
    "NO_ANSWER": Cause.NO_ANSWER,
    "ALLOTTED_TIMEOUT": Cause.NO_ANSWER,
    "SUBSCRIBER_ABSENT": Cause.UNREACHABLE,
    "USER_NOT_REGISTERED": Cause.UNREACHABLE,
    "CHAN_NOT_IMPLEMENTED": Cause.UNREACHABLE,
    "INVALID_GATEWAY": Cause.UNREACHABLE,
    "GATEWAY_DOWN": Cause.UNREACHABLE,
    "INVALID_PROFILE": Cause.UNREACHABLE,
    "INVALID_URL": Cause.UNREACHABLE,
    "RECOVERY_ON_TIMER_EXPIRE": Cause.UNREACHABLE,
    "CALL_REJECTED": Cause.REJECTED,
    "INCOMING_CALL_BARRED": Cause.REJECTED,
    "OUTGOING_CALL_BARRED": Cause.REJECTED,
    "LOSE_RACE": Cause.ANSWERED_ELSEWHERE,
    "PICKED_OFF": Cause.ANSWERED_ELSEWHERE,
    "DESTINATION_OUT_OF_ORDER": Cause.OUT_OF_ORDER,
    "NORMAL_CIRCUIT_CONGESTION": Cause.CONGESTION,
    "SWITCH_CONGESTION": Cause.CONGESTION,
    "NORMAL_TEMPORARY_FAILURE": Cause.FAILURE,
    "MEDIA_TIMEOUT": Cause.FAILURE,
    "SYSTEM_SHUTDOWN": Cause.FAILURE,
}
_NAMES = {
    Cause.UNALLOCATED: "UNALLOCATED_NUMBER",
    Cause.BUSY: "USER_BUSY",
    Cause.NO_RESPONSE: "NO_USER_RESPONSE",
    Cause.NO_ANSWER: "NO_ANSWER",
    Cause.UNREACHABLE: "SUBSCRIBER_ABSENT",
    # FreeSWITCH makes 603 of CALL_REJECTED, with which a caller's carrier tries no other way: 403 is meant
    Cause.REJECTED: "INCOMING_CALL_BARRED",
    Cause.ANSWERED_ELSEWHERE: "LOSE_RACE",
    Cause.OUT_OF_ORDER: "DESTINATION_OUT_OF_ORDER",
    Cause.CONGESTION: "NORMAL_CIRCUIT_CONGESTION",
    Cause.FAILURE: "NORMAL_TEMPORARY_FAILURE",
}

_endpoint = re.compile(r"[A-Za-z0-9_.-]{1,80}").fullmatch
_number = re.compile(r"[A-Za-z0-9_.*#+-]{1,80}").fullmatch
_not_in_a_name = re.compile(r'[\x00-\x1f\x7f"<>\\;|,]')
_codec = re.compile(r"[A-Za-z0-9.-]{1,20}").fullmatch
_sound = re.compile(r"[A-Za-z0-9_./ -]{1,200}").fullmatch
_recording = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}").fullmatch
_said = re.compile(r"[0-9*#A-Za-z-]{1,60}").fullmatch
_referred = re.compile(r"^<?sips?:([^@;?>]{1,80})@").search
_user = re.compile(r"/([^/@;]+)(?:@[^/]*)?$").search
_music = re.compile(r"[A-Za-z0-9_.-]{1,80}").fullmatch
_SPOKEN = {**{d: f"digits/{d}" for d in "0123456789"}, "*": "digits/star", "#": "digits/pound"}
_BEEP = "tone_stream://%(250,0,1015)"
_TONES = {"beep": _BEEP, "beeperr": "tone_stream://%(150,50,315);loops=3"}
"""Asterisk's sounds that are no words. No multiples of 50 Hz, which the lab's callers take for a person."""
RINGING = "tone_stream://%(2000,4000,440,480);loops=-1"
"""The ringing of North America, as FreeSWITCH's own configuration has it."""


def speaks(codec: str) -> tuple[str, ...]:
    """L16 is what a loopback reads, and no phone is offered it."""
    return (codec,) if codec != "L16" and _codec(codec) else ()


def heard_codecs(event: Mapping[str, str]) -> tuple[str, ...]:
    """What a channel speaks, by one of its events; before its answer what both sides could speak, best first
    (`CORE_PCM_MODULE.PCMU@8000h@20i@64000b,...`)."""
    if codec := event.get("Channel-Read-Codec-Name"):
        return speaks(codec)
    both = event.get(f"variable_{BOTH}", "").split(",")
    return tuple(name for each in both for name in speaks(each.partition("@")[0].rpartition(".")[2]))


def spoken(codecs: Sequence[str]) -> dict[str, str]:
    """Without the second variable nothing else would be offered, and a phone that does not speak it would refuse."""
    return {SPOKEN: ",".join(codecs), "media_mix_inbound_outbound_codecs": "true"} if codecs else {}


def cause(name: str) -> Cause:
    return _CAUSES.get(name, Cause.UNKNOWN)


def cause_name(cause: Cause) -> str:
    return _NAMES.get(cause, "NORMAL_CLEARING")


def failure(answer: str) -> Cause:
    """Why `originate` failed: `-ERR USER_BUSY`."""
    return _CAUSES.get(answer.strip().rpartition(" ")[2], Cause.UNREACHABLE)


def moment(event: Mapping[str, str]) -> float:
    """Epoch seconds; FreeSWITCH's clock moves in steps of 20 ms."""
    return int(event["Event-Date-Timestamp"]) / 1_000_000


def endpoint_of(channel_name: str) -> str:
    """`sofia/internal/anna@127.0.0.1:5070` -> `anna`."""
    found = _user(channel_name)
    return found[1] if found else ""


def whose(headers: Mapping[str, str]) -> str:
    """The endpoint of a channel. The name of one that came in has the caller's number in it, which is the caller's to
    choose: it is a phone's only as far as the phone has proved who it is."""
    if named := headers.get(f"variable_{ENDPOINT}"):
        return named
    if headers.get("Call-Direction") == "outbound":
        return endpoint_of(headers.get("Channel-Name", ""))
    return headers.get("variable_sip_auth_username") or headers.get("variable_sip_gateway", "")


def hand_over(app: str, channel_id: str) -> str:
    """Where FreeSWITCH leads whom this phone hands over: it parks, and is told."""
    named = {PEER: app, ATTENDED: channel_id, "park_timeout": str(PEER_WAITS)}
    return "m:~:" + "".join(f"set:{name}={value}~" for name, value in named.items()) + "park:"


def caller(headers: Mapping[str, str]) -> Party:
    """FreeSWITCH gives one who sends no name the number for it."""
    number, name = headers.get("Caller-Caller-ID-Number", ""), headers.get("Caller-Caller-ID-Name", "")
    return Party(number, "" if name == number else name)


def referred_to(headers: Mapping[str, str]) -> str:
    """The number in the Refer-To that moved a channel, "" if there is none."""
    found = _referred(headers.get("variable_sip_refer_to", ""))
    return found[1] if found else ""


def number_of(dialled: str) -> str:
    """ "" for what cannot be one."""
    return dialled if _number(dialled) else ""


def dial_string(endpoint: str) -> str:
    """`alice` -> `user/alice`, `number@trunk` -> `sofia/gateway/trunk/number`, `line:alice` -> a loopback whose second
    half parks. Raises Refused: whatever else is in the text would be read by the PBX as part of its own syntax."""
    if line_of(endpoint):
        return LINE_END
    number, at, name = endpoint.rpartition("@")
    if not _endpoint(name) or (at and not _number(number)):
        raise Refused(
            f"endpoint {endpoint[:100]!r}: must be NAME or NUMBER@NAME of letters, digits and _ . - (number: * # + too)"
        )
    return f"sofia/gateway/{name}/{number}" if at else f"user/{name}"


def line_of(endpoint: str) -> str:
    """The name of an open line, "" for any other endpoint."""
    name = endpoint.removeprefix(LINE)
    return name if name != endpoint and _endpoint(name) else ""


def shown(caller: Party) -> dict[str, str]:
    """What the called phone displays, without what has a meaning in SIP or here."""
    number = caller.number if _number(caller.number) else ""
    name = _not_in_a_name.sub("", caller.name)[:80].strip()
    return {"origination_caller_id_number": number or "anonymous", "origination_caller_id_name": name or number}


def music(name: str) -> str:
    """A music class: a directory of local_stream.conf. `default` is what FreeSWITCH's own configuration calls moh."""
    if not _music(name):
        raise Refused(f"music {name[:100]!r}: must be letters, digits and _ . -")
    return f"local_stream://{'moh' if name == 'default' else name}"


def digits_to_send(digits: str) -> str:
    """Raises Refused: FreeSWITCH takes further signs for pauses and durations."""
    if not digits or len(digits) > MAX_DIGITS or not DIGITS.issuperset(digits):
        raise Refused(f"digits {digits[:100]!r}: must be 1 to {MAX_DIGITS} of 0-9 * # A-D")
    return digits


def media(medium: str, recordings: str) -> list[tuple[str, str]]:
    """One of our media as applications with their arguments. `recordings` is the directory of recordings."""
    kind, _, rest = medium.partition(":")
    if kind == "sound" and rest in _TONES:
        return [("playback", _TONES[rest])]
    if kind == "sound" and _sound(rest) and ".." not in rest:
        return [("playback", f"{rest}.wav")]
    if medium.startswith(RECORDING) and _recording(rest) and ".." not in rest:
        return [("playback", f"{recordings}/{rest}.wav")]
    if kind == "digits" and _said(rest):
        return [("playback", f"{_SPOKEN.get(sign) or f'ascii/{ord(sign.lower())}'}.wav") for sign in rest]
    if kind == "number" and rest.removeprefix("-").isascii() and rest.removeprefix("-").isdigit() and len(rest) <= 12:
        return [("say", f"{{language}} number pronounced {rest}")]
    if kind == "tone" and rest == "beep":
        return [("playback", _BEEP)]
    if kind == "silence":
        return [("playback", f"silence_stream://{_silence(medium, rest) * 1000}")]
    raise Refused(
        f"medium {medium[:100]!r}: must be sound:NAME, recording:NAME, digits:TEXT, number:N, tone:beep or "
        "silence:SECONDS"
    )


def _silence(medium: str, seconds: str) -> int:
    try:
        left = round(float(seconds))
    except (ValueError, OverflowError):
        left = 0
    if not 1 <= left <= 600:
        raise Refused(f"medium {medium[:100]!r}: seconds of silence must be a number from 1 to 600")
    return left
