"""A site on FreeSWITCH: the text of its files, and plan, apply and the way back on a real one."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contactcentre.domain.site import Agent, Did, Freeswitch, Site, Trunk
from contactcentre.domain.spelling import NAME, NUMBER
from contactcentre.domain.strategies import STRATEGIES
from contactcentre.pbx.freeswitch.accounts import VARIABLE
from contactcentre.provision import (
    FreeswitchTarget,
    SiteError,
    make_plan,
    parse,
    plan_removal,
)
from contactcentre.provision.freeswitch.event_socket import addresses_of
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


def test_a_softphones_password_is_a_variable_and_nobody_signs_in_while_it_is_empty() -> None:
    files = render(parse(document(agents__alice__webrtc=True)), SECRETS)
    text = files["directory/default/contactcentre.xml"]
    users = {user.get("id"): user for user in ElementTree.fromstring(text)}
    values = {each.get("name"): each.get("value", "") for each in users["alice-web"].iter() if each.get("name")}
    assert values["password"] == f"$${{{VARIABLE}alice-web}}"
    assert values["allow-empty-password"] == "false"
    assert values["user_context"] == "contactcentre-agents"
    assert "OPUS" in values["dial-string"]
    assert "alice-web" not in render(parse(document()), SECRETS)["directory/default/contactcentre.xml"]


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


def test_times_are_the_queues_and_of_several_queues_the_longest() -> None:
    queues = {
        "support": {"agents": ["alice"], "ring_seconds": 7, "wrap_up": 30, "retry_delay": 2, "busy_delay": 9},
        "sales": {"agents": ["alice", "bob"], "ring_seconds": 25, "wrap_up": 5, "reject_delay": 1, "retry_delay": 4},
    }
    site = parse(document(queues=queues))
    alice, bob = rendered(site)["contactcentre/agents.xml"]
    names = ("wrap-up-time", "reject-delay-time", "busy-delay-time", "no-answer-delay-time")
    assert [alice.get(name) for name in names] == ["30", "2", "9", "4"]
    assert [bob.get(name) for name in names] == ["5", "1", "4", "4"]
    dialplan = render(site, SECRETS)["dialplan/contactcentre.xml"]
    assert dialplan.index("contactcentre_ring=25") < dialplan.index("sales@contactcentre")
    assert dialplan.index("contactcentre_ring=7") < dialplan.index("support@contactcentre")
    fifos = rendered(site.model_copy(update={"freeswitch": Freeswitch(fallback="fifo")}))["contactcentre/fifo.xml"]
    times = {
        fifo.get("name"): {(member.text, member.get("timeout"), member.get("lag")) for member in fifo} for fifo in fifos
    }
    assert times == {
        "support@contactcentre": {("user/alice", "10", "30")},  # it lets a phone ring no shorter
        "sales@contactcentre": {("user/alice", "25", "5"), ("user/bob", "25", "5")},
    }


def test_the_event_socket_is_open_to_this_machine_and_to_whom_the_site_names() -> None:
    section = {"event_socket": {"listen": "0.0.0.0", "port": 8022, "allow": ["10.0.0.5", "10.1.0.0/16"]}}
    secrets = {**SECRETS, "esl/contactcentre": "a-password&more"}
    params = rendered(parse(document(freeswitch=section)), secrets)["contactcentre/event_socket.xml"]
    assert [(param.get("name"), param.get("value")) for param in params] == [
        ("listen-ip", "0.0.0.0"),
        ("listen-port", "8022"),
        ("password", "a-password&more"),
        ("apply-inbound-acl", "127.0.0.0/8,10.0.0.5/32,10.1.0.0/16"),
    ]
    assert "contactcentre/event_socket.xml" not in rendered(parse(document()))


def test_the_event_sockets_address_is_read_as_freeswitch_reads_it(tmp_path: Path) -> None:
    assert addresses_of(tmp_path) == []
    file = tmp_path / "autoload_configs/event_socket.conf.xml"
    file.parent.mkdir()
    head = '<configuration><settings><!-- <param name="password" value="no"/> -->'
    file.write_text(f'{head}<param name="listen-ip" value="::"/><param name="password" value="a&amp;b"/></settings>')
    assert addresses_of(tmp_path) == [("127.0.0.1", 8021, "a&b")]
    file.write_text(f'{head}<param name="password" value="$${{default_password}}"/></settings>')
    assert addresses_of(tmp_path) == []


def test_an_acl_that_is_there_already_is_noted(tmp_path: Path) -> None:
    own = '<configuration><settings><param name="apply-inbound-acl" value="lan"/></settings></configuration>'
    _vanilla(tmp_path, **{"autoload_configs/event_socket.conf.xml": own})
    site = parse(document(freeswitch={"event_socket": {}}))
    plan = make_plan(site, FreeswitchTarget(tmp_path, _nobody), {})
    assert any("has apply-inbound-acl lan itself" in note for note in plan.notes)
    [holder] = [change.new for change in plan.files if change.name == "autoload_configs/event_socket.conf.xml"]
    assert holder is not None
    assert holder.index("lan") < holder.index("../contactcentre/event_socket.xml") < holder.index("</settings>")


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
