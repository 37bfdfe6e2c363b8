// What somebody writes, and what of it the server does not have yet. What was typed is never lost: where somebody else has
// written meanwhile, fields that were touched here stay, the others become theirs.

import { ZONE } from "./language.js";

class Touched {
  touched = new Set();
  values = {}; // name -> text

  constructor(sheet) {
    this.take(sheet);
  }

  // The server's state, as it was read or as it is after it was told.
  take(sheet) {
    const theirs = this.read(sheet);
    for (const name of this.touched) if (name in theirs && name in this.values) theirs[name] = this.values[name];
    this.values = theirs;
    this.sheet = sheet;
  }

  set(name, value) {
    if (this.values[name] === value) return;
    this.values[name] = value;
    for (const one of this.together(name)) this.touched.add(one);
  }

  // Fields that are nothing without each other.
  together(name) {
    return [name];
  }

  get dirty() {
    return this.touched.size > 0;
  }

  // It arrived; unless it is another value by now.
  arrived(name, value) {
    if (this.values[name] === value) this.touched.delete(name);
  }

  // The touched values below `group.`, by their names there.
  group(group) {
    const names = [...this.touched].filter((name) => name.startsWith(`${group}.`));
    return Object.fromEntries(names.map((name) => [name.slice(group.length + 1), this.values[name]]));
  }
}

const PROMISE = ["disposition", "callback_at", "number"];

// Of a contact: its disposition, its note, and the answers to the script ("answers.NAME").
export class Draft extends Touched {
  read(sheet) {
    const found = { disposition: sheet.disposition, callback_at: sheet.callback_at ?? 0, number: sheet.number, note: sheet.note };
    for (const { name } of sheet.script) found[`answers.${name}`] = sheet.answers[name]?.value ?? "";
    return found;
  }

  together(name) {
    return PROMISE.includes(name) ? PROMISE : [name];
  }

  // The chosen disposition; undefined = none.
  get chosen() {
    return this.sheet.dispositions.find(({ code }) => code === this.values.disposition);
  }

  // What is to be sent. A promise to call back goes only with when and where.
  get wish() {
    const wish = {};
    const answers = this.group("answers");
    if (Object.keys(answers).length > 0) wish.answers = answers;
    if (this.touched.has("note")) wish.note = this.values.note;
    const { disposition, callback_at, number } = this.values;
    const promise = this.chosen?.callback;
    if (this.touched.has("disposition") && (!promise || (callback_at && number))) Object.assign(wish, { disposition, ...(promise && { callback_at, number }) });
    return wish;
  }

  // What was sent arrived: what was changed since then is still to be sent.
  sent(wish) {
    for (const [name, value] of Object.entries(wish.answers ?? {})) this.arrived(`answers.${name}`, value);
    if ("note" in wish) this.arrived("note", wish.note);
    const same = ["callback_at", "number"].every((name) => !(name in wish) || wish[name] === this.values[name]);
    if ("disposition" in wish && wish.disposition === this.values.disposition && same) for (const name of PROMISE) this.touched.delete(name);
  }
}

// Of a customer: name, tags (with commas between them), notes, and the site's fields ("fields.NAME").
export class CustomerDraft extends Touched {
  read({ customer, fields }) {
    const found = { name: customer.name, tags: customer.tags.join(", "), notes: customer.notes };
    for (const { name, value } of fields) found[`fields.${name}`] = value;
    return found;
  }

  get wish() {
    const wish = {};
    const fields = this.group("fields");
    if (Object.keys(fields).length > 0) wish.fields = fields;
    for (const name of ["name", "notes"]) if (this.touched.has(name)) wish[name] = this.values[name];
    if (this.touched.has("tags")) wish.tags = this.values.tags.split(",");
    return wish;
  }

  sent(wish) {
    for (const [name, value] of Object.entries(wish.fields ?? {})) this.arrived(`fields.${name}`, value);
    for (const name of ["name", "notes"]) if (name in wish) this.arrived(name, wish[name]);
    if (wish.tags) this.arrived("tags", wish.tags.join(","));
  }
}

// What `<input type=datetime-local>` shows and takes, by the site's clock as every other time: "2026-11-23T14:30".
export function localTime(seconds) {
  return new Date(seconds * 1000).toLocaleString("sv-SE", { timeZone: ZONE }).slice(0, 16).replace(" ", "T");
}

export function secondsOf(local) {
  const asked = Date.parse(`${local}Z`) / 1000;
  if (Number.isNaN(asked)) return 0;
  const ahead = (at) => Date.parse(`${localTime(at)}Z`) / 1000 - at; // of UTC
  return asked - ahead(asked - ahead(asked));
}

// An hour from now, at the next quarter.
export function soon(now) {
  return Math.ceil((now + 3600) / 900) * 900;
}
