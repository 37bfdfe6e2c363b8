"""Simulated phones and callers, as the tests, the demo and the bench use them.

Blocking calls, each with a deadline in seconds; usable from threads and, monkey-patched, from greenlets.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contactcentre.lab.errors import LabError, LabTimeout, PhoneError

ANSWER, BUSY, UNAVAILABLE, DECLINE, IGNORE = 200, 486, 480, 603, 0
CALL_SETUP_DEADLINE = 70.0
"""Longer than SIP's own limit (64 * T1 = 32 s) for an INVITE and its authenticated repetition."""


@dataclass(frozen=True)
class CallPlan:
    """One call to be placed. Times in seconds; see `Lab.call`."""

    did: str
    caller: str = "+33123456789"
    name: str = ""
    digits: str = ""
    digits_after: float = 1.0
    digit_pause: float = 2.0
    talk: float | None = 5.0
    patience: float | None = 60.0
    tone: int = 400
    headers: Mapping[str, str] = field(default_factory=dict)
    heard: Path | str | None = None

    def __post_init__(self) -> None:
        _check_tone(self.tone)
        _check_digits(self.digits)
        if not self.did or not self.did.isprintable():
            raise LabError(f"did {self.did!r}: a number to call is needed")
        for key, value in self.headers.items():
            if not (key + value).isprintable():
                raise LabError(f"header {key!r}: control characters are not allowed in a SIP header")


@dataclass(frozen=True)
class CallResult:
    """What became of a call, as its own end saw it. Times are epoch seconds, UTC."""

    call_id: str
    """SIP Call-ID of this end."""
    number: str
    """What was dialled."""
    caller: str
    started_at: float
    ringing_at: float | None
    answered_at: float | None
    person_at: float | None
    """When another simulated phone's tone was first heard."""
    ended_at: float
    ended_by: str
    """`us` (hung up as planned), `patience` (gave up), `pbx` (the other side), `nobody` (no answer on the wire)."""
    status: int
    """Final SIP status: 200, 404, 486, 487 (given up before an answer), 408 (no answer on the wire), ..."""
    cause: int | None
    """Q.850 cause of the other side's hangup, when it gave one (RFC 3326)."""
    sent: int
    """RTP packets."""
    received: int
    digits_heard: str
    phone: str = ""
    caller_name: str = ""
    incoming: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the INVITE that came in; empty for a call we placed."""

    @property
    def answered(self) -> bool:
        return self.answered_at is not None

    @property
    def served(self) -> bool:
        """Whether the caller got to speak to another simulated phone."""
        return self.person_at is not None

    @property
    def setup(self) -> float | None:
        """INVITE to 200, seconds."""
        return None if self.answered_at is None else self.answered_at - self.started_at

    @property
    def wait(self) -> float | None:
        """INVITE to the first sound of another phone, seconds."""
        return None if self.person_at is None else self.person_at - self.started_at

    @property
    def duration(self) -> float:
        """INVITE to the end, seconds."""
        return self.ended_at - self.started_at

    @property
    def outcome(self) -> str:
        """`served`, `abandoned` (gave up), `dropped` (the PBX hung up first), `refused` or `failed` (nobody answered)."""
        if self.served:
            return "served"
        if self.ended_by in ("us", "patience"):
            return "abandoned"
        if self.answered:
            return "dropped"
        return "failed" if self.ended_by == "nobody" else "refused"


class Handsets:
    """The process that plays phones and callers for one PBX address; ends with this object's `close` or this process."""

    def __init__(self, pbx: str) -> None:
        self.pbx = pbx
        ours, theirs = socket.socketpair()
        self._socket = ours
        package = str(Path(__file__).resolve().parents[2])
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "contactcentre.lab.handsets", str(theirs.fileno()), pbx],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # a terminal's Ctrl-C is for the controlling side
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            )
        self._sending = threading.Lock()
        self._listeners: dict[str, Callable[[dict[str, Any]], None]] = {}
        self._reader = threading.Thread(target=self._read, name="lab-handsets", daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None and self._reader.is_alive()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, do: str, **command: Any) -> None:
        """Give a command; raises PhoneError when the process is gone."""
        try:
            with self._sending:
                self._socket.sendall(json.dumps({"do": do, **command}).encode() + b"\n")
        except OSError as error:
            raise PhoneError(f"the process of the simulated phones is gone: {error}") from error

    def listen(self, key: str, listener: Callable[[dict[str, Any]], None] | None) -> None:
        """Have every event of the phone or Call-ID `key` given to a function, which must not block; None ends that."""
        if listener is None:
            self._listeners.pop(key, None)
        else:
            self._listeners[key] = listener

    def close(self) -> None:
        """Hang up, sign off and end; returns when the process is gone."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        self._reader.join(5)
        self._socket.close()

    def _read(self) -> None:
        buffer = b""
        while True:
            try:
                chunk = self._socket.recv(1 << 16)
            except OSError:
                chunk = b""
            if not chunk:
                break
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                self._give(json.loads(line))
        for listener in list(self._listeners.values()):
            listener({"event": "gone"})

    def _give(self, event: dict[str, Any]) -> None:
        if event["event"] == "refused":
            event = {"phone": event["command"].get("phone"), "call": event["command"].get("call"), **event}
        phone = self._listeners.get(event.get("phone") or "")
        call = self._listeners.get(event.get("call") or "")
        for listener in {id(x): x for x in (phone, call) if x is not None}.values():
            listener(event)


class OngoingCall:
    """A call being made. `wait` gives its result."""

    def __init__(
        self,
        handsets: Handsets,
        plan: CallPlan,
        phone: str = "",
        on_result: Callable[[CallResult], None] | None = None,
    ) -> None:
        """`on_result` is called from the reading thread (or greenlet) and must not block."""
        self.call_id = uuid.uuid4().hex
        self._on_result = on_result
        self.plan = plan
        self._handsets = handsets
        self._changed = threading.Condition()
        self._seen: dict[str, float] = {}
        self._result: CallResult | None = None
        self._trouble = ""
        handsets.listen(self.call_id, self._take)
        heard = str(Path(plan.heard).resolve()) if plan.heard else None
        handsets.send(
            "call",
            call=self.call_id,
            number=plan.did,
            caller=plan.caller,
            name=plan.name,
            phone=phone,
            headers=dict(plan.headers),
            tone=plan.tone,
            talk=plan.talk,
            patience=plan.patience,
            digits=plan.digits,
            digits_after=plan.digits_after,
            digit_pause=plan.digit_pause,
            heard=heard,
        )

    def until(self, moment: str, deadline: float = 10.0) -> float:
        """Wait until the call is `ringing`, `answered`, hears a `person` or has `ended`; the epoch second it happened.

        Raises LabTimeout at the deadline, and PhoneError when the call ended without that.
        """
        with self._changed:
            self._changed.wait_for(lambda: moment in self._seen or self._result or self._trouble, deadline)
            if moment in self._seen:
                return self._seen[moment]
            if self._trouble:
                raise PhoneError(self._trouble)
            if self._result is not None:
                raise PhoneError(
                    f"the call to {self.plan.did} ended ({self._result.status}) without: {moment}"
                )
        raise LabTimeout(f"the call to {self.plan.did}: no {moment} within {deadline:g} s")

    def wait(self, deadline: float | None = None) -> CallResult:
        """Wait for its end. Without a deadline: as long as the plan's own times allow."""
        if deadline is None:
            deadline = CALL_SETUP_DEADLINE + (self.plan.patience or 3600) + (self.plan.talk or 3600)
        self.until("ended", deadline)
        assert self._result is not None
        return self._result

    @property
    def result(self) -> CallResult | None:
        """The result when it has ended."""
        return self._result

    def hang_up(self) -> None:
        self._handsets.send("hang_up", call=self.call_id)

    def send_digits(self, digits: str) -> None:
        """RFC 4733 digits now; a comma waits."""
        _check_digits(digits)
        self._handsets.send("digits", call=self.call_id, digits=digits)

    def _take(self, event: dict[str, Any]) -> None:
        with self._changed:
            kind = event["event"]
            if kind in ("gone", "refused"):
                self._trouble = event.get("why", "the process of the simulated phones is gone")
            elif kind == "ended":
                self._result = _result(event)
                self._seen["ended"] = self._result.ended_at
                self._handsets.listen(self.call_id, None)
            else:
                self._seen[kind] = event["at"]
            self._changed.notify_all()
        if event["event"] == "ended" and self._result is not None and self._on_result is not None:
            self._on_result(self._result)


class Phone:
    """A simulated agent's phone: registers at once, stays registered, and takes calls as told.

    ring: seconds it rings. answer: ANSWER, BUSY, UNAVAILABLE, DECLINE (or any SIP status), IGNORE = ring for ever.
    talk: seconds after which it hangs up, (least, most) for a random time, None = until the other side does.
    tone: the Hz it plays, a multiple of 50. heard_dir: a directory for WAV files of what it heard, one per call.
    """

    def __init__(
        self,
        handsets: Handsets,
        name: str,
        secret: str | Callable[[], str],
        *,
        ring: float = 1.0,
        answer: int = ANSWER,
        talk: float | tuple[float, float] | None = None,
        tone: int = 800,
        lines: int = 1,
        expires: int = 60,
        heard: Path | str | None = None,
        deadline: float = 10.0,
        on_event: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        """Raises LabTimeout when it is not registered within `deadline` seconds (0: do not wait)."""
        _check_tone(tone)
        self.name = name
        self._handsets = handsets
        self._changed = threading.Condition()
        self._registered = False
        self._status = 0
        self._trouble = ""
        self._closed = False
        self._on_event = on_event
        self.ringing: dict[str, dict[str, Any]] = {}
        """Calls that came in and have not ended, by Call-ID."""
        self.calls: list[CallResult] = []
        """Calls that came in and have ended, oldest first."""
        handsets.listen(name, self._take)
        handsets.send(
            "register",
            phone=name,
            secret=secret() if callable(secret) else secret,
            ring=ring,
            answer=answer,
            talk=talk,
            tone=tone,
            lines=lines,
            expires=expires,
            heard=str(Path(heard).resolve()) if heard else None,
        )
        if deadline:
            self.wait_registered(deadline)

    @property
    def registered(self) -> bool:
        return self._registered

    def wait_registered(self, deadline: float = 10.0) -> None:
        """Raises LabTimeout with the registrar's last answer."""
        if not self._wait(lambda: self._registered, deadline):
            raise LabTimeout(
                f"phone {self.name} is not registered within {deadline:g} s (last answer {self._status})"
            )

    def wait_ringing(self, deadline: float = 10.0) -> dict[str, Any]:
        """Wait until a call is here; its record: call (Call-ID), caller, caller_name, ringing_at, headers, ..."""
        if not self._wait(lambda: bool(self.ringing), deadline):
            raise LabTimeout(f"phone {self.name}: no call came within {deadline:g} s")
        return next(iter(self.ringing.values()))

    def wait_calls(self, count: int = 1, deadline: float = 60.0) -> list[CallResult]:
        """Wait until that many calls have come and ended."""
        if not self._wait(lambda: len(self.calls) >= count, deadline):
            raise LabTimeout(
                f"phone {self.name}: {len(self.calls)} of {count} calls ended within {deadline:g} s"
            )
        return self.calls[:count]

    def behave(self, **behaviour: Any) -> None:
        """Change ring, answer, talk, tone, lines or heard, from the next call on."""
        unknown = behaviour.keys() - {"ring", "answer", "talk", "tone", "lines", "heard"}
        if unknown:
            raise PhoneError(f"phone {self.name}: no such behaviour: {', '.join(sorted(unknown))}")
        _check_tone(behaviour.get("tone", 400))
        self._handsets.send("behave", phone=self.name, **behaviour)

    def answer(self) -> None:
        """Answer what rings, now."""
        for call in list(self.ringing):
            self._handsets.send("answer", call=call)

    def hang_up(self) -> None:
        """Hang up or reject every call that is here."""
        for call in list(self.ringing):
            self._handsets.send("hang_up", call=call)

    def send_digits(self, digits: str) -> None:
        """Digits into every call that is here."""
        _check_digits(digits)
        for call in list(self.ringing):
            self._handsets.send("digits", call=call, digits=digits)

    def dial(self, number: str, **plan: Any) -> OngoingCall:
        """Call a number or feature code from this phone; other arguments as for `Lab.call`."""
        return OngoingCall(self._handsets, CallPlan(number, caller=self.name, **plan), self.name)

    def renew(self) -> None:
        """Register again now (after the PBX was restarted)."""
        self._handsets.send("refresh", phone=self.name)

    def close(self, deadline: float = 5.0) -> None:
        """Hang up and unregister."""
        if not self._closed and self._handsets.alive:
            self._closed = True
            self._handsets.send("unregister", phone=self.name)
            self._wait(lambda: not self._registered, deadline)
            self._handsets.listen(self.name, None)

    def __enter__(self) -> "Phone":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _wait(self, condition: Callable[[], bool], deadline: float) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: condition() or self._trouble, deadline)
            if self._trouble:
                raise PhoneError(self._trouble)
            return condition()

    def _take(self, event: dict[str, Any]) -> None:
        with self._changed:
            kind = event["event"]
            if kind == "gone":
                self._registered = False
                if not self._closed:
                    self._trouble = "the process of the simulated phones is gone"
            elif kind == "refused":
                self._trouble = event["why"]
            elif kind in ("registered", "unregistered"):
                self._registered = kind == "registered"
                self._status = event["status"]
            elif kind == "incoming":
                self.ringing[event["call"]] = event
            elif kind == "ended" and event["incoming"]:
                self.ringing.pop(event["call"], None)
                self.calls.append(_result(event))
            self._changed.notify_all()
        if self._on_event is not None:
            self._on_event(event)


def place_calls(
    handsets: Handsets,
    plans: Iterable[CallPlan],
    rate: float,
    on_result: Callable[[CallResult], None] | None = None,
    stop: threading.Event | None = None,
) -> Iterator[OngoingCall]:
    """Place calls at `rate` per second, evenly spaced, giving each as it is begun; ends early when `stop` is set."""
    begin, count = time.monotonic(), 0
    for plan in plans:
        wait = begin + count / rate - time.monotonic()
        if stop is not None and stop.wait(max(wait, 0)):
            return
        if stop is None and wait > 0:
            time.sleep(wait)
        count += 1
        yield OngoingCall(handsets, plan, on_result=on_result)


def _result(event: dict[str, Any]) -> CallResult:
    known = {key: event[key] for key in CallResult.__dataclass_fields__ if key in event}
    return CallResult(call_id=event["call"], **known)


def _check_tone(tone: int) -> None:
    if tone % 50 or not 0 <= tone <= 3800:
        raise LabError(f"tone {tone}: must be a multiple of 50 Hz, at most 3800 (0 is silence)")


def _check_digits(digits: str) -> None:
    wrong = set(digits.upper()) - set("0123456789*#ABCD,")
    if wrong:
        raise LabError(f"digits {digits!r}: only 0-9 * # A-D, and a comma for a pause")
