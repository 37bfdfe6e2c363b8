"""The YAML editor in a real Chromium: what is wrong is told while one types, what is right becomes a plan."""

from pathlib import Path

import pytest
import yaml

from contactcentre.store import Store
from contactcentre.web import accounts
from tests.web.axe import violations
from tests.web.chromium import Chromium, why_not
from tests.web.conftest import PASSWORD
from tests.web.sample import site
from tests.web.serving import ROOT, Server
from tests.web.test_browser import FAINT_TEXT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]


@pytest.fixture
def ada(etc: Path, page: Chromium, server: Server, store: Store) -> Chromium:
    """An admin's page; a PBX's configuration is there, but no PBX runs."""
    store.add_user("ada", accounts.hash_password(PASSWORD), "admin")
    page.goto(f"{server.url}/login")
    page.fill("#name", "ada")
    page.fill("#password", PASSWORD)
    page.click("button.main")
    page.wait_for_selector("#link[data-link=live]")
    return page


def test_a_flow_is_drawn_while_it_is_written_and_tried_out_beside_it(
    ada: Chromium, server: Server, store: Store, tmp_path: Path
) -> None:
    flow = yaml.safe_load((ROOT / "dialplans/flows/customer-number.yaml").read_text())
    store.save_site(site().model_copy(update={"flows": {"numbers": flow}}), "test")
    ada.goto(f"{server.url}/admin/site/flows/numbers")
    ada.wait_for_selector("#drawing svg .box")
    assert ada.evaluate("document.querySelectorAll('#drawing .box').length") >= len(flow["nodes"])
    ada.fill("#digits", "123456#")
    ada.click("#trial button")
    ada.wait_for_selector("#trial-told .story li")
    ada.wait_for_function("() => document.querySelectorAll('#drawing .walked').length > 1")
    assert ada.evaluate("document.querySelectorAll('#flow-list tr').length") >= len(flow["nodes"])
    for scheme in ("light", "dark"):
        ada.emulate_media(color_scheme=scheme)
        ada.screenshot(path=str(tmp_path / f"admin-flow-{scheme}.png"), full_page=True)
        assert violations(ada) == []
        assert ada.evaluate(FAINT_TEXT) == []
    ada.goto(f"{server.url}/admin/new/flows")
    ada.wait_for_text("#problems", "Give it a name.")
    ada.fill("#its-name", "evening")
    ada.wait_for_selector("#drawing [data-node=bye]")
    ada.click("#editor button.main")
    ada.wait_for_selector(".diff .add")
    assert "+  evening:" in ada.text_content(".diff")
    assert ada.errors == []


def test_a_mistake_is_told_with_its_line_and_what_is_right_becomes_a_plan(
    ada: Chromium, server: Server, tmp_path: Path
) -> None:
    ada.goto(f"{server.url}/admin/yaml?part=queues&name=billing")
    ada.wait_for_text("#problems", "No problem found.")
    ada.fill("#text", "description: Invoices\nrequires: chess\n")
    ada.wait_for_text("#problems", "there is no skill chess")
    assert ada.text_content("#lines") == "1\n2\n3"
    ada.click("#problems button")
    assert ada.evaluate("getSelection().toString()") == "requires: chess"
    assert violations(ada) == []
    ada.fill("#text", "description: Invoices, contracts\nrequires: billing\nwrap_up: 40\n")
    ada.wait_for_text("#problems", "No problem found.")
    ada.click("#editor button.main")
    ada.wait_for_selector(".diff .add")
    assert "+    wrap_up: 40.0" in ada.text_content(".diff")
    ada.screenshot(path=str(tmp_path / "admin-plan.png"))
    assert violations(ada) == []
    assert ada.errors == []
