"""The site: everything provisioned, as one document. The same model reads `site.yaml`, the database and the API.

Secrets are not in it: an agent's or trunk's password lives in the secret store under `agent/NAME` or `trunk/NAME`.
Durations are seconds. Names are the keys people type: lower case letters, digits, `_` and `-`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, model_validator

from contactcentre.domain.alerts import Alert
from contactcentre.domain.spelling import (
    ADDRESS,
    CALLER_ID,
    CODEC,
    COUNTRY,
    DAYS,
    DIRECTORY,
    HOST,
    LANGUAGE,
    PERSON,
    SOURCE,
    USERNAME,
    Clock,
    Closing,
    Conditions,
    Date,
    Destination,
    EndpointName,
    Expression,
    Key,
    KeyCode,
    Language,
    Level,
    Name,
    Number,
    Prompt,
    Seconds,
    Text,
    Word,
    keyed,
)
from contactcentre.domain.written import WRITTEN

PbxName = Literal["asterisk", "freeswitch"]


class Model(BaseModel):
    """What is written in a site; the text below a field describes it to people."""

    model_config = WRITTEN


class Trunk(Model):
    """A SIP trunk to a carrier or another PBX."""

    host: Annotated[str, StringConstraints(pattern=HOST)]
    """Its host name or IP address."""
    port: Annotated[int, Field(ge=1, le=65535)] = 5060
    """Its SIP port (5060)."""
    transport: Literal["udp", "tcp", "tls"] = "udp"
    """How SIP travels to it (udp)."""
    username: Annotated[str, StringConstraints(pattern=USERNAME)] = ""
    """We authenticate with it; the password: `contactcentre secret set trunk/NAME`."""
    registration: bool = False
    """Register there, so that it knows our address."""
    match: tuple[Annotated[str, StringConstraints(pattern=SOURCE)], ...] = ()
    """Addresses or networks that its calls come from (its host)."""
    codecs: tuple[Annotated[str, StringConstraints(pattern=CODEC)], ...] = ("alaw", "ulaw")
    """In order of preference (alaw,ulaw)."""
    caller_id: Annotated[str, StringConstraints(pattern=CALLER_ID)] = ""
    """The number shown when we call out through it."""


class Did(Model):
    """A number that callers dial, and the flow that greets them."""

    flow: Name
    """The flow that greets its callers."""
    trunk: Name | None = None
    """Only calls from this trunk (any)."""
    fallback_queue: Name | None = None
    """Answered by the PBX itself when no controller runs (the flow's first queue)."""
    language: Language = ""
    """The callers' first language, like fr."""


class RelaxStep(Model):
    """From so many seconds in the queue on, less is asked, or more agents are."""

    after: Seconds
    requires: Expression | None = None
    """Instead of what was required; nothing written = anyone of the queue."""
    agents: tuple[Name, ...] = ()
    """Join the queue's own, to the end."""


class Labelled(Model):
    """Something that agents read. A text alone is its label."""

    label: Text = ""
    """What agents read (its name)."""

    @model_validator(mode="before")
    @classmethod
    def _from_label(cls, value: Any) -> Any:
        return {"label": value} if isinstance(value, str) else value

    def called(self, name: str) -> str:
        return self.label or name


class Disposition(Labelled):
    """How a contact may have ended, as its agent says it."""

    final: bool = True
    """The matter is closed."""
    callback: bool = False
    """The agent has promised to call back: when and at which number is asked for."""


class ScriptField(Labelled):
    """One question of the form that an agent fills in during a contact."""

    kind: Literal["text", "choice", "number", "date"] = "text"
    choices: Annotated[
        tuple[Annotated[Text, StringConstraints(min_length=1, max_length=100)], ...], Field(max_length=50)
    ] = ()
    required: bool = False
    """It must be answered before the agent is done with the contact."""
    hint: Text = ""
    """What to say or to look at."""


class Queue(Model):
    """Where contacts wait for an agent."""

    description: Text = ""
    """What it is for."""
    requires: Expression = ""
    """Skills its contacts need, like: lang_fr >= 50 and billing."""
    relax: tuple[RelaxStep, ...] = ()
    """From so many seconds of waiting on, this is enough: {after: 30, requires: lang_fr >= 20}."""
    agents: tuple[Name, ...] = ()
    """Its members (everybody who has the skills)."""
    strategy: Word = "longest-idle"
    """Who of several free agents is asked; Asterisk's and FreeSWITCH's names too (longest-idle)."""
    ring_at_most: Annotated[int, Field(ge=1, le=100)] = 10
    """Agents whose phones ring at once for one contact, with ringall (10)."""
    ring_more_every: Annotated[float, Field(ge=1, le=300)] = 10
    """Seconds until one more phone rings, with ring-progressively (10)."""
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    """0 to 1000; higher goes first among queues (0)."""
    ageing: Annotated[float, Field(ge=0, le=1000)] = 0
    """Points of priority that a contact gains a minute; 0 = none, then priority is strict (0)."""
    groups: dict[Name, Annotated[int, Field(ge=-1000, le=1000)]] = {}
    """Points on top for a group of contacts, such as gold=20."""
    music: EndpointName = "default"
    """Class of music on hold (default)."""
    prefer_for: Seconds = 20
    """Seconds that a contact's preferred agents have it for themselves (20)."""
    ring_seconds: Annotated[float, Field(ge=3, le=300)] = 20
    """How long an agent's phone rings (20)."""
    misses_allowed: Annotated[int, Field(ge=0, le=20)] = 2
    """Missed offers in a row before the agent is paused with the reason missed; 0 = never (2)."""
    retry_delay: Seconds = 5
    """Seconds before an agent who missed is offered again (5)."""
    reject_delay: Seconds | None = None
    """Seconds before an agent who rejected is offered again (retry-delay)."""
    busy_delay: Seconds | None = None
    """Seconds before an agent whose phone was busy is offered again (retry-delay)."""
    auto_answer: bool = False
    """Ask the agent's phone to answer by itself (no)."""
    announce_to_agent: Prompt = ""
    """Prompt that the agent hears before being joined with the caller."""
    wrap_up: Seconds = 15
    """Seconds of after-call work (15)."""
    dispositions: Annotated[dict[Name, Disposition], Field(max_length=50)] = {}
    """How contacts may have ended, like solved=Solved."""
    disposition_required: bool = False
    """An agent ends wrap-up by saying one (no)."""
    script: Annotated[dict[Name, ScriptField], Field(max_length=40)] = {}
    """Questions that agents fill in, like order=Order number."""
    screen_pop: Annotated[str, StringConstraints(pattern=ADDRESS)] = ""
    """Address that agents open for a contact, like https://crm.example.com/?phone={caller}."""
    screen_pop_at: Literal["click", "ring", "answer"] = "click"
    """Opens by itself when the call rings or is answered, or only by a click (click)."""
    max_wait: Seconds = 0
    """Seconds after which the flow goes on; 0 = never (0)."""
    max_length: Annotated[int, Field(ge=0)] = 0
    """Contacts that may wait; 0 = no limit (0)."""
    join_empty: Conditions = "yes"
    """May contacts enter when nobody is there: yes, no, strict, loose or Asterisk's conditions (yes)."""
    leave_when_empty: Conditions = "no"
    """Do they leave when nobody is there: no, yes, strict, loose or conditions (no)."""
    announce_position: Seconds = 0
    """Seconds between announcements of the position; 0 = never (0)."""
    announce_first: Seconds | None = None
    """Seconds until the first announcement (announce-position)."""
    announce_prompt: Prompt = ""
    """Prompt before the position."""
    announce_wait: bool = False
    """Say the estimated wait too, where enough is known (no)."""
    position_only_improves: bool = True
    """Never say a worse position than before (yes)."""
    prompts: Annotated[tuple[Annotated[Prompt, StringConstraints(min_length=1)], ...], Field(max_length=20)] = ()
    """Prompts that waiting callers hear in turn."""
    prompts_every: Annotated[float, Field(ge=5, le=3600)] = 60
    """Seconds between two of them (60)."""
    keys: Annotated[dict[Key, Destination], BeforeValidator(keyed)] = {}
    """Key and where it leads, like 1=voicemail:support or 2=callback."""
    overflow: dict[Literal["timeout", "full", "empty"], Destination] = {}
    """Where contacts go, like timeout=queue:sales, full=callback, empty=voicemail:support."""
    overflow_priority: Annotated[int, Field(ge=0, le=1000)] = 0
    """Points that a contact which overflows takes along to another queue (0)."""
    transfer_priority: Annotated[int, Field(ge=0, le=1000)] = 0
    """Points for a contact that has talked with an agent already and comes into this queue (again): transferred, or
    back from a transfer that came to nothing, or from being parked. Once, whatever happens to it."""
    hold_reminder: Seconds = 60
    """Every so many seconds an agent hears a beep whose customer is on hold; 0 = never."""
    hold_limit: Seconds = 600
    """After so long on hold the customer is given back to the agent; 0 = never."""
    service_level: Annotated[float, Field(gt=0, le=3600)] = 20
    """Seconds within which contacts should be answered (20)."""
    record: bool = True
    """Record its conversations (yes)."""
    record_share: Annotated[int, Field(ge=1, le=100)] = 100
    """Percent of its contacts that are recorded (100)."""
    record_on_demand: bool = True
    """Agents and supervisors may begin a recording (yes)."""
    record_announce: Prompt | None = None
    """Prompt that a customer hears before a recording begins (the site's)."""
    record_announce_all: bool | None = None
    """Agents and others who are recorded hear it too (as the site says)."""
    record_beep: Annotated[float, Field(ge=0, le=600)] = 0
    """Both hear a beep every so many seconds while recorded; 0 = never (0)."""
    alerts: Annotated[dict[Name, Alert], Field(max_length=20)] = {}
    """When supervisors are told, like crowd=waiting > 10 for 30."""
    review_messages: bool = False
    """Who leaves a message in its box may hear it and say it again first (no)."""
    retention_days: Annotated[int, Field(ge=0, le=36500)] = 90
    """Days that recordings are kept; 0 = for ever (90)."""


class Agent(Model):
    """A person who answers. The endpoint (SIP account) has the agent's name unless `endpoint` says otherwise; an
    `endpoint` that the PBX's own configuration has already is used as it is."""

    full_name: Annotated[str, StringConstraints(pattern=PERSON, max_length=80)] = ""
    """The person's name, shown to whom the agent calls."""
    skills: dict[Name, Level] = {}
    """A skill and its level, 0 to 100, like lang_fr=80."""
    endpoint: EndpointName | None = None
    """SIP account, where it is not the agent's name; one that the PBX has already is used as it is."""
    number: Number | None = None
    """Internal number."""
    webrtc: bool = False
    """Has an account for a softphone in the browser, too."""
    external: Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{3,20}$")] | None = None
    """A home or mobile phone that is called instead of the agent's own."""
    device: Literal["phone", "webrtc", "external"] | None = None
    """What is called unless the agent chooses at login (external where that is given, else the phone)."""
    line: Literal["per-call", "persistent"] = "per-call"
    """Persistent: the device is called once, at login, and stays connected; a contact is a beep in that open line
    (per-call)."""
    confirm: Annotated[str, StringConstraints(pattern=r"^[0-9*#]?$")] | None = None
    """The key that takes a call after the answer, so that no answering machine does; empty = the answer takes it (1 at
    a number outside, else the answer)."""
    mentor: Name | None = None
    """Another agent, who hears this one's calls and may whisper."""
    mentor_mode: Literal["listen", "whisper"] = "whisper"
    """What the mentor may do (whisper)."""
    mentor_told: bool = False
    """The agent hears a beep when the mentor comes."""


class Period(Model):
    days: Annotated[str, StringConstraints(pattern=DAYS)]
    """Such as mon-fri, sat or mon,wed,fri."""
    open: Clock
    close: Closing


class Hours(Model):
    """Opening hours in a time zone, with public holidays of a country and special days."""

    timezone: Word = "UTC"
    """Of the IANA database, such as Europe/Paris."""
    periods: tuple[Period, ...] = ()
    """When it is open: {days: mon-fri, open: 09:00, close: 18:00}."""
    holidays: Word = ""
    """ISO country, optionally with a subdivision, such as FR or DE-BY (none)."""
    closed: tuple[Date, ...] = ()
    """Dates on which it is closed, such as 2026-12-24."""
    open: dict[Date, tuple[Clock, Closing]] = {}
    """Special openings, a date with its hours: 2026-12-24: [09:00, 12:00]. They win over everything else."""


class Keys(Model):
    """What agents press on their phones during a conversation; "" = nothing does that."""

    record: KeyCode = "*1"
    """Begins to record; pauses the recording and lets it go on."""
    consult: KeyCode = "*2"
    """Followed by a number and #."""
    hold: KeyCode = "*3"
    """Holds and takes back; with somebody who is asked: toggles."""
    complete: KeyCode = "*4"
    conference: KeyCode = "*5"
    cancel: KeyCode = "*6"
    park: KeyCode = "*7"
    mute: KeyCode = "*8"
    """Mutes oneself, and ends that."""
    drop: KeyCode = "*9"
    add: KeyCode = "#2"
    """Followed by a number and #."""
    transfer: KeyCode = "#1"
    """Followed by a number and #."""


class Features(Model):
    """Codes that agents dial on their own phones, and `keys` that they press during a conversation."""

    login: Number = "*45"
    logout: Number = "*46"
    pause: Number = "*47"
    """Followed by the digit of the reason."""
    unpause: Number = "*48"
    extend: Number = "*49"
    """A minute more of wrap-up."""
    retrieve: Number = "*5"
    """Followed by the slot where a customer is parked."""
    voicemail: Number = "*97"
    """Hear the messages in the own box and in those of the own queues."""
    keys: Keys = Keys()


class Music(Model):
    """A class of music on hold: the sound files of one directory on the PBX."""

    directory: Annotated[str, StringConstraints(pattern=DIRECTORY)]
    sort: Literal["random", "alpha"] = "random"


class EventSocket(Model):
    """Where a FreeSWITCH takes commands, and from whom. Its password is the secret `esl/contactcentre`."""

    listen: Annotated[str, StringConstraints(pattern=HOST)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8021
    allow: tuple[Annotated[str, StringConstraints(pattern=SOURCE)], ...] = ()
    """Addresses, beside the switch's own."""


class Freeswitch(Model):
    """What only a FreeSWITCH needs to know."""

    fallback: Literal["callcenter", "fifo"] = "callcenter"
    """The module that serves the queues without a controller."""
    conference_rate: Literal[8000, 16000, 32000, 48000] = 8000
    """Hz, of conversations of three and more."""
    event_socket: EventSocket | None = None
    """None = as FreeSWITCH's own configuration has it."""


class CustomerLookup(Model):
    """Another program that knows who calls."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s#@]+$", max_length=500)]
    """It is asked with the number, in a signed POST."""
    fresh: Annotated[float, Field(ge=60, le=30 * 86400)] = 86400
    """Seconds for which a number is not asked again (86400)."""


class Settings(Model):
    name: Text = ""
    """Name of the contact centre, as its pages show it."""
    timezone: Word = "UTC"
    language: Annotated[str, StringConstraints(pattern=LANGUAGE, min_length=2)] = "en"
    country: Annotated[str, StringConstraints(pattern=COUNTRY)] = ""
    """Two letters of ISO 3166, to read national numbers, such as FR."""
    outbound_trunk: Name | None = None
    """Calls out go through it; None = the only trunk, if there is just one."""
    transfer_numbers: tuple[Number, ...] = ()
    """How the numbers begin that agents may transfer customers to, call back, or call into a conversation: +33,
    +4420, 06 (with `country`), +33155500100; see `domain.outside`. None = no number outside."""
    unreachable_pause: Seconds = 60
    """After so long without a reachable phone an agent is paused ("unreachable"); 0 = never."""
    unreachable_return: bool = True
    """An agent who was paused so comes back by itself with the phone."""
    offer_while_in_use: bool = False
    """Contacts are offered also to agents whose phone is in a call of their own."""
    line_music: Annotated[str, StringConstraints(pattern=r"^(?:[A-Za-z0-9][A-Za-z0-9_.-]{0,39})?$")] = ""
    """Class of music that agents hear in an open line between calls (silence)."""
    line_down: Literal["logout", "pause"] = "logout"
    """What becomes of an agent who hangs up the open line, or cannot be called."""
    message_lamp: Literal["all", "own", "off"] = "all"
    """New messages that light the lamp of an agent's phone: all that the agent hears by `features.voicemail`, only
    those in the own box, or none."""
    supervision_tone: bool = False
    """An agent hears a beep when a supervisor begins to listen."""
    record_announce: Prompt = ""
    """Said to a customer, once, before anything of the call is recorded; "" = nothing."""
    record_announce_all: bool = False
    """It is also said to agents and others who come into a recorded conversation."""
    overload: Literal["message", "busy", "fallback"] = "message"
    """What callers meet while more come than can be served: a message and the busy tone, that tone, the PBX's own
    queue."""
    park_seconds: Annotated[float, Field(ge=10, le=3600)] = 120
    """Seconds until a parked customer goes back to who parked it."""
    pause_reasons: Annotated[tuple[Name, ...], Field(max_length=9)] = (
        "break",
        "lunch",
        "meeting",
        "training",
        "other",
    )
    """Digit 1.. by their place, so nine at most."""
    screen_pop_http: bool = False
    """Queues' `screen_pop` may be http:// (anybody between can read who calls)."""
    customer_fields: Annotated[dict[Name, Labelled], Field(max_length=30)] = {}
    """What is written down of a customer, beside name, numbers, tags and notes: name -> label."""
    customer_lookup: CustomerLookup | None = None
    """Asked who calls when a contact begins and nobody has asked of late."""
    service_level_formula: Word = "answered_in_time_over_offered"
    """How it is counted, see domain.metrics."""
    short_abandon: Seconds = 5
    """Seconds within which who hangs up does not count as abandoned, where the formula says so."""
    order: Literal["score", "service-level"] = "score"
    """Who of all that wait comes first, see domain.order."""
    second_factor: tuple[Literal["admin", "supervisor", "agent", "auditor", "wallboard"], ...] = ()
    """Roles that sign in to the pages with a code of an authenticator app, too; all others may."""


class Site(Model):
    """A whole site. `provision.check` adds the rules that span objects (unknown skill, DID used twice ...)."""

    pbx: PbxName | None = None
    """What its nodes drive; None = what CONTACTCENTRE_PBX says on each of them."""
    freeswitch: Freeswitch = Freeswitch()
    settings: Settings = Settings()
    features: Features = Features()
    trunks: dict[Name, Trunk] = {}
    dids: dict[Number, Did] = {}
    skills: dict[Name, Text] = {}
    """Name -> description."""
    queues: dict[Name, Queue] = {}
    agents: dict[Name, Agent] = {}
    hours: dict[Name, Hours] = {}
    music: dict[Name, Music] = {}
    flows: dict[Name, dict[str, Any]] = {}
    """Parsed by domain.flows; in a file also `path/to/flow.yaml`."""
