// What fits a call in its state. What is really possible says the controller.

import { _ } from "./language.js";

// The verbs without a destination that fit a contact's row, [verb, words, body].
export function verbsOf({ talk, entered }) {
  if (!talk) return [...(entered === null ? [] : [["front", _("To the front"), {}]]), ["hangup", _("Hang up"), {}]];
  const others = talk.parties.length > 2;
  const states = {
    talking: [["hold", _("Hold")], ["park", _("Park")]],
    held: others ? [["resume", _("Resume")], ["drop", _("Agent leaves")]] : [["resume", _("Resume")], ["park", _("Park")]],
    asking: [["cancel", _("Cancel")]],
    consulting: [["toggle", _("Back to the caller")], ["complete", _("Hand over")], ["conference", _("Conference")], ["cancel", _("Cancel")]],
    toggled: [["toggle", _("Back to who is asked")], ["complete", _("Hand over")], ["conference", _("Conference")], ["cancel", _("Cancel")]],
    conference: [["hold", _("Hold")], ["drop", _("Agent leaves")]],
  };
  const fitting = states[talk.state] ?? [];
  const record = { "": ["start"], running: ["pause", "stop"], paused: ["resume", "stop"] }[talk.recording] ?? [];
  const words = { start: _("Record"), pause: _("Pause recording"), resume: _("Resume recording"), stop: _("Stop recording") };
  return [
    ...fitting.map(([verb, said]) => [verb, said, {}]),
    ...(fitting.length > 0 ? record.map((action) => ["record", words[action], { action }]) : []),
    ["hangup", _("Hang up"), {}],
  ];
}

// The verbs that need somebody, [verb, words].
export function verbsTo({ talk, entered }) {
  if (!talk) return entered === null ? [] : [["pickup", _("Let them pick it up")], ["move", _("Move there")]];
  return {
    talking: [["consult", _("Ask")], ["add", _("Add")], ["transfer", _("Transfer")]],
    held: talk.parties.length > 2 ? [] : [["consult", _("Ask")], ["transfer", _("Transfer")]],
    conference: [["add", _("Add")]],
    parked: [["retrieve", _("Let them take it")]],
  }[talk.state] ?? [];
}

// The verbs on one of the parties, [verb, words].
export function verbsOn(party, { talk, agent }) {
  if (!agent || talk.state === "parked" || party.place === "ringing") return [];
  const mute = party.muted ? ["unmute", _("Unmute")] : ["mute", _("Mute")];
  return party.role === "caller" || party.agent === agent ? [mute] : [mute, ["kick", _("Remove")]];
}
