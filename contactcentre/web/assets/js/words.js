// Words and numbers as people read them.

import { N_, _, clockTime, decimal, ngettext } from "./language.js";

export const STATES = {
  available: _("Free"),
  offered: _("Ringing"),
  talking: _("Talking"),
  wrap_up: _("Wrap-up"),
  paused: _("Paused"),
  logged_out: _("Signed out"),
};

export const CONTACT_STATES = {
  ivr: _("In the menu"),
  dialling: _("Is being called"),
  queue: _("Waiting"),
  ringing: _("Ringing"),
  talking: _("Talking"),
  voicemail: _("Voicemail"),
  transfer: _("Transfer"),
  ending: _("Ending"),
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
  const whole = value === 0 || value === 100;
  return _("%(number)s %%", { number: whole ? decimal(value) : decimal(Math.min(value, 99.9), 1) }); // nearly all is not all
}

// A time as it is said, not counted.
export function about(seconds) {
  return seconds < 90 ? _("%(number)s s", { number: Math.round(seconds) }) : _("%(number)s min", { number: Math.round(seconds / 60) });
}

// What a caller who came now would wait, and how far off four of five such estimates were; "" where nothing is known.
export function estimated(estimate) {
  if (!estimate) return "";
  const time = about(estimate.seconds) + (estimate.told ? ` ± ${about(estimate.within)}` : "");
  return _("est. %(time)s", { time });
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
    case "held": return [_("On hold"), "hold"];
    case "asking": return [_("Calling %(who)s", { who: asked }), "consult"];
    case "consulting": return [_("Consulting %(who)s", { who: asked }), "consult"];
    case "toggled": return [_("Talking, %(who)s on music", { who: asked }), "consult"];
    case "conference": return [_("Conference (%(number)s)", { number: talk.parties.length }), "conference"];
    case "parked": return [_("Parked in %(slot)s", { slot: talk.slot }), "parked"];
    case "outside": return [_("Talking outside"), "outside"];
    default: return [_("Talking"), "talking"];
  }
}

const PLACES = { together: _("in the conversation"), music: _("hears music"), ringing: _("phone rings") };

export function placeWords(party) {
  const place = PLACES[party.place] ?? party.place;
  return party.muted ? _("%(place)s, muted", { place }) : place;
}

// Who listens to a call, and how.
export function listens({ supervisor, mode }) {
  const who = { who: supervisor };
  return { listen: _("%(who)s listens", who), whisper: _("%(who)s whispers", who), barge: _("%(who)s barges in", who) }[mode] ?? supervisor;
}

// What waits in a box of messages; nothing where nothing does.
export function messages(number) {
  return number ? ngettext("%(num)s new message", "%(num)s new messages", number) : "";
}

// Who else brought an agent's state about, and what they said to it.
export function said({ by, note }) {
  if (!by) return "";
  return note ? _("by %(who)s: %(note)s", { who: by, note }) : _("by %(who)s", { who: by });
}

// An agent's skills for the day.
export function lent(skills) {
  const told = Object.entries(skills).map(([skill, level]) => (level ? `${skill} ${level}` : _("without %(skill)s", { skill })));
  return told.length ? _("today %(skills)s", { skills: told.join(", ") }) : "";
}

// What an agent wished for during a call, "logout" or "pause:REASON".
export function wish(then) {
  if (then === "logout") return _("signs out after this");
  return then.startsWith("pause:") ? _("pauses after this (%(reason)s)", { reason: then.slice(6) }) : "";
}

// What keeps an agent's phone from ringing; "" = nothing. The time is the clock's, for it stays the same.
export function phone(row) {
  const words = { away: _("phone away"), in_use: _("on a call of their own") }[row.phone] ?? "";
  return words && row.phone_since ? _("%(what)s since %(time)s", { what: words, time: clockTime(row.phone_since) }) : words;
}

// By what an agent is called, where it is not the phone.
export function device(kind) {
  return { webrtc: _("softphone"), external: _("called outside") }[kind] ?? "";
}

// As domain/metrics.py has them, with their seconds.
const FORMULAS = [
  N_("answered within %(t)s ÷ offered"),
  N_("answered within %(t)s ÷ (offered − abandoned within %(s)s)"),
  N_("answered within %(t)s ÷ answered"),
  N_("(answered within %(t)s + abandoned within %(t)s) ÷ (answered + abandoned)"),
  N_("answered within %(t)s ÷ (answered + abandoned)"),
  N_("answered within %(t)s ÷ (entered − abandoned within %(s)s − waiting for less than %(t)s)"),
].map((words) => ({ words, names: [...words.matchAll(/%\((\w)\)s/g)].map(([, name]) => name), like: new RegExp(`^${words.split(/%\(\w\)s/).map(plain).join("(.+?)")}$`) }));

function plain(text) {
  return text.replace(/[()+]/g, "\\$&");
}

// How the service level is counted.
export function formula(text) {
  const known = FORMULAS.find(({ like }) => like.test(text));
  if (!known) return text;
  const values = known.like.exec(text).slice(1).map((value) => (value === "the queue's limit" ? _("the queue's limit") : value));
  return _(known.words, Object.fromEntries(known.names.map((name, n) => [name, values[n]])));
}
