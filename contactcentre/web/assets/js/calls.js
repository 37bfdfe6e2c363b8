// What can be made of a call: a dialog that shows who takes part and offers the verbs that fit its state. What is really
// possible says the controller; its refusal is shown as it is.

import { ask } from "./ask.js";
import { attribute, element, keyed, text } from "./dom.js";
import { _, lower } from "./language.js";
import { begin as beginListens, closeListens, drawListens } from "./listens.js";
import { verbsOf, verbsOn, verbsTo } from "./verbs.js";
import { placeWords, stateName, talkWords } from "./words.js";

const OF_AGENTS = new Set(["retrieve", "pickup"]);
const SURE = 4; // seconds in which the second press counts

const $ = (id) => document.getElementById(id);
let shown = ""; // the contact's id
let opened = 0; // how often: a button of one call is never another call's
let board = null;
let busy = false;

// Takes what the server said last, if the dialog is open.
export function showCall(said) {
  board = said;
  if ($("call")?.open) draw();
}

function draw() {
  const row = board.contacts.get(shown);
  $("call-over").hidden = row !== undefined;
  $("call-does").hidden = row === undefined;
  $("call-state").hidden = true;
  if (!row) return;
  text($("call-title"), row.caller_text || _("Number withheld"));
  const [words, colour] = row.talk ? talkWords(row.talk, board.named(row.talk.asked)) : [row.entered === null ? "" : _("Waits in %(queue)s", { queue: row.queue }), "queue"];
  text($("call-state"), words);
  attribute($("call-state"), "data-state", colour);
  $("call-state").hidden = words === "";
  keyed($("call-parties"), row.talk?.parties ?? [], (party) => party.leg || party.role, makeParty, (node, party) => updateParty(node, party, row));
  drawVerbs($("call-verbs"), verbsOf(row).map(([verb, said, body]) => ({ verb, said, body })));
  const to = verbsTo(row);
  const agents = to.some(([verb]) => verb === "retrieve" || verb === "pickup");
  $("call-to").hidden = to.length === 0;
  drawVerbs($("call-to-verbs"), to.map(([verb, said]) => ({ verb, said })));
  const rows = board.agentRows.filter((one) => agents || one.name !== row.agent);
  keyed($("call-agents"), rows, (one) => one.name, (one) => element("option", { value: `agent:${one.name}` }), (node, one) => text(node, `${one.full_name || one.name} (${lower(stateName(one.state))})`));
  const queues = !agents ? board.queueRows : to.some(([verb]) => verb === "move") ? board.queueRows.filter((one) => one.name !== row.queue) : [];
  keyed($("call-queues"), queues, (one) => one.name, (one) => element("option", { value: `queue:${one.name}` }, one.name), () => {});
  $("call-outside").hidden = $("call-outside").disabled = agents;
  drawListens(row);
  number();
}

function drawVerbs(parent, verbs) {
  const make = ({ verb }) => element("button", { class: `button small${verb === "hangup" ? " ends" : ""}`, type: "button", "data-verb": verb });
  keyed(parent, verbs, ({ verb, said }) => `${opened} ${verb} ${said}`, make, (node, { said, body }) => {
    node.body = body;
    if (!node.dataset.sure) text(node, said);
    node.disabled = busy;
  });
}

function makeParty() {
  return element("li", {}, element("span", { class: "who-is" }), element("span", { class: "soft" }), element("span", { class: "verbs" }));
}

function updateParty(node, party, row) {
  const [who, where, verbs] = node.children;
  text(who, party.role === "caller" ? _("Caller") : board.named(party.agent || party.to));
  text(where, placeWords(party));
  const name = party.role === "caller" ? "customer" : party.leg;
  drawVerbs(verbs, verbsOn(party, row).map(([verb, said]) => ({ verb, said, body: { party: name } })));
}

// The field for a number outside shows where one is wanted.
function number() {
  const outside = $("call-whom").value === "number:" && !$("call-outside").disabled;
  $("call-number").hidden = !outside;
  $("call-number").required = outside;
}

// What a verb with a destination takes; null where none is chosen.
function destination(verb) {
  const whom = $("call-whom").value;
  const to = whom === "number:" ? `number:${$("call-number").value.replace(/[^0-9+*#]/g, "")}` : whom;
  if (to === "" || to === "number:") return null;
  if (OF_AGENTS.has(verb) !== to.startsWith("agent:") && (OF_AGENTS.has(verb) || verb === "move")) return null;
  return verb === "retrieve" || verb === "pickup" ? { agent: to.replace("agent:", "") } : { to };
}

async function press(button) {
  const verb = button.dataset.verb;
  if (verb === "hangup" && !button.dataset.sure) return sure(button);
  const body = button.closest("#call-to") ? destination(verb) : button.body;
  if (!body) return problem(verb === "move" ? _("Choose a queue first.") : OF_AGENTS.has(verb) ? _("Choose an agent first.") : _("Choose whom first."));
  busy = true;
  problem("");
  draw();
  const [said] = await ask(`/api/v1/calls/${encodeURIComponent(shown)}/${verb}`, body, $("call").dataset.token);
  busy = false;
  problem(said);
  if (verb === "hangup" && said === "") $("call").close();
  draw();
}

// It ends the call for everybody: one press too many must not.
function sure(button) {
  const words = button.textContent;
  button.dataset.sure = "asked";
  button.textContent = _("%(what)s? Press again", { what: words });
  setTimeout(() => {
    delete button.dataset.sure;
    button.textContent = words;
  }, SURE * 1000);
}

function problem(words) {
  text($("call-problem"), words);
  $("call-problem").hidden = words === "";
}

function open(id) {
  shown = id;
  opened += 1;
  $("call-whom").value = "";
  problem("");
  closeListens();
  draw();
  $("call").showModal();
}

export function begin() {
  if (!$("call")) return; // this account may not
  document.addEventListener("click", (event) => {
    const call = event.target.closest("[data-call]");
    const verb = event.target.closest("#call [data-verb]");
    if (call) open(call.dataset.call);
    else if (verb) press(verb);
    else if (event.target === $("call")) $("call").close(); // beside the dialog
  });
  beginListens();
  $("call-whom").addEventListener("change", number);
  $("call-to").addEventListener("submit", (event) => event.preventDefault());
}
