"""The site and the PBX's password as a node knew them last, in a file of its state directory: so a controller starts,
and takes calls, while PostgreSQL is away.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from pydantic import ValidationError

from contactcentre.domain.site import Site
from contactcentre.store.database import StoreUnavailable

if TYPE_CHECKING:
    from contactcentre.store import Store

log = structlog.get_logger(__name__)

NAME = "last_site.json"

_T = TypeVar("_T")


class LastSite:
    """Answers as the store does, and keeps what it answered; while the store is away, answers from the file."""

    def __init__(self, store: "Store", state_dir: Path) -> None:
        self._store, self._path = store, state_dir / NAME
        self.from_file = False
        """An answer came from the file: there may be a newer one in the store."""

    def site(self) -> tuple[int, Site | None]:
        """As `Store.site`. Raises StoreUnavailable when there is no file either."""
        return self._asked(self.newest, lambda known: (int(known["version"]), Site.model_validate(known["site"])))

    def newest(self) -> tuple[int, Site | None]:
        """The store's own answer. Raises StoreUnavailable."""
        version, site = self._store.site()
        if site is not None:
            self._keep(version=version, site=site.model_dump(mode="json"))
        return version, site

    def secret(self, name: str) -> str | None:
        """As `Store.secret`. Raises StoreUnavailable when the file does not know it either."""
        return self._asked(lambda: self._secret(name), lambda known: str(known["secrets"][name]))

    def _secret(self, name: str) -> str | None:
        value = self._store.secret(name)
        if value is not None:
            self._keep(secrets={**self._read().get("secrets", {}), name: value})
        return value

    def _asked(self, ask: Callable[[], _T], known: Callable[[dict[str, Any]], _T]) -> _T:
        try:
            return ask()
        except StoreUnavailable as error:
            try:
                found = known(self._read())
            except (KeyError, TypeError, ValueError, ValidationError):
                raise error from None
            if not self.from_file:
                log.warning("history is away: starting with the site as it was known last", error=str(error))
            self.from_file = True
            return found

    def _read(self) -> dict[str, Any]:
        """{} when there is no file, or none that can be understood."""
        try:
            known = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def _keep(self, **news: Any) -> None:
        """Replaces the file, for our eyes only, as a whole or not at all; a disk that is full costs nothing else."""
        before = self._read()
        if before.items() >= news.items():
            return
        draft = self._path.with_suffix(f".{os.getpid()}")
        try:
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump({**before, **news}, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except OSError as error:
            log.warning("the site could not be kept for a start without history", error=str(error))
            draft.unlink(missing_ok=True)
