// Listening to a call, in the dialog of what can be made of it: the supervisor's own phone rings, and then another mode,
// taking over and the end are a press each. Whether it is possible says the controller; its refusal is shown as it is.

import { ask } from "./ask.js";
import { attribute, element, keyed, text } from "./dom.js";
import { _ } from "./language.js";
import { listens } from "./words.js";

const REMEMBERED = "contactcentre.phone";
const MODES = [["listen", _("Listen")], ["whisper", _("Whisper")], ["barge", _("Barge in")]];
const NOW = { listen: _("Nobody hears you."), whisper: _("Only the agent hears you."), barge: _("Both hear you.") };

const $ = (id) => document.getElementById(id);
let row = null;
let busy = false;

// What is offered: [key, words, path below /api/v1/listens, body, pressed]. `mine` is this supervisor's own listening.
export function listenVerbs({ id, talk, agent, listeners }, me) {
  const mine = listeners.find((one) => one.supervisor === me);
  if (mine) {
    const path = `/${encodeURIComponent(mine.id)}`;
    return [
      ...MODES.map(([mode, words]) => [mode, words, `${path}/mode`, { mode }, mine.mode === mode]),
      ["take_over", _("Take over"), `${path}/take_over`, {}, false],
      ["stop", _("Stop"), `${path}/stop`, {}, false],
    ];
  }
  return talk && agent ? MODES.map(([mode, words]) => [mode, words, "", { contact: id, mode }, false]) : [];
}

export function drawListens(shown) {
  row = shown;
  if (!$("call-listen")) return; // this account may not
  const me = $("call-listen").dataset.me;
  const verbs = listenVerbs(row, me);
  const begins = !row.listeners.some((one) => one.supervisor === me);
  $("call-listen").hidden = verbs.length === 0 && row.listeners.length === 0;
  $("call-listen-phone").hidden = !begins || verbs.length === 0;
  text($("call-listeners"), row.listeners.map(listens).join(", "));
  keyed($("call-listen-verbs"), verbs, ([key]) => `${begins} ${key}`, ([key]) => element("button", { class: "button small", type: "button", "data-listen": key }), (node, verb) => {
    node.verb = verb;
    text(node, verb[1]);
    attribute(node, "aria-pressed", verb[4]);
    node.disabled = busy || verb[4];
  });
}

export function closeListens() {
  say("", "");
}

async function press(button) {
  const [key, , path, body] = button.verb;
  const begins = path === "";
  const phone = $("call-phone").value.trim();
  if (begins && phone === "") return say(_("Which phone is to ring? An agent’s name or an extension."), "");
  const follow = $("call-follow").checked;
  if (begins) remember(phone);
  busy = true;
  say("", "");
  drawListens(row);
  const asked = begins ? { ...body, phone, follow } : body;
  const [problem] = await ask(`/api/v1/listens${path}`, asked, $("call").dataset.token);
  busy = false;
  const done = { take_over: _("You have the caller; the agent is out."), stop: _("You listen no more.") }[key] ?? NOW[key];
  say(problem, problem ? "" : begins ? _("%(phone)s rings: answer it. %(then)s", { phone, then: done }) : done);
  drawListens(row);
}

function say(problem, done) {
  for (const [id, words] of [["call-listen-problem", problem], ["call-listen-done", done]]) {
    if (!$(id)) return;
    text($(id), words);
    $(id).hidden = words === "";
  }
}

function remember(phone) {
  try {
    localStorage.setItem(REMEMBERED, phone);
  } catch {
    // the browser keeps nothing: it is typed again
  }
}

export function begin() {
  if (!$("call-listen")) return;
  try {
    $("call-phone").value = localStorage.getItem(REMEMBERED) || $("call-phone").value;
  } catch {
    // as above
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("#call [data-listen]");
    if (button) press(button);
  });
  $("call-listen").addEventListener("submit", (event) => event.preventDefault());
}
