"""The master keys of sealed recordings, by command."""

import time

import click

from contactcentre.archive import KeySource, LostKey, Shelf
from contactcentre.cli.context import open_store
from contactcentre.cli.terminal import actor, counted, json_option, listed
from contactcentre.settings import Settings
from contactcentre.store import Store


@click.group("keys")
def keys() -> None:
    """Master keys that seal recordings.

    With a key, whatever is stored from then on is sealed. Back the key file up, apart from the database.
    """


@keys.command("init")
def init() -> None:
    """Make the first key; new recordings are sealed from now on."""
    settings = Settings().prepare()
    source = KeySource.of(settings)
    with open_store(settings) as store:
        if source.read().current:
            raise click.ClickException("there is a key already; `recording keys rotate` makes a new one")
        if used := store.data_keys():
            raise LostKey(f"recordings are sealed with {', '.join(sorted(used))}: bring that key file back")
        _add(source, store)
    click.echo(f"Back {source.file} up now, apart from the database: without it nobody hears what is sealed.")


@keys.command("rotate")
def rotate() -> None:
    """Make a new key, the current one from now on.

    `rewrap` then wraps older recordings' keys by it; their files are not touched.
    """
    settings = Settings().prepare()
    source = KeySource.of(settings)
    if not source.read().current:
        raise LostKey("there is no key yet: `recording keys init`")
    with open_store(settings) as store:
        _add(source, store)
    click.echo("`recording keys rewrap` brings older recordings to it. Back the key file up.")


@keys.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Which keys there are and how many recordings each one opens. Never a key itself."""
    settings = Settings().prepare()
    ring = KeySource.of(settings).read()
    with open_store(settings) as store:
        used = store.data_keys()
    rows = [
        {
            "key": name,
            "state": "LOST" if name not in ring.keys else "current" if name == ring.current else "older",
            "recordings": used.get(name, 0),
        }
        for name in (*ring.keys, *sorted(used.keys() - ring.keys.keys()))
    ]
    listed(rows, ("key", "state", "recordings"), as_json, "No keys: recordings are not sealed (`recording keys init`).")


@keys.command("rewrap")
def rewrap() -> None:
    """Wrap all recordings' keys by the current key.

    May be stopped and started again. An older key that `list` shows with 0 recordings can be taken out of the file.
    """
    settings = Settings().prepare()
    with open_store(settings) as store:
        shelf, done = Shelf.of(store, settings), 0
        while now := shelf.rewrap():
            done += now
        store.audit(actor(), "recording.rewrap", "", {"recordings": done})
    click.echo(f"{counted(done, 'recording')} rewrapped")


def _add(source: KeySource, store: Store) -> None:
    taken = {*source.read().keys, *store.data_keys()}
    day = time.strftime("%Y-%m-%d", time.gmtime())
    name = next(name for n in range(1, len(taken) + 2) if (name := f"{day}.{n}") not in taken)
    source.add(name)
    store.audit(actor(), "recording.key", name)
    click.echo(f"{name} is the current key, in {source.file}")
