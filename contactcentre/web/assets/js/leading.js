// What a supervisor does with an agent: a dialog of the live page for the state, and for skills until midnight.

import { ask } from "./ask.js";
import { attribute, element, keyed, text } from "./dom.js";
import { _, lower } from "./language.js";
import { lent, said, stateName, wish } from "./words.js";

const $ = (id) => document.getElementById(id);
let shown = ""; // the agent's name
let opened = 0; // how often: fields of one agent are never another's
let board = null;
let skills = [];

// Takes what the server said last, if the dialog is open.
export function showAgent(now) {
  board = now;
  if ($("agent")?.open) draw();
}

function draw() {
  const row = board.agents.get(shown);
  if (!row) return $("agent").close();
  text($("agent-title"), row.full_name || row.name);
  text($("agent-state"), row.state === "paused" && row.reason ? `${stateName(row.state)}: ${row.reason}` : stateName(row.state));
  attribute($("agent-state"), "data-state", row.state);
  const told = [wish(row.then), said(row), lent(row.skills)].filter(Boolean).join(" · ");
  text($("agent-told"), told);
  $("agent-told").hidden = told === "";
  keyed($("agent-reason"), board.site.pause_reasons, (reason) => reason, (reason) => element("option", { value: reason }, reason), () => {});
  const out = row.state === "logged_out";
  for (const [verb, not] of [["pause", out], ["ready", out || (row.state === "available" && !row.then) || (["talking", "offered"].includes(row.state) && !row.then)], ["logout", out]]) {
    document.querySelector(`#agent [data-verb=${verb}]`).disabled = not;
  }
  text(document.querySelector("#agent [data-verb=ready]"), row.then ? _("Take the wish back") : _("Make free"));
  $("agent-out").hidden = !out;
  keyed($("agent-skills"), skills, (one) => `${opened} ${one.name}`, makeLevel, () => {});
  $("agent-skill-form").hidden = skills.length === 0;
}

function makeLevel({ name, description, site, today }) {
  const id = `level-${name}`;
  const field = element("input", { id, type: "number", min: 0, max: 100, step: 1, name, placeholder: String(site) });
  field.value = today ?? "";
  const label = element("label", { for: id }, element("bdi", {}, name), element("small", { class: "soft" }, ` ${[description, _("site: %(level)s", { level: site || _("without") })].filter(Boolean).join(" · ")}`));
  return element("li", { class: "field" }, label, field);
}

function problem(words, done = "") {
  for (const [id, words_] of [["agent-problem", words], ["agent-done", done]]) {
    text($(id), words_);
    $(id).hidden = words_ === "";
  }
}

async function send(verb, body, done) {
  problem("");
  const [wrong, after] = await ask(`/api/v1/agents/${encodeURIComponent(shown)}/${verb}`, body, $("agent").dataset.token);
  problem(wrong, wrong ? "" : done(after));
}

function press({ dataset: { verb } }) {
  const note = $("agent-note").value.trim();
  const body = verb === "pause" ? { reason: $("agent-reason").value, note } : { note };
  const who = board.named(shown);
  send(verb, body, ({ state, then }) => (then ? `${who}: ${wish(then)}.` : _("%(who)s is %(state)s now.", { who, state: lower(stateName(state)) })));
}

function lend(event) {
  event.preventDefault();
  const levels = {};
  for (const field of $("agent-skills").querySelectorAll("input")) if (field.value !== "") levels[field.name] = Number(field.value);
  send("skills", { skills: levels }, (after) => (lent(after.skills) ? _("Until midnight: %(skills)s.", { skills: lent(after.skills) }) : _("As the site says again.")));
}

async function open(name) {
  shown = name;
  opened += 1;
  skills = [];
  problem("");
  $("agent-note").value = "";
  draw();
  $("agent").showModal();
  try {
    const response = await fetch(`/api/v1/agents/${encodeURIComponent(name)}/skills`, { cache: "no-store" });
    const told = await response.json();
    if (shown !== name) return; // another agent's by now
    if (!response.ok) return problem(told.shown || told.detail || told.title);
    skills = told.skills;
    draw();
  } catch {
    problem(_("The server did not answer."));
  }
}

export function begin() {
  if (!$("agent")) return; // this account may not
  document.addEventListener("click", ({ target }) => {
    const lead = target.closest("[data-lead]");
    const verb = target.closest("#agent [data-verb]");
    if (lead) open(lead.dataset.lead);
    else if (verb) press(verb);
    else if (target === $("agent")) $("agent").close(); // beside the dialog
  });
  $("agent-skill-form").addEventListener("submit", lend);
  $("agent-state-form").addEventListener("submit", (event) => event.preventDefault());
}
