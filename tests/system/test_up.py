"""`contactcentre up --lab`, on either PBX, started and stopped twice on one state directory, with a call in between."""

import signal
import tempfile
from pathlib import Path

import pytest

from contactcentre.cli.context import open_store
from contactcentre.domain.site import Site
from contactcentre.settings import Settings
from tests.cli.test_up import Up, eventually, processes_of
from tests.plugins.lab import PBXS
from tests.plugins.speech import Spoken

TITLES = {"asterisk": "Asterisk", "freeswitch": "FreeSWITCH"}

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("pbx", PBXS)
def test_up_can_be_started_and_stopped_twice_and_leaves_no_process_either_time(
    pbx: str, unused_port: int, spoken: Spoken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONTACTCENTRE_PBX", raising=False)  # the site says it
    with tempfile.TemporaryDirectory(prefix="cc-up-", dir="/tmp") as directory:
        state = spoken(Path(directory))
        state.chmod(0o755)
        with open_store(Settings(state_dir=state)) as store:
            store.save_site(Site.model_validate({"pbx": pbx}), "test", "", expected=0)
        links = []
        for turn in (1, 2):
            up = Up(state, unused_port)
            try:
                eventually(up, lambda up=up: any("reconciled" in line for line in up.lines), "the PBX is linked")  # type: ignore[misc]
                eventually(up, lambda up=up: any("web serves" in line for line in up.lines), "the dashboard")  # type: ignore[misc]
                eventually(up, lambda up=up: any("recording" in line for line in up.lines), "the recorder")  # type: ignore[misc]
                assert any(f'"pbx": "{TITLES[pbx]}"' in line for line in up.lines), up.said()
                links.append(any("/welcome#" in line for line in up.lines))
                up.process.send_signal(signal.SIGTERM)
                assert up.process.wait(120) == 0, f"turn {turn}\n{up.said()}"
                assert any('"stopped"' in line and '"killed": []' in line for line in up.lines), up.said()
                assert processes_of(state) == [], f"turn {turn}"
            finally:
                if up.process.poll() is None:
                    up.process.kill()
                    up.process.wait(120)
