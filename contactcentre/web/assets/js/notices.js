// What people at work tell each other: a list, the newest first, and a form that says something more.

import { ask } from "./ask.js";
import { attribute, element, keyed, text } from "./dom.js";
import { _, clockTime, day, ngettext } from "./language.js";

const SHOWN = 20;
const $ = (id) => document.getElementById(id);
const when = (seconds) => `${day(seconds)}, ${clockTime(seconds)}`;

export class Notices {
  #known = new Map();
  #asked = 0;
  #again = 0;

  // path: of the API; named(to): how people call an agent:NAME
  constructor({ path, token, named }) {
    Object.assign(this, { path, token, named });
    $("notice-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    $("notices-list").addEventListener("click", ({ target }) => {
      const id = target.closest("[data-read]")?.dataset.read;
      if (id) this.#read(id);
    });
  }

  // Everything anew. Asked for again until the server answers: what nobody has read must not be missed.
  async load() {
    const asked = ++this.#asked;
    clearTimeout(this.#again);
    try {
      const response = await fetch(this.path, { cache: "no-store" });
      if (response.ok && asked === this.#asked) return this.#take((await response.json()).notices);
      if (response.status < 500) return;
    } catch {
      // below
    }
    if (asked === this.#asked) this.#again = setTimeout(() => this.load(), 5000);
  }

  // One more, as the live stream brings it.
  hear(notice) {
    if (!notice.id) return;
    this.#known.set(notice.id, notice);
    this.#draw();
  }

  // To whom one can write.
  people(agents, queues = []) {
    const name = (one) => one.full_name || one.name;
    keyed($("notice-agents"), agents, (one) => one.name, (one) => element("option", { value: `agent:${one.name}` }), (node, one) => text(node, name(one)));
    if ($("notice-queues")) keyed($("notice-queues"), queues, (one) => one.name, (one) => element("option", { value: `queue:${one.name}` }, one.name), () => {});
  }

  #take(notices) {
    this.#known = new Map(notices.map((one) => [one.id, one]));
    this.#draw();
  }

  #draw() {
    const rows = [...this.#known.values()].sort((a, b) => b.at - a.at).slice(0, SHOWN);
    keyed($("notices-list"), rows, (one) => one.id, make, (node, one) => this.#update(node, one));
    const fresh = rows.filter((one) => one.new).length;
    text($("notices-new"), fresh ? ngettext("%(num)s new", "%(num)s new", fresh) : "");
    $("notices-new").hidden = fresh === 0;
    if ($("notices-none")) $("notices-none").hidden = rows.length > 0;
  }

  #update(node, one) {
    const [head, body, foot] = node.children;
    attribute(node, "data-new", one.new);
    text(head.children[0], one.mine ? _("To %(who)s", { who: this.#to(one.to) }) : one.agent ? this.named(`agent:${one.agent}`) : one.sender);
    text(head.children[1], when(one.at));
    text(body, one.text);
    text(foot.firstElementChild, this.#state(one));
    foot.lastElementChild.hidden = !one.new;
    foot.lastElementChild.dataset.read = one.id;
  }

  #to(to) {
    if (to === "all") return _("all agents");
    return to === "supervisors" ? _("the supervisors") : to.startsWith("queue:") ? _("queue %(name)s", { name: to.slice(6) }) : this.named(to);
  }

  #state(one) {
    if (!one.mine && !one.unread.length) return one.to.startsWith("agent:") || one.to === "supervisors" ? "" : _("to %(who)s", { who: this.#to(one.to) });
    if (one.readers === 1) return one.read ? _("read") : _("not read yet");
    const values = { read: one.read, all: one.readers };
    if (!one.unread.length || one.unread.length > 5) return _("read by %(read)s of %(all)s", values);
    const names = one.unread.map((name) => this.named(`agent:${name}`)).join(", ");
    return _("read by %(read)s of %(all)s, not by %(names)s", { ...values, names });
  }

  async #send() {
    const body = { to: $("notice-to").value, text: $("notice-text").value };
    const [wrong, made] = await ask(this.path, body, this.token);
    this.#problem(wrong);
    if (wrong) return;
    $("notice-text").value = "";
    this.hear({ ...made, mine: true });
  }

  async #read(id) {
    const [wrong, told] = await ask(`${this.path}/${id}/read`, {}, this.token);
    this.#problem(wrong);
    if (told) this.#take(told.notices);
    else this.load();
  }

  #problem(words) {
    text($("notices-problem"), words);
    $("notices-problem").hidden = words === "";
  }
}

function make() {
  const read = element("button", { class: "button small", type: "button" }, _("Mark as read"));
  return element("li", { class: "notice" }, element("p", { class: "from" }, element("bdi"), element("time", { class: "faint" })), element("p", { class: "said" }), element("p", { class: "foot" }, element("span", { class: "faint" }), read));
}
