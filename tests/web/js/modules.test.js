// Our modules that need no browser: `npm test`.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Board } from "../../../contactcentre/web/assets/js/board.js";
import { ServerClock } from "../../../contactcentre/web/assets/js/clock.js";
import { EventReader } from "../../../contactcentre/web/assets/js/sse.js";
import { duration, estimated, percent, wish } from "../../../contactcentre/web/assets/js/words.js";

test("events arrive whole however the stream is cut into pieces", () => {
  const text = 'retry: 2000\n\nid: 5-0\nevent: change\ndata: {"a":1}\n\n: comment\nevent: pulse\r\ndata: one\r\ndata: two\r\n\r\n';
  const expected = [
    { event: "change", data: '{"a":1}', id: "5-0" },
    { event: "pulse", data: "one\ntwo", id: "5-0" },
  ];
  assert.deepEqual(new EventReader().read(text), expected);
  const slow = new EventReader();
  assert.deepEqual([...text].flatMap((letter) => slow.read(letter)), expected);
});

test("an event that was cut in the middle is not delivered and its id is not remembered", () => {
  const reader = new EventReader();
  reader.read("id: 1-0\ndata: x\n\n");
  assert.deepEqual(reader.read("id: 2-0\ndata: y\n"), []);
  assert.equal(reader.lastId, "1-0");
});

function clock() {
  const time = { wall: 1_000_000, steady: 0 };
  return { time, made: new ServerClock(() => time.wall, () => time.steady) };
}

function pass(time, ms, { steady = ms } = {}) {
  time.wall += ms;
  time.steady += steady;
}

test("the sample with the smallest delay tells the server's time", () => {
  const { time, made } = clock();
  made.hear(5000); // the server is 4000 s ahead; this sample came at once
  pass(time, 10_000);
  made.hear(5009.2); // this one was 800 ms under way
  assert.equal(made.now(), 5010);
});

test("a wall clock that was set does not move the server's time", () => {
  const { time, made } = clock();
  made.hear(5000);
  pass(time, 3_600_000, { steady: 1000 });
  made.hear(5001);
  assert.equal(made.now(), 5001);
});

test("after a sleep the time is right before the server is heard again", () => {
  const { time, made } = clock();
  made.hear(5000);
  pass(time, 600_000, { steady: 0 }); // the steady clock of some browsers stands still
  assert.equal(made.check(), true);
  assert.equal(made.now(), 5600);
});

test("a timer never shows a time before zero", () => {
  assert.equal(duration(-0.4), "0:00");
  assert.equal(duration(59.9), "0:59");
  assert.equal(duration(754), "12:34");
  assert.equal(duration(3723), "1:02:03");
});

test("a share that has nothing to be divided by is a dash, and nearly all is not all", () => {
  assert.equal(percent(null), "–");
  assert.equal(percent(0), "0 %");
  assert.equal(percent(1), "100 %");
  assert.equal(percent(0.99999), "99.9 %");
  assert.equal(percent(0.8333), "83.3 %");
});

test("a wish for after the call is said in words", () => {
  assert.equal(wish("logout"), "signs out after this");
  assert.equal(wish("pause:lunch"), "pauses after this (lunch)");
  assert.equal(wish(""), "");
});

function row(id, queue, entered, arrived, priority = 0) {
  return { id, queue, entered, arrived, priority };
}

test("callers stand in the order in which their queue serves them", () => {
  const board = new Board();
  board.load({
    site: {},
    queues: {},
    agents: {},
    totals: {},
    today_at: null,
    contacts: {
      a: row("a", "support", 100, 90),
      b: row("b", "support", 95, 94),
      c: row("c", "support", 110, 105, 5),
      d: row("d", "billing", 100, 99),
      e: row("e", "", null, 50),
    },
  });
  assert.deepEqual(board.contactRows.map((one) => [one.id, one.place]), [["d", 1], ["c", 1], ["a", 2], ["b", 3], ["e", 0]]);
  board.change({ queues: {}, agents: {}, contacts: { c: null }, totals: null, today_at: null });
  assert.deepEqual(board.contactRows.map((one) => [one.id, one.place]), [["d", 1], ["a", 1], ["b", 2], ["e", 0]]);
});

test("an estimated wait is told with its past error, or not at all", () => {
  assert.equal(estimated(null), "");
  assert.equal(estimated({ seconds: 0, told: 0, within: 0 }), "est. 0 s");
  assert.equal(estimated({ seconds: 170, told: 57, within: 41 }), "est. 3 min ± 41 s");
});
