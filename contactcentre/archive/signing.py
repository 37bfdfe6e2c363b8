"""The secrets that webhooks' messages are signed with: sealed by the master key as recordings' keys are, and beside
these, so that a new master key wraps them, too. Where there is no master key, they lie with the other secrets."""

import os

from contactcentre.archive.keys import KEY, KeySource, LostKey
from contactcentre.domain.webhooks import secret_of, shown
from contactcentre.store import Store


class Signing:
    def __init__(self, store: Store, source: KeySource) -> None:
        self._store, self._source = store, source

    def make(self, webhook: str) -> str:
        """A new secret instead of the one there was, in the form that people and libraries take. Raises BadKeys,
        LostKey."""
        name, secret, ring = _name(webhook), os.urandom(KEY), self._source.read()
        if not ring.current and self._store.data_keys():
            raise LostKey("what is sealed needs a master key, and there is none: bring the key file back")
        self.forget(webhook)
        if ring.current:
            self._store.keep_data_key(name, *ring.wrap(name, secret))
        else:
            self._store.set_secret(name, shown(secret))
        return shown(secret)

    def read(self, webhook: str) -> bytes:
        """Raises BadKeys, LostKey."""
        name = _name(webhook)
        if (sealed := self._store.data_key(name)) is not None:
            return self._source.read().unwrap(name, *sealed)
        if (text := self._store.secret(name)) is not None:
            return secret_of(text)
        raise LostKey(f"{name} has no secret yet: `contactcentre webhook secret` or `customer lookup-secret` makes one")

    def forget(self, webhook: str) -> None:
        self._store.destroy_data_key(_name(webhook))
        self._store.remove_secret(_name(webhook))


def _name(webhook: str) -> str:
    """What is no webhook's has a name with a slash itself."""
    return webhook if "/" in webhook else f"webhook/{webhook}"
