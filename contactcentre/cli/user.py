"""Users of the dashboard: invite, list, change."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from contactcentre.cli.context import open_services
from contactcentre.cli.terminal import actor, json_option, listed
from contactcentre.settings import ROLES, Settings
from contactcentre.store import IdentityTaken, NoSuchUser, Store, User

if TYPE_CHECKING:
    from contactcentre.web.session import Sessions

Roles = click.Choice(ROLES)


@click.group()
def command() -> None:
    """Users of the dashboard. A new user gets a link that is good once, for 24 hours, and sets the password there."""


@command.command()
@click.argument("name")
@click.option("--role", type=Roles, required=True)
@click.option(
    "--queue", "queues", multiple=True, metavar="QUEUE", help="The only one the user sees; several times: these."
)
def invite(name: str, role: str, queues: tuple[str, ...]) -> None:
    """Make a user; print the link that sets the password.

    The link is good once, for 24 hours.
    """
    from contactcentre.web import accounts

    with _opened() as (settings, store, _):
        _known(store, queues)
        _print_link(settings, accounts.invite(store, name, role, actor(), time.time(), queues))


@command.command()
@click.argument("name")
def reset(name: str) -> None:
    """Print a new one-time link for NAME. The password of now works until the link is used."""
    from contactcentre.web import accounts

    with _opened() as (settings, store, _):
        user = known_user(store, name)
        store.audit(actor(), "user.reset", name)
        _print_link(settings, accounts.new_link(store, name, user.role, time.time()))


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Show all users."""
    with _opened() as (_, store, _):
        users = store.users()
    rows = [
        {
            "name": user.name,
            "role": user.role,
            "agent": user.agent,
            "queues": ", ".join(user.queues) or "all",
            "state": _state(user.disabled, user.password_hash),
        }
        for user in users
    ]
    listed(
        rows,
        ("name", "role", "agent", "queues", "state"),
        as_json,
        "No users yet: contactcentre user invite NAME --role admin",
    )


@command.command()
@click.argument("name")
@click.argument("role", type=Roles)
def role(name: str, role: str) -> None:
    """Give NAME another role. Open sessions of NAME end."""
    with _opened() as (_, store, sessions):
        store.change_user(name, role=role)
        store.audit(actor(), "user.change", name, {"role": role})
        sessions.close_all(name)
    click.echo(f"{name} is {role} now; open sessions have ended")


@command.command()
@click.argument("name")
@click.argument("agent", required=False, default="")
def agent(name: str, agent: str) -> None:
    """Say that NAME is AGENT at the phone, and sees that agent's boxes. Without AGENT: nobody."""
    with _opened() as (_, store, _):
        _, site = store.site()
        if agent and (site is None or agent not in site.agents):
            raise click.BadParameter(f"the site has no agent {agent!r}", param_hint="AGENT")
        store.change_user(name, agent=agent)
        store.audit(actor(), "user.change", name, {"agent": agent})
    click.echo(f"{name} is agent {agent}" if agent else f"{name} is no agent")


@command.command()
@click.argument("name")
@click.argument("queues", nargs=-1, metavar="[QUEUE]...")
@click.option("--all", "every", is_flag=True, help="All queues, and what belongs to none.")
def queues(name: str, queues: tuple[str, ...], every: bool) -> None:
    """Limit NAME to these queues.

    Calls, contacts, recordings, messages and agents of others are not there for NAME then. Open sessions of NAME end.
    """
    if every is bool(queues):
        raise click.UsageError("name queues, or give --all")
    with _opened() as (_, store, sessions):
        _known(store, queues)
        store.change_user(name, queues=queues)
        store.audit(actor(), "user.change", name, {"queues": sorted(queues) or "all"})
        sessions.close_all(name)
    click.echo(f"{name} sees {', '.join(sorted(set(queues))) or 'all queues'} now; open sessions have ended")


@command.command()
@click.argument("name")
def disable(name: str) -> None:
    """Let NAME sign in no longer. Open sessions of NAME end."""
    with _opened() as (_, store, sessions):
        store.change_user(name, disabled=True)
        store.audit(actor(), "user.change", name, {"disabled": True})
        sessions.close_all(name)
    click.echo(f"{name} is disabled; open sessions have ended")


@command.command()
@click.argument("name")
def enable(name: str) -> None:
    """Let NAME sign in again."""
    with _opened() as (_, store, _):
        store.change_user(name, disabled=False)
        store.audit(actor(), "user.change", name, {"disabled": False})
    click.echo(f"{name} may sign in again")


@command.group()
def totp() -> None:
    """The second factor: codes of an authenticator app."""


@totp.command("reset")
@click.argument("name")
def totp_reset(name: str) -> None:
    """Take it away from NAME, who has lost the phone.

    Open sessions of NAME end. Where the site wants one of NAME's role, it is set up anew at the next sign-in.
    """
    with _opened() as (_, store, sessions):
        known_user(store, name)
        if not store.drop_second_factor(name):
            raise click.ClickException(f"{name} has no second factor")
        store.audit(actor(), "user.second_factor", name, {"now": "reset"})
        sessions.close_all(name)
    click.echo(f"{name} signs in without a second factor now; open sessions have ended")


@command.command()
@click.argument("name")
@click.argument("subject", required=False, default="")
def identity(name: str, subject: str) -> None:
    """Say that NAME is SUBJECT at the provider of sign-ins. Without SUBJECT: nobody there.

    The provider is CONTACTCENTRE_OIDC_ISSUER; SUBJECT is what it calls `sub`. Open sessions of NAME end.
    """
    with _opened() as (settings, store, sessions):
        if subject and not settings.oidc_issuer:
            raise click.ClickException("CONTACTCENTRE_OIDC_ISSUER is not set: there is no provider")
        known_user(store, name)
        store.drop_identities(name)
        if subject:
            try:
                store.add_identity(name, settings.oidc_issuer, subject, time.time())
            except IdentityTaken as taken:
                raise click.ClickException(str(taken)) from None
        store.audit(actor(), "user.identity", name, {"subject": subject})
        sessions.close_all(name)
    click.echo(f"{name} is {subject} there" if subject else f"{name} is nobody there")


def known_user(store: Store, name: str) -> User:
    """Raises NoSuchUser, which says where the names are."""
    user = store.user_named(name)
    if user is None:
        raise NoSuchUser(f"there is no user named {name!r} (`contactcentre user list` shows them)")
    return user


@contextlib.contextmanager
def _opened() -> Iterator[tuple[Settings, Store, "Sessions"]]:
    from contactcentre.live import connect
    from contactcentre.web.session import Sessions

    settings = Settings()
    with open_services(settings) as found:
        redis = connect(found.redis_url)
        with contextlib.closing(redis), contextlib.closing(Store(found.database_url)) as store:
            store.migrate()
            yield settings, store, Sessions(redis)


def _known(store: Store, queues: Iterable[str]) -> None:
    _, site = store.site()
    for queue in queues:
        if site is None or queue not in site.queues:
            raise click.BadParameter(f"the site has no queue {queue!r}", param_hint="QUEUE")


def _state(disabled: bool, password_hash: str) -> str:
    return "disabled" if disabled else "active" if password_hash else "invited"


def _print_link(settings: Settings, token: str) -> None:
    from contactcentre.web import accounts

    click.echo("This link sets the password, once, within 24 hours:")
    click.echo(f"  {accounts.link_url(settings, token)}")
