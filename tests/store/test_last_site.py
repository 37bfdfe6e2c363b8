import json
from pathlib import Path
from stat import S_IMODE

import pytest

from contactcentre.domain.site import Site
from contactcentre.store import Store, StoreUnavailable
from contactcentre.store.last_site import NAME, LastSite

NOWHERE = "postgresql+psycopg://contactcentre@/contactcentre?host=/nowhere"
SITE = Site.model_validate({"agents": {"anna": {}}, "queues": {"support": {"agents": ["anna"]}}})


@pytest.fixture
def away() -> Store:
    return Store(NOWHERE)


def test_what_the_store_said_is_known_while_it_is_away(store: Store, away: Store, tmp_path: Path) -> None:
    version = store.save_site(SITE, by="test")
    store.set_secret("ari/contactcentre", "pssst")
    known = LastSite(store, tmp_path)
    assert known.site() == (version, SITE)
    assert known.secret("ari/contactcentre") == "pssst"
    assert not known.from_file
    later = LastSite(away, tmp_path)
    assert later.site() == (version, SITE)
    assert later.secret("ari/contactcentre") == "pssst"
    assert later.from_file
    with pytest.raises(StoreUnavailable):
        later.newest()


def test_a_newer_version_takes_the_place_of_an_older_one(store: Store, away: Store, tmp_path: Path) -> None:
    store.save_site(Site(), by="test")
    LastSite(store, tmp_path).site()
    version = store.save_site(SITE, by="test")
    LastSite(store, tmp_path).newest()
    assert LastSite(away, tmp_path).site() == (version, SITE)


def test_the_file_is_for_its_owners_eyes_only(store: Store, tmp_path: Path) -> None:
    store.save_site(SITE, by="test")
    LastSite(store, tmp_path).site()
    assert S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [NAME], "no draft is left"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", json.dumps({"version": 3, "site": {"agents": 7}, "secrets": None}), json.dumps({"site": {}})],
)
def test_a_file_that_cannot_be_understood_is_as_good_as_none(away: Store, tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    known = LastSite(away, tmp_path)
    with pytest.raises(StoreUnavailable):
        known.site()
    with pytest.raises(StoreUnavailable):
        known.secret("ari/contactcentre")


def test_a_file_that_cannot_be_understood_is_replaced(store: Store, away: Store, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("{")
    version = store.save_site(SITE, by="test")
    assert LastSite(store, tmp_path).site() == (version, SITE)
    assert LastSite(away, tmp_path).site() == (version, SITE)


def test_a_directory_that_cannot_be_written_costs_nothing_but_the_copy(store: Store, tmp_path: Path) -> None:
    version = store.save_site(SITE, by="test")
    assert LastSite(store, tmp_path / "not there").site() == (version, SITE)
