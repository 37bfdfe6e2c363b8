"""Simulated phones and callers, as the tests, the demo and the bench use them.

Blocking calls, each with a deadline in seconds; usable from threads and, monkey-patched, from greenlets.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from contactcentre.lab.ends import End
from contactcentre.lab.errors import LabTimeout, PhoneError
from contactcentre.lab.remote import Handsets
from contactcentre.lab.results import CallPlan, CallResult, check_digits, check_tone, result_of

ANSWER, BUSY, UNAVAILABLE, DECLINE, IGNORE = 200, 486, 480, 603, 0
CALL_SETUP_DEADLINE = 70.0
"""Longer than SIP's own limit (64 * T1 = 32 s) for an INVITE and its authenticated repetition."""


class OngoingCall(End):
    """A call being made. `wait` gives its result."""

    def __init__(
        self,
        handsets: Handsets,
        plan: CallPlan,
        phone: str = "",
        on_result: Callable[[CallResult], None] | None = None,
    ) -> None:
        """`on_result` is called from the reading thread (or greenlet) and must not block."""
        super().__init__(handsets, f"the call to {plan.did}")
        self.call_id = uuid.uuid4().hex
        self._on_result = on_result
        self.plan = plan
        self._seen: dict[str, float] = {}
        self._result: CallResult | None = None
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
            sequence=plan.sequence,
            frames=plan.frames,
            codec=plan.codec,
        )

    def until(self, moment: str, deadline: float = 60.0) -> float:
        """Wait until the call is `ringing`, `answered`, hears a `person` or has `ended`: when (epoch).

        Raises LabTimeout at the deadline, and PhoneError when the call ended without that.
        """
        with self._changed:
            self._changed.wait_for(lambda: moment in self._seen or self._result or self._trouble, deadline)
            if moment in self._seen:
                return self._seen[moment]
            if self._trouble:
                raise PhoneError(self._trouble)
            if self._result is not None:
                raise PhoneError(f"the call to {self.plan.did} ended ({self._result.status}) without: {moment}")
        raise LabTimeout(f"the call to {self.plan.did}: no {moment} within {deadline:g} s")

    def wait(self, deadline: float | None = None) -> CallResult:
        """Wait for its end. Without a deadline: as long as the plan's own times allow."""
        if deadline is None:
            deadline = CALL_SETUP_DEADLINE + (self.plan.patience or 3600) + (self.plan.talk or 3600)
        self.until("ended", deadline)
        if self._result is None:
            raise PhoneError(f"the call to {self.plan.did} ended without a result")
        return self._result

    def seen(self, moment: str) -> float | None:
        """When that was (see `until`), None when it has not been."""
        return self._seen.get(moment)

    @property
    def result(self) -> CallResult | None:
        """The result when it has ended."""
        return self._result

    def hang_up(self) -> None:
        self._handsets.send("hang_up", call=self.call_id)

    def send_digits(self, digits: str) -> None:
        """RFC 4733 digits now; a comma waits."""
        check_digits(digits)
        self._handsets.send("digits", call=self.call_id, digits=digits)

    def current(self) -> str:
        return self.call_id

    def _take(self, event: dict[str, Any]) -> None:
        with self._changed:
            kind = event["event"]
            if kind in ("gone", "refused"):
                self._trouble = event.get("why", "the process of the simulated phones is gone")
            elif kind == "ended":
                self._result = result_of(event)
                self._seen["ended"] = self._result.ended_at
                self._handsets.listen(self.call_id, None)
            elif kind in ("transfer", "renewed"):
                self._note(event)
            else:
                self._seen[kind] = event["at"]
            self._changed.notify_all()
        if event["event"] == "ended" and self._result is not None and self._on_result is not None:
            self._on_result(self._result)


class Phone(End):
    """A simulated agent's phone: registers at once, stays registered, and takes calls as told.

    ring: seconds it rings. answer: ANSWER, BUSY, UNAVAILABLE, DECLINE (or any SIP status), IGNORE = ring on.
    talk: seconds after which it hangs up, (least, most) for a random time, None = until the other side does.
    tone: the Hz it plays, a multiple of 50. lines: calls it takes at once; further ones get 486.
    heard: a WAV file for what it hears, overwritten by each call. on_event: is given every event, must not block.
    sequence: where the numbers of its RTP packets begin in each call, 0 to 65535; None = anywhere below 32768.
    frames: of 20 ms, in each RTP packet: more of them make a call cheaper for everybody.
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
        sequence: int | None = None,
        frames: int = 1,
        deadline: float = 60.0,
        on_event: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        """Raises LabTimeout when it is not registered within `deadline` seconds (0: do not wait)."""
        check_tone(tone)
        super().__init__(handsets, f"phone {name}")
        self.name = name
        self._registered = False
        self._status = 0
        self._closed = False
        self._on_event = on_event
        self.ringing: dict[str, dict[str, Any]] = {}
        """Calls that came in and have not ended, by Call-ID."""
        self.lamp: dict[str, Any] = {}
        """What it was told last of messages: waiting, new, old, and whether it had asked; empty: nothing yet."""
        self._subscribed = 0
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
            sequence=sequence,
            frames=frames,
        )
        if deadline:
            self.wait_registered(deadline)

    @property
    def registered(self) -> bool:
        return self._registered

    def wait_registered(self, deadline: float = 60.0) -> None:
        """Raises LabTimeout with the registrar's last answer."""
        if not self._wait(lambda: self._registered, deadline):
            raise LabTimeout(f"phone {self.name} is not registered within {deadline:g} s (last answer {self._status})")

    def wait_ringing(self, deadline: float = 60.0) -> dict[str, Any]:
        """Wait until a call is here; its record: call (Call-ID), caller, caller_name, ringing_at, headers, and
        which codecs of ours were offered, in that order."""
        if not self._wait(lambda: bool(self.ringing), deadline):
            raise LabTimeout(f"phone {self.name}: no call came within {deadline:g} s")
        return next(iter(self.ringing.values()))

    def wait_calls(self, count: int = 1, deadline: float = 60.0) -> list[CallResult]:
        """Wait until that many calls have come and ended."""
        if not self._wait(lambda: len(self.calls) >= count, deadline):
            raise LabTimeout(f"phone {self.name}: {len(self.calls)} of {count} calls ended within {deadline:g} s")
        return self.calls[:count]

    def wait_messages(self, new: int, old: int = 0, deadline: float = 60.0) -> dict[str, Any]:
        """Wait until the phone knows of so many messages; what it was told."""
        if not self._wait(lambda: (self.lamp.get("new"), self.lamp.get("old")) == (new, old), deadline):
            raise LabTimeout(f"phone {self.name}: not told of {new}/{old} within {deadline:g} s, but {self.lamp}")
        return self.lamp

    def subscribe(self, deadline: float = 60.0) -> int:
        """Ask to be told of messages; the answer's SIP status."""
        self._handsets.send("subscribe", phone=self.name)
        if not self._wait(lambda: self._subscribed > 0, deadline):
            raise LabTimeout(f"phone {self.name}: no answer to SUBSCRIBE within {deadline:g} s")
        return self._subscribed

    def behave(self, **behaviour: Any) -> None:
        """Change ring, answer, talk, tone, lines, heard or sequence, from the next call on."""
        unknown = behaviour.keys() - {"ring", "answer", "talk", "tone", "lines", "heard", "sequence"}
        if unknown:
            raise PhoneError(f"phone {self.name}: no such behaviour: {', '.join(sorted(unknown))}")
        check_tone(behaviour.get("tone", 400))
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
        check_digits(digits)
        for call in list(self.ringing):
            self._handsets.send("digits", call=call, digits=digits)

    def current(self) -> str:
        """The call that came in first."""
        return str(self.wait_ringing()["call"])

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
            elif kind == "messages":
                self.lamp = event
            elif kind == "subscribed":
                self._subscribed = event["status"]
            elif kind in ("transfer", "renewed") and event["call"] in self.ringing:
                self._note(event)
            elif kind == "incoming":
                self.ringing[event["call"]] = event
            elif kind == "ended" and event["incoming"]:
                self.ringing.pop(event["call"], None)
                self.calls.append(result_of(event))
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
    """Place calls at `rate` per second, evenly spaced, giving each as it begins; `stop` ends it early."""
    begin = time.monotonic()
    for count, plan in enumerate(plans):
        wait = begin + count / rate - time.monotonic()
        if stop is not None and stop.wait(max(wait, 0)):
            return
        if stop is None and wait > 0:
            time.sleep(wait)
        yield OngoingCall(handsets, plan, on_result=on_result)
