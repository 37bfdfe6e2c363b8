"""A PBX that somebody else set up: an address and its directory are all that must be named, `apply` does the rest."""

import json
import re
from pathlib import Path

import pytest

from contactcentre.cli import group
from contactcentre.cli.context import knowing_the_pbx
from contactcentre.settings import Settings
from contactcentre.store import Store
from tests.cli.test_provisioning import Console, console, database_url
from tests.provision.sites import document

__all__ = ["console", "database_url"]


@pytest.fixture
def pbx(console: Console, monkeypatch: pytest.MonkeyPatch, unused_port: int) -> Console:
    """The lab's Asterisk, without an ARI user of ours, named as one names one's own PBX."""
    info = console.lab.info()
    users = Path(info.etc_dir, "ari.conf")
    users.write_text(re.sub(r"(?ms)^\[contactcentre\].*?(?=^\[|^#|\Z)", "", users.read_text()))
    console.lab.rx("module reload res_ari.so")
    monkeypatch.setenv("CONTACTCENTRE_ARI_URL", info.ari_url)
    monkeypatch.setenv("CONTACTCENTRE_PBX_ETC_DIR", info.etc_dir)
    monkeypatch.setenv("CONTACTCENTRE_WEB_PORT", str(unused_port))
    return console


def doctor(console: Console) -> dict[str, dict[str, str]]:
    group.run(["doctor", "--json"])
    return {one["subject"]: one for one in json.loads(console.capsys.readouterr().out)}


def _status(console: Console) -> str:
    assert group.run(["status"]) == 1  # nothing runs but the PBX
    return console.capsys.readouterr().out


def test_the_password_that_apply_made_is_used_without_being_copied_anywhere(pbx: Console) -> None:
    before = doctor(pbx)
    assert "contactcentre apply" in before["pbx"]["advice"]
    assert "`contactcentre apply` makes one" in pbx("up", fails=2)
    plan = pbx("plan", pbx.site_file(document()))
    assert "contactcentre/ari.conf" in plan
    pbx("apply", pbx.site_file(document()), "--yes")
    found = doctor(pbx)
    assert found["ari rights"]["level"] == "ok"
    with Store(Settings().database_url or "") as store:
        secret = store.secret("ari/contactcentre")
    assert secret
    assert secret not in plan
    assert "no controller connected" in _status(pbx)


def test_a_password_that_the_settings_name_goes_before_the_stored_one(
    settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(database_url) as store:
        store.migrate()
        monkeypatch.setenv("CONTACTCENTRE_ARI_URL", "http://127.0.0.1:8088")
        assert knowing_the_pbx(Settings(), store).ari_secret is None
        store.set_secret("ari/contactcentre", "made-by-apply")
        known = knowing_the_pbx(Settings(), store)
        assert known.ari_user == "contactcentre"
        assert known.ari_secret is not None
        assert known.ari_secret.get_secret_value() == "made-by-apply"
        assert "made-by-apply" not in repr(known)
        monkeypatch.setenv("CONTACTCENTRE_ARI_USER", "another")
        assert knowing_the_pbx(Settings(), store).ari_secret is None
        monkeypatch.setenv("CONTACTCENTRE_ARI_USER", "contactcentre")
        monkeypatch.setenv("CONTACTCENTRE_ARI_SECRET", "named")
        known = knowing_the_pbx(Settings(), store)
        assert known.ari_secret is not None
        assert known.ari_secret.get_secret_value() == "named"
