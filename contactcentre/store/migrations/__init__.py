"""Versions of the schema. `Store.migrate()` runs them; each is final once it has been released."""
