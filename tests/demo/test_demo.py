"""The demonstration itself, short: it ends by itself, accounts for every call, and leaves nothing running."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.cli.test_up import processes_of
from tests.plugins.lab import PBXS


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("pbx", PBXS)
def test_a_short_demo_loses_no_call_and_says_so(pbx: str, unused_port: int) -> None:
    with tempfile.TemporaryDirectory(prefix="contactcentre-demo-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-m", "contactcentre", "demo", "--pbx", pbx, "--rate", "1", "--seconds", "8"],
            capture_output=True,
            text=True,
            timeout=220,
            # a PBX, database or Redis that the environment names must not be touched
            env={
                **os.environ,
                "CONTACTCENTRE_STATE_DIR": directory,
                "CONTACTCENTRE_ARI_URL": "http://127.0.0.1:9",
                "DATABASE_URL": "postgresql://127.0.0.1:9/x",
                "REDIS_URL": "redis://127.0.0.1:9/0",
                "CONTACTCENTRE_WEB_PORT": str(unused_port),
            },
        )
        log = Path(directory, "demo" if pbx == "asterisk" else f"demo-{pbx}", "demo.log")
        assert done.returncode == 0, done.stdout + done.stderr + (log.read_text()[-5000:] if log.exists() else "")
        summary = json.loads(Path(directory, "demo-summary.json").read_text())
        assert summary["calls"] == summary["contacts"] > 0
        assert summary["lost"] == 0
        assert summary["problems"] == []
        assert summary["recordings"] >= summary["answered"] > 0
        assert "Every call is accounted for" in done.stdout
        assert processes_of(Path(directory)) == []


def test_a_demo_on_a_freeswitch_that_is_not_there_says_what_is_missing_and_fails(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "FREESWITCH_BIN"}
    done = subprocess.run(
        [sys.executable, "-m", "contactcentre", "demo", "--pbx", "freeswitch"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**environment, "CONTACTCENTRE_STATE_DIR": str(tmp_path), "PATH": str(tmp_path)},
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "Error: no FreeSWITCH on PATH: install one (https://freeswitch.org), or name its program in FREESWITCH_BIN"
    ]
    assert processes_of(tmp_path) == []
