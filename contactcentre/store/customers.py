"""Customers: found by number or by what is known of them, changed, merged, forgotten."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert

from contactcentre.domain.customers import Customer, merged, what_changed
from contactcentre.domain.events import Kind
from contactcentre.domain.ids import uuid7
from contactcentre.domain.numbers import spellings
from contactcentre.store.customer_tables import customer, customer_number
from contactcentre.store.database import RECORD_LOCK
from contactcentre.store.paging import after, cursor_at
from contactcentre.store.results import Changed, Results
from contactcentre.store.tables import audit, box_message, contact, contact_note, event, said_event, voicemail

MAX_CUSTOMERS = 200
_PERSONAL = {
    Kind.ARRIVED: ("caller", "caller_name"),
    Kind.CALLBACK_REQUESTED: ("number",),
    Kind.DISPOSITION: ("number",),
    Kind.SET: ("value",),
}
"""What of a contact's facts tells who called: the numbers, the name, and what was keyed in."""


class NoSuchCustomer(Exception):
    """There is no customer of this id."""


class NumberTaken(Exception):
    """A number is another customer's already. `holder`: whose, by id."""

    def __init__(self, number: str, holder: str) -> None:
        super().__init__(f"numbers: {number} is that of another customer already: merge the two")
        self.number, self.holder = number, holder


@dataclass(frozen=True, slots=True)
class CustomerPage:
    """Customers, the one changed last first. `cursor` gets the next page; "" on the last one."""

    customers: tuple[Customer, ...]
    cursor: str = ""


class Customers(Results):
    def customer(self, id: str) -> Customer:
        """By id; also one that was merged, by its id of before. Raises NoSuchCustomer."""
        if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", id):
            raise NoSuchCustomer(f"there is no customer {id[:40]!r}")
        with self._begin() as connection:
            found = _read(connection, customer.c.id == _final(connection, id))
        if not found:
            raise NoSuchCustomer(f"there is no customer {id}")
        return found[0]

    def customer_of(self, number: str) -> Customer | None:
        """Whose number (E.164) it is."""
        own = sa.select(customer_number.c.customer_id).where(customer_number.c.number == number)
        with self._begin() as connection:
            found = _read(connection, customer.c.id.in_(own))
        return found[0] if found else None

    def customers(
        self,
        text: str = "",
        tag: str = "",
        only: Collection[str] | None = None,
        limit: int = 50,
        cursor: str = "",
    ) -> CustomerPage:
        """Those whose name, fields or numbers have this text, and the tag. `only`: who has called for one of these
        queues. Raises BadCursor."""
        own, limit = customer.c, max(1, min(limit, MAX_CUSTOMERS))
        wanted: list[sa.ColumnElement[bool]] = [own.merged_into.is_(None)]
        if text:
            wanted.append(_holds(text))
        if tag:
            wanted.append(own.tags.contains([tag.lower()]))
        if only is not None:
            wanted.append(_called(list(only)))
        if cursor:
            wanted.append(after(cursor, own.changed_at, own.id))
        with self._begin() as connection:
            found = _read(connection, *wanted, limit=limit + 1)
        more = found[limit - 1] if len(found) > limit else None
        return CustomerPage(tuple(found[:limit]), cursor_at(more.changed_at, more.id) if more else "")

    def customer_seen(self, id: str, only: Collection[str]) -> bool:
        """Whether the customer has called for one of these queues."""
        with self._begin() as connection:
            return bool(_read(connection, customer.c.id == id, _called(list(only))))

    def save_customer(
        self, before: Customer, after: Customer, country: str, by: str, at: float, address: str = ""
    ) -> Customer:
        """As it is afterwards, with a line in the audit log; a new one where `before` has no id. Raises Changed where
        somebody else was quicker, NumberTaken."""
        at = round(at, 6)  # as the database keeps it
        saved = replace(
            after,
            id=before.id or uuid7(at),
            version=before.version + 1,
            created_at=before.created_at or at,
            changed_at=at,
            changed_by=by,
        )
        with self._begin() as connection:
            self._put(connection, before, saved)
            self._number(connection, saved, country)
            verb = "change" if before.id else "add"
            _note(connection, by, f"customer.{verb}", saved.id, {"changed": what_changed(before, saved)}, address)
        return saved

    def merge_customers(
        self, kept: Customer, other: Customer, country: str, by: str, at: float, address: str = ""
    ) -> Customer:
        """`other` is `kept` from now on. Raises Changed, domain.results.NotAcceptable."""
        at = round(at, 6)
        one = replace(merged(kept, other), version=kept.version + 1, changed_at=at, changed_by=by)
        nothing = replace(Customer(other.id), version=other.version + 1, changed_at=at, changed_by=by)
        with self._begin() as connection:
            self._put(connection, other, replace(nothing, created_at=other.created_at), merged_into=kept.id)
            before = customer.c.merged_into == other.id
            connection.execute(sa.update(customer).where(before).values(merged_into=kept.id))
            mine = customer_number.c.customer_id.in_([kept.id, other.id])
            connection.execute(sa.delete(customer_number).where(mine))
            self._put(connection, kept, one)
            self._number(connection, one, country)
            _note(connection, by, "customer.merge", kept.id, {"with": other.id}, address)
        return one

    def contact_ids_of(self, numbers: Collection[str]) -> list[tuple[str, bool]]:
        """(id, whether it has ended) of every contact that came from one of these numbers, as they came."""
        own = contact.c
        statement = sa.select(own.id, own.ended.is_not(None)).where(own.caller.in_(list(numbers))).order_by(own.arrived)
        with self._begin() as connection:
            return [(str(id), ended) for id, ended in connection.execute(statement)]

    def forget_customer(
        self, known: Customer, contact_ids: Sequence[str], reason: str, by: str, address: str = ""
    ) -> None:
        """Takes the customer away, and out of these contacts who called: numbers, names, what was keyed in, notes and
        answers. When, how long and with whom stays, so every report stays what it was."""
        ids = list(contact_ids)
        with self._begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(RECORD_LOCK)))
            for table in (event, said_event):
                for kind, names in _PERSONAL.items():
                    taken = sa.cast(dict.fromkeys(names, ""), table.c.data.type)
                    own = table.c.contact_id.in_(ids) & (table.c.kind == kind.value)
                    connection.execute(sa.update(table).where(own).values(data=table.c.data.concat(taken)))
            connection.execute(sa.delete(contact_note).where(contact_note.c.contact_id.in_(ids)))
            messages = sa.select(voicemail.c.recording).where(voicemail.c.contact_id.in_(ids))
            connection.execute(sa.update(box_message).where(box_message.c.recording.in_(messages)).values(note=""))
            if known.id:
                connection.execute(sa.delete(customer_number).where(customer_number.c.customer_id == known.id))
                gone = (customer.c.id == known.id) | (customer.c.merged_into == known.id)
                connection.execute(sa.delete(customer).where(gone))
            detail = {"reason": reason, "contacts": len(ids)}
            _note(connection, by, "customer.erase", known.id, detail, address)
            self._fold(connection, ids)

    @staticmethod
    def _put(connection: sa.Connection, before: Customer, after: Customer, merged_into: str | None = None) -> None:
        row: dict[str, Any] = {
            "name": after.name,
            "fields": dict(after.fields),
            "tags": list(after.tags),
            "notes": after.notes,
            "version": after.version,
            "created_at": after.created_at,
            "changed_at": after.changed_at,
            "changed_by": after.changed_by,
            "looked_up": dict(after.looked_up),
            "merged_into": merged_into,
        }
        statement: sa.Insert | sa.Update = sa.insert(customer).values(id=after.id, **row)
        if before.id:
            own = (customer.c.id == before.id) & (customer.c.version == before.version)
            statement = sa.update(customer).where(own).values(row)
        if connection.execute(statement.returning(customer.c.id)).one_or_none() is None:
            raise Changed(f"customer {after.id}: somebody else has changed it meanwhile")

    @staticmethod
    def _number(connection: sa.Connection, one: Customer, country: str) -> None:
        """Gives the customer its numbers, and takes away those that are not its any more. Raises NumberTaken."""
        own = customer_number.c
        connection.execute(sa.delete(customer_number).where(own.customer_id == one.id))
        for n, number in enumerate(one.numbers):
            row = {"number": number, "customer_id": one.id, "n": n, "spellings": sorted(spellings(number, country))}
            added = insert(customer_number).values(row).on_conflict_do_nothing()
            if connection.execute(added.returning(own.number)).one_or_none() is None:
                holder = connection.scalar(sa.select(own.customer_id).where(own.number == number))
                raise NumberTaken(number, str(holder))


def _read(connection: sa.Connection, *wanted: sa.ColumnElement[bool], limit: int = 1) -> list[Customer]:
    numbers = (
        sa.select(sa.func.array_agg(aggregate_order_by(customer_number.c.number, customer_number.c.n)))
        .where(customer_number.c.customer_id == customer.c.id)
        .scalar_subquery()
    )
    own = customer.c
    statement = sa.select(*(column for column in own if column.name != "merged_into"), numbers.label("numbers"))
    statement = statement.where(*wanted).order_by(own.changed_at.desc(), own.id.desc()).limit(limit)
    return [
        Customer(**{**row, "numbers": tuple(row["numbers"] or ()), "tags": tuple(row["tags"])})
        for row in connection.execute(statement).mappings()
    ]


def _final(connection: sa.Connection, id: str) -> str:
    """The id under which a customer is known today. (Chains do not grow: a merge leads all to the end.)"""
    return connection.scalar(sa.select(customer.c.merged_into).where(customer.c.id == id)) or id


def _holds(text: str) -> sa.ColumnElement[bool]:
    own, digits = customer.c, re.sub(r"[\s().+-]", "", text)
    found: list[sa.ColumnElement[bool]] = [own.name.icontains(text, autoescape=True)]
    values = sa.func.jsonb_each_text(own.fields).table_valued("key", "value")
    found.append(sa.exists(sa.select(1).select_from(values).where(values.c.value.icontains(text, autoescape=True))))
    if digits.isascii() and digits.isdigit():
        spelled = sa.func.array_to_string(customer_number.c.spellings, " ")
        mine = customer_number.c.customer_id == own.id
        found.append(sa.exists().where(mine, spelled.contains(digits)))
    return sa.or_(*found)


def _called(queues: list[str]) -> sa.ColumnElement[bool]:
    number = customer_number.c
    return sa.exists().where(
        number.customer_id == customer.c.id,
        contact.c.caller == sa.any_(number.spellings),
        contact.c.queues.overlap(queues),
    )


def _note(
    connection: sa.Connection, actor: str, action: str, subject: str, detail: dict[str, Any], address: str
) -> None:
    line = {"actor": actor, "action": action, "subject": subject, "detail": detail, "address": address}
    connection.execute(sa.insert(audit).values(line))


def spelled(numbers: Iterable[str], country: str) -> list[str]:
    """All that these may have come as."""
    return sorted({one for number in numbers for one in spellings(number, country)})
