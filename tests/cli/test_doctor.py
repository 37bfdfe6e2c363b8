"""doctor, against a real Asterisk, PostgreSQL and Redis, in good health and with one thing wrong at a time."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from gevent.pywsgi import WSGIServer
from redis import Redis

from contactcentre.archive import KeySource
from contactcentre.cli import examine, examine_pbx, examine_phones, group, port
from contactcentre.domain.agents import Verb
from contactcentre.domain.site import Agent, Site
from contactcentre.domain.site import Settings as SiteSettings
from contactcentre.lab import Lab
from contactcentre.live import Live, connect
from contactcentre.settings import Settings
from contactcentre.store import Store

Findings = dict[str, dict[str, str]]


@pytest.fixture
def doctor(
    settings: Settings,
    redis: "Redis",
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    unused_port: int,
) -> Callable[[], tuple[int, Findings]]:
    monkeypatch.setenv("CONTACTCENTRE_WEB_PORT", str(unused_port))

    def ask() -> tuple[int, Findings]:
        status = group.run(["doctor", "--json"])
        return status, {one["subject"]: one for one in json.loads(capsys.readouterr().out)}

    return ask


@pytest.fixture
def pbx(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    info = lab.info()
    monkeypatch.setenv("CONTACTCENTRE_ARI_URL", info.ari_url)
    monkeypatch.setenv("CONTACTCENTRE_ARI_USER", info.ari_user)
    monkeypatch.setenv("CONTACTCENTRE_ARI_SECRET", info.ari_secret)
    return lab


def test_a_healthy_installation_has_nothing_to_repair(
    pbx: Lab, doctor: Callable[[], tuple[int, Findings]], database_url: str
) -> None:
    with Store(database_url) as store:
        store.migrate()
    status, found = doctor()
    assert [one for one in found.values() if one["level"] == "fail"] == []
    assert status == 0
    for subject in ("pbx version", "ari rights", "sounds", "redis", "postgresql", "schema", "recordings", "disk"):
        assert found[subject]["level"] == "ok", found[subject]
    for clock in ("PBX", "Redis", "PostgreSQL"):
        assert any(name.startswith("clock") and clock in name for name in found)
    assert "contactcentre up" in found["controller"]["advice"]
    assert all(one["advice"] for one in found.values() if one["level"] != "ok")


def test_the_controller_is_asked_for_its_signs_of_life_and_the_phones_of_who_is_on_duty(
    pbx: Lab, doctor: Callable[[], tuple[int, Findings]], redis: "Redis"
) -> None:
    def say(**more: object) -> None:
        redis.set("cc:node:node1", json.dumps({"node": "node1", "at": 0, "linked": True, **more}))

    live = Live(connect(Settings().redis_url or ""))
    live.change("anna", Verb.LOGIN, 1.0)
    assert "fallback queue" in doctor()[1]["controller"]["text"]
    say(unreachable=["ben"])
    _, found = doctor()
    assert found["controller"]["level"] == found["phones"]["level"] == "ok"
    say(unreachable=["anna", "ben"])
    _, found = doctor()
    assert found["phones"]["level"] == "warn"
    assert "of anna: not registered" in found["phones"]["text"]
    say(linked=False)
    status, found = doctor()
    assert (status, found["controller"]["level"]) == (1, "fail")


def test_a_pbx_that_cannot_light_lamps_or_puts_them_out_is_told(
    pbx: Lab,
    doctor: Callable[[], tuple[int, Findings]],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    running = {"app_minivm"}
    monkeypatch.setattr(examine_pbx, "module_runs", lambda ari, module: module in running)
    monkeypatch.setenv("CONTACTCENTRE_PBX_ETC_DIR", str(tmp_path))

    def lamps() -> dict[str, str]:
        return doctor()[1].get("message lamps", {})

    with Store(database_url) as store:
        store.migrate()
        store.save_site(Site(), "test")
        assert lamps()["level"] == "ok"
        (tmp_path / "voicemail.conf").write_text("[general]\n pollmailboxes = yes ; every 30 s\n")
        assert lamps()["level"] == "ok", "there is no voicemail that would read it"
        running.add("app_voicemail")
        assert "pollmailboxes" in lamps()["text"]
        running.clear()
        assert "app_minivm" in lamps()["text"]
        store.save_site(Site(settings=SiteSettings(message_lamp="off")), "test")
        assert lamps() == {}


def test_a_pbx_that_does_not_connect_to_us_though_it_is_to_is_told(
    pbx: Lab, doctor: Callable[[], tuple[int, Findings]], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = {"res_websocket_client"}
    monkeypatch.setattr(examine_pbx, "module_runs", lambda ari, module: module in running)
    with Store(database_url) as store:
        store.migrate()
    assert "link from the PBX" not in doctor()[1]
    monkeypatch.setenv("CONTACTCENTRE_ARI_LISTEN", "ws://127.0.0.1:8087")
    monkeypatch.setattr(examine_pbx, "ARI_APP", "of-nobody")
    found = doctor()[1]["link from the PBX"]
    assert (found["level"], "contactcentre apply" in found["advice"]) == ("fail", True)
    running.clear()
    found = doctor()[1]["link from the PBX"]
    assert (found["level"], "22.5" in found["advice"]) == ("fail", True)


def test_what_softphones_need_of_the_pbx_is_told(
    pbx: Lab,
    doctor: Callable[[], tuple[int, Findings]],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def said() -> dict[str, str]:
        return doctor()[1].get("softphones", {})

    with Store(database_url) as store:
        store.migrate()
        store.save_site(Site(agents={"anna": Agent()}), "test")
        assert said() == {}
        store.save_site(Site(agents={"anna": Agent(webrtc=True)}), "test")
        assert "CONTACTCENTRE_PHONE_URL" in said()["advice"]
        monkeypatch.setenv("CONTACTCENTRE_PHONE_URL", pbx.info().ws_url)
        monkeypatch.setenv("CONTACTCENTRE_PBX_ETC_DIR", pbx.info().etc_dir)
        assert (said()["level"], pbx.info().ws_url in said()["text"]) == ("ok", True), "the lab is ready"
        monkeypatch.setenv("CONTACTCENTRE_PBX_ETC_DIR", str(tmp_path))
        for text in ("", "[res_pjsip]\n; auth = memory\n[other]\nauth = memory\nauth = config,x\n"):
            (tmp_path / "sorcery.conf").write_text(text)
            assert (said()["level"], "sorcery.conf" in said()["text"]) == ("fail", True)
        (tmp_path / "sorcery.conf").write_text(examine_phones.SORCERY)
        assert said()["level"] == "ok"
        monkeypatch.setattr(examine_phones, "module_runs", lambda ari, module: module in examine_phones.NEEDED)
        assert (said()["level"], "Opus" in said()["text"]) == ("warn", True)
        monkeypatch.setattr(examine_phones, "module_runs", lambda ari, module: module != "res_srtp")
        assert "res_srtp" in said()["text"]


def test_which_modules_run_is_asked_of_the_pbx(pbx: Lab) -> None:
    ari = examine_pbx.Ari(Settings())
    assert [examine_pbx.module_runs(ari, module) for module in ("app_minivm", "app_voicemail", "app_nothing")] == [
        True,
        False,
        False,
    ]


def test_without_a_pbx_it_says_which_settings_name_one(doctor: Callable[[], tuple[int, Findings]]) -> None:
    status, found = doctor()
    assert status == 1
    assert "CONTACTCENTRE_ARI_URL" in found["pbx"]["advice"]


def test_a_wrong_secret_is_told_from_a_dead_pbx(
    pbx: Lab, doctor: Callable[[], tuple[int, Findings]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTACTCENTRE_ARI_SECRET", "wrong")
    status, found = doctor()
    assert status == 1
    assert "user or secret is wrong" in found["pbx"]["advice"]
    monkeypatch.setenv("CONTACTCENTRE_ARI_URL", "http://127.0.0.1:9")
    status, found = doctor()
    assert status == 1
    assert "cannot be reached" in found["pbx"]["text"]


def test_a_redis_and_a_postgresql_that_are_away_are_findings_and_not_crashes(
    doctor: Callable[[], tuple[int, Findings]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:s3cret@127.0.0.1:9/0")
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg://me:s3cret@127.0.0.1:9/x")
    status, found = doctor()
    assert status == 1
    assert found["redis"]["level"] == found["postgresql"]["level"] == "fail"
    assert "s3cret" not in json.dumps(found)


def test_recordings_that_others_can_read_are_a_failure(
    settings: Settings, doctor: Callable[[], tuple[int, Findings]]
) -> None:
    settings.recordings_dir.chmod(0o755)
    status, found = doctor()
    assert status == 1
    assert found["recordings"]["advice"] == f"chmod 700 {settings.recordings_dir}"


def test_a_taken_port_is_told(doctor: Callable[[], tuple[int, Findings]], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("CONTACTCENTRE_WEB_PORT", str(other.getsockname()[1]))
        _, found = doctor()
    assert found["dashboard"]["level"] == "warn"
    assert "CONTACTCENTRE_WEB_PORT" in found["dashboard"]["advice"]


@pytest.mark.parametrize(
    ("parts", "level", "said"),
    [
        ({"redis": True, "postgresql": True}, "ok", "answers at http://127.0.0.1:"),
        ({"redis": False, "postgresql": True}, "fail", "is not ready: redis away"),
        (None, "warn", "is taken by another program"),
    ],
)
def test_what_answers_at_the_dashboards_port_is_asked_who_it_is(
    doctor: Callable[[], tuple[int, Findings]],
    monkeypatch: pytest.MonkeyPatch,
    parts: dict[str, bool] | None,
    level: str,
    said: str,
) -> None:
    def answer(environ: object, start: Callable[[str, list[tuple[str, str]]], object]) -> list[bytes]:
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"parts": parts} if parts else ["a printer"]).encode()]

    server = WSGIServer(("127.0.0.1", 0), answer, log=None)
    server.start()
    monkeypatch.setenv("CONTACTCENTRE_WEB_PORT", str(server.server_port))
    _, found = doctor()
    server.stop()
    assert found["dashboard"]["level"] == level
    assert said in found["dashboard"]["text"]


def test_web_and_up_say_at_once_that_their_port_is_taken(
    settings: Settings, pbx: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(port, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("CONTACTCENTRE_WEB_PORT", str(other.getsockname()[1]))
        assert group.run(["up"]) == 1
    assert "is taken by another program: stop that, or set CONTACTCENTRE_WEB_PORT" in capsys.readouterr().err
    with pytest.raises(port.PortTaken, match=r"cannot listen on 203\.0\.113\.1"):
        port.must_be_free(Settings(web_bind="203.0.113.1"))


@pytest.mark.parametrize(("seconds", "level"), [(0.4, "ok"), (-5.0, "warn"), (31.0, "fail")])
def test_clocks_that_differ_are_judged_by_how_much(seconds: float, level: str) -> None:
    assert examine.judged("clock", seconds, "the PBX's").level == level


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("22.10.1~dfsg", "ok"),
        ("20.4.0", "ok"),
        ("certified/20.7-cert2", "ok"),
        ("18.26.4", "warn"),
        ("16.2.1", "fail"),
        ("GIT-master", "warn"),
    ],
)
def test_versions_of_asterisk_are_judged(version: str, level: str) -> None:
    (finding,) = examine_pbx._asterisk(version)
    assert finding.level == level


def test_secrets_that_others_can_read_are_a_failure(
    settings: Settings, doctor: Callable[[], tuple[int, Findings]]
) -> None:
    (settings.state_dir / "contactcentre.env").write_text("")
    (settings.state_dir / "contactcentre.env").chmod(0o644)
    status, found = doctor()
    assert status == 1
    assert found["secrets"]["advice"] == f"chmod 600 {settings.state_dir}/contactcentre.env"


def test_a_lost_or_open_key_file_is_found(
    settings: Settings, doctor: Callable[[], tuple[int, Findings]], database_url: str
) -> None:
    with Store(database_url) as store:
        store.migrate()
        assert "in the clear" in doctor()[1]["recording keys"]["text"]
        source = KeySource.of(settings)
        source.add("first")
        assert doctor()[1]["recording keys"]["level"] == "ok"
        store.keep_data_key("r1", *source.read().wrap("r1", bytes(32)))
        source.file.chmod(0o644)
        assert "chmod 600" in doctor()[1]["recording keys"]["text"]
        source.file.unlink()
        status, found = doctor()
        assert (status, found["recording keys"]["level"]) == (1, "fail")
        assert "1 recordings need keys that are not here: first" in found["recording keys"]["text"]
        store.destroy_data_key("r1")
