"""FreeSWITCH's recordings, in its directory as we see it: it hands out no files over its event socket.

Of a leg both sides are in one file, which keeps them together to the sample; each is read out of it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import gevent

from contactcentre.domain.stereo import SIDES, one_side, stereo_of
from contactcentre.pbx.errors import Gone, Refused
from contactcentre.pbx.freeswitch.protocol import identity, word

CHUNK = 65_536


class Recordings:
    def __init__(self, directory: Path | str) -> None:
        self.directory = str(directory)

    def path(self, name: str) -> str:
        """As FreeSWITCH is told it. Raises Refused for what must not be in a command."""
        if ".." in name:
            raise Refused(f"recording {name[:100]!r}: must not lead to another directory")
        return word(f"{self.directory}/{identity(name)}.wav")

    def exists(self, name: str) -> bool:
        stereo, _ = stereo_of(name)
        return Path(self.path(name)).is_file() or (bool(stereo) and Path(self.path(stereo)).is_file())

    def read(self, name: str) -> Iterator[bytes]:
        """In pieces. Raises Gone."""
        stereo, side = stereo_of(name)
        try:
            file = Path(self.path(name)).open("rb")  # noqa: SIM115
        except FileNotFoundError:
            if not stereo:
                raise Gone(f"recording {name} is not there") from None
            yield from self._side(stereo, side, name)
            return
        with file:
            yield from _pieces(file)

    def delete(self, name: str) -> None:
        """No error when it is gone. The other side stays."""
        stereo, side = stereo_of(name)
        Path(self.path(name)).unlink(missing_ok=True)
        if not stereo or not (both := Path(self.path(stereo))).is_file():
            return
        other = SIDES[1 - SIDES.index(side)]
        kept = Path(self.path(f"{name.removesuffix(side)}{other}"))
        draft = kept.with_suffix(".unfinished")
        with draft.open("wb") as file:
            for piece in self._side(stereo, other, name):
                file.write(piece)
                gevent.sleep(0)  # calls go on
        draft.rename(kept)
        both.unlink(missing_ok=True)

    def _side(self, stereo: str, side: str, name: str) -> Iterator[bytes]:
        try:
            file = Path(self.path(stereo)).open("rb")  # noqa: SIM115
        except FileNotFoundError:
            raise Gone(f"recording {name} is not there") from None
        with file:
            try:
                yield from one_side(_pieces(file), side)
            except ValueError as error:
                raise Gone(f"recording {name}: {error}") from None


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(CHUNK):
        yield piece
