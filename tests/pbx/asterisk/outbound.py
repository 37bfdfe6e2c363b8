"""An Asterisk that connects to the driver, with the configuration that `apply` writes."""

from pathlib import Path

from gevent import socket

from contactcentre.domain.site import Site
from contactcentre.lab import Lab
from contactcentre.pbx.asterisk import AsteriskPbx
from contactcentre.pbx.asterisk.listener import Address
from contactcentre.pbx.protocol import MayAct, always
from contactcentre.provision.render import Outbound, render
from tests.pbx.bed import AsteriskBed


class OutboundBed(AsteriskBed):
    def __init__(self, lab: Lab, address: Address, ca_file: str = "") -> None:
        info = lab.info()
        self.listens = address
        url = f"{'wss' if address.tls else 'ws'}://{address}"
        texts = render(Site(), {}, outbound=Outbound(url, info.ari_user, info.ari_secret, ca_file), ari_user=False)
        for name in ("websocket_client.conf", "ari.conf"):
            file = Path(info.provisioned_dir) / name
            if not file.exists() or file.read_text() != texts[name]:
                file.parent.mkdir(exist_ok=True)
                file.write_text(texts[name])
        super().__init__(lab)

    def new_pbx(self, may_act: MayAct = always) -> AsteriskPbx:
        info = self.lab.info()
        sounds = Path(info.state_dir) / "sounds-of-ours"
        return AsteriskPbx(
            *("node1", info.ari_url, info.ari_user, info.ari_secret),
            sounds=sounds,
            may_act=may_act,
            listen=self.listens,
        )

    def cut(self) -> None:
        """Not by Asterisk's console: what it shuts down there it does not open again."""
        websocket = self._made._link._socket
        assert websocket is not None
        websocket._socket.shutdown(socket.SHUT_RDWR)
