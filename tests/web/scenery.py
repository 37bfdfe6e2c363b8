"""What is to be seen on the pictures of the documentation: a whole contact centre on a real Asterisk, with people on
both ends of its calls, and what they write down, leave behind and change. Only the hours before are made up."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import gevent
import requests
from gevent.pywsgi import WSGIServer

from contactcentre.demo.stage import EXAMPLE, stage
from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.day import midnight
from contactcentre.domain.site import Site
from contactcentre.lab.phones import IGNORE, OngoingCall
from contactcentre.lab.ports import free_port
from contactcentre.provision import load
from contactcentre.web import accounts, tokens
from tests.system.centre import ENGLISH, FRENCH, SALES, SUPPORT, Centre
from tests.waiting import eventually
from tests.watch.scrape import four_ports
from tests.web import populate
from tests.web.conftest import PASSWORD

ACCOUNTS = {"ada": "admin", "sue": "supervisor", "alice": "agent", "wall": "wallboard", "otto": "auditor"}
KNOWN = "+33612407755"
"""Marie Dubois, who calls often."""
PEOPLE = {
    KNOWN: "Marie Dubois",
    "+33142968100": "SARL Montreuil",
    "+442079460118": "J. Weaver",
    "+33755018846": "Ana Sousa",
    "+4930551207": "Jürgen Groß",
    "+33698124401": "",
    "+33644120987": "Mohamed Ali",
    "+33677120033": "",
    "+33181221104": "Zoë O'Connor",
    "+33622334455": "Łukasz Nowak",
}
FIELDS = {"account": "Account number", "city": "City"}


def site() -> Site:
    """The example, with a softphone, alerts, and time to look."""
    known = load(EXAMPLE)
    document = known.model_dump(mode="json", exclude_defaults=True)
    support, sales = document["queues"]["support"], document["queues"]["sales"]
    support |= {"alerts": {"crowd": "waiting > 1 for 2"}, "ring_seconds": 300}
    support |= {"screen_pop": "https://crm.example.com/find?phone={caller}", "screen_pop_at": "click"}
    sales |= {"alerts": {"slow": "longest_wait > 15"}, "ring_seconds": 300, "max_wait": 900, "wrap_up": 15}
    document["agents"]["alice"] |= {"webrtc": True}
    document["settings"]["customer_fields"] = FIELDS
    return Site.model_validate(document)


class Scene(Centre):
    """`url` is where the pages are, and `api` asks as the administrator."""

    told = ""
    """The contact with a result, and a recording."""
    neighbour = 0
    """The port at which another program is told what happens."""

    def give_accounts(self) -> None:
        for name, role in ACCOUNTS.items():
            self.store.add_user(name, accounts.hash_password(PASSWORD), role)
        self.store.change_user("alice", agent="alice")
        ada = self.store.user_named("ada")
        assert ada is not None
        scopes = [str(one) for one in tokens.grantable(ada)]
        _, self._token = tokens.issue(self.store, ada, "made the pictures", scopes, 90, "ada", time.time())
        tokens.issue(self.store, ada, "wallboard in the hall", ["numbers.see"], 365, "ada", time.time())

    def api(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        headers["Authorization"] = f"Bearer {self._token}"
        answer = requests.request(method, f"{self.url}/api/v1{path}", json=body, headers=headers, timeout=60)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.text else None

    def caller(self, number: str, topic: str = "2", language: str = ENGLISH, **plan: Any) -> OngoingCall:
        return self.dial(f"{language},{topic}", caller=number, name=PEOPLE.get(number, ""), **plan)

    def until_state(self, call: OngoingCall, state: str) -> None:
        def states() -> list[str]:
            return [one.state for one in self.live.contacts().values() if one.caller == call.plan.caller]

        eventually(lambda: states() == [state], lambda: f"{call.plan.caller} is {states()}, not {state}")

    # -- what has happened ---------------------------------------------------------------------------------------

    def hours_before(self) -> None:
        """A picture of a day would take a day: calls since this morning, and on the same day of last week."""
        now, people = time.time(), {"support": ("alice", "bruno", "emma"), "sales": ("chloe", "david", "farid")}
        since = (now - midnight(self.here.site.settings.timezone, now)) / 3600
        hours = max(0.5, min(5.0, since - 0.5))
        numbers = (SUPPORT, SALES)
        self.store.record(populate.history(now, int(28 * hours), hours, agents=people, dids=numbers))
        week = now - 7 * 86400
        self.store.record(populate.history(week + 3 * 3600, 220, 8.0, seed=8, agents=people, dids=numbers))

    def calls_before(self) -> None:
        """Calls that end: served, given up, with a message, with a wish to be called back."""
        self.on_duty(*self.phones)
        people, calls = list(PEOPLE), []
        for place, number in enumerate((KNOWN, *people, KNOWN)):
            topic, language = "12"[place % 2], (ENGLISH, FRENCH)[place % 3 == 1]
            calls.append(self.caller(number, topic, language, talk=6.0 + 3 * (place % 5)))
            gevent.sleep(1.5)
        self.results()
        self.on_duty()
        left = self.caller(people[3], talk=None, patience=120)
        self.until_state(left, "voicemail")
        gevent.sleep(7)  # so long is the message
        left.send_digits("#")
        left.wait(60)
        self.settle()

    def people_write(self) -> None:
        """Customers, results, broadcasts, another version of the site, webhooks."""
        self.api("PUT", f"/customers/{KNOWN}", {
            "name": "Marie Dubois", "numbers": [KNOWN, "+33142968100"], "fields": {"account": "A-1178", "city": "Lyon"},
            "tags": ["gold", "mornings"],
            "notes": "Prefers mornings.\nHas two routers, both in the cellar."})  # fmt: skip
        for number, name, tags in (
            ("+442079460118", "J. Weaver", ["english"]),
            ("+33755018846", "Ana Sousa", ["new"]),
            ("+4930551207", "Jürgen Groß", ["gold", "wholesale"]),
        ):
            self.api("PUT", f"/customers/{number.replace('+', '%2B')}", {"name": name, "tags": tags})
        (contact, *_) = [
            one
            for one in self.store.contacts(caller=KNOWN, queue="support").contacts
            if one.outcome == "answered" and self.store.history(one.id).recordings
        ]
        self.told = contact.id
        self.api("PUT", f"/contacts/{contact.id}/result", {
            "disposition": "solved", "note": "Was the cable, not the router. Showed where the lamp is.",
            "answers": {"order": "A-1178-03", "product": "Router"}})  # fmt: skip
        self.api(
            "POST", "/notices", {"to": "all", "text": "The new price list counts from today. It is on the intranet."}
        )
        self.api("POST", "/prompts/en/welcome-summer/speak", {"text": "Welcome. We are open until nine this summer."})
        self.change("queues", "support", {"service_level": 25}, "agreed with the shop on Monday")
        self.change("skills", "returns", "Goods that come back", "the warehouse asked", new=True)
        self.api("POST", "/webhooks", {
            "name": "crm", "url": f"http://127.0.0.1:{self.neighbour}/took",
            "kinds": ["contact.arrived", "contact.ended", "voicemail.left"]})  # fmt: skip
        gone = f"http://127.0.0.1:{self.neighbour}/gone"
        self.api("POST", "/webhooks", {"name": "warehouse", "url": gone, "kinds": ["contact.ended"]})
        calls = [self.caller(number, talk=None, patience=5.0) for number in list(PEOPLE)[5:8]]
        for call in calls:
            call.wait(60)
        eventually(lambda: self.store.webhook("warehouse").state == "paused", "the warehouse answers 410")
        eventually(lambda: self.store.webhook("crm").delivered >= 3, "the CRM is told")
        self.settle()
        self.store.give_up(time.time() + 1, 0.0)  # what a worker does a day later

    def change(self, part: str, name: str, value: Any, why: str, *, new: bool = False) -> None:
        """Planned and applied."""
        made = self.plan(part, name, value, new=new)
        self.api("POST", f"/site/plans/{made['id']}/apply", {"comment": why}, **{"If-Match": f'"{made["version"]}"'})

    def plan(self, part: str, name: str, value: Any, *, new: bool = False) -> Any:
        """Of one thing that exists: what is named becomes otherwise."""
        if not new:
            value = {**self.api("GET", f"/site/parts/{part}/{name}")["value"], **value}
        return self.api("POST", "/site/plans", {"part": part, "name": name, "value": value, "new": new})

    # -- what goes on --------------------------------------------------------------------------------------------

    def at_work(self) -> None:
        """One talks, one speaks with a customer of another queue, one is in wrap-up, one has lunch."""
        self.on_duty("bruno", "chloe", "david", "farid")
        self.api("POST", "/agents/farid/pause", {"reason": "lunch", "note": "Back at two, please"})
        self.api("POST", "/agents/bruno/skills", {"skills": {"billing": 60}})
        self.caller("+33755018846", "2", FRENCH, talk=None).until("person", 60)
        first, second = (self.caller(number, "1", talk=None) for number in ("+33142968100", "+33698124401"))
        for call in (first, second):
            call.until("person", 60)
        second.hang_up()
        second.wait(60)
        busy = str(eventually(self._in_wrap_up, "one of sales is in wrap-up"))
        self.live.change(busy, Verb.EXTEND, time.time(), seconds=600.0)

    def _in_wrap_up(self) -> str:
        return next((name for name, one in self.live.agents().items() if one.state is AgentState.WRAP_UP), "")

    def calls_wait(self) -> None:
        """Emma's phone rings, and rings; others wait, and one is still in the menu."""
        self.phones["emma"].behave(ring=600, answer=IGNORE)
        self.live.change("emma", Verb.LOGIN, time.time())
        for number, topic, language, state in (
            ("+442079460118", "2", ENGLISH, "ringing"),
            ("+4930551207", "1", ENGLISH, "queue"),
            ("+33644120987", "2", FRENCH, "queue"),
            ("+33622334455", "2", FRENCH, "queue"),
        ):
            self.until_state(self.caller(number, topic, language, talk=None, patience=None), state)
        self.dial("", caller="+33677120033", talk=None, patience=None)
        eventually(lambda: self.agent("emma").state is AgentState.OFFERED, "emma's phone rings")


@contextmanager
def scene(state_dir: Path) -> Iterator[Scene]:
    """With everything in its place, and the past. The environment is put back."""
    before = dict(os.environ)
    os.environ["CONTACTCENTRE_WEB_PORT"] = "0"
    os.environ["CONTACTCENTRE_WATCH_PORT"] = str(four_ports())
    more = {"CONTACTCENTRE_HTTP_ALLOW": "127.0.0.0/8"}
    try:
        with ExitStack() as stack:
            here = stack.enter_context(stage(state_dir, 8.0, print, site(), environment=lambda _: more))
            found = Scene(here)
            found.neighbour = stack.enter_context(listening())
            found.give_accounts()
            found.hours_before()
            print("People call, and write things down")
            found.calls_before()
            found.people_write()
            yield found
            for call in found.calls:
                if call.result is None:
                    call.hang_up()
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def listening() -> Iterator[int]:
    """Another company's server: it takes what comes to /took, and wants no more at any other address. Its port."""

    def answer(environ: Mapping[str, Any], begin: Any) -> list[bytes]:
        with suppress(KeyError):
            environ["wsgi.input"].read()
        begin("204 No Content" if environ["PATH_INFO"] == "/took" else "410 Gone", [])
        return []

    with ExitStack() as stack:
        server = WSGIServer(("127.0.0.1", free_port()), answer, log=None)
        server.start()
        stack.callback(server.stop, 1)
        yield int(server.server_port)
