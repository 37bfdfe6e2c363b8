"""Settings: where they come from, what is refused, and that secrets do not show."""

import json
import stat
import threading
from pathlib import Path

import pytest

from contactcentre.settings import Settings, SettingsError, without_password


def test_the_environment_beats_the_file_of_the_state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "contactcentre.env").write_text("CONTACTCENTRE_NODE=paris\nREDIS_URL=redis://cache/0\n")
    assert Settings(state_dir=tmp_path).node == "paris"
    monkeypatch.setenv("CONTACTCENTRE_NODE", "lyon")
    settings = Settings(state_dir=tmp_path)
    assert settings.node == "lyon"
    assert settings.redis_url == "redis://cache/0"


def test_the_lab_is_the_pbx_when_no_other_is_named(tmp_path: Path) -> None:
    assert Settings(state_dir=tmp_path).ari_url is None
    (tmp_path / "lab").mkdir()
    known = {
        "ari_url": "http://127.0.0.1:1/ari",
        "ari_user": "u",
        "ari_secret": "s3cret",
        "etc_dir": "/lab/etc",
        "recordings_dir": "/lab/rec",
    }
    (tmp_path / "lab/lab.json").write_text(json.dumps(known))
    settings = Settings(state_dir=tmp_path)
    assert settings.ari_url == "http://127.0.0.1:1/ari"
    assert settings.ari_secret is not None
    assert settings.ari_secret.get_secret_value() == "s3cret"
    assert settings.pbx_etc_dir == Path("/lab/etc")
    other = Settings(state_dir=tmp_path, ari_url="http://pbx:8088", ari_user="me")
    assert (other.ari_url, other.ari_user, other.ari_secret) == ("http://pbx:8088", "me", None)


def test_the_labs_freeswitch_is_the_pbx_when_that_is_the_kind(tmp_path: Path) -> None:
    assert Settings(state_dir=tmp_path, pbx="freeswitch").esl_address is None
    (tmp_path / "lab-freeswitch").mkdir()
    known = {
        "esl_host": "127.0.0.1",
        "esl_port": 18021,
        "esl_password": "s3cret",
        "etc_dir": "/lab/etc",
        "recordings_dir": "/lab/rec",
    }
    (tmp_path / "lab-freeswitch/lab.json").write_text(json.dumps(known))
    settings = Settings(state_dir=tmp_path, pbx="freeswitch")
    assert settings.esl_address == "127.0.0.1:18021"
    assert settings.esl_secret is not None
    assert settings.esl_secret.get_secret_value() == "s3cret"
    assert (settings.pbx_etc_dir, settings.pbx_recordings_dir) == (Path("/lab/etc"), Path("/lab/rec"))
    assert settings.ari_url is None
    assert Settings(state_dir=tmp_path).esl_address is None, "the lab's Asterisk is meant"
    other = Settings(state_dir=tmp_path, pbx="freeswitch", esl_address="pbx:8021")
    assert (other.esl_address, other.esl_secret) == ("pbx:8021", None)


def test_no_secret_shows_in_a_repr(tmp_path: Path) -> None:
    secret_file = tmp_path / "ari"
    secret_file.write_text("s3cret\n")
    settings = Settings(
        state_dir=tmp_path,
        database_url="postgresql://me:s3cret@db/x",
        redis_url="redis://:s3cret@cache/0",
        ari_secret_file=secret_file,
    )
    assert settings.ari_secret is not None
    assert settings.ari_secret.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings) + str(settings)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"node": "Nœud 1"}, "CONTACTCENTRE_NODE"),
        ({"web_port": 70000}, "CONTACTCENTRE_WEB_PORT 70000"),
        ({"ari_url": "pbx:8088"}, "must look like http://HOST:PORT"),
        ({"ari_url": "http://u:s3cret@pbx"}, "without user and password"),
        ({"ari_listen": "127.0.0.1:8087"}, "CONTACTCENTRE_ARI_LISTEN"),
        ({"ari_listen": "ws://10.0.0.5:8087"}, "must be wss:// unless it is on loopback"),
        ({"ari_listen": "wss://0.0.0.0:8087"}, "must name the address that the PBX connects to"),
        ({"ari_secret_file": Path("/nowhere/at/all")}, "/nowhere/at/all"),
        ({"log_level": "loud"}, "'loud'"),
        ({"database_url": "mysql://u:s3cret@db/x"}, "DATABASE_URL: must begin with postgresql://"),
        ({"redis_url": "s3cret@host"}, "REDIS_URL: must begin with redis://"),
    ],
)
def test_a_wrong_setting_is_named_with_its_rule_and_no_secret(
    tmp_path: Path, values: dict[str, object], said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(state_dir=tmp_path, **values)
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_directory_that_cannot_be_made_is_named_with_the_setting_that_names_another(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"file/x cannot be made: Not a directory; CONTACTCENTRE_RECORDINGS_DIR"):
        Settings(state_dir=tmp_path, recordings_dir=tmp_path / "file/x").prepare()


def test_all_processes_that_race_for_the_secret_key_get_the_same_one(tmp_path: Path) -> None:
    keys: list[str] = []
    threads = [threading.Thread(target=lambda: keys.append(Settings(state_dir=tmp_path).secret_key)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(keys) == 8
    assert len(set(keys)) == 1
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob("secret_key*")] == ["secret_key"]


def test_recordings_are_closed_to_others_and_prompts_are_not(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state").prepare()
    assert stat.S_IMODE(settings.recordings_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(settings.prompts_dir.stat().st_mode) & 0o005 == 0o005


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:pw@h/0", "redis://:***@h/0"),
        ("postgresql+psycopg://u:p%40w@h/d", "postgresql+psycopg://u:***@h/d"),
        ("see http://u:pw@h/ there", "see http://u:***@h/ there"),
        ("http://h:8088/a@b", "http://h:8088/a@b"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown
