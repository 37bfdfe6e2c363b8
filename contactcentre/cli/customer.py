"""Customers: who calls, found, changed, merged, handed out, erased."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click

from contactcentre.archive import KeySource, Shelf, Signing
from contactcentre.archive.erasing import erase_customer, of_customer
from contactcentre.cli.contact import everything, plain
from contactcentre.cli.context import open_live, open_store
from contactcentre.cli.moments import Clock, iso
from contactcentre.cli.terminal import actor, counted, facts, json_option, listed, print_json, show
from contactcentre.domain.customers import Change, Customer, changed, number_of
from contactcentre.domain.ids import short
from contactcentre.domain.results import NotAcceptable
from contactcentre.domain.site import Settings as SiteSettings
from contactcentre.domain.site import Site
from contactcentre.outgoing import Reach
from contactcentre.settings import Settings
from contactcentre.store import NoSuchCustomer, Store
from contactcentre.store.customers import MAX_CUSTOMERS, spelled
from contactcentre.tasks.lookups import KEY_NAME, Lookups

_customer = click.argument("customer", metavar="CUSTOMER")


@click.group("customer")
def command() -> None:
    """Customers: who calls. CUSTOMER is an id, or a telephone number, also one of which nothing is known."""


@command.command("list")
@click.option("--text", default="", help="In the name, a field, or a number however it is spelled.")
@click.option("--tag", default="")
@click.option("--limit", type=click.IntRange(1, MAX_CUSTOMERS), default=50, show_default=True)
@click.option("--cursor", default="", help="The next page: what the last line of this one says.")
@json_option
def list_(text: str, tag: str, limit: int, cursor: str, as_json: bool) -> None:
    """Customers, the one changed last first."""
    with open_store() as store:
        clock = Clock.of(store)
        page = store.customers(text, tag, limit=limit, cursor=cursor)
    if as_json:
        return print_json({"customers": [_plain(one) for one in page.customers], "cursor": page.cursor})
    rows = [
        {
            "name": one.name,
            "numbers": ", ".join(one.numbers),
            "tags": ", ".join(one.tags),
            "changed": clock.date_and_time(one.changed_at),
            "id": one.id,
        }
        for one in page.customers
    ]
    listed(rows, ("name", "numbers", "tags", "changed", "id"), False, "No customers.")
    if page.cursor:
        click.echo(f"More: --cursor {page.cursor}")
    return None


@command.command("show")
@_customer
@json_option
def show_(customer: str, as_json: bool) -> None:
    """One customer, and what they called for."""
    with open_store() as store:
        known, site, clock = find(store, customer), _settings(store), Clock.of(store)
        page = store.contacts(callers=spelled(known.numbers, site.country))
    if as_json:
        return print_json({"customer": _plain(known), "contacts": [plain(one) for one in page.contacts]})
    told = {"id": known.id or "nothing is known of who calls from here", "name": known.name}
    told |= {"numbers": ", ".join(known.numbers), "tags": ", ".join(known.tags), **known.fields, "notes": known.notes}
    show(facts((label, text) for label, text in told.items() if text))
    rows = [
        {
            "arrived": clock.date_and_time(one.arrived),
            "id": short(one.id),
            "queues": ", ".join(one.queues),
            "agents": ", ".join(one.agents),
            "outcome": one.outcome or "live",
            "disposition": one.disposition,
        }
        for one in page.contacts
    ]
    columns = ("arrived", "id", "queues", "agents", "outcome", "disposition")
    return listed(rows, columns, False, "No call from these numbers.")


@command.command("set")
@_customer
@click.option("--name")
@click.option("--number", "numbers", multiple=True, help="All of them: given several times.")
@click.option("--field", "fields", multiple=True, metavar="NAME=TEXT", help="Of the site's; NAME= takes it away.")
@click.option("--tag", "tags", multiple=True, help="All of them: given several times; an empty one takes all away.")
@click.option("--notes")
def set_(
    customer: str,
    name: str | None,
    numbers: tuple[str, ...],
    fields: tuple[str, ...],
    tags: tuple[str, ...],
    notes: str | None,
) -> None:
    """Change a customer, or write one down.

    A number of which nothing is known becomes a customer. What is not given stays.
    """
    with open_store() as store:
        known, site = find(store, customer), _settings(store)
        texts = {field.strip(): text for field, _, text in (one.partition("=") for one in fields)}
        wish = Change(numbers or None, name, texts, tags or None, notes)
        after = changed(known, wish, site)
        if after is known and known.id:
            return
        click.echo(store.save_customer(known, after, site.country, actor(), time.time()).id)


@command.command("look-up")
@click.argument("number")
def look_up(number: str) -> None:
    """Ask the site's other program who calls from a number.

    What it says is printed. Nothing is changed.
    """
    with _asking() as (store, lookups):
        site = _settings(store)
        said = lookups.ask(number_of(number, site.country), site)
    print_json(said)


@command.command("lookup-secret")
def lookup_secret() -> None:
    """Make the secret that lookups are signed with.

    Instead of the one there was. It is printed this once.
    """
    with _asking() as (store, lookups):
        made = lookups.signing.make(KEY_NAME)
        store.audit(actor(), "customer.lookup_secret")
    click.echo(made)


@contextmanager
def _asking() -> Iterator[tuple[Store, Lookups]]:
    settings = Settings().prepare()
    with open_store(settings) as store, open_live(settings) as live:
        signing, reach = Signing(store, KeySource.of(settings)), Reach.of(settings.http_allow.split())
        yield store, Lookups(store, live.redis, signing, reach)


@command.command("merge")
@_customer
@click.argument("other", metavar="OTHER")
def merge(customer: str, other: str) -> None:
    """OTHER is CUSTOMER from now on.

    Numbers, tags and notes of both stay. It cannot be undone.
    """
    with open_store() as store:
        kept, gone = find(store, customer), find(store, other)
        for one in (kept, gone):
            if not one.id:
                raise NoSuchCustomer(f"nothing is known of {one.numbers[0]}: add it with `customer set --number`")
        store.merge_customers(kept, gone, _settings(store).country, actor(), time.time())


@command.command("export")
@_customer
def export(customer: str) -> None:
    """Everything that is kept of a customer, as JSON.

    Contacts with their facts, notes, answers and recordings.
    """
    with open_store() as store:
        known, site = find(store, customer), _settings(store)
        ids = [id for id, _ in store.contact_ids_of(spelled(known.numbers, site.country))]
        found = [everything(store.history(id), store.events(id), store.notes(id)) for id in ids]
        store.audit(actor(), "customer.export", known.id, {"contacts": len(ids)})
    print_json({"customer": _plain(known), "contacts": found})


@command.command("erase")
@_customer
@click.option("--reason", required=True, help="For the audit log.")
@click.option("--yes", is_flag=True, help="Erase; without it only what would be erased is said.")
def erase(customer: str, reason: str, yes: bool) -> None:
    """Erase a customer.

    Recordings and messages, notes, answers, and number and name in every contact go. When, how long and with whom
    stays, so every report stays what it was. What is on legal hold is refused, and then nothing is erased.
    """
    with open_store() as store:
        found = of_customer(store, find(store, customer), _settings(store).country)
        what = f"{counted(len(found.contacts), 'contact')}, {counted(len(found.recordings), 'recording')}"
        if not yes:
            click.echo(f"{what}: nothing is erased without --yes.")
            raise SystemExit(1)
        erase_customer(store, Shelf.of(store, Settings()), found, f"request: {reason}", actor(), time.time())
    click.echo(f"{what} erased")


def find(store: Store, customer: str) -> Customer:
    """By id or number. Raises NoSuchCustomer."""
    try:
        number = number_of(customer, _settings(store).country)
    except NotAcceptable:
        return store.customer(customer)
    return store.customer_of(number) or Customer("", (number,))


def _settings(store: Store) -> SiteSettings:
    return (store.site()[1] or Site()).settings


def _plain(one: Customer) -> dict[str, Any]:
    return {**asdict(one), "created_at": iso(one.created_at or None), "changed_at": iso(one.changed_at or None)}
