"""Webhooks as the API and the page take and show them."""

import time
from dataclasses import replace
from typing import Annotated, Self

from flask import request
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.archive import BadKeys, KeySource, LostKey, Signing
from contactcentre.domain.ids import uuid7
from contactcentre.domain.results import NotAcceptable
from contactcentre.domain.sentences import phrase
from contactcentre.domain.site import Site
from contactcentre.domain.webhooks import TEST, Delivery, Webhook, checked, message_id
from contactcentre.outgoing import Reach
from contactcentre.outgoing.webhook import Sent, send
from contactcentre.store import Changed as ChangedMeanwhile
from contactcentre.store import NoSuchWebhook, WebhookThere
from contactcentre.web.errors import BadValue, Changed, Conflict, NotFound
from contactcentre.web.etags import agree
from contactcentre.web.rows import Row
from contactcentre.web.session import address_of, signed_in
from contactcentre.web.wiring import services

Kinds = Annotated[list[str], Field(max_length=100, description="facts to be told; see `kinds` of the list")]
Queues = Annotated[list[str], Field(max_length=200, description="only facts of these; empty: of all")]


class Wish(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(default=None, max_length=500)
    kinds: Kinds | None = None
    queues: Queues | None = None
    enabled: bool | None = Field(default=None, description="true, where it was paused: it is tried again")


class NewWish(Wish):
    name: str = Field(max_length=40)


class WebhookRow(Row):
    name: str
    url: str
    kinds: tuple[str, ...]
    queues: tuple[str, ...] = Field(description="empty: all")
    enabled: bool
    state: str = Field(description="on, off, failing (it is tried again), paused (it is not, until it is enabled)")
    why: str = Field(description="it is paused, or failed last")
    failing_since: float | None
    paused_at: float | None
    delivered: int
    delivered_at: float | None = Field(description="last")
    failed: int = Field(description="tries that failed, ever")
    waiting: int = Field(description="messages that are to be sent")
    letters: int = Field(description="messages that nobody took")

    @classmethod
    def of(cls, one: Webhook) -> Self:
        return cls(
            name=one.name,
            url=one.url,
            kinds=one.kinds,
            queues=one.queues,
            enabled=one.enabled,
            state=one.state,
            why=one.paused_why or one.error,
            failing_since=one.failing_since or None,
            paused_at=one.paused_at or None,
            delivered=one.delivered,
            delivered_at=one.delivered_at or None,
            failed=one.failed,
            waiting=one.waiting,
            letters=one.letters,
        )


class LetterRow(Row):
    message: str = Field(description="its id, the same however often it is sent")
    kind: str
    subject: str = Field(description="a contact or an agent")
    tries: int
    tried_at: float | None
    error: str

    @classmethod
    def of(cls, one: Delivery) -> Self:
        return cls(
            message=one.message,
            kind=one.kind,
            subject=one.subject,
            tries=one.tries,
            tried_at=one.tried_at or None,
            error=one.error,
        )


class There(Conflict):
    code, title = "webhook_there", phrase("There is a webhook of this name already")


class NoKey(Conflict):
    code, title = "no_key", phrase("The key that the secret is sealed with is not there")


def find(name: str) -> Webhook:
    """Raises NotFound."""
    try:
        return services().store.webhook(name)
    except NoSuchWebhook as error:
        raise NotFound(str(error)) from None


def add(wish: NewWish) -> tuple[Webhook, str]:
    """(it, its secret, which is shown this once). Audited. Raises BadValue, There, NoKey."""
    store, (by, address) = services().store, actor()
    wanted = _with(Webhook(wish.name, "", ()), wish)
    try:
        made = store.add_webhook(wanted, by, time.time(), address)
    except WebhookThere as there:
        raise There(str(there)) from None
    except NotAcceptable as wrong:
        raise BadValue(wrong.args[0]) from None
    try:
        return made, _signing().make(made.name)
    except (BadKeys, LostKey) as error:
        store.remove_webhook(made.name, by, address)
        raise NoKey(str(error)) from None


def change(known: Webhook, wish: Wish, version: int | None) -> Webhook:
    """Audited. `version`: the one that the asker has read. Raises BadValue, MatchNeeded, Changed."""
    agree(version, known.version, needed=True)
    by, address = actor()
    try:
        return services().store.change_webhook(known, _with(known, wish), by, time.time(), address)
    except ChangedMeanwhile:
        raise Changed(phrase("Read it again: somebody else has changed it.")) from None


def remove(known: Webhook) -> None:
    """Audited."""
    services().store.remove_webhook(known.name, *actor())
    _signing().forget(known.name)


def new_secret(known: Webhook) -> str:
    """Instead of the one there was, at once. Audited. Raises NoKey."""
    try:
        made = _signing().make(known.name)
    except (BadKeys, LostKey) as error:
        raise NoKey(str(error)) from None
    by, address = actor()
    services().store.audit(by, "webhook.secret", known.name, {}, address)
    return made


def test(known: Webhook) -> Sent:
    """Sends one message now, and waits for what comes of it. Audited. Raises NoKey."""
    now, reach = time.time(), Reach.of(services().settings.http_allow.split())
    try:
        secret = _signing().read(known.name)
    except (BadKeys, LostKey) as error:
        raise NoKey(str(error)) from None
    sent = send(known.url, secret, message_id(TEST, uuid7(now)), TEST, now, {"webhook": known.name}, reach)
    by, address = actor()
    services().store.audit(by, "webhook.test", known.name, {"error": sent.error}, address)
    return sent


def letters(known: Webhook, limit: int, cursor: str = "") -> tuple[list[Delivery], str]:
    """(what nobody took, newest first, cursor of the next page or ""). `cursor`: digits."""
    found = services().store.letters(known.name, limit + 1, int(cursor) if cursor else None)
    return found[:limit], str(found[limit - 1].n) if len(found) > limit else ""


def resend(known: Webhook, messages: list[str] | None) -> int:
    """Audited."""
    by, address = actor()
    return services().store.resend(known.name, messages, by, time.time(), address)


def actor() -> tuple[str, str]:
    """(who asks, from where)."""
    account = signed_in()
    return account.name, address_of(request)


def _with(known: Webhook, wish: Wish) -> Webhook:
    given = wish.model_dump(exclude_none=True, exclude={"name"})
    given |= {name: tuple(given[name]) for name in ("kinds", "queues") if name in given}
    queues = (services().store.site()[1] or Site()).queues
    try:
        # a queue that the site no longer has may stay, and be taken away
        return checked(replace(known, **given), {*queues, *known.queues})
    except NotAcceptable as wrong:
        raise BadValue(wrong.args[0]) from None


def _signing() -> Signing:
    return Signing(services().store, KeySource.of(services().settings))
