"""Versions of the site, and its secrets."""

from contextlib import suppress
from dataclasses import dataclass

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.dialects.postgresql import insert

from contactcentre.domain.site import Site
from contactcentre.domain.story import InForce
from contactcentre.store.database import Database
from contactcentre.store.tables import secret, site_version


class SiteChanged(Exception):
    """Somebody saved another version in the meantime; nothing was saved."""


class NoSuchVersion(Exception):
    """There is no site version of this number."""


@dataclass(frozen=True, slots=True)
class SiteVersion:
    id: int
    at: float
    by: str
    comment: str


class Sites(Database):
    _site_cache: tuple[int, Site | None] = (0, None)

    def site(self, version: int | None = None) -> tuple[int, Site | None]:
        """(number, site) of one version, or of the newest; (0, None) when there is none yet. Raises
        NoSuchVersion, and pydantic's ValidationError when the stored document is not one that this program
        understands."""
        newest = sa.select(sa.func.max(site_version.c.id)).scalar_subquery()
        with self._begin() as connection:
            number = connection.scalar(sa.select(newest)) or 0 if version is None else version
            if number == self._site_cache[0]:
                return self._site_cache
            document = connection.scalar(sa.select(site_version.c.document).where(site_version.c.id == number))
        if document is None:
            raise NoSuchVersion(f"there is no site version {number}")
        found = number, Site.model_validate(document)
        if version is None:
            self._site_cache = found
        return found

    def save_site(self, site: Site, by: str, comment: str = "", expected: int | None = None) -> int:
        """Adds a version and returns its number. With `expected`, only if that is still the newest one:
        raises SiteChanged otherwise, so two people cannot overwrite each other. A stored version never
        changes."""
        with self._begin() as connection:
            connection.execute(sa.text("LOCK TABLE site_version IN SHARE ROW EXCLUSIVE MODE"))
            newest = connection.scalar(sa.select(sa.func.max(site_version.c.id))) or 0
            if expected is not None and expected != newest:
                raise SiteChanged(f"the site is at version {newest}, not {expected}: look at it and try again")
            values = {"by": by, "document": site.model_dump(mode="json"), "comment": comment}
            statement = sa.insert(site_version).values(values).returning(site_version.c.id)
            return int(connection.execute(statement).scalar_one())

    def site_versions(self, limit: int = 100, before: int | None = None) -> list[SiteVersion]:
        """Newest first; those before one."""
        columns = (site_version.c.id, site_version.c.at, site_version.c.by, site_version.c.comment)
        with self._begin() as connection:
            wanted = sa.select(*columns) if before is None else sa.select(*columns).where(site_version.c.id < before)
            rows = connection.execute(wanted.order_by(site_version.c.id.desc()).limit(limit))
            return [SiteVersion(*row) for row in rows]

    def sites_in_force(self, since: float, until: float, limit: int = 10) -> list[InForce]:
        """The version that was in force at `since` and those saved until `until` (the newest `limit` of them), the
        oldest first. One whose document this program does not understand is left out."""
        columns = (site_version.c.id, site_version.c.at, site_version.c.by, site_version.c.document)
        newest = sa.select(*columns).order_by(site_version.c.id.desc())
        with self._begin() as connection:
            before = connection.execute(newest.where(site_version.c.at <= since).limit(1)).all()
            within = connection.execute(
                newest.where(site_version.c.at > since, site_version.c.at <= until).limit(limit)
            ).all()
        found = []
        for id, at, by, document in reversed([*within, *before]):
            with suppress(ValidationError):
                found.append(InForce(at, id, by, Site.model_validate(document)))
        return found

    # -- secrets: `agent/NAME`, `trunk/NAME` -----------------------------------------------------------------

    def secret(self, name: str) -> str | None:
        with self._begin() as connection:
            return connection.scalar(sa.select(secret.c.value).where(secret.c.name == name))

    def set_secret(self, name: str, value: str) -> None:
        statement = insert(secret).values(name=name, value=value)
        update = {"value": statement.excluded.value, "at": sa.func.now()}
        with self._begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=update))

    def secrets(self, prefix: str = "") -> dict[str, str]:
        """Name -> value of all whose name begins with `prefix`."""
        statement = sa.select(secret.c.name, secret.c.value).where(secret.c.name.startswith(prefix, autoescape=True))
        with self._begin() as connection:
            return {row.name: row.value for row in connection.execute(statement)}

    def remove_secret(self, name: str) -> bool:
        """False when there was none."""
        with self._begin() as connection:
            return bool(connection.execute(sa.delete(secret).where(secret.c.name == name)).rowcount)
