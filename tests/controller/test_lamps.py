"""Message lamps, on a PBX in memory."""

import time

import pytest

from contactcentre.controller import lamps
from contactcentre.domain.voicemail import BoxCount
from contactcentre.live import BoxCounts
from contactcentre.pbx.errors import Deadline
from tests.controller.world import SITE, World
from tests.waiting import eventually


@pytest.fixture
def lit(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Everybody's lamp is out."""
    monkeypatch.setattr(lamps, "RETRY", 0.05)
    shows(world, anna=(0, 0), bert=(0, 0))
    return world


def shows(world: World, **counts: tuple[int, int]) -> None:
    eventually(lambda: world.pbx.lamps == counts, f"{counts}, not {world.pbx.lamps}")


def tell(world: World, **counts: tuple[int, int]) -> None:
    BoxCounts(world.redis).tell({box: BoxCount(new, old, time.time()) for box, (new, old) in counts.items()})


def test_a_lamp_shows_the_own_box_and_those_of_the_agents_queues(lit: World) -> None:
    tell(lit, anna=(1, 0), one=(2, 1), two=(4, 0), told=(8, 0), ways=(16, 0))
    shows(lit, anna=(7, 1), bert=(10, 1))
    tell(lit, one=(1, 2), two=(4, 0))
    shows(lit, anna=(5, 2), bert=(1, 2))
    tell(lit)
    shows(lit, anna=(0, 0), bert=(0, 0))


@pytest.mark.parametrize(("lamp", "anna"), [("own", (1, 0)), ("off", (0, 0))])
def test_the_site_says_what_lights_it(
    lit: World, monkeypatch: pytest.MonkeyPatch, lamp: str, anna: tuple[int, int]
) -> None:
    settings = SITE.settings.model_copy(update={"message_lamp": lamp})
    monkeypatch.setitem(lit.changes, "settings", settings)
    lit.controller.node.configure(lit.configuration())
    tell(lit, anna=(1, 0), one=(2, 0))
    eventually(lambda: lit.controller.node.replica.boxes.keys() == {"anna", "one"}, "known")
    shows(lit, anna=anna, bert=(0, 0))


def test_a_killed_controllers_successor_puts_them_right(lit: World) -> None:
    tell(lit, anna=(1, 0))
    shows(lit, anna=(1, 0), bert=(0, 0))
    lit.kill()
    tell(lit, bert=(3, 0))
    assert lit.pbx.lamps["anna"] == (1, 0), "nobody has told the phones"
    lit.start()
    shows(lit, anna=(0, 0), bert=(3, 0))


def test_a_pbx_that_was_restarted_is_told_all_again(lit: World) -> None:
    tell(lit, anna=(1, 0))
    shows(lit, anna=(1, 0), bert=(0, 0))
    lit.pbx.cut()
    lit.pbx.lamps.clear()
    tell(lit, anna=(2, 0))
    lit.pbx.mend()
    shows(lit, anna=(2, 0), bert=(0, 0))


def test_a_request_that_failed_is_made_again(lit: World) -> None:
    lit.pbx.troubles.append((Deadline, False))
    tell(lit, anna=(1, 0))
    shows(lit, anna=(1, 0), bert=(0, 0))
    assert not lit.pbx.troubles


def test_when_redis_has_lost_its_data_nobodys_lamp_stays_lit_for_ever(lit: World) -> None:
    tell(lit, anna=(1, 0))
    shows(lit, anna=(1, 0), bert=(0, 0))
    lit.redis.flushall()
    shows(lit, anna=(0, 0), bert=(0, 0))


def test_the_pbx_is_told_by_which_account_an_agents_phone_goes(lit: World, monkeypatch: pytest.MonkeyPatch) -> None:
    agents = {**SITE.agents, "anna": SITE.agents["anna"].model_copy(update={"endpoint": "1001"})}
    monkeypatch.setitem(lit.changes, "agents", agents)
    lit.controller.node.configure(lit.configuration())
    tell(lit, anna=(1, 0))
    shows(lit, anna=(1, 0), bert=(0, 0))
    assert lit.pbx.lamps_at["1001"] == (1, 0)
