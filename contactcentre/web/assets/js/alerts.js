// Alerts on the live page: what is raised, who looks after it, and a tone for whoever wants one.

import { ask } from "./ask.js";
import { attribute, element, keyed, text } from "./dom.js";
import { _, ngettext } from "./language.js";
import { duration } from "./words.js";

const $ = (id) => document.getElementById(id);
const AGAIN = 10; // seconds between two tones while nobody looks after an alert
const NOTES = [660, 880]; // Hz
let context = null;
let raised = [];
let heard = 0; // when the last tone was

export const WORDS = {
  waiting: (value) => ngettext("%(num)s waits", "%(num)s wait", value),
  longest_wait: (value) => _("longest wait %(time)s", { time: duration(value) }),
  service_level: (value) => _("service level today %(number)s %%", { number: Math.round(value) }),
  available: (value) => (value === 0 ? _("no agents free") : ngettext("%(num)s agent free", "%(num)s agents free", value)),
  abandoned: (value) => ngettext("%(num)s in a row gave up waiting", "%(num)s in a row gave up waiting", value),
};

export function showAlerts(board) {
  raised = [...board.queues.values()].flatMap((row) => row.alerts ?? []).sort((a, b) => a.raised_at - b.raised_at);
  $("alerts").hidden = raised.length === 0;
  keyed($("alert-list"), raised, (row) => row.id, make, update);
  sound();
}

function make(row) {
  const button = element("button", { class: "button small", type: "button", "data-alert": row.id, "aria-label": _("Look after it: %(what)s", { what: `${row.queue}, ${row.name}` }) }, _("Look after it"));
  return element("li", {}, element("strong", {}, row.queue), element("span", {}, `${row.name}: ${WORDS[row.when]?.(row.value) ?? row.value}`), element("span", { class: "timer", "data-since": row.raised_at }), element("span", { class: "faint" }), button);
}

function update(node, row) {
  const [, , , by, button] = node.children;
  attribute(node, "data-taken", row.acknowledged_by !== "");
  text(by, row.acknowledged_by ? _("%(who)s looks after it", { who: row.acknowledged_by }) : "");
  button.hidden = row.acknowledged_by !== "" || !$("alerts").dataset.token;
}

// Two short notes, at once for a new alert and again until somebody looks after it.
export function sound() {
  if (localStorage.alertSound !== "on" || raised.every((row) => row.acknowledged_by)) return (heard = 0);
  const now = Date.now();
  if (now - heard < AGAIN * 1000 || context?.state !== "running") return heard;
  NOTES.forEach((hertz, n) => note(hertz, context.currentTime + n * 0.22));
  $("alert-sound").dataset.played = Number($("alert-sound").dataset.played ?? 0) + 1;
  return (heard = now);
}

function note(hertz, at) {
  const [tone, volume] = [context.createOscillator(), context.createGain()];
  tone.frequency.value = hertz;
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(0.2, at + 0.02);
  volume.gain.linearRampToValueAtTime(0, at + 0.18);
  tone.connect(volume).connect(context.destination);
  tone.start(at);
  tone.stop(at + 0.2);
}

// Browsers play nothing before somebody has touched the page.
function wake() {
  if (localStorage.alertSound !== "on") return;
  context ??= new AudioContext();
  context.resume().then(sound);
}

async function lookAfter(id) {
  const [wrong] = await ask(`/api/v1/alerts/${encodeURIComponent(id)}/acknowledge`, {}, $("alerts").dataset.token);
  text($("alerts-problem"), wrong);
  $("alerts-problem").hidden = wrong === "";
}

function label() {
  const on = localStorage.alertSound === "on";
  attribute($("alert-sound"), "aria-pressed", on);
  text($("alert-sound"), on ? _("Alerts heard") : _("Alerts silent"));
}

export function begin() {
  label();
  $("alert-sound").addEventListener("click", () => {
    localStorage.alertSound = localStorage.alertSound === "on" ? "off" : "on";
    label();
    wake();
  });
  for (const event of ["pointerdown", "keydown"]) document.addEventListener(event, wake);
  $("alert-list").addEventListener("click", ({ target }) => target.dataset.alert && lookAfter(target.dataset.alert));
  setInterval(sound, 1000);
}
