"""Who is played 40 ms of silence before the next voice, and who is not: a call with one agent costs what it did."""

from pathlib import Path
from typing import Any

import pytest

from contactcentre.pbx.asterisk.decoders import Decoders, takes_voices_for_late
from contactcentre.pbx.events import Cause
from contactcentre.pbx.legs import Legs


class Answered:
    def wait(self) -> None: ...


class Played:
    """What is sent; each playback ends at once, as its event comes before the answer is read."""

    def __init__(self, sounds: Path | None, version: str = "22.10.1~dfsg") -> None:
        self.to: list[str] = []
        self.legs = Legs(print)
        for channel in ("customer", "anna", "bert"):
            self.legs.bind(channel, lambda event: None)
        self.decoders = Decoders(self.send, self.legs, sounds)
        self.decoders.prepare(version)

    def send(self, method: str, path: str, query: dict[str, Any]) -> Answered:
        _, channel, _, playback = path.split("/")
        assert (method, query["media"].count("sound:")) == ("POST", 2)
        self.to.append(channel)
        self.playback = playback
        return Answered()

    def joins(self, *channels: str, there: tuple[str, ...] = (), bridge: str = "talk") -> list[str]:
        """To whom it is played for that; "..." = the move itself."""
        self.to.clear()
        with self.decoders.joining(bridge, channels, there):
            self.to.append("...")
        return self.to


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    monkeypatch.setattr("contactcentre.pbx.asterisk.decoders.PATIENCE", 0.0)
    return Played(tmp_path)


@pytest.mark.parametrize(("version", "so"), [("22.10.1~dfsg+~cs6", True), ("18.10.0~dfsg", True), ("22.4.1", False)])
def test_debians_and_ubuntus_builds_are_known_by_their_version(version: str, so: bool) -> None:
    assert takes_voices_for_late(version) is so


def test_a_recorded_call_with_one_agent_is_not_touched(played: Played) -> None:
    assert played.joins("customer", bridge="waiting-default-1") == ["..."]
    assert played.joins("customer", "anna") == ["..."]
    played.decoders.snooped("customer")
    assert played.joins("customer", bridge="waiting-default-1") == ["..."]


def test_nothing_is_played_on_other_builds_and_where_there_is_no_place_for_sounds(tmp_path: Path) -> None:
    for played in (Played(tmp_path, "22.4.1"), Played(None)):
        played.decoders.snooped("customer")
        assert played.joins("customer", "anna") == played.joins("bert", there=("customer", "anna")) == ["..."]
        with played.decoders.playing("customer"):
            pass
        assert played.to == ["..."]


def test_whoever_is_recorded_is_ready_before_the_next_agent_comes(played: Played) -> None:
    played.joins("customer", "anna")
    played.decoders.snooped("customer")
    assert played.joins("customer", "bert") == ["customer", "..."]


def test_an_agent_who_stays_is_ready_before_another_comes_and_one_who_met_nobody_need_not_be(played: Played) -> None:
    assert played.joins("anna") == ["..."]
    assert played.joins("customer", there=("anna",)) == ["..."]
    assert played.joins("bert", there=("anna",)) == ["anna", "..."]


def test_those_who_talk_are_interrupted_only_when_the_third_is_there(played: Played) -> None:
    played.joins("customer", "anna")
    assert played.joins("bert", there=("customer", "anna")) == ["...", "customer", "anna"]


def test_a_prompt_is_between_two_silences_for_the_recorded_alone(played: Played) -> None:
    with played.decoders.playing("customer"):
        played.to.append("prompt")
    assert played.to == ["prompt"]
    played.to.clear()
    played.decoders.snooped("customer")
    with played.decoders.playing("customer"):
        played.to.append("prompt")
    assert played.to == ["customer", "prompt", "customer"]


def test_its_end_is_nobody_elses_and_one_that_cannot_be_played_is_told(
    played: Played, caplog: pytest.LogCaptureFixture
) -> None:
    played.decoders.renew_soon(["customer"])
    assert played.legs.playing_to() == {"customer"}
    assert played.decoders.played("customer", played.playback, ok=False)
    assert not played.decoders.played("customer", played.playback, ok=True)
    assert "voices may be lost" in caplog.text


def test_that_somebody_hangs_up_in_the_middle_of_it_is_no_trouble(
    played: Played, caplog: pytest.LogCaptureFixture
) -> None:
    played.decoders.renew_soon(["customer"])
    played.legs.hang_up("customer", Cause.NORMAL)
    assert played.decoders.played("customer", played.playback, ok=False)
    assert caplog.text == ""


def test_of_one_who_has_hung_up_nothing_stays(played: Played) -> None:
    played.decoders.snooped("customer")
    played.decoders.renew_soon(["customer"])
    played.decoders.ended("customer")
    assert not played.decoders.played("customer", played.playback, ok=True)
    assert played.joins("customer", "anna") == ["..."]
