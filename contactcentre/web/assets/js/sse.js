// Reads server-sent events (WHATWG HTML, section 9.2) out of pieces of text. EventSource is not used: it hides the status
// of a refused request, and it cannot be told to try again at once when a laptop wakes up.

export class EventReader {
  #rest = "";
  #event = "";
  #data = [];
  #id = "";
  lastId = "";

  // Takes a piece of the stream; returns the events that are complete now.
  read(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop();
    const events = [];
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (line === "") {
        if (this.#id !== "") this.lastId = this.#id;
        if (this.#data.length > 0) {
          events.push({ event: this.#event || "message", data: this.#data.join("\n"), id: this.lastId });
        }
        this.#event = "";
        this.#data = [];
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue;
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (name === "event") this.#event = value;
      else if (name === "data") this.#data.push(value);
      else if (name === "id" && !value.includes("\0")) this.#id = value;
    }
    return events;
  }
}
