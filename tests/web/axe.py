"""WCAG's rules, as axe-core (an npm package, for tests alone) checks them in a page."""

from typing import Any

import pytest

from tests.web.chromium import Chromium
from tests.web.serving import ROOT

SOURCE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """async ([rules, without]) => {
  const { violations } = await axe.run({ exclude: without }, { runOnly: rules });
  const told = ({ html, failureSummary }) => html.slice(0, 160) + " " + failureSummary;
  return violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map(told) }));
}"""


def violations(page: Chromium, *without: str) -> list[dict[str, Any]]:
    """What breaks a rule on the page as it is now, except in parts of it: id, help and nodes of each."""
    if not SOURCE.is_file():
        pytest.skip("npm's packages are not installed: npm ci")
    page.evaluate(f"() => {{ {SOURCE.read_text()} }}")
    return list(page.evaluate(RUN, [RULES, [[part] for part in without]]))
