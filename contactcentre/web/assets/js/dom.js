// The little that the page needs of a view library. Text goes in as text: callers choose their names.

// element("td", { class: "number", "data-state": state }, "text" or nodes...)
export function element(tag, attributes = {}, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...content);
  return made;
}

// Sets the text, and touches the page only when it differs.
export function text(node, value) {
  const string = String(value);
  if (node.textContent !== string) node.textContent = string;
}

export function attribute(node, name, value) {
  const string = String(value);
  if (node.getAttribute(name) !== string) node.setAttribute(name, string);
}

// Makes the children of `parent` show `rows`, in their order: one node for each key, made once, updated, moved, removed.
export function keyed(parent, rows, keyOf, make, update) {
  const there = (parent.keyed ??= new Map());
  const wanted = new Set();
  let place = parent.firstElementChild;
  for (const row of rows) {
    const key = keyOf(row);
    wanted.add(key);
    let node = there.get(key);
    if (!node) there.set(key, (node = make(row)));
    update(node, row);
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  for (const [key, node] of there) {
    if (!wanted.has(key)) {
      node.remove();
      there.delete(key);
    }
  }
}
