"""Which PBX a controller drives is a setting, and what is missing is said."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from contactcentre.controller.build import pbx_of
from contactcentre.pbx.asterisk import AsteriskPbx
from contactcentre.pbx.freeswitch.driver import FreeSwitchPbx
from contactcentre.settings import Settings, SettingsError


def freeswitch(tmp_path: Path, **values: object) -> Settings:
    return Settings(state_dir=tmp_path, pbx="freeswitch", **values)


def test_freeswitch_is_driven_where_the_settings_say_so(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a-secret\n")
    named = {"esl_address": "127.0.0.1:8021", "pbx_recordings_dir": tmp_path}
    settings = freeswitch(tmp_path, **named, esl_secret_file=tmp_path / "secret")
    assert settings.esl_secret == SecretStr("a-secret")
    assert isinstance(pbx_of(settings), FreeSwitchPbx)
    assert "a-secret" not in repr(settings)
    other = Settings(state_dir=tmp_path, ari_url="http://127.0.0.1:1", ari_user="a", ari_secret=SecretStr("b"))
    assert isinstance(pbx_of(other), AsteriskPbx)


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({}, "CONTACTCENTRE_ESL_ADDRESS"),
        ({"esl_address": "127.0.0.1:8021"}, "CONTACTCENTRE_ESL_SECRET_FILE"),
        ({"esl_address": "127.0.0.1:8021", "esl_secret": "x"}, "CONTACTCENTRE_PBX_RECORDINGS_DIR"),
    ],
)
def test_what_the_settings_do_not_say_is_asked_for_by_name(
    tmp_path: Path, values: dict[str, str], missing: str
) -> None:
    with pytest.raises(SettingsError, match=missing):
        pbx_of(freeswitch(tmp_path, **values))


@pytest.mark.parametrize("address", ["127.0.0.1", "http://h:1", "h:port", "a b:1"])
def test_an_address_of_freeswitch_that_is_none_is_named(tmp_path: Path, address: str) -> None:
    with pytest.raises(SettingsError, match="CONTACTCENTRE_ESL_ADDRESS"):
        freeswitch(tmp_path, esl_address=address)
