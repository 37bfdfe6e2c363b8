"""Customers as the API and the pages take and show them; by id, or by a number, also one of which nothing is known."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Self

from flask import request
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.customers import Change, Customer, changed, number_of
from contactcentre.domain.results import NotAcceptable
from contactcentre.domain.sentences import phrase
from contactcentre.domain.site import Settings, Site
from contactcentre.store import Changed as ChangedMeanwhile
from contactcentre.store import NoSuchCustomer, NumberTaken
from contactcentre.store.customers import spelled
from contactcentre.store.history import Page
from contactcentre.web.errors import BadValue, Changed, Conflict, NotFound
from contactcentre.web.etags import agree
from contactcentre.web.rows import Row
from contactcentre.web.scope import current_scope
from contactcentre.web.session import address_of
from contactcentre.web.wiring import services

Words = Annotated[str, Field(max_length=120)]


class Wish(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    numbers: list[Words] | None = Field(default=None, max_length=50, description="all of them, in any spelling")
    fields: dict[str, str] = Field(default={}, max_length=50, description="of the site's; an empty one is taken away")
    tags: list[Words] | None = Field(default=None, max_length=50, description="all of them")
    notes: str | None = None

    @property
    def change(self) -> Change:
        return Change(**self.model_dump())


class CustomerRow(Row):
    id: str = Field(description="empty: nothing is known of who calls from this number")
    numbers: tuple[str, ...] = Field(description="E.164")
    name: str
    fields: dict[str, str]
    tags: tuple[str, ...]
    notes: str
    created_at: float | None
    changed_at: float | None
    changed_by: str
    looked_up_at: float | None = Field(default=None, description="when another program has said something last")

    @classmethod
    def of(cls, one: Customer) -> Self:
        known = asdict(one)
        known["looked_up_at"] = one.looked_up.get("at")
        return cls.model_validate({**known, "created_at": one.created_at or None, "changed_at": one.changed_at or None})


class Taken(Conflict):
    code, title = "number_taken", phrase("A number is another customer's")


def settings() -> Settings:
    return (services().store.site()[1] or Site()).settings


def find(id: str) -> Customer:
    """A customer that the asker sees, by id or number. Raises NotFound."""
    store, scope = services().store, current_scope()
    try:
        if not id.startswith(("+", "0")) or len(id) > 30:
            raise NotAcceptable("no number")
        number = number_of(id, settings().country)
        known = store.customer_of(number) or Customer("", (number,))
    except NotAcceptable:
        try:
            known = store.customer(id)
        except NoSuchCustomer as error:
            raise NotFound(str(error)) from None
    if known.id and scope.queues is not None and not store.customer_seen(known.id, scope.queues):
        raise NotFound(phrase("there is no customer %(id)s", id=repr(id[:40])))
    return known


def change(known: Customer, wish: Wish, by: str, version: int | None) -> Customer:
    """Audited. `version`: the one that the asker has read. Raises BadValue, MatchNeeded, Changed, Taken."""
    agree(version, known.version, needed=known.version > 0)
    try:
        rules = settings()
        after = changed(known, wish.change, rules)
        if after is known and known.id:
            return known
        return services().store.save_customer(known, after, rules.country, by, time.time(), address_of(request))
    except NotAcceptable as wrong:
        raise BadValue(wrong.args[0]) from None
    except NumberTaken as taken:
        more = {"holder": taken.holder} if current_scope().queues is None else {}
        raise Taken(str(taken), **more) from None
    except ChangedMeanwhile:
        raise Changed(phrase("Read it again: somebody else has changed it.")) from None


def contacts_of(known: Customer, limit: int = 50, cursor: str = "") -> Page:
    """All that they called for that the asker sees. Raises BadCursor."""
    numbers = spelled(known.numbers, settings().country)
    return services().store.contacts(callers=numbers, limit=limit, cursor=cursor, only=current_scope().queues)


def fields_of(known: Customer) -> Mapping[str, tuple[str, str]]:
    """name -> (label, value): the site's fields, and those that only the customer has."""
    labels = {name: one.called(name) for name, one in settings().customer_fields.items()}
    return {name: (labels.get(name, name), known.fields.get(name, "")) for name in (labels | dict(known.fields))}
