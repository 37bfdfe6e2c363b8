"""Puts a controller together from the settings."""

from collections.abc import Callable

from redis import Redis

from contactcentre.controller.greenlets import Greenlets
from contactcentre.controller.node import Configuration, Node
from contactcentre.controller.replica import Replica
from contactcentre.controller.router import Router
from contactcentre.controller.saver import Saver
from contactcentre.controller.service import Controller
from contactcentre.controller.speech import Prompts
from contactcentre.controller.wrap_ups import WrapUps
from contactcentre.domain.events import Event
from contactcentre.domain.site import Site
from contactcentre.live import Change, Journal, Live
from contactcentre.live.connection import PREFIX, ask
from contactcentre.pbx.asterisk.driver import AsteriskPbx
from contactcentre.pbx.protocol import Pbx
from contactcentre.settings import Settings, SettingsError
from contactcentre.store import Store

UNREAD_LIMIT = 50_000
"""Journal entries looked through, after a restart, for the last event of a contact that was taken up."""


def build(settings: Settings, store: Store, redis: "Redis", pbx: Pbx | None = None) -> Controller:
    """Raises SettingsError when no PBX is named, SpoolInUse when a controller of this node runs already."""
    live = Live(redis)
    journal = Journal(redis, settings.state_dir / "spool" / f"{settings.node}.jsonl")

    prompts = Prompts(settings.prompts_dir)

    def load() -> Configuration:
        version, site = store.site()
        return Configuration.of(version, site or Site(), prompts)

    def changed(change: Change, new: bool) -> None:
        controller.changed(change, new)

    def lost() -> None:
        for contact in node.contacts.values():
            contact.save()

    def failed(name: str) -> None:
        controller.part_failed(name)

    node = Node(
        name=settings.node,
        pbx=pbx or _asterisk(settings),
        live=live,
        journal=journal,
        replica=Replica(live, settings.node, changed, lost),
        greenlets=Greenlets(failed),
        saver=Saver(live),
        configuration=load(),
        last_seq=_last_seq(store, redis),
    )
    node.router = Router(node)
    node.wrap_ups = WrapUps()
    controller = Controller(node, load)
    return controller


def _asterisk(settings: Settings) -> AsteriskPbx:
    if not settings.ari_url or not settings.ari_user or settings.ari_secret is None:
        raise SettingsError(
            "no PBX is named: set CONTACTCENTRE_ARI_URL, _ARI_USER and _ARI_SECRET_FILE, or start the lab "
            "(contactcentre lab start)"
        )
    return AsteriskPbx(settings.node, settings.ari_url, settings.ari_user, settings.ari_secret.get_secret_value())


def _last_seq(store: Store, redis: "Redis") -> Callable[[str], int]:
    """The highest seq of a contact that history has or that still lies in the journal."""

    def last_seq(contact_id: str) -> int:
        seqs = [event.seq for event in store.events(contact_id)]
        for _, fields in ask(redis, "XREVRANGE", f"{PREFIX}events", "+", "-", "COUNT", UNREAD_LIMIT):
            text = fields.get("event", "")
            if contact_id in text:
                seqs.append(Event.from_json(text).seq)
        return max(seqs, default=0)

    return last_seq
