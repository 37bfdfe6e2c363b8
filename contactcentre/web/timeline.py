"""A contact's events as sentences. What callers sent is quoted as text; the templates escape it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contactcentre.domain.events import ConsultResult, Kind
from contactcentre.domain.recorded import CUSTOMER, SENSITIVE
from contactcentre.domain.telling import Finding, capital, lasting
from contactcentre.web.numbers import readable


@dataclass(frozen=True, slots=True)
class Line:
    at: float
    text: str
    more: tuple[str, ...] = ()
    state: str = ""  # colours the mark
    finding: Finding | None = None  # of a decision


def line(at: float, kind: str, data: Mapping[str, Any]) -> Line:
    """One event in words; an unknown kind shows its own name and data."""
    if kind == Kind.DECISION:
        return _decision(at, Finding.read(data))
    try:
        text, more, state = _say(kind, data)
    except (KeyError, TypeError, ValueError):
        text, more, state = kind, (), ""
    return Line(at, text, tuple(part for part in more if part), state)


def _say(kind: str, data: Mapping[str, Any]) -> tuple[str, tuple[str, ...], str]:
    match kind:
        case Kind.ARRIVED:
            name = f" ({data['caller_name']})" if data["caller_name"] else ""
            caller = readable(data["caller"]) or "A withheld number"
            before = f"Had waited {lasting(data['waited'])} in the PBX's own queue." if data.get("waited") else ""
            return f"{caller}{name} called {readable(data['did'])}", (_flow(data), before), "ivr"
        case Kind.ANSWERED:
            return "We answered", (), ""
        case Kind.ENDED:
            by = {"caller": "the caller", "agent": "the agent", "system": "the system"}.get(data["by"], data["by"])
            return f"The contact ended: {_words(data['outcome'])}", (f"Hung up by {by}.",), str(data["outcome"])
        case Kind.NODE:
            return f"Flow {data['flow']}: {data['node']} ({data['type']})", (), "ivr"
        case Kind.CHOSE:
            key = str(data["choice"])
            pressed = key.isascii() and len(key) == 1 and (key.isdigit() or key in "*#")
            return f"Pressed {key} at {data['node']}" if pressed else f"{data['node']}: {_words(key)}", (), "ivr"
        case Kind.SET if data.get("secret"):
            return f"{data['name']} was keyed in, and is not kept", (), ""
        case Kind.SET:
            return f"{data['name']} = {data['value']}", (), ""
        case Kind.QUEUED:
            needs = f"It needs {data['requirement']}." if data["requirement"] else ""
            rank = f"Priority {data['priority']}." if data["priority"] else ""
            return f"Waits in queue {data['queue']}", (needs, rank), "waiting"
        case Kind.REORDERED:
            return f"Has {data['priority']} points in {data['queue']} from now on, by a {data['by']}", (), ""
        case Kind.ANNOUNCED:
            wait = data.get("estimate")
            about = f", about {lasting(wait)} to wait" if isinstance(wait, int | float) else ""
            return f"Was told: place {data['position']} in {data['queue']}{about}", (), ""
        case Kind.UNQUEUED:
            rule = f"{capital(data['rule'])}." if data.get("rule") else ""
            return f"Left queue {data['queue']} after {data['waited']:.0f} s: {_words(data['reason'])}", (rule,), ""
        case Kind.OFFERED:
            return f"Offered to {data['agent']}", (), "offered"
        case Kind.RINGING:
            return f"The phone of {data['agent']} rings", (), "offered"
        case Kind.ACCEPTED:
            return f"{data['agent']} answered", (), "talking"
        case Kind.REFUSED:
            return f"{data['agent']} did not take it: {_words(data['result'])}", (), "paused"
        case Kind.TALK_STARTED:
            return f"Talks with {data['agent']}", (), "talking"
        case Kind.TALK_ENDED:
            return f"The talk with {data['agent']} ended", (), ""
        case Kind.RECORDING_ANNOUNCED:
            who = "The customer" if data["to"] == CUSTOMER else str(data["to"])
            return f"{who} was told of the recording", (f"Prompt {data['prompt']}.",), ""
        case Kind.RECORDING_STARTED:
            return "Recording began", (), ""
        case Kind.RECORDING_ENDED:
            return "Recording ended", (), ""
        case Kind.RECORDING_STORED:
            return f"Recording stored ({data['seconds']:.0f} s)", (), ""
        case Kind.RECORDING_FAILED:
            return "The recording could not be stored", (str(data["error"]),), "lost"
        case Kind.RECORDING_DELETED:
            return "The recording was deleted", (_words(data["reason"]),), ""
        case Kind.VOICEMAIL:
            return f"Left a message of {data['seconds']:.0f} s in {data['box']}", (), "voicemail"
        case Kind.CALLBACK_REQUESTED:
            return f"Asked to be called back at {data['number']} (queue {data['queue']})", (), "voicemail"
        case Kind.TRANSFERRED:
            by = f" by {data['by']}" if data.get("by") else ""
            return f"Transferred{by} to {data['to']}", (), ""
        case Kind.DISPOSITION:
            return _said(data)
        case Kind.CALLED_BACK:
            return f"{data['by']} called back, as promised", (), "answered"
        case Kind.TALK_HELD | Kind.TALK_RESUMED | Kind.MUTED | Kind.UNMUTED | Kind.PARKED | Kind.RETRIEVED:
            return _held(kind, data)
        case Kind.CONSULT_STARTED | Kind.CONSULT_ANSWERED | Kind.CONSULT_TOGGLED | Kind.CONSULT_ENDED:
            return _consulted(kind, data)
        case Kind.PARTY_JOINED:
            return f"{data['agent'] or data['to']} joined the conversation", (), "talking"
        case Kind.PARTY_LEFT:
            return f"{data['agent'] or 'Somebody'} left the conversation", (), ""
        case Kind.REJOINED:
            return f"{data['agent']} came back to the call in another window", (), "talking"
        case Kind.RECORDING_PAUSED:
            why = "The customer keys in what is to be in no recording." if data.get("reason") == SENSITIVE else ""
            return "The recording was paused", (why,), ""
        case Kind.RECORDING_RESUMED:
            return "The recording went on", (), ""
        case Kind.SUPERVISED:
            return f"{data['supervisor']} listened in ({_words(data['mode'])}) on {data['agent']}", (), ""
        case Kind.SUPERVISION_CHANGED:
            return f"{data['supervisor']} went on in mode {_words(data['mode'])}", (), ""
        case Kind.SUPERVISION_ENDED:
            return f"{data['supervisor']} left", (), ""
        case Kind.WRAP_UP_STARTED:
            return f"{data['agent']} is in wrap-up, {data['seconds']:.0f} s at most", (), "wrap_up"
        case Kind.WRAP_UP_ENDED:
            return f"{data['agent']} ended wrap-up", (), ""
        case Kind.DISPOSITION:
            return f"{data['agent']} noted: {data['code']}", (), ""
    return kind, tuple(f"{name}: {value}" for name, value in data.items()), ""


def _held(kind: str, data: Mapping[str, Any]) -> tuple[str, tuple[str, ...], str]:
    match kind:
        case Kind.TALK_HELD:
            return f"{data['agent']} put the customer on hold", (_by_whom(data),), "waiting"
        case Kind.TALK_RESUMED:
            return f"{data['agent']} is back after {data['held']:.0f} s on hold", (_by_whom(data),), "talking"
        case Kind.PARKED:
            return f"{data['by']} parked the customer in {data['slot']}", (), "waiting"
        case Kind.RETRIEVED if data["by"]:
            return f"{data['by']} took the customer from {data['slot']} after {data['parked']:.0f} s", (), "talking"
        case Kind.RETRIEVED:
            return f"Nobody took the customer from {data['slot']} within {data['parked']:.0f} s", (), "missed"
    return f"{data['agent'] or 'The customer'} was {'' if kind == Kind.MUTED else 'un'}muted", (), ""


def _by_whom(data: Mapping[str, Any]) -> str:
    words = {
        "phone": "By the phone's own key.",
        "supervisor": "By a supervisor.",
        "program": "By the system.",
        "window": "By the browser window that is the phone.",
    }
    return words.get(data["by"], "")


def _consulted(kind: str, data: Mapping[str, Any]) -> tuple[str, tuple[str, ...], str]:
    match kind:
        case Kind.CONSULT_STARTED:
            return f"{data['agent']} asks {data['to']}, the customer hears music", (), "waiting"
        case Kind.CONSULT_ANSWERED:
            return f"{data['to']} answered {data['agent']}", (), ""
        case Kind.CONSULT_TOGGLED:
            return f"{data['agent']} talks with {'the customer' if data['customer'] else 'who was asked'} again", (), ""
    return f"{data['agent']} asked {data['to']}: {_CONSULTS.get(data['result'], _words(data['result']))}", (), ""


_CONSULTS: Mapping[Any, str] = {
    ConsultResult.TRANSFERRED: "who has the customer now",
    ConsultResult.CONFERENCE: "who joined",
    ConsultResult.CANCELLED: "cancelled",
    ConsultResult.BUSY: "was busy",
    ConsultResult.MISSED: "did not answer",
    ConsultResult.REJECTED: "declined",
    ConsultResult.UNREACHABLE: "could not be reached",
    ConsultResult.LEFT: "hung up",
    ConsultResult.CUSTOMER_GONE: "meanwhile the customer hung up",
    ConsultResult.AGENT_GONE: "hung up before anybody had answered",
}


def _said(data: Mapping[str, Any]) -> tuple[str, tuple[str, ...], str]:
    of = f" ({data['queue']})" if data["queue"] else ""
    if not data["code"]:
        return f"{data['by']} took the disposition back{of}", (), ""
    promised = f"A call back to {readable(data['number'])} was promised." if data.get("callback_at") else ""
    by = "" if data["by"] == data["agent"] else f"Said by {data['by']}."
    return f"{data['agent'] or data['by']}: {data['label']}{of}", (promised, by), "wrap_up"


def _decision(at: float, finding: Finding) -> Line:
    asked = f"Asked for: {finding.requirement}." if finding.requirement else ""
    more = tuple(part for part in (asked, *finding.reasons()) if part)
    if finding.agent:
        return Line(at, f"Routing chose {finding.agent}: {finding.rule}", more, "available", finding)
    return Line(at, f"Routing found nobody: {finding.rule}", more, "waiting", finding)


def _flow(data: Mapping[str, Any]) -> str:
    return f"Flow {data['flow']} on {data['node']}." if data["flow"] else ""


def _words(name: Any) -> str:
    return str(name).replace("_", " ")


NOISE = frozenset({Kind.LEG_STARTED, Kind.LEG_ANSWERED, Kind.LEG_ENDED, Kind.SET})
"""Left out of the page's timeline at first; they are technical."""
