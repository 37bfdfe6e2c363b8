"""Calls that the dialplan brings to a flow, as users of greenswitch write it."""

from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent import socket
from gevent.event import AsyncResult
from gevent.event import Event as Flag

from contactcentre.pbx.errors import Deadline
from contactcentre.pbx.freeswitch.outbound import OutboundESLServer, OutboundSession, OutboundSessionHasGoneAway
from tests.pbx.freeswitch.fake import FakeCall

Flow = Callable[[OutboundSession], object]


class Served:
    """A server whose flow is given by the test, and what the flow came to."""

    def __init__(self, flow: Flow, **limits: int) -> None:
        self.results: list[AsyncResult[object]] = []
        self.server = OutboundESLServer("127.0.0.1", 0, lambda session: _Application(self, flow, session), **limits)
        self.server.start()

    def call(self, **ends: str | None) -> FakeCall:
        return FakeCall(self.server.port, ends)


class _Application:
    def __init__(self, served: Served, flow: Flow, session: OutboundSession) -> None:
        self._flow, self._session = flow, session
        self.result: AsyncResult[object] = AsyncResult()
        served.results.append(self.result)

    def run(self) -> None:
        try:
            self.result.set(self._flow(self._session))
        except Exception as error:
            self.result.set_exception(error)
            raise


@pytest.fixture
def served() -> Iterator[Callable[..., Served]]:
    made: list[Served] = []

    def serve(flow: Flow, **limits: int) -> Served:
        made.append(Served(flow, **limits))
        return made[-1]

    yield serve
    for one in made:
        one.server.stop()


def taken(session: OutboundSession) -> OutboundSession:
    session.connect()
    session.myevents()
    return session


def result(served: Served) -> object:
    with gevent.Timeout(60):
        while not served.results:
            gevent.sleep(0.005)
    return served.results[0].get(timeout=60)


def test_a_flow_answers_plays_asks_and_hangs_up(served: Callable[..., Served]) -> None:
    def flow(session: OutboundSession) -> str:
        taken(session)
        session.linger()
        session.answer()
        session.playback("welcome.wav")
        session.park()
        session.uuid_break()
        session.hangup("USER_BUSY")
        return session.uuid

    serving = served(flow)
    call = serving.call(playback="FILE PLAYED")
    assert result(serving) == "u1"
    assert call.closed.wait(60)
    assert [command.line for command in call.seen if not command.line.startswith("sendmsg")] == [
        "connect",
        "myevents json",
        "linger",
        "api uuid_break u1",
    ]
    applications = [(one.headers["execute-app-name"], one.body) for one in call.seen if one.line == "sendmsg u1"]
    assert applications == [("answer", ""), ("playback", "welcome.wav"), ("park", ""), ("hangup", "USER_BUSY")]
    assert all(one.headers["event-lock"] == "true" for one in call.seen if one.line == "sendmsg u1")


def test_the_channels_data_is_decoded_value_by_value(served: Callable[..., Served]) -> None:
    serving = served(lambda session: session.connect())
    call = FakeCall(serving.server.port, channel={"Unique-ID": "u1", "variable_sip_h_X-A": "x%0AUnique-ID%3A%20evil"})
    data = result(serving)
    assert isinstance(data, dict)
    assert (data["Unique-ID"], data["variable_sip_h_X-A"]) == ("u1", "x\nUnique-ID: evil")
    assert call.closed.wait(60)


def test_digits_are_those_of_this_very_question(served: Callable[..., Served]) -> None:
    def flow(session: OutboundSession) -> str:
        return taken(session).play_and_get_digits(1, 4, 1, 5000, "#", "ask.wav")

    serving = served(flow)
    call = serving.call(play_and_get_digits=None)
    with gevent.Timeout(60):
        while not (asked := [one for one in call.seen if one.line.startswith("sendmsg")]):
            gevent.sleep(0.005)
    assert asked[0].body == r"1 4 1 5000 # ask.wav silence_stream://250 digits \d+ 5000"
    call.event("CHANNEL_EXECUTE_COMPLETE", Application="play_and_get_digits", variable_digits="99")  # another's
    call.complete(asked[0], "_none_", variable_digits="12", variable_read_result="success")
    assert result(serving) == "12"


@pytest.mark.parametrize("how", ["event", "in the application"])
def test_a_caller_who_hangs_up_ends_the_verb_that_waits(served: Callable[..., Served], how: str) -> None:
    serving = served(lambda session: taken(session).playback("long.wav"))
    call = serving.call(playback=None)
    with gevent.Timeout(60):
        while not (playing := [one for one in call.seen if one.line.startswith("sendmsg")]):
            gevent.sleep(0.005)
    if how == "event":
        call.hang_up()
    else:
        call.complete(playing[0], "PLAYBACK ERROR", Hangup_Cause="NORMAL_CLEARING")
    with pytest.raises(OutboundSessionHasGoneAway):
        result(serving)


@pytest.mark.parametrize("way", ["with", "decorator"])
def test_what_is_done_while_connected_fails_when_the_caller_has_gone_meanwhile(
    served: Callable[..., Served], way: str
) -> None:
    gone, done = Flag(), []

    def flow(session: OutboundSession) -> None:
        taken(session)
        with session.while_connected():
            done.append("while the caller is there")

        def work() -> None:
            gone.set()
            session.link.join(5)
            done.append("to its end")

        if way == "decorator":
            session.while_connected()(work)()
        else:
            with session.while_connected():
                work()

    serving = served(flow)
    call = serving.call()
    assert gone.wait(5)
    call.hang_up()
    with pytest.raises(OutboundSessionHasGoneAway):
        result(serving)
    assert done == ["while the caller is there", "to its end"]


def test_a_calls_data_have_the_names_that_greenswitch_gives_them(served: Callable[..., Served]) -> None:
    serving = served(lambda session: (session.connect(), session.linger(7), session))
    channel = {"Unique-ID": "u1", "variable_call_uuid": "u0", "Caller-Caller-ID-Number": "%2B3312"}
    call = FakeCall(serving.server.port, channel=channel)
    told = result(serving)
    assert isinstance(told, tuple)
    assert (told[2].uuid, told[2].call_uuid, told[2].caller_id_number) == ("u1", "u0", "+3312")
    assert call.closed.wait(60)
    assert [command.line for command in call.seen] == ["connect", "linger 7"]


def test_a_verb_that_takes_too_long_says_so(served: Callable[..., Served]) -> None:
    serving = served(lambda session: taken(session).playback("long.wav", response_timeout=0.1))
    serving.call(playback=None)
    with pytest.raises(Deadline, match="playback long"):
        result(serving)


def test_what_is_given_to_an_application_is_not_expanded_and_is_one_line(served: Callable[..., Served]) -> None:
    serving = served(lambda session: taken(session).playback("${system(id)}\n\nexit"))
    call = serving.call()
    result(serving)
    (played,) = [one.body for one in call.seen if one.line.startswith("sendmsg")]
    assert played == "%{system(id)}  exit"


def test_a_flow_with_a_bug_ends_its_own_call_only(
    served: Callable[..., Served], caplog: pytest.LogCaptureFixture
) -> None:
    def flow(session: OutboundSession) -> None:
        raise RuntimeError("a bug")

    serving = served(flow)
    for _ in range(2):
        assert serving.call().closed.wait(60)
    assert caplog.text.count("the flow of a call failed") == 2


def test_somebody_who_only_looks_whether_the_port_is_open_is_no_error(
    served: Callable[..., Served], caplog: pytest.LogCaptureFixture
) -> None:
    serving = served(taken)
    socket.create_connection(("127.0.0.1", serving.server.port)).close()
    with pytest.raises(OutboundSessionHasGoneAway):
        result(serving)
    assert caplog.text == ""


def test_more_calls_than_are_wanted_go_back_to_the_dialplan(served: Callable[..., Served]) -> None:
    over = Flag()
    serving = served(lambda session: over.wait(5), max_connections=1)
    first = serving.call()
    with gevent.Timeout(60):
        while not serving.results:
            gevent.sleep(0.005)
    assert serving.call().closed.wait(60)
    assert not first.closed.is_set()
    over.set()
    assert first.closed.wait(60)
