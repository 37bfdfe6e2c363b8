"""A running contact centre as a monitoring system sees it, and the alerts and the dashboard that we ship for that."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from contactcentre.watch.listener import PLACES
from tests.system.centre import Centre
from tests.waiting import eventually
from tests.watch.scrape import ask, scrape, value

SHIPPED = Path(__file__).parents[2] / "docs/watch"
SELECTOR = re.compile(r"\b(contactcentre_\w+|process_\w+|up)\b(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|!=|!~|=)"([^"]*)"')
OF_PROMETHEUS = {"job", "instance"}


def expressions() -> Iterator[tuple[str, str]]:
    """(where it stands, the expression) of all alerts and panels."""
    for group in yaml.safe_load((SHIPPED / "alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield f"alert {rule['alert']}", rule["expr"]
    for panel in json.loads((SHIPPED / "grafana.json").read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield f"panel {panel['title']}", target["expr"]


@pytest.mark.slow
def test_every_number_that_an_alert_or_a_panel_asks_for_is_told_by_the_running_processes(centre: Centre) -> None:
    centre.on_duty("emma")
    call = centre.support()
    call.until("person", 60)
    centre.results()
    centre.settle()
    told: dict[str, list[dict[str, str]]] = {"up": [{}]}
    for process in PLACES:
        for family in scrape(centre.watch_base, process).values():
            for name in (family.name, f"{family.name}_total"):  # one that nothing was counted of has no sample yet
                told.setdefault(name, [])
            for sample in family.samples:
                told.setdefault(sample.name, []).append(sample.labels)
    asked = [(where, *found) for where, text in expressions() for found in SELECTOR.findall(text)]
    assert len(asked) > 50
    missing = [f"{where}: {name}" for where, name, _ in asked if name not in told]
    for where, name, matchers in asked:
        for label, operator, wanted in MATCHER.findall(matchers):
            samples = told.get(name)
            if label in OF_PROMETHEUS or not samples:
                continue
            if not any(label in labels for labels in samples):
                missing.append(f"{where}: {name} has no {label}")
            elif operator == "=" and not any(labels.get(label) == wanted for labels in samples):
                missing.append(f"{where}: {name} has no {label}={wanted}")
    assert missing == []
    documented = Path(SHIPPED.parent / "admin.rst").read_text()
    ours = {name.removeprefix("contactcentre_") for _, name, _ in asked if name.startswith("contactcentre_")}
    bare = {re.sub(r"_(bucket|count|sum)$", "", name) for name in ours}
    assert sorted(name for name in bare if f"``{name}``" not in documented) == [], "docs/admin.rst names each"


@pytest.mark.slow
def test_every_process_says_that_it_is_ready_and_what_it_has_done(centre: Centre) -> None:
    for process in PLACES:
        eventually(lambda process=process: ask(centre.watch_base, process, "/readyz").status_code == 200, process)
        assert set(ask(centre.watch_base, process, "/readyz").json()["parts"]) >= {"redis", "postgresql"}
    before = {process: scrape(centre.watch_base, process) for process in ("recorder", "worker")}
    centre.on_duty("emma")
    centre.support()
    centre.results()
    centre.settle()

    def assembled() -> bool:  # is counted when the task is over, which is after it has stored the recording
        with suppress(KeyError):
            return bool(value(scrape(centre.watch_base, "worker"), "worker_tasks_total", task="assemble"))
        return False

    eventually(assembled, "a recording was assembled")
    after = {process: scrape(centre.watch_base, process) for process in ("recorder", "worker")}
    name = "recorder_facts_written_total"
    assert value(after["recorder"], name) > value(before["recorder"], name)
    assert value(after["recorder"], "recordings_pending") == 0
    assert value(after["recorder"], "recorder_backlog_entries") == 0


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="Prometheus' promtool is not here (apt install prometheus)"
)
def test_prometheus_itself_understands_the_alerts_the_panels_and_the_configuration(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": re.sub(r"\$\w+", "x", text)}
        for number, (_, text) in enumerate(expressions())
    ]
    panels = tmp_path / "panels.yaml"
    panels.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    for what in (["rules", str(panels)], ["rules", "alerts.yaml"], ["config", "prometheus.yaml"]):
        done = subprocess.run(["promtool", "check", *what], cwd=SHIPPED, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
