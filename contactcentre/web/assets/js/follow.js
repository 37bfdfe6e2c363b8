// Pages that the server draws follow what happens: parts marked `data-follow` (each with an id) are asked for again and
// replaced where they differ. What somebody is busy in waits, and a form says that somebody else has changed what it shows.

import htmx from "htmx.org";

import { element, text } from "./dom.js";
import { _ } from "./language.js";
import { duration } from "./words.js";

const EVERY = 10; // seconds between two looks
const STALE = 30; // seconds after which the page must not be believed
// what answers a form is at an address of its own, where nothing can be asked for
const parts = () => (document.body.dataset.answer === undefined ? [...document.querySelectorAll("[data-follow][id]")] : []);
let heard = Date.now();
let out = false;
let asking = false;
let pill = null;
let banner = null;

async function look() {
  if (asking || out || document.hidden || parts().length === 0) return;
  asking = true;
  try {
    const response = await fetch(location.href, { cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(15_000) });
    out = response.type === "opaqueredirect"; // to the sign-in
    if (response.ok) {
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      heard = Date.now();
      for (const part of parts()) renew(part, page.getElementById(part.id));
      for (const form of document.querySelectorAll("form:has(> [name=version])")) compare(form, page);
    }
  } catch {
    // said by `tell`; the next look tries again
  }
  asking = false;
  tell();
}

function renew(part, now) {
  if (busy(part)) return;
  if (!now) return part.remove(); // as why a caller waits, who talks by now
  if (part.dataset.longer !== undefined) return;
  const tokens = [...part.querySelectorAll("[name=csrf_token]")]; // another one each time
  now.querySelectorAll("[name=csrf_token]").forEach((one, place) => tokens[place] && one.setAttribute("value", tokens[place].getAttribute("value")));
  if (part.isEqualNode(now)) return;
  const open = new Set([...part.querySelectorAll("details[open] > summary")].map((summary) => summary.textContent));
  const fresh = document.importNode(now, true);
  for (const summary of fresh.querySelectorAll("details > summary")) summary.parentElement.open ||= open.has(summary.textContent);
  part.replaceWith(fresh);
  htmx.process(fresh);
  document.dispatchEvent(new CustomEvent("followed", { detail: fresh }));
}

// Somebody reads, types, listens or marks there.
function busy(part) {
  const marked = getSelection();
  return part.contains(document.activeElement) || (!marked.isCollapsed && part.contains(marked.anchorNode)) || [...part.querySelectorAll("audio")].some((audio) => !audio.paused || (audio.currentTime > 0 && !audio.ended)) || part.querySelector("[data-part=player]:not([hidden])") !== null;
}

// Says once that a form would write over what somebody else has changed.
function compare(form, page) {
  if (form.closest("[data-follow]")) return; // is drawn anew
  const known = form.querySelector("[name=version]");
  const now = [...page.forms].find((one) => one.getAttribute("action") === form.getAttribute("action"))?.querySelector("[name=version]");
  if (!now || now.value === known.value || form.querySelector(".changed")) return;
  form.prepend(element("p", { class: "banner changed", role: "alert" }, _("Somebody else has changed this meanwhile."), " ", element("a", { href: location.href }, _("Load it again"))));
}

function tell() {
  if (!pill) return;
  const silent = (Date.now() - heard) / 1000;
  const lost = !out && silent > STALE && !document.hidden;
  pill.dataset.link = out ? "out" : lost ? "lost" : "live";
  text(pill, out ? _("Signed out") : lost ? _("Connection lost") : _("Live"));
  text(banner, out ? _("You are signed out.") : lost ? _("Nothing heard from the server for %(time)s. This is how it was then.", { time: duration(silent) }) : "");
  if (out) banner.append(" ", element("a", { href: `/login?next=${encodeURIComponent(location.pathname + location.search)}` }, _("Sign in")));
  banner.hidden = banner.textContent === "";
}

if (parts().length > 0) {
  pill = element("span", { class: "pill", role: "status", id: "follow" });
  banner = element("p", { class: "banner", role: "alert", hidden: "" });
  document.querySelector(".bar .end").prepend(pill);
  document.getElementById("main").prepend(banner);
  tell();
  setInterval(look, EVERY * 1000);
  setInterval(tell, 1000);
  document.addEventListener("visibilitychange", () => document.hidden || look());
  addEventListener("online", look);
  // who has asked for earlier entries keeps them; another search begins anew
  document.addEventListener("htmx:afterSwap", ({ detail: { target } }) => target.matches("[data-follow]") && target.removeAttribute("data-longer"));
  document.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => target.matches("tr.more") && target.closest("[data-follow]")?.setAttribute("data-longer", ""));
}
