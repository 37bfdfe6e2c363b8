"""Takes the private PostgreSQL or Redis away, for tests and benches of those who must do without."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from contactcentre.embedded.places import EmbeddedError, Places
from contactcentre.processes import holder

Name = Literal["postgres", "redis"]
END_DEADLINE = 30.0


class Servers:
    """Of one state directory, while its keeper runs."""

    def __init__(self, state_dir: Path) -> None:
        self._places = Places(state_dir)

    @contextlib.contextmanager
    def away(self, name: Name, how: signal.Signals = signal.SIGKILL, *, empty: bool = False) -> Iterator[None]:
        """Ends one; it is started again after the block, without its data if `empty`. Raises EmbeddedError."""
        keeper = self._keeper()
        os.kill(keeper, signal.SIGSTOP)  # nobody starts it again
        try:
            pid = self._server(keeper, name)
            data = Path(os.readlink(f"/proc/{pid}/cwd"))
            os.kill(pid, how)
            self._await_end(pid, name)
            if empty:
                for entry in data.iterdir():
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            yield
        finally:
            os.kill(keeper, signal.SIGCONT)

    def _keeper(self) -> int:
        keeper = holder(self._places.keeper)
        if keeper is None:
            raise EmbeddedError(f"no embedded servers run at {self._places.state}")
        return keeper

    @staticmethod
    def _server(keeper: int, name: Name) -> int:
        for text in Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split():
            if Path(f"/proc/{text}/comm").read_text().startswith(name):
                return int(text)
        raise EmbeddedError(f"{name} does not run")

    @staticmethod
    def _await_end(pid: int, name: Name) -> None:
        """A dead one that its stopped parent has not reaped has ended."""
        until = time.monotonic() + END_DEADLINE
        with contextlib.suppress(OSError):
            while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                if time.monotonic() > until:
                    raise EmbeddedError(f"{name} does not end within {END_DEADLINE:.0f} s")
                time.sleep(0.02)
