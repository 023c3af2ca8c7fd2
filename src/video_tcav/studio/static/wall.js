/* The wall: its clips in their order, the focus and the choice. */

import { counted, filters, read } from "./api.js";
import { calm, play, redress, release, tile } from "./tiles.js";

const BATCH = 60;
const wall = document.getElementById("wall");
const end = document.getElementById("end");

export const tiles = new Map(); /* id -> {clip, element} in the order of the wall */
let order = [];
let total = 0;
let loading = null;
let round = 0;
let focused = null;
let anchor = null;
const chosen = new Set();
const watchers = [];

/** Call `watcher` whenever the focus or the choice changes. */
export function watch(watcher) { watchers.push(watcher); }
function tell() { for (const watcher of watchers) watcher(); }

/** The clip in focus, or null. */
export function current() { return focused === null ? null : tiles.get(focused).clip; }
/** Ids that an action is about: the chosen, or the one in focus. */
export function targets() { return chosen.size ? [...chosen] : focused === null ? [] : [focused]; }
export function choiceSize() { return chosen.size; }

/* ---- loading ---- */

/** The first clips that pass filters; the wall stays as it is, also on an error. Null if another call came meanwhile. */
export async function firstPage(wanted) {
  round += 1;
  const startedIn = round;
  const page = await read("/api/clips", { ...wanted, limit: BATCH });
  return startedIn === round ? page : null;
}

/** Empty the wall and fill it with a page; `keep` is an id to focus if it is there. */
export function fill(page, { keep = null, focus = false } = {}) {
  for (const id of order) release(tiles.get(id).element);
  tiles.clear(); chosen.clear();
  order = []; focused = anchor = null; loading = null; total = 0;
  wall.replaceChildren();
  append(page, 0);
  const id = tiles.has(keep) ? keep : order[0] ?? null;
  if (id !== null) setFocus(id, { focus });
  tell();
}

/** The next clips of the wall. */
function more() {
  loading ??= load(round).finally(() => { loading = null; });
  return loading;
}

/** So many clips pass the filters by now: load those that there is room for. */
export async function grow(passing) {
  await loading; /* a page that was asked for before does not hold them, and its total would take their place */
  const judged = order.filter((id) => !passes(tiles.get(id).clip, filters())).length; /* which stay on the wall */
  if (passing + judged <= total) return;
  total = passing + judged;
  count();
  if (order.length < BATCH || end.getBoundingClientRect().top < innerHeight + 1200) await more();
}

async function load(startedIn) {
  const wanted = filters();
  /* clips that were judged stay on the wall, but the server no longer counts them under its filter */
  const offset = order.filter((id) => passes(tiles.get(id).clip, wanted)).length;
  const page = await read("/api/clips", { ...wanted, offset, limit: BATCH });
  if (startedIn === round) append(page, offset); /* else the filters have changed since */
}

function append(page, offset) {
  const fresh = page.clips.filter((clip) => !tiles.has(clip.id));
  total = page.total + order.length - offset;
  const fragment = document.createDocumentFragment();
  for (const clip of fresh) {
    const element = tile(clip);
    element.ariaSelected = String(chosen.has(clip.id));
    tiles.set(clip.id, { clip, element });
    order.push(clip.id);
    fragment.append(element);
  }
  wall.append(fragment);
  if (!fresh.length) total = order.length;
  count();
}

function passes(clip, wanted) {
  if ("disputed" in wanted && !clip.disputed) return false;
  return ["concept", "verdict", "label", "kind"].every((name) => !(name in wanted) || wanted[name] === clip[name] || wanted[name] === "all");
}

function count() {
  for (const [position, id] of order.entries()) {
    const { element } = tiles.get(id);
    if (element.ariaPosInSet !== String(position + 1)) element.ariaPosInSet = position + 1;
    element.ariaSetSize = total;
  }
  const { like, words, sort } = filters();
  const ordered = like || words ? `, ${sort === "unlike" ? "least" : "most"} ${words ? `like “${words}”` : "alike"} first` : "";
  document.getElementById("shown").textContent = total ? `${counted(total, "clip")}${ordered}` : "";
  countChosen();
  const empty = document.getElementById("empty");
  empty.hidden = total > 0;
  empty.textContent = Object.keys(filters()).length ? "No clip passes these filters." : empty.dataset.nothing;
}

function countChosen() {
  const button = document.getElementById("choose-all");
  button.hidden = total < 2 || chosen.size >= total;
  button.textContent = `Choose all ${total.toLocaleString("en")}`;
}

new IntersectionObserver((entries) => {
  if (entries.some((entry) => entry.isIntersecting) && order.length && order.length < total) more().catch(() => {});
}, { rootMargin: "1200px", scrollMargin: "1200px" }).observe(end);

/* ---- focus and choice ---- */

/** Put the focus on a clip. `extend` chooses all from the last one on. */
export function setFocus(id, { focus = true, extend = false } = {}) {
  const before = tiles.get(focused)?.element;
  if (before) {
    before.tabIndex = -1;
    before.classList.remove("current");
    if (calm.matches) before.querySelector("video")?.pause();
  }
  if (extend) choose(anchor ?? focused ?? id, id);
  else anchor = id;
  focused = id;
  const { element } = tiles.get(id);
  element.tabIndex = 0;
  element.classList.add("current");
  if (calm.matches) play(element.querySelector("video"));
  if (focus) {
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: "nearest" });
  }
  tell();
}

/** Scroll to the clip in focus, where the columns have changed around it. */
export function keepInSight() { tiles.get(focused)?.element.scrollIntoView({ block: "nearest" }); }

function choose(from, to) {
  const [low, high] = [order.indexOf(from), order.indexOf(to)].sort((a, b) => a - b);
  setChosen(order.slice(low, high + 1));
}

export function setChosen(ids) {
  chosen.clear();
  for (const id of ids) chosen.add(id);
  marks();
}
/** Choose all clips that pass the filters, on the wall or not; how many pass. */
export async function chooseAll() {
  const startedIn = round;
  const answer = await read("/api/ids", filters());
  if (startedIn === round) { setChosen(new Set([...answer.ids, ...order])); tell(); }
  return answer.total;
}
export function chooseNone() { setChosen([]); anchor = focused; tell(); }
export function toggle(id) {
  if (!chosen.size && focused !== null && focused !== id) chosen.add(focused);
  if (!chosen.delete(id)) chosen.add(id);
  marks();
  anchor = id;
  tell();
}
function marks() {
  for (const [id, { element }] of tiles) {
    const is = String(chosen.has(id));
    if (element.ariaSelected !== is) element.ariaSelected = is;
  }
  wall.classList.toggle("several", chosen.size > 0);
  countChosen();
}

/** Focus the clip so many tiles or rows on; loads more where the wall ends. */
export async function step(tilesOn, rowsOn, extend) {
  if (focused === null) return;
  const columns = getComputedStyle(wall).gridTemplateColumns.split(" ").length;
  let position = order.indexOf(focused) + tilesOn + rowsOn * columns;
  if (position >= order.length && order.length < total) await more().catch(() => {});
  if (rowsOn && (position < 0 || (position >= order.length && Math.floor((order.length - 1) / columns) <= Math.floor(order.indexOf(focused) / columns)))) return;
  position = Math.max(0, Math.min(order.length - 1, position));
  if (!extend && chosen.size) setChosen([]);
  setFocus(order[position], { extend });
}
export function toEnd(last, extend) {
  if (!order.length) return;
  if (!extend && chosen.size) setChosen([]);
  setFocus(order[last ? order.length - 1 : 0], { extend });
}

/** Focus the clip after these, or stay on the last. */
export async function after(ids) {
  const judged = new Set(ids);
  const last = order.findLastIndex((id) => judged.has(id));
  if (last + 1 >= order.length && order.length < total) await more().catch(() => {});
  setChosen([]);
  setFocus(order[Math.min(last + 1, order.length - 1)]);
}

/* ---- changes ---- */

/** Show at once what the server has just confirmed. */
export function apply(ids, changed) {
  outdate();
  put(ids, changed);
}

/** What was asked for before a change may say how it was before: such answers change nothing. */
export function outdate() { refreshes += 1; }

function put(ids, changed) {
  for (const id of ids) {
    const entry = tiles.get(id);
    if (!entry) continue;
    entry.clip = { ...entry.clip, ...changed };
    redress(entry.element, entry.clip);
  }
}

/** Put new clips behind the one in focus, as far as they pass the filters; their ids. */
export async function insert(ids) {
  const startedIn = round;
  const { clips } = await read("/api/clips", { ids: ids.join(","), limit: ids.length });
  if (startedIn !== round) return [];
  const fresh = clips.filter((clip) => !tiles.has(clip.id) && passes(clip, filters()));
  let position = order.indexOf(focused) + 1;
  for (const clip of fresh) {
    const element = tile(clip);
    wall.insertBefore(element, wall.children[position] ?? null);
    tiles.set(clip.id, { clip, element });
    order.splice(position++, 0, clip.id);
  }
  total += fresh.length;
  count();
  return fresh.map(({ id }) => id);
}

/* a clip that is not in the bank any more */
function drop(id) {
  const { element } = tiles.get(id);
  const position = order.indexOf(id);
  release(element);
  element.remove();
  tiles.delete(id); chosen.delete(id);
  order.splice(position, 1);
  total = Math.max(order.length, total - 1);
  if (focused === id) {
    focused = anchor = null;
    if (order.length) setFocus(order[Math.min(position, order.length - 1)]);
  }
}

let refreshes = 0;

/** Ask the bank for the state of all tiles: another browser may have changed it. Gives the ids that were different; none if
    another call, or a change, came meanwhile. */
export async function refresh() {
  const startedIn = round;
  refreshes += 1;
  const refreshNumber = refreshes;
  const different = [];
  for (let from = 0; from < order.length; from += 500) {
    const ids = order.slice(from, from + 500);
    const { clips } = await read("/api/clips", { ids: ids.join(","), limit: 500 });
    if (startedIn !== round || refreshNumber !== refreshes) return [];
    for (const clip of clips) {
      const entry = tiles.get(clip.id);
      if (!entry || JSON.stringify(entry.clip) === JSON.stringify(clip)) continue;
      put([clip.id], clip);
      different.push(clip.id);
    }
    const gone = ids.filter((id) => tiles.has(id) && !clips.some((clip) => clip.id === id));
    gone.forEach(drop);
    if (gone.length) count();
  }
  if (different.length) tell();
  return different;
}

wall.addEventListener("focusin", (event) => {
  const id = Number(event.target.closest(".tile")?.dataset.id);
  if (id && id !== focused) setFocus(id, { focus: false });
});
