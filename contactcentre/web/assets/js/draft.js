// What somebody writes about a contact, and what of it the server does not have yet. What was typed is never lost: where
// somebody else has written meanwhile, fields that were touched here stay, the others become theirs.

const PROMISE = ["disposition", "callback_at", "number"]; // one is nothing without the others

export class Draft {
  #dirty = new Set();
  values = {}; // name -> text; of the script "answers.NAME"

  constructor(sheet) {
    this.take(sheet);
  }

  // The server's state, as it was read or as it is after it was told.
  take(sheet) {
    const theirs = { disposition: sheet.disposition, callback_at: sheet.callback_at ?? 0, number: sheet.number, note: sheet.note };
    for (const { name } of sheet.script) theirs[`answers.${name}`] = sheet.answers[name]?.value ?? "";
    for (const name of this.#dirty) if (name in theirs && name in this.values) theirs[name] = this.values[name];
    this.values = theirs;
    this.sheet = sheet;
  }

  set(name, value) {
    if (this.values[name] === value) return;
    this.values[name] = value;
    for (const one of PROMISE.includes(name) ? PROMISE : [name]) this.#dirty.add(one);
  }

  get dirty() {
    return this.#dirty.size > 0;
  }

  // The chosen disposition; undefined = none.
  get chosen() {
    return this.sheet.dispositions.find(({ code }) => code === this.values.disposition);
  }

  // What is to be sent. A promise to call back goes only with when and where.
  get wish() {
    const wish = {};
    const answers = {};
    for (const name of this.#dirty) if (name.startsWith("answers.")) answers[name.slice(8)] = this.values[name];
    if (Object.keys(answers).length > 0) wish.answers = answers;
    if (this.#dirty.has("note")) wish.note = this.values.note;
    const promise = this.chosen?.callback;
    if (this.#dirty.has("disposition") && (!promise || (this.values.callback_at && this.values.number))) {
      wish.disposition = this.values.disposition;
      if (promise) Object.assign(wish, { callback_at: this.values.callback_at, number: this.values.number });
    }
    return wish;
  }

  // What was sent arrived: what was changed since then is still to be sent.
  sent(wish) {
    for (const [name, value] of Object.entries(wish.answers ?? {})) this.#clean(`answers.${name}`, value);
    if ("note" in wish) this.#clean("note", wish.note);
    if (!("disposition" in wish)) return;
    const same = wish.disposition === this.values.disposition;
    if (same && (!("number" in wish) || (wish.number === this.values.number && wish.callback_at === this.values.callback_at))) {
      for (const name of PROMISE) this.#dirty.delete(name);
    }
  }

  #clean(name, value) {
    if (this.values[name] === value) this.#dirty.delete(name);
  }
}

// What `<input type=datetime-local>` shows and takes is the browser's local time: "2026-11-23T14:30".
export function localTime(seconds) {
  const at = new Date(seconds * 1000);
  const two = (number) => String(number).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
}

export function secondsOf(local) {
  const at = Date.parse(local);
  return Number.isNaN(at) ? 0 : at / 1000;
}

// An hour from now, at the next quarter.
export function soon(now) {
  return Math.ceil((now + 3600) / 900) * 900;
}
