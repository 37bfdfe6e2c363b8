"""A real Asterisk and a real FreeSWITCH to provision, and a store in memory beside each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from contactcentre.domain.site import Site
from contactcentre.lab import FreeswitchLab, Lab, can_have_asterisk, can_have_freeswitch
from contactcentre.lab.switch import Switch
from contactcentre.provision import (
    AnyTarget,
    Applied,
    AsteriskTarget,
    FreeswitchTarget,
    Plan,
    apply,
    make_plan,
    plan_removal,
    recover,
)


@dataclass
class Pbx:
    """The lab as a target, with what the store would hold."""

    lab: Switch[Any]
    target: AnyTarget
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
        self, plan: Plan, record: Callable[[Site, str, str], int] | None = None, target: AnyTarget | None = None
    ) -> Applied:
        return apply(plan, target or self.target, record or self.record, self.secrets.update, by="test")

    def with_console(self, rx: Callable[[str], str]) -> AnyTarget:
        """The same PBX, whose console is another one."""
        return type(self.target)(self.target.etc_dir, rx)

    def files(self) -> dict[str, str]:
        """Every configuration file as it is now, but backups."""
        etc = self.target.etc_dir
        paths = [path for path in etc.rglob("*.*") if path.suffix in (".conf", ".xml") and ".backup" not in path.parts]
        return {str(path.relative_to(etc)): path.read_text() for path in sorted(paths)}

    def cleared(self) -> Iterator["Pbx"]:
        """Nothing is provisioned when a test begins, and nothing when it has ended."""
        yield self
        recover(self.target, self.current, self.record)
        if not (plan := plan_removal(self.target, self.current)).empty:
            self.apply(plan)


def _of_this_module(lab: Switch[Any], reason: str | None) -> Iterator[Any]:
    """One for a module: its tests provision whole sites, so they cannot share the session's."""
    if reason:
        pytest.skip(reason)
    lab.start(until_parent_dies=True)
    yield lab
    lab.stop()


@pytest.fixture(scope="module")
def asterisk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    yield from _of_this_module(Lab(tmp_path_factory.mktemp("provision-asterisk")), can_have_asterisk())


@pytest.fixture(scope="module")
def freeswitch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeswitchLab]:
    yield from _of_this_module(FreeswitchLab(tmp_path_factory.mktemp("provision-freeswitch")), can_have_freeswitch())


@pytest.fixture
def pbx(asterisk: Lab) -> Iterator[Pbx]:
    yield from Pbx(asterisk, AsteriskTarget(Path(asterisk.info().etc_dir), asterisk.rx)).cleared()


@pytest.fixture
def switch(freeswitch: FreeswitchLab) -> Iterator[Pbx]:
    yield from Pbx(freeswitch, FreeswitchTarget(Path(freeswitch.info().etc_dir), freeswitch.rx)).cleared()


@pytest.fixture(params=["pbx", "switch"], ids=["asterisk", "freeswitch"])
def either(request: pytest.FixtureRequest) -> Pbx:
    """Each PBX in turn."""
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]
