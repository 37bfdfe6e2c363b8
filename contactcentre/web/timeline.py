"""A contact's events as sentences. What callers sent is quoted as text; the templates escape it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contactcentre.domain.events import ConsultResult, Direction, Kind
from contactcentre.domain.recorded import CUSTOMER, SENSITIVE
from contactcentre.domain.sentences import Phrase, phrase
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
            caller = readable(data["caller"]) or phrase("A withheld number")
            if data.get("direction") == Direction.OUTBOUND:
                queue = phrase("For queue %(queue)s.", queue=data["queue"]) if data["queue"] else ""
                words = phrase("%(agent)s calls %(caller)s%(name)s", agent=data["agent"], caller=caller, name=name)
                return words, (queue,), "dialling"
            before = (
                phrase("Had waited %(waited)s in the PBX's own queue.", waited=lasting(data["waited"]))
                if data.get("waited")
                else ""
            )
            return (
                phrase("%(caller)s%(name)s called %(did)s", caller=caller, name=name, did=readable(data["did"])),
                (_flow(data), before),
                "ivr",
            )
        case Kind.ANSWERED:
            return phrase("We answered"), (), ""
        case Kind.ENDED:
            by = {"caller": phrase("the caller"), "agent": phrase("the agent"), "system": phrase("the system")}.get(
                data["by"], data["by"]
            )
            return (
                phrase("The contact ended: %(outcome)s", outcome=_words(data["outcome"])),
                (phrase("Hung up by %(by)s.", by=by),),
                str(data["outcome"]),
            )
        case Kind.NODE:
            return (
                phrase("Flow %(flow)s: %(node)s (%(type)s)", flow=data["flow"], node=data["node"], type=data["type"]),
                (),
                "ivr",
            )
        case Kind.CHOSE:
            key = str(data["choice"])
            pressed = key.isascii() and len(key) == 1 and (key.isdigit() or key in "*#")
            return (
                phrase("Pressed %(key)s at %(node)s", key=key, node=data["node"])
                if pressed
                else f"{data['node']}: {_words(key)}",
                (),
                "ivr",
            )
        case Kind.SET if data.get("secret"):
            return phrase("%(name)s was keyed in, and is not kept", name=data["name"]), (), ""
        case Kind.SET:
            return f"{data['name']} = {data['value']}", (), ""
        case Kind.QUEUED:
            needs = phrase("It needs %(requirement)s.", requirement=data["requirement"]) if data["requirement"] else ""
            rank = phrase("Priority %(priority)s.", priority=data["priority"]) if data["priority"] else ""
            return phrase("Waits in queue %(queue)s", queue=data["queue"]), (needs, rank), "waiting"
        case Kind.REORDERED:
            return (
                phrase(
                    "Has %(priority)s points in %(queue)s from now on, by a %(by)s",
                    priority=data["priority"],
                    queue=data["queue"],
                    by=data["by"],
                ),
                (),
                "",
            )
        case Kind.ANNOUNCED:
            wait = data.get("estimate")
            about = (
                phrase(", about %(lasting)s to wait", lasting=lasting(wait)) if isinstance(wait, int | float) else ""
            )
            return (
                phrase(
                    "Was told: place %(position)s in %(queue)s%(about)s",
                    position=data["position"],
                    queue=data["queue"],
                    about=about,
                ),
                (),
                "",
            )
        case Kind.UNQUEUED:
            rule = f"{capital(data['rule'])}." if data.get("rule") else ""
            return (
                phrase(
                    "Left queue %(queue)s after %(waited)s s: %(reason)s",
                    queue=data["queue"],
                    waited=round(data["waited"]),
                    reason=phrase("key %(key)s", key=data["key"]) if data.get("key") else _words(data["reason"]),
                ),
                (rule,),
                "",
            )
        case Kind.OFFERED:
            return phrase("Offered to %(agent)s", agent=data["agent"]), (), "offered"
        case Kind.RINGING:
            return phrase("The phone of %(agent)s rings", agent=data["agent"]), (), "offered"
        case Kind.ACCEPTED:
            return phrase("%(agent)s answered", agent=data["agent"]), (), "talking"
        case Kind.REFUSED:
            return (
                phrase("%(agent)s did not take it: %(result)s", agent=data["agent"], result=_words(data["result"])),
                (),
                "paused",
            )
        case Kind.TALK_STARTED:
            return phrase("Talks with %(agent)s", agent=data["agent"]), (), "talking"
        case Kind.TALK_ENDED:
            return phrase("The talk with %(agent)s ended", agent=data["agent"]), (), ""
        case Kind.RECORDING_ANNOUNCED:
            who = phrase("The customer") if data["to"] == CUSTOMER else str(data["to"])
            return (
                phrase("%(who)s was told of the recording", who=who),
                (phrase("Prompt %(prompt)s.", prompt=data["prompt"]),),
                "",
            )
        case Kind.RECORDING_STARTED:
            return phrase("Recording began"), (), ""
        case Kind.RECORDING_ENDED:
            return phrase("Recording ended"), (), ""
        case Kind.RECORDING_STORED:
            return phrase("Recording stored (%(seconds)s s)", seconds=round(data["seconds"])), (), ""
        case Kind.RECORDING_FAILED:
            return phrase("The recording could not be stored"), (str(data["error"]),), "lost"
        case Kind.RECORDING_DELETED:
            return phrase("The recording was deleted"), (_words(data["reason"]),), ""
        case Kind.VOICEMAIL:
            return (
                phrase("Left a message of %(seconds)s s in %(box)s", seconds=round(data["seconds"]), box=data["box"]),
                (),
                "voicemail",
            )
        case Kind.CALLBACK_REQUESTED:
            return (
                phrase(
                    "Asked to be called back at %(number)s (queue %(queue)s)",
                    number=data["number"],
                    queue=data["queue"],
                ),
                (),
                "voicemail",
            )
        case Kind.TRANSFERRED:
            by = phrase(" by %(by)s", by=data["by"]) if data.get("by") else ""
            return phrase("Transferred%(by)s to %(to)s", by=by, to=data["to"]), (), ""
        case Kind.DISPOSITION:
            return _said(data)
        case Kind.CALLED_BACK:
            return phrase("%(by)s called back, as promised", by=data["by"]), (), "answered"
        case Kind.TALK_HELD | Kind.TALK_RESUMED | Kind.MUTED | Kind.UNMUTED | Kind.PARKED | Kind.RETRIEVED:
            return _held(kind, data)
        case Kind.CONSULT_STARTED | Kind.CONSULT_ANSWERED | Kind.CONSULT_TOGGLED | Kind.CONSULT_ENDED:
            return _consulted(kind, data)
        case Kind.PARTY_JOINED:
            return phrase("%(agent)s joined the conversation", agent=data["agent"] or data["to"]), (), "talking"
        case Kind.PARTY_LEFT:
            return phrase("%(agent)s left the conversation", agent=data["agent"] or phrase("Somebody")), (), ""
        case Kind.REJOINED:
            return phrase("%(agent)s came back to the call in another window", agent=data["agent"]), (), "talking"
        case Kind.RECORDING_PAUSED:
            why = (
                phrase("The customer keys in what is to be in no recording.") if data.get("reason") == SENSITIVE else ""
            )
            return phrase("The recording was paused"), (why,), ""
        case Kind.RECORDING_RESUMED:
            return phrase("The recording went on"), (), ""
        case Kind.SUPERVISED:
            return (
                phrase(
                    "%(supervisor)s listened in (%(mode)s) on %(agent)s",
                    supervisor=data["supervisor"],
                    mode=_words(data["mode"]),
                    agent=data["agent"],
                ),
                (),
                "",
            )
        case Kind.SUPERVISION_CHANGED:
            return (
                phrase(
                    "%(supervisor)s went on in mode %(mode)s", supervisor=data["supervisor"], mode=_words(data["mode"])
                ),
                (),
                "",
            )
        case Kind.SUPERVISION_ENDED:
            return phrase("%(supervisor)s left", supervisor=data["supervisor"]), (), ""
        case Kind.WRAP_UP_STARTED:
            return (
                phrase(
                    "%(agent)s is in wrap-up, %(seconds)s s at most",
                    agent=data["agent"],
                    seconds=round(data["seconds"]),
                ),
                (),
                "wrap_up",
            )
        case Kind.WRAP_UP_ENDED:
            return phrase("%(agent)s ended wrap-up", agent=data["agent"]), (), ""
        case Kind.DISPOSITION:
            return phrase("%(agent)s noted: %(code)s", agent=data["agent"], code=data["code"]), (), ""
    return kind, tuple(f"{name}: {value}" for name, value in data.items()), ""


def _held(kind: str, data: Mapping[str, Any]) -> tuple[str, tuple[str, ...], str]:
    match kind:
        case Kind.TALK_HELD:
            return phrase("%(agent)s put the customer on hold", agent=data["agent"]), (_by_whom(data),), "waiting"
        case Kind.TALK_RESUMED:
            return (
                phrase("%(agent)s is back after %(held)s s on hold", agent=data["agent"], held=round(data["held"])),
                (_by_whom(data),),
                "talking",
            )
        case Kind.PARKED:
            return phrase("%(by)s parked the customer in %(slot)s", by=data["by"], slot=data["slot"]), (), "waiting"
        case Kind.RETRIEVED if data["by"]:
            return (
                phrase(
                    "%(by)s took the customer from %(slot)s after %(parked)s s",
                    by=data["by"],
                    slot=data["slot"],
                    parked=round(data["parked"]),
                ),
                (),
                "talking",
            )
        case Kind.RETRIEVED:
            return (
                phrase(
                    "Nobody took the customer from %(slot)s within %(parked)s s",
                    slot=data["slot"],
                    parked=round(data["parked"]),
                ),
                (),
                "missed",
            )
    who = data["agent"] or phrase("The customer")
    said = phrase("%(who)s was muted", who=who) if kind == Kind.MUTED else phrase("%(who)s was unmuted", who=who)
    return said, (), ""


def _by_whom(data: Mapping[str, Any]) -> str:
    words = {
        "phone": phrase("By the phone's own key."),
        "supervisor": phrase("By a supervisor."),
        "program": phrase("By the system."),
        "window": phrase("By the browser window that is the phone."),
    }
    return words.get(data["by"], "")


def _consulted(kind: str, data: Mapping[str, Any]) -> tuple[str, tuple[str, ...], str]:
    match kind:
        case Kind.CONSULT_STARTED:
            return (
                phrase("%(agent)s asks %(to)s, the customer hears music", agent=data["agent"], to=data["to"]),
                (),
                "waiting",
            )
        case Kind.CONSULT_ANSWERED:
            return phrase("%(to)s answered %(agent)s", to=data["to"], agent=data["agent"]), (), ""
        case Kind.CONSULT_TOGGLED:
            return (
                phrase(
                    "%(agent)s talks with %(customer)s again",
                    agent=data["agent"],
                    customer=phrase("the customer") if data["customer"] else phrase("who was asked"),
                ),
                (),
                "",
            )
    return (
        phrase(
            "%(agent)s asked %(to)s: %(result)s",
            agent=data["agent"],
            to=data["to"],
            result=_CONSULTS.get(data["result"], _words(data["result"])),
        ),
        (),
        "",
    )


_CONSULTS: Mapping[Any, str] = {
    ConsultResult.TRANSFERRED: phrase("who has the customer now"),
    ConsultResult.CONFERENCE: phrase("who joined"),
    ConsultResult.CANCELLED: phrase("cancelled"),
    ConsultResult.BUSY: phrase("was busy"),
    ConsultResult.MISSED: phrase("did not answer"),
    ConsultResult.REJECTED: phrase("declined"),
    ConsultResult.UNREACHABLE: phrase("could not be reached"),
    ConsultResult.LEFT: phrase("hung up"),
    ConsultResult.CUSTOMER_GONE: phrase("meanwhile the customer hung up"),
    ConsultResult.AGENT_GONE: phrase("hung up before anybody had answered"),
}


def _said(data: Mapping[str, Any]) -> tuple[str, tuple[str, ...], str]:
    of = f" ({data['queue']})" if data["queue"] else ""
    if not data["code"]:
        return phrase("%(by)s took the disposition back%(of)s", by=data["by"], of=of), (), ""
    promised = (
        phrase("A call back to %(number)s was promised.", number=readable(data["number"]))
        if data.get("callback_at")
        else ""
    )
    by = "" if data["by"] == data["agent"] else phrase("Said by %(by)s.", by=data["by"])
    return f"{data['agent'] or data['by']}: {data['label']}{of}", (promised, by), "wrap_up"


def _decision(at: float, finding: Finding) -> Line:
    asked = phrase("Asked for: %(requirement)s.", requirement=finding.requirement) if finding.requirement else ""
    more = tuple(part for part in (asked, *finding.reasons()) if part)
    if finding.agent:
        return Line(
            at,
            phrase("Routing chose %(agent)s: %(rule)s", agent=finding.agent, rule=finding.rule_said),
            more,
            "available",
            finding,
        )
    return Line(at, phrase("Routing found nobody: %(rule)s", rule=finding.rule_said), more, "waiting", finding)


def _flow(data: Mapping[str, Any]) -> str:
    return phrase("Flow %(flow)s on %(node)s.", flow=data["flow"], node=data["node"]) if data["flow"] else ""


def _words(name: Any) -> Phrase:
    return phrase(str(name).replace("_", " "))


NOISE = frozenset({Kind.LEG_STARTED, Kind.LEG_ANSWERED, Kind.LEG_ENDED, Kind.SET})
"""Left out of the page's timeline at first; they are technical."""
