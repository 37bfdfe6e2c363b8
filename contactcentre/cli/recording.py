"""Recordings of calls: list them, and with the right role, take one out."""

import getpass
import os
import shutil
import time
from dataclasses import asdict
from hashlib import file_digest
from pathlib import Path

import click
from rich.table import Table

from contactcentre.archive import BadKeys, BadName, LostKey, NotThere, Shelf, Tampered
from contactcentre.archive.erasing import erase as erase_for_good
from contactcentre.archive.erasing import named, of_caller, to_erase
from contactcentre.archive.shelf import suffix_of
from contactcentre.cli.contact import plain
from contactcentre.cli.context import open_services, open_store
from contactcentre.cli.moments import MOMENT, Clock, iso, seconds
from contactcentre.cli.recording_keys import keys
from contactcentre.cli.terminal import actor, counted, facts, json_option, listed, narrow, print_json, said
from contactcentre.cli.terminal import plain as in_words
from contactcentre.cli.terminal import show as show_parts
from contactcentre.domain.contacts import Recording
from contactcentre.domain.ids import short
from contactcentre.settings import Settings
from contactcentre.store import Store
from contactcentre.store.history import MAX_PAGE
from contactcentre.tasks.keeping import FAILED_KEPT_SECONDS
from contactcentre.web.permissions import Permission, granted

_MOMENTS = ("started", "ended", "stored_at", "failed_at", "deleted_at")


class MayNotListen(Exception):
    """The user may not listen to recordings. Says why."""


class NothingToRetry(Exception):
    """The recording has not failed."""


@click.group("recording")
def command() -> None:
    """Recordings of calls."""


command.add_command(keys)


@command.command("list")
@click.option(
    "--since", type=MOMENT, default="24h", show_default=True, help="Began at or after: 2026-11-23, today, 2h."
)
@click.option("--until", type=MOMENT, help="Began before.")
@click.option("--queue", default="", help="Of this queue.")
@click.option("--agent", default="", help="Of this agent.")
@click.option("--limit", type=click.IntRange(1, MAX_PAGE), default=50, show_default=True)
@json_option
def list_(since: str, until: str | None, queue: str, agent: str, limit: int, as_json: bool) -> None:
    """Recordings, the latest first. Shows what is known of them; nobody hears anything."""
    with open_store() as store:
        clock = Clock.of(store)
        begin, end = clock.read(since), clock.read_or_none(until)
        found = store.recordings(since=begin, until=end, queue=queue, agent=agent, limit=limit)
    if as_json:
        print_json([{**plain(recording), "state": recording.state} for recording in found])
        return
    table = Table(box=None, pad_edge=False)
    left_out = ("kind", "queue") if narrow() else ()
    columns = ("began", "id", "kind", "queue", "agent", "length", "state")
    for name in (name for name in columns if name not in left_out):
        table.add_column(name, no_wrap=name in ("began", "id", "length"), overflow="fold")
    for one in found:
        began = (clock.day_and_minute if narrow() else clock.date_and_time)(one.started or one.ended)
        state = f"{one.state}: {one.error}" if one.error else one.state
        texts = (began, one.id, one.kind, one.box or one.queue, one.agent, seconds(one.seconds), state)
        table.add_row(*(said(text) for name, text in zip(columns, texts, strict=True) if name not in left_out))
    show_parts(table if found else "No recordings.")


@command.command("show")
@click.argument("recording")
@json_option
def show(recording: str, as_json: bool) -> None:
    """What is known of one recording, and who has listened to it."""
    with open_store() as store:
        clock = Clock.of(store)
        contact_id, found = store.recording(recording)
        heard = [entry for entry in store.audit_entries(subject=recording) if entry.action.startswith("recording.")]
    known = {"contact": contact_id, "state": found.state, **plain(found)}
    access = [{**e.detail, "at": iso(e.at), "who": e.actor, "did": e.action} for e in heard]
    if as_json:
        print_json({**known, "access": access})
        return
    told = {**known, **{name: clock.date_and_time(getattr(found, name)) for name in _MOMENTS}}
    show_parts(
        facts((name.replace("_", " "), in_words(value)) for name, value in told.items() if value not in (None, "", {}))
    )
    for entry in heard:
        click.echo(f"{clock.date_and_time(entry.at)}  {said(entry.actor)}: {entry.action}")


@command.command("export")
@click.argument("recording")
@click.option("--as", "user", required=True, metavar="USER", help="On whose account: must be allowed to listen.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; default ID.wav (.flac, .opus) here.",
)
def export(recording: str, user: str, output: Path | None) -> None:
    """Copy a recording out in the clear, on the account of USER.

    Who did it is noted in the audit log before the copy is made.
    """
    with open_store() as store:
        _check(store, user, recording)
        contact_id, found = store.recording(recording)
        target = output or Path(f"{Path(recording).name}{suffix_of(Path(found.path))}")
        if target.exists():
            raise click.BadParameter(f"{target} is there already", param_hint="--output")
        source = Shelf.of(store, Settings()).open(found)
        detail = {"contact": contact_id, "to": str(target.absolute()), "by": getpass.getuser(), "at": time.time()}
        store.audit(user, "recording.export", recording, detail)
        with (
            source as file,
            os.fdopen(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out,
        ):
            shutil.copyfileobj(file, out)
    click.echo(f"{target} ({seconds(found.seconds)}, sha256 {found.sha256})")


@command.command("retry")
@click.argument("recording", required=False)
@click.option("--failed", "all_failed", is_flag=True, help="All that failed and whose files the PBX may still have.")
def retry(recording: str | None, all_failed: bool) -> None:
    """Have a RECORDING that failed assembled once more.

    The worker does it; after the cause is mended.
    """
    from contactcentre.tasks.app import assemble_soon, connect_broker

    if bool(recording) is all_failed:
        raise click.UsageError("name one recording, or give --failed")
    with open_services() as services, Store(services.database_url) as store:
        store.migrate()
        chosen = (
            store.failed_recordings(time.time() - FAILED_KEPT_SECONDS) if all_failed else [_failed(store, recording)]
        )
        connect_broker(services.celery_url)
        for one in chosen:
            assemble_soon(one)
    click.echo(f"{len(chosen)} handed to the worker")


_REASON = click.option("--reason", required=True, help="For the audit log.")


@command.command("hold")
@click.argument("recordings", nargs=-1, required=True)
@_REASON
def hold(recordings: tuple[str, ...], reason: str) -> None:
    """Legal hold: nothing deletes these until `release`.

    RECORDINGS are their ids, or a contact's: then all of it, also a message that was left.
    """
    with open_store() as store:
        ids = _ids(store, recordings)
        done = store.hold(ids, actor(), reason)
    click.echo(f"{done} put on hold" + (f", {len(ids) - done} were already" if done < len(ids) else ""))


@command.command("release")
@click.argument("recordings", nargs=-1, required=True)
@_REASON
def release(recordings: tuple[str, ...], reason: str) -> None:
    """Take a legal hold back; retention counts again.

    RECORDINGS as for `hold`.
    """
    with open_store() as store:
        done = store.release(_ids(store, recordings), actor(), reason)
    click.echo(f"{done} released")


@command.command("holds")
@json_option
def holds(as_json: bool) -> None:
    """What is on legal hold, by whom and why."""
    with open_store() as store:
        clock = Clock.of(store)
        rows = [{**asdict(one), "at": iso(one.at) if as_json else clock.date_and_time(one.at)} for one in store.holds()]
    listed(rows, ("recording", "by", "at", "reason"), as_json, "Nothing is on hold.")


@command.command("erase")
@click.argument("recording", required=False)
@click.option("--caller", help="All of a customer, by the number, however it is spelled.")
@click.option("--yes", is_flag=True, help="Erase; without it only what would be erased is shown.")
@_REASON
def erase(recording: str | None, caller: str | None, yes: bool, reason: str) -> None:
    """Delete the sound for good, on request.

    RECORDING is its id, or a contact's: then all of it, also a message that was left. Shows what it is about; erases
    with --yes. That it was there, and who erased it, stays known. What is on legal hold is refused, and then nothing is
    erased.
    """
    if bool(recording) is bool(caller):
        raise click.UsageError("name one recording or contact, or give --caller")
    with open_store() as store:
        found = to_erase(store, named(store, recording) if recording else of_caller(store, str(caller)))
        if not found:
            click.echo("Nothing to erase.")
            return
        clock = Clock.of(store)
        for contact_id, one in found:
            began, of = clock.date_and_time(one.started or one.ended), one.box or one.queue
            parts = (began, one.id, short(contact_id), one.kind, of, one.agent, seconds(one.seconds))
            click.echo("  ".join(str(said(part)) for part in parts if part))
        if not yes:
            click.echo(f"{counted(len(found), 'recording')}: nothing is erased without --yes.")
            raise SystemExit(1)
        shelf, reason = Shelf.of(store, Settings()), f"request: {reason}"
        for one_found in found:
            erase_for_good(store, shelf, one_found, reason, actor(), time.time())
    click.echo(f"{counted(len(found), 'recording')} erased")


def _ids(store: Store, names: tuple[str, ...]) -> list[str]:
    """Of recordings and contacts; there is none: said before anything is done."""
    return list(dict.fromkeys(one.id for name in names for _, one in named(store, name)))


@command.command("verify")
@click.option("--since", type=MOMENT, default="24h", show_default=True, help="Began at or after.")
@click.option("--limit", type=click.IntRange(1, MAX_PAGE), default=MAX_PAGE, show_default=True)
@json_option
def verify(since: str, limit: int, as_json: bool) -> None:
    """Are the stored files there, unchanged, and can they be opened?

    Exit code 1 when one is not.
    """
    with open_store() as store:
        clock = Clock.of(store)
        found = [one for one in store.recordings(since=clock.read(since), limit=limit) if one.state == "stored"]
        shelf = Shelf.of(store, Settings())
        wrong = [
            {"recording": one.id, "path": one.path, "problem": said} for one in found if (said := _problem(shelf, one))
        ]
    if as_json:
        print_json({"checked": len(found), "problems": wrong})
    else:
        for one in wrong:
            click.echo(f"{one['recording']}: {one['problem']}")
        click.echo(f"{counted(len(found), 'recording')} checked, {counted(len(wrong), 'problem')}")
    raise SystemExit(1 if wrong else 0)


def _problem(shelf: Shelf, recording: Recording) -> str:
    """What is wrong with the stored file; "" = nothing."""
    try:
        with shelf.path(recording).open("rb") as file:
            if file_digest(file, "sha256").hexdigest() != (recording.file_sha256 or recording.sha256):
                return "is not what was stored: its checksum differs"
        with shelf.open(recording) as sound_of_it:
            if file_digest(sound_of_it, "sha256").hexdigest() != recording.sha256:
                return "does not hold what was recorded: the checksum of its sound differs"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    except (BadName, NotThere, BadKeys, LostKey, Tampered) as error:
        return str(error)
    return ""


def _failed(store: Store, recording: str | None) -> str:
    _, found = store.recording(recording or "")
    if found.state not in ("failed", "ended"):
        raise NothingToRetry(f"recording {found.id} is {found.state}: there is nothing to retry")
    return found.id


def _check(store: Store, name: str, recording: str) -> None:
    """Raises MayNotListen; that somebody tried is noted too."""
    account = store.user_named(name)
    if account is None:
        raise MayNotListen(f"there is no user {name!r} (`contactcentre user list`)")
    if account.disabled or not granted(account.role, Permission.LISTEN):
        why = "is disabled" if account.disabled else f"has the role {account.role}, which may not listen to recordings"
        store.audit(name, "recording.refuse", recording, {"by": getpass.getuser(), "why": why})
        raise MayNotListen(f"user {name} {why}")
