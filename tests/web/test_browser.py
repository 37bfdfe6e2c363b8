"""The pages in a real Chromium, on a real server."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from contactcentre.domain.agents import Verb
from contactcentre.domain.routing import Waiting
from contactcentre.domain.voicemail import BoxCount
from contactcentre.live import BoxCounts, ContactNow, Estimate, Live
from contactcentre.settings import Settings
from contactcentre.store import Store
from contactcentre.web import accounts
from contactcentre.web.app import WebServices
from tests.store.calls import answered
from tests.web import populate
from tests.web.chromium import Chromium, why_not
from tests.web.conftest import PASSWORD
from tests.web.serving import Server

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]

HOSTILE = '<script>window.hacked = 1</script><img src=x onerror="window.hacked = 2">'


class Cable:
    """A network cable between the browser and the server that can be cut, silently held, and plugged in again."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._flows = threading.Event()
        self._flows.set()
        self._plugged = True
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """All connections end, new ones are refused."""
        self._plugged = False
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def plug_in(self) -> None:
        self._plugged = True
        self._flows.set()

    def hold(self) -> None:
        """Nothing passes any more, and nobody is told."""
        self._flows.clear()

    def close(self) -> None:
        self.cut()
        self._flows.set()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if not self._plugged:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            self._pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@pytest.fixture
def cable(server: Server) -> Iterator[Cable]:
    made = Cable(server.port)
    yield made
    made.close()


def test_an_administrator_comes_in_by_the_first_runs_link_and_sees_the_live_page(
    page: Chromium, server: Server, store: Store, settings: Settings
) -> None:
    link = accounts.first_run_link(store, settings)
    assert link is not None
    page.goto(link.replace("http://127.0.0.1:8800", server.url))
    page.wait_for_selector("#again")
    assert "#" not in page.evaluate("location.href"), "the token is out of the address bar"
    assert page.text_content("h1") == "Welcome, admin"
    page.fill("#password", "password12345")
    page.fill("#again", "password12345")
    page.click("button.main")
    page.wait_for_text(".problem", "commonly used")
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("button.main")
    page.wait_for_selector("#link[data-link=live]")
    assert page.text_content(".bar .name") == "Riverside Support"
    assert server.process is not None
    assert [error for error in page.errors if " 422 " not in error] == []  # that was the refused password
    assert link.partition("#")[2] not in server.log


def test_a_change_of_the_live_state_is_on_the_page_within_a_moment(signed_in: Chromium, live: Live) -> None:
    page, now = signed_in, time.time()
    live.change("dev", Verb.LOGIN, now)
    page.wait_for_text('tr[data-queue="billing"] .available', "1")
    page.wait_for_text('[data-agent="dev"] .state', "Free")
    live.publish_estimates({"billing": Estimate(now, 170.0, 57, 3.0, 41.0)})
    live.enter(Waiting("c1", "billing", entered=now - 31, arrived=now - 40, caller="+33612407755"))
    page.wait_for_text('tr[data-queue="billing"] .waiting span', "1")
    page.wait_for_selector('tr[data-queue="billing"][data-late="true"]')
    page.wait_for_text('tr[data-queue="billing"] .waiting small', "est. 3 min ± 41 s")
    page.wait_for_text('[data-contact="c1"] .caller', "+33 6 12 40 77 55")
    waited = page.text_content('tr[data-queue="billing"] .oldest span')
    minutes, seconds = waited.split(":")
    assert 31 <= int(minutes) * 60 + int(seconds) <= time.time() - now + 32
    page.wait_for_function(
        "(before) => document.querySelector('tr[data-queue=\"billing\"] .oldest span').textContent !== before",
        arg=waited,
    )
    live.reserve(live.agent("dev"), "c1", "billing", "t", now + 20, now)
    page.wait_for_text('[data-agent="dev"] .state', "Ringing")
    live.change("dev", Verb.ACCEPT, time.time(), token="t")
    live.leave("c1")
    live.put_contact(
        ContactNow("c1", "node1", "talking", now, now, queue="billing", agent="dev", caller="+33612407755")
    )
    page.wait_for_text('[data-agent="dev"] .state', "Talking")
    page.wait_for_text('[data-contact="c1"] .where', "with Dev Patel, billing")
    page.wait_for_text("#tile-waiting", "0")
    live.drop_contact("c1")
    page.wait_for_function("() => document.querySelectorAll('[data-contact]').length === 0")
    assert page.errors == []


def test_new_messages_lead_to_their_box(signed_in: Chromium, live: Live) -> None:
    live.change("dev", Verb.LOGIN, time.time())
    signed_in.wait_for_text('[data-agent="dev"] .state', "Free")
    assert signed_in.text_content('tr[data-queue="billing"] .messages') == ""
    BoxCounts(live.redis).tell({"billing": BoxCount(2, 0, time.time()), "dev": BoxCount(1, 0, time.time())})
    signed_in.wait_for_text('tr[data-queue="billing"] .messages', "2 new messages")
    signed_in.wait_for_text('[data-agent="dev"] .doing', "1 new message")
    signed_in.click('tr[data-queue="billing"] .messages')
    signed_in.wait_for_function("() => location.search === '?box=billing'")
    assert signed_in.errors == []


def test_what_callers_and_agents_send_is_text_on_the_live_page(signed_in: Chromium, live: Live) -> None:
    page, now = signed_in, time.time()
    live.put_contact(
        ContactNow("c1", "node1", "ivr", now, now, HOSTILE, caller=HOSTILE, caller_name=HOSTILE, did=HOSTILE)
    )
    live.enter(Waiting("c2", HOSTILE, entered=now, arrived=now, caller=HOSTILE))
    live.change("anna", Verb.LOGIN, now)
    live.change("anna", Verb.PAUSE, now, reason=HOSTILE)
    page.wait_for_text('[data-agent="anna"] .state', "<script>")
    page.wait_for_text('[data-contact="c1"] .caller', "<img src=x")
    assert page.evaluate("window.hacked ?? 0") == 0
    assert page.evaluate("document.querySelectorAll('main script, main img').length") == 0


def test_a_cut_connection_is_said_and_made_good_by_replay(
    signed_in: Chromium, server: Server, cable: Cable, live: Live, web: WebServices
) -> None:
    page = signed_in
    page.evaluate(KEEP_REQUESTS)
    page.goto(f"http://127.0.0.1:{cable.port}/")
    page.wait_for_selector("#link[data-link=live]")
    page.evaluate(KEEP_REQUESTS)
    live.change("anna", Verb.LOGIN, time.time())
    page.wait_for_text('[data-agent="anna"] .state', "Free")
    cable.cut()
    page.wait_for_selector("#link[data-link=lost]")
    live.change("ben", Verb.LOGIN, time.time())
    live.change("anna", Verb.PAUSE, time.time(), reason="lunch")
    cable.plug_in()
    page.wait_for_text('[data-agent="ben"] .state', "Free")
    page.wait_for_text('[data-agent="anna"] .state', "Paused: lunch")
    page.wait_for_selector("#link[data-link=live]")
    page.wait_for_selector("#banner", state="hidden")
    sent = page.evaluate("window.lastIds")
    assert sent[-1] != ""
    page.wait_for_function("() => window.firstEvents.at(-1) === 'change'")  # a replay, not everything anew


KEEP_REQUESTS = """() => {
  const real = window.fetch;
  window.lastIds = [];
  window.firstEvents = [];
  window.fetch = async (url, options) => {
    const answer = await real(url, options);
    window.lastIds.push(options.headers["Last-Event-ID"] ?? "");
    const reader = answer.clone().body.pipeThrough(new TextDecoderStream()).getReader();
    (async () => {
      let text = "";
      while (!text.includes("event: ")) text += (await reader.read()).value ?? "event: none";
      window.firstEvents.push(/event: (\\w+)/.exec(text)[1]);
      await reader.cancel();
    })().catch(() => {});
    return answer;
  };
}"""


def test_a_restarted_server_is_found_again(signed_in: Chromium, server: Server, live: Live) -> None:
    page = signed_in
    server.stop()
    page.wait_for_selector("#link[data-link=lost]")
    live.change("anna", Verb.LOGIN, time.time())
    server.start()
    page.wait_for_text('[data-agent="anna"] .state', "Free")
    page.wait_for_selector("#link[data-link=live]")


def test_a_page_that_slept_is_right_at_once_and_says_when_it_may_be_wrong(
    signed_in: Chromium, server: Server, cable: Cable, live: Live
) -> None:
    page, now = signed_in, time.time()
    page.goto(f"http://127.0.0.1:{cable.port}/")
    page.wait_for_selector("#link[data-link=live]")
    live.change("anna", Verb.LOGIN, now - 100)
    page.wait_for_text('[data-agent="anna"] .timer', "1:")
    cable.hold()  # the socket stays open and nothing comes: what a laptop finds when its lid opens
    page.evaluate("() => { const real = Date.now; Date.now = () => real() + 3600e3; }")
    page.wait_for_text("#banner", "Nothing heard from the server for 1:00:")
    page.wait_for_selector("#board[data-stale=true]")
    live.change("anna", Verb.PAUSE, time.time(), reason="lunch")
    cable.plug_in()
    page.wait_for_text('[data-agent="anna"] .state', "Paused: lunch")
    page.wait_for_selector("#board[data-stale=false]")
    shown = page.text_content('[data-agent="anna"] .timer')
    assert shown.startswith("0:"), f"the clock an hour ahead does not show: {shown}"


def test_signing_out_elsewhere_shows_on_the_page(signed_in: Chromium, web: WebServices) -> None:
    web.sessions.close_all("sue")
    signed_in.wait_for_selector("#link[data-link=out]")
    signed_in.wait_for_text("#banner", "Sign in")


def test_the_list_of_contacts_filters_without_a_reload_and_leads_to_the_story(
    signed_in: Chromium, server: Server, store: Store
) -> None:
    page, now = signed_in, time.time()
    store.record([event for n in range(60) for event in answered(now - 900 - n, caller=f"+3361240{n:04}").events])
    page.goto(f"{server.url}/contacts")
    page.evaluate("window.here = true")
    assert page.evaluate("document.querySelectorAll('tbody tr').length") == 51
    page.click("text=Earlier contacts")
    page.wait_for_function("() => document.querySelectorAll('tbody tr').length === 60")
    page.select_option("#outcome", "abandoned")
    page.wait_for_text("#results", "No contact matches this.")
    assert "outcome=abandoned" in page.evaluate("location.search")
    page.select_option("#outcome", "answered")
    page.wait_for_selector("tbody tr a")
    assert page.evaluate("window.here")
    page.click("tbody tr a")
    page.wait_for_text("#story", "What happened")
    page.wait_for_text(".events", "Talks with bob")
    assert page.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_text_is_too_faint_and_everything_can_be_reached_by_keyboard(
    signed_in: Chromium, live: Live, scheme: str
) -> None:
    page = signed_in
    populate.scene(live, time.time())
    page.wait_for_text('[data-agent="chloe"] .state', "Ringing")
    page.emulate_media(color_scheme=scheme)
    faint = page.evaluate(FAINT_TEXT)
    assert faint == []
    seen = set()
    for _ in range(20):
        page.evaluate("() => {}")
        page.press("body", "Tab")
        seen.add(page.evaluate("document.activeElement.textContent.trim()"))
    assert {"Skip to the content", "Live", "Contacts", "sue", "Sign out"} <= seen


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_why_is_one_click_away_from_the_live_page_and_decisions_open(
    signed_in: Chromium, server: Server, live: Live, store: Store, scheme: str
) -> None:
    page = signed_in
    page.emulate_media(color_scheme=scheme)
    now = time.time()
    call = answered(now - 100, caller_name=HOSTILE)
    store.record(call.events)
    live.change("ben", Verb.LOGIN, now - 60)
    live.change("ben", Verb.PAUSE, now - 30, reason="lunch")
    live.enter(Waiting(call.id, "support", "node1", arrived=now - 100, entered=now - 90))
    page.click('[data-agent="ben"] .person a')
    page.wait_for_text("#why", "Why ben gets calls, or none")
    page.wait_for_text("main", "Agent ben is paused (lunch)")
    assert page.evaluate(FAINT_TEXT) == []
    page.goto(server.url)
    page.click(f'[data-contact="{call.id}"] .where a')
    page.wait_for_text("h1", "+33142")
    assert page.evaluate("document.querySelector('.finding').checkVisibility()") is False
    page.click(".events summary")
    page.wait_for_text(".events details[open] .finding", "alice")
    assert page.evaluate(FAINT_TEXT) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate("window.hacked") is None
    assert page.errors == []


# WCAG 2.2, 1.4.3: the contrast of each visible text with what is behind it, at least 4.5:1 (3:1 when it is large).
FAINT_TEXT = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const light = ([r, g, b]) => {
    const part = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = rgba(getComputedStyle(node).backgroundColor);
      if (colour[3] > 0.9) return colour;
    }
    return [255, 255, 255, 1];
  };
  const faint = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest('[data-zero="true"], .skip, .unseen')) continue;
    const style = getComputedStyle(node);
    const [a, b] = [light(rgba(style.color)), light(behind(node))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) faint.push(`${node.outerHTML.slice(0, 80)} ${ratio.toFixed(2)}`);
  }
  return faint;
}"""
