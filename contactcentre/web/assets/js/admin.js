// The editor of YAML: lines have numbers, what is wrong is told while one types, and what is right becomes a plan.

import { ask, send } from "./ask.js";
import { element } from "./dom.js";
import { follow } from "./flow.js";
import { _ } from "./language.js";

const PAUSE = 400; // milliseconds without a key, then it is checked
const PLANNING = 60; // seconds
const $ = (id) => document.getElementById(id);

const form = $("editor");
const area = $("text");
const { part, name, version, token, plans } = form.dataset;

let timer = 0;
let asked = 0;

const called = () => name || ($("its-name")?.value.trim() ?? "");
const wish = () => ({ yaml: area.value, ...(part && { part }), ...(called() && { name: called() }), ...(form.dataset.new && { new: true }) });

function number() {
  const count = area.value.split("\n").length;
  $("lines").textContent = Array.from({ length: count }, (_, line) => line + 1).join("\n");
  $("lines").scrollTop = area.scrollTop;
}

function show(problems, otherwise) {
  const list = problems.map(({ line, where, message }) => {
    const words = [where && `${where}: `, message].filter(Boolean).join("");
    if (!line) return element("li", {}, words);
    const jump = element("button", { type: "button", class: "button small" }, _("Line %(number)s", { number: line }));
    jump.addEventListener("click", () => select(line));
    return element("li", {}, jump, ` ${words}`);
  });
  $("problems").replaceChildren(list.length > 0 ? element("ul", { class: "notes wrong" }, ...list) : element("p", { class: "soft" }, otherwise));
}

function select(line) {
  const lines = area.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  area.focus();
  area.setSelectionRange(start, start + lines[line - 1].length);
  area.scrollTop = (line - 5) * parseFloat(getComputedStyle(area).lineHeight);
}

async function check() {
  if (form.dataset.new && !called()) return show([], _("Give it a name."));
  const mine = (asked += 1);
  const [problem, answer] = await ask("/api/v1/site/check", wish(), token);
  if (mine !== asked) return; // another key was pressed meanwhile
  if (problem) show([{ message: problem }]);
  else show(answer.problems, _("No problem found."));
  document.dispatchEvent(new Event("checked"));
}

area.addEventListener("input", () => {
  number();
  clearTimeout(timer);
  timer = setTimeout(check, PAUSE);
});
area.addEventListener("scroll", () => ($("lines").scrollTop = area.scrollTop));
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearTimeout(timer);
  const mine = (asked += 1);
  if (form.dataset.new && !called()) return $("its-name").focus();
  const [button] = form.querySelectorAll("button.main");
  button.disabled = true;
  $("problems").replaceChildren(element("p", { class: "soft" }, _("The plan is made …")));
  const [problem, answer, , , problems] = await send("POST", "/api/v1/site/plans", wish(), token, { etag: `"${version}"`, seconds: PLANNING });
  button.disabled = false;
  if (mine !== asked) return;
  if (problem) show(problems?.length > 0 ? problems : [{ message: problem }]);
  else location.assign(plans.replace("ID", answer.id));
});

$("its-name")?.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(check, PAUSE);
});

if ($("drawing")) follow(wish, token);
number();
check();
