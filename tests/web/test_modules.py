"""The pages' own modules, tested by node where it is there."""

import shutil
import subprocess

import pytest

from tests.web.serving import ROOT


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_pages_modules_pass_their_own_tests() -> None:
    done = subprocess.run(
        ["node", "--test", "tests/web/js/modules.test.js"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
