"""Messages' sound as the PBX gets it to play."""

import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from contactcentre.archive import KeySource, Shelf, seal
from contactcentre.controller.sounds import NoSound, Sounds
from contactcentre.store import Store
from contactcentre.tasks.encode import encode
from tests.pbx.spectrum import seconds, share, write_tone
from tests.store.test_boxes import left


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store(database_url) as store:
        store.migrate()
        with store._begin() as connection:
            connection.execute(sa.text("TRUNCATE event, recording_event, contact, recording, voicemail, recording_key"))
        yield store


@pytest.fixture
def shelf(store: Store, tmp_path: Path) -> Shelf:
    keys = KeySource(tmp_path / "keys")
    keys.add("first")
    (tmp_path / "recordings").mkdir()
    return Shelf(store, tmp_path / "recordings", keys)


def keep(store: Store, shelf: Shelf, form: str, sealed: bool = True) -> Path:
    """The message `m1`, two seconds of 400 Hz."""
    write_tone(plain := shelf.root / "m1.wav", 400, 2)
    path = encode(plain, form)
    if sealed:
        key = shelf.new_key("m1")
        assert key is not None
        sound, path = path.read_bytes(), path.with_name(f"{path.name}.sealed")
        with path.open("wb") as file:
            seal(io.BytesIO(sound), file, key, "m1")
    left(store, "m1", time.time() - 60, path=path.name)
    return path


@pytest.mark.parametrize("form", [".wav", ".flac", ".opus"])
@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "plain"])
def test_in_whatever_form_it_is_kept_the_pbx_reads_a_wav_as_long_as_it_is_played(
    store: Store, shelf: Shelf, tmp_path: Path, form: str, sealed: bool
) -> None:
    keep(store, shelf, form, sealed)
    with Sounds(store, shelf, tmp_path / "lent").lend("m1") as medium:
        copy = Path(f"{medium.removeprefix('sound:')}.wav")
        assert copy.parent == tmp_path / "lent"
        assert (copy.stat().st_mode & 0o777, copy.parent.stat().st_mode & 0o777) == (0o644, 0o711)
        assert share(copy, 400) > 0.8
        assert 1.9 < seconds(copy) < 2.1
    assert not copy.exists()


def test_what_was_changed_or_lost_its_key_is_not_played(store: Store, shelf: Shelf, tmp_path: Path) -> None:
    path = keep(store, shelf, ".wav")
    sounds, sealed = Sounds(store, shelf, tmp_path / "lent"), path.read_bytes()
    path.write_bytes(sealed[:5000] + b"\0" + sealed[5001:])
    with pytest.raises(NoSound, match="changed"), sounds.lend("m1"):
        pass
    path.write_bytes(sealed)
    store.destroy_data_key("m1")
    with pytest.raises(NoSound, match="key"), sounds.lend("m1"):
        pass
    assert not list((tmp_path / "lent").glob("*"))
    with pytest.raises(NoSound, match="no recording"), sounds.lend("m2"):
        pass


def test_a_file_that_is_no_sound_is_not_played(store: Store, shelf: Shelf, tmp_path: Path) -> None:
    keep(store, shelf, ".flac", sealed=False).write_bytes(b"no sound at all")
    with pytest.raises(NoSound, match="not unpacked"), Sounds(store, shelf, tmp_path / "lent").lend("m1"):
        pass


def test_copies_that_a_killed_controller_left_are_gone_when_the_next_one_comes(
    store: Store, shelf: Shelf, tmp_path: Path
) -> None:
    (tmp_path / "lent").mkdir()
    (tmp_path / "lent" / "0123.wav").touch()
    Sounds(store, shelf, tmp_path / "lent")
    assert not (tmp_path / "lent").exists()
