// Our modules that need no browser: `npm test`.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Board } from "../../../contactcentre/web/assets/js/board.js";
import { ServerClock } from "../../../contactcentre/web/assets/js/clock.js";
import { lines } from "../../../contactcentre/web/assets/js/controllers.js";
import { CustomerDraft, Draft, localTime, secondsOf, soon } from "../../../contactcentre/web/assets/js/draft.js";
import { listenVerbs } from "../../../contactcentre/web/assets/js/listens.js";
import { EventReader } from "../../../contactcentre/web/assets/js/sse.js";
import { verbsOf, verbsOn, verbsTo } from "../../../contactcentre/web/assets/js/verbs.js";
import { duration, estimated, messages, percent, placeWords, talkWords, wish } from "../../../contactcentre/web/assets/js/words.js";

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

test("messages are counted in words, and none says nothing", () => {
  assert.equal(messages(0), "");
  assert.equal(messages(1), "1 new message");
  assert.equal(messages(12), "12 new messages");
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

const AGENT = { role: "agent", leg: "l1", agent: "anna", to: "", place: "together", muted: false };
const CALLER = { role: "caller", leg: "", agent: "", to: "", place: "together", muted: false };

function call(state, more = {}, parties = [CALLER, AGENT]) {
  return { entered: null, agent: "anna", talk: { state, slot: "", asked: "", recording: "running", parties, ...more } };
}

test("a conversation is told in words", () => {
  const said = (state, more, asked = "Bert") => talkWords(call(state, more).talk, asked)[0];
  assert.equal(said("talking"), "Talking");
  assert.equal(said("held"), "On hold");
  assert.equal(said("asking"), "Calling Bert");
  assert.equal(said("consulting"), "Consulting Bert");
  assert.equal(said("toggled"), "Talking, Bert on music");
  assert.equal(said("conference", { parties: [CALLER, AGENT, AGENT] }), "Conference (3)");
  assert.equal(said("parked", { slot: "2" }), "Parked in 2");
  assert.equal(placeWords({ ...CALLER, place: "music", muted: true }), "hears music, muted");
});

test("the verbs that are offered fit the state", () => {
  const names = (contact) => verbsOf(contact).map(([verb, , body]) => (body.action ? `${verb} ${body.action}` : verb));
  assert.deepEqual(names(call("talking")), ["hold", "park", "record pause", "record stop", "hangup"]);
  assert.deepEqual(names(call("held", { recording: "paused" })), ["resume", "park", "record resume", "record stop", "hangup"]);
  assert.deepEqual(names(call("asking", { recording: "" })), ["cancel", "record start", "hangup"]);
  assert.deepEqual(names(call("consulting")).slice(0, 4), ["toggle", "complete", "conference", "cancel"]);
  assert.deepEqual(names(call("parked", { recording: "" })), ["hangup"]);
  assert.deepEqual(names({ talk: null, entered: 3 }), ["front", "hangup"]);
  assert.deepEqual(names({ talk: null, entered: null }), ["hangup"]);
  const to = (contact) => verbsTo(contact).map(([verb]) => verb);
  assert.deepEqual(to(call("talking")), ["consult", "add", "transfer"]);
  assert.deepEqual(to(call("conference")), ["add"]);
  assert.deepEqual(to(call("parked")), ["retrieve"]);
  assert.deepEqual(to({ talk: null, entered: 3 }), ["pickup", "move"]);
  assert.deepEqual(to({ talk: null, entered: null }), []);
});

test("the agent who has the customer is muted and not removed, others may be both, nobody whose phone rings", () => {
  const on = (party, contact = call("conference")) => verbsOn(party, contact).map(([verb]) => verb);
  assert.deepEqual(on(CALLER), ["mute"]);
  assert.deepEqual(on({ ...AGENT, muted: true }), ["unmute"]);
  assert.deepEqual(on({ ...AGENT, agent: "bert" }), ["mute", "kick"]);
  assert.deepEqual(on({ ...AGENT, agent: "bert", place: "ringing" }), []);
  assert.deepEqual(on(CALLER, { ...call("outside"), agent: "" }), []);
});

test("people are called by their names", () => {
  const board = new Board();
  board.agents.set("anna", { name: "anna", full_name: "Anna Fischer" });
  assert.equal(board.named("agent:anna"), "Anna Fischer");
  assert.equal(board.named("anna"), "Anna Fischer");
  assert.equal(board.named("number:+33155501234"), "+33155501234");
  assert.equal(board.named(""), "");
});

test("listening is offered where an agent talks, and to who listens already another mode, taking over and the end", () => {
  const offered = (more, me = "sue") => listenVerbs({ id: "c1", listeners: [], ...call("talking"), ...more }, me);
  assert.deepEqual(offered({}).map(([key, , path, body]) => [key, path, body.contact]), [["listen", "", "c1"], ["whisper", "", "c1"], ["barge", "", "c1"]]);
  assert.deepEqual(offered({ talk: null }), []);
  assert.deepEqual(offered({ agent: "" }), []);
  const listeners = [{ id: "s 1", supervisor: "sue", mode: "whisper" }];
  const mine = offered({ listeners });
  assert.deepEqual(mine.map(([key]) => key), ["listen", "whisper", "barge", "take_over", "stop"]);
  assert.deepEqual(mine.filter((verb) => verb[4]).map(([key]) => key), ["whisper"]);
  assert.equal(mine[4][2], "/s%201/stop");
  assert.equal(offered({ listeners }, "max").length, 3, "another supervisor may listen, too");
});

const SHEET = {
  disposition: "", callback_at: null, number: "", note: "", answers: {},
  script: [{ name: "order" }, { name: "product" }],
  dispositions: [{ code: "solved", callback: false }, { code: "again", callback: true }],
};

test("of what is written about a contact only what was touched is sent", () => {
  const draft = new Draft(SHEET);
  assert.equal(draft.dirty, false);
  assert.deepEqual(draft.wish, {});
  draft.set("note", "");
  assert.equal(draft.dirty, false);
  draft.set("note", "a");
  draft.set("answers.order", "17");
  assert.deepEqual(draft.wish, { note: "a", answers: { order: "17" } });
  draft.set("disposition", "solved");
  assert.equal(draft.wish.disposition, "solved");
  assert.equal("number" in draft.wish, false);
});

test("what is typed while something is sent is sent next", () => {
  const draft = new Draft(SHEET);
  draft.set("note", "a");
  const wish = draft.wish;
  draft.set("note", "ab");
  draft.sent(wish);
  draft.take({ ...SHEET, note: "a" });
  assert.equal(draft.values.note, "ab");
  assert.deepEqual(draft.wish, { note: "ab" });
  draft.sent(draft.wish);
  assert.equal(draft.dirty, false);
});

test("what somebody else wrote fills the fields that were not touched here", () => {
  const draft = new Draft(SHEET);
  draft.set("note", "mine");
  draft.take({ ...SHEET, note: "theirs", disposition: "solved", answers: { order: { value: "9" } } });
  assert.deepEqual(draft.values, { disposition: "solved", callback_at: 0, number: "", note: "mine", "answers.order": "9", "answers.product": "" });
  assert.deepEqual(draft.wish, { note: "mine" });
});

test("a promise goes with when and where, and not before both are there", () => {
  const draft = new Draft(SHEET);
  draft.set("disposition", "again");
  assert.deepEqual(draft.wish, {});
  assert.equal(draft.dirty, true);
  draft.set("callback_at", 100);
  draft.set("number", "+33");
  assert.deepEqual(draft.wish, { disposition: "again", callback_at: 100, number: "+33" });
  const wish = draft.wish;
  draft.set("number", "+44");
  draft.sent(wish);
  assert.equal(draft.wish.number, "+44", "another number since then");
  draft.sent(draft.wish);
  assert.equal(draft.dirty, false);
});

test("local times go into a field and come out as they were, to the minute", () => {
  const at = Math.floor(Date.now() / 60000) * 60;
  assert.equal(secondsOf(localTime(at)), at);
  assert.equal(secondsOf(""), 0);
  assert.equal(soon(0), 3600);
  assert.equal(soon(1), 4500);
});

test("of a customer only what was touched is sent, tags as a list", () => {
  const draft = new CustomerDraft({ customer: { name: "Marie", tags: ["gold"], notes: "" }, fields: [{ name: "account", value: "17" }] });
  assert.deepEqual(draft.values, { name: "Marie", tags: "gold", notes: "", "fields.account": "17" });
  draft.set("tags", "gold, vip");
  draft.set("fields.account", "");
  assert.deepEqual(draft.wish, { tags: ["gold", " vip"], fields: { account: "" } });
  const wish = draft.wish;
  draft.set("name", "Marie D.");
  draft.sent(wish);
  assert.deepEqual(draft.wish, { name: "Marie D." });
});

test("the live page names each node's controller, and what is wrong with it", () => {
  const active = { node: "node1", id: "aaaa", host: "pbx1", role: "active", since: 100, ready: true };
  const spare = { node: "node1", id: "bbbb", host: "pbx2", role: "standby", since: 100, ready: true };
  const told = (...controllers) => lines({ now: 165, controllers });
  assert.deepEqual(told(active, spare), [{ node: "node1", text: "node1: aaaa on pbx1 is active for 1:05; bbbb on pbx2 stands by", bad: false }]);
  assert.equal(told(active)[0].text, "node1: aaaa on pbx1 is active for 1:05; nobody stands by");
  assert.deepEqual(told({ ...active, ready: false }), [
    { node: "node1", text: "node1: aaaa on pbx1 is active for 1:05, without its link to the PBX; nobody stands by", bad: true },
  ]);
  assert.deepEqual(told({ ...spare, ready: false }), [
    { node: "node1", text: "node1: no controller is active; bbbb on pbx2 stands by, not ready yet", bad: true },
  ]);
  assert.deepEqual(told().map((one) => one.bad), [true]);
});

test("texts of another language come from its catalogue, with its plural and its numbers", async () => {
  const before = globalThis.document;
  globalThis.document = { documentElement: { lang: "de", dataset: { timezone: "Europe/Paris" } } };
  globalThis.catalogue = {
    plural: (n) => Number(n != 1),
    messages: { "Calling %(who)s": "Ruft %(who)s an", "%(num)s call": ["%(num)s Anruf", "%(num)s Anrufe"], "%(number)s %%": "%(number)s %%" },
  };
  const { _, clockTime, date, known, ngettext } = await import("../../../contactcentre/web/assets/js/language.js?german");
  assert.equal(_("Calling %(who)s", { who: "Anna %(who)s" }), "Ruft Anna %(who)s an");
  assert.equal(_("Not in it %(x)s"), "Not in it %(x)s");
  assert.equal(_("%(number)s %%", { number: 4 }), "4 %");
  assert.deepEqual([0, 1, 1234].map((n) => ngettext("%(num)s call", "%(num)s calls", n)), ["0 Anrufe", "1 Anruf", "1.234 Anrufe"]);
  assert.equal(clockTime(0, { seconds: true }), "01:00:00");
  assert.equal(date("2026-11-24"), "24.11.26");
  assert.equal(known("Nowhere/Land"), "UTC");
  globalThis.document = before;
  delete globalThis.catalogue;
});
