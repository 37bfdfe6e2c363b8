"""Nodes that talk with the caller: answer, play, say, menu, collect; and record, which keeps what is said."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from contactcentre.domain.flows.actions import Action, Answer, Digits, Gather, Play, Reason, Record, Result
from contactcentre.domain.flows.node import Again, Edge, Go, Keys, Node, Scene, Variable, Wait, ways
from contactcentre.domain.flows.spoken import Items, SomeItems, Words, speech
from contactcentre.domain.spelling import Name, keyed

Retries = Annotated[int, Field(ge=0, le=20)]


class AnswerNode(Node):
    """Picks up."""

    type: Literal["answer"]
    next: Name

    def edges(self) -> tuple[Edge, ...]:
        return (Edge("next", self.next, patient=False, field="next"),)

    def act(self, scene: Scene) -> Action:
        return Answer()

    def judge(self, scene: Scene, result: Result) -> Go:
        return Go("next")


class PlayNode(Node):
    """Plays prompts. A key skips them unless `interruptible` is false."""

    type: Literal["play"]
    prompt: SomeItems
    interruptible: bool = True
    next: Name

    def edges(self) -> tuple[Edge, ...]:
        return ways(("next", self.next, "next"))

    def act(self, scene: Scene) -> Action:
        return Play(speech(self.prompt, scene), scene.language, self.interruptible)

    def judge(self, scene: Scene, result: Result) -> Go:
        return Go("next")


class SayNode(Words, Node):
    """Says one text, number, sequence of digits, date or time."""

    type: Literal["say"]
    interruptible: bool = True
    next: Name

    def edges(self) -> tuple[Edge, ...]:
        return ways(("next", self.next, "next"))

    def act(self, scene: Scene) -> Action:
        return Play((self.piece(scene),), scene.language, self.interruptible)

    def judge(self, scene: Scene, result: Result) -> Go:
        return Go("next")


class RecordNode(Node):
    """Begins to record the caller's line, until the call ends; or stops, pauses or resumes that."""

    type: Literal["record"]
    action: Literal["start", "stop", "pause", "resume"]
    next: Name

    def edges(self) -> tuple[Edge, ...]:
        return (Edge("next", self.next, patient=False, field="next"),)

    def act(self, scene: Scene) -> Action:
        return Record(self.action, scene.language)

    def judge(self, scene: Scene, result: Result) -> Go:
        return Go("next")


class Asking(Node):
    """What menu and collect share: a prompt, a wait for keys, another try."""

    prompt: SomeItems
    timeout: Wait = 5  # to the first key
    digit_timeout: Wait = 3  # from key to key
    retries: Retries = 2  # tries after the first
    barge_in: bool = True
    timeout_prompt: Items = ()  # before the prompt, when the caller said nothing
    invalid_prompt: Items = ()  # before the prompt, when the entry was none
    on_timeout: Name
    on_invalid: Name

    def _gather(self, scene: Scene, max_digits: int, **rest: Any) -> Gather:
        before = {"timeout": self.timeout_prompt, "invalid": self.invalid_prompt}.get(scene.failure, ())
        return Gather(
            speech(before + self.prompt, scene),
            scene.language,
            self.timeout,
            self.digit_timeout,
            max_digits,
            barge_in=self.barge_in,
            type_ahead=scene.tries == 0,
            **rest,
        )

    def _failed(self, scene: Scene, entry: Digits) -> Go | Again:
        failure = "timeout" if not entry.digits and entry.reason is Reason.TIMEOUT else "invalid"
        return Again(failure) if scene.tries < self.retries else Go(failure)

    def _failures(self) -> tuple[Edge, ...]:
        return (
            Edge("timeout", self.on_timeout, field="on_timeout"),
            Edge("invalid", self.on_invalid, silent=False, field="on_invalid"),
        )


Choice = Annotated[str, StringConstraints(pattern=r"^[0-9*#]{1,8}$")]


class MenuNode(Asking):
    """Asks for one of several choices. Timeouts and wrong keys count together against `retries`."""

    type: Literal["menu"]
    choices: Annotated[dict[Choice, Name], BeforeValidator(keyed), Field(min_length=1)]
    terminators: Keys = ""

    @model_validator(mode="after")
    def _no_terminator_in_a_choice(self) -> "MenuNode":
        for choice in self.choices:
            if set(choice) & set(self.terminators):
                raise ValueError(f"choice {choice} contains a key of terminators")
        return self

    def edges(self) -> tuple[Edge, ...]:
        chosen = (
            Edge(choice, target, silent=False, field=f"choices.{choice}") for choice, target in self.choices.items()
        )
        return (*chosen, *self._failures())

    def act(self, scene: Scene) -> Action:
        longest = max(map(len, self.choices))
        return self._gather(scene, longest, choices=tuple(self.choices), terminators=self.terminators)

    def judge(self, scene: Scene, result: Result) -> Go | Again:
        if not isinstance(result, Digits):
            raise TypeError(f"a menu takes Digits, not {result}")
        return Go(result.digits) if result.digits in self.choices else self._failed(scene, result)


_MASK = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", "*": r"\*", "#": "#"}


def _mask(text: str) -> str:
    if not re.fullmatch(r"_?[0-9XZN*#]{1,40}[.]?", text):
        raise ValueError(
            "is no pattern: digits, * and # as they are, X any digit, Z 1-9, N 2-9, a last . any more digits"
        )
    return text


def _listed(value: Any) -> Any:
    return [str(value)] if isinstance(value, str | int) else value


class CollectNode(Asking):
    """Asks for digits and keeps them in a variable. Without `pattern` an entry is min_digits to max_digits
    digits 0-9. `sensitive` digits are nowhere but in memory, and the recording is silent meanwhile."""

    type: Literal["collect"]
    var: Variable
    min_digits: Annotated[int, Field(ge=1, le=40)] = 1
    max_digits: Annotated[int, Field(ge=1, le=40)] = 20
    terminators: Keys = "#"
    pattern: Annotated[tuple[Annotated[str, AfterValidator(_mask)], ...], BeforeValidator(_listed)] = ()
    sensitive: bool = False
    next: Name

    @model_validator(mode="after")
    def _range(self) -> "CollectNode":
        if self.min_digits > self.max_digits:
            raise ValueError(f"min_digits {self.min_digits} is more than max_digits {self.max_digits}")
        return self

    def edges(self) -> tuple[Edge, ...]:
        return (Edge("next", self.next, silent=False, field="next"), *self._failures())

    def act(self, scene: Scene) -> Action:
        return self._gather(scene, self.max_digits, terminators=self.terminators, sensitive=self.sensitive)

    def judge(self, scene: Scene, result: Result) -> Go | Again:
        if not isinstance(result, Digits):
            raise TypeError(f"collect takes Digits, not {result}")
        if not self._accepts(result.digits):
            return self._failed(scene, result)
        (scene.hide if self.sensitive else scene.set)(self.var, result.digits)
        return Go("next")

    def _accepts(self, digits: str) -> bool:
        if not self.min_digits <= len(digits) <= self.max_digits:
            return False
        masks = [_expanded(mask) for mask in self.pattern] or ["[0-9]+"]
        return any(re.fullmatch(mask, digits) for mask in masks)


def _expanded(mask: str) -> str:
    """The mask as a regular expression; it has no repetition but the last, so it is matched in linear
    time."""
    return "".join("[0-9]+" if sign == "." else _MASK.get(sign, sign) for sign in mask.removeprefix("_"))
