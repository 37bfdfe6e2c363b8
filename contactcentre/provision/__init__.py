"""Site file -> plan -> rendered PBX configuration -> apply, verified, or undone as a whole.

site = load(path)                         # or parse(document); SiteError names every problem with its line
wanted = make_plan(site, target, secrets, old) # reads only; wanted.diff() shows everything that would change
apply(wanted, target, ...)                # all or nothing
"""

from contactcentre.provision.apply import Applied, ApplyFailed, StalePlan, apply, recover, unsettled, verify
from contactcentre.provision.check import check
from contactcentre.provision.load import load, parse
from contactcentre.provision.plan import Plan
from contactcentre.provision.planner import AnyTarget, make_plan, plan_removal
from contactcentre.provision.problems import Problem, ProvisionError, SiteError
from contactcentre.provision.render import render
from contactcentre.provision.target import (
    AsteriskTarget,
    FreeswitchTarget,
    PbxUnreachable,
    asterisk_console,
    freeswitch_console,
)

__all__ = [
    "AnyTarget",
    "Applied",
    "ApplyFailed",
    "AsteriskTarget",
    "FreeswitchTarget",
    "PbxUnreachable",
    "Plan",
    "Problem",
    "ProvisionError",
    "SiteError",
    "StalePlan",
    "apply",
    "asterisk_console",
    "check",
    "freeswitch_console",
    "load",
    "make_plan",
    "parse",
    "plan_removal",
    "recover",
    "render",
    "unsettled",
    "verify",
]
