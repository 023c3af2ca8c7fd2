/* Keys and mouse: which action they stand for. */

import { counted } from "./api.js";
import * as detail from "./detail.js";
import * as names from "./names.js";
import * as panel from "./panel.js";
import * as wall from "./wall.js";

let actions = {};

/** What can be done: `DO` by name, `judge`, `move`, `copy`, `go`, `toggleDetail` and `say`. */
export function listen(callbacks) { actions = callbacks; }

const KEYS = { a: "accept", r: "reject", o: "open", n: "name", m: "like", c: "add", u: "undo", "?": "help" };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || event.isComposing) return;
  const { key, target } = event;
  if (target.closest("input:not([type=radio]), select, textarea")) return;
  const onWall = target.closest(".wall") || target === document.body;
  if (event.ctrlKey || event.metaKey || event.altKey) {
    if (onWall && key.toLowerCase() === "a" && !event.altKey) { event.preventDefault(); chooseAll(); }
    return;
  }
  if (key in ARROWS && onWall) { event.preventDefault(); wall.step(...ARROWS[key], event.shiftKey).then(choice); return; }
  if ((key === "Home" || key === "End") && onWall) { event.preventDefault(); wall.toEnd(key === "End", event.shiftKey); choice(); return; }
  if (key === " " && target.closest(".tile")) { event.preventDefault(); wall.toggle(wall.current().id); choice(); return; }
  if (key === "Enter" && target.closest(".tile")) { event.preventDefault(); if (!event.repeat) actions.toggleDetail(); return; }
  if (key === "Escape") { if (wall.choiceSize()) { wall.chooseNone(); choice(); } else if (detail.isOpen()) actions.toggleDetail(false); return; }
  if (event.repeat) return; /* a key that is held judges one clip, not the whole wall */
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1] ?? (/^[1-9]$/.test(key) ? key : null);
  if (digit && (event.shiftKey || key === digit)) {
    const concept = panel.bank?.concepts.find(({ number }) => number === Number(digit));
    if (concept) (event.shiftKey ? actions.copy : actions.move)(concept.name);
    else actions.say(`There is no concept ${digit}.`);
    return;
  }
  if (detail.isOpen() && detail.key(key)) { event.preventDefault(); return; }
  if (key === "0") { actions.move(""); return; }
  const action = KEYS[key.length === 1 ? key.toLowerCase() : key];
  if (action) { event.preventDefault(); actions.DO[action](); }
});

/** Choose all clips that pass the filters. */
export async function chooseAll() {
  try {
    const total = await wall.chooseAll();
    const size = wall.choiceSize();
    actions.say(size < total ? `${counted(size, "clip")} of ${total.toLocaleString("en")} chosen, the most at once.` : `${counted(size, "clip")} chosen.`);
    announced = size;
  } catch (error) {
    actions.say(error.message, true);
  }
}

let announced = 0;
function choice() {
  const size = wall.choiceSize();
  if (size !== announced) actions.say(size ? `${counted(size, "clip")} chosen.` : "");
  announced = size;
}

document.addEventListener("click", (event) => {
  const { target } = event;
  const act = target.closest("[data-do]");
  if (act) { actions.DO[act.dataset.do](); return; }
  const rename = target.closest("[data-rename]");
  if (rename) { names.nameConcept(rename.dataset.rename); return; }
  const link = target.closest("a.concept");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    actions.go(Object.fromEntries(new URL(link.href).searchParams));
    return;
  }
  const tile = target.closest(".tile");
  if (!tile) return;
  const id = Number(tile.dataset.id);
  const mark = target.closest("[data-mark]")?.dataset.mark;
  if (mark) { actions.judge(mark === "accept" ? "accepted" : "rejected", wall.targets().includes(id) ? wall.targets() : [id]); return; }
  if (event.shiftKey) wall.setFocus(id, { extend: true });
  else if (event.ctrlKey || event.metaKey) { wall.toggle(id); wall.setFocus(id); }
  else { if (wall.choiceSize()) wall.chooseNone(); wall.setFocus(id); }
  choice();
});
document.getElementById("wall").addEventListener("dblclick", (event) => {
  if (event.target.closest(".tile") && !event.target.closest("[data-mark]")) actions.toggleDetail(true);
});
document.getElementById("wall").addEventListener("mousedown", (event) => { if (event.shiftKey) event.preventDefault(); });
