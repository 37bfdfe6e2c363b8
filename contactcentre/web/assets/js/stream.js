// Keeps one connection to the live stream, whatever the network, the server and the laptop's lid do.

import { EventReader } from "./sse.js";

export const PULSE = 15; // seconds between the server's pulses
export const STALE = 20; // seconds of silence after which the page must not be believed
const BACK_OFF = [0.3, 1, 2, 4, 8];

export class LiveStream {
  #abort = null;
  #timer = 0;
  #failures = 0;
  #ended = false;
  #heard = Date.now();
  lastId = "";

  // on.event(name, body), on.link("connecting" | "open" | "lost" | "out" | "forbidden")
  constructor(url, on) {
    this.url = url;
    this.on = on;
  }

  start() {
    this.#connect();
    setInterval(() => this.check(), 1000);
    document.addEventListener("visibilitychange", () => document.hidden || this.check());
    window.addEventListener("pageshow", (event) => event.persisted && this.#again(0));
    window.addEventListener("online", () => this.#again(0));
    window.addEventListener("pagehide", () => this.#abort?.abort());
  }

  // Seconds since the server was heard.
  get silence() {
    return (Date.now() - this.#heard) / 1000;
  }

  // After a sleep the socket may look alive and be dead: silence counts, not the socket.
  check() {
    if (this.#ended || this.silence < STALE) return;
    this.on.link("lost");
    if (this.#abort) this.#again(0);
  }

  #again(seconds) {
    if (this.#ended) return;
    this.#abort?.abort();
    this.#abort = null;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), seconds * 1000);
  }

  async #connect() {
    const abort = (this.#abort = new AbortController());
    const giveUp = setTimeout(() => abort.abort(), STALE * 1000);
    this.on.link("connecting");
    try {
      const headers = { Accept: "text/event-stream", ...(this.lastId && { "Last-Event-ID": this.lastId }) };
      const response = await fetch(this.url, { headers, signal: abort.signal, cache: "no-store" });
      clearTimeout(giveUp);
      if (response.status === 401) return this.#end("out");
      if (response.status === 403) return this.#end("forbidden");
      if (!response.ok) throw new Error(`status ${response.status}`);
      await this.#listen(response);
    } catch (error) {
      if (abort !== this.#abort) return; // another connection has taken over
      this.#failures += error.name === "AbortError" ? 0 : 1;
    } finally {
      clearTimeout(giveUp);
    }
    if (abort !== this.#abort || this.#ended) return;
    this.on.link("lost");
    this.#again(BACK_OFF[Math.min(this.#failures, BACK_OFF.length - 1)] * (0.75 + Math.random() / 2));
  }

  async #listen(response) {
    const abort = this.#abort;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const events = new EventReader();
    events.lastId = this.lastId;
    for (;;) {
      const { done, value } = await reader.read();
      if (abort !== this.#abort) return;
      if (done) return;
      this.#heard = Date.now();
      this.#failures = 0;
      for (const { event, data, id } of events.read(value)) {
        if (event === "bye") return this.#end("out");
        this.on.link("open");
        this.on.event(event, JSON.parse(data));
        this.lastId = id;
      }
    }
  }

  #end(link) {
    this.#ended = true;
    this.#abort?.abort();
    this.on.link(link);
  }
}
