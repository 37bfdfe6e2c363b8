"""What is provisioned on a real FreeSWITCH, while it works: calls go on, queues serve, the event socket moves."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contactcentre.cli.esl import Console
from contactcentre.domain.site import Site
from contactcentre.lab import ANSWER, IGNORE, FreeswitchLab
from contactcentre.lab.ports import free_port
from contactcentre.pbx.errors import LinkDown, Refused
from contactcentre.provision import FreeswitchTarget, parse, plan_removal
from contactcentre.provision.freeswitch.event_socket import addresses_of
from tests.lab.conftest import strongest_hertz
from tests.provision.conftest import Pbx
from tests.provision.sites import document
from tests.waiting import eventually


def _site(**changes: Any) -> Site:
    return parse(document(**changes))


def test_callers_without_a_plus_are_let_in_and_those_of_another_trunk_are_not(switch: Pbx) -> None:
    switch.apply(switch.plan(_site()))
    assert switch.lab.call("33155500001", patience=2).answered  # a carrier may leave out the plus
    assert switch.lab.call("+33155500002", patience=2).answered is False  # not from its trunk
    assert switch.lab.call("+33155500009", patience=2).status == 404


def test_a_change_is_applied_and_what_is_gone_is_gone(switch: Pbx) -> None:
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


def test_removal_leaves_every_file_as_it_was(switch: Pbx) -> None:
    base = switch.files()
    switch.apply(switch.plan(_site()))
    switch.apply(plan_removal(switch.target, switch.current))
    lines = re.compile(r'\n<X-PRE-PROCESS cmd="include" data="../contactcentre/\w+\.xml"/>\n')
    assert {name: lines.sub("", text) for name, text in switch.files().items()} == {
        name: lines.sub("", text) for name, text in base.items()
    }


# -- calls that run ------------------------------------------------------------------------------------

_OUT = """<include>
  <extension name="out through the carrier">
    <condition field="destination_number" expression="^91$">
      <action application="bridge" data="sofia/gateway/carrier/81"/>
    </condition>
  </extension>
  <extension name="out through the other">
    <condition field="destination_number" expression="^92$">
      <action application="bridge" data="sofia/gateway/other/82"/>
    </condition>
  </extension>
  <extension name="in again">
    <condition field="destination_number" expression="^8[12]$">
      <action application="bridge" data="user/${cond(${destination_number} == 81 ? alice : bob)}"/>
    </condition>
  </extension>
</include>
"""


@pytest.fixture
def way_out(switch: Pbx) -> Iterator[None]:
    """What the dialplan does with calls that go out and, the trunks being this very switch, come in again."""
    file = switch.target.etc_dir / "dialplan/public/out.xml"
    file.write_text(_OUT)
    yield
    file.unlink()


@pytest.mark.usefixtures("way_out")
def test_calls_through_a_gateway_that_changes_or_goes_and_through_another_survive_apply_and_rollback(
    switch: Pbx, tmp_path: Path
) -> None:
    info = switch.lab.info()
    here = {"host": info.sip_host, "port": info.sip_port, "match": ["192.0.2.1"]}
    there = {**here, "match": ["192.0.2.2"]}
    as_it_was = _site(trunks={"carrier": here, "other": there}, dids={})
    changed = _site(trunks={"carrier": {**here, "username": "us"}, "other": there}, dids={})
    gone = _site(trunks={"other": there}, dids={})
    switch.secrets["trunk/carrier"] = "the-carriers-secret"
    switch.apply(switch.plan(as_it_was))
    numbers = itertools.count()

    def hears(end: Any) -> float:
        return strongest_hertz(end.hear(0.6, tmp_path / f"{next(numbers)}.wav").wait())

    with (
        switch.lab.phone("alice", switch.secrets["agent/alice"], ring=0, talk=None, tone=800) as alice,
        switch.lab.phone("bob", switch.secrets["agent/bob"], ring=0, talk=None, tone=1250) as bob,
    ):
        same = switch.lab.dial("91", talk=None, patience=None, tone=400)
        another = switch.lab.dial("92", talk=None, patience=None, tone=500)
        for call in (same, another):
            call.until("person")
        for site in (changed, as_it_was, gone, as_it_was):
            plan = switch.plan(site)
            assert "sofia profile internal rescan" in plan.reloads
            switch.apply(plan)
            assert hears(same) == pytest.approx(800, abs=3)
            assert hears(alice) == pytest.approx(400, abs=3)
            assert hears(another) == pytest.approx(1250, abs=3)
            assert hears(bob) == pytest.approx(500, abs=3)
        for call in (same, another):
            call.hang_up()
            assert call.wait(10).ended_by == "us"
        alice.wait_calls()
        bob.wait_calls()
        assert switch.lab.call("91", talk=0.5, patience=10).served, "the gateway that came back leads out"


# -- queues without a controller -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fallback", "module"), [("callcenter", "callcenter_config queue list"), ("fifo", "fifo list")]
)
def test_the_fallback_is_the_sites_choice_and_rings_as_long_as_the_queue_says(
    switch: Pbx, fallback: str, module: str
) -> None:
    queues = {"support": {"agents": ["alice"], "ring_seconds": 10, "retry_delay": 1, "wrap_up": 1}}
    site = _site(freeswitch={"fallback": fallback}, queues=queues, dids={"+33155500001": {"flow": "main"}})
    switch.apply(switch.plan(site))
    assert "support@contactcentre" in switch.lab.rx(module)
    assert switch.plan(site).empty
    with switch.lab.phone("alice", switch.secrets["agent/alice"], answer=IGNORE) as alice:
        caller = switch.lab.dial("+33155500001", talk=None, patience=None)
        (missed,) = alice.wait_calls(1, 40)
        # both count whole seconds
        assert 8 < missed.ended_at - missed.started_at < 13
        alice.behave(answer=ANSWER, ring=0, talk=1)
        caller.until("person", 30)
        assert caller.wait(20).ended_by == "pbx"


@pytest.mark.parametrize(("first", "then"), [("callcenter", "fifo"), ("fifo", "callcenter")])
def test_another_fallback_takes_over_and_nothing_of_the_first_is_left(switch: Pbx, first: str, then: str) -> None:
    for fallback in (first, then):
        switch.apply(switch.plan(_site(freeswitch={"fallback": fallback})))
    there = {"callcenter": "queues.xml" in " ".join(switch.files()), "fifo": "fifo.xml" in " ".join(switch.files())}
    ours = {Path(name).name for name in switch.files() if name.startswith("contactcentre/")}
    assert ("fifo.xml" in ours, "queues.xml" in ours) == (then == "fifo", then == "callcenter"), there
    assert ("support@contactcentre" in switch.lab.rx("callcenter_config queue list")) is (then == "callcenter")
    assert ("support@contactcentre" in switch.lab.rx("fifo list")) is (then == "fifo")


def test_after_the_longest_wait_a_caller_goes_on_from_a_fifo_too(switch: Pbx) -> None:
    queues = {
        "support": {"agents": ["alice"], "max_wait": 2, "overflow": {"timeout": "queue:sales"}},
        "sales": {"agents": ["bob"]},
    }
    site = _site(freeswitch={"fallback": "fifo"}, queues=queues, dids={"+33155500001": {"flow": "main"}})
    switch.apply(switch.plan(site))
    with switch.lab.phone("bob", switch.secrets["agent/bob"], ring=0, talk=1):
        assert switch.lab.call("+33155500001", patience=30, talk=10).served


# -- the event socket ----------------------------------------------------------------------------------


def _opened_anew(lab: FreeswitchLab) -> None:
    """As a start of FreeSWITCH does. Nobody may connect meanwhile, so only the log is watched."""
    said = "Adding API Function 'event_sink'"
    before = sum(said in line for line in lab.logs())
    lab.rx("sched_api +1 test reload mod_event_socket")
    eventually(lambda: sum(said in line for line in lab.logs()) > before, "it listens again", 30)


def test_the_event_socket_gets_the_sites_address_and_a_password_of_its_own_and_loses_them_again(
    fresh_freeswitch: FreeswitchLab,
) -> None:
    info, etc = fresh_freeswitch.info(), Path(fresh_freeswitch.info().etc_dir)
    before = (etc / "autoload_configs/event_socket.conf.xml").read_text()
    pbx = Pbx(fresh_freeswitch, FreeswitchTarget(etc, Console(addresses_of(etc), 15)))
    port = free_port()
    site = _site(freeswitch={"event_socket": {"port": port, "allow": ["192.0.2.0/24"]}})
    plan = pbx.plan(site)
    assert any("changes when FreeSWITCH is started anew" in note for note in plan.notes)
    assert not any("event_socket" in command for command in plan.reloads), "FreeSWITCH might crash"
    assert info.esl_password not in plan.diff()
    assert plan.new_secrets["esl/contactcentre"] not in plan.diff()
    pbx.apply(plan)
    new, old = addresses_of(etc)
    assert new == ("127.0.0.1", port, pbx.secrets["esl/contactcentre"])
    assert old == ("127.0.0.1", info.esl_port, info.esl_password)
    assert "is ready" in Console([new, old], 5)("status"), "until then it is asked where it was"
    _opened_anew(fresh_freeswitch)
    there = Console([new], 5)
    assert 'value="127.0.0.0/8,127.0.0.1/32,192.0.2.0/24"' in there(
        "xml_locate configuration configuration name event_socket.conf"
    )
    with pytest.raises(Refused):
        Console([new._replace(password=info.esl_password)], 5)("status")
    with pytest.raises(LinkDown):
        Console([old], 5)("status")
    pbx = replace(pbx, target=FreeswitchTarget(etc, Console(addresses_of(etc), 15)))
    assert pbx.plan(site).empty
    pbx.apply(pbx.plan(_site()))
    assert (etc / "autoload_configs/event_socket.conf.xml").read_text() == before
    assert not (etc / "contactcentre/event_socket.xml").exists()
