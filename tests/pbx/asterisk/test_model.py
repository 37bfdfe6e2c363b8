"""ari-py's programming model on a real Asterisk's own api-docs."""

import json
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from gevent.queue import Queue

from contactcentre.lab import Lab
from contactcentre.pbx.asterisk.model import Client, Operation, Resource, connect
from contactcentre.pbx.errors import Gone, LinkDown
from tests.pbx.bed import PATIENCE, AsteriskBed

APP = "model"


@pytest.fixture
def client(asterisk: Lab) -> Iterator[Client]:
    AsteriskBed(asterisk)  # for its dialplan
    info = asterisk.info()
    with connect(info.ari_url, info.ari_user, info.ari_secret, APP) as client:
        yield client
    asterisk.rx("channel request hangup all")


def originated(client: Client) -> Resource:
    arrived: Queue[Resource] = Queue()
    unlisten = client.on_channel_event("StasisStart", lambda channel, event: arrived.put(channel))
    client.channels.originate(endpoint="Local/1@elsewhere", app=APP, appArgs="a,b", variables={"GREETING": "hello"})
    channel = arrived.get(timeout=PATIENCE)
    unlisten()
    return channel


def test_the_readmes_example_of_ari_py_works(client: Client) -> None:
    channel = originated(client)
    done: Queue[str] = Queue()
    assert channel.getChannelVar(variable="GREETING") == {"value": "hello"}
    channel.answer()
    playback = channel.play(media="sound:beep")
    playback.on_event("PlaybackFinished", lambda playback, event: done.put(playback.id))
    assert done.get(timeout=PATIENCE) == playback.id
    assert client.channels.get(channelId=channel.id) == channel
    assert channel in client.channels.list()
    bridge = client.bridges.create(type="mixing")
    bridge.addChannel(channel=[channel.id])
    assert client.bridges.get(bridgeId=bridge.id).json["channels"] == [channel.id]
    bridge.destroy()
    channel.hangup()
    with gevent.Timeout(PATIENCE):
        while channel in client.channels.list():
            gevent.sleep(0.01)
    with pytest.raises(Gone):
        client.channels.get(channelId=channel.id)


def test_listeners_of_an_object_free_themselves_with_its_end(client: Client) -> None:
    channel = originated(client)
    ended: Queue[str] = Queue()
    for kind in ("ChannelDtmfReceived", "ChannelHangupRequest", "ChannelStateChange"):
        channel.on_event(kind, print)
    channel.on_event("StasisEnd", lambda channel, event: ended.put(channel.id))
    assert client.listening == 4
    channel.hangup()
    ended.get(timeout=PATIENCE)
    gevent.sleep(0)
    assert client.listening == 0


def test_a_listener_may_make_requests_and_may_fail(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    channel = originated(client)
    done: Queue[int] = Queue()

    def count(channel: Resource, event: object) -> None:
        done.put(len(client.channels.list()))
        raise RuntimeError("a listener with a bug")

    channel.on_event("StasisEnd", count)
    channel.hangup()
    done.get(timeout=PATIENCE)
    gevent.sleep(0)
    assert "a listener failed" in caplog.text


def test_an_unknown_parameter_operation_or_resource_is_named(client: Client) -> None:
    with pytest.raises(TypeError, match="no parameter chanelId"):
        client.channels.get(chanelId="1")
    with pytest.raises(TypeError, match="needs endpoint"):
        client.channels.originate(app="x")
    with pytest.raises(AttributeError, match="no operation fly"):
        client.channels.fly()
    with pytest.raises(AttributeError, match="no resource elephants"):
        client.elephants.list()
    channel = originated(client)
    with pytest.raises(AttributeError, match="a channel has no operation list"):
        channel.list()
    assert "originate" in dir(client.channels)


def test_every_operation_of_the_servers_docs_can_be_called_with_all_its_parameters(asterisk: Lab) -> None:
    documents = list(Path(asterisk.info().state_dir).glob("**/rest-api/*.json"))
    count = 0
    for document in documents:
        for api in json.loads(document.read_text()).get("apis", ()):
            for described in api.get("operations", ()):
                operation = Operation.parse(api["path"], described)
                path, query, body = operation.request(
                    dict.fromkeys([*operation.in_path, *operation.in_query, *operation.in_body], "value")
                )
                assert "{" not in path
                assert set(query) == operation.in_query
                assert (body is not None) == bool(operation.in_body)
                count += 1
    assert count > 100


def test_without_a_server_connect_says_so() -> None:
    with pytest.raises(LinkDown):
        connect("http://127.0.0.1:9", "u", "s", APP, timeout=0.3)
