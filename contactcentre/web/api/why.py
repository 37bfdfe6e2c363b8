"""Why: what routing decided and what keeps a contact waiting, and why an agent gets no calls."""

import limits
from apiflask import APIBlueprint

from contactcentre.domain.sentences import phrase
from contactcentre.provision.change import NotThere
from contactcentre.store import AmbiguousContact, NoSuchContact
from contactcentre.web.api.contacts import ambiguous
from contactcentre.web.errors import NotFound, TooManyTries
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.scope import Scope, current_scope
from contactcentre.web.session import current_account
from contactcentre.web.why import WhyAgent, WhyContact
from contactcentre.web.wiring import limiter, services

PER_ACCOUNT = limits.parse("60 per minute")
"""A look at the present costs a decision over everybody, and a look back some hundred rows."""

blueprint = APIBlueprint("why", __name__, url_prefix="/api/v1", tag="Why")


@blueprint.get("/contacts/<id>/why")
@blueprint.output(WhyContact)
@blueprint.doc(
    summary="Why a contact got its agent, or waits for one",
    description="Each decision with its candidates and who was none by which rule; of one that waits, also what "
    "routing finds at this moment. `id` may be the beginning of one. 60 a minute.",
)
@requires(Permission.CONTACTS, by_queue=True)
def contact(id: str) -> WhyContact:
    return of_contact(id)


@blueprint.get("/agents/<name>/why")
@blueprint.output(WhyAgent)
@blueprint.doc(
    summary="Why an agent gets the calls it gets, or none",
    description="What keeps it from calls now; today's time, the last offers, and the contacts of its queues that "
    "went to others since the last one, by the rule that kept them from it. 60 a minute.",
)
@requires(Permission.CONTACTS, by_queue=True)
def agent(name: str) -> WhyAgent:
    return of_agent(name)


def of_contact(id: str) -> WhyContact:
    """For the API and the page. Raises NotFound, TooManyTries."""
    _count()
    try:
        why = services().whys.contact(id)
    except NoSuchContact as error:
        raise NotFound(str(error)) from None
    except AmbiguousContact as error:
        raise NotFound(ambiguous(error)) from None
    if not _seen(why.contact, current_scope()):
        raise NotFound(phrase("no contact has an id that begins with %(id)s", id=repr(id[:40])))
    return why


def _seen(contact_id: str, scope: Scope) -> bool:
    if scope.queues is None:
        return True
    try:
        return scope.contact(services().store.history(contact_id))
    except NoSuchContact:  # the recorder may be behind
        live = services().live.contact(contact_id)
        return live is not None and scope.among([live.queue])


def of_agent(name: str) -> WhyAgent:
    """For the API and the page. Raises NotFound, TooManyTries."""
    _count()
    current_scope().need_agent(name)
    try:
        return services().whys.agent(name)
    except NotThere as error:
        raise NotFound(str(error)) from None


def _count() -> None:
    account = current_account()
    if not limiter().limiter.hit(PER_ACCOUNT, "why", account.name if account else ""):
        raise TooManyTries(phrase("You have asked why %(what)s times within a minute.", what=PER_ACCOUNT.amount))
