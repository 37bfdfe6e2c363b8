"""Many runs of one question: what do these callers and these agents make of this site?"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from contactcentre.domain.routing import RoutingConfig
from contactcentre.domain.simulation.arrivals import Traffic
from contactcentre.domain.simulation.people import Habits, Roster
from contactcentre.domain.simulation.world import Result, World
from contactcentre.domain.site import Site

MOST_CONTACTS = 5_000_000
"""More in one study is refused: at some 5,000 contacts a second it is meant as something else (a rate for each hour
taken for one of each second)."""


class NoStudy(ValueError):
    """The question makes no sense, or is larger than anybody wants to wait for."""


@dataclass(frozen=True, slots=True)
class Study:
    """`hours` and `warm_up` in hours: what begins in the warm-up is lived through and not counted."""

    traffic: Traffic
    roster: Callable[[Site], Roster]  # who works, of a site
    hours: float
    warm_up: float = 0.0
    seed: int = 1
    replications: int = 10
    habits: Habits = field(default_factory=Habits)

    def __post_init__(self) -> None:
        if not 0 < self.hours < inf:
            raise NoStudy(f"hours {self.hours:g} is not above 0")
        if not 0 <= self.warm_up < inf:
            raise NoStudy(f"warm-up {self.warm_up:g} h is below 0")
        if self.replications < 1:
            raise NoStudy(f"replications {self.replications} is not at least 1")
        expected = self.traffic.expected(self.until) * self.replications
        if expected > MOST_CONTACTS:
            raise NoStudy(
                f"about {expected:,.0f} contacts in {self.replications} runs of {self.hours + self.warm_up:g} h, "
                f"at most {MOST_CONTACTS:,}: fewer hours or replications, or was the rate meant for each minute or "
                "hour (poisson:400/h)?"
            )

    @property
    def until(self) -> float:
        """Seconds that each run lasts."""
        return (self.warm_up + self.hours) * 3600

    def run(self, site: Site) -> list[Result]:
        """One result for each replication; replication n of every site has the same callers. Raises as `World`."""
        config, roster = RoutingConfig.from_site(site), self.roster(site)
        results = []
        for number in range(self.replications):
            seed = f"{self.seed}/{number}"
            world = World(
                site,
                self.traffic.arrivals(seed, self.until),
                roster,
                self.habits,
                seed=seed,
                until=self.until,
                warm_up=self.warm_up * 3600,
                config=config,
            )
            results.append(world.run())
        return results
