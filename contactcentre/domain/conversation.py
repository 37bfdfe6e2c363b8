"""A conversation: who takes part in it, and who hears whom.

Everybody is in one of three places: `together` with the others, on `music`, or still `ringing`. Holding, consulting,
toggling and conferences are nothing but moves between these places, so nobody is ever in two of them:

| state | customer | the agent | who is asked |
|---|---|---|---|
| talking | together | together | |
| on hold | music | together | |
| asking, not answered yet | music | together | ringing |
| consulting | music | together | together |
| toggled | together | together | music |
| conference | together | together | together |
| parked | music | | |

What happened are facts (`domain.events`), and the state follows from the facts alone (`after`): so what a controller
believes and what another one reads in the journal after a crash are the same. To what a verb leads says
`domain.verbs`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from contactcentre.domain.events import ConsultResult, Kind
from contactcentre.domain.replacing import replace

Fact = tuple[Kind, dict[str, Any]]


class Place(StrEnum):
    TOGETHER = "together"
    MUSIC = "music"
    RINGING = "ringing"


class Refusal(Exception):
    """A verb that is not possible. `code` is stable, the text is for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Party:
    """Somebody who takes part, but for the customer."""

    leg: str
    role: str  # agent | target (outside)
    place: Place
    agent: str = ""
    token: str = ""  # the proof that the agent is reserved for this contact
    to: str = ""  # as whom somebody was asked: agent:NAME, number:N
    muted: bool = False

    def save(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return dict(vars(self))


@dataclass(frozen=True)
class Conversation:
    """`owner`: the leg of the agent whose customer this is; "" = nobody's (parked, or talks with somebody outside)."""

    queue: str = ""
    owner: str = ""
    customer: Place = Place.TOGETHER
    parties: Mapping[str, Party] = field(default_factory=dict)  # by leg, in the order they joined
    asked: str = ""  # the leg of who is asked
    customer_muted: bool = False
    slot: str = ""  # where the customer is parked
    parked_by: str = ""
    parked_at: float = 0.0
    until: float = 0.0  # when parking ends, epoch seconds
    held_at: float = 0.0  # since when the customer is on hold, epoch seconds; 0 = is not
    held_by: str = ""  # who has put them there last: agent | phone | supervisor | program | window (see rejoining)

    @property
    def agent(self) -> Party | None:
        return self.parties.get(self.owner)

    @property
    def state(self) -> str:
        """talking | held | asking | consulting | toggled | conference | parked | outside | over"""
        if self.slot:
            return "parked"
        if self.asked:
            if self.parties[self.asked].place is Place.RINGING:
                return "asking"
            return "toggled" if self.customer is Place.TOGETHER else "consulting"
        if not self.parties:
            return "over"
        if self.customer is Place.MUSIC:
            return "held"
        if not self.owner:
            return "outside"
        return "conference" if len(self.parties) > 1 else "talking"

    @property
    def hears_ringing(self) -> str:
        """The leg of the agent who waits for somebody's answer and hears nothing else; "" = nobody does."""
        return self.owner if self.state == "asking" else ""

    def find(self, name: str) -> Party:
        """The party with this leg, agent's name or number. Raises Refusal."""
        for party in self.parties.values():
            if name in (party.leg, party.agent, party.to, party.to.partition(":")[2]):
                return party
        raise Refusal("no_such_party", f"{name or 'nobody'} does not take part")

    def save(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {**{name: getattr(self, name) for name in _PLAIN}, "parties": [p.save() for p in self.parties.values()]}

    @classmethod
    def restore(cls, saved: Mapping[str, Any]) -> Self:
        """What `save` gave, also an earlier version's."""
        plain = {name: saved[name] for name in _PLAIN if name in saved}
        known = [Party(**{**party, "place": Place(party["place"])}) for party in saved.get("parties", ())]
        customer = Place(plain.pop("customer", Place.TOGETHER))
        return cls(**plain, customer=customer, parties={party.leg: party for party in known})

    def _with(self, party: Party) -> Self:
        return replace(self, parties={**self.parties, party.leg: party})

    def _at_another_leg(self, old: str, leg: str) -> Self:
        """The party of the old leg has another one."""
        parties = [replace(party, leg=leg) if party.leg == old else party for party in self.parties.values()]
        return replace(
            self,
            parties={party.leg: party for party in parties},
            owner=leg if old == self.owner else self.owner,
            asked=leg if old == self.asked else self.asked,
        )

    def _without(self, leg: str) -> Self:
        parties = {name: party for name, party in self.parties.items() if name != leg}
        return replace(
            self,
            parties=parties,
            owner=self.owner if leg != self.owner else "",
            asked=self.asked if leg != self.asked else "",
        )


_PLAIN = (
    "queue",
    "owner",
    "customer",
    "asked",
    "customer_muted",
    "slot",
    "parked_by",
    "parked_at",
    "until",
    "held_at",
    "held_by",
)


# -- the facts -------------------------------------------------------------------------------------------------------


def after(now: Conversation, kind: Kind, data: Mapping[str, Any], at: float) -> Conversation:
    """The conversation after a fact at `at` (epoch seconds). Facts that are none of a conversation change nothing."""
    leg = str(data.get("leg", ""))
    match kind:
        case Kind.TALK_STARTED:
            known = now.parties.get(leg)
            party = replace(known, place=Place.TOGETHER) if known else Party(leg, "agent", Place.TOGETHER)
            token = str(data.get("token", "")) or party.token
            owner = replace(party, role="agent", agent=str(data["agent"]), token=token)
            taken = replace(now, owner=leg, queue=str(data["queue"]), customer=Place.TOGETHER, held_at=0.0)
            return taken._with(owner)
        case Kind.TALK_ENDED:
            left = now._without(leg)
            return replace(left, customer=Place.TOGETHER, held_at=0.0) if left.parties else left
        case Kind.PARTY_LEFT:
            return now._without(leg)
        case Kind.TALK_HELD:
            return replace(now, customer=Place.MUSIC, held_at=at, held_by=str(data.get("by", "")))
        case Kind.TALK_RESUMED:
            return replace(now, customer=Place.TOGETHER, held_at=0.0)
        case Kind.CONSULT_STARTED:
            asked = _asked(leg, data, Place.RINGING)
            return replace(now, asked=leg, customer=Place.MUSIC, held_at=0.0)._with(asked)
        case Kind.CONSULT_ANSWERED if leg in now.parties:
            return now._with(replace(now.parties[leg], place=Place.TOGETHER))
        case Kind.CONSULT_TOGGLED if leg in now.parties:
            customer, other = (Place.TOGETHER, Place.MUSIC) if data["customer"] else (Place.MUSIC, Place.TOGETHER)
            return replace(now, customer=customer)._with(replace(now.parties[leg], place=other))
        case Kind.CONSULT_ENDED if leg in now.parties:
            together = replace(now, asked="", customer=Place.TOGETHER)
            if data["result"] in (ConsultResult.TRANSFERRED, ConsultResult.CONFERENCE):
                return together._with(replace(now.parties[leg], place=Place.TOGETHER))
            return together._without(leg)
        case Kind.PARTY_JOINED if leg not in now.parties:
            return now._with(_asked(leg, data, Place.TOGETHER))
        case Kind.REJOINED if data["instead_of"] in now.parties:
            return now._at_another_leg(str(data["instead_of"]), leg)
        case Kind.MUTED | Kind.UNMUTED if leg in now.parties:
            return now._with(replace(now.parties[leg], muted=kind is Kind.MUTED))
        case Kind.MUTED | Kind.UNMUTED:
            return replace(now, customer_muted=kind is Kind.MUTED)
        case Kind.PARKED:
            parked = replace(now, slot=str(data["slot"]), parked_by=str(data["by"]), until=float(data["until"]))
            return replace(parked, parked_at=at, customer=Place.MUSIC, held_at=0.0)
        case Kind.RETRIEVED:
            return replace(now, slot="", parked_by="", parked_at=0.0, until=0.0)
    return now


def _asked(leg: str, data: Mapping[str, Any], place: Place) -> Party:
    to = str(data.get("to", ""))
    agent = to.removeprefix("agent:") if to.startswith("agent:") else ""
    return Party(leg, "agent" if agent else "target", place, agent, str(data.get("token", "")), to)
