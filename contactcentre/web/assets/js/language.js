// The page's language. Texts stand in the code in English; the page of another language has loaded its catalogue before
// us (`words-LANGUAGE.js`, which the build makes of translations/LANGUAGE/LC_MESSAGES/messages.po).

const { messages, plural } = globalThis.catalogue ?? { messages: {}, plural: null };
const { lang, dataset } = globalThis.document?.documentElement ?? { lang: "en", dataset: {} };

// For Intl: the page's language, as the browser's own country writes it.
export const LOCALE = globalThis.navigator?.languages?.find((one) => one.split("-")[0] === lang) ?? lang;

function filled(words, values) {
  return words.replace(/%(?:\((\w+)\)s|%)/g, (whole, name) => (name ? values[name] ?? whole : "%"));
}

// _("Calling %(who)s", { who: "Anna" })
export function _(english, values = {}) {
  return filled(messages[english] ?? english, values);
}

// Marks a text that is translated later.
export const N_ = (english) => english;

// ngettext("%(num)s call", "%(num)s calls", 3)
export function ngettext(one, many, number, values = {}) {
  const forms = messages[one];
  const words = Array.isArray(forms) ? forms[plural(number)] : number === 1 ? one : many;
  return filled(words, { num: decimal(number), ...values });
}

export function decimal(number, digits = 0) {
  return number.toLocaleString(LOCALE, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

// The site's time zone, if the browser knows it.
export const ZONE = known(dataset.timezone ?? "UTC");

export function known(zone) {
  try {
    new Intl.DateTimeFormat([], { timeZone: zone });
    return zone;
  } catch {
    return "UTC";
  }
}

// 13:05, or 13:05:09, of epoch seconds, by the site's clock.
export function clockTime(at, { seconds = false, timeZone = ZONE } = {}) {
  const form = { hour: "2-digit", minute: "2-digit", ...(seconds && { second: "2-digit" }), hourCycle: "h23", timeZone };
  return new Date(at * 1000).toLocaleTimeString(LOCALE, form);
}

// 24 Dec
export function day(at) {
  return new Date(at * 1000).toLocaleDateString(LOCALE, { day: "numeric", month: "short", timeZone: ZONE });
}

// 2026-11-24 in figures.
export function date(iso) {
  return lang === "en" ? iso : new Date(`${iso}T12:00:00Z`).toLocaleDateString(LOCALE, { dateStyle: "short", timeZone: "UTC" });
}

// Within a sentence. German nouns keep their capital.
export function lower(words) {
  return lang === "de" ? words : words.toLowerCase();
}
