"""Site file -> plan -> rendered PBX configuration -> apply, verified, or undone as a whole.

site = load(path)                         # or parse(document); SiteError names every problem with its line
wanted = make_plan(site, target, secrets, old) # reads only; wanted.diff() shows everything that would change
apply(wanted, target, ...)                # all or nothing
"""

from contactcentre.provision.apply import Applied, ApplyFailed, StalePlan, apply, recover, unsettled, verify
from contactcentre.provision.check import check
from contactcentre.provision.load import load, parse
from contactcentre.provision.plan import Plan, make_plan, plan_removal
from contactcentre.provision.problems import Problem, ProvisionError, SiteError
from contactcentre.provision.render import render
from contactcentre.provision.target import AsteriskTarget, PbxUnreachable, asterisk_console

__all__ = [
    "Applied",
    "ApplyFailed",
    "AsteriskTarget",
    "PbxUnreachable",
    "Plan",
    "Problem",
    "ProvisionError",
    "SiteError",
    "StalePlan",
    "apply",
    "asterisk_console",
    "check",
    "load",
    "make_plan",
    "parse",
    "plan_removal",
    "recover",
    "render",
    "unsettled",
    "verify",
]
