// What fits a call in its state. What is really possible says the controller.

// The verbs without a destination that fit a contact's row, [verb, words, body].
export function verbsOf({ talk, entered }) {
  if (!talk) return [...(entered === null ? [] : [["front", "To the front", {}]]), ["hangup", "Hang up", {}]];
  const others = talk.parties.length > 2;
  const states = {
    talking: [["hold", "Hold"], ["park", "Park"]],
    held: others ? [["resume", "Resume"], ["drop", "Agent leaves"]] : [["resume", "Resume"], ["park", "Park"]],
    asking: [["cancel", "Cancel"]],
    consulting: [["toggle", "Back to the caller"], ["complete", "Hand over"], ["conference", "Conference"], ["cancel", "Cancel"]],
    toggled: [["toggle", "Back to who is asked"], ["complete", "Hand over"], ["conference", "Conference"], ["cancel", "Cancel"]],
    conference: [["hold", "Hold"], ["drop", "Agent leaves"]],
  };
  const fitting = states[talk.state] ?? [];
  const record = { "": ["start"], running: ["pause", "stop"], paused: ["resume", "stop"] }[talk.recording] ?? [];
  const words = { start: "Record", pause: "Pause recording", resume: "Resume recording", stop: "Stop recording" };
  return [
    ...fitting.map(([verb, said]) => [verb, said, {}]),
    ...(fitting.length > 0 ? record.map((action) => ["record", words[action], { action }]) : []),
    ["hangup", "Hang up", {}],
  ];
}

// The verbs that need somebody, [verb, words].
export function verbsTo({ talk, entered }) {
  if (!talk) return entered === null ? [] : [["pickup", "Let them pick it up"], ["move", "Move there"]];
  return {
    talking: [["consult", "Ask"], ["add", "Add"], ["transfer", "Transfer"]],
    held: talk.parties.length > 2 ? [] : [["consult", "Ask"], ["transfer", "Transfer"]],
    conference: [["add", "Add"]],
    parked: [["retrieve", "Let them take it"]],
  }[talk.state] ?? [];
}

// The verbs on one of the parties, [verb, words].
export function verbsOn(party, { talk, agent }) {
  if (!agent || talk.state === "parked" || party.place === "ringing") return [];
  const mute = party.muted ? ["unmute", "Unmute"] : ["mute", "Mute"];
  return party.role === "caller" || party.agent === agent ? [mute] : [mute, ["kick", "Remove"]];
}
