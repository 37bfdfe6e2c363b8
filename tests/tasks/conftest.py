"""The store's fixtures serve here too."""

from tests.store.conftest import migrated, store

__all__ = ["migrated", "store"]
