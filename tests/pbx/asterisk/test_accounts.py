"""Passwords of softphones, on a real Asterisk: a phone signs in with the one that was given last, and with no other."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from contactcentre.lab import Lab
from contactcentre.pbx.asterisk import AsteriskPbx
from contactcentre.pbx.events import LinkUp
from tests.pbx.bed import Heard

ACCOUNT = """
[anna-web]
type = endpoint
context = from-lab
identify_by = username,auth_username
auth = anna-web
aors = anna-web
allow = alaw

[anna-web]
type = aor
max_contacts = 1
remove_existing = yes
"""


@pytest.fixture
def pbx(fresh_lab: Lab) -> Iterator[AsteriskPbx]:
    info = fresh_lab.info()
    Path(info.provisioned_dir, "pjsip.conf").write_text(ACCOUNT)
    fresh_lab.rx("core reload")
    driver, nodes = AsteriskPbx("node1", info.ari_url, info.ari_user, info.ari_secret), Heard()
    driver.start(nodes)
    nodes.next(LinkUp)
    yield driver
    driver.stop()


def signs_in(lab: Lab, password: str) -> bool:
    """With a phone in a process of its own, so nothing is heard of the one before, which signs off."""
    heard = Heard()
    with closing(Lab(lab.directories.state)) as own:
        own.phone("anna-web", password, deadline=0, on_event=heard)
        return bool(heard.next(dict)["event"] == "registered")


def test_only_the_password_given_last_opens_the_account(pbx: AsteriskPbx, fresh_lab: Lab) -> None:
    assert not signs_in(fresh_lab, ""), "nobody has been given one"
    pbx.set_password("anna-web", "first-of-two")
    assert signs_in(fresh_lab, "first-of-two")
    pbx.set_password("anna-web", "second-of-two")
    assert not signs_in(fresh_lab, "first-of-two")
    assert signs_in(fresh_lab, "second-of-two")
    fresh_lab.rx("core reload")
    assert signs_in(fresh_lab, "second-of-two"), "a reload of the files does not touch it"
    pbx.set_password("anna-web", "")
    assert not signs_in(fresh_lab, "second-of-two")
    pbx.set_password("anna-web", "")
