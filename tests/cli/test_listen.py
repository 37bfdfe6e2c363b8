"""Who is whose mentor, by command."""

import json

import pytest

from contactcentre.cli import group
from contactcentre.domain.site import Agent, Site
from contactcentre.embedded import Services
from contactcentre.store import Store


@pytest.fixture
def site(
    services: Services,
    redis: object,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    monkeypatch.setenv("CONTACTCENTRE_STATE_DIR", str(tmp_path_factory.mktemp("state")))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", services.redis_url)
    with Store(database_url) as store:
        store.migrate()
        store.save_site(Site(agents={"anna": Agent(mentor="sue"), "bert": Agent(), "sue": Agent()}), "test")


def coaches(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[tuple[str, str, str]]:
    assert group.run(["listen", *arguments, "--json"]) == 0
    return [(one["agent"], one["mentor"], one["mode"]) for one in json.loads(capsys.readouterr().out)]


def test_a_mentor_is_assigned_taken_back_and_the_site_counts_again(
    site: None, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = [("anna", "sue", "whisper")]
    assert coaches(capsys, "coaches") == usual
    assert coaches(capsys, "coach", "sue", "bert", "--mode", "listen") == [*usual, ("bert", "sue", "listen")]
    assert coaches(capsys, "coach-end", "bert") == usual
    assert coaches(capsys, "coach", "bert", "anna") == [("anna", "bert", "whisper")]
    assert coaches(capsys, "coach-end", "anna") == [], "also where the site says somebody"
    assert coaches(capsys, "coach", "sue", "anna") == usual


def test_nobody_is_their_own_mentor_nor_a_stranger_anybodys(site: None, capsys: pytest.CaptureFixture[str]) -> None:
    for mentor, agent in (("sue", "sue"), ("nobody", "anna"), ("sue", "nobody")):
        assert group.run(["listen", "coach", mentor, agent]) == 2
        assert capsys.readouterr().err


def test_who_listens_is_asked_of_controllers_and_nobody_does_where_none_runs(
    site: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert group.run(["listen", "list"]) == 0
    assert "Nobody listens" in capsys.readouterr().out
    assert group.run(["listen", "start", "anna", "--phone", "bert"]) == 2
    assert "no controller runs" in capsys.readouterr().err
    assert group.run(["listen", "stop", "0190"]) == 2
    assert "no supervision has this id" in capsys.readouterr().err
