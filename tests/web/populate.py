"""A busy morning, to look at and to test with: a few hours of history and calls that go on."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from contactcentre.domain.agents import Verb
from contactcentre.domain.alerts import Alarm, AlertFact
from contactcentre.domain.events import Event, Kind
from contactcentre.domain.ids import uuid7
from contactcentre.domain.routing import Waiting
from contactcentre.live import ContactNow, Live
from contactcentre.live.alerts import Alerts
from tests.store.calls import Call

AGENTS = {"support": ("anna", "ben", "chloe", "farid"), "billing": ("dev", "elif")}
DIDS = ("+33170189000", "+33170189001")
NAMES = ("Marie Dubois", "", "", "J. Weaver", "Ana Sousa", "", "SARL Montreuil", "")


def history(
    now: float,
    contacts: int = 140,
    hours: float = 5.0,
    seed: int = 7,
    agents: Mapping[str, Sequence[str]] = AGENTS,
    dids: Sequence[str] = DIDS,
) -> Iterator[Event]:
    """Calls that ended before `now`. `agents`: by queue, the first of which is chosen more often."""
    dice, (first, *others) = random.Random(seed), agents
    for n in range(contacts):
        at = now - 120 - hours * 3600 * (n + dice.random()) / contacts
        queue = dice.choice((first, first, *others))
        agent = dice.choice(agents[queue])
        call = Call(at, did=dice.choice(dids), caller=number(dice), caller_name=dice.choice(NAMES))
        call.add(0, Kind.ANSWERED).add(0, Kind.NODE, flow="main", node="welcome", type="menu")
        call.add(6, Kind.CHOSE, node="welcome", choice="1" if queue == first else "2")
        if dice.random() < 0.07:
            call.ended(9, "self_served")
        elif dice.random() < 0.08:
            call.queued(8, queue).abandoned(8 + dice.choice((3, 31, 64)), queue)
        else:
            waited = min(95.0, dice.expovariate(1 / 11)) + 2
            talk = 40 + dice.expovariate(1 / 130)
            call.queued(8, queue).offered(8 + waited - 2, agent, queue)
            call.add(8 + waited, Kind.LEG_ANSWERED, leg=f"{agent}-leg")
            call.add(8 + waited, Kind.UNQUEUED, queue=queue, reason="answered", waited=waited)
            call.add(8 + waited, Kind.TALK_STARTED, agent=agent, queue=queue, leg=f"{agent}-leg")
            call.add(8 + waited + talk, Kind.TALK_ENDED, agent=agent, queue=queue, leg=f"{agent}-leg")
            call.ended(8 + waited + talk).wrapped(8 + waited + talk, 9, agent, queue)
        yield from call.events


def number(dice: random.Random) -> str:
    return f"+336{dice.randrange(10_000_000, 99_999_999)}"


def scene(live: Live, now: float) -> None:
    """Two talk, one rings, one is in wrap-up, one has lunch, one is free, one is signed out; four callers wait."""
    shift = now - 3 * 3600
    for name in ("anna", "ben", "chloe", "dev", "elif"):
        live.change(name, Verb.LOGIN, shift)
    talk(live, "anna", "support", now - 187, "+33612407755", "Marie Dubois")
    talk(live, "dev", "billing", now - 62, "+33698124401", "")
    done = talk(live, "ben", "support", now - 300, "+33644120987", "J. Weaver")
    live.change("ben", Verb.FINISH, now - 4, token="t", wrap_up=15)
    live.drop_contact(done)
    live.change("elif", Verb.PAUSE, now - 640, reason="lunch")
    for waited, caller, name, priority in (
        (34.0, "+33755018846", "Ana Sousa", 0),
        (17.0, "+4930551207", "", 0),
        (6.0, "", "", 0),
    ):
        wait(live, "billing" if waited == 17.0 else "support", now - waited, caller, name, priority)
    ring(live, "chloe", "support", now - 5, "+33142968100", "SARL Montreuil")
    live.put_contact(
        ContactNow(uuid7(now - 9), "node1", "ivr", now - 9, now - 9, "main", caller="+33677120033", did="+33170189000")
    )


def alarm(live: Live, queue: str, name: str, at: float, value: float = 12) -> str:
    """Raised; its id."""
    one = Alarm(queue, name, "waiting", 10, value, at, id=uuid7(at), raised_at=at)
    assert Alerts(live.redis).swap(one.key, "", one, AlertFact.of(one, "raised", at))
    return one.id


def wait(live: Live, queue: str, since: float, caller: str, name: str = "", priority: int = 0) -> str:
    contact_id = uuid7(since)
    contact = ContactNow(
        contact_id,
        "node1",
        "queue",
        since,
        since - 8,
        "main",
        queue=queue,
        caller=caller,
        caller_name=name,
        did="+33170189000",
    )
    live.put_contact(contact)
    live.enter(Waiting(contact_id, queue, "node1", "", priority, since - 8, since, caller=caller))
    return contact_id


def ring(live: Live, agent: str, queue: str, since: float, caller: str, name: str) -> str:
    contact_id = wait(live, queue, since - 12, caller, name)
    before = live.agent(agent)
    waiting = live.waiting()[contact_id]
    live.reserve(before, contact_id, queue, "t", since + 20, since, waiting=replace(waiting, offered=agent))
    return contact_id


def talk(live: Live, agent: str, queue: str, since: float, caller: str, name: str) -> str:
    contact_id = ring(live, agent, queue, since - 6, caller, name)
    live.change(agent, Verb.ACCEPT, since, token="t")
    live.leave(contact_id)
    live.put_contact(
        ContactNow(
            contact_id,
            "node1",
            "talking",
            since,
            since - 26,
            "main",
            queue=queue,
            agent=agent,
            caller=caller,
            caller_name=name,
            did="+33170189000",
        )
    )
    return contact_id
