"""What the live page and the API say of queues, agents and contacts, in one shape.

All times are epoch seconds UTC on the server's clock; durations are seconds.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.alerts import Alarm
from contactcentre.domain.events import Direction

Moment = Annotated[float, Field(ge=0, lt=253_402_300_800)]
"""Epoch seconds that somebody asks about: until the end of the year 9999, the last that clock and database can tell."""


class Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class Counts(Row):
    """Agents by what they do now."""

    available: int = 0
    offered: int = Field(default=0, description="their phone rings")
    talking: int = 0
    wrap_up: int = 0
    paused: int = 0
    logged_out: int = 0


class Today(Row):
    """Numbers since midnight in the site's time zone, from stored events."""

    offered: int = 0
    answered: int = 0
    abandoned: int = 0
    service_level: float | None = Field(default=None, description="from 0 to 1; null: nothing to divide by yet")


class Estimate(Row):
    """What a caller who came now would wait, and how wrong such estimates have been."""

    seconds: float
    told: int = Field(default=0, description="estimates heard in 8 hours by callers who were answered; 0 = too few")
    within: float = Field(default=0, description="four of five of them were at most so many seconds off")


class AlertRow(Row):
    """A rule of a queue that is not well."""

    id: str
    queue: str
    name: str = Field(description="the rule's")
    when: str = Field(description="waiting, longest_wait, service_level, available or abandoned")
    limit: float
    value: float = Field(description="when it was raised")
    raised_at: float
    acknowledged_by: str = Field(description="who looks after it")
    acknowledged_at: float | None

    @classmethod
    def of(cls, alarm: Alarm) -> "AlertRow":
        known = {name: getattr(alarm, name) for name in cls.model_fields}
        return cls(**{**known, "acknowledged_at": alarm.acknowledged_at or None})


class QueueRow(Row):
    name: str
    description: str = ""
    threshold: float = Field(default=0, description="seconds within which a contact should be answered")
    waiting: int = 0
    oldest: float | None = Field(default=None, description="when the contact that waits longest entered this queue")
    messages: int = Field(default=0, description="in its box, that nobody looks after")
    estimate: Estimate | None = Field(default=None, description="null: too little is known")
    agents: Counts = Field(default=Counts(), description="of this queue's agents, wherever they work at the moment")
    today: Today = Today()
    formula: str = Field(default="", description="of the service level, in words")
    alerts: tuple[AlertRow, ...] = Field(default=(), description="raised and not over, the oldest first")


class AgentRow(Row):
    name: str
    full_name: str = ""
    state: str
    since: float
    reason: str = Field(default="", description="of a pause")
    contact_id: str = ""
    queue: str = Field(default="", description="of the contact")
    caller_text: str = Field(default="", description="of the contact")
    deadline: float = Field(default=0, description="when ringing or wrap-up ends by itself; 0 = never")
    then: str = Field(default="", description="what follows when the call is over: logout, pause:REASON or nothing")
    by: str = Field(default="", description="who else brought the state about, or what follows; empty: the agent")
    note: str = Field(default="", description="what that one said to it")
    skills: dict[str, int] = Field(default={}, description="for the day: other levels than the site's; 0 = without it")
    skills_until: float = Field(default=0, description="when these end, at the site's midnight; 0 = there are none")
    calls: int = Field(default=0, description="answered since login")
    queues: tuple[str, ...] = ()
    messages: int = Field(default=0, description="in the agent's own box, that nobody looks after")
    device: str = Field(default="", description="by what the agent is called: phone, webrtc or external")
    phone: str = Field(default="", description="away: cannot be called; in_use: in a call of its own; else nothing")
    phone_since: float = Field(default=0, description="since when it is away or in use")


class Party(Row):
    """Somebody in a conversation; the caller is the first."""

    role: str = Field(description="caller, agent, or target (somebody outside)")
    leg: str = ""
    agent: str = ""
    to: str = Field(default="", description="as whom somebody was called in: agent:NAME or number:N")
    place: str = Field(description="together, music or ringing")
    muted: bool = False


class Talk(Row):
    """A conversation as it is now."""

    state: str = Field(description="talking, held, asking, consulting, toggled, conference, parked or outside")
    since: float = Field(default=0, description="of hold and parking: when they began")
    held_by: str = Field(
        default="", description="of hold: agent, phone, supervisor, program, or window (the agent's, which was lost)"
    )
    until: float = Field(default=0, description="of parking: when it ends by itself")
    slot: str = Field(default="", description="where the customer is parked")
    asked: str = Field(default="", description="whom the agent asks: agent:NAME or number:N")
    recording: str = Field(default="", description="running, paused, or nothing")
    parties: tuple[Party, ...] = ()


class Listener(Row):
    """Somebody who listens to a call that goes on."""

    id: str = Field(description="of the supervision")
    supervisor: str
    mode: str = Field(description="listen, whisper or barge")


class ContactRow(Row):
    id: str
    state: str
    direction: str = Field(default=Direction.INBOUND.value, description="outbound: an agent called the customer")
    since: float = 0
    arrived: float = 0
    queue: str = ""
    agent: str = ""
    caller: str = ""
    caller_text: str = Field(default="", description="the number as people write it")
    caller_name: str = Field(default="", description="what the caller's side sent; anything may stand in it")
    did: str = ""
    flow: str = ""
    entered: float | None = Field(default=None, description="when it entered its queue; null: it does not wait")
    priority: int = 0
    offered: str = Field(default="", description="the agent whose phone rings for it")
    node: str = ""
    talk: Talk | None = Field(default=None, description="null: nobody talks with the caller")
    listeners: tuple[Listener, ...] = Field(default=(), description="supervisors who hear it now")


class Totals(Row):
    """Over all queues; an agent of several queues counts once."""

    waiting: int = 0
    oldest: float | None = None
    contacts: int = 0
    agents: Counts = Counts()
    today: Today = Today()


class SiteFacts(Row):
    name: str
    timezone: str = "UTC"
    version: int = 0
    service_level: str = Field(default="", description="the formula of the service level over all queues, in words")
    pause_reasons: tuple[str, ...] = ()


class Change(Row):
    """What changed. A value of null: it is no longer there."""

    now: float
    queues: dict[str, QueueRow | None] = {}
    agents: dict[str, AgentRow | None] = {}
    contacts: dict[str, ContactRow | None] = {}
    totals: Totals | None = None
    today_at: float | None = Field(default=None, description="when today's numbers were read")


class Snapshot(Row):
    now: float
    site: SiteFacts
    queues: dict[str, QueueRow]
    agents: dict[str, AgentRow]
    contacts: dict[str, ContactRow]
    totals: Totals
    today_at: float | None = None


class BoxRow(Row):
    box: str
    new: int
    claimed: int
    oldest: float | None = Field(description="when the oldest came that nobody looks after")


class Desk(Row):
    """What one agent sees of the own work."""

    now: float
    agent: AgentRow
    contact: ContactRow | None = Field(default=None, description="that rings, is talked with, or is being wrapped up")
    pause_reasons: tuple[str, ...] = ()
    softphone: bool = Field(default=False, description="the agent may be called in the browser")
    screen_pop: str = Field(default="", description="another program's page about the contact")
    screen_pop_at: str = Field(default="click", description="ring or answer: it opens by itself then")
    boxes: tuple[BoxRow, ...] = Field(
        default=(), description="the own one and those of the own queues, with messages that are not done"
    )
