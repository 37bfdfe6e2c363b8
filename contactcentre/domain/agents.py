"""What an agent can be doing, and which step leads where.

The table below is the whole truth: a (state, verb) pair that is not in it is refused with `NotAllowed`, so an agent is
never "stuck in reserved". `deadline` bounds every state that someone else must end (an offer, wrap-up): when it has
passed any controller may end it (`Verb.EXPIRE`).
"""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from contactcentre.domain.notation import decode, encode
from contactcentre.domain.replacing import replace


class AgentState(StrEnum):
    LOGGED_OUT = "logged_out"
    AVAILABLE = "available"
    OFFERED = "offered"  # reserved for one contact; the endpoint rings
    TALKING = "talking"
    WRAP_UP = "wrap_up"
    PAUSED = "paused"


class Verb(StrEnum):
    LOGIN = "login"
    LOGOUT = "logout"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    OFFER = "offer"
    DIAL = "dial"  # they call somebody: the own endpoint rings first
    ACCEPT = "accept"
    MISS = "miss"  # rang out, or the endpoint was busy, rejected or unreachable
    RELEASE = "release"  # the offer ended through no fault of the agent (caller gone, answered elsewhere)
    FINISH = "finish"  # the conversation ended
    WRAPPED = "wrapped"  # wrap-up ended by the agent
    EXTEND = "extend"  # more time for wrap-up
    EXPIRE = "expire"  # a deadline passed
    SWITCH = "switch"  # is called by another device from the next call on
    LEND = "lend"  # other skills until a time
    FOUND = "found"  # in a conversation: the PBX has them in it, whatever was written


class NotAllowed(Exception):
    """The verb makes no sense in the agent's state. The text says so for a person."""

    def __init__(self, name: str, state: AgentState, verb: Verb, why: str = "") -> None:
        super().__init__(
            f"agent {name} is {state.value.replace('_', ' ')}: {verb.value} is not possible{': ' + why if why else ''}"
        )
        self.name, self.state, self.verb = name, state, verb


_S, _V = AgentState, Verb
TRANSITIONS: dict[tuple[AgentState, Verb], AgentState] = {
    (_S.LOGGED_OUT, _V.LOGIN): _S.AVAILABLE,
    (_S.AVAILABLE, _V.LOGOUT): _S.LOGGED_OUT,
    (_S.AVAILABLE, _V.PAUSE): _S.PAUSED,
    (_S.AVAILABLE, _V.OFFER): _S.OFFERED,
    (_S.AVAILABLE, _V.DIAL): _S.OFFERED,
    (_S.PAUSED, _V.PAUSE): _S.PAUSED,  # another reason: closes the first, begins the second
    (_S.PAUSED, _V.UNPAUSE): _S.AVAILABLE,
    (_S.PAUSED, _V.LOGOUT): _S.LOGGED_OUT,
    (_S.PAUSED, _V.DIAL): _S.OFFERED,  # and is paused again after the call
    (_S.OFFERED, _V.ACCEPT): _S.TALKING,
    (_S.OFFERED, _V.MISS): _S.AVAILABLE,  # or PAUSED("missed") after `misses_allowed`
    (_S.OFFERED, _V.RELEASE): _S.AVAILABLE,
    (_S.OFFERED, _V.EXPIRE): _S.AVAILABLE,
    (_S.OFFERED, _V.PAUSE): _S.OFFERED,  # takes effect when the offer or call is over (`then`)
    (_S.OFFERED, _V.LOGOUT): _S.OFFERED,
    (_S.OFFERED, _V.UNPAUSE): _S.OFFERED,  # takes a wish to pause or log out back
    (_S.TALKING, _V.FINISH): _S.WRAP_UP,  # or AVAILABLE where the queue allows no wrap-up
    (_S.TALKING, _V.PAUSE): _S.TALKING,
    (_S.TALKING, _V.LOGOUT): _S.TALKING,
    (_S.TALKING, _V.UNPAUSE): _S.TALKING,
    (_S.WRAP_UP, _V.WRAPPED): _S.AVAILABLE,
    (_S.WRAP_UP, _V.EXTEND): _S.WRAP_UP,
    (_S.WRAP_UP, _V.EXPIRE): _S.AVAILABLE,
    (_S.WRAP_UP, _V.PAUSE): _S.PAUSED,
    (_S.WRAP_UP, _V.UNPAUSE): _S.AVAILABLE,
    (_S.WRAP_UP, _V.LOGOUT): _S.LOGGED_OUT,
    **{(state, _V.SWITCH): state for state in _S if state is not _S.LOGGED_OUT},
    **{(state, _V.LEND): state for state in _S},
    **{(state, _V.FOUND): _S.TALKING for state in _S if state is not _S.TALKING},
}

MISSED = "missed"
"""Pause reason given to an agent who let `misses_allowed` offers ring out."""

UNREACHABLE = "unreachable"
"""Pause reason given to an agent whose phone is away for long; it ends with the phone's coming back."""

LINE_DOWN = "line_down"
"""Pause reason given to an agent who hung up the open line, or whose device could not be called for it."""

EXTENSION = 60.0
"""Seconds more of wrap-up, where nobody says how many."""

LONGEST_WRAP_UP = 1800.0
"""Seconds from now to which wrap-up can be extended, so that nobody is in wrap-up for ever."""


@dataclass(frozen=True)
class AgentStatus:
    """One agent now. `version` grows by one with every change and is the key of compare-and-set."""

    name: str
    state: AgentState = AgentState.LOGGED_OUT
    version: int = 0
    since: float = 0.0  # when this state began
    reason: str = ""  # of a pause
    contact_id: str = ""  # the contact offered, talked with, or being wrapped up
    queue: str = ""  # that contact's queue
    token: str = ""  # of the offer, the proof that a reservation is ours
    deadline: float = 0.0  # of OFFERED and WRAP_UP; 0 = none
    idle_since: float = 0.0  # longest-idle counts from here: the last call's end, or the login
    not_before: float = 0.0  # no offer before this time (reject delay, busy delay)
    misses: int = 0  # in a row
    calls: int = 0  # answered since login
    talked: float = 0.0  # seconds in conversations that are over, since login
    turn: float = 0.0  # the last offer, whatever came of it, or the login: round-robin counts from here
    then: str = ""  # when the offer or call is over: "" | "logout" | "pause:REASON"
    device: str = ""  # chosen at login, see domain.devices; "" = the site's default
    by: str = ""  # who else brought this state about, or the wish in `then`; "" = the agent, or the rules
    note: str = ""  # what that one said to it
    skills: str = ""  # for the day, see domain.day
    skills_until: float = 0.0  # epoch seconds

    def to_json(self) -> str:
        return encode(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> "AgentStatus":
        """Raises ValueError, TypeError or KeyError when the text is no such record. Unknown keys are ignored."""
        raw = decode(text)
        known = {name: raw[name] for name in _FIELDS if name in raw}
        made = cls(**{**known, "state": AgentState(raw["state"])})
        wrong = [name for name in _FIELDS if not isinstance(getattr(made, name), _TYPES[name])]
        if wrong:
            raise ValueError(f"{wrong[0]} has a wrong type")
        return made


_FIELDS = tuple(f.name for f in fields(AgentStatus))
_TYPES = {f.name: (int, float) if f.type in (int, float) else str for f in fields(AgentStatus)}


def step(
    status: AgentStatus,
    verb: Verb,
    at: float,
    *,
    reason: str = "",
    contact_id: str = "",
    queue: str = "",
    token: str = "",
    deadline: float = 0.0,
    wrap_up: float = 0.0,
    misses_allowed: int = 0,
    delay: float = 0.0,
    counts: bool = True,
    seconds: float = 0.0,
    device: str = "",
    by: str = "",
    note: str = "",
    skills: str = "",
    until: float = 0.0,
) -> AgentStatus:
    """The agent after `verb` at `at` (epoch seconds).

    OFFER and DIAL take contact_id, queue, token, deadline (after `at`, else ValueError). ACCEPT, MISS, RELEASE, FINISH
    take the offer's token and are refused when it is another one. FINISH takes wrap_up (seconds, 0 = none). MISS and
    EXPIRE take misses_allowed (0 = never pause) and delay (seconds until the next offer); a MISS that `counts` not (the
    phone was busy) only delays. PAUSE takes reason, LOGIN and SWITCH device. EXTEND takes seconds (above 0, else
    ValueError). LEND takes skills (`domain.day`) and until (epoch seconds). FOUND takes contact_id, queue and the token
    of the offer that was accepted; a pause, or that they had logged out, goes on after the call. LOGIN, LOGOUT, PAUSE
    and UNPAUSE take `by`, somebody else who does that, and their `note`. Raises NotAllowed.
    """
    target = TRANSITIONS.get((status.state, verb))
    if target is None:
        raise NotAllowed(status.name, status.state, verb)
    if verb in (Verb.ACCEPT, Verb.MISS, Verb.RELEASE, Verb.FINISH) and token != status.token:
        raise NotAllowed(status.name, status.state, verb, "the offer is another one")
    if verb is Verb.EXPIRE and not 0 < status.deadline <= at:
        raise NotAllowed(status.name, status.state, verb, "the deadline has not passed")
    if verb is Verb.OFFER and status.not_before > at:
        raise NotAllowed(status.name, status.state, verb, "a delay after the last offer is still running")
    if verb in (Verb.OFFER, Verb.DIAL) and not (contact_id and token and deadline > at):
        raise ValueError("an offer has a contact, a token and a deadline that is still to come")
    version = status.version + 1
    if verb is Verb.EXTEND:
        return _extended(replace(status, version=version), at, seconds)
    if verb is Verb.SWITCH:
        return replace(status, version=version, device=device)
    if verb is Verb.LEND:
        return replace(status, version=version, skills=skills, skills_until=until if skills else 0.0)
    if target is status.state and target is not AgentState.PAUSED:  # a wish for afterwards
        wish = {Verb.PAUSE: f"pause:{reason}", Verb.LOGOUT: "logout"}.get(verb, "")
        return replace(status, version=version, then=wish, by=by, note=note)
    moved: dict[str, Any] = {"state": target, "version": version, "since": at}
    if (by or status.by) and not status.then:  # a wish stays whose it was when it is carried out
        moved |= {"by": by, "note": note}
    free = moved | {"reason": "", "contact_id": "", "queue": "", "token": "", "deadline": 0.0}
    match verb:
        case Verb.LOGIN:
            fresh = free | {"misses": 0, "calls": 0, "talked": 0.0, "turn": at}
            return replace(status, **fresh, idle_since=at, not_before=0.0, then="", device=device)
        case Verb.OFFER:
            offer: dict[str, Any] = {"contact_id": contact_id, "queue": queue, "token": token, "deadline": deadline}
            return replace(status, **moved, **offer, turn=at)
        case Verb.DIAL:
            called: dict[str, Any] = {"contact_id": contact_id, "queue": queue, "token": token, "deadline": deadline}
            paused = f"pause:{status.reason}" if status.state is AgentState.PAUSED else status.then
            whose = {"by": status.by, "note": status.note}
            return replace(status, **(free | called | whose), then=paused)
        case Verb.ACCEPT:
            return replace(status, **moved, deadline=0.0, misses=0, calls=status.calls + 1)
        case Verb.FOUND:
            talks: dict[str, Any] = {"contact_id": contact_id, "queue": queue, "token": token, "then": _wish(status)}
            whose = {"by": status.by, "note": status.note}
            return replace(status, **(free | talks | whose), misses=0, calls=status.calls + 1)
        case Verb.FINISH:
            talked = round(status.talked + max(0.0, at - status.since), 3)
            if wrap_up > 0:
                return replace(status, **moved, deadline=at + wrap_up, idle_since=at, talked=talked)
            done = free | {"state": AgentState.AVAILABLE, "idle_since": at, "talked": talked}
            return _settle(replace(status, **done), at)
        case Verb.MISS | Verb.EXPIRE if status.state is AgentState.OFFERED:
            misses = status.misses + counts
            missed = replace(status, **free, misses=misses, not_before=at + delay)
            if 0 < misses_allowed <= misses and not status.then:
                return replace(missed, state=AgentState.PAUSED, reason=MISSED, misses=0)
            return _settle(missed, at)
        case Verb.RELEASE:
            return _settle(replace(status, **free), at)
        case Verb.PAUSE:
            return replace(status, **(free | {"reason": reason, "by": by, "note": note}), then="")
        case Verb.LOGOUT | Verb.UNPAUSE:
            return replace(status, **(free | {"by": by, "note": note}), then="")
        case _:  # WRAPPED, EXPIRE of wrap-up
            return _settle(replace(status, **free), at)


def _wish(status: AgentStatus) -> str:
    """What becomes of an agent after a call in which nobody knew them to be."""
    match status.state:
        case AgentState.LOGGED_OUT:
            return "logout"
        case AgentState.PAUSED if status.reason != MISSED:  # they had not missed it
            return f"pause:{status.reason}"
        case _:
            return status.then


def _extended(status: AgentStatus, at: float, seconds: float) -> AgentStatus:
    if not seconds > 0:
        raise ValueError("wrap-up is extended by more than 0 seconds")
    deadline = max(status.deadline, at) + seconds
    if deadline > at + LONGEST_WRAP_UP:
        why = f"it would end in {deadline - at:.0f} s, at most {LONGEST_WRAP_UP:.0f} s from now are allowed"
        raise NotAllowed(status.name, status.state, Verb.EXTEND, why)
    return replace(status, deadline=deadline)


def _settle(status: AgentStatus, at: float) -> AgentStatus:
    """Carries out what the agent asked for while an offer or a call ran."""
    if status.then == "logout":
        return replace(status, state=AgentState.LOGGED_OUT, since=at, then="")
    if status.then.startswith("pause:"):
        return replace(status, state=AgentState.PAUSED, since=at, reason=status.then[6:], then="")
    return status
