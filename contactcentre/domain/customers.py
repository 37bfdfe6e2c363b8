"""Who calls: a customer is known by telephone numbers, and has a name, fields, tags and notes.

Numbers are kept as E.164 says (`+33612407755`), so a customer is recognised however a number was spelled as it came.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from contactcentre.domain.numbers import canonical, is_possible
from contactcentre.domain.results import NotAcceptable, clean
from contactcentre.domain.sentences import phrase
from contactcentre.domain.site import Settings

MOST_NUMBERS, MOST_TAGS = 20, 30
LONGEST_PREFERENCE = 3600
"""Seconds for which a customer may be kept for one agent at most."""
NAME_LIMIT, FIELD_LIMIT, NOTES_LIMIT = 120, 500, 8000
TAG = re.compile(r"[^\W_][\w -]{0,39}")


@dataclass(frozen=True, slots=True)
class Customer:
    """`id` "": nobody has written anything about who calls from this number. Times are epoch seconds."""

    id: str
    numbers: tuple[str, ...] = ()
    name: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    notes: str = ""
    version: int = 0
    created_at: float = 0.0
    changed_at: float = 0.0
    changed_by: str = ""
    looked_up: Mapping[str, Any] = field(default_factory=dict)
    """What another program has said last, see `learned`."""


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody wants to be otherwise; None: it stays. Of `fields` those that are named; an empty one goes."""

    numbers: Iterable[str] | None = None
    name: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    tags: Iterable[str] | None = None
    notes: str | None = None


def number_of(text: str, country: str) -> str:
    """A number as customers are known by. Raises NotAcceptable for what cannot be anybody's."""
    number = canonical(re.sub(r"[\s().-]", "", text), country)
    if not re.fullmatch(r"\+[0-9]{4,15}", number) or not is_possible(number, country):
        where = "" if country else phrase(" with + and its country's code")
        raise NotAcceptable(
            phrase("numbers: %(text)s is no telephone number%(where)s", text=repr(text[:40]), where=where)
        )
    return number


def changed(known: Customer, change: Change, settings: Settings) -> Customer:
    """The customer afterwards; `known` itself where nothing is otherwise. Raises NotAcceptable."""
    numbers = known.numbers
    if change.numbers is not None:
        numbers = tuple(dict.fromkeys(number_of(one, settings.country) for one in change.numbers if one.strip()))
        if len(numbers) > MOST_NUMBERS:
            raise NotAcceptable(
                phrase("numbers: %(numbers)s, at most %(what)s", numbers=len(numbers), what=MOST_NUMBERS)
            )
    if not numbers:
        raise NotAcceptable(phrase("numbers: a customer is known by one at least"))
    name = known.name if change.name is None else _text("name", change.name, NAME_LIMIT)
    if "\n" in name:
        raise NotAcceptable(phrase("name: one line"))
    after = replace(
        known,
        numbers=numbers,
        name=name,
        fields=_fields(known, change.fields, settings),
        tags=known.tags if change.tags is None else _tags(change.tags),
        notes=known.notes if change.notes is None else _text("notes", change.notes, NOTES_LIMIT),
    )
    return known if after == known else after


def learned(known: Customer, said: Mapping[str, Any], settings: Settings, at: float) -> Customer:
    """With what another program says (`name`, `fields`, `tags`, `agent`, `agent_seconds`; all else is not read). What a
    person has written, or taken away, since it said so before stays as it is; fields that the site does not have are
    left out. `known` itself where nothing is otherwise. Raises NotAcceptable."""
    name, fields, tags = said.get("name", ""), said.get("fields", {}), said.get("tags", [])
    if not isinstance(name, str) or not isinstance(fields, dict) or not isinstance(tags, list):
        raise NotAcceptable(phrase("answer: wants name (text), fields (an object) and tags (a list)"))
    before_fields, before_tags = known.looked_up.get("fields", {}), known.looked_up.get("tags", [])
    values = {key: _scalar(f"fields.{key}", value) for key, value in fields.items() if key in settings.customer_fields}
    wanted = _tags(str(tag) for tag in tags)
    own = [tag for tag in known.tags if tag not in before_tags]
    change = Change(
        name=" ".join(name.split())[:NAME_LIMIT] if known.name == known.looked_up.get("name", "") else None,
        fields={key: text for key, text in values.items() if known.fields.get(key, "") == before_fields.get(key, "")},
        tags=[*own, *(tag for tag in wanted if tag in known.tags or tag not in before_tags)][:MOST_TAGS],
    )
    after = changed(known, change, settings)
    agent = _agent(said)
    told = {"name": " ".join(name.split())[:NAME_LIMIT], "fields": values, "tags": list(wanted), **agent}
    if after is known and told == {key: value for key, value in known.looked_up.items() if key != "at"}:
        return known
    if not known.id and not (told["name"] or values or wanted or agent):
        return known
    return replace(after, looked_up={**told, "at": round(at, 3)})


def _agent(said: Mapping[str, Any]) -> dict[str, Any]:
    """The agent whom another program wants for the customer, and for how many seconds, where it says so."""
    agent, seconds = said.get("agent") or "", said.get("agent_seconds")
    if not isinstance(agent, str) or len(agent) > 40:
        raise NotAcceptable("agent: wants an agent's name")
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds <= LONGEST_PREFERENCE
    if seconds is not None and not number:
        raise NotAcceptable(f"agent_seconds: wants 0 to {LONGEST_PREFERENCE}")
    return {"agent": agent, "agent_seconds": seconds} if agent else {}


def preference(known: Customer | None) -> tuple[str, float | None]:
    """(the agent whom another program wants for the customer, "" = none; for how many seconds, None = as the queue
    says)."""
    said = known.looked_up if known else {}
    return str(said.get("agent", "")), said.get("agent_seconds")


def _scalar(where: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise NotAcceptable(phrase("%(where)s: wants a text or a number", where=where[:60]))
    return str(value).strip()


def merged(kept: Customer, other: Customer) -> Customer:
    """Two that are one person: numbers and tags of both; name and fields of `kept` where it has them, else the other's;
    the notes of both. Raises NotAcceptable for a customer with itself, or too many numbers."""
    if kept.id == other.id:
        raise NotAcceptable(phrase("with: it is the same customer"))
    numbers = tuple(dict.fromkeys((*kept.numbers, *other.numbers)))
    if len(numbers) > MOST_NUMBERS:
        raise NotAcceptable(
            phrase(
                "with: together they have %(numbers)s numbers, at most %(what)s",
                numbers=len(numbers),
                what=MOST_NUMBERS,
            )
        )
    return replace(
        kept,
        numbers=numbers,
        name=kept.name or other.name,
        fields={**other.fields, **kept.fields},
        tags=tuple(dict.fromkeys((*kept.tags, *other.tags)))[:MOST_TAGS],
        notes="\n\n".join(notes for notes in (kept.notes, other.notes) if notes)[:NOTES_LIMIT],
    )


def what_changed(before: Customer, after: Customer) -> list[str]:
    """The names of what is otherwise, for the audit log, which has no customer's data."""
    names = [name for name in ("numbers", "name", "tags", "notes") if getattr(before, name) != getattr(after, name)]
    both = {*before.fields, *after.fields}
    return names + sorted(f"fields.{name}" for name in both if before.fields.get(name) != after.fields.get(name))


def _fields(known: Customer, given: Mapping[str, str], settings: Settings) -> dict[str, str]:
    found = dict(known.fields)
    for name, text in given.items():
        if name not in settings.customer_fields and name not in known.fields:
            there = ", ".join(settings.customer_fields) or "none"
            raise NotAcceptable(
                phrase("fields.%(name)s: the site has no such field: %(there)s", name=name[:40], there=there)
            )
        found[name] = _text(f"fields.{name}", text, FIELD_LIMIT)
    return {name: text for name, text in found.items() if text}


def _tags(given: Iterable[str]) -> tuple[str, ...]:
    tags = tuple(dict.fromkeys(tag for one in given if (tag := one.strip().lower())))
    for tag in tags:
        if not TAG.fullmatch(tag):
            raise NotAcceptable(
                phrase("tags: %(tag)s is not a tag: letters, digits, spaces, - and _, at most 40", tag=repr(tag[:40]))
            )
    if len(tags) > MOST_TAGS:
        raise NotAcceptable(phrase("tags: %(tags)s, at most %(what)s", tags=len(tags), what=MOST_TAGS))
    return tags


def _text(where: str, text: str, most: int) -> str:
    text = clean(where, text.replace("\r\n", "\n"))
    if len(text) > most:
        raise NotAcceptable(
            phrase("%(where)s: %(text)s characters, at most %(most)s", where=where, text=len(text), most=most)
        )
    return text
