"""Carries out a plan, wholly or not at all.

Order: lock, secrets, backup, note, files, reload, checks, store. Whatever fails before the store has the new
version is undone: files back, reload again. An apply that was killed is found by its note and settled by the
next one: restored, or, where the PBX had passed every check, recorded in the store.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from contactcentre.domain.site import Site
from contactcentre.provision import backup
from contactcentre.provision.plan import Check, Plan
from contactcentre.provision.problems import ProvisionError
from contactcentre.provision.target import PbxUnreachable, Target

VERIFY_SECONDS = 5.0
"""A check is asked again for so long: some reloads go on after the console's answer."""

BUSY_SECONDS = 15.0
"""A PBX that reloads already is asked again for so long."""

Record = Callable[[Site, str, str], int]
"""Saves (site, by, comment) in the store; returns the version's number."""
Say = Callable[[str], None]


class StalePlan(ProvisionError):
    """A file changed between plan and apply. Nothing was changed."""


class ApplyFailed(ProvisionError):
    """The PBX did not take the change; the text says what, and how things stand now. `restored`: all is as it
    was."""

    def __init__(self, message: str, restored: bool) -> None:
        super().__init__(message)
        self.restored = restored


class ReloadRefused(ProvisionError):
    """The PBX did not reload what it was told to."""


@dataclass(frozen=True, slots=True)
class Applied:
    version: int
    backup: str  # name of the backup set; "" when no file changed
    checked: int  # checks that the PBX passed


def apply(
    plan: Plan,
    target: Target,
    record: Record,
    keep_secrets: Callable[[dict[str, str]], None],
    *,
    by: str,
    comment: str = "",
    say: Say = lambda text: None,
) -> Applied:
    """Does what the plan says. `keep_secrets` stores the plan's new secrets, before anything uses them.

    Raises StalePlan, PbxUnreachable or Busy when nothing was changed, ApplyFailed when something was and has
    been undone. Call `recover` first: an apply that was cut short makes every plan stale.
    """
    with backup.lock(target):
        if backup.noted(target):
            raise StalePlan(
                "an earlier apply was cut short and has to be settled first: run `contactcentre apply` again"
            )
        _still_true(plan)
        if not plan.files:
            return Applied(record(plan.site, by, comment), "", 0)
        target.console(target.probe)  # before anything is touched
        if plan.new_secrets:
            keep_secrets(dict(plan.new_secrets))
        at = time.time()
        kept = backup.save(target, plan.files, at)
        document = plan.site.model_dump(mode="json")
        running = backup.Running(kept, at, by, comment, document, plan.reloads)
        backup.note(target, running)
        try:
            for change in plan.files:
                if change.new is None:
                    change.path.unlink(missing_ok=True)
                else:
                    backup.write(change.path, change.new, like=target.etc_dir)
            _reload(target, plan.reloads, say)
            failed = verify(target, plan.checks)
            if failed:
                raise ProvisionError("; ".join(f"not so: {check.words} (`{check.command}`)" for check in failed))
            running = replace(running, verified=True)
            backup.note(target, running)
            version = record(plan.site, by, comment)
        except BaseException as error:
            _undo(target, running, error, say)
            raise
        backup.settle(target)
        return Applied(version, kept, len(plan.checks))


def unsettled(target: Target) -> backup.Running | None:
    """The note of an apply that runs now or was cut short."""
    return backup.noted(target)


def recover(target: Target, current: Site, record: Record, say: Say = lambda text: None) -> str:
    """Settles an apply that was cut short; returns in words what was done, "" when there was none.

    `current` is the store's newest site. Raises PbxUnreachable when files were restored but the PBX does not
    answer (then it reads them when it starts, and the note stays until a reload has worked).
    """
    if backup.noted(target) is None:
        return ""
    with backup.lock(target):
        running = backup.noted(target)
        if running is None:  # settled while we waited for the lock
            return ""
        began = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(running.started_at))
        about = f"an apply by {running.by} of {began} was cut short"
        if running.verified:
            site = Site.model_validate(running.document)
            if site != current:
                record(site, running.by, running.comment)
            backup.settle(target)
            return f"{about} after the PBX had passed every check: recorded it"
        backup.restore(target, running.backup)
        try:
            _reload(target, running.reloads, say)
        except ReloadRefused as refusal:
            about += f" ({refusal})"
        backup.settle(target)
        return f"{about}: every file is as it was before, and was reloaded"


def verify(target: Target, checks: tuple[Check, ...], seconds: float = VERIFY_SECONDS) -> list[Check]:
    """The checks that the PBX still does not pass after `seconds`. Raises PbxUnreachable."""
    give_up = time.monotonic() + seconds
    left = list(checks)
    while True:
        answers = {command: target.console(command) for command in {check.command for check in left}}
        left = [check for check in left if (check.expected in answers[check.command]) is check.absent]
        if not left or time.monotonic() > give_up:
            return left
        time.sleep(0.2)


def _still_true(plan: Plan) -> None:
    for change in plan.files:
        try:
            with change.path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
                now: str | None = file.read()
        except FileNotFoundError:
            now = None
        if now != change.old:
            raise StalePlan(f"{change.path} was changed after the plan was made: look at a new plan")


def _reload(target: Target, commands: tuple[str, ...], say: Say) -> None:
    """Raises ReloadRefused, with all that was refused, after every command was given; PbxUnreachable at once."""
    refused = []
    for command in commands:
        say(command)
        give_up = time.monotonic() + BUSY_SECONDS
        answer = target.console(command)
        while target.busy.search(answer) and time.monotonic() < give_up:
            time.sleep(0.2)
            answer = target.console(command)
        if target.refused.search(answer):
            refused.append(f"`{command}`: {' '.join(answer.split())}")
    if refused:
        raise ReloadRefused("; ".join(refused))


def _undo(target: Target, running: backup.Running, error: BaseException, say: Say) -> None:
    """Restores the files and reloads; raises ApplyFailed for an ordinary error, returns for an interrupt."""
    backup.restore(target, running.backup)
    say("undoing: files restored")
    try:
        _reload(target, running.reloads, say)
    except PbxUnreachable as again:
        message = f"{error}. The files are as they were, but the PBX did not reload them: {again}"
        raise ApplyFailed(message, restored=False) from error
    except ReloadRefused as again:
        say(f"the PBX refused again: {again}")
    backup.settle(target)
    if isinstance(error, Exception):
        message = f"{error}. Undone: every file is as it was, and the PBX reloaded it"
        raise ApplyFailed(message, restored=True) from error
