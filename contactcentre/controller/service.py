"""Starts the parts of a controller, feeds them the PBX's events, stops them without touching a call."""

import contextlib
import gc
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import gevent
import structlog
from gevent import subprocess
from gevent.event import Event as Flag
from gevent.queue import Queue

from contactcentre.controller import features
from contactcentre.controller.conduct import Conductor
from contactcentre.controller.contact import SUSPENDING, Contact, printable
from contactcentre.controller.node import Configuration, Node
from contactcentre.controller.reconcile import reconcile
from contactcentre.domain.agents import AgentState
from contactcentre.domain.events import Kind, Outcome
from contactcentre.domain.flows import actions as act
from contactcentre.live import Change, CommandFailed, Commands, LiveError
from contactcentre.live.connection import PREFIX, ask
from contactcentre.pbx.errors import Gone, PbxError
from contactcentre.pbx.events import Arrived, Cause, EndpointChanged, LinkLost, LinkUp, NodeEvent
from contactcentre.processes import bind_to_parent

log = structlog.get_logger(__name__)

ARRIVALS_LIMIT = 10_000
PREPARE_DEADLINE = 300.0
HEARTBEAT = 2.0
"""Seconds between two signs of life of a controller, in `cc:node:NAME`; the key lives five times as long."""


class Controller:
    """One running controller: its node, and the loop that takes node events one after the other."""

    def __init__(self, node: Node, load: Callable[[], Configuration]) -> None:
        """`load` reads the newest configuration from the store."""
        self.node = node
        self._load = load
        self._events: Queue[NodeEvent] = Queue(maxsize=ARRIVALS_LIMIT)
        self._linked = False
        self._stopped = Flag()
        self._started = time.time()
        self.failed = False
        node.reconcile_soon = self._reconcile_soon

    # -- life ---------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Returns after `stop`. Raises LiveError when Redis is not there at the start."""
        node = self.node
        node.replica.load()
        node.journal.flush()  # what an earlier process left in its spool must be known before contacts are taken up
        essential = {
            "router": node.router.run,
            "replica": node.replica.follow,
            "journal": node.journal.run,
            "saver": node.saver.run,
            "events": self._take_events,
            "commands": self._serve_commands,
            "heartbeat": self._beat,
        }
        for name, run in essential.items():
            node.greenlets.spawn(name, run, essential=True)
        self._prepare_prompts()
        # What lives as long as the process is not to be looked through again and again while calls wait.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        node.pbx.start(self._sink)
        log.info("controller started", node=node.name, site=node.configuration.version)
        self._stopped.wait()
        self._shut_down()

    def stop(self) -> None:
        """Asks `run` to end. Calls go on; the next controller takes them up."""
        self._stopped.set()

    def part_failed(self, name: str) -> None:
        log.error("a part that calls depend on failed: the controller ends, to be started again", part=name)
        self.failed = True
        self._stopped.set()

    def _shut_down(self) -> None:
        node = self.node
        for contact in list(node.contacts.values()):
            contact.post(LinkLost(node.now(), "the controller stops"))
        gevent.sleep(0)
        node.pbx.stop()
        node.greenlets.stopping = True
        node.journal.close()
        node.greenlets.stop()
        try:
            node.saver.flush()
            node.journal.flush()
        except LiveError as error:
            log.warning("the last events stay in the spool", error=str(error))
        node.journal.release()
        log.info("controller stopped", node=node.name, contacts_left_running=len(node.contacts))

    # -- what the PBX says --------------------------------------------------------------------------------------------

    def _sink(self, event: NodeEvent) -> None:
        try:
            self._events.put_nowait(event)
        except gevent.queue.Full:
            log.error("too many arrivals at once: one was left to the PBX", node_event=type(event).__name__)

    def _take_events(self) -> None:
        while True:
            event = self._events.get()
            try:
                self._take(event)
            except (PbxError, LiveError) as error:
                log.warning("node event not carried out", node_event=type(event).__name__, error=str(error))
                if isinstance(event, LinkUp):
                    gevent.spawn_later(1.0, self._sink, event)

    def _take(self, event: NodeEvent) -> None:
        match event:
            case LinkUp():
                self._linked = True
                self._reconcile()
            case LinkLost(reason=reason, replaced=replaced):
                self._linked = False
                log.warning("link to the PBX lost", reason=reason, replaced=replaced)
                for contact in list(self.node.contacts.values()):
                    contact.post(event)
                if replaced:
                    self.stop()
            case EndpointChanged(endpoint=endpoint, reachable=reachable):
                self.node.router.reachable[endpoint] = reachable
                self.node.router.wake()
            case Arrived(args=("feature", *_)):
                self.node.greenlets.spawn(f"feature {event.channel_id}", features.run, self.node, event)
            case Arrived(args=("leg", *_)):  # answered after we had given it up
                self.node.hang_up(event.channel_id)
            case Arrived():
                self._greet(event)

    def _reconcile_soon(self) -> None:
        gevent.spawn_later(1.0, self._sink, LinkUp(time.time()))

    def _reconcile(self) -> None:
        node = self.node
        # Contacts that were told of the lost link end their greenlets first; their calls are what we look at.
        deadline = time.time() + 5.0
        while any(c.suspended for c in node.contacts.values()) and time.time() < deadline:
            gevent.sleep(0.01)
        node.replica.load()
        node.router.reachable = dict(node.pbx.reachable())
        taken_up, strangers = reconcile(node)
        for conductor in taken_up:
            self._spawn(conductor, act.Resume())
        for arrived in strangers:
            self._greet(arrived)
        node.router.wake()

    def _greet(self, arrived: Arrived) -> None:
        """A new caller: a contact of its own, walking the flow of the number dialled."""
        node = self.node
        if arrived.channel_id in node.channels:
            return
        did = arrived.args[1] if len(arrived.args) > 1 else arrived.dialled
        found = node.site.dids.get(did)
        contact = Contact.new(
            node,
            channel_id=arrived.channel_id,
            did=did,
            caller=arrived.caller,
            flow=found.flow if found else "",
            at=arrived.at,
        )
        contact.caller = node.pbx.adopt(arrived.channel_id, contact.post)
        if found and found.language:
            contact.language = found.language
        contact.emit(
            Kind.ARRIVED,
            node=node.name,
            channel=arrived.channel_id,
            did=printable(did),
            caller=contact.now.caller,
            caller_name=contact.now.caller_name,
            flow=contact.now.flow,
            language=contact.language,
        )
        contact.emit(Kind.LEG_STARTED, leg=arrived.channel_id, role="caller", endpoint=arrived.endpoint, agent="")
        if found is None or found.flow not in node.site.flows:
            self._reject(contact)
            return
        variables = {"caller": contact.now.caller, "caller_name": contact.now.caller_name, "did": did}
        walker = node.configuration.walker(found.flow, variables, found.language)
        self._spawn(Conductor(contact, walker, answered=arrived.up), act.Begin())

    def _reject(self, contact: Contact) -> None:
        log.warning("unknown number dialled", contact=contact.id, did=printable(contact.now.did))
        with contextlib.suppress(Gone):
            contact.caller.hangup(Cause.UNALLOCATED)
        contact.emit(Kind.LEG_ENDED, leg=contact.caller.id, cause=int(Cause.UNALLOCATED))
        contact.emit(Kind.ENDED, outcome=Outcome.REJECTED.value, by="system", cause=int(Cause.UNALLOCATED))

    # -- contacts -----------------------------------------------------------------------------------------------------

    def _spawn(self, conductor: Conductor, first: act.Result) -> None:
        contact = conductor.contact
        self.node.contacts[contact.id] = contact
        self.node.channels.add(contact.caller.id)
        self.node.greenlets.spawn(f"contact {contact.id}", self._conduct, conductor, first)

    def _conduct(self, conductor: Conductor, first: act.Result) -> None:
        contact = conductor.contact
        try:
            conductor.run(first)
        except SUSPENDING as reason:
            log.warning("contact suspended", contact=contact.id, why=type(reason).__name__)
            contact.save()
            if self._linked and not self._stopped.is_set():
                self._reconcile_soon()
        finally:
            self.node.router.forget(contact)
            self.node.contacts.pop(contact.id, None)
            self.node.channels.discard(contact.caller.id)

    # -- commands, configuration, signs of life -----------------------------------------------------------------------

    def changed(self, change: Change, new: bool) -> None:
        """Told of every change in Redis, by the replica's greenlet."""
        if new:
            self.node.router.changed(change)
        self.node.wrap_ups.changed(change)
        if change.kind == "site":
            self.node.greenlets.spawn("configuration", self._reload)
        elif change.kind == "agent" and change.value is not None and change.value.state is AgentState.AVAILABLE:
            endpoint = self.node.configuration.endpoint_of(change.key)
            if self._linked and not self.node.router.reachable.get(endpoint, True):
                self.node.greenlets.spawn("reachable", self._look_who_is_reachable)

    def _look_who_is_reachable(self) -> None:
        """At once, for an agent who has just become available with a phone that was away at the last look."""
        try:
            self.node.router.reachable = dict(self.node.pbx.reachable())
        except PbxError as error:
            log.info("endpoints not asked", error=str(error))
            return
        self.node.router.wake()

    def _reload(self) -> None:
        self.node.configuration = self._load()
        self._prepare_prompts()
        log.info("site loaded", version=self.node.configuration.version)
        self.node.router.wake()

    def _prepare_prompts(self) -> None:
        """Texts are synthesised before a caller has to wait for them; by a process of its own, for calls go on here."""
        self.node.greenlets.spawn("prompts", _run_prepare)

    def _serve_commands(self) -> None:
        Commands(self.node.live.redis).serve(
            self.node.name, self._command, spawn=lambda run: self.node.greenlets.spawn("command", run)
        )

    def _command(self, verb: str, args: dict[str, Any]) -> dict[str, Any]:
        if verb == "ping":
            return self._signs()
        if verb == "hangup":
            contact = self.node.contacts.get(str(args.get("contact", "")))
            if contact is None:
                raise CommandFailed("not_found", "no such live contact on this node")
            contact.caller.hangup()
            return {"contact": contact.id}
        raise CommandFailed("unknown_verb", f"this controller knows no {verb!r}")

    def _beat(self) -> None:
        while True:
            try:
                key = f"{PREFIX}node:{self.node.name}"
                ask(self.node.live.redis, "SET", key, json.dumps(self._signs()), "EX", int(HEARTBEAT * 5))
            except LiveError as error:
                log.warning("no sign of life: live state is away", error=str(error))
            gevent.sleep(HEARTBEAT)

    def _signs(self) -> dict[str, Any]:
        unreachable = sorted(self.node.router.reachable_agents())
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "node": self.node.name,
            "pid": os.getpid(),
            "started": self._started,
            "at": time.time(),
            "linked": self._linked,
            "contacts": len(self.node.contacts),
            "reachable": len(self.node.site.agents) - len(unreachable),
            "unreachable": unreachable,
            "greenlets": len(self.node.greenlets),
            "site": self.node.configuration.version,
            "unsent": self.node.journal.unsent,
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
            "rss_kb": usage.ru_maxrss,
        }


def _run_prepare() -> None:
    command = [sys.executable, "-m", "contactcentre", "prompts", "prepare"]
    done = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=bind_to_parent(signal.SIGTERM))
    try:
        if done.wait(PREPARE_DEADLINE):
            log.warning("not all prompts could be prepared", exit_code=done.returncode)
    finally:
        if done.poll() is None:
            done.terminate()
