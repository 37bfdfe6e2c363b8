// A flow beside its data: drawn, as a list, and tried out.

import { ask } from "./ask.js";
import { element, text } from "./dom.js";
import { _, ngettext } from "./language.js";

const $ = (id) => document.getElementById(id);

// `wish`: the flow as it is in the editor now.
export function follow(wish, token) {
  document.addEventListener("checked", async () => {
    const written = wish();
    if (!written.name) return;
    const [problem, flow] = await ask("/api/v1/site/flows/draw", { name: written.name, yaml: written.yaml }, token);
    if (!problem) show(flow);
  });
  $("trial").addEventListener("submit", async (event) => {
    event.preventDefault();
    const written = wish();
    const given = Object.fromEntries(new FormData($("trial")));
    const entries = (words) => words.split(",").map((entry) => entry.trim());
    const trial = {
      name: written.name || "new",
      yaml: written.yaml,
      caller: given.caller,
      did: given.did,
      at: given.at.trim(),
      digits: given.digits ? entries(given.digits) : [],
      queues: given.queues ? entries(given.queues) : ["answered"],
      transfers_fail: Boolean(given.transfers_fail),
    };
    const [problem, told] = await ask("/api/v1/site/flows/simulate", trial, token);
    tell(problem, told, trial.name);
  });
}

function show({ calls, nodes, ways, warnings, svg }) {
  text($("flow-calls"), ngettext("%(num)s call today", "%(num)s calls today", calls));
  // made by our server, with everything in it escaped
  const drawn = svg ? document.importNode(new DOMParser().parseFromString(svg, "image/svg+xml").documentElement, true) : element("p", { class: "empty" }, _("It has too many nodes to be drawn."));
  $("drawing").replaceChildren(drawn, ...warnings.map((one) => element("p", { class: "note inset" }, one)));
  const onward = (name) => ways.filter(({ source }) => source === name).map(({ target, labels, calls: went }) => `${labels.length > 0 ? `${labels.join(", ")} → ` : ""}${target} (${went})`);
  $("flow-list").replaceChildren(
    ...nodes.map(({ name, type, about, calls: came }) =>
      element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, [type, about].filter(Boolean).join(": ")), element("td", { class: "number" }, String(came)), element("td", {}, onward(name).join(", "))),
    ),
  );
}

function tell(problem, told, name) {
  if (problem) return $("trial-told").replaceChildren(element("p", { class: "problem" }, problem));
  const walked = new Set(told.moments.filter(({ flow }) => flow === name).map(({ node }) => node));
  for (const box of $("drawing").querySelectorAll("[data-node]")) box.classList.toggle("walked", walked.has(box.dataset.node));
  const lines = told.moments.map(({ clock, node, type, heard, did, set, choice }) => {
    const said = heard.flatMap((words, index) => [_("hears “%(words)s”", { words }), ...did.slice(index, index + 1)]);
    said.push(...did.slice(heard.length), ...Object.entries(set).map(([variable, value]) => `${variable} = ${value}`));
    if (choice) said.push(`→ ${choice}`);
    return element("li", {}, element("time", {}, clock), element("span", {}, element("strong", {}, node), ` ${type}`, ...said.map((one) => element("small", {}, one))));
  });
  $("trial-told").replaceChildren(element("ol", { class: "story" }, ...lines), element("p", { class: told.ok ? "done" : "problem" }, told.ending));
}
