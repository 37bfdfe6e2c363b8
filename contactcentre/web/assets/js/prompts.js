// Prompts: a file is sent as it is; a text is spoken by the server.

import { send } from "./ask.js";
import { element } from "./dom.js";
import { _ } from "./language.js";

const WORK = 60; // seconds that converting may take
const $ = (id) => document.getElementById(id);
const { token } = $("put").dataset;

const tell = (problem) => $("told").replaceChildren(element("p", { class: problem ? "problem" : "soft" }, problem || _("One moment …")));
const wrong = async (response) => {
  if (response.ok) return "";
  const { shown, detail, title } = await response.json();
  return shown || detail || title;
};
const finish = (problem) => (problem ? tell(problem) : location.reload());

// the list is drawn anew while the page is open
document.addEventListener("click", async ({ target }) => {
  const { fill, language, remove } = target.closest("[data-fill], [data-remove]")?.dataset ?? {};
  if (fill) {
    $("name").value = fill;
    $("language").value = language;
    $("file").focus();
    $("file").scrollIntoView({ block: "center" });
  }
  if (!remove || !confirm(_("Remove this sound file?"))) return;
  tell("");
  const response = await fetch(remove, { method: "DELETE", headers: { "X-CSRFToken": token } });
  finish(await wrong(response));
});

$("put").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [file] = $("file").files;
  const path = `/api/v1/prompts/${encodeURIComponent($("language").value.trim())}/${encodeURIComponent($("name").value.trim())}`;
  if (!file && !$("words").value.trim()) return tell(_("Choose a file, or write a text."));
  tell("");
  if (!file) {
    const [problem] = await send("POST", `${path}/speak`, { text: $("words").value }, token, { seconds: WORK });
    return finish(problem);
  }
  try {
    const response = await fetch(path, { method: "PUT", body: file, headers: { "Content-Type": file.type || "application/octet-stream", "X-CSRFToken": token }, signal: AbortSignal.timeout(WORK * 1000) });
    finish(await wrong(response));
  } catch {
    tell(_("The server did not answer."));
  }
});
