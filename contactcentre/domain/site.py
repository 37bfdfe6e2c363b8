"""The site: everything provisioned, as one document. The same model reads `site.yaml`, the database and the API.

Secrets are not in it: an agent's or trunk's password lives in the secret store under `agent/NAME` or `trunk/NAME`.
Durations are seconds. Names are the keys people type: lower case letters, digits, `_` and `-`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

# Every text below ends up in a PBX's configuration, a page or a log line, so each has a pattern that leaves no room for
# a line break, a comment sign or a quote. `provision.load` tells these patterns in words.
NAME = r"^[a-z][a-z0-9_-]{0,39}$"
ENDPOINT = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$"
NUMBER = r"^\+?[0-9*#]{1,32}$"
TEXT = r"^[^\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]*$"
PERSON = r"^[^\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069;\\\"<>$]*$"
HOST = r"^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,39})$"
SOURCE = r"^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,39})(?:/[0-9]{1,3})?$"
USERNAME = r"^[A-Za-z0-9_.+@-]{0,80}$"
CODEC = r"^[a-z0-9]{2,16}$"
CALLER_ID = r"^(?:\+?[0-9]{1,32})?$"
LANGUAGE = r"^(?:[a-z]{2,3}(?:[_-][A-Za-z0-9]{2,8})*)?$"
EXPRESSION = r"^[A-Za-z0-9_<>=!() -]{0,500}$"
PROMPT = r"^(?:[A-Za-z0-9_-][A-Za-z0-9_./-]{0,119})?$"
DIRECTORY = r"^/[A-Za-z0-9_./-]{1,200}$"
WORD = r"^[A-Za-z0-9_/+-]{0,60}$"
CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"
CLOSING = r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$"
DATE = r"^\d{4}-\d{2}-\d{2}$"
DAYS = r"^(mon|tue|wed|thu|fri|sat|sun)([,-](mon|tue|wed|thu|fri|sat|sun))*$"
COUNTRY = r"^(?:[A-Z]{2})?$"
ADDRESS = r"^(?:https?://[A-Za-z0-9._~:/?#@!$&'()*+,=%{}-]{1,500})?$"
KEY = r"^[0-9*#]$"
KEY_CODE = r"^(?:[*#][0-9*#]{1,4})?$"
DESTINATION = r"^(?:(?:queue|flow|agent|voicemail):[a-z][a-z0-9_-]{0,39}|number:\+?[0-9]{1,32}|callback)$"

Name = Annotated[str, StringConstraints(pattern=NAME)]
EndpointName = Annotated[str, StringConstraints(pattern=ENDPOINT)]
Number = Annotated[str, StringConstraints(pattern=NUMBER)]
Text = Annotated[str, StringConstraints(pattern=TEXT, max_length=500)]
Language = Annotated[str, StringConstraints(pattern=LANGUAGE)]
Expression = Annotated[str, StringConstraints(pattern=EXPRESSION)]
Word = Annotated[str, StringConstraints(pattern=WORD)]
Date = Annotated[str, StringConstraints(pattern=DATE)]
Clock = Annotated[str, StringConstraints(pattern=CLOCK)]
Closing = Annotated[str, StringConstraints(pattern=CLOSING)]
Conditions = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,20}( ?, ?[a-z]{1,20}){0,7}$")]
Level = Annotated[int, Field(ge=0, le=100)]
Seconds = Annotated[float, Field(ge=0, le=86400)]
Prompt = Annotated[str, StringConstraints(pattern=PROMPT)]  # "" = none
Key = Annotated[str, StringConstraints(pattern=KEY)]
KeyCode = Annotated[str, StringConstraints(pattern=KEY_CODE)]
Destination = Annotated[str, StringConstraints(pattern=DESTINATION)]
"""Where a contact goes from a queue: `queue:NAME`, `flow:NAME`, `voicemail:BOX`, `number:N`, `agent:NAME`, or
`callback`: it leaves its number, and we call back."""

PbxName = Literal["asterisk", "freeswitch"]


def keyed(value: Any) -> Any:
    """YAML reads an unquoted 1 as a number; it is the key all the same."""
    return {str(key): target for key, target in value.items()} if isinstance(value, dict) else value


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Trunk(Model):
    """A SIP trunk to a carrier or another PBX."""

    host: Annotated[str, StringConstraints(pattern=HOST)]
    port: Annotated[int, Field(ge=1, le=65535)] = 5060
    transport: Literal["udp", "tcp", "tls"] = "udp"
    username: Annotated[str, StringConstraints(pattern=USERNAME)] = (
        ""  # with a secret `trunk/NAME` in the store: we authenticate with it
    )
    registration: bool = False  # we register there, so that it knows our address
    match: tuple[
        Annotated[str, StringConstraints(pattern=SOURCE)], ...
    ] = ()  # source addresses that its calls come from; empty = host
    codecs: tuple[Annotated[str, StringConstraints(pattern=CODEC)], ...] = ("alaw", "ulaw")
    caller_id: Annotated[str, StringConstraints(pattern=CALLER_ID)] = ""  # what we show when we call out through it


class Did(Model):
    """A number that callers dial, and the flow that greets them."""

    flow: Name
    trunk: Name | None = None  # None = from any trunk
    # Answered by the PBX's own Queue() when no controller is there; None = the first queue that the flow leads to.
    fallback_queue: Name | None = None
    language: Language = ""


class RelaxStep(Model):
    """From so many seconds in the queue on, less is asked, or more agents are."""

    after: Seconds
    requires: Expression | None = None  # "" = anyone of the queue; None = as before
    agents: tuple[Name, ...] = ()  # join the queue's own, to the end


class Labelled(Model):
    """Something that agents read. A text alone is its label."""

    label: Text = ""  # "" = its name

    @model_validator(mode="before")
    @classmethod
    def _from_label(cls, value: Any) -> Any:
        return {"label": value} if isinstance(value, str) else value

    def called(self, name: str) -> str:
        return self.label or name


class Disposition(Labelled):
    """How a contact may have ended, as its agent says it."""

    final: bool = True  # the matter is closed
    callback: bool = False  # the agent has promised to call back: when and at which number is asked for


class ScriptField(Labelled):
    """One question of the form that an agent fills in during a contact."""

    kind: Literal["text", "choice", "number", "date"] = "text"
    choices: Annotated[
        tuple[Annotated[Text, StringConstraints(min_length=1, max_length=100)], ...], Field(max_length=50)
    ] = ()
    required: bool = False  # before the agent is done with the contact
    hint: Text = ""  # what to say or to look at


class Queue(Model):
    """Where contacts wait for an agent."""

    description: Text = ""
    requires: Expression = ""  # expression over skills: "lang_fr >= 50 and billing"
    relax: tuple[RelaxStep, ...] = ()
    agents: tuple[Name, ...] = ()  # members; empty = every agent who has the skills
    strategy: Word = "longest-idle"  # or one of domain.strategies, by its name or by Asterisk's or FreeSWITCH's
    ring_at_most: Annotated[int, Field(ge=1, le=100)] = 10  # agents at once for one contact, where several ring
    ring_more_every: Annotated[float, Field(ge=1, le=300)] = 10  # ring-progressively: one agent more
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    ageing: Annotated[float, Field(ge=0, le=1000)] = 0  # points of priority that a contact gains a minute
    groups: dict[Name, Annotated[int, Field(ge=-1000, le=1000)]] = {}  # group of contacts -> points: {gold: 20}
    music: EndpointName = "default"  # one of `music`, or a class that the PBX has already
    prefer_for: Seconds = 20  # a contact's preferred agents are asked first for so long
    ring_seconds: Annotated[float, Field(ge=3, le=300)] = 20
    misses_allowed: Annotated[int, Field(ge=0, le=20)] = 2  # then the agent is paused with reason "missed"; 0 = never
    retry_delay: Seconds = 5  # before the same agent is offered again after a miss
    reject_delay: Seconds | None = None  # after the agent has rejected; None = retry_delay
    busy_delay: Seconds | None = None  # after the phone was busy, which counts as no miss; None = retry_delay
    auto_answer: bool = False  # the agent's phone is asked to answer by itself
    announce_to_agent: Prompt = ""  # played to the agent who has answered, before the two are joined
    wrap_up: Seconds = 15
    dispositions: Annotated[dict[Name, Disposition], Field(max_length=50)] = {}  # in the order in which agents see them
    disposition_required: bool = False  # an agent ends wrap-up by saying one; the timer ends it all the same
    script: Annotated[dict[Name, ScriptField], Field(max_length=40)] = {}  # the form that agents fill in
    # The page of another program about who calls, see domain.screen_pop: "https://crm.example.com/?phone={caller}"
    screen_pop: Annotated[str, StringConstraints(pattern=ADDRESS)] = ""
    screen_pop_at: Literal["click", "ring", "answer"] = "click"  # opens by itself when it rings, or is answered
    max_wait: Seconds = 0  # 0 = for ever
    max_length: Annotated[int, Field(ge=0)] = 0  # 0 = no limit
    join_empty: Conditions = "yes"  # Asterisk's words, see domain.conditions
    leave_when_empty: Conditions = "no"
    announce_position: Seconds = 0  # every so many seconds; 0 = never
    announce_first: Seconds | None = None  # the first time after so many seconds; None = announce_position
    announce_prompt: Prompt = ""  # played before the position; "" = the built-in text
    announce_wait: bool = False  # the estimated wait is said with the position, where enough is known
    position_only_improves: bool = True  # nobody hears a worse position than before
    prompts: Annotated[tuple[Annotated[Prompt, StringConstraints(min_length=1)], ...], Field(max_length=20)] = ()
    prompts_every: Annotated[float, Field(ge=5, le=3600)] = 60  # seconds; `prompts` are played in turn
    keys: Annotated[dict[Key, Destination], BeforeValidator(keyed)] = {}  # what waiting callers can press
    # Where the flow's node has no way of its own.
    overflow: dict[Literal["timeout", "full", "empty"], Destination] = {}
    overflow_priority: Annotated[int, Field(ge=0, le=1000)] = 0  # points that a contact takes along to another queue
    # Points for a contact that has talked with an agent already and comes into this queue (again): transferred, or back
    # from a transfer that came to nothing, or from being parked. Once, whatever happens to it.
    transfer_priority: Annotated[int, Field(ge=0, le=1000)] = 0
    hold_reminder: Seconds = 60  # every so many seconds an agent hears a beep whose customer is on hold; 0 = never
    hold_limit: Seconds = 600  # after so long on hold the customer is given back to the agent; 0 = never
    service_level: Annotated[float, Field(gt=0, le=3600)] = 20  # threshold T in seconds
    record: bool = True  # its conversations, from their beginning
    record_share: Annotated[int, Field(ge=1, le=100)] = 100  # percent of its contacts that `record` records
    record_on_demand: bool = True  # agents and supervisors may begin a recording, too
    record_announce: Prompt | None = None  # said to the customer before it begins; None = the site's; "" = nothing
    record_announce_all: bool | None = None  # also to agents and others who are recorded; None = as the site says
    record_beep: Annotated[float, Field(ge=0, le=600)] = 0  # both hear a beep every so many seconds; 0 = never
    review_messages: bool = False  # who leaves one in its box may hear it, and say it again, before it is kept
    retention_days: Annotated[int, Field(ge=0, le=36500)] = 90  # of its recordings; 0 = keep


class Agent(Model):
    """A person who answers. The endpoint (SIP account) has the agent's name unless `endpoint` says otherwise; an
    `endpoint` that the PBX's own configuration has already is used as it is."""

    full_name: Annotated[str, StringConstraints(pattern=PERSON, max_length=80)] = ""
    skills: dict[Name, Level] = {}
    endpoint: EndpointName | None = None
    number: Number | None = None  # internal extension
    webrtc: bool = False  # has also an account for a softphone in the browser, NAME-web
    # A home or mobile phone that is called through the outbound trunk instead of the agent's own.
    external: Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{3,20}$")] | None = None
    # What is called unless the agent chooses at login; None = `external` where that is given, else the phone.
    device: Literal["phone", "webrtc", "external"] | None = None
    # persistent: the device is called once, at login, and stays connected; a contact is a beep in that open line.
    line: Literal["per-call", "persistent"] = "per-call"
    # The key by which a call is taken after the answer; "" = the answer takes it. None = 1 at a number outside (an
    # answering machine presses none, and never gets a customer), and "" elsewhere.
    confirm: Annotated[str, StringConstraints(pattern=r"^[0-9*#]?$")] | None = None
    # Another agent whose phone hears this one's calls, from the first word, and who may whisper: a new agent's mentor.
    mentor: Name | None = None
    mentor_mode: Literal["listen", "whisper"] = "whisper"
    mentor_told: bool = False  # the agent hears a beep when the mentor comes


class Period(Model):
    days: Annotated[str, StringConstraints(pattern=DAYS)]  # "mon-fri", "sat", "mon,wed,fri"
    open: Clock
    close: Closing


class Hours(Model):
    """Opening hours in a time zone, with public holidays of a country and special days."""

    timezone: Word = "UTC"
    periods: tuple[Period, ...] = ()
    holidays: Word = ""  # ISO country, optionally with a subdivision: "FR", "DE-BY"; "" = none
    closed: tuple[Date, ...] = ()  # ISO dates
    open: dict[Date, tuple[Clock, Closing]] = {}  # ISO date -> (open, close), wins over everything else


class Keys(Model):
    """What agents press on their phones during a conversation; "" = nothing does that."""

    record: KeyCode = "*1"  # begins to record; pauses the recording and lets it go on
    consult: KeyCode = "*2"  # + a number and `#`
    hold: KeyCode = "*3"  # holds and takes back; with somebody who is asked: toggles
    complete: KeyCode = "*4"
    conference: KeyCode = "*5"
    cancel: KeyCode = "*6"
    park: KeyCode = "*7"
    mute: KeyCode = "*8"  # mutes oneself, and ends that
    drop: KeyCode = "*9"
    add: KeyCode = "#2"  # + a number and `#`
    transfer: KeyCode = "#1"  # + a number and `#`


class Features(Model):
    """Codes that agents dial on their own phones, and `keys` that they press during a conversation."""

    login: Number = "*45"
    logout: Number = "*46"
    pause: Number = "*47"  # + reason digit
    unpause: Number = "*48"
    extend: Number = "*49"  # a minute more of wrap-up
    retrieve: Number = "*5"  # + the slot where a customer is parked
    voicemail: Number = "*97"  # hear the messages in the own box and in those of the own queues
    keys: Keys = Keys()


class Music(Model):
    """A class of music on hold: the sound files of one directory on the PBX."""

    directory: Annotated[str, StringConstraints(pattern=DIRECTORY)]
    sort: Literal["random", "alpha"] = "random"


class EventSocket(Model):
    """Where a FreeSWITCH takes commands, and from whom. Its password is the secret `esl/contactcentre`."""

    listen: Annotated[str, StringConstraints(pattern=HOST)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8021
    allow: tuple[Annotated[str, StringConstraints(pattern=SOURCE)], ...] = ()  # addresses, beside the switch's own


class Freeswitch(Model):
    """What only a FreeSWITCH needs to know."""

    fallback: Literal["callcenter", "fifo"] = "callcenter"  # the module that serves the queues without a controller
    conference_rate: Literal[8000, 16000, 32000, 48000] = 8000  # Hz, of conversations of three and more
    event_socket: EventSocket | None = None  # None = as FreeSWITCH's own configuration has it


class Settings(Model):
    name: Text = ""  # of the contact centre, as its pages show it
    timezone: Word = "UTC"
    language: Annotated[str, StringConstraints(pattern=LANGUAGE, min_length=2)] = "en"
    country: Annotated[str, StringConstraints(pattern=COUNTRY)] = ""  # ISO 3166, to read national numbers; "" = unknown
    outbound_trunk: Name | None = None  # calls out go through it; None = the only trunk, if there is just one
    # How the numbers begin that agents may transfer customers to, call back, or call into a conversation: "+33",
    # "+4420", "06" (with `country`), "+33155500100"; see `domain.outside`. None = no number outside.
    transfer_numbers: tuple[Number, ...] = ()
    # After so long without a reachable phone an agent is paused ("unreachable"); 0 = never.
    unreachable_pause: Seconds = 60
    unreachable_return: bool = True  # and comes back by itself with the phone
    offer_while_in_use: bool = False  # also to agents whose phone is in a call of their own
    line_music: Annotated[str, StringConstraints(pattern=r"^(?:[A-Za-z0-9][A-Za-z0-9_.-]{0,39})?$")] = ""
    # What agents hear in an open line between calls; "" = silence.
    line_down: Literal["logout", "pause"] = "logout"  # of an agent who hangs up the open line, or cannot be called
    # New messages that light the lamp of an agent's phone: all that the agent hears by `features.voicemail`, only those
    # in the own box, or none.
    message_lamp: Literal["all", "own", "off"] = "all"
    supervision_tone: bool = False  # an agent hears a beep when a supervisor begins to listen
    record_announce: Prompt = ""  # said to a customer, once, before anything of the call is recorded; "" = nothing
    record_announce_all: bool = False  # also to agents and others who come into a recorded conversation
    # What callers meet while more come than can be served: a message and the busy tone, that tone, the PBX's own queue.
    overload: Literal["message", "busy", "fallback"] = "message"
    park_seconds: Annotated[float, Field(ge=10, le=3600)] = 120  # then a parked customer goes back to who parked it
    # Digit 1.. by their place, so nine at most.
    pause_reasons: Annotated[tuple[Name, ...], Field(max_length=9)] = (
        "break",
        "lunch",
        "meeting",
        "training",
        "other",
    )
    screen_pop_http: bool = False  # queues' `screen_pop` may be http:// (anybody between can read who calls)
    # What is written down of a customer, beside name, numbers, tags and notes: name -> label.
    customer_fields: Annotated[dict[Name, Labelled], Field(max_length=30)] = {}
    service_level_formula: Word = "answered_in_time_over_offered"  # see domain.metrics
    short_abandon: Seconds = 5
    order: Literal["score", "service-level"] = "score"  # of all that wait, see domain.order


class Site(Model):
    """A whole site. `provision.check` adds the rules that span objects (unknown skill, DID used twice ...)."""

    pbx: PbxName | None = None  # what its nodes drive; None = what CONTACTCENTRE_PBX says on each of them
    freeswitch: Freeswitch = Freeswitch()
    settings: Settings = Settings()
    features: Features = Features()
    trunks: dict[Name, Trunk] = {}
    dids: dict[Number, Did] = {}
    skills: dict[Name, Text] = {}  # name -> description
    queues: dict[Name, Queue] = {}
    agents: dict[Name, Agent] = {}
    hours: dict[Name, Hours] = {}
    music: dict[Name, Music] = {}
    flows: dict[Name, dict[str, Any]] = {}  # parsed by domain.flows; in a file also `path/to/flow.yaml`
