// The live page.

import { Board } from "./board.js";
import { begin as beginAlerts, showAlerts } from "./alerts.js";
import { begin } from "./calls.js";
import { ServerClock } from "./clock.js";
import { begin as beginControllers } from "./controllers.js";
import { _, clockTime, known as knownZone } from "./language.js";
import { begin as beginLeading } from "./leading.js";
import { begin as beginMentors } from "./mentors.js";
import { show, tick } from "./show.js";
import { Notices } from "./notices.js";
import { LiveStream, STALE } from "./stream.js";
import { duration } from "./words.js";

const LINKS = {
  connecting: _("Connecting"),
  live: _("Live"),
  lost: _("Connection lost"),
  away: _("Live state away"),
  out: _("Signed out"),
  forbidden: _("No permission"),
};

const $ = (id) => document.getElementById(id);
const board = new Board();
const clock = new ServerClock();
let link = "connecting";
let known = false; // the board shows something
let behind = true; // the server itself knows the live state
let asked = 0; // a timer
let cost = 0; // of drawing, ms

const token = $("notices")?.dataset.token;
const notices = $("notices") && new Notices({ path: "/api/v1/notices", token, named: (to) => board.named(to) });

const stream = new LiveStream("/api/v1/live", {
  event(name, body) {
    clock.hear(body.now);
    if (name === "snapshot") board.load(body);
    else if (name === "change") board.change(body);
    else if (name === "notice") return notices?.load();
    else behind = !body.live;
    if (name !== "pulse") {
      behind = false;
      known = true;
    }
    if (known) draw();
    status();
  },
  link(state) {
    if (state === "connecting" && (link === "lost" || known)) clock.forget();
    if (state === "open" && link !== "live") notices?.load(); // what came while nobody listened
    link = state === "open" ? "live" : state === "connecting" && known ? link : state;
    status();
  },
});

// Draws once for all that arrives in a moment, and takes at most a tenth of the processor's time for it.
function draw() {
  asked ||= setTimeout(redraw, Math.max(16, 10 * cost));
}

function redraw() {
  asked = 0;
  const began = performance.now();
  showAlerts(board);
  show(board, clock);
  cost = performance.now() - began;
}

function status() {
  const shown = link === "live" && behind ? "away" : link;
  const pill = $("link");
  pill.dataset.link = shown;
  pill.textContent = LINKS[shown];
  const banner = $("banner");
  const text = trouble(shown);
  if (banner.textContent !== text) banner.textContent = text;
  if (shown === "out") banner.append(" ", signIn());
  banner.hidden = text === "";
  $("board").dataset.stale = String(text !== "" || !known);
}

function trouble(shown) {
  if (shown === "out") return _("You are signed out.");
  if (shown === "forbidden") return _("Your role does not show the live page.");
  if (shown === "away") return _("The server cannot read the live state at the moment. Calls go on. This is how it was.");
  if (stream.silence < STALE) return "";
  return _("Nothing heard from the server for %(time)s. This is how it was then.", { time: duration(stream.silence) });
}

function signIn() {
  const link = document.createElement("a");
  link.href = "/login?next=/";
  link.textContent = _("Sign in");
  return link;
}

function everySecond() {
  if (clock.check()) stream.check();
  const now = clock.now();
  if (known) tick(now);
  const timeZone = knownZone(board.site.timezone || $("clock").dataset.timezone);
  $("clock").firstElementChild.textContent = clockTime(now, { seconds: true, timeZone });
  status();
}

$("notices-open")?.addEventListener("click", () => {
  notices.people(board.agentRows, board.queueRows);
  $("notices").showModal();
});
$("notices")?.addEventListener("click", ({ target }) => target === $("notices") && $("notices").close()); // beside it
begin();
beginAlerts();
beginLeading();
beginMentors();
beginControllers();
stream.start();
everySecond();
setInterval(everySecond, 500);
document.addEventListener("visibilitychange", () => document.hidden || everySecond());
