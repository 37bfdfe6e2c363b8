"""An agent hears messages by phone: those in the own box first, then those of the agent's queues.

Whoever hears a message has claimed it, so two never hear the same one as theirs. One that was heard to its end stays
the agent's (a claim like any other, see `domain.voicemail`), unless the agent says otherwise; one that was not is new
again.
"""

import itertools
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog
from gevent.queue import Empty, Queue

from contactcentre.controller.node import Node
from contactcentre.controller.parties import check_number
from contactcentre.controller.sounds import NoSound, Sounds
from contactcentre.domain.conversation import Refusal
from contactcentre.domain.flows.actions import Piece, Sort
from contactcentre.domain.flows.leaving import callable_number
from contactcentre.domain.voicemail import NotPossible, Step, Turn, boxes_of, turn
from contactcentre.live import boxes_moved
from contactcentre.pbx.errors import Gone, Refused
from contactcentre.pbx.events import ChannelEvent, Digit, Ended, Left, PlaybackEnded
from contactcentre.pbx.protocol import Channel, Medium
from contactcentre.prompts.speech import SpeechError
from contactcentre.store import BoxMessage, NoSuchMessage, Store, StoreUnavailable, Taken

log = structlog.get_logger(__name__)

KEY_SECONDS = 6.0
"""So long a key is waited for; then the keys are told again."""

TIMES_ASKED = 3
"""Then the call is over: perhaps nobody is there."""

SAID_SECONDS = 60.0
"""So long what we say may take at most, should the PBX never tell that it has ended. Messages: and their own length."""

LOOK_AGAIN = 1.0
"""Seconds after which a sound that could not be played is looked for again: it was just being fetched from the PBX."""

LOOKED_AT = 500
"""Messages of an agent's boxes, the oldest of those that need somebody."""

OUT, WRONG = "contactcentre-out", "sound:beeperr"


class HungUp(Exception):
    """The agent has, or presses no key any more."""


class Mailbox:
    """What this node's agents hear when they call for their messages."""

    def __init__(self, store: Store, sounds: Sounds) -> None:
        self._store, self._sounds = store, sounds

    def hear(self, node: Node, agent: str, endpoint: str, channel: Channel, inbox: "Queue[ChannelEvent]") -> bool:
        """One call, which is answered. False: the channel is not ours any more. Raises PbxError."""
        hearing = Hearing(self._store, self._sounds, node, agent, endpoint, Voice(node, channel, inbox))
        try:
            hearing.run()
        except (HungUp, Gone):
            return True
        except CalledBack:
            return False
        except StoreUnavailable as error:
            log.warning("messages cannot be heard", agent=agent, error=str(error))
            hearing.voice.say(_prompt("technical-problem"))
        return True


class CalledBack(Exception):
    """The agent's phone calls a customer now, by the PBX's own dialplan."""


class Voice:
    """Speaks to a phone, and hears its keys. Every method raises HungUp, PbxError."""

    def __init__(self, node: Node, channel: Channel, inbox: "Queue[ChannelEvent]") -> None:
        self.channel = channel
        self._node, self._inbox, self._number = node, inbox, itertools.count(1)

    def say(self, *pieces: Piece) -> str:
        """The key that cut it short, "" where none did."""
        try:
            media = self._node.configuration.prompts.media(pieces, self._language)
        except SpeechError as error:
            log.warning("not said to an agent", error=str(error))
            return ""
        return self.play(media, SAID_SECONDS)[0]

    def play(self, media: Sequence[Medium], seconds: float) -> tuple[str, bool]:
        """(the key that cut it short, whether it was heard to its end); `seconds` at most."""
        playback = f"{self.channel.id}.p{next(self._number)}"
        self.channel.play(playback, media, self._language)
        until = self._node.now() + seconds
        while (event := self.next(until)) is not None:
            match event:
                case PlaybackEnded(playback_id=ended, ok=ok) if ended == playback:
                    return "", ok
                case Digit(digit=key):
                    self.channel.stop_playing(playback)
                    return key, False
        self.channel.stop_playing(playback)
        return "", False

    def ask(self, *pieces: Piece) -> str:
        """The key pressed in answer."""
        for _ in range(TIMES_ASKED):
            if key := self.say(*pieces) or self._key():
                return key
        raise HungUp

    def refuse(self) -> str:
        """As `say`."""
        return self.play([WRONG], SAID_SECONDS)[0]

    def next(self, until: float) -> ChannelEvent | None:
        """None when `until` (epoch seconds) has passed."""
        try:
            event = self._inbox.get(timeout=max(0.0, until - self._node.now()))
        except Empty:
            return None
        if isinstance(event, Ended | Left):
            raise HungUp
        return event

    def _key(self) -> str:
        until = self._node.now() + KEY_SECONDS
        while (event := self.next(until)) is not None:
            if isinstance(event, Digit):
                return event.digit
        return ""

    @property
    def _language(self) -> str:
        return self._node.site.settings.language


class Hearing:
    """One agent's call."""

    def __init__(self, store: Store, sounds: Sounds, node: Node, agent: str, endpoint: str, voice: Voice) -> None:
        self.voice = voice
        self._store, self._sounds, self._node, self._agent = store, sounds, node, agent
        self._actor = f"phone:{endpoint}"
        self._boxes = boxes_of(node.site, agent)
        self._told: set[str] = set()
        """Messages whose turn it was in this call."""
        self._whole = False
        """The message under way was heard to its end."""

    def run(self) -> None:
        """To the last message. Raises HungUp, CalledBack, StoreUnavailable, PbxError."""
        found = self._found()
        new = sum(one_turn is not Turn.MINE for one_turn, _ in found)
        counts = [*_counted("box-new", new), *(_counted("box-yours", len(found) - new) if len(found) > new else ())]
        self.voice.say(Piece(Sort.SILENCE, "1"), *counts)  # silence: until sound passes both ways
        while found:
            its_turn, message = found[0]
            self._told.add(message.id)
            self._hear(message, its_turn)
            found = self._found()
        self.voice.say(_prompt("box-end"))

    def _found(self) -> list[tuple[Turn, BoxMessage]]:
        """What is still to be heard, in order."""
        now = self._node.now()
        messages = self._store.messages(self._boxes, limit=LOOKED_AT)
        turns = [(turn(one.message, self._agent, now), one) for one in messages if one.id not in self._told]
        known = [(its_turn, one) for its_turn, one in turns if its_turn is not None]
        return sorted(known, key=lambda pair: (pair[0], pair[1].at))

    def _hear(self, message: BoxMessage, its_turn: Turn) -> None:
        self._whole = its_turn is Turn.MINE
        if not self._whole and not self._step(message, Step.CLAIM):
            return  # somebody was faster
        settled = False
        try:
            key = self._tell(message)
            while True:
                match key or self.voice.ask(_prompt("box-keys")):
                    case "1":
                        key = self._tell(message)
                        continue
                    case "2" | "#":
                        return
                    case "3" if self._step(message, Step.DONE):
                        settled = True
                        self.voice.say(_prompt("box-done"))
                        return
                    case "4" if number := self._number(message):
                        settled = True
                        self._call_back(message, number)
                    case "5" if self._give(message):
                        settled = True
                        self.voice.say(_prompt("box-given"))
                        return
                key = self.voice.refuse()
        finally:
            if not settled and not self._whole:
                self._step(message, Step.RELEASE)

    def _tell(self, message: BoxMessage) -> str:
        """Who, when and what; the key that cut it short."""
        if key := self.voice.say(*self._introduction(message)):
            return key
        self._audit("recording.listen", message, {"contact": message.contact_id, "box": message.message.box})
        for _ in range(TIMES_ASKED):
            try:
                with self._sounds.lend(message.id) as medium:
                    key, whole = self.voice.play([medium], message.seconds + SAID_SECONDS)
            except NoSound as error:
                log.warning("a message has no sound", recording=message.id, why=str(error))
                break
            except Refused:  # it was just fetched from the PBX
                key, whole = "", False
            self._whole = self._whole or whole
            if key or whole:
                return key
            until = self._node.now() + LOOK_AGAIN
            while (event := self.voice.next(until)) is not None:
                if isinstance(event, Digit):
                    return event.digit
        return self.voice.say(_prompt("box-no-sound"))

    def _introduction(self, message: BoxMessage) -> list[Piece]:
        box, pieces = message.message.box, []
        if box != self._agent:
            pieces += [_prompt("box-queue"), self._queue(box)]
        number = callable_number(message.caller).removeprefix("+")
        pieces += [_prompt("box-from"), Piece(Sort.DIGITS, number)] if number else [_prompt("box-withheld")]
        at, today = (datetime.fromtimestamp(moment, self._zone) for moment in (message.at, self._node.now()))
        pieces.append(_prompt("box-received"))
        if at.date() != today.date():
            pieces.append(Piece(Sort.DATE, at.date().isoformat()))
        return [*pieces, Piece(Sort.TIME, f"{at:%H:%M}")]

    def _give(self, message: BoxMessage) -> bool:
        """To a queue: the one it was left for, or one of the agent's. False: not possible."""
        if message.message.box != self._agent:
            return self._step(message, Step.RELEASE)
        queues = sorted(self._boxes - {self._agent})[:9]
        if len(queues) == 1:
            return self._step(message, Step.HAND_OVER, to=queues[0])
        places = {str(place): queue for place, queue in enumerate(queues, 1)}
        if not places:
            return False
        names = (piece for key, queue in places.items() for piece in (Piece(Sort.NUMBER, key), self._queue(queue)))
        wanted = places.get(self.voice.ask(_prompt("box-which-queue"), *names))
        return wanted is not None and self._step(message, Step.HAND_OVER, to=wanted)

    def _number(self, message: BoxMessage) -> str:
        """The number that is called back; "" if it may not be, which the agent is told."""
        try:
            return check_number(self._node, callable_number(message.caller))
        except Refusal as refusal:
            log.info("not called back", agent=self._agent, recording=message.id, why=str(refusal))
            self.voice.say(_prompt("box-not-callable"))
            return ""

    def _call_back(self, message: BoxMessage, number: str) -> None:
        """The PBX's own dialplan connects the two, so the call outlives us."""
        self._audit("voicemail.call_back", message, {"box": message.message.box, "number": number})
        self.voice.channel.leave_to(OUT, number)
        raise CalledBack

    def _step(self, message: BoxMessage, verb: Step, to: str = "") -> bool:
        """False: it is not possible any more."""
        now, boxes = self._node.now(), self._boxes
        try:
            self._store.take_step(message.id, verb, self._agent, now, to=to, actor=self._actor, boxes=boxes)
        except (NotPossible, NoSuchMessage, Taken) as error:
            log.info("no step of a message", agent=self._agent, step=verb.value, why=str(error))
            return False
        boxes_moved(self._node.live.redis)
        return True

    def _audit(self, action: str, message: BoxMessage, detail: dict[str, str]) -> None:
        self._store.audit(self._actor, action, message.id, {**detail, "by": self._agent})

    def _queue(self, name: str) -> Piece:
        return Piece(Sort.TEXT, self._node.queue(name).description or name.replace("_", " "))

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self._node.site.settings.timezone)


def _prompt(name: str) -> Piece:
    return Piece(Sort.PROMPT, name)


def _counted(name: str, count: int) -> tuple[Piece, Piece]:
    return (_prompt(name), Piece(Sort.NUMBER, str(count)))
