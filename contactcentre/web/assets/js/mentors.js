// Who accompanies which agent: a dialog of the live page that assigns a mentor, or ends that.

import { ask } from "./ask.js";
import { element, keyed, text } from "./dom.js";
import { _ } from "./language.js";

const $ = (id) => document.getElementById(id);
let board = null;
let coaches = [];

// Takes what the server said last, if the dialog is open.
export function showMentors(said) {
  board = said;
  if ($("mentors")?.open) draw();
}

function draw() {
  const people = board.agentRows;
  for (const id of ["mentor-agent", "mentor-who"]) {
    keyed($(`${id}-list`), people, (one) => one.name, (one) => element("option", { value: one.name }), (node, one) => text(node, one.full_name || one.name));
  }
  keyed($("mentors-now"), coaches, (one) => one.agent, () => element("li", {}), (node, one) => text(node, told(one)));
  $("mentors-none").hidden = coaches.length > 0;
}

function told({ agent, mentor, mode, tell, standing }) {
  const who = { who: board.named(mentor) };
  const does = mode === "whisper" ? _("%(who)s hears and may whisper", who) : _("%(who)s hears", who);
  const heard = tell ? _("%(what)s, with a beep", { what: does }) : does;
  const words = standing ? _("%(what)s (as the site says)", { what: heard }) : heard;
  return `${board.named(agent)}: ${words}`;
}

// What the form begins with for an agent: what is so now.
function fill() {
  const now = coaches.find((one) => one.agent === $("mentor-agent").value);
  $("mentor-who").value = now?.mentor ?? "";
  $("mentor-mode").value = now?.mode ?? "whisper";
  $("mentor-tell").checked = now?.tell ?? false;
}

function say(problem, done) {
  for (const [id, words] of [["mentors-problem", problem], ["mentors-done", done]]) {
    text($(id), words);
    $(id).hidden = words === "";
  }
}

async function open() {
  say("", "");
  try {
    const response = await fetch("/api/v1/coaches", { cache: "no-store" });
    if (!response.ok) throw new Error(_("The server answered %(status)s.", { status: response.status }));
    coaches = (await response.json()).coaches;
  } catch (error) {
    say(error.message, "");
  }
  draw();
  $("mentor-agent").value = "";
  fill();
  $("mentors").showModal();
}

async function assign(event) {
  event.preventDefault();
  const agent = $("mentor-agent").value;
  if (agent === "") return say(_("Choose the agent first."), "");
  const body = { agent, mentor: $("mentor-who").value, mode: $("mentor-mode").value, tell: $("mentor-tell").checked };
  const [problem, answer] = await ask("/api/v1/coaches", body, $("mentors").dataset.token);
  coaches = answer?.coaches ?? coaches;
  say(problem, problem ? "" : body.mentor ? _("From now on %(mentor)s’s phone rings when %(agent)s talks.", { mentor: board.named(body.mentor), agent: board.named(agent) }) : _("Nobody accompanies %(agent)s any more.", { agent: board.named(agent) }));
  draw();
}

export function begin() {
  if (!$("mentors")) return; // this account may not
  $("mentors-open").addEventListener("click", open);
  $("mentor-agent").addEventListener("change", fill);
  $("mentor-form").addEventListener("submit", assign);
  $("mentors").addEventListener("click", ({ target }) => target === $("mentors") && $("mentors").close()); // beside it
}
