"""Passwords of softphones, on a real FreeSWITCH: a phone signs in with the one given last, and with no other."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import gevent
import pytest

from contactcentre.domain.site import Agent, Site
from contactcentre.lab import FreeswitchLab
from contactcentre.pbx.errors import Refused
from contactcentre.pbx.events import LinkUp
from contactcentre.pbx.freeswitch.driver import FreeSwitchPbx
from contactcentre.provision.freeswitch.render import render
from tests.pbx.bed import Heard

USERS = "directory/default/contactcentre.xml"


@pytest.fixture
def pbx(fresh_freeswitch: FreeswitchLab) -> Iterator[FreeSwitchPbx]:
    """Anna's and Bob's softphones are provisioned."""
    info = fresh_freeswitch.info()
    site = Site(agents={"anna": Agent(webrtc=True), "bob": Agent(webrtc=True)})
    Path(info.etc_dir, USERS).write_text(render(site, {"agent/anna": "a", "agent/bob": "b"})[USERS])
    fresh_freeswitch.rx("reloadxml")
    driver, nodes = (
        FreeSwitchPbx("node1", info.esl_host, info.esl_port, info.esl_password, info.recordings_dir),
        Heard(),
    )
    driver.start(nodes)
    nodes.next(LinkUp)
    yield driver
    driver.stop()


@pytest.fixture
def signs_in(fresh_freeswitch: FreeswitchLab) -> Callable[[str], bool]:
    """With a phone in a process of its own, so nothing is heard of the one before, which signs off."""

    def try_it(password: str) -> bool:
        heard = Heard()
        with closing(FreeswitchLab(fresh_freeswitch.directories.state)) as own:
            own.phone("anna-web", password, deadline=0, on_event=heard)
            return bool(heard.next(dict)["event"] == "registered")

    return try_it


def test_only_the_password_given_last_opens_the_account(
    pbx: FreeSwitchPbx, fresh_freeswitch: FreeswitchLab, signs_in: Callable[[str], bool]
) -> None:
    assert not signs_in(""), "nobody has been given one"
    pbx.set_password("anna-web", "first-of-two")
    assert signs_in("first-of-two")
    assert not signs_in("")
    pbx.set_password("anna-web", "second-of-two")
    assert not signs_in("first-of-two")
    assert signs_in("second-of-two")
    fresh_freeswitch.rx("reloadxml")
    assert signs_in("second-of-two"), "a reading of the files does not touch it"
    pbx.set_password("anna-web", "")
    assert not signs_in("second-of-two")
    assert not signs_in("")
    pbx.set_password("anna-web", "")


def test_many_passwords_at_once_take_few_readings_of_the_files_and_one_that_is_known_takes_none(
    pbx: FreeSwitchPbx, fresh_freeswitch: FreeswitchLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = []
    job = pbx._link.job
    monkeypatch.setattr(pbx._link, "job", lambda line: (readings.append(line), job(line))[1])
    asked = [gevent.spawn(pbx.set_password, "anna-web", f"password-{number}") for number in range(20)]
    asked += [gevent.spawn(pbx.set_password, "bob-web", "of-bob")]
    gevent.joinall(asked, timeout=30)
    assert 1 <= readings.count("reloadxml") <= 3
    pbx.set_password("bob-web", "of-bob")
    assert readings.count("reloadxml") <= 3
    domain = fresh_freeswitch.info().domain
    assert fresh_freeswitch.rx(f"user_data bob-web@{domain} param password").strip() == "of-bob"


def test_an_account_that_is_not_provisioned_or_could_be_read_as_more_than_one_is_refused(pbx: FreeSwitchPbx) -> None:
    with pytest.raises(Refused, match="apply the site"):
        pbx.set_password("carol-web", "a-password")
    for account, password in (("anna-web x", "p"), ("anna-web", "p q"), ("anna-web", "${system(true)}"), ("a=b", "p")):
        with pytest.raises(Refused, match="letters, digits"):
            pbx.set_password(account, password)
