// Pages that the server draws follow what happens: parts marked `data-follow` (each with an id) are asked for again and
// replaced where they differ. What somebody is busy in waits.

import htmx from "htmx.org";

import { element, text } from "./dom.js";
import { duration } from "./words.js";

const EVERY = 10; // seconds between two looks
const STALE = 30; // seconds after which the page must not be believed
const parts = () => [...document.querySelectorAll("[data-follow][id]")];
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
  if (part.isEqualNode(now) || rows(part) > rows(now)) return;
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

// More than the server tells: somebody has asked for earlier ones.
function rows(part) {
  return part.querySelectorAll("tbody tr:not(.more)").length;
}

function tell() {
  if (!pill) return;
  const silent = (Date.now() - heard) / 1000;
  const lost = !out && silent > STALE && !document.hidden;
  pill.dataset.link = out ? "out" : lost ? "lost" : "live";
  text(pill, out ? "Signed out" : lost ? "Connection lost" : "Live");
  text(banner, out ? "You are signed out." : lost ? `Nothing heard from the server for ${duration(silent)}. This is how it was then.` : "");
  if (out) banner.append(" ", element("a", { href: `/login?next=${encodeURIComponent(location.pathname + location.search)}` }, "Sign in"));
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
}
