"""A flow walked without a PBX: the same walker, its actions answered from a script instead of by a caller."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from contactcentre.domain.events import Kind, LeftQueue
from contactcentre.domain.flows import actions as act
from contactcentre.domain.flows.node import WalkError
from contactcentre.domain.flows.walk import Walker
from contactcentre.domain.flows.wording import words

HANG_UP = "hangup"
"""Stands for the end of the caller's patience in `Script.digits` and `Script.queues`."""

MOST_STEPS = 500
"""Actions after which a simulation is broken off: nobody stays on the line that long."""

TALK = 60.0  # seconds that a simulated conversation and a message take
SIGNS_PER_SECOND = 15.0  # of speech

TextOf = Callable[[str, str], str]
"""The text of a prompt in a language, "" when it has none."""


@dataclass(frozen=True, slots=True)
class Script:
    """What the caller and the world do. `digits`: an entry for each question in turn, "" = says nothing; when
    they run out the caller says nothing any more. `queues`: how each stay in a queue ends (a LeftQueue, or
    `key:1`), the last one again and again. `lookups`: the JSON object that a lookup node gets, None = it
    fails, as do those that are not named."""

    digits: tuple[str, ...] = ()
    queues: tuple[str, ...] = (LeftQueue.ANSWERED.value,)
    lookups: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    transfers_fail: bool = False


@dataclass(slots=True)
class Moment:
    """The caller at one node. A menu that asks again has several `heard` and `did`."""

    at: float
    flow: str
    node: str
    type: str
    heard: list[str] = field(default_factory=list)
    did: list[str] = field(default_factory=list)  # what the caller, or the world, did
    set: dict[str, act.Scalar] = field(default_factory=dict)
    choice: str = ""


@dataclass(slots=True)
class Simulation:
    moments: list[Moment] = field(default_factory=list)
    ending: str = ""
    ok: bool = True  # False: the flow failed, or did not end


def simulate(walker: Walker, script: Script, at: float, text_of: TextOf = lambda name, language: "") -> Simulation:
    """Walks to the end, starting at `at` (epoch seconds). A flow that gets stuck is told in the result, not
    raised."""
    return _Simulator(walker, script, at, text_of).run()


class _Simulator:
    def __init__(self, walker: Walker, script: Script, at: float, text_of: TextOf) -> None:
        self._walker, self._script, self._now, self._text_of = walker, script, at, text_of
        self._entries = deque(script.digits)
        self._queues = deque(script.queues)
        self._ahead = ""  # keys pressed already that no question has taken
        self._story = Simulation()

    def run(self) -> Simulation:
        story = self._story
        result: act.Result | None = act.Begin()
        for _ in range(MOST_STEPS):
            assert result is not None
            try:
                action = self._walker.step(result, self._now)
            except WalkError as error:
                self._tell()
                story.ending, story.ok = str(error), False
                return story
            self._tell()
            if isinstance(action, act.Hangup):
                story.ending = f"we hang up (cause {action.cause}{', turned away' if action.turned_away else ''})"
                return story
            result = self._answer(action)
            if result is None:
                return story
        story.ending, story.ok = f"broken off: the call did not end within {MOST_STEPS} steps", False
        return story

    def _tell(self) -> None:
        for kind, data in self._walker.take_notes():
            match kind:
                case Kind.NODE:
                    self._story.moments.append(Moment(self._now, data["flow"], data["node"], data["type"]))
                case Kind.CHOSE:
                    self._story.moments[-1].choice = data["choice"]
                case Kind.SET:
                    self._story.moments[-1].set[data["name"]] = "(not kept)" if data.get("secret") else data["value"]

    def _answer(self, action: act.Action) -> act.Result | None:
        """What comes of the action; None when the call is over."""
        moment = self._story.moments[-1]
        match action:
            case act.Play(speech, language):
                self._hear(speech, language)
                return act.Done()
            case act.Gather():
                return self._press(action)
            case act.Lookup(name, method, url):
                moment.did.append(f"{method} {url}")
                values = self._script.lookups.get(name)
                if values is None:
                    moment.did.append("it fails")
                    return act.LookupFailed("as the script says")
                moment.did.append("it answers")
                return act.Looked(200, values)
            case act.Enqueue():
                return self._wait(action)
            case act.Voicemail(box, speech, language):
                self._hear(speech, language)
                moment.did.append(f"leaves a message in {box}{', after a review' if action.review else ''}")
                self._now += TALK
                return act.Recorded(TALK)
            case act.Record(what):
                moment.did.append(_RECORDED[what])
                return act.Done()
            case act.Callback(queue, number, speech, language):
                moment.did.append(f"is to be called back at {number} by queue {queue}")
                self._hear(speech, language)
                return act.Done()
            case act.Transfer(kind, target):
                if self._script.transfers_fail:
                    moment.did.append(f"{kind} {target} does not answer")
                    self._now += action.ring_seconds
                    return act.TransferFailed("missed")
                moment.did.append(f"talks with {kind} {target}")
                self._now += TALK
                return act.Transferred()
            case _:
                return act.Done()

    def _hear(self, speech: act.Speech, language: str) -> None:
        heard = " ".join(self._wording(piece, language) for piece in speech)
        if heard:
            self._story.moments[-1].heard.append(heard)
        self._now += len(heard) / SIGNS_PER_SECOND

    def _wording(self, piece: act.Piece, language: str) -> str:
        language = piece.language or language
        said = words(piece, language)
        if not said and piece.sort is act.Sort.PROMPT:
            said = self._text_of(piece.value, language)
        return said or f"[{piece.sort.value} {piece.value}]"

    def _press(self, gather: act.Gather) -> act.Digits | None:
        moment = self._story.moments[-1]
        if not gather.type_ahead:
            self._ahead = ""
        self._hear(gather.speech, gather.language)
        keys = self._ahead
        if not keys and self._entries:
            keys = self._entries.popleft()
            if keys == HANG_UP:
                moment.did.append("hangs up")
                self._story.ending = "the caller hangs up"
                return None
        for count in range(1, len(keys) + 1):
            entry = act.gathered(gather, keys[:count])
            if entry is not None:
                self._ahead = keys[count:]
                moment.did.append(f"presses {_shown(gather, keys[:count])}")
                self._now += count
                return entry
        self._ahead = ""
        waited = gather.digit_timeout if keys else gather.timeout
        moment.did.append(
            f"presses {_shown(gather, keys)}, then nothing" if keys else f"presses nothing for {waited:g} seconds"
        )
        self._now += len(keys) + waited
        return act.timed_out(gather, keys)

    def _wait(self, action: act.Enqueue) -> act.Left | None:
        moment = self._story.moments[-1]
        skills = [f"{name} >= {level}" for name, level in action.skills.items()]
        needs = " and ".join([action.requires] * bool(action.requires) + skills)
        moment.did.append(f"waits in queue {action.queue}{f', needs {needs}' if needs else ''}")
        if action.priority:
            moment.did[-1] += f", priority {action.priority:+d}"
        way = self._queues.popleft() if len(self._queues) > 1 else self._queues[0]
        reason, _, key = way.partition(":")
        if reason == HANG_UP:
            moment.did.append("hangs up")
            self._story.ending = "the caller hangs up while waiting"
            return None
        queue = self._walker.site.queues.get(action.queue)
        longest = queue.max_wait if action.max_wait is None and queue is not None else action.max_wait or 0.0
        waits = {LeftQueue.ANSWERED.value: TALK, LeftQueue.TIMEOUT.value: longest}
        self._now += waits.get(reason, 0.0)
        moment.did.append("talks with an agent" if reason == LeftQueue.ANSWERED else _LEFT[reason].format(key=key))
        return act.Left(reason, key)


def _shown(gather: act.Gather, keys: str) -> str:
    return f"{len(keys)} keys" if gather.sensitive else keys


_RECORDED = {
    "start": "is recorded from here on",
    "stop": "is recorded no longer",
    "pause": "the recording is silent from here on",
    "resume": "the recording goes on",
}
_LEFT = {
    LeftQueue.TIMEOUT.value: "has waited too long",
    LeftQueue.FULL.value: "the queue is full",
    LeftQueue.EMPTY.value: "nobody is logged in",
    LeftQueue.KEY.value: "presses {key}",
}


def script_problems(digits: Iterable[str], queues: Iterable[str]) -> list[str]:
    """What is wrong with entries that a person typed."""
    found = [
        f"digits {entry!r}: an entry is keys {act.DTMF}, nothing, or {HANG_UP}"
        for entry in digits
        if entry != HANG_UP and not set(entry) <= set(act.DTMF)
    ]
    endings = [LeftQueue.ANSWERED.value, *_LEFT, HANG_UP]
    for way in queues:
        reason, _, key = way.partition(":")
        keyed = reason == LeftQueue.KEY and len(key) == 1 and key in act.DTMF
        if reason not in endings or (reason == LeftQueue.KEY and not keyed) or (reason != LeftQueue.KEY and key):
            found.append(f"queue {way!r}: one of {', '.join(endings)} (key as key:1)")
    return found


def moment_of(text: str, zone: ZoneInfo) -> float:
    """Epoch seconds of a date and time that a person typed, by the clock of `zone` where it names none. Raises
    ValueError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} must be a date and time, as 2026-12-25 10:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
