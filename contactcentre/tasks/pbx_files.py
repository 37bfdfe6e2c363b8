"""The PBX's own recording files: in its directory where this machine can read it, else over ARI.

Names are the PBX's, without suffix. They come from facts and become part of paths and URLs, so each is
checked.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import urllib3

from contactcentre.archive import checked
from contactcentre.domain.stereo import SIDES, one_side, stereo_of
from contactcentre.domain.stereo import SUFFIX as STEREO
from contactcentre.settings import Settings
from contactcentre.tasks.audio import NotReady

SUFFIX = ".wav"
CHUNK = 1 << 16
TIMEOUT = urllib3.Timeout(connect=5, read=30)
"""Seconds; of each read, not of the whole file."""


class PbxAway(NotReady):
    """The PBX's files cannot be reached at the moment: they are not known to be missing."""


class PbxFiles(Protocol):
    """Raises PbxAway, BadName, OSError."""

    def get(self, name: str) -> Path | None:
        """A file here with its content; None when the PBX does not have it (yet)."""

    def delete(self, name: str) -> None:
        """One that is gone already is no error."""

    def names(self) -> Iterator[str]:
        """All that are there, other people's too."""


class LocalFiles:
    """The PBX's recordings directory, on this machine or mounted. A file of both sides of a call (`NAME.stereo`) is
    parted when one of them is asked for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def get(self, name: str) -> Path | None:
        path = self._path(name)
        if not path.is_file():
            self._part(name)
        return path if path.is_file() else None

    def delete(self, name: str) -> None:
        self._part(name)
        self._path(name).unlink(missing_ok=True)

    def names(self) -> Iterator[str]:
        for path in sorted(self._directory.glob(f"*{SUFFIX}")):
            name = path.name.removesuffix(SUFFIX)
            if name.endswith(STEREO):
                yield from (f"{name.removesuffix(STEREO)}-{side}" for side in SIDES)
            else:
                yield name

    def _path(self, name: str) -> Path:
        return self._directory / f"{checked(name)}{SUFFIX}"

    def _part(self, name: str) -> None:
        """Makes two files of one. One that is no sound is left as it is: what becomes of it is the keeper's."""
        stereo, asked = stereo_of(name)
        if not stereo or not (both := self._path(stereo)).is_file():
            return
        stem = name.removesuffix(asked)
        for side in SIDES:
            draft = self._path(f"{stem}{side}").with_suffix(".unfinished")
            try:
                with both.open("rb") as source, draft.open("wb") as file:
                    for piece in one_side(iter(lambda: source.read(CHUNK), b""), side):
                        file.write(piece)
            except ValueError:
                draft.unlink()
                return
            draft.rename(self._path(f"{stem}{side}"))
        both.unlink()


class AriFiles:
    """The stored recordings of an Asterisk somewhere else. Files that were fetched lie in `scratch` until
    `delete`."""

    def __init__(self, url: str, user: str, secret: str, scratch: Path) -> None:
        self._base = f"{url.rstrip('/').removesuffix('/ari')}/ari/recordings/stored"
        self._scratch = scratch
        headers = urllib3.make_headers(basic_auth=f"{user}:{secret}")
        self._http = urllib3.PoolManager(
            headers=headers, timeout=TIMEOUT, retries=urllib3.Retry(2, redirect=0, status=0)
        )

    def get(self, name: str) -> Path | None:
        path = self._scratch / f"{checked(name)}{SUFFIX}"
        answer = self._ask("GET", f"{name}/file", stream=True)
        try:
            if answer.status == 404:
                return None
            if answer.status != 200:
                raise PbxAway(f"the PBX answers {answer.status} to the question for recording {name}")
            self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
            with path.open("wb") as file:
                path.chmod(0o600)
                for chunk in answer.stream(CHUNK):
                    file.write(chunk)
        except urllib3.exceptions.HTTPError as error:
            path.unlink(missing_ok=True)
            raise PbxAway(f"recording {name} did not come from the PBX: {error}") from error
        finally:
            answer.release_conn()
        return path

    def delete(self, name: str) -> None:
        (self._scratch / f"{checked(name)}{SUFFIX}").unlink(missing_ok=True)
        answer = self._ask("DELETE", name)
        if answer.status not in (200, 204, 404):
            raise PbxAway(f"the PBX answers {answer.status} to the wish to delete recording {name}")

    def names(self) -> Iterator[str]:
        for stored in self._ask("GET", "").json():
            with suppress(KeyError, TypeError):
                yield str(stored["name"])

    def _ask(self, method: str, path: str, stream: bool = False) -> urllib3.BaseHTTPResponse:
        try:
            return self._http.request(method, f"{self._base}/{path}".rstrip("/"), preload_content=not stream)
        except urllib3.exceptions.HTTPError as error:
            raise PbxAway(f"the PBX cannot be asked for recordings: {error}") from error


def pbx_files(settings: Settings, scratch: Path) -> PbxFiles | None:
    """The way to the PBX's files that these settings allow; None when they name none."""
    if settings.pbx_recordings_dir is not None and settings.pbx_recordings_dir.is_dir():
        return LocalFiles(settings.pbx_recordings_dir)
    if settings.ari_url and settings.ari_user and settings.ari_secret:
        return AriFiles(settings.ari_url, settings.ari_user, settings.ari_secret.get_secret_value(), scratch)
    return None
