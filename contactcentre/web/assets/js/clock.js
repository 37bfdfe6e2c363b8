// The server's time, as a browser whose own clock may be wrong, and may have slept, can know it.
//
// A message that says "it is T" arrives a little after T, so every sample makes the server look late by its delay: the
// largest difference seen is the best one. All samples are forgotten when our own clock was set, or slept.

const JUMP = 2000; // ms

export class ServerClock {
  #offset = 0; // ms
  #trusted = false;
  #drift;

  constructor(wall = () => Date.now(), steady = () => performance.now()) {
    this.wall = wall;
    this.steady = steady;
    this.#drift = wall() - steady();
  }

  // The server said that it is `seconds`.
  hear(seconds) {
    this.check();
    const offset = seconds * 1000 - this.wall();
    if (!this.#trusted || offset > this.#offset) this.#offset = offset;
    this.#trusted = true;
  }

  // Notices that the wall clock jumped against the steady one (set, or slept). True if it did.
  check() {
    const drift = this.wall() - this.steady();
    const jumped = Math.abs(drift - this.#drift) > JUMP;
    this.#drift = drift;
    if (jumped) this.#trusted = false;
    return jumped;
  }

  // A new connection: the old samples may be minutes old.
  forget() {
    this.#trusted = false;
  }

  // Epoch seconds on the server.
  now() {
    return (this.wall() + this.#offset) / 1000;
  }
}
