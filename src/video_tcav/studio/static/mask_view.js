/* The larger view of a clip's masks: the clip in focus as large as the window lets it be, judged by the same keys. */

import { make } from "./api.js";
import { calm } from "./tiles.js";
import * as wall from "./wall.js";

const dialog = document.getElementById("view-dialog");
const ARROWS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
const element = (id) => document.getElementById(id);
let shown = null;

export function isOpen() { return dialog.open; }
/** Show the clip in focus, or what has become of it. */
export function refresh() {
  const clip = wall.current();
  if (!dialog.open || !clip) return;
  const doubts = clip.doubts.join(", ");
  element("view-title").textContent = clip.short;
  element("view-verdict").textContent = clip.verdict;
  dialog.dataset.verdict = clip.verdict;
  element("view-words").textContent = [clip.label, clip.area, clip.how].filter(Boolean).join(" · ");
  element("view-doubts").textContent = clip.problem || doubts;
  if (shown === clip.id) return; /* the video plays on */
  shown = clip.id;
  stop();
  element("view-stage").replaceChildren(clip.problem ? make("p", { textContent: "There are no masks to show." })
    : make("video", { muted: true, loop: true, playsInline: true, controls: true, autoplay: !calm.matches, src: clip.url, ariaLabel: `${clip.short} with the outlines of its masks` }));
}

export function open() {
  if (!wall.current()) return;
  if (wall.choiceSize()) wall.chooseNone(); /* a verdict here is about the clip that is seen */
  dialog.showModal();
  refresh();
}

function stop() {
  const video = dialog.querySelector("video");
  if (video) { video.pause(); video.removeAttribute("src"); video.load(); }
}

/** Listen to keys and buttons. `DO` and `KEYS` are those of the page, whose keys mean the same here. */
export function listen({ DO, KEYS }) {
  wall.watch(refresh);
  dialog.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const turn = ARROWS[key];
    if (turn && target.tagName !== "VIDEO") { event.preventDefault(); wall.step(turn, 0, false); return; }
    const action = event.repeat ? null : KEYS[key.length === 1 ? key.toLowerCase() : key];
    if (action && action !== "help") { event.preventDefault(); DO[action](); }
  });
  dialog.addEventListener("click", ({ target }) => {
    const turn = target.closest("[data-turn]")?.dataset.turn;
    if (turn) wall.step(Number(turn), 0, false);
    if (target === dialog || target.closest("[data-close]")) dialog.close();
  });
  dialog.addEventListener("close", () => {
    stop();
    element("view-stage").replaceChildren();
    shown = null;
    if (wall.current()) wall.setFocus(wall.current().id);
  });
  element("wall").addEventListener("dblclick", ({ target }) => {
    if (target.closest(".tile") && !target.closest("[data-mark]")) open();
  });
}
