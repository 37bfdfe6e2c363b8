"""What an account sees: everything, or what belongs to the queues that it is limited to. Decided here, for every route.

An agent belongs to the queues it answers; a call that goes on to the queue that it is in; a contact of history to those
it passed through, and where it left a message; a recording to the one that it was made in; a message to its box. What
was in no queue is not seen by who is limited. To them, what is not theirs is not there: 404, as for a wrong id.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from contactcentre.domain.contacts import ContactHistory, Recording
from contactcentre.domain.members import members_of
from contactcentre.domain.sentences import phrase
from contactcentre.domain.site import Site
from contactcentre.web.errors import Forbidden, NotFound
from contactcentre.web.session import current_account
from contactcentre.web.wiring import services


@dataclass(frozen=True)
class Scope:
    """`queues` None: everything."""

    queues: frozenset[str] | None
    site: Site

    def among(self, queues: Iterable[str]) -> bool:
        """Is one of these queues seen?"""
        return self.queues is None or not self.queues.isdisjoint(queues)

    @cached_property
    def agents(self) -> frozenset[str]:
        """Who answers a queue that is seen."""
        return frozenset(self.site.agents) if self.queues is None else self._answering(self.queues)

    @cached_property
    def own_agents(self) -> frozenset[str]:
        """Those of them who answer no other queue: what they do is seen as a whole."""
        return self.agents - self._answering(self.site.queues.keys() - self.queues) if self.queues else self.agents

    def recording(self, one: Recording) -> bool:
        return self.among([one.queue]) or (one.box != "" and self.box(one.box))

    def box(self, name: str) -> bool:
        return self.queues is None or name in self.queues or name in self.own_agents

    def need_agent(self, name: str) -> None:
        """Raises NotFound for an agent who is not seen, Forbidden for one who answers other queues, too."""
        if self.queues is None or name in self.own_agents:
            return
        if name not in self.agents:
            raise NotFound(phrase("there is no agent %(name)s", name=repr(name[:40])))
        raise Forbidden(phrase("%(name)s answers queues, too, that your account does not see.", name=name))

    def contact(self, history: ContactHistory) -> bool:
        return self.among(history.contact.queues) or any(self.box(message.box) for message in history.voicemails)

    def _answering(self, queues: Iterable[str]) -> frozenset[str]:
        return frozenset().union(*(members_of(self.site, queue) for queue in queues if queue in self.site.queues))


EVERYTHING = Scope(None, Site())


def current_scope() -> Scope:
    """Of the account that makes this request."""
    account = current_account()
    if account is None:
        return Scope(frozenset(), Site())
    if account.queues is None:
        return EVERYTHING
    return Scope(account.queues, services().store.site()[1] or Site())
