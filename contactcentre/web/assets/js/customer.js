// Who calls: what is known of the customer, and what they called for before. It is kept while it is typed.

import { element, keyed, text } from "./dom.js";
import { CustomerDraft } from "./draft.js";
import { Kept, fill } from "./kept.js";
import { LOCALE, ZONE, _ } from "./language.js";

const OUTCOMES = {
  answered: _("answered"), abandoned: _("abandoned"), self_served: _("self served"), voicemail: _("voicemail"), callback: _("callback"),
  transferred: _("transferred"), rejected: _("rejected"), overload: _("overload"), lost: _("lost"), not_reached: _("not reached"),
};
const $ = (id) => document.getElementById(id);
const moment = (seconds) => new Date(seconds * 1000).toLocaleString(LOCALE, { dateStyle: "medium", timeStyle: "short", timeZone: ZONE });

export class Customer {
  #kept;

  constructor({ token, on }) {
    this.#kept = new Kept({ token, state: $("customer-state"), problem: $("customer-problem"), on: { saved: on.saved, drawn: () => this.#draw() } });
    $("customer-form").addEventListener("submit", (event) => event.preventDefault());
    $("customer-form").addEventListener("input", ({ target: { name, value } }) => {
      if (!this.#kept.draft || !name) return;
      this.#kept.draft.set(name, value);
      this.#kept.touched();
    });
  }

  // Of a contact of one's own; "" = of none.
  open(contact) {
    return contact ? this.#kept.open(`/api/v1/me/contacts/${contact}/customer`, (sheet) => new CustomerDraft(sheet)) : this.#kept.close();
  }

  leave() {
    this.#kept.flush({ leaving: true });
  }

  #draw() {
    const { draft, path } = this.#kept;
    $("customer").hidden = !draft;
    if (!draft) return;
    const { customer, fields, contacts } = draft.sheet;
    text($("customer-numbers"), customer.numbers.join(", "));
    text($("customer-new"), customer.id ? "" : _("not known yet"));
    $("customer-new").hidden = Boolean(customer.id);
    for (const name of ["name", "tags", "notes"]) fill($(`customer-${name}`), draft.values[name]);
    keyed($("customer-fields"), fields, ({ name, label }) => `${path} ${name} ${label}`, field, (node, { name }) => fill(node.lastElementChild, draft.values[`fields.${name}`]));
    text($("customer-past-title"), contacts.length > 0 ? _("Before") : _("The first call from this number"));
    keyed($("customer-past"), contacts, ({ arrived }) => `${path} ${arrived}`, past, () => {});
  }
}

function field({ name, label }) {
  const id = `customer-field-${name}`;
  return element("div", { class: "field" }, element("label", { for: id }, label), element("input", { id, name: `fields.${name}`, maxlength: 500, autocomplete: "off" }));
}

function past({ arrived, queue, agent, outcome, disposition, note }) {
  const about = [queue, agent, disposition || OUTCOMES[outcome] || outcome].filter(Boolean).join(" · ");
  return element("li", {}, element("time", {}, moment(arrived)), element("bdi", { class: "soft" }, about), ...(note ? [element("bdi", { class: "note" }, note)] : []));
}
