// Recordings on a contact's page: a picture of the sound to seek in, speed, balance, what happened, and notes.

import { ask, send } from "./ask.js";
import { element, keyed, text } from "./dom.js";
import { _ } from "./language.js";
import { duration } from "./words.js";

const STEP = 5; // seconds, of an arrow key
const FAR = 30; // of page up and down
const HEIGHT = 56; // of one channel

class Player {
  #context = null;
  #gains = [];
  #picture = null;

  constructor(box) {
    this.box = box;
    this.path = `/api/v1/recordings/${encodeURIComponent(box.dataset.recording)}`;
    this.audio = box.querySelector("audio");
    this.open = box.querySelector("[data-open]");
    this.open.hidden = false;
    this.open.addEventListener("click", () => this.#load());
  }

  get #part() {
    return (name) => this.box.querySelector(`[data-part=${name}]`);
  }

  async #load() {
    this.open.disabled = true;
    const [wrong, picture] = await send("GET", `${this.path}/picture`, null, this.box.dataset.token);
    this.open.disabled = false;
    this.#problem(wrong);
    if (!picture) return;
    this.#picture = picture;
    this.open.hidden = true;
    this.#part("player").hidden = false;
    this.#wire();
    this.#draw();
    this.#part("wave").focus();
  }

  #wire() {
    const { audio } = this;
    const wave = this.#part("wave");
    audio.preservesPitch = true;
    wave.addEventListener("click", (event) => this.#seek((event.offsetX / wave.clientWidth) * this.#picture.seconds));
    wave.addEventListener("keydown", (event) => this.#key(event));
    for (const name of ["timeupdate", "seeked", "play", "pause", "ended"]) audio.addEventListener(name, () => this.#tell());
    this.#part("play").addEventListener("click", () => this.#toggle());
    this.#part("speed").addEventListener("change", ({ target }) => (audio.playbackRate = Number(target.value)));
    const balance = this.#part("balance");
    balance.closest(".field").hidden = this.#picture.peaks.length < 2;
    balance.addEventListener("input", () => this.#balance(Number(balance.value)));
    this.#part("note-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#note();
    });
    this.box.addEventListener("click", ({ target }) => {
      const second = target.closest("[data-second]")?.dataset.second;
      if (second !== undefined) this.#seek(Number(second));
    });
    new ResizeObserver(() => this.#draw()).observe(wave);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
    audio.controls = false;
  }

  #key(event) {
    const to = { ArrowLeft: -STEP, ArrowRight: STEP, PageDown: -FAR, PageUp: FAR, Home: -Infinity, End: Infinity }[event.key];
    if (to === undefined && event.key !== " ") return;
    event.preventDefault();
    if (event.key === " ") this.#toggle();
    else this.#seek(this.audio.currentTime + to);
  }

  #seek(second) {
    this.audio.currentTime = Math.min(Math.max(0, second), this.#picture.seconds);
    this.#tell();
  }

  #toggle() {
    if (!this.audio.paused) return this.audio.pause();
    this.audio.play().catch(() => this.#problem(_("The recording cannot be played: it is not there any more, or you are signed out.")));
  }

  // -1: the left channel alone, 1: the right one alone. The sound goes through the mixer from the first touch on.
  #balance(value) {
    if (!this.#context) {
      const context = (this.#context = new AudioContext());
      const split = context.createChannelSplitter(2);
      const merge = context.createChannelMerger(2);
      context.createMediaElementSource(this.audio).connect(split);
      this.#gains = [0, 1].map((channel) => {
        const gain = context.createGain();
        split.connect(gain, channel);
        for (const ear of [0, 1]) gain.connect(merge, 0, ear); // both ears hear what is left
        return gain;
      });
      merge.connect(context.destination);
    }
    this.#context.resume();
    this.#gains[0].gain.value = Math.min(1, 1 - value);
    this.#gains[1].gain.value = Math.min(1, 1 + value);
  }

  #draw() {
    const { peaks, seconds, markers, notes } = this.#picture;
    const canvas = this.#part("wave").querySelector("canvas");
    const ratio = devicePixelRatio || 1;
    const width = canvas.parentElement.clientWidth;
    canvas.width = width * ratio;
    canvas.height = HEIGHT * peaks.length * ratio;
    const pen = canvas.getContext("2d");
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    pen.scale(ratio, ratio);
    peaks.forEach((channel, n) => {
      pen.fillStyle = colour(n === 0 ? "--talking" : "--available");
      const middle = HEIGHT * (n + 0.5);
      channel.forEach((peak, at) => {
        const high = Math.max(1, Math.sqrt(peak / 100) * (HEIGHT - 6)); // the root: quiet speech is seen, too
        pen.fillRect((at / channel.length) * width, middle - high / 2, Math.max(1, width / channel.length - 0.4), high);
      });
    });
    const line = ({ second }, name) => {
      pen.fillStyle = colour(name);
      pen.fillRect((second / seconds) * width - 1, 0, 2, HEIGHT * peaks.length);
    };
    markers.forEach((one) => line(one, "--offered"));
    notes.forEach((one) => line(one, "--wrap-up"));
    const rows = [...markers, ...notes.map((one) => ({ ...one, text: `${one.by}: ${one.text}` }))].sort((a, b) => a.second - b.second);
    keyed(this.#part("marks"), rows, (one) => `${one.id ?? ""} ${one.second} ${one.text}`, (one) => element("li", {}, element("button", { class: "button small", type: "button", "data-second": one.second }, duration(one.second)), element("bdi", {}, one.text)), () => {});
    this.#tell();
  }

  #tell() {
    const { audio } = this;
    const now = audio.currentTime || 0;
    const { seconds } = this.#picture;
    const wave = this.#part("wave");
    this.#part("cursor").setAttribute("x", String((now / seconds) * 1000));
    wave.setAttribute("aria-valuenow", String(Math.round(now)));
    wave.setAttribute("aria-valuemax", String(Math.round(seconds)));
    wave.setAttribute("aria-valuetext", _("%(now)s of %(all)s", { now: duration(now), all: duration(seconds) }));
    text(this.#part("time"), `${duration(now)} / ${duration(seconds)}`);
    text(this.#part("play"), audio.paused ? _("Play") : _("Pause"));
    text(this.#part("note-at"), duration(now));
  }

  async #note() {
    const field = this.#part("note-text");
    const [wrong, made] = await ask(`${this.path}/notes`, { second: this.audio.currentTime || 0, text: field.value }, this.box.dataset.token);
    this.#problem(wrong);
    if (!made) return;
    field.value = "";
    this.#picture.notes.push(made);
    this.#draw();
  }

  #problem(words) {
    text(this.#part("problem"), words);
    this.#part("problem").hidden = words === "";
  }
}

const begin = (part) => part.querySelectorAll("[data-recording]").forEach((box) => new Player(box));
begin(document);
document.addEventListener("followed", ({ detail }) => begin(detail));
