// The wallboard: few big numbers of each queue, to be read from the other end of the room.

import { Board } from "./board.js";
import { ServerClock } from "./clock.js";
import { attribute, element, keyed, text } from "./dom.js";
import { _, clockTime, known as knownZone } from "./language.js";
import { LiveStream, STALE } from "./stream.js";
import { duration, percent } from "./words.js";

const LINKS = { connecting: _("Connecting"), live: _("Live"), lost: _("Connection lost"), away: _("Live state away"), out: _("Signed out"), forbidden: _("No permission") };
const $ = (id) => document.getElementById(id);
const only = new URLSearchParams(location.search).get("queues")?.split(",").filter(Boolean);
const board = new Board();
const clock = new ServerClock();
let link = "connecting";
let known = false;
let behind = true; // the server itself knows the live state

const stream = new LiveStream("/api/v1/wallboard/live", {
  event(name, body) {
    clock.hear(body.now);
    if (name === "snapshot") board.load(body);
    else if (name === "change") board.change(body);
    else if (name === "pulse") behind = !body.live;
    if (name === "snapshot" || name === "change") [behind, known] = [false, true];
    draw();
  },
  link(state) {
    if (state === "connecting" && (link === "lost" || known)) clock.forget();
    link = state === "open" ? "live" : state === "connecting" && known ? link : state;
    draw();
  },
});

function draw() {
  const shown = link === "live" && behind ? "away" : link;
  attribute($("link"), "data-link", shown);
  text($("link"), LINKS[shown]);
  const words = trouble(shown);
  text($("banner"), words);
  if (shown === "out") $("banner").append(" ", element("a", { href: `/login?next=${encodeURIComponent(location.pathname + location.search)}` }, _("Sign in")));
  $("banner").hidden = words === "";
  attribute($("wall"), "data-stale", words !== "" || !known);
  const timeZone = knownZone(board.site.timezone || $("clock").dataset.timezone);
  text($("clock").firstElementChild, clockTime(clock.now(), { seconds: true, timeZone }));
  if (!known) return;
  const rows = only ? only.map((name) => board.queues.get(name)).filter(Boolean) : board.queueRows;
  keyed($("wall"), rows, (row) => row.name, make, update);
  $("no-queues").hidden = rows.length > 0;
}

function trouble(shown) {
  if (shown === "out") return _("You are signed out.");
  if (shown === "forbidden") return _("Your role does not show the wallboard.");
  if (shown === "away") return _("The server cannot read the live state at the moment. This is how it was.");
  return stream.silence < STALE ? "" : _("Nothing heard from the server for %(time)s. This is how it was then.", { time: duration(stream.silence) });
}

function make() {
  const fact = (name, words) => element("div", { class: name }, element("dt", {}, words), element("dd"));
  return element(
    "li",
    { class: "panel queue" },
    element("h2", {}, element("bdi"), element("span", { class: "mark" })),
    element("dl", {}, fact("waiting", _("Waiting")), fact("oldest", _("Longest wait")), fact("free", _("Free agents")), fact("level", _("Service level today")), fact("answered", _("Answered")), fact("abandoned", _("Abandoned"))),
  );
}

function update(node, row) {
  const wait = row.oldest === null ? 0 : clock.now() - row.oldest;
  const late = row.threshold > 0 && wait > row.threshold;
  const alone = row.waiting > 0 && row.agents.available === 0;
  const [name, mark] = node.firstElementChild.children;
  const said = (part, value) => text(node.querySelector(`.${part} dd`), value);
  attribute(node, "data-late", late || row.alerts.length > 0);
  text(name, row.name);
  text(mark, row.alerts.length > 0 ? `▲ ${row.alerts.map((one) => one.name).join(", ")}` : late ? _("▲ over %(number)s s", { number: row.threshold }) : alone ? _("● nobody free") : ""); // colour alone would not reach everybody
  said("waiting", row.waiting);
  said("oldest", row.oldest === null ? "–" : duration(wait));
  said("free", row.agents.available);
  said("level", percent(row.today.service_level));
  said("answered", row.today.answered);
  said("abandoned", row.today.abandoned);
}

stream.start();
draw();
setInterval(draw, 500);
