// Words and numbers as people read them.

export const STATES = {
  available: "Free",
  offered: "Ringing",
  talking: "Talking",
  wrap_up: "Wrap-up",
  paused: "Paused",
  logged_out: "Signed out",
};

export const CONTACT_STATES = {
  ivr: "In the menu",
  queue: "Waiting",
  ringing: "Ringing",
  talking: "Talking",
  voicemail: "Voicemail",
  transfer: "Transfer",
  ending: "Ending",
};

// 0:07, 12:34, 1:02:03. Never negative: a clock that is a little off must not show -0:01.
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export function percent(share) {
  if (share === null) return "–";
  const value = share * 100;
  return value === 0 || value === 100 ? `${value} %` : `${Math.min(value, 99.9).toFixed(1)} %`; // nearly all is not all
}

// What a caller who came now would wait, and how far off four of five such estimates were; "" where nothing is known.
export function estimated(estimate) {
  if (!estimate) return "";
  const about = (seconds) => (seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`);
  return `est. ${about(estimate.seconds)}${estimate.told ? ` ± ${about(estimate.within)}` : ""}`;
}

export function stateName(state) {
  return STATES[state] ?? state;
}

export function contactState(state) {
  return CONTACT_STATES[state] ?? state;
}

// A conversation as it is now: [the words, the colour's name]. `asked` is the name of whom the agent asks.
export function talkWords(talk, asked) {
  switch (talk.state) {
    case "held": return ["On hold", "hold"];
    case "asking": return [`Calling ${asked}`, "consult"];
    case "consulting": return [`Consulting ${asked}`, "consult"];
    case "toggled": return [`Talking, ${asked} on music`, "consult"];
    case "conference": return [`Conference (${talk.parties.length})`, "conference"];
    case "parked": return [`Parked in ${talk.slot}`, "parked"];
    case "outside": return ["Talking outside", "outside"];
    default: return ["Talking", "talking"];
  }
}

const PLACES = { together: "in the conversation", music: "hears music", ringing: "phone rings" };

export function placeWords(party) {
  return `${PLACES[party.place] ?? party.place}${party.muted ? ", muted" : ""}`;
}

// Who listens to a call, and how.
export function listens({ supervisor, mode }) {
  return `${supervisor} ${{ listen: "listens", whisper: "whispers", barge: "barges in" }[mode] ?? mode}`;
}

// What waits in a box of messages; nothing where nothing does.
export function messages(number) {
  return number ? `${number} new message${number === 1 ? "" : "s"}` : "";
}

// Who else brought an agent's state about, and what they said to it.
export function said({ by, note }) {
  return by ? `by ${by}${note ? `: ${note}` : ""}` : "";
}

// An agent's skills for the day.
export function lent(skills) {
  const told = Object.entries(skills).map(([skill, level]) => (level ? `${skill} ${level}` : `without ${skill}`));
  return told.length ? `today ${told.join(", ")}` : "";
}

// What an agent wished for during a call, "logout" or "pause:REASON".
export function wish(then) {
  if (then === "logout") return "signs out after this";
  return then.startsWith("pause:") ? `pauses after this (${then.slice(6)})` : "";
}

// What keeps an agent's phone from ringing; "" = nothing. The time is the clock's, for it stays the same.
export function phone(row) {
  const since = row.phone_since ? new Date(row.phone_since * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) : "";
  const words = { away: "phone away", in_use: "on a call of their own" }[row.phone];
  return words ? `${words}${since ? ` since ${since}` : ""}` : "";
}

// By what an agent is called, where it is not the phone.
export function device(kind) {
  return { webrtc: "softphone", external: "called outside" }[kind] ?? "";
}
