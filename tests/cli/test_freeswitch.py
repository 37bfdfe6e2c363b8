"""`pbx: freeswitch` in the site: provisioning, doctor and status go to a real FreeSWITCH."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contactcentre.cli import group
from contactcentre.cli.context import which_pbx
from contactcentre.cli.examine_freeswitch import softphones, version
from contactcentre.domain.site import Site
from contactcentre.lab import FreeswitchLab, can_have_freeswitch
from contactcentre.provision import parse
from contactcentre.settings import Settings, SettingsError
from contactcentre.store import Store
from tests.cli.test_existing_pbx import doctor
from tests.cli.test_provisioning import Console, database_url
from tests.plugins.lab import running
from tests.provision.sites import document

__all__ = ["database_url"]


@pytest.fixture(scope="module")
def freeswitch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeswitchLab]:
    yield from running(FreeswitchLab(tmp_path_factory.mktemp("cli-freeswitch")), can_have_freeswitch())


@pytest.fixture
def at_freeswitch(
    freeswitch: FreeswitchLab,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    unused_port: int,
) -> Iterator[Console]:
    """The addresses of a FreeSWITCH are set; that it is one is for the site to say."""
    info = freeswitch.info()
    monkeypatch.setenv("CONTACTCENTRE_ESL_ADDRESS", f"{info.esl_host}:{info.esl_port}")
    monkeypatch.setenv("CONTACTCENTRE_ESL_SECRET", info.esl_password)
    monkeypatch.setenv("CONTACTCENTRE_PBX_ETC_DIR", info.etc_dir)
    monkeypatch.setenv("CONTACTCENTRE_PBX_RECORDINGS_DIR", info.recordings_dir)
    monkeypatch.setenv("CONTACTCENTRE_WEB_PORT", str(unused_port))
    run = Console(settings, freeswitch, capsys, monkeypatch, tmp_path)
    yield run
    monkeypatch.setenv("CONTACTCENTRE_ESL_ADDRESS", f"{info.esl_host}:{info.esl_port}")
    monkeypatch.setenv("CONTACTCENTRE_ESL_SECRET", info.esl_password)
    group.run(["apply", "--rollback", "0", "--yes"])  # where a test has applied something


def site(**changes: Any) -> dict[str, Any]:
    return document(pbx="freeswitch", **changes)


def test_one_line_of_the_site_leads_plan_apply_rollback_doctor_and_status_to_freeswitch(at_freeswitch: Console) -> None:
    run = at_freeswitch
    refused = run("plan", run.site_file(document()), fails=2)
    assert "is FreeSWITCH's configuration, and nothing says `pbx: freeswitch`" in refused
    assert "dialplan/contactcentre.xml is made" in run("plan", run.site_file(site()))
    assert "Applied: the site is at version 1" in run("apply", run.site_file(site()), "--yes")
    assert run.json("plan")["empty"]
    found = doctor(run)
    for subject in ("pbx version", "pbx modules", "our dialplan", "sip profile internal", "clock of the PBX"):
        assert found[subject]["level"] == "ok", found[subject]
    assert "mod_conference" in found["pbx modules"]["text"]
    assert "bound to 127.0.0.1:" in found["event socket"]["text"]
    assert found["event socket"]["text"].endswith("open to loopback.auto")
    assert found["gateway carrier"]["level"] in ("ok", "warn")  # nobody answers at its address
    assert "pbx recordings" not in found
    assert group.run(["status"]) == 1  # nothing runs but the PBX
    assert f"FreeSWITCH {run.lab.info().version}, 1 gateways" in run.capsys.readouterr().out
    run("apply", "--rollback", "0", "--yes")
    assert not list(Path(run.lab.info().etc_dir).rglob("dialplan/**/contactcentre.xml"))


def test_what_freeswitch_lacks_is_told(at_freeswitch: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    run = at_freeswitch
    run("apply", run.site_file(site()), "--yes")
    etc = Path(run.lab.info().etc_dir)
    (etc / "sip_profiles/external/contactcentre.xml").write_text("<include/>")
    (etc / "dialplan/contactcentre.xml").write_text("<include/>")
    for command in ("reloadxml", "sofia profile internal killgw carrier", "unload mod_hash"):
        run.lab.rx(command)
    while "Invalid" not in run.lab.rx("sofia status gateway carrier"):
        run.lab.rx("msleep 100")
    found = doctor(run)
    run.lab.rx("load mod_hash")
    assert found["pbx modules"]["text"] == "not loaded: mod_hash (the controller's notes)"
    assert "the context contactcentre-in" in found["our dialplan"]["text"]
    assert found["gateway carrier"]["level"] == "fail"
    monkeypatch.setenv("CONTACTCENTRE_PBX_RECORDINGS_DIR", str(etc / "nowhere"))
    assert "nowhere is not there" in doctor(run)["pbx recordings"]["text"]
    run("apply", "--rollback", "0", "--yes")  # a gateway that somebody else took away is no reason to keep the rest


def test_a_wrong_password_and_a_dead_event_socket_are_told_apart(
    at_freeswitch: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTACTCENTRE_PBX", "freeswitch")
    monkeypatch.setenv("CONTACTCENTRE_ESL_SECRET", "wrong")
    assert "event_socket.conf.xml" in doctor(at_freeswitch)["pbx"]["advice"]
    monkeypatch.setenv("CONTACTCENTRE_ESL_ADDRESS", "127.0.0.1:9")
    assert "127.0.0.1:9" in doctor(at_freeswitch)["pbx"]["text"]
    assert group.run(["status"]) == 1
    assert "127.0.0.1:9" in at_freeswitch.capsys.readouterr().out
    monkeypatch.delenv("CONTACTCENTRE_ESL_ADDRESS")
    assert "CONTACTCENTRE_ESL_ADDRESS" in doctor(at_freeswitch)["pbx"]["advice"]


def test_site_and_setting_that_contradict_each_other_are_told_before_anything_is_done(
    at_freeswitch: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = at_freeswitch
    run("apply", run.site_file(site()), "--yes")
    monkeypatch.setenv("CONTACTCENTRE_PBX", "asterisk")
    for command in (("plan",), ("apply", "--yes"), ("status",), ("up",), ("controller",)):
        assert "the site says `pbx: freeswitch`, but CONTACTCENTRE_PBX is asterisk" in run(*command, fails=2)
    assert "the site says `pbx: freeswitch`" in doctor(run)["pbx"]["text"]
    monkeypatch.delenv("CONTACTCENTRE_PBX")


@pytest.mark.parametrize(
    ("site_says", "setting", "driven"),
    [
        (None, None, "asterisk"),
        (None, "freeswitch", "freeswitch"),
        ("freeswitch", None, "freeswitch"),
        ("asterisk", "asterisk", "asterisk"),
    ],
)
def test_the_site_says_which_pbx_and_else_the_setting(
    tmp_path: Path, site_says: str | None, setting: str | None, driven: str
) -> None:
    settings = Settings(state_dir=tmp_path, pbx=setting)
    assert which_pbx(settings, Site.model_validate({"pbx": site_says})) == driven
    if site_says is None:
        assert which_pbx(settings, None) == driven


@pytest.mark.parametrize(("site_says", "setting"), [("asterisk", "freeswitch"), ("freeswitch", "asterisk")])
def test_which_pbx_is_meant_is_not_guessed(tmp_path: Path, site_says: str, setting: str) -> None:
    with pytest.raises(SettingsError, match=f"`pbx: {site_says}`, but CONTACTCENTRE_PBX is {setting}"):
        which_pbx(Settings(state_dir=tmp_path, pbx=setting), Site.model_validate({"pbx": site_says}))


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ("FreeSWITCH Version 1.11.1-release+git~2026 (git c2c5964)", "ok"),
        ("FreeSWITCH Version 1.10.12-release~64bit", "ok"),
        ("FreeSWITCH Version 1.8.7", "fail"),
        ("-ERR version Command not found!", "warn"),
    ],
)
def test_versions_of_freeswitch_are_judged(said: str, level: str) -> None:
    assert version(said).level == level


def test_a_site_that_moves_to_another_pbx_is_applied_there_as_a_whole(
    at_freeswitch: Console,
) -> None:
    run = at_freeswitch
    with Store(Settings().database_url or "") as store:
        store.migrate()
        store.save_site(parse(document()), "test")  # as an apply to an Asterisk has left it
    plan = run("plan", run.site_file(site()))
    assert "+pbx: freeswitch" in plan
    assert "what was provisioned on asterisk stays there" in plan
    assert "killgw" not in plan
    assert "dialplan/contactcentre.xml is made" in plan


def test_what_softphones_need_of_freeswitch_is_told(at_freeswitch: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    run = at_freeswitch
    run("apply", run.site_file(site()), "--yes")
    assert "softphones" not in doctor(run)
    run("apply", run.site_file(site(agents__alice__webrtc=True)), "--yes")
    assert "CONTACTCENTRE_PHONE_URL" in doctor(run)["softphones"]["advice"]
    monkeypatch.setenv("CONTACTCENTRE_PHONE_URL", run.lab.info().ws_url)
    found = doctor(run)["softphones"]
    assert (found["level"], "mod_opus" in found["advice"]) == ("warn", True), "the lab has none"

    def told(answers: dict[str, str], **changes: Any) -> str:
        known = parse(site(agents__alice__webrtc=True, **changes))
        ask = lambda command: answers.get(command) or run.lab.rx(command)  # noqa: E731
        (one,) = softphones(ask, Settings(), known)
        return one.advice or one.text

    assert "wss-binding" in told({"sofia xmlstatus profile internal": "<profile-info/>"})
    assert run.lab.info().ws_url in told({"module_exists mod_opus": "true"})
    assert "contactcentre apply" in told({}, agents__bob__webrtc=True)
