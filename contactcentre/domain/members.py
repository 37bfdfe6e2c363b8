"""Which agents a queue has."""

from contactcentre.domain.requirements import RequirementError, parse
from contactcentre.domain.site import Site


def members_of(site: Site, queue: str) -> frozenset[str]:
    """The agents a queue can be answered by: its members (everybody, if it names none) who have what it requires at
    first. Steps that relax the requirement do not add anybody here."""
    wanted = site.queues[queue]
    names = wanted.agents or tuple(site.agents)
    try:
        requirement = parse(wanted.requires)
    except RequirementError:  # a stored site was checked; an old one may not fit today's grammar
        return frozenset(names)
    return frozenset(name for name in names if name in site.agents and requirement.matches(site.agents[name].skills))
