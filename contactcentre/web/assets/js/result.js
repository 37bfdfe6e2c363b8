// What the agent says of a contact: the queue's script, how it ended, a note. It is kept while it is typed.

import { send } from "./ask.js";
import { attribute, element, keyed, text } from "./dom.js";
import { Draft, localTime, secondsOf, soon } from "./draft.js";

const REST = 700; // ms without a key after which it is sent
const AGAIN = 5000; // ms until it is tried again
const $ = (id) => document.getElementById(id);

export class Result {
  #draft = null;
  #etag = "";
  #timer = 0;
  #sending = null; // the sending that runs
  #opening = "";
  contact = ""; // whose sheet is open

  // `now`: the server's time. on.saved(): something was kept
  constructor({ token, now, on }) {
    Object.assign(this, { token, now, on });
    $("result-form").addEventListener("input", ({ target }) => this.#typed(target));
    $("result-form").addEventListener("submit", (event) => event.preventDefault());
  }

  // The sheet of a contact of one's own; what was written on the one before is sent first. `about`: whose it is.
  async open(contact, about) {
    if (contact === this.#opening) return;
    this.#opening = contact;
    await this.flush();
    const [said, sheet, code, etag] = await send("GET", `/api/v1/me/contacts/${contact}`, null, this.token);
    if (contact !== this.#opening) return;
    if (said && code !== "not_found") {
      this.#opening = ""; // the next news of the desk tries again
      return this.#tell(said, true);
    }
    this.contact = said ? "" : contact;
    this.about = about;
    this.#draft = said ? null : new Draft(sheet);
    this.#etag = etag;
    this.#draw();
    this.#tell("");
  }

  // May it be written on? While it rings, it is only read.
  allow(writing) {
    $("result-fields").disabled = !writing;
  }

  get missing() {
    return this.#draft?.sheet.missing ?? [];
  }

  // Sends what is not sent. `done`: wrap-up ends with it. Answers what was wrong, "" where all is kept.
  async flush({ done = false, leaving = false } = {}) {
    clearTimeout(this.#timer);
    while (this.#sending && !leaving) await this.#sending;
    if (!this.#draft || (!this.#draft.dirty && !done)) return "";
    this.#sending = this.#send(done, leaving);
    try {
      return await this.#sending;
    } finally {
      this.#sending = null;
    }
  }

  async #send(done, leaving) {
    const draft = this.#draft;
    const path = `/api/v1/me/contacts/${this.contact}`;
    for (let turn = 0; turn < 3; turn++) {
      const wish = draft.wish;
      if (!done && Object.keys(wish).length === 0) return "";
      if (!leaving) this.#tell("Saving");
      const [said, sheet, code, etag] = await send("PUT", path, { ...wish, done }, this.token, { leaving, etag: this.#etag });
      if (!said) {
        draft.sent(wish);
        draft.take(sheet);
        this.#etag = etag;
        if (draft === this.#draft) this.#draw();
        this.#tell(draft.dirty ? "" : "Saved");
        this.on.saved();
        return "";
      }
      if (code !== "changed") {
        this.#tell(said, true);
        if (code === "no_answer") this.#timer = setTimeout(() => this.flush(), AGAIN);
        return said;
      }
      const [lost, theirs, , now] = await send("GET", path, null, this.token);
      if (lost) return lost;
      draft.take(theirs);
      this.#etag = now;
      this.#draw();
    }
    return "Others keep changing it.";
  }

  #typed({ name, value, type }) {
    const draft = this.#draft;
    if (!draft || !name) return;
    if (name === "disposition" && draft.sheet.dispositions.find(({ code }) => code === value)?.callback && !draft.values.callback_at) {
      draft.set("callback_at", soon(this.now()));
      draft.set("number", this.about.number);
    }
    draft.set(name, name === "callback_at" ? secondsOf(value) : value);
    if (name === "disposition") this.#draw();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), type === "radio" || type === "select-one" ? 0 : REST);
    this.#tell("");
  }

  #tell(words, wrong = false) {
    text($("result-state"), wrong ? "" : words);
    text($("result-problem"), wrong ? words : "");
    $("result-problem").hidden = !wrong;
  }

  #draw() {
    const draft = this.#draft;
    $("result").hidden = !draft;
    if (!draft) return;
    const { dispositions, script, queue, required } = draft.sheet;
    text($("result-whose"), [this.about.caller, queue].filter(Boolean).join(" · "));
    $("result-script").hidden = script.length === 0;
    keyed($("result-script"), script, (one) => `${this.contact} ${JSON.stringify(one)}`, question, (node, one) => fill(node.querySelector("[name]"), draft.values[`answers.${one.name}`]));
    $("result-choices").hidden = dispositions.length === 0;
    text($("result-asked"), required ? "How did it end? (needed)" : "How did it end?");
    keyed($("result-list"), dispositions, ({ code, label }) => `${code} ${label}`, choice, (node, { code }) => (node.firstElementChild.checked = draft.values.disposition === code));
    const promise = draft.chosen?.callback;
    $("result-callback").hidden = !promise;
    if (promise) {
      fill($("result-when"), draft.values.callback_at ? localTime(draft.values.callback_at) : "");
      fill($("result-number"), draft.values.number);
    }
    fill($("result-note"), draft.values.note);
  }
}

// Never what somebody types in at this moment.
function fill(field, value) {
  if (field !== document.activeElement && field.value !== value) field.value = value;
}

function choice({ code, label, callback }) {
  const input = element("input", { type: "radio", name: "disposition", value: code });
  return element("label", { class: "choice" }, input, element("span", {}, callback ? `${label} ↩` : label));
}

function question({ name, label, kind, choices, required, hint }) {
  const id = `answer-${name}`;
  const field = kind === "choice" ? element("select", { id, name: `answers.${name}` }, element("option", { value: "" }, "…"), ...choices.map((one) => element("option", { value: one }, one)))
    : element("input", { id, name: `answers.${name}`, autocomplete: "off", maxlength: 1000, ...INPUTS[kind] });
  if (required) attribute(field, "aria-required", true);
  if (hint) attribute(field, "aria-describedby", `${id}-hint`);
  return element("div", { class: "field" }, element("label", { for: id }, required ? `${label} *` : label), field, ...(hint ? [element("span", { class: "hint", id: `${id}-hint` }, hint)] : []));
}

const INPUTS = { text: { type: "text" }, number: { type: "text", inputmode: "decimal" }, date: { type: "date" } };
