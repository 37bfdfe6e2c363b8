"""The examples of docs/api.rst, run as they stand."""

import os
import re
import subprocess
import time

from contactcentre.store import Store
from contactcentre.web import tokens
from tests.web.serving import ROOT, Server

DOCUMENT = ROOT / "docs" / "api.rst"


def examples() -> list[str]:
    """Indented blocks with curl in them."""
    found = re.findall(r"(?m)^::$\n\n((?: {4}.*\n)+)|::\n\n((?: {4}.*\n)+)", DOCUMENT.read_text())
    texts = ["".join(line[4:] for line in (one or other).splitlines(True)) for one, other in found]
    return [text for text in texts if "curl -" in text]


def test_every_example_with_curl_works_as_it_stands(server: Server, store: Store) -> None:
    ada = store.add_user("ada", "hash", "admin")
    token = tokens.issue(store, ada, "docs", [str(one) for one in tokens.grantable(ada)], 1, "test", time.time())[1]
    environment = {**os.environ, "CENTRE": server.url, "TOKEN": token}
    assert len(examples()) >= 4
    for text in examples():
        script = f"set -eu -o pipefail\n{text}"
        done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (text, done.stdout, done.stderr)
        assert done.stdout, text
    customer = store.customers().customers[0]
    assert (customer.name, customer.tags) == ("Marie Dubois", ("gold",))
