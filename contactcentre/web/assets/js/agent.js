// The agent's page: what rings, the call, the own state, and the phone in this window.

import { ask } from "./ask.js";
import { ServerClock } from "./clock.js";
import { Customer } from "./customer.js";
import { Devices, ring, test } from "./devices.js";
import { Dial } from "./dial.js";
import { attribute, element, keyed, text } from "./dom.js";
import { Handset } from "./handset.js";
import { shortcuts } from "./keyboard.js";
import { _, lower } from "./language.js";
import { Mine } from "./mine.js";
import { Notices } from "./notices.js";
import { Phone } from "./phone.js";
import { drawPop } from "./pop.js";
import { Result } from "./result.js";
import { LiveStream, STALE } from "./stream.js";
import { verbsOf, verbsOn, verbsTo } from "./verbs.js";
import { Voicemail } from "./voicemail.js";
import { about, duration, lent, placeWords, said, stateName, talkWords, wish } from "./words.js";

const LINKS = { connecting: _("Connecting"), open: _("Live"), lost: _("Connection lost"), out: _("Signed out"), forbidden: _("No permission") };
const PHONES = {
  off: [_("Off"), "paused", ""],
  starting: [_("Starting"), "offered", ""],
  ready: [_("Ready"), "available", _("Calls ring in this window. It may be in the background.")],
  lost: [_("Connection lost"), "lost", _("Trying to reach the PBX again.")],
  elsewhere: [_("Elsewhere"), "paused", _("Your phone is in another window.")],
  refused: [_("Not ready"), "lost", ""],
};
const MINE = { [_("Agent leaves")]: _("Leave") };

const $ = (id) => document.getElementById(id);
const token = $("desk").dataset.token;
const clock = new ServerClock();
const devices = new Devices();
const phone = new Phone({ token, devices, on: { state: phoneMoved, call: draw, sound, over, deaf } });
let desk = null;
let colleagues = { agents: [], queues: [] };
let link = "connecting";
let busy = false;
let ringing = null; // stops the ringing
let coming = false; // back into the call
let telling = false; // that we are there
let looking = ""; // at an earlier contact of one's own
const title = document.title;
const now = () => clock.now();
const mine = new Mine({ token, now, on: { open: look, call: (path) => dial.ask(path) } });
const result = new Result({ token, now, on: { saved: () => mine.load() } });
const customer = new Customer({ token, on: { saved: () => {} } });
const handset = new Handset({ devices, phone, on: { problem: drawPhone } });

const dial = new Dial({ token });
const voicemail = new Voicemail({ token, me: () => desk.agent.name, on: { handing: loadColleagues, call: (path) => dial.ask(path) } });
const notices = new Notices({ path: "/api/v1/me/notices", token, named });

const stream = new LiveStream("/api/v1/me/live", {
  event(name, body) {
    clock.hear(body.now);
    if (name === "notice") notices.hear(body.notice);
    if (name === "desk") {
      if (!desk && body.softphone) phone.start();
      desk = body;
      draw();
    }
    phone.pulse();
  },
  link(state) {
    if (state === "connecting") clock.forget();
    if (state === "open" && link !== "open") notices.load(); // what came while nobody listened
    link = state === "connecting" && desk ? link : state;
    drawLink();
  },
});

// -- what is shown -----------------------------------------------------------------------------------------------------

function draw() {
  drawRinging();
  if (!desk) return;
  drawMe(desk.agent);
  drawCall(desk.agent, desk.contact);
  drawPop(desk);
  voicemail.hear(desk.boxes);
  dial.draw(desk);
  drawResult(desk.agent, desk.contact);
  attach(desk.agent, desk.contact);
  tick();
}

function drawLink() {
  $("link").dataset.link = link === "open" ? "live" : link;
  text($("link"), LINKS[link]);
  const silent = stream.silence >= STALE;
  const words = link === "out" ? _("You are signed out.") : link === "forbidden" ? _("Your role has no phone.") : silent ? _("Nothing heard from the server for %(time)s. A call goes on.", { time: duration(stream.silence) }) : "";
  text($("banner"), words);
  if (link === "out") $("banner").append(" ", element("a", { href: "/login?next=/agent" }, _("Sign in")));
  $("banner").hidden = words === "";
  $("desk").dataset.stale = String(words !== "" || !desk);
}

function drawMe(me) {
  $("handset").hidden = !desk.softphone;
  text($("me-state"), me.state === "paused" ? _("Paused: %(reason)s", { reason: me.reason }) : stateName(me.state));
  attribute($("me-state"), "data-state", me.state);
  text($("me-wish"), [wish(me.then), said(me), lent(me.skills)].filter(Boolean).join(" · "));
  const free = { paused: _("I am free"), wrap_up: _("Done"), offered: me.then && _("Stay"), talking: me.then && _("Stay") }[me.state];
  const steps = me.state === "logged_out" ? [["login", _("Begin work")]] : [
    ...(free ? [["unpause", free]] : []),
    ...(desk.softphone && me.device !== "webrtc" ? [["login", _("Ring here")]] : []),
    ...(me.state === "wrap_up" ? [["extend", _("One more minute")]] : []),
    ...(me.then === "logout" ? [] : [["logout", _("End work")]]),
  ];
  keyed($("me-steps"), steps, ([step, words]) => step + words, ([step, words]) => element("button", { class: ["logout", "extend"].includes(step) ? "button" : "button main", type: "button", "data-step": step }, words), () => {});
  $("me-pause").hidden = me.state === "logged_out" || desk.pause_reasons.length === 0;
  keyed($("me-reason"), desk.pause_reasons, (reason) => reason, (reason) => element("option", { value: reason }, reason), () => {});
}

function drawCall(me, contact) {
  const mine = contact?.talk?.parties.some((party) => party.agent === me.name);
  const owner = contact?.agent === me.name && me.state === "talking";
  const rings = phone.ringing && !phone.automatic;
  const calls = contact?.state === "dialling" && contact.agent === me.name;
  const at = calls ? "dialling" : rings ? "ringing" : phone.talking || mine || me.state === "talking" ? "talking" : me.state === "wrap_up" ? "wrap-up" : me.state === "offered" ? "ringing" : "nothing";
  if ($("talk").dataset.at !== at) $("talk-problem").hidden = true; // it was about the last call
  $("talk").dataset.at = at;
  if (at !== "nothing" && at !== "wrap-up") voicemail.hush();
  const words = { dialling: _("You call"), ringing: _("It rings"), talking: _("In a call"), "wrap-up": _("After the call"), nothing: _("No call") }[at];
  text($("talk-title"), words);
  $("talk-none").hidden = at !== "nothing";
  $("talk-some").hidden = at === "nothing";
  const [said, colour] = calls ? [_("Calling %(who)s", { who: contact.caller_text }), "ringing"] : contact?.talk && at !== "wrap-up" ? talkWords(contact.talk, named(contact.talk.asked)) : at === "ringing" ? [_("Ringing"), "ringing"] : ["", ""];
  text($("talk-state"), said);
  attribute($("talk-state"), "data-state", colour);
  $("talk-state").hidden = said === "";
  const from = phone.call?.remote_identity; // of a call that is no customer's, as a supervision
  text($("talk-caller"), contact?.caller_text || me.caller_text || from?.display_name || from?.uri.user || (at === "wrap-up" ? "" : _("Number withheld")));
  text($("talk-name"), contact?.caller_name ?? "");
  text($("talk-queue"), contact?.queue || me.queue);
  $("talk-queue-box").hidden = !(contact?.queue || me.queue);
  announce(at === "ringing", me, contact);
  $("answer").hidden = !rings;
  $("hang-up").hidden = !phone.call && !calls && !elsewhere(me, contact);
  text($("hang-up").firstElementChild, rings ? _("Decline") : _("Hang up"));
  $("mute").hidden = $("keys-open").hidden = !phone.talking;
  attribute($("mute"), "aria-pressed", phone.muted);
  if (!phone.talking) openKeys(false);
  const does = owner && contact?.talk ? verbsOf(contact).filter(([verb]) => verb !== "hangup") : [];
  drawVerbs($("talk-verbs"), does.map(([verb, words, body]) => ({ verb, said: MINE[words] ?? words, body })));
  keyed($("talk-parties"), at === "wrap-up" ? [] : contact?.talk?.parties ?? [], (party) => party.leg || party.role, makeParty, (node, party) => updateParty(node, party, contact, owner));
  const to = owner && contact?.talk ? verbsTo(contact) : [];
  if (to.length > 0 && $("talk-to").hidden) loadColleagues();
  $("talk-to").hidden = to.length === 0;
  drawVerbs($("talk-to-verbs"), to.map(([verb, said]) => ({ verb, said })));
}

// Once for each ring, to who does not look at the page.
function announce(rings, me, contact) {
  const call = !rings ? "" : contact?.id || (me.state === "offered" ? "" : "no customer's"); // "": who calls comes in a moment
  if (announce.call === call) return;
  announce.call = call;
  const since = contact && (contact.entered ?? contact.arrived);
  const waited = since ? _("has waited for %(time)s", { time: about(clock.now() - since) }) : "";
  text($("talk-announced"), call && [_("It rings"), $("talk-caller").textContent, contact?.caller_name, contact?.queue || me.queue, waited].filter(Boolean).join(", "));
}

// What is written belongs to the contact that rings, is talked with or is wrapped up; after that, to the last one.
function drawResult(me, contact) {
  const current = ["offered", "talking", "wrap_up"].includes(me.state) ? me.contact_id : "";
  if (drawResult.current !== current) {
    if (drawResult.current) mine.load();
    looking = "";
  }
  drawResult.current = current;
  if (current && !looking) result.open(current, { caller: contact?.caller_text || me.caller_text, number: contact?.caller ?? "" });
  const its = current !== "" && !looking;
  customer.open(looking || current);
  result.allow(!its || me.state !== "offered");
  text($("result-title"), its ? _("This contact") : _("Last contact"));
  $("result-back").hidden = !(current && looking);
  $("result-done").hidden = $("result-more").hidden = !(its && me.state === "wrap_up");
}

// At an earlier contact of one's own.
function look({ id, caller, caller_name }) {
  looking = id;
  result.open(id, { caller: caller_name || caller, number: caller });
  draw();
  $("result-title").focus();
}

// Talks with a telephone that is not in this window.
function elsewhere(me, contact) {
  return Boolean(!phone.call && contact?.talk?.parties.some((party) => party.agent === me.name && party.place !== "ringing"));
}

function hangUp() {
  if (phone.call) phone.hangUp();
  else if (!$("hang-up").hidden) request("/api/v1/me/call/leave", {}, $("talk-problem"));
}

function drawVerbs(parent, verbs) {
  const make = ({ verb }) => element("button", { class: "button", type: "button", "data-verb": verb });
  keyed(parent, verbs, ({ verb, said }) => `${verb} ${said}`, make, (node, { said, body }) => {
    node.body = body;
    text(node, said);
    node.disabled = busy;
  });
}

function makeParty() {
  return element("li", {}, element("span", { class: "who-is" }), element("span", { class: "soft" }), element("span", { class: "verbs" }));
}

function updateParty(node, party, contact, owner) {
  const [who, where, verbs] = node.children;
  text(who, party.role === "caller" ? _("Caller") : party.agent === desk.agent.name ? _("You") : named(party.agent || party.to));
  text(where, placeWords(party));
  const name = party.role === "caller" ? "customer" : party.leg;
  const can = owner && party.agent !== desk.agent.name ? verbsOn(party, contact) : [];
  drawVerbs(verbs, can.map(([verb, said]) => ({ verb, said: party.role === "caller" ? { mute: _("Mute the caller"), unmute: _("Unmute the caller") }[verb] ?? said : said, body: { party: name } })));
}

function drawRinging() {
  const rings = phone.ringing && !phone.automatic;
  if (rings && !ringing) ringing = ring(devices);
  if (!rings) {
    ringing?.();
    ringing = null;
  }
  document.title = rings ? `☎ ${desk?.agent.queue || _("Call")} · ${desk?.contact?.caller_text || ""}` : title;
}

function drawPhone() {
  const [words, colour, more] = PHONES[phone.state];
  text($("phone-state"), words);
  attribute($("phone-state"), "data-state", colour);
  text($("phone-words"), phone.problem || more);
  $("phone-take").hidden = phone.state !== "elsewhere";
}

// What changes by itself.
function tick() {
  if (!desk) return;
  const now = clock.now();
  const { agent: me, contact } = desk;
  text($("me-since"), me.state === "wrap_up" && me.deadline ? _("%(time)s left", { time: duration(me.deadline - now) }) : duration(now - me.since));
  const at = $("talk").dataset.at;
  const waited = contact && (contact.entered ?? contact.arrived);
  $("talk-waited-box").hidden = !(at === "ringing" && waited);
  if (waited) text($("talk-waited"), duration(now - waited));
  const left = me.state === "wrap_up" && me.deadline ? me.deadline - now : null;
  text($("result-left"), left === null || looking ? "" : _("%(time)s left", { time: duration(left) }));
  attribute($("result-left"), "data-late", left !== null && left < 10);
  $("talk-lasts-box").hidden = at !== "talking";
  text($("talk-lasts"), duration(now - me.since));
  stillHere(me, contact);
  drawLink();
}

function named(to) {
  const name = (to ?? "").replace(/^(agent|number|queue):/, "");
  return colleagues.agents.find((one) => one.name === name)?.full_name || name;
}

function sound(heard) {
  $("far").srcObject = heard;
  if (heard) devices.lead($("far"), "speaker");
}

// -- a call that outlives this window ----------------------------------------------------------------------------------

// A call of ours that is not in this window: it was loaded anew, or the call was begun elsewhere. One that is lost there
// comes here by itself.
function attach(me, contact) {
  if (phone.talking && contact) sessionStorage.talk = contact.id;
  const mine = contact?.talk?.parties.some((party) => party.agent === me.name && party.place !== "ringing");
  const missing = Boolean(mine && phone.state === "ready" && !phone.call && !coming);
  const ours = missing && (sessionStorage.talk === contact.id || contact.talk.held_by === "window");
  $("come-back").hidden = !missing || ours || Date.now() - (attach.over ?? 0) < 3000;
  if (ours) comeBack();
}

async function comeBack() {
  coming = true;
  draw();
  await request("/api/v1/me/call/rejoin", {}, $("talk-problem"));
  setTimeout(() => {
    coming = false;
    draw();
  }, 3000); // by then it rings here, or is tried again
}

// It was hung up, by whomever: it is not ours any more.
function over() {
  delete sessionStorage.talk;
  delete sessionStorage.muted;
  coming = false;
  attach.over = Date.now();
}

// No sound comes through: another network, perhaps.
function deaf() {
  phone.forget();
  draw();
}

// The PBX thinks that this window is lost, and the customer hears music: but we talk.
async function stillHere(me, contact) {
  if (telling || contact?.talk?.held_by !== "window" || contact.agent !== me.name || !phone.hears) return;
  telling = true;
  await ask("/api/v1/me/call/here", {}, token);
  telling = false;
}

function phoneMoved() {
  drawPhone();
  draw();
}

window.addEventListener("pagehide", () => {
  result.leave();
  customer.leave();
  if (phone.talking) ask("/api/v1/me/call/away", {}, token, true); // and the phone stays ours
  else phone.stop();
});
window.addEventListener("pageshow", ({ persisted }) => persisted && desk?.softphone && phone.start());
window.addEventListener("beforeunload", (event) => phone.talking && event.preventDefault());

// -- what is asked for -------------------------------------------------------------------------------------------------

async function request(path, body, problem) {
  busy = true;
  problem.hidden = true;
  draw();
  const [said, answer] = await ask(path, body, token);
  busy = false;
  text(problem, said);
  problem.hidden = said === "";
  draw();
  return answer;
}

async function step(name, body = {}) {
  if (name === "unpause" && desk.agent.state === "wrap_up" && result.contact === desk.agent.contact_id) return finish();
  const after = await request(`/api/v1/me/${name}`, body, $("me-problem"));
  if (after && after.now >= desk.now) { // else the stream has told something newer meanwhile
    desk = after;
    draw();
  }
}

// Done with the contact: what was said of it goes with it.
async function finish() {
  const said = await result.done();
  text($("me-problem"), said);
  $("me-problem").hidden = said === "";
}

async function press(button) {
  const verb = button.dataset.verb;
  const body = button.closest("#talk-to") ? destination() : button.body;
  if (body) return request(`/api/v1/me/call/${verb}`, body, $("talk-problem"));
  text($("talk-problem"), _("Choose whom first."));
  $("talk-problem").hidden = false;
}

function destination() {
  const chosen = $("talk-whom").value;
  const to = chosen === "number:" ? `number:${$("talk-number").value.replace(/[\s().-]/g, "")}` : chosen;
  return to === "" || to === "number:" ? null : { to };
}

async function loadColleagues() {
  try {
    const agents = [];
    for (let page = { next: "" }; page; ) {
      const response = await fetch(`/api/v1/me/colleagues?cursor=${encodeURIComponent(page.next)}`, { cache: "no-store" });
      if (!response.ok) return;
      page = await response.json();
      agents.push(...page.agents);
      colleagues = { agents, queues: page.queues };
      if (!page.next) page = null;
    }
  } catch {
    return; // those known stay
  }
  keyed($("talk-agents"), colleagues.agents, (one) => one.name, (one) => element("option", { value: `agent:${one.name}` }), (node, one) => text(node, `${one.full_name || one.name} (${lower(stateName(one.state))})`));
  notices.people(colleagues.agents);
  voicemail.boxes([...colleagues.queues, desk.agent.name, ...colleagues.agents.map(({ name }) => name)]);
  keyed($("talk-queues"), colleagues.queues, (name) => name, (name) => element("option", { value: `queue:${name}` }, name), () => {});
}

function openKeys(open) {
  $("keys").hidden = !open;
  attribute($("keys-open"), "aria-expanded", open);
}

// To the customer through the server, which knows where they are; to somebody who is asked from this phone.
function key(digit) {
  const asked = desk?.contact?.talk?.asked;
  if (desk?.contact?.agent === desk?.agent.name && !asked) request("/api/v1/me/call/dtmf", { digits: digit }, $("talk-problem"));
  else phone.press(digit);
}

// -- the page ----------------------------------------------------------------------------------------------------------

document.addEventListener("click", ({ target }) => {
  const [verb, digit, tested] = ["verb", "key", "test"].map((name) => target.closest(`[data-${name}]`));
  const wanted = target.closest("[data-step]");
  if (verb) press(verb);
  else if (digit) key(digit.dataset.key);
  else if (tested) test(devices, tested.dataset.test);
  else if (wanted && wanted.dataset.step !== "pause") step(wanted.dataset.step, wanted.dataset.step === "login" && desk.softphone ? { device: "webrtc" } : {});
});
shortcuts({
  keys: (digit) => !$("keys").hidden && (key(digit), true),
  a: () => phone.answer(),
  e: hangUp,
  m: () => phone.mute(!phone.muted),
  k: () => phone.talking && openKeys($("keys").hidden),
  h: () => document.querySelector("#talk-verbs [data-verb=hold], #talk-verbs [data-verb=resume]")?.click(),
  o: () => $("pop").click(),
  v: () => voicemail.focus(),
  b: () => $("dial-number").focus(),
  t: () => $("talk-whom").focus(),
  r: () => (document.querySelector("#result-list input:checked") ?? document.querySelector("#result-list input"))?.focus(),
  s: () => document.querySelector("#result-script [name]")?.focus(),
  n: () => $("result-note").focus(),
  c: () => $("customer-name").focus(),
  d: () => document.querySelector("#me-steps [data-step=unpause]")?.click(),
  w: () => document.querySelector("#me-steps [data-step=extend]")?.click(),
  p: () => $("me-reason").focus(),
  l: () => document.querySelector("#recent-list button")?.focus(),
});
$("answer").addEventListener("click", () => phone.answer());
$("hang-up").addEventListener("click", hangUp);
$("mute").addEventListener("click", () => phone.mute(!phone.muted));
$("keys-open").addEventListener("click", () => openKeys($("keys").hidden));
$("phone-take").addEventListener("click", () => phone.start({ take: true }));
$("come-back").addEventListener("click", comeBack);
$("me-pause").addEventListener("submit", (event) => {
  event.preventDefault();
  step("pause", { reason: $("me-reason").value });
});
$("result-done").addEventListener("click", finish);
$("result-more").addEventListener("click", () => step("extend"));
$("result-back").addEventListener("click", () => {
  looking = "";
  draw();
});
$("talk-to").addEventListener("submit", (event) => event.preventDefault());
$("talk-whom").addEventListener("focus", loadColleagues);
$("notice-to").addEventListener("focus", loadColleagues);
$("talk-whom").addEventListener("change", () => ($("talk-number").hidden = $("talk-whom").value !== "number:"));
document.querySelector("form.who")?.addEventListener("submit", () => phone.stop());

// A page that holds a lock is not put to sleep by the browser, however long it is hidden.
navigator.locks?.request(`phone ${phone.holder}`, () => new Promise(() => {}));
stream.start();
drawPhone();
handset.draw();
mine.load();
setInterval(tick, 500);
