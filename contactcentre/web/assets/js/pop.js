// The other program's page about who calls: a link, and where the queue says so a window that opens by itself, once for
// each contact.

import { attribute } from "./dom.js";

const $ = (id) => document.getElementById(id);

export function drawPop({ screen_pop: address, screen_pop_at: at, agent }) {
  const link = $("pop");
  link.hidden = address === "";
  if (!address) {
    link.removeAttribute("href");
    $("pop-problem").hidden = true;
    return;
  }
  attribute(link, "href", address);
  const due = agent.state === "talking" ? at !== "click" : agent.state === "offered" && at === "ring";
  if (!due || sessionStorage.popped === agent.contact_id) return;
  sessionStorage.popped = agent.contact_id;
  const opened = window.open(address, "_blank");
  if (opened) opened.opener = null;
  $("pop-problem").hidden = Boolean(opened);
}
