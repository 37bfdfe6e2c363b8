// What the agent says of a contact: the queue's script, how it ended, a note. It is kept while it is typed.

import { attribute, element, keyed, text } from "./dom.js";
import { Draft, localTime, secondsOf, soon } from "./draft.js";
import { Kept, fill } from "./kept.js";
import { _ } from "./language.js";

const $ = (id) => document.getElementById(id);

export class Result {
  #kept;

  // `now`: the server's time. on.saved(): something was kept
  constructor({ token, now, on }) {
    this.now = now;
    this.#kept = new Kept({ token, state: $("result-state"), problem: $("result-problem"), on: { ...on, drawn: () => this.#draw() } });
    $("result-form").addEventListener("input", ({ target }) => this.#typed(target));
    $("result-form").addEventListener("submit", (event) => event.preventDefault());
  }

  // Whose sheet is open.
  get contact() {
    return this.#kept.path.split("/").at(-1);
  }

  // The sheet of a contact of one's own. `about`: whose it is.
  open(contact, about) {
    return this.#kept.open(`/api/v1/me/contacts/${contact}`, (sheet) => {
      this.about = about;
      return new Draft(sheet);
    });
  }

  // May it be written on? While it rings, it is only read.
  allow(writing) {
    $("result-fields").disabled = !writing;
  }

  // Done with the contact: wrap-up ends. Answers what is missing, or "".
  done() {
    return this.#kept.flush({ more: { done: true } });
  }

  leave() {
    this.#kept.flush({ leaving: true });
  }

  #typed({ name, value, type }) {
    const { draft } = this.#kept;
    if (!draft || !name) return;
    if (name === "disposition" && draft.sheet.dispositions.find(({ code }) => code === value)?.callback && !draft.values.callback_at) {
      draft.set("callback_at", soon(this.now()));
      draft.set("number", this.about.number);
    }
    draft.set(name, name === "callback_at" ? secondsOf(value) : value);
    if (name === "disposition") this.#draw();
    this.#kept.touched(type === "radio" || type === "select-one" ? 0 : undefined);
  }

  #draw() {
    const { draft } = this.#kept;
    $("result").hidden = !draft;
    if (!draft) return;
    const { dispositions, script, queue, required } = draft.sheet;
    text($("result-whose"), [this.about.caller, queue].filter(Boolean).join(" · "));
    $("result-script").hidden = script.length === 0;
    keyed($("result-script"), script, (one) => `${this.contact} ${JSON.stringify(one)}`, question, (node, one) => fill(node.querySelector("[name]"), draft.values[`answers.${one.name}`]));
    $("result-choices").hidden = dispositions.length === 0;
    text($("result-asked"), required ? _("How did it end? (needed)") : _("How did it end?"));
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
