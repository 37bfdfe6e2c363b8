// Asks the server for something.

import { _ } from "./language.js";

const ANSWER = 15; // seconds that it may take

// [what was wrong, "" where it is done; the answer; the problem's stable code]
// `leaving`: it is sent even when the page goes away meanwhile.
export async function ask(path, body, token, leaving = false) {
  return send("POST", path, body, token, { leaving });
}

// The same with any method; the answer's ETag is the fourth, a problem's `problems` the fifth. `etag`: only that version
// is to be changed.
export async function send(method, path, body, token, { leaving = false, etag = "", seconds = ANSWER } = {}) {
  try {
    const response = await fetch(path, {
      method,
      headers: { "Content-Type": "application/json", "X-CSRFToken": token, ...(etag && { "If-Match": etag }) },
      ...(method !== "GET" && { body: JSON.stringify(body) }),
      cache: "no-store",
      keepalive: leaving,
      signal: AbortSignal.timeout(seconds * 1000),
    });
    const answer = await response.json();
    if (response.ok) return ["", answer, "", response.headers.get("ETag")];
    return [answer.shown || answer.detail || answer.title || _("The server answered %(status)s.", { status: response.status }), null, answer.code, null, answer.problems];
  } catch {
    return [_("The server did not answer. It may still be done: look before asking again."), null, "no_answer"];
  }
}
