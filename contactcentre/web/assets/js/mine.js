// The agent's own lists: contacts of the last day, and calls back that were promised.

import { ask } from "./ask.js";
import { attribute, element, keyed, text } from "./dom.js";
import { _, clockTime, day } from "./language.js";
import { duration } from "./words.js";

const $ = (id) => document.getElementById(id);

export class Mine {
  #asked = 0;

  // on.open(contact): one is to be opened; on.call(path): one is to be called back
  constructor({ token, now, on }) {
    Object.assign(this, { token, now, on });
    $("recent-list").addEventListener("click", ({ target }) => {
      const row = target.closest("button");
      if (row) this.on.open(row.contact);
    });
    $("promises-list").addEventListener("click", ({ target }) => {
      const row = target.closest("button");
      if (row?.dataset.call !== undefined) this.on.call(`/api/v1/me/callbacks/${row.contact}/call`);
      else if (row) this.#called(row);
    });
  }

  async load() {
    const asked = ++this.#asked;
    const [contacts, callbacks, today] = await Promise.all(["contacts", "callbacks", "today"].map(read));
    if (asked !== this.#asked) return;
    if (contacts) this.#drawRecent(contacts.contacts);
    if (today) drawToday(today);
    if (callbacks) this.#drawPromises(callbacks.callbacks);
  }

  #drawRecent(contacts) {
    $("recent").hidden = contacts.length === 0;
    keyed($("recent-list"), contacts, ({ id }) => id, () => element("li", {}, element("button", { class: "row", type: "button" }, element("time"), element("bdi"), element("span", { class: "soft" }))), (node, contact) => {
      const button = node.firstElementChild;
      const [time, who, said] = button.children;
      button.contact = contact;
      text(time, clockTime(contact.arrived));
      text(who, contact.caller_name || contact.caller || _("Withheld"));
      text(said, contact.disposition || contact.queue);
    });
  }

  #drawPromises(callbacks) {
    $("promises").hidden = callbacks.length === 0;
    keyed($("promises-list"), callbacks, ({ contact }) => contact, () => element("li", {}, element("span", { class: "state" }), element("bdi"), element("a"), element("span", { class: "verbs" }, element("button", { class: "button small", type: "button", "data-call": "" }, _("Call")), element("button", { class: "button small", type: "button" }, _("Called")))), (node, one) => {
      const [when, who, number, verbs] = node.children;
      const [call, done] = verbs.children;
      const late = one.at <= this.now();
      text(when, late || day(one.at) === day(this.now()) ? clockTime(one.at) : day(one.at));
      attribute(when, "data-state", late ? "lost" : "offered");
      text(who, one.caller_name || one.label);
      text(number, one.number);
      attribute(number, "href", `tel:${one.number}`);
      attribute(done, "aria-label", _("Called %(number)s", { number: one.number }));
      attribute(call, "aria-label", _("Call %(number)s", { number: one.number }));
      call.contact = done.contact = one.contact;
    });
  }

  async #called(button) {
    button.disabled = true;
    const [said] = await ask(`/api/v1/me/callbacks/${button.contact}`, {}, this.token);
    button.disabled = false;
    text($("promises-problem"), said);
    $("promises-problem").hidden = said === "";
    this.load();
  }
}

function drawToday(today) {
  text($("today-calls"), today.calls);
  text($("today-missed"), today.missed);
  for (const name of ["talk", "wrap_up"]) text($(`today-${name}`), duration(today[name]));
}

async function read(what) {
  try {
    const response = await fetch(`/api/v1/me/${what}`, { cache: "no-store" });
    return response.ok ? await response.json() : null;
  } catch {
    return null; // what is known stays
  }
}
