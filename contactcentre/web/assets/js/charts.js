// A queue's day in half hours beside the same weekday of last week: charts, and the same as a table.

import uPlot from "uplot";

import { element, keyed, text } from "./dom.js";
import { _, date } from "./language.js";
import { duration, formula, percent } from "./words.js";

const EVERY = 30; // seconds between two looks
const STALE = 75; // seconds after which the page must not be believed
const SHOWN = ["offered", "answered", "abandoned", "service_level", "wait"];
const $ = (id) => document.getElementById(id);
const charts = new Map();
let day = null;
let heard = Date.now();
let asked = 0;
let status = 200;

const value = (step, name) => (!step || step[name] === null ? null : name === "service_level" ? step[name] * 100 : step[name]);
const told = (step, name) => (!step ? "" : name === "service_level" ? percent(step[name]) : name === "wait" ? (step[name] === null ? "–" : duration(step[name])) : String(step[name]));

async function load() {
  const name = $("queue").value;
  if (!name) return;
  const mine = ++asked;
  try {
    const response = await fetch(`/api/v1/queues/${encodeURIComponent(name)}/day`, { cache: "no-store", signal: AbortSignal.timeout(20_000) });
    if (mine !== asked) return;
    status = response.status;
    if (!response.ok) throw new Error(`status ${status}`);
    day = await response.json();
    heard = Date.now();
    draw();
  } catch {
    // said by `tell`; the next look tries again
  }
  tell();
}

function tell() {
  const silent = (Date.now() - heard) / 1000;
  const words = status === 401 ? _("You are signed out.") : silent > STALE || (!day && status !== 200) ? _("Nothing heard from the server for %(time)s. This is how it was then.", { time: duration(silent) }) : "";
  const lost = words !== "";
  $("link").dataset.link = lost ? "lost" : day ? "live" : "connecting";
  text($("link"), status === 401 ? _("Signed out") : lost ? _("Connection lost") : day ? _("Live") : _("Connecting"));
  text($("banner"), words);
  if (status === 401) $("banner").append(" ", element("a", { href: "/login?next=/charts" }, _("Sign in")));
  $("banner").hidden = !lost;
}

function draw() {
  text($("days"), _("%(today)s beside %(before)s, %(timezone)s", { today: date(day.today), before: date(day.before), timezone: day.timezone }));
  text($("formula"), _("Service level: %(formula)s. Mean wait: of those who were answered. Each caller counts in the half hour of arrival in the queue.", { formula: formula(day.formula) }));
  const used = busy(day.steps);
  for (const name of SHOWN) plot(name, used);
  keyed($("rows"), used, (step) => step.at, (step) => element("tr", {}, element("th", { scope: "row" }, step.at), ...SHOWN.flatMap(() => [element("td", { class: "number" }), element("td", { class: "number soft" })])), (row, step) => {
    SHOWN.forEach((name, n) => {
      text(row.children[1 + 2 * n], told(step.today, name));
      text(row.children[2 + 2 * n], told(step.before, name));
    });
  });
}

// From the first half hour in which anybody called on either day to the last one; the whole day where nobody did.
function busy(steps) {
  const called = ({ today, before }) => (today?.offered ?? 0) + (before?.offered ?? 0) > 0;
  const first = steps.findIndex(called);
  if (first < 0) return steps;
  return steps.slice(Math.max(0, first - 1), steps.findLastIndex(called) + 2);
}

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function plot(name, steps) {
  const data = [steps.map((_, n) => n), steps.map(({ before }) => value(before, name)), steps.map(({ today }) => value(today, name))];
  const there = charts.get(name);
  there?.destroy();
  const box = $(name);
  const axis = { stroke: style("--ink-soft"), grid: { stroke: style("--line"), width: 1 }, ticks: { stroke: style("--line"), width: 1 } };
  const line = (colour, more) => ({ stroke: style(colour), width: 2.5, spanGaps: false, points: { show: true, size: 5 }, ...more });
  charts.set(name, new uPlot({
    width: box.clientWidth || 400,
    height: 190,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false }, y: { range: (_, low, high) => [0, name === "service_level" ? 100 : Math.max(1, high ?? 1)] } },
    axes: [{ ...axis, values: (_, splits) => splits.map((n) => steps[n]?.at ?? "") }, { ...axis, size: 46, incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 2000, 5000] }],
    series: [{}, line("--paused", { dash: [6, 5], width: 2 }), line("--talking", {})],
  }, data, box));
}

$("queue").value = new URLSearchParams(location.search).get("queue") ?? $("queue").options[0]?.value ?? "";
if ($("queue").selectedIndex < 0) $("queue").selectedIndex = 0;
$("queue").addEventListener("change", () => {
  history.replaceState(null, "", `?queue=${encodeURIComponent($("queue").value)}`);
  load();
});
let resized = 0;
addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(() => day && draw(), 150);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => day && draw());
document.addEventListener("visibilitychange", () => document.hidden || load());
addEventListener("online", load);
load();
setInterval(load, EVERY * 1000);
setInterval(tell, 1000);
