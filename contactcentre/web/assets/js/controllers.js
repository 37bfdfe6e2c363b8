// Which controllers drive the calls: a line at the foot of the live page.

import { element, keyed, text } from "./dom.js";
import { _ } from "./language.js";
import { duration } from "./words.js";

const EVERY = 10_000; // ms
const NONE = [{ node: "", text: _("No controller is there: new callers are answered by the PBX’s own queues."), bad: true }];

// Lines for people: [{node, text, bad}].
export function lines({ now, controllers }) {
  const nodes = [...new Set(controllers.map((one) => one.node))];
  return nodes.length ? nodes.map((node) => line(node, now, controllers.filter((one) => one.node === node))) : NONE;
}

function line(node, now, there) {
  const active = there.find((one) => one.role === "active");
  const spare = there.filter((one) => one.role === "standby");
  const others = spare.map((one) => {
    const who = { id: one.id, host: one.host };
    return one.ready ? _("%(id)s on %(host)s stands by", who) : _("%(id)s on %(host)s stands by, not ready yet", who);
  });
  const parts = [active ? doing(active, now) : _("no controller is active"), ...(others.length ? others : [_("nobody stands by")])];
  return { node, text: `${node}: ${parts.join("; ")}`, bad: !active?.ready };
}

function doing({ id, host, since, ready }, now) {
  const name = id || _("a controller");
  const who = host ? _("%(id)s on %(host)s", { id: name, host }) : name;
  const words = since ? _("%(who)s is active for %(time)s", { who, time: duration(now - since) }) : _("%(who)s is active", { who });
  return ready ? words : _("%(what)s, without its link to the PBX", { what: words });
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
