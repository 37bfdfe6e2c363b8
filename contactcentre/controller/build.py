"""Puts a controller together from the settings."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

import structlog
from redis import Redis

from contactcentre.controller.agents import Agents
from contactcentre.controller.greenlets import Greenlets
from contactcentre.controller.node import Configuration, Node, Told
from contactcentre.controller.replica import Replica
from contactcentre.controller.router import Router
from contactcentre.controller.saver import Saver
from contactcentre.controller.service import Controller
from contactcentre.controller.speech import Prompts
from contactcentre.controller.wrap_ups import WrapUps
from contactcentre.domain.events import Event, Kind
from contactcentre.domain.site import Site
from contactcentre.live import Change, Journal, Live
from contactcentre.live.connection import PREFIX, ask
from contactcentre.pbx.asterisk.driver import AsteriskPbx
from contactcentre.pbx.protocol import Pbx
from contactcentre.settings import Settings, SettingsError
from contactcentre.store import Store, StoreUnavailable

log = structlog.get_logger(__name__)

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
        for contact in list(node.contacts.values()):
            contact.save()

    def failed(name: str) -> None:
        controller.part_failed(name)

    replica = Replica(live, settings.node, changed, lost)
    node = Node(
        name=settings.node,
        pbx=pbx or _asterisk(settings),
        live=live,
        journal=journal,
        replica=replica,
        agents=Agents(live, replica, lambda: node.now(), lambda: node.router.wake()),
        greenlets=Greenlets(failed),
        saver=Saver(live),
        configuration=load(),
        told=_told(store, redis),
    )
    node.router = Router(node)
    node.wrap_ups = WrapUps()
    controller = Controller(node, load)
    return controller


def _asterisk(settings: Settings) -> AsteriskPbx:
    if not settings.ari_url:
        raise SettingsError(
            "no PBX is named: set CONTACTCENTRE_ARI_URL (say http://127.0.0.1:8088), or `contactcentre lab start`"
        )
    if not settings.ari_user or settings.ari_secret is None:
        raise SettingsError(
            f"the password for {settings.ari_url} is not known: `contactcentre apply` makes one, or set "
            "CONTACTCENTRE_ARI_USER and CONTACTCENTRE_ARI_SECRET_FILE"
        )
    return AsteriskPbx(settings.node, settings.ari_url, settings.ari_user, settings.ari_secret.get_secret_value())


def _told(store: Store, redis: "Redis") -> Callable[[Collection[str]], Mapping[str, Told]]:
    """What history has of contacts, or what still lies in the journal."""

    def told(contact_ids: Collection[str]) -> dict[str, Told]:
        known = {contact_id: Told() for contact_id in contact_ids}
        try:
            events = [event for contact_id in contact_ids for event in store.events(contact_id)]
        except StoreUnavailable as error:  # calls go on: the journal and the contacts' own records must do
            log.warning("history is away", error=str(error))
            events = []
        if contact_ids:
            for _, fields in ask(redis, "XREVRANGE", f"{PREFIX}events", "+", "-", "COUNT", UNREAD_LIMIT):
                text = fields.get("event", "")
                if text.partition('"contact_id":"')[2][:36] in known:
                    with suppress(ValueError, KeyError):
                        events.append(Event.from_json(text))
        for event in events:
            if (before := known.get(event.contact_id)) is not None:
                ended = before.ended or event.kind is Kind.ENDED
                known[event.contact_id] = Told(max(before.seq, event.seq), ended)
        return known

    return told
