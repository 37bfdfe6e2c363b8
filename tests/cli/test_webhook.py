"""Webhooks by command, and what the documentation tells receivers to do."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contactcentre.domain.site import Site
from contactcentre.domain.webhooks import signed
from contactcentre.store import Store
from tests.cli.test_voicemail import Shell, shell, store
from tests.outgoing.servers import serving
from tests.store.calls import answered

__all__ = ["shell", "store"]

DOCUMENT = Path(__file__).parents[2] / "docs" / "webhooks.rst"


@pytest.fixture
def verify() -> Callable[[str, dict[str, str], bytes], None]:
    """The example of the documentation."""
    code = re.search(r"code-block:: python\n\n((?:    .*\n|\n)+)", DOCUMENT.read_text())
    assert code
    known: dict[str, Any] = {}
    exec(re.sub(r"(?m)^    ", "", code[1]), known)
    return known["verify"]  # type: ignore[no-any-return]


def test_a_webhook_is_added_tested_switched_and_removed_by_command(
    shell: Shell, store: Store, verify: Callable[[str, dict[str, str], bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTACTCENTRE_HTTP_ALLOW", "127.0.0.0/8")
    with serving() as server:
        code, secret, _ = shell.say("webhook", "add", "crm", server.url, "--kind", "contact.arrived")
        assert code == 0
        assert shell.say("webhook", "add", "crm", server.url, "--kind", "contact.arrived")[0] == 2
        code, said, _ = shell.say("webhook", "test", "crm")
        assert (code, "taken: status 204" in said) == (0, True)
        (one,) = server.got
    verify(secret.strip(), dict(one.headers), one.body)
    with pytest.raises(ValueError, match="secret"):
        verify(secret.strip(), dict(one.headers), one.body + b" ")
    old = signed(b"x", "msg_1", time.time() - 600, b"{}")
    with pytest.raises(ValueError, match="old"):
        verify("whsec_eA==", old, b"{}")
    code, _, err = shell.say("webhook", "test", "crm")
    assert (code, "refused" in err) == (1, True)
    assert shell.say("webhook", "set", "crm", "--kind", "contact.ended", "--queue", "support")[0] == 0
    shown = shell.ask("webhook", "show", "crm")
    assert (shown["kinds"], shown["queues"], shown["state"]) == (["contact.ended"], ["support"], "on")
    shell.say("webhook", "disable", "crm")
    assert [one["state"] for one in shell.ask("webhook", "list")] == ["off"]
    shell.say("webhook", "enable", "crm")
    store.record(answered().events)
    for due in store.due_deliveries("crm", 4e9, 9):
        store.refused(due, 1e9, "status 500", None, None)
    (letter,) = shell.ask("webhook", "letters", "crm")
    assert (letter["kind"], letter["error"]) == ("contact.ended", "status 500")
    assert shell.say("webhook", "resend", "crm")[0] == 2
    assert "1 message to be sent again" in shell.say("webhook", "resend", "crm", letter["message"])[1]
    assert shell.say("webhook", "secret", "crm")[1].startswith("whsec_")
    assert shell.say("webhook", "remove", "crm")[0] == 0
    assert shell.say("webhook", "show", "crm")[0] == 2
    assert "contact.ended:abandoned" in shell.say("webhook", "kinds")[1]


def test_the_program_that_knows_customers_is_asked_by_command(
    shell: Shell, store: Store, verify: Callable[[str, dict[str, str], bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTACTCENTRE_HTTP_ALLOW", "127.0.0.0/8")
    with serving(lambda _: (200, {}, b'{"name": "Marie"}')) as server:
        settings = {"country": "FR", "customer_lookup": {"url": server.url}}
        store.save_site(Site.model_validate({"settings": settings}), "test")
        assert "lookup-secret" in shell.say("customer", "look-up", "0612407755")[2], "there is no key yet"
        secret = shell.say("customer", "lookup-secret")[1].strip()
        code, said, err = shell.say("customer", "look-up", "0612407755")
        assert (code, json.loads(said), err) == (0, {"name": "Marie"}, "")
        (one,) = server.got
    verify(secret, dict(one.headers), one.body)
    assert store.customer_of("+33612407755") is None
