// Draws the board.

import { showCall } from "./calls.js";
import { attribute, element, keyed, text } from "./dom.js";
import { _, clockTime, decimal, known, ngettext } from "./language.js";
import { showAgent } from "./leading.js";
import { showMentors } from "./mentors.js";
import { contactState, device, duration, estimated, formula, lent, listens, messages, percent, phone, said as saidBy, stateName, talkWords, wish } from "./words.js";

const AGENT_STATES = ["available", "offered", "talking", "wrap_up", "paused"];
const $ = (id) => document.getElementById(id);

// A place in the page that shows the time since (or until) a moment; `tick` keeps all of them right.
function timer(node, since) {
  attribute(node, "data-since", since ?? "");
}

export function tick(now) {
  for (const node of document.querySelectorAll("[data-since]")) {
    const since = node.getAttribute("data-since");
    text(node, since === "" ? "–" : duration(now - Number(since)));
  }
  for (const node of document.querySelectorAll("[data-limit]")) {
    const [since, limit] = node.getAttribute("data-limit").split(" ").map(Number);
    attribute(node, "data-late", limit > 0 && since > 0 && now - since > limit);
  }
  attribute($("waiting-tile"), "data-late", document.querySelector('#queue-rows tr[data-late="true"]') !== null);
}

export function show(board, clock) {
  tiles(board);
  keyed($("queue-rows"), board.queueRows, (row) => row.name, makeQueue, updateQueue);
  const agents = board.agentRows;
  keyed($("agents"), agents.filter((row) => row.state !== "logged_out"), (row) => row.name, makeAgent, (node, row) => updateAgent(node, row, board));
  const away = agents.filter((row) => row.state === "logged_out");
  keyed($("away"), away, (row) => row.name, (row) => element("li", {}, why(row), acts(row)), () => {});
  $("away-box").hidden = away.length === 0;
  const contacts = board.contactRows;
  keyed($("contacts"), contacts, (row) => row.id, makeContact, (node, row) => updateContact(node, row, board));
  $("no-queues").hidden = board.queues.size > 0;
  $("no-agents").hidden = agents.length > away.length;
  $("no-contacts").hidden = contacts.length > 0;
  text($("contact-count"), contacts.length || "");
  text($("agent-count"), agents.length ? _("%(here)s of %(all)s signed in", { here: agents.length - away.length, all: agents.length }) : "");
  if (board.todayAt) {
    const time = clockTime(board.todayAt, { seconds: true, timeZone: known(board.site.timezone) });
    text($("today-at"), _("Today’s numbers as of %(time)s", { time }));
  }
  showCall(board);
  showAgent(board);
  showMentors(board);
  tick(clock.now());
}

function tiles({ totals, site }) {
  const { agents, today } = totals;
  text($("tile-waiting"), totals.waiting);
  timer($("tile-oldest"), totals.oldest);
  $("tile-oldest-box").hidden = totals.oldest === null;
  text($("tile-free"), agents.available);
  const signedIn = AGENT_STATES.reduce((sum, state) => sum + agents[state], 0);
  text($("tile-signed-in"), _("of %(number)s", { number: decimal(signedIn) }));
  text($("tile-resting"), _("%(wrap_up)s in wrap-up, %(paused)s paused", agents));
  text($("tile-talking"), agents.talking);
  text($("tile-ringing"), _("%(number)s ringing", { number: agents.offered }));
  text($("tile-answered"), decimal(today.answered));
  text($("tile-offered"), _("of %(number)s", { number: decimal(today.offered) }));
  text($("tile-abandoned"), _("%(number)s abandoned", { number: decimal(today.abandoned) }));
  text($("tile-level"), percent(today.service_level));
  text($("tile-formula"), formula(site.service_level));
}

function person(row) {
  return row.full_name || row.name;
}

// Leads to why the agent gets the calls it gets.
function why(row) {
  return element("a", { href: `/agents/${encodeURIComponent(row.name)}`, title: _("Why this agent gets calls, or none") }, person(row));
}

// Opens what can be done with the agent.
function acts(row) {
  const label = _("What to do with %(who)s", { who: person(row) });
  const made = element("button", { class: "button small act", type: "button", "data-lead": row.name, "aria-label": label }, "⋯");
  made.hidden = !$("agent");
  return made;
}

// queues

function makeQueue(row) {
  const cells = ["waiting", "oldest", ...AGENT_STATES, "offered-today", "answered-today", "abandoned-today", "level"];
  const made = element("tr", { "data-queue": row.name }, element("th", { scope: "row" }, element("span"), element("small"), element("a", { class: "messages", href: `/voicemail?box=${encodeURIComponent(row.name)}` })));
  for (const name of cells) {
    const begins = ["waiting", "available", "offered-today"].includes(name) ? " begins" : "";
    made.append(element("td", { class: `number ${name}${begins}` }));
  }
  made.querySelector(".waiting").append(element("span"), element("small"));
  made.querySelector(".oldest").append(element("span"), element("small"));
  made.querySelector(".level").append(element("span"), element("small"));
  return made;
}

function updateQueue(node, row) {
  const cell = (name) => node.querySelector(`.${name}`);
  const number = (name, value) => {
    text(cell(name), value);
    attribute(cell(name), "data-zero", value === 0);
  };
  const head = node.firstElementChild;
  text(head.firstElementChild, row.name);
  text(head.children[1], row.description);
  text(head.lastElementChild, messages(row.messages));
  attribute(node, "data-limit", `${row.oldest ?? 0} ${row.threshold}`);
  text(cell("waiting").firstElementChild, row.waiting);
  attribute(cell("waiting"), "data-zero", row.waiting === 0);
  text(cell("waiting").lastElementChild, estimated(row.estimate));
  timer(cell("oldest").firstElementChild, row.oldest);
  attribute(cell("oldest"), "data-zero", row.oldest === null);
  text(cell("oldest").lastElementChild, row.threshold ? _("limit %(number)s s", { number: row.threshold }) : "");
  for (const state of AGENT_STATES) number(state, row.agents[state]);
  number("offered-today", row.today.offered);
  number("answered-today", row.today.answered);
  number("abandoned-today", row.today.abandoned);
  text(cell("level").firstElementChild, percent(row.today.service_level));
  text(cell("level").lastElementChild, formula(row.formula));
}

// agents

function makeAgent(row) {
  return element(
    "li",
    { class: "agent", "data-agent": row.name },
    element("span", { class: "person" }, why(row)),
    element("span", { class: "timer" }),
    element("span", { class: "state" }),
    element("span", { class: "calls" }),
    element("span", { class: "doing" }),
    acts(row),
  );
}

function updateAgent(node, row, board) {
  const [name, time, state, calls, doing] = node.children;
  const [words, colour] = agentState(row, board);
  attribute(node, "data-state", colour);
  attribute(state, "data-state", colour);
  text(name.firstElementChild, person(row));
  timer(time, row.since);
  text(state, words);
  text(calls, ngettext("%(num)s call", "%(num)s calls", row.calls));
  attribute(node, "data-phone", row.phone);
  const parts = row.contact_id ? [row.queue, row.caller_text] : [row.queues.join(", ")];
  text(doing, [wish(row.then), saidBy(row), phone(row), lent(row.skills), device(row.device), messages(row.messages), ...parts].filter(Boolean).join(" · ")); // the wish first: a long line is cut at its end
}

// [the words, the colour's name]
function agentState(row, board) {
  const contact = board.contacts.get(row.contact_id);
  if (row.state === "talking" && contact?.talk) {
    const { talk, agent } = contact;
    if (talk.asked === `agent:${row.name}` && agent) return [_("Asked by %(who)s", { who: board.named(agent) }), "consult"];
    return talkWords(talk, board.named(talk.asked));
  }
  return [row.state === "paused" && row.reason ? `${stateName(row.state)}: ${row.reason}` : stateName(row.state), row.state];
}

// contacts

function makeContact(row) {
  const [before, after] = _("arrived %(time)s ago", { time: "|" }).split("|");
  return element(
    "li",
    { class: "contact", "data-contact": row.id },
    element("span", { class: "place" }),
    element("span", { class: "caller" }, element("a", { href: `/contacts/${encodeURIComponent(row.id)}` }), element("span", { class: "called" })),
    element("span", { class: "timer" }),
    element("span", { class: "where" }, element("span", { class: "state" }, element("span"), element("span")), element("span"), element("a", { href: `/contacts/${encodeURIComponent(row.id)}#now` }, _("why?"))),
    element("span", { class: "total" }, before, element("span"), after),
    element("button", { class: "button small act", type: "button", "data-call": row.id }, "⋯"),
  );
}

function updateContact(node, row, board) {
  const [place, caller, time, where, total, act] = node.children;
  const state = row.offered ? "ringing" : row.entered !== null ? "queue" : row.state;
  const [words, colour] = row.talk ? talkWords(row.talk, board.named(row.talk.asked)) : [contactState(state), state];
  attribute(node, "data-state", colour);
  attribute(where.firstElementChild, "data-state", colour);
  text(place, row.place ? row.place : "");
  attribute(place, "title", row.place ? _("Place %(place)s in %(queue)s", { place: row.place, queue: row.queue }) : "");
  text(caller.firstElementChild, row.caller_text || _("Number withheld"));
  text(caller.lastElementChild, row.caller_name && row.caller_name !== row.caller ? row.caller_name : "");
  timer(time, row.entered ?? row.since);
  attribute(node, "data-limit", row.entered === null ? "0 0" : `${row.entered} ${board.queues.get(row.queue)?.threshold ?? 0}`);
  const [said, since] = where.firstElementChild.children;
  text(said, words);
  since.hidden = !row.talk?.since;
  timer(since, row.talk?.since || "");
  text(where.children[1], whereabouts(row, board));
  where.lastElementChild.hidden = row.entered === null;
  timer(total.children[0], row.arrived || row.since);
  act.hidden = !$("call");
  attribute(act, "aria-label", _("What to do with the call of %(caller)s", { caller: row.caller_text || _("number withheld") }));
}

function whereabouts(row, board) {
  const who = board.named(row.offered || row.agent);
  if (row.entered !== null) return row.offered ? _("%(queue)s, at %(who)s", { queue: row.queue, who }) : row.queue;
  const paused = row.talk?.recording === "paused" ? _("recording paused") : "";
  const muted = (row.talk?.parties ?? []).filter((party) => party.muted).map((party) => _("%(who)s muted", { who: party.role === "caller" ? _("caller") : board.named(party.to || party.agent) }));
  const known = who ? [_("with %(who)s", { who }), row.queue] : row.talk ? [row.queue] : [row.flow ? _("flow %(name)s", { name: row.flow }) : row.did];
  const heard = $("call-listen") ? row.listeners.map(listens) : [];
  return [...heard, paused, ...muted, ...known].filter(Boolean).join(", ");
}
