"""For the pages: plan or apply what one JSON object on the standard input asks for."""

import sys

import click
from pydantic import ValidationError

from contactcentre.cli.agent import forget
from contactcentre.cli.apply import back
from contactcentre.cli.provisioning import Desk, desk, known_prompts
from contactcentre.provision import ApplyFailed, PbxUnreachable, Plan, ProvisionError, SiteError, StalePlan
from contactcentre.provision.asking import Answered, Asked, Code, PlanSaid, ProblemSaid
from contactcentre.provision.load import validate
from contactcentre.store import NoSuchVersion, SiteChanged


@click.command()
def command() -> None:
    """For the pages: reads one JSON object from the standard input, prints another.

    It asks for a plan, or, with the digest of a plan that was shown, that this is applied. Nothing else is ever
    applied. See CONTACTCENTRE_PROVISION_COMMAND.
    """
    try:
        asked = Asked.model_validate_json(sys.stdin.buffer.read())
    except ValidationError as error:
        raise click.UsageError("standard input is no request of the pages") from error
    click.echo(answer(asked).model_dump_json())


def answer(asked: Asked) -> Answered:
    """Refusals are answers."""
    try:
        with desk(settle=bool(asked.plan)) as here:
            if asked.version != here.version:
                return _refused("changed", f"the site is at version {here.version} now, not {asked.version}")
            at, plan = _plan(here, asked)
            said = PlanSaid.of(plan)
            if not asked.plan:
                return Answered(plan=said)
            if asked.plan != said.digest:
                return _refused("stale", "something changed since the plan was shown: look at a new one")
            if plan.empty:
                return _refused("refused", "there is nothing to change")
            done = at.do(plan, asked.by, asked.comment, asked.action, asked.subject, address=asked.address)
            for name in plan.old_site.agents.keys() - plan.site.agents.keys():
                forget(name)
            return Answered(plan=said, version=done.version, checked=done.checked)
    except SiteError as error:
        return Answered(
            error="bad_site", message="the site breaks rules", problems=tuple(map(ProblemSaid.of, error.problems))
        )
    except SiteChanged as error:
        return _refused("changed", str(error))
    except StalePlan as error:
        return _refused("stale", str(error))
    except (ApplyFailed, PbxUnreachable) as error:
        return _refused("failed", str(error))
    except (ProvisionError, NoSuchVersion) as error:
        return _refused("refused", str(error))


def _plan(here: Desk, asked: Asked) -> tuple[Desk, Plan]:
    if asked.back_to is not None:
        there, plan, _, _ = back(here, asked.back_to)
        return there, plan
    knows = known_prompts()
    site, problems = validate(asked.site or {}, knows)
    if problems:
        # what was wrong before (say, a sound file that somebody removed) must not stop what has to do with other things
        _, before = validate(here.site.model_dump(mode="json"), knows)
        problems = [problem for problem in problems if problem not in before]
    if problems or site is None:
        raise SiteError(problems)
    there = here.before(site)
    return there, there.plan(site)


def _refused(code: Code, message: str) -> Answered:
    return Answered(error=code, message=message)
