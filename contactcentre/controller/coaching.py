"""Lets mentors hear the agents whom they accompany: when one begins to talk the mentor's phone is called, once, and
stays for the agent's next calls (`Supervision` with `follow`) until the mentor hangs up, or is no mentor any more.

A mentor who hangs up, or does not answer, is called again with the agent's next contact. One who talks with a customer,
or is offered one, is called when that is over; one who is logged out is not called.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import structlog
from gevent.event import Event as Flag

from contactcentre.controller.node import Node
from contactcentre.controller.supervision import Aim, Supervision
from contactcentre.controller.supervisions import Supervisions, ear_of
from contactcentre.domain.agents import AgentState
from contactcentre.domain.coaching import Coaching, coached
from contactcentre.live import CommandFailed, LiveError
from contactcentre.live.coaches import Coaches
from contactcentre.pbx.errors import PbxError
from contactcentre.pbx.protocol import Mode

log = structlog.get_logger(__name__)

LOOK = 1.0
"""Seconds between two looks, if no agent begins to talk."""

Audit = Callable[[str, str, str, Mapping[str, Any]], None]
"""Writes (actor, action, subject, detail) into the audit log; may block."""


class Mentors:
    def __init__(self, node: Node, supervisions: Supervisions, audit: Audit) -> None:
        self._node, self._supervisions, self._audit = node, supervisions, audit
        self._assigned = Coaches(node.live.redis)
        self._flag = Flag()
        self._coached: Mapping[str, Coaching] = {}  # at the last look
        self._with: dict[
            str, tuple[Supervision, Coaching]
        ] = {}  # agent -> the mentor's listening, and as what it began
        self._called: dict[str, str] = {}  # agent -> the contact for which the mentor was called last
        self.linked = False

    def changed(self, agent: str) -> None:
        """The agent has begun or ended something."""
        if agent in self._coached:
            self._flag.set()

    def run(self) -> None:
        while True:
            self._flag.wait(LOOK)
            self._flag.clear()
            if not self.linked:
                continue
            try:
                self.look()
            except (LiveError, PbxError) as error:
                log.info("mentors not looked after", error=str(error))

    def look(self) -> None:
        """Raises LiveError, PbxError."""
        self._coached = wanted = coached(self._node.site, self._assigned.all())
        for agent, (one, began) in list(self._with.items()):
            if one.state == "over":
                del self._with[agent]
            else:
                self._keep(agent, one, began, wanted.get(agent))
        for agent, coaching in wanted.items():
            contact = self._talks(agent)
            if contact and agent in self._with:
                self._called[agent] = contact
            elif contact and self._called.get(agent) != contact and self._is_free(coaching.mentor):
                self._called[agent] = contact
                self._call(agent, coaching)

    def _keep(self, agent: str, one: Supervision, began: Coaching, now: Coaching | None) -> None:
        """What was changed while the mentor listens counts at once."""
        with suppress(CommandFailed):  # it is just over, or still rings: the next look sees
            if now is None or now.mentor != began.mentor or self._state(agent) is AgentState.LOGGED_OUT:
                one.wish("stop")
                self._with.pop(agent, None)
            elif now != began:
                if now.mode != began.mode:
                    one.wish("mode", Mode(now.mode))
                one.tell = now.tell
                self._with[agent] = (one, now)

    def _talks(self, agent: str) -> str:
        """The contact with which the agent talks here; "" = with none."""
        status = self._node.replica.agents.get(agent)
        contact = self._node.contacts.get(status.contact_id) if status is not None else None
        talks = contact is not None and contact.in_talk and contact.now.agent == agent
        return contact.id if contact is not None and talks else ""

    def _state(self, agent: str) -> AgentState:
        status = self._node.replica.agents.get(agent)
        return status.state if status is not None else AgentState.LOGGED_OUT

    def _is_free(self, mentor: str) -> bool:
        busy = self._state(mentor) in (AgentState.LOGGED_OUT, AgentState.OFFERED, AgentState.TALKING)
        return not busy and mentor not in self._node.router.phones.not_free

    def _call(self, agent: str, coaching: Coaching) -> None:
        node, mentor = self._node, coaching.mentor
        detail = {"phone": mentor, "mode": coaching.mode, "follow": True, "as": "mentor"}
        try:
            ear = ear_of(node, mentor)
            one = self._supervisions.start(mentor, ear, Aim(agent=agent), Mode(coaching.mode), True, coaching.tell)
        except CommandFailed as refused:
            log.info("mentor not called", mentor=mentor, agent=agent, why=str(refused))
            return
        self._with[agent] = (one, coaching)
        log.info("mentor called", mentor=mentor, agent=agent, mode=coaching.mode)
        told = {**detail, "id": one.id}
        node.greenlets.spawn(f"audit {one.id}", self._audit, f"agent:{mentor}", "call.listen", agent, told)
