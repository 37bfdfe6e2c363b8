// Which controllers drive the calls: a line at the foot of the live page.

import { element, keyed, text } from "./dom.js";
import { duration } from "./words.js";

const EVERY = 10_000; // ms
const NONE = [{ node: "", text: "No controller is there: new callers are answered by the PBX’s own queues.", bad: true }];

// Lines for people: [{node, text, bad}].
export function lines({ now, controllers }) {
  const nodes = [...new Set(controllers.map((one) => one.node))];
  return nodes.length ? nodes.map((node) => line(node, now, controllers.filter((one) => one.node === node))) : NONE;
}

function line(node, now, there) {
  const active = there.find((one) => one.role === "active");
  const spare = there.filter((one) => one.role === "standby");
  const since = active?.since ? ` for ${duration(now - active.since)}` : "";
  const first = active
    ? `${active.id || "a controller"}${active.host ? ` on ${active.host}` : ""} is active${since}${active.ready ? "" : ", without its link to the PBX"}`
    : "no controller is active";
  const others = spare.map((one) => `${one.id} on ${one.host} stands by${one.ready ? "" : ", not ready yet"}`);
  return { node, text: `${node}: ${[first, ...(others.length ? others : ["nobody stands by"])].join("; ")}`, bad: !active?.ready };
}

async function look() {
  if (document.hidden) return;
  try {
    const response = await fetch("/api/v1/controllers", { cache: "no-store", signal: AbortSignal.timeout(EVERY) });
    if (response.ok) show(lines(await response.json()));
  } catch {
    // the page itself says when the server is away
  }
}

function show(rows) {
  keyed(document.getElementById("controllers"), rows, (row) => row.node, () => element("li", {}), (node, row) => {
    text(node, row.text);
    node.dataset.bad = String(row.bad);
  });
}

export function begin() {
  look();
  setInterval(look, EVERY);
  document.addEventListener("visibilitychange", look);
}
