/* Keys and mouse on a wall of clips, whatever the page: focus, choice, verdicts. */

import { counted } from "./api.js";
import * as wall from "./wall.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
let say = () => {};

/** Listen to keys and mouse.

`DO`: what can be done, by name; `KEYS`: the name that a key stands for; `judge(verdict, ids)`; `say(words)`; and what a page has
beside that: `special(event)` takes a key and says so, `enter()`, `escape()`, `click(event)` takes a click and says so. */
export function listen({ DO, KEYS, judge, say: sayWords, special = () => false, enter = null, escape = () => {}, click = () => false }) {
  say = sayWords;
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
    if (key === "Enter" && enter && target.closest(".tile")) { event.preventDefault(); if (!event.repeat) enter(); return; }
    if (key === "Escape") { if (wall.choiceSize()) { wall.chooseNone(); choice(); } else escape(); return; }
    if (event.repeat) return; /* a key that is held judges one clip, not the whole wall */
    if (special(event)) return;
    const action = KEYS[key.length === 1 ? key.toLowerCase() : key];
    if (action) { event.preventDefault(); DO[action](); }
  });
  document.addEventListener("click", (event) => {
    const { target } = event;
    const act = target.closest("[data-do]");
    if (act) { DO[act.dataset.do](); return; }
    if (click(event)) return;
    const tile = target.closest(".tile");
    if (!tile) return;
    const id = Number(tile.dataset.id);
    const mark = target.closest("[data-mark]")?.dataset.mark;
    if (mark) { judge(mark === "accept" ? "accepted" : "rejected", wall.targets().includes(id) ? wall.targets() : [id]); return; }
    if (event.shiftKey) wall.setFocus(id, { extend: true });
    else if (event.ctrlKey || event.metaKey) { wall.toggle(id); wall.setFocus(id); }
    else { if (wall.choiceSize()) wall.chooseNone(); wall.setFocus(id); }
    choice();
  });
  document.getElementById("wall").addEventListener("mousedown", (event) => { if (event.shiftKey) event.preventDefault(); });
}

/** Choose all clips that pass the filters. */
export async function chooseAll() {
  try {
    const total = await wall.chooseAll();
    const size = wall.choiceSize();
    say(size < total ? `${counted(size, "clip")} of ${total.toLocaleString("en")} chosen, the most at once.` : `${counted(size, "clip")} chosen.`);
    announced = size;
  } catch (error) {
    say(error.message, true);
  }
}

let announced = 0;
function choice() {
  const size = wall.choiceSize();
  if (size !== announced) say(size ? `${counted(size, "clip")} chosen.` : "");
  announced = size;
}
