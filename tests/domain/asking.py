"""What `domain.explain` says, line by line."""

from collections.abc import Iterable, Mapping

from contactcentre.domain.agents import AgentStatus
from contactcentre.domain.explain import Look
from contactcentre.domain.routing import RoutingConfig, Waiting


def explain(
    contact_id: str,
    waiting: Iterable[Waiting],
    agents: Mapping[str, AgentStatus],
    config: RoutingConfig,
    now: float,
    reachable: Mapping[str, bool],
) -> list[str]:
    """Why this contact waits; nothing of one that does not."""
    told = Look(waiting, agents, config, now, reachable).contact(contact_id)
    return list(told.lines) if told else []


def why_agent(
    name: str,
    waiting: Iterable[Waiting],
    agents: Mapping[str, AgentStatus],
    config: RoutingConfig,
    now: float,
    reachable: Mapping[str, bool],
) -> list[str]:
    """Why this agent gets calls or none; nothing of a stranger."""
    told = Look(waiting, agents, config, now, reachable).agent(name)
    return list(told.lines) if told else []
