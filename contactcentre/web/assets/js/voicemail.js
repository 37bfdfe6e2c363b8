// The messages that callers left in the agent's own box and in those of the own queues: heard here, claimed, done, handed
// over.

import { send } from "./ask.js";
import { attribute, element, keyed, text } from "./dom.js";
import { _, clockTime, day, ngettext } from "./language.js";
import { duration } from "./words.js";

const AGAIN = 5000; // ms until it is tried again
const SHOWN = 50; // more are on the page of all messages

const $ = (id) => document.getElementById(id);

export class Voicemail {
  #rows = []; // to look after, the oldest first
  #boxes = []; // that a message can be handed over to
  #counts = null; // of the boxes, as the live stream has told them last
  #asked = 0;
  #again = 0;

  // me(): the agent's name; on.handing(): where a message can go is to be learnt; on.call(path): who left it is called
  constructor({ token, me, on }) {
    Object.assign(this, { token, me, on });
    $("voicemail-list").addEventListener("click", ({ target }) => {
      const button = target.closest("[data-take]");
      if (button) this.#take(button);
      else if (target.closest("summary")) this.on.handing();
    });
  }

  // How many wait in each box, as the live stream tells: what has changed is read.
  hear(boxes) {
    const counts = JSON.stringify(boxes);
    if (counts === this.#counts) return;
    this.#counts = counts;
    this.load();
  }

  async load() {
    const asked = ++this.#asked;
    clearTimeout(this.#again);
    const [wrong, found, code] = await send("GET", `/api/v1/voicemail?own=true&limit=${SHOWN}`, null, this.token);
    if (asked !== this.#asked) return;
    if (wrong) {
      if (code !== "forbidden") this.#again = setTimeout(() => this.load(), AGAIN);
      return;
    }
    this.#rows = found.messages.filter(({ state }) => state !== "done");
    this.#draw();
  }

  // To whom a message can be handed over.
  boxes(names) {
    this.#boxes = names;
    this.#draw();
  }

  // The phone rings, or somebody talks.
  hush() {
    for (const audio of $("voicemail-list").querySelectorAll("audio")) audio.pause();
  }

  focus() {
    const first = $("voicemail-list").querySelector("audio, button");
    if (first) first.focus();
    else $("voicemail-all").click();
  }

  #draw() {
    const fresh = this.#rows.filter(({ free }) => free).length;
    $("voicemail").hidden = this.#rows.length === 0;
    text($("voicemail-new"), fresh ? ngettext("%(num)s new", "%(num)s new", fresh) : "");
    $("voicemail-new").hidden = fresh === 0;
    keyed($("voicemail-list"), this.#rows, ({ id }) => id, make, (node, one) => this.#update(node, one));
  }

  #update(node, one) {
    const [from, about, audio, steps, more] = node.children;
    const mine = one.state === "claimed" && one.by === this.me();
    const may = mine || one.free;
    node.message = one;
    attribute(node, "data-new", one.free);
    const caller = one.caller_text || _("withheld");
    text(from.children[0], one.caller_name && one.caller_name !== one.caller ? `${caller} ${one.caller_name}` : caller);
    text(from.children[1], `${day(one.at)}, ${clockTime(one.at)}`);
    text(about, [one.box === this.me() ? _("for you") : one.box, duration(one.seconds), one.note, !may && _("%(owner)s looks after it", { owner: one.by })].filter(Boolean).join(" · "));
    audio.hidden = !one.audio;
    attribute(audio, "aria-label", _("Message of %(who)s", { who: caller }));
    if (one.audio) attribute(audio, "src", one.audio);
    const call = one.caller ? [["call_back", _("Call back")]] : [];
    const fitting = may ? [...call, mine ? ["release", _("Release")] : ["claim", _("Claim")], ["done", _("Done")]] : [];
    keyed(steps, fitting, ([step]) => step, ([step, words]) => element("button", { class: "button small", type: "button", "data-take": step }, words), () => {});
    more.hidden = !may;
    const others = this.#boxes.filter((name) => name !== one.box);
    keyed(more.querySelector("select"), ["", ...others], (name) => name, (name) => element("option", { value: name }, name || _("to …")), () => {});
  }

  async #take(button) {
    const row = button.closest("li");
    const { id, version } = row.message;
    const step = button.dataset.take;
    const [to, note] = [row.querySelector("select"), row.querySelector("input")];
    if (step === "hand_over" && !to.value) return this.#problem(_("Choose whom first."));
    button.disabled = true;
    if (step === "call_back") {
      await this.on.call(`/api/v1/voicemail/${id}/call_back`);
      button.disabled = false;
      return this.load(); // it is claimed
    }
    const body = { note: note.value.trim(), ...(step === "hand_over" && { to: to.value }) };
    const [wrong, after] = await send("POST", `/api/v1/voicemail/${id}/${step}`, body, this.token, { etag: `"${version}"` });
    button.disabled = false;
    this.#problem(wrong);
    if (after) {
      note.value = "";
      this.#rows = this.#rows.map((one) => (one.id === id ? after : one)).filter(({ state }) => state !== "done");
      this.#draw();
      if (!button.isConnected) (row.isConnected ? row.querySelector("[data-take]") : $("voicemail-title"))?.focus();
    }
    this.load(); // also where somebody else was faster
  }

  #problem(words) {
    text($("voicemail-problem"), words);
    $("voicemail-problem").hidden = words === "";
  }
}

function make({ id }) {
  const to = element("select", { id: `to-${id}` });
  const note = element("input", { id: `note-${id}`, maxlength: 500, autocomplete: "off" });
  const field = (label, input) => element("div", { class: "field" }, element("label", { for: input.id }, label), input);
  const hand = element("button", { class: "button small", type: "button", "data-take": "hand_over" }, _("Hand over"));
  const more = element("details", {}, element("summary", {}, _("Note, hand over")), field(_("Note"), note), field(_("Hand over to"), to), hand);
  return element("li", {}, element("p", { class: "from" }, element("bdi"), element("time", { class: "faint" })), element("p", { class: "soft" }), element("audio", { controls: "", preload: "none" }), element("div", { class: "verbs" }), more);
}
