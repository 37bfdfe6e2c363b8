"""Recordings that are encoded and sealed: what an authorised ear hears, and what nobody can hear."""

import io
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import soundfile

from contactcentre.archive import KeySource, LostKey, NotThere, Shelf, Tampered
from contactcentre.domain.contacts import Recording
from contactcentre.store import Store
from contactcentre.tasks import keeping
from contactcentre.tasks.keeping import MAKING, MAKING_SECONDS, Keeper
from contactcentre.tasks.pbx_files import LocalFiles
from tests.store.calls import DAY
from tests.tasks.test_keeping import Facts, Silent, ended, keep, pbx
from tests.tasks.waves import power


@pytest.fixture
def keys(tmp_path: Path) -> KeySource:
    source = KeySource(tmp_path / "keys")
    source.add("first")
    return source


@pytest.fixture
def keeper(store: Store, tmp_path: Path, keys: KeySource) -> Keeper:
    (tmp_path / "pbx").mkdir()
    shelf = Shelf(store, tmp_path / "recordings", keys)
    return Keeper(store, Facts(store), shelf, LocalFiles(tmp_path / "pbx"), "flac")


def kept(keeper: Keeper, recording: str = "r1") -> Recording:
    ended(keeper, recording, "left", "right")
    keep(keeper, recording)
    return keeper.store.recording(recording)[1]


def heard(keeper: Keeper, recording: Recording) -> bytes:
    with keeper.shelf.open(recording) as file:
        return file.read()


@pytest.mark.parametrize("form", ["wav", "flac", "opus"])
def test_each_form_is_stored_sealed_and_heard_as_it_was_said(keeper: Keeper, form: str) -> None:
    found = kept(replace(keeper, form=form))
    assert (found.path, found.seconds, found.channels) == (f"2026/11/23/r1.{form}.sealed", 2.5, 2)
    file = keeper.shelf.path(found)
    content = file.read_bytes()
    assert not any(mark in content for mark in (b"RIFF", b"fLaC", b"OggS"))
    assert (len(content), sha256(content).hexdigest()) == (found.bytes, found.file_sha256)
    assert file.stat().st_mode & 0o777 == 0o600
    sound = heard(keeper, found)
    assert sha256(sound).hexdigest() == found.sha256
    left, right = soundfile.read(io.BytesIO(sound), dtype="int16")[0].T
    assert power(left[:16000].tolist(), 440) > 0.95
    assert power(right[4000:].tolist(), 1000) > 0.95
    assert list(pbx(keeper).iterdir()) == []
    assert list((keeper.shelf.root / MAKING).iterdir()) == []


def test_doing_it_again_changes_nothing_wherever_the_first_try_died(keeper: Keeper) -> None:
    ended(keeper, "r1", "left", "right")
    replace(keeper, facts=Silent()).store_recording(*keeper.store.recording("r1"))  # the originals are gone
    (file,) = keeper.shelf.root.rglob("*.sealed")
    before = file.read_bytes()
    keep(replace(keeper, form="opus"))  # the setting was changed in between: what is there stays
    assert keeper.store.recording("r1")[1].state == "stored"
    assert file.read_bytes() == before


def test_one_that_dies_at_any_step_leaves_the_originals_and_nothing_in_the_clear(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    ended(keeper, "r1", "left", "right")
    for step in ("assemble", "encode", "seal"):
        with monkeypatch.context() as patched:
            patched.setattr(keeping, step, die)
            patched.setattr("shutil.rmtree", lambda *_, **__: None)  # nobody cleans up after a kill
            with pytest.raises(Killed):
                keep(keeper)
        assert len(list(pbx(keeper).iterdir())) == 2
    left = list((keeper.shelf.root / MAKING).iterdir())
    assert len(left) == 3
    later = time.time() + MAKING_SECONDS + 1
    monkeypatch.setattr(keeping.time, "time", lambda: later)
    keep(keeper)
    assert list((keeper.shelf.root / MAKING).iterdir()) == []
    assert keeper.store.recording("r1")[1].state == "stored"


def test_a_rewrapped_recording_opens_with_the_new_key_alone_and_its_file_is_untouched(
    keeper: Keeper, keys: KeySource
) -> None:
    found = [kept(keeper, f"r{n}") for n in range(3)]
    files = [keeper.shelf.path(one).read_bytes() for one in found]
    keys.add("second")
    assert keeper.shelf.rewrap(limit=2) == 2  # stopped here
    assert keeper.store.data_keys() == {"first": 1, "second": 2}
    assert (keeper.shelf.rewrap(), keeper.shelf.rewrap()) == (1, 0)
    keys.file.write_text("".join(line for line in keys.file.read_text().splitlines(True) if line.startswith("second")))
    alone = Shelf(keeper.store, keeper.shelf.root, keys)
    for one, file in zip(found, files, strict=True):
        assert alone.path(one).read_bytes() == file
        with alone.open(one) as sound:
            assert sha256(sound.read()).hexdigest() == one.sha256


def test_a_key_rotated_while_a_process_runs_is_found(keeper: Keeper, keys: KeySource) -> None:
    heard(keeper, kept(keeper))
    other = Shelf(keeper.store, keeper.shelf.root, keys)
    keys.add("second")
    other.rewrap()
    assert heard(keeper, keeper.store.recording("r1")[1])


def test_what_is_deleted_cannot_be_read_from_a_copy_of_its_file(keeper: Keeper) -> None:
    found = kept(keeper)
    path = keeper.shelf.path(found)
    backup = path.read_bytes()
    keeper.delete(keeper.store.recording("r1")[0], found, "request", "admin", DAY + 10)
    assert keeper.store.data_key("r1") is None
    path.write_bytes(backup)
    with pytest.raises(LostKey, match="not in the database"):
        keeper.shelf.open(found)
    with pytest.raises(NotThere, match="deleted"):
        keeper.shelf.open(keeper.store.recording("r1")[1])


def test_one_that_is_erased_while_it_is_being_stored_is_gone(keeper: Keeper) -> None:
    ended(keeper, "r1", "left", "right")
    contact_id, before = keeper.store.recording("r1")
    keeper.delete(contact_id, before, "request", "admin", DAY + 10)
    assert keeper.store_recording(contact_id, before) is None
    assert [path for path in keeper.shelf.root.rglob("*") if path.is_file()] == []
    assert keeper.store.data_key("r1") is None


def test_with_its_master_keys_lost_nothing_is_stored_in_the_clear_and_the_originals_wait(
    keeper: Keeper, keys: KeySource
) -> None:
    first = kept(keeper)
    keys.file.unlink()
    lost = Shelf(keeper.store, keeper.shelf.root, keys)
    with pytest.raises(LostKey, match="master key 'first'"):
        lost.open(first)
    ended(keeper, "r2", "left", "right")
    with pytest.raises(LostKey, match="bring the key file back"):
        keep(replace(keeper, shelf=lost), "r2")
    assert keeper.store.recording("r2")[1].state == "ended"
    assert len(list(pbx(keeper).iterdir())) == 2


def test_the_file_of_another_recording_is_not_taken_for_this_one(keeper: Keeper) -> None:
    one, other = kept(keeper, "r1"), kept(keeper, "r2")
    keeper.shelf.path(other).write_bytes(keeper.shelf.path(one).read_bytes())
    with pytest.raises(Tampered):
        heard(keeper, other)
