"""How the pages ask for a plan, and for what it says to be done: one JSON object on the standard input of
`contactcentre provision`, one in the last line of its output. That process has the rights and the PBX's console; who
asks needs neither.
"""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from contactcentre.provision.plan import Plan
from contactcentre.provision.problems import Problem

Code = Literal["bad_site", "changed", "stale", "refused", "failed"]
"""bad_site: `problems` says why. changed: the site is at another version than was asked about. stale: the plan would
not be the one that was shown. refused: as it is, it cannot be done. failed: it was tried, and taken back as `message`
says."""


class Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Asked(Said):
    """`site` is wanted, or to go back to `back_to` (0: as before the first apply). Without `plan` nothing is done."""

    version: int  # of the site that the wish was made from
    site: dict[str, Any] | None = None
    back_to: int | None = None
    plan: str = ""  # digest of the plan that was shown: this one is to be carried out
    by: str = ""
    comment: str = ""
    action: str = "site.apply"  # for the audit log, as are these two
    subject: str = ""
    address: str = ""


class PlanSaid(Said):
    """What would be done, for people; secrets are masked."""

    digest: str
    empty: bool
    diff: str
    files: tuple[str, ...]
    reloads: tuple[str, ...]
    checks: tuple[str, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, plan: Plan) -> Self:
        return cls(
            digest=plan.digest(),
            empty=plan.empty,
            diff=plan.diff(),
            files=tuple(str(change.path) for change in plan.files),
            reloads=plan.reloads,
            checks=tuple(check.words for check in plan.checks),
            notes=plan.notes,
        )


class ProblemSaid(Said):
    """`where` is the value's dotted path; `line` is 0 where nothing was written that has lines."""

    where: str
    rule: str
    message: str
    line: int = 0

    @classmethod
    def of(cls, problem: Problem) -> Self:
        return cls(where=problem.where, rule=problem.rule, message=problem.message, line=problem.line)


class Answered(Said):
    """`error` and `message`, or `plan`, and where it was carried out the new `version`."""

    error: Code | None = None
    message: str = ""
    problems: tuple[ProblemSaid, ...] = ()
    plan: PlanSaid | None = None
    version: int = 0
    checked: int = 0  # checks that the PBX passed
