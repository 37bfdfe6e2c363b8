"""What a person says of a contact, as the API takes and shows it."""

import time
from dataclasses import asdict, dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain import results as rules_of
from contactcentre.domain.results import Incomplete, NotAcceptable, Result
from contactcentre.domain.sentences import joined, phrase
from contactcentre.domain.site import Queue, Site
from contactcentre.store import Changed as ChangedMeanwhile
from contactcentre.web.errors import BadValue, Changed, Conflict
from contactcentre.web.etags import agree
from contactcentre.web.history import AnswerRow
from contactcentre.web.rows import Moment, Row
from contactcentre.web.wiring import services


class Wish(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    disposition: str | None = Field(default=None, max_length=40, description="its code; empty: none after all")
    callback_at: Moment = Field(default=0, description="epoch seconds: with a disposition that promises a call back")
    number: str = Field(default="", max_length=40, description="which number to call back then")
    note: str | None = Field(default=None, description="the whole note")
    answers: dict[str, str] = Field(default={}, max_length=40, description="to the script; an empty one is taken away")


class Choice(Row):
    code: str
    label: str
    final: bool = Field(description="the matter is closed")
    callback: bool = Field(description="promises a call back")


class Question(Row):
    name: str
    label: str
    kind: str = Field(description="text, choice, number or date")
    choices: tuple[str, ...] = ()
    required: bool = False
    hint: str = ""


class ResultRow(Row):
    """What was said of a contact for one of its queues, and what can be."""

    contact: str
    queue: str
    agent: str = Field(description="whose contact it was")
    disposition: str
    label: str
    said_at: float | None
    said_by: str
    callback_at: float | None
    number: str
    called_at: float | None
    note: str
    answers: dict[str, AnswerRow]
    missing: list[str] = Field(description="what the queue asks for and nobody has said yet")
    dispositions: list[Choice]
    required: bool = Field(description="an agent ends wrap-up by saying one")
    script: list[Question]


class Missing(Conflict):
    code, title = "result_missing", phrase("The queue wants to know more")


@dataclass(frozen=True)
class Sheet:
    """A result, and what its queue asks."""

    result: Result
    rules: Queue

    @classmethod
    def read(cls, contact: str, queue: str, agent: str) -> Self:
        store = services().store
        site = store.site()[1] or Site()
        return cls(store.result(contact, queue, agent), site.queues.get(queue) or Queue())

    def need_all(self) -> None:
        """Raises Missing."""
        if found := self.result.missing(self.rules):
            raise Missing(phrase("Still missing: %(found)s.", found=joined(", ", found)))

    def change(self, wish: Wish, by: str, version: int | None, *, done: bool = False) -> "Sheet":
        """As it is afterwards; itself where nothing has changed. `done`: nothing may be missing then. Raises BadValue,
        Missing, Changed."""
        agree(version, self.result.version)
        wanted = rules_of.Wish(**wish.model_dump(exclude={"done"}))
        try:
            after = services().store.say(self.result, self.rules, wanted, by, time.time(), done=done)
        except NotAcceptable as wrong:
            raise BadValue(wrong.args[0]) from None
        except Incomplete as more:
            raise Missing(phrase("Still missing: %(found)s.", found=joined(", ", more.missing))) from None
        except ChangedMeanwhile:
            raise Changed(phrase("Read it again: somebody else has written something.")) from None
        return self if after is self.result else Sheet(after, self.rules)

    @property
    def row(self) -> ResultRow:
        result, said = self.result, self.result.said
        return ResultRow(
            contact=result.contact,
            queue=result.queue,
            agent=said.agent if said else result.agent,
            disposition=result.code,
            label=said.label if said else "",
            said_at=said.at if said else None,
            said_by=said.by if said else "",
            callback_at=said.callback_at if said else None,
            number=said.number if said else "",
            called_at=said.called_at if said else None,
            note=result.note,
            answers={name: AnswerRow.model_validate(asdict(one)) for name, one in result.answers.items()},
            missing=result.missing(self.rules),
            dispositions=[
                Choice(code=code, label=one.called(code), final=one.final, callback=one.callback)
                for code, one in self.rules.dispositions.items()
            ],
            required=self.rules.disposition_required,
            script=[
                Question(name=name, label=one.called(name), **one.model_dump(exclude={"label"}))
                for name, one in self.rules.script.items()
            ],
        )
