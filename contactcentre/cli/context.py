"""What most commands need: the settings, the store, the live state."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from pydantic import SecretStr

from contactcentre import embedded
from contactcentre.embedded import Services
from contactcentre.settings import Settings, SettingsError

if TYPE_CHECKING:
    from contactcentre.domain.site import PbxName, Site
    from contactcentre.live import Live
    from contactcentre.store import Store


class Known(Protocol):
    """Who knows the newest site, and passwords: the store, or `store.last_site`."""

    def site(self) -> "tuple[int, Site | None]": ...
    def secret(self, name: str) -> str | None: ...


def which_pbx(settings: Settings, site: "Site | None") -> "PbxName":
    """Which PBX this node drives: the site says it for all nodes; where it does not, CONTACTCENTRE_PBX for this one;
    where neither does, Asterisk. Raises SettingsError when both do and differ: to follow either could mean to drive
    the wrong PBX."""
    said = site.pbx if site is not None else None
    if said and settings.pbx and said != settings.pbx:
        raise SettingsError(
            f"the site says `pbx: {said}`, but CONTACTCENTRE_PBX is {settings.pbx}: take that setting away, or change "
            "the site"
        )
    return said or settings.pbx or "asterisk"


def knowing_the_pbx(settings: Settings, store: Known) -> Settings:
    """The settings with the site's PBX, and with the ARI user and password (of a FreeSWITCH: the event socket's address
    and password) that `apply` made, where they name none themselves.

    So an apply is all it takes: the password need not be copied from the store into a file. Settings that name
    a password, and other users than ours, are left as they are. Raises SettingsError as `which_pbx`, StoreUnavailable.
    """
    from contactcentre.domain.site import Site
    from contactcentre.provision.render import ARI_USER

    _, site = store.site()
    settings = settings.model_copy(update={"pbx": which_pbx(settings, site)})
    if settings.pbx == "freeswitch":
        return _knowing_the_event_socket(settings, store, site or Site())
    user = settings.ari_user or ARI_USER
    if settings.ari_url is None or settings.ari_secret is not None or user != ARI_USER:
        return settings
    found = store.secret(f"ari/{ARI_USER}")
    return settings.model_copy(update={"ari_user": user, "ari_secret": None if found is None else SecretStr(found)})


def _knowing_the_event_socket(settings: Settings, store: Known, site: "Site") -> Settings:
    from contactcentre.provision.freeswitch.event_socket import reachable
    from contactcentre.provision.secrets import ESL

    socket, known = site.freeswitch.event_socket, dict[str, str | SecretStr]()
    if socket is not None and settings.esl_address is None:
        known["esl_address"] = f"{reachable(socket.listen)}:{socket.port}"
    if socket is not None and settings.esl_secret is None and (found := store.secret(ESL)):
        known["esl_secret"] = SecretStr(found)
    return settings.model_copy(update=known)


@contextlib.contextmanager
def open_services(settings: Settings | None = None) -> Iterator[Services]:
    """The addresses of PostgreSQL and Redis, embedded ones started if need be."""
    with embedded.services((settings or Settings()).prepare()) as found:
        yield found


@contextlib.contextmanager
def open_store(settings: Settings | None = None) -> Iterator["Store"]:
    """The store, its schema up to date."""
    from contactcentre.store import Store

    with open_services(settings) as found, contextlib.closing(Store(found.database_url)) as store:
        store.migrate()
        yield store


@contextlib.contextmanager
def open_live(settings: Settings | None = None) -> Iterator["Live"]:
    """The live state in Redis."""
    from contactcentre.live import Live, connect

    with (
        open_services(settings) as found,
        contextlib.closing(connect(found.redis_url)) as client,
    ):
        yield Live(client)
