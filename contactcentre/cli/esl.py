"""The console of this node's FreeSWITCH, over its event socket."""

import contextlib
from collections.abc import Callable, Iterator

from contactcentre.pbx.freeswitch.inbound import InboundESL
from contactcentre.settings import Settings

Ask = Callable[[str], str]


@contextlib.contextmanager
def console(settings: Settings, deadline: float) -> Iterator[Ask]:
    """Gives one `api` command after the other, each within `deadline` seconds. Raises PbxError."""
    assert settings.esl_address
    assert settings.esl_secret
    host, _, port = settings.esl_address.rpartition(":")
    esl = InboundESL(host, int(port), settings.esl_secret.get_secret_value(), deadline)
    try:
        esl.connect()
        yield lambda command: esl.send(f"api {command}").data
    finally:
        esl.stop()
