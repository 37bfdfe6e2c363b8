"""The plan for a target, whichever PBX it is."""

from collections.abc import Mapping

from contactcentre.domain.site import Site
from contactcentre.provision import plan as asterisk
from contactcentre.provision.freeswitch import plan as freeswitch
from contactcentre.provision.plan import Plan
from contactcentre.provision.target import AsteriskTarget, FreeswitchTarget

AnyTarget = AsteriskTarget | FreeswitchTarget


def make_plan(site: Site, target: AnyTarget, secrets: Mapping[str, str], old_site: Site | None = None) -> Plan:
    """See `provision.plan.make_plan`, `provision.freeswitch.plan.make_plan`."""
    if isinstance(target, FreeswitchTarget):
        return freeswitch.make_plan(site, target, secrets, old_site)
    return asterisk.make_plan(site, target, secrets, old_site)


def plan_removal(target: AnyTarget, old_site: Site) -> Plan:
    """What it takes to leave the PBX as it was before the first apply."""
    if isinstance(target, FreeswitchTarget):
        return freeswitch.plan_removal(target, old_site)
    return asterisk.plan_removal(target, old_site)
