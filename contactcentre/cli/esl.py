"""The console of this node's FreeSWITCH, over its event socket."""

import contextlib
from collections.abc import Callable, Iterator, Sequence

from contactcentre.pbx.errors import LinkDown, PbxError, Refused
from contactcentre.pbx.freeswitch.inbound import InboundESL
from contactcentre.provision.freeswitch.event_socket import Address
from contactcentre.settings import Settings

Ask = Callable[[str], str]


def named(settings: Settings) -> Address | None:
    """What the settings say of it; None when they do not say enough."""
    if settings.esl_address is None or settings.esl_secret is None:
        return None
    host, _, port = settings.esl_address.rpartition(":")
    return Address(host, int(port), settings.esl_secret.get_secret_value())


@contextlib.contextmanager
def console(settings: Settings, deadline: float) -> Iterator[Ask]:
    """Gives one `api` command after the other, each within `deadline` seconds. Raises PbxError."""
    where = named(settings)
    assert where is not None
    with _link(where, deadline) as ask:
        yield ask


class Console:
    """One command for each call. An event socket whose address or password was changed stays as it was until FreeSWITCH
    is started anew, so `addresses` are tried in turn, the one that has answered first."""

    def __init__(self, addresses: Sequence[Address], deadline: float) -> None:
        self._addresses, self._deadline = list(addresses), deadline

    def __call__(self, command: str) -> str:
        """Raises PbxError."""
        failed: PbxError = LinkDown("no event socket is known")
        for where in self._addresses:
            try:
                with _link(where, self._deadline) as ask:
                    said = ask(command)
            except (LinkDown, Refused) as error:
                failed = error
                continue
            self._addresses.remove(where)
            self._addresses.insert(0, where)
            return said
        raise failed


@contextlib.contextmanager
def _link(where: Address, deadline: float) -> Iterator[Ask]:
    esl = InboundESL(where.host, where.port, where.password, deadline)
    try:
        esl.connect()
        yield lambda command: esl.send(f"api {command}").data
    finally:
        esl.stop()
