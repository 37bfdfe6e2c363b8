"""Webhooks: other programs that are told what happens."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import click

from contactcentre.archive import KeySource, Signing
from contactcentre.cli.context import open_store
from contactcentre.cli.moments import Clock, iso
from contactcentre.cli.terminal import actor, counted, facts, json_option, listed, print_json, show
from contactcentre.domain.ids import uuid7
from contactcentre.domain.site import Site
from contactcentre.domain.webhooks import ENDS, KINDS, TEST, Webhook, checked, message_id
from contactcentre.outgoing import Reach
from contactcentre.outgoing.webhook import send
from contactcentre.settings import Settings
from contactcentre.store import Store

_name = click.argument("name")
_kinds = click.option(
    "--kind", "kinds", multiple=True, help="What it is told: several times. `webhook kinds` lists them."
)
_queues = click.option("--queue", "queues", multiple=True, help="Only facts of this queue: several times.")


@click.group("webhook")
def command() -> None:
    """Webhooks: other programs that are told what happens.

    Messages are signed (Standard Webhooks), sent after the fact is in the history, and tried again for a day.
    """


@command.command("add")
@_name
@click.argument("url")
@_kinds
@_queues
def add(name: str, url: str, kinds: tuple[str, ...], queues: tuple[str, ...]) -> None:
    """Tell what happens to a URL. Prints the secret that the messages are signed with, this once."""
    with _opened() as (store, signing, _):
        wanted = checked(Webhook(name, url, kinds, queues), _site(store).queues)
        store.add_webhook(wanted, actor(), time.time())
        try:
            secret = signing.make(name)
        except Exception:
            store.remove_webhook(name, actor())
            raise
    click.echo(secret)


@command.command("kinds")
def kinds_() -> None:
    """What can be told, one a line."""
    click.echo("\n".join((*KINDS, *ENDS)))


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """All webhooks, and how they are."""
    with open_store() as store:
        found = store.webhooks()
    if as_json:
        return print_json([_plain(one) for one in found])
    rows = [{**asdict(one), "state": one.state, "kinds": len(one.kinds)} for one in found]
    columns = ("name", "state", "url", "kinds", "delivered", "waiting", "letters", "error")
    return listed(rows, columns, False, "No webhooks.")


@command.command("show")
@_name
@json_option
def show_(name: str, as_json: bool) -> None:
    """One webhook."""
    with open_store() as store:
        one, clock = store.webhook(name), Clock.of(store)
    if as_json:
        return print_json(_plain(one))
    told = {"state": one.state, "url": one.url, "kinds": ", ".join(one.kinds), "queues": ", ".join(one.queues) or "all"}
    if one.paused_at:
        told["paused"] = f"{clock.date_and_time(one.paused_at)}: {one.paused_why}"
    if one.error:
        told["failed last"] = one.error
    told |= {"delivered": str(one.delivered), "waiting": str(one.waiting), "not taken": str(one.letters)}
    return show(facts(told.items()))


@command.command("set")
@_name
@click.option("--url")
@_kinds
@_queues
@click.option("--all-queues", is_flag=True, help="Facts of all queues from now on.")
def set_(name: str, url: str | None, kinds: tuple[str, ...], queues: tuple[str, ...], all_queues: bool) -> None:
    """Change a webhook. What is not given stays; kinds and queues that are given are all it has from then on."""
    with open_store() as store:
        known = store.webhook(name)
        named = () if all_queues else queues or known.queues
        wanted = replace(known, url=url or known.url, kinds=kinds or known.kinds, queues=named)
        store.change_webhook(known, checked(wanted, {*_site(store).queues, *known.queues}), actor(), time.time())


@command.command("test")
@_name
def test(name: str) -> None:
    """Send one message now and say what came of it."""
    with _opened() as (store, signing, settings):
        hook, now = store.webhook(name), time.time()
        reach = Reach.of(settings.http_allow.split())
        message = message_id(TEST, uuid7(now))
        sent = send(hook.url, signing.read(name), message, TEST, now, {"webhook": name}, reach)
        store.audit(actor(), "webhook.test", name, {"error": sent.error})
    if sent.error:
        click.echo(f"not taken: {sent.error} ({sent.seconds:.2f} s)", err=True)
        raise SystemExit(1)
    click.echo(f"taken: status {sent.status} ({sent.seconds:.2f} s)")


@command.command("enable")
@_name
def enable(name: str) -> None:
    """Switch a webhook on, also one that was paused."""
    _switch(name, on=True)


@command.command("disable")
@_name
def disable(name: str) -> None:
    """Switch a webhook off. What happens from now on it is never told."""
    _switch(name, on=False)


@command.command("secret")
@_name
def secret(name: str) -> None:
    """Make a new secret in place of the one there was; print it, once."""
    with _opened() as (store, signing, _):
        store.webhook(name)
        made = signing.make(name)
        store.audit(actor(), "webhook.secret", name)
    click.echo(made)


@command.command("remove")
@_name
def remove(name: str) -> None:
    """Remove a webhook, with all that it was still to be told."""
    with _opened() as (store, signing, _):
        store.remove_webhook(name, actor())
        signing.forget(name)


@command.command("letters")
@_name
@json_option
def letters(name: str, as_json: bool) -> None:
    """Messages that nobody took, newest first."""
    with open_store() as store:
        store.webhook(name)
        found, clock = store.letters(name), Clock.of(store)
    if as_json:
        return print_json(
            [{**asdict(one), "made_at": iso(one.made_at), "tried_at": iso(one.tried_at)} for one in found]
        )
    rows = [{**asdict(one), "tried": clock.date_and_time(one.tried_at or None)} for one in found]
    columns = ("message", "kind", "subject", "tries", "tried", "error")
    return listed(rows, columns, False, "Every message was taken, or is still being tried.")


@command.command("resend")
@_name
@click.argument("messages", nargs=-1, metavar="[MESSAGE]...")
@click.option("--all", "everything", is_flag=True, help="All that nobody took.")
def resend(name: str, messages: tuple[str, ...], everything: bool) -> None:
    """Send messages again that nobody took, with the ids they had."""
    if bool(messages) is everything:
        raise click.UsageError("name messages, or give --all")
    with open_store() as store:
        store.webhook(name)
        number = store.resend(name, None if everything else messages, actor(), time.time())
    click.echo(f"{counted(number, 'message')} to be sent again")


def _switch(name: str, *, on: bool) -> None:
    with open_store() as store:
        known = store.webhook(name)
        store.change_webhook(known, replace(known, enabled=on), actor(), time.time())


@contextmanager
def _opened() -> Iterator[tuple[Store, Signing, Settings]]:
    settings = Settings().prepare()
    with open_store(settings) as store:
        yield store, Signing(store, KeySource.of(settings)), settings


def _site(store: Store) -> Site:
    return store.site()[1] or Site()


def _plain(one: Webhook) -> dict[str, Any]:
    moments = ("created_at", "paused_at", "failing_since", "next_at", "delivered_at")
    return {**asdict(one), "state": one.state, **{name: iso(getattr(one, name) or None) for name in moments}}
