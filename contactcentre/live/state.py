"""Agents, waiting contacts and live contacts in Redis. One script makes every change of an agent, so no agent ever has
two offers whoever races.

Keys, under a prefix (`cc:`): hashes `agents` and `agent_versions` (name -> record, version), `waiting` and `contacts`
(contact id -> record), `boxes` (see boxes.py), `alerts` (see alerts.py); `site` (version), `generation` (when this data
began); streams `changes` (what replicas and pages follow, about 10,000 entries) and `events` (the journal, see
journal.py).
"""

import time
from collections.abc import Container, Mapping, Sequence
from random import random
from typing import Any

from redis import Redis

from contactcentre.domain.agents import AgentStatus, NotAllowed, Verb, step
from contactcentre.domain.alerts import Alarm
from contactcentre.domain.replacing import replace
from contactcentre.domain.routing import Waiting
from contactcentre.live.alerts import read_alarm
from contactcentre.live.boxes import read_box
from contactcentre.live.client import Script
from contactcentre.live.connection import PREFIX, ask, checked, longest_block, named_errors, transaction
from contactcentre.live.errors import LostRace, Malformed, Resync
from contactcentre.live.records import AgentFact, Change, ContactNow, Estimate, Snapshot, read_agent, read_waiting

KEPT_CHANGES = 10_000
ESTIMATES_LIVE = 60
"""Seconds for which estimated waits are shown after the last controller has said them."""
TRIES = 16
"""How often `change` reads and tries again when others change the same agent."""

# Writes one agent's record if its version is the expected one. Answers 1 = written (also when this very record lies
# there already: a repeated attempt after a broken connection), 0 = the version is another one, -1 = the contact whose
# waiting record goes with the offer has left. ARGV[8] = 'enters': it need not be there yet, it is entered with this.
# ARGV[9..] are facts for the journal.
_SWAP = """
local version = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0')
if version == tonumber(ARGV[3]) and redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[4] then return 1 end
if version ~= tonumber(ARGV[2]) then return 0 end
if ARGV[5] ~= '' then
  if ARGV[8] ~= 'enters' and redis.call('HEXISTS', KEYS[5], ARGV[5]) == 0 then return -1 end
  redis.call('HSET', KEYS[5], ARGV[5], ARGV[6])
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[7], '*', 'kind', 'waiting', 'key', ARGV[5], 'value', ARGV[6])
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[7], '*', 'kind', 'agent', 'key', ARGV[1], 'value', ARGV[4])
for i = 9, #ARGV do redis.call('XADD', KEYS[4], '*', 'agent', ARGV[i]) end
return 1
"""

# Changes many agents, each if it is still as it was seen. ARGV from the second on in groups of five: agent, the version
# seen, the version and record after, the fact. Answers 1 or 0 for each.
_SWAP_MANY = """
local done = {}
for i = 2, #ARGV, 5 do
  local name, seen, version, record, fact = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local there = tonumber(redis.call('HGET', KEYS[2], name) or '0')
  if there == tonumber(version) and redis.call('HGET', KEYS[1], name) == record then
    done[#done + 1] = 1
  elseif there ~= tonumber(seen) then
    done[#done + 1] = 0
  else
    redis.call('HSET', KEYS[1], name, record)
    redis.call('HSET', KEYS[2], name, version)
    redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[1], '*', 'kind', 'agent', 'key', name, 'value', record)
    redis.call('XADD', KEYS[4], '*', 'agent', fact)
    done[#done + 1] = 1
  end
end
return done
"""

# Writes (or, with an empty value, removes) one entry of a hash and says so in the stream; of a contact only that it has
# changed, for its record is long, changes often, and few ask for it (`Live.changes` looks it up). ARGV[5] = 'present':
# only where the entry is there. Answers 1 = done, 0 = it was not there.
_PUT = """
if ARGV[5] == 'present' and redis.call('HEXISTS', KEYS[1], ARGV[2]) == 0 then return 0 end
if ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[2]) else redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) end
local told = ARGV[1] == 'contact' and '' or ARGV[3]
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*', 'kind', ARGV[1], 'key', ARGV[2], 'value', told)
return 1
"""

# The same with many entries at once, whether they are there or not.
_PUT_MANY = """
for i = 3, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[1], ARGV[i])
  else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
  local told = ARGV[1] == 'contact' and '' or ARGV[i + 1]
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', 'kind', ARGV[1], 'key', ARGV[i], 'value', told)
end
"""

# The stream must hold the cursor's own entry, so that a reader can tell "nothing new" from "trimmed". The generation is
# made when there is none: another one than before means that Redis has lost its data.
_START = """
local now = redis.call('TIME')
redis.call('SET', KEYS[2], now[1] .. '.' .. now[2], 'NX')
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('XLEN', KEYS[1]) == 0 then
  redis.call('XADD', KEYS[1], '*', 'kind', 'start', 'key', '', 'value', '')
end
return redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]
"""


class Live:
    """The live state. All methods raise Away or Refused when Redis does not answer or refuses."""

    def __init__(self, redis: "Redis", prefix: str = PREFIX) -> None:
        self.redis = checked(redis)
        self.malformed = 0
        """Records read and left out because they could not be understood."""
        self._agents, self._versions = f"{prefix}agents", f"{prefix}agent_versions"
        self._waiting, self._contacts = f"{prefix}waiting", f"{prefix}contacts"
        self._changes, self._events, self._site = f"{prefix}changes", f"{prefix}events", f"{prefix}site"
        self._generation, self._estimates = f"{prefix}generation", f"{prefix}estimates"
        self._boxes, self._alerts = f"{prefix}boxes", f"{prefix}alerts"
        self._wrote: dict[str, dict[str, tuple[str, Any]]] = {"agent": {}, "waiting": {}}
        # by kind and key, what we wrote last as text and record: coming back in the stream it need not be read again
        self._swap_script = Script(redis, _SWAP)
        self._swap_many_script = Script(redis, _SWAP_MANY)
        self._put_script = Script(redis, _PUT)
        self._put_many_script = Script(redis, _PUT_MANY)

    # agents

    def agents(self) -> dict[str, AgentStatus]:
        return self._read(ask(self.redis, "HGETALL", self._agents), read_agent)

    def agent(self, name: str) -> AgentStatus:
        """An agent never seen is logged out, version 0. Raises Malformed."""
        text = ask(self.redis, "HGET", self._agents, name)
        return AgentStatus(name) if text is None else read_agent(text)

    def change(self, agent: str, verb: Verb, at: float, **args: Any) -> AgentStatus:
        """Takes one step of domain.agents (its arguments in `args`) and answers the status after it.

        Raises NotAllowed, and LostRace when others keep changing the same agent."""
        for attempt in range(1, TRIES + 1):
            before = self.agent(agent)
            after = step(_numbered(before, at), verb, at, **args)
            if self._swap(before, after, [AgentFact.of(before, after, at)]) == 1:
                return after
            # racers in step would lose to the same one again and again
            time.sleep(random() * 0.001 * attempt)  # noqa: S311
        raise LostRace(f"agent {agent}: {verb.value} lost the race {TRIES} times")

    def step(self, seen: AgentStatus, verb: Verb, at: float, **args: Any) -> AgentStatus | None:
        """The same step from the agent as it was seen last, without a look: one compare-and-set. None: it is not so any
        more, or the step made no sense then; `change` tells."""
        try:
            after = step(_numbered(seen, at), verb, at, **args)
        except NotAllowed:
            return None
        return after if self._swap(seen, after, [AgentFact.of(seen, after, at)]) == 1 else None

    def steps(self, taken: Sequence[tuple[AgentStatus, AgentStatus, float]]) -> list[bool]:
        """One step each of many agents (seen, after, when) at once. False for whom Redis has not as seen."""
        groups: list[str | int] = []
        for seen, after, at in taken:
            record = self._noted("agent", after.name, after)
            groups += (after.name, seen.version, after.version, record, AgentFact.of(seen, after, at).to_json())
        with named_errors():
            done = self._swap_many_script(
                keys=[self._agents, self._versions, self._changes, self._events], args=[KEPT_CHANGES, *groups]
            )
        return [bool(one) for one in done]

    def reserve(
        self,
        expected: AgentStatus,
        contact_id: str,
        queue: str,
        token: str,
        deadline: float,
        at: float,
        *,
        waiting: Waiting | None = None,
        enters: bool = False,
        instead_of: AgentStatus | None = None,
    ) -> AgentStatus | None:
        """Offers the agent, as seen in `expected`, to a contact: one compare-and-set. None = lost the race: somebody
        else changed the agent, or the contact has left. With `waiting`, that record (its `offered` set) is written in
        the same step, so no other controller sees the contact without its offer; with `enters` it need not have waited
        before. `instead_of`: Redis still has the agent as it was one step before `expected`; both steps are taken
        together or not at all."""
        try:
            after = step(
                _numbered(expected, at),
                Verb.OFFER,
                at,
                contact_id=contact_id,
                queue=queue,
                token=token,
                deadline=deadline,
            )
        except NotAllowed:
            return None
        facts = [AgentFact.of(expected, after, at)]
        if instead_of is not None:
            facts.insert(0, AgentFact.of(instead_of, expected, expected.since))
        return after if self._swap(instead_of or expected, after, facts, waiting, enters) == 1 else None

    def restore(self, status: AgentStatus) -> bool:
        """Writes an agent back from a replica after Redis lost its data; False where a newer record lies there."""
        for _ in range(TRIES):
            text = ask(self.redis, "HGET", self._agents, status.name)
            there = AgentStatus(status.name) if text is None else read_agent(text)
            if there.version >= status.version:
                return False
            if self._swap(there, status, []) == 1:
                return True
        raise LostRace(f"agent {status.name}: restore lost the race {TRIES} times")

    def forget_agent(self, name: str) -> None:
        """Removes the record of an agent who is no longer in the site."""
        with transaction(self.redis) as both:
            both.ask("HDEL", self._agents, name)
            both.ask("HDEL", self._versions, name)
            both.ask("XADD", self._changes, "*", "kind", "agent", "key", name, "value", "")

    def _swap(
        self,
        before: AgentStatus,
        after: AgentStatus,
        facts: Sequence[AgentFact],
        waiting: Waiting | None = None,
        enters: bool = False,
    ) -> int:
        with named_errors():
            return int(
                self._swap_script(
                    keys=[self._agents, self._versions, self._changes, self._events, self._waiting],
                    args=[
                        after.name,
                        before.version,
                        after.version,
                        self._noted("agent", after.name, after),
                        waiting.contact_id if waiting else "",
                        self._noted("waiting", waiting.contact_id, waiting) if waiting else "",
                        KEPT_CHANGES,
                        "enters" if enters else "",
                        *(fact.to_json() for fact in facts),
                    ],
                )
            )

    def _noted(self, kind: str, key: str, record: AgentStatus | Waiting) -> str:
        """Its text, about to be written."""
        text = record.to_json()
        self._wrote[kind][key] = text, record
        return text

    # alerts

    def alerts(self) -> dict[str, Alarm]:
        """By queue/name; also such as are bad but not raised yet."""
        return self._read(ask(self.redis, "HGETALL", self._alerts), read_alarm)

    # waiting contacts

    def waiting(self) -> dict[str, Waiting]:
        return self._read(ask(self.redis, "HGETALL", self._waiting), read_waiting)

    def enter(self, waiting: Waiting) -> None:
        self._put(self._waiting, "waiting", waiting.contact_id, waiting.to_json())

    def update(self, waiting: Waiting) -> bool:
        """False when the contact has left meanwhile; a late update never brings it back."""
        return self._put(self._waiting, "waiting", waiting.contact_id, waiting.to_json(), present=True)

    def put_waiting(self, contacts: Mapping[str, Waiting | None]) -> None:
        """Many at once, by contact id; None removes."""
        texts = {key: self._noted("waiting", key, one) if one else "" for key, one in contacts.items()}
        for key in [key for key, one in contacts.items() if one is None]:
            self._wrote["waiting"].pop(key, None)
        self._put_many(self._waiting, "waiting", texts)

    def leave(self, contact_id: str) -> bool:
        """False when it was not waiting."""
        return self._put(self._waiting, "waiting", contact_id, "", present=True)

    # live contacts

    def contacts(self) -> dict[str, ContactNow]:
        return self._read(ask(self.redis, "HGETALL", self._contacts), ContactNow.from_json)

    def contact(self, contact_id: str) -> ContactNow | None:
        """Raises Malformed."""
        text = ask(self.redis, "HGET", self._contacts, contact_id)
        return None if text is None else ContactNow.from_json(text)

    def put_contact(self, contact: ContactNow) -> None:
        self._put(self._contacts, "contact", contact.contact_id, contact.to_json())

    def put_contacts(self, contacts: Mapping[str, ContactNow | None]) -> None:
        """Many at once, by contact id; None removes."""
        texts = {key: one.to_json() if one else "" for key, one in contacts.items()}
        self._put_many(self._contacts, "contact", texts)

    def drop_contact(self, contact_id: str) -> bool:
        """False when it was not there."""
        return self._put(self._contacts, "contact", contact_id, "", present=True)

    def _put(self, key: str, kind: str, name: str, value: str, present: bool = False) -> bool:
        with named_errors():
            done = self._put_script(
                keys=[key, self._changes],
                args=[kind, name, value, KEPT_CHANGES, "present" if present else ""],
            )
        return bool(done)

    def _put_many(self, key: str, kind: str, records: Mapping[str, str]) -> None:
        pairs = [text for pair in records.items() for text in pair]
        with named_errors():
            self._put_many_script(keys=[key, self._changes], args=[kind, KEPT_CHANGES, *pairs])

    # estimated waits

    def publish_estimates(self, estimates: Mapping[str, Estimate]) -> None:
        """By queue; what was published before of other queues is gone."""
        with transaction(self.redis) as both:
            both.ask("DEL", self._estimates)
            if estimates:
                pairs = [text for queue, one in estimates.items() for text in (queue, one.to_json())]
                both.ask("HSET", self._estimates, *pairs)
                both.ask("EXPIRE", self._estimates, ESTIMATES_LIVE)

    def estimates(self) -> dict[str, Estimate]:
        """What controllers said last, by queue; nothing while none lives."""
        return self._read(ask(self.redis, "HGETALL", self._estimates), Estimate.from_json)

    # following

    def snapshot(self) -> Snapshot:
        """All of it at one instant. Records that cannot be understood are left out and counted in `malformed`."""
        with transaction(self.redis, fenced=False) as all_of_it:
            all_of_it.ask("EVAL", _START, 2, self._changes, self._generation)
            all_of_it.ask("HGETALL", self._agents)
            all_of_it.ask("HGETALL", self._waiting)
            all_of_it.ask("HGETALL", self._contacts)
            all_of_it.ask("GET", self._site)
            all_of_it.ask("GET", self._generation)
            all_of_it.ask("HGETALL", self._boxes)
            all_of_it.ask("HGETALL", self._alerts)
        cursor, agents, waiting, contacts, site, generation, boxes, alerts = all_of_it.values
        return Snapshot(
            cursor,
            self._read(agents, read_agent),
            self._read(waiting, read_waiting),
            self._read(contacts, ContactNow.from_json),
            int(site or 0),
            generation,
            self._read(boxes, read_box),
            self._read(alerts, read_alarm),
        )

    def changes(
        self, cursor: str, block_seconds: float = 1.0, count: int = 1000, skip: Container[str] = ()
    ) -> list[Change]:
        """What happened after `cursor`, oldest first; [] when nothing did within `block_seconds` (at most 60 % of the
        connection's deadline). A contact comes as it is now, not as it was. Kinds in `skip`, and entries that cannot be
        understood (kind `malformed`), come without a value, so that the reader's cursor passes them. Raises Resync when
        entries after the cursor are lost: take a new snapshot."""
        block = int(max(0.001, min(block_seconds, longest_block(self.redis))) * 1000)
        here, *entries = ask(self.redis, "XRANGE", self._changes, cursor, "+", "COUNT", count + 1) or [("", {})]
        if here[0] != cursor:
            raise Resync(f"{self._changes} no longer holds {cursor}")
        if not entries:
            answer = ask(self.redis, "XREAD", "COUNT", count, "BLOCK", block, "STREAMS", self._changes, cursor)
            entries = answer[0][1] if answer else []
            if entries and not ask(self.redis, "XRANGE", self._changes, cursor, cursor):
                raise Resync(f"{self._changes} was lost and begun anew")  # while we waited
        contacts: dict[str, str | None] = {}
        if "contact" not in skip:
            names = list(dict.fromkeys(fields["key"] for _, fields in entries if fields.get("kind") == "contact"))
            if names:
                contacts = dict(zip(names, ask(self.redis, "HMGET", self._contacts, *names), strict=True))
        return [self._change(entry_id, fields, skip, contacts) for entry_id, fields in entries]

    def _change(
        self, cursor: str, fields: dict[str, str], skip: Container[str], contacts: Mapping[str, str | None]
    ) -> Change:
        try:
            kind, key, text = fields["kind"], fields["key"], fields["value"]
            value: Any = None
            match kind:
                case _ if kind in skip:
                    pass
                case "agent" | "waiting" if (wrote := self._wrote[kind].get(key)) and wrote[0] == text:
                    value = wrote[1]
                case "agent":
                    value = read_agent(text) if text else None
                case "waiting":
                    value = read_waiting(text) if text else None
                case "contact":
                    value = ContactNow.from_json(now) if (now := contacts[key]) else None
                case "site":
                    value = int(text)
                case "box":
                    value = read_box(text) if text else None
                case "alert":
                    value = read_alarm(text) if text else None
                case _:
                    value = text
        except (KeyError, ValueError, Malformed):
            self.malformed += 1
            return Change(cursor, "malformed", "", None)
        return Change(cursor, kind, key, value)

    def publish_site(self, version: int) -> None:
        """Tells controllers and pages that this version of the site is in the store."""
        with transaction(self.redis) as both:
            both.ask("SET", self._site, version)
            both.ask(
                "XADD",
                self._changes,
                "MAXLEN",
                "~",
                KEPT_CHANGES,
                "*",
                "kind",
                "site",
                "key",
                "",
                "value",
                version,
            )

    def _read(self, raw: dict[str, str], read: Any) -> dict[str, Any]:
        found = {}
        for key, text in raw.items():
            try:
                found[key] = read(text)
            except Malformed:
                self.malformed += 1
        return found


def _numbered(status: AgentStatus, at: float) -> AgentStatus:
    """The first record of an agent takes its number from the clock, so that (agent, version) is never used twice, not
    even after Redis lost all its data: nobody changes state more than once a second for years."""
    return replace(status, version=int(at)) if status.version == 0 and at >= 1 else status
