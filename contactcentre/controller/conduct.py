"""Carries out on the PBX what the flow of a contact asks for, from the contact's first moment to its end."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import structlog

from contactcentre.controller import callbacks, conversing, messages, transfers
from contactcentre.controller.contact import SUSPENDING, CallerGone, Contact
from contactcentre.controller.dialogue import Dialogue
from contactcentre.controller.offers import accepted, ring_on, under_way, withdraw
from contactcentre.controller.queueing import QueueStay
from contactcentre.controller.recording_notice import not_said, recorded_by
from contactcentre.controller.transfers import connected, transfer
from contactcentre.domain.agents import AgentStatus
from contactcentre.domain.events import Kind, LeftQueue, Outcome
from contactcentre.domain.flows import actions as act
from contactcentre.domain.flows.walk import Walker
from contactcentre.live import ContactNow
from contactcentre.pbx.errors import Gone, Refused
from contactcentre.pbx.events import Cause, Digit, Ended, Left, PlaybackEnded
from contactcentre.pbx.protocol import ChannelInfo

log = structlog.get_logger(__name__)

OVERLOAD = "contactcentre-overload"
"""The place in the PBX's dialplan where callers are told that there is no room; extensions are the numbers dialled."""

APOLOGY = "sound:an-error-has-occurred"
APOLOGY_DEADLINE = 4.0

GONE_DEADLINE = 3.0
"""Seconds within which a channel that the PBX calls gone is told to have ended."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the PBX has of a contact that was suspended."""

    caller: ChannelInfo | None  # None: has left meanwhile
    there: frozenset[str]  # of its other legs, those that are there
    together: frozenset[str]  # who is in the contact's bridge, the caller perhaps among them
    elsewhere: bool = False  # the caller is there, and in the hands of the PBX's own dialplan

    @property
    def joined(self) -> str:
        """A leg that is in the contact's bridge together with the caller; "" = none."""
        if self.caller is None or self.caller.id not in self.together:
            return ""
        return next(iter(sorted(self.there & self.together)), "")


class Conductor:
    """Walks one contact through its flow."""

    def __init__(
        self, contact: Contact, make_walker: Callable[[], Walker], *, answered: bool, found: Found | None = None
    ) -> None:
        """`answered`: the caller's leg is answered already. `found`: the contact was suspended, and this is there."""
        self.contact = contact
        self.walker: Walker
        self._make_walker = make_walker
        self._dialogue = Dialogue(contact)
        self._sensitive = False  # what the caller keys in is to be in no recording
        self._answered = answered
        self._found = found
        self._ringing: Mapping[str, AgentStatus] = {}  # agents whose phones ring on, by leg

    def run(self) -> None:
        """To the contact's end. Leaves the call alone when suspended."""
        try:
            self._adopt()
            if self._found is None and not self.contact.caller_there:
                self.contact.outcome = Outcome.LOST  # hung up before we came to it
                raise self._caller_gone() or CallerGone(Cause.UNKNOWN)
            self._walk()
        except SUSPENDING:
            raise
        except CallerGone as gone:
            self._end(gone.cause, gone.by)
        except (Gone, Refused) as error:  # a verb met a channel that has just ended: the event is on its way
            left = self._caller_gone()
            if left is not None:
                self._end(left.cause, left.by)
            else:
                self._fail(error)
        except Exception as error:
            self._fail(error)

    def refuse(self, cause: Cause, outcome: Outcome = Outcome.REJECTED) -> None:
        """Turns the caller away. Instead of `run`."""
        self._adopt()
        self.contact.outcome = outcome
        if self.contact.caller_there:
            self.contact.caller.hangup(cause)
        self._end(cause, "system")

    def turn_away(self) -> None:
        """Leaves the caller to the PBX's own dialplan, which says that there is no room. Instead of `run`."""
        self._adopt()
        contact = self.contact
        contact.outcome = Outcome.OVERLOAD
        if contact.caller_there:
            try:
                contact.caller.leave_to(OVERLOAD, contact.now.did)
            except Gone:
                pass
            except Refused:  # its place in the dialplan is not provisioned
                contact.caller.hangup(Cause.CONGESTION)
        self._end(Cause.CONGESTION, "system")

    def _adopt(self) -> None:
        contact = self.contact
        contact.caller_there = self._found is None or self._found.caller is not None
        if contact.caller_there:
            try:
                contact.caller = contact.node.pbx.adopt(contact.caller_id, contact.post)
                if self._found is not None:
                    contact.hush()
            except Gone:
                contact.caller_there = False
        if not contact.caller_there:
            if self._found is not None and self._found.elsewhere:
                contact.post(Left(contact.caller_id, contact.node.now()))
            else:
                contact.post(Ended(contact.caller_id, contact.node.now(), Cause.UNKNOWN))

    def _walk(self) -> None:
        contact, now = self.contact, self.contact.node.now
        result: act.Result
        if self._found is None:
            self.walker = self._make_walker()
            result = self._begin()
        else:
            was = contact.now
            came_to = self._take_up(self._found)
            self.walker = self._make_walker()  # only now: a conversation goes on whatever became of the flow
            action = self.walker.step(act.Resume(), now())
            if came_to is None:
                result = self._repeat(action, was)
            elif isinstance(action, act.Transfer) and isinstance(came_to, act.Left):
                result = act.Transferred()  # the conversation was one for a queue all the same
            elif isinstance(action, act.Enqueue | act.Transfer | act.Voicemail):
                result = came_to
            else:  # another flow than it was
                return self._hang_up(act.Hangup())
        while True:
            self.walker.site = contact.node.site
            action = self.walker.step(result, now())
            for kind, data in self.walker.take_notes():
                contact.emit(kind, **data)
            detail = {**contact.now.detail, "outcome": contact.outcome.value, "left": None, "sent": None}
            contact.save(flow=self.walker.flow.name, flow_state=self.walker.save(), detail=detail)
            if isinstance(action, act.Hangup):
                return self._hang_up(action)
            if not isinstance(action, act.Enqueue):
                contact.save(state="ivr")
            result = self._carry_out(action)

    def _begin(self) -> act.Result:
        """What the flow begins with."""
        return act.Begin()

    # -- after a suspension -------------------------------------------------------------------------------------------

    def _take_up(self, found: Found) -> act.Result | None:
        """What the action under way came to, None where it is to be repeated. What people would notice is not done
        twice, and a conversation is not touched. Raises CallerGone, Suspended."""
        contact, node, was = self.contact, self.contact.node, self.contact.now
        contact.outcome = Outcome(was.detail.get("outcome", Outcome.SELF_SERVED))
        if contact.caller_there:
            contact.recorder.take_over()
        answered = under_way(contact).get(found.joined, {}).get("agent", "") if was.state == "ringing" else ""
        conversation = was.state in ("talking", "parked") or answered
        taking_part = {party.agent for party in conversing.of(contact).now.parties.values()} if conversation else set()
        if was.state == "ringing" and contact.caller_there and not answered:
            self._ringing = ring_on(contact, found.there)
        still = {agent.name for agent in self._ringing.values()}
        node.agents.release(contact.id, but=taking_part | still | {answered})
        if conversation:
            return self._talk_on(found)
        match was.state:
            case "transfer" | "transferred" if found.joined or was.state == "transferred":
                connected(contact)
                return transfers.resume(contact, bool(found.there))
            case "transfer":
                transfers.give_up(contact)
            case "voicemail":
                return messages.finish(contact, was, resumed=True)
            case "ringing":
                withdraw(contact, but=self._ringing)
        if not contact.caller_there:
            if was.state in ("queue", "ringing") and was.queue:
                QueueStay(contact, act.Enqueue(was.queue), _entered(was)).run()
            raise self._caller_gone() or CallerGone(Cause.UNKNOWN)
        if sent := was.detail.get("sent"):
            contact.caller.stop_waiting()
            return act.Sent(**sent)
        if left := was.detail.get("left"):  # out of a queue, and not yet on in the flow
            contact.caller.stop_waiting()
            return act.Left(**left)
        return None

    def _talk_on(self, found: Found) -> act.Result:
        contact = self.contact
        if contact.now.state == "ringing":  # suspended in the moment when the two were connected
            joined = accepted(contact, found.joined)
            if joined.queue:
                waited = round(contact.node.now() - _entered(contact.now), 3)
                reason = LeftQueue.ANSWERED.value
                contact.emit(Kind.UNQUEUED, queue=joined.queue, reason=reason, key="", waited=waited, rule="")
            conversing.begin(contact, joined)
        withdraw(contact)
        queue = conversing.of(contact).now.queue
        contact.node.router.leave(contact)
        sent = conversing.resume(contact, found.there, found.together)
        return sent or (act.Left(LeftQueue.ANSWERED.value) if queue else act.Transferred())

    def _repeat(self, action: act.Action, was: ContactNow) -> act.Result:
        if isinstance(action, act.Enqueue) and was.state in ("queue", "ringing") and was.queue == action.queue:
            self._keep_out(action)
            return self._enqueue(action, _entered(was))
        if self._ringing:  # for a queue in which it is no longer
            withdraw(self.contact)
            self.contact.node.agents.release(self.contact.id)
        if isinstance(action, act.Hangup):
            return act.Done()  # the walk is over
        return self._carry_out(action)

    def _keep_out(self, action: act.Action) -> None:
        """Sensitive keys are in no recording. The pause ends only when the flow goes on with something else, so there
        is no gap between two tries, or between a card's number and its date; and keys too many are forgotten then."""
        sensitive = isinstance(action, act.Gather) and action.sensitive
        self.contact.recorder.keep_out(sensitive)
        if self._sensitive and not sensitive:
            self.contact.typed.clear()
            self.contact.take_out(Digit)
        self._sensitive = sensitive

    def _carry_out(self, action: act.Action) -> act.Result:
        self._keep_out(action)
        match action:
            case act.Answer():
                return self._answer()
            case act.Play():
                return self._dialogue.play(action)
            case act.Gather():
                return self._dialogue.gather(action)
            case act.Lookup():
                return self.contact.node.look_up(action)
            case act.Record():
                return act.Done(self._record(action))
            case act.Enqueue():
                return self._enqueue(action)
            case act.Voicemail():
                return self._voicemail(action)
            case act.Transfer():
                return transfer(self.contact, action)
            case act.Callback():
                callbacks.note(self.contact, action)
                return self._dialogue.play(act.Play(action.speech, action.language))
            case act.Hangup():
                raise AssertionError("a hangup ends the walk")

    # -- one method per action ----------------------------------------------------------------------------------------

    def _answer(self) -> act.Done:
        if not self._answered:
            self.contact.caller.answer()
            self.contact.emit(Kind.ANSWERED)
            self.contact.emit(Kind.LEG_ANSWERED, leg=self.contact.caller_id)
            self.contact.save(detail={**self.contact.now.detail, "answered": True})
            self._answered = True
        return act.Done()

    def _enqueue(self, action: act.Enqueue, entered: float | None = None) -> act.Left | act.Sent:
        contact = self.contact
        if entered is None and recorded_by(contact, action.queue):
            self._dialogue.announce(action.queue, action.language)
        contact.typed.clear()
        ringing, self._ringing = self._ringing, {}
        left = QueueStay(contact, action, entered, ringing).run()
        contact.caller.stop_waiting()
        if isinstance(left, act.Sent) or left.reason == LeftQueue.ANSWERED:
            contact.typed.clear()  # keys pressed in the conversation were for the agent's ears
        return left

    def _record(self, action: act.Record) -> bool:
        recorder = self.contact.recorder
        starts = action.what == "start" and not self.contact.recorded.recording
        if starts and not self._dialogue.announce("", action.language):
            not_said(self.contact)
            return False
        return recorder.as_flow_says(action.what)

    def _voicemail(self, action: act.Voicemail) -> act.Recorded:
        contact = self.contact
        if contact.outcome is Outcome.ANSWERED:  # who is in a bridge cannot be recorded alone
            with suppress(Refused):
                contact.leave_bridge()
        self._dialogue.play(act.Play(action.speech, action.language, interruptible=True))
        return messages.leave(contact, action)

    # -- the end ------------------------------------------------------------------------------------------------------

    def _hang_up(self, action: act.Hangup) -> None:
        contact = self.contact
        if action.turned_away and contact.outcome is Outcome.SELF_SERVED:
            contact.outcome = Outcome.REJECTED
        contact.caller.hangup(Cause(action.cause))
        self._end(Cause(action.cause), "agent" if contact.ended_by == "agent" else "system")

    def _fail(self, error: Exception) -> None:
        """Our fault: says so before the line goes dead, and gives back what the contact still holds."""
        contact = self.contact
        log.error("contact failed", contact_id=contact.id, exc_info=error)
        contact.outcome = Outcome.LOST
        for step in (self._let_go, self._apologise, lambda: contact.caller.hangup(Cause.FAILURE)):
            try:
                step()
            except (Gone, Refused, CallerGone):
                continue
        self._end(Cause.FAILURE, "system")

    def _let_go(self) -> None:
        contact, node = self.contact, self.contact.node
        match contact.now.state:
            case "talking" | "parked":
                talked = conversing.of(contact)
                talked.give_up(Cause.FAILURE)
                talked.finish("system")
            case "transfer" | "transferred":
                transfers.give_up(contact)
            case "ringing":
                withdraw(contact)
            case "voicemail":
                messages.keep_what_is_there(contact)
                contact.outcome = Outcome.LOST
        node.router.leave(contact)
        node.agents.release(contact.id)

    def _apologise(self) -> None:
        contact, now = self.contact, self.contact.node.now
        playback = contact.new_id("p")
        contact.caller.play(playback, [APOLOGY])
        until = now() + APOLOGY_DEADLINE
        while (message := contact.next(until)) is not None:
            if isinstance(message, PlaybackEnded) and message.playback_id == playback:
                return

    def _caller_gone(self) -> CallerGone | None:
        """How the caller left, when something says that the channel is gone. None: the caller is still there."""
        until = self.contact.node.now() + GONE_DEADLINE
        try:
            while self.contact.next(until) is not None:
                pass
        except CallerGone as gone:
            return gone
        return None

    def _end(self, cause: Cause, by: str) -> None:
        contact = self.contact
        by = "system" if contact.dismissed else by
        contact.recorder.finish()
        contact.emit(Kind.LEG_ENDED, leg=contact.caller_id, cause=int(cause))
        contact.unheard("the call is over")
        contact.emit(Kind.ENDED, outcome=contact.outcome.value, by=by, cause=int(cause))
        contact.over = True
        contact.node.saver.put(contact.id, None)
        contact.drop_bridge()


def _entered(was: ContactNow) -> float:
    return float(was.detail.get("entered", was.since))
