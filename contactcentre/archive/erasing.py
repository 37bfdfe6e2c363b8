"""Erasure on request: of one recording, of all of a contact, or of all of a customer; or of the customer, with all that
says who it was. Messages that were left are recordings, too. What is on legal hold is refused, and then nothing is
erased."""

from collections.abc import Sequence
from dataclasses import dataclass

from contactcentre.archive.shelf import Shelf
from contactcentre.domain.contacts import Recording
from contactcentre.domain.customers import Customer
from contactcentre.domain.events import AFTERWARDS, Event, Kind
from contactcentre.domain.numbers import spellings
from contactcentre.store import AmbiguousContact, NoSuchContact, NoSuchRecording, OnHold, Store
from contactcentre.store.customers import spelled

Found = tuple[str, Recording]
"""The contact's id, and the recording."""


class StillRuns(Exception):
    """Somebody talks still: what is being recorded cannot be erased yet."""


def named(store: Store, name: str) -> list[Found]:
    """A recording by its id, or all of a contact by its id, or the beginning of that. What was erased is among them.
    Raises NoSuchRecording, which says both."""
    try:
        return [store.recording(name)]
    except NoSuchRecording:
        pass
    try:
        history = store.history(name)
    except (NoSuchContact, AmbiguousContact) as error:
        raise NoSuchRecording(f"there is no recording {name[:60]!r}, and {error}") from None
    return [(history.contact.id, recording) for recording in history.recordings]


def of_caller(store: Store, number: str) -> list[Found]:
    """All that is kept of a customer, however the number was spelled as it came."""
    _, site = store.site()
    return store.recordings_of_caller(spellings(number, site.settings.country if site is not None else ""))


@dataclass(frozen=True, slots=True)
class OfCustomer:
    """All that is kept of a customer."""

    customer: Customer
    contacts: tuple[str, ...]
    recordings: tuple[Found, ...]


def of_customer(store: Store, customer: Customer, country: str) -> OfCustomer:
    """Raises OnHold, StillRuns; else it can be erased."""
    numbers = spelled(customer.numbers, country)
    contacts = store.contact_ids_of(numbers)
    if running := [id for id, ended in contacts if not ended]:
        raise StillRuns(f"still going on: contact {', '.join(running)}: end the call first")
    found = to_erase(store, store.recordings_of_caller(numbers))
    return OfCustomer(customer, tuple(id for id, _ in contacts), tuple(found))


def erase_customer(
    store: Store, shelf: Shelf, known: OfCustomer, reason: str, actor: str, now: float, address: str = ""
) -> None:
    """Recordings first: a crash in between is mended by doing it again. Raises OnHold, BadName."""
    for one in known.recordings:
        erase(store, shelf, one, reason, actor, now, address)
    store.forget_customer(known.customer, known.contacts, reason, actor, address)


def to_erase(store: Store, found: Sequence[Found]) -> list[Found]:
    """Those that are there still. Raises OnHold, StillRuns."""
    kept = [(contact, one) for contact, one in found if one.deleted_at is None]
    if held := [one.id for _, one in kept if store.held(one.id) is not None]:
        raise OnHold(f"on legal hold: {', '.join(held)} (`recording holds`)")
    if running := [one.id for _, one in kept if one.state == "recording"]:
        raise StillRuns(f"still being recorded: {', '.join(running)}: end the call first")
    return kept


def erase(store: Store, shelf: Shelf, found: Found, reason: str, actor: str, now: float, address: str = "") -> None:
    """Key and file first: a crash in between is mended by doing it again. Raises OnHold, BadName."""
    contact_id, recording = found
    if (held := store.held(recording.id)) is not None:
        raise OnHold(f"recording {recording.id} is on hold since {held.by} said so: {held.reason}")
    store.destroy_data_key(recording.id)  # copies of the file, in backups too, are of no use from now on
    if recording.path:  # else its sound is still on the PBX, and swept away there
        shelf.path(recording).unlink(missing_ok=True)
    store.forget_recording_notes(recording.id)
    detail = {"reason": reason, "contact": contact_id, "queue": recording.queue, "path": recording.path}
    store.audit(actor, "recording.delete", recording.id, detail, address)
    data = {"recording": recording.id, "reason": reason}
    store.record([Event(contact_id, AFTERWARDS, now, Kind.RECORDING_DELETED, data)])
