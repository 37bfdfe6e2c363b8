"""Puts a controller together from the settings."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from urllib.parse import urlsplit

import gevent
import structlog
from gevent import ssl
from redis import Redis

from contactcentre.archive import Shelf
from contactcentre.controller import stock_sounds
from contactcentre.controller.admission import Limits
from contactcentre.controller.agents import Agents
from contactcentre.controller.callers import Callers
from contactcentre.controller.clock import Clock
from contactcentre.controller.greenlets import Greenlets
from contactcentre.controller.lookups import Lookups
from contactcentre.controller.mailbox import Mailbox
from contactcentre.controller.node import Configuration, Node
from contactcentre.controller.replica import Replica
from contactcentre.controller.router import Router
from contactcentre.controller.saver import Saver
from contactcentre.controller.service import Controller
from contactcentre.controller.sounds import Sounds
from contactcentre.controller.tenure import Tenure
from contactcentre.controller.told import Told, told
from contactcentre.controller.wrap_ups import WrapUps
from contactcentre.domain.events import Event, Kind
from contactcentre.domain.site import Site
from contactcentre.live import Change, Journal, Live
from contactcentre.live.connection import PREFIX, ask
from contactcentre.live.reader import facts_in
from contactcentre.live.spool import earlier_spools, tenure_spool
from contactcentre.pbx.asterisk.driver import AsteriskPbx
from contactcentre.pbx.asterisk.listener import Address
from contactcentre.pbx.freeswitch.driver import FreeSwitchPbx
from contactcentre.pbx.protocol import MayAct, Pbx, always
from contactcentre.prompts.speech import Prompts
from contactcentre.settings import Settings, SettingsError
from contactcentre.store import Store, StoreUnavailable
from contactcentre.store.history import MAX_PAGE
from contactcentre.store.last_site import LastSite

log = structlog.get_logger(__name__)

UNREAD_LIMIT = 50_000
"""Journal entries looked through, after a restart, for the last event of a contact that was taken up."""

LENT = "lent"
"""Below the prompts directory: recordings' sound, while the PBX plays it."""


def build(
    settings: Settings, store: Store, redis: "Redis", pbx: Pbx | None = None, sites: LastSite | None = None
) -> Controller:
    """`redis` writes from now on only while the controller is the node's active one. `sites`: where the site is from,
    should the store be away. Raises SettingsError when no PBX is named, StoreUnavailable when nobody knows a site."""
    tenure = Tenure(redis, settings.node)
    redis.fence = tenure  # type: ignore[attr-defined]
    live = Live(redis)
    spool = settings.state_dir / "spool"

    def open_journal(fence: str) -> Journal:
        path = tenure_spool(spool, settings.node, fence)
        journal = Journal(redis, path)
        for earlier in earlier_spools(spool, settings.node, path):
            try:
                journal.inherit(earlier)
            except OSError as error:  # calls go on
                log.error("an earlier controller's facts stay where they are", spool=str(earlier), error=str(error))
        return journal

    driven = settings.pbx or "asterisk"
    # FreeSWITCH says numbers only with files of its own for each language: ours are spoken
    prompts = Prompts(settings.prompts_dir, sounds=("en",) if driven == "asterisk" else ())

    sites = sites or LastSite(store, settings.state_dir)

    def read(version: int, site: Site | None) -> Configuration:
        if site is not None and site.pbx not in (None, driven):
            log.warning(
                "the site is for another PBX; ours is driven until this controller is started anew", site=site.pbx
            )
        return Configuration.of(version, site or Site(), prompts)

    def are_spoken(configuration: Configuration) -> bool:
        own = driven == "freeswitch" and not stock_sounds.are_prepared(settings.prompts_dir)
        return not own and configuration.prompts.are_prepared(configuration.flows.values())

    def changed(change: Change, new: bool) -> None:
        controller.changed(change, new)

    def lost() -> None:
        for contact in list(node.contacts.values()):
            contact.save()

    def failed(name: str) -> None:
        controller.part_failed(name)

    configuration = read(*sites.site())
    clock = Clock()
    replica = Replica(live, settings.node, configuration.routing, changed, lost, clock)
    greenlets = Greenlets(failed)
    callers = Callers(store, greenlets, lambda: node.now(), lambda: node.site.settings.country)
    node = Node(
        name=settings.node,
        pbx=pbx or pbx_of(settings, tenure.may_act, tenure.may_take),
        live=live,
        replica=replica,
        agents=Agents(live, replica, lambda: node.now(), lambda: node.router.agents_moved()),
        now=clock,
        greenlets=greenlets,
        saver=Saver(live),
        configuration=configuration,
        told=_told(settings.node, store, redis),
        last_agent=callers.last_agent,
        wanted_agent=callers.wanted_agent,
        look_up=Lookups(sites.secret, greenlets, lambda: node.now()).look_up,
    )
    node.router = Router(node)
    node.wrap_ups = WrapUps()
    node.mailbox = Mailbox(store, Sounds(store, Shelf.of(store, settings), settings.prompts_dir / LENT))
    limits = Limits(settings.overload_lag, settings.max_contacts)
    look_back = partial(replica.estimates.look_back, store)
    controller = Controller(
        node,
        tenure,
        open_journal,
        lambda: read(*sites.newest()),
        are_spoken,
        look_back,
        store.audit,
        limits,
        settings.presence,
    )
    if sites.from_file:
        controller.sites.reload()
    return controller


def pbx_of(settings: Settings, may_act: MayAct = always, may_take: MayAct = always) -> Pbx:
    """The driver of the PBX that the settings name. Raises SettingsError when they do not say enough."""
    if settings.pbx == "freeswitch":
        return _freeswitch(settings, may_act, may_take)
    return _asterisk(settings, may_act)


def _freeswitch(settings: Settings, may_act: MayAct, may_take: MayAct) -> FreeSwitchPbx:
    if not settings.esl_address:
        raise SettingsError(
            "no PBX is named: set CONTACTCENTRE_ESL_ADDRESS (say 127.0.0.1:8021), or `contactcentre lab start`"
        )
    if settings.esl_secret is None:
        raise SettingsError(
            f"the password for {settings.esl_address} is not known: set CONTACTCENTRE_ESL_SECRET_FILE to a file with "
            "the one in event_socket.conf.xml"
        )
    if settings.pbx_recordings_dir is None:
        raise SettingsError(
            "CONTACTCENTRE_PBX_RECORDINGS_DIR is not set: FreeSWITCH records there, and hands out no files by itself"
        )
    host, _, port = settings.esl_address.rpartition(":")
    return FreeSwitchPbx(
        settings.node,
        host,
        int(port),
        settings.esl_secret.get_secret_value(),
        settings.pbx_recordings_dir,
        door=settings.esl_door,
        sounds=settings.prompts_dir / stock_sounds.DIRECTORY,
        may_act=may_act,
        may_take=may_take,
    )


def _asterisk(settings: Settings, may_act: MayAct) -> AsteriskPbx:
    if not settings.ari_url:
        raise SettingsError(
            "no PBX is named: set CONTACTCENTRE_ARI_URL (say http://127.0.0.1:8088), or `contactcentre lab start`"
        )
    if not settings.ari_user or settings.ari_secret is None:
        raise SettingsError(
            f"the password for {settings.ari_url} is not known: `contactcentre apply` makes one, or set "
            "CONTACTCENTRE_ARI_USER and CONTACTCENTRE_ARI_SECRET_FILE"
        )
    return AsteriskPbx(
        settings.node,
        settings.ari_url,
        settings.ari_user,
        settings.ari_secret.get_secret_value(),
        sounds=settings.prompts_dir.absolute(),
        may_act=may_act,
        listen=_listen(settings),
    )


def _listen(settings: Settings) -> Address | None:
    """Where the PBX connects to us, where it does."""
    if not settings.ari_listen:
        return None
    url = urlsplit(settings.ari_listen)
    assert url.hostname
    assert url.port
    if url.scheme == "ws":
        return Address(url.hostname, url.port)
    if settings.ari_listen_cert_file is None:
        raise SettingsError(
            f"CONTACTCENTRE_ARI_LISTEN is {settings.ari_listen}: set CONTACTCENTRE_ARI_LISTEN_CERT_FILE to the "
            "certificate by which the PBX knows us"
        )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.ari_listen_cert_file, settings.ari_listen_key_file)
    except OSError as error:
        raise SettingsError(f"CONTACTCENTRE_ARI_LISTEN_CERT_FILE or _KEY_FILE: {error}") from None
    return Address(url.hostname, url.port, context)


def _told(node: str, store: Store, redis: "Redis") -> Callable[[Collection[str]], Mapping[str, Told]]:
    """From history, and from what still lies in the journal."""

    def of(contact_ids: Collection[str]) -> dict[str, Told]:
        wanted, unread = set(contact_ids), defaultdict[str, list[Event]](list)
        entries = ask(redis, "XREVRANGE", f"{PREFIX}events", "+", "-", "COUNT", UNREAD_LIMIT)
        for number, (_, fields) in enumerate(entries):
            if number % 10 == 0:
                gevent.sleep(0)  # calls go on
            for name, text in facts_in(fields):
                with suppress(ValueError, KeyError):
                    if name != "event":
                        continue
                    event = Event.from_json(text)
                    unread[event.contact_id].append(event)
                    if event.kind is Kind.ARRIVED and event.data.get("node") == node:
                        wanted.add(event.contact_id)
        known = {contact_id: told(unread[contact_id]) for contact_id in wanted}
        try:
            live = store.contacts(live=True, limit=MAX_PAGE).contacts
            wanted |= {contact.id for contact in live if contact.node == node}
            for contact_id in wanted:
                if contact_id not in known or not known[contact_id].complete:
                    known[contact_id] = told([*store.events(contact_id), *unread[contact_id]])
        except StoreUnavailable as error:  # calls go on: the journal and the contacts' own records must do
            log.warning("history is away", error=str(error))
        return known

    return of
