"""The site: everything provisioned, as one document. The same model reads `site.yaml`, the database and the API.

Secrets are not in it: an agent's or trunk's password lives in the secret store under `agent/NAME` or `trunk/NAME`.
Durations are seconds. Names are the keys people type: lower case letters, digits, `_` and `-`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Number = Annotated[str, StringConstraints(pattern=r"^\+?[0-9*#]{1,32}$")]
Level = Annotated[int, Field(ge=0, le=100)]
Seconds = Annotated[float, Field(ge=0, le=86400)]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Trunk(Model):
    """A SIP trunk to a carrier or another PBX."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 5060
    transport: Literal["udp", "tcp", "tls"] = "udp"
    username: str = ""  # with a secret `trunk/NAME` in the store: we authenticate with it
    register: bool = False
    match: tuple[str, ...] = ()  # source addresses that its calls come from; empty = host
    codecs: tuple[str, ...] = ("alaw", "ulaw")
    caller_id: str = ""  # what we show when we call out through it


class Did(Model):
    """A number that callers dial, and the flow that greets them."""

    flow: Name
    trunk: Name | None = None  # None = from any trunk
    fallback_queue: Name | None = None  # answered by the PBX's own Queue() when no controller is there
    language: str = ""


class RelaxStep(Model):
    after: Seconds
    requires: str  # expression, "" = anyone of the queue


class Queue(Model):
    """Where contacts wait for an agent."""

    description: str = ""
    requires: str = ""  # expression over skills: "lang_fr >= 50 and billing"
    relax: tuple[RelaxStep, ...] = ()
    agents: tuple[Name, ...] = ()  # members; empty = every agent who has the skills
    strategy: str = "longest-idle"
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    music: str = "default"
    ring_seconds: Annotated[float, Field(ge=3, le=300)] = 20
    misses_allowed: Annotated[int, Field(ge=0, le=20)] = 2  # then the agent is paused with reason "missed"; 0 = never
    retry_delay: Seconds = 5  # before the same agent is offered again after a miss
    wrap_up: Seconds = 15
    max_wait: Seconds = 0  # 0 = for ever
    max_length: Annotated[int, Field(ge=0)] = 0  # 0 = no limit
    announce_position: Seconds = 0  # every so many seconds; 0 = never
    announce_prompt: str = ""  # played before the position; "" = the built-in text
    service_level: Annotated[float, Field(gt=0, le=3600)] = 20  # threshold T in seconds
    record: bool = True
    retention_days: Annotated[int, Field(ge=0, le=36500)] = 90  # of its recordings; 0 = keep


class Agent(Model):
    """A person who answers. The endpoint (SIP account) has the agent's name unless `endpoint` says otherwise."""

    full_name: str = ""
    skills: dict[Name, Level] = {}
    endpoint: Name | None = None
    number: Number | None = None  # internal extension


class Period(Model):
    days: str  # "mon-fri", "sat", "mon,wed,fri"
    open: Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    close: Annotated[str, StringConstraints(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")]


class Hours(Model):
    """Opening hours in a time zone, with public holidays of a country and special days."""

    timezone: str = "UTC"
    periods: tuple[Period, ...] = ()
    holidays: str = ""  # ISO country, optionally with a subdivision: "FR", "DE-BY"; "" = none
    closed: tuple[str, ...] = ()  # ISO dates
    open: dict[str, tuple[str, str]] = {}  # ISO date -> (open, close), wins over everything else


class Features(Model):
    """Codes that agents dial on their own phones."""

    login: Number = "*45"
    logout: Number = "*46"
    pause: Number = "*47"  # + reason digit
    unpause: Number = "*48"


class Settings(Model):
    timezone: str = "UTC"
    language: str = "en"
    pause_reasons: tuple[str, ...] = ("break", "lunch", "meeting", "training", "other")  # digit 1.. by their place
    service_level_formula: str = "answered_in_time_over_offered"  # see domain.metrics
    short_abandon: Seconds = 5


class Site(Model):
    """A whole site. `check()` in provision.check adds the rules that span objects (unknown skill, DID used twice ...)."""

    settings: Settings = Settings()
    features: Features = Features()
    trunks: dict[Name, Trunk] = {}
    dids: dict[Number, Did] = {}
    skills: dict[Name, str] = {}  # name -> description
    queues: dict[Name, Queue] = {}
    agents: dict[Name, Agent] = {}
    hours: dict[Name, Hours] = {}
    flows: dict[Name, dict[str, Any]] = {}  # parsed by domain.flows; in a file also `path/to/flow.yaml`
