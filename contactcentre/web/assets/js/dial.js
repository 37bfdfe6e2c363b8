// Calling a customer: the own phone rings first, then the customer's. What came of it is told until the next call.

import { ask, send } from "./ask.js";
import { element, keyed, text } from "./dom.js";
import { _ } from "./language.js";

const AGAIN = 1000; // ms after which it is asked anew what came of a call
const TRIES = 20;
const UNSEEN = 3000; // ms after which a call that the desk has not shown must be over

const RESULTS = {
  busy: _("The customer’s line is busy."),
  no_answer: _("The customer did not answer."),
  rejected: _("The customer declined the call."),
  unreachable: _("The number cannot be reached."),
  own_phone: _("Nobody was called: your own phone was not answered, or hung up."),
  cut_off: _("The call was cut off. Try again."),
};

const $ = (id) => document.getElementById(id);

export class Dial {
  #contact = ""; // that was asked for last
  #seen = false; // the desk has shown it

  constructor({ token }) {
    this.token = token;
    $("dial").addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask("/api/v1/me/calls", { number: $("dial-number").value, queue: $("dial-queue").value });
    });
  }

  draw({ agent, contact }) {
    $("dial").hidden = !["available", "paused"].includes(agent.state);
    $("dial-for").hidden = agent.queues.length === 0;
    keyed($("dial-queue"), ["", ...agent.queues], (name) => name, (name) => element("option", { value: name }, name || _("none")), () => {});
    if (!this.#contact) return;
    if (agent.contact_id === this.#contact) this.#seen = true;
    else if (this.#seen) this.#over();
    if (contact?.talk) this.#tell(""); // they talk, or somebody else calls
  }

  // `path`: of the API, for a number, a message or a promise.
  async ask(path, body = {}) {
    this.#tell("");
    $("dial-call").disabled = true;
    const [wrong, called] = await ask(path, body, this.token);
    $("dial-call").disabled = false;
    this.#tell(wrong);
    if (!called) return false;
    $("dial-number").value = "";
    this.#contact = called.contact;
    this.#seen = false;
    setTimeout(() => this.#contact === called.contact && !this.#seen && this.#over(), UNSEEN);
    return true;
  }

  #over() {
    const contact = this.#contact;
    this.#contact = "";
    setTimeout(() => this.#learn(contact, TRIES), AGAIN);
  }

  // What came of it is recorded a moment later.
  async #learn(contact, tries) {
    const [, called] = await send("GET", `/api/v1/me/calls/${contact}`, null, this.token);
    if (this.#contact) return; // there is another one
    if (called?.state === "over") this.#tell(RESULTS[called.result] ?? "");
    else if (tries > 0) setTimeout(() => this.#learn(contact, tries - 1), AGAIN);
  }

  #tell(words) {
    text($("dial-problem"), words);
    $("dial-problem").hidden = words === "";
  }
}
