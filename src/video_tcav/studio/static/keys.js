/* Keys and mouse on the page of a bank: those of every wall, concepts by number, and details. */

import * as detail from "./detail.js";
import * as names from "./names.js";
import * as panel from "./panel.js";
import * as walls from "./wall_keys.js";

const KEYS = { a: "accept", r: "reject", o: "open", n: "name", m: "like", w: "words", c: "add", u: "undo", "?": "help" };

/** What can be done: `DO` by name, `judge`, `move`, `copy`, `go`, `toggleDetail` and `say`. */
export function listen(actions) {
  walls.listen({
    DO: actions.DO, KEYS, judge: actions.judge, say: actions.say,
    enter: () => actions.toggleDetail(),
    escape: () => { if (detail.isOpen()) actions.toggleDetail(false); },
    special: (event) => byNumber(event, actions) || inDetail(event) || outOfConcept(event, actions),
    click: (event) => onConcept(event, actions),
  });
  document.getElementById("wall").addEventListener("dblclick", (event) => {
    if (event.target.closest(".tile") && !event.target.closest("[data-mark]")) actions.toggleDetail(true);
  });
}

function byNumber({ code, key, shiftKey }, { copy, move, say }) {
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(code)?.[1] ?? (/^[1-9]$/.test(key) ? key : null);
  if (!digit || !(shiftKey || key === digit)) return false;
  const concept = panel.bank?.concepts.find(({ number }) => number === Number(digit));
  if (concept) (shiftKey ? copy : move)(concept.name);
  else say(`There is no concept ${digit}.`);
  return true;
}

function inDetail(event) {
  if (!detail.isOpen() || !detail.key(event.key)) return false;
  event.preventDefault();
  return true;
}

function outOfConcept({ key }, { move }) {
  if (key !== "0") return false;
  move("");
  return true;
}

function onConcept(event, { go }) {
  const { target } = event;
  const rename = target.closest("[data-rename]");
  if (rename) { names.nameConcept(rename.dataset.rename); return true; }
  const link = target.closest("a.concept");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return false;
  event.preventDefault();
  go(Object.fromEntries(new URL(link.href).searchParams));
  return true;
}
