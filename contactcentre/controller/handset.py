"""What the agent who talks with a customer does with the phone's own keys: hold, transfer, and codes in the call.

It comes to the same verbs as a command does (`talk`). A phone cannot show why something is refused: its user hears a
tone, and the customer is where they were.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from contactcentre.controller.parties import destination, dialled
from contactcentre.domain.conversation import Place, Refusal
from contactcentre.domain.keying import Keyed, Keypad, Step
from contactcentre.domain.verbs import Verb, decide
from contactcentre.pbx.errors import Gone, Refused
from contactcentre.pbx.events import ChannelEvent, Digit, PhoneHeld, PhoneResumed, PlaybackEnded, TransferAsked
from contactcentre.pbx.protocol import Progress

if TYPE_CHECKING:
    from contactcentre.controller.talk import Talk

log = structlog.get_logger(__name__)

BEEP, ERROR = "tone:beep", "sound:beeperr"
BY = "phone"

SAY_DEADLINE = 5.0
"""Seconds that saying where a customer is parked may take."""


@dataclass(frozen=True, slots=True)
class _Said:
    """Where the customer is to be parked, as soon as the agent has heard it."""

    playback: str
    slot: str
    until: float


class Handset:
    """The phone of whoever has the customer."""

    def __init__(self, talk: "Talk") -> None:
        self._talk = talk
        self._leg = ""
        self._keypad = Keypad()
        self.holds = False
        """By its own key: nobody hears what it is sent."""
        self._held = False  # the customer is on hold only while a number is pressed, or a slot said
        self._said: _Said | None = None

    @property
    def until(self) -> float | None:
        """When to `look` (epoch seconds)."""
        return min((at for at in (self._keypad.until, self._said and self._said.until) if at), default=None)

    def take(self, event: ChannelEvent) -> None:
        """Something that the phone tells."""
        if event.channel_id != self._leg:  # somebody else has the customer now
            self._leg = event.channel_id
            self._forget()
        match event:
            case PhoneHeld():
                self.holds = True
                self._without_refusal(Verb.HOLD)
            case PhoneResumed():
                self.holds = False
                self._without_refusal(Verb.RESUME)
            case TransferAsked():
                self._transfer(event)
            case PlaybackEnded(playback_id=ended) if self._said is not None and self._said.playback == ended:
                self._park(self._said.slot)
            case Digit(digit=key) if self._talk.contact.reads_keys:
                node = self._talk.contact.node
                self._act(self._keypad.press(key, node.now(), node.site.features.keys))
                self._pass_on()

    def look(self) -> None:
        """Whether a code or number is complete because no key followed."""
        at = self._talk.contact.node.now()
        if self._talk.now.owner != self._leg:
            return self._forget()
        if self._said is not None and self._said.until <= at:
            return self._park(self._said.slot)
        self._act(self._keypad.look(at))
        return self._pass_on()

    def _pass_on(self) -> None:
        """What was pressed and is no code, to whoever hears the agent."""
        if not (keys := self._keypad.passed()):
            return
        talk = self._talk
        hearers = [leg for leg, party in talk.now.parties.items() if party.place is Place.TOGETHER and leg != self._leg]
        hearers += [talk.contact.caller_id] if talk.now.customer is Place.TOGETHER else []
        for leg in hearers:
            with suppress(Gone, Refused):
                talk.contact.channel(leg).send_digits(keys)

    def _forget(self) -> None:
        self.holds, self._held, self._said = False, False, None
        self._keypad.clear()

    def _without_refusal(self, verb: Verb) -> None:
        with suppress(Refusal):  # it is so already, or a consult goes on: the phone's own business
            self._talk.happens(decide(self._talk.now, verb, self._talk.contact.node.now(), by=BY))

    def _transfer(self, asked: TransferAsked) -> None:
        """Blind, or to the colleague with whom the agent talks on a second line of the phone."""
        talk, node = self._talk, self._talk.contact.node

        def tell(progress: Progress) -> None:
            with suppress(Gone):  # a phone may hang up as soon as it has asked
                talk.contact.channel(asked.channel_id).transfer_progress(progress)

        try:
            to = destination(node, dialled(node, asked.target), free=True)
            facts = decide(talk.now, Verb.TRANSFER, node.now(), to=to)
            kind, _, agent = to.partition(":")
            if asked.peer and kind == "agent":
                return talk.hand_over(agent, asked.peer, lambda: tell(Progress.DONE))
        except (Refusal, Gone, Refused) as error:
            log.info("transfer by phone refused", contact_id=talk.contact.id, why=str(error))
            return tell(Progress.DECLINED)
        tell(Progress.DONE)
        return talk.happens(facts)

    # -- codes --------------------------------------------------------------------------------------------------------

    def _act(self, keyed: Keyed | None) -> None:
        if keyed is None:
            return None
        talk = self._talk
        try:
            match keyed.step:
                case Step.BEGUN:
                    self._music()
                case Step.GIVEN_UP:
                    self._back()
                case Step.DONE if keyed.number:
                    self._call(Verb(keyed.verb), keyed.number)
                case Step.DONE if keyed.verb == "park":
                    return self._say_slot()
                case Step.DONE:
                    self._do(keyed.verb)
        except (Refusal, Gone, Refused) as error:
            log.info("keys refused", contact_id=talk.contact.id, verb=keyed.verb, why=str(error))
            self._back()
            talk.play(self._leg, ERROR)
        else:
            if talk.now.owner == self._leg:
                talk.play(self._leg, BEEP)

    def _music(self) -> None:
        """The customer does not hear what comes now."""
        talk = self._talk
        if not talk.now.asked and not talk.now.held_at and len(talk.now.parties) == 1:
            talk.do(Verb.HOLD, {}, BY)
            self._held = True

    def _back(self) -> None:
        if self._held:
            self._held = False
            self._without_refusal(Verb.RESUME)

    def _say_slot(self) -> None:
        """Who parks must know where, and the phone's call ends with it."""
        talk = self._talk
        if talk.now.asked or len(talk.now.parties) > 1:
            return talk.do(Verb.PARK, {}, BY)  # refused, and why
        slot = talk.slot()
        self._music()
        playback = talk.play(self._leg, f"digits:{slot}")
        self._said = _Said(playback, slot, talk.contact.node.now() + SAY_DEADLINE)
        return None

    def _park(self, slot: str) -> None:
        self._said = None
        try:
            self._talk.do(Verb.PARK, {"slot": slot}, BY)
        except (Refusal, Gone, Refused) as error:
            log.info("not parked", contact_id=self._talk.contact.id, slot=slot, why=str(error))
            self._back()
            self._talk.play(self._leg, ERROR)

    def _call(self, verb: Verb, number: str) -> None:
        if verb is Verb.ADD:
            self._back()
        self._talk.do(verb, {"to": dialled(self._talk.contact.node, number)}, BY)
        self._held = False

    def _do(self, name: str) -> None:
        now, do = self._talk.now, self._talk.do
        match name:
            case "hold" if now.state in ("consulting", "toggled"):
                do(Verb.TOGGLE, {}, BY)
            case "hold":
                do(Verb.RESUME if now.held_at else Verb.HOLD, {}, BY)
            case "mute":
                me = now.parties[self._leg]
                do(Verb.UNMUTE if me.muted else Verb.MUTE, {}, BY)
            case "record":
                next_ = {"": "start", "beginning": "stop", "paused": "resume", "running": "pause"}
                action = next_[self._talk.notice.state]
                do("record", {"action": action}, BY)
            case _:
                do(Verb(name), {}, BY)
