// A form that is kept while it is typed: what is not at the server yet is sent a moment after the last key, again when the
// server does not answer, and once more when the page goes.

import { send } from "./ask.js";
import { text } from "./dom.js";
import { _ } from "./language.js";

const REST = 700; // ms without a key after which it is sent
const AGAIN = 5000; // ms until it is tried again

export class Kept {
  draft = null;
  path = ""; // what is open
  #etag = "";
  #opening = "";
  #timer = 0;
  #sending = null; // the sending that runs

  // on.drawn(): the draft is another one, or has other values; on.saved(): something was kept. `state` and `problem`:
  // where it is said
  constructor({ token, state, problem, on }) {
    Object.assign(this, { token, state, problem, on });
  }

  // What was typed on the one before is sent first. `make` makes a draft of what the server answers. Nothing is open
  // where there is no such thing.
  async open(path, make) {
    if (path === this.#opening) return;
    this.#opening = path;
    await this.flush();
    const [said, sheet, code, etag] = await send("GET", path, null, this.token);
    if (path !== this.#opening) return;
    if (said && code !== "not_found") {
      this.#opening = ""; // the next news of the desk tries again
      this.tell(said, true);
      return;
    }
    this.path = said ? "" : path;
    this.draft = said ? null : make(sheet);
    this.#etag = etag;
    this.tell("");
    this.on.drawn();
  }

  // Shows nothing any more.
  async close() {
    if (this.#opening === "") return;
    this.#opening = "";
    await this.flush();
    if (this.#opening !== "") return;
    this.path = "";
    this.draft = null;
    this.on.drawn();
  }

  // The draft was changed; it is sent after `rest` ms.
  touched(rest = REST) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), rest);
    this.tell("");
  }

  // Sends what is not sent, and `more` with it. Answers what was wrong, "" where all is kept.
  async flush({ more = null, leaving = false } = {}) {
    clearTimeout(this.#timer);
    while (this.#sending && !leaving) await this.#sending;
    if (!this.draft || (!this.draft.dirty && !more)) return "";
    this.#sending = this.#send(this.draft, this.path, more, leaving);
    try {
      return await this.#sending;
    } finally {
      this.#sending = null;
    }
  }

  async #send(draft, path, more, leaving) {
    for (let turn = 0; turn < 3; turn++) {
      const wish = draft.wish;
      if (!more && Object.keys(wish).length === 0) return "";
      if (!leaving) this.tell(_("Saving"));
      const [said, sheet, code, etag] = await send("PUT", path, { ...wish, ...more }, this.token, { leaving, etag: this.#etag });
      if (!said) {
        draft.sent(wish);
        this.#took(draft, sheet, etag);
        this.tell(draft.dirty ? "" : _("Saved"));
        this.on.saved();
        return "";
      }
      if (code !== "changed") {
        this.tell(said, true);
        if (code === "no_answer") this.#timer = setTimeout(() => this.flush(), AGAIN);
        return said;
      }
      const [lost, theirs, , now] = await send("GET", path, null, this.token);
      if (lost) return lost;
      this.#took(draft, theirs, now);
    }
    return _("Others keep changing it.");
  }

  #took(draft, sheet, etag) {
    draft.take(sheet);
    if (draft !== this.draft) return;
    this.#etag = etag;
    this.on.drawn();
  }

  tell(words, wrong = false) {
    text(this.state, wrong ? "" : words);
    text(this.problem, wrong ? words : "");
    this.problem.hidden = !wrong;
  }
}

// Shows a value, but never in the field in which somebody types at this moment.
export function fill(field, value) {
  if (field !== document.activeElement && field.value !== value) field.value = value;
}
