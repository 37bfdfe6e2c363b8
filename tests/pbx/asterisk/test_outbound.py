"""The link that the PBX opens: the suite's tests of the link, and what holds here only."""

import shutil
import ssl as certificates
import subprocess
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from gevent import socket, ssl

from contactcentre.lab import Lab, can_have_asterisk
from contactcentre.lab.ports import free_port
from contactcentre.pbx.asterisk.listener import Address
from contactcentre.pbx.errors import LinkDown
from contactcentre.pbx.events import Answered, Arrived, Ended, LinkUp
from tests.pbx.asterisk.outbound import OutboundBed
from tests.pbx.bed import PATIENCE, Heard, told
from tests.pbx.test_conformance_link import (  # noqa: F401 - run here, too, with this module's bed
    test_a_cut_link_is_told_and_comes_back_and_calls_go_on,
    test_a_tap_that_is_stopped_without_a_link_ends_when_it_is_back,
    test_a_tap_whose_channel_ended_while_the_link_was_cut_stops_at_once,
    test_adopting_a_channel_that_is_not_there_says_gone,
    test_calls_are_led_to_us_as_long_as_we_said_that_we_stay_and_elsewhere_after_that,
    test_phones_that_come_and_go_are_noticed,
    test_requests_under_way_or_made_without_a_link_fail_at_once,
    test_what_ended_while_the_link_was_cut_is_told_when_it_is_back,
    test_who_hung_up_while_the_link_was_cut_has_ended_before_the_link_is_up,
)
from tests.plugins.lab import running
from tests.waiting import eventually


@pytest.fixture(scope="module")
def calling_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    yield from running(Lab(tmp_path_factory.mktemp("outbound")), can_have_asterisk())


@pytest.fixture(scope="module")
def address() -> Address:
    return Address("127.0.0.1", free_port())


@pytest.fixture
def bed(calling_lab: Lab, address: Address) -> Iterator[OutboundBed]:
    if "res_websocket_client.so" not in calling_lab.rx("module show like res_websocket_client"):
        pytest.skip(f"Asterisk {calling_lab.info().version} connects to nobody")
    bed = OutboundBed(calling_lab, address)
    bed.start()
    yield bed
    bed.pbx.stop()
    bed.quiet()


def knocks(address: Address) -> None:
    """Until the PBX has seen that nobody listens there: it tries to connect anew."""
    with gevent.Timeout(PATIENCE, AssertionError("it does not try to connect")), socket.socket() as there:
        there.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        there.bind((address.host, address.port))
        there.listen()
        there.accept()[0].close()


def test_a_call_that_comes_while_nobody_listens_is_kept_and_told_when_somebody_does(bed: OutboundBed) -> None:
    bed.pbx.stay(3600)
    bed.pbx.stop()
    knocks(bed.listens)
    before = len(told(bed.nodes, Arrived))
    call = bed.dial("800", talk=None, patience=None)
    eventually(lambda: bed.channels() == 1, "it has come")
    bed.pbx.start(bed.nodes)
    arrived = bed.nodes.until(Arrived)
    assert arrived.args == ("did", "800")
    assert len(told(bed.nodes, Arrived)) == before + 1, "it is told once"
    inbox = Heard()
    bed.pbx.adopt(arrived.channel_id, inbox).answer()
    inbox.next(Answered)
    call.until("answered")
    call.hang_up()
    inbox.next(Ended)


def test_an_heir_gets_the_link_when_the_first_one_has_closed_its_own(bed: OutboundBed) -> None:
    arrival = bed.arrive()
    heir, nodes = bed.new_pbx(), Heard()
    assert not heir.link_is_shared
    heir.start(nodes)
    try:
        arrival.channel.ring()
        assert told(nodes, LinkUp) == [], "the port is not free"
        bed.pbx.stop()
        nodes.until(LinkUp)
        call = bed.dial("801", talk=None, patience=None)
        assert nodes.until(Arrived).args == ("did", "801")
        channel = heir.adopt(arrival.channel.id, Heard())
        channel.answer()
        arrival.call.until("answered")
        with pytest.raises(LinkDown):
            arrival.channel.ring()
        call.hang_up()
    finally:
        heir.stop()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl on PATH")
def test_the_pbx_connects_by_tls_to_who_has_the_certificate_that_it_believes(
    fresh_lab: Lab, tmp_path: Path, unused_port: int
) -> None:
    key, certificate = tmp_path / "ours.key", tmp_path / "ours.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.create_default_context(certificates.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    bed = OutboundBed(fresh_lab, Address("localhost", unused_port, context), str(certificate))
    bed.start()
    try:
        assert bed.arrive().arrived.args == ("did", "800")
    finally:
        bed.pbx.stop()
        bed.hang_up_all()
