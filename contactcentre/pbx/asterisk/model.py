"""Objects and operations made from Asterisk's own api-docs, with ari-py's programming model, for scripts and tests.

    client = connect("http://127.0.0.1:8088", "user", "secret", "app")
    client.on_channel_event("StasisStart", lambda channel, event: channel.answer())
    channel = client.channels.get(channelId="1700000000.1")
    channel.play(media="sound:beep").on_event("PlaybackFinished", print)

The docs are read from the server itself, so the operations are those that it has. Unlike ari-py: listeners of an object
free themselves when its last event came, links reconnect, requests have a deadline and errors are `pbx.errors`.
Callbacks run in a greenlet of their own, one after the other; they may make requests.
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gevent.event import Event as Flag
from gevent.queue import Queue

from contactcentre.pbx.asterisk.connection import Connection
from contactcentre.pbx.asterisk.protocol import Event, Query, resource
from contactcentre.pbx.errors import LinkDown

CONNECT_DEADLINE = 10.0
"""Seconds that `connect` waits for the link."""
LAST_EVENTS = {
    "StasisEnd": "channel",  # of a channel that we did not call, nothing comes after it
    "ChannelDestroyed": "channel",
    "BridgeDestroyed": "bridge",
    "PlaybackFinished": "playback",
    "RecordingFinished": "recording",
    "RecordingFailed": "recording",
}
"""After these nothing more comes of the object named."""
# what an event's object is called -> (repository, parameter of its operations, field with its id)
KINDS = {
    "channel": ("channels", "channelId", "id"),
    "bridge": ("bridges", "bridgeId", "id"),
    "playback": ("playbacks", "playbackId", "id"),
    "recording": ("recordings", "recordingName", "name"),
}
_IDENTIFIER_OF = {
    "Channel": "channel",
    "Bridge": "bridge",
    "Playback": "playback",
    "LiveRecording": "recording",
}
_placeholder = re.compile(r"\{(\w+)\}").findall

log = logging.getLogger(__name__)
Listener = Callable[..., object]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the api-docs, ready to be called."""

    name: str
    method: str
    path: str
    in_path: tuple[str, ...]
    in_query: frozenset[str]
    in_body: frozenset[str]
    required: frozenset[str]
    returns: str

    @classmethod
    def parse(cls, path: str, document: Mapping[str, Any]) -> "Operation":
        """From one entry of an API's `operations`. Raises KeyError for what is no api-doc."""
        parameters: Sequence[Mapping[str, Any]] = document.get("parameters", ())

        def placed(kind: str) -> frozenset[str]:
            return frozenset(p["name"] for p in parameters if p["paramType"] == kind)

        return cls(
            name=document["nickname"],
            method=document["httpMethod"],
            path=path.lstrip("/"),
            in_path=tuple(_placeholder(path)),
            in_query=placed("query"),
            in_body=placed("body"),
            required=frozenset(p["name"] for p in parameters if p.get("required")),
            returns=document.get("responseClass", "void"),
        )

    def request(self, arguments: Mapping[str, Any]) -> tuple[str, Query, Any]:
        """Path, query and body for these arguments. Raises TypeError for an unknown or a missing one."""
        known = self.in_query | self.in_body | set(self.in_path)
        if unknown := arguments.keys() - known:
            raise TypeError(f"{self.name}() has no parameter {', '.join(sorted(unknown))}; it has {sorted(known)}")
        if missing := (self.required | set(self.in_path)) - arguments.keys():
            raise TypeError(f"{self.name}() needs {', '.join(sorted(missing))}")
        parts = [str(arguments[part[1:-1]]) if part.startswith("{") else part for part in self.path.split("/")]
        query = {name: _text(arguments[name]) for name in self.in_query if name in arguments}
        body = {name: arguments[name] for name in self.in_body if name in arguments}
        # A body parameter of structured type is the body itself when the docs call it so (eventFilter's `filter`).
        return resource(*parts), query, body.get("filter", body or None) if body else None


def _text(value: Any) -> Any:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else value


class Repository:
    """`client.channels`: the operations of one resource, as methods."""

    def __init__(self, client: "Client", name: str, operations: Mapping[str, Operation]) -> None:
        self._client, self._name, self._operations = client, name, operations

    def __repr__(self) -> str:
        return f"<ARI {self._name}>"

    def __dir__(self) -> list[str]:
        return sorted(self._operations)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        try:
            operation = self._operations[name]
        except KeyError:
            raise AttributeError(f"{self._name} has no operation {name}; it has {sorted(self._operations)}") from None
        return lambda **arguments: self._client.run(operation, arguments)

    def operation(self, name: str) -> Operation | None:
        return self._operations.get(name)


class Resource:
    """One channel, bridge, playback or recording: its id is filled into every operation."""

    def __init__(self, client: "Client", kind: str, document: Mapping[str, Any]) -> None:
        self._client, self.kind, self.json = client, kind, document
        self._repository, self._parameter, field = KINDS[kind]
        self.id: str = document[field]

    def __repr__(self) -> str:
        return f"<{self.kind} {self.id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resource) and (self.kind, self.id) == (other.kind, other.id)

    def __hash__(self) -> int:
        return hash((self.kind, self.id))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation: Operation | None = getattr(self._client, self._repository).operation(name)
        if operation is None or self._parameter not in operation.in_path:
            raise AttributeError(f"a {self.kind} has no operation {name}")
        return lambda **arguments: self._client.run(operation, {self._parameter: self.id, **arguments})

    def on_event(self, kind: str, listener: Listener) -> Callable[[], None]:
        """Calls `listener(resource, event)`; what is returned takes it off. It goes by itself with the object's end."""
        return self._client.listen(kind, listener, (self.kind, self.id))


class Client:
    """See the module. Made by `connect`."""

    def __init__(self, url: str, user: str, secret: str, app: str) -> None:
        self._up = Flag()
        self._queue: Queue[Event | None] = Queue()
        self._listeners: dict[tuple[str, tuple[str, str] | None], list[Listener]] = {}
        self._repositories: dict[str, Repository] = {}
        self.link = Connection(url, user, secret, app, on_event=self._queue.put, on_up=self._up.set, on_lost=self._lost)

    def open(self, timeout: float = CONNECT_DEADLINE) -> None:
        """Connects and reads the api-docs. Raises LinkDown when there is no link in time."""
        self.link.open()
        if not self._up.wait(timeout):
            self.link.close()
            raise LinkDown(f"no link to the PBX within {timeout} s")
        for api in self.link.over_http("GET", "api-docs/resources.json")["apis"]:
            name = api["path"].rpartition("/")[2].partition(".")[0]
            document = self.link.over_http("GET", resource("api-docs", f"{name}.json"))
            operations = [Operation.parse(a["path"], o) for a in document["apis"] for o in a["operations"]]
            self._repositories[name] = Repository(self, name, {operation.name: operation for operation in operations})
        self.link.spawn(self._deliver)

    def close(self) -> None:
        self.link.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Repository:
        try:
            return self.__dict__["_repositories"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(f"this server has no resource {name}") from None

    def run(self, operation: Operation, arguments: Mapping[str, Any]) -> Any:
        """Carries an operation out. Objects come back as `Resource`, lists of them as lists, the rest as JSON."""
        path, query, body = operation.request(arguments)
        if operation.returns == "binary":
            return b"".join(self.link.stream(path))
        answer = self.link.request(operation.method, path, query, body)
        if operation.returns.startswith("List[") and isinstance(answer, list):
            return [self._made(operation.returns[5:-1], item) for item in answer]
        return self._made(operation.returns, answer)

    def _made(self, returns: str, answer: Any) -> Any:
        kind = _IDENTIFIER_OF.get(returns)
        return Resource(self, kind, answer) if kind and isinstance(answer, dict) else answer

    # -- events --------------------------------------------------------------------------------------------------------

    def on_event(self, kind: str, listener: Listener) -> Callable[[], None]:
        """Calls `listener(event)` for every event of this type; what is returned takes it off."""
        return self.listen(kind, listener, None)

    def on_channel_event(self, kind: str, listener: Listener) -> Callable[[], None]:
        """Calls `listener(channel, event)` for every event of this type that has a channel."""
        return self._on_object_event("channel", kind, listener)

    def on_bridge_event(self, kind: str, listener: Listener) -> Callable[[], None]:
        return self._on_object_event("bridge", kind, listener)

    def on_playback_event(self, kind: str, listener: Listener) -> Callable[[], None]:
        return self._on_object_event("playback", kind, listener)

    def on_recording_event(self, kind: str, listener: Listener) -> Callable[[], None]:
        return self._on_object_event("recording", kind, listener)

    def _on_object_event(self, thing: str, kind: str, listener: Listener) -> Callable[[], None]:
        def with_object(event: Event) -> None:
            if thing in event:
                listener(Resource(self, thing, event[thing]), event)

        return self.listen(kind, with_object, None)

    def listen(self, kind: str, listener: Listener, of: tuple[str, str] | None) -> Callable[[], None]:
        """The same for one object, `(kind of object, id)`, or for all events."""
        listeners = self._listeners.setdefault((kind, of), [])
        listeners.append(listener)

        def unlisten() -> None:
            if listener in listeners:
                listeners.remove(listener)

        return unlisten

    @property
    def listening(self) -> int:
        """How many listeners there are."""
        return sum(len(listeners) for listeners in self._listeners.values())

    def _lost(self, reason: str, replaced: bool) -> None:
        self._up.clear()

    def _deliver(self) -> None:
        while (event := self._queue.get()) is not None:
            kind = event["type"]
            for listener in list(self._listeners.get((kind, None), ())):
                self._call(listener, event)
            for thing, (_, _, field) in KINDS.items():
                document = event.get(thing)
                if not isinstance(document, dict) or not isinstance(identity := document.get(field), str):
                    continue
                for listener in list(self._listeners.get((kind, (thing, identity)), ())):
                    self._call(listener, Resource(self, thing, document), event)
                if LAST_EVENTS.get(kind) == thing:
                    self._forget((thing, identity))

    def _forget(self, of: tuple[str, str]) -> None:
        for key in [key for key in self._listeners if key[1] == of]:
            del self._listeners[key]

    @staticmethod
    def _call(listener: Listener, *arguments: Any) -> None:
        try:
            listener(*arguments)
        except Exception:
            log.exception("a listener failed")


def connect(url: str, user: str, secret: str, app: str, *, timeout: float = CONNECT_DEADLINE) -> Client:
    """A connected client. Raises LinkDown after `timeout` seconds, ValueError for a URL that is none."""
    client = Client(url, user, secret, app)
    client.open(timeout)
    return client
