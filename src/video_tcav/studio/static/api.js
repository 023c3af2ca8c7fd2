/* Requests to the studio's server, and the filters in the address. */

export const FILTERS = ["concept", "verdict", "label", "video", "kind", "text", "sort", "disputed", "like", "words"];

/** Filters of the address. A concept of "" is a filter too: clips without a concept. */
export function filters() {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(FILTERS.filter((name) => query.has(name)).map((name) => [name, query.get(name)]));
}

/** The address of these filters. */
export function address(wanted) {
  const query = new URLSearchParams(wanted).toString();
  return query ? `/?${query}` : "/";
}

/** The answer of the server; an Error with its one line if it refuses. */
export async function read(path, query = {}) {
  const text = new URLSearchParams(query).toString();
  return answer(fetch(text ? `${path}?${text}` : path));
}

/** Ask the server for a change. */
export async function change(path, body = {}) {
  return answer(fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }));
}

async function answer(request) {
  let response;
  try {
    response = await request;
  } catch {
    throw new Error("The studio does not answer. Start it again and open the link that it prints. Nothing is lost.");
  }
  if (!response.ok) throw new Error((await response.text()).trim());
  return response.json();
}

/** An element with properties and children; text is only ever text. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "data") Object.assign(element.dataset, value);
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** "1 clip", "2 clips". */
export function counted(count, word) {
  return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
}
