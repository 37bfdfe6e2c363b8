"""Browsers that see the same: their queues of frames, and the frames kept for those who come back.

Nobody waits for a client: one whose queue is full is cut, and its browser comes back with the id of the last frame it
saw (Last-Event-ID) and gets what it missed, or everything anew when that is too long ago. A frame's id is the id of
the last Redis entry in it, so it means the same in every process.
"""

import queue
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from pydantic import BaseModel

from contactcentre.web import rows
from contactcentre.web.board import Board
from contactcentre.web.limited import Limited
from contactcentre.web.numbers_only import NumbersOnly

QUEUED_FRAMES = 200
"""Frames a client may be behind before it is cut."""

KEPT_FRAMES = 2000
"""Frames kept for those who come back."""


def frame(event: str, body: BaseModel, id: str = "") -> bytes:
    """One server-sent event (WHATWG HTML, section 9.2). JSON holds no raw newline, so one data line is enough."""
    head = f"id: {id}\n" if id else ""
    return f"{head}event: {event}\ndata: {body.model_dump_json()}\n\n".encode()


@dataclass(eq=False)
class Client:
    """One browser's place at the table."""

    frames: "queue.Queue[bytes | None]" = field(default_factory=lambda: queue.Queue(QUEUED_FRAMES + 1))
    ended: bool = False
    agent: str = ""
    """Whose desk it shows; "" = it shows a board."""

    def next(self, seconds: float) -> bytes | None:
        """What is there to send, at least one frame; b"" when none came in time; None when the stream ends."""
        try:
            text = self.frames.get(timeout=seconds)
            while text is not None and not self.frames.empty():
                more = self.frames.get_nowait()
                text = None if more is None else text + more
        except queue.Empty:
            text = b""
        return None if self.ended else text

    def end(self) -> None:
        self.ended = True
        self.frames.put_nowait(None)


class _Clients:
    """Their methods are called one at a time."""

    def __init__(self) -> None:
        self._clients: set[Client] = set()
        self.cut = 0
        """Clients cut because they were too slow."""

    def __len__(self) -> int:
        return len(self._clients)

    def join(self, agent: str = "") -> Client:
        """A new client, which hears what is told from here on."""
        client = Client(agent=agent)
        self._clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        self._clients.discard(client)

    def send(self, text: bytes) -> None:
        for client in list(self._clients):
            self._give(client, text)

    def end(self) -> None:
        for client in self._clients:
            client.end()
        self._clients.clear()

    def _give(self, client: Client, text: bytes) -> None:
        if client.frames.qsize() >= QUEUED_FRAMES:
            self._clients.discard(client)
            client.end()
            self.cut += 1
        else:
            client.frames.put_nowait(text)


class Desks(_Clients):
    """Agents who see their own work."""

    def __init__(self, board: Board) -> None:
        super().__init__()
        self._board = board

    def greet(self, client: Client, now: float) -> None:
        """A client's first frame. There is none for an agent whom the board does not have."""
        self._show(client, now)

    def show(self, changed: rows.Change | None, now: float, boxes: Collection[str] = ()) -> None:
        """To those whose desk a change (None: perhaps everything), or one in these `boxes` of messages, is about."""
        for client in list(self._clients):
            row = self._board.agents.get(client.agent)
            contact = row.contact_id if row is not None else ""
            named = changed is None or client.agent in changed.agents or contact in changed.contacts
            if named or (boxes and not self._board.boxes_of(client.agent).isdisjoint(boxes)):
                self._show(client, now)

    def tell(self, readers: Collection[str], text: bytes) -> None:
        """A frame for the desks of these agents."""
        for client in list(self._clients):
            if client.agent in readers:
                self._give(client, text)

    def _show(self, client: Client, now: float) -> None:
        if (desk := self._board.desk(client.agent, now)) is not None:
            self._give(client, frame("desk", desk))


class Audience(_Clients):
    """Those who see all of a board, or of the same queues."""

    def __init__(self, board: Board, queues: frozenset[str] | None, cursor: str, numbers_only: bool = False) -> None:
        """`queues` None: all. `cursor`: up to where the board shows the stream."""
        super().__init__()
        seen = board if queues is None else Limited(board, queues)
        self._seen = NumbersOnly(seen) if numbers_only else seen
        self._kept: deque[tuple[str, bytes]] = deque(maxlen=KEPT_FRAMES)
        self._floor = cursor  # frames after this id are kept

    def greet(self, client: Client, last_id: str, cursor: str, now: float) -> None:
        """A client's first frames: what it missed since `last_id`, or everything."""
        for text in self._first(last_id, cursor, now):
            client.frames.put_nowait(text)

    def begin(self, cursor: str, now: float) -> None:
        """The board was read anew."""
        self._floor = cursor
        self._kept.clear()
        self.send(frame("snapshot", self._seen.snapshot(now), cursor))

    def take(self, changed: rows.Change, cursor: str = "") -> None:
        """Tells a change; with a cursor it is kept, too, for those who come back."""
        seen = changed if isinstance(self._seen, Board) else self._seen.change(changed)
        if seen is None:
            return
        text = frame("change", seen, cursor)
        if cursor:
            if len(self._kept) == KEPT_FRAMES:
                self._floor = self._kept[0][0]
            self._kept.append((cursor, text))
        self.send(text)

    def _first(self, last_id: str, cursor: str, now: float) -> list[bytes]:
        if _order(self._floor) <= _order(last_id) <= _order(cursor):
            missed = [text for id, text in self._kept if _order(id) > _order(last_id)]
            if len(missed) < QUEUED_FRAMES // 2:
                return [*missed, frame("change", self._seen.numbers(now))]
        return [frame("snapshot", self._seen.snapshot(now), cursor)]


def _order(id: str) -> tuple[int, int]:
    """The place of a Redis stream id, (-1, 0) for what is none."""
    milliseconds, _, number = id.partition("-")
    if not (milliseconds.isdecimal() and number.isdecimal() and len(id) < 50):
        return (-1, 0)
    return int(milliseconds), int(number)
