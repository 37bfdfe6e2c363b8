"""A site on FreeSWITCH: the text of its files, and plan, apply and the way back on a real one."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contactcentre.domain.site import NAME, NUMBER, Agent, Did, Site, Trunk
from contactcentre.domain.strategies import STRATEGIES
from contactcentre.lab import FreeswitchLab, can_have_freeswitch
from contactcentre.provision import (
    Applied,
    ApplyFailed,
    FreeswitchTarget,
    PbxUnreachable,
    Plan,
    SiteError,
    apply,
    make_plan,
    parse,
    plan_removal,
    recover,
)
from contactcentre.provision.freeswitch.plan import NotFreeswitch
from contactcentre.provision.freeswitch.render import render, strategy
from contactcentre.provision.render import UnsafeValue
from tests.provision.sites import document

SECRETS = {"agent/alice": 's3cret-of-alice<&>"', "agent/bob": "s3cret-of-bob"}


def rendered(site: Site, secrets: dict[str, str] | None = None) -> dict[str, ElementTree.Element]:
    """Every file, read by an XML parser that is not FreeSWITCH's."""
    return {path: ElementTree.fromstring(text) for path, text in render(site, secrets or SECRETS).items()}


def _nobody(command: str) -> str:
    raise AssertionError(f"{command!r}, though nothing was to be asked")


# -- the text ------------------------------------------------------------------------------------------


def test_a_phone_has_its_password_and_leads_to_the_agents_own_context() -> None:
    users = {user.get("id"): user for user in rendered(parse(document()))["directory/default/contactcentre.xml"]}
    alice = users["alice"]
    values = {each.get("name"): each.get("value") for each in alice.iter() if each.get("name")}
    assert values["password"] == 's3cret-of-alice<&>"'
    assert values["user_context"] == "contactcentre-agents"
    assert values["effective_caller_id_name"] == "Élodie O'Neil (support)"


@settings(max_examples=60)
@given(
    st.text(max_size=40),
    st.text(max_size=40),
    st.from_regex(NUMBER, fullmatch=True),
    st.from_regex(NAME, fullmatch=True),
)
def test_whatever_a_value_is_it_stays_inside_of_its_attribute_or_is_refused(
    name: str, secret: str, number: str, flow: str
) -> None:
    base = parse(document())
    agent = Agent.model_construct(**{**dict(base.agents["alice"]), "full_name": name})
    trunk = Trunk.model_construct(**{**dict(base.trunks["carrier"]), "username": name})
    site = base.model_copy(
        update={
            "agents": {"alice": agent},
            "trunks": {"carrier": trunk},
            "dids": {number: Did(flow=flow)},
        }
    )
    try:
        files = rendered(site, {"agent/alice": secret, "trunk/carrier": secret})
    except UnsafeValue:
        assert re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029$]", name + secret)
        return
    user = files["directory/default/contactcentre.xml"][0]
    values = {each.get("name"): each.get("value") for each in user.iter() if each.get("name")}
    assert values["password"] == secret
    assert values["effective_caller_id_name"] == (name or "alice")
    assert {each.tag for each in files["directory/default/contactcentre.xml"].iter()} == {
        *("include", "user", "params", "param", "variables", "variable")
    }
    (extension,) = (
        e for e in files["dialplan/contactcentre.xml"].iter("extension") if e.get("name", "").startswith("DID")
    )
    pattern = next(c.get("expression") for c in extension if c.get("field") == "destination_number")
    assert pattern is not None
    assert re.fullmatch(pattern, number)
    assert not re.fullmatch(pattern, number + "1")


@pytest.mark.parametrize("hostile", ["${system(reboot)}", "$${domain}", "a\nb", "a\r", "a\x00b"])
def test_what_freeswitch_would_expand_or_read_as_a_line_of_its_own_is_refused(hostile: str) -> None:
    base = parse(document())
    agent = Agent.model_construct(**{**dict(base.agents["alice"]), "full_name": hostile})
    with pytest.raises(UnsafeValue):
        render(base.model_copy(update={"agents": {"alice": agent}}), SECRETS)
    with pytest.raises(UnsafeValue):
        render(base, {**SECRETS, "agent/alice": hostile})


def test_an_include_has_a_line_of_its_own_and_no_value_can_make_one() -> None:
    base = parse(document())
    name = '<X-PRE-PROCESS cmd="exec" data="reboot"/>'
    agent = Agent.model_construct(**{**dict(base.agents["alice"]), "full_name": name})
    for text in render(base.model_copy(update={"agents": {"alice": agent}}), SECRETS).values():
        assert "<X-PRE-PROCESS" not in text


def test_every_strategy_has_one_of_mod_callcenters() -> None:
    theirs = {
        *("longest-idle-agent", "ring-all", "round-robin", "top-down", "random", "ring-progressively"),
        *("agent-with-least-talk-time", "agent-with-fewest-calls"),
    }
    queue = parse(document()).queues["support"]
    assert {strategy(queue.model_copy(update={"strategy": name})) for name in STRATEGIES} <= theirs


def test_secrets_are_masked_in_the_diff(tmp_path: Path) -> None:
    _vanilla(tmp_path)
    plan = make_plan(parse(document()), FreeswitchTarget(tmp_path, _nobody), {})
    diff = plan.diff()
    assert '<param name="password" value="******** (new)"/>' in diff
    assert not any(secret in diff for secret in plan.new_secrets.values())


# -- what is there already -----------------------------------------------------------------------------


def _vanilla(etc: Path, **more: str) -> None:
    """As FreeSWITCH's own configuration is laid out."""
    files = {
        "sip_profiles/external.xml": '<profile name="external"><gateways>\n'
        '<X-PRE-PROCESS cmd="include" data="external/*.xml"/>\n</gateways></profile>\n',
        "autoload_configs/callcenter.conf.xml": '<configuration name="callcenter.conf">\n'
        "<!-- <queues> --><queues>\n<queue name='support@default'/></queues>\n"
        "<agents></agents><tiers></tiers></configuration>\n",
        "autoload_configs/event_socket.conf.xml": '<param name="password" value="ClueCon"/>\n',
        **more,
    }
    for name, text in files.items():
        (etc / name).parent.mkdir(parents=True, exist_ok=True)
        (etc / name).write_text(text)


def test_the_switchs_own_files_get_lines_that_include_ours_and_lose_them_again(tmp_path: Path) -> None:
    _vanilla(tmp_path)
    holder = tmp_path / "autoload_configs/callcenter.conf.xml"
    before = holder.read_text()
    target = FreeswitchTarget(tmp_path, lambda command: "+OK")
    plan = make_plan(parse(document()), target, {})
    [change] = [change for change in plan.files if change.path == holder]
    assert change.new is not None
    assert change.new.index("<queues>\n<X-PRE") > change.new.index("-->")
    assert 'data="../contactcentre/queues.xml"/>\n' in change.new
    assert "<queue name='support@default'/>" in change.new
    for each in plan.files:
        each.path.parent.mkdir(parents=True, exist_ok=True)
        each.path.write_text(each.new or "")
    assert make_plan(parse(document()), target, plan.new_secrets, parse(document())).empty
    [undone] = [change for change in plan_removal(target, parse(document())).files if change.path == holder]
    assert undone.new == before


def test_what_an_administrator_should_know_is_noted(tmp_path: Path) -> None:
    _vanilla(tmp_path)
    notes = " ".join(make_plan(parse(document()), FreeswitchTarget(tmp_path, _nobody), {}).notes)
    assert "well-known password ClueCon" in notes
    assert "mod_callcenter" in notes
    assert "there is no autoload_configs/conference.conf.xml" in notes


def test_names_that_are_in_use_and_trunks_that_have_no_address_are_refused(tmp_path: Path) -> None:
    _vanilla(
        tmp_path,
        **{
            "directory/default/own.xml": '<include><!-- <user id="bob"> --><user id="alice"/></include>',
            "sip_profiles/external/own.xml": '<include><gateway name="carrier"/></include>',
            "dialplan/own.xml": '<include><context name="contactcentre-in"/></include>',
        },
    )
    site = parse(document(trunks__other={"host": "sip.example.com"}))
    with pytest.raises(SiteError) as refused:
        make_plan(site, FreeswitchTarget(tmp_path, _nobody), {})
    said = str(refused.value)
    assert "directory/default/own.xml" in said
    assert "sip_profiles/external/own.xml" in said
    assert "dialplan/own.xml" in said
    assert "sip.example.com is a host name" in said
    assert "bob" not in said


def test_a_directory_that_is_not_freeswitchs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFreeswitch, match="is not laid out as"):
        make_plan(parse(document()), FreeswitchTarget(tmp_path, _nobody), {})


# -- on a real one -------------------------------------------------------------------------------------


@dataclass
class Switch:
    """The lab as a target, with what the store would hold."""

    lab: FreeswitchLab
    target: FreeswitchTarget
    secrets: dict[str, str] = field(default_factory=dict)
    versions: list[Site] = field(default_factory=list)

    @property
    def current(self) -> Site:
        return self.versions[-1] if self.versions else Site()

    def record(self, site: Site, by: str, comment: str) -> int:
        self.versions.append(site)
        return len(self.versions)

    def plan(self, site: Site) -> Plan:
        return make_plan(site, self.target, self.secrets, self.current)

    def apply(self, plan: Plan, rx: Callable[[str], str] | None = None) -> Applied:
        target = FreeswitchTarget(self.target.etc_dir, rx) if rx else self.target
        return apply(plan, target, self.record, self.secrets.update, by="test")

    def files(self) -> dict[str, str]:
        etc = self.target.etc_dir
        return {str(p.relative_to(etc)): p.read_text() for p in sorted(etc.rglob("*.xml")) if ".backup" not in p.parts}


@pytest.fixture(scope="module")
def freeswitch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeswitchLab]:
    if reason := can_have_freeswitch():
        pytest.skip(reason)
    lab = FreeswitchLab(tmp_path_factory.mktemp("provision-freeswitch"))
    lab.start(until_parent_dies=True)
    yield lab
    lab.stop()


@pytest.fixture
def switch(freeswitch: FreeswitchLab) -> Iterator[Switch]:
    """Nothing is provisioned when a test begins, and nothing when it has ended."""
    made = Switch(freeswitch, FreeswitchTarget(Path(freeswitch.info().etc_dir), freeswitch.rx))
    yield made
    recover(made.target, made.current, made.record)
    if not (plan := plan_removal(made.target, made.current)).empty:
        made.apply(plan)


def _site(**changes: Any) -> Site:
    return parse(document(**changes))


def test_what_was_applied_is_in_force_and_a_second_plan_is_empty(switch: Switch) -> None:
    plan = switch.plan(_site())
    assert plan.reloads[0] == "reloadxml"
    applied = switch.apply(plan)
    assert applied.checked == len(plan.checks) > 5
    assert switch.plan(_site()).empty
    with switch.lab.phone("alice", switch.secrets["agent/alice"], ring=0.1) as alice:
        assert alice.registered


def test_without_a_controller_a_caller_comes_into_the_switchs_own_queue_and_is_served(switch: Switch) -> None:
    switch.apply(switch.plan(_site()))
    with switch.lab.phone("alice", switch.secrets["agent/alice"], ring=0.1, talk=1):
        result = switch.lab.call("+33155500001", patience=20, talk=10)
    assert result.served
    assert switch.lab.call("33155500001", patience=2).answered  # a carrier may leave out the plus
    assert switch.lab.call("+33155500002", patience=2).answered is False  # not from its trunk
    assert switch.lab.call("+33155500009", patience=2).status == 404


def test_a_change_is_applied_and_what_is_gone_is_gone(switch: Switch) -> None:
    switch.apply(switch.plan(_site()))
    new = _site(
        trunks__carrier={"host": "127.0.0.3", "port": 5090},
        dids={"+33155500003": {"flow": "main"}},
        queues__late={"agents": ["bob"], "overflow": {"timeout": "queue:support"}, "max_wait": 5},
    )
    switch.apply(switch.plan(new))
    assert "127.0.0.3:5090" in switch.lab.rx("sofia status gateway carrier")
    assert "+33155500001" not in switch.lab.rx("xml_locate dialplan context name contactcentre-in")
    fewer = _site(trunks={}, dids={"+33155500001": {"flow": "main"}}, agents={"bob": {"skills": {"lang_fr": 30}}})
    switch.apply(switch.plan(fewer))
    assert "Invalid" in switch.lab.rx("sofia status gateway carrier")
    assert "alice" not in switch.lab.rx("callcenter_config agent list")
    assert "late@contactcentre" not in switch.lab.rx("callcenter_config queue list")


def test_removal_leaves_every_file_as_it_was(switch: Switch) -> None:
    base = switch.files()
    switch.apply(switch.plan(_site()))
    switch.apply(plan_removal(switch.target, switch.current))
    left = switch.files()
    lines = re.compile(r'\n<X-PRE-PROCESS cmd="include" data="../contactcentre/\w+\.xml"/>\n')
    assert {name: lines.sub("", text) for name, text in left.items()} == {
        name: lines.sub("", text) for name, text in base.items()
    }


def test_when_the_switch_refuses_everything_is_as_it_was(switch: Switch) -> None:
    switch.apply(switch.plan(_site()))
    before = switch.files()
    said = iter(["-ERR [error near line 7]: unexpected closing tag"])

    def refusing(command: str) -> str:
        return next(said, "+OK") if command == "reloadxml" else switch.lab.rx(command)

    with pytest.raises(ApplyFailed, match=r"unexpected closing tag.*every file is as it was") as failed:
        switch.apply(switch.plan(_site(dids={"+33155500007": {"flow": "main"}})), refusing)
    assert failed.value.restored
    assert switch.files() == before
    assert len(switch.versions) == 1


def test_when_the_switch_does_not_run_nothing_is_touched(switch: Switch) -> None:
    before = switch.files()

    def dead(command: str) -> str:
        raise OSError("connection refused")

    with pytest.raises(PbxUnreachable):
        switch.apply(switch.plan(_site()), dead)
    assert switch.files() == before
