"""The link to a server that is old, slow, silent, broken or gone."""

import time

import gevent
import pytest
from gevent.monkey import get_original

from contactcentre.pbx.asterisk import AsteriskPbx, connection, websocket
from contactcentre.pbx.errors import Deadline, Gone, LinkDown, Refused, TooLarge
from contactcentre.pbx.events import Arrived, Digit, LinkLost, LinkUp
from contactcentre.pbx.protocol import REQUEST_DEADLINE
from tests.pbx.asterisk.fake import AT, SECRET, USER, FakeAri, channel
from tests.pbx.bed import Heard, told


def test_requests_go_over_the_websocket_where_the_server_takes_them(
    ari: FakeAri, pbx: AsteriskPbx, nodes: Heard
) -> None:
    pbx.bridge("b1")
    assert "POST bridges/b1" in ari.paths("websocket")
    assert all(path.startswith("GET ") for path in ari.paths("http"))


@pytest.mark.parametrize("version", ["18.24.3", "20.13.0", "21.8.0", "22.3.0"])
def test_requests_go_over_http_where_the_server_is_older(ari: FakeAri, pbx: AsteriskPbx, version: str) -> None:
    ari.version, ari.takes_requests = version, False
    nodes = Heard()
    pbx.start(nodes)
    nodes.next(LinkUp)
    pbx.bridge("b1")
    assert "POST bridges/b1" in ari.paths("http")
    assert ari.paths("websocket") == []
    ari.answers["POST", "channels/c9/answer"] = (404, {"message": "Channel not found"})
    ari.send("StasisStart", args=["did", "800"], channel=channel())
    arrived = nodes.next(Arrived)
    inbox = Heard()
    leg = pbx.adopt(arrived.channel_id, inbox)
    leg.answer()
    ari.send("ChannelDtmfReceived", digit="5", channel=channel())
    assert inbox.next(Digit).digit == "5"
    with pytest.raises(Gone):
        pbx.request("POST", "channels/c9/answer")


@pytest.mark.parametrize(("takes", "over"), [(True, "websocket"), (False, "http")])
def test_a_server_whose_version_tells_nothing_is_tried(
    ari: FakeAri, pbx: AsteriskPbx, takes: bool, over: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PROBE", 0.2)
    ari.version, ari.takes_requests = "GIT-master-abcdef", takes
    nodes = Heard()
    pbx.start(nodes)
    nodes.next(LinkUp)
    pbx.bridge("b1")
    assert "POST bridges/b1" in ari.paths(over)


def test_the_secret_is_in_a_header_and_never_in_an_address_or_a_log(
    ari: FakeAri, pbx: AsteriskPbx, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    nodes = Heard()
    pbx.start(nodes)
    nodes.next(LinkUp)
    assert all(SECRET not in head.split("\r\n")[0] for head in ari.raw_heads)
    ari.cut()
    nodes.next(LinkLost)
    assert SECRET not in caplog.text
    assert all(SECRET not in repr(thing) for thing in (pbx, pbx.__dict__))
    with pytest.raises(ValueError, match="without user"):
        AsteriskPbx("node1", f"http://{USER}:{SECRET}@127.0.0.1:1", USER, SECRET)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8088", "ftp://h", "ws://h:1", "http://", "http://h:1/?api_key=a:b"])
def test_an_address_that_is_none_is_said_to_be(url: str) -> None:
    with pytest.raises(ValueError, match="ARI URL"):
        AsteriskPbx("node1", url, USER, SECRET)


def test_a_request_that_is_too_large_is_not_sent_and_the_link_stays(
    ari: FakeAri, pbx: AsteriskPbx, nodes: Heard
) -> None:
    with pytest.raises(TooLarge):
        pbx.request("POST", "channels/c1/variable", {"variable": "A", "value": "x" * 60_000})
    pbx.bridge("b1")
    assert ari.links == 1


def test_a_request_without_an_answer_ends_at_its_deadline_and_a_late_answer_harms_nobody(
    ari: FakeAri, pbx: AsteriskPbx, nodes: Heard
) -> None:
    ari.silent = True
    pending = pbx._link.send("GET", "asterisk/ping")
    with pytest.raises(Deadline, match="asterisk/ping"):
        pending.wait(0.05)
    ari.silent = False
    ari.send("RESTResponse", request_id=pending._request_id, status_code=200, message_body="")
    assert pbx._link.request("GET", "asterisk/ping") == {"ping": "pong"}
    assert pbx._link.exchange.late == 1
    assert len(pbx._link.exchange) == 0


def test_the_deadline_of_a_verb_counts_from_its_request(ari: FakeAri, pbx: AsteriskPbx, nodes: Heard) -> None:
    ari.silent = True
    pending = pbx._link.send("GET", "asterisk/ping")
    assert pending._until > time.monotonic() + REQUEST_DEADLINE - 1
    pending._until = time.monotonic()
    with gevent.Timeout(REQUEST_DEADLINE / 2), pytest.raises(Deadline, match="asterisk/ping: no answer"):
        pending.wait()
    assert len(pbx._link.exchange) == 0


@pytest.mark.parametrize("end", ["cut", "cut_mid_frame"])
def test_a_link_that_drops_fails_everyone_who_waits_at_once_and_comes_back(
    ari: FakeAri, pbx: AsteriskPbx, nodes: Heard, end: str
) -> None:
    ari.silent = True
    waiting = [gevent.spawn(pbx.request, "GET", "asterisk/ping") for _ in range(20)]
    ari.wait(lambda: len(ari.paths("websocket")) > 20, "the requests came")
    getattr(ari, end)()
    with gevent.Timeout(0.5):
        for greenlet in waiting:
            with pytest.raises(LinkDown):
                greenlet.get()
    ari.silent = False
    nodes.next(LinkLost)
    nodes.next(LinkUp)
    pbx.bridge("b1")


@pytest.mark.parametrize(
    "garbage",
    [b"\x00\xff" * 40, b"\x81\x05hello\xf3\x00", b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", b"HTTP/1.1 500 no" * 10],
)
def test_bytes_that_are_no_websocket_cut_the_link_and_it_comes_back(
    ari: FakeAri, pbx: AsteriskPbx, nodes: Heard, garbage: bytes
) -> None:
    ari.send_bytes(garbage)
    nodes.next(LinkLost)
    nodes.next(LinkUp)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"type":1}',
        '{"type":"StasisStart"}',
        '{"type":"StasisStart","timestamp":"yesterday","channel":{}}',
        f'{{"type":"StasisStart","timestamp":"{AT}","args":[],"channel":{{"id":"x","name":"y"}}}}',
        f'{{"type":"StasisStart","timestamp":"{AT}","args":[],"channel":"c"}}',
        f'{{"type":"ChannelDtmfReceived","timestamp":"{AT}","digit":["1"],"channel":{{"id":"x"}}}}',
        f'{{"type":"PlaybackFinished","timestamp":"{AT}","playback":null}}',
        '{"type":"RESTResponse"}',
        '{"type":"RESTResponse","request_id":"1","status_code":"200"}',
        '{"type":"RESTResponse","request_id":{},"status_code":200}',
        "[" * 100_000,
    ],
    ids=range(17),
)
def test_messages_that_make_no_sense_are_counted_and_what_follows_is_heard(
    ari: FakeAri, pbx: AsteriskPbx, nodes: Heard, text: str
) -> None:
    ari.send_text(text)
    ari.send("StasisStart", args=["did", "800"], channel=channel())
    assert nodes.next(Arrived).channel_id == "c1"
    assert pbx._link.exchange.errors + pbx.intake.malformed == 1
    assert pbx._link.failures == 0


def test_a_binary_message_is_no_ari_and_a_fragmented_one_is_put_together(
    ari: FakeAri, pbx: AsteriskPbx, nodes: Heard
) -> None:
    ari.send_text("\x00\x01", binary=True)
    ari.pieces = 1
    message = {"type": "StasisStart", "timestamp": AT, "args": ["did", "800"], "channel": channel()}
    ari.send_text(__import__("json").dumps(message), fragments=7)
    nodes.next(Arrived)
    assert pbx._link.exchange.errors == 1


def test_a_ping_is_answered_and_no_pong_is_ever_sent_unasked(ari: FakeAri, pbx: AsteriskPbx, nodes: Heard) -> None:
    for _ in range(3):
        pbx.request("GET", "asterisk/ping")
    assert ari.pongs == 0
    ari.ping()
    ari.wait(lambda: ari.pongs == 1, "a pong")


def test_a_server_that_refuses_is_asked_again_ever_more_slowly(ari: FakeAri, pbx: AsteriskPbx) -> None:
    ari.handshake_status = 503
    nodes = Heard()
    pbx.start(nodes)
    ari.wait(lambda: len(ari.raw_heads) >= 6, "three attempts", 5)
    assert nodes.all == []
    with pytest.raises(LinkDown):
        pbx.bridge("b1")
    ari.handshake_status = 101
    nodes.next(LinkUp)


def test_wrong_credentials_never_link_and_are_said_to_be_wrong(ari: FakeAri, caplog: pytest.LogCaptureFixture) -> None:
    pbx = AsteriskPbx("node1", ari.url, USER, "wrong")
    nodes = Heard()
    pbx.start(nodes)
    ari.wait(lambda: len(ari.raw_heads) >= 2, "two attempts")
    pbx.stop()
    assert nodes.all == []
    assert "401" in caplog.text


def test_a_server_that_is_not_there_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    ari = FakeAri()
    ari.close()
    pbx = AsteriskPbx("node1", ari.url, USER, SECRET)
    nodes = Heard()
    pbx.start(nodes)
    gevent.sleep(0.5)  # some attempts
    assert nodes.all == []
    pbx.stop()
    assert caplog.text.count("no link to the PBX") == 1, "one problem is one line in the log"


def linked_anew(ari: FakeAri, nodes: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a link at which is looked often."""
    monkeypatch.setattr(connection, "LOOK", 0.05)
    monkeypatch.setattr(connection, "PING_EVERY", 0.05)
    ari.cut()
    nodes.until(LinkUp)


def test_a_server_that_goes_silent_is_left_and_called_again(
    ari: FakeAri, pbx: AsteriskPbx, nodes: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PING_DEADLINE", 0.1)
    linked_anew(ari, nodes, monkeypatch)
    ari.silent = True
    assert "ping" in nodes.next(LinkLost).reason
    ari.silent = False
    nodes.next(LinkUp)


def test_a_server_that_answers_late_but_speaks_is_kept_for_some_time(
    ari: FakeAri, pbx: AsteriskPbx, nodes: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has too much to do, and to take up all its calls anew would be more still."""
    monkeypatch.setattr(connection, "PING_DEADLINE", 0.2)
    monkeypatch.setattr(connection, "PING_LATE", 1.5)
    monkeypatch.setattr(connection, "REQUEST_DEADLINE", 0.2)  # a request is given up long before
    linked_anew(ari, nodes, monkeypatch)
    ari.silent, began = True, time.monotonic()
    while time.monotonic() < began + 1.0:
        ari.send("ChannelDtmfReceived", digit="5", channel=channel())
        gevent.sleep(0.05)
    assert ari.linked.is_set()
    assert len(told(nodes, LinkLost)) == 1, "the one that we have cut"
    while time.monotonic() < began + 10.0 and len(told(nodes, LinkLost)) == 1:
        ari.send("ChannelDtmfReceived", digit="5", channel=channel())
        gevent.sleep(0.05)
    assert len(told(nodes, LinkLost)) == 2, "but not for ever, though it speaks still"
    assert "ping" in nodes.next(LinkLost).reason


def test_who_was_frozen_reads_what_came_before_it_calls_a_link_dead(
    ari: FakeAri, pbx: AsteriskPbx, nodes: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PING_DEADLINE", 0.5)
    linked_anew(ari, nodes, monkeypatch)
    ari.silent = True
    gevent.sleep(0.2)  # a sign of life is owed
    ari.send("ChannelDtmfReceived", digit="5", channel=channel())
    get_original("time", "sleep")(1.0)  # nobody here runs
    for _ in range(5):
        gevent.sleep(0.05)
        ari.send("ChannelDtmfReceived", digit="5", channel=channel())
    assert len(told(nodes, LinkLost)) == 1, "the one that we have cut"


def test_a_recording_that_begins_while_a_link_is_set_up_is_none_that_ended_meanwhile(
    ari: FakeAri, pbx: AsteriskPbx, nodes: Heard
) -> None:
    ari.send("StasisStart", args=["did", "800"], channel=channel())
    leg = pbx.adopt(nodes.next(Arrived).channel_id, Heard())
    sides, begun = [f"r1-{side}" for side in ("left", "right")], []
    for side in sides:
        ari.answers["GET", f"channels/{side}"] = (404, {"message": "Channel not found"})

    def listed(seen: object) -> tuple[int, object]:
        ari.answers["GET", "channels"] = (200, [channel()])
        begun.append(gevent.spawn(leg.tap, "r1"))
        gevent.sleep(0.2)  # it is asked for now, and is on no list
        return 200, [channel()]

    ari.answers["GET", "channels"] = listed
    ari.cut()
    nodes.until(LinkUp)
    for side in sides:
        ari.send("StasisStart", args=["tap"], channel={**channel(), "id": side, "name": f"Snoop/c1-{side}"})
    assert begun[0].get(timeout=10).name("left") == sides[0]
    assert [path for path in ari.paths("websocket") if path.endswith("/record")] == [
        f"POST channels/{side}/record" for side in sides
    ]


def test_what_others_are_not_to_wait_for_goes_beside_a_line_of_requests(
    ari: FakeAri, pbx: AsteriskPbx, nodes: Heard
) -> None:
    """Asterisk does what comes over its websocket one after the other, also when one waits for a busy thread."""
    ari.answers["GET", "asterisk/ping"] = (200, {"ping": "pong", "timestamp": AT})
    ari.silent = True
    line = [gevent.spawn(pbx.request, "GET", f"channels/c{n}") for n in range(connection.LINE)]
    gevent.sleep(0.05)
    pbx.stay(4)
    pbx.request_on("c1", method="POST", path="bridges/b1/addChannel", query={"channel": "c1"})
    assert ari.paths("http")[-4:] == [
        "GET asterisk/ping",
        *["POST asterisk/variable"] * 2,
        "POST bridges/b1/addChannel",
    ]
    gevent.killall(line)
    ari.silent = False
    pbx._link.exchange.abandon()
    pbx.stay(4)
    assert ari.paths("websocket")[-1] == "POST asterisk/variable"


def test_a_silent_old_server_is_noticed_by_its_websocket(
    ari: FakeAri, pbx: AsteriskPbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LOOK", 0.05)
    monkeypatch.setattr(connection, "PING_EVERY", 0.5)
    monkeypatch.setattr(websocket, "SILENCE", 0.3)  # nothing comes until we ask, and that is too late
    ari.version = "18.0.0"
    nodes = Heard()
    pbx.start(nodes)
    nodes.next(LinkUp)
    assert "silent" in nodes.next(LinkLost).reason
    nodes.next(LinkUp)


def test_who_is_replaced_stops_and_does_not_come_back(ari: FakeAri, pbx: AsteriskPbx, nodes: Heard) -> None:
    ari.send("ApplicationReplaced")
    assert nodes.next(LinkLost).replaced
    gevent.sleep(0.5)  # time in which it would come back
    assert ari.links == 1
    with pytest.raises(LinkDown):
        pbx.bridge("b1")


def test_a_call_that_comes_before_the_link_is_set_up_is_told_after_it(ari: FakeAri, pbx: AsteriskPbx) -> None:
    def early(seen: object) -> tuple[int, None]:
        ari.send("StasisStart", args=["did", "800"], channel=channel())
        return 200, None

    ari.answers["PUT", "applications/contactcentre/eventFilter"] = early
    nodes = Heard()
    pbx.start(nodes)
    nodes.next(LinkUp)
    nodes.next(Arrived)


def test_a_sink_that_fails_ends_nothing(ari: FakeAri, pbx: AsteriskPbx) -> None:
    nodes = Heard()

    def broken(event: object) -> None:
        nodes(event)
        raise RuntimeError("a sink with a bug")

    pbx.start(broken)
    nodes.next(LinkUp)
    ari.send("StasisStart", args=["did", "800"], channel=channel("c1"))
    ari.send("StasisStart", args=["did", "800"], channel=channel("c2"))
    assert [nodes.next(Arrived).channel_id, nodes.next(Arrived).channel_id] == ["c1", "c2"]
    assert told(nodes, LinkLost) == []


def test_a_refusal_says_what_was_asked_and_what_the_pbx_said(ari: FakeAri, pbx: AsteriskPbx, nodes: Heard) -> None:
    ari.answers["POST", "channels/c1/answer"] = (409, {"message": "Channel not in Stasis application"})
    with pytest.raises(Refused, match=r"POST channels/c1/answer: 409 Channel not in Stasis") as refused:
        pbx.request("POST", "channels/c1/answer")
    assert refused.value.status == 409


def test_ids_with_strange_signs_reach_the_server_as_they_are_and_never_as_a_path(
    ari: FakeAri, pbx: AsteriskPbx, nodes: Heard
) -> None:
    pbx.bridge("a b/../c?d=é")
    assert ari.seen[-1].path == "bridges/a b/../c?d=é"
    for evil in ("..", ".", ""):
        with pytest.raises(Refused):
            pbx.bridge(evil)


def test_a_called_leg_whose_fate_is_unknown_arrives_when_it_is_answered_after_all(
    ari: FakeAri, pbx: AsteriskPbx, nodes: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contactcentre.pbx.events import Party

    def cut(seen: object) -> tuple[int, None]:
        ari.cut()
        return 200, None

    ari.answers["POST", "channels/leg1"] = cut
    with pytest.raises(LinkDown):
        pbx.call("anna", channel_id="leg1", inbox=Heard(), contact_id="c", caller=Party(), ring_seconds=5)
    nodes.until(LinkUp)
    ari.send("StasisStart", args=["leg", "c"], channel=channel("leg1", "PJSIP/anna-00000002", "Up"))
    assert nodes.next(Arrived).args == ("leg", "c")
