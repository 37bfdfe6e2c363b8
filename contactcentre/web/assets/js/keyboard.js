// Single keys that do something, while nobody types. They can be turned off (WCAG 2.2, 2.1.4); Escape leaves a field.

const $ = (id) => document.getElementById(id);

// does: key -> what it does; does.keys(digit): true where the digit was taken
export function shortcuts(does) {
  $("shortcuts").checked = localStorage.shortcuts !== "off";
  $("shortcuts").addEventListener("change", ({ target }) => (localStorage.shortcuts = target.checked ? "on" : "off"));
  document.addEventListener("keydown", (event) => {
    const field = event.target.closest("input, select, textarea");
    const typing = field && field.type !== "checkbox" && field.type !== "radio";
    if (event.key === "Escape" && field) return field.blur();
    if (typing || event.ctrlKey || event.altKey || event.metaKey || event.repeat || !$("shortcuts").checked) return;
    if (/^[0-9*#]$/.test(event.key) && does.keys(event.key)) return;
    const wanted = event.key.length === 1 && /^[a-z]$/i.test(event.key) && does[event.key.toLowerCase()];
    if (!wanted) return;
    event.preventDefault(); // where it leads into a field, it is not typed there
    wanted();
  });
}
