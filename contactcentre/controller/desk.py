"""What others ask of a controller over Redis: with a contact, with a supervisor's phone, with a browser's."""

from collections.abc import Callable
from typing import Any

import gevent
from gevent.lock import BoundedSemaphore

from contactcentre.controller.contact import ANSWER_DEADLINE, Contact
from contactcentre.controller.dialling import call_out
from contactcentre.controller.node import Node
from contactcentre.controller.parties import pick_up
from contactcentre.controller.softphones import Softphones
from contactcentre.controller.supervisions import Supervisions
from contactcentre.domain.conversation import Refusal
from contactcentre.live import CommandFailed, Commands
from contactcentre.live.calls import DIALLING
from contactcentre.pbx.errors import PbxError

AT_A_TIME = 200
"""Commands that are carried out. One takes a request to the PBX or two, and ten seconds at most."""


class Desk:
    """`signs` tells how the controller is, `hand_over` gives the node to a stand-by, `conduct` lets a new contact be
    conducted."""

    def __init__(
        self,
        node: Node,
        softphones: Softphones,
        supervisions: Supervisions,
        signs: Callable[[], dict[str, Any]],
        hand_over: Callable[[str], dict[str, Any]],
        conduct: Callable[[Contact, Callable[[], None]], None],
    ) -> None:
        self.node, self.softphones, self.supervisions = node, softphones, supervisions
        self._signs, self._hand_over, self._conduct = signs, hand_over, conduct

    def serve(self) -> None:
        """Takes what is asked, for ever; so many at a time, the others wait in their stream."""
        places = BoundedSemaphore(AT_A_TIME)

        def spawn(run: Callable[[], None]) -> None:
            places.acquire()
            self.node.greenlets.spawn("command", run).rawlink(lambda _: places.release())

        Commands(self.node.live.redis).serve(self.node.name, self.run, spawn=spawn)

    def run(self, verb: str, args: dict[str, Any]) -> dict[str, Any]:
        """Carries one out. Raises CommandFailed."""
        if verb == "ping":
            return self._signs()
        if verb == "hangup":
            contact = self.node.contacts.get(str(args.get("contact", "")))
            if contact is None:
                raise CommandFailed("not_found", "no such live contact on this node")
            contact.dismissed = True
            try:
                self.node.pbx.adopt(contact.caller_id, contact.post).hangup()
            except PbxError as error:
                raise CommandFailed("pbx", str(error)) from error
            return {"contact": contact.id}
        if verb == "call":
            return self._ask(args)
        if verb == "call_out":
            return self._call_out(args)
        if verb == "softphone":
            return self.softphones.command(args)
        if verb == "supervise":
            return self.supervisions.command(args)
        if verb == "handover":
            return self._hand_over(str(args.get("to", "")))
        raise CommandFailed("unknown_verb", f"this controller knows no {verb!r}")

    def _call_out(self, args: dict[str, Any]) -> dict[str, Any]:
        """An agent calls somebody. What comes of it is told by the contact's facts."""
        try:
            dialler = call_out(self.node, args)
            self._conduct(dialler.contact, dialler.run)
            dialler.reserved.get(timeout=ANSWER_DEADLINE)
        except Refusal as refusal:
            raise CommandFailed(refusal.code, str(refusal)) from None
        except gevent.Timeout:
            raise CommandFailed("no_answer", f"the call did not begin within {ANSWER_DEADLINE:g} s") from None
        return {"contact": dialler.contact.id, "state": DIALLING}

    def _ask(self, args: dict[str, Any]) -> dict[str, Any]:
        """Something is to be done with a contact's conversation: whoever conducts it answers."""
        contact = self.node.contacts.get(str(args.get("contact", "")))
        if contact is None:
            raise CommandFailed("not_found", "no such live contact on this node")
        verb, wanted = str(args.get("verb", "")), args.get("args") or {}
        if not isinstance(wanted, dict):
            raise CommandFailed("malformed_args", "the arguments of a verb are names and values")
        if verb == "pickup" and contact.now.state == "parked":
            verb = "retrieve"
        if verb != "pickup":
            return contact.ask(verb, wanted, str(args.get("by", "program")))
        try:
            pick_up(self.node, contact, str(wanted.get("agent", "")))
        except Refusal as refusal:
            raise CommandFailed(refusal.code, str(refusal)) from None
        return {"contact": contact.id, "state": "ringing", "slot": "", "recording": "", "parties": []}
