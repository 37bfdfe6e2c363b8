import wave
from pathlib import Path

import pytest
from pydantic import SecretStr

from contactcentre.archive import BadName
from contactcentre.lab import Lab, LabInfo
from contactcentre.settings import Settings
from contactcentre.tasks.pbx_files import AriFiles, LocalFiles, PbxAway, PbxFiles, pbx_files
from tests.tasks.waves import tone


@pytest.fixture
def asterisk(lab: Lab) -> LabInfo:
    return lab.info()


@pytest.fixture(params=["directory", "ari"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[PbxFiles, Path]:
    """A way to the PBX's files, and the directory in which they lie: a plain one, and a real Asterisk's over
    ARI."""
    if request.param == "directory":
        (tmp_path / "pbx").mkdir()
        return LocalFiles(tmp_path / "pbx"), tmp_path / "pbx"
    asterisk: LabInfo = request.getfixturevalue("asterisk")
    ari = AriFiles(asterisk.ari_url, asterisk.ari_user, asterisk.ari_secret, tmp_path / "fetched")
    return ari, Path(asterisk.recordings_dir)


def test_a_file_is_got_listed_and_deleted(files: tuple[PbxFiles, Path]) -> None:
    way, directory = files
    original = tone(directory / "s-test-left.wav", 440, 2)
    content = original.read_bytes()
    got = way.get("s-test-left")
    assert got is not None
    assert got.read_bytes() == content
    assert "s-test-left" in list(way.names())
    way.delete("s-test-left")
    way.delete("s-test-left")
    assert not original.exists()
    assert not got.exists()
    assert way.get("s-test-left") is None


@pytest.mark.parametrize("name", ["../secret", "a/b", "", ".hidden", "a\0b", "x?y=1", "a" * 101])
def test_a_name_that_leads_elsewhere_is_refused(files: tuple[PbxFiles, Path], name: str) -> None:
    way, _ = files
    with pytest.raises(BadName):
        way.get(name)
    with pytest.raises(BadName):
        way.delete(name)


def test_a_pbx_that_is_away_or_refuses_us_means_later(asterisk: LabInfo, tmp_path: Path) -> None:
    with pytest.raises(PbxAway, match="cannot be asked"):
        AriFiles("http://127.0.0.1:1", "x", "y", tmp_path).get("name")
    with pytest.raises(PbxAway, match="401"):
        AriFiles(asterisk.ari_url, "x", "y", tmp_path).get("name")


def test_the_settings_decide_the_way(tmp_path: Path) -> None:
    bare = Settings(state_dir=tmp_path)
    assert pbx_files(bare, tmp_path) is None
    local = Settings(state_dir=tmp_path, pbx_recordings_dir=tmp_path)
    assert isinstance(pbx_files(local, tmp_path), LocalFiles)
    remote = Settings(
        state_dir=tmp_path,
        ari_url="http://10.0.0.1:8088",
        ari_user="u",
        ari_secret=SecretStr("s"),
        pbx_recordings_dir=tmp_path / "not here",
    )
    assert isinstance(pbx_files(remote, tmp_path), AriFiles)


def test_a_file_of_both_sides_of_a_call_is_parted_when_one_is_asked_for(tmp_path: Path) -> None:
    both = tmp_path / "tap-1.stereo.wav"
    with wave.open(str(both), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\1\0\2\0" * 5)
    (tmp_path / "broken.stereo.wav").write_text("no sound")
    files = LocalFiles(tmp_path)
    assert list(files.names()) == ["broken-left", "broken-right", "tap-1-left", "tap-1-right"]
    right = files.get("tap-1-right")
    assert right is not None
    assert right.read_bytes().endswith(b"\2\0" * 5)
    assert files.get("broken-left") is None
    files.delete("tap-1-right")
    files.delete("tap-1-right")
    assert files.get("tap-1-right") is None
    left = files.get("tap-1-left")
    assert left is not None
    assert left.read_bytes().endswith(b"\1\0" * 5)
    assert not both.exists()
