"""What an agent says of a contact: its disposition, and the answers to the queue's script.

Which ones there are is each queue's own (`site.Queue`). Here is what is acceptable, and what is still missing before
the agent is done.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from contactcentre.domain.history import ContactHistory, Said
from contactcentre.domain.sentences import phrase
from contactcentre.domain.site import Disposition, Queue, ScriptField

NOTE_LIMIT = 4000
"""Characters of the note that belongs to a contact and queue."""
ANSWER_LIMIT = 1000
LONGEST_PROMISE = 366 * 86400.0
"""Seconds from now within which a call back can be promised."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class NotAcceptable(ValueError):
    """A value that breaks a rule; the text names the field and the rule."""


class Incomplete(Exception):
    """The agent would be done, but the queue asks for more: for all that is `missing`."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(f"still missing: {', '.join(missing)}")
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Answer:
    """As it is kept: with the question as it was asked then, for scripts change."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to say; None and what is not there: as it was."""

    disposition: str | None = None  # its code; "" = none after all
    note: str | None = None
    answers: Mapping[str, str] = field(default_factory=dict)
    callback_at: float = 0.0  # epoch seconds
    number: str = ""  # to call back then


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be kept: note and answers, and the data of a fact (Kind.DISPOSITION) if something was said."""

    note: str
    answers: Mapping[str, Answer]
    fact: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Result:
    """What was said of a contact for one of its queues. `version` 0: nothing was written down yet."""

    contact: str
    queue: str
    agent: str  # whose contact it was
    said: Said | None = None
    note: str = ""
    answers: Mapping[str, Answer] = field(default_factory=dict)
    version: int = 0

    @property
    def code(self) -> str:
        return self.said.code if self.said is not None else ""

    def missing(self, rules: Queue) -> list[str]:
        """What the queue asks for and nobody has said yet, as agents read it; [] = the agent may be done."""
        return _missing(rules, self.code, self.answers)

    def changed(self, rules: Queue, wish: Wish, by: str, now: float, *, done: bool = False) -> Change | None:
        """What a wish makes of it; None = nothing. `done`: nothing may be missing then. Raises NotAcceptable,
        Incomplete."""
        note = self.note if wish.note is None else _note(wish.note)
        answers = dict(self.answers) | _answers(rules, wish.answers)
        answers = {name: answer for name, answer in answers.items() if answer.value}
        fact = self._fact(rules, wish, by, now)
        if done and (left := _missing(rules, self.code if fact is None else fact["code"], answers)):
            raise Incomplete(left)
        if fact is None and (note, answers) == (self.note, dict(self.answers)):
            return None
        return Change(note, answers, fact)

    def _fact(self, rules: Queue, wish: Wish, by: str, now: float) -> dict[str, Any] | None:
        """Of a disposition that is another one than before."""
        code, known = wish.disposition, self.said
        number = re.sub(r"[\s().-]", "", wish.number)
        if code is None or (known is None and not code):
            return None
        if known is not None and (known.code, known.callback_at or 0, known.number) == (code, wish.callback_at, number):
            return None
        about = {"agent": self.agent, "queue": self.queue, "code": code, "by": by}
        if not code:
            return {**about, "label": "", "callback_at": 0, "number": ""}
        chosen = _disposition(rules, code)
        _promise(chosen, wish.callback_at, number, now)
        return {**about, "label": chosen.called(code), "callback_at": wish.callback_at, "number": number}


def of_queue(history: ContactHistory, queue: str | None = None) -> tuple[str, str, str]:
    """(contact, queue, agent): whose contact it was in this queue; None: in the last one."""
    contact = history.contact
    queue = contact.queue if queue is None else queue
    served = [visit.agent for visit in history.visits if visit.queue == queue and visit.agent]
    return contact.id, queue, served[-1] if served else contact.agent


def _disposition(queue: Queue, code: str) -> Disposition:
    """Raises NotAcceptable where the queue has no such disposition."""
    try:
        return queue.dispositions[code]
    except KeyError:
        known = ", ".join(queue.dispositions) or "none"
        raise NotAcceptable(
            phrase("disposition: %(code)s is not one of this queue's: %(known)s", code=repr(code[:40]), known=known)
        ) from None


def _promise(disposition: Disposition, at: float, number: str, now: float) -> None:
    """When (epoch seconds) and where a call back was promised fits the disposition. Raises NotAcceptable."""
    if not disposition.callback:
        if at or number:
            raise NotAcceptable(phrase("callback_at: with this disposition nobody is called back"))
        return
    if not now < at <= now + LONGEST_PROMISE:
        raise NotAcceptable(phrase("callback_at: say when to call back: a time from now on, within a year"))
    if not re.fullmatch(r"\+?[0-9]{2,20}", number):
        raise NotAcceptable(phrase("number: say which number to call back: digits, with + only in front"))


def _note(text: str) -> str:
    """The note as it is kept. Raises NotAcceptable."""
    text = clean("note", text.replace("\r\n", "\n"))
    if len(text) > NOTE_LIMIT:
        raise NotAcceptable(phrase("note: %(text)s characters, at most %(what)s", text=len(text), what=NOTE_LIMIT))
    return text


def _answers(queue: Queue, given: Mapping[str, str]) -> dict[str, Answer]:
    """Answers as they are kept, by the field's name; one that is empty is none. Raises NotAcceptable."""
    found = {}
    for name, text in given.items():
        field = queue.script.get(name)
        if field is None:
            raise NotAcceptable(
                phrase(
                    "answers.%(name)s: the script has no such field: %(script)s",
                    name=name[:40],
                    script=", ".join(queue.script) or "none",
                )
            )
        found[name] = Answer(field.called(name), _answer(name, field, text.strip()))
    return found


def _missing(queue: Queue, code: str, answers: Mapping[str, Answer]) -> list[str]:
    found: list[str] = [phrase("how it ended")] if queue.disposition_required and not code else []
    return found + [
        field.called(name)
        for name, field in queue.script.items()
        if field.required and (name not in answers or not answers[name].value)
    ]


def _answer(name: str, field: ScriptField, text: str) -> str:
    text = clean(f"answers.{name}", text)
    if len(text) > ANSWER_LIMIT:
        raise NotAcceptable(
            phrase(
                "answers.%(name)s: %(text)s characters, at most %(what)s", name=name, text=len(text), what=ANSWER_LIMIT
            )
        )
    if not text:
        return ""
    match field.kind:
        case "choice" if text not in field.choices:
            raise NotAcceptable(
                phrase(
                    "answers.%(name)s: %(text)s is not one of: %(choices)s",
                    name=name,
                    text=repr(text[:40]),
                    choices=", ".join(field.choices),
                )
            )
        case "number":
            try:
                number = Decimal(text.replace(",", "."))
            except InvalidOperation:
                number = Decimal("NaN")
            if not number.is_finite() or abs(number.adjusted()) > 30:
                raise NotAcceptable(phrase("answers.%(name)s: %(text)s is no number", name=name, text=repr(text[:40])))
            return f"{number:f}"
        case "date":
            try:
                return date.fromisoformat(text).isoformat()
            except ValueError:
                raise NotAcceptable(
                    phrase("answers.%(name)s: %(text)s is no date like 2026-11-23", name=name, text=repr(text[:40]))
                ) from None
    return text


def clean(where: str, text: str) -> str:
    if _CONTROL.search(text):
        raise NotAcceptable(phrase("%(where)s: control characters are not allowed", where=where))
    return text.strip()
