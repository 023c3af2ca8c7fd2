/* The dialog of concepts: names a new one or that of the chosen clips; renames, merges, splits or rejects one. */

import { counted, filters, make } from "./api.js";
import * as panel from "./panel.js";
import * as wall from "./wall.js";

const nameDialog = document.getElementById("name-dialog");
const nameInput = document.getElementById("name-input");
let actions = {};

/** What the dialog does: `move(name, ids)`, `rename(old, name)`, `add(name)`, `split(name)` and `reject(name)`. */
export function setup(callbacks) { actions = callbacks; }

export function nameConcept(old = null) {
  const ids = old === null ? wall.targets() : [];
  const of = old ?? filters().concept ?? wall.current()?.concept ?? "";
  const [toMove, toRename] = nameDialog.querySelectorAll("[type=submit]");
  toMove.textContent = ids.length ? `Move ${counted(ids.length, "clip")} there` : "Make the concept";
  toMove.hidden = old !== null;
  toRename.hidden = !of;
  toRename.classList.toggle("accept", old !== null);
  document.getElementById("name-title").textContent = old === null ? "Name a concept" : `The concept “${old}”`;
  document.getElementById("concept-actions").hidden = old === null;
  document.getElementById("concept-names").replaceChildren(...panel.bank.concepts.filter(({ name }) => name !== of).map(({ name }) => make("option", { value: name })));
  nameInput.value = old ?? "";
  nameDialog.data = { ids, of, first: old === null ? "move" : "rename" };
  nameNote();
  nameDialog.showModal();
  nameInput.select();
}

export function newConcept() {
  wall.chooseNone();
  nameConcept();
  nameDialog.data.ids = [];
  nameDialog.querySelector("[value=move]").textContent = "Make the concept";
  nameDialog.querySelector("[value=rename]").hidden = true;
}

function nameNote() {
  const exists = panel.bank.concepts.some((concept) => concept.name === nameInput.value.trim());
  const same = nameInput.value.trim() === nameDialog.data.of;
  const { of } = nameDialog.data, merges = exists && !same;
  nameDialog.querySelector("[value=rename]").textContent = merges ? `Merge “${of}” into it` : `Rename “${of}”`;
  document.getElementById("name-note").textContent = merges ? "There is a concept of this name. Merging puts all clips into that." : "";
}

function named(action) {
  const name = nameInput.value.trim();
  const { ids, of } = nameDialog.data;
  nameDialog.close();
  if (action === "rename") return name === of ? null : actions.rename(of, name);
  return ids.length ? actions.move(name, ids) : actions.add(name);
}

for (const [id, action] of [["split", "split"], ["reject-all", "reject"]]) {
  document.getElementById(id).addEventListener("click", () => { nameDialog.close(); actions[action](nameDialog.data.of); });
}
nameInput.addEventListener("input", nameNote);
nameDialog.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  named(event.submitter?.value && event.submitter.value !== "cancel" && !event.submitter.hidden ? event.submitter.value : nameDialog.data.first);
});
nameInput.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !nameInput.value.trim()) return;
  event.preventDefault();
  named(nameDialog.data.first);
});
