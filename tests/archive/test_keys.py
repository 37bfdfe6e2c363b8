"""Where master keys come from, and what they open."""

import base64
from pathlib import Path

import pytest

from contactcentre.archive import BadKeys, KeySource, LostKey

ONE, OTHER = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def test_the_last_key_wraps_and_older_ones_still_open(tmp_path: Path) -> None:
    source = KeySource(tmp_path / "keys")
    assert source.read().current == ""
    source.add("one")
    master, wrapped = source.read().wrap("r1", b"k" * 32)
    source.add("two")
    ring = source.read()
    assert (master, ring.current) == ("one", "two")
    assert ring.unwrap("r1", master, wrapped) == b"k" * 32
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600


def test_a_wrapped_key_opens_no_other_recording_and_not_with_another_master_key(tmp_path: Path) -> None:
    ring = KeySource(tmp_path / "keys", text=f"one {ONE};two {OTHER}").read()
    master, wrapped = ring.wrap("r1", b"k" * 32)
    assert master == "two"
    for name, key in (("r2", "two"), ("r1", "one")):
        with pytest.raises(LostKey):
            ring.unwrap(name, key, wrapped)
    with pytest.raises(LostKey, match="'gone', which is not in CONTACTCENTRE_RECORDING_KEYS"):
        ring.unwrap("r1", "gone", wrapped)


@pytest.mark.parametrize("text", ["one", "one short", f"One {ONE}", f"one {ONE}\none {OTHER}", f"one {ONE}x"])
def test_a_key_file_that_is_not_as_it_should_be_names_the_line_and_no_key(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys"
    file.touch(0o600)
    file.write_text(f"# ours\n\n{text}\n")
    with pytest.raises(BadKeys, match=r"keys, line [34]: want") as wrong:
        KeySource(file).read()
    assert ONE not in str(wrong.value)


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    source = KeySource(tmp_path / "keys")
    source.add("one")
    source.file.chmod(0o640)
    with pytest.raises(BadKeys, match="open to other users"):
        source.read()


def test_a_key_is_added_to_a_file_whose_last_line_somebody_left_open(tmp_path: Path) -> None:
    source = KeySource(tmp_path / "keys")
    source.file.touch(0o600)
    source.file.write_text(f"one {ONE}")
    source.add("two")
    assert list(source.read().keys) == ["one", "two"]


def test_a_command_prints_the_keys_without_a_shell(tmp_path: Path) -> None:
    printed = tmp_path / "printed"
    printed.write_text(f"one {ONE}\n")
    assert KeySource(tmp_path / "keys", command=f"cat {printed}").read().current == "one"
    for bad in ("false", "cat /nothing/there", "no-such-program", f"cat {printed}; true"):
        with pytest.raises(BadKeys, match="RECORDING_KEYS_COMMAND"):
            KeySource(tmp_path / "keys", command=bad).read()
    with pytest.raises(BadKeys, match="do not come from a file"):
        KeySource(tmp_path / "keys", command=f"cat {printed}").add("two")


def test_no_key_is_in_a_repr(tmp_path: Path) -> None:
    source = KeySource(tmp_path / "keys", text=f"one {ONE}")
    assert ONE not in repr(source)
    assert repr(bytes([1]) * 32) not in repr(source.read())
