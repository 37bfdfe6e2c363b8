"""A real Asterisk to provision, and a store in memory beside it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from contactcentre.domain.site import Site
from contactcentre.lab import Lab, can_have_asterisk
from contactcentre.provision import Applied, AsteriskTarget, Plan, apply, make_plan, plan_removal, recover


@dataclass
class Pbx:
    """The lab as a target, with what the store would hold."""

    lab: Lab
    target: AsteriskTarget
    secrets: dict[str, str] = field(default_factory=dict)
    versions: list[Site] = field(default_factory=list)

    @property
    def current(self) -> Site:
        return self.versions[-1] if self.versions else Site()

    def plan(self, site: Site) -> Plan:
        return make_plan(site, self.target, self.secrets, self.current)

    def record(self, site: Site, by: str, comment: str) -> int:
        self.versions.append(site)
        return len(self.versions)

    def apply(
        self, plan: Plan, record: Callable[[Site, str, str], int] | None = None, target: AsteriskTarget | None = None
    ) -> Applied:
        return apply(plan, target or self.target, record or self.record, self.secrets.update, by="test")

    def files(self) -> dict[str, str]:
        """Every configuration file as it is now, but backups."""
        etc = self.target.etc_dir
        paths = [path for path in etc.rglob("*.conf") if ".backup" not in path.parts]
        return {str(path.relative_to(etc)): path.read_text() for path in sorted(paths)}


@pytest.fixture(scope="module")
def asterisk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One lab for a module: its tests provision whole sites, so they cannot share the session's."""
    if reason := can_have_asterisk():
        pytest.skip(reason)
    lab = Lab(tmp_path_factory.mktemp("provision-lab"))
    lab.start(until_parent_dies=True)
    yield lab
    lab.stop()


@pytest.fixture
def pbx(asterisk: Lab) -> Iterator[Pbx]:
    """Nothing is provisioned when a test begins, and nothing when it has ended."""
    made = Pbx(asterisk, AsteriskTarget(Path(asterisk.info().etc_dir), asterisk.rx))
    yield made
    recover(made.target, made.current, made.record)
    if not (plan := plan_removal(made.target, made.current)).empty:
        made.apply(plan)
