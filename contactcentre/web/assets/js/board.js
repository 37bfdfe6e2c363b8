// What the server said last. Counts come from the server; here they are only kept and put in order.

export class Board {
  site = { name: "", timezone: "", service_level: "" };
  queues = new Map();
  agents = new Map();
  contacts = new Map();
  totals = null;
  todayAt = null;

  // Everything anew.
  load(snapshot) {
    this.site = snapshot.site;
    for (const kind of ["queues", "agents", "contacts"]) this[kind] = new Map(Object.entries(snapshot[kind]));
    this.totals = snapshot.totals;
    this.todayAt = snapshot.today_at;
  }

  // What differs since. null: it is gone.
  change(changes) {
    for (const kind of ["queues", "agents", "contacts"]) {
      for (const [key, row] of Object.entries(changes[kind])) {
        if (row === null) this[kind].delete(key);
        else this[kind].set(key, row);
      }
    }
    this.totals = changes.totals ?? this.totals;
    this.todayAt = changes.today_at ?? this.todayAt;
  }

  get queueRows() {
    return [...this.queues.values()].sort((a, b) => compare(a.name, b.name));
  }

  get agentRows() {
    return [...this.agents.values()].sort((a, b) => compare(a.full_name || a.name, b.full_name || b.name));
  }

  // How people call an agent:NAME, or the agent NAME, or a number:N.
  named(to) {
    const name = to.replace(/^(agent|number|queue):/, "");
    return (to.startsWith("number:") ? "" : this.agents.get(name)?.full_name) || name;
  }

  // Those who wait first, by queue, in the order in which the queue serves them (priority, then arrival), each with its
  // place; then the others, latest arrival last.
  get contactRows() {
    const places = new Map();
    const waiting = [...this.contacts.values()].filter((row) => row.entered !== null);
    const others = [...this.contacts.values()].filter((row) => row.entered === null);
    waiting.sort((a, b) => compare(a.queue, b.queue) || b.priority - a.priority || a.arrived - b.arrived || compare(a.id, b.id));
    others.sort((a, b) => a.arrived - b.arrived || compare(a.id, b.id));
    const placed = waiting.map((row) => {
      places.set(row.queue, (places.get(row.queue) ?? 0) + 1);
      return { ...row, place: places.get(row.queue) };
    });
    return [...placed, ...others.map((row) => ({ ...row, place: 0 }))];
  }
}

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
